/* SPDX-License-Identifier: Apache-2.0 */
/* get and follow: stored packets, and those that come. */
#include "cli/evidence.h"
#include "cli/legacy.h"
#include "cli/place.h"
#include "cli/templates.h"
#include "cli/verbs.h"

#include <kith/address.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct looking {
    const call *c;
    uint64_t shown, limit;
    uint64_t last;       /* the highest arrival seen */
    uint64_t last_heard; /* and number of an unsigned one */
    int64_t since_us;
    bool bad;
    packet_view *view;
    kith_templates *known;
    const char *cell; /* a pattern that spells one; NULL: any packet */
    char base[KITH_SUBJECT_MAX + 1];
} looking;

/* Does it stand in the cell? Only who knows its template can tell. */
static bool in_cell(const looking *k, const kith_record *stored) {
    kith_address all[KITH_CELLS_MAX];
    kith_content c;
    if (k->cell == NULL) return true;
    if (kith_packet_decode(stored->packet.bytes, stored->packet.length, &c) < 0)
        return false;
    const kith_template *t = kith_templates_find(k->known, c.template_id);
    size_t count = t == NULL ? 0 : kith_template_cells(t, &c, all);
    for (size_t i = 0; i < count; i++) {
        if (kith_subject_matches(k->cell, all[i].subject)) return true;
    }
    return false;
}

/* What the store is asked for: its packets have the base as their subject. */
static const char *base_of(looking *k, const char *pattern) {
    size_t length = kith_cell_base(pattern);
    if (length == 0) return pattern;
    k->cell = pattern;
    snprintf(k->base, sizeof k->base, "%.*s", (int) length, pattern);
    return k->base;
}

static int show_record(void *ctx, const kith_record *stored) {
    looking *k = ctx;
    record r = record_of("packet");
    if (stored->arrival > k->last) k->last = stored->arrival;
    if (stored->arrived_us < k->since_us || !in_cell(k, stored)) return 0;
    if (!stored_record(&r, k->view, stored)) return 0;
    if (!out_emit(k->c->out, &r)) {
        k->bad = true;
        return KITH_STOP;
    }
    k->shown++;
    return k->limit > 0 && k->shown >= k->limit ? KITH_STOP : 0;
}

static int show_heard(void *ctx, const kith_heard *heard) {
    looking *k = ctx;
    record r = record_of("unsigned");
    if (heard->number > k->last_heard) k->last_heard = heard->number;
    if (heard->arrived_us < k->since_us || k->cell != NULL) return 0;
    if (!heard_record(&r, k->view, heard)) return 0;
    if (!out_emit(k->c->out, &r)) {
        k->bad = true;
        return KITH_STOP;
    }
    k->shown++;
    return k->limit > 0 && k->shown >= k->limit ? KITH_STOP : 0;
}

static int origin_of(const look_flags *f) {
    return f->own == f->foreign ? KITH_ORIGIN_ANY
           : f->own             ? KITH_ORIGIN_OWN
                                : KITH_ORIGIN_FOREIGN;
}

/* id:HEX, or a subject or pattern. 0, or an exit code. */
static int what_of(const call *c, looking *k, kith_query *query, uint8_t id[KITH_ID_SIZE]) {
    const char *text = c->args[0];
    bool cell = strncmp(text, "cell:", 5) == 0;
    if (strncmp(text, "id:", 3) == 0) {
        size_t n = strlen(text + 3), length;
        if (n < 8 || !parse_hex(text + 3, n, id, KITH_ID_SIZE, &length)) {
            return fault(c->out, E_PREFIX, text + 3, NULL);
        }
        query->id = id;
        query->id_length = length;
        query->with_expired = query->with_retracted = true;
        return 0;
    }
    if (cell) text += 5;
    const char *why = kith_subject_fault(text, true);
    if (why == NULL && cell && kith_cell_base(text) == 0) {
        why = "no cell is spelt in it, as in cell:hvac.bearing.s0.0010ff";
    }
    if (why != NULL) return fault(c->out, E_SUBJECT, text, "%s", why);
    query->pattern = base_of(k, text);
    return 0;
}

static int since_of(const call *c, const char *text, int64_t now_us, int64_t *ret) {
    *ret = INT64_MIN;
    if (*text == '\0' || strcmp(text, "start") == 0) return 0;
    if (parse_when(text, now_us, ret)) return 0;
    return fault(c->out, E_VALUE, "--since",
        "%s is no time like 2026-01-31T12:00:00Z, and no 90m", text);
}

int verb_get(const call *c) {
    const look_flags *f = c->flags;
    uint8_t id[KITH_ID_SIZE];
    kith_error err = { 0 };
    kith_store *store = NULL;
    int64_t now_us = kith_time_now().wall_us;
    kith_query query = { .newest_first = !f->reverse,
        .with_expired = f->expired,
        .with_retracted = f->retracted,
        .origin = origin_of(f),
        .now_us = now_us };
    looking k = { .c = c, .limit = (uint64_t) f->last };
    kith_each_both each = { show_record, f->own && !f->foreign ? NULL : show_heard, &k };
    int code = what_of(c, &k, &query, id);
    if (code == 0) code = templates_load(c, &k.known);
    if (code == 0) code = since_of(c, f->since, now_us, &k.since_us);
    if (code == 0) code = open_store(c, &store);
    if (code != 0) {
        kith_templates_free(&k.known);
        return code;
    }
    if (k.since_us == INT64_MIN && k.cell == NULL) query.limit = (uint32_t) f->last;
    k.view = calloc(1, sizeof *k.view);
    if (k.view != NULL) k.view->known = k.known;
    if (k.view == NULL) {
        code = fault(c->out, E_MEMORY, "a packet", NULL);
    } else if (kith_store_both(store, &query, &each, &err) < 0) {
        code = store_fault(c, &err);
    } else if (k.bad) {
        code = EXIT_USAGE;
    } else if (k.shown == 0) {
        code = fault(c->out, E_NOTHING, c->args[0], NULL);
    }
    free(k.view);
    kith_templates_free(&k.known);
    kith_store_close(&store);
    return code;
}

/* ---- follow ---- */

typedef struct following {
    looking look;
    kith_store *store;
    kith_node *node;
    kith_query query;
    uint64_t version, refused, lost, doubled;
    kith_error err;
    bool failed;
} following;

static void note_event(void *ctx, const kith_event *event) {
    following *w = ctx;
    const call *c = w->look.c;
    if (event->kind == KITH_EVENT_REFUSED) w->refused++;
    if (event->kind == KITH_EVENT_GAP) w->lost += event->count;
    if (event->kind == KITH_EVENT_LINK_DOWN) {
        out_note(c->out, "%s is down: %s", event->link, event->text);
    } else if (event->kind == KITH_EVENT_STORE) {
        out_note(c->out, "store: %s", event->text);
    }
}

static bool full(const looking *k) {
    return k->limit > 0 && k->shown >= k->limit;
}

/* After each turn: whatever came since the last look. true: enough. */
static bool look_again(void *ctx) {
    following *w = ctx;
    looking *k = &w->look;
    uint64_t version = kith_store_version(w->store);
    if (version == w->version) return false;
    w->version = version;
    w->query.after = k->last;
    w->query.now_us = kith_time_now().wall_us;
    kith_query unsigned_ones = w->query;
    unsigned_ones.after = k->last_heard;
    int r = kith_store_find(w->store, &w->query, show_record, k, &w->err);
    if (r == 0 && w->query.origin != KITH_ORIGIN_OWN && !full(k)) {
        r = kith_store_heard(w->store, &unsigned_ones, show_heard, k, &w->err);
    }
    if (r < 0) {
        w->failed = true;
        return true;
    }
    if (!out_flush(k->c->out)) w->failed = true;
    return k->bad || w->failed || full(k);
}

static void sum_up(following *w) {
    const call *c = w->look.c;
    for (size_t i = 0; i < kith_node_link_count(w->node); i++) {
        kith_link_status status;
        if (kith_node_link_status(w->node, i, &status) == 0)
            w->doubled += status.duplicates;
    }
    if (c->out->json) {
        record r = record_of("follow_end");
        put_count(&r, "shown", w->look.shown);
        put_count(&r, "lost", w->lost);
        put_count(&r, "doubled", w->doubled);
        put_count(&r, "refused", w->refused);
        out_json(c->out->to, &r);
        return;
    }
    out_rows(c->out);
    out_note(c->out, "%llu shown, %llu lost, %llu doubled, %llu refused",
        (unsigned long long) w->look.shown, (unsigned long long) w->lost,
        (unsigned long long) w->doubled, (unsigned long long) w->refused);
}

static int note_last(void *ctx, const kith_heard *heard) {
    looking *k = ctx;
    k->last_heard = heard->number;
    return KITH_STOP;
}

/* Where to begin: behind everything that is there, unless --since says otherwise. */
static int begin(following *w, const look_flags *f) {
    kith_store_stat stat;
    int64_t now_us = kith_time_now().wall_us;
    const call *c = w->look.c;
    w->version = UINT64_MAX;
    w->look.since_us = INT64_MIN;
    if (f->since[0] != '\0') return since_of(c, f->since, now_us, &w->look.since_us);
    if (kith_store_stats(w->store, &stat, &w->err) < 0) return store_fault(c, &w->err);
    w->look.last = stat.last_arrival;
    kith_query newest = { .newest_first = true, .with_expired = true, .limit = 1 };
    if (kith_store_heard(w->store, &newest, note_last, &w->look, &w->err) < 0) {
        return store_fault(c, &w->err);
    }
    return 0;
}

static int follow_open(following *w, const links *l) {
    const call *c = w->look.c;
    node_section node;
    settings_read(c->settings, "node", "", &node);
    const char *pattern = c->args[0];
    kith_node_config config = { .store = w->store,
        .links = l->list,
        .link_count = l->count,
        .follows = &pattern,
        .follow_count = 1,
        .event = note_event,
        .ctx = w,
        .templates = w->look.known,
        .plugin_dir = node.plugins[0] == '\0' ? NULL : node.plugins };
    if (kith_node_open(&w->node, &config, kith_time_now(), &w->err) < 0) {
        return node_fault(c, l->count > 0 ? l->urls[0] : "carriers", &w->err);
    }
    return 0;
}

static int follow_run(following *w, const look_flags *f) {
    const call *c = w->look.c;
    int signals = catch_signals();
    uint64_t end = f->for_ns == 0 ? 0 : kith_time_now().mono_ns + (uint64_t) f->for_ns;
    int r = drive(w->node, signals, end, look_again, w, &w->err);
    (void) look_again(w); /* what came in the last turn */
    sum_up(w);
    if (signals >= 0) close(signals);
    if (w->look.bad) return EXIT_USAGE;
    if (w->err.code < 0 || (r < 0 && r != KITH_E_TIMEOUT)) return store_fault(c, &w->err);
    return 0;
}

int verb_follow(const call *c) {
    const look_flags *f = c->flags;
    if (f->legacy != 0 && c->arg_count == 2) return follow_legacy(c);
    if (f->legacy != 0 || c->arg_count == 2) {
        return fault(c->out, E_ARGUMENT, "follow",
            f->legacy != 0 ? "with --legacy: URL PATTERN" : "it takes one PATTERN");
    }
    const char *why = kith_subject_fault(c->args[0], true);
    if (why != NULL) return fault(c->out, E_SUBJECT, c->args[0], "%s", why);
    links *l = calloc(1, sizeof *l);
    following w = { .look = { .c = c, .limit = (uint64_t) f->limit },
        .query = { .origin = origin_of(f) } };
    w.query.pattern = base_of(&w.look, c->args[0]);
    w.look.view = calloc(1, sizeof *w.look.view);
    int code =
        l == NULL || w.look.view == NULL ? fault(c->out, E_MEMORY, "carriers", NULL) : 0;
    if (code == 0) code = templates_load(c, &w.look.known);
    if (code == 0) w.look.view->known = w.look.known;
    if (code == 0) code = choose_links(c, f->carrier, l);
    if (code == 0) code = open_store(c, &w.store);
    if (code == 0) code = begin(&w, f);
    if (code == 0) code = follow_open(&w, l);
    if (code == 0) code = follow_run(&w, f);
    kith_node_close(&w.node);
    kith_store_close(&w.store);
    kith_templates_free(&w.look.known);
    free(w.look.view);
    free(l);
    return code;
}
