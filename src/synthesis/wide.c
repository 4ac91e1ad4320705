/* SPDX-License-Identifier: Apache-2.0 */
#include "synthesis/wide.h"

#include "base/check.h"

#include <float.h>
#include <math.h>

#define PI_L         3.14159265358979323846264338327950288L
#define NEWTON_STEPS 4000 /* a bound, never reached: 1 / Q is nearly a line */
#define ROOT_STEPS   400
#define REML_POINTS  64.0L
#define PER_OCTAVE   1.5L /* and so many points for each doubling, when that is more */
/* Newton is done when a step is below this share of tau2 + s~2. */
#define NEAR (16 * LDBL_EPSILON)

ki_wide_look ki_wide_at(const ki_wide *table, long double tau2) {
    CHECK(table->k >= 1);
    CHECK(tau2 >= 0);
    ki_wide_look at = { 0 };
    const ki_wide_row *rows = table->rows;
    long double wd = 0;
    for (size_t i = 0; i < table->k; i++) {
        long double w = 1 / (rows[i].v + tau2);
        at.pairs += w * at.weight;
        at.weight += w;
        wd += w * rows[i].d;
    }
    at.m = wd / at.weight;
    for (size_t i = 0; i < table->k; i++) {
        long double s = rows[i].v + tau2, off = rows[i].d - at.m, part = off * off / s;
        at.q += part;
        at.slope += part / s;
    }
    return at;
}

long double ki_wide_typical(const ki_wide *table) {
    CHECK(table->k >= 2);
    ki_wide_look at = ki_wide_at(table, 0);
    return (long double) (table->k - 1) * at.weight / (2 * at.pairs);
}

long double ki_wide_dl(const ki_wide *table) {
    CHECK(table->k >= 2);
    ki_wide_look at = ki_wide_at(table, 0);
    long double excess = at.q - (long double) (table->k - 1);
    return excess > 0 ? excess * at.weight / (2 * at.pairs) : 0;
}

/* 1 / Q rises and is concave: Q is a sum of b / (lambda + tau2), so 1 / Q is a parallel
 * sum. From 0 its tangents reach the target too early and never too late, and where
 * one row rules, it is a line. */
long double ki_wide_where_q(const ki_wide *table, long double target) {
    CHECK(table->k >= 2);
    CHECK(target > 0);
    long double tau2 = 0;
    for (int n = 0; n < NEWTON_STEPS; n++) {
        ki_wide_look at = ki_wide_at(table, tau2);
        if (!(at.q > target)) break;
        long double step = (at.q - target) / at.slope * (at.q / target);
        tau2 += step;
        if (step <= NEAR * (tau2 + table->typical)) break;
    }
    CHECK(tau2 >= 0);
    return tau2;
}

/* The slope of the restricted likelihood, times 2: sum w^2 (d - m)^2 - (W1 - W2 / W1). */
static long double score(const ki_wide *table, long double tau2) {
    ki_wide_look at = ki_wide_at(table, tau2);
    return at.slope - 2 * at.pairs / at.weight;
}

static long double likelihood(const ki_wide *table, long double tau2) {
    ki_wide_look at = ki_wide_at(table, tau2);
    long double sum = 0;
    for (size_t i = 0; i < table->k; i++) {
        sum += logl(table->rows[i].v + tau2);
    }
    return -0.5L * (sum + logl(at.weight) + at.q);
}

/* Where the score, above 0 at `low` and not at `high`, crosses. A chord that leaves one
 * end twice is followed by a halving, so the bracket shrinks whatever the shape. */
static long double crossing(
    const ki_wide *table, long double low, long double high, long double at[2]) {
    long double up = at[0], down = at[1];
    CHECK(up > 0);
    CHECK(!(down > 0));
    int side = 0;
    for (int n = 0; n < ROOT_STEPS && high - low > 2 * LDBL_EPSILON * high; n++) {
        long double x = low + (high - low) * (up / (up - down));
        if (side >= 2 || side <= -2 || !(x > low && x < high)) {
            x = low + (high - low) / 2;
            side = 0;
        }
        if (!(x > low && x < high)) break;
        long double y = score(table, x);
        if (y > 0) {
            low = x, up = y;
            side = side > 0 ? side + 1 : 1;
        } else {
            high = x, down = y;
            side = side < 0 ? side - 1 : -1;
        }
    }
    return high;
}

/* Beyond this the likelihood falls: the whole spread and the worst variance. */
static long double limit(const ki_wide *table) {
    const ki_wide_row *rows = table->rows;
    long double low = rows[0].d, high = low, v = rows[0].v;
    for (size_t i = 1; i < table->k; i++) {
        low = fminl(low, rows[i].d);
        high = fmaxl(high, rows[i].d);
        v = fmaxl(v, rows[i].v);
    }
    return (high - low) * (high - low) + v;
}

/* Every summit that the points can see, and the highest of them. Scoring would be
 * quicker and can circle for ever; this cannot. */
long double ki_wide_reml(const ki_wide *table) {
    long double first = 0x1p-40L * table->typical, last = limit(table);
    long double points = ceill(fmaxl(REML_POINTS, PER_OCTAVE * log2l(last / first)));
    long double from = 0, up = score(table, 0), best = 0;
    long double top = up > 0 ? -INFINITY : likelihood(table, 0);
    for (long double n = 0; n < points; n++) {
        long double to = first * powl(last / first, n / (points - 1));
        long double slope = score(table, to);
        if (up > 0 && !(slope > 0)) {
            long double ends[2] = { up, slope };
            long double summit = crossing(table, from, to, ends);
            long double height = likelihood(table, summit);
            best = height > top ? summit : best;
            top = fmaxl(top, height);
        }
        up = slope;
        from = to;
    }
    CHECK(best >= 0);
    return up > 0 && !(top > -INFINITY) ? from : best; /* rounding at the far end */
}

long double ki_wide_loglik(const ki_wide *table, long double tau2) {
    long double k = (long double) table->k;
    return likelihood(table, tau2) - 0.5L * (k - 1) * logl(2 * PI_L) + 0.5L * logl(k);
}

/* sqrt(2 / (W2 - 2 W3 / W1 + (W2 / W1)^2)). The sum is the squared norm of the matrix
 * diag(w) - w w' / W, taken here entry by entry: nothing cancels. */
long double ki_wide_tau2_se(const ki_wide *table, long double tau2) {
    CHECK(table->k >= 2);
    const ki_wide_row *rows = table->rows;
    long double weight = ki_wide_at(table, tau2).weight;
    long double norm = 0, squares = 0, before = 0;
    for (size_t i = 0; i < table->k; i++) {
        long double w = 1 / (rows[i].v + tau2), rest = before;
        for (size_t j = i + 1; w > weight / 2 && j < table->k; j++) {
            rest += 1 / (rows[j].v + tau2);
        }
        rest = w > weight / 2 ? rest : weight - w;
        long double own = w * rest / weight, share = w / weight;
        norm += own * own + 2 * share * share * squares;
        squares += w * w;
        before += w;
    }
    return sqrtl(2 / norm);
}
