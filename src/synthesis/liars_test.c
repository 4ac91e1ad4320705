/* SPDX-License-Identifier: Apache-2.0 */
/* How far liars of several kinds move the answer. Root mean square errors about a
 * truth of 0, between bands; what is printed is what was found. Honest sources:
 * tau 0.3, sizes lognormal(2, 1), v = 1/n. Chance is seeded. */
#include <kith/synthesis.h>

#include "base/draw.h"
#include "test.h"

#include <math.h>

#define RUNS 600
#define MOST 50

typedef enum lie {
    GROSS,   /* y = 5, the variance of the honest source it replaces */
    LOUD,    /* y = 1, v = 10^-6: sure of itself */
    STEALTH, /* y about 0.6 with the median variance: no outlier at all */
} lie;

typedef struct errors {
    double kept, m, plain, fe, covered;
} errors;

static kith_leaf leaves[MOST];

static void draw(uint64_t *dice, unsigned k, unsigned liars, lie told) {
    for (unsigned i = 0; i < k; i++) {
        double n = fmax(1, round(exp(2 + draw_normal(dice)))), v = 1 / n;
        leaves[i] = (kith_leaf){ .y = draw_normal(dice) * sqrt(0.09 + v),
            .v = v,
            .relevance = 1,
            .source = { (uint8_t) i } };
        if (i < liars) {
            leaves[i].y = told == GROSS  ? 5
                          : told == LOUD ? 1
                                         : 0.6 + 0.05 * draw_normal(dice);
            leaves[i].v = told == GROSS ? v : told == LOUD ? 1e-6 : exp(-2);
        }
    }
}

static errors found(const char *name, unsigned k, unsigned liars, lie told) {
    errors sum = { 0 };
    for (unsigned run = 0; run < RUNS; run++) {
        uint64_t dice = 6151 * (uint64_t) run + k + liars;
        kith_answer a;
        kith_fit fe;
        draw(&dice, k, liars, told);
        if (kith_pool_answer(leaves, k, NULL, NULL, &a, NULL) != 0 || a.insufficient ||
            kith_pool_fit(leaves, k, KITH_POOL_FE, KITH_CI_WALD, &fe) != 0) {
            abort();
        }
        sum.kept += a.kept.mu * a.kept.mu;
        sum.m += a.m * a.m;
        sum.plain += a.plain.mu * a.plain.mu;
        sum.fe += fe.mu * fe.mu;
        sum.covered += a.kept.ci_low <= 0 && 0 <= a.kept.ci_high;
    }
    errors it = { sqrt(sum.kept / RUNS), sqrt(sum.m / RUNS), sqrt(sum.plain / RUNS),
        sqrt(sum.fe / RUNS), sum.covered / RUNS };
    printf("# %-14s of %u: kept %.3f, m %.3f, plain PM %.3f, FE %.3f; kept covers %.3f\n",
        name, k, it.kept, it.m, it.plain, it.fe, it.covered);
    return it;
}

static bool near(double got, double want) {
    return fabs(got / want - 1) < 0.15;
}

static void without_liars_hardly_anything_is_lost(void) {
    errors it = found("nobody", 50, 0, GROSS);
    EXPECT(near(it.kept, 0.070) && near(it.m, 0.070) && it.kept < 1.06 * it.plain);
    EXPECT(it.covered > 0.90);
    it = found("nobody", 10, 0, GROSS);
    EXPECT(near(it.kept, 0.162) && near(it.m, 0.163));
}

static void gross_liars_are_as_if_they_were_not_there(void) {
    errors few = found("5 at +5", 50, 5, GROSS), many = found("15 at +5", 50, 15, GROSS);
    EXPECT(near(few.kept, 0.070) && near(many.kept, 0.081) && near(many.m, 0.084));
    EXPECT(few.plain > 0.45 && many.plain > 1.4 && many.fe > 1.4);
    EXPECT(few.covered > 0.90 && many.covered > 0.90);
    errors one = found("1 at +5", 10, 1, GROSS);
    EXPECT(near(one.kept, 0.163) && one.plain > 0.45);
}

static void a_loud_liar_is_one_voice(void) {
    errors one = found("1 loud", 50, 1, LOUD), of_ten = found("1 loud", 10, 1, LOUD);
    EXPECT(near(one.kept, 0.078) && near(one.m, 0.074) && one.fe > 0.95);
    EXPECT(near(of_ten.kept, 0.213) && near(of_ten.m, 0.203));
}

/* The bound that is printed and not hidden: in the honest spread nobody can tell. */
static void liars_inside_the_honest_spread_move_everybody(void) {
    errors loud = found("5 loud", 50, 5, LOUD),
           stealth = found("10 at +0.6", 50, 10, STEALTH);
    EXPECT(loud.kept < 0.20 && loud.fe > 0.95);
    EXPECT(stealth.kept > 0.10 && stealth.kept < 0.16 && stealth.covered < 0.75);
}

static const test_case cases[] = {
    { "without_liars_hardly_anything_is_lost", without_liars_hardly_anything_is_lost },
    { "gross_liars_are_as_if_they_were_not_there",
        gross_liars_are_as_if_they_were_not_there },
    { "a_loud_liar_is_one_voice", a_loud_liar_is_one_voice },
    { "liars_inside_the_honest_spread_move_everybody",
        liars_inside_the_honest_spread_move_everybody },
};

TEST_MAIN(cases)
