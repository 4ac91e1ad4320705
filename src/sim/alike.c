/* SPDX-License-Identifier: Apache-2.0 */
/* Panel B: sources that all measure the same thing. The error must be what is
 * claimed, and fall as one over the root of their number. Larger swarms are made
 * of smaller ones by merging their exact sums, so that nothing is drawn twice. */
#include "sim/panel.h"

enum {
    SIZES = 1024,   /* of observations, from which each source takes one */
    LEVELS = 6,     /* 10 to 10^6 */
    ENOUGH = 20000, /* small swarms that are looked at; the larger are made of all */
};

typedef struct state {
    uint64_t dice;
    double v[SIZES], sd[SIZES];
    ki_squares ratio[LEVELS], error[LEVELS];
} state;

/* The sum of four uniforms of 16 bits, less its mean, in standard deviations: quick,
 * bell-shaped, and its variance is exactly known. */
static double noise(uint64_t roll) {
    double sum = (double) (roll & 0xffff) + (double) (roll >> 16 & 0xffff) +
                 (double) (roll >> 32 & 0xffff) + (double) (roll >> 48);
    return (sum - 2 * 65535.0) / sqrt((65536.0 * 65536.0 - 1) / 3);
}

static int measure(state *s, unsigned level, const kith_sums *sums) {
    double mu, q, tau2;
    if (s->ratio[level].count == ENOUGH) return 0;
    int r = kith_sums_derive(sums, &mu, &q, &tau2);
    if (r != 0) return r;
    double weights =
        (double) sums->s[0].high * 0x1p64 * 0x1p-64 + (double) sums->s[0].low * 0x1p-64;
    ki_square(&s->ratio[level], mu * sqrt(weights));
    ki_square(&s->error[level], mu);
    return 0;
}

/* Ten of a level make one of the next. */
static int gather(state *s, unsigned level, kith_sums *ret) {
    kith_sums sums = { 0 };
    for (int i = 0; i < 10; i++) {
        int r;
        if (level == 0) {
            uint64_t which = dice_roll(&s->dice) >> 54;
            r = kith_sums_add(
                &sums, noise(dice_roll(&s->dice)) * s->sd[which], s->v[which]);
        } else {
            kith_sums part;
            r = gather(s, level - 1, &part);
            if (r == 0) r = kith_sums_merge(&sums, &part);
        }
        if (r != 0) return r < 0 ? r : KITH_E_ARG;
    }
    *ret = sums;
    return measure(s, level, &sums);
}

int ki_panel_alike(kith_sim_panel *p) {
    unsigned levels = p->quick ? 4 : LEVELS, runs = p->quick ? 400 : 2000;
    state s = { .dice = ki_dice_for(p, 0) };
    double at[LEVELS], errors[LEVELS];
    for (int i = 0; i < SIZES; i++) {
        s.v[i] = 1 / ki_draw_size(&s.dice, 1);
        s.sd[i] = sqrt(s.v[i]);
    }
    for (unsigned run = 0; run < runs; run++) {
        kith_sums sums;
        int r = gather(&s, levels - 1, &sums);
        if (r < 0) return r;
    }
    for (unsigned i = 0; i < levels; i++) {
        at[i] = pow(10, i + 1);
        errors[i] = ki_rms(&s.error[i]);
        ki_sim_add_rms(
            p, "error over claimed error", at[i], &s.ratio[i], (ki_bounds){ 0.95, 1.05 });
    }
    for (unsigned i = 0; i < levels; i++) {
        ki_sim_add(p, "error", at[i], errors[i], SIM_FREE)->aside = true;
        ki_sim_add(p, "pairs, a count", at[i], at[i] * (at[i] - 1) / 2, SIM_FREE)->aside =
            true;
    }
    double more = p->quick ? 0.02 : 0;
    ki_sim_add(p, "slope of error, log on log", at[levels - 1],
        ki_slope(at, errors, levels), (ki_bounds){ -0.52 - more, -0.48 + more })
        ->aside = true;
    return 0;
}
