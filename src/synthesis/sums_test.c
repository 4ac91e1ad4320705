/* SPDX-License-Identifier: Apache-2.0 */
/* What the exact sums promise: the same bits by every way that leads to the same
 * leaves. Golden values are compared in tests/golden. Chance is seeded. */
#include <kith/synthesis.h>

#include "base/dice.h"
#include "base/draw.h"
#include "synthesis/sums.h"
#include "test.h"

#include <math.h>

#define HISTORIES 100000
#define LEAVES    16
#define PARTS     3

typedef struct point {
    double y, v;
} point;

static point any_point(uint64_t *dice) {
    point it = { .y = 2048 * draw_uniform(dice) - 1024 };
    it.v = exp2(40 * draw_uniform(dice) - 20); /* one roll after the other */
    return it;
}

static bool equal(const kith_sums *a, const kith_sums *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

static bool add(kith_sums *sums, point p) {
    return kith_sums_add(sums, p.y, p.v) == 0;
}

static bool take(kith_sums *sums, point p) {
    return kith_sums_remove(sums, p.y, p.v) == 0;
}

/* The same leaves by a random way: shuffled, split over parts, some twice and
 * once back, some strangers in and out again, then merged in a random order. */
static bool by_a_random_way(uint64_t *dice, const point *points, size_t n, kith_sums *ret) {
    kith_sums part[PARTS] = { { 0 } };
    size_t order[LEAVES];
    bool fine = true;
    for (size_t i = 0; i < n; i++) {
        size_t j = dice_below(dice, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (size_t i = 0; i < n; i++) {
        kith_sums *sums = &part[dice_below(dice, PARTS)];
        point p = points[order[i]], stranger = any_point(dice);
        switch (dice_below(dice, 4)) {
        case 0: fine = fine && add(sums, p) && add(sums, p) && take(sums, p); break;
        case 1:
            fine = fine && add(sums, stranger) && add(sums, p) && take(sums, stranger);
            break;
        default: fine = fine && add(sums, p); break;
        }
    }
    size_t first = dice_below(dice, PARTS);
    for (size_t i = 0; i < PARTS; i++) {
        fine = fine && kith_sums_merge(ret, &part[(first + i) % PARTS]) == 0;
    }
    return fine;
}

static void every_history_of_the_same_leaves_gives_the_same_bits(void) {
    uint64_t dice = 17;
    for (int h = 0; h < HISTORIES; h++) {
        point points[LEAVES];
        size_t n = 1 + dice_below(&dice, LEAVES);
        kith_sums straight = { 0 }, other = { 0 };
        for (size_t i = 0; i < n; i++) {
            points[i] = any_point(&dice);
            EXPECT(add(&straight, points[i]));
        }
        EXPECT(by_a_random_way(&dice, points, n, &other));
        EXPECT(equal(&straight, &other));
    }
}

static void what_is_taken_back_leaves_nothing(void) {
    uint64_t dice = 3;
    kith_sums sums = { 0 }, none = { 0 };
    point points[LEAVES];
    for (int i = 0; i < LEAVES; i++) {
        points[i] = any_point(&dice);
        EXPECT(add(&sums, points[i]));
    }
    for (int i = 0; i < LEAVES; i++) EXPECT(take(&sums, points[i]));
    EXPECT(equal(&sums, &none));
    EXPECT_INT(kith_sums_remove(&sums, 0, 1), KITH_E_ARG);
}

static void evidence_out_of_range_is_refused_and_changes_nothing(void) {
    static const point bad[] = { { 1025, 1 }, { -1025, 1 }, { NAN, 1 }, { INFINITY, 1 },
        { 0, 0x1p-21 }, { 0, 0x1.1p20 }, { 0, 0 }, { 0, -1 }, { 0, NAN }, { 0, INFINITY } };
    kith_sums sums = { 0 };
    EXPECT(add(&sums, (point){ 1024, 0x1p-20 }) && add(&sums, (point){ -1024, 0x1p20 }));
    kith_sums before = sums;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EXPECT_INT(kith_sums_add(&sums, bad[i].y, bad[i].v), KITH_E_ARG);
        EXPECT_INT(kith_sums_remove(&sums, bad[i].y, bad[i].v), KITH_E_ARG);
        EXPECT(equal(&sums, &before));
    }
}

static void an_accumulator_refuses_one_leaf_too_many(void) {
    kith_sums sums = { 0 }, one = { 0 }, both = { 0 };
    EXPECT(add(&sums, (point){ 1024, 0x1p-20 }) && add(&one, (point){ 1, 1 }));
    for (int i = 0; i < 22; i++) {
        both = sums;
        EXPECT_INT(kith_sums_merge(&sums, &both), 0);
    }
    EXPECT_INT(sums.count, KITH_LEAVES_MAX);
    both = sums;
    EXPECT_INT(kith_sums_add(&sums, 1, 1), KITH_FULL);
    EXPECT_INT(kith_sums_merge(&sums, &one), KITH_FULL);
    EXPECT(equal(&sums, &both));
    double mu, q, tau2;
    EXPECT_INT(kith_sums_derive(&sums, &mu, &q, &tau2), 0);
    EXPECT(mu == 1024 && q == 0 && tau2 == 0);
}

/* Doubles lose the spread when the mean is a million times as large. */
static void the_spread_survives_a_distant_mean(void) {
    kith_sums sums = { 0 };
    double mu, q, tau2;
    for (int i = 0; i < 1000; i++) {
        EXPECT(add(&sums, (point){ 1000 + (i % 2 ? 0x1p-10 : -0x1p-10), 1 }));
    }
    EXPECT_INT(kith_sums_derive(&sums, &mu, &q, &tau2), 0);
    EXPECT(mu == 1000 && q == 1000 * 0x1p-20 && tau2 == 0);
}

static void derived_values_are_finite_for_any_sums_a_stranger_may_send(void) {
    uint64_t dice = 8;
    for (int i = 0; i < 20000; i++) {
        kith_sums sums = { .count = dice_below(&dice, KITH_LEAVES_MAX + 2) };
        for (int j = 0; j < 4; j++) {
            uint64_t low = dice_roll(&dice), high = dice_roll(&dice);
            sums.s[j].low = low >> dice_below(&dice, 64);
            sums.s[j].high = i % 3 ? high >> dice_below(&dice, 64) : 0;
        }
        double mu = 1, q = 1, tau2 = 1;
        int rc = kith_sums_derive(&sums, &mu, &q, &tau2);
        EXPECT(rc == 0 || rc == KITH_E_ARG);
        EXPECT(isfinite(mu) && isfinite(q) && isfinite(tau2) && q >= 0 && tau2 >= 0);
    }
    kith_sums none = { 0 };
    double mu, q, tau2;
    EXPECT_INT(kith_sums_derive(&none, &mu, &q, &tau2), KITH_E_ARG);
}

static kith_i128 times_one(uint64_t whole) {
    return (kith_i128){ whole, 0 };
}

/* Sums that no leaves can have: less spread than none is none. */
static void impossible_spreads_are_none(void) {
    double mu, q, tau2;
    kith_sums sums = { 2, { times_one(4), times_one(4), times_one(8), times_one(3) } };
    EXPECT_INT(kith_sums_derive(&sums, &mu, &q, &tau2), 0);
    EXPECT(mu == 2 && q == 0 && tau2 == 0); /* 3 * 4 < 8 * 8 */
    sums = (kith_sums){ 2, { times_one(1), times_one(4), times_one(0), times_one(99) } };
    EXPECT_INT(kith_sums_derive(&sums, &mu, &q, &tau2), 0);
    EXPECT(mu == 0 && q == 99 && tau2 == 0); /* 1 * 1 < 4 */
}

/* (2^53 + 5) / 2 lies halfway between two doubles; the last bit of the dividend
 * is far beyond any digit that is kept, and decides. */
static void a_quotient_is_rounded_once(void) {
    uint64_t d = (UINT64_C(1) << 20) + 7;
    /* (2^53 + 5) d = 2^73 + 7 * 2^53 + 5 * 2^20 + 35 */
    kith_i128 n = { 1u << 9, (UINT64_C(7) << 53) + (UINT64_C(5) << 20) + UINT64_C(35) };
    for (uint64_t beyond = 0; beyond < 2; beyond++) {
        kith_sums sums = { .count = 1 };
        double mu, q, tau2;
        sums.s[0].low = d;
        sums.s[2] = (kith_i128){ n.high, n.low + beyond };
        EXPECT_INT(kith_sums_derive(&sums, &mu, &q, &tau2), 0);
        EXPECT(mu == 0x1p53 + (beyond ? 6 : 4));
    }
}

/* 2^96 2^96 - (2^96 - 1)^2 = 2^97 - 1, and a word of the square is all ones. */
static void a_borrow_goes_through_a_full_word(void) {
    kith_i128 top = { UINT64_C(1) << 32, 0 }, below = { UINT32_MAX, UINT64_MAX };
    kith_sums sums = { 2, { top, { 0, 1 }, below, top } };
    double mu, q, tau2;
    EXPECT_INT(kith_sums_derive(&sums, &mu, &q, &tau2), 0);
    EXPECT(mu == 1);
    EXPECT(q == 0x1p97 / 0x1p160);
}

static void the_largest_sums_multiply_whole(void) {
    kith_i128 top = { UINT64_C(1) << 62, 0 }, half = { UINT64_C(1) << 61, 0 };
    kith_sums sums = { 2, { top, { 0, 1 }, half, top } };
    double mu, q, tau2;
    EXPECT_INT(kith_sums_derive(&sums, &mu, &q, &tau2), 0);
    EXPECT(mu == 0.5);
    EXPECT(q == 3 * 0x1p60); /* 2^252 - 2^250 over 2^126 2^64 */
}

/* The sums and the leaves tell one story. */
static void sums_agree_with_the_leaves_they_came_from(void) {
    uint64_t dice = 21;
    for (int run = 0; run < 500; run++) {
        kith_leaf leaves[20];
        size_t k = 2 + dice_below(&dice, 19);
        kith_sums sums = { 0 };
        for (size_t i = 0; i < k; i++) {
            leaves[i] = (kith_leaf){ .y = 4 * draw_uniform(&dice), .relevance = 1 };
            leaves[i].v = 0.01 + draw_uniform(&dice);
            EXPECT(add(&sums, (point){ leaves[i].y, leaves[i].v }));
        }
        double mu, q, tau2;
        kith_fit fe, dl;
        EXPECT_INT(kith_sums_derive(&sums, &mu, &q, &tau2), 0);
        EXPECT_INT(kith_pool_fit(leaves, k, KITH_POOL_FE, KITH_CI_WALD, &fe), 0);
        EXPECT_INT(kith_pool_fit(leaves, k, KITH_POOL_DL, KITH_CI_WALD, &dl), 0);
        EXPECT(fabs(mu - fe.mu) < 1e-13 && fabs(q - fe.q) < 1e-12 * (1 + q));
        EXPECT(fabs(tau2 - dl.tau2) < 1e-12);
    }
}

/* The definition, in one operation each: scale, round half to even, cut in two words. */
static kith_i128 by_definition(double x) {
    double whole = fabs(rint(x * 0x1p64));
    uint64_t high = (uint64_t) (whole / 0x1p64);
    uint64_t low = (uint64_t) (whole - (double) high * 0x1p64);
    if (x < 0) {
        high = ~high + (low == 0);
        low = -low;
    }
    return (kith_i128){ high, low };
}

static void every_term_is_its_nearest_multiple(void) {
    uint64_t dice = 6;
    for (int i = 0; i < 400000; i++) {
        uint64_t fraction = dice_roll(&dice) >> 11 >> dice_below(&dice, 54);
        double x = ldexp((double) fraction, 9 - (int) dice_below(&dice, 140));
        x = i % 2 ? -x : x;
        kith_i128 got = ki_fixed(x), want = by_definition(x);
        EXPECT(got.high == want.high && got.low == want.low);
    }
    kith_i128 half = ki_fixed(-0x1p-65), more = ki_fixed(-0x1.8p-64);
    EXPECT((half.high | half.low) == 0);
    EXPECT(more.high == UINT64_MAX && more.low == UINT64_MAX - 1);
}

static const test_case cases[] = {
    { "every_history_of_the_same_leaves_gives_the_same_bits",
        every_history_of_the_same_leaves_gives_the_same_bits },
    { "what_is_taken_back_leaves_nothing", what_is_taken_back_leaves_nothing },
    { "evidence_out_of_range_is_refused_and_changes_nothing",
        evidence_out_of_range_is_refused_and_changes_nothing },
    { "an_accumulator_refuses_one_leaf_too_many",
        an_accumulator_refuses_one_leaf_too_many },
    { "the_spread_survives_a_distant_mean", the_spread_survives_a_distant_mean },
    { "derived_values_are_finite_for_any_sums_a_stranger_may_send",
        derived_values_are_finite_for_any_sums_a_stranger_may_send },
    { "impossible_spreads_are_none", impossible_spreads_are_none },
    { "a_borrow_goes_through_a_full_word", a_borrow_goes_through_a_full_word },
    { "the_largest_sums_multiply_whole", the_largest_sums_multiply_whole },
    { "a_quotient_is_rounded_once", a_quotient_is_rounded_once },
    { "every_term_is_its_nearest_multiple", every_term_is_its_nearest_multiple },
    { "sums_agree_with_the_leaves_they_came_from",
        sums_agree_with_the_leaves_they_came_from },
};

TEST_MAIN(cases)
