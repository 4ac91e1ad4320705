/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox of a wire whose ack says nothing: what was posted stays ours until a peer
 * was shown to have it. */
#include "node/kit.h"

static kith_link_status status_of(const member *me) {
    kith_link_status s = { 0 };
    if (kith_node_link_status(me->node, 0, &s) < 0) abort();
    return s;
}

static void reopen(member *me, const char *url, const char *follow) {
    kith_node_close(&me->node);
    open_node(me, &url, 1, follow, false);
}

static int count_own(void *ctx, const kith_record *record) {
    *(uint64_t *) ctx += record->own;
    return 0;
}

static uint64_t own_up_to(member *me, uint64_t arrival) {
    uint64_t own = 0;
    kith_query q = { .before = arrival + 1, .now_us = now.wall_us };
    if (kith_store_find(me->store, &q, count_own, &own, NULL) < 0) abort();
    return own;
}

/* Step by step: never more is said to be safe than the other has. */
static void run_and_look(member *from, member *to, int milliseconds) {
    for (int i = 0; i < milliseconds; i += 10) {
        run(10);
        EXPECT(own_up_to(from, status_of(from).sent_through) <= packets(to));
    }
}

static void o6_a_wire_that_drops_everything_in_silence_loses_nothing(void) {
    member *a = join("fault+mem://void?drop=100"), *b = join("mem://void");
    for (int i = 0; i < 50; i++) post(a, "iot.hvac.draw", 0.01 * i);
    run_and_look(a, b, 20000);
    kith_link_status s = status_of(a);
    EXPECT(s.counters.posted >= 50); /* the wire took them, and said so */
    EXPECT_INT(s.waiting, 0);
    EXPECT_INT(s.unconfirmed, 50);
    EXPECT_INT(s.sent_through, 0);
    EXPECT_INT(packets(b), 0);

    reopen(a, "fault+mem://void?drop=0", NULL);
    run_and_look(a, b, 20000);
    s = status_of(a);
    EXPECT_INT(packets(b), 50);
    EXPECT_INT(b->accepted, 50);
    EXPECT_INT(s.sent_through, 50);
    EXPECT_INT(s.unconfirmed, 0);
    EXPECT_INT(s.peers, 1);

    reopen(a, "fault+mem://void?drop=0", NULL); /* the cursor was kept */
    run(20);
    s = status_of(a);
    EXPECT_INT(s.sent_through, 50);
    for (int i = 0; i < 100; i++) run(100);
    EXPECT_INT(b->accepted, 50);
    EXPECT_INT(status_of(b).duplicates, 0);
    leave_all();
}

/* Half of a wire works: what a peer says comes, and nothing of ours goes. */
static void o6_a_wire_that_is_deaf_one_way_moves_no_cursor(void) {
    member *a = join("mem://deaf"), *b = join("mem://deaf");
    post(b, "a.b", 1);
    run_and_look(a, b, 20000);
    EXPECT_INT(packets(a), 1);
    uint64_t before = status_of(a).sent_through;
    reopen(a, "fault+mem://deaf?drop=100", NULL);
    reopen(a, "mem://other", NULL); /* posted where nobody is */
    for (int i = 0; i < 20; i++) post(a, "a.c", i);
    run_and_look(a, b, 20000);
    EXPECT_INT(status_of(a).sent_through, 0);
    reopen(a, "mem://deaf", NULL); /* each wire has a cursor of its own */
    EXPECT(status_of(a).sent_through >= before);
    run_and_look(a, b, 20000);
    EXPECT_INT(packets(b), 21);
    EXPECT_INT(status_of(a).unconfirmed, 0);
    leave_all();
}

static void what_nobody_follows_stays_until_somebody_does(void) {
    member *a = join("mem://narrow"), *b = join("mem://narrow");
    reopen(b, "mem://narrow", "a.>");
    for (int i = 0; i < 10; i++) post(a, i < 5 ? "a.b" : "c.d", i);
    run_and_look(a, b, 20000);
    EXPECT_INT(packets(b), 5);
    EXPECT_INT(status_of(a).sent_through, 5);
    EXPECT_INT(status_of(a).unconfirmed, 5);
    member *c = join("mem://narrow");
    run(20000);
    EXPECT_INT(packets(c), 10);
    EXPECT_INT(status_of(a).sent_through, 10);
    leave_all();
}

/* What it was shown to have of little is no receipt for more. */
static void who_follows_more_is_asked_anew(void) {
    member *a = join("mem://wider"), *b = join("mem://wider");
    reopen(b, "mem://wider", "a.>");
    for (int i = 0; i < 10; i++) post(a, i < 5 ? "c.d" : "a.b", i);
    run(20000);
    EXPECT_INT(packets(b), 5);
    EXPECT_INT(status_of(a).sent_through, 0);
    reopen(b, "mem://wider", NULL);
    run_and_look(a, b, 20000);
    EXPECT_INT(packets(b), 10);
    EXPECT_INT(status_of(a).sent_through, 10);
    leave_all();
}

/* News that never end: something is always too fresh to be compared. */
static void receipts_come_while_more_is_posted(void) {
    member *a = join("mem://busy"), *b = join("mem://busy");
    for (int i = 0; i < 300; i++) {
        post(a, "a.b", i);
        run_and_look(a, b, 100);
    }
    EXPECT(status_of(a).sent_through > 200);
    EXPECT(status_of(a).sent_through < 300); /* the last are not settled */
    /* when the next HELLO goes is rolled; minutes are far more than it takes */
    for (int i = 0; i < 300 && status_of(a).sent_through < 300; i++) run(1000);
    EXPECT_INT(status_of(a).sent_through, 300);
    leave_all();
}

static const test_case cases[] = {
    { "o6_a_wire_that_drops_everything_in_silence_loses_nothing",
        o6_a_wire_that_drops_everything_in_silence_loses_nothing },
    { "o6_a_wire_that_is_deaf_one_way_moves_no_cursor",
        o6_a_wire_that_is_deaf_one_way_moves_no_cursor },
    { "what_nobody_follows_stays_until_somebody_does",
        what_nobody_follows_stays_until_somebody_does },
    { "who_follows_more_is_asked_anew", who_follows_more_is_asked_anew },
    { "receipts_come_while_more_is_posted", receipts_come_while_more_is_posted },
};
TEST_MAIN(cases)
