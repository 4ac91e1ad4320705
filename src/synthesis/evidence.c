/* SPDX-License-Identifier: Apache-2.0 */
/* evidence.c - what a packet says, as an effect and its variance. */
#include <kith/synthesis.h>

#include "base/check.h"
#include "base/limits.h"

#include <math.h>

/* The sums hold no variance below 2^-20, so nobody may be surer than that. */
static double at_least(double v) {
    return fmax(v, LIMIT_V_LOW);
}

/* logit of hits / tries; when either cell is empty, a half is added to both. */
static void logit(uint32_t hits, uint32_t tries, double *ret_y, double *ret_v) {
    CHECK(tries >= 1);
    CHECK(hits <= tries);
    double yes = hits, no = (double) tries - hits;
    if (hits == 0 || hits == tries) {
        yes += 0.5;
        no += 0.5;
    }
    CHECK(yes > 0);
    CHECK(no > 0);
    *ret_y = log(yes / no);
    *ret_v = at_least(1 / yes + 1 / no);
}

/* A confidence c above a half is the probability that the sign is right, so the
 * standard error is |y| / z(c). Any other says nothing about a variance. */
static int from_confidence(double y, double c, double *ret_v) {
    if (!(c > 0.5 && c <= 1)) {
        return KITH_E_ARG;
    }
    double se = fabs(y) / kith_normal_quantile(c), v = at_least(se * se);
    if (v > LIMIT_V_HIGH) {
        return KITH_E_ARG; /* too unsure to be told from nothing */
    }
    *ret_v = v;
    return 0;
}

int kith_evidence_scalar(
    const kith_content *content, double *ret_y, double *ret_v, uint8_t *ret_measure) {
    CHECK(content != NULL);
    CHECK(ret_y != NULL);
    CHECK(ret_v != NULL);
    CHECK(ret_measure != NULL);
    if (content->type != KITH_LEAF && content->type != KITH_EVAL) {
        return KITH_E_ARG;
    }
    if (content->has & KITH_HAS_COUNTS) {
        if (content->tries == 0 || content->hits > content->tries) {
            return KITH_E_ARG;
        }
        logit(content->hits, content->tries, ret_y, ret_v);
        *ret_measure = KITH_LOGIT;
        return 0;
    }
    double y = content->effect[0], v = content->covariance[0];
    if (!(content->has & KITH_HAS_EFFECT) || !(fabs(y) <= LIMIT_EFFECT)) {
        return KITH_E_ARG;
    }
    if (content->has & KITH_HAS_COVARIANCE) {
        if (!(v >= LIMIT_V_LOW && v <= LIMIT_V_HIGH)) {
            return KITH_E_ARG;
        }
    } else if (!(content->has & KITH_HAS_CONFIDENCE) ||
               from_confidence(y, (double) content->confidence, &v) != 0) {
        return KITH_E_ARG;
    }
    *ret_y = y;
    *ret_v = v;
    *ret_measure = content->measure;
    return 0;
}
