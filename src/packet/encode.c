/* SPDX-License-Identifier: Apache-2.0 */
/* From content to canonical bytes. Everything is checked before the first byte
 * is written, so a refused content leaves the caller's packet as it was. */
#include "packet/part.h"

#include "base/check.h"
#include "base/wire.h"

#include <string.h>

static uint8_t *put_head(uint8_t *b, const kith_content *c, size_t subject) {
    b[0] = KITH_PACKET_VERSION;
    b[AT_TYPE] = c->type;
    wire_put16(b + AT_FLAGS, c->has);
    memcpy(b + AT_TEMPLATE, c->template_id, KITH_TEMPLATE_SIZE);
    memcpy(b + AT_SOURCE, c->source, KITH_KEY_SIZE);
    wire_put64(b + AT_EPOCH, c->epoch);
    wire_put64(b + AT_SEQ, c->seq);
    wire_put64(b + AT_T_END, (uint64_t) c->t_end_us);
    wire_put32(b + AT_SPAN, c->span_s);
    wire_put32(b + AT_TTL, c->ttl_s);
    b[AT_SUBJECT] = (uint8_t) subject;
    memcpy(b + AT_SUBJECT + 1, c->address.subject, subject);
    return b + AT_SUBJECT + 1 + subject;
}

static uint8_t *put_doubles(uint8_t *b, const double *x, size_t n) {
    for (size_t i = 0; i < n; i++, b += 8) {
        wire_put_double(b, x[i]);
    }
    return b;
}

static uint8_t *put_effect(uint8_t *b, const kith_content *c) {
    b[0] = c->measure;
    b[1] = c->components;
    wire_put32(b + 2, c->n);
    return put_doubles(b + 6, c->effect, c->components);
}

static uint8_t *put_covariance(uint8_t *b, const kith_content *c) {
    return put_doubles(b, c->covariance, part_triangle(c->components));
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
    for (size_t i = 0; i < c->context16_count; i++, b += 2) {
        wire_put16(b, c->context16[i]);
    }
    return b;
}

static uint8_t *put_context8(uint8_t *b, const kith_content *c) {
    *b++ = c->context8_count;
    memcpy(b, c->context8, c->context8_count);
    return b + c->context8_count;
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
    memcpy(b, c->text, c->text_length);
    return b + c->text_length;
}

static uint8_t *put_digest(uint8_t *b, const kith_content *c) {
    b[0] = c->digest.measure;
    b[1] = c->digest.components;
    b[2] = c->digest.level;
    memcpy(b + 3, c->digest.prefix, sizeof c->digest.prefix);
    wire_put64(b + 19, c->digest.count);
    b += DIGEST_HEAD;
    for (size_t i = 0; i < c->digest.components; i++) {
        for (size_t k = 0; k < 4; k++, b += 16) {
            wire_put64(b, c->digest.sums[i][k].high);
            wire_put64(b + 8, c->digest.sums[i][k].low);
        }
    }
    return b;
}

static uint8_t *put_sketch(uint8_t *b, const kith_content *c) {
    memcpy(b, c->sketch, SKETCH_SIZE);
    return b + SKETCH_SIZE;
}

static uint8_t *(*const part_puts[PART_COUNT])(uint8_t *b, const kith_content *c) = {
    put_effect,
    put_covariance,
    put_counts,
    put_confidence,
    put_context16,
    put_context8,
    put_privacy,
    put_conclusion,
    put_text,
    put_digest,
    put_sketch,
};

int kith_packet_encode(const kith_content *c, kith_packet *ret_packet) {
    size_t subject = strnlen(c->address.subject, sizeof c->address.subject);
    int r = ki_check_head(c);
    if (r == 0) r = ki_check_subject(c->address.subject, subject);
    if (r == 0) r = ki_check_parts(c, c->has);
    if (r < 0) return r;

    size_t length = AT_SUBJECT + 1 + subject + KITH_SIGNATURE_SIZE;
    for (unsigned bit = 0; bit < PART_COUNT; bit++) {
        if ((c->has >> bit & 1) != 0) length += ki_part_size(c, bit);
    }
    if (length > KITH_PACKET_MAX) return KITH_R_ROOM;

    uint8_t *b = put_head(ret_packet->bytes, c, subject);
    for (unsigned bit = 0; bit < PART_COUNT; bit++) {
        if ((c->has >> bit & 1) != 0) b = part_puts[bit](b, c);
    }
    memcpy(b, c->signature, KITH_SIGNATURE_SIZE);
    CHECK((size_t) (b - ret_packet->bytes) + KITH_SIGNATURE_SIZE == length);
    ret_packet->length = (uint16_t) length;
    return 0;
}
