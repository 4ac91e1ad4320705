/* SPDX-License-Identifier: Apache-2.0 */
#include "synthesis/fit.h"

#include "base/check.h"
#include "synthesis/tau2.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TAIL 0.975

static int sign_of(double a, double b) {
    return (a > b) - (a < b);
}

/* By source; then by the numbers, so that rows which compare equal are equal. */
static int by_source(const void *a, const void *b) {
    const kith_leaf *x = ((const ki_row *) a)->leaf, *z = ((const ki_row *) b)->leaf;
    int order = memcmp(x->source, z->source, KITH_KEYID_SIZE);
    order = order ? order : sign_of(x->y, z->y);
    order = order ? order : sign_of(x->v, z->v);
    return order ? order : sign_of(x->relevance, z->relevance);
}

static bool legal(const kith_leaf *leaf) {
    return fabs(leaf->y) <= KI_EFFECT_MAX && leaf->v >= KI_VARIANCE_MIN &&
           leaf->v <= KI_VARIANCE_MAX && leaf->relevance >= KI_RELEVANCE_MIN &&
           leaf->relevance <= 1;
}

int ki_rows(const kith_leaf *leaves, size_t count, ki_row *ret_rows) {
    CHECK(leaves != NULL || count == 0);
    CHECK(ret_rows != NULL || count == 0);
    CHECK(count <= KITH_LEAVES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!legal(&leaves[i])) {
            return KITH_E_ARG;
        }
    }
    for (size_t i = 0; i < count; i++) {
        ret_rows[i] = (ki_row){ .y = leaves[i].y,
            .v = leaves[i].v,
            .omega = leaves[i].relevance,
            .r = NAN,
            .at = (uint32_t) i,
            .leaf = &leaves[i] };
    }
    bool sorted = true; /* a store hands them out so */
    for (size_t i = 1; i < count && sorted; i++) {
        sorted = by_source(&ret_rows[i - 1], &ret_rows[i]) <= 0;
    }
    if (!sorted) {
        qsort(ret_rows, count, sizeof *ret_rows, by_source);
    }
    for (size_t i = 1; i < count; i++) {
        CHECK(by_source(&ret_rows[i - 1], &ret_rows[i]) <= 0);
    }
    ki_rows_level(ret_rows, count);
    return 0;
}

void ki_rows_level(ki_row *rows, size_t k) {
    for (size_t i = 1; i < k; i++) {
        if (rows[i].omega != rows[0].omega) {
            return;
        }
    }
    for (size_t i = 0; i < k; i++) {
        rows[i].omega = 1;
    }
}

static bool known(kith_pool_method method, kith_pool_ci ci) {
    return (unsigned) method <= KITH_POOL_REML && (unsigned) ci <= KITH_CI_WALD;
}

static double tau2_of(const ki_row *rows, size_t k, kith_pool_method method, bool equal) {
    CHECK(k >= 1);
    CHECK(equal || method != KITH_POOL_REML);
    if (k < 2 || method == KITH_POOL_FE) {
        return 0;
    }
    switch (method) {
    case KITH_POOL_DL: return ki_tau2_dl(rows, k);
    case KITH_POOL_REML: return ki_tau2_reml(rows, k);
    default: return ki_tau2_pm(rows, k, equal);
    }
}

/* Cochran's Q and the share of the spread that is not noise. */
static void disagreement(
    const ki_row *rows, kith_pool_method method, kith_fit *fit, bool equal) {
    fit->q = fit->q_df = fit->q_p = fit->i2 = fit->h2 = NAN;
    if (fit->k < 2) {
        return;
    }
    ki_look zero = ki_look_at(rows, fit->k, 0);
    fit->q = zero.q;
    fit->q_df = equal ? (double) (fit->k - 1) : zero.wanted;
    fit->q_p = equal ? kith_chi2_upper(fit->q, fit->q_df) : NAN;
    if (method == KITH_POOL_FE) {
        fit->i2 = fit->q > fit->q_df ? 100 * ((fit->q - fit->q_df) / fit->q) : 0;
        fit->h2 = fit->q / fit->q_df;
    } else {
        double typical = ki_typical_variance(rows, fit->k);
        fit->i2 =
            100 * (fit->tau2 / (fit->tau2 + typical)); /* a share rounds to 1 at most */
        fit->h2 = (fit->tau2 + typical) / typical;
    }
}

/* mu's interval, and where a new source would fall. With the normal quantile the
 * prediction is the plain one, on k - 2; with a factor q it is on k - 1. */
static void intervals(const ki_look *at, kith_pool_ci ci, kith_fit *fit) {
    CHECK(fit->k >= 1);
    double t = kith_t_quantile(TAIL, fmax(1, fit->k_eff - 1));
    double reach = t, ahead = t;
    fit->hk_q = fit->k < 2 ? NAN : at->q / at->wanted;
    if (ci == KITH_CI_WALD) {
        fit->hk_q = 1;
        reach = kith_normal_quantile(TAIL);
        ahead = fit->k < 3 ? NAN : kith_t_quantile(TAIL, fmax(1, fit->k_eff - 2));
    } else if (ci == KITH_CI_MHK && fit->k >= 2) {
        fit->hk_q = fmax(1, fit->hk_q);
    }
    fit->se = sqrt(at->var * fit->hk_q);
    double wide = sqrt(fit->tau2 + fit->se * fit->se);
    fit->ci_low = fit->mu - reach * fit->se;
    fit->ci_high = fit->mu + reach * fit->se;
    fit->pi_low = fit->mu - ahead * wide;
    fit->pi_high = fit->mu + ahead * wide;
}

static bool relevances(const ki_row *rows, size_t k, double *ret_k_eff) {
    double sum = 0, squares = 0;
    bool equal = true;
    for (size_t i = 0; i < k; i++) {
        sum += rows[i].omega;
        squares += rows[i].omega * rows[i].omega;
        equal = equal && rows[i].omega == rows[0].omega;
    }
    CHECK(sum > 0);
    CHECK(squares > 0);
    *ret_k_eff = equal ? (double) k : sum * sum / squares;
    return equal;
}

int ki_fit(const ki_row *rows, size_t k, kith_pool_method method, kith_pool_ci ci,
    kith_fit *ret_fit) {
    CHECK(k >= 1);
    CHECK(k <= KITH_LEAVES_MAX);
    CHECK(known(method, ci));
    kith_fit fit = { .k = (uint32_t) k };
    bool equal = relevances(rows, k, &fit.k_eff);
    bool reml = method == KITH_POOL_REML;
    if (reml && !equal) {
        return KITH_E_NOTSUP;
    }
    fit.tau2 = tau2_of(rows, k, method, equal);
    fit.tau2_low = fit.tau2_high = fit.tau2_se = fit.loglik = NAN;
    if (equal && k >= 2) {
        double df = (double) (k - 1);
        fit.tau2_low = ki_tau2_where_q(rows, k, kith_chi2_quantile(TAIL, df));
        fit.tau2_high = ki_tau2_where_q(rows, k, kith_chi2_quantile(1 - TAIL, df));
    }
    if (reml && k >= 2) {
        fit.tau2_se = ki_tau2_se(rows, k, fit.tau2);
        fit.loglik = ki_loglik(rows, k, fit.tau2);
    }
    ki_look at = ki_look_at(rows, k, fit.tau2);
    CHECK(fit.tau2 >= 0);
    fit.mu = at.mu;
    disagreement(rows, method, &fit, equal);
    intervals(&at, ci, &fit);
    *ret_fit = fit;
    return 0;
}

int kith_pool_fit(const kith_leaf *leaves, size_t count, kith_pool_method method,
    kith_pool_ci ci, kith_fit *ret_fit) {
    if (count == 0 || count > KITH_LEAVES_MAX || !known(method, ci)) {
        return KITH_E_ARG;
    }
    CHECK(leaves != NULL);
    CHECK(ret_fit != NULL);
    ki_row *rows = calloc(count, sizeof *rows);
    if (!rows) {
        return KITH_E_MEMORY;
    }
    int rc = ki_rows(leaves, count, rows);
    if (rc == 0) {
        rc = ki_fit(rows, count, method, ci, ret_fit);
    }
    free(rows);
    return rc;
}
