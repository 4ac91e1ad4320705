/* SPDX-License-Identifier: Apache-2.0 */
/* From bytes of strangers to content. The check comes first and alone decides;
 * behind it every count is in range and every byte is there. */
#include "packet/part.h"

#include "base/check.h"
#include "base/lanes.h"
#include "base/wire.h"

#include <string.h>

static const uint8_t *get_head(const uint8_t *b, kith_content *c) {
    size_t subject = b[AT_SUBJECT];
    CHECK(subject >= 1);
    CHECK(subject <= KITH_SUBJECT_MAX);
    c->type = b[AT_TYPE];
    c->has = wire_get16(b + AT_FLAGS);
    lanes_copy(c->template_id, b + AT_TEMPLATE, KITH_TEMPLATE_SIZE);
    lanes_copy(c->source, b + AT_SOURCE, KITH_KEY_SIZE);
    c->epoch = wire_get64(b + AT_EPOCH);
    c->seq = wire_get64(b + AT_SEQ);
    c->t_end_us = (int64_t) wire_get64(b + AT_T_END);
    c->span_s = wire_get32(b + AT_SPAN);
    c->ttl_s = wire_get32(b + AT_TTL);
    lanes_copy_cut(c->address.subject, b + AT_SUBJECT + 1, subject);
    return b + AT_SUBJECT + 1 + subject;
}

static const uint8_t *get_doubles(const uint8_t *b, double *ret, size_t n) {
    for (size_t i = 0; i < n; i++, b += 8) {
        ret[i] = wire_get_double(b);
    }
    return b;
}

static const uint8_t *get_effect(const uint8_t *b, kith_content *c) {
    c->measure = b[0];
    c->components = b[1];
    c->n = wire_get32(b + 2);
    CHECK(c->components <= KITH_EFFECT_MAX);
    return get_doubles(b + 6, c->effect, c->components);
}

static const uint8_t *get_covariance(const uint8_t *b, kith_content *c) {
    CHECK(c->components >= 1);
    return get_doubles(b, c->covariance, part_triangle(c->components));
}

static const uint8_t *get_counts(const uint8_t *b, kith_content *c) {
    c->hits = wire_get32(b);
    c->tries = wire_get32(b + 4);
    return b + 8;
}

static const uint8_t *get_confidence(const uint8_t *b, kith_content *c) {
    c->confidence = wire_get_float(b);
    return b + 4;
}

static const uint8_t *get_context16(const uint8_t *b, kith_content *c) {
    c->context16_count = *b++;
    CHECK(c->context16_count <= CONTEXT16_MAX);
    for (size_t i = 0; i < c->context16_count; i++, b += 2) {
        c->context16[i] = wire_get16(b);
    }
    return b;
}

static const uint8_t *get_context8(const uint8_t *b, kith_content *c) {
    c->context8_count = *b++;
    CHECK(c->context8_count <= CONTEXT8_MAX);
    lanes_copy_cut(c->context8, b, c->context8_count);
    return b + c->context8_count;
}

static const uint8_t *get_privacy(const uint8_t *b, kith_content *c) {
    c->mechanism = *b;
    c->rho = wire_get_float(b + 1);
    c->v_dp = wire_get_float(b + 5);
    return b + 9;
}

static const uint8_t *get_conclusion(const uint8_t *b, kith_content *c) {
    c->conclusion = wire_get16(b);
    return b + 2;
}

static const uint8_t *get_text(const uint8_t *b, kith_content *c) {
    c->text_length = *b++;
    CHECK(c->text_length <= KITH_TEXT_MAX);
    lanes_copy_cut(c->text, b, c->text_length);
    return b + c->text_length;
}

static const uint8_t *get_digest(const uint8_t *b, kith_content *c) {
    c->digest.measure = b[0];
    c->digest.components = b[1];
    c->digest.level = b[2];
    lanes_copy(c->digest.prefix, b + 3, sizeof c->digest.prefix);
    c->digest.count = wire_get64(b + 19);
    b += DIGEST_HEAD;
    CHECK(c->digest.components <= KITH_EFFECT_MAX);
    for (size_t i = 0; i < c->digest.components; i++) {
        for (size_t k = 0; k < 4; k++, b += 16) {
            c->digest.sums[i][k] = (kith_i128){ wire_get64(b), wire_get64(b + 8) };
        }
    }
    return b;
}

static const uint8_t *get_sketch(const uint8_t *b, kith_content *c) {
    lanes_copy(c->sketch, b, SKETCH_SIZE);
    return b + SKETCH_SIZE;
}

static const uint8_t *get_parts(const uint8_t *b, kith_content *c) {
    unsigned has = c->has;
    if ((has & KITH_HAS_EFFECT) != 0) b = get_effect(b, c);
    if ((has & KITH_HAS_COVARIANCE) != 0) b = get_covariance(b, c);
    if ((has & KITH_HAS_COUNTS) != 0) b = get_counts(b, c);
    if ((has & KITH_HAS_CONFIDENCE) != 0) b = get_confidence(b, c);
    if ((has & KITH_HAS_CONTEXT16) != 0) b = get_context16(b, c);
    if ((has & KITH_HAS_CONTEXT8) != 0) b = get_context8(b, c);
    if ((has & KITH_HAS_PRIVACY) != 0) b = get_privacy(b, c);
    if ((has & KITH_HAS_CONCLUSION) != 0) b = get_conclusion(b, c);
    if ((has & KITH_HAS_TEXT) != 0) b = get_text(b, c);
    if ((has & KITH_HAS_DIGEST) != 0) b = get_digest(b, c);
    if ((has & KITH_HAS_SKETCH) != 0) b = get_sketch(b, c);
    return b;
}

int kith_packet_decode(const uint8_t *bytes, size_t length, kith_content *ret_content) {
    CHECK(ret_content != NULL);
    int r = ki_packet_check(bytes, length, KITH_PACKET_MAX);
    if (r < 0) return r;
    memset(ret_content, 0, sizeof *ret_content);
    const uint8_t *b = get_parts(get_head(bytes, ret_content), ret_content);
    CHECK(b + KITH_SIGNATURE_SIZE == bytes + length); /* every byte was read */
    lanes_copy(ret_content->signature, b, KITH_SIGNATURE_SIZE);
    return 0;
}
