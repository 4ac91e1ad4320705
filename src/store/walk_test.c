/* SPDX-License-Identifier: Apache-2.0 */
/* A seeded walk: the store and a naive list of packets must give the same answers
 * to the same questions, on both engines, whatever happened before. */
#include "store/kit.h"

#include <kith/address.h>

#include "base/dice.h"

enum {
    KEYS = 4,
    MOST = 6000,
    STEPS = 1500,
    HOUR_S = 3600,
};

typedef struct item {
    uint64_t arrival, epoch, seq;
    int64_t exp;
    int who, type;
    bool own, gone, removed;
    double effect;
    kith_content content;
} item;

typedef struct tomb {
    int who;
    uint64_t epoch, seq;
} tomb;

typedef struct world {
    kith_store *store;
    kith_key *keys[KEYS]; /* 0 is our own */
    item *items;
    size_t count, tombs;
    tomb *gone;
    int64_t now;
    uint64_t dice;
} world;

static const char *const subjects[] = { "a", "a.b", "a.b.c", "a-b.c", "a.c", "b.b.c",
    "b.d" };
static const char *const patterns[] = { NULL, ">", "a.>", "*.b", "a.*.c", "*.*.c", "a.b",
    "b.>", "c.>", "*", "a-b.>" };

static bool walk_failed(const char *why, uint64_t step) {
    printf("# step %llu: %s\n", (unsigned long long) step, why);
    test_bad = true;
    return false;
}

static item *at_place(world *w, int who, uint64_t epoch, uint64_t seq) {
    for (size_t i = 0; i < w->count; i++) {
        item *x = &w->items[i];
        if (!x->removed && x->who == who && x->epoch == epoch && x->seq == seq) return x;
    }
    return NULL;
}

static bool has_tomb(const world *w, int who, uint64_t epoch, uint64_t seq) {
    for (size_t i = 0; i < w->tombs; i++) {
        const tomb *t = &w->gone[i];
        if (t->who == who && t->epoch == epoch && t->seq == seq) return true;
    }
    return false;
}

static void remember(world *w, const kith_content *c, int who, bool own, uint64_t arrival) {
    w->items[w->count++] = (item){
        .arrival = arrival,
        .epoch = c->epoch,
        .seq = c->seq,
        .exp = kith_packet_expires_us(c),
        .who = who,
        .type = c->type,
        .own = own,
        .effect = c->effect[0],
        .content = *c,
    };
    uint64_t epoch = 0, seq = 0;
    if (kith_retraction_target(c, &epoch, &seq)) {
        item *target = at_place(w, who, epoch, seq);
        w->gone[w->tombs++] = (tomb){ who, epoch, seq };
        if (target != NULL) target->gone = true;
    }
}

static kith_content draw(world *w) {
    kith_content c =
        kit_leaf(subjects[dice_below(&w->dice, 7)], (double) dice_below(&w->dice, 100));
    c.t_end_us = w->now - (int64_t) dice_below(&w->dice, 1000) * 1000000;
    c.ttl_s = (uint32_t) (1001 + dice_below(&w->dice, HOUR_S));
    c.template_id[15] = (uint8_t) dice_below(&w->dice, 2);
    return c;
}

static bool post(world *w, uint64_t step) {
    kith_post p = { .content = draw(w) };
    if (dice_below(&w->dice, 5) == 0 && w->count > 0) {
        const item *x = &w->items[dice_below(&w->dice, w->count)];
        if (x->own && x->type == KITH_LEAF && x->exp > w->now &&
            kith_retraction_of(&x->content, NULL, &p.content) != 0) {
            return walk_failed("retraction_of", step);
        }
    }
    if (kith_store_post(w->store, w->keys[0], &p, 1, kit_at(w->now), NULL) != 0 ||
        p.result != 0) {
        return walk_failed("post", step);
    }
    remember(w, &p.content, 0, true, p.arrival);
    return true;
}

static bool admit(world *w, uint64_t step) {
    kith_arrival a = { .way = "dir" };
    int who = 1 + (int) dice_below(&w->dice, KEYS - 1);
    kith_content c = draw(w);
    if (dice_below(&w->dice, 6) == 0) { /* takes back what may come later, or never */
        kith_content target = c;
        target.epoch = 1;
        target.seq = dice_below(&w->dice, 300);
        if (kith_retraction_of(&target, "late", &c) != 0) return walk_failed("of", step);
    }
    c.epoch = 1;
    c.seq = dice_below(&w->dice, 300);
    if (kith_packet_seal(&c, w->keys[who], &a.packet) != 0)
        return walk_failed("seal", step);
    item *x = at_place(w, who, c.epoch, c.seq);
    if (kith_store_admit(w->store, &a, 1, kit_at(w->now), NULL) != 0) {
        return walk_failed("admit", step);
    }
    bool same = x != NULL && memcmp(x->content.signature, c.signature, 64) == 0;
    int want = x != NULL ? same ? KITH_DUPLICATE : KITH_R_EQUIVOCATION
               : has_tomb(w, who, c.epoch, c.seq) ? KITH_R_RETRACTED
                                                  : 0;
    if (a.result != want) {
        printf("# %d, expected %d\n", a.result, want);
        return walk_failed("result", step);
    }
    if (want == 0) remember(w, &c, who, false, a.arrival);
    return true;
}

/* Tombstones are kept a while longer by one engine than by the other; the walk
 * never comes back to a place after its packet expired. */
static bool expire(world *w, uint64_t step) {
    w->now += (int64_t) dice_below(&w->dice, 200) * 1000000;
    if (dice_below(&w->dice, 4) != 0) return true;
    int want = 0;
    for (size_t i = 0; i < w->count; i++) {
        item *x = &w->items[i];
        if (!x->removed && x->exp <= w->now) {
            x->removed = true;
            want++;
        }
    }
    int got = kith_store_prune(w->store, w->now, 100000, NULL);
    return got == want ? true : walk_failed("prune", step);
}

typedef struct seen {
    uint64_t arrivals[MOST];
    size_t count;
} seen;

static int see(void *ctx, const kith_record *r) {
    seen *s = ctx;
    s->arrivals[s->count++] = r->arrival;
    return s->count == MOST ? KITH_STOP : 0;
}

static bool matches(const item *x, const kith_query *q) {
    return !x->removed && (x->exp > q->now_us || q->with_expired) &&
           (!x->gone || q->with_retracted) &&
           (q->origin == KITH_ORIGIN_ANY || x->own == (q->origin == KITH_ORIGIN_OWN)) &&
           x->arrival > q->after && (q->before == 0 || x->arrival < q->before) &&
           (q->pattern == NULL ||
               kith_subject_matches(q->pattern, x->content.address.subject));
}

static bool ask(world *w, uint64_t step) {
    static seen got, want;
    kith_query q = {
        .pattern = patterns[dice_below(&w->dice, 11)],
        .newest_first = dice_below(&w->dice, 2) == 0,
        .with_expired = dice_below(&w->dice, 3) == 0,
        .with_retracted = dice_below(&w->dice, 3) == 0,
        .origin = (int) dice_below(&w->dice, 3),
        .limit = (uint32_t) dice_below(&w->dice, 20),
        .now_us = w->now,
    };
    if (w->count > 0 && dice_below(&w->dice, 3) == 0) {
        q.after = w->items[dice_below(&w->dice, w->count)].arrival;
    }
    if (w->count > 0 && dice_below(&w->dice, 3) == 0) {
        q.before = w->items[dice_below(&w->dice, w->count)].arrival;
    }
    got.count = want.count = 0;
    for (size_t k = 0; k < w->count && (q.limit == 0 || want.count < q.limit); k++) {
        const item *x = &w->items[q.newest_first ? w->count - 1 - k : k];
        if (matches(x, &q)) want.arrivals[want.count++] = x->arrival;
    }
    if (kith_store_find(w->store, &q, see, &got, NULL) != 0)
        return walk_failed("find", step);
    bool same = got.count == want.count &&
                memcmp(got.arrivals, want.arrivals, got.count * sizeof *got.arrivals) == 0;
    if (!same) {
        printf("# %s: %zu, expected %zu\n", q.pattern == NULL ? "all" : q.pattern,
            got.count, want.count);
    }
    return same ? true : walk_failed("answer", step);
}

static bool beats(const item *x, const item *y) {
    return x->epoch > y->epoch || (x->epoch == y->epoch && x->seq > y->seq);
}

static bool ask_latest(world *w, uint64_t step) {
    static seen got;
    const char *pattern = patterns[1 + dice_below(&w->dice, 10)];
    kith_query q = { .pattern = pattern, .now_us = w->now };
    size_t want = 0;
    got.count = 0;
    if (kith_store_latest(w->store, pattern, w->now, see, &got, NULL) != 0) {
        return walk_failed("latest", step);
    }
    for (size_t i = 0; i < w->count; i++) {
        const item *x = &w->items[i];
        bool top = matches(x, &q) && x->type == KITH_LEAF;
        for (size_t k = 0; top && k < w->count; k++) {
            const item *y = &w->items[k];
            bool rival =
                matches(y, &q) && y->type == KITH_LEAF && y->who == x->who &&
                y->content.template_id[15] == x->content.template_id[15] &&
                strcmp(x->content.address.subject, y->content.address.subject) == 0;
            top = !rival || !beats(y, x);
        }
        if (!top) continue;
        bool found = false;
        for (size_t k = 0; k < got.count; k++)
            found = found || got.arrivals[k] == x->arrival;
        if (!found) return walk_failed("latest lacks one", step);
        want++;
    }
    return got.count == want ? true : walk_failed("latest has one too many", step);
}

static void walk(const char *url, uint64_t seed) {
    world w = { .now = KIT_NOW, .dice = seed };
    kit_clean();
    w.items = calloc(MOST, sizeof *w.items);
    w.gone = calloc(MOST, sizeof *w.gone);
    EXPECT(w.items != NULL && w.gone != NULL);
    EXPECT_INT(kith_store_open(&w.store, url, NULL), 0);
    for (int i = 0; i < KEYS; i++) w.keys[i] = kit_key((uint8_t) (1 + i));
    bool fine = true;
    for (uint64_t step = 0; fine && step < STEPS; step++) {
        switch (dice_below(&w.dice, 8)) {
        case 0: fine = post(&w, step); break;
        case 1:
        case 2:
        case 3: fine = admit(&w, step); break;
        case 4: fine = expire(&w, step); break;
        case 5: fine = ask_latest(&w, step); break;
        default: fine = ask(&w, step);
        }
    }
    for (int i = 0; i < KEYS; i++) kith_key_free(&w.keys[i]);
    free(w.items);
    free(w.gone);
    kith_store_close(&w.store);
}

static void the_sqlite_engine_agrees_with_a_list(void) {
    char url[160];
    kit_clean();
    (void) snprintf(url, sizeof url, "sqlite:%s", kit_path("s.db"));
    for (uint64_t seed = 1; seed <= 3 && !test_bad; seed++) walk(url, seed);
}

static void the_memory_engine_agrees_with_a_list(void) {
    for (uint64_t seed = 1; seed <= 10 && !test_bad; seed++) walk("memory:", seed);
}

static const test_case cases[] = {
    { "the_sqlite_engine_agrees_with_a_list", the_sqlite_engine_agrees_with_a_list },
    { "the_memory_engine_agrees_with_a_list", the_memory_engine_agrees_with_a_list },
};
TEST_MAIN(cases)
