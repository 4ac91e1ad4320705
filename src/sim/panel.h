/* SPDX-License-Identifier: Apache-2.0 */
/* sim/panel.h - what the panels share: points, bounds, sources drawn by lot. */
#ifndef SIM_PANEL_H
#define SIM_PANEL_H

#include <kith/sim.h>
#include <kith/synthesis.h>

#include "base/draw.h"

#define SIM_FREE ((ki_bounds){ NAN, NAN })

typedef struct ki_bounds {
    double low, high;
} ki_bounds;

/* want, give or take so much of it. */
static inline ki_bounds ki_about(double want, double share) {
    return (ki_bounds){ want * (1 - share), want * (1 + share) };
}

/* A sum of squares, and of how many. */
typedef struct ki_squares {
    double sum;
    uint64_t count;
} ki_squares;

static inline void ki_square(ki_squares *s, double error) {
    s->sum += error * error;
    s->count++;
}
static inline double ki_rms(const ki_squares *s) {
    return sqrt(s->sum / (double) s->count);
}

/* Each returns the point, borrowed until the next. */
kith_sim_point *ki_sim_add(
    kith_sim_panel *p, const char *series, double x, double value, ki_bounds b);
/* A root mean square: its own sampling error is known. */
kith_sim_point *ki_sim_add_rms(
    kith_sim_panel *p, const char *series, double x, const ki_squares *of, ki_bounds b);
/* A share of `of` cases. */
kith_sim_point *ki_sim_add_share(
    kith_sim_panel *p, const char *series, double x, double hits, double of, ki_bounds b);
/* Slope of ln y against ln x, by least squares. */
double ki_slope(const double *x, const double *y, size_t count);

/* The sizes of observations: lognormal(2, 1), whole, at least `least`. */
double ki_draw_size(uint64_t *dice, double least);
kith_leaf ki_leaf(double y, double v, size_t source);
/* A dice of its own for a case of a panel. */
uint64_t ki_dice_for(const kith_sim_panel *p, uint64_t which);

/* Each fills in the panel. 0, or KITH_E_MEMORY. */
int ki_panel_error(kith_sim_panel *p);  /* A */
int ki_panel_alike(kith_sim_panel *p);  /* B */
int ki_panel_cost(kith_sim_panel *p);   /* C */
int ki_panel_gossip(kith_sim_panel *p); /* D */
int ki_panel_liars(kith_sim_panel *p);  /* E */
int ki_panel_own(kith_sim_panel *p);    /* H */
int ki_panel_decay(kith_sim_panel *p);  /* J */

#endif
