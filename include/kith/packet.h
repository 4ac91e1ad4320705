/* SPDX-License-Identifier: Apache-2.0 */
/* kith/packet.h - what a node has learned, in at most 512 signed bytes.
 *
 * A kith_packet is the encoded form, exactly as it is stored and carried. A
 * kith_content is the same packet spread out. Both are values: pass by pointer
 * to const, copy to keep, nothing to free. docs/formats/packet.md is the
 * specification; every range in it is enforced by encode and by decode through
 * one shared check. No function here reads a clock or allocates.
 */
#ifndef KITH_PACKET_H
#define KITH_PACKET_H

#include <kith/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_PACKET_MAX     512
#define KITH_PACKET_VERSION 1
#define KITH_SUBJECT_MAX    128
#define KITH_TOKENS_MAX     8
#define KITH_TEXT_MAX       160
#define KITH_EFFECT_MAX     4
#define KITH_ID_SIZE        32
#define KITH_KEY_SIZE       32 /* public key of a source */
#define KITH_KEYID_SIZE     16
#define KITH_SIGNATURE_SIZE 64
#define KITH_TEMPLATE_SIZE  16
/* What stands before the bytes of a packet in the message that is signed. */
#define KITH_PACKET_SIGNED "kith-packet-1"

typedef struct kith_packet {
    uint16_t length; /* 1..KITH_PACKET_MAX */
    uint8_t bytes[KITH_PACKET_MAX];
} kith_packet;

/* Tokens of a-z 0-9 _ - joined by dots: "iot.hvac.energy-anomaly". */
typedef struct kith_address {
    char subject[KITH_SUBJECT_MAX + 1];
} kith_address;

enum {
    KITH_LEAF = 1,
    KITH_DIGEST = 2,
    KITH_EVAL = 3,
    KITH_RETRACT = 4,
};

/* Which optional parts a packet has: the flags of the wire form. */
enum {
    KITH_HAS_EFFECT = 1u << 0,
    KITH_HAS_COVARIANCE = 1u << 1,
    KITH_HAS_COUNTS = 1u << 2,
    KITH_HAS_CONFIDENCE = 1u << 3,
    KITH_HAS_CONTEXT16 = 1u << 4,
    KITH_HAS_CONTEXT8 = 1u << 5,
    KITH_HAS_PRIVACY = 1u << 6,
    KITH_HAS_CONCLUSION = 1u << 7,
    KITH_HAS_TEXT = 1u << 8,
    KITH_HAS_DIGEST = 1u << 9,
    KITH_HAS_SKETCH = 1u << 10,
};

/* How an effect was measured; reference: docs/formats/packet.md. */
enum {
    KITH_MEAN = 1,
    KITH_MEAN_DIFFERENCE = 2,
    KITH_LOG_RISK_RATIO = 3,
    KITH_LOG_ODDS_RATIO = 4,
    KITH_RISK_DIFFERENCE = 5,
    KITH_FISHER_Z = 6,
    KITH_LOGIT = 7,
    KITH_LOG_MEAN_RATIO = 8,
    KITH_SCORE_GAIN = 9,
};

/* 128-bit two's complement, for the sums of a digest. */
typedef struct kith_i128 {
    uint64_t high, low;
} kith_i128;

/* A packet spread out. Parts that `has` does not name are zero after decode and
 * not looked at by encode. */
typedef struct kith_content {
    uint8_t type;
    uint16_t has;
    uint8_t template_id[KITH_TEMPLATE_SIZE];
    uint8_t source[KITH_KEY_SIZE];
    uint64_t epoch, seq;
    int64_t t_end_us; /* the raw data lie in (t_end - span, t_end] */
    uint32_t span_s, ttl_s;
    kith_address address;

    uint8_t measure, components; /* 1..4 */
    uint32_t n;
    double effect[KITH_EFFECT_MAX]; /* in units of the template */
    double covariance[10];          /* lower triangle by rows */
    uint32_t hits, tries;
    float confidence;
    uint8_t context16_count, context8_count;
    uint16_t context16[16];
    int8_t context8[64];
    uint8_t mechanism;
    float rho, v_dp;
    uint16_t conclusion;
    uint8_t text_length;
    char text[KITH_TEXT_MAX + 1]; /* also ends with NUL */

    struct {
        uint8_t measure, components, level; /* level 255: no cell */
        uint8_t prefix[16];
        uint64_t count;
        kith_i128 sums[KITH_EFFECT_MAX][4]; /* S1..S4 */
    } digest;
    uint8_t sketch[192]; /* 256 registers of 6 bits */

    uint8_t signature[KITH_SIGNATURE_SIZE];
} kith_content;

/* Why a packet is refused. The first wrong byte decides. kith_refusal_* say it
 * in words and name its counter. Part of the ABI: add, never renumber. */
enum {
    KITH_R_LENGTH = -100,     /* too short, too long, trailing bytes */
    KITH_R_VERSION = -101,    /* a version we do not know */
    KITH_R_TYPE = -102,       /* no such type */
    KITH_R_FLAGS = -103,      /* unknown flag bits */
    KITH_R_PARTS = -104,      /* a combination of parts that has no meaning */
    KITH_R_ORDER = -105,      /* epoch or sequence out of range */
    KITH_R_TIME = -106,       /* t_end, span or ttl out of range */
    KITH_R_SUBJECT = -107,    /* not a subject */
    KITH_R_MEASURE = -108,    /* measure or number of components */
    KITH_R_COUNT = -109,      /* n, hits or tries */
    KITH_R_NUMBER = -110,     /* NaN, infinity, denormal, -0, or out of range */
    KITH_R_VARIANCE = -111,   /* variance out of range or not positive definite */
    KITH_R_CONFIDENCE = -112, /* not 0..1 */
    KITH_R_CONTEXT = -113,    /* too many numbers, or none */
    KITH_R_PRIVACY = -114,    /* mechanism, rho or v_dp */
    KITH_R_TEXT = -115,       /* empty, not UTF-8, or control characters */
    KITH_R_DIGEST = -116,
    KITH_R_SKETCH = -117,
    KITH_R_ROOM = -118,      /* encode: does not fit 512 bytes */
    KITH_R_SIGNATURE = -119, /* the signature is not the source's */
    KITH_R_FUTURE = -120,    /* t_end more than 60 s ahead of us */
    KITH_R_EXPIRED = -121,
    KITH_R_ADDRESS = -122,      /* the carrier's address is not the signed one */
    KITH_R_EQUIVOCATION = -123, /* other bytes under a known (source, epoch, seq) */
    KITH_R_RETRACTED = -124,    /* its source took it back */
    KITH_R_UNIT = -125,         /* outside the built-in template's unit */
    KITH_R_CONCLUSION = -126,   /* conclusion code 0, which is none */
    KITH_R_UNSIGNED = -127,     /* of an older program: it has no signature at all */
    KITH_R_LAST = -127,
};

/* "bad_sig": the name of the counter. NULL if code is not a refusal. */
KITH_API const char *kith_refusal_counter(int code);
/* "the signature is not the source's". NULL if code is not a refusal. */
KITH_API const char *kith_refusal_words(int code);

/* Everything but the signature, in canonical form; the last 64 bytes are taken
 * from content->signature. A KITH_R_* if content is outside any range. */
KITH_API KITH_MUST_USE int kith_packet_encode(
    const kith_content *content, kith_packet *ret_packet);

/* Every range, but neither signature nor time. Pure: the same bytes give the
 * same answer for ever. A KITH_R_* says why not. */
KITH_API KITH_MUST_USE int kith_packet_decode(
    const uint8_t *bytes, size_t length, kith_content *ret_content);

/* 0, or KITH_R_SIGNATURE. The packet must have been decoded without complaint. */
KITH_API KITH_MUST_USE int kith_packet_verify(const kith_packet *packet);

/* SHA-256 of all bytes. */
KITH_API void kith_packet_id(const kith_packet *packet, uint8_t ret_id[KITH_ID_SIZE]);

/* May it enter a store now? 0, KITH_R_FUTURE or KITH_R_EXPIRED. */
KITH_API KITH_MUST_USE int kith_packet_timely(const kith_content *content, int64_t now_us);

/* t_end + ttl, in microseconds; never overflows. */
KITH_API int64_t kith_packet_expires_us(const kith_content *content);

/* Bytes of each field, for `kith pkt size`: rows of (name, bytes), and the sum
 * even when it is beyond 512. Returns the number of rows, at most `rows_max`. */
typedef struct kith_field {
    const char *name;
    uint16_t offset, size;
} kith_field;
#define KITH_FIELDS_MAX 32
KITH_API size_t kith_packet_fields(
    const kith_content *content, kith_field *ret_rows, size_t rows_max, size_t *ret_total);

/* First 16 bytes of BLAKE2b-256 of a public key: how people name a source. */
KITH_API void kith_keyid(
    const uint8_t key[KITH_KEY_SIZE], uint8_t ret_keyid[KITH_KEYID_SIZE]);

/* Built-in templates: id = fifteen zero bytes and one signed byte u, the unit
 * being 10^u, u = -9..9; u = 0 is the preset. Returns whether id is built in. */
KITH_API bool kith_template_builtin(
    const uint8_t template_id[KITH_TEMPLATE_SIZE], int *ret_u);
/* Does the evidence fit the template's unit? 0 or KITH_R_UNIT, or KITH_EMPTY when
 * the template is not known here: such a packet is stored, never pooled. */
KITH_API KITH_MUST_USE int kith_template_admits(const kith_content *content);
/* 10^u; u = -9..9. A packet's effect is what was measured, divided by it. */
KITH_API double kith_template_unit(int u);
/* The u in which |effect| <= 1024 units and 0.001 <= se <= 1000 units, nearest
 * to se = 1 unit. KITH_E_ARG if there is none. */
KITH_API KITH_MUST_USE int kith_template_unit_for(double effect, double se, int *ret_u);

#ifdef __cplusplus
}
#endif
#endif
