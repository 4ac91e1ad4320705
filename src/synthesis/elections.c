/* SPDX-License-Identifier: Apache-2.0 */
/* elections.c - rival templates by how likely they called what came true, and by
 * what others say they gained. */
#include <kith/trust.h>

#include "base/check.h"
#include "base/dice.h"
#include "base/limits.h"

#include <math.h>
#include <stdlib.h>

#define GAIN_SAYS 10.0         /* a pooled gain of one nat counts for ten of one's own */
#define GAIN_MAX  LIMIT_EFFECT /* of one outcome: what an EVAL can hold */

kith_forecast kith_forecast_of(const kith_fit *fit) {
    CHECK(fit != NULL);
    return (kith_forecast){ fit->mu, fit->tau2 + fit->se * fit->se };
}

int kith_forecast_score(
    const kith_forecast *forecast, const kith_outcome *outcome, double *ret_score) {
    CHECK(forecast != NULL);
    CHECK(outcome != NULL);
    double var = forecast->var + outcome->v, off = outcome->o - forecast->mu;
    if (!(forecast->var >= 0) || !(outcome->v > 0) || !isfinite(var)) {
        return KITH_E_ARG;
    }
    double score = -0.5 * (log(2 * M_PI) + log(var) + off * off / var);
    if (!isfinite(score)) {
        return KITH_E_ARG;
    }
    *ret_score = score;
    return 0;
}

int kith_curate_add(double *score, double now, double fade) {
    CHECK(score != NULL);
    double next = fade * *score + now;
    if (!(fade > 0 && fade <= 1) || !isfinite(next)) {
        return KITH_E_ARG;
    }
    *score = next;
    return 0;
}

static int smallest_first(const void *a, const void *b) {
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

/* Summed from the smallest, so that the order of rivals is not in the last bit. */
static double total(const double *numbers, size_t count) {
    double sorted[KITH_RIVALS_MAX], sum = 0;
    CHECK(count <= KITH_RIVALS_MAX);
    for (size_t i = 0; i < count; i++) sorted[i] = numbers[i];
    qsort(sorted, count, sizeof *sorted, smallest_first);
    for (size_t i = 0; i < count; i++) sum += sorted[i];
    return sum;
}

int kith_curate_weights(const double *scores, size_t count, double *ret_weights) {
    if (count < 1 || count > KITH_RIVALS_MAX) {
        return KITH_E_ARG;
    }
    double best = -INFINITY, weights[KITH_RIVALS_MAX];
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(scores[i])) return KITH_E_ARG;
        best = fmax(best, scores[i]);
    }
    for (size_t i = 0; i < count; i++) weights[i] = exp(scores[i] - best);
    double sum = total(weights, count);
    CHECK(sum >= 1 && sum <= KITH_RIVALS_MAX);
    for (size_t i = 0; i < count; i++) ret_weights[i] = weights[i] / sum;
    return 0;
}

/* A mean and a sum of squares that nothing cancels in (Welford). */
int kith_gain_add(kith_gain *gain, double pooled_score, double own_score) {
    CHECK(gain != NULL);
    double now = pooled_score - own_score;
    if (!isfinite(now) || !(fabs(gain->mean) <= GAIN_MAX) || !(gain->squares >= 0) ||
        gain->count == UINT64_MAX) {
        return KITH_E_ARG;
    }
    now = fmax(-GAIN_MAX, fmin(now, GAIN_MAX));
    double off = now - gain->mean;
    gain->count++;
    gain->mean += off / (double) gain->count;
    gain->mean = fmax(-GAIN_MAX, fmin(gain->mean, GAIN_MAX));
    gain->squares += fmax(0, off * (now - gain->mean));
    return 0;
}

int kith_gain_eval(const kith_gain *gain, double *ret_y, double *ret_v, uint32_t *ret_n) {
    CHECK(gain != NULL);
    if (!(fabs(gain->mean) <= GAIN_MAX) || !(gain->squares >= 0)) {
        return KITH_E_ARG;
    }
    if (gain->count < KITH_EVAL_MIN) {
        return KITH_EMPTY;
    }
    double m = (double) gain->count;
    double v = gain->squares / (m - 1) / m;
    *ret_y = gain->mean;
    *ret_v = fmax(LIMIT_V_LOW, fmin(v, LIMIT_V_HIGH));
    *ret_n = gain->count > INT32_MAX ? INT32_MAX : (uint32_t) gain->count;
    return 0;
}

int kith_gain_pool(
    const kith_leaf *evals, size_t count, double *ret_gain, kith_answer *ret_answer) {
    CHECK(ret_gain != NULL);
    kith_answer answer;
    int r = kith_pool_answer(evals, count, NULL, NULL, &answer, NULL);
    if (r != 0) {
        return r;
    }
    *ret_gain = answer.insufficient ? 0 : answer.kept.mu;
    if (ret_answer != NULL) {
        *ret_answer = answer;
    }
    return 0;
}

int kith_compete_shares(const double *scores, const double *gains, size_t count,
    double explore, double *ret_shares) {
    double sums[KITH_RIVALS_MAX];
    if (count < 1 || count > KITH_RIVALS_MAX || !(explore >= 0 && explore <= 1)) {
        return KITH_E_ARG;
    }
    for (size_t i = 0; i < count; i++) sums[i] = scores[i] + GAIN_SAYS * gains[i];
    int r = kith_curate_weights(sums, count, sums);
    if (r != 0) {
        return r;
    }
    for (size_t i = 0; i < count; i++) {
        ret_shares[i] = (1 - explore) * sums[i] + explore / (double) count;
    }
    return 0;
}

int kith_compete_pick(const double *shares, size_t count, uint64_t *dice, size_t *ret_at) {
    CHECK(dice != NULL);
    CHECK(ret_at != NULL);
    if (count < 1 || count > KITH_RIVALS_MAX) {
        return KITH_E_ARG;
    }
    double sum = 0, run = 0;
    for (size_t i = 0; i < count; i++) {
        if (!(shares[i] >= 0)) return KITH_E_ARG;
        sum += shares[i];
    }
    if (!(fabs(sum - 1) <= 0x1p-30)) {
        return KITH_E_ARG;
    }
    double at = (double) (dice_roll(dice) >> 11) * 0x1p-53 * sum;
    size_t last = 0;
    for (size_t i = 0; i < count; i++) {
        run += shares[i];
        if (shares[i] > 0) last = i;
        if (at < run) break;
    }
    *ret_at = last;
    return 0;
}
