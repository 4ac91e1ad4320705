/* SPDX-License-Identifier: Apache-2.0 */
/* synthesis/sums.h - the one rounding of the exact sums, for its golden values. */
#ifndef SYNTHESIS_SUMS_H
#define SYNTHESIS_SUMS_H

#include <kith/synthesis.h>

/* x as a multiple of 2^-64, half to even; |x| < 2^62. */
kith_i128 ki_fixed(double x);

#endif
