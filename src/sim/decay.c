/* SPDX-License-Identifier: Apache-2.0 */
/* Panel J: a truth that wanders. Old packets lose relevance by half every h hours;
 * which h follows the truth best, against the formula. */
#include "sim/panel.h"

#include <string.h>

enum {
    HALVES = 21, /* half-lives that are tried: the formula's, 1/6 to 6 times */
    HELD = 1024, /* packets that are remembered */
};
#define ARRIVALS 0.5 /* an hour */

typedef struct arrived {
    double at, y, v;
} arrived;

typedef struct state {
    double now, truth, drift;
    size_t count; /* of all that came; the last HELD stand here */
    arrived came[HELD];
} state;

/* docs/synthesis.md, relevance: n is lognormal(0, 1.5), so its mean is e^1.125. */
static double formula(double drift) {
    double ve = 1 / (ARRIVALS * exp(1.125));
    double k = (-drift + sqrt(drift * drift + 4 * drift * ve)) / (2 * ve);
    return log(2) / -log(1 - k);
}

static double half_at(double drift, int i) {
    return formula(drift) * pow(6, (i - HALVES / 2) / (double) (HALVES / 2));
}

static void next(state *s, uint64_t *dice) {
    double wait = -log(draw_uniform(dice)) / ARRIVALS;
    s->now += wait;
    s->truth += sqrt(s->drift * wait) * draw_normal(dice);
    double v = exp(-1.5 * draw_normal(dice));
    s->came[s->count++ % HELD] =
        (arrived){ s->now, s->truth + sqrt(v) * draw_normal(dice), v };
}

/* The estimate now with this half-life, by the function every answer takes. */
static int estimate(const state *s, double half, double *ret) {
    static const double least = 1.0 / 256; /* after eight half-lives it is gone */
    kith_leaf leaves[HELD];
    kith_fit fit;
    size_t count = 0, there = s->count < HELD ? s->count : HELD;
    for (size_t i = 0; i < there; i++) {
        const arrived *a = &s->came[(s->count - 1 - i) % HELD];
        double relevance = exp2(-(s->now - a->at) / half);
        if (relevance < least && count > 0) break;
        leaves[count] = ki_leaf(a->y, a->v, i);
        leaves[count++].relevance = fmax(relevance, least);
    }
    int r = kith_pool_fit(leaves, count, KITH_POOL_FE, KITH_CI_WALD, &fit);
    if (r == 0) *ret = fit.mu;
    return r;
}

static int follow(kith_sim_panel *p, double drift, ki_squares error[HALVES]) {
    state s = { .drift = drift };
    uint64_t dice = ki_dice_for(p, (uint64_t) (drift * 1e6));
    int questions = p->quick ? 300 : 4000;
    for (int i = 0; i < HELD; i++) next(&s, &dice);
    for (int q = 0; q < questions; q++) {
        for (int i = 0; i < 4; i++) next(&s, &dice);
        for (int i = 0; i < HALVES; i++) {
            double got = 0;
            int r = estimate(&s, half_at(drift, i), &got);
            if (r != 0) return r < 0 ? r : KITH_E_ARG;
            ki_square(&error[i], got - s.truth);
        }
    }
    return 0;
}

int ki_panel_decay(kith_sim_panel *p) {
    static const double drifts[] = { 0.001, 0.01, 0.1 };
    static const double wanted[] = { 17.7, 5.6, 1.8 };
    for (size_t c = 0; c < sizeof drifts / sizeof *drifts; c++) {
        ki_squares error[HALVES];
        memset(error, 0, sizeof error);
        int best = 0, r = follow(p, drifts[c], error);
        if (r < 0) return r;
        for (int i = 1; i < HALVES; i++) {
            if (error[i].sum < error[best].sum) best = i;
        }
        double h = formula(drifts[c]);
        ki_sim_add(p, "half-life by the formula", drifts[c], h, ki_about(wanted[c], 0.02));
        ki_sim_add(p, "half-life that followed best", drifts[c], half_at(drifts[c], best),
            (ki_bounds){ h / 2, h * 2 });
        ki_sim_add(
            p, "RMSE with the formula's", drifts[c], ki_rms(&error[HALVES / 2]), SIM_FREE);
        ki_sim_add(p, "RMSE with the best", drifts[c], ki_rms(&error[best]), SIM_FREE)
            ->aside = true;
        ki_sim_add(p, "RMSE over that of the best", drifts[c],
            ki_rms(&error[HALVES / 2]) / ki_rms(&error[best]), SIM_FREE)
            ->aside = true;
    }
    return 0;
}
