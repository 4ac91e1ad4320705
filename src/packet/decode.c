/* SPDX-License-Identifier: Apache-2.0 */
/* From bytes of strangers to content. A reader moves forward only over bytes
 * that are there; a part is read when all of it is, and then all that was read
 * is checked in the order of the bytes, so the first wrong one decides. */
#include "packet/part.h"

#include "base/wire.h"

#include <string.h>

typedef struct reader {
    const uint8_t *at, *end;
} reader;

/* The next n bytes, or NULL. */
static const uint8_t *take(reader *r, size_t n) {
    if ((size_t) (r->end - r->at) < n) {
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += n;
    return p;
}

static void get_head(const uint8_t *b, kith_content *c) {
    c->type = b[AT_TYPE];
    c->has = wire_get16(b + AT_FLAGS);
    memcpy(c->template_id, b + AT_TEMPLATE, KITH_TEMPLATE_SIZE);
    memcpy(c->source, b + AT_SOURCE, KITH_KEY_SIZE);
    c->epoch = wire_get64(b + AT_EPOCH);
    c->seq = wire_get64(b + AT_SEQ);
    c->t_end_us = (int64_t) wire_get64(b + AT_T_END);
    c->span_s = wire_get32(b + AT_SPAN);
    c->ttl_s = wire_get32(b + AT_TTL);
}

static bool get_doubles(reader *r, double *ret, size_t n) {
    const uint8_t *b = take(r, 8 * n);
    for (size_t i = 0; b != NULL && i < n; i++, b += 8) {
        ret[i] = wire_get_double(b);
    }
    return b != NULL;
}

/* A getter returns true when there is something for the check to look at: the
 * whole part, or a count so wrong that the check will go no further. */
static bool get_effect(reader *r, kith_content *c) {
    const uint8_t *b = take(r, 6);
    if (b == NULL) return false;
    c->measure = b[0];
    c->components = b[1];
    c->n = wire_get32(b + 2);
    if (c->components < 1 || c->components > KITH_EFFECT_MAX) return true;
    return get_doubles(r, c->effect, c->components);
}

static bool get_covariance(reader *r, kith_content *c) {
    return get_doubles(r, c->covariance, part_triangle(c->components));
}

static bool get_counts(reader *r, kith_content *c) {
    const uint8_t *b = take(r, 8);
    if (b == NULL) return false;
    c->hits = wire_get32(b);
    c->tries = wire_get32(b + 4);
    return true;
}

static bool get_confidence(reader *r, kith_content *c) {
    const uint8_t *b = take(r, 4);
    if (b == NULL) return false;
    c->confidence = wire_get_float(b);
    return true;
}

static bool get_context16(reader *r, kith_content *c) {
    const uint8_t *b = take(r, 1);
    if (b == NULL) return false;
    c->context16_count = *b;
    if (*b < 1 || *b > CONTEXT16_MAX) return true;
    b = take(r, 2u * c->context16_count);
    for (size_t i = 0; b != NULL && i < c->context16_count; i++, b += 2) {
        c->context16[i] = wire_get16(b);
    }
    return b != NULL;
}

static bool get_context8(reader *r, kith_content *c) {
    const uint8_t *b = take(r, 1);
    if (b == NULL) return false;
    c->context8_count = *b;
    if (*b < 1 || *b > CONTEXT8_MAX) return true;
    b = take(r, c->context8_count);
    if (b != NULL) memcpy(c->context8, b, c->context8_count);
    return b != NULL;
}

static bool get_privacy(reader *r, kith_content *c) {
    const uint8_t *b = take(r, 9);
    if (b == NULL) return false;
    c->mechanism = *b;
    c->rho = wire_get_float(b + 1);
    c->v_dp = wire_get_float(b + 5);
    return true;
}

static bool get_conclusion(reader *r, kith_content *c) {
    const uint8_t *b = take(r, 2);
    if (b == NULL) return false;
    c->conclusion = wire_get16(b);
    return true;
}

static bool get_text(reader *r, kith_content *c) {
    const uint8_t *b = take(r, 1);
    if (b == NULL) return false;
    c->text_length = *b;
    if (*b < 1 || *b > KITH_TEXT_MAX) return true;
    b = take(r, c->text_length);
    if (b != NULL) memcpy(c->text, b, c->text_length);
    return b != NULL;
}

static bool get_digest(reader *r, kith_content *c) {
    const uint8_t *b = take(r, DIGEST_HEAD);
    if (b == NULL) return false;
    c->digest.measure = b[0];
    c->digest.components = b[1];
    c->digest.level = b[2];
    memcpy(c->digest.prefix, b + 3, sizeof c->digest.prefix);
    c->digest.count = wire_get64(b + 19);
    if (b[1] < 1 || b[1] > KITH_EFFECT_MAX) return true;
    b = take(r, 64u * c->digest.components);
    if (b == NULL) return false;
    for (size_t i = 0; i < c->digest.components; i++) {
        for (size_t k = 0; k < 4; k++, b += 16) {
            c->digest.sums[i][k] = (kith_i128){ wire_get64(b), wire_get64(b + 8) };
        }
    }
    return true;
}

static bool get_sketch(reader *r, kith_content *c) {
    const uint8_t *b = take(r, SKETCH_SIZE);
    if (b != NULL) memcpy(c->sketch, b, SKETCH_SIZE);
    return b != NULL;
}

static bool (*const part_gets[PART_COUNT])(reader *r, kith_content *c) = {
    get_effect,
    get_covariance,
    get_counts,
    get_confidence,
    get_context16,
    get_context8,
    get_privacy,
    get_conclusion,
    get_text,
    get_digest,
    get_sketch,
};

/* Which of the parts can be looked at. */
static uint16_t get_parts(reader *r, kith_content *c) {
    unsigned got = 0;
    for (unsigned bit = 0; bit < PART_COUNT; bit++) {
        if ((c->has >> bit & 1) == 0) continue;
        if (!part_gets[bit](r, c)) break;
        got |= 1u << bit;
        if (bit == 0 && c->components > KITH_EFFECT_MAX) break;
    }
    return (uint16_t) got;
}

static int get_subject(reader *r, kith_content *c) {
    size_t length = *take(r, 1);
    if (length < 1 || length > KITH_SUBJECT_MAX) return KITH_R_SUBJECT;
    const uint8_t *b = take(r, length);
    if (b == NULL) return KITH_R_LENGTH;
    memcpy(c->address.subject, b, length);
    return ki_check_subject(c->address.subject, length);
}

int kith_packet_decode(const uint8_t *bytes, size_t length, kith_content *ret_content) {
    if (length == 0) return KITH_R_LENGTH;
    if (bytes[0] != KITH_PACKET_VERSION) return KITH_R_VERSION;
    if (length < PART_LENGTH_MIN || length > KITH_PACKET_MAX) return KITH_R_LENGTH;

    kith_content c = { 0 };
    get_head(bytes, &c);
    int r = ki_check_head(&c);
    if (r < 0) return r;
    reader in = { bytes + AT_SUBJECT, bytes + length - KITH_SIGNATURE_SIZE };
    r = get_subject(&in, &c);
    if (r < 0) return r;
    uint16_t got = get_parts(&in, &c);
    r = ki_check_parts(&c, got);
    if (r < 0) return r;
    if (got != c.has || in.at != in.end) return KITH_R_LENGTH;
    memcpy(c.signature, in.end, KITH_SIGNATURE_SIZE);
    *ret_content = c;
    return 0;
}
