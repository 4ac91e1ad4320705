/* SPDX-License-Identifier: Apache-2.0 */
/* Every range of docs/formats/packet.md, once. One function per optional part. */
#include "packet/part.h"

#include "address/subject.h"
#include "base/limits.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define COUNT_MAX 0x7fffffffu
#define EVIDENCE                                                                           \
    (KITH_HAS_EFFECT | KITH_HAS_COVARIANCE | KITH_HAS_COUNTS | KITH_HAS_CONFIDENCE |       \
        KITH_HAS_PRIVACY | KITH_HAS_DIGEST | KITH_HAS_SKETCH)
#define REPORT  (KITH_HAS_CONCLUSION | KITH_HAS_TEXT)
#define CONTEXT (KITH_HAS_CONTEXT16 | KITH_HAS_CONTEXT8)

/* One way to write a number: finite, no -0, nothing below the normal range. */
static bool plain(double x) {
    double a = fabs(x);
    return (a >= DBL_MIN && a <= DBL_MAX) || (a == 0 && !signbit(x));
}

static bool plain32(float x) {
    float a = fabsf(x);
    return (a >= FLT_MIN && a <= FLT_MAX) || (a == 0 && !signbit(x));
}

static bool leaf_parts(unsigned has) {
    switch (has & EVIDENCE) {
    case KITH_HAS_EFFECT | KITH_HAS_COVARIANCE:
    case KITH_HAS_EFFECT | KITH_HAS_COVARIANCE | KITH_HAS_PRIVACY:
    case KITH_HAS_EFFECT | KITH_HAS_CONFIDENCE:
    case KITH_HAS_COUNTS: return true;
    case KITH_HAS_CONFIDENCE:
    case 0: return (has & REPORT) != 0;
    default: return false;
    }
}

static bool parts_fit(unsigned type, unsigned has) {
    if ((has & CONTEXT) == CONTEXT) {
        return false;
    }
    switch (type) {
    case KITH_LEAF: return leaf_parts(has);
    case KITH_EVAL: return has == (KITH_HAS_EFFECT | KITH_HAS_COVARIANCE);
    case KITH_DIGEST: return (has & ~(unsigned) KITH_HAS_SKETCH) == KITH_HAS_DIGEST;
    default: return (has & EVIDENCE) == 0;
    }
}

static bool time_fits(const kith_content *c) {
    if (c->t_end_us < 1 || c->t_end_us > LIMIT_T_END_US) return false;
    if ((int64_t) c->span_s * 1000000 > c->t_end_us) return false;
    return c->ttl_s >= 1 && c->ttl_s <= LIMIT_TTL_S;
}

int ki_check_head(const kith_content *c) {
    if (c->type < KITH_LEAF || c->type > KITH_RETRACT) return KITH_R_TYPE;
    if ((c->has & ~PART_FLAGS) != 0) return KITH_R_FLAGS;
    if (!parts_fit(c->type, c->has)) return KITH_R_PARTS;
    if (c->epoch < 1 || c->epoch > INT64_MAX || c->seq > INT64_MAX) return KITH_R_ORDER;
    return time_fits(c) ? 0 : KITH_R_TIME;
}

/* Sync frames are no packets: their first token is kept free. */
int ki_check_subject(const char *subject, size_t length) {
    if (!ki_subject_ok(subject, length)) return KITH_R_SUBJECT;
    bool sys = length >= 4 && memcmp(subject, "_sys", 4) == 0 &&
               (length == 4 || subject[4] == '.');
    return sys ? KITH_R_SUBJECT : 0;
}

static bool measure_fits(const kith_content *c) {
    if (c->type == KITH_EVAL) {
        return c->measure == KITH_SCORE_GAIN && c->components == 1;
    }
    if (c->measure < KITH_MEAN || c->measure > KITH_LOG_MEAN_RATIO) return false;
    bool alone = (c->has & KITH_HAS_CONFIDENCE) != 0;
    return c->components >= 1 && c->components <= (alone ? 1 : KITH_EFFECT_MAX);
}

static int check_effect(const kith_content *c) {
    if (!measure_fits(c)) return KITH_R_MEASURE;
    if (c->n < 1 || c->n > COUNT_MAX) return KITH_R_COUNT;
    for (size_t i = 0; i < c->components; i++) {
        if (!plain(c->effect[i]) || fabs(c->effect[i]) > LIMIT_EFFECT) return KITH_R_NUMBER;
    }
    return 0;
}

/* The pivots D of L D L^T, row by row, each operation rounded once as written:
 * near the limit another order gives another answer, and nodes must agree. */
static bool pivots_fit(const double *a, size_t p) {
    double low[KITH_EFFECT_MAX][KITH_EFFECT_MAX], d[KITH_EFFECT_MAX];
    for (size_t i = 0; i < p; a += ++i) {
        double pivot = a[i];
        for (size_t j = 0; j < i; j++) {
            double u = a[j];
            for (size_t k = 0; k < j; k++) {
                u = u - low[i][k] * d[k] * low[j][k];
            }
            low[i][j] = u / d[j];
            pivot = pivot - u * low[i][j];
        }
        if (!(pivot >= LIMIT_PIVOT * a[i])) return false;
        d[i] = pivot;
    }
    return true;
}

static int check_covariance(const kith_content *c) {
    const double *a = c->covariance;
    for (size_t i = 0; i < part_triangle(c->components); i++) {
        if (!plain(a[i])) return KITH_R_NUMBER;
    }
    for (size_t i = 0; i < c->components; i++) {
        double v = a[part_triangle(i) + i];
        if (v < LIMIT_V_LOW || v > LIMIT_V_HIGH) return KITH_R_VARIANCE;
    }
    return pivots_fit(a, c->components) ? 0 : KITH_R_VARIANCE;
}

static int check_counts(const kith_content *c) {
    bool fits = c->hits <= c->tries && c->tries >= 1 && c->tries <= COUNT_MAX;
    return fits ? 0 : KITH_R_COUNT;
}

static int check_confidence(const kith_content *c) {
    if (!plain32(c->confidence)) return KITH_R_NUMBER;
    return c->confidence >= 0 && c->confidence <= 1 ? 0 : KITH_R_CONFIDENCE;
}

static int check_context16(const kith_content *c) {
    return c->context16_count >= 1 && c->context16_count <= CONTEXT16_MAX ? 0
                                                                          : KITH_R_CONTEXT;
}

static int check_context8(const kith_content *c) {
    return c->context8_count >= 1 && c->context8_count <= CONTEXT8_MAX ? 0 : KITH_R_CONTEXT;
}

static int check_privacy(const kith_content *c) {
    if (c->mechanism < 1 || c->mechanism > 2) return KITH_R_PRIVACY;
    if (!plain32(c->rho)) return KITH_R_NUMBER;
    if (c->rho < 0x1p-30f || c->rho > 0x1p6f) return KITH_R_PRIVACY;
    if (!plain32(c->v_dp)) return KITH_R_NUMBER;
    return c->v_dp >= 0x1p-40f && c->v_dp <= 0x1p20f ? 0 : KITH_R_PRIVACY;
}

static int check_conclusion(const kith_content *c) {
    return c->conclusion >= 1 ? 0 : KITH_R_CONCLUSION;
}

static int check_text(const kith_content *c) {
    return ki_text_ok(c->text, c->text_length) ? 0 : KITH_R_TEXT;
}

static bool above_zero(kith_i128 x) {
    return x.high <= INT64_MAX && (x.high | x.low) != 0;
}

/* Weights are positive, so S1 and S2 are; S4 is a sum of squares. */
static bool sums_fit(const kith_i128 s[4]) {
    return above_zero(s[0]) && above_zero(s[1]) && s[3].high <= INT64_MAX;
}

static bool zero(const uint8_t *bytes, size_t size) {
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++) any |= bytes[i];
    return any == 0;
}

static int check_digest(const kith_content *c) {
    if (c->digest.measure < KITH_MEAN || c->digest.measure > KITH_SCORE_GAIN ||
        c->digest.components < 1 || c->digest.components > KITH_EFFECT_MAX) {
        return KITH_R_DIGEST;
    }
    uint8_t level = c->digest.level;
    if (level > 13 && level != 255) return KITH_R_DIGEST;
    bool whole = level == 0 || level == 255;
    if (whole && !zero(c->digest.prefix, sizeof c->digest.prefix)) return KITH_R_DIGEST;
    if (c->digest.count < 1 || c->digest.count > LIMIT_DIGEST_LEAVES) return KITH_R_DIGEST;
    for (size_t i = 0; i < c->digest.components; i++) {
        if (!sums_fit(c->digest.sums[i])) return KITH_R_DIGEST;
    }
    return 0;
}

/* Four registers of six bits in three bytes, the first in the highest bits. */
static int check_sketch(const kith_content *c) {
    for (const uint8_t *p = c->sketch; p < c->sketch + sizeof c->sketch; p += 3) {
        uint32_t four = (uint32_t) p[0] << 16 | (uint32_t) p[1] << 8 | p[2];
        for (int shift = 0; shift < 24; shift += 6) {
            if ((four >> shift & 63) > 57) return KITH_R_SKETCH;
        }
    }
    return 0;
}

static int (*const checks[PART_COUNT])(const kith_content *c) = {
    check_effect,
    check_covariance,
    check_counts,
    check_confidence,
    check_context16,
    check_context8,
    check_privacy,
    check_conclusion,
    check_text,
    check_digest,
    check_sketch,
};

int ki_check_parts(const kith_content *c, uint16_t parts) {
    for (unsigned bit = 0; bit < PART_COUNT; bit++) {
        if ((parts >> bit & 1) == 0) continue;
        int r = checks[bit](c);
        if (r < 0) return r;
    }
    return 0;
}

static size_t at_most(size_t n, size_t max) {
    return n < max ? n : max;
}

size_t ki_part_size(const kith_content *c, unsigned bit) {
    size_t p = at_most(c->components, KITH_EFFECT_MAX);
    switch (1u << bit) {
    case KITH_HAS_EFFECT: return 6 + 8 * p;
    case KITH_HAS_COVARIANCE: return 8 * part_triangle(p);
    case KITH_HAS_COUNTS: return 8;
    case KITH_HAS_CONFIDENCE: return 4;
    case KITH_HAS_CONTEXT16: return 1 + 2 * at_most(c->context16_count, CONTEXT16_MAX);
    case KITH_HAS_CONTEXT8: return 1 + at_most(c->context8_count, CONTEXT8_MAX);
    case KITH_HAS_PRIVACY: return 9;
    case KITH_HAS_CONCLUSION: return 2;
    case KITH_HAS_TEXT: return 1u + c->text_length;
    case KITH_HAS_DIGEST:
        return DIGEST_HEAD + 64 * at_most(c->digest.components, KITH_EFFECT_MAX);
    default: return SKETCH_SIZE;
    }
}
