/* SPDX-License-Identifier: Apache-2.0 */
/* Seed 0 to the byte, and whatever is not it refused for its own reason. */
#include "base/draw.h"
#include "base/hash.h"
#include "base/wire.h"

#include <kith/legacy.h>

#include "test.h"

#include <math.h>

static const char golden_topic[] = "qis.clinical.radiology.ct.d+0.1";
static const char golden_hex[] =
    "3e0000003f6000000000006441da13b8600000000000000000000000636c696e6963616c2e7261646"
    "96f6c6f67792e63747c303132333435363738396162636465667c66656463626139383736353433"
    "323130";

static kith_seed0 golden(void) {
    return (kith_seed0){ .domain = "clinical.radiology.ct",
        .node_id = "0123456789abcdef",
        .context_hash = "fedcba9876543210",
        .outcome_delta = 0.125,
        .confidence = 0.875,
        .n_observations = 100,
        .timestamp = 1750000000.0 };
}

static bool same(const kith_seed0 *a, const kith_seed0 *b) {
    return strcmp(a->domain, b->domain) == 0 && strcmp(a->node_id, b->node_id) == 0 &&
           strcmp(a->context_hash, b->context_hash) == 0 &&
           a->outcome_delta == b->outcome_delta && a->confidence == b->confidence &&
           a->n_observations == b->n_observations && a->timestamp == b->timestamp;
}

static void golden_bytes_are_written(void) {
    kith_seed0 p = golden();
    kith_seed0_frames f;
    char hex[2 * KITH_SEED0_LENGTH_MAX + 1];
    EXPECT_INT(kith_seed0_encode(&p, &f), 0);
    EXPECT_INT(f.payload_length, 83);
    ki_hex(f.payload, f.payload_length, hex);
    EXPECT(strcmp(hex, golden_hex) == 0);
    EXPECT(strcmp(f.topic, golden_topic) == 0);
    EXPECT_INT(f.topic_length, strlen(golden_topic));
}

static void golden_bytes_are_read(void) {
    kith_seed0 p = golden(), back;
    uint8_t bytes[83];
    EXPECT(ki_unhex(golden_hex, sizeof golden_hex - 1, bytes, sizeof bytes));
    EXPECT_INT(kith_seed0_decode(
                   golden_topic, sizeof golden_topic - 1, bytes, sizeof bytes, &back),
        0);
    EXPECT(same(&p, &back));
    EXPECT_INT(kith_seed0_decode(NULL, 0, bytes, sizeof bytes, &back), 0);
}

static void the_bucket_is_cut_towards_zero(void) {
    static const struct {
        double delta;
        const char *end;
    } rows[] = { { -0.05, ".d+0.0" }, { 0.05, ".d+0.0" }, { -0.95, ".d-0.9" },
        { 0.0, ".d+0.0" }, { -0.0, ".d+0.0" }, { 1, ".d+1.0" }, { -1, ".d-1.0" },
        { 0.7, ".d+0.7" }, { -0.7, ".d-0.7" }, { 0.9, ".d+0.9" }, { -0.9, ".d-0.9" },
        { 0.99, ".d+0.9" }, { -0.1, ".d-0.1" }, { 0.3, ".d+0.3" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kith_seed0 p = golden();
        kith_seed0_frames f;
        p.outcome_delta = rows[i].delta;
        EXPECT_INT(kith_seed0_encode(&p, &f), 0);
        EXPECT(strcmp(f.topic + f.topic_length - 6, rows[i].end) == 0);
    }
}

/* The float of 0.7 lies below it, so whoever computes the topic again gets +0.6. */
static void the_topic_is_the_senders_word(void) {
    kith_seed0 p = golden(), back;
    kith_seed0_frames f, again;
    p.outcome_delta = 0.7;
    EXPECT_INT(kith_seed0_encode(&p, &f), 0);
    EXPECT_INT(
        kith_seed0_decode(f.topic, f.topic_length, f.payload, f.payload_length, &back), 0);
    EXPECT_INT(kith_seed0_encode(&back, &again), 0);
    EXPECT(strcmp(f.topic, again.topic) != 0);
    EXPECT(memcmp(f.payload, again.payload, f.payload_length) == 0);
}

/* ---- refusals ---- */

/* The golden frames with a change; what stood in the output stays there. */
static int changed(const char *topic, size_t at, const void *bytes, size_t size) {
    kith_seed0 was, back, p = golden();
    kith_seed0_frames f;
    memset(&was, 0x5a, sizeof was);
    memset(&back, 0x5a, sizeof back);
    if (kith_seed0_encode(&p, &f) != 0) return 1;
    memcpy(f.payload + at, bytes, size);
    int r = kith_seed0_decode(
        topic, topic == NULL ? 0 : strlen(topic), f.payload, f.payload_length, &back);
    if (r < 0 && memcmp(&was, &back, sizeof was) != 0) return 2;
    return r;
}

static int with_float(size_t at, double value) {
    uint8_t bytes[4];
    wire_put_float(bytes, (float) value);
    return changed(golden_topic, at, bytes, 4);
}

static int with_time(double value) {
    uint8_t bytes[8];
    wire_put_double(bytes, value);
    return changed(golden_topic, 12, bytes, 8);
}

static int with_count(uint32_t value) {
    uint8_t bytes[4];
    wire_put32(bytes, value);
    return changed(golden_topic, 8, bytes, 4);
}

static void w3_numbers_out_of_range_are_refused(void) {
    EXPECT_INT(with_float(0, (double) NAN), KITH_L_DELTA);
    EXPECT_INT(with_float(0, (double) INFINITY), KITH_L_DELTA);
    EXPECT_INT(with_float(0, 1.0000001), KITH_L_DELTA);
    EXPECT_INT(with_float(0, -1.0000001), KITH_L_DELTA);
    EXPECT_INT(with_float(0, -1), 0);
    EXPECT_INT(with_float(4, (double) NAN), KITH_L_CONFIDENCE);
    EXPECT_INT(with_float(4, 1e30), KITH_L_CONFIDENCE);
    EXPECT_INT(with_float(4, -0.01), KITH_L_CONFIDENCE);
    EXPECT_INT(with_float(4, 1), 0);
    EXPECT_INT(with_count(0), KITH_L_COUNT);
    EXPECT_INT(with_count(UINT32_MAX), KITH_L_COUNT);
    EXPECT_INT(with_count(INT32_MAX), 0);
    EXPECT_INT(with_time((double) NAN), KITH_L_TIME);
    EXPECT_INT(with_time(0), KITH_L_TIME);
    EXPECT_INT(with_time(253402300800.0), KITH_L_TIME);
    EXPECT_INT(with_time(0.5), 0);
}

static void the_reserved_number_is_not_looked_at(void) {
    EXPECT_INT(changed(golden_topic, 20, "\x7f\xf8\0\0\0\0\0\0", 8), 0);
}

static void w4_names_that_are_not_clean_are_refused(void) {
    EXPECT_INT(changed(golden_topic, 28, "|", 1), KITH_L_BARS);
    EXPECT_INT(changed(golden_topic, 49, "_", 1), KITH_L_BARS);
    EXPECT_INT(changed(golden_topic, 50, "\xff", 1), KITH_L_TEXT);
    EXPECT_INT(changed(golden_topic, 50, "\x1b", 1), KITH_L_TEXT);
    EXPECT_INT(changed(golden_topic, 50, "\0", 1), KITH_L_TEXT);
    EXPECT_INT(changed(golden_topic, 81, "\xc3\xa9", 2), 0);       /* an e with an accent */
    EXPECT_INT(changed(golden_topic, 82, "\xc3", 1), KITH_L_TEXT); /* cut in the middle */
    EXPECT_INT(changed(NULL, 28, "C", 1), KITH_L_SUBJECT);
    EXPECT_INT(changed(NULL, 36, "..", 2), KITH_L_SUBJECT);
    EXPECT_INT(changed(NULL, 28, "_sys.", 5), KITH_L_SUBJECT);
    EXPECT_INT(changed(golden_topic, 28, "d", 1), KITH_L_DOMAIN);
}

static void topics_of_another_form_are_refused(void) {
    static const char *const bad[] = { "", "qis.", "qis.d+0.1", "clinical.radiology.ct",
        "qis.clinical.radiology.ct", "qis.clinical.radiology.ct.d+0.",
        "qis.clinical.radiology.ct.d 0.1", "qis.clinical.radiology.ct.d+2.0",
        "qis.clinical.radiology.ct.d+1.1", "qis.clinical.radiology.ct.e+0.1",
        "Qis.clinical.radiology.ct.d+0.1", "qis.clinical.radiology.ct.d+0,1" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EXPECT_INT(changed(bad[i], 28, "c", 1), KITH_L_TOPIC);
    }
    EXPECT_INT(changed("qis.clinical.radiology.d+0.1", 28, "c", 1), KITH_L_DOMAIN);
    EXPECT_INT(changed("qis.clinical.radiology.cta.d+0.1", 28, "c", 1), KITH_L_DOMAIN);
    /* Any bucket: the double that made it is not here. */
    EXPECT_INT(changed("qis.clinical.radiology.ct.d-1.0", 28, "c", 1), 0);
}

static void w1_lengths_outside_30_to_222_are_refused(void) {
    uint8_t bytes[KITH_SEED0_LENGTH_MAX + 2] = { 0 };
    kith_seed0 back;
    for (size_t n = 0; n < KITH_SEED0_LENGTH_MIN; n++) {
        EXPECT_INT(kith_seed0_decode(NULL, 0, bytes, n, &back), KITH_L_LENGTH);
    }
    EXPECT_INT(
        kith_seed0_decode(NULL, 0, bytes, KITH_SEED0_LENGTH_MAX + 1, &back), KITH_L_LENGTH);
    EXPECT_INT(
        kith_seed0_decode(NULL, 0, bytes, KITH_SEED0_LENGTH_MIN, &back), KITH_L_BARS);
}

static void fill(char *at, char c, size_t n) {
    memset(at, c, n);
    at[n] = '\0';
}

static void the_longest_packet_goes_both_ways(void) {
    kith_seed0 p = golden(), back;
    kith_seed0_frames f;
    fill(p.domain, 'd', KITH_SUBJECT_MAX);
    fill(p.node_id, 'n', KITH_SEED0_NAME_MAX);
    fill(p.context_hash, 'c', KITH_SEED0_NAME_MAX);
    EXPECT_INT(kith_seed0_encode(&p, &f), 0);
    EXPECT_INT(f.payload_length, KITH_SEED0_LENGTH_MAX);
    EXPECT_INT(f.topic_length, KITH_SEED0_TOPIC_MAX);
    EXPECT_INT(
        kith_seed0_decode(f.topic, f.topic_length, f.payload, f.payload_length, &back), 0);
    EXPECT(same(&p, &back));
}

static void what_the_format_cannot_hold_is_not_written(void) {
    kith_seed0_frames f = { .topic_length = 7 };
    kith_seed0 p = golden();
    p.outcome_delta = 1.5;
    EXPECT_INT(kith_seed0_encode(&p, &f), KITH_L_DELTA);
    p = golden();
    p.n_observations = 0;
    EXPECT_INT(kith_seed0_encode(&p, &f), KITH_L_COUNT);
    p = golden();
    p.node_id[3] = '|';
    EXPECT_INT(kith_seed0_encode(&p, &f), KITH_L_BARS);
    p = golden();
    memset(p.context_hash, 'c', sizeof p.context_hash); /* no end */
    EXPECT_INT(kith_seed0_encode(&p, &f), KITH_L_TEXT);
    p = golden();
    memset(p.domain, 'd', sizeof p.domain);
    EXPECT_INT(kith_seed0_encode(&p, &f), KITH_L_SUBJECT);
    EXPECT_INT(f.topic_length, 7);
}

/* Through memory: gcc 12 forgets the float between two such lines when it makes one
 * instruction of both. */
static double as_float(double x) {
    volatile float f = (float) x;
    return (double) f;
}

static void random_packets_come_back(void) {
    uint64_t dice = 5;
    for (int i = 0; i < 20000; i++) {
        kith_seed0 p = golden(), back;
        kith_seed0_frames f, again;
        p.outcome_delta = as_float(draw_uniform(&dice) * 2 - 1);
        p.confidence = as_float(draw_uniform(&dice));
        p.n_observations = (int32_t) (1 + dice_below(&dice, INT32_MAX));
        p.timestamp = 2e9 * draw_uniform(&dice) + 1;
        fill(p.domain, 'a', 1 + dice_below(&dice, KITH_SUBJECT_MAX));
        fill(p.node_id, '.', dice_below(&dice, KITH_SEED0_NAME_MAX + 1));
        EXPECT_INT(kith_seed0_encode(&p, &f), 0);
        EXPECT_INT(
            kith_seed0_decode(f.topic, f.topic_length, f.payload, f.payload_length, &back),
            0);
        EXPECT(same(&p, &back));
        EXPECT_INT(kith_seed0_encode(&back, &again), 0);
        EXPECT(memcmp(&f, &again, sizeof f) == 0);
    }
}

/* ---- the store's reply ---- */

static void a_reply_is_what_python_writes(void) {
    char text[KITH_SEED0_REPLY_MAX];
    kith_seed0 rows[2] = { golden(), golden() };
    rows[0].outcome_delta = 0.1;
    static const char want[] =
        "[{\"domain\": \"clinical.radiology.ct\", \"outcome_delta\": 0.10000000149011612, "
        "\"confidence\": 0.875, \"n_observations\": 100}]";
    EXPECT_INT(kith_seed0_reply(rows, 1, false, text), sizeof want - 1);
    EXPECT(strcmp(text, want) == 0);
    EXPECT_INT(kith_seed0_reply(rows, 0, false, text), 2);
    EXPECT(strcmp(text, "[]") == 0);
    static const char tail[] = ", \"timestamp\": 1750000000.0, \"node_id\": "
                               "\"0123456789abcdef\", \"context_hash\": "
                               "\"fedcba9876543210\"}]";
    EXPECT(kith_seed0_reply(rows, 2, true, text) > 0);
    EXPECT(strcmp(text + strlen(text) - strlen(tail), tail) == 0);
    EXPECT(strstr(text, "}, {\"domain\": ") != NULL);
}

static void the_longest_reply_fits(void) {
    static kith_seed0 rows[KITH_SEED0_ROWS_MAX + 1], back[KITH_SEED0_ROWS_MAX];
    char text[KITH_SEED0_REPLY_MAX];
    for (size_t i = 0; i < KITH_SEED0_ROWS_MAX + 1; i++) {
        rows[i] = golden();
        rows[i].outcome_delta = -1.1754943508222875e-38;
        rows[i].confidence = 1.1754943508222875e-38;
        rows[i].n_observations = INT32_MAX;
        rows[i].timestamp = 1234567890.1234567;
        fill(rows[i].domain, 'd', KITH_SUBJECT_MAX);
        for (size_t k = 0; k < KITH_SEED0_NAME_MAX; k += 2) {
            memcpy(rows[i].node_id + k, "\xc3\xa9", 3);
            memcpy(rows[i].context_hash + k, "\xc3\xa9", 3);
        }
    }
    int n = kith_seed0_reply(rows, KITH_SEED0_ROWS_MAX, true, text);
    EXPECT(n > 0);
    EXPECT_INT(kith_seed0_read_reply(text, (size_t) n, back), KITH_SEED0_ROWS_MAX);
    EXPECT(same(&rows[49], &back[49]));
    EXPECT_INT(kith_seed0_reply(rows, KITH_SEED0_ROWS_MAX + 1, true, text), KITH_E_ARG);
    rows[7].confidence = (double) NAN;
    EXPECT_INT(kith_seed0_reply(rows, 8, true, text), KITH_L_CONFIDENCE);
}

static void a_reply_that_is_wrong_anywhere_is_refused(void) {
#define ROW(d, y, c, n)                                                                    \
    "[{\"domain\": \"" d "\", \"outcome_delta\": " y ", \"confidence\": " c                \
    ", \"n_observations\": " n "}]"
    static const struct {
        const char *text;
        int code;
    } rows[] = { { ROW("a.b", "0.5", "0.5", "3"), 1 }, { "[]", 0 },
        { ROW("a.b", "1", "0", "3"), 1 }, { ROW("a.b", "NaN", "0.5", "3"), KITH_L_JSON },
        { ROW("a.b", "0.5", "Infinity", "3"), KITH_L_JSON }, { "", KITH_L_JSON },
        { "{}", KITH_L_JSON }, { "[1]", KITH_L_JSON }, { "[{}]", KITH_L_KEYS },
        { ROW("A", "0.5", "0.5", "3"), KITH_L_SUBJECT },
        { ROW("a", "1.5", "0.5", "3"), KITH_L_DELTA },
        { ROW("a", "0.5", "-0.5", "3"), KITH_L_CONFIDENCE },
        { ROW("a", "0.5", "0.5", "0"), KITH_L_COUNT },
        { ROW("a", "0.5", "0.5", "2147483648"), KITH_L_COUNT },
        { ROW("a", "0.5", "0.5", "3.0"), KITH_L_TYPE },
        { ROW("a", "true", "0.5", "3"), KITH_L_TYPE },
        { ROW("a\\u0000", "0.5", "0.5", "3"), KITH_L_JSON },
        { ROW("a", "0.5", "0.5", "3, \"more\": 1"), KITH_L_KEYS },
        { ROW("a", "0.5", "0.5", "3, \"confidence\": 1"), KITH_L_JSON } };
#undef ROW
    kith_seed0 back[KITH_SEED0_ROWS_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        EXPECT_INT(
            kith_seed0_read_reply(rows[i].text, strlen(rows[i].text), back), rows[i].code);
    }
}

static void every_reason_has_words_and_a_counter(void) {
    for (int code = KITH_L_FRAMES; code >= KITH_L_LAST; code--) {
        EXPECT(kith_legacy_words(code) != NULL);
        EXPECT(kith_legacy_counter(code) != NULL);
    }
    EXPECT(kith_legacy_words(KITH_L_LAST - 1) == NULL);
    EXPECT(kith_legacy_counter(KITH_L_FRAMES + 1) == NULL);
}

static void c1_a_time_far_ahead_is_refused(void) {
    int64_t now = INT64_C(1750000000000000);
    EXPECT_INT(kith_legacy_timely(1750000060.0, now), 0);
    EXPECT_INT(kith_legacy_timely(1750000060.1, now), KITH_L_FUTURE);
}

static void ids_tell_topics_and_seeds_apart(void) {
    uint8_t a[32], b[32];
    kith_legacy_id(0, "ab", 2, "c", 1, a);
    kith_legacy_id(0, "a", 1, "bc", 2, b);
    EXPECT(memcmp(a, b, 32) != 0);
    kith_legacy_id(1, "ab", 2, "c", 1, b);
    EXPECT(memcmp(a, b, 32) != 0);
    ki_sha256_of("kith-legacy-0\0\2abc", 18, b);
    EXPECT(memcmp(a, b, 32) == 0);
}

static const test_case cases[] = {
    { "golden_bytes_are_written", golden_bytes_are_written },
    { "golden_bytes_are_read", golden_bytes_are_read },
    { "the_bucket_is_cut_towards_zero", the_bucket_is_cut_towards_zero },
    { "the_topic_is_the_senders_word", the_topic_is_the_senders_word },
    { "w3_numbers_out_of_range_are_refused", w3_numbers_out_of_range_are_refused },
    { "the_reserved_number_is_not_looked_at", the_reserved_number_is_not_looked_at },
    { "w4_names_that_are_not_clean_are_refused", w4_names_that_are_not_clean_are_refused },
    { "topics_of_another_form_are_refused", topics_of_another_form_are_refused },
    { "w1_lengths_outside_30_to_222_are_refused",
        w1_lengths_outside_30_to_222_are_refused },
    { "the_longest_packet_goes_both_ways", the_longest_packet_goes_both_ways },
    { "what_the_format_cannot_hold_is_not_written",
        what_the_format_cannot_hold_is_not_written },
    { "random_packets_come_back", random_packets_come_back },
    { "a_reply_is_what_python_writes", a_reply_is_what_python_writes },
    { "the_longest_reply_fits", the_longest_reply_fits },
    { "a_reply_that_is_wrong_anywhere_is_refused",
        a_reply_that_is_wrong_anywhere_is_refused },
    { "every_reason_has_words_and_a_counter", every_reason_has_words_and_a_counter },
    { "c1_a_time_far_ahead_is_refused", c1_a_time_far_ahead_is_refused },
    { "ids_tell_topics_and_seeds_apart", ids_tell_topics_and_seeds_apart },
};
TEST_MAIN(cases)
