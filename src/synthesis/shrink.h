/* SPDX-License-Identifier: Apache-2.0 */
/* synthesis/shrink.h - what a node may believe of itself: its own result, drawn
 * towards the pool of all others, averaged over what tau may be. */
#ifndef SYNTHESIS_SHRINK_H
#define SYNTHESIS_SHRINK_H

#include "synthesis/fit.h"

typedef struct ki_shrunk {
    double mean, sd, low, high;
} ki_shrunk;

/* k >= 2 others, the own leaf not among them; tau2 is theirs, for k > 200. */
ki_shrunk ki_shrink(const ki_row *others, size_t k, double y, double v, double tau2);

#endif
