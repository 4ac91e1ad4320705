/* SPDX-License-Identifier: Apache-2.0 */
/* sync URL: one exchange, until both directions are quiet. */
#include "cli/place.h"
#include "cli/templates.h"
#include "cli/verbs.h"

#include <kith/address.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Quiet is: nothing to do for so long. A carrier with a service thread needs a
 * moment to find what is there. */
#define QUIET_NS UINT64_C(400000000)
/* Down for so long is not there, whatever is left of -W. */
#define DOWN_NS UINT64_C(5000000000)
/* On a wire that keeps nothing, peers must answer: within this, and of a moment when
 * whatever was posted before we began is compared. */
#define NOBODY_NS  UINT64_C(20000000000)
#define LISTEN_NS  UINT64_C(5000000000) /* to an older program */
#define SETTLED_NS UINT64_C(4000000000)
#define PROMPT_NS  UINT64_C(500000000)
#define SEEN_MAX   (1u << 20) /* accepted ids that are compared */

typedef struct syncing {
    kith_node *node;
    uint8_t (*seen)[16];
    size_t seen_count, seen_room;
    uint64_t accepted, heard, refused, lost;
    uint64_t quiet_since, last_work, down_since;
    uint64_t begun_ns, up_ns, prompted_ns;
    uint32_t peers;
    char why[248];
    bool was_up, gone;
} syncing;

static void keep(syncing *s, const uint8_t *id) {
    if (s->seen_count == s->seen_room && s->seen_room < SEEN_MAX) {
        size_t room = s->seen_room == 0 ? 1024 : 2 * s->seen_room;
        void *more = realloc(s->seen, room * sizeof *s->seen);
        if (more == NULL) return;
        s->seen = more;
        s->seen_room = room;
    }
    if (s->seen_count < s->seen_room) memcpy(s->seen[s->seen_count++], id, 16);
}

static void note_event(void *ctx, const kith_event *event) {
    syncing *s = ctx;
    switch (event->kind) {
    case KITH_EVENT_ACCEPTED:
        s->accepted++;
        if (event->id != NULL) keep(s, event->id);
        break;
    case KITH_EVENT_REFUSED: s->refused++; break;
    case KITH_EVENT_GAP: s->lost += event->count; break;
    case KITH_EVENT_LINK_UP: s->was_up = true; break;
    case KITH_EVENT_LINK_DOWN:
        snprintf(s->why, sizeof s->why, "%s", event->text == NULL ? "" : event->text);
        break;
    case KITH_EVENT_UNSIGNED: s->heard++; break;
    case KITH_EVENT_STORE:
    case KITH_EVENT_SENT: break;
    }
}

static uint64_t work_of(const kith_link_status *l) {
    return l->counters.posted + l->counters.settled + l->counters.pulled + l->accepted +
           l->duplicates + l->heard + l->sent_through;
}

/* Of a wire without memory: all who are there had the same as we. */
static bool is_agreed(syncing *s, const kith_link_status *l, uint64_t now) {
    s->up_ns = s->up_ns == 0 ? now : s->up_ns;
    s->peers = l->peers > s->peers ? l->peers : s->peers;
    if (s->peers == 0 && now - s->up_ns >= NOBODY_NS) {
        snprintf(s->why, sizeof s->why, "nobody answered");
        s->gone = true;
        return true;
    }
    if (l->agreed_ns >= s->begun_ns + SETTLED_NS) return kith_node_idle(s->node);
    if (now - s->prompted_ns >= PROMPT_NS) {
        s->prompted_ns = now;
        kith_node_compare(s->node, (kith_time){ .mono_ns = now });
    }
    return false;
}

/* Programs that compare nothing: all has been said, and for a while they were heard. Some
 * never fall silent. */
static bool has_listened(syncing *s, const kith_link_status *l, uint64_t now) {
    s->up_ns = s->up_ns == 0 ? now : s->up_ns;
    return now - s->up_ns >= LISTEN_NS && l->waiting == 0;
}

static bool is_quiet(void *ctx) {
    syncing *s = ctx;
    kith_link_status status;
    uint64_t now = kith_time_now().mono_ns;
    if (kith_node_link_status(s->node, 0, &status) < 0 || !status.up) {
        s->quiet_since = now;
        s->down_since = s->down_since == 0 ? now : s->down_since;
        s->gone = now - s->down_since >= DOWN_NS;
        return s->gone;
    }
    s->down_since = 0;
    s->was_up = true;
    if ((status.can & KITH_CAN_LEGACY) != 0 && status.level == KITH_LEVEL_PROCESS) {
        return has_listened(s, &status, now);
    }
    if ((status.can & KITH_CAN_REPLAY) == 0 && (status.can & KITH_CAN_SYNC) != 0) {
        return is_agreed(s, &status, now);
    }
    uint64_t work = work_of(&status);
    if (work != s->last_work || !kith_node_idle(s->node) || s->quiet_since == 0) {
        s->last_work = work;
        s->quiet_since = now;
    }
    return now - s->quiet_since >= QUIET_NS;
}

static int compare(const void *a, const void *b) {
    return memcmp(a, b, 16);
}

/* Packets that the node called new more than once: must be none. */
static uint64_t twice(syncing *s) {
    uint64_t n = 0;
    if (s->seen_count == 0) return 0;
    qsort(s->seen, s->seen_count, sizeof *s->seen, compare);
    for (size_t i = 1; i < s->seen_count; i++)
        n += compare(s->seen[i - 1], s->seen[i]) == 0;
    return n;
}

static int sum_up(const call *c, syncing *s, uint64_t took_ns) {
    kith_link_status status;
    if (kith_node_link_status(s->node, 0, &status) < 0) status = (kith_link_status){ 0 };
    uint64_t again = twice(s);
    double seconds = (double) took_ns / 1e9;
    if (!c->out->json && c->out->format == NULL && !c->out->zero) {
        fprintf(c->out->to, "%llu new, %llu lost, %llu counted twice, %.1f s\n",
            (unsigned long long) s->accepted, (unsigned long long) s->lost,
            (unsigned long long) again, seconds);
        if (s->peers > 0) {
            out_note(
                c->out, "%u peer%s the same", s->peers, s->peers == 1 ? " has" : "s have");
        }
        if (s->heard > 0) {
            out_note(c->out, "%llu new that nobody signed, kept apart",
                (unsigned long long) s->heard);
        }
        if (s->refused > 0) {
            out_note(c->out, "%llu refused", (unsigned long long) s->refused);
        }
        return 0;
    }
    record r = record_of("synced");
    as_column(put_count(&r, "new", s->accepted), 0);
    as_column(put_count(&r, "lost", s->lost), 0);
    as_column(put_count(&r, "counted_twice", again), 0);
    as_column(put_real(&r, "seconds", seconds), 3);
    put_count(&r, "given", status.counters.posted);
    put_count(&r, "again", status.duplicates);
    put_count(&r, "unsigned", s->heard);
    put_count(&r, "refused", s->refused);
    put_count(&r, "peers", s->peers);
    put_text(&r, "url", status.url);
    put_text(&r, "level", kith_level_name(status.level));
    return out_emit(c->out, &r) ? 0 : EXIT_USAGE;
}

static int exchange(const call *c, syncing *s, const kith_time start) {
    const sync_flags *f = c->flags;
    kith_error err = { 0 };
    int signals = catch_signals();
    int r =
        drive(s->node, signals, start.mono_ns + (uint64_t) f->wait_ns, is_quiet, s, &err);
    if (signals >= 0) close(signals);
    if (r == 0 && !s->gone) return sum_up(c, s, kith_time_now().mono_ns - start.mono_ns);
    if (r == KITH_STOP) return EXIT_INTERRUPTED;
    if (s->gone || (r == KITH_E_TIMEOUT && !s->was_up)) {
        return fault(c->out, E_UNREACHED, c->args[0], "%s",
            s->why[0] == '\0' ? "no answer" : s->why);
    }
    return r == KITH_E_TIMEOUT ? fault(c->out, E_WAIT, "sync", NULL) : store_fault(c, &err);
}

/* What is fetched: --only, or the cells of --near below it. */
typedef struct wanted {
    kith_templates *known;
    kith_address cells[KITH_CELLS_MAX];
    const char *list[KITH_CELLS_MAX];
    size_t count;
} wanted;

static int want(const call *c, wanted *w) {
    const sync_flags *f = c->flags;
    const kith_template *t = NULL;
    uint16_t context[KITH_CONTEXT_MAX];
    kith_error err = { 0 };
    const char *why = kith_subject_fault(f->only, true);
    if (why != NULL) return fault(c->out, E_SUBJECT, f->only, "%s", why);
    w->list[0] = f->only;
    w->count = 1;
    int code = templates_load(c, &w->known);
    if (code != 0 || !flag_given(c, "near")) return code;
    if (!flag_given(c, "template") || !kith_subject_valid(f->only)) {
        return fault(c->out, E_TOGETHER, "--near",
            "it needs --template, and --only with one subject");
    }
    code = template_want(c, w->known, f->template, &t);
    if (code != 0) return code;
    if (kith_template_context(t, f->near, context, &err) < 0) {
        return fault(c->out, E_VALUE, "--near", "%s", err.text);
    }
    size_t cells = kith_template_follow(t, f->only, context, w->cells);
    for (size_t i = 0; i < cells; i++) w->list[i] = w->cells[i].subject;
    if (cells > 0) w->count = cells; /* no cells: its packets stand under the subject */
    return 0;
}

int verb_sync(const call *c) {
    links *l = calloc(1, sizeof *l);
    wanted *w = calloc(1, sizeof *w);
    kith_time now = kith_time_now();
    syncing s = { .begun_ns = now.mono_ns };
    kith_key *key = NULL;
    kith_store *store = NULL;
    kith_error err = { 0 };
    node_section node;
    settings_read(c->settings, "node", "", &node);
    int code = l == NULL || w == NULL ? fault(c->out, E_MEMORY, "carriers", NULL) : 0;
    if (code == 0) code = want(c, w);
    if (code == 0) code = choose_links(c, c->args[0], l);
    if (code == 0) code = open_key(c, &key);
    if (code == 0) code = open_store(c, &store);
    if (code == 0) {
        kith_node_config config = { .store = store,
            .key = key,
            .links = l->list,
            .link_count = 1,
            .follows = w->list,
            .follow_count = w->count,
            .templates = w->known,
            .event = note_event,
            .ctx = &s,
            .plugin_dir = node.plugins[0] == '\0' ? NULL : node.plugins };
        if (kith_node_open(&s.node, &config, now, &err) < 0) {
            code = node_fault(c, c->args[0], &err);
        }
    }
    if (code == 0) code = exchange(c, &s, now);
    kith_node_close(&s.node);
    kith_store_close(&store);
    kith_key_free(&key);
    if (w != NULL) kith_templates_free(&w->known);
    free(s.seen);
    free(w);
    free(l);
    return code;
}
