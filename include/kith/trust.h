/* SPDX-License-Identifier: Apache-2.0 */
/* kith/trust.h - whom to believe, learned from what came true later.
 *
 *   forecast ... own outcome --> how far off was each source?   --> its variance (vote)
 *                           \--> how likely did each rival call it? --> its weight (curate)
 *                            \-> did the pool help at all?      --> EVAL --> share (compete)
 *
 * Plain values: no memory, no clock, no lock; one thread owns each. What is scored is
 * the forecast made before the outcome was known: keeping it is the caller's duty. All
 * of this stays at home; only an EVAL says to others what a template gained. Formulas:
 * docs/synthesis.md, section 9. */
#ifndef KITH_TRUST_H
#define KITH_TRUST_H

#include <kith/synthesis.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_TRUST_KNOWN 5  /* outcomes before a source is no stranger */
#define KITH_EVAL_MIN    20 /* outcomes before a node may say what it gained */
#define KITH_RIVALS_MAX  64 /* templates, levels or networks that compete */

/* What the node itself measured later. */
typedef struct kith_outcome {
    double o, v;
    double tau2; /* between sources, as the forecast had it */
} kith_outcome;

/* The past of one source: surprise over what it should have been, both fading. */
typedef struct kith_trust {
    double surprise, cases; /* phi is the first over the second, at least 1 */
    double slack, weight;   /* fading sum of v_o + 2 tau2, and of ones */
    uint64_t outcomes;
} kith_trust;

KITH_API void kith_trust_init(kith_trust *trust);
/* A past that this page could have written; for what comes back from a file. */
KITH_API bool kith_trust_valid(const kith_trust *trust);
/* The source had said y with variance v. Ranges of kith_pool_fit, 0 <= tau2 <= 2^100;
 * E_ARG outside, and for a past that is not valid: nothing changes. */
KITH_API KITH_MUST_USE int kith_trust_score(
    kith_trust *trust, double y, double v, const kith_outcome *outcome);
/* How many times wider than claimed its errors were; never below 1. */
KITH_API double kith_trust_phi(const kith_trust *trust);
/* Before pooling: the variance as its past makes it, and a quarter of the relevance
 * while it is a stranger. E_ARG as above: the leaf does not change. */
KITH_API KITH_MUST_USE int kith_trust_apply(const kith_trust *trust, kith_leaf *leaf);

/* What was expected of the outcome before it came; var without the outcome's own. */
typedef struct kith_forecast {
    double mu, var;
} kith_forecast;
/* Of a pool: tau2 + se^2. */
KITH_API kith_forecast kith_forecast_of(const kith_fit *fit);
/* ln N(o; mu, var + v): higher is better. E_ARG: not finite, var < 0, v <= 0. */
KITH_API KITH_MUST_USE int kith_forecast_score(
    const kith_forecast *forecast, const kith_outcome *outcome, double *ret_score);

/* Curate. A running score: score = fade * score + now; fade 1 forgets nothing (then
 * the mixture loses at most ln M on the best of M), less than 1 follows change.
 * E_ARG: not finite, or 0 < fade <= 1 does not hold. */
KITH_API KITH_MUST_USE int kith_curate_add(double *score, double now, double fade);
/* Weights e^score, summing to 1; the same bits in any order of rivals. 1 to
 * KITH_RIVALS_MAX; all finite, else E_ARG. */
KITH_API KITH_MUST_USE int kith_curate_weights(
    const double *scores, size_t count, double *ret_weights);

/* Compete. What the pool was better than the own result alone, in nats per outcome;
 * {0} is the beginning. A single outcome counts for 1,024 nats at most. */
typedef struct kith_gain {
    uint64_t count;
    double mean, squares; /* squares: sum of (gain - mean)^2 */
} kith_gain;
KITH_API KITH_MUST_USE int kith_gain_add(
    kith_gain *gain, double pooled_score, double own_score);
/* What an EVAL says: effect, variance, n. KITH_EMPTY below KITH_EVAL_MIN outcomes. */
KITH_API KITH_MUST_USE int kith_gain_eval(
    const kith_gain *gain, double *ret_y, double *ret_v, uint32_t *ret_n);
/* The gain that many EVALs agree on, by the answer that every pool gets: robust, and 0
 * while it is insufficient. Whoever scores their sources applies that before.
 * ret_answer may be NULL. Errors of kith_pool_answer. */
KITH_API KITH_MUST_USE int kith_gain_pool(
    const kith_leaf *evals, size_t count, double *ret_gain, kith_answer *ret_answer);
/* Shares of attention, summing to 1: (1 - explore) * weights of score + 10 * gain, and
 * explore / count for each, so that nobody is without a chance. 0 <= explore <= 1; the
 * preset is KITH_EXPLORE. The same bits in any order of rivals. */
#define KITH_EXPLORE 0.05
KITH_API KITH_MUST_USE int kith_compete_shares(const double *scores, const double *gains,
    size_t count, double explore, double *ret_shares);
/* Whose turn it is: one roll of the caller's dice, any seed; it follows from seed, shares
 * and their order alone. E_ARG: no shares, too many, or they do not sum to 1. */
KITH_API KITH_MUST_USE int kith_compete_pick(
    const double *shares, size_t count, uint64_t *dice, size_t *ret_at);

#ifdef __cplusplus
}
#endif
#endif
