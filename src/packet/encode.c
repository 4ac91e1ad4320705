/* SPDX-License-Identifier: Apache-2.0 */
/* From content to canonical bytes: written aside first, so that a refused content
 * leaves the caller's packet as it was. A count beyond its maximum is written
 * with no values behind it; the check refuses the count. */
#include "packet/part.h"

#include "base/check.h"
#include "base/lanes.h"
#include "base/wire.h"

#include <string.h>

_Static_assert(sizeof((kith_packet *) 0)->bytes >= KITH_PACKET_MAX, "room for a packet");

static uint8_t *put_head(uint8_t *b, const kith_content *c) {
    size_t subject = strnlen(c->address.subject, sizeof c->address.subject);
    b[0] = KITH_PACKET_VERSION;
    b[AT_TYPE] = c->type;
    wire_put16(b + AT_FLAGS, c->has);
    lanes_copy(b + AT_TEMPLATE, c->template_id, KITH_TEMPLATE_SIZE);
    lanes_copy(b + AT_SOURCE, c->source, KITH_KEY_SIZE);
    wire_put64(b + AT_EPOCH, c->epoch);
    wire_put64(b + AT_SEQ, c->seq);
    wire_put64(b + AT_T_END, (uint64_t) c->t_end_us);
    wire_put32(b + AT_SPAN, c->span_s);
    wire_put32(b + AT_TTL, c->ttl_s);
    b[AT_SUBJECT] = (uint8_t) subject;
    subject = part_values(subject, KITH_SUBJECT_MAX);
    lanes_copy(b + AT_SUBJECT + 1, c->address.subject, subject);
    return b + AT_SUBJECT + 1 + subject;
}

static uint8_t *put_doubles(uint8_t *b, const double *x, size_t n) {
    CHECK_HOT(n <= part_triangle(KITH_EFFECT_MAX));
    for (size_t i = 0; i < n; i++, b += 8) {
        wire_put_double(b, x[i]);
    }
    return b;
}

static uint8_t *put_effect(uint8_t *b, const kith_content *c) {
    b[0] = c->measure;
    b[1] = c->components;
    wire_put32(b + 2, c->n);
    return put_doubles(b + 6, c->effect, part_values(c->components, KITH_EFFECT_MAX));
}

static uint8_t *put_covariance(uint8_t *b, const kith_content *c) {
    return put_doubles(
        b, c->covariance, part_triangle(part_values(c->components, KITH_EFFECT_MAX)));
}

static uint8_t *put_counts(uint8_t *b, const kith_content *c) {
    wire_put32(b, c->hits);
    wire_put32(b + 4, c->tries);
    return b + 8;
}

static uint8_t *put_confidence(uint8_t *b, const kith_content *c) {
    wire_put_float(b, c->confidence);
    return b + 4;
}

static uint8_t *put_context16(uint8_t *b, const kith_content *c) {
    *b++ = c->context16_count;
    size_t n = part_values(c->context16_count, CONTEXT16_MAX);
    for (size_t i = 0; i < n; i++, b += 2) {
        wire_put16(b, c->context16[i]);
    }
    return b;
}

static uint8_t *put_context8(uint8_t *b, const kith_content *c) {
    *b++ = c->context8_count;
    size_t n = part_values(c->context8_count, CONTEXT8_MAX);
    lanes_copy(b, c->context8, n);
    return b + n;
}

static uint8_t *put_privacy(uint8_t *b, const kith_content *c) {
    *b = c->mechanism;
    wire_put_float(b + 1, c->rho);
    wire_put_float(b + 5, c->v_dp);
    return b + 9;
}

static uint8_t *put_conclusion(uint8_t *b, const kith_content *c) {
    wire_put16(b, c->conclusion);
    return b + 2;
}

static uint8_t *put_text(uint8_t *b, const kith_content *c) {
    *b++ = c->text_length;
    size_t n = part_values(c->text_length, KITH_TEXT_MAX);
    lanes_copy(b, c->text, n);
    return b + n;
}

static uint8_t *put_digest(uint8_t *b, const kith_content *c) {
    b[0] = c->digest.measure;
    b[1] = c->digest.components;
    b[2] = c->digest.level;
    lanes_copy(b + 3, c->digest.prefix, sizeof c->digest.prefix);
    wire_put64(b + 19, c->digest.count);
    b += DIGEST_HEAD;
    for (size_t i = 0; i < part_values(c->digest.components, KITH_EFFECT_MAX); i++) {
        for (size_t k = 0; k < 4; k++, b += 16) {
            wire_put64(b, c->digest.sums[i][k].high);
            wire_put64(b + 8, c->digest.sums[i][k].low);
        }
    }
    return b;
}

static uint8_t *put_sketch(uint8_t *b, const kith_content *c) {
    lanes_copy(b, c->sketch, SKETCH_SIZE);
    return b + SKETCH_SIZE;
}

static uint8_t *put_parts(uint8_t *b, const kith_content *c) {
    unsigned has = c->has;
    if ((has & KITH_HAS_EFFECT) != 0) b = put_effect(b, c);
    if ((has & KITH_HAS_COVARIANCE) != 0) b = put_covariance(b, c);
    if ((has & KITH_HAS_COUNTS) != 0) b = put_counts(b, c);
    if ((has & KITH_HAS_CONFIDENCE) != 0) b = put_confidence(b, c);
    if ((has & KITH_HAS_CONTEXT16) != 0) b = put_context16(b, c);
    if ((has & KITH_HAS_CONTEXT8) != 0) b = put_context8(b, c);
    if ((has & KITH_HAS_PRIVACY) != 0) b = put_privacy(b, c);
    if ((has & KITH_HAS_CONCLUSION) != 0) b = put_conclusion(b, c);
    if ((has & KITH_HAS_TEXT) != 0) b = put_text(b, c);
    if ((has & KITH_HAS_DIGEST) != 0) b = put_digest(b, c);
    if ((has & KITH_HAS_SKETCH) != 0) b = put_sketch(b, c);
    return b;
}

int kith_packet_encode(const kith_content *content, kith_packet *ret_packet) {
    uint8_t bytes[PART_LENGTH_MAX + LANES];
    CHECK(content != NULL);
    CHECK(ret_packet != NULL);
    uint8_t *b = put_parts(put_head(bytes, content), content);
    size_t length = (size_t) (b - bytes) + KITH_SIGNATURE_SIZE;
    CHECK(length <= PART_LENGTH_MAX);
    lanes_copy(b, content->signature, KITH_SIGNATURE_SIZE);
    int r = ki_packet_check(bytes, length, PART_LENGTH_MAX);
    if (r < 0) return r;
    if (length > KITH_PACKET_MAX) return KITH_R_ROOM;
    CHECK(length >= PART_LENGTH_MIN);
    memcpy(ret_packet->bytes, bytes, length);
    ret_packet->length = (uint16_t) length;
    return 0;
}
