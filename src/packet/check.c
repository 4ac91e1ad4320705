/* SPDX-License-Identifier: Apache-2.0 */
/* Every range of docs/formats/packet.md, once, on the bytes themselves and in
 * their order. One function per optional part: first its count, then whether all
 * of it is there, then its values. */
#include "packet/part.h"

#include "address/subject.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/wire.h"

#include <math.h>
#include <string.h>

#define COUNT_MAX 0x7fffffffu
#define EVIDENCE                                                                           \
    (KITH_HAS_EFFECT | KITH_HAS_COVARIANCE | KITH_HAS_COUNTS | KITH_HAS_CONFIDENCE |       \
        KITH_HAS_PRIVACY | KITH_HAS_DIGEST | KITH_HAS_SKETCH)
#define REPORT  (KITH_HAS_CONCLUSION | KITH_HAS_TEXT)
#define CONTEXT (KITH_HAS_CONTEXT16 | KITH_HAS_CONTEXT8)

/* Where the check is. Nothing at or behind `end` is looked at as a field. */
typedef struct place {
    const uint8_t *at, *end;
    unsigned type, has, components;
} place;

/* The next n bytes, or NULL. */
static const uint8_t *take(place *w, size_t n) {
    CHECK_HOT(w->at <= w->end);
    if ((size_t) (w->end - w->at) < n) {
        return NULL;
    }
    const uint8_t *p = w->at;
    w->at += n;
    CHECK_HOT(w->at <= w->end);
    return p;
}

/* One way to write a number: finite, no -0, nothing below the normal range. */
static bool plain(uint64_t bits) {
    return bits == 0 || (bits >> 52 & 0x7ff) - 1 < 0x7fe;
}

static bool plain32(uint32_t bits) {
    return bits == 0 || (bits >> 23 & 0xff) - 1 < 0xfe;
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

static bool time_fits(const uint8_t *b) {
    uint64_t t_end = wire_get64(b + AT_T_END), span = wire_get32(b + AT_SPAN);
    uint32_t ttl = wire_get32(b + AT_TTL);
    if (t_end < 1 || t_end > LIMIT_T_END_US) return false;
    return span * 1000000 <= t_end && ttl >= 1 && ttl <= LIMIT_TTL_S;
}

static int check_head(const uint8_t *b) {
    unsigned type = b[AT_TYPE], has = wire_get16(b + AT_FLAGS);
    if (type < KITH_LEAF || type > KITH_RETRACT) return KITH_R_TYPE;
    if (has >> PART_COUNT != 0) return KITH_R_FLAGS;
    if (!parts_fit(type, has)) return KITH_R_PARTS;
    uint64_t epoch = wire_get64(b + AT_EPOCH), seq = wire_get64(b + AT_SEQ);
    if (epoch < 1 || epoch > INT64_MAX || seq > INT64_MAX) return KITH_R_ORDER;
    return time_fits(b) ? 0 : KITH_R_TIME;
}

/* Sync frames are no packets: their first token is kept free. */
static bool is_sys(const uint8_t *b, size_t length) {
    return length >= 4 && memcmp(b, "_sys", 4) == 0 && (length == 4 || b[4] == '.');
}

static int check_subject(place *w) {
    CHECK(w->at < w->end);
    size_t length = *w->at++;
    if (length < 1 || length > KITH_SUBJECT_MAX) return KITH_R_SUBJECT;
    const uint8_t *b = take(w, length);
    if (b == NULL) return KITH_R_LENGTH;
    return ki_subject_ok(b, length) && !is_sys(b, length) ? 0 : KITH_R_SUBJECT;
}

static bool measure_fits(const place *w, unsigned measure, unsigned p) {
    if (w->type == KITH_EVAL) {
        return measure == KITH_SCORE_GAIN && p == 1;
    }
    if (measure < KITH_MEAN || measure > KITH_LOG_MEAN_RATIO) return false;
    bool alone = (w->has & KITH_HAS_CONFIDENCE) != 0;
    return p >= 1 && p <= (alone ? 1 : KITH_EFFECT_MAX);
}

static int check_effect(place *w) {
    const uint8_t *b = take(w, 6);
    if (b == NULL) return KITH_R_LENGTH;
    if (!measure_fits(w, b[0], b[1])) return KITH_R_MEASURE;
    w->components = b[1];
    CHECK(w->components >= 1);
    CHECK(w->components <= KITH_EFFECT_MAX);
    const uint8_t *y = take(w, 8u * w->components);
    if (y == NULL) return KITH_R_LENGTH;
    uint32_t n = wire_get32(b + 2);
    if (n < 1 || n > COUNT_MAX) return KITH_R_COUNT;
    for (size_t i = 0; i < w->components; i++, y += 8) {
        bool fits = plain(wire_get64(y)) && fabs(wire_get_double(y)) <= LIMIT_EFFECT;
        if (!fits) return KITH_R_NUMBER;
    }
    return 0;
}

/* The pivots D of L D L^T, row by row, each operation rounded once as written:
 * near the limit another order gives another answer, and nodes must agree. */
static bool pivots_fit(const double *a, size_t p) {
    double low[KITH_EFFECT_MAX][KITH_EFFECT_MAX], d[KITH_EFFECT_MAX];
    CHECK(p <= KITH_EFFECT_MAX);
    for (size_t i = 0; i < p; i++, a += i) {
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

static int check_covariance(place *w) {
    double a[10];
    size_t p = w->components, count = part_triangle(p);
    CHECK(p >= 1); /* no covariance without an effect */
    CHECK(count <= sizeof a / sizeof *a);
    const uint8_t *b = take(w, 8 * count);
    if (b == NULL) return KITH_R_LENGTH;
    for (size_t i = 0; i < count; i++, b += 8) {
        if (!plain(wire_get64(b))) return KITH_R_NUMBER;
        a[i] = wire_get_double(b);
    }
    for (size_t i = 0; i < p; i++) {
        double v = a[part_triangle(i) + i];
        if (v < LIMIT_V_LOW || v > LIMIT_V_HIGH) return KITH_R_VARIANCE;
    }
    return p == 1 || pivots_fit(a, p) ? 0 : KITH_R_VARIANCE;
}

static int check_counts(place *w) {
    const uint8_t *b = take(w, 8);
    if (b == NULL) return KITH_R_LENGTH;
    uint32_t hits = wire_get32(b), tries = wire_get32(b + 4);
    return hits <= tries && tries >= 1 && tries <= COUNT_MAX ? 0 : KITH_R_COUNT;
}

static int check_confidence(place *w) {
    const uint8_t *b = take(w, 4);
    if (b == NULL) return KITH_R_LENGTH;
    if (!plain32(wire_get32(b))) return KITH_R_NUMBER;
    float x = wire_get_float(b);
    return x >= 0 && x <= 1 ? 0 : KITH_R_CONFIDENCE;
}

static int check_context(place *w, size_t max, size_t size) {
    CHECK_HOT(size >= 1);
    CHECK_HOT(max <= UINT8_MAX);
    const uint8_t *b = take(w, 1);
    if (b == NULL) return KITH_R_LENGTH;
    if (*b < 1 || *b > max) return KITH_R_CONTEXT;
    return take(w, *b * size) == NULL ? KITH_R_LENGTH : 0;
}

static int check_privacy(place *w) {
    const uint8_t *b = take(w, 9);
    if (b == NULL) return KITH_R_LENGTH;
    float rho = wire_get_float(b + 1), v_dp = wire_get_float(b + 5);
    if (*b < 1 || *b > 2) return KITH_R_PRIVACY;
    if (!plain32(wire_get32(b + 1))) return KITH_R_NUMBER;
    if (rho < 0x1p-30f || rho > 0x1p6f) return KITH_R_PRIVACY;
    if (!plain32(wire_get32(b + 5))) return KITH_R_NUMBER;
    return v_dp >= 0x1p-40f && v_dp <= 0x1p20f ? 0 : KITH_R_PRIVACY;
}

static int check_conclusion(place *w) {
    const uint8_t *b = take(w, 2);
    if (b == NULL) return KITH_R_LENGTH;
    return wire_get16(b) >= 1 ? 0 : KITH_R_CONCLUSION;
}

static int check_text(place *w) {
    const uint8_t *b = take(w, 1);
    if (b == NULL) return KITH_R_LENGTH;
    size_t length = *b;
    if (length < 1 || length > KITH_TEXT_MAX) return KITH_R_TEXT;
    b = take(w, length);
    if (b == NULL) return KITH_R_LENGTH;
    return ki_text_ok(b, length) ? 0 : KITH_R_TEXT;
}

static bool zero(const uint8_t *bytes, size_t size) {
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++) any |= bytes[i];
    return any == 0;
}

/* Level 0 is the whole space and 255 is no cell: neither has a prefix. */
static bool cell_fits(unsigned level, const uint8_t *prefix) {
    if (level > 13 && level != 255) return false;
    return (level != 0 && level != 255) || zero(prefix, 16);
}

/* Weights are positive, so S1 and S2 are; S4 is a sum of squares. */
static bool sums_fit(const uint8_t *b) {
    bool s1 = (b[0] & 0x80) == 0 && !zero(b, 16);
    bool s2 = (b[16] & 0x80) == 0 && !zero(b + 16, 16);
    return s1 && s2 && (b[48] & 0x80) == 0;
}

static int check_digest(place *w) {
    const uint8_t *b = take(w, DIGEST_HEAD);
    if (b == NULL) return KITH_R_LENGTH;
    unsigned measure = b[0], p = b[1];
    if (measure < KITH_MEAN || measure > KITH_SCORE_GAIN) return KITH_R_DIGEST;
    if (p < 1 || p > KITH_EFFECT_MAX) return KITH_R_DIGEST;
    const uint8_t *sums = take(w, 64u * p);
    if (sums == NULL) return KITH_R_LENGTH;
    uint64_t count = wire_get64(b + 19);
    if (!cell_fits(b[2], b + 3) || count < 1 || count > LIMIT_DIGEST_LEAVES) {
        return KITH_R_DIGEST;
    }
    for (size_t i = 0; i < p; i++, sums += 64) {
        if (!sums_fit(sums)) return KITH_R_DIGEST;
    }
    return 0;
}

/* Four registers of six bits in three bytes, the first in the highest bits. */
static int check_sketch(place *w) {
    const uint8_t *b = take(w, SKETCH_SIZE);
    if (b == NULL) return KITH_R_LENGTH;
    for (size_t i = 0; i < SKETCH_SIZE; i += 3) {
        uint32_t four = (uint32_t) b[i] << 16 | (uint32_t) b[i + 1] << 8 | b[i + 2];
        for (int shift = 0; shift < 24; shift += 6) {
            if ((four >> shift & 63) > 57) return KITH_R_SKETCH;
        }
    }
    return 0;
}

static int check_parts(place *w) {
    unsigned has = w->has;
    int r = 0;
    if (r == 0 && (has & KITH_HAS_EFFECT) != 0) r = check_effect(w);
    if (r == 0 && (has & KITH_HAS_COVARIANCE) != 0) r = check_covariance(w);
    if (r == 0 && (has & KITH_HAS_COUNTS) != 0) r = check_counts(w);
    if (r == 0 && (has & KITH_HAS_CONFIDENCE) != 0) r = check_confidence(w);
    if (r == 0 && (has & KITH_HAS_CONTEXT16) != 0) r = check_context(w, CONTEXT16_MAX, 2);
    if (r == 0 && (has & KITH_HAS_CONTEXT8) != 0) r = check_context(w, CONTEXT8_MAX, 1);
    if (r == 0 && (has & KITH_HAS_PRIVACY) != 0) r = check_privacy(w);
    if (r == 0 && (has & KITH_HAS_CONCLUSION) != 0) r = check_conclusion(w);
    if (r == 0 && (has & KITH_HAS_TEXT) != 0) r = check_text(w);
    if (r == 0 && (has & KITH_HAS_DIGEST) != 0) r = check_digest(w);
    if (r == 0 && (has & KITH_HAS_SKETCH) != 0) r = check_sketch(w);
    return r;
}

int ki_packet_check(const uint8_t *bytes, size_t length, size_t max) {
    CHECK(bytes != NULL || length == 0);
    CHECK(max <= PART_LENGTH_MAX);
    if (length == 0) return KITH_R_LENGTH;
    if (bytes[0] != KITH_PACKET_VERSION) return KITH_R_VERSION;
    if (length < PART_LENGTH_MIN || length > max) return KITH_R_LENGTH;
    int r = check_head(bytes);
    if (r < 0) return r;
    place w = {
        .at = bytes + AT_SUBJECT,
        .end = bytes + length - KITH_SIGNATURE_SIZE,
        .type = bytes[AT_TYPE],
        .has = wire_get16(bytes + AT_FLAGS),
    };
    r = check_subject(&w);
    if (r == 0) r = check_parts(&w);
    if (r < 0) return r;
    CHECK(w.at <= w.end);
    return w.at == w.end ? 0 : KITH_R_LENGTH;
}
