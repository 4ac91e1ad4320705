/* SPDX-License-Identifier: Apache-2.0 */
/* synthesis/bisect.h - the place where a yes becomes a no, to the last bit.
 *
 * Doubles, read as integers, keep their order; so halving that order needs at
 * most 64 steps, wherever the place is, and no tolerance has to be chosen. */
#ifndef SYNTHESIS_BISECT_H
#define SYNTHESIS_BISECT_H

#include <stdbool.h>

typedef bool (*ki_below)(double x, const void *self);

/* The least double above low that is not below; high when all before it are.
 * below must be a run of yes and then a run of no. Both finite; high when nothing
 * lies between them. */
double ki_bisect(double low, double high, ki_below below, const void *self);

#endif
