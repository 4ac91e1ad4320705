/* SPDX-License-Identifier: Apache-2.0 */
#include "synthesis/robust.h"

#include "base/check.h"

#include <math.h>
#include <stdlib.h>

#define CAP          25.0  /* nobody counts as more precise than this many medians */
#define TUKEY        4.685 /* 95 % efficient for normal sources */
#define TUKEY_STEPS  100
#define SELECT_STEPS 64
#define TUKEY_NEAR   1e-12 /* of the typical sigma */

int ki_pair_order(const void *a, const void *b) {
    const ki_pair *x = a, *z = b;
    int order = (x->y > z->y) - (x->y < z->y);
    return order ? order : (x->w > z->w) - (x->w < z->w);
}

static void sort(ki_pair *pairs, size_t k) {
    qsort(pairs, k, sizeof *pairs, ki_pair_order);
}

static void swap(ki_pair *a, ki_pair *b) {
    ki_pair was = *a;
    *a = *b;
    *b = was;
}

/* The middle of the first, the middle and the last. */
static double pivot_of(const ki_pair *pairs, size_t from, size_t to) {
    double a = pairs[from].y, b = pairs[from + (to - from) / 2].y, c = pairs[to - 1].y;
    return fmax(fmin(a, b), fmin(fmax(a, b), c));
}

/* Puts y number `at` in its place, nothing above it before and nothing below it behind.
 * Whoever chooses the rows against the pivots has them sorted. */
static void place(ki_pair *pairs, size_t k, size_t at) {
    size_t from = 0, to = k;
    CHECK(at < k);
    for (int n = 0; n < SELECT_STEPS && to - from > 1; n++) {
        double pivot = pivot_of(pairs, from, to);
        size_t i = from, j = to;
        while (i < j) {
            while (pairs[i].y < pivot) i++;
            while (pairs[j - 1].y > pivot) j--;
            if (i >= j) break;
            swap(&pairs[i++], &pairs[--j]);
        }
        /* before i nothing is above the pivot, from j on nothing below it */
        if (at < j) {
            to = j;
        } else if (at >= i) {
            from = i;
        } else {
            return;
        }
    }
    sort(pairs + from, to - from);
}

/* Of y; leaves them in another order. */
static double median(ki_pair *pairs, size_t k) {
    CHECK(k >= 1);
    place(pairs, k, k / 2);
    double below = pairs[0].y;
    for (size_t i = 1; i < k / 2; i++) {
        below = fmax(below, pairs[i].y);
    }
    return k % 2 ? pairs[k / 2].y : (below + pairs[k / 2].y) / 2;
}

static double median_variance(const ki_row *rows, size_t k, ki_pair *scratch) {
    for (size_t i = 0; i < k; i++) {
        scratch[i] = (ki_pair){ rows[i].v, 0 };
    }
    return median(scratch, k);
}

uint32_t ki_cap(ki_row *rows, size_t k, ki_pair *scratch) {
    CHECK(rows != NULL);
    CHECK(scratch != NULL);
    double least = median_variance(rows, k, scratch) / CAP;
    uint32_t changed = 0;
    for (size_t i = 0; i < k; i++) {
        if (rows[i].v < least) {
            rows[i].v = least;
            rows[i].fate = KITH_VOTE_CAPPED;
            changed++;
        }
    }
    CHECK(2 * changed <= k); /* who is below a share of the median is below the median */
    return changed;
}

/* The lower median of y, each with its weight, no weight above the median weight:
 * else one source that claims a tiny variance owns the start. */
static double start_of(const ki_row *rows, size_t k, double tau2, ki_pair *sorted) {
    ki_pair *spare = sorted + k;
    double total = 0, running = 0;
    for (size_t i = 0; i < k; i++) {
        const ki_row *row = &rows[(size_t) sorted[i].w];
        sorted[i].w = row->omega / (row->v + tau2);
        spare[i] = (ki_pair){ sorted[i].w, 0 };
    }
    double most = median(spare, k);
    for (size_t i = 0; i < k; i++) {
        sorted[i].w = fmin(sorted[i].w, most);
        total += sorted[i].w;
    }
    size_t at = 0;
    while (at < k - 1 && (running += sorted[at].w) < total / 2) {
        at++;
    }
    CHECK(at < k);
    return sorted[at].y;
}

static double shortfall(const ki_row *row, double m, double tau2) {
    double r = (row->y - m) / sqrt(row->v + tau2), u = (r / TUKEY) * (r / TUKEY);
    return u < 1 ? 1 - u : 0;
}

static double bisquare(const ki_row *rows, size_t k, double m, double tau2, double near) {
    for (int n = 0; n < TUKEY_STEPS; n++) {
        double sum = 0, pull = 0;
        for (size_t i = 0; i < k; i++) {
            double s = shortfall(&rows[i], m, tau2);
            double w = rows[i].omega / (rows[i].v + tau2) * s * s;
            sum += w;
            pull += w * (rows[i].y - m);
        }
        if (!(sum > 0)) break; /* nobody is near: stay */
        m += pull / sum;
        if (fabs(pull / sum) <= near) break;
    }
    return m;
}

/* The sandwich. Where the bread is not positive (most sources on the falling arms
 * of psi) the weights themselves stand in for it. */
static double error_of(const ki_row *rows, size_t k, double m, double tau2) {
    CHECK(k >= 2);
    double meat = 0, bread = 0, weights = 0;
    for (size_t i = 0; i < k; i++) {
        double s = shortfall(&rows[i], m, tau2), w = rows[i].omega / (rows[i].v + tau2);
        double psi = w * (rows[i].y - m) * s * s; /* omega psi / sigma */
        meat += psi * psi;
        bread += s > 0 ? w * s * (1 - 5 * (1 - s)) : 0;
        weights += w * s * s;
    }
    bread = bread > 0 ? bread : weights;
    if (!(bread > 0)) {
        return INFINITY;
    }
    return sqrt((double) k / (double) (k - 1) * meat) / bread;
}

ki_robust ki_robust_of(ki_row *rows, size_t k, ki_pair *scratch) {
    CHECK(rows != NULL);
    CHECK(scratch != NULL);
    CHECK(k >= 2);
    ki_robust it = { 0 };
    double typical = median_variance(rows, k, scratch);
    for (size_t i = 0; i < k; i++) {
        scratch[i] = (ki_pair){ rows[i].y, (double) i }; /* equals stay in their order */
    }
    sort(scratch, k);
    double s = ki_qn(scratch, k);
    it.tau2 = fmax(0, s * s - typical);
    it.start = start_of(rows, k, it.tau2, scratch);
    it.m = bisquare(rows, k, it.start, it.tau2, TUKEY_NEAR * sqrt(typical + it.tau2));
    it.m_se = error_of(rows, k, it.m, it.tau2);
    for (size_t i = 0; i < k; i++) {
        rows[i].r = (rows[i].y - it.m) / sqrt(rows[i].v + it.tau2);
    }
    return it;
}
