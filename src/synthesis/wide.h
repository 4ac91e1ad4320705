/* SPDX-License-Identifier: Apache-2.0 */
/* synthesis/wide.h - the pool at one tau2, for numbers of any size.
 *
 * Rows of a stranger's table may hold variances from 1e-320 to 1e308 side by side.
 * Their weights and squares need the exponents of a long double; its longer fraction
 * is welcome beside. Effects are kept as distances from the most precise row, so that
 * nothing cancels however far all of them lie from 0. */
#ifndef SYNTHESIS_WIDE_H
#define SYNTHESIS_WIDE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct ki_wide_row {
    long double d, v; /* distance from the pivot; variance */
} ki_wide_row;

typedef struct ki_wide {
    const ki_wide_row *rows;
    size_t k;
    long double pivot;   /* what all d are measured from */
    long double typical; /* s~2, the variance of a typical row */
} ki_wide;

typedef struct ki_wide_look {
    long double weight; /* W, sum of w = 1 / (v + tau2) */
    long double m;      /* sum w d / W */
    long double q;      /* sum w (d - m)^2 */
    long double slope;  /* sum w^2 (d - m)^2: -dq / dtau2 */
    long double pairs;  /* sum over i < j of w_i w_j, without any cancellation */
} ki_wide_look;
ki_wide_look ki_wide_at(const ki_wide *table, long double tau2);

long double ki_wide_typical(const ki_wide *table);
long double ki_wide_dl(const ki_wide *table);
/* The tau2 at which Q falls to `target`; 0 if it begins below. */
long double ki_wide_where_q(const ki_wide *table, long double target);
long double ki_wide_reml(const ki_wide *table);
/* Of REML: metafor's restricted log likelihood, and se(tau2). */
long double ki_wide_loglik(const ki_wide *table, long double tau2);
long double ki_wide_tau2_se(const ki_wide *table, long double tau2);

#endif
