/* SPDX-License-Identifier: Apache-2.0 */
/* trust.c - a source's claims against what came true: its calibration. */
#include <kith/trust.h>

#include "base/check.h"
#include "synthesis/fit.h"

#include <math.h>

#define FADE  0.98 /* an outcome has lost half of its say after 34 more */
#define PRIOR 2.0  /* cases as expected, which everybody begins with */
/* Where cases and weight end when outcomes never do; a hair for rounding. */
#define CASES_MAX    ((1 / (1 - FADE) + PRIOR) * (1 + 0x1p-30))
#define WEIGHT_MAX   (1 / (1 - FADE) * (1 + 0x1p-30))
#define HAIR         (1 - 0x1p-30)
#define STRANGER     0.25
#define SURPRISE_MAX 0x1p330 /* of one case (2 * 2^100)^2 / 2^-100, faded and summed */
#define SLACK_MAX    0x1p110 /* likewise */

void kith_trust_init(kith_trust *trust) {
    CHECK(trust != NULL);
    *trust = (kith_trust){ .surprise = PRIOR, .cases = PRIOR };
}

bool kith_trust_valid(const kith_trust *trust) {
    CHECK(trust != NULL);
    if (trust->outcomes == 0) {
        return trust->surprise == PRIOR && trust->cases == PRIOR && trust->slack == 0 &&
               trust->weight == 0;
    }
    return trust->surprise >= PRIOR * HAIR && trust->surprise <= SURPRISE_MAX &&
           trust->cases >= PRIOR && trust->cases <= CASES_MAX && trust->slack > 0 &&
           trust->slack <= SLACK_MAX && trust->weight >= HAIR &&
           trust->weight <= WEIGHT_MAX;
}

static bool legal(double y, double v) {
    return fabs(y) <= KI_EFFECT_MAX && v >= KI_VARIANCE_MIN && v <= KI_VARIANCE_MAX;
}

int kith_trust_score(kith_trust *trust, double y, double v, const kith_outcome *outcome) {
    CHECK(outcome != NULL);
    if (!kith_trust_valid(trust) || !legal(y, v) || !legal(outcome->o, outcome->v) ||
        !(outcome->tau2 >= 0 && outcome->tau2 <= KI_VARIANCE_MAX)) {
        return KITH_E_ARG;
    }
    /* Both the source and we differ from what is common, hence twice. */
    double slack = outcome->v + 2 * outcome->tau2, off = y - outcome->o;
    double again = (1 - FADE) * PRIOR;
    trust->surprise = FADE * trust->surprise + off * off / (v + slack) + again;
    trust->cases = FADE * trust->cases + 1 + again;
    trust->slack = FADE * trust->slack + slack;
    trust->weight = FADE * trust->weight + 1;
    trust->outcomes += trust->outcomes < UINT64_MAX;
    CHECK(kith_trust_valid(trust));
    return 0;
}

double kith_trust_phi(const kith_trust *trust) {
    CHECK(trust != NULL);
    CHECK(trust->cases >= PRIOR);
    return fmax(1, trust->surprise / trust->cases);
}

int kith_trust_apply(const kith_trust *trust, kith_leaf *leaf) {
    CHECK(leaf != NULL);
    if (!kith_trust_valid(trust) || !legal(leaf->y, leaf->v) ||
        !(leaf->relevance >= KI_RELEVANCE_MIN && leaf->relevance <= 1)) {
        return KITH_E_ARG;
    }
    double phi = kith_trust_phi(trust);
    double slack = trust->outcomes == 0 ? 0 : trust->slack / trust->weight;
    leaf->v = fmin(phi * leaf->v + (phi - 1) * slack, KI_VARIANCE_MAX);
    if (trust->outcomes < KITH_TRUST_KNOWN) {
        leaf->relevance = fmax(STRANGER * leaf->relevance, KI_RELEVANCE_MIN);
    }
    CHECK(leaf->v >= KI_VARIANCE_MIN);
    return 0;
}
