/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer promises. The published numbers are compared in tests/golden;
 * here stand the promises that hold for any numbers. Chance is seeded. */
#include <kith/synthesis.h>

#include "base/dice.h"
#include "base/draw.h"
#include "test.h"

#include <math.h>

static kith_leaf leaves[KITH_POOL_MAX + 1];
static kith_vote votes[KITH_POOL_MAX + 1];

static kith_leaf leaf(unsigned source, double y, double v) {
    kith_leaf it = { .y = y, .v = v, .relevance = 1, .t_end_us = 1000 + source };
    it.source[0] = (uint8_t) (source >> 8);
    it.source[1] = (uint8_t) source;
    return it;
}

/* k honest sources about 0 with tau, sizes lognormal(2, 1). */
static void honest(uint64_t *dice, unsigned k, double tau) {
    for (unsigned i = 0; i < k; i++) {
        double n = fmax(1, round(exp(2 + draw_normal(dice))));
        leaves[i] = leaf(i, draw_normal(dice) * sqrt(tau * tau + 1 / n), 1 / n);
        leaves[i].n = (uint64_t) n;
    }
}

static kith_answer answer_of(size_t k) {
    kith_answer a;
    memset(&a, 0xee, sizeof a);
    if (kith_pool_answer(leaves, k, NULL, NULL, &a, votes) != 0) {
        a.k = UINT32_MAX;
    }
    return a;
}

static bool sound(const kith_answer *a, size_t k) {
    if (a->k != k) return false;
    if (a->insufficient) return true;
    const kith_fit *f = &a->kept;
    bool fine =
        isfinite(f->mu) && isfinite(f->se) && isfinite(f->ci_low) && isfinite(f->ci_high);
    fine = fine && isfinite(f->tau2) && isfinite(f->pi_low) && isfinite(f->pi_high);
    fine = fine && isfinite(f->i2) && isfinite(f->h2) && isfinite(f->q) &&
           isfinite(f->tau2_high);
    fine = fine && f->ci_low <= f->mu && f->mu <= f->ci_high && f->pi_low <= f->ci_low;
    double sum = 0;
    for (size_t i = 0; i < k; i++) {
        fine = fine && isfinite(votes[i].residual) && votes[i].weight >= 0;
        sum += votes[i].weight;
    }
    return fine && fabs(sum - 1) < 1e-12 && isfinite(a->m) && isfinite(a->m_se) &&
           a->agreement >= 0 && a->agreement <= 1 && isfinite(a->plain.mu);
}

static void fewer_than_three_sources_are_insufficient(void) {
    for (unsigned k = 0; k < 3; k++) {
        uint64_t dice = 1;
        honest(&dice, k, 0.3);
        kith_answer a = answer_of(k);
        EXPECT(a.insufficient);
        EXPECT_INT(a.missing, 3 - k);
        EXPECT_INT(a.quorum, 3);
        EXPECT_INT(a.pairs, k == 2);
    }
    uint64_t dice = 1;
    honest(&dice, 3, 0.3);
    kith_answer a = answer_of(3);
    EXPECT(!a.insufficient && a.missing == 0);
    EXPECT_INT(a.pairs, 3);
}

static void with_three_or_four_nobody_is_called_the_liar(void) {
    for (unsigned k = 3; k <= 4; k++) {
        for (unsigned i = 0; i < k; i++) {
            leaves[i] = leaf(i, i == 1 ? 100.0 : 0.1 * i, 0.01);
        }
        kith_answer a = answer_of(k);
        EXPECT(sound(&a, k) && !a.robust && a.flagged == 0 && a.capped == 0 && !a.alarm);
        EXPECT(a.kept.mu == a.plain.mu && a.m < 1);
    }
}

static void one_liar_of_twelve_is_named_and_flattened(void) {
    unsigned moved = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t dice = seed;
        honest(&dice, 12, 0.3);
        kith_answer without = answer_of(11);
        leaves[11] =
            leaf(11, seed % 2 ? 1000 : -1000, exp(6 * draw_normal(&dice)) + 0x1p-20);
        kith_answer a = answer_of(12);
        EXPECT(sound(&a, 12));
        /* Who claims a standard error of hundreds is not far out at 1000; his weight
         * is nothing then. Everybody else is named. */
        if (leaves[11].v < 1e5) {
            EXPECT_INT(votes[11].fate, KITH_VOTE_FLAGGED);
            EXPECT(votes[11].weight == 0 && fabs(votes[11].residual) >= 3);
        }
        double by = fabs(a.kept.mu - without.kept.mu);
        EXPECT(by <= 4 * without.kept.se);
        moved += by >= 0.01 * without.kept.se;
    }
    printf("# moved by 0.01 se or more in %u of 200\n", moved);
    EXPECT(moved <= 10);
}

/* The mean of the seed: confidence * log1p(n), every liar at 0.9 like the rest. */
static double seed_mean(size_t k) {
    double sum = 0, weight = 0;
    for (size_t i = 0; i < k; i++) {
        double w = 0.9 * log1p((double) leaves[i].n);
        sum += w * leaves[i].y;
        weight += w;
    }
    return sum / weight;
}

static void a_third_of_gross_liars_moves_the_answer_by_less_than_a_tenth(void) {
    double ours = 0, seeds = 0;
    unsigned all_named = 0, runs = 400;
    for (unsigned run = 0; run < runs; run++) {
        uint64_t dice = 1000 + run;
        honest(&dice, 50, 0.3);
        for (unsigned i = 0; i < 15; i++) {
            leaves[i].y = 5;
        }
        kith_answer a = answer_of(50);
        EXPECT(sound(&a, 50) && a.alarm);
        unsigned named = 0;
        for (unsigned i = 0; i < 15; i++) {
            named += votes[i].fate == KITH_VOTE_FLAGGED;
        }
        all_named += named == 15;
        ours += a.kept.mu * a.kept.mu;
        seeds += seed_mean(50) * seed_mean(50);
    }
    ours = sqrt(ours / runs);
    seeds = sqrt(seeds / runs);
    printf(
        "# root mean square error: kept %.3f, seed mean %.3f; all 15 named in %u of %u\n",
        ours, seeds, all_named, runs);
    EXPECT(ours < 0.10);
    EXPECT(seeds > 1.4);
    EXPECT(all_named >= runs - runs / 100);
}

static void shuffle(uint64_t *dice, size_t k) {
    for (size_t i = k; i > 1; i--) {
        size_t j = dice_below(dice, i);
        kith_leaf keep = leaves[i - 1];
        leaves[i - 1] = leaves[j];
        leaves[j] = keep;
    }
}

static void any_order_of_leaves_gives_the_same_bytes(void) {
    uint64_t dice = 9;
    for (int set = 0; set < 20; set++) {
        size_t k = 3 + dice_below(&dice, 40);
        honest(&dice, (unsigned) k, 0.3);
        kith_leaf own = leaf(9999, 0.4, 0.2);
        leaves[0].y = 1000;
        leaves[1].relevance = set % 2 ? 0.25 : 1;
        kith_answer first, again;
        memset(&first, 0, sizeof first);
        memset(&again, 0, sizeof again);
        EXPECT_INT(kith_pool_answer(leaves, k, &own, NULL, &first, votes), 0);
        for (int n = 0; n < 20; n++) {
            shuffle(&dice, k);
            EXPECT_INT(kith_pool_answer(leaves, k, &own, NULL, &again, votes), 0);
            EXPECT(memcmp(&first, &again, sizeof first) == 0);
            for (size_t i = 0; i < k; i++) {
                EXPECT((leaves[i].y == 1000) == (fabs(votes[i].residual) > 100));
            }
        }
    }
}

static bool close_to(double a, double b, double scale) {
    return fabs(a - b) <= 1e-12 * fmax(fabs(b), scale);
}

static void scale_and_shift_move_the_answer_with_them(void) {
    for (uint64_t seed = 1; seed <= 100; seed++) {
        uint64_t dice = seed;
        unsigned k = 3 + (unsigned) dice_below(&dice, 30);
        honest(&dice, k, 0.3);
        kith_answer a = answer_of(k);
        double c = exp(draw_normal(&dice)), by = 3 * draw_normal(&dice);
        for (unsigned i = 0; i < k; i++) {
            leaves[i].y *= c;
            leaves[i].v *= c * c;
        }
        kith_answer b = answer_of(k);
        EXPECT(a.flagged == b.flagged && close_to(b.kept.mu, a.kept.mu * c, c));
        EXPECT(close_to(b.kept.tau2, a.kept.tau2 * c * c, c * c));
        for (unsigned i = 0; i < k; i++) {
            leaves[i].y += by;
        }
        kith_answer d = answer_of(k);
        EXPECT(d.flagged == b.flagged && close_to(d.kept.mu, b.kept.mu + by, 10 * c));
        EXPECT(close_to(d.kept.tau2, b.kept.tau2, 10 * c * c));
    }
}

static void paule_mandel_leaves_a_factor_of_one(void) {
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t dice = seed;
        honest(&dice, (unsigned) (3 + seed % 20), 0.5);
        kith_fit f;
        EXPECT_INT(kith_pool_fit(leaves, 3 + seed % 20, KITH_POOL_PM, KITH_CI_HK, &f), 0);
        EXPECT(f.tau2 == 0 ? f.hk_q <= 1 : fabs(f.hk_q - 1) < 1e-12);
    }
}

/* tau2 of DerSimonian and Laird is a mean of one estimate for each pair. */
static void every_pair_of_sources_enters_the_disagreement(void) {
    for (uint64_t seed = 1; seed <= 100; seed++) {
        uint64_t dice = seed;
        unsigned k = 2 + (unsigned) dice_below(&dice, 30);
        honest(&dice, k, 0.5);
        double top = 0, bottom = 0;
        for (unsigned i = 0; i < k; i++) {
            for (unsigned j = 0; j < i; j++) {
                double w = 1 / leaves[i].v / leaves[j].v, d = leaves[i].y - leaves[j].y;
                top += w * (d * d - leaves[i].v - leaves[j].v);
                bottom += 2 * w;
            }
        }
        kith_fit f;
        EXPECT_INT(kith_pool_fit(leaves, k, KITH_POOL_DL, KITH_CI_MHK, &f), 0);
        EXPECT(close_to(f.tau2, fmax(0, top / bottom), 1));
    }
}

static void equal_relevances_are_as_good_as_one(void) {
    uint64_t dice = 3;
    honest(&dice, 12, 0.3);
    kith_answer one = answer_of(12);
    for (int i = 0; i < 12; i++) leaves[i].relevance = 0.3;
    kith_answer less = answer_of(12);
    EXPECT(memcmp(&one.kept, &less.kept, sizeof one.kept) == 0);
}

static void all_equal_sources_agree_without_spread(void) {
    for (unsigned i = 0; i < 8; i++) leaves[i] = leaf(i, 0.25, 0.1);
    kith_answer a = answer_of(8);
    EXPECT(sound(&a, 8) && a.kept.mu == 0.25 && a.kept.tau2 == 0 && a.flagged == 0);
    EXPECT(a.agreement == 1 && !a.alarm && a.kept.i2 == 0);
}

static void extremes_of_every_range_give_finite_answers(void) {
    static const double ys[] = { 0, 1024, -1024, 1, -1e-300, 0x1p100 };
    static const double vs[] = { 0x1p-20, 0x1p20, 1, 0x1p-100, 0x1p100 };
    uint64_t dice = 77;
    for (int run = 0; run < 3000; run++) {
        /* Every other run goes beyond what a packet may hold. */
        unsigned k = 2 + (unsigned) dice_below(&dice, 14), wide = run % 2 != 0;
        for (unsigned i = 0; i < k; i++) {
            double y = ys[dice_below(&dice, 5 + wide)]; /* one roll after the other */
            leaves[i] = leaf(i, y, vs[dice_below(&dice, 3 + 2 * wide)]);
            leaves[i].relevance = run % 3 ? 1 : draw_uniform(&dice);
        }
        double mine = ys[dice_below(&dice, 5)];
        kith_leaf own = leaf(999, mine, vs[dice_below(&dice, 3)]);
        kith_answer a;
        EXPECT_INT(kith_pool_answer(leaves, k, &own, NULL, &a, votes), 0);
        if (a.insufficient) continue;
        EXPECT(isfinite(a.kept.mu) && isfinite(a.kept.ci_low) && isfinite(a.kept.pi_high));
        EXPECT(isfinite(a.kept.tau2) && isfinite(a.m) && !isnan(a.m_se) &&
               isfinite(a.plain.mu));
        EXPECT(isfinite(a.shrunk) && isfinite(a.shrunk_sd));
        EXPECT(a.shrunk_low <= a.shrunk_high && isfinite(a.shrunk_low));
    }
}

static void a_leaf_altered_within_range_leaves_a_sound_answer(void) {
    uint64_t dice = 11;
    for (int run = 0; run < 2000; run++) {
        unsigned k = 3 + (unsigned) dice_below(&dice, 17);
        honest(&dice, k, 0.3);
        kith_leaf *one = &leaves[dice_below(&dice, k)];
        one->y = 1024 * (2 * draw_uniform(&dice) - 1);
        one->v = exp2(40 * draw_uniform(&dice) - 20);
        kith_answer a = answer_of(k);
        EXPECT(sound(&a, k) && !a.insufficient);
    }
}

static void what_is_no_evidence_is_refused_and_nothing_written(void) {
    uint64_t dice = 2;
    kith_answer a;
    static const double bad[] = { NAN, INFINITY, -INFINITY, 1e300 };
    for (int i = 0; i < 4; i++) {
        memset(&a, 0x5a, sizeof a);
        honest(&dice, 6, 0.3);
        leaves[3].y = bad[i];
        EXPECT_INT(kith_pool_answer(leaves, 6, NULL, NULL, &a, NULL), KITH_E_ARG);
        leaves[3] = leaf(3, 0, i == 3 ? 0 : bad[i]);
        EXPECT_INT(kith_pool_answer(leaves, 6, NULL, NULL, &a, NULL), KITH_E_ARG);
        leaves[3] = leaf(3, 0, 1);
        leaves[3].relevance = i == 3 ? 0 : bad[i];
        EXPECT_INT(kith_pool_answer(leaves, 6, NULL, NULL, &a, NULL), KITH_E_ARG);
        EXPECT_INT(((uint8_t *) &a)[17], 0x5a);
    }
    EXPECT_INT(
        kith_pool_answer(leaves, KITH_LEAVES_MAX + 1, NULL, NULL, &a, NULL), KITH_E_ARG);
    kith_pool_options lonely = { .quorum = 1 };
    honest(&dice, 6, 0.3);
    EXPECT_INT(kith_pool_answer(leaves, 6, NULL, &lonely, &a, NULL), KITH_E_ARG);
}

static void one_source_is_one_vote_and_nobody_his_own_twin(void) {
    uint64_t dice = 2;
    kith_answer a;
    honest(&dice, 6, 0.3);
    kith_leaf own = leaf(2, 0.1, 1);
    EXPECT_INT(kith_pool_answer(leaves, 6, &own, NULL, &a, NULL), KITH_E_ARG);
    leaves[5] = leaf(0, 0.1, 1);
    EXPECT_INT(kith_pool_answer(leaves, 6, NULL, NULL, &a, NULL), KITH_E_ARG);
}

static void the_own_result_moves_towards_the_others_and_is_surer(void) {
    for (uint64_t seed = 1; seed <= 50; seed++) {
        uint64_t dice = seed;
        honest(&dice, 20, 0.1);
        kith_leaf own = leaf(777, 2, 1);
        kith_answer a;
        EXPECT_INT(kith_pool_answer(leaves, 20, &own, NULL, &a, votes), 0);
        EXPECT(a.has_own && a.has_shrunk && a.own_y == 2);
        EXPECT(a.shrunk < 2 && a.shrunk > a.kept.mu - 0.1 && a.shrunk_sd < 1);
        EXPECT(a.shrunk_low < a.shrunk && a.shrunk < a.shrunk_high);
    }
}

static void a_whole_pool_of_4096_is_answered(void) {
    uint64_t dice = 4;
    honest(&dice, KITH_POOL_MAX, 0.3);
    kith_leaf own = leaf(0xffff, 2, 1);
    kith_answer a;
    EXPECT_INT(kith_pool_answer(leaves, KITH_POOL_MAX, &own, NULL, &a, votes), 0);
    EXPECT(sound(&a, KITH_POOL_MAX) && a.has_shrunk);
    EXPECT(fabs(a.kept.mu) < 0.03 && fabs(sqrt(a.kept.tau2) - 0.3) < 0.03);
}

static void methods_and_intervals_are_as_asked(void) {
    uint64_t dice = 4;
    honest(&dice, 9, 0.5);
    kith_fit f;
    EXPECT_INT(kith_pool_fit(leaves, 9, (kith_pool_method) 4, KITH_CI_MHK, &f), KITH_E_ARG);
    EXPECT_INT(kith_pool_fit(leaves, 9, KITH_POOL_PM, (kith_pool_ci) 3, &f), KITH_E_ARG);
    EXPECT_INT(kith_pool_fit(leaves, 0, KITH_POOL_PM, KITH_CI_MHK, &f), KITH_E_ARG);
    leaves[2].relevance = 0.5;
    EXPECT_INT(kith_pool_fit(leaves, 9, KITH_POOL_REML, KITH_CI_MHK, &f), KITH_E_NOTSUP);
    EXPECT_INT(kith_pool_fit(leaves, 1, KITH_POOL_REML, KITH_CI_WALD, &f), 0);
    EXPECT(f.mu == leaves[0].y && f.tau2 == 0 && isnan(f.tau2_high) && isfinite(f.se));
    kith_pool_options plain = { .plain = true };
    kith_answer a;
    leaves[0].y = 900;
    EXPECT_INT(kith_pool_answer(leaves, 9, NULL, &plain, &a, votes), 0);
    EXPECT(!a.robust && a.flagged == 0 && a.kept.mu == a.plain.mu && votes[0].weight > 0);
}

static const test_case cases[] = {
    { "fewer_than_three_sources_are_insufficient",
        fewer_than_three_sources_are_insufficient },
    { "with_three_or_four_nobody_is_called_the_liar",
        with_three_or_four_nobody_is_called_the_liar },
    { "one_liar_of_twelve_is_named_and_flattened",
        one_liar_of_twelve_is_named_and_flattened },
    { "a_third_of_gross_liars_moves_the_answer_by_less_than_a_tenth",
        a_third_of_gross_liars_moves_the_answer_by_less_than_a_tenth },
    { "any_order_of_leaves_gives_the_same_bytes",
        any_order_of_leaves_gives_the_same_bytes },
    { "scale_and_shift_move_the_answer_with_them",
        scale_and_shift_move_the_answer_with_them },
    { "paule_mandel_leaves_a_factor_of_one", paule_mandel_leaves_a_factor_of_one },
    { "every_pair_of_sources_enters_the_disagreement",
        every_pair_of_sources_enters_the_disagreement },
    { "equal_relevances_are_as_good_as_one", equal_relevances_are_as_good_as_one },
    { "all_equal_sources_agree_without_spread", all_equal_sources_agree_without_spread },
    { "extremes_of_every_range_give_finite_answers",
        extremes_of_every_range_give_finite_answers },
    { "a_leaf_altered_within_range_leaves_a_sound_answer",
        a_leaf_altered_within_range_leaves_a_sound_answer },
    { "what_is_no_evidence_is_refused_and_nothing_written",
        what_is_no_evidence_is_refused_and_nothing_written },
    { "one_source_is_one_vote_and_nobody_his_own_twin",
        one_source_is_one_vote_and_nobody_his_own_twin },
    { "the_own_result_moves_towards_the_others_and_is_surer",
        the_own_result_moves_towards_the_others_and_is_surer },
    { "a_whole_pool_of_4096_is_answered", a_whole_pool_of_4096_is_answered },
    { "methods_and_intervals_are_as_asked", methods_and_intervals_are_as_asked },
};

TEST_MAIN(cases)
