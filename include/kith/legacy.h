/* SPDX-License-Identifier: Apache-2.0 */
/* kith/legacy.h - the packets of two older programs, seed 0 (binary) and seed 1
 * (JSON), to the byte and without their faults. docs/formats/legacy.md is the
 * specification. What one side cannot say, or would say otherwise, is refused
 * with a reason; nothing is cut, clamped or guessed. Legacy packets are unsigned:
 * what is read of them is never signed anew and never becomes a kith packet.
 * No function here reads a clock or allocates, save where jansson reads JSON.
 */
#ifndef KITH_LEGACY_H
#define KITH_LEGACY_H

#include <kith/packet.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_SEED0_LENGTH_MIN 30
#define KITH_SEED0_LENGTH_MAX 222
#define KITH_SEED0_NAME_MAX   32
#define KITH_SEED0_TOPIC_MAX  138 /* "qis." SUBJECT ".d+0.1" */
#define KITH_SEED0_ROWS_MAX   50  /* in one reply of a store */
#define KITH_SEED0_REPLY_MAX  32768
#define KITH_SEED1_LENGTH_MAX 512
#define KITH_SEED1_TOPIC_MAX  132 /* "qis." SUBJECT */
#define KITH_SEED1_VECTOR_MAX 192

/* Why a legacy packet, or a packet on its way to one, is refused. The first fault
 * found decides. Part of the ABI: add, never renumber. */
enum {
    KITH_L_FRAMES = -200,     /* not the two frames topic and payload */
    KITH_L_LENGTH = -201,     /* shorter or longer than the format allows */
    KITH_L_BARS = -202,       /* not exactly two bars in the tail */
    KITH_L_TEXT = -203,       /* not UTF-8, control characters, or too long */
    KITH_L_SUBJECT = -204,    /* the domain is no subject of ours */
    KITH_L_TOPIC = -205,      /* the topic has another form */
    KITH_L_DOMAIN = -206,     /* the topic is that of another domain */
    KITH_L_DELTA = -207,      /* outcome_delta NaN or outside -1..1 */
    KITH_L_CONFIDENCE = -208, /* NaN or outside 0..1 */
    KITH_L_COUNT = -209,      /* n_observations below 1, or beyond 31 bits */
    KITH_L_TIME = -210,       /* no time between 1970 and 9999 */
    KITH_L_FUTURE = -211,     /* more than 60 s ahead of us */
    KITH_L_JSON = -212,       /* not JSON, or not of that shape; NaN too */
    KITH_L_KEYS = -213,       /* a key is missing, twice, or not of the format */
    KITH_L_TYPE = -214,       /* a value of another type */
    KITH_L_VECTOR = -215,     /* context_vector: a number, or how many */
    KITH_L_ROOM = -216,       /* does not fit the other format's bytes */
    KITH_L_PARTS = -217,      /* it says what the other format has no field for */
    KITH_L_LAST = -217,
};

/* "bad_bars": the name of the counter; and in words. NULL: no such code. */
KITH_API const char *kith_legacy_counter(int code);
KITH_API const char *kith_legacy_words(int code);

/* ---- seed 0 ---- */

typedef struct kith_seed0 {
    char domain[KITH_SUBJECT_MAX + 1];
    char node_id[KITH_SEED0_NAME_MAX + 1], context_hash[KITH_SEED0_NAME_MAX + 1];
    double outcome_delta; /* -1..1; a float once it has travelled */
    double confidence;    /* 0..1, likewise */
    int32_t n_observations;
    double timestamp; /* Unix seconds */
} kith_seed0;

/* The two frames of its PUB socket. The topic is made of the delta before it
 * becomes a float, and never again from what was read. */
typedef struct kith_seed0_frames {
    uint16_t topic_length, payload_length;
    char topic[KITH_SEED0_TOPIC_MAX + 1]; /* also ends with NUL */
    uint8_t payload[KITH_SEED0_LENGTH_MAX];
} kith_seed0_frames;

KITH_API KITH_MUST_USE int kith_seed0_encode(
    const kith_seed0 *packet, kith_seed0_frames *ret_frames);
/* topic NULL: there is none to compare with, as in a file. */
KITH_API KITH_MUST_USE int kith_seed0_decode(const char *topic, size_t topic_length,
    const uint8_t *payload, size_t length, kith_seed0 *ret_packet);

/* A store's answer to a REQ: a JSON array as Python writes it, rows as they stand;
 * at most KITH_SEED0_ROWS_MAX. extended: with timestamp, node_id, context_hash.
 * Returns the length in ret, which ends with NUL. */
KITH_API KITH_MUST_USE int kith_seed0_reply(
    const kith_seed0 *rows, size_t count, bool extended, char ret[KITH_SEED0_REPLY_MAX]);
/* Returns how many rows there are, at most KITH_SEED0_ROWS_MAX. Plain ones have
 * neither names nor time. One bad row refuses all. */
KITH_API KITH_MUST_USE int kith_seed0_read_reply(
    const char *text, size_t length, kith_seed0 ret_rows[KITH_SEED0_ROWS_MAX]);

/* ---- seed 1 ---- */

typedef struct kith_seed1 {
    char agent_id[KITH_SEED1_LENGTH_MAX], domain[KITH_SUBJECT_MAX + 1],
        problem_class[KITH_SUBJECT_MAX + 1], conclusion[KITH_SEED1_LENGTH_MAX],
        source_node[KITH_SEED1_LENGTH_MAX];
    double confidence; /* 0..1 */
    uint16_t vector_count;
    double context_vector[KITH_SEED1_VECTOR_MAX];
    double timestamp;
} kith_seed1;

/* Returns the length in ret, which also ends with NUL. */
KITH_API KITH_MUST_USE int kith_seed1_encode(
    const kith_seed1 *packet, char ret[KITH_SEED1_LENGTH_MAX + 1]);
/* subject: that of NATS, or NULL as above. */
KITH_API KITH_MUST_USE int kith_seed1_decode(const char *subject, size_t subject_length,
    const char *text, size_t length, kith_seed1 *ret_packet);
/* "qis.iot.DOMAIN.PROBLEM_CLASS" */
KITH_API KITH_MUST_USE int kith_seed1_subject(
    const kith_seed1 *packet, char ret[KITH_SEED1_TOPIC_MAX + 1]);

/* ---- between them and us ---- */

/* What a packet of ours is there. Seed 0 takes leaves of one effect, seed 1 takes
 * reports with a confidence. */
KITH_API KITH_MUST_USE int kith_seed0_of(const kith_content *content, kith_seed0 *ret);
KITH_API KITH_MUST_USE int kith_seed1_of(const kith_content *content, kith_seed1 *ret);

/* What it says, as evidence to look at: a leaf of effect and confidence, or a report.
 * Its source is a hash of the name it claims, its epoch is 0 and its signature is
 * none, so that no encoder takes it. */
KITH_API KITH_MUST_USE int kith_seed0_content(const kith_seed0 *packet, kith_content *ret);
KITH_API KITH_MUST_USE int kith_seed1_content(const kith_seed1 *packet, kith_content *ret);

/* 0 or KITH_L_FUTURE. */
KITH_API KITH_MUST_USE int kith_legacy_timely(double timestamp, int64_t now_us);

/* What makes an exact repeat count once: SHA-256 of "kith-legacy-0" (or -1), the
 * length of the topic in two bytes, topic and payload. */
KITH_API void kith_legacy_id(int seed, const void *topic, size_t topic_length,
    const void *payload, size_t length, uint8_t ret_id[KITH_ID_SIZE]);

#ifdef __cplusplus
}
#endif
#endif
