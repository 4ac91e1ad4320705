/* SPDX-License-Identifier: Apache-2.0 */
/* Seed 0: struct "!ffidd" and a tail.
 *
 * OFFSET SIZE  MEANING
 *      0    4  outcome_delta, f32            20  8  reserved: written 0.0, not read
 *      4    4  confidence, f32               28     DOMAIN|NODE_ID|CONTEXT_HASH
 *      8    4  n_observations, i32                  at most 128, 32 and 32 bytes
 *     12    8  timestamp, f64, Unix seconds
 */
#include "base/check.h"
#include "base/wire.h"
#include "legacy/legacy.h"

#include <kith/address.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    AT_DELTA = 0,
    AT_CONFIDENCE = 4,
    AT_COUNT = 8,
    AT_TIME = 12,
    AT_RESERVED = 20,
    AT_TAIL = 28,
    PREFIX = 4, /* "qis." */
    BUCKET = 6, /* ".d+0.1" */
};

bool ki_legacy_subject(const char *subject) {
    bool sys = strncmp(subject, "_sys", 4) == 0 && (subject[4] == '.' || !subject[4]);
    return kith_subject_valid(subject) && !sys;
}

/* NaN fails both comparisons. */
static bool within(double x, double low, double high) {
    return x >= low && x <= high;
}

static int check_numbers(double delta, double confidence, int64_t n, double timestamp) {
    if (!within(delta, -1, 1)) return KITH_L_DELTA;
    if (!within(confidence, 0, 1)) return KITH_L_CONFIDENCE;
    if (n < 1 || n > INT32_MAX) return KITH_L_COUNT;
    return ki_legacy_time(timestamp) ? 0 : KITH_L_TIME;
}

static int check_name(const char *name) {
    size_t n = strnlen(name, KITH_SEED0_NAME_MAX + 1);
    if (!ki_legacy_text(name, n, KITH_SEED0_NAME_MAX)) return KITH_L_TEXT;
    return memchr(name, '|', n) == NULL ? 0 : KITH_L_BARS;
}

int kith_seed0_encode(const kith_seed0 *p, kith_seed0_frames *ret) {
    CHECK(p != NULL);
    CHECK(ret != NULL);
    if (strnlen(p->domain, sizeof p->domain) == sizeof p->domain ||
        !ki_legacy_subject(p->domain)) {
        return KITH_L_SUBJECT;
    }
    int r = check_name(p->node_id);
    if (r == 0) r = check_name(p->context_hash);
    if (r == 0) {
        r = check_numbers(p->outcome_delta, p->confidence, p->n_observations, p->timestamp);
    }
    if (r < 0) return r;
    kith_seed0_frames f = { 0 };
    /* Towards zero, and zero has the plus sign: an integer knows no -0. */
    int tenths = (int) trunc(p->outcome_delta * 10);
    int size = snprintf(f.topic, sizeof f.topic, "qis.%s.d%c%d.%d", p->domain,
        tenths < 0 ? '-' : '+', abs(tenths) / 10, abs(tenths) % 10);
    CHECK(size > 0 && size <= KITH_SEED0_TOPIC_MAX);
    f.topic_length = (uint16_t) size;
    wire_put_float(f.payload + AT_DELTA, (float) p->outcome_delta);
    wire_put_float(f.payload + AT_CONFIDENCE, (float) p->confidence);
    wire_put32(f.payload + AT_COUNT, (uint32_t) p->n_observations);
    wire_put_double(f.payload + AT_TIME, p->timestamp);
    char tail[KITH_SEED0_LENGTH_MAX - AT_TAIL + 1];
    size = snprintf(tail, sizeof tail, "%s|%s|%s", p->domain, p->node_id, p->context_hash);
    CHECK(size > 0 && size < (int) sizeof tail);
    memcpy(f.payload + AT_TAIL, tail, (size_t) size);
    f.payload_length = (uint16_t) (AT_TAIL + size);
    *ret = f;
    return 0;
}

/* ---- read ---- */

/* The next name of the tail, up to a bar or the end. */
static int take_name(const uint8_t **at, const uint8_t *end, char *ret, size_t max) {
    const uint8_t *from = *at, *bar = memchr(from, '|', (size_t) (end - from));
    size_t n = (size_t) ((bar == NULL ? end : bar) - from);
    char text[KITH_SEED0_LENGTH_MAX];
    CHECK(n < sizeof text);
    memcpy(text, from, n);
    if (!ki_legacy_text(text, n, max)) return KITH_L_TEXT;
    memcpy(ret, text, n);
    ret[n] = '\0';
    *at = bar == NULL ? end : bar + 1;
    return 0;
}

static int take_tail(const uint8_t *at, const uint8_t *end, kith_seed0 *ret) {
    size_t bars = 0;
    for (const uint8_t *p = at; p < end; p++) bars += *p == '|';
    if (bars != 2) return KITH_L_BARS;
    int r = take_name(&at, end, ret->domain, KITH_SUBJECT_MAX);
    if (r == 0) r = take_name(&at, end, ret->node_id, KITH_SEED0_NAME_MAX);
    if (r == 0) r = take_name(&at, end, ret->context_hash, KITH_SEED0_NAME_MAX);
    CHECK(r < 0 || at == end);
    if (r == 0 && !ki_legacy_subject(ret->domain)) r = KITH_L_SUBJECT;
    return r;
}

/* "+0.0" to "-1.0". Which of them is the sender's word: see the header. */
static bool is_bucket(const char *text) {
    bool digits = text[3] >= '0' && text[3] <= '1' && text[5] >= '0' && text[5] <= '9';
    return text[0] == '.' && text[1] == 'd' && (text[2] == '+' || text[2] == '-') &&
           text[4] == '.' && digits && (text[3] == '0' || text[5] == '0');
}

static int check_topic(const char *topic, size_t length, const char *domain) {
    if (length < PREFIX + 1 + BUCKET || length > KITH_SEED0_TOPIC_MAX ||
        memcmp(topic, "qis.", PREFIX) != 0 || !is_bucket(topic + length - BUCKET)) {
        return KITH_L_TOPIC;
    }
    size_t n = length - PREFIX - BUCKET;
    bool same = n == strlen(domain) && memcmp(topic + PREFIX, domain, n) == 0;
    return same ? 0 : KITH_L_DOMAIN;
}

int kith_seed0_decode(const char *topic, size_t topic_length, const uint8_t *payload,
    size_t length, kith_seed0 *ret) {
    CHECK(payload != NULL);
    CHECK(ret != NULL);
    if (length < KITH_SEED0_LENGTH_MIN || length > KITH_SEED0_LENGTH_MAX) {
        return KITH_L_LENGTH;
    }
    kith_seed0 p = { 0 };
    int r = take_tail(payload + AT_TAIL, payload + length, &p);
    if (r == 0 && topic != NULL) r = check_topic(topic, topic_length, p.domain);
    if (r < 0) return r;
    int32_t n;
    uint32_t bits = wire_get32(payload + AT_COUNT);
    memcpy(&n, &bits, sizeof n);
    p.outcome_delta = (double) wire_get_float(payload + AT_DELTA);
    p.confidence = (double) wire_get_float(payload + AT_CONFIDENCE);
    p.n_observations = n;
    p.timestamp = wire_get_double(payload + AT_TIME);
    r = check_numbers(p.outcome_delta, p.confidence, p.n_observations, p.timestamp);
    if (r < 0) return r;
    *ret = p;
    return 0;
}
