/* SPDX-License-Identifier: Apache-2.0 */
/* qn.c - the scale of Rousseeuw and Croux: a quantile of all differences, which are
 * counted but never made, but for the few about which the counting cannot decide. */
#include "synthesis/robust.h"

#include "base/check.h"
#include "synthesis/bisect.h"

#include <math.h>
#include <stdlib.h>

#define QN_NORMAL 2.2191444659850759 /* 1 / (sqrt(2) Phi^-1(5/8)) */
#define FEW       256                /* differences are made and sorted */
#define GUESSES   24                 /* then halving takes over: it always ends */

typedef struct spread {
    const ki_pair *sorted;
    size_t k;
    uint64_t rank;
} spread;

/* A length, and how many differences are at most so long. */
typedef struct place {
    double x;
    uint64_t within;
} place;

/* Two hands walk up once. */
static place place_of(const spread *it, double x) {
    place ret = { x, 0 };
    for (size_t low = 0, high = 1; high < it->k; high++) {
        while (it->sorted[high].y - it->sorted[low].y > x) {
            low++;
        }
        CHECK_HOT(low <= high);
        ret.within += high - low;
    }
    return ret;
}

static bool few_within(double x, const void *self) {
    const spread *it = self;
    return place_of(it, x).within < it->rank;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

/* The difference of that rank, made from those above low and not above high. */
static double among(const spread *it, place low, place high) {
    double gaps[FEW];
    size_t n = 0, near = 0, far = 0;
    CHECK(high.within - low.within <= FEW);
    for (size_t i = 1; i < it->k; i++) {
        double y = it->sorted[i].y;
        while (y - it->sorted[far].y > high.x) {
            far++;
        }
        while (near < i && y - it->sorted[near].y > low.x) {
            near++;
        }
        for (size_t j = far; j < near; j++) {
            gaps[n++] = y - it->sorted[j].y;
        }
    }
    CHECK(n == high.within - low.within);
    qsort(gaps, n, sizeof *gaps, by_value);
    return gaps[it->rank - low.within - 1];
}

/* Where a line through both would have the rank, a little beyond it on the side that
 * is to come nearer: both sides should. Chance moves a count by its root. */
static double guess(const spread *it, place low, place high, int side) {
    double all = (double) (high.within - low.within),
           want = (double) (it->rank - low.within);
    want += side * (sqrt(all) + 1);
    double share = fmin(fmax(want / all, 0), 1);
    return low.x + (high.x - low.x) * share;
}

double ki_qn_raw(const ki_pair *sorted, size_t k) {
    CHECK(k >= 2);
    CHECK(k <= KITH_LEAVES_MAX);
    uint64_t half = k / 2 + 1, pairs = (uint64_t) k * (k - 1) / 2;
    spread it = { sorted, k, half * (half - 1) / 2 };
    place low = place_of(&it, 0), high = { sorted[k - 1].y - sorted[0].y, pairs };
    int side = 0;
    if (low.within >= it.rank) {
        return 0;
    }
    for (int n = 0; n < GUESSES && high.within - low.within > FEW; n++) {
        double x = side > 1 || side < -1 ? low.x + (high.x - low.x) / 2
                                         : guess(&it, low, high, side);
        if (!(x > low.x && x < high.x)) break;
        place at = place_of(&it, x);
        if (at.within < it.rank) {
            low = at;
            side = side > 0 ? side + 1 : 1;
        } else {
            high = at;
            side = side < 0 ? side - 1 : -1;
        }
    }
    return high.within - low.within <= FEW ? among(&it, low, high)
                                           : ki_bisect(low.x, high.x, few_within, &it);
}

double ki_qn(const ki_pair *sorted, size_t k) {
    /* Small samples: the factors of Croux and Rousseeuw 1992. */
    static const double small[] = { 0.399, 0.994, 0.512, 0.844, 0.611, 0.857, 0.669,
        0.872 };
    CHECK(k >= 2);
    double n = (double) k, factor;
    if (k <= 9) {
        CHECK(k - 2 < sizeof small / sizeof *small);
        factor = small[k - 2];
    } else {
        factor = k % 2 ? n / (n + 1.4) : n / (n + 3.8);
    }
    return QN_NORMAL * factor * ki_qn_raw(sorted, k);
}
