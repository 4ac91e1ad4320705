/* SPDX-License-Identifier: Apache-2.0 */
/* Seed 1 to the byte, and whatever is not it refused for its own reason. */
#include "base/draw.h"

#include <kith/legacy.h>

#include "test.h"

#include <math.h>

static const char golden_text[] =
    "{\"agent_id\": \"hvac-building-a\", \"domain\": \"hvac\", \"problem_class\": "
    "\"energy-anomaly\", \"conclusion\": \"Compressor draw 18% above baseline at 14:32. "
    "Possible refrigerant loss.\", \"confidence\": 0.87, \"context_vector\": [0.18, 0.92, "
    "0.03, 0.71], \"timestamp\": 1750000000.25, \"source_node\": \"building-a-floor-3\"}";
static const char golden_subject[] = "qis.iot.hvac.energy-anomaly";

static void text_of(char *ret, size_t size, const char *text) {
    (void) snprintf(ret, size, "%s", text);
}

static kith_seed1 golden(void) {
    kith_seed1 p = { .confidence = 0.87,
        .vector_count = 4,
        .context_vector = { 0.18, 0.92, 0.03, 0.71 },
        .timestamp = 1750000000.25 };
    text_of(p.agent_id, sizeof p.agent_id, "hvac-building-a");
    text_of(p.domain, sizeof p.domain, "hvac");
    text_of(p.problem_class, sizeof p.problem_class, "energy-anomaly");
    text_of(p.conclusion, sizeof p.conclusion,
        "Compressor draw 18% above baseline at 14:32. Possible refrigerant loss.");
    text_of(p.source_node, sizeof p.source_node, "building-a-floor-3");
    return p;
}

static bool same(const kith_seed1 *a, const kith_seed1 *b) {
    return strcmp(a->agent_id, b->agent_id) == 0 && strcmp(a->domain, b->domain) == 0 &&
           strcmp(a->problem_class, b->problem_class) == 0 &&
           strcmp(a->conclusion, b->conclusion) == 0 &&
           strcmp(a->source_node, b->source_node) == 0 && a->confidence == b->confidence &&
           a->timestamp == b->timestamp && a->vector_count == b->vector_count &&
           memcmp(a->context_vector, b->context_vector, a->vector_count * sizeof(double)) ==
               0;
}

static int decode(const char *subject, const char *text, kith_seed1 *ret) {
    return kith_seed1_decode(
        subject, subject == NULL ? 0 : strlen(subject), text, strlen(text), ret);
}

static void golden_bytes_are_written_and_read(void) {
    kith_seed1 p = golden(), back;
    char text[KITH_SEED1_LENGTH_MAX + 1], subject[KITH_SEED1_TOPIC_MAX + 1];
    EXPECT_INT(kith_seed1_encode(&p, text), 302);
    EXPECT(strcmp(text, golden_text) == 0);
    EXPECT_INT(kith_seed1_subject(&p, subject), 0);
    EXPECT(strcmp(subject, golden_subject) == 0);
    EXPECT_INT(decode(golden_subject, golden_text, &back), 0);
    EXPECT(same(&p, &back));
    EXPECT_INT(decode(NULL, golden_text, &back), 0);
}

/* The golden text with one word put for another; the output stays as it was. */
static int changed(const char *from, const char *to) {
    char text[2 * KITH_SEED1_LENGTH_MAX];
    static kith_seed1 was, back;
    memset(&was, 0x5a, sizeof was);
    memset(&back, 0x5a, sizeof back);
    const char *at = strstr(golden_text, from);
    if (at == NULL) return 1;
    (void) snprintf(text, sizeof text, "%.*s%s%s", (int) (at - golden_text), golden_text,
        to, at + strlen(from));
    int r = decode(golden_subject, text, &back);
    if (r < 0 && memcmp(&was, &back, sizeof was) != 0) return 2;
    return r;
}

static void keys_missing_or_more_are_refused(void) {
    EXPECT_INT(changed("agent_id", "agent"), KITH_L_KEYS);
    EXPECT_INT(changed("}", ", \"more\": 1}"), KITH_L_KEYS);
    EXPECT_INT(changed("}", ", \"domain\": \"hvac\"}"), KITH_L_JSON);
    EXPECT_INT(changed(", \"source_node\": \"building-a-floor-3\"", ""), KITH_L_KEYS);
    EXPECT_INT(changed("\"timestamp\": 1750000000.25", "\"x\": 1"), KITH_L_KEYS);
    kith_seed1 back;
    EXPECT_INT(decode(NULL, "[]", &back), KITH_L_JSON);
    EXPECT_INT(decode(NULL, "{}", &back), KITH_L_KEYS);
    EXPECT_INT(decode(NULL, "null", &back), KITH_L_JSON);
    EXPECT_INT(decode(NULL, "{\"agent_id\": ", &back), KITH_L_JSON);
}

static void values_of_another_type_are_refused(void) {
    EXPECT_INT(changed("\"hvac-building-a\"", "7"), KITH_L_TYPE);
    EXPECT_INT(changed("0.87", "\"0.87\""), KITH_L_TYPE);
    EXPECT_INT(changed("0.87", "true"), KITH_L_TYPE);
    EXPECT_INT(changed("0.87", "null"), KITH_L_TYPE);
    EXPECT_INT(changed("[0.18, 0.92, 0.03, 0.71]", "{}"), KITH_L_TYPE);
    EXPECT_INT(changed("0.92", "[]"), KITH_L_TYPE);
    EXPECT_INT(changed("0.87", "1"), 0);
    EXPECT_INT(changed("1750000000.25", "1750000000"), 0);
}

static void w3_numbers_out_of_range_are_refused(void) {
    EXPECT_INT(changed("0.87", "NaN"), KITH_L_JSON);
    EXPECT_INT(changed("0.87", "Infinity"), KITH_L_JSON);
    EXPECT_INT(changed("0.87", "1e400"), KITH_L_JSON);
    EXPECT_INT(changed("0.87", "1.0000001"), KITH_L_CONFIDENCE);
    EXPECT_INT(changed("0.87", "-0.1"), KITH_L_CONFIDENCE);
    EXPECT_INT(changed("0.92", "9007199254740993"), KITH_L_VECTOR);
    EXPECT_INT(changed("0.92", "-9007199254740993"), KITH_L_VECTOR);
    EXPECT_INT(changed("0.92", "-3.5e+300"), 0);
    EXPECT_INT(changed("1750000000.25", "0"), KITH_L_TIME);
    EXPECT_INT(changed("1750000000.25", "-5.5"), KITH_L_TIME);
    EXPECT_INT(changed("1750000000.25", "1e12"), KITH_L_TIME);
}

static void w4_text_that_is_not_clean_is_refused(void) {
    EXPECT_INT(changed("Compressor", "\\u0000"), KITH_L_JSON);
    EXPECT_INT(changed("Compressor", "\\ud800"), KITH_L_JSON);
    EXPECT_INT(changed("Compressor", "\xff"), KITH_L_JSON);
    EXPECT_INT(changed("Compressor", "\\u001b[2J"), KITH_L_TEXT);
    EXPECT_INT(changed("Compressor", "\\n"), KITH_L_TEXT);
    EXPECT_INT(changed("Compressor", "\\u202e"), KITH_L_TEXT);
    EXPECT_INT(changed("Compressor", "\\u00e9 \xc3\xa9 \\ud83d\\ude00"), 0);
    EXPECT_INT(changed("\"hvac\"", "\"Hvac\""), KITH_L_SUBJECT);
    EXPECT_INT(changed("\"hvac\"", "\"\""), KITH_L_SUBJECT);
    EXPECT_INT(changed("\"hvac\"", "\"a.b.c.d.e.f.g\""), KITH_L_SUBJECT);
    EXPECT_INT(changed("\"hvac\"", "\"hvac2\""), KITH_L_DOMAIN);
}

/* hvac.a + b and hvac + a.b are one subject: the whole string is compared. */
static void dots_may_stand_in_both_names(void) {
    kith_seed1 p = golden(), back;
    char text[KITH_SEED1_LENGTH_MAX + 1];
    text_of(p.domain, sizeof p.domain, "hvac.energy-anomaly");
    text_of(p.problem_class, sizeof p.problem_class, "x.y");
    EXPECT(kith_seed1_encode(&p, text) > 0);
    EXPECT_INT(decode("qis.iot.hvac.energy-anomaly.x.y", text, &back), 0);
    EXPECT_INT(decode(golden_subject, text, &back), KITH_L_DOMAIN);
    EXPECT_INT(decode("qis.med.hvac.energy-anomaly.x.y", text, &back), KITH_L_TOPIC);
    EXPECT_INT(decode("", text, &back), KITH_L_TOPIC);
}

static void w1_lengths_beyond_512_are_refused(void) {
    kith_seed1 p = golden(), back;
    char text[KITH_SEED1_LENGTH_MAX + 2];
    size_t room = KITH_SEED1_LENGTH_MAX - 302 + strlen(p.conclusion);
    memset(p.conclusion, 'c', room);
    p.conclusion[room] = '\0';
    EXPECT_INT(kith_seed1_encode(&p, text), KITH_SEED1_LENGTH_MAX);
    EXPECT_INT(decode(NULL, text, &back), 0);
    EXPECT(same(&p, &back));
    text_of(text + KITH_SEED1_LENGTH_MAX, 2, " ");
    EXPECT_INT(decode(NULL, text, &back), KITH_L_LENGTH);
    p.conclusion[room] = 'c';
    p.conclusion[room + 1] = '\0';
    EXPECT_INT(kith_seed1_encode(&p, text), KITH_L_ROOM);
    EXPECT_INT(kith_seed1_decode(NULL, 0, text, 0, &back), KITH_L_LENGTH);
    EXPECT_INT(kith_seed1_decode(NULL, 0, "7\0", 2, &back), KITH_L_JSON);
    for (size_t n = 1; n < sizeof golden_text - 1; n++) {
        EXPECT_INT(kith_seed1_decode(NULL, 0, golden_text, n, &back), KITH_L_JSON);
    }
}

static void letters_beyond_ascii_cost_six_bytes_and_come_back(void) {
    kith_seed1 p = golden(), back;
    char text[KITH_SEED1_LENGTH_MAX + 1];
    text_of(p.conclusion, sizeof p.conclusion,
        "\xe6\xb8\xa9 \xf0\x9f\x98\x80 \"quoted\" back\\slash");
    EXPECT(kith_seed1_encode(&p, text) > 0);
    EXPECT(strstr(text, "\"\\u6e29 \\ud83d\\ude00 \\\"quoted\\\" back\\\\slash\"") != NULL);
    EXPECT_INT(decode(NULL, text, &back), 0);
    EXPECT(same(&p, &back));
}

static void random_packets_come_back(void) {
    uint64_t dice = 6;
    for (int i = 0; i < 20000; i++) {
        kith_seed1 p = golden(), back;
        char text[KITH_SEED1_LENGTH_MAX + 1], again[KITH_SEED1_LENGTH_MAX + 1];
        p.confidence = draw_uniform(&dice);
        p.timestamp = 2e9 * draw_uniform(&dice) + 1;
        p.vector_count = (uint16_t) (dice_roll(&dice) % 10);
        for (size_t k = 0; k < p.vector_count; k++) {
            p.context_vector[k] = exp(20 * draw_normal(&dice)) * draw_normal(&dice);
        }
        int n = kith_seed1_encode(&p, text);
        EXPECT(n > 0 || n == KITH_L_ROOM);
        if (n < 0) continue;
        EXPECT_INT(decode(golden_subject, text, &back), 0);
        EXPECT(same(&p, &back));
        EXPECT_INT(kith_seed1_encode(&back, again), n);
        EXPECT(strcmp(text, again) == 0);
    }
}

static const test_case cases[] = {
    { "golden_bytes_are_written_and_read", golden_bytes_are_written_and_read },
    { "keys_missing_or_more_are_refused", keys_missing_or_more_are_refused },
    { "values_of_another_type_are_refused", values_of_another_type_are_refused },
    { "w3_numbers_out_of_range_are_refused", w3_numbers_out_of_range_are_refused },
    { "w4_text_that_is_not_clean_is_refused", w4_text_that_is_not_clean_is_refused },
    { "dots_may_stand_in_both_names", dots_may_stand_in_both_names },
    { "w1_lengths_beyond_512_are_refused", w1_lengths_beyond_512_are_refused },
    { "letters_beyond_ascii_cost_six_bytes_and_come_back",
        letters_beyond_ascii_cost_six_bytes_and_come_back },
    { "random_packets_come_back", random_packets_come_back },
};
TEST_MAIN(cases)
