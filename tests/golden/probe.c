/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c - asks the library for numbers, one question a line on stdin:
 *   quantile norm|t|chi2 P DF
 *   fit METHOD CI K (Y V OMEGA) x K
 *   answer METHOD K (Y V) x K           the robust default
 *   shrink METHOD K (Y V OMEGA) x K Y V no robust step, and an own result
 *   plugin METHOD Y V K (Y V OMEGA) x K
 *   robust K (Y V) x K                  the robust step alone, inside
 *   sums K (Y V) x K, fixed X           128 bits, as h1=HIGH l1=LOW ...
 *   logit HITS TRIES, confidence Y C    evidence to effect and variance
 * and prints one line of "name=value" for each. check.py compares. */
#include <kith/synthesis.h>

#include "synthesis/robust.h"
#include "synthesis/sums.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kith_leaf leaves[KITH_POOL_MAX], own;
static kith_vote votes[KITH_POOL_MAX];

static double number(void) {
    char word[64];
    return scanf("%63s", word) == 1 ? strtod(word, NULL) : 0;
}

static size_t read_leaves(bool weighted) {
    size_t k = (size_t) number();
    for (size_t i = 0; i < k && i < KITH_POOL_MAX; i++) {
        leaves[i] = (kith_leaf){ .relevance = 1 };
        leaves[i].y = number();
        leaves[i].v = number();
        leaves[i].relevance = weighted ? number() : 1;
        leaves[i].source[0] = (uint8_t) (i >> 8);
        leaves[i].source[1] = (uint8_t) i;
    }
    return k;
}

static void show(const char *name, double x) {
    printf("%s=%.17g ", name, x);
}

static void show_fit(const kith_fit *f) {
    show("mu", f->mu), show("se", f->se), show("ci_low", f->ci_low);
    show("ci_high", f->ci_high), show("tau2", f->tau2), show("tau2_low", f->tau2_low);
    show("tau2_high", f->tau2_high), show("tau2_se", f->tau2_se), show("loglik", f->loglik);
    show("q", f->q), show("q_df", f->q_df), show("q_p", f->q_p), show("i2", f->i2);
    show("h2", f->h2), show("hk_q", f->hk_q), show("pi_low", f->pi_low);
    show("pi_high", f->pi_high), show("k_eff", f->k_eff), show("k", f->k);
}

static void ask_quantile(void) {
    char name[16];
    if (scanf("%15s", name) != 1) return;
    double p = number(), df = number();
    show("x", strcmp(name, "norm") == 0   ? kith_normal_quantile(p)
              : strcmp(name, "chi2") == 0 ? kith_chi2_quantile(p, df)
                                          : kith_t_quantile(p, df));
}

static void ask_fit(void) {
    int method = (int) number(), ci = (int) number();
    size_t k = read_leaves(true);
    kith_fit f;
    int rc = kith_pool_fit(leaves, k, (kith_pool_method) method, (kith_pool_ci) ci, &f);
    show("rc", rc);
    if (rc == 0) {
        show_fit(&f);
    }
}

static void ask_answer(bool with_own) {
    kith_pool_options options = { .quorum = 2 };
    kith_answer a;
    options.plain = with_own;
    options.method = (kith_pool_method) (int) number();
    size_t k = read_leaves(with_own);
    own = (kith_leaf){ .relevance = 1, .source = { 0xff } };
    own.y = with_own ? number() : 0;
    own.v = with_own ? number() : 1;
    int rc = kith_pool_answer(leaves, k, with_own ? &own : NULL, &options, &a, votes);
    show("rc", rc);
    if (rc != 0) return;
    show_fit(&a.kept);
    show("m", a.m), show("m_se", a.m_se), show("flagged", a.flagged);
    show("insufficient", a.insufficient), show("robust", a.robust);
    for (size_t i = 0; i < k; i++) {
        char name[32];
        snprintf(name, sizeof name, "r%zu", i);
        show(name, votes[i].residual);
        snprintf(name, sizeof name, "v%zu", i);
        show(name, votes[i].v_used);
        snprintf(name, sizeof name, "fate%zu", i);
        show(name, votes[i].fate);
    }
    if (a.has_shrunk) {
        show("mean", a.shrunk), show("sd", a.shrunk_sd);
        show("lo", a.shrunk_low), show("hi", a.shrunk_high);
    }
}

static void ask_plugin(void) {
    int method = (int) number();
    double y = number(), v = number(), theta, se;
    size_t k = read_leaves(true);
    kith_fit f;
    own = (kith_leaf){ .y = y, .v = v, .relevance = 1 };
    int rc = kith_pool_fit(leaves, k, (kith_pool_method) method, KITH_CI_WALD, &f);
    show("rc", rc);
    if (rc != 0) return;
    kith_pool_plugin(&own, &f, &theta, &se);
    show_fit(&f);
    show("theta", theta), show("theta_se", se);
}

static void ask_robust(void) {
    static ki_row rows[KITH_POOL_MAX];
    static ki_pair scratch[KITH_POOL_MAX];
    size_t k = read_leaves(false);
    if (ki_rows(leaves, k, rows) != 0) return;
    ki_cap(rows, k, scratch);
    ki_robust it = ki_robust_of(rows, k, scratch);
    show("start", it.start), show("tau2", it.tau2);
    for (size_t i = 0; i < k; i++) {
        printf("v%u=%.17g ", (unsigned) rows[i].at, rows[i].v);
        scratch[i] = (ki_pair){ rows[i].y, 0 };
    }
    qsort(scratch, k, sizeof *scratch, ki_pair_order);
    double qn = ki_qn(scratch, k);
    show("qn_raw", ki_qn_raw(scratch, k)), show("qn", qn);
    /* Every source with the scale Qn: a location with one common scale. */
    for (size_t i = 0; i < k; i++) {
        rows[i].v = qn > 0 ? qn * qn : 1;
    }
    show("tukey_unit", ki_robust_of(rows, k, scratch).m);
}

/* Two's complement in hex, as two words of 64 bits. */
static void show_bits(int n, kith_i128 x) {
    printf("bits%d=0x%016llx%016llx ", n, (unsigned long long) x.high,
        (unsigned long long) x.low);
}

static void ask_sums(void) {
    kith_sums sums = { 0 };
    double mu, q, tau2;
    size_t k = read_leaves(false);
    for (size_t i = 0; i < k; i++) {
        if (kith_sums_add(&sums, leaves[i].y, leaves[i].v) != 0) return;
    }
    if (kith_sums_derive(&sums, &mu, &q, &tau2) != 0) return;
    show("count", (double) sums.count);
    for (int i = 0; i < 4; i++) {
        show_bits(i + 1, sums.s[i]);
    }
    show("mu", mu), show("q", q), show("tau2", tau2);
}

static void ask_evidence(bool counts) {
    kith_content content = { .type = KITH_LEAF, .has = KITH_HAS_COUNTS };
    double a = number(), b = number(), y, v;
    uint8_t measure;
    content.hits = counts ? (uint32_t) a : 0;
    content.tries = counts ? (uint32_t) b : 0;
    if (!counts) {
        content.has = KITH_HAS_EFFECT | KITH_HAS_CONFIDENCE;
        content.effect[0] = a;
        content.confidence = (float) b;
    }
    int rc = kith_evidence_scalar(&content, &y, &v, &measure);
    show("rc", rc);
    if (rc == 0) {
        show("y", y), show("v", v);
    }
}

int main(void) {
    char word[16];
    while (scanf("%15s", word) == 1) {
        if (strcmp(word, "quantile") == 0) ask_quantile();
        if (strcmp(word, "fit") == 0) ask_fit();
        if (strcmp(word, "answer") == 0) ask_answer(false);
        if (strcmp(word, "shrink") == 0) ask_answer(true);
        if (strcmp(word, "robust") == 0) ask_robust();
        if (strcmp(word, "sums") == 0) ask_sums();
        if (strcmp(word, "fixed") == 0) show_bits(0, ki_fixed(number()));
        if (strcmp(word, "logit") == 0) ask_evidence(true);
        if (strcmp(word, "confidence") == 0) ask_evidence(false);
        if (strcmp(word, "plugin") == 0) ask_plugin();
        printf("\n");
    }
    return 0;
}
