/* SPDX-License-Identifier: Apache-2.0 */
/* The reason of a refusal in two forms, the time that is judged apart, and ids. */
#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/wire.h"
#include "legacy/legacy.h"

#include <math.h>
#include <string.h>

#define REASONS   (KITH_L_FRAMES - KITH_L_LAST + 1)
#define ROW(code) [KITH_L_FRAMES - (code)]

static const struct {
    const char *counter, *words;
} rows[] = {
    ROW(KITH_L_FRAMES) = { "bad_frames", "not the two frames topic and payload" },
    ROW(KITH_L_LENGTH) = { "bad_len", "shorter or longer than the format allows" },
    ROW(KITH_L_BARS) = { "bad_bars", "not exactly two bars between its three names" },
    ROW(KITH_L_TEXT) = { "bad_text",
        "a name or text is too long, not UTF-8, or has control characters" },
    ROW(KITH_L_SUBJECT) = { "bad_subject", "its domain is no subject of kith" },
    ROW(KITH_L_TOPIC) = { "bad_topic", "its topic is not of that format" },
    ROW(KITH_L_DOMAIN) = { "bad_domain", "its topic is that of another domain" },
    ROW(KITH_L_DELTA) = { "bad_delta", "outcome_delta is NaN or outside -1..1" },
    ROW(KITH_L_CONFIDENCE) = { "bad_confidence", "confidence is NaN or outside 0..1" },
    ROW(KITH_L_COUNT) = { "bad_count", "n_observations is below 1 or beyond 2147483647" },
    ROW(KITH_L_TIME) = { "bad_time", "its timestamp is no time between 1970 and 9999" },
    ROW(KITH_L_FUTURE) = { "future", "its time is more than 60 s ahead of our clock" },
    ROW(KITH_L_JSON) = { "bad_json", "not JSON of that shape; NaN is none" },
    ROW(KITH_L_KEYS) = { "bad_keys",
        "a key is missing, there twice, or not of the format" },
    ROW(KITH_L_TYPE) = { "bad_type", "a value is of another type than the format's" },
    ROW(KITH_L_VECTOR) = { "bad_vector", "a number of context_vector, or how many" },
    ROW(KITH_L_ROOM) = { "no_room", "it does not fit the bytes of the other format" },
    ROW(KITH_L_PARTS) = { "no_field", "it says what the other format has no field for" },
};
_Static_assert(sizeof rows / sizeof *rows == REASONS, "a row for each reason");

static bool reason(int code) {
    return code <= KITH_L_FRAMES && code >= KITH_L_LAST;
}

const char *kith_legacy_counter(int code) {
    return reason(code) ? rows[KITH_L_FRAMES - code].counter : NULL;
}

const char *kith_legacy_words(int code) {
    return reason(code) ? rows[KITH_L_FRAMES - code].words : NULL;
}

/* NaN fails both comparisons. */
bool ki_legacy_time(double timestamp) {
    return timestamp >= 1e-6 && timestamp * 1e6 <= (double) LIMIT_T_END_US - 1e3;
}

int kith_legacy_timely(double timestamp, int64_t now_us) {
    CHECK(now_us > INT64_MIN / 2);
    CHECK(now_us < INT64_MAX / 2);
    return timestamp * 1e6 <= (double) (now_us + LIMIT_FUTURE_US) ? 0 : KITH_L_FUTURE;
}

void kith_legacy_id(int seed, const void *topic, size_t topic_length, const void *payload,
    size_t length, uint8_t ret_id[KITH_ID_SIZE]) {
    CHECK(seed == 0 || seed == 1);
    CHECK(topic_length <= UINT16_MAX);
    ki_sha256 h;
    uint8_t size[2];
    wire_put16(size, (uint16_t) topic_length);
    ki_sha256_init(&h);
    ki_sha256_add(&h, seed == 0 ? "kith-legacy-0" : "kith-legacy-1", 13);
    ki_sha256_add(&h, size, sizeof size);
    ki_sha256_add(&h, topic, topic_length);
    ki_sha256_add(&h, payload, length);
    ki_sha256_done(&h, ret_id);
}
