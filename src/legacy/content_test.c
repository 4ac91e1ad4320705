/* SPDX-License-Identifier: Apache-2.0 */
/* What goes over from our packets to theirs and back, and what is refused. */
#include "base/hash.h"

#include <kith/address.h>
#include <kith/legacy.h>
#include <kith/synthesis.h>

#include "test.h"

#include <math.h>

static kith_content leaf(void) {
    kith_content c = { .type = KITH_LEAF,
        .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE,
        .source = { 1, 2, 3 },
        .epoch = 1,
        .t_end_us = INT64_C(1750000000123457),
        .ttl_s = 604800,
        .address = { "clinical.radiology.ct" },
        .measure = KITH_MEAN_DIFFERENCE,
        .components = 1,
        .n = 240,
        .effect = { 0.12 },
        .covariance = { 0.0009 } };
    return c;
}

static kith_content report(void) {
    kith_content c = leaf();
    c.has = KITH_HAS_TEXT | KITH_HAS_CONFIDENCE | KITH_HAS_CONTEXT16;
    memcpy(c.address.subject, "iot.hvac.energy.anomaly", 24);
    c.confidence = 0.5f;
    memcpy(c.text, "looks loose", 12);
    c.text_length = 11;
    c.context16_count = 3;
    c.context16[1] = 11796; /* 0.18 */
    c.context16[2] = 65535;
    return c;
}

static void a_leaf_becomes_what_seed_0_knows(void) {
    kith_content c = leaf();
    kith_seed0 p;
    uint8_t id[KITH_KEYID_SIZE], print[KITH_FINGERPRINT_SIZE];
    char hex[17];
    EXPECT_INT(kith_seed0_of(&c, &p), 0);
    EXPECT(strcmp(p.domain, "clinical.radiology.ct") == 0);
    EXPECT(p.outcome_delta == 0.12);
    EXPECT(fabs(p.confidence - 0.99996832875816688) < 1e-15); /* of four errors */
    EXPECT_INT(p.n_observations, 240);
    EXPECT_INT(llround(p.timestamp * 1e6), c.t_end_us);
    kith_keyid(c.source, id);
    ki_hex(id, 8, hex);
    EXPECT(strcmp(p.node_id, hex) == 0);
    EXPECT_INT(kith_address_fingerprint(c.template_id, c.address.subject, print), 0);
    ki_hex(print, 8, hex);
    EXPECT(strcmp(p.context_hash, hex) == 0);
    c.has = KITH_HAS_EFFECT | KITH_HAS_CONFIDENCE;
    c.confidence = 0.87f;
    EXPECT_INT(kith_seed0_of(&c, &p), 0);
    EXPECT(p.confidence == (double) 0.87f);
}

static void seed_0_refuses_what_it_cannot_say(void) {
    static const struct {
        unsigned add, drop;
        int code;
    } rows[] = { { KITH_HAS_TEXT, 0, KITH_L_PARTS },
        { KITH_HAS_CONCLUSION, 0, KITH_L_PARTS }, { KITH_HAS_CONTEXT16, 0, KITH_L_PARTS },
        { KITH_HAS_CONTEXT8, 0, KITH_L_PARTS }, { KITH_HAS_PRIVACY, 0, KITH_L_PARTS },
        { KITH_HAS_COUNTS, KITH_HAS_EFFECT | KITH_HAS_COVARIANCE, KITH_L_PARTS },
        { KITH_HAS_TEXT, KITH_HAS_EFFECT | KITH_HAS_COVARIANCE, KITH_L_PARTS },
        { 0, KITH_HAS_COVARIANCE, KITH_L_PARTS }, { 0, 0, 0 } };
    kith_seed0 p;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kith_content c = leaf();
        c.has = (uint16_t) ((c.has & ~rows[i].drop) | rows[i].add);
        EXPECT_INT(kith_seed0_of(&c, &p), rows[i].code);
    }
    for (uint8_t type = KITH_DIGEST; type <= KITH_RETRACT; type++) {
        kith_content c = leaf();
        c.type = type;
        EXPECT_INT(kith_seed0_of(&c, &p), KITH_L_PARTS);
    }
    kith_content c = leaf();
    c.components = 2;
    EXPECT_INT(kith_seed0_of(&c, &p), KITH_L_PARTS);
    c = leaf();
    c.effect[0] = 1.01; /* never cut down to 1 */
    EXPECT_INT(kith_seed0_of(&c, &p), KITH_L_DELTA);
    c = leaf();
    c.n = UINT32_C(2147483648);
    EXPECT_INT(kith_seed0_of(&c, &p), KITH_L_COUNT);
}

static void a_report_becomes_what_seed_1_knows(void) {
    kith_content c = report(), back;
    kith_seed1 p;
    EXPECT_INT(kith_seed1_of(&c, &p), 0);
    EXPECT(strcmp(p.domain, "hvac") == 0);
    EXPECT(strcmp(p.problem_class, "energy.anomaly") == 0);
    EXPECT(strcmp(p.conclusion, "looks loose") == 0);
    EXPECT(p.context_vector[1] == 0.18);
    EXPECT_INT(strlen(p.agent_id), 16);
    EXPECT_INT(kith_seed1_content(&p, &back), 0);
    EXPECT(strcmp(back.address.subject, c.address.subject) == 0);
    EXPECT(back.confidence == c.confidence);
    EXPECT_INT(back.t_end_us, c.t_end_us);
}

static void every_step_of_a_context_comes_back(void) {
    kith_content c = report(), back;
    kith_seed1 p;
    for (unsigned i = 0; i < 65536; i += 3) {
        for (unsigned k = 0; k < 3; k++) c.context16[k] = (uint16_t) (i + k);
        EXPECT_INT(kith_seed1_of(&c, &p), 0);
        EXPECT_INT(kith_seed1_content(&p, &back), 0);
        EXPECT_INT(back.context16_count, 3);
        EXPECT(memcmp(c.context16, back.context16, 6) == 0);
    }
}

static void seed_1_refuses_what_it_cannot_say(void) {
    kith_seed1 p;
    kith_content c = leaf();
    EXPECT_INT(kith_seed1_of(&c, &p), KITH_L_PARTS); /* a number has no place there */
    c = report();
    c.has |= KITH_HAS_CONCLUSION;
    EXPECT_INT(kith_seed1_of(&c, &p), KITH_L_PARTS);
    c = report();
    c.has &= (uint16_t) ~KITH_HAS_CONFIDENCE;
    EXPECT_INT(kith_seed1_of(&c, &p), KITH_L_PARTS);
    c = report();
    memcpy(c.address.subject, "iot.hvac", 9);
    EXPECT_INT(kith_seed1_of(&c, &p), KITH_L_SUBJECT);
    memcpy(c.address.subject, "med.hvac.x", 11);
    EXPECT_INT(kith_seed1_of(&c, &p), KITH_L_SUBJECT);
    c = report(); /* each of these letters is six bytes there */
    for (size_t i = 0; i < 159; i += 3) memcpy(c.text + i, "\xe6\xb8\xa9", 4);
    EXPECT_INT(kith_seed1_of(&c, &p), KITH_L_ROOM);
}

static kith_seed0 theirs(void) {
    return (kith_seed0){ .domain = "a.b",
        .node_id = "002cd043d853507f",
        .outcome_delta = 0.25,
        .confidence = (double) 0.87f,
        .n_observations = 12,
        .timestamp = 1750000000.5 };
}

static void seed_0_is_evidence_of_confidence(void) {
    kith_seed0 p = theirs();
    kith_content c;
    double y, v;
    uint8_t measure;
    EXPECT_INT(kith_seed0_content(&p, &c), 0);
    EXPECT_INT(kith_evidence_scalar(&c, &y, &v, &measure), 0);
    EXPECT(y == 0.25);
    EXPECT(fabs(y / sqrt(v) - 1.1263911516) < 1e-9);
    EXPECT_INT(kith_template_admits(&c), 0);
    EXPECT_INT(c.t_end_us, INT64_C(1750000000500000));
}

static void nothing_of_theirs_can_be_sent_as_ours(void) {
    kith_seed0 p = theirs();
    kith_content c;
    kith_packet packet;
    EXPECT_INT(kith_seed0_content(&p, &c), 0);
    EXPECT_INT(kith_packet_encode(&c, &packet), KITH_R_ORDER);
    c.epoch = 1; /* all else is in order */
    EXPECT_INT(kith_packet_encode(&c, &packet), 0);
    EXPECT_INT(kith_packet_verify(&packet), KITH_R_SIGNATURE);
}

static void names_are_sources(void) {
    kith_seed0 p = theirs();
    kith_content a, b;
    EXPECT_INT(kith_seed0_content(&p, &a), 0);
    p.node_id[0] = '1';
    EXPECT_INT(kith_seed0_content(&p, &b), 0);
    EXPECT(memcmp(a.source, b.source, sizeof a.source) != 0);
}

/* What is far below anything they could mean is 0 and not a reason. */
static void numbers_below_the_normal_range_are_zero(void) {
    kith_seed0 p = theirs();
    kith_content c;
    kith_packet packet;
    p.outcome_delta = -0.0;
    p.confidence = 1e-42;
    EXPECT_INT(kith_seed0_content(&p, &c), 0);
    EXPECT(c.effect[0] == 0 && !signbit(c.effect[0]));
    EXPECT(c.confidence == 0);
    c.epoch = 1;
    EXPECT_INT(kith_packet_encode(&c, &packet), 0);
}

static void seed_1_is_a_report(void) {
    static const char text[] =
        "{\"agent_id\":\"x\",\"domain\":\"hvac\",\"problem_class\":\"p\",\"conclusion\":"
        "\"it leaks\",\"confidence\":0.87,\"context_vector\":[0.18,1],\"timestamp\":5,"
        "\"source_node\":\"y\"}";
    kith_seed1 p;
    kith_content c;
    double y, v;
    uint8_t measure;
    EXPECT_INT(kith_seed1_decode(NULL, 0, text, strlen(text), &p), 0);
    EXPECT_INT(kith_seed1_content(&p, &c), 0);
    EXPECT(kith_evidence_scalar(&c, &y, &v, &measure) < 0); /* never pooled */
    EXPECT_INT(c.context16[0], 11796);
    EXPECT_INT(c.context16[1], 65535);
    p.context_vector[0] = -0.5;
    EXPECT_INT(kith_seed1_content(&p, &c), KITH_L_VECTOR);
    p.vector_count = 17;
    EXPECT_INT(kith_seed1_content(&p, &c), KITH_L_VECTOR);
    p.vector_count = 0;
    EXPECT_INT(kith_seed1_content(&p, &c), 0);
    p.conclusion[0] = '\0';
    EXPECT_INT(kith_seed1_content(&p, &c), KITH_L_ROOM);
    memset(p.conclusion, 'c', 161);
    p.conclusion[161] = '\0';
    EXPECT_INT(kith_seed1_content(&p, &c), KITH_L_ROOM); /* never cut */
}

static const test_case cases[] = {
    { "a_leaf_becomes_what_seed_0_knows", a_leaf_becomes_what_seed_0_knows },
    { "seed_0_refuses_what_it_cannot_say", seed_0_refuses_what_it_cannot_say },
    { "a_report_becomes_what_seed_1_knows", a_report_becomes_what_seed_1_knows },
    { "every_step_of_a_context_comes_back", every_step_of_a_context_comes_back },
    { "seed_1_refuses_what_it_cannot_say", seed_1_refuses_what_it_cannot_say },
    { "seed_0_is_evidence_of_confidence", seed_0_is_evidence_of_confidence },
    { "nothing_of_theirs_can_be_sent_as_ours", nothing_of_theirs_can_be_sent_as_ours },
    { "names_are_sources", names_are_sources },
    { "numbers_below_the_normal_range_are_zero", numbers_below_the_normal_range_are_zero },
    { "seed_1_is_a_report", seed_1_is_a_report },
};
TEST_MAIN(cases)
