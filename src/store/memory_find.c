/* SPDX-License-Identifier: Apache-2.0 */
/* Which records answer a question. All of it runs under the engine's lock and notes;
 * memory_note.c hands on. */
#include "store/memory.h"

#include <kith/address.h>

#include "base/check.h"
#include "base/fail.h"
#include "store/skip.h"

#include <stdlib.h>
#include <string.h>

/* Neighbours in the order: one subject, or all that begin with a text. */
typedef struct run {
    const char *text;
    size_t length;
    bool whole;
} run;

static bool inside(const run *u, const shelf_rec *r) {
    size_t n = rec_subject_length(r);
    return (u->whole ? n == u->length : n >= u->length) &&
           memcmp(rec_subject(r), u->text, u->length) == 0;
}

static void subject_of(const shelf_rec *r, char ret[SKIP_ROOM]) {
    size_t n = rec_subject_length(r);
    CHECK(n > 0 && n <= KITH_SUBJECT_MAX);
    memcpy(ret, rec_subject(r), n);
    ret[n] = '\0';
}

static order_spot seek(const memory *m, const char *text, uint64_t arrival) {
    return ki_order_seek(&m->shelf.order, &(order_key){ text, strlen(text), arrival });
}

static bool wanted(const kith_query *q, const shelf_rec *r) {
    return (r->exp > q->now_us || q->with_expired) && (!r->gone || q->with_retracted) &&
           (q->origin == KITH_ORIGIN_ANY || r->own == (q->origin == KITH_ORIGIN_OWN)) &&
           r->arrival > q->after && (q->before == 0 || r->arrival < q->before) &&
           (q->id_length == 0 || memcmp(r->id, q->id, q->id_length) == 0);
}

/* One subject's page goes on where the last one ended; a range begins at its first. */
static int note_run(const memory *m, const kith_query *q, const run *u, noted *n) {
    uint64_t from = u->whole && q->after < UINT64_MAX ? q->after + 1 : 0;
    order_spot spot = seek(m, u->text, from);
    int failed = 0;
    while (failed == 0 && !ki_note_enough(n)) {
        const shelf_rec *r = ki_order_next(&m->shelf.order, &spot);
        if (r == NULL || !inside(u, r)) {
            break;
        }
        failed = wanted(q, r) ? ki_note(n, r) : 0;
    }
    return failed;
}

static int note_run_down(const memory *m, const kith_query *q, const run *u, noted *n) {
    CHECK(u->whole);
    order_spot spot = seek(m, u->text, q->before == 0 ? UINT64_MAX : q->before);
    int failed = 0;
    while (failed == 0 && !ki_note_enough(n)) {
        const shelf_rec *r = ki_order_prev(&m->shelf.order, &spot);
        if (r == NULL || !inside(u, r)) {
            break;
        }
        failed = wanted(q, r) ? ki_note(n, r) : 0;
    }
    return failed;
}

/* Calls each for every subject that matches, leaping over those that cannot. */
static int each_subject(const memory *m, const char *pattern,
    int (*each)(const memory *m, const run *u, const kith_query *q, noted *n),
    const kith_query *q, noted *n) {
    char at[SKIP_ROOM], text[SKIP_ROOM];
    int failed = 0;
    bool more = true;
    ki_skip_first(pattern, at);
    while (more && failed == 0 && !ki_note_enough(n)) {
        order_spot spot = seek(m, at, 0);
        const shelf_rec *r = ki_order_next(&m->shelf.order, &spot);
        if (r == NULL) {
            break;
        }
        subject_of(r, text);
        if (kith_subject_matches(pattern, text)) {
            failed = each(m, &(run){ text, strlen(text), true }, q, n);
        }
        more = ki_skip_next(pattern, text, at);
        CHECK(!more || strcmp(at, text) > 0); /* or it would go round for ever */
    }
    return failed;
}

static int note_subject(const memory *m, const run *u, const kith_query *q, noted *n) {
    return note_run(m, q, u, n);
}

/* By subject, then arrival. */
static int note_matching(
    const memory *m, const kith_query *q, const char *pattern, noted *n) {
    if (ki_skip_reach(pattern) != REACH_RANGE) {
        return each_subject(m, pattern, note_subject, q, n);
    }
    char text[SKIP_ROOM]; /* "a.b.>": all that begin with "a.b." */
    ki_skip_first(pattern, text);
    return note_run(m, q, &(run){ text, strlen(text), false }, n);
}

/* From one end of the arrivals, at most `few` of them. *ret_last: where it stopped. */
static int note_scan(
    const memory *m, const kith_query *q, size_t few, noted *n, uint64_t *ret_last) {
    const shelf *s = &m->shelf;
    size_t low = q->after == UINT64_MAX ? s->slot_count : ki_shelf_slot(s, q->after + 1);
    size_t high = q->before == 0 ? s->slot_count : ki_shelf_slot(s, q->before);
    size_t looked = 0;
    for (size_t i = 0; low + i < high && !ki_note_enough(n); i++) {
        const shelf_rec *r = s->slots[q->newest_first ? high - 1 - i : low + i].rec;
        if (r == NULL) {
            continue;
        }
        char text[SKIP_ROOM];
        subject_of(r, text);
        *ret_last = r->arrival;
        bool match =
            wanted(q, r) && (q->pattern == NULL || kith_subject_matches(q->pattern, text));
        int failed = match ? ki_note(n, r) : 0;
        if (failed < 0) return failed;
        if (++looked == few) return KITH_FULL;
    }
    return 0;
}

static int up(const void *a, const void *b) {
    const memory_hit *x = a, *y = b;
    return (x->arrival > y->arrival) - (x->arrival < y->arrival);
}

/* The newest (oldest) few first; only when they do not do, all that match. */
static int by_arrival(const memory *m, const kith_query *q, noted *n) {
    uint64_t last = 0;
    size_t few = q->limit == 0 ? 1 : 256 + 4 * (size_t) q->limit;
    int r = q->limit == 0 ? KITH_FULL : note_scan(m, q, few, n, &last);
    if (r != KITH_FULL) {
        return r;
    }
    kith_query rest = *q;
    noted more;
    ki_note_begin(&more, m, 0);
    if (q->limit != 0) {
        *(q->newest_first ? &rest.before : &rest.after) = last;
    }
    r = note_matching(m, &rest, q->pattern, &more);
    if (r == 0) {
        qsort(more.at, more.count, sizeof *more.at, up);
    }
    for (size_t i = 0; r == 0 && i < more.count && !ki_note_enough(n); i++) {
        r = ki_note(n, more.at[q->newest_first ? more.count - 1 - i : i].rec);
    }
    ki_note_fini(&more);
    return r;
}

static int note_answer(const memory *m, const kith_query *q, noted *n) {
    uint64_t last = 0;
    ki_reach reach = ki_skip_reach(q->pattern);
    if (reach == REACH_ONE) {
        run one = { q->pattern, strlen(q->pattern), true };
        bool down = q->newest_first && !q->by_subject;
        return down ? note_run_down(m, q, &one, n) : note_run(m, q, &one, n);
    }
    if (q->by_subject) {
        return note_matching(m, q, q->pattern == NULL ? ">" : q->pattern, n);
    }
    return reach == REACH_ALL ? note_scan(m, q, SIZE_MAX, n, &last) : by_arrival(m, q, n);
}

int ki_memory_find(
    void *self, const kith_query *query, kith_each each, void *ctx, kith_error *err) {
    memory *m = self;
    noted n;
    memory_lock(m);
    ki_note_begin(&n, m, query->limit);
    int r = note_answer(m, query, &n);
    memory_unlock(m);
    n.count = r < 0 ? 0 : n.count;
    ki_note_hand_on(m, &n, query->now_us, each, ctx);
    return r < 0 ? ki_fail(err, r, "find: no memory") : 0;
}

/* ---- latest ---- */

enum {
    SLOT = KITH_TEMPLATE_SIZE + KITH_KEY_SIZE, /* template and source, side by side */
    AGE = 16,                                  /* epoch and sequence, too */
};

/* Template, source, type; the newest of its kind first. */
static int by_slot(const void *a, const void *b) {
    const uint8_t *x = (*(const shelf_rec *const *) a)->bytes;
    const uint8_t *y = (*(const shelf_rec *const *) b)->bytes;
    int d = memcmp(x + AT_TEMPLATE, y + AT_TEMPLATE, SLOT);
    if (d != 0) return d;
    if (x[AT_TYPE] != y[AT_TYPE]) return x[AT_TYPE] < y[AT_TYPE] ? -1 : 1;
    return memcmp(y + AT_EPOCH, x + AT_EPOCH, AGE);
}

static bool same_slot(const shelf_rec *x, const shelf_rec *y) {
    return x->bytes[AT_TYPE] == y->bytes[AT_TYPE] &&
           memcmp(x->bytes + AT_TEMPLATE, y->bytes + AT_TEMPLATE, SLOT) == 0;
}

/* The live evidence of a subject; list may be NULL, to count it. */
static size_t evidence_of(
    const memory *m, const run *u, int64_t now_us, const shelf_rec **list) {
    CHECK(u->whole);
    order_spot spot = seek(m, u->text, 0);
    size_t count = 0;
    const shelf_rec *r = ki_order_next(&m->shelf.order, &spot);
    for (; r != NULL && inside(u, r); r = ki_order_next(&m->shelf.order, &spot)) {
        if (!r->evidence || r->gone || r->exp <= now_us) continue;
        if (list != NULL) list[count] = r;
        count++;
    }
    return count;
}

static int note_latest(const memory *m, const run *u, const kith_query *q, noted *n) {
    size_t count = evidence_of(m, u, q->now_us, NULL);
    const shelf_rec **list = count == 0 ? NULL : malloc(count * sizeof *list);
    if (list == NULL) {
        return count == 0 ? 0 : KITH_E_MEMORY;
    }
    size_t again = evidence_of(m, u, q->now_us, list);
    CHECK(again == count);
    qsort(list, count, sizeof *list, by_slot);
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < count; i++) {
        bool first = i == 0 || !same_slot(list[i - 1], list[i]);
        failed = first ? ki_note(n, list[i]) : 0;
    }
    free(list);
    return failed;
}

int ki_memory_latest(void *self, const char *pattern, int64_t now_us, kith_each each,
    void *ctx, kith_error *err) {
    memory *m = self;
    noted n;
    const kith_query q = { .now_us = now_us };
    memory_lock(m);
    ki_note_begin(&n, m, 0);
    int r = each_subject(m, pattern == NULL ? ">" : pattern, note_latest, &q, &n);
    memory_unlock(m);
    n.count = r < 0 ? 0 : n.count;
    ki_note_hand_on(m, &n, now_us, each, ctx);
    return r < 0 ? ki_fail(err, r, "latest: no memory") : 0;
}

/* ---- outbox ---- */

static bool came_by(const shelf_rec *r, const char *way) {
    bool found = r->way != NULL && strcmp(r->way, way) == 0;
    for (const shelf_way *w = r->more_ways; w != NULL && !found; w = w->next) {
        found = strcmp(w->name, way) == 0;
    }
    return found;
}

int ki_memory_outbox(
    void *self, const ki_outbox *what, kith_each each, void *ctx, kith_error *err) {
    memory *m = self;
    const shelf *s = &m->shelf;
    noted n;
    int failed = 0;
    memory_lock(m);
    ki_note_begin(&n, m, what->limit);
    size_t i =
        what->after == UINT64_MAX ? s->slot_count : ki_shelf_slot(s, what->after + 1);
    for (; i < s->slot_count && !ki_note_enough(&n) && failed == 0; i++) {
        const shelf_rec *r = s->slots[i].rec;
        bool goes = r != NULL && r->exp > what->now_us && !r->gone &&
                    (r->own || (what->relay && !came_by(r, what->way)));
        failed = goes ? ki_note(&n, r) : 0;
    }
    memory_unlock(m);
    ki_note_hand_on(m, &n, what->now_us, each, ctx);
    return failed < 0 ? ki_fail(err, failed, "outbox: no memory") : 0;
}
