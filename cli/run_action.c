/* SPDX-License-Identifier: Apache-2.0 */
/* Actions: when a packet comes, the answers to its subject are looked at again,
 * and those that changed are printed or given to a program. */
#include "cli/answer.h"
#include "cli/run.h"

#include <kith/address.h>
#include <kith/heard.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum {
    DO_NONE = 0,
    DO_PRINT = 1,
    DO_JSON = 2,
    DO_RUN = 3,
};

const char *action_fault(const action_section *k, const char **ret_key) {
    const char *why = kith_subject_fault(k->subject, true);
    *ret_key = "subject";
    if (why != NULL) return why;
    *ret_key = "command";
    if (k->act == DO_RUN && k->command[0] == '\0') return "do = run needs a command";
    return k->command[0] == '\0' ? NULL : words_fault(k->command);
}

static int check(const action *a, const out *o) {
    char about[80];
    const char *key, *why = action_fault(&a->section, &key);
    snprintf(about, sizeof about, "[action %s]", a->name);
    return why == NULL ? 0 : fault(o, E_CONFIG, about, "%s", why);
}

int actions_init(actions *a, const call *c, const settings *set, const kith_key *key) {
    const char *names[NAMED_MAX];
    const run_flags *f = c->flags;
    int code = 0;
    memset(a, 0, sizeof *a);
    a->version = UINT64_MAX;
    node_section node;
    settings_read(set, "node", "", &node);
    a->pool_unsigned = node.pool_unsigned;
    kith_key_public(key, a->self);
    size_t count = settings_names(set, "action", names);
    for (size_t i = 0; i < count && code == 0; i++) {
        action *one = &a->list[a->count++];
        snprintf(one->name, sizeof one->name, "%s", names[i]);
        settings_read(set, "action", names[i], &one->section);
        one->program.fd = -1;
        code = check(one, c->out);
    }
    if (code == 0 && f->action != DO_NONE) {
        action *one = &a->list[a->count++];
        *one = (action){ .name = "flag",
            .program = { .fd = -1 },
            .section = { .subject = ">",
                .act = f->action,
                .every_ns = 1000000000,
                .limit_ns = INT64_C(30000000000) } };
        memcpy(one->section.command, f->command, sizeof one->section.command);
        code = check(one, c->out);
    }
    return code;
}

void actions_fini(actions *a) {
    for (size_t i = 0; i < a->count; i++) child_kill(&a->list[i].program);
}

static bool wanted(const actions *a, const char *subject) {
    for (size_t i = 0; i < a->count; i++) {
        if (kith_subject_matches(a->list[i].section.subject, subject)) return true;
    }
    return false;
}

typedef struct marking {
    actions *a;
    run_log *l;
} marking;

static int mark_subject(marking *m, const char *subject) {
    actions *a = m->a;
    if (!wanted(a, subject)) return 0;
    for (size_t i = 0; i < a->subject_count; i++) {
        if (strcmp(a->subjects[i].subject, subject) == 0) {
            a->subjects[i].dirty = true;
            return 0;
        }
    }
    if (a->subject_count == WATCHED_MAX) {
        log_say(m->l, LOG_ERROR, "action", "over %d subjects: %s is not watched",
            WATCHED_MAX, subject);
        return 0;
    }
    watched *w = &a->subjects[a->subject_count++];
    *w = (watched){ .dirty = true };
    memcpy(w->subject, subject, strlen(subject) + 1);
    return 0;
}

static int mark(void *ctx, const kith_record *one) {
    marking *m = ctx;
    kith_content content;
    if (one->arrival > m->a->last_arrival) m->a->last_arrival = one->arrival;
    if (kith_packet_decode(one->packet.bytes, one->packet.length, &content) < 0) return 0;
    return mark_subject(m, content.address.subject);
}

static int mark_heard(void *ctx, const kith_heard *one) {
    marking *m = ctx;
    m->a->last_heard = one->number;
    return mark_subject(m, one->subject);
}

static int look(actions *a, run_log *l, kith_store *store, kith_time now) {
    kith_error err = { 0 };
    marking m = { a, l };
    uint64_t version = kith_store_version(store);
    if (version == a->version) return 0;
    kith_query query = { .after = a->last_arrival, .limit = 4096, .now_us = now.wall_us };
    uint64_t before = a->last_arrival, heard_before = a->last_heard;
    int r = kith_store_find(store, &query, mark, &m, &err);
    query.after = a->last_heard;
    if (r == 0 && a->pool_unsigned) {
        r = kith_store_heard(store, &query, mark_heard, &m, &err);
    }
    if (r < 0) {
        log_say(l, LOG_ERROR, "store", "%s", err.text);
        return 0;
    }
    if (a->last_arrival == before && a->last_heard == heard_before)
        a->version = version; /* all of it was seen */
    return 1;
}

static bool same(const kith_answer *a, const kith_answer *b) {
    if (a->insufficient != b->insufficient || a->k != b->k) return false;
    return a->insufficient || (memcmp(&a->kept.mu, &b->kept.mu, sizeof a->kept.mu) == 0 &&
                                  memcmp(&a->kept.se, &b->kept.se, sizeof a->kept.se) == 0);
}

static void run_it(action *one, run_log *l, const shown_answer *shown, kith_time now) {
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (to == NULL) return;
    record r = record_of("answer");
    answer_record(&r, shown);
    out_json(to, &r);
    if (fclose(to) != 0 || text == NULL) return;
    int bad = child_start(&one->program, one->section.command, text, false);
    free(text);
    one->kill_ns = now.mono_ns + (uint64_t) one->section.limit_ns;
    if (bad != 0) {
        log_say(l, LOG_ERROR, "action", "%s: cannot run %s: %s", one->name,
            one->section.command, strerror(bad));
    }
}

static void act(actions *a, run_log *l, out *o, const shown_answer *shown, kith_time now) {
    for (size_t i = 0; i < a->count; i++) {
        action *one = &a->list[i];
        if (!kith_subject_matches(one->section.subject, shown->subject)) continue;
        a->acted++;
        if (one->section.act == DO_PRINT && !show_answer(o, shown, false))
            a->stdout_gone = true;
        if (one->section.act == DO_JSON) {
            record r = record_of("answer");
            answer_record(&r, shown);
            out_json(o->to, &r);
        }
        if (one->section.act == DO_RUN) run_it(one, l, shown, now);
    }
    if (!out_flush(o)) a->stdout_gone = true;
}

/* Is a program of an action for that subject still running? Then it waits. */
static bool busy(const actions *a, const char *subject) {
    for (size_t i = 0; i < a->count; i++) {
        if (a->list[i].program.pid != 0 &&
            kith_subject_matches(a->list[i].section.subject, subject)) {
            return true;
        }
    }
    return false;
}

static uint64_t pause_of(const actions *a, const char *subject) {
    uint64_t pause = 0;
    for (size_t i = 0; i < a->count; i++) {
        const action_section *s = &a->list[i].section;
        if (kith_subject_matches(s->subject, subject) && (uint64_t) s->every_ns > pause) {
            pause = (uint64_t) s->every_ns;
        }
    }
    return pause;
}

static int consider(
    actions *a, watched *w, run_log *l, out *o, kith_store *store, kith_time now) {
    shown_answer shown = {
        .subject = w->subject, .now_us = now.wall_us, .known = a->known
    };
    kith_ask ask = { .subject = w->subject,
        .self = a->self,
        .templates = a->known,
        .now_us = now.wall_us,
        .pool_unsigned = a->pool_unsigned };
    kith_error err = { 0 };
    w->dirty = false;
    w->due_ns = now.mono_ns + pause_of(a, w->subject);
    int r = kith_ask_all(store, &ask, &shown.asked, NULL, 0, NULL, &err);
    if (r < 0) {
        if (r != KITH_E_MISSING) log_say(l, LOG_ERROR, "ask", "%s", err.text);
        return 1;
    }
    if (w->known && same(&w->last, &shown.asked.answers[0])) return 1;
    w->known = true;
    w->last = shown.asked.answers[0];
    log_say(l, LOG_DEBUG, "answer", "%s changed: %u sources", w->subject,
        (unsigned) shown.asked.answers[0].k);
    act(a, l, o, &shown, now);
    return 1;
}

static void mind_programs(actions *a, run_log *l, kith_time now) {
    for (size_t i = 0; i < a->count; i++) {
        action *one = &a->list[i];
        int status = 0;
        if (child_ended(&one->program, &status)) {
            if (status != 0) {
                log_say(l, LOG_ERROR, "action", "%s: the program ended with %d", one->name,
                    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
            }
        } else if (one->program.pid != 0 && now.mono_ns >= one->kill_ns) {
            child_kill(&one->program);
            log_say(l, LOG_ERROR, "action", "%s: the program took too long and was ended",
                one->name);
        }
    }
}

int actions_turn(actions *a, run_log *l, out *o, kith_store *store, kith_time now) {
    int done = 0;
    if (a->count == 0) return 0;
    mind_programs(a, l, now);
    done += look(a, l, store, now);
    for (size_t i = 0; i < a->subject_count; i++) {
        watched *w = &a->subjects[i];
        if (w->dirty && now.mono_ns >= w->due_ns && !busy(a, w->subject)) {
            done += consider(a, w, l, o, store, now);
        }
    }
    return done;
}

uint64_t actions_due(const actions *a, uint64_t now_ns) {
    uint64_t due = UINT64_MAX;
    for (size_t i = 0; i < a->count; i++) {
        const action *one = &a->list[i];
        if (one->program.pid != 0 && one->kill_ns < due) due = one->kill_ns;
    }
    for (size_t i = 0; i < a->subject_count; i++) {
        const watched *w = &a->subjects[i];
        if (w->dirty && w->due_ns > now_ns && w->due_ns < due) due = w->due_ns;
    }
    return due;
}
