/* SPDX-License-Identifier: Apache-2.0 */
/* Every range, both ends, both directions: what encode refuses, decode refuses for
 * the same reason when the bytes come from elsewhere. */
#include "base/wire.h"
#include "packet/part.h"
#include "packet/samples.h"

#include "test.h"

#include <float.h>
#include <stddef.h>

#define EFFECT    (KITH_HAS_EFFECT | KITH_HAS_COVARIANCE)
#define AT(field) offsetof(kith_content, field)

static kith_content leaf(unsigned has) {
    return (kith_content){
        .type = KITH_LEAF,
        .has = (uint16_t) has,
        .epoch = 1,
        .t_end_us = 1700000000000000,
        .span_s = 60,
        .ttl_s = 604800,
        .address = { "iot.hvac" },
        .measure = KITH_MEAN,
        .components = 1,
        .n = 20,
        .effect = { 0.25 },
        .covariance = { 0.5 },
        .hits = 3,
        .tries = 5,
        .confidence = 0.5f,
        .context16_count = 1,
        .context8_count = 1,
        .mechanism = 1,
        .rho = 1,
        .v_dp = 1,
        .conclusion = 1,
        .text_length = 2,
        .text = "ok",
    };
}

typedef enum kind {
    U8,
    U16,
    U32,
    U64,
    F32,
    F64
} kind;

static void put(kith_content *c, size_t at, kind k, double x, uint64_t bits) {
    uint8_t *to = (uint8_t *) c + at;
    float f = (float) x;
    switch (k) {
    case U8: *to = (uint8_t) bits; break;
    case U16: memcpy(to, &(uint16_t){ (uint16_t) bits }, 2); break;
    case U32: memcpy(to, &(uint32_t){ (uint32_t) bits }, 4); break;
    case U64: memcpy(to, &bits, 8); break;
    case F32: memcpy(to, &f, 4); break;
    case F64: memcpy(to, &x, 8); break;
    }
}

#define P (EFFECT | KITH_HAS_PRIVACY)
#define C (KITH_HAS_EFFECT | KITH_HAS_CONFIDENCE)

/* clang-format off */
static const struct {
    unsigned has;
    size_t at;
    kind kind;
    uint64_t bits;
    int code;
} whole[] = {
    { EFFECT, AT(type), U8, 0, KITH_R_TYPE },
    { EFFECT, AT(type), U8, 5, KITH_R_TYPE },
    { EFFECT, AT(epoch), U64, 0, KITH_R_ORDER },
    { EFFECT, AT(epoch), U64, INT64_MAX, 0 },
    { EFFECT, AT(epoch), U64, 1ull << 63, KITH_R_ORDER },
    { EFFECT, AT(seq), U64, 0, 0 },
    { EFFECT, AT(seq), U64, INT64_MAX, 0 },
    { EFFECT, AT(seq), U64, 1ull << 63, KITH_R_ORDER },
    { EFFECT, AT(t_end_us), U64, 0, KITH_R_TIME },
    { EFFECT, AT(t_end_us), U64, UINT64_MAX, KITH_R_TIME },
    { EFFECT, AT(t_end_us), U64, 59999999, KITH_R_TIME }, /* the span is 60 s */
    { EFFECT, AT(t_end_us), U64, 60000000, 0 },
    { EFFECT, AT(t_end_us), U64, 253402300799999999, 0 },
    { EFFECT, AT(t_end_us), U64, 253402300800000000, KITH_R_TIME },
    { EFFECT, AT(span_s), U32, 1700000000, 0 },
    { EFFECT, AT(span_s), U32, 1700000001, KITH_R_TIME },
    { EFFECT, AT(ttl_s), U32, 0, KITH_R_TIME },
    { EFFECT, AT(ttl_s), U32, 1, 0 },
    { EFFECT, AT(ttl_s), U32, 315576000, 0 },
    { EFFECT, AT(ttl_s), U32, 315576001, KITH_R_TIME },
    { EFFECT, AT(measure), U8, 0, KITH_R_MEASURE },
    { EFFECT, AT(measure), U8, 8, 0 },
    { EFFECT, AT(measure), U8, 9, KITH_R_MEASURE },
    { EFFECT, AT(measure), U8, 255, KITH_R_MEASURE },
    { EFFECT, AT(components), U8, 0, KITH_R_MEASURE },
    { EFFECT, AT(components), U8, 5, KITH_R_MEASURE },
    { EFFECT, AT(components), U8, 255, KITH_R_MEASURE },
    { C, AT(components), U8, 2, KITH_R_MEASURE },
    { EFFECT, AT(n), U32, 0, KITH_R_COUNT },
    { EFFECT, AT(n), U32, 1, 0 },
    { EFFECT, AT(n), U32, INT32_MAX, 0 },
    { EFFECT, AT(n), U32, (uint32_t) -5, KITH_R_COUNT },
    { KITH_HAS_COUNTS, AT(hits), U32, 5, 0 },
    { KITH_HAS_COUNTS, AT(hits), U32, 6, KITH_R_COUNT },
    { KITH_HAS_COUNTS, AT(tries), U32, 0, KITH_R_COUNT },
    { KITH_HAS_COUNTS, AT(tries), U32, INT32_MAX, 0 },
    { KITH_HAS_COUNTS, AT(tries), U32, 1u << 31, KITH_R_COUNT },
    { P, AT(mechanism), U8, 0, KITH_R_PRIVACY },
    { P, AT(mechanism), U8, 2, 0 },
    { P, AT(mechanism), U8, 3, KITH_R_PRIVACY },
    { KITH_HAS_CONCLUSION, AT(conclusion), U16, 0, KITH_R_CONCLUSION },
    { KITH_HAS_CONCLUSION, AT(conclusion), U16, 65535, 0 },
    { KITH_HAS_TEXT, AT(text_length), U8, 0, KITH_R_TEXT },
    { KITH_HAS_TEXT, AT(text_length), U8, 161, KITH_R_TEXT },
    { KITH_HAS_TEXT | KITH_HAS_CONTEXT16, AT(context16_count), U8, 0, KITH_R_CONTEXT },
    { KITH_HAS_TEXT | KITH_HAS_CONTEXT16, AT(context16_count), U8, 16, 0 },
    { KITH_HAS_TEXT | KITH_HAS_CONTEXT16, AT(context16_count), U8, 17, KITH_R_CONTEXT },
    { KITH_HAS_TEXT | KITH_HAS_CONTEXT8, AT(context8_count), U8, 0, KITH_R_CONTEXT },
    { KITH_HAS_TEXT | KITH_HAS_CONTEXT8, AT(context8_count), U8, 64, 0 },
    { KITH_HAS_TEXT | KITH_HAS_CONTEXT8, AT(context8_count), U8, 65, KITH_R_CONTEXT },
};

static const struct {
    unsigned has;
    size_t at;
    kind kind;
    double x;
    int code;
} real[] = {
    { EFFECT, AT(effect), F64, NAN, KITH_R_NUMBER },
    { EFFECT, AT(effect), F64, INFINITY, KITH_R_NUMBER },
    { EFFECT, AT(effect), F64, -INFINITY, KITH_R_NUMBER },
    { EFFECT, AT(effect), F64, -0.0, KITH_R_NUMBER },
    { EFFECT, AT(effect), F64, 0.0, 0 },
    { EFFECT, AT(effect), F64, 0x1p-1074, KITH_R_NUMBER },
    { EFFECT, AT(effect), F64, -0x0.fffffffffffffp-1022, KITH_R_NUMBER },
    { EFFECT, AT(effect), F64, DBL_MIN, 0 },
    { EFFECT, AT(effect), F64, 1024, 0 },
    { EFFECT, AT(effect), F64, -1024, 0 },
    { EFFECT, AT(effect), F64, 0x1.0000000000001p10, KITH_R_NUMBER },
    { EFFECT, AT(effect), F64, -DBL_MAX, KITH_R_NUMBER },
    { EFFECT, AT(covariance), F64, NAN, KITH_R_NUMBER },
    { EFFECT, AT(covariance), F64, INFINITY, KITH_R_NUMBER },
    { EFFECT, AT(covariance), F64, -0.0, KITH_R_NUMBER },
    { EFFECT, AT(covariance), F64, DBL_MIN / 2, KITH_R_NUMBER },
    { EFFECT, AT(covariance), F64, 0, KITH_R_VARIANCE },
    { EFFECT, AT(covariance), F64, -1, KITH_R_VARIANCE },
    { EFFECT, AT(covariance), F64, 0x1p-20, 0 },
    { EFFECT, AT(covariance), F64, 0x1.fffffffffffffp-21, KITH_R_VARIANCE },
    { EFFECT, AT(covariance), F64, 0x1p20, 0 },
    { EFFECT, AT(covariance), F64, 0x1.0000000000001p20, KITH_R_VARIANCE },
    { C, AT(confidence), F32, NAN, KITH_R_NUMBER },
    { C, AT(confidence), F32, INFINITY, KITH_R_NUMBER },
    { C, AT(confidence), F32, -0.0, KITH_R_NUMBER },
    { C, AT(confidence), F32, FLT_MIN / 2, KITH_R_NUMBER },
    { C, AT(confidence), F32, -FLT_MIN, KITH_R_CONFIDENCE },
    { C, AT(confidence), F32, 0, 0 },
    { C, AT(confidence), F32, 1, 0 },
    { C, AT(confidence), F32, 1 + FLT_EPSILON, KITH_R_CONFIDENCE },
    { C, AT(confidence), F32, 1e30, KITH_R_CONFIDENCE },
    { P, AT(rho), F32, NAN, KITH_R_NUMBER },
    { P, AT(rho), F32, 0, KITH_R_PRIVACY },
    { P, AT(rho), F32, 0x1p-30, 0 },
    { P, AT(rho), F32, 0x1.fffffep-31, KITH_R_PRIVACY },
    { P, AT(rho), F32, 64, 0 },
    { P, AT(rho), F32, 0x1.000002p6, KITH_R_PRIVACY },
    { P, AT(v_dp), F32, -INFINITY, KITH_R_NUMBER },
    { P, AT(v_dp), F32, -1, KITH_R_PRIVACY },
    { P, AT(v_dp), F32, 0x1p-40, 0 },
    { P, AT(v_dp), F32, 0x1.fffffep-41, KITH_R_PRIVACY },
    { P, AT(v_dp), F32, 0x1p20, 0 },
    { P, AT(v_dp), F32, 0x1.000002p20, KITH_R_PRIVACY },
};
/* clang-format on */

/* Where a field of the content stands in the packet of `c`, or 0. */
static size_t wire_at(const kith_content *c, size_t at) {
    kith_field rows[KITH_FIELDS_MAX];
    size_t total, base = 0, n = kith_packet_fields(c, rows, KITH_FIELDS_MAX, &total);
    static const struct {
        size_t at;
        const char *part;
        size_t inside;
    } where[] = { { AT(type), "type", 0 }, { AT(epoch), "epoch", 0 }, { AT(seq), "seq", 0 },
        { AT(t_end_us), "t_end", 0 }, { AT(span_s), "span", 0 }, { AT(ttl_s), "ttl", 0 },
        { AT(measure), "effect", 0 }, { AT(components), "effect", 1 },
        { AT(n), "effect", 2 }, { AT(effect), "effect", 6 },
        { AT(covariance), "covariance", 0 }, { AT(hits), "counts", 0 },
        { AT(tries), "counts", 4 }, { AT(confidence), "confidence", 0 },
        { AT(mechanism), "privacy", 0 }, { AT(rho), "privacy", 1 },
        { AT(v_dp), "privacy", 5 }, { AT(conclusion), "conclusion", 0 },
        { AT(text_length), "text", 0 }, { AT(context16_count), "context16", 0 },
        { AT(context8_count), "context8", 0 } };
    for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
        for (size_t k = 0; where[i].at == at && k < n; k++) {
            if (strcmp(rows[k].name, where[i].part) == 0) {
                base = rows[k].offset + where[i].inside;
            }
        }
    }
    return base;
}

static void put_wire(uint8_t *to, kind k, double x, uint64_t bits) {
    switch (k) {
    case U8: *to = (uint8_t) bits; break;
    case U16: wire_put16(to, (uint16_t) bits); break;
    case U32: wire_put32(to, (uint32_t) bits); break;
    case U64: wire_put64(to, bits); break;
    case F32: wire_put_float(to, (float) x); break;
    case F64: wire_put_double(to, x); break;
    }
}

/* Counts move what stands behind them, so only encode is asked about the good ones. */
static bool counts(size_t at) {
    return at == AT(components) || at == AT(text_length) || at == AT(context16_count) ||
           at == AT(context8_count);
}

static bool agrees(unsigned has, size_t at, kind k, double x, uint64_t bits, int code) {
    kith_content good = leaf(has), c = good, back;
    kith_packet p, was;
    put(&c, at, k, x, bits);
    memset(&p, 0x5a, sizeof p);
    was = p;
    int r = kith_packet_encode(&c, &p);
    if (r != code || (code < 0 && memcmp(&p, &was, sizeof p) != 0)) {
        printf("# offset %zu: encode says %d, not %d\n", at, r, code);
        return false;
    }
    if (counts(at) && code == 0) return true;
    size_t there = wire_at(&good, at);
    if (there == 0 || kith_packet_encode(&good, &p) < 0) return false;
    put_wire(p.bytes + there, k, x, bits);
    r = kith_packet_decode(p.bytes, p.length, &back);
    if (r != code) printf("# offset %zu: decode says %d, not %d\n", at, r, code);
    return r == code;
}

static void w3_numbers_out_of_range_are_refused_both_ways(void) {
    int refused = 0;
    for (size_t i = 0; i < sizeof real / sizeof *real; i++) {
        EXPECT(agrees(real[i].has, real[i].at, real[i].kind, real[i].x, 0, real[i].code));
        refused += real[i].code < 0;
    }
    printf(
        "# %d refused, %d taken\n", refused, (int) (sizeof real / sizeof *real) - refused);
}

static void w3_whole_numbers_out_of_range_are_refused_both_ways(void) {
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        EXPECT(agrees(
            whole[i].has, whole[i].at, whole[i].kind, 0, whole[i].bits, whole[i].code));
    }
}

static void seedbug_08_negative_counts_and_short_frames_are_refused(void) {
    const uint8_t frame[28] = { KITH_PACKET_VERSION };
    kith_content back;
    for (uint64_t n = 1; n <= 5; n++) {
        EXPECT(agrees(EFFECT, AT(n), U32, 0, 0 - n, KITH_R_COUNT));
        EXPECT(agrees(KITH_HAS_COUNTS, AT(hits), U32, 0, 0 - n, KITH_R_COUNT));
    }
    for (size_t n = 0; n < sizeof frame; n++) {
        EXPECT_INT(kith_packet_decode(frame, n, &back), KITH_R_LENGTH);
    }
}

static void seedbug_09_no_bits_of_nan_pass(void) {
    for (int bit = 0; bit < 52; bit++) {
        for (int sign = 0; sign < 2; sign++) {
            uint64_t bits = (uint64_t) sign << 63 | 0x7ffull << 52 | 1ull << bit;
            double x;
            memcpy(&x, &bits, 8);
            EXPECT(isnan(x));
            EXPECT(agrees(EFFECT, AT(effect), F64, x, 0, KITH_R_NUMBER));
            EXPECT(agrees(EFFECT, AT(covariance), F64, x, 0, KITH_R_NUMBER));
        }
    }
}

/* Any field of four components or ten covariances, not only the first. */
static void w3_no_place_is_forgotten(void) {
    for (size_t p = 1; p <= KITH_EFFECT_MAX; p++) {
        kith_content good = leaf(EFFECT), c;
        kith_packet packet;
        good.components = (uint8_t) p;
        for (size_t i = 0; i < p; i++) good.covariance[part_triangle(i) + i] = 1;
        EXPECT_INT(kith_packet_encode(&good, &packet), 0);
        for (size_t i = 0; i < p; i++) {
            c = good;
            c.effect[i] = NAN;
            EXPECT_INT(kith_packet_encode(&c, &packet), KITH_R_NUMBER);
        }
        for (size_t i = 0; i < part_triangle(p); i++) {
            c = good;
            c.covariance[i] = -0.0;
            EXPECT_INT(kith_packet_encode(&c, &packet), KITH_R_NUMBER);
        }
        for (size_t i = 0; i < p; i++) {
            c = good;
            c.covariance[part_triangle(i) + i] = 0x1p21;
            EXPECT_INT(kith_packet_encode(&c, &packet), KITH_R_VARIANCE);
        }
    }
}

static int covariance(size_t p, const double *a) {
    kith_content c = leaf(EFFECT);
    kith_packet packet;
    c.components = (uint8_t) p;
    memcpy(c.covariance, a, part_triangle(p) * sizeof *a);
    return kith_packet_encode(&c, &packet);
}

static void a_covariance_must_be_positive_definite(void) {
    const double edge = 1 - 0x1p-20, over = 0x1.fffffp-1;
    EXPECT_INT(covariance(2, (const double[]){ 1, 1, 1 }), KITH_R_VARIANCE);
    EXPECT_INT(covariance(2, (const double[]){ 1, 2, 1 }), KITH_R_VARIANCE);
    EXPECT_INT(covariance(2, (const double[]){ 1, -0.999, 1 }), 0);
    /* 1 - x*x against 2^-20: the root of 1 - 2^-20, one step below and above. */
    double x = sqrt(edge);
    EXPECT_INT(covariance(2, (const double[]){ 1, nextafter(x, 0), 1 }), 0);
    EXPECT_INT(covariance(2, (const double[]){ 1, nextafter(x, 1), 1 }), KITH_R_VARIANCE);
    EXPECT_INT(covariance(2, (const double[]){ 1, over, 1 }), KITH_R_VARIANCE);
    /* Each pair is fine, the three together are not. */
    EXPECT_INT(covariance(3, (const double[]){ 1, 0.9, 1, -0.9, 0.9, 1 }), KITH_R_VARIANCE);
    EXPECT_INT(covariance(3, (const double[]){ 1, 0.9, 1, 0.9, 0.9, 1 }), 0);
    EXPECT_INT(covariance(4, (const double[]){ 1, 0.5, 2, 0.5, 0.25, 3, 0, 1, 1, 4 }), 0);
    EXPECT_INT(covariance(4, (const double[]){ 1, 0.5, 2, 0.5, 0.25, 3, 2, 1, 1, 4 }),
        KITH_R_VARIANCE);
}

/* A reader that sums with other brackets disagrees near the limit: this one is kept
 * exactly where the format puts it. */
static bool slow_pivots(const double *a, size_t p) {
    double m[4][4] = { { 0 } }, l[4][4] = { { 0 } }, d[4] = { 0 };
    for (size_t i = 0, at = 0; i < p; i++) {
        for (size_t j = 0; j <= i; j++) m[i][j] = a[at++];
    }
    for (size_t i = 0; i < p; i++) {
        volatile double pivot = m[i][i];
        for (size_t j = 0; j < i; j++) {
            volatile double u = m[i][j];
            for (size_t k = 0; k < j; k++) {
                volatile double one = l[i][k] * d[k];
                volatile double two = one * l[j][k];
                u = u - two;
            }
            l[i][j] = u / d[j];
            volatile double three = u * l[i][j];
            pivot = pivot - three;
        }
        if (!(pivot >= 0x1p-20 * m[i][i])) return false;
        d[i] = pivot;
    }
    return true;
}

static void pivots_are_rounded_as_the_format_says(void) {
    uint64_t dice = 31;
    int taken = 0;
    for (int i = 0; i < 100000; i++) {
        size_t p = 2 + dice_below(&dice, 3), last = part_triangle(p) - 1;
        double a[10], low = 0x1p-20, high = 0x1p20;
        sample_covariance(&dice, a, p);
        for (int step = 0; step < 60; step++) { /* the limit of the last element */
            double mid = a[last] = sqrt(low * high);
            *(slow_pivots(a, p) ? &high : &low) = mid;
        }
        a[last] = high;
        for (uint64_t n = dice_below(&dice, 5); n > 0; n--) a[last] = nextafter(a[last], 0);
        bool fits = a[last] >= 0x1p-20 && slow_pivots(a, p);
        EXPECT_INT(covariance(p, a), fits ? 0 : KITH_R_VARIANCE);
        taken += fits;
    }
    printf("# %d taken of 100000 at the limit\n", taken);
    EXPECT(taken > 10000 && taken < 90000);
}

static const test_case cases[] = {
    { "w3_numbers_out_of_range_are_refused_both_ways",
        w3_numbers_out_of_range_are_refused_both_ways },
    { "w3_whole_numbers_out_of_range_are_refused_both_ways",
        w3_whole_numbers_out_of_range_are_refused_both_ways },
    { "seedbug_08_negative_counts_and_short_frames_are_refused",
        seedbug_08_negative_counts_and_short_frames_are_refused },
    { "seedbug_09_no_bits_of_nan_pass", seedbug_09_no_bits_of_nan_pass },
    { "w3_no_place_is_forgotten", w3_no_place_is_forgotten },
    { "a_covariance_must_be_positive_definite", a_covariance_must_be_positive_definite },
    { "pivots_are_rounded_as_the_format_says", pivots_are_rounded_as_the_format_says },
};
TEST_MAIN(cases)
