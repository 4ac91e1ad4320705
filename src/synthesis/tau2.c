/* SPDX-License-Identifier: Apache-2.0 */
#include "synthesis/tau2.h"

#include "base/check.h"
#include "synthesis/bisect.h"

#include <float.h>
#include <math.h>

#define NEWTON_STEPS 100
#define REML_POINTS  64
#define ROOT_STEPS   400
/* Newton is done when a step is below this share of tau2 + s~2. */
#define NEAR (16 * DBL_EPSILON)

typedef struct search {
    const ki_row *rows;
    size_t k;
} search;

ki_look ki_look_at(const ki_row *rows, size_t k, double tau2) {
    CHECK(rows != NULL);
    CHECK(k >= 1);
    CHECK(tau2 >= 0);
    ki_look at = { 0 };
    double wy = 0, var = 0, omega = 0, cross = 0;
    for (size_t i = 0; i < k; i++) {
        double s = rows[i].v + tau2, w = rows[i].omega / s;
        /* T = sum omega - sum omega w / W is built from its pairs, omega_i w_j: the
         * difference itself would lose everything when one weight is huge. */
        cross += w * omega + rows[i].omega * at.weight;
        at.pairs += w * at.weight;
        omega += rows[i].omega;
        at.weight += w;
        wy += w * rows[i].y;
        var += rows[i].omega * rows[i].omega / s;
    }
    at.mu = wy / at.weight;
    at.var = var / (at.weight * at.weight);
    at.wanted = cross / at.weight;
    for (size_t i = 0; i < k; i++) {
        double s = rows[i].v + tau2, d = rows[i].y - at.mu,
               part = rows[i].omega / s * d * d;
        at.q += part;
        at.slope += part / s;
    }
    return at;
}

double ki_typical_variance(const ki_row *rows, size_t k) {
    CHECK(k >= 2);
    double sum = 0, pairs = 0;
    for (size_t i = 0; i < k; i++) {
        double w = 1 / rows[i].v;
        pairs += w * sum;
        sum += w;
    }
    return (double) (k - 1) * sum / (2 * pairs);
}

double ki_tau2_dl(const ki_row *rows, size_t k) {
    CHECK(k >= 2);
    ki_look at = ki_look_at(rows, k, 0);
    /* C = A - sum a^2 / A = 2 sum a_i a_j / A */
    return fmax(0, (at.q - at.wanted) * at.weight / (2 * at.pairs));
}

/* What the steps of a search need of ki_look, in one pass with one division a row. */
typedef struct glance {
    double mu, q, slope, wanted_slope; /* W1 - W2 / W1 = 2 pairs / W */
} glance;

/* For equal relevances. Measured from a mean that is near, the squares take little from
 * each other: the mean at 0 is near enough for Q, and that of a neighbour for a slope. */
static glance glance_at(const ki_row *rows, size_t k, double pivot, double tau2) {
    double w1 = 0, wd = 0, wdd = 0, w2 = 0, w2d = 0, w2dd = 0, pairs = 0;
    for (size_t i = 0; i < k; i++) {
        double w = rows[i].omega / (rows[i].v + tau2), d = rows[i].y - pivot, part = w * d;
        pairs += w * w1;
        w1 += w;
        wd += part;
        wdd += part * d;
        w2 += w * w;
        w2d += w * part;
        w2dd += part * part;
    }
    double m = wd / w1;
    return (glance){ .mu = pivot + m,
        .q = wdd - m * wd,
        .slope = w2dd - m * (2 * w2d - m * w2),
        .wanted_slope = 2 * pairs / w1 };
}

/* 1 / Q rises and is concave: Q is a sum of b / (lambda + tau2), so 1 / Q is a parallel
 * sum. From 0 its tangents reach the target too early and never too late. */
double ki_tau2_where_q(const ki_row *rows, size_t k, double target) {
    CHECK(k >= 2);
    CHECK(target > 0);
    double tau2 = 0, small = ki_typical_variance(rows, k);
    ki_look zero = ki_look_at(rows, k, 0);
    glance at = { .mu = zero.mu, .q = zero.q, .slope = zero.slope };
    for (int n = 0; n < NEWTON_STEPS; n++) {
        double step = (at.q - target) / at.slope * (at.q / target);
        if (!(step > 0)) break;
        tau2 += step;
        if (step <= NEAR * (tau2 + small)) break;
        at = glance_at(rows, k, zero.mu, tau2);
    }
    CHECK(tau2 >= 0);
    return tau2;
}

static bool too_spread(double tau2, const void *self) {
    const search *it = self;
    ki_look at = ki_look_at(it->rows, it->k, tau2);
    return at.q > at.wanted;
}

double ki_tau2_pm(const ki_row *rows, size_t k, bool equal) {
    CHECK(k >= 2);
    if (equal) {
        return ki_tau2_where_q(rows, k, (double) (k - 1));
    }
    search it = { rows, k };
    if (!too_spread(0, &it)) {
        return 0;
    }
    double high = 1;
    while (too_spread(high, &it)) {
        high *= 2;
    }
    return ki_bisect(0, high, too_spread, &it);
}

static double likelihood(const ki_row *rows, size_t k, double tau2) {
    ki_look at = ki_look_at(rows, k, tau2);
    double sum = 0;
    for (size_t i = 0; i < k; i++) {
        sum += log(rows[i].v + tau2);
    }
    return -0.5 * (sum + log(at.weight) + at.q);
}

/* Beyond this the likelihood falls: the whole spread and the worst variance. */
static double reml_limit(const ki_row *rows, size_t k) {
    CHECK(k >= 1);
    double low = rows[0].y, high = rows[0].y, v = rows[0].v;
    for (size_t i = 1; i < k; i++) {
        low = fmin(low, rows[i].y);
        high = fmax(high, rows[i].y);
        v = fmax(v, rows[i].v);
    }
    return (high - low) * (high - low) + v;
}

/* The slope of the restricted likelihood, times 2: sum w^2 (y - mu)^2 - (W1 - W2 / W1). */
static double rise(const glance *at) {
    return at->slope - at->wanted_slope;
}

typedef struct scan {
    double tau2, rise, mu;
} scan;

static scan scan_at(const search *it, double tau2, double pivot) {
    glance at = glance_at(it->rows, it->k, pivot, tau2);
    return (scan){ tau2, rise(&at), at.mu };
}

/* Where the likelihood, rising at `low` and not at `high`, has its summit. A chord that
 * leaves one end twice is followed by a halving, so the bracket shrinks whatever the
 * shape. */
static double summit_of(const search *it, scan low, scan high) {
    int side = 0;
    CHECK(low.rise > 0);
    CHECK(!(high.rise > 0));
    for (int n = 0; n < ROOT_STEPS && high.tau2 - low.tau2 > 2 * DBL_EPSILON * high.tau2;
         n++) {
        double wide = high.tau2 - low.tau2;
        double x = low.tau2 + wide * (low.rise / (low.rise - high.rise));
        if (side >= 2 || side <= -2 || !(x > low.tau2 && x < high.tau2)) {
            x = low.tau2 + wide / 2;
            side = 0;
        }
        if (!(x > low.tau2 && x < high.tau2)) break;
        scan at = scan_at(it, x, high.mu);
        if (at.rise > 0) {
            low = at;
            side = side > 0 ? side + 1 : 1;
        } else {
            high = at;
            side = side < 0 ? side - 1 : -1;
        }
    }
    return high.tau2;
}

/* Every summit that 64 points can see, and the highest of them. Scoring would be
 * quicker and can circle for ever; this cannot. */
double ki_tau2_reml(const ki_row *rows, size_t k) {
    search it = { rows, k };
    double best = 0, top = -INFINITY;
    double first = 0x1p-40 * ki_typical_variance(rows, k), last = reml_limit(rows, k);
    scan from = scan_at(&it, 0, ki_look_at(rows, k, 0).mu);
    if (!(from.rise > 0)) {
        top = likelihood(rows, k, 0);
    }
    for (int n = 0; n < REML_POINTS; n++) {
        double tau2 = first * pow(last / first, n / (REML_POINTS - 1.0));
        scan to = scan_at(&it, tau2, from.mu);
        bool up = from.rise > 0, still = to.rise > 0;
        if ((up && !still) || (still && n == REML_POINTS - 1)) {
            double summit = still ? tau2 : summit_of(&it, from, to);
            double height = likelihood(rows, k, summit);
            best = height > top ? summit : best;
            top = fmax(top, height);
        }
        from = to;
    }
    CHECK(best >= 0);
    return best;
}

double ki_loglik(const ki_row *rows, size_t k, double tau2) {
    return likelihood(rows, k, tau2) - 0.5 * (double) (k - 1) * log(2 * M_PI) +
           0.5 * log((double) k);
}

/* sqrt(2 / (W2 - 2 W3 / W1 + (W2 / W1)^2)). The sum is the squared norm of the
 * matrix diag(w) - w w' / W, taken here entry by entry: nothing cancels. */
double ki_tau2_se(const ki_row *rows, size_t k, double tau2) {
    CHECK(k >= 2);
    CHECK(tau2 >= 0);
    ki_look at = ki_look_at(rows, k, tau2);
    double norm = 0, squares = 0, before = 0;
    for (size_t i = 0; i < k; i++) {
        double w = 1 / (rows[i].v + tau2), rest = before;
        for (size_t j = i + 1; w > at.weight / 2 && j < k; j++) {
            rest += 1 / (rows[j].v + tau2);
        }
        rest = w > at.weight / 2 ? rest : at.weight - w;
        double own = w * rest / at.weight, share = w / at.weight;
        norm += own * own + 2 * share * share * squares;
        squares += w * w;
        before += w;
    }
    return sqrt(2 / norm);
}
