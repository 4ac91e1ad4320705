/* SPDX-License-Identifier: Apache-2.0 */
/* packet/samples.h - random packets for tests, the same for the same seed: valid
 * contents of every type with every part, and ways to spoil their bytes. */
#ifndef PACKET_SAMPLES_H
#define PACKET_SAMPLES_H

#include "base/dice.h"

#include <kith/packet.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

static inline double sample_unit(uint64_t *dice) {
    return (double) (dice_roll(dice) >> 11) * 0x1p-53;
}

/* low..high, each power of two as likely as the next; both ends now and then. */
static inline double sample_scale(uint64_t *dice, double low, double high) {
    uint64_t edge = dice_below(dice, 16);
    if (edge == 0) return low;
    if (edge == 1) return high;
    double x = exp2(log2(low) + sample_unit(dice) * (log2(high) - log2(low)));
    return fmin(fmax(x, low), high);
}

static inline void sample_bytes(uint64_t *dice, uint8_t *ret, size_t size) {
    for (size_t i = 0; i < size; i++) ret[i] = (uint8_t) dice_roll(dice);
}

static inline void sample_subject(uint64_t *dice, char ret[KITH_SUBJECT_MAX + 1]) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t tokens = 1 + dice_below(dice, KITH_TOKENS_MAX), at = 0;
    size_t longest = dice_below(dice, 8) == 0 ? 125 : 10;
    for (size_t t = 0; t < tokens && at < KITH_SUBJECT_MAX; t++) {
        if (t > 0) ret[at++] = '.';
        size_t n = 1 + dice_below(dice, longest);
        size_t rest = 2 * (tokens - t - 1) + 1;
        if (at + n + rest > KITH_SUBJECT_MAX) n = KITH_SUBJECT_MAX + 1 - at - rest;
        while (n-- > 0) ret[at++] = letters[dice_below(dice, sizeof letters - 1)];
    }
    ret[at] = '\0';
    if (strncmp(ret, "_sys", 4) == 0) ret[0] = 's';
}

static inline uint8_t sample_text(uint64_t *dice, char ret[KITH_TEXT_MAX + 1]) {
    static const char *const pieces[] = { "a", "warm ", "~", " ", "\xc3\xa4", "\xc2\xa0",
        "\xd8\x9b", "\xe2\x80\x90", "\xe2\x81\xaa", "\xe6\xb8\xa9", "\xed\x9f\xbf",
        "\xee\x80\x80", "\xef\xbf\xbd", "\xf0\x9f\x8c\xa1", "\xf4\x8f\xbf\xbf" };
    size_t want = 1 + dice_below(dice, dice_below(dice, 4) == 0 ? KITH_TEXT_MAX : 40),
           at = 0;
    while (at < want) {
        const char *piece = pieces[dice_below(dice, sizeof pieces / sizeof *pieces)];
        size_t n = strlen(piece);
        if (at + n > want) piece = "x", n = 1;
        memcpy(ret + at, piece, n);
        at += n;
    }
    ret[at] = '\0';
    return (uint8_t) at;
}

/* Equal correlations, so the matrix is positive definite; the sign of each row is
 * free. */
static inline void sample_covariance(uint64_t *dice, double *ret, size_t p) {
    double sd[KITH_EFFECT_MAX], rho = 0.98 * sample_unit(dice);
    for (size_t i = 0; i < p; i++) {
        sd[i] = sqrt(sample_scale(dice, 0x1p-19, 0x1p19)) * (dice_roll(dice) % 2 ? 1 : -1);
    }
    for (size_t i = 0, at = 0; i < p; i++) {
        for (size_t j = 0; j < i; j++) ret[at++] = rho * sd[i] * sd[j];
        ret[at++] = sd[i] * sd[i];
    }
    if (p == 1) ret[0] = sample_scale(dice, 0x1p-20, 0x1p20);
}

static inline void sample_effect(uint64_t *dice, kith_content *c, size_t p) {
    c->measure = (uint8_t) (c->type == KITH_EVAL ? 9 : 1 + dice_below(dice, 8));
    c->components = (uint8_t) p;
    c->n = (uint32_t) sample_scale(dice, 1, 0x7fffffff);
    for (size_t i = 0; i < p; i++) {
        c->effect[i] = dice_below(dice, 8) == 0 ? 0 : sample_scale(dice, 0x1p-40, 1024);
        if (c->effect[i] > 0 && dice_roll(dice) % 2 == 0) c->effect[i] = -c->effect[i];
    }
}

/* Of any number of bits below 64. One roll after the other: compilers differ in
 * which side of an operator they look at first. */
static inline uint64_t sample_wide(uint64_t *dice) {
    uint64_t bits = dice_roll(dice);
    return bits >> (1 + dice_below(dice, 63));
}

static inline void sample_digest(uint64_t *dice, kith_content *c) {
    c->digest.measure = (uint8_t) (1 + dice_below(dice, 9));
    c->digest.components = (uint8_t) (1 + dice_below(dice, 4));
    c->digest.level = (uint8_t) (dice_below(dice, 4) == 0 ? 255 : dice_below(dice, 14));
    if (c->digest.level != 0 && c->digest.level != 255) {
        sample_bytes(dice, c->digest.prefix, sizeof c->digest.prefix);
    }
    c->digest.count = (uint64_t) sample_scale(dice, 1, 1 << 22);
    for (size_t i = 0; i < c->digest.components; i++) {
        for (size_t k = 0; k < 4; k++) {
            uint64_t high = sample_wide(dice);
            c->digest.sums[i][k] = (kith_i128){ high, dice_roll(dice) | 1 };
            if (k == 2 && dice_roll(dice) % 2 == 0) c->digest.sums[i][k].high = ~high;
        }
    }
}

static inline void sample_sketch(uint64_t *dice, uint8_t ret[192]) {
    for (size_t i = 0; i < 192; i += 3) {
        uint32_t four = 0;
        for (int k = 0; k < 4; k++) four = four << 6 | (uint32_t) dice_below(dice, 58);
        ret[i] = (uint8_t) (four >> 16);
        ret[i + 1] = (uint8_t) (four >> 8);
        ret[i + 2] = (uint8_t) four;
    }
}

/* Which parts: each combination that the format allows. */
static inline uint16_t sample_parts(uint64_t *dice, uint8_t type) {
    static const uint16_t evidence[] = { KITH_HAS_EFFECT | KITH_HAS_COVARIANCE,
        KITH_HAS_EFFECT | KITH_HAS_COVARIANCE | KITH_HAS_PRIVACY,
        KITH_HAS_EFFECT | KITH_HAS_CONFIDENCE, KITH_HAS_COUNTS, KITH_HAS_CONFIDENCE, 0 };
    static const uint16_t contexts[] = { 0, KITH_HAS_CONTEXT16, KITH_HAS_CONTEXT8 };
    uint16_t sketch = dice_roll(dice) % 2 ? KITH_HAS_SKETCH : 0;
    if (type == KITH_EVAL) return evidence[0];
    if (type == KITH_DIGEST) return KITH_HAS_DIGEST | sketch;
    unsigned has = type == KITH_LEAF ? evidence[dice_below(dice, 6)] : 0;
    bool report = type == KITH_LEAF && (has & ~(unsigned) KITH_HAS_CONFIDENCE) == 0;
    has |= contexts[dice_below(dice, 3)];
    if (dice_roll(dice) % 2) has |= KITH_HAS_CONCLUSION;
    if (dice_roll(dice) % 2) has |= KITH_HAS_TEXT;
    if (report && (has & (KITH_HAS_CONCLUSION | KITH_HAS_TEXT)) == 0) has |= KITH_HAS_TEXT;
    return (uint16_t) has;
}

static inline void sample_head(uint64_t *dice, kith_content *c) {
    c->type = (uint8_t) (dice_roll(dice) % 2 ? KITH_LEAF : 1 + dice_below(dice, 4));
    c->has = sample_parts(dice, c->type);
    if (dice_roll(dice) % 2) sample_bytes(dice, c->template_id, KITH_TEMPLATE_SIZE);
    sample_bytes(dice, c->source, KITH_KEY_SIZE);
    sample_bytes(dice, c->signature, KITH_SIGNATURE_SIZE);
    c->epoch = 1 + sample_wide(dice) % INT64_MAX;
    c->seq = sample_wide(dice);
    c->t_end_us = (int64_t) sample_scale(dice, 1, 253402300799999000.0);
    c->ttl_s = (uint32_t) sample_scale(dice, 1, 315576000);
    uint64_t span_max = (uint64_t) c->t_end_us / 1000000;
    c->span_s =
        (uint32_t) dice_below(dice, span_max > UINT32_MAX ? UINT32_MAX : span_max + 1);
    sample_subject(dice, c->address.subject);
}

/* A content that encode takes, but for its size: KITH_R_ROOM is possible. */
static inline kith_content sample_content(uint64_t *dice) {
    kith_content c = { 0 };
    sample_head(dice, &c);
    bool alone = c.type == KITH_EVAL || (c.has & KITH_HAS_CONFIDENCE) != 0;
    size_t p = alone ? 1 : 1 + dice_below(dice, KITH_EFFECT_MAX);
    if (c.has & KITH_HAS_EFFECT) sample_effect(dice, &c, p);
    if (c.has & KITH_HAS_COVARIANCE) sample_covariance(dice, c.covariance, p);
    if (c.has & KITH_HAS_COUNTS) {
        c.tries = (uint32_t) sample_scale(dice, 1, 0x7fffffff);
        c.hits = (uint32_t) dice_below(dice, (uint64_t) c.tries + 1);
    }
    if (c.has & KITH_HAS_CONFIDENCE) c.confidence = (float) sample_unit(dice);
    if (c.has & KITH_HAS_CONTEXT16) {
        c.context16_count = (uint8_t) (1 + dice_below(dice, 16));
        for (int i = 0; i < c.context16_count; i++)
            c.context16[i] = (uint16_t) dice_roll(dice);
    }
    if (c.has & KITH_HAS_CONTEXT8) {
        c.context8_count = (uint8_t) (1 + dice_below(dice, 64));
        for (int i = 0; i < c.context8_count; i++) c.context8[i] = (int8_t) dice_roll(dice);
    }
    if (c.has & KITH_HAS_PRIVACY) {
        c.mechanism = (uint8_t) (1 + dice_below(dice, 2));
        c.rho = (float) sample_scale(dice, 0x1p-30, 0x1p6);
        c.v_dp = (float) sample_scale(dice, 0x1p-40, 0x1p20);
    }
    if (c.has & KITH_HAS_CONCLUSION)
        c.conclusion = (uint16_t) (1 + dice_below(dice, 65535));
    if (c.has & KITH_HAS_TEXT) c.text_length = sample_text(dice, c.text);
    if (c.has & KITH_HAS_DIGEST) sample_digest(dice, &c);
    if (c.has & KITH_HAS_SKETCH) sample_sketch(dice, c.sketch);
    return c;
}

/* A packet of the largest size: a digest with its sketch and 80 bytes of subject. */
static inline kith_content sample_largest(uint64_t *dice) {
    kith_content c = { 0 };
    sample_head(dice, &c);
    c.type = KITH_DIGEST;
    c.has = KITH_HAS_DIGEST | KITH_HAS_SKETCH;
    sample_digest(dice, &c);
    c.digest.components = 1;
    memset(c.digest.sums + 1, 0, sizeof c.digest.sums - sizeof *c.digest.sums);
    sample_sketch(dice, c.sketch);
    memset(c.address.subject, 0, sizeof c.address.subject);
    memset(c.address.subject, 'a', 80);
    c.address.subject[40] = '.';
    return c;
}

/* Spoils one to three places; the result may still be a packet. `bytes` has room
 * for KITH_PACKET_MAX + 8. */
static inline size_t sample_spoil(uint64_t *dice, uint8_t *bytes, size_t length) {
    static const uint8_t favourites[] = { 0, 1, 2, 3, 4, 5, 9, 10, 11, 14, 16, 17, 58, 64,
        65, 127, 128, 129, 160, 161, 255 };
    for (uint64_t times = 1 + dice_below(dice, 3); times > 0; times--) {
        size_t at = dice_below(dice, length);
        switch (dice_below(dice, 8)) {
        case 0: bytes[at] ^= (uint8_t) (1u << dice_below(dice, 8)); break;
        case 1: bytes[at] = (uint8_t) dice_roll(dice); break;
        case 2: bytes[at] = favourites[dice_below(dice, sizeof favourites)]; break;
        case 3: bytes[dice_below(dice, 4)] = favourites[dice_below(dice, 6)]; break;
        case 4: length = 1 + at; break;
        case 5:
            memset(bytes + at, dice_roll(dice) % 2 ? 0 : 255, length - at < 8 ? 1 : 8);
            break;
        case 6: memmove(bytes + at, bytes + dice_below(dice, at + 1), length - at); break;
        default: bytes[length++] = (uint8_t) dice_roll(dice);
        }
        if (length > KITH_PACKET_MAX + 4) length = KITH_PACKET_MAX + 4;
    }
    return length;
}

#endif
