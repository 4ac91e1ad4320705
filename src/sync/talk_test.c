/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes say to each other, and when they say nothing. */
#include "sync/world.h"

#include "test.h"

#define HOUR_US INT64_C(3600000000)

static world w;

static void put(uint32_t node, uint32_t packet) {
    w_keep(&w, node, packet, false, true);
}

static uint32_t past(uint32_t i) {
    return w_packet_new(&w, 100 + i % 3, i % W_NAMES, W_START - HOUR_US - i * 7919,
        W_START + 99 * HOUR_US, i);
}

/* Two nodes with n packets, of which each lacks some that the other has. */
static void two(uint32_t n, uint32_t one_in) {
    w_begin(&w, 3, 2);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t p = past(i);
        if (i % one_in != 0) put(0, p);
        if (i % one_in != 1) put(1, p);
    }
}

static void run_s(double seconds) {
    uint64_t end = w.now_ns + (uint64_t) (seconds * 1e9);
    while (w.now_ns < end) w_step(&w, end);
}

static ki_sync *node(uint32_t i) {
    return &w.nodes[i]->sync;
}

static uint64_t exchanges(void) {
    return node(0)->stat.exchanges + node(1)->stat.exchanges;
}

static void unchanged_roots_make_no_second_exchange(void) {
    two(500, 10);
    run_s(20);
    EXPECT(w_agreed(&w));
    EXPECT(ki_sync_settled(node(0)) && ki_sync_settled(node(1)));
    run_s(60); /* whoever was asked has heard a HELLO by now */
    uint64_t before = exchanges(), frames = w.control_frames;
    run_s(3600);
    EXPECT_INT(exchanges(), before);
    EXPECT_INT(w.control_frames, frames);
    w_end(&w);
}

static void c3_an_hour_of_suspend_makes_no_storm(void) {
    two(200, 10);
    run_s(80);
    EXPECT(w_agreed(&w));
    uint64_t before = node(0)->stat.frames_out + node(1)->stat.frames_out;
    w.now_ns += 3600 * SECOND_NS;
    run_s(5);
    uint64_t said = node(0)->stat.frames_out + node(1)->stat.frames_out - before;
    EXPECT(said >= 1 && said <= 2); /* a HELLO each at most, no ASK */
    w_end(&w);
}

static void whoever_has_everything_is_told_so(void) {
    two(300, 7);
    run_s(60);
    EXPECT(w_agreed(&w));
    EXPECT_INT(ki_sync_receipt_most(node(0)), w.nodes[0]->count);
    EXPECT_INT(ki_sync_receipt_most(node(1)), w.nodes[1]->count);
    w.nodes[1]->mute = true;
    w_emit(&w, 0, HOUR_US, 0);
    run_s(60);
    EXPECT_INT(ki_sync_receipt_most(node(0)), w.nodes[0]->count - 1); /* nobody said so */
    w_end(&w);
}

/* B refuses one packet of A for good: they cannot agree, and know it. */
static void what_is_refused_for_good_is_not_asked_for_again(void) {
    two(200, 10);
    uint32_t bad = past(777);
    put(0, bad);
    w.nodes[1]->have[bad] = 1; /* never stored: see w_keep */
    ki_item item;
    ki_item_of(&item, w.packets[bad].expires_us, w.packets[bad].id, 0);
    ki_sync_refuse(node(1), &item);
    run_s(120);
    uint64_t before = exchanges(), sent = w.data_sent;
    run_s(3600);
    EXPECT(exchanges() - before <= 2);
    EXPECT(w.data_sent - sent <= 6);
    w_end(&w);
}

static void a_frame_without_its_mac_changes_nothing(void) {
    two(100, 5);
    run_s(5);
    ki_writer wr;
    ki_head head = { .type = FRAME_ASK,
        .to = node(0)->me,
        .from = node(1)->me,
        .nonce = 7,
        .scope = node(0)->own_scope.hash,
        .floor = UINT32_MAX / 2 };
    ki_piece p = { .kind = ASK_EXPAND, .rid = 1, .hi = BOUND_END };
    ki_frame_begin(&wr, &head);
    EXPECT(ki_frame_put(&wr, &p));
    uint64_t bad = node(0)->stat.bad_mac;
    EXPECT_INT(ki_sync_take(node(0), wr.bytes, wr.length, w_time(&w, w.nodes[0])), 0);
    EXPECT_INT(node(0)->stat.bad_mac, bad + 1);
    EXPECT_INT(node(0)->frame_count, 0);
    ki_frame_seal(&wr, ki_peer_find(node(0), node(1)->me)->mac_key);
    EXPECT_INT(ki_sync_take(node(0), wr.bytes, wr.length, w_time(&w, w.nodes[0])), 0);
    EXPECT_INT(node(0)->frame_count, 1);
    w_end(&w);
}

static ki_frame heard; /* the last HELLO of a liar, as it was said */
static unsigned forge;

static void forger(world *wd, w_node *n, ki_frame *f) {
    (void) wd;
    (void) n;
    if (f->bytes[3] != FRAME_HELLO) return;
    heard = *f;
    if (forge != 0) f->bytes[forge] ^= 1;
}

static void a_hello_of_another_hand_is_not_believed(void) {
    two(50, 5);
    w.lie = forger;
    w.nodes[1]->liar = true;
    forge = FRAME_HEAD + 1 + 32 + 3; /* the ephemeral key */
    run_s(10);
    EXPECT(ki_peer_find(node(0), node(1)->me) == NULL);
    EXPECT(node(0)->stat.bad_signature > 0);
    forge = 0;
    run_s(60);
    EXPECT(ki_peer_find(node(0), node(1)->me) != NULL);
    EXPECT(w_agreed(&w));
    w_end(&w);
}

static void begin_anew(uint32_t i, uint8_t salt) {
    ki_sync_config c = node(i)->config;
    c.secret[5] ^= salt;
    c.seed += salt;
    ki_sync_fini(node(i));
    ki_sync_init(node(i), &c, &w.nodes[i]->index);
}

static void a_peer_that_begins_anew_is_known_again(void) {
    two(100, 5);
    run_s(10);
    for (uint8_t round = 1; round <= 5; round++) {
        begin_anew(round % 2, round);
        put(0, past(1000 + round));
        put(1, past(2000 + round));
        run_s(round == 5 ? 60 : 1);
    }
    EXPECT(w_agreed(&w));
    w_end(&w);
}

static void an_old_hello_said_again_brings_no_old_key_back(void) {
    two(50, 5);
    w.lie = forger;
    forge = 0;
    w.nodes[1]->liar = true;
    run_s(4);
    ki_frame old = heard;
    run_s(3);
    begin_anew(1, 9);
    run_s(6);
    uint8_t key[32];
    memcpy(key, ki_peer_find(node(0), node(1)->me)->mac_key, 32);
    EXPECT_INT(ki_sync_take(node(0), old.bytes, old.length, w_time(&w, w.nodes[0])), 0);
    EXPECT(memcmp(key, ki_peer_find(node(0), node(1)->me)->mac_key, 32) == 0);
    w_end(&w);
}

/* The answerer is still reading its store. */
static void who_is_busy_says_so_and_is_asked_later(void) {
    two(400, 10);
    run_s(0.021); /* they have said HELLO */
    ki_view *v[2] = { ki_own_view(node(0)), ki_own_view(node(1)) };
    v[1]->needed = UINT64_MAX;
    run_s(6);
    EXPECT(!w_agreed(&w));
    v[1]->needed = 0;
    run_s(60);
    EXPECT(w_agreed(&w));
    EXPECT(node(0)->stat.frames_out + node(1)->stat.frames_out < 120);
    w_end(&w);
}

/* One side had no room for what expires first. */
static void what_one_cut_off_is_not_pushed_to_it(void) {
    w_begin(&w, 5, 2);
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t p =
            w_packet_new(&w, 100, 0, W_START - HOUR_US, W_START + HOUR_US + i * 1000000, i);
        put(0, p);
        if (i % 9 != 3) put(1, p);
    }
    run_s(0.1);
    for (uint32_t i = 0; i < 100; i++) {
        ki_item item;
        ki_item_of(&item, w.packets[i].expires_us, w.packets[i].id, 0);
        ki_index_lost(&w.nodes[1]->index, &item);
    }
    w.data_sent = 0;
    run_s(30);
    EXPECT(node(0)->stat.agreed + node(1)->stat.agreed > 0);
    EXPECT(w.data_sent <= 30); /* those of the upper 200 that were missing */
    for (uint32_t i = 101; i < 300; i++) EXPECT(w.nodes[1]->have[i]);
    w_end(&w);
}

/* What is lost live comes again by KEYS, before any root is compared. */
static void a_hole_is_repaired_within_a_second(void) {
    w_begin(&w, 6, 4);
    run_s(3);
    for (int i = 0; i < 20; i++) {
        w_emit(&w, 0, HOUR_US, 0);
        run_s(0.01);
    }
    w.drop = 100;
    w_emit(&w, 0, HOUR_US, 0);
    w.drop = 0;
    run_s(0.01);
    w_emit(&w, 0, HOUR_US, 0);
    uint64_t asks = exchanges();
    run_s(0.9);
    EXPECT(w_agreed(&w));
    EXPECT_INT(exchanges(), asks);
    EXPECT(node(0)->gaps.repaired >= 1);
    uint64_t asked = 0, repaired = 0;
    for (uint32_t i = 0; i < 4; i++) {
        asked += node(i)->gaps.asked;
        repaired += node(i)->gaps.repaired;
    }
    EXPECT(asked <= 2); /* of three who lacked it */
    EXPECT(repaired <= 2);
    w_end(&w);
}

/* Both hear another root at the same moment: one of them goes on. */
static void of_two_askers_the_lower_key_goes_on(void) {
    two(5000, 3);
    run_s(30);
    EXPECT(w_agreed(&w));
    EXPECT(w.data_sent < w.data_needed * 11 / 10);
    w_end(&w);
}

/* Six peers, each lacking others: nobody keeps more open than allowed. */
static void six_at_once_come_to_the_same(void) {
    w_begin(&w, 8, 6);
    w.drop = 20;
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t p = past(i);
        for (uint32_t k = 0; k < 6; k++) {
            if (dice_below(&w.dice, 100) >= 3) put(k, p);
        }
    }
    w.data_needed = 0;
    int seconds = 0;
    for (; seconds < 300 && !(seconds > 2 && w_agreed(&w)); seconds++) run_s(1);
    printf("# %d s, %llu packets for %llu lacking\n", seconds,
        (unsigned long long) w.data_sent, (unsigned long long) w.data_needed);
    EXPECT(seconds < 300);
    for (uint32_t i = 0; i < 6; i++) ki_sync_check(node(i));
    w_end(&w);
}

static void foreign_patterns_make_no_more_views_than_allowed(void) {
    static const ki_pattern lists[] = { "a.>", "b.>", "a.x", "b.x", "a.y", "b.y.*", "*.x",
        ">" };
    w_begin(&w, 9, 8);
    for (uint32_t i = 0; i < 8; i++) ki_sync_follow(node(i), &lists[i], 1);
    for (uint32_t i = 0; i < 400; i++) {
        uint32_t p = past(i);
        for (uint32_t k = 0; k < 8; k++) {
            if ((i + k) % 3 == 0) put(k, p);
        }
    }
    int seconds = 0;
    for (; seconds < 600 && !(seconds > 2 && w_agreed(&w)); seconds++) run_s(1);
    printf("# %d s\n", seconds);
    EXPECT(seconds < 600);
    w_end(&w);
}

static const test_case cases[] = {
    { "unchanged_roots_make_no_second_exchange", unchanged_roots_make_no_second_exchange },
    { "c3_an_hour_of_suspend_makes_no_storm", c3_an_hour_of_suspend_makes_no_storm },
    { "whoever_has_everything_is_told_so", whoever_has_everything_is_told_so },
    { "what_is_refused_for_good_is_not_asked_for_again",
        what_is_refused_for_good_is_not_asked_for_again },
    { "a_frame_without_its_mac_changes_nothing", a_frame_without_its_mac_changes_nothing },
    { "a_hello_of_another_hand_is_not_believed", a_hello_of_another_hand_is_not_believed },
    { "a_peer_that_begins_anew_is_known_again", a_peer_that_begins_anew_is_known_again },
    { "an_old_hello_said_again_brings_no_old_key_back",
        an_old_hello_said_again_brings_no_old_key_back },
    { "who_is_busy_says_so_and_is_asked_later", who_is_busy_says_so_and_is_asked_later },
    { "what_one_cut_off_is_not_pushed_to_it", what_one_cut_off_is_not_pushed_to_it },
    { "a_hole_is_repaired_within_a_second", a_hole_is_repaired_within_a_second },
    { "of_two_askers_the_lower_key_goes_on", of_two_askers_the_lower_key_goes_on },
    { "six_at_once_come_to_the_same", six_at_once_come_to_the_same },
    { "foreign_patterns_make_no_more_views_than_allowed",
        foreign_patterns_make_no_more_views_than_allowed },
};
TEST_MAIN(cases)
