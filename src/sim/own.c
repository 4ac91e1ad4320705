/* SPDX-License-Identifier: Apache-2.0 */
/* Panel H: the own result, shrunk towards the pool of the others. Its interval must
 * keep its word everywhere, and it must never be worse than staying alone. */
#include "sim/panel.h"

#include <stdio.h>

static const unsigned others[] = { 3, 5, 10, 30, 100 };
static const double tau2s[] = { 0, 0.02, 0.1, 0.5 };

typedef struct tally {
    ki_squares own, shrunk;
    double held, width;
} tally;

static int once(uint64_t *dice, unsigned k, double tau2, tally *t) {
    kith_leaf leaves[100];
    kith_answer a;
    kith_pool_options plain = { .plain = true };
    double mine = sqrt(tau2) * draw_normal(dice);
    for (unsigned i = 0; i <= k; i++) {
        double v = 1 / ki_draw_size(dice, 1), sd = sqrt(v);
        if (i < k) {
            double truth = sqrt(tau2) * draw_normal(dice);
            leaves[i] = ki_leaf(truth + sd * draw_normal(dice), v, i);
            continue;
        }
        kith_leaf own = ki_leaf(mine + sd * draw_normal(dice), v, i);
        int r = kith_pool_answer(leaves, k, &own, &plain, &a, NULL);
        if (r != 0) return r;
        ki_square(&t->own, own.y - mine);
        t->width += (a.shrunk_high - a.shrunk_low) / (2 * 1.959964 * sd);
    }
    ki_square(&t->shrunk, a.shrunk - mine);
    t->held += a.shrunk_low <= mine && mine <= a.shrunk_high;
    return 0;
}

static void add(kith_sim_panel *p, double tau2, unsigned k, const tally *t) {
    char series[KITH_SIM_SERIES_MAX + 1];
    double runs = (double) t->own.count, ratio = ki_rms(&t->shrunk) / ki_rms(&t->own);
    (void) snprintf(series, sizeof series, "tau2 %g: coverage", tau2);
    ki_sim_add_share(p, series, k, t->held, runs, (ki_bounds){ 0.92, 1 });
    (void) snprintf(series, sizeof series, "tau2 %g: error over own", tau2);
    ki_sim_add(p, series, k, ratio, (ki_bounds){ 0, p->quick ? 1.08 : 1.02 });
    (void) snprintf(series, sizeof series, "tau2 %g: width over own", tau2);
    ki_sim_add(p, series, k, t->width / runs, SIM_FREE);
}

int ki_panel_own(kith_sim_panel *p) {
    unsigned runs = p->quick ? 120 : 2000;
    for (size_t c = 0; c < sizeof tau2s / sizeof *tau2s; c++) {
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            tally t = { 0 };
            uint64_t dice = ki_dice_for(p, 16 * c + i);
            for (unsigned run = 0; run < runs; run++) {
                int r = once(&dice, others[i], tau2s[c], &t);
                if (r != 0) return r < 0 ? r : KITH_E_ARG;
            }
            add(p, tau2s[c], others[i], &t);
        }
    }
    return 0;
}
