/* SPDX-License-Identifier: Apache-2.0 */
/* Panel E: how far liars of several kinds move each estimate, and whether they are
 * named. Truth 0, tau 0.3, sizes lognormal(2, 1), v = 1/n. */
#include "sim/panel.h"

#include <stdio.h>

typedef enum lie {
    GROSS,   /* y = 5, the variance of the honest source it replaces */
    LOUD,    /* y = 1, v = 10^-6, 10^9 observations, all confidence */
    STEALTH, /* y about 0.6 with the median variance: no outlier at all */
} lie;

enum {
    MOST = 50,
};

/* One row of the table in docs/synthesis.md: what must come out; 0: not promised. */
typedef struct swarm {
    const char *name;
    unsigned k, liars;
    lie told;
    double seed, fe, pm, m, kept;
} swarm;

static const swarm swarms[] = {
    { "clean", 50, 0, GROSS, 0.067, 0.080, 0.069, 0.070, 0.070 },
    { "10 % at +5", 50, 5, GROSS, 0.514, 0.583, 0.505, 0.071, 0.070 },
    { "30 % at +5", 50, 15, GROSS, 1.51, 1.54, 1.50, 0.084, 0.081 },
    { "2 % loud", 50, 1, LOUD, 0.208, 0.999, 0.079, 0.074, 0.078 },
    { "10 % loud", 50, 5, LOUD, 0.575, 1.00, 0.172, 0.149, 0.170 },
    { "20 % stealth", 50, 10, STEALTH, 0.136, 0.112, 0.130, 0.147, 0.133 },
    { "clean", 10, 0, GROSS, 0, 0, 0, 0.163, 0.162 },
    { "1 at +5", 10, 1, GROSS, 0, 0, 0.526, 0.166, 0.163 },
    { "3 at +5", 10, 3, GROSS, 0, 0, 1.51, 0.41, 0.52 },
    { "10 % at +5", 20, 2, GROSS, 0, 0, 0, 0, 0 },
    { "30 % at +5", 20, 6, GROSS, 0, 0, 0, 0, 0 },
};

typedef struct tally {
    ki_squares seed, fe, pm, m, kept;
    double all_named, few_honest, covered;
} tally;

/* Returns the mean that the older program takes: confidence times log(1 + n). */
static double draw(uint64_t *dice, const swarm *s, kith_leaf *ret) {
    double sum = 0, weights = 0;
    for (unsigned i = 0; i < s->k; i++) {
        double n = fmax(1, round(exp(2 + draw_normal(dice)))), v = 1 / n;
        double sure = 0.5 + 0.5 * draw_uniform(dice);
        double y = draw_normal(dice) * sqrt(0.09 + v);
        if (i < s->liars && s->told == LOUD) y = 1, v = 1e-6, n = 1e9, sure = 1;
        if (i < s->liars && s->told == GROSS) y = 5;
        if (i < s->liars && s->told == STEALTH) {
            y = 0.6 + 0.05 * draw_normal(dice), v = exp(-2);
        }
        ret[i] = ki_leaf(y, v, i);
        sum += sure * log1p(n) * y;
        weights += sure * log1p(n);
    }
    return sum / weights;
}

static int once(uint64_t *dice, const swarm *s, tally *t) {
    kith_leaf leaves[MOST];
    kith_vote votes[MOST];
    kith_answer a;
    kith_fit fe;
    ki_square(&t->seed, draw(dice, s, leaves));
    int r = kith_pool_answer(leaves, s->k, NULL, NULL, &a, votes);
    if (r == 0) r = kith_pool_fit(leaves, s->k, KITH_POOL_FE, KITH_CI_WALD, &fe);
    if (r != 0) return r;
    unsigned named = 0, honest = 0;
    for (unsigned i = 0; i < s->k; i++) {
        bool flagged = votes[i].fate == KITH_VOTE_FLAGGED;
        named += flagged && i < s->liars;
        honest += flagged && i >= s->liars;
    }
    ki_square(&t->fe, fe.mu);
    ki_square(&t->pm, a.plain.mu);
    ki_square(&t->m, a.m);
    ki_square(&t->kept, a.kept.mu);
    t->all_named += named == s->liars;
    t->few_honest += honest <= 1;
    t->covered += a.kept.ci_low <= 0 && 0 <= a.kept.ci_high;
    return 0;
}

/* Where a swarm stands in the picture. */
static void name(kith_sim_point *point, const swarm *s) {
    (void) snprintf(point->label, sizeof point->label, "%s of %u", s->name, s->k);
}

static void add(kith_sim_panel *p, const swarm *s, const char *what, const ki_squares *of,
    double want) {
    ki_bounds b = want == 0 ? SIM_FREE : ki_about(want, 0.15);
    name(ki_sim_add_rms(p, what, (double) (s - swarms + 1), of, b), s);
}

static void add_share(
    kith_sim_panel *p, const swarm *s, const char *what, double hits, ki_bounds b) {
    double of = p->quick ? 300 : 3000;
    name(ki_sim_add_share(p, what, (double) (s - swarms + 1), hits, of, b), s);
}

int ki_panel_liars(kith_sim_panel *p) {
    unsigned runs = p->quick ? 300 : 3000;
    for (size_t c = 0; c < sizeof swarms / sizeof *swarms; c++) {
        const swarm *s = &swarms[c];
        tally t = { 0 };
        uint64_t dice = ki_dice_for(p, c);
        for (unsigned run = 0; run < runs; run++) {
            int r = once(&dice, s, &t);
            if (r != 0) return r < 0 ? r : KITH_E_ARG;
        }
        add(p, s, "seed mean", &t.seed, s->seed);
        add(p, s, "FE", &t.fe, s->fe);
        add(p, s, "PM", &t.pm, s->pm);
        add(p, s, "m", &t.m, s->m);
        add(p, s, "kept", &t.kept, s->kept);
        bool gross = s->told == GROSS && s->liars > 0;
        bool promised = gross && s->k >= 20;
        add_share(p, s, "kept covers", t.covered, SIM_FREE);
        if (gross) {
            add_share(p, s, "all named", t.all_named,
                promised ? (ki_bounds){ 0.97, 1 } : SIM_FREE);
            add_share(p, s, "1 honest at most beside", t.few_honest,
                promised ? (ki_bounds){ 0.99, 1 } : SIM_FREE);
        }
    }
    return 0;
}
