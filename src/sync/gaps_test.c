/* SPDX-License-Identifier: Apache-2.0 */
/* What the hints of a group promise: a source can always repeat its last packets, and
 * what is brought out of order is no sign of a gap. */
#include "sync/sync.h"

#include "base/dice.h"
#include "base/wire.h"
#include "test.h"

#define SECOND UINT64_C(1000000000)

static ki_gaps g;

static void begin(void) {
    memset(&g, 0, sizeof g);
    g.exact = true;
    g.me = 7;
}

static void hear(uint64_t source, uint64_t seq, bool live, uint64_t now_ns) {
    ki_item item = { .expiry = 1, .id = { source, seq }, .arrival = seq + 1 };
    ki_gaps_heard(&g, source, 1, seq, &item, source == g.me, live, now_ns);
}

static void a_source_repeats_its_last_packets_however_much_others_say(void) {
    begin();
    for (uint64_t seq = 0; seq < GAPS_OWN; seq++) hear(g.me, seq, true, SECOND);
    for (uint64_t seq = 0; seq < 20000; seq++) hear(100 + seq % 50, seq / 50, true, SECOND);
    ki_keys keys = { .epoch = 1, .count = 1, .runs = { { GAPS_OWN - 64, 64 } } };
    wire_put64(keys.source, g.me);
    ki_gaps_keys(&g, &keys, 2 * SECOND);
    ki_item item;
    uint64_t seen = 0;
    for (uint64_t now = 2 * SECOND; now < 3 * SECOND; now += SECOND / 500) {
        if (ki_gaps_repair(&g, now, &item)) {
            EXPECT_INT(item.id[0], g.me);
            EXPECT(item.id[1] >= GAPS_OWN - 64);
            seen++;
        }
    }
    EXPECT_INT(seen, 64);
}

static void an_old_packet_of_a_source_unknown_says_nothing_of_a_gap(void) {
    ki_keys keys;
    begin();
    hear(5, 3, false, SECOND); /* brought by an exchange */
    hear(5, 30, true, 2 * SECOND);
    EXPECT(!ki_gaps_ask(&g, 10 * SECOND, &keys));
    hear(5, 32, true, 10 * SECOND);
    EXPECT(ki_gaps_ask(&g, 11 * SECOND, &keys));
    EXPECT_INT(keys.count, 1);
    EXPECT_INT(keys.runs[0].first, 31);
    EXPECT_INT(keys.runs[0].length, 1);
}

/* As many as a large group has: none drives another out, or each would ask for all
 * that it missed of the other. */
static void two_hundred_sources_are_watched_at_once(void) {
    ki_keys keys;
    begin();
    uint64_t dice = 42;
    static uint64_t source[200];
    for (int i = 0; i < 200; i++) source[i] = dice_roll(&dice);
    for (uint64_t seq = 0; seq < 5; seq++) {
        for (int i = 0; i < 200; i++) {
            if (seq != 3) hear(source[i], seq, true, SECOND + seq);
        }
    }
    int asked = 0;
    bool first[200] = { false };
    for (uint64_t now = 2 * SECOND; now < 20 * SECOND; now += SECOND / 500) {
        while (ki_gaps_ask(&g, now, &keys)) {
            int i = 0;
            while (source[i] != wire_get64(keys.source)) i++;
            asked += !first[i];
            first[i] = true;
            EXPECT_INT(keys.runs[0].first, 3);
            EXPECT_INT(keys.runs[0].length, 1);
        }
    }
    EXPECT_INT(asked, 200);
}

/* Half of a group that was deaf finds out in the same moment; what it asks for, and is
 * given, must leave room for what is posted meanwhile. */
static void a_group_asks_fifty_times_a_second_and_once_more_for_two_posts(void) {
    ki_keys keys = { .epoch = 1, .count = 1, .runs = { { 1, 1 } } };
    begin();
    for (uint64_t i = 0; i < 200; i++) {
        hear(1000 + i, 0, true, SECOND);
        hear(1000 + i, 2, true, SECOND);
    }
    for (uint64_t i = 0; i < 100; i++) { /* and others are asking for two seconds */
        wire_put64(keys.source, 5000 + i);
        ki_gaps_keys(&g, &keys, SECOND);
    }
    int quiet = 0, busy = 0;
    for (uint64_t now = SECOND; now < 4 * SECOND; now += SECOND / 500) {
        while (ki_gaps_ask(&g, now, &keys)) {
            EXPECT(now > 2 * SECOND);
            quiet++;
        }
    }
    EXPECT(quiet > 40);
    EXPECT(quiet <= 60);
    for (uint64_t i = 0; i < 100; i++) { /* in a second, as many are posted */
        uint64_t now = 4 * SECOND + i * SECOND / 100;
        hear(9000, i, true, now);
        while (ki_gaps_ask(&g, now, &keys)) busy++;
    }
    EXPECT(busy > 90);
    EXPECT(busy <= 110);
}

#define CASE(name)                                                                         \
    { #name, name }

static const test_case cases[] = {
    CASE(a_source_repeats_its_last_packets_however_much_others_say),
    CASE(an_old_packet_of_a_source_unknown_says_nothing_of_a_gap),
    CASE(two_hundred_sources_are_watched_at_once),
    CASE(a_group_asks_fifty_times_a_second_and_once_more_for_two_posts),
};
TEST_MAIN(cases)
