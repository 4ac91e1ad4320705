/* SPDX-License-Identifier: Apache-2.0 */
/* A full house, and everything counted once: whatever comes again, in any order, after a
 * restart, after a loss. */
#include "store/kit.h"

#include "base/dice.h"

#include <sqlite3.h>

static char url[200];

static kith_store *open_url(const char *query) {
    kith_store *s = NULL;
    kith_error err = { 0 };
    (void) snprintf(url, sizeof url, "sqlite:%s%s", kit_path("s.db"), query);
    if (kith_store_open(&s, url, &err) < 0) printf("# %s\n", err.text);
    return s;
}

/* ---- the bound ---- */

static void fill(const char *place) {
    kith_store *s = NULL;
    kith_key *key = kit_key(1), *other = kit_key(2);
    kith_store_stat stat;
    EXPECT_INT(kith_store_open(&s, place, NULL), 0);
    for (int i = 0; i < 30; i++) EXPECT_INT(kit_post(s, key, "own.x", i, NULL), 0);
    for (uint64_t i = 0; i < 3000; i++) {
        kith_content c = kit_leaf("far.x", 1);
        kith_arrival a = { .way = "dir" };
        c.seq = i;
        c.ttl_s = 3600 + (uint32_t) i; /* the first to come are the first to expire */
        EXPECT_INT(kith_packet_seal(&c, other, &a.packet), 0);
        EXPECT_INT(kith_store_admit(s, &a, 1, kit_at(KIT_NOW), NULL), 0);
        EXPECT_INT(a.result, 0);
    }
    EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
    EXPECT(stat.evicted > 0 && stat.bytes <= stat.max_bytes);
    EXPECT_INT(stat.own, 30);
    EXPECT_INT(stat.packets, 3030 - stat.evicted);
    kit_list l = kit_find(s, &(kith_query){ .origin = KITH_ORIGIN_FOREIGN, .limit = 1 });
    EXPECT_INT(l.arrivals[0], 31 + stat.evicted);
    int r = 0;
    for (int i = 0; i < 5000 && r == 0; i++) r = kit_post(s, key, "own.x", i % 1000, NULL);
    EXPECT_INT(r, KITH_E_SPACE); /* own live packets make room for nobody */
    EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
    EXPECT(stat.foreign == 0 && stat.refused_full == 1);
    int64_t later = KIT_NOW + INT64_C(3600000000);
    kith_post again = { .content = kit_leaf("own.x", 1) };
    again.content.t_end_us = later;
    EXPECT_INT(kith_store_post(s, key, &again, 1, kit_at(later), NULL), 0);
    EXPECT_INT(again.result, 0); /* what expired does */
    kith_key_free(&key);
    kith_key_free(&other);
    kith_store_close(&s);
}

static void full_means_foreign_first_own_never(void) {
    kit_clean();
    (void) snprintf(url, sizeof url, "sqlite:%s?max_bytes=1M", kit_path("s.db"));
    fill(url);
    if (!test_bad) fill("memory:?max_bytes=700K");
}

/* ---- W9 ---- */

static void swarm(const char *place, bool shuffled, uint8_t digest[32]) {
    enum {
        PACKETS = 2000,
    };
    kith_store *s = NULL;
    kith_key *other = kit_key(2);
    static kith_arrival a[PACKETS];
    uint64_t dice = 9;
    EXPECT_INT(kith_store_open(&s, place, NULL), 0);
    for (uint64_t i = 0; i < PACKETS; i++) {
        a[i] = (kith_arrival){ .way = "dir", .packet = kit_packet(other, "a.b", 1, i, 1) };
    }
    for (size_t i = PACKETS - 1; shuffled && i > 0; i--) {
        size_t k = dice_below(&dice, i + 1);
        kith_arrival t = a[i];
        a[i] = a[k];
        a[k] = t;
    }
    for (int turn = 0; turn < 3; turn++) {
        EXPECT_INT(kith_store_admit(s, a, PACKETS, kit_at(KIT_NOW), NULL), 0);
        for (size_t i = 0; i < PACKETS; i++) {
            EXPECT_INT(a[i].result, turn == 0 ? 0 : KITH_DUPLICATE);
        }
    }
    for (int i = 0; i < 1000; i++)
        EXPECT_INT(kit_admit(s, &a[7].packet, "dir"), KITH_DUPLICATE);
    kit_list l = { 0 };
    EXPECT_INT(kith_store_latest(s, "a.b", KIT_NOW, kit_collect, &l, NULL), 0);
    EXPECT_INT(l.count, 1);
    memcpy(digest, l.last.id, 32);
    EXPECT_INT(kit_find(s, &(kith_query){ 0 }).count, PACKETS);
    kith_key_free(&other);
    kith_store_close(&s);
}

static void w9_a_thousand_times_is_once_in_any_order(void) {
    uint8_t one[32] = { 1 }, two[32] = { 2 }, three[32] = { 3 };
    kit_clean();
    (void) snprintf(url, sizeof url, "sqlite:%s", kit_path("s.db"));
    swarm(url, false, one);
    if (!test_bad) kit_clean();
    if (!test_bad) swarm(url, true, two);
    if (!test_bad) swarm("memory:", true, three);
    EXPECT(test_bad || (memcmp(one, two, 32) == 0 && memcmp(two, three, 32) == 0));
}

static void seedbug_12_replays_and_ttl_leave_one_sum(void) {
    kit_clean();
    kith_key *other = kit_key(2);
    kith_store *s = open_url("");
    kith_packet p = kit_packet(other, "a.b", 1, 1, 3);
    for (int i = 0; i < 5; i++) EXPECT(kit_admit(s, &p, "dir") >= 0);
    kit_list l = { 0 };
    int64_t later = KIT_NOW + INT64_C(3600000000);
    EXPECT_INT(kith_store_latest(s, ">", later - 1, kit_collect, &l, NULL), 0);
    EXPECT_INT(l.count, 1);
    l.count = 0;
    EXPECT_INT(kith_store_latest(s, ">", later, kit_collect, &l, NULL), 0);
    EXPECT_INT(l.count, 0);
    kith_key_free(&other);
    kith_store_close(&s);
}

static void seedbug_25_what_was_fetched_is_there_after_a_restart(void) {
    kit_clean();
    kith_key *other = kit_key(2);
    for (uint64_t i = 0; i < 5; i++) {
        kith_store *s = open_url("");
        kith_packet p = kit_packet(other, "a.b", 1, i, 3);
        EXPECT_INT(kit_admit(s, &p, "dir"), 0);
        EXPECT_INT(kit_find(s, &(kith_query){ .pattern = "a.b" }).count, i + 1);
        kith_store_close(&s);
    }
    kith_key_free(&other);
}

static void a_lost_store_does_not_lead_to_used_numbers(void) {
    kit_clean();
    kith_key *key = kit_key(1);
    kith_store *s = open_url("");
    kith_post p[5];
    for (int i = 0; i < 5; i++) EXPECT_INT(kit_post(s, key, "a.b", i, &p[i]), 0);
    kith_store_close(&s);
    kit_clean(); /* all of it, the epoch file too */
    s = open_url("");
    EXPECT_INT(kit_admit(s, &p[3].packet, "dir"), 0); /* the swarm still knows it */
    kith_post again;
    for (int i = 0; i < 5; i++) {
        EXPECT_INT(kit_post(s, key, "a.b", 50 + i, &again), 0);
        EXPECT(again.content.epoch > p[4].content.epoch);
    }
    kith_key_free(&key);
    kith_store_close(&s);
}

static void strangers_are_forgotten_with_their_packets(void) {
    kit_clean();
    kith_store *s = open_url("");
    kith_key *me = kit_key(0);
    EXPECT_INT(kit_post(s, me, "a.b", 1, NULL), 0);
    for (uint8_t i = 1; i <= 40; i++) {
        kith_key *other = kit_key(i);
        kith_packet p = kit_packet(other, "a.b", 1, 1, 1);
        EXPECT_INT(kit_admit(s, &p, "dir"), 0);
        kith_key_free(&other);
    }
    EXPECT_INT(kit_number("SELECT count(*) FROM src"), 41);
    int64_t later = KIT_NOW + INT64_C(3600000000);
    EXPECT_INT(kith_store_prune(s, later, 1000, NULL), 41);
    EXPECT_INT(kit_number("SELECT count(*) FROM src"), 1); /* our own row stays */
    kith_key *other = kit_key(9);
    kith_packet p = kit_packet(other, "a.b", 1, 2, 1);
    EXPECT_INT(kit_admit(s, &p, "dir"), 0);
    EXPECT_INT(kit_admit(s, &p, "dir"), KITH_DUPLICATE);
    kith_key_free(&other);
    kith_key_free(&me);
    kith_store_close(&s);
    EXPECT_INT(kith_store_check(url, NULL), 0);
}

/* ---- names that strangers invent ---- */

enum {
    INVENTED = 400,
};

/* Each packet brings a template, a subject and a way of its own. */
static void admit_invented(kith_store *s, const kith_key *key, uint64_t round) {
    static kith_arrival arrivals[INVENTED];
    static char ways[INVENTED][32];
    for (uint64_t i = 0; i < INVENTED; i++) {
        uint64_t n = round * INVENTED + i;
        char subject[32];
        (void) snprintf(subject, sizeof subject, "s.x%llu", (unsigned long long) n);
        (void) snprintf(ways[i], sizeof ways[i], "mem://w%llu", (unsigned long long) n);
        kith_content c = kit_leaf(subject, 1);
        c.seq = n;
        memset(c.template_id, 0x77, sizeof c.template_id);
        memcpy(c.template_id, &n, sizeof n);
        arrivals[i] = (kith_arrival){ .way = ways[i] };
        EXPECT_INT(kith_packet_seal(&c, key, &arrivals[i].packet), 0);
    }
    EXPECT_INT(kith_store_admit(s, arrivals, INVENTED, kit_at(KIT_NOW), NULL), 0);
    for (int i = 0; i < INVENTED; i++) EXPECT_INT(arrivals[i].result, 0);
}

static void invented_names_go_with_their_packets(void) {
    kit_clean();
    kith_store *s = open_url("");
    kith_key *key = kit_key(2);
    kith_store_stat stat;
    uint64_t first = 0;
    EXPECT(s != NULL);
    for (uint64_t round = 0; round < 6; round++) {
        admit_invented(s, key, round);
        EXPECT(!test_bad);
        EXPECT_INT(kit_find(s, &(kith_query){ 0 }).count, INVENTED);
        EXPECT_INT(
            kith_store_prune(s, KIT_NOW + INT64_C(7200000000), 1000, NULL), INVENTED);
        EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
        first = round == 0 ? stat.bytes : first;
        EXPECT_INT(stat.bytes, first);
        EXPECT_INT(kit_number("SELECT count(*) FROM carrier"), 0);
    }
    /* A name by which something came that is still here stays. */
    admit_invented(s, key, 6);
    EXPECT(!test_bad);
    EXPECT_INT(kith_store_prune(s, KIT_NOW, 1000, NULL), 0);
    EXPECT_INT(kit_number("SELECT count(*) FROM carrier"), INVENTED);
    kith_key_free(&key);
    kith_store_close(&s);
    EXPECT_INT(kith_store_check(url, NULL), 0);
    kit_done();
}

static const test_case cases[] = {
    { "full_means_foreign_first_own_never", full_means_foreign_first_own_never },
    { "w9_a_thousand_times_is_once_in_any_order",
        w9_a_thousand_times_is_once_in_any_order },
    { "seedbug_12_replays_and_ttl_leave_one_sum",
        seedbug_12_replays_and_ttl_leave_one_sum },
    { "seedbug_25_what_was_fetched_is_there_after_a_restart",
        seedbug_25_what_was_fetched_is_there_after_a_restart },
    { "a_lost_store_does_not_lead_to_used_numbers",
        a_lost_store_does_not_lead_to_used_numbers },
    { "strangers_are_forgotten_with_their_packets",
        strangers_are_forgotten_with_their_packets },
    { "invented_names_go_with_their_packets", invented_names_go_with_their_packets },
};

TEST_MAIN(cases)
