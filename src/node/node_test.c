/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes promise each other: every packet arrives, counts once, and the same
 * state follows from it everywhere, whatever the links do. Time is a number. */
#include "node/kit.h"

static void a_post_reaches_every_node(void) {
    for (int i = 0; i < 4; i++) join("mem://all");
    run(100);
    for (int i = 0; i < 4; i++) post(&m[i], "iot.hvac.draw", 0.1 * i);
    run(200);
    for (int i = 0; i < 4; i++) {
        EXPECT_INT(m[i].accepted, 3);
        EXPECT_INT(packets(&m[i]), 4);
        EXPECT(kith_node_idle(m[i].node));
    }
    EXPECT(one_digest());
    leave_all();
}

static void seedbug_13_a_late_joiner_sees_the_past(void) {
    member *early = join("mem://late");
    for (int i = 0; i < 300; i++) post(early, "iot.hvac.draw", 0.001 * i);
    run(500);
    member *late = join("mem://late");
    run(6000); /* what was posted a moment ago settles first */
    EXPECT_INT(late->accepted, 300);
    EXPECT(one_digest());
    leave_all();
}

static void a_link_that_loses_and_repeats_loses_nothing(void) {
    static const char *const url = "fault+mem://bend?drop=30&repeat=20&seed=%d";
    char links[4][64];
    for (int i = 0; i < 4; i++) {
        (void) snprintf(links[i], sizeof links[i], url, i + 1);
        join(links[i]);
    }
    for (int i = 0; i < 200; i++) {
        post(&m[i % 4], "iot.hvac.draw", 0.001 * i);
        if (i % 10 == 0) run(10);
    }
    run(60000);
    for (int i = 0; i < 4; i++) {
        EXPECT_INT(packets(&m[i]), 200);
        EXPECT_INT(m[i].accepted, 150);
    }
    EXPECT(one_digest());
    leave_all();
}

static int count_way(void *ctx, const char *way) {
    (void) way;
    ++*(int *) ctx;
    return 0;
}

static int count_ways(void *ctx, const kith_record *record) {
    int *ways = ctx;
    member *me = &m[1];
    return kith_store_ways(me->store, record->arrival, count_way, ways, NULL);
}

static void two_links_count_once_and_both_are_named(void) {
    static const char *const both[] = { "mem://east", "mem://west" };
    join_many(both, 2, false);
    join_many(both, 2, false);
    run(50);
    post(&m[0], "a.b", 1);
    run(300);
    EXPECT_INT(m[1].accepted, 1);
    kith_link_status east, west;
    EXPECT_INT(kith_node_link_status(m[1].node, 0, &east), 0);
    EXPECT_INT(kith_node_link_status(m[1].node, 1, &west), 0);
    EXPECT_INT(east.accepted + west.accepted, 1);
    EXPECT_INT(east.duplicates + west.duplicates, 1);
    int ways = 0;
    kith_query q = { .now_us = now.wall_us };
    EXPECT_INT(kith_store_find(m[1].store, &q, count_ways, &ways, NULL), 0);
    EXPECT_INT(ways, 2);
    leave_all();
}

static void a_node_on_two_links_relays(void) {
    static const char *const both[] = { "mem://left", "mem://right" };
    join("mem://left");
    join_many(both, 2, true);
    join("mem://right");
    for (int i = 0; i < 20; i++) {
        post(&m[0], "a.left", i);
        post(&m[2], "a.right", i);
    }
    run(1000);
    for (int i = 0; i < 3; i++) EXPECT_INT(packets(&m[i]), 40);
    EXPECT(one_digest());
    leave_all();
}

/* Posts bytes natively, past every check of a node. */
static void inject(
    const char *url, const char *subject, const uint8_t *bytes, size_t size) {
    kith_link *link = NULL;
    kith_address to = { "" };
    memcpy(to.subject, subject, strlen(subject) + 1);
    kith_posting what = { .kind = KITH_ITEM_PACKET,
        .length = (uint16_t) size,
        .bytes = bytes,
        .to = &to,
        .expires_us = INT64_MAX };
    if (kith_link_open(&link, url, NULL, NULL) != 0) abort();
    if (kith_link_post(link, &what) != 0) abort();
    run(100);
    kith_link_close(&link);
}

static void refuses_aloud_and_goes_on(void) {
    member *me = join("mem://bad");
    kith_key *stranger = NULL;
    uint8_t seed[32] = { 99 };
    EXPECT_INT(kith_key_from_seed(&stranger, seed, NULL), 0);
    kith_post p = leaf("a.b", 1);
    p.content.epoch = 1;
    kith_packet packet;
    EXPECT_INT(kith_packet_seal(&p.content, stranger, &packet), 0);

    inject("mem://bad", "a.b", (const uint8_t *) "\001ubbish", 7);
    EXPECT_INT(m[0].last_refusal, KITH_R_LENGTH);
    inject("mem://bad", "a.c", packet.bytes, packet.length);
    EXPECT_INT(m[0].last_refusal, KITH_R_ADDRESS);
    packet.bytes[packet.length - 1] ^= 1;
    inject("mem://bad", "a.b", packet.bytes, packet.length);
    EXPECT_INT(m[0].last_refusal, KITH_R_SIGNATURE);
    packet.bytes[packet.length - 1] ^= 1;
    packet.bytes[0] = 2;
    inject("mem://bad", "a.b", packet.bytes, packet.length);
    EXPECT_INT(m[0].last_refusal, KITH_R_VERSION);
    packet.bytes[0] = 1;
    EXPECT_INT(me->refused, 4);
    EXPECT_INT(packets(me), 0);

    inject("mem://bad", "a.b", packet.bytes, packet.length);
    EXPECT_INT(packets(me), 1);
    EXPECT_INT(kith_node_refused(me->node, KITH_R_ADDRESS), 1);
    kith_key_free(&stranger);
    leave_all();
}

static void c1_a_clock_far_ahead_is_refused_and_a_past_one_judged_by_its_ttl(void) {
    member *me = join("mem://clock");
    kith_key *stranger = NULL;
    uint8_t seed[32] = { 99 };
    EXPECT_INT(kith_key_from_seed(&stranger, seed, NULL), 0);
    static const struct {
        int64_t ahead_s;
        int refusal;
    } rows[] = {
        { 315360000, KITH_R_FUTURE },
        { 61, KITH_R_FUTURE },
        { 55, 0 },
        { -5, 0 },
        { -315360000, KITH_R_EXPIRED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kith_post p = leaf("a.b", 1);
        kith_packet packet;
        p.content.epoch = 1;
        p.content.seq = i;
        p.content.t_end_us += rows[i].ahead_s * 1000000;
        EXPECT_INT(kith_packet_seal(&p.content, stranger, &packet), 0);
        uint64_t before = packets(me);
        me->last_refusal = 0;
        inject("mem://clock", "a.b", packet.bytes, packet.length);
        EXPECT_INT(me->last_refusal, rows[i].refusal);
        EXPECT_INT(packets(me) - before, rows[i].refusal == 0);
    }
    kith_key_free(&stranger);
    leave_all();
}

static void c1_what_a_wrong_clock_refused_comes_when_it_is_right(void) {
    join("mem://reset");
    post(&m[0], "a.b", 1);
    run(100);
    int64_t right = now.wall_us;
    now.wall_us -= INT64_C(86400000000); /* the joiner wakes up yesterday */
    member *late = join("mem://reset");
    for (int i = 0; i < 900; i++) {
        kith_time theirs = { now.mono_ns, right + i * 10000 };
        if (kith_node_step(m[0].node, theirs) < 0) abort();
        if (kith_node_step(late->node, now) < 0) abort();
        now.mono_ns += 10 * MS;
        now.wall_us += 10000;
    }
    EXPECT_INT(late->last_refusal, KITH_R_FUTURE);
    EXPECT_INT(late->accepted, 0);
    now.wall_us += INT64_C(86400000000);
    run(6000);
    EXPECT_INT(late->accepted, 1);
    leave_all();
}

static void two_packets_under_one_number_are_a_proof(void) {
    member *me = join("mem://twice");
    kith_key *liar = NULL;
    uint8_t seed[32] = { 99 };
    EXPECT_INT(kith_key_from_seed(&liar, seed, NULL), 0);
    for (int i = 0; i < 2; i++) {
        kith_post p = leaf("a.b", i);
        kith_packet packet;
        p.content.epoch = 1;
        EXPECT_INT(kith_packet_seal(&p.content, liar, &packet), 0);
        inject("mem://twice", "a.b", packet.bytes, packet.length);
    }
    EXPECT_INT(me->last_refusal, KITH_R_EQUIVOCATION);
    EXPECT_INT(packets(me), 1);
    kith_key_free(&liar);
    leave_all();
}

static void follows_only_what_it_was_told(void) {
    member *a = join("mem://some"), *b = join("mem://some");
    EXPECT_INT(kith_node_unfollow(b->node, ">", NULL), 0);
    EXPECT_INT(kith_node_follow(b->node, "iot.hvac.*", NULL), 0);
    EXPECT_INT(kith_node_follow(b->node, "a..b", NULL), KITH_E_ARG);
    EXPECT_INT(kith_node_unfollow(b->node, ">", NULL), KITH_E_MISSING);
    run(50);
    post(a, "iot.hvac.draw", 1);
    post(a, "iot.hvacuum.leak", 1);
    post(a, "iot.hvac.a.b", 1);
    run(2000);
    EXPECT_INT(b->accepted, 1);
    EXPECT_INT(b->refused, 0);
    leave_all();
}

static void own_echo_is_no_twin(void) {
    for (int i = 0; i < 5; i++) join("mem://twins");
    for (int i = 0; i < 5; i++) post(&m[i], "iot.hvac.draw", 0.1 * i);
    run(500);
    uint8_t self[KITH_KEY_SIZE], template_id[KITH_TEMPLATE_SIZE], measure = 0;
    kith_key_public(m[2].key, self);
    kith_ask ask = { .subject = "iot.hvac.draw", .self = self, .now_us = now.wall_us };
    kith_answer answer;
    kith_evidence rows[8];
    size_t row_count = 0;
    EXPECT_INT(kith_ask_store(m[2].store, &ask, &answer, template_id, &measure, rows, 8,
                   &row_count, NULL),
        0);
    EXPECT(!answer.insufficient);
    EXPECT_INT(answer.k, 4);
    EXPECT(answer.has_own && answer.own_y == 0.2);
    EXPECT_INT(row_count, 5);
    EXPECT_INT(measure, KITH_MEAN_DIFFERENCE);
    int left_out = 0;
    for (size_t i = 0; i < row_count; i++) left_out += rows[i].left_out != NULL;
    EXPECT_INT(left_out, 1);
    leave_all();
}

static void seedbug_23_below_the_quorum_it_says_so(void) {
    for (int i = 0; i < 3; i++) join("mem://few");
    uint8_t self[KITH_KEY_SIZE], template_id[KITH_TEMPLATE_SIZE], measure = 0;
    kith_key_public(m[0].key, self);
    kith_ask ask = { .subject = "a.b", .self = self, .now_us = now.wall_us };
    kith_answer answer;
    EXPECT_INT(kith_ask_store(
                   m[0].store, &ask, &answer, template_id, &measure, NULL, 0, NULL, NULL),
        KITH_E_MISSING);
    for (int i = 0; i < 3; i++) post(&m[i], "a.b", 0.1 * i);
    run(500);
    EXPECT_INT(kith_ask_store(
                   m[0].store, &ask, &answer, template_id, &measure, NULL, 0, NULL, NULL),
        0);
    EXPECT(answer.insufficient);
    EXPECT_INT(answer.k, 2);
    EXPECT_INT(answer.missing, 1);
    leave_all();
}

static void a_place_that_is_not_there_is_tried_again(void) {
    member *me = &m[0];
    static const char *const links[] = { "dir:///nonexistent-place/kith", "mem://here" };
    join_many(links, 2, false);
    EXPECT_INT(me->downs, 1);
    kith_link_status s;
    EXPECT_INT(kith_node_link_status(me->node, 0, &s), 0);
    EXPECT(!s.up && s.why[0] != '\0');
    post(me, "a.b", 1); /* the post does not care */
    run(5000);
    EXPECT_INT(kith_node_link_status(me->node, 0, &s), 0);
    EXPECT(!s.up);
    EXPECT_INT(me->downs, 1); /* said once */
    leave_all();
}

static void a_url_without_sense_is_an_error(void) {
    static const char *const bad[] = { "nonsense://x", "mem://x?queue=0", "mem", "" };
    kith_store *store = NULL;
    EXPECT_INT(kith_store_open(&store, "memory:", NULL), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        kith_node *node = NULL;
        kith_error err = { 0 };
        kith_node_config c = { .store = store, .links = &bad[i], .link_count = 1 };
        printf("# '%s'\n", bad[i]);
        EXPECT(kith_node_open(&node, &c, now, &err) < 0);
        EXPECT(node == NULL);
        EXPECT(err.text[0] != '\0');
    }
    kith_store_close(&store);
}

static const test_case cases[] = {
    { "a_post_reaches_every_node", a_post_reaches_every_node },
    { "seedbug_13_a_late_joiner_sees_the_past", seedbug_13_a_late_joiner_sees_the_past },
    { "a_link_that_loses_and_repeats_loses_nothing",
        a_link_that_loses_and_repeats_loses_nothing },
    { "two_links_count_once_and_both_are_named", two_links_count_once_and_both_are_named },
    { "a_node_on_two_links_relays", a_node_on_two_links_relays },
    { "follows_only_what_it_was_told", follows_only_what_it_was_told },
    { "own_echo_is_no_twin", own_echo_is_no_twin },
    { "seedbug_23_below_the_quorum_it_says_so", seedbug_23_below_the_quorum_it_says_so },
    { "a_place_that_is_not_there_is_tried_again",
        a_place_that_is_not_there_is_tried_again },
    { "a_url_without_sense_is_an_error", a_url_without_sense_is_an_error },
};
TEST_MAIN(cases)
