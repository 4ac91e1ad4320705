/* SPDX-License-Identifier: Apache-2.0 */
/* quantile.c - the distributions behind the intervals.
 *
 * Tails by continued fraction or series, quantiles by halving the doubles until
 * two neighbours are left. Tails are always taken on the small side, so that
 * nothing is lost against 1. */
#include <kith/synthesis.h>

#include "base/check.h"
#include "synthesis/bisect.h"

#include <float.h>
#include <math.h>

#define TINY          1e-300 /* stands for 0 where a fraction would divide by it */
#define STEPS         100000 /* never reached for degrees of freedom below 10^8 */
#define LARGE         100.0  /* from here the series after Stirling have every digit */
#define NEARLY_NORMAL 20.0   /* degrees of freedom: a guess from the normal one is near */
#define FAR           1e150 /* beyond every quantile that is asked for; its square is finite */

typedef struct tail {
    double p, df;
} tail;

double kith_normal_cdf(double x) {
    return 0.5 * erfc(-x * M_SQRT1_2);
}

static bool normal_below(double x, const void *self) {
    return kith_normal_cdf(x) < *(const double *) self;
}

double kith_normal_quantile(double p) {
    if (!(p > 0 && p < 1)) {
        return p == 0 ? -INFINITY : p == 1 ? INFINITY : NAN;
    }
    if (p > 0.5) {
        return -kith_normal_quantile(1 - p); /* 1 - p is exact here */
    }
    return p == 0.5 ? 0.0 : ki_bisect(-40, 0, normal_below, &p);
}

static double log_gamma(double x) {
    int sign;
    return lgamma_r(x, &sign); /* plain lgamma writes a global */
}

static double not_zero(double x) {
    return fabs(x) < TINY ? TINY : x;
}

/* One step of Lentz's way through a continued fraction: numerator a, then +b. */
static double lentz(double a, double b, double *c, double *d) {
    *d = 1 / not_zero(b + a * *d);
    *c = not_zero(b + a / *c);
    return *c * *d;
}

/* The continued fraction of the incomplete beta; quick for x < (a+1)/(a+b+2). */
static double beta_fraction(double a, double b, double x) {
    double c = 1, d = 1 / not_zero(1 - (a + b) * x / (a + 1)), h = d;
    for (int m = 1; m < STEPS; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        h *= lentz(even, 1, &c, &d);
        double step = lentz(odd, 1, &c, &d);
        h *= step;
        if (fabs(step - 1) < DBL_EPSILON) break;
    }
    return h;
}

/* ln gamma(a + 1/2) - ln gamma(a). Two logarithms of millions would leave ten digits of
 * their difference; the series leaves all where a is large. */
static double half_step(double a) {
    if (a < LARGE) {
        return log_gamma(a + 0.5) - log_gamma(a);
    }
    double r = 1 / (a * a);
    return 0.5 * log(a) + (-0.125 + (1.0 / 192 - r / 640) * r) / a;
}

/* Halves between two doubles near x that are known to hold the place, and from far away
 * where there are none. */
static double halve_near(double x, ki_below below, const tail *it) {
    for (double wide = 1e-14; x > 0 && wide < 1e-3; wide *= 16) {
        double low = x * (1 - wide), high = x * (1 + wide);
        if (below(low, it) && !below(high, it)) {
            return ki_bisect(low, high, below, it);
        }
    }
    return ki_bisect(0, FAR, below, it);
}

/* Regularised incomplete beta I_x(a, b); y = 1 - x, given because it may be tiny. */
static double beta_lower(double a, double b, double x, double y) {
    CHECK(a > 0);
    CHECK(b > 0);
    if (x <= 0) {
        return 0;
    }
    if (y <= 0) {
        return 1;
    }
    double gammas =
        (b == 0.5 ? half_step(a) : log_gamma(a + b) - log_gamma(a)) - log_gamma(b);
    double front = exp(gammas + a * (x > 0.5 ? log1p(-y) : log(x)) + b * log(y));
    if (x < (a + 1) / (a + b + 2)) {
        return front * beta_fraction(a, b, x) / a;
    }
    return 1 - front * beta_fraction(b, a, y) / b;
}

/* P(T > t), t > 0. */
static double t_upper(double t, double df) {
    double t2 = t * t, sum = df + t2;
    return 0.5 * beta_lower(df / 2, 0.5, df / sum, t2 / sum);
}

static bool t_below(double t, const void *self) {
    const tail *it = self;
    return t_upper(t, it->df) > it->p;
}

static double t_density(double t, double df) {
    double power = (df + 1) / 2 * log1p(t * t / df);
    return exp(half_step(df / 2) - power) / sqrt(M_PI * df);
}

/* Fisher's series begins at the normal quantile; some tangents come nearer. */
static double near_t(const tail *it) {
    double z = -kith_normal_quantile(it->p), t = z + z * (z * z + 1) / (4 * it->df);
    for (int n = 0; n < 2 && t > 0; n++) {
        t += (t_upper(t, it->df) - it->p) / t_density(t, it->df);
    }
    return halve_near(t, t_below, it);
}

double kith_t_quantile(double p, double df) {
    if (!(p > 0 && p < 1) || !(df >= 1) || !isfinite(df)) {
        return NAN;
    }
    if (p < 0.5) {
        return -kith_t_quantile(1 - p, df);
    }
    tail it = { 1 - p, df };
    if (p == 0.5) {
        return 0;
    }
    return df < NEARLY_NORMAL ? ki_bisect(0, FAR, t_below, &it) : near_t(&it);
}

/* x^a e^-x / gamma(a). For a large a by Stirling, around a: else a million would be
 * taken from a million. */
static double gamma_front(double a, double x) {
    if (a < LARGE) {
        return exp(a * log(x) - x - log_gamma(a));
    }
    double off = (x - a) / a, r = 1 / (a * a);
    double rest = (1.0 / 12 - (1.0 / 360 - r / 1260) * r) / a;
    return sqrt(a / (2 * M_PI)) * exp(-a * (off - log1p(off)) - rest);
}

/* Regularised lower incomplete gamma by its series; for x < a + 1. */
static double gamma_series(double a, double x) {
    CHECK(a > 0);
    CHECK(x < a + 1);
    double term = 1 / a, sum = term;
    for (int n = 1; n < STEPS && term > sum * DBL_EPSILON / 4; n++) {
        term *= x / (a + n);
        sum += term;
    }
    return sum * gamma_front(a, x);
}

/* The upper one by its continued fraction; for x >= a + 1. */
static double gamma_fraction(double a, double x) {
    CHECK(a > 0);
    CHECK(x >= a + 1);
    double b = x + 1 - a, c = 1 / TINY, d = 1 / not_zero(b), h = d;
    for (int n = 1; n < STEPS; n++) {
        b += 2;
        double step = lentz(-n * (n - a), b, &c, &d);
        h *= step;
        if (fabs(step - 1) < DBL_EPSILON) break;
    }
    return h * gamma_front(a, x);
}

double kith_chi2_upper(double x, double df) {
    if (!(x >= 0) || !(df > 0)) {
        return NAN;
    }
    double a = df / 2, h = x / 2;
    if (h == 0 || isinf(h)) {
        return h == 0;
    }
    return h < a + 1 ? 1 - gamma_series(a, h) : gamma_fraction(a, h);
}

static double chi2_lower(double x, double df) {
    double a = df / 2, h = x / 2;
    if (h == 0) {
        return 0;
    }
    return h < a + 1 ? gamma_series(a, h) : 1 - gamma_fraction(a, h);
}

static bool chi2_below(double x, const void *self) {
    const tail *it = self;
    return it->p <= 0.5 ? chi2_lower(x, it->df) < it->p
                        : kith_chi2_upper(x, it->df) > 1 - it->p;
}

/* Wilson and Hilferty say where it is, some tangents come nearer. */
static double near_chi2(const tail *it) {
    double r = 2 / (9 * it->df), x = 1 - r + kith_normal_quantile(it->p) * sqrt(r);
    x = it->df * x * x * x;
    for (int n = 0; n < 3 && x > 0; n++) {
        x -= (chi2_lower(x, it->df) - it->p) * x / gamma_front(it->df / 2, x / 2);
    }
    return halve_near(x, chi2_below, it);
}

double kith_chi2_quantile(double p, double df) {
    if (!(p > 0 && p < 1) || !(df > 0) || !isfinite(df)) {
        return NAN;
    }
    tail it = { p, df };
    return df < NEARLY_NORMAL ? ki_bisect(0, FAR, chi2_below, &it) : near_chi2(&it);
}
