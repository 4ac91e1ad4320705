/* SPDX-License-Identifier: Apache-2.0 */
/* A machine sleeps for an hour: both clocks have gone on when it wakes. */
#include "node/kit.h"

static const uint64_t hour_s = 3600;

static void sleep_an_hour(void) {
    now.mono_ns += hour_s * 1000 * MS;
    now.wall_us += (int64_t) hour_s * 1000000;
}

/* Everything but m[k] stands still while m[k] does, and the other way round. */
static void run_but(size_t k, int milliseconds) {
    kith_node *asleep = m[k].node;
    m[k].node = NULL;
    run(milliseconds);
    m[k].node = asleep;
}

/* What the nodes gave to their links so far, packets and frames. */
static uint64_t posted(void) {
    uint64_t n = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < kith_node_link_count(m[i].node); k++) {
            kith_link_status s;
            if (kith_node_link_status(m[i].node, k, &s) != 0) abort();
            n += s.counters.posted;
        }
    }
    return n;
}

static uint64_t live(member *me) {
    uint8_t digest[32];
    uint64_t slots = 0;
    return kith_store_digest(me->store, ">", now.wall_us, digest, &slots, NULL) == 0
               ? slots
               : UINT64_MAX;
}

/* A minute after the sleep costs what a minute before it did, and a greeting more. */
static void c3_an_hour_of_sleep_expires_renews_and_makes_no_storm(void) {
    for (int i = 0; i < 8; i++) join("mem://sleep");
    run(60000);
    for (int i = 0; i < 8; i++) post(&m[i], "iot.hvac.draw", 0.1 * i);
    run(60000);
    for (int i = 0; i < 8; i++) EXPECT_INT(live(&m[i]), 8);
    uint64_t before = posted(), ups[8];
    for (int i = 0; i < 8; i++) ups[i] = m[i].ups;
    run(60000);
    uint64_t calm = posted() - before;
    sleep_an_hour();
    before = posted();
    run(60000);
    uint64_t woken = posted() - before;
    printf("# posted in a minute: %d before, %d after\n", (int) calm, (int) woken);
    EXPECT(woken <= 2 * calm + 8 * 8);
    for (int i = 0; i < 8; i++) {
        kith_link_status s;
        EXPECT_INT(live(&m[i]), 0); /* ttl was an hour */
        EXPECT_INT(kith_node_link_status(m[i].node, 0, &s), 0);
        EXPECT(s.up);
        EXPECT(m[i].ups <= ups[i] + 1);
        EXPECT_INT(m[i].refused, 0);
    }
    for (int i = 0; i < 8; i++) post(&m[i], "iot.hvac.draw", 0.2 * i);
    run(60000);
    for (int i = 0; i < 8; i++) {
        EXPECT_INT(live(&m[i]), 8);
        EXPECT_INT(m[i].accepted, 14);
    }
    EXPECT(one_digest());
    leave_all();
}

/* One of three sleeps; the others go on. When it wakes it gets what still lives, once. */
static void c3_who_slept_alone_gets_what_still_lives(void) {
    for (int i = 0; i < 3; i++) join("mem://dream");
    run(10000);
    for (int i = 0; i < 20; i++) post(&m[0], "a.old", i);
    run_but(2, 1000);
    sleep_an_hour();
    run_but(2, 10000);
    for (int i = 0; i < 20; i++) post(&m[1], "a.fresh", i);
    run_but(2, 10000);
    uint64_t had = m[2].accepted;
    run(60000);
    EXPECT_INT(m[2].accepted - had, 20);
    EXPECT_INT(live(&m[2]), 1); /* the newest of one source */
    EXPECT_INT(m[2].downs, 0);
    EXPECT(one_digest());
    leave_all();
}

static const test_case cases[] = {
    { "c3_an_hour_of_sleep_expires_renews_and_makes_no_storm",
        c3_an_hour_of_sleep_expires_renews_and_makes_no_storm },
    { "c3_who_slept_alone_gets_what_still_lives",
        c3_who_slept_alone_gets_what_still_lives },
};
TEST_MAIN(cases)
