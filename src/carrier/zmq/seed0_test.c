/* SPDX-License-Identifier: Apache-2.0 */
/* What a link of seed 0 answers, and who follows what: without a socket.
 * tests/system/legacy_test.py has those of the other side. */
#include "base/dice.h"
#include "base/wire.h"
#include "carrier/zmq/seed0_front.h"

#include <kith/address.h>

#include "test.h"

static kith_seed0 packet(const char *subject, int n) {
    kith_seed0 p = { .node_id = "n",
        .context_hash = "c",
        .outcome_delta = 0.5,
        .confidence = 0.5,
        .n_observations = n,
        .timestamp = 1750000000.0 };
    (void) snprintf(p.domain, sizeof p.domain, "%s", subject);
    return p;
}

/* A node that has so many packets of theirs, the newest with the highest n. */
typedef struct node {
    const char *subject;
    int count, asked, told;
    char pattern[KITH_SUBJECT_MAX + 1];
} node;

static int recall(void *ctx, const char *pattern,
    int (*each)(void *each_ctx, const kith_posting *what), void *each_ctx) {
    node *me = ctx;
    me->asked++;
    (void) snprintf(me->pattern, sizeof me->pattern, "%s", pattern == NULL ? ">" : pattern);
    for (int n = me->count; n > 0; n--) {
        uint8_t bytes[KITH_PACKET_MAX];
        kith_seed0 p = packet(me->subject, n);
        kith_seed0_frames f;
        if (kith_seed0_encode(&p, &f) != 0) return 0;
        wire_put16(bytes, f.topic_length);
        memcpy(bytes + 2, f.topic, f.topic_length);
        memcpy(bytes + 2 + f.topic_length, f.payload, f.payload_length);
        kith_posting what = { .kind = KITH_ITEM_LEGACY,
            .length = (uint16_t) (2 + f.topic_length + f.payload_length),
            .bytes = bytes };
        me->told++;
        if (each(each_ctx, &what) == KITH_STOP) return 0;
    }
    return 0;
}

/* Rows of the answer; the n_observations of the first and the last. */
static int answer(node *me, const char *prefix, int *first, int *last) {
    static char text[KITH_SEED0_REPLY_MAX];
    static kith_seed0 rows[KITH_SEED0_ROWS_MAX];
    kith_host host = { .ctx = me, .recall = me == NULL ? NULL : recall };
    size_t n = ki_seed0_answer(&host, prefix, strlen(prefix), false, text);
    int count = kith_seed0_read_reply(text, n, rows);
    *first = count > 0 ? rows[0].n_observations : 0;
    *last = count > 0 ? rows[count - 1].n_observations : 0;
    return count;
}

static void the_newest_fifty_come_oldest_first(void) {
    node me = { .subject = "a.b", .count = 3 };
    int first, last;
    EXPECT_INT(answer(&me, "", &first, &last), 3);
    EXPECT_INT(first, 1);
    me.count = 1007;
    EXPECT_INT(answer(&me, "qis.a.b.d+0.5", &first, &last), 50);
    EXPECT_INT(first, 1007 - 49);
    EXPECT_INT(last, 1007);
    EXPECT(strcmp(me.pattern, "a.b") == 0);
    me.asked = me.told = 0;
    EXPECT_INT(answer(&me, "qis.a.b.d+0.5x", &first, &last), 0);
    EXPECT_INT(answer(&me, "a.b", &first, &last), 0);
    EXPECT_INT(me.asked, 1); /* no topic begins with a.b: nobody is asked */
}

static void a_question_looks_at_so_many_and_no_more(void) {
    node me = { .subject = "a.b", .count = 3 * SEED0_LOOKS };
    int first, last;
    EXPECT_INT(answer(&me, "qis.c", &first, &last), 0);
    EXPECT_INT(me.told, SEED0_LOOKS);
    EXPECT_INT(answer(NULL, "", &first, &last), 0); /* a host that has no packets */
}

static const char *const tokens[] = { "a", "b", "d", "d-0", "d-1", "d0", "-", "radiology" };

/* Whatever of a topic is asked for, its subject is among those that are looked at. */
static void no_prefix_of_a_topic_passes_over_its_subject(void) {
    uint64_t dice = 7;
    for (int round = 0; round < 2000 && !test_bad; round++) {
        char subject[KITH_SUBJECT_MAX + 1] = "", topic[KITH_SEED0_TOPIC_MAX + 1];
        char pattern[KITH_SUBJECT_MAX + 1];
        for (uint64_t n = 1 + dice_below(&dice, 8); n > 0; n--) {
            (void) strcat(subject, tokens[dice_below(&dice, 8)]);
            (void) strcat(subject, n > 1 ? "." : "");
        }
        int length = snprintf(topic, sizeof topic, "qis.%s.d%c%d.%d", subject,
            dice_below(&dice, 2) == 0 ? '+' : '-', 0, (int) dice_below(&dice, 10));
        for (size_t n = 0; n <= (size_t) length; n++) {
            bool can = ki_seed0_pattern_of(topic, n, pattern);
            bool good = can && kith_subject_matches(pattern, subject);
            if (!good) printf("# %.*s: %s\n", (int) n, topic, can ? pattern : "none");
            EXPECT(good);
        }
    }
}

static bool looks_at(const char *prefix, const char *want) {
    char pattern[KITH_SUBJECT_MAX + 1];
    bool can = ki_seed0_pattern_of(prefix, strlen(prefix), pattern);
    return want == NULL ? !can : can && strcmp(pattern, want) == 0;
}

static void a_prefix_becomes_a_pattern_that_is_as_narrow_as_can_be(void) {
    EXPECT(looks_at("", ">"));
    EXPECT(looks_at("qi", ">"));
    EXPECT(looks_at("qis.clinical", ">"));
    EXPECT(looks_at("qis.clinical.radiology", "clinical.>"));
    EXPECT(looks_at("qis.clinical.radiology.ct.d+0.1", "clinical.radiology.ct"));
    EXPECT(looks_at("qis.clinical.radiology.ct.d-0.1", "clinical.radiology.>"));
    EXPECT(looks_at("quis", NULL));
    EXPECT(looks_at("clinical", NULL));
    EXPECT(looks_at("qis.A.b", NULL));
    EXPECT(looks_at("qis.+", NULL));
    EXPECT(looks_at("qis..x", NULL));
}

static void told(ki_seed0_readers *r, char kind, const char *prefix) {
    char bytes[300];
    bytes[0] = kind;
    memcpy(bytes + 1, prefix, strlen(prefix));
    ki_seed0_told(r, bytes, 1 + strlen(prefix));
}

static bool followed(const ki_seed0_readers *r, const char *topic) {
    return ki_seed0_followed(r, topic, strlen(topic));
}

static void readers_come_and_go(void) {
    static ki_seed0_readers r;
    EXPECT(!followed(&r, "qis.a.d+0.0"));
    told(&r, 1, "qis.a");
    told(&r, 1, "qis.b");
    EXPECT(followed(&r, "qis.a.d+0.0"));
    EXPECT(followed(&r, "qis.ab.d+0.0")); /* their prefixes are of bytes */
    EXPECT(!followed(&r, "qis."));
    told(&r, 0, "qis.a");
    told(&r, 0, "qis.c");
    told(&r, 2, "qis.a");
    EXPECT(!followed(&r, "qis.a.d+0.0"));
    told(&r, 1, "");
    EXPECT(followed(&r, "x"));
    told(&r, 0, "");
    ki_seed0_told(&r, "", 0);
    EXPECT_INT(r.count, 1);
}

static void more_readers_than_places_count_as_all(void) {
    static ki_seed0_readers r;
    char prefix[16];
    for (int i = 0; i <= SEED0_FOLLOWED; i++) {
        (void) snprintf(prefix, sizeof prefix, "p%d", i);
        EXPECT(!followed(&r, "q"));
        told(&r, 1, prefix);
    }
    EXPECT_INT(r.count, SEED0_FOLLOWED);
    EXPECT(followed(&r, "q"));
}

static void a_prefix_longer_than_any_topic_is_nothing(void) {
    static ki_seed0_readers r;
    char prefix[KITH_SEED0_TOPIC_MAX + 2];
    memset(prefix, 'p', sizeof prefix);
    prefix[KITH_SEED0_TOPIC_MAX + 1] = '\0';
    told(&r, 1, prefix);
    EXPECT_INT(r.count, 0);
    prefix[KITH_SEED0_TOPIC_MAX] = '\0';
    told(&r, 1, prefix);
    EXPECT_INT(r.count, 1);
}

static bool prefix_is(const char *pattern, const char *want) {
    char text[KITH_SEED0_TOPIC_MAX + 1];
    size_t n = ki_seed0_prefix_of(pattern, text);
    return n == strlen(want) && strcmp(text, want) == 0;
}

static void a_pattern_becomes_the_prefix_of_all_it_wants(void) {
    EXPECT(prefix_is("a.b", "qis.a.b.d"));
    EXPECT(prefix_is("a.>", "qis.a."));
    EXPECT(prefix_is("a.*.c", "qis.a."));
    EXPECT(prefix_is(">", "qis."));
    EXPECT(prefix_is("*", "qis."));
}

static const test_case cases[] = {
    { "the_newest_fifty_come_oldest_first", the_newest_fifty_come_oldest_first },
    { "readers_come_and_go", readers_come_and_go },
    { "more_readers_than_places_count_as_all", more_readers_than_places_count_as_all },
    { "a_prefix_longer_than_any_topic_is_nothing",
        a_prefix_longer_than_any_topic_is_nothing },
    { "a_pattern_becomes_the_prefix_of_all_it_wants",
        a_pattern_becomes_the_prefix_of_all_it_wants },
    { "a_question_looks_at_so_many_and_no_more", a_question_looks_at_so_many_and_no_more },
    { "no_prefix_of_a_topic_passes_over_its_subject",
        no_prefix_of_a_topic_passes_over_its_subject },
    { "a_prefix_becomes_a_pattern_that_is_as_narrow_as_can_be",
        a_prefix_becomes_a_pattern_that_is_as_narrow_as_can_be },
};
TEST_MAIN(cases)
