/* SPDX-License-Identifier: Apache-2.0 */
/* What the plain exchange promises: whatever a wire loses, repeats or swaps, all
 * stores end with the same set, and then it is quiet. Stores here are arrays of
 * ids, the wire is an array of frames, time is a number. */
#include "sync/sync.h"

#include "base/dice.h"
#include "base/wire.h"

#include "test.h"

enum {
    STORES = 4,
    IDS = 2048,
    WIRE = 4096,
};
#define MS UINT64_C(1000000)

typedef struct letter {
    size_t to, length; /* length 0: a packet, its id in bytes */
    uint8_t bytes[SYNC_FRAME_MAX];
} letter;

typedef struct world {
    uint64_t dice, now_ns, wants, hellos, packets;
    unsigned drop, repeat, swap; /* percent */
    size_t stores, on_wire;
    ki_sync sync[STORES];
    size_t counts[STORES];
    uint8_t ids[STORES][IDS][KITH_ID_SIZE];
    letter wire[WIRE];
} world;

static world w; /* large */

static void put(size_t from, const uint8_t *bytes, size_t length) {
    for (size_t to = 0; to < w.stores; to++) {
        if (to == from || dice_below(&w.dice, 100) < w.drop) continue;
        unsigned copies = 1 + (dice_below(&w.dice, 100) < w.repeat);
        for (unsigned i = 0; i < copies && w.on_wire < WIRE; i++) {
            letter *l = &w.wire[w.on_wire++];
            l->to = to;
            l->length = length;
            memcpy(l->bytes, bytes, length == 0 ? KITH_ID_SIZE : length);
            if (dice_below(&w.dice, 100) < w.swap && w.on_wire > 1) {
                letter *other = &w.wire[dice_below(&w.dice, w.on_wire)], held = *l;
                *l = *other;
                *other = held;
            }
        }
    }
}

static bool has(size_t store, const uint8_t *id) {
    for (size_t i = 0; i < w.counts[store]; i++) {
        if (memcmp(w.ids[store][i], id, KITH_ID_SIZE) == 0) return true;
    }
    return false;
}

static void keep(size_t store, const uint8_t *id) {
    ki_sync_seen(&w.sync[store], id);
    if (!has(store, id)) memcpy(w.ids[store][w.counts[store]++], id, KITH_ID_SIZE);
}

/* A packet is born in a store and goes out live, once. */
static void post(size_t store) {
    uint8_t id[KITH_ID_SIZE];
    for (size_t i = 0; i < sizeof id; i++) id[i] = (uint8_t) dice_roll(&w.dice);
    keep(store, id);
    put(store, id, 0);
}

static void serve(size_t store, const ki_sync_wish *wish) {
    uint64_t tags[SYNC_LIST_MAX], through = wish->after;
    size_t count = 0;
    uint8_t frame[SYNC_FRAME_MAX];
    if (wish->after > w.counts[store]) return;
    for (; through < w.counts[store] && count < SYNC_LIST_MAX; through++, count++) {
        tags[count] = ki_sync_tag(w.ids[store][through]);
        if ((wish->need >> count & 1) != 0) {
            put(store, w.ids[store][through], 0);
            w.packets++;
        }
    }
    put(store, frame, ki_sync_end(&w.sync[store], wish, through, tags, count, frame));
}

static void (*serving)(size_t store, const ki_sync_wish *wish) = serve;

static void turn(void) {
    size_t due = w.on_wire;
    for (size_t i = 0; i < due; i++) {
        letter l = w.wire[i];
        ki_sync_wish wish;
        if (l.length == 0) {
            keep(l.to, l.bytes);
        } else if (ki_sync_take(&w.sync[l.to], l.bytes, l.length, w.now_ns, &wish) ==
                   KITH_STOP) {
            serving(l.to, &wish);
        }
    }
    memmove(w.wire, w.wire + due, (w.on_wire - due) * sizeof *w.wire);
    w.on_wire -= due;
    for (size_t i = 0; i < w.stores; i++) {
        uint8_t frame[SYNC_FRAME_MAX];
        size_t length;
        while ((length = ki_sync_give(&w.sync[i], w.counts[i], w.now_ns, frame)) > 0) {
            w.wants += frame[3] == 2;
            w.hellos += frame[3] == 1;
            put(i, frame, length);
        }
    }
    w.now_ns += 10 * MS;
}

static void begin(uint64_t seed, size_t stores) {
    memset(&w, 0, sizeof w);
    w.dice = seed;
    w.stores = stores;
    for (size_t i = 0; i < stores; i++) ki_sync_init(&w.sync[i], 100 + i, seed + i, NULL);
}

static bool agreed(void) {
    for (size_t a = 1; a < w.stores; a++) {
        if (w.counts[a] != w.counts[0]) return false;
        for (size_t i = 0; i < w.counts[0]; i++) {
            if (!has(a, w.ids[0][i])) return false;
        }
    }
    return true;
}

static int turns_to_agree(int most) {
    int turns = 0;
    while (turns < most && (!agreed() || turns < 10)) {
        turn();
        turns++;
    }
    return turns;
}

static void a_late_joiner_reads_everything(void) {
    begin(1, 1);
    for (int i = 0; i < 1000; i++) post(0);
    for (int i = 0; i < 100; i++) turn();
    w.stores = 2;
    ki_sync_init(&w.sync[1], 101, 7, NULL);
    EXPECT(turns_to_agree(300) < 300);
    EXPECT_INT(w.counts[1], 1000);
    EXPECT_INT(w.packets, 1000); /* each was sent once */
}

static void a_wire_that_loses_a_third_loses_nothing(void) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        begin(seed, 2 + seed % 3);
        w.drop = (unsigned) (seed % 31);
        w.repeat = (unsigned) (seed % 7) * 5;
        w.swap = (unsigned) (seed % 5) * 10;
        for (int i = 0; i < 300; i++) {
            post(dice_below(&w.dice, w.stores));
            if (i % 5 == 0) turn();
        }
        int turns = turns_to_agree(20000);
        if (turns == 20000) printf("# seed %llu\n", (unsigned long long) seed);
        EXPECT(turns < 20000);
        EXPECT_INT(w.counts[0], 300);
    }
}

static void agreement_is_quiet(void) {
    begin(3, 4);
    for (int i = 0; i < 200; i++) post((size_t) i % 4);
    EXPECT(turns_to_agree(2000) < 2000);
    for (int i = 0; i < 200; i++) turn();
    w.wants = w.hellos = w.packets = 0;
    for (int i = 0; i < 6000; i++) turn(); /* a minute */
    EXPECT_INT(w.wants, 0);
    EXPECT_INT(w.packets, 0);
    EXPECT(w.hellos >= 4 * 4);
    EXPECT(w.hellos <= 4 * 7);
}

static void a_peer_that_promises_and_does_not_answer_is_left(void) {
    uint8_t hello[20] = { 'K', 'S', 0, 1 }, frame[SYNC_FRAME_MAX];
    ki_sync_wish wish;
    begin(5, 1);
    wire_put64(hello + 4, 999);
    wire_put64(hello + 12, UINT64_C(1) << 60);
    EXPECT_INT(ki_sync_take(&w.sync[0], hello, sizeof hello, 0, &wish), 0);
    for (uint64_t now = 0; now < 600000; now += 10) {
        while (ki_sync_give(&w.sync[0], 0, now * MS, frame) > 0) w.wants += frame[3] == 2;
    }
    EXPECT_INT(w.wants, SYNC_TRIES_MAX);
    EXPECT(ki_sync_settled(&w.sync[0]));
}

static uint64_t kept[2]; /* tag, cursor */

static uint64_t kept_load(void *ctx, uint64_t tag) {
    (void) ctx;
    return tag == kept[0] ? kept[1] : 0;
}

static void kept_save(void *ctx, uint64_t tag, uint64_t cursor) {
    (void) ctx;
    kept[0] = tag;
    kept[1] = cursor;
}

static void a_restart_goes_on_where_it_was(void) {
    ki_sync_memory memory = { NULL, kept_load, kept_save };
    begin(8, 2);
    ki_sync_init(&w.sync[1], 101, 7, &memory);
    for (int i = 0; i < 500; i++) post(0);
    EXPECT(turns_to_agree(500) < 500);
    for (int i = 0; i < 300; i++) turn();
    EXPECT_INT(kept[1], 500);
    ki_sync_init(&w.sync[1], 101, 9, &memory);
    w.packets = 0;
    for (int i = 0; i < 40; i++) post(0);
    for (int i = 0; i < 300; i++) turn();
    EXPECT_INT(w.counts[1], 540);
    EXPECT_INT(w.packets, 0); /* they came live */
}

static void c3_an_hour_of_suspend_makes_no_storm(void) {
    begin(9, 3);
    for (int i = 0; i < 100; i++) post((size_t) i % 3);
    EXPECT(turns_to_agree(500) < 500);
    for (int i = 0; i < 100; i++) turn();
    w.now_ns += UINT64_C(3600000) * MS;
    w.hellos = w.wants = 0;
    for (int i = 0; i < 50; i++) turn();
    EXPECT_INT(w.hellos, 3);
    EXPECT_INT(w.wants, 0);
}

/* A world where a packet's subject follows from its id. */
static void serve_scoped(size_t store, const ki_sync_wish *wish) {
    uint64_t tags[SYNC_LIST_MAX], through = wish->after;
    size_t n = 0;
    uint8_t frame[SYNC_FRAME_MAX];
    for (; through < w.counts[store] && n < SYNC_LIST_MAX; through++) {
        const uint8_t *id = w.ids[store][through];
        if (!ki_sync_wants(wish, id[0] % 2 ? "a.odd" : "a.even")) continue;
        tags[n] = ki_sync_tag(id);
        if ((wish->need >> n++ & 1) != 0) {
            put(store, id, 0);
            w.packets++;
        }
    }
    put(store, frame, ki_sync_end(&w.sync[store], wish, through, tags, n, frame));
}

static void only_what_is_followed_is_asked_for_and_then_it_is_quiet(void) {
    static const ki_sync_pattern narrow[] = { "a.odd" }, wide[] = { "b.>", "a.*" };
    begin(11, 2);
    for (int i = 0; i < 600; i++) post(0);
    w.on_wire = 0; /* nobody heard them live */
    EXPECT(ki_sync_narrow(&w.sync[1], narrow, 1, 0));
    serving = serve_scoped;
    for (int i = 0; i < 500; i++) turn();
    size_t odd = 0;
    for (size_t i = 0; i < w.counts[0]; i++) odd += w.ids[0][i][0] % 2;
    EXPECT(odd > 200 && odd < 400);
    EXPECT_INT(w.counts[1], odd);
    EXPECT(ki_sync_settled(&w.sync[1]));
    w.packets = w.wants = 0;
    for (int i = 0; i < 3000; i++) turn();
    EXPECT_INT(w.packets + w.wants, 0);
    /* more is followed: what was passed over is asked for, from the start */
    EXPECT(ki_sync_narrow(&w.sync[1], wide, 2, w.now_ns));
    for (int i = 0; i < 500; i++) turn();
    EXPECT_INT(w.counts[1], 600);
    serving = serve;
}

static void a_list_for_other_patterns_is_not_taken_for_ours(void) {
    static const ki_sync_pattern narrow[] = { "a.odd" };
    begin(14, 3);
    for (int i = 0; i < 300; i++) post(0);
    w.on_wire = 0;
    EXPECT(ki_sync_narrow(&w.sync[1], narrow, 1, 0));
    serving = serve_scoped; /* every END is heard by both */
    for (int i = 0; i < 800; i++) turn();
    EXPECT_INT(w.counts[2], 300);
    serving = serve;
}

static void a_scope_too_long_for_a_frame_is_everything(void) {
    static ki_sync_pattern many[8];
    const ki_sync_pattern *all = (const ki_sync_pattern *) many;
    for (size_t i = 0; i < 8; i++) memset(many[i], 'a', KITH_SUBJECT_MAX);
    begin(12, 1);
    EXPECT(ki_sync_narrow(&w.sync[0], all, 3, 0));
    EXPECT_INT(w.sync[0].scope_length, 3 * (KITH_SUBJECT_MAX + 1));
    EXPECT(!ki_sync_narrow(&w.sync[0], all, 4, 0));
    EXPECT_INT(w.sync[0].scope_length, 0);
}

static void afresh_asks_for_everything_once_more(void) {
    begin(13, 2);
    for (int i = 0; i < 100; i++) post(0);
    EXPECT(turns_to_agree(500) < 500);
    for (int i = 0; i < 100; i++) turn();
    w.packets = 0;
    ki_sync_afresh(&w.sync[1], w.now_ns);
    for (int i = 0; i < 100; i++) turn();
    EXPECT_INT(w.packets, 100);
    EXPECT_INT(w.counts[1], 100);
}

static void rubbish_is_refused_and_changes_nothing(void) {
    uint64_t dice = 4;
    begin(4, 2);
    for (int i = 0; i < 50; i++) post(0);
    EXPECT(turns_to_agree(500) < 500);
    for (int i = 0; i < 100000; i++) {
        uint8_t frame[SYNC_FRAME_MAX] = { 'K', 'S', 0 };
        size_t length = dice_below(&dice, 80);
        for (size_t k = dice_below(&dice, 5); k < length; k++) {
            frame[k] = (uint8_t) dice_roll(&dice);
        }
        ki_sync_wish wish;
        int r =
            ki_sync_take(&w.sync[1], frame, length, w.now_ns, &wish); /* check() judges */
        EXPECT(r == 0 || r == KITH_STOP || r == KITH_E_FORMAT);
    }
    static const uint8_t almost[][20] = { { 'K', 'S', 0, 0 }, { 'K', 'S', 0, 4 },
        { 'K', 'S', 2, 1 }, { 'K', 'T', 0, 1 }, { 1, 'S', 0, 1 } };
    for (size_t i = 0; i < sizeof almost / sizeof *almost; i++) {
        ki_sync_wish wish;
        EXPECT_INT(ki_sync_take(&w.sync[1], almost[i], 20, 0, &wish), KITH_E_FORMAT);
    }
}

/* What a stranger says in one frame. */
static int hears(uint8_t type, uint64_t tag, uint64_t first, uint64_t second, size_t count,
    const uint64_t *list) {
    uint8_t b[SYNC_FRAME_MAX] = { 'K', 'S', 0, type };
    ki_sync_wish wish;
    wire_put64(b + 4, tag);
    wire_put64(b + 12, first);
    if (type == 1) return ki_sync_take(&w.sync[0], b, 20, 0, &wish);
    wire_put64(b + 20, second);
    if (type == 2) return ki_sync_take(&w.sync[0], b, 28, 0, &wish);
    b[32] = (uint8_t) count;
    for (size_t i = 0; i < count; i++) wire_put64(b + 33 + 8 * i, list[i]);
    return ki_sync_take(&w.sync[0], b, 33 + 8 * count, 0, &wish);
}

static void a_list_that_lies_is_refused_and_changes_nothing(void) {
    uint64_t list[SYNC_LIST_MAX + 1] = { 1 };
    begin(10, 1);
    EXPECT_INT(hears(1, 999, 50, 0, 0, NULL), 0);
    EXPECT_INT(hears(3, 999, 0, 20, 0, NULL), 0); /* nothing listed: read up to 20 */
    EXPECT_INT(w.sync[0].peers[0].cursor, 20);
    ki_sync before = w.sync[0];
    EXPECT_INT(hears(3, 999, 20, 19, 1, list), KITH_E_FORMAT);
    EXPECT_INT(hears(3, 999, 20, 70, SYNC_LIST_MAX + 1, list), KITH_E_FORMAT);
    EXPECT_INT(hears(3, 999, 19, 30, 0, NULL), 0); /* of another place */
    EXPECT_INT(hears(3, 998, 20, 30, 0, NULL), 0); /* of a stranger */
    EXPECT_INT(hears(1, 999, 10, 0, 0, NULL), 0);  /* late: it said 50 before */
    EXPECT(memcmp(&before, &w.sync[0], sizeof before) == 0);
}

static void what_is_said_to_or_of_others_is_not_ours(void) {
    begin(11, 1);
    EXPECT_INT(hears(1, 100, 50, 0, 0, NULL), 0); /* our own HELLO, come back */
    EXPECT_INT(w.sync[0].peer_count, 0);
    EXPECT_INT(hears(2, 101, 0, 0, 0, NULL), 0);
    EXPECT_INT(hears(2, 100, 0, 0, 0, NULL), KITH_STOP);
}

static void at_least_the_last_4096_ids_are_remembered(void) {
    uint8_t id[KITH_ID_SIZE] = { 0 };
    begin(12, 1);
    for (uint64_t i = 1; i <= SYNC_SEEN_SIZE / 2 + 1; i++) {
        wire_put64(id, i << 32);
        ki_sync_seen(&w.sync[0], id);
    }
    uint64_t list[] = { UINT64_C(4000) << 32 | 1, UINT64_C(4097) << 32 | 1 };
    EXPECT_INT(hears(1, 999, 2, 0, 0, NULL), 0);
    EXPECT_INT(hears(3, 999, 0, 2, 2, list), 0);
    EXPECT(ki_sync_settled(&w.sync[0]));
}

static void the_one_heard_of_longest_ago_makes_room(void) {
    uint8_t hello[20] = { 'K', 'S', 0, 1 };
    ki_sync_wish wish;
    begin(6, 1);
    for (uint64_t i = 0; i < 3 * SYNC_PEERS_MAX; i++) {
        wire_put64(hello + 4, 1000 + i);
        EXPECT_INT(ki_sync_take(&w.sync[0], hello, sizeof hello, i * MS, &wish), 0);
    }
    EXPECT_INT(w.sync[0].peer_count, SYNC_PEERS_MAX);
    for (uint32_t i = 0; i < SYNC_PEERS_MAX; i++) {
        EXPECT(w.sync[0].peers[i].tag >= 1000 + 2 * SYNC_PEERS_MAX);
    }
}

static const test_case cases[] = {
    { "a_late_joiner_reads_everything", a_late_joiner_reads_everything },
    { "a_wire_that_loses_a_third_loses_nothing", a_wire_that_loses_a_third_loses_nothing },
    { "agreement_is_quiet", agreement_is_quiet },
    { "a_peer_that_promises_and_does_not_answer_is_left",
        a_peer_that_promises_and_does_not_answer_is_left },
    { "a_restart_goes_on_where_it_was", a_restart_goes_on_where_it_was },
    { "c3_an_hour_of_suspend_makes_no_storm", c3_an_hour_of_suspend_makes_no_storm },
    { "only_what_is_followed_is_asked_for_and_then_it_is_quiet",
        only_what_is_followed_is_asked_for_and_then_it_is_quiet },
    { "a_list_for_other_patterns_is_not_taken_for_ours",
        a_list_for_other_patterns_is_not_taken_for_ours },
    { "a_scope_too_long_for_a_frame_is_everything",
        a_scope_too_long_for_a_frame_is_everything },
    { "afresh_asks_for_everything_once_more", afresh_asks_for_everything_once_more },
    { "rubbish_is_refused_and_changes_nothing", rubbish_is_refused_and_changes_nothing },
    { "a_list_that_lies_is_refused_and_changes_nothing",
        a_list_that_lies_is_refused_and_changes_nothing },
    { "what_is_said_to_or_of_others_is_not_ours",
        what_is_said_to_or_of_others_is_not_ours },
    { "at_least_the_last_4096_ids_are_remembered",
        at_least_the_last_4096_ids_are_remembered },
    { "the_one_heard_of_longest_ago_makes_room", the_one_heard_of_longest_ago_makes_room },
};
TEST_MAIN(cases)
