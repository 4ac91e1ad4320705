/* SPDX-License-Identifier: Apache-2.0 */
/* Agreement between whole nodes on a wire without memory: stores that are full, peers
 * that are many or follow other things, holes that are asked for, frames that lie. */
#include "node/kit.h"
#include "node/node.h"

static const ki_sync *sync_of(const member *me) {
    return me->node->links[0].sync;
}

static void enter(member *me, const char *url, const char *follow) {
    kith_node_close(&me->node);
    open_node(me, &url, 1, follow, false);
}

/* A packet that expires so many seconds from now. */
static void post_for(member *me, const char *subject, double effect, uint32_t ttl_s) {
    kith_post p = leaf(subject, effect);
    p.content.ttl_s = ttl_s;
    if (kith_store_post(me->store, me->key, &p, 1, now, NULL) != 0 || p.result != 0) {
        abort();
    }
}

static uint64_t sent_by_all(void) {
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++) all += sync_of(&m[i])->stat.packets_out;
    return all;
}

static bool all_agree(void) {
    for (size_t i = 0; i < count; i++) {
        const ki_sync *s = sync_of(&m[i]);
        for (int k = 0; k < SYNC_PEERS_MAX; k++) {
            if (s->peers[k].id != 0 && s->peers[k].differs) return false;
        }
    }
    return true;
}

static void what_a_full_store_gave_up_is_not_wanted_again(void) {
    static const char *const url = "mem://full?ring=4M";
    member *large = join(url);
    for (uint32_t i = 0; i < 400; i++) post_for(large, "a.b", i, 3600 + i);
    run(10000);
    member *small = join_in("memory:?max_bytes=64K", &url, 1, false);
    run(60000);
    kith_store_stat stat;
    EXPECT_INT(kith_store_stats(small->store, &stat, NULL), 0);
    EXPECT(stat.evicted > 0);
    EXPECT(stat.packets > 20 && stat.packets < 400);
    EXPECT(all_agree());
    EXPECT(sync_of(large)->stat.floors > 0); /* the small one said from where on it knows */
    uint64_t sent = sent_by_all(), asked = sync_of(small)->stat.exchanges;
    run(120000);
    EXPECT_INT(sent_by_all(), sent);
    EXPECT(sync_of(small)->stat.exchanges <= asked + 2);
    /* What expires later than all it has is taken, and something else given up. */
    uint64_t before = small->accepted;
    for (uint32_t i = 0; i < 20; i++) post_for(large, "a.b", i, 7200 + i);
    run(30000);
    EXPECT_INT(small->accepted, before + 20);
    EXPECT(all_agree());
    EXPECT(sent_by_all() <= sent + 200);
    /* And nothing of the large one's is called safe that the small one gave up. */
    kith_link_status s;
    EXPECT_INT(kith_node_link_status(large->node, 0, &s), 0);
    EXPECT_INT(s.peers, 1);
    leave_all();
}

/* Each pair of these needs a set of its own. */
static void where_each_follows_something_else_all_get_their_part(void) {
    enum {
        ALL = 12
    };
    char names[ALL][16];
    for (int i = 0; i < ALL; i++) {
        (void) snprintf(names[i], sizeof names[i], "n%d.>", i);
        enter(join("mem://apart"), "mem://apart", names[i]);
    }
    for (int i = 0; i < ALL; i++)
        enter(&m[i], i == 0 ? "mem://apart" : "mem://off", names[i]);
    for (int i = 0; i < ALL; i++) {
        char subject[16];
        (void) snprintf(subject, sizeof subject, "n%d.x", i);
        for (int k = 0; k < 3; k++) post(&m[0], subject, k); /* the others are away */
    }
    run(10000);
    for (int i = 1; i < ALL; i++) enter(&m[i], "mem://apart", names[i]);
    run(180000);
    uint64_t begun = 0;
    for (int i = 0; i < ALL; i++) {
        EXPECT_INT(packets(&m[i]), i == 0 ? 3 * ALL : 3);
        EXPECT_INT(m[i].refused, 0);
        begun += sync_of(&m[i])->stat.exchanges;
    }
    printf("# %d exchanges of %d pairs\n", (int) begun, ALL * (ALL - 1) / 2);
    leave_all();
}

static void a_hole_is_asked_for_by_number_before_sets_are_compared(void) {
    static const char *const url = "fault+mem://holes?drop=5&seed=%d";
    char links[4][64];
    for (int i = 0; i < 4; i++) {
        (void) snprintf(links[i], sizeof links[i], url, i + 1);
        join(links[i]);
    }
    run(5000);
    for (int i = 0; i < 200; i++) {
        post(&m[i % 4], "a.b", i);
        run(50);
    }
    uint64_t repaired = 0, exchanges = 0;
    for (int i = 0; i < 4; i++) {
        repaired += sync_of(&m[i])->gaps.repaired;
        exchanges += sync_of(&m[i])->stat.packets_out;
    }
    EXPECT(repaired > 10);
    run(60000);
    for (int i = 0; i < 4; i++) {
        EXPECT_INT(packets(&m[i]), 200);
        EXPECT_INT(m[i].accepted, 150);
    }
    printf("# %d repeated when asked, of %d that were sent again\n", (int) repaired,
        (int) exchanges);
    leave_all();
}

static void o7_loss_delay_doubles_and_another_order_lose_and_double_nothing(void) {
    static const char *const url =
        "fault+mem://storm?drop=30&repeat=20&reorder=30&delay=200ms&seed=%d";
    char links[3][96];
    for (int i = 0; i < 3; i++) {
        (void) snprintf(links[i], sizeof links[i], url, i + 1);
        join(links[i]);
    }
    for (int i = 0; i < 300; i++) {
        post(&m[i % 3], "a.b", i);
        run(20);
    }
    for (int i = 0; i < 200 && !(packets(&m[0]) == 300 && packets(&m[1]) == 300 &&
                                   packets(&m[2]) == 300);
         i++) {
        run(1000);
    }
    for (int i = 0; i < 3; i++) {
        EXPECT_INT(packets(&m[i]), 300);
        EXPECT_INT(m[i].accepted, 200);
    }
    EXPECT(one_digest());
    leave_all();
}

/* Eight who were apart, each with what the others lack, meet at once. */
static void many_that_meet_at_once_repair_each_other_without_waste(void) {
    enum {
        ALL = 8,
        EACH = 50
    };
    char links[ALL][64];
    for (int i = 0; i < ALL; i++) {
        (void) snprintf(links[i], sizeof links[i], "fault+mem://apart%d?seed=%d", i, i + 1);
        join(links[i]);
        for (int k = 0; k < EACH; k++) post(&m[i], "a.b", k);
    }
    run(10000);
    for (int i = 0; i < ALL; i++) {
        (void) snprintf(links[i], sizeof links[i],
            "fault+mem://met?drop=10&repeat=5&ring=4M&seed=%d", i + 1);
        enter(&m[i], links[i], NULL);
    }
    run(120000);
    for (int i = 0; i < ALL; i++) {
        EXPECT_INT(packets(&m[i]), ALL * EACH);
        EXPECT_INT(m[i].accepted, (ALL - 1) * EACH);
    }
    EXPECT(all_agree());
    EXPECT(one_digest());
    uint64_t sent = sent_by_all();
    printf("# %d packets sent for %d that the others lacked\n", (int) sent, ALL * EACH);
    EXPECT(sent < 3 * ALL * EACH);
    leave_all();
}

/* ---- frames that lie ---- */

enum {
    CAUGHT = 64
};
static kith_item caught[CAUGHT];
static size_t caught_count;

static void listen_to(kith_link *spy) {
    kith_item item;
    while (caught_count < CAUGHT && kith_link_pull(spy, &item) == 0) {
        if (item.kind == KITH_ITEM_SYNC) caught[caught_count++] = item;
    }
}

static void say(kith_link *spy, const uint8_t *bytes, size_t length) {
    kith_posting what = { .kind = KITH_ITEM_SYNC,
        .length = (uint16_t) length,
        .bytes = bytes,
        .expires_us = INT64_MAX };
    if (kith_link_post(spy, &what) < 0) abort();
}

typedef struct state {
    uint64_t packets, bad, exchanges, differ;
    uint32_t peers;
} state;

static state state_of(const member *me) {
    const ki_sync *s = sync_of(me);
    state t = { packets((member *) (uintptr_t) me),
        s->stat.bad_form + s->stat.bad_mac + s->stat.bad_signature, s->stat.exchanges, 0,
        0 };
    for (int k = 0; k < SYNC_PEERS_MAX; k++) {
        t.peers += s->peers[k].id != 0;
        t.differ += s->peers[k].id != 0 && s->peers[k].differs;
    }
    return t;
}

/* Two nodes that differed, and somebody who listened and speaks. */
static kith_link *set_up_spy(void) {
    kith_link *spy = NULL;
    if (kith_link_open(&spy, "mem://spied?ring=4M", NULL, NULL) != 0) abort();
    if (kith_link_follow(spy, ">") != 0) abort();
    caught_count = 0;
    join("mem://away");
    join("mem://spied");
    for (int i = 0; i < 60; i++) post(&m[i % 2], "a.b", i);
    run(10000);
    enter(&m[0], "mem://spied", NULL);
    for (int i = 0; i < 200; i++) {
        run(100);
        listen_to(spy);
    }
    return spy;
}

static void a_frame_with_a_flipped_bit_changes_nothing(void) {
    kith_link *spy = set_up_spy();
    EXPECT(caught_count > 4);
    EXPECT_INT(packets(&m[0]), 60);
    EXPECT(all_agree());
    state before[2] = { state_of(&m[0]), state_of(&m[1]) };
    size_t said = 0;
    for (size_t i = 0; i < caught_count; i++) {
        for (size_t bit = i % 7; bit < 8u * caught[i].length; bit += 61) {
            uint8_t bytes[KITH_PACKET_MAX];
            memcpy(bytes, caught[i].bytes, caught[i].length);
            bytes[bit / 8] ^= (uint8_t) (1u << bit % 8);
            say(spy, bytes, caught[i].length);
            said++;
            run(10);
        }
    }
    run(60000);
    for (int i = 0; i < 2; i++) {
        state after = state_of(&m[i]);
        EXPECT_INT(after.packets, 60);
        EXPECT_INT(after.peers, 1); /* nobody was invented */
        EXPECT_INT(after.differ, 0);
        EXPECT(after.bad > before[i].bad);
        EXPECT(after.exchanges <= before[i].exchanges + 2);
    }
    printf("# %zu frames with a wrong bit\n", said);
    kith_link_close(&spy);
    leave_all();
}

static void frames_said_again_by_another_change_nothing(void) {
    kith_link *spy = set_up_spy();
    state before[2] = { state_of(&m[0]), state_of(&m[1]) };
    uint64_t sent = sent_by_all();
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < caught_count; i++)
            say(spy, caught[i].bytes, caught[i].length);
        run(1000);
    }
    run(60000);
    for (int i = 0; i < 2; i++) {
        state after = state_of(&m[i]);
        EXPECT_INT(after.packets, 60);
        EXPECT_INT(after.peers, 1);
        EXPECT_INT(after.differ, 0);
        EXPECT(after.exchanges <= before[i].exchanges + 2);
    }
    /* An old WANT or RANGE may be answered once more; no more than it asked for. */
    EXPECT(sent_by_all() <= sent + 10 * 60);
    kith_link_close(&spy);
    leave_all();
}

/* ---- asked to compare ---- */

static uint64_t agreed_of(const member *me) {
    kith_link_status s;
    if (kith_node_link_status(me->node, 0, &s) < 0) abort();
    return s.agreed_ns;
}

static void who_will_not_wait_learns_when_all_had_the_same(void) {
    member *a = join("mem://hurry");
    run(20000);
    EXPECT_INT(agreed_of(a), 0); /* nobody is there */
    for (int i = 0; i < 10; i++) post(a, "a.b", i);
    member *b = join("mem://hurry"), *c = join("mem://hurry");
    uint64_t begun = now.mono_ns;
    for (int i = 0; i < 120 && agreed_of(b) < begun + 4000 * MS; i++) {
        if (i % 5 == 0) kith_node_compare(b->node, now);
        run(100);
        if (agreed_of(b) >= begun + 4000 * MS) {
            EXPECT_INT(packets(b), 10);
        }
    }
    EXPECT(agreed_of(b) >= begun + 4000 * MS);
    EXPECT(agreed_of(b) <= now.mono_ns);
    EXPECT_INT(packets(c), 10);
    leave_all();
}

static const test_case cases[] = {
    { "what_a_full_store_gave_up_is_not_wanted_again",
        what_a_full_store_gave_up_is_not_wanted_again },
    { "where_each_follows_something_else_all_get_their_part",
        where_each_follows_something_else_all_get_their_part },
    { "a_hole_is_asked_for_by_number_before_sets_are_compared",
        a_hole_is_asked_for_by_number_before_sets_are_compared },
    { "o7_loss_delay_doubles_and_another_order_lose_and_double_nothing",
        o7_loss_delay_doubles_and_another_order_lose_and_double_nothing },
    { "many_that_meet_at_once_repair_each_other_without_waste",
        many_that_meet_at_once_repair_each_other_without_waste },
    { "a_frame_with_a_flipped_bit_changes_nothing",
        a_frame_with_a_flipped_bit_changes_nothing },
    { "frames_said_again_by_another_change_nothing",
        frames_said_again_by_another_change_nothing },
    { "who_will_not_wait_learns_when_all_had_the_same",
        who_will_not_wait_learns_when_all_had_the_same },
};
TEST_MAIN(cases)
