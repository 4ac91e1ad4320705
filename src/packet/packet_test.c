/* SPDX-License-Identifier: Apache-2.0 */
/* What every packet promises on its way: it comes back as it was, or not at all. */
#include "base/hash.h"
#include "packet/samples.h"

#include <kith/address.h>
#include <kith/key.h>

#include "test.h"

#define WALK 20000

static kith_key *key(void) {
    static kith_key *k;
    if (k == NULL && kith_key_from_seed(&k, (const uint8_t[32]){ 1 }, NULL) < 0) exit(1);
    return k;
}

/* The next sample that fits 512 bytes. */
static kith_content fitting(uint64_t *dice, kith_packet *ret_packet) {
    for (;;) {
        kith_content c = sample_content(dice);
        if (kith_packet_encode(&c, ret_packet) == 0) return c;
    }
}

static bool same(const kith_packet *a, const kith_packet *b) {
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

static void comes_back_as_it_was(void) {
    uint64_t dice = 11;
    unsigned seen = 0, types = 0;
    for (int i = 0; i < WALK; i++) {
        kith_packet p, again;
        kith_content back, c = fitting(&dice, &p);
        EXPECT_INT(kith_packet_decode(p.bytes, p.length, &back), 0);
        EXPECT(memcmp(&c, &back, sizeof c) == 0);
        EXPECT_INT(kith_packet_encode(&back, &again), 0);
        EXPECT(same(&p, &again));
        seen |= c.has;
        types |= 1u << c.type;
    }
    EXPECT_INT(seen, 0x7ff);
    EXPECT_INT(types, 0x1e);
}

/* What was in the output before is still there after a refusal. */
static bool refused_untouched(const uint8_t *bytes, size_t length, int code) {
    static kith_content was, c;
    memset(&was, 0x5a, sizeof was);
    memset(&c, 0x5a, sizeof c);
    int r = kith_packet_decode(bytes, length, &c);
    if (r != code) printf("# %zu bytes: %d\n", length, r);
    return r == code && memcmp(&was, &c, sizeof c) == 0;
}

static void w1_every_truncation_is_refused(void) {
    uint64_t dice = 12;
    kith_packet p;
    kith_content c = sample_largest(&dice);
    EXPECT_INT(kith_packet_seal(&c, key(), &p), 0);
    EXPECT_INT(p.length, KITH_PACKET_MAX);
    EXPECT(strcmp(kith_refusal_counter(KITH_R_LENGTH), "bad_len") == 0);
    int refused = 0;
    for (size_t n = 0; n < KITH_PACKET_MAX; n++) {
        refused += refused_untouched(p.bytes, n, KITH_R_LENGTH);
    }
    EXPECT_INT(refused, 512);
    for (int i = 0; i < 300; i++) {
        (void) fitting(&dice, &p);
        for (size_t n = 0; n < p.length; n++) {
            EXPECT(refused_untouched(p.bytes, n, KITH_R_LENGTH));
        }
    }
}

/* Whole and in order, but one letter of the subject too long. */
static void a_packet_of_513_bytes_is_refused(void) {
    uint64_t dice = 23;
    kith_packet p;
    kith_content c = sample_largest(&dice);
    uint8_t bytes[KITH_PACKET_MAX + 1];
    EXPECT_INT(kith_packet_encode(&c, &p), 0);
    memcpy(bytes, p.bytes, 85);
    bytes[84]++;
    bytes[85] = 'a';
    memcpy(bytes + 86, p.bytes + 85, KITH_PACKET_MAX - 85);
    EXPECT(refused_untouched(bytes, sizeof bytes, KITH_R_LENGTH));
    bytes[84] -= 2;
    memcpy(bytes + 85, p.bytes + 86, KITH_PACKET_MAX - 86);
    EXPECT_INT(kith_packet_decode(bytes, KITH_PACKET_MAX - 1, &c), 0);
}

static void w2_every_flipped_bit_is_refused(void) {
    uint64_t dice = 13;
    kith_packet p;
    kith_content c = sample_largest(&dice), back;
    EXPECT_INT(kith_packet_seal(&c, key(), &p), 0);
    EXPECT_INT(p.length, KITH_PACKET_MAX);
    EXPECT_INT(kith_packet_verify(&p), 0);
    int by_range = 0, by_signature = 0;
    for (int bit = 0; bit < 8 * KITH_PACKET_MAX; bit++) {
        p.bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
        if (kith_packet_decode(p.bytes, p.length, &back) < 0) {
            by_range++;
        } else {
            by_signature += kith_packet_verify(&p) == KITH_R_SIGNATURE;
        }
        p.bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
    }
    printf("# %d by ranges, %d by the signature\n", by_range, by_signature);
    EXPECT_INT(by_range + by_signature, 4096);
}

static void w7_an_unknown_version_or_bytes_left_over_skip_the_packet(void) {
    uint64_t dice = 14;
    uint8_t bytes[KITH_PACKET_MAX + 8] = { 0 };
    kith_packet p;
    for (int i = 0; i < 300; i++) {
        (void) fitting(&dice, &p);
        memcpy(bytes, p.bytes, p.length);
        sample_bytes(&dice, bytes + p.length, 8);
        for (size_t more = 1; more <= 8; more++) {
            EXPECT(refused_untouched(bytes, p.length + more, KITH_R_LENGTH));
        }
        for (unsigned v = 0; v < 256; v++) {
            if (v == KITH_PACKET_VERSION) continue;
            bytes[0] = (uint8_t) v;
            EXPECT(refused_untouched(bytes, p.length, KITH_R_VERSION));
            EXPECT(refused_untouched(bytes, 1, KITH_R_VERSION));
        }
    }
}

/* Section 3 of the format once more, as a list: which parts besides context,
 * conclusion and text, and of which type. */
static bool listed(unsigned type, unsigned has) {
    unsigned near = has >> 4 & 3, words = has >> 7 & 3,
             rest = has & ~(3u << 4) & ~(3u << 7);
    if (near == 3) return false;
    switch (type) {
    case KITH_LEAF:
        return rest == 0x3 || rest == 0x43 || rest == 0x9 || rest == 0x4 ||
               ((rest == 0 || rest == 0x8) && words != 0);
    case KITH_DIGEST: return near == 0 && words == 0 && (rest == 0x200 || rest == 0x600);
    case KITH_EVAL: return has == 0x3;
    default: return rest == 0;
    }
}

static kith_content with_everything(uint64_t *dice, uint8_t type) {
    kith_content c = sample_content(dice);
    c.type = type;
    sample_effect(dice, &c, 1);
    c.covariance[0] = 1;
    c.hits = c.tries = c.conclusion = c.context16_count = c.context8_count = 1;
    c.confidence = 0.5f;
    c.mechanism = 1;
    c.rho = c.v_dp = 1;
    c.address = (kith_address){ "a.b" };
    c.text_length = sample_text(dice, c.text);
    if (c.text_length > 20) c.text_length = 1, c.text[0] = 'x';
    sample_digest(dice, &c);
    sample_sketch(dice, c.sketch);
    c.digest.components = 1;
    return c;
}

static void takes_the_listed_combinations_and_no_other(void) {
    uint64_t dice = 15;
    int taken = 0;
    for (unsigned type = 1; type <= 4; type++) {
        kith_content c = with_everything(&dice, (uint8_t) type);
        for (unsigned has = 0; has < 0x800; has++) {
            kith_packet p;
            c.has = (uint16_t) has;
            EXPECT_INT(kith_packet_encode(&c, &p), listed(type, has) ? 0 : KITH_R_PARTS);
            taken += listed(type, has);
        }
        for (unsigned bit = 11; bit < 16; bit++) {
            kith_packet p;
            c.has = (uint16_t) (1u << bit | 3);
            EXPECT_INT(kith_packet_encode(&c, &p), KITH_R_FLAGS);
        }
    }
    printf("# %d of 8192 combinations\n", taken);
}

static void refuses_what_does_not_fit_and_says_where_the_bytes_went(void) {
    uint64_t dice = 16;
    int over = 0;
    for (int i = 0; i < WALK; i++) {
        kith_packet p, was;
        kith_field rows[KITH_FIELDS_MAX];
        size_t total = 0, at = 0;
        kith_content c = sample_content(&dice);
        memset(&p, 0x5a, sizeof p);
        memset(&was, 0x5a, sizeof was);
        int r = kith_packet_encode(&c, &p);
        size_t n = kith_packet_fields(&c, rows, KITH_FIELDS_MAX, &total);
        for (size_t k = 0; k < n; at += rows[k++].size) EXPECT_INT(rows[k].offset, at);
        EXPECT_INT(at, total);
        EXPECT_INT(r, total > KITH_PACKET_MAX ? KITH_R_ROOM : 0);
        if (r == 0) {
            EXPECT_INT(p.length, total);
        } else {
            EXPECT(memcmp(&p, &was, sizeof p) == 0);
            over++;
        }
    }
    EXPECT(over > 100);
}

static void seal_changes_nothing_when_it_refuses(void) {
    uint64_t dice = 17;
    kith_packet p = { .length = 3 };
    kith_content c = sample_content(&dice), was;
    c.epoch = 0;
    was = c;
    EXPECT_INT(kith_packet_seal(&c, key(), &p), KITH_R_ORDER);
    EXPECT(memcmp(&c, &was, sizeof c) == 0);
    EXPECT_INT(p.length, 3);
}

static void another_key_did_not_sign_it(void) {
    uint64_t dice = 18;
    kith_packet p;
    kith_content c = fitting(&dice, &p);
    uint8_t public[KITH_KEY_SIZE];
    EXPECT_INT(kith_packet_seal(&c, key(), &p), 0);
    EXPECT_INT(kith_packet_verify(&p), 0);
    kith_key_public(key(), public);
    EXPECT(memcmp(c.source, public, sizeof public) == 0);
    sample_bytes(&dice, p.bytes + 20, KITH_KEY_SIZE);
    EXPECT_INT(kith_packet_verify(&p), KITH_R_SIGNATURE);
}

static void the_id_is_the_hash_of_all_bytes(void) {
    uint64_t dice = 19;
    kith_packet p;
    uint8_t id[KITH_ID_SIZE], want[KITH_ID_SIZE];
    (void) fitting(&dice, &p);
    kith_packet_id(&p, id);
    ki_sha256_of(p.bytes, p.length, want);
    EXPECT(memcmp(id, want, sizeof id) == 0);
    p.bytes[p.length - 1] ^= 1;
    kith_packet_id(&p, id);
    EXPECT(memcmp(id, want, sizeof id) != 0);
}

static void seedbug_01_a_bar_moves_no_field(void) {
    uint64_t dice = 24;
    kith_packet p;
    kith_content c = with_everything(&dice, KITH_LEAF), back;
    c.has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE | KITH_HAS_TEXT;
    memcpy(c.text, "a|b|c", 6);
    c.text_length = 5;
    EXPECT_INT(kith_packet_encode(&c, &p), 0);
    EXPECT_INT(kith_packet_decode(p.bytes, p.length, &back), 0);
    EXPECT(strcmp(back.text, "a|b|c") == 0 && back.effect[0] == c.effect[0]);
    c.address = (kith_address){ "a|b" };
    EXPECT_INT(kith_packet_encode(&c, &p), KITH_R_SUBJECT);
}

static void seedbug_04_and_17_small_effects_keep_their_bits_and_no_counter_hides(void) {
    uint64_t dice = 25;
    kith_packet p;
    uint8_t f[2][KITH_FINGERPRINT_SIZE];
    kith_content c = with_everything(&dice, KITH_LEAF), back;
    c.has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE;
    for (int i = -500; i <= 500; i++, c.seq++) {
        c.effect[0] = i / 7000.0;
        if (i == 0) c.effect[0] = 0;
        EXPECT_INT(kith_packet_encode(&c, &p), 0);
        EXPECT_INT(kith_packet_decode(p.bytes, p.length, &back), 0);
        EXPECT(memcmp(back.effect, c.effect, sizeof *c.effect) == 0);
        uint8_t *to = f[i == -500 ? 0 : 1];
        EXPECT_INT(kith_address_fingerprint(back.template_id, back.address.subject, to), 0);
        EXPECT(i == -500 || memcmp(f[0], f[1], sizeof f[0]) == 0);
    }
}

static void seedbug_02_a_long_text_is_refused_and_never_cut(void) {
    uint64_t dice = 20;
    kith_packet p;
    kith_content c = with_everything(&dice, KITH_LEAF), back;
    c.has = KITH_HAS_TEXT;
    for (int i = 0; i < KITH_TEXT_MAX; i += 2) memcpy(c.text + i, "\xc3\xa9", 2);
    c.text_length = KITH_TEXT_MAX;
    EXPECT_INT(kith_packet_encode(&c, &p), 0);
    EXPECT_INT(kith_packet_decode(p.bytes, p.length, &back), 0);
    EXPECT(memcmp(back.text, c.text, KITH_TEXT_MAX) == 0);
    c.text_length--;
    EXPECT_INT(kith_packet_encode(&c, &p), KITH_R_TEXT);
    c.text_length = KITH_TEXT_MAX + 1;
    EXPECT_INT(kith_packet_encode(&c, &p), KITH_R_TEXT);
}

static void seedbug_03_opposite_results_have_one_address(void) {
    uint64_t dice = 21;
    kith_packet p;
    uint8_t f[2][KITH_FINGERPRINT_SIZE];
    kith_content c[2] = { with_everything(&dice, KITH_LEAF) };
    c[0].has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE;
    c[1] = c[0];
    c[0].effect[0] = 0.9;
    c[1].effect[0] = -0.9;
    for (int i = 0; i < 2; i++) {
        EXPECT_INT(kith_packet_encode(&c[i], &p), 0);
        EXPECT_INT(kith_packet_decode(p.bytes, p.length, &c[i]), 0);
        EXPECT_INT(
            kith_address_fingerprint(c[i].template_id, c[i].address.subject, f[i]), 0);
    }
    EXPECT(strcmp(c[0].address.subject, c[1].address.subject) == 0);
    EXPECT(memcmp(f[0], f[1], sizeof f[0]) == 0);
}

static void seedbug_05_the_address_survives_a_million_round_trips(void) {
    static const double results[] = { 0.7, -0.7, 0.9, -0.9, 0, 0.1, -0.3, 1024 };
    uint64_t dice = 22;
    kith_packet p;
    kith_content c = with_everything(&dice, KITH_LEAF), back;
    c.has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE;
    for (int i = 0; i < 1000000; i++) {
        if (i % 64 == 0) sample_subject(&dice, c.address.subject);
        c.address.subject[0] = "abcdefgh"[dice_below(&dice, 8)];
        c.effect[0] = results[i % 8];
        EXPECT_INT(kith_packet_encode(&c, &p), 0);
        EXPECT_INT(kith_packet_decode(p.bytes, p.length, &back), 0);
        EXPECT(strcmp(c.address.subject, back.address.subject) == 0);
        EXPECT(memcmp(c.template_id, back.template_id, KITH_TEMPLATE_SIZE) == 0);
    }
}

static const test_case cases[] = {
    { "comes_back_as_it_was", comes_back_as_it_was },
    { "w1_every_truncation_is_refused", w1_every_truncation_is_refused },
    { "a_packet_of_513_bytes_is_refused", a_packet_of_513_bytes_is_refused },
    { "w2_every_flipped_bit_is_refused", w2_every_flipped_bit_is_refused },
    { "w7_an_unknown_version_or_bytes_left_over_skip_the_packet",
        w7_an_unknown_version_or_bytes_left_over_skip_the_packet },
    { "takes_the_listed_combinations_and_no_other",
        takes_the_listed_combinations_and_no_other },
    { "refuses_what_does_not_fit_and_says_where_the_bytes_went",
        refuses_what_does_not_fit_and_says_where_the_bytes_went },
    { "seal_changes_nothing_when_it_refuses", seal_changes_nothing_when_it_refuses },
    { "another_key_did_not_sign_it", another_key_did_not_sign_it },
    { "the_id_is_the_hash_of_all_bytes", the_id_is_the_hash_of_all_bytes },
    { "seedbug_01_a_bar_moves_no_field", seedbug_01_a_bar_moves_no_field },
    { "seedbug_04_and_17_small_effects_keep_their_bits_and_no_counter_hides",
        seedbug_04_and_17_small_effects_keep_their_bits_and_no_counter_hides },
    { "seedbug_02_a_long_text_is_refused_and_never_cut",
        seedbug_02_a_long_text_is_refused_and_never_cut },
    { "seedbug_03_opposite_results_have_one_address",
        seedbug_03_opposite_results_have_one_address },
    { "seedbug_05_the_address_survives_a_million_round_trips",
        seedbug_05_the_address_survives_a_million_round_trips },
};
TEST_MAIN(cases)
