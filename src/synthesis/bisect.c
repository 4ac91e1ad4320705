/* SPDX-License-Identifier: Apache-2.0 */
#include "synthesis/bisect.h"

#include "base/check.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define SIGN (UINT64_C(1) << 63)

static uint64_t rank(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & SIGN ? ~bits : bits | SIGN;
}

static double ranked(uint64_t rank) {
    uint64_t bits = rank & SIGN ? rank & ~SIGN : ~rank;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

double ki_bisect(double low, double high, ki_below below, const void *self) {
    CHECK(isfinite(low));
    CHECK(isfinite(high));
    CHECK(below != NULL);
    if (!(low < high)) {
        return high;
    }
    uint64_t no = rank(high), yes = rank(low);
    CHECK(yes < no);
    while (no - yes > 1) {
        uint64_t middle = yes + (no - yes) / 2;
        if (below(ranked(middle), self)) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    CHECK(no == yes + 1); /* neighbours: nothing is nearer */
    return ranked(no);
}
