/* SPDX-License-Identifier: Apache-2.0 */
/* pairs.c - the median over all pairs, without ever making them. */
#include <kith/synthesis.h>

#include "base/check.h"
#include "synthesis/bisect.h"

#include <math.h>
#include <stdlib.h>

typedef struct walsh {
    const double *sorted;
    size_t count;
    uint64_t rank;
} walsh;

static int by_value(const void *a, const void *b) {
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

/* Halves first: the sum of two large numbers need not be one. */
static double middle(double a, double b) {
    return a / 2 + b / 2;
}

/* Are fewer than `rank` of the means at most x? One hand walks up, the other down. */
static bool few_up_to(double x, const void *self) {
    const walsh *it = self;
    uint64_t within = 0;
    size_t high = it->count;
    for (size_t low = 0; low < high; low++) {
        while (high > low && middle(it->sorted[low], it->sorted[high - 1]) > x) {
            high--;
        }
        within += high - low;
    }
    return within < it->rank;
}

static double ranked(const double *sorted, size_t count, uint64_t rank) {
    walsh it = { sorted, count, rank };
    if (!few_up_to(sorted[0], &it)) {
        return sorted[0];
    }
    return ki_bisect(sorted[0], sorted[count - 1], few_up_to, &it);
}

double kith_hodges_lehmann(double *y, size_t count) {
    CHECK(y != NULL || count == 0);
    CHECK(count <= KITH_LEAVES_MAX);
    if (count == 0) {
        return NAN;
    }
    qsort(y, count, sizeof *y, by_value);
    uint64_t pairs = (uint64_t) count * (count + 1) / 2;
    double low = ranked(y, count, (pairs + 1) / 2);
    return pairs % 2 ? low : middle(low, ranked(y, count, pairs / 2 + 1));
}
