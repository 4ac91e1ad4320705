/* SPDX-License-Identifier: Apache-2.0 */
/* What the index promises, against a sorted array that is searched by hand. */
#include "sync/set.h"

#include "base/dice.h"
#include "test.h"

#include <kith/error.h>

enum {
    MOST = 3000,
};

static ki_item held[MOST];
static size_t held_count;

/* Few expiries, so that ids decide; sometimes the same first half of an id. */
static ki_item draw(uint64_t *dice) {
    return (ki_item){ .expiry = dice_below(dice, 40) << dice_below(dice, 40),
        .id = { dice_below(dice, 8) == 0 ? 7 : dice_roll(dice), dice_roll(dice) },
        .arrival = dice_roll(dice) };
}

static ki_bound draw_bound(uint64_t *dice) {
    ki_item item = draw(dice);
    switch (dice_below(dice, 4)) {
    case 0: return BOUND_START;
    case 1: return BOUND_END;
    default: return (ki_bound){ item.expiry, item.id[0] };
    }
}

static void naive_below(ki_bound at, ki_sum *ret) {
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < held_count; i++) {
        if (ki_bound_order((ki_bound){ held[i].expiry, held[i].id[0] }, at) < 0) {
            ki_sum one;
            ki_sum_of(&held[i], &one);
            ki_sum_add(ret, &one);
        }
    }
}

static int by_order(const void *a, const void *b) {
    return ki_item_order(a, b);
}

static void compare(const ki_set *t, uint64_t *dice) {
    ki_sum want, got;
    ki_bound at = draw_bound(dice);
    ki_walk w;
    ki_set_check(t);
    EXPECT_INT(t->count, held_count);
    naive_below(at, &want);
    ki_set_below(t, at, &got);
    EXPECT(memcmp(&want, &got, sizeof want) == 0);
    EXPECT_INT(ki_set_rank(t, at), want.count);
    naive_below(BOUND_END, &want);
    ki_set_total(t, &got);
    EXPECT(memcmp(&want, &got, sizeof want) == 0);
    qsort(held, held_count, sizeof *held, by_order);
    uint64_t rank = ki_set_rank(t, at);
    ki_walk_from(&w, t, at);
    for (const ki_item *i; (i = ki_walk_next(&w)) != NULL; rank++) {
        EXPECT(ki_item_order(i, &held[rank]) == 0);
        EXPECT_INT(i->arrival, held[rank].arrival);
    }
    EXPECT_INT(rank, held_count);
    for (size_t i = 0; i < held_count; i++) {
        EXPECT(ki_item_order(ki_set_at(t, i), &held[i]) == 0);
    }
    EXPECT(ki_set_at(t, held_count) == NULL);
}

static void walk(uint64_t seed, unsigned grow, int steps) {
    ki_set t;
    uint64_t dice = seed;
    ki_set_init(&t);
    held_count = 0;
    for (int i = 0; i < steps && !test_bad; i++) {
        if (held_count > 0 && dice_below(&dice, 10) >= grow) {
            size_t k = dice_below(&dice, held_count);
            EXPECT(ki_set_remove(&t, &held[k]));
            EXPECT(!ki_set_remove(&t, &held[k]));
            held[k] = held[--held_count];
        } else if (held_count < MOST) {
            ki_item item = draw(&dice);
            EXPECT_INT(ki_set_add(&t, &item), 0);
            EXPECT_INT(ki_set_add(&t, &item), KITH_DUPLICATE);
            held[held_count++] = item;
        }
        if (dice_below(&dice, (uint64_t) steps / 8) == 0) compare(&t, &dice);
    }
    compare(&t, &dice);
    while (held_count > 0) EXPECT(ki_set_remove(&t, &held[--held_count]));
    EXPECT_INT(t.bytes, 0);
    ki_set_fini(&t);
}

static void sums_of_any_range_are_those_of_a_sorted_array(void) {
    for (uint64_t seed = 1; seed <= 12; seed++) walk(seed, 7, 4000);
}

static void what_empties_again_and_again_stays_whole(void) {
    for (uint64_t seed = 1; seed <= 12; seed++) walk(seed, 5, 3000);
}

static void order_of_arrival_changes_no_sum(void) {
    ki_set a, b;
    ki_sum x, y;
    uint64_t dice = 3;
    ki_set_init(&a);
    ki_set_init(&b);
    for (size_t i = 0; i < MOST; i++) held[i] = draw(&dice);
    for (size_t i = 0; i < MOST; i++) EXPECT_INT(ki_set_add(&a, &held[i]), 0);
    for (size_t i = MOST; i > 0; i--) EXPECT_INT(ki_set_add(&b, &held[i - 1]), 0);
    ki_set_total(&a, &x);
    ki_set_total(&b, &y);
    EXPECT(memcmp(&x, &y, sizeof x) == 0);
    EXPECT(ki_set_remove(&a, &held[7]));
    ki_set_total(&a, &x);
    EXPECT(memcmp(&x, &y, sizeof x) != 0);
    ki_set_fini(&a);
    ki_set_fini(&b);
}

/* What a device with 256 MB must hold: 10^6 packets, below 64 MB. */
static void a_packet_costs_few_bytes(void) {
    for (int in_order = 0; in_order < 2; in_order++) {
        ki_set t;
        uint64_t dice = 5;
        ki_set_init(&t);
        for (uint64_t i = 0; i < 30000; i++) {
            ki_item item = { .expiry = in_order ? 1000 * i : dice_roll(&dice) >> 1,
                .id = { dice_roll(&dice), 1 } };
            EXPECT_INT(ki_set_add(&t, &item), 0);
        }
        EXPECT(t.bytes / 30000 <= (in_order ? 42u : 64u));
        ki_set_fini(&t);
    }
}

static void a_bound_between_is_short_and_between(void) {
    uint64_t dice = 9;
    for (int i = 0; i < 20000; i++) {
        ki_item a = draw(&dice), b = draw(&dice);
        ki_bound at;
        if (ki_item_order(&a, &b) > 0) {
            ki_item held_one = a;
            a = b;
            b = held_one;
        }
        if (a.expiry == b.expiry && a.id[0] == b.id[0]) {
            EXPECT(ki_item_order(&a, &b) == 0 || !ki_bound_between(&a, &b, &at));
            continue;
        }
        EXPECT(ki_bound_between(&a, &b, &at));
        EXPECT(ki_bound_order((ki_bound){ a.expiry, a.id[0] }, at) < 0);
        EXPECT(ki_bound_order((ki_bound){ b.expiry, b.id[0] }, at) >= 0);
    }
}

static const test_case cases[] = {
    { "sums_of_any_range_are_those_of_a_sorted_array",
        sums_of_any_range_are_those_of_a_sorted_array },
    { "what_empties_again_and_again_stays_whole",
        what_empties_again_and_again_stays_whole },
    { "order_of_arrival_changes_no_sum", order_of_arrival_changes_no_sum },
    { "a_packet_costs_few_bytes", a_packet_costs_few_bytes },
    { "a_bound_between_is_short_and_between", a_bound_between_is_short_and_between },
};
TEST_MAIN(cases)
