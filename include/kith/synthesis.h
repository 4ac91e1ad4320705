/* SPDX-License-Identifier: Apache-2.0 */
/* kith/synthesis.h - from the evidence of many to one honest answer.
 *
 * Values in, values out: nothing here reads a clock, allocates from outside
 * bytes without a bound, or knows where a packet came from. The same inputs in
 * any order give the same bytes: leaves are sorted by source first. Formulas:
 * docs/synthesis.md.
 */
#ifndef KITH_SYNTHESIS_H
#define KITH_SYNTHESIS_H

#include <kith/packet.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_LEAVES_MAX (1u << 22) /* an accumulator refuses one more */
#define KITH_POOL_MAX   4096       /* sources in one answer from a store */

/* Exact, mergeable: S0 = count, S1 = sum w, S2 = sum w*w, S3 = sum w*y,
 * S4 = sum (w*y)*y, multiples of 2^-64 in 128 bits. Any order, split, merge,
 * duplicate or retraction gives the same bits. */
typedef struct kith_sums {
    uint64_t count;
    kith_i128 s[4];
} kith_sums;
/* E_ARG outside |y| <= 2^10, 2^-20 <= v <= 2^20, or nothing to remove; KITH_FULL
 * beyond KITH_LEAVES_MAX. What is removed must have been added. */
KITH_API KITH_MUST_USE int kith_sums_add(kith_sums *sums, double y, double v);
KITH_API KITH_MUST_USE int kith_sums_remove(kith_sums *sums, double y, double v);
KITH_API KITH_MUST_USE int kith_sums_merge(kith_sums *sums, const kith_sums *other);
/* mu, Q and tau2 of DerSimonian-Laird, one rounding each. E_ARG when empty, or when
 * a stranger's sums cannot be sums. */
KITH_API KITH_MUST_USE int kith_sums_derive(
    const kith_sums *sums, double *ret_mu, double *ret_q, double *ret_tau2);

/* Effect and variance of a packet's evidence, component 0: effects as they are,
 * counts as logit, confidence by the normal quantile; no variance below the
 * smallest legal one. E_ARG: nothing to pool (a retraction, a digest, a report, or
 * a confidence that carries no variance). */
KITH_API KITH_MUST_USE int kith_evidence_scalar(
    const kith_content *content, double *ret_y, double *ret_v, uint8_t *ret_measure);

/* One source's vote. */
typedef struct kith_leaf {
    double y, v;
    double relevance; /* 0 < omega <= 1; only ratios matter */
    uint8_t source[KITH_KEYID_SIZE];
    uint64_t n;       /* for display */
    int64_t t_end_us; /* for freshness */
    uint64_t tag;     /* the caller's: an arrival */
} kith_leaf;

typedef enum kith_pool_method {
    KITH_POOL_PM = 0, /* Paule-Mandel, the default */
    KITH_POOL_FE = 1,
    KITH_POOL_DL = 2,
    KITH_POOL_REML = 3,
} kith_pool_method;
typedef enum kith_pool_ci {
    KITH_CI_MHK = 0, /* modified Hartung-Knapp, the default */
    KITH_CI_HK = 1,
    KITH_CI_WALD = 2,
} kith_pool_ci;

/* One plain fit, every statistic of it; the building block of an answer. Fields
 * that do not exist for this k (or this method) are NaN. */
typedef struct kith_fit {
    uint32_t k;
    double k_eff;
    double mu, se, ci_low, ci_high;   /* se with the factor hk_q inside */
    double tau2, tau2_low, tau2_high; /* Q-profile; NaN when relevances differ */
    double tau2_se, loglik;           /* REML */
    double q, q_df, q_p;              /* Cochran's, at tau2 = 0 */
    double i2, h2;                    /* I2 in percent */
    double hk_q;                      /* the factor on the variance; 1 for WALD */
    double pi_low, pi_high;           /* t on k - 1; with WALD on k - 2 */
} kith_fit;
/* 1 to KITH_LEAVES_MAX leaves; |y| <= 2^100, 2^-100 <= v <= 2^100, relevance >= 2^-64,
 * else E_ARG. E_NOTSUP: REML of unequal relevances. */
KITH_API KITH_MUST_USE int kith_pool_fit(const kith_leaf *leaves, size_t count,
    kith_pool_method method, kith_pool_ci ci, kith_fit *ret_fit);

/* A row of a table from anywhere, that no packet could hold: any finite y, any positive
 * finite v. */
typedef struct kith_row {
    double y, v;
} kith_row;
/* Every method with every interval, and S1 to S4 as doubles. One row: no disagreement,
 * and NaN where t needs two. What is beyond a double is infinite. */
typedef struct kith_table {
    kith_fit fit[4][3]; /* by kith_pool_method, then by kith_pool_ci */
    double sums[4];
} kith_table;
/* 1 to KITH_LEAVES_MAX rows; the same in any order give the same bits. E_NOTSUP: beyond
 * 2^100, on a machine whose long double is a double. */
KITH_API KITH_MUST_USE int kith_table_fit(
    const kith_row *rows, size_t count, kith_table *ret_table);

typedef struct kith_pool_options {
    kith_pool_method method;
    kith_pool_ci ci;
    bool plain;      /* no robust step: everybody counts as claimed */
    uint32_t quorum; /* independent sources, at least 2; 0: the preset, 3 */
} kith_pool_options;

/* Why a leaf has the weight it has. */
enum {
    KITH_VOTE_KEPT = 0,
    KITH_VOTE_CAPPED = 1,  /* kept; claimed to be over 25 times as precise as the median */
    KITH_VOTE_FLAGGED = 2, /* left out: too far from the others */
};
typedef struct kith_vote {
    uint8_t fate;    /* KITH_VOTE_* */
    double weight;   /* of the kept, sums to 1 */
    double residual; /* distance from m in its own standard errors; >= 3 is far */
    double v_used;   /* after the cap */
} kith_vote;

/* What a node may say. `insufficient` first: then only k, quorum, missing and
 * the own result mean anything. It is also insufficient when fewer than the
 * quorum are left after the far ones are taken out; then flagged is not 0. */
typedef struct kith_answer {
    bool insufficient;
    uint32_t k, quorum, missing; /* independent sources, without the own */
    kith_fit kept;               /* the answer: estimate, interval, prediction */
    kith_fit plain;              /* everybody, no cap, no flag: to compare */
    bool robust;                 /* k >= 5, so liars can be named */
    double m, m_se;              /* the robust location and its error */
    uint32_t flagged, capped;
    bool alarm;       /* plain and kept differ by over 2 se, or over 1/4 flagged */
    double agreement; /* share of kept sources with the sign of mu */
    uint64_t pairs;   /* k(k-1)/2, a count and no more */
    int64_t newest_us, oldest_us;
    bool has_own;
    double own_y, own_v;
    bool has_shrunk; /* own averaged over tau; beyond 200 others tau is fixed */
    double shrunk, shrunk_sd, shrunk_low, shrunk_high;
    /* Of a store, by kith_ask_store: unsigned packets that counted, and that did not. */
    uint64_t unsigned_pooled, unsigned_left;
} kith_answer;

/* own and options may be NULL; own is never one of leaves. ret_votes, when not
 * NULL, has room for `count` and is written in the order of leaves. count above
 * KITH_LEAVES_MAX is E_ARG; one leaf per source is the caller's duty, a second one
 * is E_ARG. Ranges as above; legal leaves never give NaN in a field that means
 * something (plain, kept: see kith_fit). */
KITH_API KITH_MUST_USE int kith_pool_answer(const kith_leaf *leaves, size_t count,
    const kith_leaf *own, const kith_pool_options *options, kith_answer *ret_answer,
    kith_vote *ret_votes);

/* One source's vote on 1 to 4 components; covariance is a lower triangle by rows. */
typedef struct kith_vector {
    double y[KITH_EFFECT_MAX], covariance[10];
    double relevance;
    uint8_t components, source[KITH_KEYID_SIZE];
    int64_t t_end_us;
} kith_vector;
/* The same for several components at once, at most KITH_POOL_MAX votes: whoever is far
 * in all of them together is flagged, and what a source knows of one speaks for the
 * others. An answer for each component; k, flagged, capped are the same in all. The own
 * result is shrunk with tau2 held. E_ARG: other components, or a covariance that is not
 * positive definite. A vote's weight is the mean of its shares; v_used is the first's. */
KITH_API KITH_MUST_USE int kith_pool_vectors(const kith_vector *leaves, size_t count,
    const kith_vector *own, const kith_pool_options *options,
    kith_answer ret_answers[KITH_EFFECT_MAX], kith_vote *ret_votes);

/* 2^(-age / half life); 1 without one, and for what is not past. Never 0. */
KITH_API double kith_relevance_age(int64_t t_end_us, int64_t now_us, int64_t half_life_us);
/* No group, who enrolled a source, above a third of all weights when there are three.
 * group < count; weight > 0. */
KITH_API KITH_MUST_USE int kith_relevance_groups(
    const uint32_t *group, const double *weight, size_t count, double *ret_relevance);

/* Hodges and Lehmann: the median of the means (y_i + y_j) / 2 of all pairs i <= j, NaN of
 * none. Sorts y. Stands while fewer than 29 % lie, however loud. */
KITH_API double kith_hodges_lehmann(double *y, size_t count);

/* The own result shrunk with tau2 held at the fit's: quick, and its interval is
 * too narrow (docs/synthesis.md). The fit is of the others, with KITH_CI_WALD. */
KITH_API void kith_pool_plugin(
    const kith_leaf *own, const kith_fit *others, double *ret_theta, double *ret_se);

/* The state digest: SHA-256 over live slots in order of (fingerprint, key-id,
 * epoch, seq), then the sums of each (template, subject, component), of those
 * leaves that state an effect with its variance. Integers only, so it is equal on
 * every machine. Add in any order, at most 2^20 slots, then KITH_FULL; `new`
 * allocates, `add` may grow. A retraction or a digest holds no live slot: added,
 * it changes nothing. `finish` may be called again after more. */
typedef struct kith_state_digest kith_state_digest;
KITH_API KITH_MUST_USE int kith_state_digest_new(kith_state_digest **ret);
KITH_API KITH_MUST_USE int kith_state_digest_add(
    kith_state_digest *digest, const kith_content *content, const uint8_t id[KITH_ID_SIZE]);
KITH_API void kith_state_digest_finish(kith_state_digest *digest, uint8_t ret[32]);
KITH_API void kith_state_digest_free(kith_state_digest **digest);

/* Quantiles and distribution functions used above, golden-tested. */
KITH_API double kith_normal_quantile(double p);
KITH_API double kith_normal_cdf(double x);
KITH_API double kith_t_quantile(double p, double df);
KITH_API double kith_chi2_quantile(double p, double df);
KITH_API double kith_chi2_upper(double x, double df);

#ifdef __cplusplus
}
#endif
#endif
