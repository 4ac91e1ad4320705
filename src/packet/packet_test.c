/* SPDX-License-Identifier: Apache-2.0 */
/* What every packet promises. */
#include <kith/key.h>
#include <kith/packet.h>

#include "test.h"

static kith_key *key;

static kith_content leaf(void) {
    kith_content c = {
        .type = KITH_LEAF,
        .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE | KITH_HAS_TEXT,
        .epoch = 1,
        .t_end_us = 1700000000000000,
        .span_s = 60,
        .ttl_s = 604800,
        .address = { "iot.hvac" },
        .measure = KITH_MEAN,
        .components = 1,
        .n = 20,
        .effect = { 0.25 },
        .covariance = { 0.5 },
        .text_length = 2,
        .text = "ok",
    };
    return c;
}

static void decodes_what_it_encodes(void) {
    kith_content c = leaf(), back = { 0 };
    kith_packet p, again;
    EXPECT_INT(kith_packet_seal(&c, key, &p), 0);
    EXPECT_INT(kith_packet_decode(p.bytes, p.length, &back), 0);
    EXPECT_INT(kith_packet_verify(&p), 0);
    EXPECT_INT(kith_packet_encode(&back, &again), 0);
    EXPECT(p.length == again.length && memcmp(p.bytes, again.bytes, p.length) == 0);
    EXPECT(strcmp(back.text, "ok") == 0);
}

static const test_case cases[] = {
    { "decodes_what_it_encodes", decodes_what_it_encodes },
};
static int run(int argc, char **argv);
#define main run
TEST_MAIN(cases)
#undef main
int main(int argc, char **argv) {
    if (kith_key_from_seed(&key, (const uint8_t[32]){ 1 }, NULL) < 0) return 1;
    int r = run(argc, argv);
    kith_key_free(&key);
    return r;
}
