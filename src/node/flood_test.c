/* SPDX-License-Identifier: Apache-2.0 */
/* Much at once: what one wire brings is stored once and in its order, whatever stands
 * between, and nothing that was pulled is lost with the node. */
#include "node/kit.h"

enum {
    FLOOD = 1500
};

static kith_packet flood[FLOOD];

/* Number n of a stranger; bad: with a bit of its signature turned. */
static void make(int n, bool bad) {
    static kith_key *key;
    uint8_t seed[32] = { 99 };
    kith_post p = leaf("a.b", 0.001 * n);
    p.content.epoch = 1;
    p.content.seq = (uint64_t) n;
    if (key == NULL && kith_key_from_seed(&key, seed, NULL) != 0) abort();
    if (kith_packet_seal(&p.content, key, &flood[n]) != 0) abort();
    flood[n].bytes[flood[n].length - 1] ^= bad;
    if (n == FLOOD - 1) kith_key_free(&key);
}

static void make_flood(int one_bad_in) {
    for (int i = 0; i < FLOOD; i++) make(i, one_bad_in > 0 && i % one_bad_in == 7);
}

static kith_link *pour(const char *url, int times) {
    kith_link *link = NULL;
    if (kith_link_open(&link, url, NULL, NULL) != 0) abort();
    for (int i = 0; i < FLOOD * times; i++) {
        const kith_packet *p = &flood[i / times];
        kith_address to = { "a.b" };
        kith_posting what = { .kind = KITH_ITEM_PACKET,
            .length = p->length,
            .bytes = p->bytes,
            .to = &to,
            .expires_us = INT64_MAX };
        if (kith_link_post(link, &what) != 0) abort();
    }
    return link;
}

static int in_order(void *ctx, const kith_record *record) {
    int64_t *last = ctx;
    kith_content c;
    if (kith_packet_decode(record->packet.bytes, record->packet.length, &c) != 0 ||
        (int64_t) c.seq <= *last) {
        *last = INT64_MAX;
        return KITH_STOP;
    }
    *last = (int64_t) c.seq;
    return 0;
}

static int64_t last_in_order(member *me) {
    int64_t last = -1;
    kith_query q = { .now_us = now.wall_us };
    return kith_store_find(me->store, &q, in_order, &last, NULL) == 0 ? last : INT64_MAX;
}

static void a_flood_is_stored_in_the_order_in_which_it_came(void) {
    make_flood(0);
    member *me = join("mem://flood?ring=16M");
    kith_link *link = pour("mem://flood?ring=16M", 1);
    run(1000);
    EXPECT_INT(packets(me), FLOOD);
    EXPECT_INT(me->accepted, FLOOD);
    EXPECT_INT(last_in_order(me), FLOOD - 1);
    kith_store_stat s;
    EXPECT_INT(kith_store_stats(me->store, &s, NULL), 0);
    EXPECT(s.commits <= FLOOD / 64 + 20); /* many at a time */
    kith_link_close(&link);
    leave_all();
}

static void bad_signatures_in_a_flood_are_refused_and_counted_and_nothing_else_is(void) {
    make_flood(20);
    member *me = join("mem://bad-flood?ring=16M");
    kith_link *link = pour("mem://bad-flood?ring=16M", 1);
    run(1000);
    EXPECT_INT(packets(me), FLOOD - FLOOD / 20);
    EXPECT_INT(me->accepted, FLOOD - FLOOD / 20);
    EXPECT_INT(me->refused, FLOOD / 20);
    EXPECT_INT(kith_node_refused(me->node, KITH_R_SIGNATURE), FLOOD / 20);
    EXPECT_INT(last_in_order(me), FLOOD - 1);
    kith_link_close(&link);
    leave_all();
}

static void what_comes_three_times_in_a_flood_counts_once(void) {
    make_flood(0);
    member *me = join("mem://thrice?ring=16M");
    kith_link *link = pour("mem://thrice?ring=16M", 3);
    run(2000);
    EXPECT_INT(packets(me), FLOOD);
    EXPECT_INT(me->accepted, FLOOD);
    kith_link_status s;
    EXPECT_INT(kith_node_link_status(me->node, 0, &s), 0);
    EXPECT_INT(s.duplicates, 2 * FLOOD);
    kith_link_close(&link);
    leave_all();
}

/* Closed after each number of turns there may be, so at every stage of its work. */
static void a_node_that_is_closed_stores_what_it_had_pulled(void) {
    make_flood(0);
    for (int turns = 1; turns <= 8; turns++) {
        member *me = join("mem://closed?ring=16M");
        kith_link *link = pour("mem://closed?ring=16M", 1);
        for (int i = 0; i < turns; i++) {
            if (kith_node_step(me->node, now) < 0) abort();
        }
        kith_link_status s;
        EXPECT_INT(kith_node_link_status(me->node, 0, &s), 0);
        uint64_t pulled = s.counters.pulled;
        EXPECT(pulled > 0);
        EXPECT(pulled == FLOOD || !kith_node_idle(me->node) || packets(me) == pulled);
        kith_node_close(&me->node);
        EXPECT_INT(packets(me), pulled);
        EXPECT_INT(last_in_order(me), (int64_t) pulled - 1);
        kith_link_close(&link);
        leave_all();
    }
}

static void a_lone_packet_is_stored_in_the_turn_that_brought_it(void) {
    make_flood(0);
    member *me = join("mem://lone");
    member *from = join("mem://lone");
    run(50);
    post(from, "a.b", 1);
    if (kith_node_step(from->node, now) < 0) abort();
    if (kith_node_step(me->node, now) < 0) abort();
    EXPECT_INT(packets(me), 1);
    EXPECT_INT(me->accepted, 1);
    leave_all();
}

/* A stranger who never stops does not keep a packet waiting that came between. */
static void a_packet_in_a_stream_of_rubbish_is_stored_at_once(void) {
    make_flood(0);
    for (int i = 0; i < FLOOD; i++) flood[i].bytes[0] ^= i != 20 ? 2 : 0;
    member *me = join("mem://rubbish?ring=16M");
    kith_link *link = pour("mem://rubbish?ring=16M", 1);
    if (kith_node_step(me->node, now) < 0) abort();
    EXPECT(me->refused > 20 && me->refused < FLOOD - 1);
    EXPECT_INT(packets(me), 1);
    kith_link_close(&link);
    leave_all();
}

static const test_case cases[] = {
    { "a_flood_is_stored_in_the_order_in_which_it_came",
        a_flood_is_stored_in_the_order_in_which_it_came },
    { "bad_signatures_in_a_flood_are_refused_and_counted_and_nothing_else_is",
        bad_signatures_in_a_flood_are_refused_and_counted_and_nothing_else_is },
    { "what_comes_three_times_in_a_flood_counts_once",
        what_comes_three_times_in_a_flood_counts_once },
    { "a_node_that_is_closed_stores_what_it_had_pulled",
        a_node_that_is_closed_stores_what_it_had_pulled },
    { "a_packet_in_a_stream_of_rubbish_is_stored_at_once",
        a_packet_in_a_stream_of_rubbish_is_stored_at_once },
    { "a_lone_packet_is_stored_in_the_turn_that_brought_it",
        a_lone_packet_is_stored_in_the_turn_that_brought_it },
};
TEST_MAIN(cases)
