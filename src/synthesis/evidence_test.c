/* SPDX-License-Identifier: Apache-2.0 */
/* What a packet says as an effect with its variance, and the number for all that
 * a node knows. */
#include <kith/synthesis.h>

#include "base/dice.h"
#include "test.h"

#include <math.h>

#define SLOTS 40

static kith_content with_effect(double y, double v) {
    kith_content it = { .type = KITH_LEAF,
        .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE,
        .measure = KITH_MEAN_DIFFERENCE,
        .components = 1,
        .n = 10 };
    it.effect[0] = y;
    it.covariance[0] = v;
    strcpy(it.address.subject, "iot.hvac");
    return it;
}

static kith_content with_counts(uint32_t hits, uint32_t tries) {
    kith_content it = {
        .type = KITH_LEAF, .has = KITH_HAS_COUNTS, .hits = hits, .tries = tries
    };
    strcpy(it.address.subject, "iot.hvac");
    return it;
}

static kith_content with_confidence(double y, float c) {
    kith_content it = with_effect(y, 0);
    it.has = KITH_HAS_EFFECT | KITH_HAS_CONFIDENCE;
    it.confidence = c;
    return it;
}

static double y, v;
static uint8_t measure;

static int scalar(kith_content content) {
    y = v = NAN;
    return kith_evidence_scalar(&content, &y, &v, &measure);
}

static void an_effect_is_taken_as_it_stands(void) {
    EXPECT_INT(scalar(with_effect(-3.5, 0.25)), 0);
    EXPECT(y == -3.5 && v == 0.25);
    EXPECT_INT(measure, KITH_MEAN_DIFFERENCE);
}

static void counts_become_a_logit(void) {
    EXPECT_INT(scalar(with_counts(3, 20)), 0);
    EXPECT(fabs(y - log(3.0 / 17)) < 1e-15 && fabs(v - (1.0 / 3 + 1.0 / 17)) < 1e-15);
    EXPECT_INT(measure, KITH_LOGIT);
    EXPECT_INT(scalar(with_counts(0, 12)), 0);
    EXPECT(fabs(y - log(0.5 / 12.5)) < 1e-14 && fabs(v - (2 + 1 / 12.5)) < 1e-14);
    EXPECT_INT(scalar(with_counts(9, 9)), 0);
    EXPECT(fabs(y - log(9.5 / 0.5)) < 1e-14);
    EXPECT_INT(scalar(with_counts(UINT32_MAX / 4, UINT32_MAX / 2)), 0);
    EXPECT(v == 0x1p-20); /* no surer than the smallest legal variance */
    EXPECT_INT(scalar(with_counts(3, 2)), KITH_E_ARG);
    EXPECT_INT(scalar(with_counts(0, 0)), KITH_E_ARG);
}

static void confidence_becomes_a_standard_error(void) {
    EXPECT(fabs(kith_normal_quantile((double) 0.87f) - 1.1263911516) < 5e-11);
    EXPECT_INT(scalar(with_confidence(-2, 0.87f)), 0);
    EXPECT(y == -2 && fabs(sqrt(v) - 2 / 1.1263911516) < 1e-10);
    EXPECT_INT(scalar(with_confidence(2, 1.0f)), 0);
    EXPECT(v == 0x1p-20);
    EXPECT_INT(scalar(with_confidence(0, 0.9f)), 0);
    EXPECT(v == 0x1p-20);
}

static void a_confidence_without_a_variance_is_only_a_report(void) {
    EXPECT_INT(scalar(with_confidence(1, 0.5f)), KITH_E_ARG);
    EXPECT_INT(scalar(with_confidence(0, 0.5f)), KITH_E_ARG);
    EXPECT_INT(scalar(with_confidence(1, 0.0f)), KITH_E_ARG);
    EXPECT_INT(scalar(with_confidence(1, nextafterf(0.5f, 1))), KITH_E_ARG);
    EXPECT_INT(scalar(with_confidence(1, nextafterf(1, 2))), KITH_E_ARG);
    EXPECT_INT(scalar(with_confidence(1, NAN)), KITH_E_ARG);
    EXPECT(isnan(y) && isnan(v));
}

static void nothing_else_is_evidence(void) {
    kith_content it = with_effect(1, 1);
    it.type = KITH_RETRACT;
    EXPECT_INT(scalar(it), KITH_E_ARG);
    it.type = KITH_DIGEST;
    EXPECT_INT(scalar(it), KITH_E_ARG);
    it = with_effect(1, 1);
    it.has = KITH_HAS_TEXT;
    EXPECT_INT(scalar(it), KITH_E_ARG);
    EXPECT_INT(scalar(with_effect(NAN, 1)), KITH_E_ARG);
    EXPECT_INT(scalar(with_effect(1025, 1)), KITH_E_ARG);
    EXPECT_INT(scalar(with_effect(1, 0)), KITH_E_ARG);
    EXPECT_INT(scalar(with_effect(1, NAN)), KITH_E_ARG);
}

/* Any legal evidence is a legal leaf of the sums and of a pool. */
static void all_evidence_can_be_pooled(void) {
    uint64_t dice = 6;
    kith_sums sums = { 0 };
    for (int i = 0; i < 20000; i++) {
        uint64_t roll = dice_roll(&dice);
        uint32_t tries = 1 + (uint32_t) (roll >> (33 + dice_below(&dice, 30)));
        uint32_t hits = (uint32_t) dice_below(&dice, (uint64_t) tries + 1);
        EXPECT_INT(scalar(with_counts(hits, tries)), 0);
        EXPECT_INT(kith_sums_add(&sums, y, v), 0);
        float c = (float) (dice_roll(&dice) >> 40) / (float) (1 << 24);
        if (scalar(with_confidence(2048 * c - 1024, c)) == 0) {
            EXPECT_INT(kith_sums_add(&sums, y, v), 0);
        }
    }
}

static void a_slot(unsigned n, kith_content *ret_content, uint8_t id[KITH_ID_SIZE]) {
    *ret_content = n % 5 == 4 ? with_counts(n, 100) : with_effect(n / 7.0, 0.1 + n);
    if (n % 5 == 3) { /* two components: the diagonal stands at 0 and 2 */
        ret_content->components = 2;
        ret_content->effect[1] = -1.0 * n;
        ret_content->covariance[2] = 3;
    }
    snprintf(ret_content->address.subject, sizeof ret_content->address.subject, "iot.a%u",
        n % 3);
    memset(ret_content->source, (int) (n % 11), KITH_KEY_SIZE);
    ret_content->epoch = 1 + n % 2;
    ret_content->seq = n;
    memset(id, (int) n, KITH_ID_SIZE);
}

/* The digest of slots 0..count-1, added from `from` on, stepping by `step`. */
static bool digest_of(unsigned from, unsigned step, unsigned count, uint8_t ret[32]) {
    kith_state_digest *digest = NULL;
    if (kith_state_digest_new(&digest) != 0) return false;
    bool fine = true;
    for (unsigned i = 0; i < count; i++) {
        kith_content content;
        uint8_t id[KITH_ID_SIZE];
        a_slot((from + i * step) % count, &content, id);
        fine = fine && kith_state_digest_add(digest, &content, id) == 0;
    }
    kith_state_digest_finish(digest, ret);
    kith_state_digest_free(&digest);
    return fine && digest == NULL;
}

static void a_state_has_one_digest_in_any_order(void) {
    uint8_t first[32], again[32];
    EXPECT(digest_of(0, 1, 101, first));
    for (unsigned step = 1; step < 100; step++) {
        EXPECT(digest_of(step * 7, step, 101, again));
        EXPECT(memcmp(first, again, 32) == 0);
    }
}

static void another_state_has_another_digest(void) {
    uint8_t seen[SLOTS + 1][32];
    for (unsigned n = 0; n <= SLOTS; n++) {
        EXPECT(digest_of(0, 1, n, seen[n]));
        for (unsigned i = 0; i < n; i++) EXPECT(memcmp(seen[i], seen[n], 32) != 0);
    }
}

static void the_digest_covers_every_field_and_the_sums(void) {
    uint8_t id[KITH_ID_SIZE] = { 1 }, base[32], other[32];
    for (int change = 0; change < 11; change++) {
        kith_content content = with_effect(1, 1);
        id[0] = change == 1 ? 2 : 1;
        content.epoch += change == 2;
        content.seq += change == 3;
        content.source[31] ^= change == 4;
        content.template_id[15] ^= change == 5;
        content.address.subject[0] = change == 6 ? 'x' : 'i';
        content.effect[0] += change == 7 ? 0x1p-40 : 0;
        content.covariance[0] += change == 8 ? 0x1p-40 : 0;
        content.components = 2;
        content.effect[1] = change == 9 ? 3 : 2;
        content.covariance[2] = change == 10 ? 0.25 : 0.5; /* the second variance */
        kith_state_digest *digest = NULL;
        EXPECT_INT(kith_state_digest_new(&digest), 0);
        EXPECT_INT(kith_state_digest_add(digest, &content, id), 0);
        kith_state_digest_finish(digest, change == 0 ? base : other);
        kith_state_digest_free(&digest);
        EXPECT(change == 0 || memcmp(base, other, 32) != 0);
    }
}

/* A variance that no flag names is no part of what was said. */
static void the_sums_take_only_what_the_flags_name(void) {
    uint8_t id[KITH_ID_SIZE] = { 1 }, digests[2][32];
    for (int i = 0; i < 2; i++) {
        kith_content content = with_confidence(2, 0.75f);
        content.covariance[0] = i;
        kith_state_digest *digest = NULL;
        EXPECT_INT(kith_state_digest_new(&digest), 0);
        EXPECT_INT(kith_state_digest_add(digest, &content, id), 0);
        kith_state_digest_finish(digest, digests[i]);
        kith_state_digest_free(&digest);
    }
    EXPECT(memcmp(digests[0], digests[1], 32) == 0);
}

static void a_tombstone_holds_no_slot(void) {
    uint8_t id[KITH_ID_SIZE] = { 1 }, empty[32], after[32];
    kith_state_digest *digest = NULL;
    EXPECT_INT(kith_state_digest_new(&digest), 0);
    kith_state_digest_finish(digest, empty);
    kith_content content = with_effect(1, 1);
    content.type = KITH_RETRACT;
    EXPECT_INT(kith_state_digest_add(digest, &content, id), 0);
    content.type = KITH_DIGEST;
    EXPECT_INT(kith_state_digest_add(digest, &content, id), 0);
    content.type = KITH_LEAF;
    content.address.subject[0] = '!';
    EXPECT_INT(kith_state_digest_add(digest, &content, id), KITH_E_ARG);
    kith_state_digest_finish(digest, after);
    EXPECT(memcmp(empty, after, 32) == 0);
    kith_state_digest_free(&digest);
    kith_state_digest_free(&digest);
}

static const test_case cases[] = {
    { "an_effect_is_taken_as_it_stands", an_effect_is_taken_as_it_stands },
    { "counts_become_a_logit", counts_become_a_logit },
    { "confidence_becomes_a_standard_error", confidence_becomes_a_standard_error },
    { "a_confidence_without_a_variance_is_only_a_report",
        a_confidence_without_a_variance_is_only_a_report },
    { "nothing_else_is_evidence", nothing_else_is_evidence },
    { "all_evidence_can_be_pooled", all_evidence_can_be_pooled },
    { "a_state_has_one_digest_in_any_order", a_state_has_one_digest_in_any_order },
    { "another_state_has_another_digest", another_state_has_another_digest },
    { "the_digest_covers_every_field_and_the_sums",
        the_digest_covers_every_field_and_the_sums },
    { "the_sums_take_only_what_the_flags_name", the_sums_take_only_what_the_flags_name },
    { "a_tombstone_holds_no_slot", a_tombstone_holds_no_slot },
};

TEST_MAIN(cases)
