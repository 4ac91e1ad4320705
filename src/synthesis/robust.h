/* SPDX-License-Identifier: Apache-2.0 */
/* synthesis/robust.h - where most sources are, whatever a third of them say.
 *
 * cap -> scale by Qn -> start at a weighted median -> Tukey's bisquare -> r.
 * Rows come in canonical order; scratch is the caller's, two per row. */
#ifndef SYNTHESIS_ROBUST_H
#define SYNTHESIS_ROBUST_H

#include "synthesis/fit.h"

#define KI_FAR 3.0 /* |r| from which a source is left out */

typedef struct ki_pair {
    double y, w;
} ki_pair;

typedef struct ki_robust {
    double start, m, m_se;
    double tau2; /* from the scale */
    uint32_t capped;
} ki_robust;

/* v becomes at least a 25th of the median v. Returns how many it changed, whose
 * fate becomes CAPPED. */
uint32_t ki_cap(ki_row *rows, size_t k, ki_pair *scratch);

/* k >= 2. Sets every row's r; changes nothing else. */
ki_robust ki_robust_of(ki_row *rows, size_t k, ki_pair *scratch);

/* For qsort: by y, then by w. */
int ki_pair_order(const void *a, const void *b);

/* Of sorted values, k >= 2: the h(h-1)/2-th smallest difference, h = k/2 + 1; and
 * the same as an estimate of a standard deviation. */
double ki_qn_raw(const ki_pair *sorted, size_t k);
double ki_qn(const ki_pair *sorted, size_t k);

#endif
