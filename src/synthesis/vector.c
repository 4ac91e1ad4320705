/* SPDX-License-Identifier: Apache-2.0 */
/* vector.c - effects of two to four components, pooled together:
 *
 * sort -> cap -> scale each component -> centre -> flag -> tau2 of each component
 *      -> mean of all with their covariances -> each component told as an answer
 *
 * The covariance of a source lets what it knows of one component speak for the others; a
 * source is flagged for its distance in all of them at once. */
#include <kith/synthesis.h>

#include "base/check.h"
#include "synthesis/fit.h"
#include "synthesis/robust.h"
#include "synthesis/vector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define QUORUM   3
#define ROBUST_K 5
#define ALARM_SE 2.0
#define TAIL     0.975

/* The mean of all, and what each component's answer is told. */
typedef struct joint {
    double mu[KI_PARTS];
    ki_matrix var; /* of mu */
    double tau2[KI_PARTS];
} joint;

static int by_source(const void *a, const void *b) {
    const ki_vote_row *x = a, *z = b;
    return memcmp(x->leaf->source, z->leaf->source, KITH_KEYID_SIZE);
}

static bool legal(const kith_vector *leaf, size_t p) {
    ki_matrix m, inverse;
    memcpy(m.a, leaf->covariance, sizeof m.a);
    bool good = leaf->components == p && leaf->relevance >= KI_RELEVANCE_MIN &&
                leaf->relevance <= 1;
    for (size_t c = 0; c < p && good; c++) {
        double v = m.a[ki_cell(c, c)];
        good = fabs(leaf->y[c]) <= KI_EFFECT_MAX && v >= KI_VARIANCE_MIN &&
               v <= KI_VARIANCE_MAX;
    }
    return good && ki_invert(&m, p, &inverse);
}

/* One component of the rows whose fate is not `without`, for the scalar functions. */
static size_t component(ki_votes *w, size_t c, int without, bool capped) {
    size_t n = 0;
    for (size_t i = 0; i < w->k; i++) {
        const ki_vote_row *it = &w->rows[i];
        if (it->fate == without) continue;
        w->parts[n++] = (ki_row){ .y = it->y[c],
            .v = capped ? it->v.a[ki_cell(c, c)] : it->leaf->covariance[ki_cell(c, c)],
            .omega = it->omega };
    }
    ki_rows_level(w->parts, n);
    return n;
}

/* mu = (sum w A)^-1 sum w A y, with its variance; omega as in section 7. */
static void together(const ki_votes *w, int without, bool capped, joint *ret) {
    ki_matrix sum = { { 0 } }, meat = { { 0 } }, a, inverse;
    double pull[KI_PARTS] = { 0 }, part[KI_PARTS];
    for (size_t i = 0; i < w->k; i++) {
        ki_vote_row it = w->rows[i];
        if (it.fate == without) continue;
        if (!capped) memcpy(it.v.a, it.leaf->covariance, sizeof it.v.a);
        ki_vote_precision(&it, w->p, ret->tau2, &a);
        ki_times(&a, it.y, w->p, part);
        for (size_t n = 0; n < KI_CELLS; n++) {
            sum.a[n] += it.omega * a.a[n];
            meat.a[n] += it.omega * it.omega * a.a[n];
        }
        for (size_t c = 0; c < w->p; c++) pull[c] += it.omega * part[c];
    }
    bool good = ki_invert(&sum, w->p, &inverse);
    CHECK(good);
    ki_times(&inverse, pull, w->p, ret->mu);
    for (size_t i = 0; i < w->p; i++) {
        for (size_t j = 0; j <= i; j++) {
            double x[KI_PARTS], y[KI_PARTS], z = 0;
            for (size_t n = 0; n < w->p; n++) x[n] = inverse.a[ki_cell(j, n)];
            ki_times(&meat, x, w->p, y);
            for (size_t n = 0; n < w->p; n++) z += inverse.a[ki_cell(i, n)] * y[n];
            ret->var.a[ki_cell(i, j)] = z;
        }
    }
}

/* The scalar fit of each component, whose mean and error the joint ones replace. */
static int fit_all(
    ki_votes *w, const kith_pool_options *how, bool kept, kith_answer *answers) {
    int without = kept ? KITH_VOTE_FLAGGED : -1;
    joint all;
    for (size_t c = 0; c < w->p; c++) {
        kith_fit *fit = kept ? &answers[c].kept : &answers[c].plain;
        size_t n = component(w, c, without, kept);
        int rc = ki_fit(w->parts, n, how->method, how->ci, fit);
        if (rc) {
            return rc;
        }
        all.tau2[c] = fit->tau2;
    }
    together(w, without, kept, &all);
    for (size_t c = 0; c < w->p; c++) {
        kith_fit *fit = kept ? &answers[c].kept : &answers[c].plain;
        double t = kith_t_quantile(TAIL, fmax(1, fit->k_eff - 1)), ahead = t;
        if (how->ci == KITH_CI_WALD) {
            t = kith_normal_quantile(TAIL);
            ahead = fit->k < 3 ? NAN : kith_t_quantile(TAIL, fmax(1, fit->k_eff - 2));
        }
        fit->mu = all.mu[c];
        fit->se = sqrt(all.var.a[ki_cell(c, c)] * fit->hk_q);
        double wide = sqrt(fit->tau2 + fit->se * fit->se);
        fit->ci_low = fit->mu - t * fit->se;
        fit->ci_high = fit->mu + t * fit->se;
        fit->pi_low = fit->mu - ahead * wide;
        fit->pi_high = fit->mu + ahead * wide;
    }
    return 0;
}

/* What is the same in all components, and what each has of its own. */
static void describe(const ki_votes *w, kith_answer *answers) {
    for (size_t c = 0; c < w->p; c++) {
        kith_answer *a = &answers[c];
        size_t agree = 0;
        a->newest_us = INT64_MIN;
        a->oldest_us = INT64_MAX;
        for (size_t i = 0; i < w->k; i++) {
            const ki_vote_row *it = &w->rows[i];
            if (it->fate == KITH_VOTE_FLAGGED) continue;
            int64_t t = it->leaf->t_end_us;
            a->newest_us = t > a->newest_us ? t : a->newest_us;
            a->oldest_us = t < a->oldest_us ? t : a->oldest_us;
            agree +=
                (it->y[c] > 0) == (a->kept.mu > 0) && (it->y[c] < 0) == (a->kept.mu < 0);
        }
        a->agreement = (double) agree / (double) w->kept;
        a->alarm = a->robust && (fabs(a->plain.mu - a->kept.mu) > ALARM_SE * a->kept.se ||
                                    4 * a->flagged > a->k);
    }
}

/* theta = (V0^-1 + P^-1)^-1 (V0^-1 y0 + P^-1 mu), P = T + var mu, tau2 held. */
static void shrink(const ki_votes *w, const kith_vector *own, kith_answer *answers) {
    ki_matrix v0, p, a, b, sum, var;
    double mu[KI_PARTS], x[KI_PARTS], y[KI_PARTS];
    joint all;
    memcpy(v0.a, own->covariance, sizeof v0.a);
    for (size_t c = 0; c < w->p; c++) all.tau2[c] = answers[c].kept.tau2;
    together(w, KITH_VOTE_FLAGGED, true, &all);
    p = all.var;
    for (size_t c = 0; c < w->p; c++) {
        p.a[ki_cell(c, c)] += all.tau2[c];
        mu[c] = all.mu[c];
    }
    bool good = ki_invert(&v0, w->p, &a) && ki_invert(&p, w->p, &b);
    CHECK(good);
    for (size_t n = 0; n < KI_CELLS; n++) sum.a[n] = a.a[n] + b.a[n];
    good = ki_invert(&sum, w->p, &var);
    CHECK(good);
    ki_times(&a, own->y, w->p, x);
    ki_times(&b, mu, w->p, y);
    for (size_t c = 0; c < w->p; c++) x[c] += y[c];
    ki_times(&var, x, w->p, y);
    double z = kith_normal_quantile(TAIL);
    for (size_t c = 0; c < w->p; c++) {
        double sd = sqrt(var.a[ki_cell(c, c)]);
        answers[c].has_shrunk = true;
        answers[c].shrunk = y[c];
        answers[c].shrunk_sd = sd;
        answers[c].shrunk_low = y[c] - z * sd;
        answers[c].shrunk_high = y[c] + z * sd;
    }
}

/* A row's share is the mean over components of what its own y moves the mean there. */
static void tell_votes(const ki_votes *w, const kith_answer *answers,
    const kith_vector *leaves, kith_vote *votes) {
    ki_matrix sum = { { 0 } }, a, inverse;
    double tau2[KI_PARTS];
    bool counts = !answers[0].insufficient;
    for (size_t c = 0; c < w->p; c++) tau2[c] = counts ? answers[c].kept.tau2 : 0;
    for (size_t i = 0; i < w->k && counts; i++) {
        if (w->rows[i].fate == KITH_VOTE_FLAGGED) continue;
        ki_vote_precision(&w->rows[i], w->p, tau2, &a);
        for (size_t n = 0; n < KI_CELLS; n++) sum.a[n] += w->rows[i].omega * a.a[n];
    }
    bool good = counts && ki_invert(&sum, w->p, &inverse);
    CHECK(good == counts);
    for (size_t i = 0; i < w->k; i++) {
        const ki_vote_row *it = &w->rows[i];
        double share = 0;
        if (counts && it->fate != KITH_VOTE_FLAGGED) {
            ki_vote_precision(it, w->p, tau2, &a);
            for (size_t c = 0; c < w->p; c++) {
                for (size_t d = 0; d < w->p; d++) {
                    share += inverse.a[ki_cell(c, d)] * it->omega * a.a[ki_cell(d, c)];
                }
            }
        }
        votes[it->leaf - leaves] = (kith_vote){ .fate = it->fate,
            .weight = share / (double) w->p,
            .residual = w->k < 2 ? NAN : sqrt(it->r2),
            .v_used = it->v.a[0] };
    }
}

static int decide(ki_votes *w, const kith_vector *own, const kith_pool_options *how,
    kith_answer *answers) {
    double m[KI_PARTS] = { 0 };
    kith_answer *first = &answers[0];
    first->robust = w->k >= ROBUST_K && !how->plain;
    if (w->k >= 2) {
        ki_votes_separate(w, first, m);
    } else {
        w->kept = w->k;
    }
    for (size_t c = 0; c < w->p; c++) {
        kith_answer a = *first;
        a.m = w->k >= 2 ? m[c] : 0;
        a.m_se = NAN; /* of several components together there is none yet */
        a.own_y = own ? own->y[c] : 0;
        a.own_v = own ? own->covariance[ki_cell(c, c)] : 0;
        a.insufficient = w->kept < a.quorum;
        a.missing = a.insufficient ? a.quorum - (uint32_t) w->kept : 0;
        answers[c] = a;
    }
    if (first->insufficient) {
        return 0;
    }
    int rc = fit_all(w, how, false, answers);
    rc = rc ? rc : fit_all(w, how, true, answers);
    if (rc) {
        return rc;
    }
    describe(w, answers);
    if (own) {
        shrink(w, own, answers);
    }
    return 0;
}

static int begin(ki_votes *w, const kith_vector *leaves, const kith_vector *own) {
    for (size_t i = 0; i < w->k; i++) {
        if (!legal(&leaves[i], w->p)) {
            return KITH_E_ARG;
        }
        ki_vote_row *it = &w->rows[i];
        *it = (ki_vote_row){ .leaf = &leaves[i], .omega = leaves[i].relevance };
        memcpy(it->y, leaves[i].y, sizeof it->y);
        memcpy(it->v.a, leaves[i].covariance, sizeof it->v.a);
    }
    if (own && !legal(own, w->p)) {
        return KITH_E_ARG;
    }
    qsort(w->rows, w->k, sizeof *w->rows, by_source);
    for (size_t i = 0; i < w->k; i++) {
        const uint8_t *source = w->rows[i].leaf->source;
        bool again = i > 0 && by_source(&w->rows[i], &w->rows[i - 1]) == 0;
        if (again || (own && memcmp(source, own->source, KITH_KEYID_SIZE) == 0)) {
            return KITH_E_ARG;
        }
    }
    return 0;
}

int kith_pool_vectors(const kith_vector *leaves, size_t count, const kith_vector *own,
    const kith_pool_options *options, kith_answer ret_answers[KITH_EFFECT_MAX],
    kith_vote *ret_votes) {
    CHECK(leaves != NULL || count == 0);
    CHECK(ret_answers != NULL);
    kith_pool_options how = options ? *options : (kith_pool_options){ .plain = false };
    how.quorum = how.quorum ? how.quorum : QUORUM;
    size_t p = count > 0 ? leaves[0].components : own ? own->components : 1;
    bool known =
        (unsigned) how.method <= KITH_POOL_REML && (unsigned) how.ci <= KITH_CI_WALD;
    if (!known || how.quorum < 2 || count > KITH_POOL_MAX || p < 1 || p > KI_PARTS) {
        return KITH_E_ARG;
    }
    ki_votes w = { .k = count, .p = p };
    w.rows = calloc(count + 1, sizeof *w.rows);
    w.parts = calloc(count + 1, sizeof *w.parts);
    w.scratch = calloc(count + 1, sizeof *w.scratch);
    int rc = w.rows && w.parts && w.scratch ? begin(&w, leaves, own) : KITH_E_MEMORY;
    kith_answer answers[KI_PARTS] = { { .k = (uint32_t) count,
        .quorum = how.quorum,
        .pairs = (uint64_t) count * (count - (count > 0)) / 2,
        .has_own = own != NULL } };
    rc = rc ? rc : decide(&w, own, &how, answers);
    if (rc == 0) {
        memcpy(ret_answers, answers, p * sizeof *answers);
        if (ret_votes) {
            tell_votes(&w, answers, leaves, ret_votes);
        }
    }
    free(w.rows);
    free(w.parts);
    free(w.scratch);
    return rc;
}
