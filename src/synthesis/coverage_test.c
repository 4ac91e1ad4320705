/* SPDX-License-Identifier: Apache-2.0 */
/* Do the intervals keep their word? Nominal 95 %, many seeded pools. Limits are
 * wider than four binomial errors; what is printed is what was found. */
#include <kith/synthesis.h>

#include "base/draw.h"
#include "test.h"

#include <math.h>

#define TRUTH 0.7

static kith_leaf leaves[64];

/* k sources of sizes lognormal(2, 1) about the truth. */
static void draw(uint64_t *dice, unsigned k, double tau2) {
    for (unsigned i = 0; i < k; i++) {
        double v = 1 / fmax(1, round(exp(2 + draw_normal(dice))));
        leaves[i] = (kith_leaf){ .y = TRUTH + draw_normal(dice) * sqrt(tau2 + v),
            .v = v,
            .relevance = 1,
            .source = { (uint8_t) i, (uint8_t) (i >> 8) } };
    }
}

typedef struct tally {
    double fe, mhk, prediction, robust; /* shares that held the truth */
    double squares;                     /* of the error of the kept */
    double honest_flagged;              /* share of sources */
} tally;

static tally found(unsigned k, double tau2, unsigned runs) {
    tally it = { 0 };
    kith_pool_options plain = { .plain = true };
    for (unsigned run = 0; run < runs; run++) {
        uint64_t dice = 7919 * (uint64_t) run + k;
        kith_answer a, everybody;
        kith_fit fe;
        draw(&dice, k, tau2);
        double next = TRUTH + draw_normal(&dice) * sqrt(tau2);
        if (kith_pool_answer(leaves, k, NULL, NULL, &a, NULL) != 0 ||
            kith_pool_answer(leaves, k, NULL, &plain, &everybody, NULL) != 0 ||
            kith_pool_fit(leaves, k, KITH_POOL_FE, KITH_CI_WALD, &fe) != 0) {
            abort();
        }
        const kith_fit *p = &everybody.kept;
        it.fe += fe.ci_low <= TRUTH && TRUTH <= fe.ci_high;
        it.mhk += p->ci_low <= TRUTH && TRUTH <= p->ci_high;
        it.prediction += p->pi_low <= next && next <= p->pi_high;
        it.robust += a.kept.ci_low <= TRUTH && TRUTH <= a.kept.ci_high;
        it.squares += (a.kept.mu - TRUTH) * (a.kept.mu - TRUTH);
        it.honest_flagged += a.flagged;
    }
    it.fe /= runs, it.mhk /= runs, it.prediction /= runs, it.robust /= runs;
    it.honest_flagged /= (double) runs * k;
    it.squares = sqrt(it.squares / runs);
    printf("# k %u, tau2 %.2f: FE %.3f, PM+mHK %.3f, prediction %.3f, robust %.3f; "
           "error %.3f, honest flagged %.4f\n",
        k, tau2, it.fe, it.mhk, it.prediction, it.robust, it.squares, it.honest_flagged);
    return it;
}

static void the_preset_interval_holds_the_truth_as_often_as_it_says(void) {
    tally few = found(5, 0.3, 1500), some = found(10, 0.3, 1500),
          calm = found(10, 0.05, 1500);
    tally many = found(30, 0.3, 800);
    EXPECT(few.mhk > 0.93 && some.mhk > 0.92 && calm.mhk > 0.92 && many.mhk > 0.915);
    EXPECT(few.mhk < 0.985 && some.mhk < 0.97 && many.mhk < 0.98);
    /* A prediction knows tau2 no better than k sources tell it: short for small k. */
    EXPECT(some.prediction > 0.86 && many.prediction > 0.90);
    EXPECT(some.robust > 0.90 && many.robust > 0.91);
    EXPECT(few.honest_flagged < 0.03 && many.honest_flagged < 0.01);
    /* Without the variance between sources the interval misses half the time. */
    EXPECT(some.fe < 0.60 && many.fe < 0.58);
}

/* The own truth is drawn from the same spread; it counts as one more source. */
static void the_own_result_averaged_over_tau_keeps_its_word(void) {
    static const struct {
        unsigned others;
        double tau2;
    } at[] = { { 3, 0.0 }, { 5, 0.1 }, { 10, 0.1 }, { 30, 0.5 } };
    for (size_t c = 0; c < sizeof at / sizeof *at; c++) {
        enum {
            RUNS = 400
        };
        double held = 0, own_error = 0, shrunk_error = 0;
        for (unsigned run = 0; run < RUNS; run++) {
            uint64_t dice = 104729 * (uint64_t) run + c;
            kith_answer a;
            draw(&dice, at[c].others, at[c].tau2);
            double mine = TRUTH + draw_normal(&dice) * sqrt(at[c].tau2), v = 1.0 / 6;
            kith_leaf own = {
                .y = mine + draw_normal(&dice) * sqrt(v), .v = v, .relevance = 1
            };
            own.source[5] = 1;
            EXPECT_INT(kith_pool_answer(leaves, at[c].others, &own, NULL, &a, NULL), 0);
            held += a.shrunk_low <= mine && mine <= a.shrunk_high;
            own_error += (own.y - mine) * (own.y - mine);
            shrunk_error += (a.shrunk - mine) * (a.shrunk - mine);
        }
        printf("# %u others, tau2 %.1f: held %.3f, error %.3f, alone %.3f\n", at[c].others,
            at[c].tau2, held / RUNS, sqrt(shrunk_error / RUNS), sqrt(own_error / RUNS));
        EXPECT(held / RUNS > 0.90);
        EXPECT(shrunk_error < own_error);
    }
}

static const test_case cases[] = {
    { "the_preset_interval_holds_the_truth_as_often_as_it_says",
        the_preset_interval_holds_the_truth_as_often_as_it_says },
    { "the_own_result_averaged_over_tau_keeps_its_word",
        the_own_result_averaged_over_tau_keeps_its_word },
};

TEST_MAIN(cases)
