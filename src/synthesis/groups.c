/* SPDX-License-Identifier: Apache-2.0 */
/* groups.c - how much a vote is worth before anybody looks at what it says: by its age,
 * and by who enrolled its source. */
#include <kith/synthesis.h>

#include "base/check.h"

#include <math.h>
#include <stdlib.h>

/* Older than so many half-lives is as good as never: 2^-60 is the least. */
#define HALVES_MAX 60.0

double kith_relevance_age(int64_t t_end_us, int64_t now_us, int64_t half_life_us) {
    if (half_life_us <= 0 || t_end_us >= now_us) {
        return 1;
    }
    double halves = ((double) now_us - (double) t_end_us) / (double) half_life_us;
    return exp2(-fmin(halves, HALVES_MAX));
}

static int largest_first(const void *a, const void *b) {
    double x = *(const double *) a, y = *(const double *) b;
    return (x < y) - (x > y);
}

/* What a group's total is cut to, so that none is above a third of all; 0: no cut. With
 * the largest cut to half of the others it is a third; when the second is then above
 * that, both are cut to what all but those two have. */
static double ceiling(double *totals, size_t groups) {
    double all = 0;
    qsort(totals, groups, sizeof *totals, largest_first);
    for (size_t i = 0; i < groups; i++) all += totals[i];
    if (groups < 3 || !(totals[0] > all / 3)) {
        return 0;
    }
    double most = (all - totals[0]) / 2;
    return totals[1] > most ? all - totals[0] - totals[1] : most;
}

int kith_relevance_groups(
    const uint32_t *group, const double *weight, size_t count, double *ret_relevance) {
    CHECK(count == 0 || (group != NULL && weight != NULL && ret_relevance != NULL));
    uint32_t groups = 0;
    for (size_t i = 0; i < count; i++) {
        if (group[i] >= count || !(weight[i] > 0) || !isfinite(weight[i])) {
            return KITH_E_ARG;
        }
        groups = group[i] + 1 > groups ? group[i] + 1 : groups;
    }
    double *totals = calloc(2 * (size_t) groups + 1, sizeof *totals);
    if (!totals) {
        return KITH_E_MEMORY;
    }
    double *sorted = totals + groups;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) totals[group[i]] += weight[i];
    for (uint32_t g = 0; g < groups; g++) {
        if (totals[g] > 0) sorted[used++] = totals[g];
    }
    double most = ceiling(sorted, used);
    for (size_t i = 0; i < count; i++) {
        bool cut = most > 0 && totals[group[i]] > most;
        ret_relevance[i] = cut ? most / totals[group[i]] : 1;
    }
    free(totals);
    return 0;
}
