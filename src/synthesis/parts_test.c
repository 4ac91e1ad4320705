/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of pooling, each against a slow and obvious way. Chance is seeded. */
#include "synthesis/bisect.h"
#include "synthesis/robust.h"
#include "synthesis/tau2.h"

#include "base/dice.h"
#include "base/draw.h"
#include "test.h"

#include <math.h>

#define MOST 60

static ki_row rows[MOST];
static ki_pair scratch[2 * MOST];

static void set(size_t i, double y, double v) {
    rows[i] = (ki_row){ .y = y, .v = v, .omega = 1 };
}

static bool below_pi(double x, const void *self) {
    (void) self;
    return x < M_PI;
}

static bool below_all(double x, const void *self) {
    (void) x, (void) self;
    return true;
}

static void halving_ends_at_two_neighbours(void) {
    EXPECT(ki_bisect(-1e300, 1e300, below_pi, NULL) == M_PI);
    EXPECT(ki_bisect(0, 4, below_pi, NULL) == M_PI);
    EXPECT(ki_bisect(-7, -3, below_all, NULL) == -3);
    EXPECT(ki_bisect(2, 2, below_all, NULL) == 2);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *) a, z = *(const double *) b;
    return (x > z) - (x < z);
}

static void qn_is_one_of_the_differences_in_its_place(void) {
    static double gaps[MOST * MOST];
    uint64_t dice = 3;
    for (int run = 0; run < 400; run++) {
        size_t k = 2 + dice_below(&dice, MOST - 2), n = 0, h = k / 2 + 1;
        double grain = run % 3 == 2 ? 1e9 : run % 3 ? 8 : 1.5; /* most with many ties */
        for (size_t i = 0; i < k; i++) {
            scratch[i] = (ki_pair){ floor(grain * draw_uniform(&dice)) / 7, 0 };
            for (size_t j = 0; j < i; j++) {
                gaps[n++] = fabs(scratch[i].y - scratch[j].y);
            }
        }
        qsort(scratch, k, sizeof *scratch, ki_pair_order);
        qsort(gaps, n, sizeof *gaps, by_size);
        EXPECT(ki_qn_raw(scratch, k) == gaps[h * (h - 1) / 2 - 1]);
    }
}

static double variance_of(int shape, size_t i, size_t k, uint64_t *dice) {
    switch (shape) {
    case 0: return 1 + (double) i; /* up */
    case 1: return 1 + (double) (k - i);
    case 2: return 1 + fabs((double) i - (double) k / 2);   /* down and up */
    case 3: return exp2(1 + floor(3 * draw_uniform(dice))); /* ties */
    default: return exp2(40 * draw_uniform(dice) - 20);
    }
}

static void the_cap_is_a_share_of_the_median_in_any_order(void) {
    uint64_t dice = 4;
    for (int run = 0; run < 2000; run++) {
        double sorted[MOST];
        size_t k = 1 + dice_below(&dice, MOST);
        for (size_t i = 0; i < k; i++) {
            sorted[i] = variance_of(run % 5, i, k, &dice);
            set(i, 0, sorted[i]);
        }
        qsort(sorted, k, sizeof *sorted, by_size);
        double least = (sorted[(k - 1) / 2] + sorted[k / 2]) / 2 / 25;
        uint32_t below = 0;
        for (size_t i = 0; i < k; i++) below += sorted[i] < least;
        EXPECT_INT(ki_cap(rows, k, scratch), below);
        for (size_t i = 0; i < k; i++) EXPECT(rows[i].v >= least);
    }
}

static void the_start_is_the_lower_median(void) {
    for (size_t i = 0; i < 4; i++) set(i, (double) (4 - i), 1); /* 4 3 2 1 */
    EXPECT(ki_robust_of(rows, 4, scratch).start == 2);
    for (size_t i = 0; i < 5; i++) set(i, (double) i, 1);
    EXPECT(ki_robust_of(rows, 5, scratch).start == 2);
    rows[4].v = 1e-9; /* claims to know it all: counts as the median does */
    EXPECT(ki_robust_of(rows, 5, scratch).start == 2);
}

static void sources_on_the_falling_arms_leave_an_error_that_is_positive(void) {
    static const double ys[] = { -0.6, 0, 0, 0, 0.6 }, vs[] = { 0.04, 1, 1, 1, 0.04 };
    for (size_t i = 0; i < 5; i++) set(i, ys[i], vs[i]);
    ki_robust it = ki_robust_of(rows, 5, scratch);
    EXPECT(it.m == 0 && it.tau2 == 0);
    EXPECT(fabs(fabs(rows[0].r) - 3) < 1e-12); /* where psi falls steeply */
    EXPECT(it.m_se > 0 && it.m_se < 1);
}

/* DL's pairs, PM's promise and the Q-profile, by sums that are written out. */
static void tau2_of_each_name_solves_its_equation(void) {
    uint64_t dice = 12;
    for (int run = 0; run < 300; run++) {
        size_t k = 2 + dice_below(&dice, 20);
        for (size_t i = 0; i < k; i++) {
            double y = 4 * draw_uniform(&dice); /* one roll after the other */
            set(i, y, 0.01 + draw_uniform(&dice));
        }
        double target = (double) (k - 1) * (0.2 + draw_uniform(&dice));
        double tau2 = ki_tau2_where_q(rows, k, target), weight = 0, mu = 0, q = 0;
        for (size_t i = 0; i < k; i++) weight += 1 / (rows[i].v + tau2);
        for (size_t i = 0; i < k; i++) mu += rows[i].y / (rows[i].v + tau2) / weight;
        for (size_t i = 0; i < k; i++) {
            q += (rows[i].y - mu) * (rows[i].y - mu) / (rows[i].v + tau2);
        }
        EXPECT(tau2 == 0 ? q <= target : fabs(q - target) < 1e-11 * target);
        EXPECT(ki_tau2_dl(rows, k) >= 0);
        double equal = ki_tau2_pm(rows, k, true), unequal = ki_tau2_pm(rows, k, false);
        EXPECT(fabs(equal - unequal) <= 1e-12 * (1 + equal));
    }
}

/* Random sets with precise and vague sources have two summits now and then. */
static void reml_finds_the_highest_of_several_summits(void) {
    uint64_t dice = 1;
    int several = 0;
    for (int run = 0; run < 3000; run++) {
        size_t k = 3 + dice_below(&dice, 4);
        for (size_t i = 0; i < k; i++) {
            double y = 4 * draw_uniform(&dice) - 2;
            set(i, y, pow(10, (double) dice_below(&dice, 6) - 4));
        }
        double best = ki_tau2_reml(rows, k), top = ki_loglik(rows, k, best);
        double before = ki_loglik(rows, k, 0), tau2 = 1e-9;
        EXPECT(before <= top + 1e-9);
        int summits = 0;
        for (bool up = false; tau2 < 1e3; tau2 *= 1.25) {
            double height = ki_loglik(rows, k, tau2);
            EXPECT(height <= top + 1e-9);
            summits += up && height < before;
            up = height > before;
            before = height;
        }
        several += summits > 1;
    }
    printf("# %d of 3000 sets had more than one summit above 0\n", several);
    EXPECT(several > 0);
}

/* The same in long doubles, where nothing is short of digits: means near and far from
 * each other, one source that is sure and far away. */
static void reml_agrees_with_wider_numbers(void) {
    uint64_t dice = 9;
    static kith_table table;
    for (int run = 0; run < 200; run++) {
        kith_row plain[MOST];
        size_t k = 10 + dice_below(&dice, MOST - 10);
        double far = run % 2 ? 1000 : 0, apart = exp2(8 * draw_uniform(&dice) - 4);
        for (size_t i = 0; i < k; i++) {
            double y = far + apart * draw_uniform(&dice);
            plain[i] = (kith_row){ y, 0.01 + draw_uniform(&dice) };
            if (i == 0 && run % 4 == 1) plain[i] = (kith_row){ 0, 0x1p-20 };
            set(i, plain[i].y, plain[i].v);
        }
        EXPECT_INT(kith_table_fit(plain, k, &table), 0);
        double want = table.fit[KITH_POOL_REML][KITH_CI_WALD].tau2;
        EXPECT(fabs(ki_tau2_reml(rows, k) - want) <= 1e-9 * (want + 1e-3));
    }
}

/* Three sources whose likelihood has a higher summit before a lower one, and the
 * other way round; where they are was found by a grid. */
static void reml_keeps_the_better_of_two_summits(void) {
    set(0, -1, 0.01), set(1, -1.2, 0.001), set(2, 1.4, 1);
    EXPECT(fabs(ki_tau2_reml(rows, 3) - 0.0225572) < 1e-6);
    set(0, 0.9, 0.0001), set(1, -1.8, 1), set(2, -0.7, 1), set(3, 0.8, 0.0001);
    EXPECT(fabs(ki_tau2_reml(rows, 4) - 0.955798) < 1e-5);
}

static void quantiles_lead_back_to_their_probabilities(void) {
    static const double dfs[] = { 1, 1.7, 2, 5, 30, 333.3, 4095, 100000 };
    for (int e = -30; e < 30; e++) {
        double p = e < 0 ? pow(10, e) : (e + 0.5) / 30;
        EXPECT(fabs(kith_normal_cdf(kith_normal_quantile(p)) / p - 1) < 1e-12);
        for (size_t i = 0; i < sizeof dfs / sizeof *dfs; i++) {
            double x = kith_chi2_quantile(p, dfs[i]);
            EXPECT(x > 0 && fabs(kith_chi2_upper(x, dfs[i]) - (1 - p)) < 1e-10);
            double upper = 0.5 + p / 2, t = kith_t_quantile(upper, dfs[i]);
            EXPECT(t >= 0 && kith_t_quantile(1 - upper, dfs[i]) == -t);
        }
    }
    EXPECT(fabs(kith_t_quantile(0.975, 1e7) - kith_normal_quantile(0.975)) < 1e-6);
    EXPECT(fabs(kith_t_quantile(0.75, 1) - 1) < 1e-14); /* Cauchy */
    EXPECT(fabs(kith_chi2_upper(4, 2) - exp(-2)) < 1e-15);
}

static void what_has_no_quantile_is_not_a_number(void) {
    EXPECT(isnan(kith_normal_quantile(-0.1)) && isnan(kith_normal_quantile(NAN)));
    EXPECT(kith_normal_quantile(0) == -INFINITY && kith_normal_quantile(1) == INFINITY);
    EXPECT(isnan(kith_t_quantile(0.9, 0.5)) && isnan(kith_t_quantile(1, 5)));
    EXPECT(isnan(kith_t_quantile(0.9, INFINITY)) && isnan(kith_t_quantile(NAN, 5)));
    EXPECT(isnan(kith_chi2_quantile(0, 3)) && isnan(kith_chi2_quantile(0.5, 0)));
    EXPECT(isnan(kith_chi2_upper(-1, 3)) && isnan(kith_chi2_upper(1, NAN)));
    EXPECT(kith_chi2_upper(INFINITY, 3) == 0 && kith_chi2_upper(0, 3) == 1);
    EXPECT(kith_chi2_upper(1e300, 3) == 0);
}

static const test_case cases[] = {
    { "quantiles_lead_back_to_their_probabilities",
        quantiles_lead_back_to_their_probabilities },
    { "what_has_no_quantile_is_not_a_number", what_has_no_quantile_is_not_a_number },
    { "halving_ends_at_two_neighbours", halving_ends_at_two_neighbours },
    { "qn_is_one_of_the_differences_in_its_place",
        qn_is_one_of_the_differences_in_its_place },
    { "the_cap_is_a_share_of_the_median_in_any_order",
        the_cap_is_a_share_of_the_median_in_any_order },
    { "the_start_is_the_lower_median", the_start_is_the_lower_median },
    { "sources_on_the_falling_arms_leave_an_error_that_is_positive",
        sources_on_the_falling_arms_leave_an_error_that_is_positive },
    { "tau2_of_each_name_solves_its_equation", tau2_of_each_name_solves_its_equation },
    { "reml_finds_the_highest_of_several_summits",
        reml_finds_the_highest_of_several_summits },
    { "reml_agrees_with_wider_numbers", reml_agrees_with_wider_numbers },
    { "reml_keeps_the_better_of_two_summits", reml_keeps_the_better_of_two_summits },
};

TEST_MAIN(cases)
