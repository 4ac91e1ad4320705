/* SPDX-License-Identifier: Apache-2.0 */
/* Between their packets and ours. The law: a number or a word either arrives with
 * its meaning or the packet is refused. */
#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/wire.h"
#include "legacy/legacy.h"

#include <kith/address.h>
#include <kith/synthesis.h>

#include <float.h>
#include <math.h>
#include <string.h>

#define NAME_BYTES 8 /* 16 hex digits, as long as the seeds' own names */
#define CONTEXTS   (sizeof((kith_content *) 0)->context16 / sizeof(uint16_t))

static double seconds(int64_t t_us) {
    return (double) t_us / 1e6;
}

/* How sure it is that the effect has the sign it has. */
static double sureness(const kith_content *c) {
    if (c->has & KITH_HAS_CONFIDENCE) return (double) c->confidence;
    return kith_normal_cdf(fabs(c->effect[0]) / sqrt(c->covariance[0]));
}

static void name_of(const uint8_t source[KITH_KEY_SIZE], char ret[2 * NAME_BYTES + 1]) {
    uint8_t id[KITH_KEYID_SIZE];
    kith_keyid(source, id);
    ki_hex(id, NAME_BYTES, ret);
}

int kith_seed0_of(const kith_content *c, kith_seed0 *ret) {
    CHECK(c != NULL);
    CHECK(ret != NULL);
    unsigned plain = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE | KITH_HAS_CONFIDENCE;
    if (c->type != KITH_LEAF || (c->has & ~plain) != 0 || !(c->has & KITH_HAS_EFFECT) ||
        !(c->has & (KITH_HAS_COVARIANCE | KITH_HAS_CONFIDENCE)) || c->components != 1) {
        return KITH_L_PARTS;
    }
    if (c->n > INT32_MAX) return KITH_L_COUNT;
    kith_seed0 p = { .outcome_delta = c->effect[0],
        .n_observations = (int32_t) c->n,
        .confidence = sureness(c),
        .timestamp = seconds(c->t_end_us) };
    uint8_t print[KITH_FINGERPRINT_SIZE];
    if (kith_address_fingerprint(c->template_id, c->address.subject, print) < 0) {
        return KITH_L_SUBJECT;
    }
    memcpy(p.domain, c->address.subject, strlen(c->address.subject) + 1);
    name_of(c->source, p.node_id);
    ki_hex(print, NAME_BYTES, p.context_hash);
    kith_seed0_frames frames;
    int r = kith_seed0_encode(&p, &frames);
    if (r == 0) *ret = p;
    return r;
}

/* "iot.hvac.energy-anomaly": iot, a domain of one token, and the rest. */
static int split(const char *subject, kith_seed1 *p) {
    const char *domain = subject + 4;
    if (strncmp(subject, "iot.", 4) != 0) return KITH_L_SUBJECT;
    const char *dot = strchr(domain, '.');
    if (dot == NULL) return KITH_L_SUBJECT;
    memcpy(p->domain, domain, (size_t) (dot - domain));
    memcpy(p->problem_class, dot + 1, strlen(dot));
    return 0;
}

int kith_seed1_of(const kith_content *c, kith_seed1 *ret) {
    CHECK(c != NULL);
    CHECK(ret != NULL);
    unsigned parts = KITH_HAS_TEXT | KITH_HAS_CONFIDENCE;
    if (c->type != KITH_LEAF || (c->has & ~(unsigned) KITH_HAS_CONTEXT16) != parts) {
        return KITH_L_PARTS;
    }
    kith_seed1 p;
    memset(&p, 0, sizeof p);
    int r = split(c->address.subject, &p);
    if (r < 0) return r;
    name_of(c->source, p.agent_id);
    name_of(c->source, p.source_node);
    memcpy(p.conclusion, c->text, strlen(c->text) + 1);
    p.confidence = (double) c->confidence;
    p.timestamp = seconds(c->t_end_us);
    p.vector_count = (c->has & KITH_HAS_CONTEXT16) ? c->context16_count : 0;
    if (p.vector_count > CONTEXTS) return KITH_L_VECTOR;
    for (size_t i = 0; i < p.vector_count; i++) {
        /* The first number of five decimals that is this step of 2^-16. */
        p.context_vector[i] = ceil(c->context16[i] * 1e5 / 65536) / 1e5;
    }
    char text[KITH_SEED1_LENGTH_MAX + 1];
    r = kith_seed1_encode(&p, text);
    if (r < 0) return r;
    memcpy(ret, &p, sizeof p);
    return 0;
}

/* ---- to us ---- */

/* One name, one source, and no key that anybody could have. */
static void claimed(const char *seed, const char *name, uint8_t ret[KITH_KEY_SIZE]) {
    ki_sha256 h;
    ki_sha256_init(&h);
    ki_sha256_add(&h, seed, strlen(seed) + 1);
    ki_sha256_add(&h, name, strlen(name));
    ki_sha256_done(&h, ret);
}

/* Ours have no -0 and nothing below the normal range: far below what either says. */
static double flushed(double x) {
    return fabs(x) < DBL_MIN ? 0 : x;
}

static float flushed32(double x) {
    return fabs(x) < (double) FLT_MIN ? 0 : (float) x;
}

static kith_content unsigned_leaf(double timestamp) {
    kith_content c = { .type = KITH_LEAF, .ttl_s = LIMIT_TTL_PRESET_S };
    c.t_end_us = llround(timestamp * 1e6);
    return c;
}

int kith_seed0_content(const kith_seed0 *p, kith_content *ret) {
    CHECK(p != NULL);
    CHECK(ret != NULL);
    kith_seed0_frames frames;
    int r = kith_seed0_encode(p, &frames);
    if (r < 0) return r;
    kith_content c = unsigned_leaf(p->timestamp);
    c.has = KITH_HAS_EFFECT | KITH_HAS_CONFIDENCE;
    claimed("kith-legacy-0", p->node_id, c.source);
    memcpy(c.address.subject, p->domain, strlen(p->domain) + 1);
    c.measure = KITH_MEAN_DIFFERENCE;
    c.components = 1;
    c.n = (uint32_t) p->n_observations;
    c.effect[0] = flushed(p->outcome_delta);
    c.confidence = flushed32(p->confidence);
    *ret = c;
    return 0;
}

int kith_seed1_content(const kith_seed1 *p, kith_content *ret) {
    CHECK(p != NULL);
    CHECK(ret != NULL);
    char text[KITH_SEED1_LENGTH_MAX + 1], subject[KITH_SEED1_TOPIC_MAX + 1];
    int r = kith_seed1_encode(p, text);
    if (r >= 0) r = kith_seed1_subject(p, subject);
    if (r < 0) return r;
    kith_content c = unsigned_leaf(p->timestamp);
    c.has = KITH_HAS_CONFIDENCE | KITH_HAS_TEXT;
    claimed("kith-legacy-1", p->agent_id, c.source);
    memcpy(c.address.subject, subject + 4, strlen(subject) - 3);
    c.confidence = flushed32(p->confidence);
    size_t n = strlen(p->conclusion);
    if (n < 1 || n > KITH_TEXT_MAX) return KITH_L_ROOM;
    memcpy(c.text, p->conclusion, n + 1);
    c.text_length = (uint8_t) n;
    if (p->vector_count > CONTEXTS) return KITH_L_VECTOR;
    if (p->vector_count > 0) c.has |= KITH_HAS_CONTEXT16;
    c.context16_count = (uint8_t) p->vector_count;
    for (size_t i = 0; i < p->vector_count; i++) {
        double x = p->context_vector[i];
        if (!(x >= 0 && x <= 1)) return KITH_L_VECTOR;
        double step = floor(x * 65536);
        c.context16[i] = step > 65535 ? 65535 : (uint16_t) step;
    }
    *ret = c;
    return 0;
}
