/* SPDX-License-Identifier: Apache-2.0 */
/* synthesis/fit.h - one plain fit of sorted rows, and what the other files of
 * this room share with it. */
#ifndef SYNTHESIS_FIT_H
#define SYNTHESIS_FIT_H

#include <kith/synthesis.h>

/* What the estimators accept. Far wider than any packet; inside it no power that
 * is formed here can overflow, so legal rows never give NaN. */
#define KI_EFFECT_MAX    0x1p100
#define KI_VARIANCE_MIN  0x1p-100
#define KI_VARIANCE_MAX  0x1p100
#define KI_RELEVANCE_MIN 0x1p-64

/* A leaf while it is worked on. Rows stand in the order of their sources. */
typedef struct ki_row {
    double y, v, omega;
    double r;     /* residual of the robust step */
    uint32_t at;  /* its place among the caller's leaves */
    uint8_t fate; /* KITH_VOTE_* */
    const kith_leaf *leaf;
} ki_row;

/* E_ARG if a leaf is outside the ranges above; else rows in canonical order. */
KITH_MUST_USE int ki_rows(const kith_leaf *leaves, size_t count, ki_row *ret_rows);
/* Only ratios of relevances matter: when all are equal, all become 1. */
void ki_rows_level(ki_row *rows, size_t k);

/* The pool at one tau2; w = omega / (v + tau2). */
typedef struct ki_look {
    double weight; /* W, sum of w */
    double mu;     /* sum w y / W */
    double var;    /* of mu: sum omega^2 / (v + tau2) / W^2 */
    double q;      /* sum w (y - mu)^2 */
    double slope;  /* sum w^2 (y - mu)^2 / omega: -dq / dtau2 */
    double wanted; /* what q is expected to be: T, k - 1 when relevances agree */
    double pairs;  /* sum over i < j of w_i w_j, without any cancellation */
} ki_look;
ki_look ki_look_at(const ki_row *rows, size_t k, double tau2);

/* k >= 1. E_NOTSUP: REML of unequal relevances. */
KITH_MUST_USE int ki_fit(const ki_row *rows, size_t k, kith_pool_method method,
    kith_pool_ci ci, kith_fit *ret_fit);

#endif
