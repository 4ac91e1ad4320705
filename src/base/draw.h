/* SPDX-License-Identifier: Apache-2.0 */
/* base/draw.h - for tests and the simulator: seeded numbers of a known distribution. One roll
 * after the other, so that every compiler draws the same. */
#ifndef BASE_DRAW_H
#define BASE_DRAW_H

#include "base/dice.h"

#include <math.h>

/* Above 0 and below 1. */
static inline double draw_uniform(uint64_t *dice) {
    return ((double) (dice_roll(dice) >> 11) + 0.5) * 0x1p-53;
}

/* Mean 0, standard deviation 1 (Box and Muller). */
static inline double draw_normal(uint64_t *dice) {
    double far = sqrt(-2 * log(draw_uniform(dice)));
    return far * cos(2 * M_PI * draw_uniform(dice));
}

#endif
