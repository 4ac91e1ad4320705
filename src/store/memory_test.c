/* SPDX-License-Identifier: Apache-2.0 */
/* The bound of memory: and what is given up for it, seen from outside. */
#include "store/kit.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    BOUND = 64 << 10,
};

static kith_store *small(void) {
    kith_store *s = NULL;
    return kith_store_open(&s, "memory:?max_bytes=64K", NULL) == 0 ? s : NULL;
}

static kith_store_stat stat_of(kith_store *s) {
    kith_store_stat stat = { 0 };
    if (kith_store_stats(s, &stat, NULL) != 0) stat.bytes = UINT64_MAX;
    return stat;
}

/* Takes back a packet that nobody here has seen. */
static kith_packet taken_back(const kith_key *key, uint64_t seq) {
    kith_packet p = { 0 };
    kith_content target = kit_leaf("x.y", 1), c;
    target.epoch = 1;
    target.seq = seq;
    if (kith_retraction_of(&target, NULL, &c) != 0) return p;
    c.epoch = 2;
    c.seq = seq;
    if (kith_packet_seal(&c, key, &p) != 0) p.length = 0;
    return p;
}

static void a_flood_of_retractions_keeps_to_its_share(void) {
    kith_store *s = small();
    kith_key *stranger = kit_key(2), *other = kit_key(3), *me = kit_key(1);
    for (int i = 0; i < 20; i++) EXPECT_INT(kit_post(s, me, "x.mine", i, NULL), 0);
    for (uint64_t i = 0; i < 1000; i++) {
        kith_packet p = taken_back(stranger, i);
        EXPECT_INT(kit_admit(s, &p, "dir"), 0);
        EXPECT(stat_of(s).bytes <= BOUND);
    }
    kith_store_stat stat = stat_of(s);
    EXPECT_INT(stat.own, 20);
    EXPECT(stat.tombstones > 50 && stat.tombstones < BOUND / 4 / 100);
    EXPECT(stat.foreign > 20); /* packets still have the room that is theirs */
    EXPECT_INT(stat.evicted, 2000 - stat.tombstones - stat.foreign);
    EXPECT_INT(stat.refused_full, 0);
    kith_packet last = kit_packet(stranger, "x.y", 1, 999, 1);
    EXPECT_INT(kit_admit(s, &last, "dir"), KITH_R_RETRACTED);
    kith_packet p = kit_packet(other, "x.y", 1, 1, 1);
    EXPECT_INT(kit_admit(s, &p, "dir"), 0);
    EXPECT_INT(kit_post(s, me, "x.mine", 21, NULL), 0);
    kith_key_free(&stranger);
    kith_key_free(&other);
    kith_key_free(&me);
    kith_store_close(&s);
}

/* Foreign packets, then foreign tombstones make room; then posts are refused. */
static void our_own_are_never_given_up(void) {
    kith_store *s = small();
    kith_key *stranger = kit_key(2), *me = kit_key(1);
    for (uint64_t i = 0; i < 60; i++) {
        kith_packet p = taken_back(stranger, i);
        EXPECT_INT(kit_admit(s, &p, "dir"), 0);
    }
    uint64_t own = 0;
    int r = 0;
    while (own < 1000 && (r = kit_post(s, me, "x.mine", 1, NULL)) == 0) {
        own++;
        EXPECT(stat_of(s).bytes <= BOUND);
    }
    kith_store_stat stat = stat_of(s);
    EXPECT_INT(r, KITH_E_SPACE);
    EXPECT_INT(stat.own, own);
    EXPECT_INT(stat.refused_full, 1);
    EXPECT_INT(stat.evicted, 120 - stat.foreign - stat.tombstones);
    EXPECT(own > BOUND / 700 && stat.foreign + stat.tombstones < 8);
    /* What expired makes room again, our own as well. */
    kith_post p = { .content = kit_leaf("x.mine", 1) };
    int64_t later = KIT_NOW + INT64_C(3600000000);
    p.content.t_end_us = later;
    EXPECT_INT(kith_store_post(s, me, &p, 1, kit_at(later), NULL), 0);
    kith_key_free(&stranger);
    kith_key_free(&me);
    kith_store_close(&s);
}

static void what_can_never_fit_drives_nothing_out(void) {
    static kith_post many[200];
    kith_store *s = small();
    kith_key *stranger = kit_key(2), *me = kit_key(1);
    for (uint64_t i = 0; i < 20; i++) {
        kith_packet p = kit_packet(stranger, "x.y", 1, i, 1);
        EXPECT_INT(kit_admit(s, &p, "dir"), 0);
    }
    for (int i = 0; i < 200; i++) many[i].content = kit_leaf("x.mine", i);
    EXPECT_INT(kith_store_post(s, me, many, 200, kit_at(KIT_NOW), NULL), KITH_E_SPACE);
    EXPECT_INT(many[199].result, KITH_E_SPACE);
    kith_store_stat stat = stat_of(s);
    EXPECT(stat.foreign == 20 && stat.own == 0);
    EXPECT(stat.evicted == 0 && stat.refused_full == 1);
    kith_key_free(&stranger);
    kith_key_free(&me);
    kith_store_close(&s);
}

static void tombstones_go_a_day_after_their_packet(void) {
    kith_store *s = small();
    kith_key *stranger = kit_key(2);
    int64_t day = INT64_C(86400000000), expires = KIT_NOW + INT64_C(3600000000);
    kith_packet p = taken_back(stranger, 1);
    EXPECT_INT(kit_admit(s, &p, "dir"), 0);
    uint64_t bytes = stat_of(s).bytes;
    EXPECT_INT(kith_store_prune(s, expires + day - 1, 100, NULL), 1);
    EXPECT_INT(stat_of(s).tombstones, 1);
    uint64_t left = stat_of(s).bytes;
    EXPECT(left < bytes);
    EXPECT_INT(kith_store_prune(s, expires + day, 100, NULL), 0);
    EXPECT_INT(stat_of(s).tombstones, 0);
    EXPECT(stat_of(s).bytes < left);
    kith_key_free(&stranger);
    kith_store_close(&s);
}

/* State counts, is refused when our own fill the bound, and can still be replaced. */
static void small_state_counts(void) {
    static const char bytes[KITH_STATE_MAX];
    kith_store *s = small();
    int r = 0, i = 0;
    for (; r == 0 && i < 100; i++) {
        char name[16];
        (void) snprintf(name, sizeof name, "cursor%d", i);
        r = kith_store_save(s, name, bytes, sizeof bytes, false, NULL);
        EXPECT(stat_of(s).bytes <= BOUND);
    }
    EXPECT_INT(r, KITH_E_SPACE);
    EXPECT(i > 10 && i <= BOUND / KITH_STATE_MAX);
    EXPECT_INT(kith_store_save(s, "cursor0", bytes, sizeof bytes, false, NULL), 0);
    EXPECT_INT(kith_store_save(s, "cursor1", NULL, 0, false, NULL), 0);
    EXPECT_INT(kith_store_save(s, "other", bytes, 4000, false, NULL), 0);
    kith_store_close(&s);
}

/* ---- a question while packets come and go ---- */

typedef struct reader {
    kith_store *store;
    const kith_key *key;
    uint64_t seq, seen, bad;
} reader;

static int look_and_admit(void *ctx, const kith_record *record) {
    reader *r = ctx;
    uint8_t id[KITH_ID_SIZE];
    kith_packet_id(&record->packet, id);
    r->bad += memcmp(id, record->id, sizeof id) != 0;
    r->seen++;
    kith_packet p = kit_packet(r->key, "x.y", 3, r->seq++, 1);
    r->bad += kit_admit(r->store, &p, "dir") != 0;
    return 0;
}

static void a_callback_may_drive_out_what_it_has_not_seen(void) {
    kith_store *s = small();
    kith_key *stranger = kit_key(2);
    reader r = { .store = s, .key = stranger };
    for (uint64_t i = 0; i < 400; i++) {
        kith_packet p = kit_packet(stranger, "x.y", 1, i, 1);
        EXPECT_INT(kit_admit(s, &p, "dir"), 0);
    }
    uint64_t there = stat_of(s).packets;
    kith_query q = { .pattern = "x.>", .by_subject = true, .now_us = KIT_NOW };
    EXPECT_INT(kith_store_find(s, &q, look_and_admit, &r, NULL), 0);
    EXPECT_INT(r.bad, 0);
    EXPECT(r.seen > 20 && r.seen < there);
    EXPECT_INT(stat_of(s).packets, there);
    kith_key_free(&stranger);
    kith_store_close(&s);
}

typedef struct writer {
    kith_store *store;
    const kith_packet *packets;
    size_t count;
    _Atomic bool done;
} writer;

static void *write_all(void *ctx) {
    writer *w = ctx;
    for (size_t i = 0; i < w->count; i++) {
        if (kit_admit(w->store, &w->packets[i], "dir") != 0) break;
    }
    w->done = true;
    return NULL;
}

static int look_only(void *ctx, const kith_record *record) {
    reader *r = ctx;
    uint8_t id[KITH_ID_SIZE];
    kith_packet_id(&record->packet, id);
    r->bad += memcmp(id, record->id, sizeof id) != 0;
    r->seen++;
    return 0;
}

static void readers_see_whole_packets_while_others_go(void) {
    static kith_packet packets[1500];
    kith_store *s = small();
    kith_key *stranger = kit_key(2);
    reader r = { 0 };
    writer w = { .store = s, .packets = packets, .count = 1500 };
    pthread_t thread;
    for (uint64_t i = 0; i < 1500; i++) {
        char subject[16];
        (void) snprintf(subject, sizeof subject, "x.%d", (int) (i % 97));
        packets[i] = kit_packet(stranger, subject, 1, i, 1);
    }
    EXPECT_INT(pthread_create(&thread, NULL, write_all, &w), 0);
    int failed = 0;
    bool last = false; /* once more when all is there */
    for (int i = 0; !last; i++) {
        last = w.done;
        kith_query q = { .pattern = "x.>", .by_subject = i % 2 == 0, .now_us = KIT_NOW };
        failed |= kith_store_find(s, &q, look_only, &r, NULL);
        failed |= kith_store_latest(s, "*.5", KIT_NOW, look_only, &r, NULL);
    }
    (void) pthread_join(thread, NULL);
    EXPECT_INT(failed, 0);
    EXPECT_INT(r.bad, 0);
    EXPECT(r.seen > 0);
    EXPECT(stat_of(s).evicted > 0 && stat_of(s).bytes <= BOUND);
    kith_key_free(&stranger);
    kith_store_close(&s);
}

static const test_case cases[] = {
    { "a_flood_of_retractions_keeps_to_its_share",
        a_flood_of_retractions_keeps_to_its_share },
    { "our_own_are_never_given_up", our_own_are_never_given_up },
    { "what_can_never_fit_drives_nothing_out", what_can_never_fit_drives_nothing_out },
    { "tombstones_go_a_day_after_their_packet", tombstones_go_a_day_after_their_packet },
    { "small_state_counts", small_state_counts },
    { "a_callback_may_drive_out_what_it_has_not_seen",
        a_callback_may_drive_out_what_it_has_not_seen },
    { "readers_see_whole_packets_while_others_go",
        readers_see_whole_packets_while_others_go },
};
TEST_MAIN(cases)
