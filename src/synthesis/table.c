/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - every statistic of a table of effects and variances, of any size. */
#include <kith/synthesis.h>

#include "base/check.h"
#include "synthesis/wide.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define TAIL 0.975
/* What fits where a long double is no longer than a double. */
#define NARROW_LOG2 100

static int by_numbers(const void *a, const void *b) {
    const kith_row *x = a, *z = b;
    int order = (x->v > z->v) - (x->v < z->v);
    return order ? order : (x->y > z->y) - (x->y < z->y);
}

static bool narrow(double x) {
    return x == 0 || fabs(log2(fabs(x))) <= NARROW_LOG2;
}

static int legal(const kith_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(rows[i].y) || !(rows[i].v > 0) || !isfinite(rows[i].v)) {
            return KITH_E_ARG;
        }
        if (LDBL_MAX_EXP < 16384 && (!narrow(rows[i].y) || !narrow(rows[i].v))) {
            return KITH_E_NOTSUP;
        }
    }
    return 0;
}

/* Sorted, so that the same rows in any order give the same bits; the first is then the
 * most precise. */
static int begin(const kith_row *rows, size_t count, ki_wide *ret, ki_wide_row **ret_rows) {
    kith_row *sorted = malloc(count * sizeof *sorted);
    ki_wide_row *wide = malloc(count * sizeof *wide);
    if (!sorted || !wide) {
        free(sorted);
        free(wide);
        return KITH_E_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = rows[i];
    }
    qsort(sorted, count, sizeof *sorted, by_numbers);
    long double pivot = (long double) sorted[0].y;
    for (size_t i = 0; i < count; i++) {
        wide[i] =
            (ki_wide_row){ (long double) sorted[i].y - pivot, (long double) sorted[i].v };
    }
    free(sorted);
    *ret = (ki_wide){ .rows = wide, .k = count, .pivot = pivot };
    *ret_rows = wide;
    return 0;
}

static long double tau2_of(const ki_wide *table, kith_pool_method method) {
    if (table->k < 2 || method == KITH_POOL_FE) {
        return 0;
    }
    switch (method) {
    case KITH_POOL_DL: return ki_wide_dl(table);
    case KITH_POOL_REML: return ki_wide_reml(table);
    default: return ki_wide_where_q(table, (long double) (table->k - 1));
    }
}

/* As metafor has it: one source has no disagreement, and Q = 0 with certainty. */
static void disagreement(const ki_wide *table, kith_pool_method method, long double tau2,
    long double q, kith_fit *fit) {
    long double df = (long double) (table->k - 1), typical = table->typical;
    fit->q = (double) q;
    fit->q_df = (double) df;
    fit->q_p = table->k < 2 ? 1 : kith_chi2_upper((double) q, (double) df);
    if (table->k < 2) {
        fit->i2 = 0;
        fit->h2 = 1;
    } else if (method == KITH_POOL_FE) {
        fit->i2 = q > df ? (double) (100 * ((q - df) / q)) : 0;
        fit->h2 = (double) (q / df);
    } else {
        fit->i2 = (double) (100 * (tau2 / (tau2 + typical)));
        fit->h2 = (double) ((tau2 + typical) / typical);
    }
}

/* The t quantiles of one table, which all its fits share. */
typedef struct reach {
    long double z, t1, t2;
} reach;

static reach reach_of(size_t k) {
    double df = (double) k - 1;
    return (reach){ (long double) kith_normal_quantile(TAIL),
        k < 2 ? (long double) NAN : (long double) kith_t_quantile(TAIL, df),
        k < 3 ? (long double) NAN : (long double) kith_t_quantile(TAIL, df - 1) };
}

static void intervals(const ki_wide *table, const ki_wide_look *at, const reach *far,
    kith_pool_ci ci, kith_fit *fit) {
    long double mu = table->pivot + at->m, q = 1, ci_reach = far->t1, pi_reach = far->t1;
    long double tau2 = (long double) fit->tau2;
    if (ci == KITH_CI_WALD) {
        ci_reach = far->z;
        pi_reach = far->t2;
    } else if (table->k < 2) {
        q = (long double) NAN;
    } else {
        q = at->q / (long double) (table->k - 1);
        q = ci == KITH_CI_MHK ? fmaxl(1, q) : q;
    }
    long double se = sqrtl(q / at->weight), wide = sqrtl(tau2 + se * se);
    fit->mu = (double) mu;
    fit->hk_q = (double) q;
    fit->se = (double) se;
    fit->ci_low = (double) (mu - ci_reach * se);
    fit->ci_high = (double) (mu + ci_reach * se);
    fit->pi_low = (double) (mu - pi_reach * wide);
    fit->pi_high = (double) (mu + pi_reach * wide);
}

static void fit_all(const ki_wide *table, kith_table *ret) {
    long double low = (long double) NAN, high = low, k = (long double) table->k;
    if (table->k >= 2) {
        double df = (double) (table->k - 1);
        low = ki_wide_where_q(table, (long double) kith_chi2_quantile(TAIL, df));
        high = ki_wide_where_q(table, (long double) kith_chi2_quantile(1 - TAIL, df));
    }
    const reach far = reach_of(table->k);
    const long double q = ki_wide_at(table, 0).q;
    for (int m = 0; m <= KITH_POOL_REML; m++) {
        long double tau2 = tau2_of(table, (kith_pool_method) m);
        ki_wide_look at = ki_wide_at(table, tau2);
        kith_fit fit = { .k = (uint32_t) table->k,
            .k_eff = (double) k,
            .tau2 = (double) tau2,
            .tau2_low = (double) low,
            .tau2_high = (double) high,
            .tau2_se = (double) NAN,
            .loglik = (double) NAN };
        if (m == KITH_POOL_REML && table->k >= 2) {
            fit.tau2_se = (double) ki_wide_tau2_se(table, tau2);
            fit.loglik = (double) ki_wide_loglik(table, tau2);
        }
        disagreement(table, (kith_pool_method) m, tau2, q, &fit);
        for (int ci = 0; ci <= KITH_CI_WALD; ci++) {
            intervals(table, &at, &far, (kith_pool_ci) ci, &fit);
            ret->fit[m][ci] = fit;
        }
    }
}

/* S1 to S4 as they stand in textbooks; the exact ones are kith_sums. */
static void sum_up(const ki_wide *table, double ret[4]) {
    long double s[4] = { 0 };
    for (size_t i = 0; i < table->k; i++) {
        long double w = 1 / table->rows[i].v, y = table->pivot + table->rows[i].d;
        s[0] += w;
        s[1] += w * w;
        s[2] += w * y;
        s[3] += w * y * y;
    }
    for (int i = 0; i < 4; i++) {
        ret[i] = (double) s[i];
    }
}

int kith_table_fit(const kith_row *rows, size_t count, kith_table *ret_table) {
    CHECK(rows != NULL || count == 0);
    CHECK(ret_table != NULL);
    ki_wide table;
    ki_wide_row *wide = NULL;
    if (count == 0 || count > KITH_LEAVES_MAX) {
        return KITH_E_ARG;
    }
    int rc = legal(rows, count);
    rc = rc ? rc : begin(rows, count, &table, &wide);
    if (rc) {
        return rc;
    }
    table.typical = count < 2 ? 0 : ki_wide_typical(&table);
    sum_up(&table, ret_table->sums);
    fit_all(&table, ret_table);
    free(wide);
    return 0;
}
