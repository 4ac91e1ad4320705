/* SPDX-License-Identifier: Apache-2.0 */
#include "synthesis/robust.h"

#include "base/check.h"
#include "synthesis/bisect.h"

#include <math.h>
#include <stdlib.h>

#define CAP         25.0  /* nobody counts as more precise than this many medians */
#define TUKEY       4.685 /* 95 % efficient for normal sources */
#define TUKEY_STEPS 100
#define TUKEY_NEAR  1e-12              /* of the typical sigma */
#define QN_NORMAL   2.2191444659850759 /* 1 / (sqrt(2) Phi^-1(5/8)) */

int ki_pair_order(const void *a, const void *b) {
    const ki_pair *x = a, *z = b;
    int order = (x->y > z->y) - (x->y < z->y);
    return order ? order : (x->w > z->w) - (x->w < z->w);
}

static void sort(ki_pair *pairs, size_t k) {
    qsort(pairs, k, sizeof *pairs, ki_pair_order);
}

static double median(const ki_pair *sorted, size_t k) {
    CHECK(k >= 1);
    return k % 2 ? sorted[k / 2].y : (sorted[k / 2 - 1].y + sorted[k / 2].y) / 2;
}

static double median_variance(const ki_row *rows, size_t k, ki_pair *scratch) {
    for (size_t i = 0; i < k; i++) {
        scratch[i] = (ki_pair){ rows[i].v, 0 };
    }
    sort(scratch, k);
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

typedef struct spread {
    const ki_pair *sorted;
    size_t k;
    uint64_t rank;
} spread;

/* Are fewer than `rank` differences at most x? Two hands walk up once. */
static bool few_within(double x, const void *self) {
    const spread *it = self;
    uint64_t within = 0;
    for (size_t low = 0, high = 1; high < it->k; high++) {
        while (it->sorted[high].y - it->sorted[low].y > x) {
            low++;
        }
        CHECK_HOT(low <= high);
        within += high - low;
    }
    return within < it->rank;
}

double ki_qn_raw(const ki_pair *sorted, size_t k) {
    CHECK(k >= 2);
    CHECK(k <= KITH_LEAVES_MAX);
    uint64_t half = k / 2 + 1;
    spread it = { sorted, k, half * (half - 1) / 2 };
    if (!few_within(0, &it)) {
        return 0;
    }
    return ki_bisect(0, sorted[k - 1].y - sorted[0].y, few_within, &it);
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

/* The lower median of y, each with its weight, no weight above the median weight:
 * else one source that claims a tiny variance owns the start. */
static double start_of(const ki_row *rows, size_t k, double tau2, ki_pair *scratch) {
    for (size_t i = 0; i < k; i++) {
        scratch[i] = (ki_pair){ rows[i].omega / (rows[i].v + tau2), 0 };
    }
    sort(scratch, k);
    double most = median(scratch, k), total = 0, running = 0;
    for (size_t i = 0; i < k; i++) {
        scratch[i] = (ki_pair){ rows[i].y, fmin(rows[i].omega / (rows[i].v + tau2), most) };
    }
    sort(scratch, k);
    for (size_t i = 0; i < k; i++) {
        total += scratch[i].w;
    }
    size_t at = 0;
    while (at < k - 1 && (running += scratch[at].w) < total / 2) {
        at++;
    }
    CHECK(at < k);
    return scratch[at].y;
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
        scratch[i] = (ki_pair){ rows[i].y, 0 };
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
