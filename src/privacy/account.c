/* SPDX-License-Identifier: Apache-2.0 */
/* What rho means as epsilon and delta. docs/privacy.md has the formulas. */
#include <kith/privacy.h>

#include "base/check.h"

#include <math.h>

/* Epsilon from one order alpha = 1 + e^u of Renyi divergence, rho-zCDP having
 * alpha * rho at each (Canonne, Kamath and Steinke 2020, proposition 12). */
static double epsilon_at(double rho, double log_delta, double u) {
    double less = exp(u), alpha = 1 + less;
    return alpha * rho + (alpha * log1p(-1 / alpha) - u - log_delta) / less;
}

double kith_rho_epsilon_simple(double rho, double delta) {
    CHECK(delta > 0 && delta < 1);
    return rho <= 0 ? 0 : rho + 2 * sqrt(-rho * log(delta));
}

/* It falls and rises once: golden section. Every alpha gives a true bound, so whatever
 * is left of the search errs to the safe side. */
double kith_rho_epsilon(double rho, double delta) {
    CHECK(delta > 0 && delta < 1);
    if (!(rho > 0)) {
        return 0;
    }
    const double ratio = (sqrt(5) - 1) / 2;
    double low = -20, high = 40, log_delta = log(delta);
    for (int i = 0; i < 120; i++) {
        double a = high - ratio * (high - low), b = low + ratio * (high - low);
        if (epsilon_at(rho, log_delta, a) < epsilon_at(rho, log_delta, b)) {
            high = b;
        } else {
            low = a;
        }
    }
    double best = epsilon_at(rho, log_delta, (low + high) / 2);
    return best < 0 ? 0 : best;
}

/* sqrt(a + b) - sqrt(a) without losing digits where b is small. */
double kith_epsilon_rho(double epsilon, double delta) {
    CHECK(delta > 0 && delta < 1);
    if (!(epsilon > 0)) {
        return 0;
    }
    double length = -log(delta);
    double root = epsilon / (sqrt(length + epsilon) + sqrt(length));
    return root * root;
}

double kith_noise_variance(int mechanism, uint64_t scale) {
    CHECK(mechanism == KITH_NOISE_GAUSS || mechanism == KITH_NOISE_LAPLACE);
    double s = (double) scale;
    return mechanism == KITH_NOISE_GAUSS ? s : 2 * s * s;
}
