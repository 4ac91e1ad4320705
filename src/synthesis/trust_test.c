/* SPDX-License-Identifier: Apache-2.0 */
/* What calibration and the elections promise. Their worth in whole worlds is in
 * trust_table_test.c. */
#include <kith/trust.h>

#include "base/draw.h"
#include "test.h"

#include <math.h>

#define SOURCES 24

static const kith_outcome zero = { 0, 1, 0 };

static bool same(double a, double b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

static kith_leaf leaf_of(double y, double v) {
    return (kith_leaf){ .y = y, .v = v, .relevance = 1 };
}

static kith_trust after(unsigned outcomes, double y, double v) {
    kith_trust it;
    kith_trust_init(&it);
    for (unsigned i = 0; i < outcomes; i++) {
        if (kith_trust_score(&it, y, v, &zero) != 0) abort();
    }
    return it;
}

/* By hand: z2 = 9 / (1 + 1 + 0.5), S = 0.98 * 2 + 3.6 + 0.04, C = 0.98 * 2 + 1 + 0.04. */
static void one_surprise_widens_by_the_formula(void) {
    kith_trust it;
    kith_outcome o = { 1, 1, 0.25 };
    kith_leaf leaf = leaf_of(7, 1);
    kith_trust_init(&it);
    EXPECT(same(kith_trust_phi(&it), 1));
    EXPECT_INT(kith_trust_score(&it, 4, 1, &o), 0);
    EXPECT(fabs(kith_trust_phi(&it) - 5.6 / 3) < 1e-14);
    EXPECT_INT(kith_trust_apply(&it, &leaf), 0);
    EXPECT(fabs(leaf.v - (5.6 / 3 + (5.6 / 3 - 1) * 1.5)) < 1e-14);
    EXPECT(same(leaf.y, 7));
    /* Then one that is exactly right: S = 0.98 * 5.6 + 0.04, C = 0.98 * 3 + 1.04. */
    double phi = 5.528 / 3.98, slack = (0.98 * 1.5 + 2) / 1.98;
    leaf.v = 1;
    EXPECT_INT(kith_trust_score(&it, 4, 1, &(kith_outcome){ 4, 2, 0 }), 0);
    EXPECT(fabs(kith_trust_phi(&it) - phi) < 1e-14);
    EXPECT_INT(kith_trust_apply(&it, &leaf), 0);
    EXPECT(fabs(leaf.v - (phi + (phi - 1) * slack)) < 1e-14);
}

static void a_stranger_counts_a_quarter_until_five_outcomes(void) {
    for (unsigned outcomes = 0; outcomes < 8; outcomes++) {
        kith_trust it = after(outcomes, 0, 1);
        kith_leaf leaf = leaf_of(1, 2);
        leaf.relevance = 0.5;
        EXPECT_INT(kith_trust_apply(&it, &leaf), 0);
        EXPECT(same(leaf.relevance, outcomes < KITH_TRUST_KNOWN ? 0.125 : 0.5));
    }
}

/* Being better than claimed earns nothing: phi is never below 1. */
static void nobody_becomes_surer_than_it_claims(void) {
    kith_trust it = after(500, 0, 1);
    kith_leaf leaf = leaf_of(3, 2);
    EXPECT(same(kith_trust_phi(&it), 1));
    EXPECT_INT(kith_trust_apply(&it, &leaf), 0);
    EXPECT(same(leaf.v, 2));
}

static void who_mends_is_forgiven(void) {
    kith_trust it = after(50, 10, 1);
    double worst = kith_trust_phi(&it), before = worst;
    EXPECT(worst > 20);
    for (int i = 0; i < 400; i++) {
        EXPECT_INT(kith_trust_score(&it, 0, 1, &zero), 0);
        EXPECT(kith_trust_phi(&it) <= before);
        before = kith_trust_phi(&it);
    }
    EXPECT(same(before, 1));
}

static void what_makes_no_sense_changes_nothing(void) {
    kith_trust it = after(3, 2, 1), was = it;
    const double bad[] = { NAN, INFINITY, -INFINITY, 0x1p101 };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        kith_outcome o = zero, v = zero, tau2 = zero;
        kith_leaf leaf = leaf_of(1, 1);
        o.o = v.v = tau2.tau2 = bad[i];
        EXPECT_INT(kith_trust_score(&it, bad[i], 1, &zero), KITH_E_ARG);
        EXPECT_INT(kith_trust_score(&it, 0, bad[i], &zero), KITH_E_ARG);
        EXPECT_INT(kith_trust_score(&it, 0, 1, &o), KITH_E_ARG);
        EXPECT_INT(kith_trust_score(&it, 0, 1, &v), KITH_E_ARG);
        EXPECT_INT(kith_trust_score(&it, 0, 1, &tau2), KITH_E_ARG);
        leaf.v = bad[i];
        EXPECT_INT(kith_trust_apply(&it, &leaf), KITH_E_ARG);
    }
    EXPECT(memcmp(&it, &was, sizeof it) == 0);
    it.cases = 1; /* from a damaged file */
    kith_leaf leaf = leaf_of(1, 1);
    EXPECT(!kith_trust_valid(&it));
    EXPECT_INT(kith_trust_score(&it, 0, 1, &zero), KITH_E_ARG);
    EXPECT_INT(kith_trust_apply(&it, &leaf), KITH_E_ARG);
    EXPECT(same(leaf.v, 1) && same(leaf.relevance, 1));
}

/* Ranges of all sizes, their ends among them: the past stays one that score could have
 * written, and what apply makes of a leaf can be pooled. */
static void a_random_walk_stays_within_its_invariants(void) {
    uint64_t dice = 20;
    kith_trust it;
    kith_trust_init(&it);
    for (int step = 0; step < 200000; step++) {
        if (dice_below(&dice, 500) == 0) kith_trust_init(&it);
        double far = dice_below(&dice, 50) == 0 ? 100 : 3;
        double y = exp2(far * (2 * draw_uniform(&dice) - 1));
        double v = exp2(far * (2 * draw_uniform(&dice) - 1));
        kith_outcome o = { -exp2(far * draw_uniform(&dice)), v,
            (double) dice_below(&dice, 2) * exp2(far * draw_uniform(&dice)) };
        uint64_t before = it.outcomes;
        EXPECT_INT(kith_trust_score(&it, y, v, &o), 0);
        EXPECT(kith_trust_valid(&it) && it.outcomes == before + 1);
        kith_leaf leaf = leaf_of(y, v);
        kith_fit fit;
        EXPECT_INT(kith_trust_apply(&it, &leaf), 0);
        EXPECT(leaf.v >= v && kith_trust_phi(&it) >= 1);
        if (step % 100 == 0) {
            EXPECT_INT(kith_pool_fit(&leaf, 1, KITH_POOL_PM, KITH_CI_MHK, &fit), 0);
            EXPECT(isfinite(fit.mu));
        }
    }
}

static void shuffle(uint64_t *dice, unsigned *order, unsigned count) {
    for (unsigned i = 0; i < count; i++) order[i] = i;
    for (unsigned i = count; i > 1; i--) {
        unsigned j = (unsigned) dice_below(dice, i), kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}

/* Forty outcomes of sources that stand in another order each time. */
static int live(uint64_t order_dice, bool shuffled, kith_answer *ret, kith_trust *past) {
    uint64_t dice = 5;
    unsigned order[SOURCES];
    for (unsigned i = 0; i < SOURCES; i++) kith_trust_init(&past[i]);
    for (int t = 0; t < 40; t++) {
        kith_leaf all[SOURCES], leaves[SOURCES];
        for (unsigned i = 0; i < SOURCES; i++) {
            all[i] = leaf_of(draw_normal(&dice) + (i < 8), 0.1 + draw_uniform(&dice));
            all[i].source[0] = (uint8_t) i;
            order[i] = i;
        }
        if (shuffled) shuffle(&order_dice, order, SOURCES);
        for (unsigned i = 0; i < SOURCES; i++) {
            leaves[i] = all[order[i]];
            int r = kith_trust_apply(&past[order[i]], &leaves[i]);
            if (r != 0) return r;
        }
        int r = kith_pool_answer(leaves, SOURCES, NULL, NULL, ret, NULL);
        kith_outcome o = { draw_normal(&dice), 0.2, ret->kept.tau2 };
        for (unsigned i = 0; i < SOURCES && r == 0; i++) {
            const kith_leaf *was = &all[order[i]];
            r = kith_trust_score(&past[order[i]], was->y, was->v, &o);
        }
        if (r != 0) return r;
    }
    return 0;
}

static void any_order_of_sources_gives_the_same_bits(void) {
    kith_answer want, got;
    kith_trust wanted[SOURCES], past[SOURCES];
    EXPECT_INT(live(0, false, &want, wanted), 0);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        EXPECT_INT(live(seed, true, &got, past), 0);
        EXPECT(memcmp(past, wanted, sizeof past) == 0);
        EXPECT(same(got.kept.mu, want.kept.mu) && same(got.kept.se, want.kept.se));
        EXPECT(same(got.kept.tau2, want.kept.tau2) && same(got.m, want.m));
    }
}

static const test_case cases[] = {
    { "one_surprise_widens_by_the_formula", one_surprise_widens_by_the_formula },
    { "a_stranger_counts_a_quarter_until_five_outcomes",
        a_stranger_counts_a_quarter_until_five_outcomes },
    { "nobody_becomes_surer_than_it_claims", nobody_becomes_surer_than_it_claims },
    { "who_mends_is_forgiven", who_mends_is_forgiven },
    { "what_makes_no_sense_changes_nothing", what_makes_no_sense_changes_nothing },
    { "a_random_walk_stays_within_its_invariants",
        a_random_walk_stays_within_its_invariants },
    { "any_order_of_sources_gives_the_same_bits",
        any_order_of_sources_gives_the_same_bits },
};

TEST_MAIN(cases)
