/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the memory engine, each beside a naive list: a seeded walk changes both,
 * and check() looks at every invariant on the way. */
#include "store/kit.h"
#include "store/marks.h"
#include "store/shelf.h"

#include "base/dice.h"

enum {
    MOST = 4000,
    STEPS = 12000,
    LOOK = 256, /* steps between two looks at everything */
};

typedef struct model {
    shelf shelf;
    shelf_rec *at[MOST]; /* by arrival */
    size_t count;
    uint64_t dice, seq;
} model;

static bool whole(const char *wrong) {
    if (wrong != NULL) printf("# %s\n", wrong);
    return wrong == NULL;
}

/* Few subjects with many records, many with few; some begin like others. */
static kith_packet draw(model *m) {
    static const char *const stems[] = { "a", "a.b", "a-b", "a.b.c", "ab", "b" };
    kith_packet p = { 0 };
    kith_content c = kit_leaf("x", 1);
    unsigned tail = (unsigned) dice_below(&m->dice, dice_below(&m->dice, 2) ? 3 : 3000);
    (void) snprintf(c.address.subject, sizeof c.address.subject, "%s.%u",
        stems[dice_below(&m->dice, 6)], tail);
    memset(c.source, (int) dice_below(&m->dice, 3), sizeof c.source);
    c.epoch = 1 + dice_below(&m->dice, 3);
    c.seq = m->seq++;
    c.ttl_s = (uint32_t) (1 + dice_below(&m->dice, 1000));
    if (kith_packet_encode(&c, &p) != 0) p.length = 0;
    return p;
}

static void add(model *m) {
    ki_facts f;
    shelf_rec *r = NULL;
    kith_packet p = draw(m);
    EXPECT_INT(ki_facts_of(&p, NULL, &f), 0);
    EXPECT(ki_shelf_at(&m->shelf, f.source, f.epoch, f.seq) == NULL);
    EXPECT_INT(ki_shelf_add(&m->shelf, &p, &f, dice_below(&m->dice, 2) == 0, &r), 0);
    EXPECT(ki_shelf_at(&m->shelf, f.source, f.epoch, f.seq) == r);
    EXPECT_INT(memcmp(r->bytes, p.bytes, p.length), 0);
    m->at[m->count++] = r;
}

static void drop(model *m) {
    bool own = dice_below(&m->dice, 2) == 0;
    const shelf_rec *r = ki_shelf_soonest(&m->shelf, own);
    size_t i = m->count, kept = 0;
    uint64_t arrival = r == NULL ? 0 : r->arrival;
    for (size_t k = 0; k < m->count; k++) {
        const shelf_rec *x = m->at[k];
        EXPECT(x->own != own || (r != NULL && r->exp <= x->exp));
        i = x == r ? k : i;
    }
    EXPECT((r == NULL) == (i == m->count));
    if (r == NULL) return;
    for (size_t k = 0; k < m->count; k++) {
        if (k != i) m->at[kept++] = m->at[k];
    }
    m->count = kept;
    ki_shelf_drop_soonest(&m->shelf, own);
    EXPECT(ki_shelf_arrival(&m->shelf, arrival) == NULL);
}

static void note_way(model *m) {
    static const char *const ways[] = { "dir", "mem", "zmq" };
    if (m->count == 0) return;
    shelf_rec *r = m->at[dice_below(&m->dice, m->count)];
    EXPECT_INT(ki_shelf_note_way(&m->shelf, r, ways[dice_below(&m->dice, 3)]), 0);
}

static int by_subject(const void *a, const void *b) {
    const shelf_rec *x = *(shelf_rec *const *) a, *y = *(shelf_rec *const *) b;
    size_t n = rec_subject_length(x), k = rec_subject_length(y);
    int d = memcmp(rec_subject(x), rec_subject(y), n < k ? n : k);
    d = d != 0 ? d : (n > k) - (n < k);
    return d != 0 ? d : (x->arrival > y->arrival) - (x->arrival < y->arrival);
}

/* Up and down the order, from a random record on. */
static void walk_order(model *m) {
    static shelf_rec *sorted[MOST];
    if (m->count == 0) return;
    memcpy(sorted, m->at, m->count * sizeof *sorted);
    qsort(sorted, m->count, sizeof *sorted, by_subject);
    size_t from = dice_below(&m->dice, m->count);
    order_key key = { rec_subject(sorted[from]), rec_subject_length(sorted[from]),
        sorted[from]->arrival };
    order_spot up = ki_order_seek(&m->shelf.order, &key), down = up;
    for (size_t i = from; i < m->count; i++) {
        EXPECT(ki_order_next(&m->shelf.order, &up) == sorted[i]);
    }
    EXPECT(ki_order_next(&m->shelf.order, &up) == NULL);
    for (size_t i = from; i > 0; i--) {
        EXPECT(ki_order_prev(&m->shelf.order, &down) == sorted[i - 1]);
    }
    EXPECT(ki_order_prev(&m->shelf.order, &down) == NULL);
}

static void look(model *m) {
    EXPECT(whole(ki_shelf_check(&m->shelf)));
    EXPECT_INT(m->shelf.count, m->count);
    for (size_t i = 0; i < m->count; i++) {
        EXPECT(ki_shelf_arrival(&m->shelf, m->at[i]->arrival) == m->at[i]);
    }
    walk_order(m);
}

/* It grows, shrinks to nothing, and grows again. */
static void the_shelf_agrees_with_a_list(void) {
    static model m;
    for (uint64_t seed = 1; seed <= 3 && !test_bad; seed++) {
        m = (model){ .dice = seed };
        EXPECT_INT(ki_shelf_init(&m.shelf, 64 << 10), 0);
        for (uint64_t i = 0; i < STEPS && !test_bad; i++) {
            bool grows = i / (STEPS / 4) % 2 == 0;
            uint64_t chance = dice_below(&m.dice, 10);
            if (chance == 0) {
                note_way(&m);
            } else if ((chance < 8) == grows && m.count < MOST) {
                add(&m);
            } else {
                drop(&m);
            }
            if (i % LOOK == 0 && !test_bad) look(&m);
        }
        if (!test_bad) look(&m);
        ki_shelf_fini(&m.shelf);
    }
}

/* Slots and leaves that nothing needs are given back, or a single packet that stays
 * would let them grow for ever. */
static void tables_do_not_grow_with_what_went(void) {
    static model m;
    m = (model){ .dice = 7 };
    EXPECT_INT(ki_shelf_init(&m.shelf, 64 << 10), 0);
    for (int i = 0; i < 20000 && !test_bad; i++) {
        m.count = 0;
        add(&m);
        while (m.shelf.count > 100) {
            ki_shelf_drop_soonest(&m.shelf, m.shelf.foreign.count == 0);
        }
    }
    EXPECT(m.shelf.slot_room <= 512 && m.shelf.order.leaf_count <= 4);
    EXPECT(whole(ki_shelf_check(&m.shelf)));
    ki_shelf_fini(&m.shelf);
}

/* ---- marks ---- */

enum {
    PLACES = 300,
};

typedef struct plan {
    int64_t until; /* 0: none */
    bool own;
} plan;

static mark_place place_at(size_t i) {
    static const uint8_t source[KITH_KEY_SIZE] = { 3 };
    return (mark_place){ source, 1 + i / 100, i % 100 };
}

static void check_marks(const marks *m, const plan *plans) {
    size_t count = 0;
    for (size_t i = 0; i < PLACES; i++) {
        mark_place place = place_at(i);
        EXPECT_INT(ki_marks_entombed(m, &place), plans[i].until != 0);
        count += plans[i].until != 0;
    }
    EXPECT_INT(m->tombstones, count);
    EXPECT(whole(ki_marks_check(m)));
}

static uint32_t expire(plan *plans, int64_t now) {
    uint32_t n = 0;
    for (size_t i = 0; i < PLACES; i++) {
        if (plans[i].until == 0 || plans[i].until > now) continue;
        plans[i].until = 0;
        n++;
    }
    return n;
}

/* An end that is put off counts, wherever the mark stood among the others. */
static void marks_agree_with_a_list(void) {
    static marks m;
    plan plans[PLACES] = { 0 };
    uint64_t dice = 1;
    int64_t now = 1;
    EXPECT_INT(ki_marks_init(&m, 1 << 20), 0);
    for (int step = 0; step < 6000 && !test_bad; step++) {
        size_t i = dice_below(&dice, PLACES);
        mark_place place = place_at(i);
        if (dice_below(&dice, 8) > 0) {
            int64_t until = now + 1 + (int64_t) dice_below(&dice, 500);
            bool own = plans[i].until != 0 ? plans[i].own : dice_below(&dice, 2) == 0;
            EXPECT_INT(ki_marks_entomb(&m, &place, until, own), 0);
            plans[i].own = own;
            plans[i].until = plans[i].until > until ? plans[i].until : until;
        } else {
            now += (int64_t) dice_below(&dice, 60);
            EXPECT_INT(ki_marks_expire(&m, now, UINT32_MAX), expire(plans, now));
        }
        if (step % 16 == 0) check_marks(&m, plans);
    }
    EXPECT_INT(ki_marks_expire(&m, INT64_MAX, UINT32_MAX), expire(plans, INT64_MAX));
    EXPECT(m.bytes == 0 && m.own_bytes == 0 && !ki_marks_drop_foreign(&m));
    ki_marks_fini(&m);
}

static void proofs_are_kept_once_and_bounded(void) {
    static marks m;
    kith_packet proof = { .length = 200 };
    EXPECT_INT(ki_marks_init(&m, 1 << 30), 0);
    for (size_t i = 0; i < 2 * PROOFS_MAX; i++) {
        mark_place place = place_at(i);
        EXPECT_INT(ki_marks_prove(&m, &place, 5, &proof), 0);
        EXPECT_INT(ki_marks_prove(&m, &place, 9, &proof), 0);
        EXPECT(!ki_marks_entombed(&m, &place));
    }
    EXPECT_INT(m.proofs, PROOFS_MAX);
    EXPECT_INT(m.bytes, PROOFS_MAX * ki_marks_cost(&proof));
    EXPECT(whole(ki_marks_check(&m)));
    EXPECT_INT(ki_marks_expire(&m, 5, UINT32_MAX), PROOFS_MAX);
    ki_marks_fini(&m);
}

static const test_case cases[] = {
    { "the_shelf_agrees_with_a_list", the_shelf_agrees_with_a_list },
    { "tables_do_not_grow_with_what_went", tables_do_not_grow_with_what_went },
    { "marks_agree_with_a_list", marks_agree_with_a_list },
    { "proofs_are_kept_once_and_bounded", proofs_are_kept_once_and_bounded },
};
TEST_MAIN(cases)
