/* SPDX-License-Identifier: Apache-2.0 */
/* What every engine promises, one promise per case. Without an argument all
 * engines are tried; KITH_STORE picks one: KITH_STORE=memory: ./store_test */
#include "store/kit.h"

static char url[160];
static const char *engine;
static bool durable;

static kith_store *open_store(void) {
    kith_store *s = NULL;
    kith_error err = { 0 };
    if (durable) {
        (void) snprintf(url, sizeof url, "sqlite:%s", kit_path("s.db"));
    } else {
        (void) snprintf(url, sizeof url, "memory:");
    }
    if (kith_store_open(&s, url, &err) < 0) printf("# %s\n", err.text);
    return s;
}

static kith_store *fresh(void) {
    kit_clean();
    return open_store();
}

static void posts_and_finds(void) {
    kith_store *s = fresh();
    kith_key *key = kit_key(1);
    kith_post p;
    EXPECT(s != NULL);
    for (int i = 0; i < 5; i++) {
        EXPECT_INT(kit_post(s, key, "iot.hvac", i, &p), 0);
        EXPECT_INT(p.arrival, i + 1);
        EXPECT_INT(p.content.seq, i);
        EXPECT_INT(kith_packet_verify(&p.packet), 0);
    }
    kit_list l = kit_find(s, &(kith_query){ .pattern = "iot.hvac" });
    EXPECT_INT(l.count, 5);
    EXPECT(l.effects[0] == 0 && l.effects[4] == 4);
    EXPECT(l.last.own && !l.last.retracted && l.last.way[0] == '\0');
    EXPECT(memcmp(l.last.id, p.id, sizeof p.id) == 0);
    EXPECT_INT(l.last.packet.length, p.packet.length);
    l = kit_find(
        s, &(kith_query){ .pattern = "iot.hvac", .newest_first = true, .limit = 2 });
    EXPECT(l.count == 2 && l.effects[0] == 4 && l.effects[1] == 3);
    l = kit_find(s, &(kith_query){ .id = p.id, .id_length = 4 });
    EXPECT(l.count == 1 && l.effects[0] == 4);
    kith_key_free(&key);
    kith_store_close(&s);
    EXPECT(s == NULL);
}

static void pages_by_arrival(void) {
    kith_store *s = fresh();
    kith_key *key = kit_key(1);
    for (int i = 0; i < 50; i++) {
        char subject[32];
        (void) snprintf(subject, sizeof subject, "%s.s%d", i % 3 == 0 ? "b" : "a", i % 7);
        EXPECT_INT(kit_post(s, key, subject, i, NULL), 0);
    }
    static const char *const patterns[] = { NULL, ">", "a.>", "*.s3", "a.s3", "b.*",
        "c.>" };
    static const size_t want[] = { 50, 50, 33, 7, 4, 17, 0 };
    for (size_t p = 0; p < 7; p++) {
        for (int down = 0; down < 2; down++) {
            uint64_t at = down ? 0 : 0;
            size_t seen = 0;
            for (;;) {
                kith_query q = { .pattern = patterns[p], .limit = 3, .newest_first = down };
                *(down ? &q.before : &q.after) = at;
                kit_list l = kit_find(s, &q);
                EXPECT(l.count <= 3);
                for (size_t i = 0; i < l.count; i++) {
                    EXPECT(at == 0 || (down ? l.arrivals[i] < at : l.arrivals[i] > at));
                    at = l.arrivals[i];
                }
                seen += l.count;
                if (l.count < 3) break;
            }
            EXPECT_INT(seen, want[p]);
        }
        kit_list l =
            kit_find(s, &(kith_query){ .pattern = patterns[p], .by_subject = true });
        EXPECT_INT(l.count, want[p]);
        for (size_t i = 1; i < l.count; i++) {
            int order = strcmp(l.subjects[i - 1], l.subjects[i]);
            EXPECT(order < 0 || (order == 0 && l.arrivals[i - 1] < l.arrivals[i]));
        }
    }
    kith_key_free(&key);
    kith_store_close(&s);
}

typedef struct proofs {
    size_t count;
    kith_record last;
} proofs;

static int see_proof(void *ctx, const kith_record *record) {
    proofs *p = ctx;
    p->count++;
    p->last = *record;
    return 0;
}

static void admits_once(void) {
    kith_store *s = fresh();
    kith_key *key = kit_key(2);
    kith_packet p = kit_packet(key, "a.b", 3, 9, 1.5),
                other = kit_packet(key, "a.b", 3, 9, 2);
    kith_content c;
    uint8_t id[KITH_ID_SIZE];
    EXPECT_INT(kith_packet_decode(p.bytes, p.length, &c), 0);
    kith_packet_id(&p, id);
    EXPECT_INT(kith_store_knows(s, &c, id), 0);
    EXPECT_INT(kit_admit(s, &p, "dir"), 0);
    EXPECT_INT(kit_admit(s, &p, "dir"), KITH_DUPLICATE);
    EXPECT_INT(kit_admit(s, &p, "zmq"), KITH_DUPLICATE);
    EXPECT_INT(kith_store_knows(s, &c, id), KITH_DUPLICATE);
    EXPECT_INT(kit_admit(s, &other, "zmq"), KITH_R_EQUIVOCATION);
    kith_packet_id(&other, id);
    EXPECT_INT(kith_store_knows(s, &c, id), KITH_R_EQUIVOCATION);
    kit_list l = kit_find(s, &(kith_query){ 0 });
    EXPECT_INT(l.count, 1);
    EXPECT(l.effects[0] == 1.5 && !l.last.own && strcmp(l.last.way, "dir") == 0);
    kith_store_stat stat;
    EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
    EXPECT(stat.packets == 1 && stat.foreign == 1 && stat.duplicates == 2);
    EXPECT_INT(stat.equivocations, 1);
    proofs told = { 0 };
    EXPECT_INT(kith_store_proofs(s, see_proof, &told, NULL), 0);
    EXPECT_INT(told.count, 1);
    EXPECT(memcmp(told.last.id, id, sizeof id) == 0);
    EXPECT(told.last.packet.length == other.length &&
           memcmp(told.last.packet.bytes, other.bytes, other.length) == 0);
    EXPECT_INT(told.last.arrival, l.last.arrival);
    kith_packet third = kit_packet(key, "a.b", 3, 2, 1),
                fourth = kit_packet(key, "c", 3, 2, 4);
    EXPECT_INT(kit_admit(s, &third, "dir"), 0);
    EXPECT_INT(kit_admit(s, &fourth, "dir"), KITH_R_EQUIVOCATION);
    told = (proofs){ 0 };
    EXPECT_INT(kith_store_proofs(s, see_proof, &told, NULL), 0);
    EXPECT_INT(told.count, 2);
    EXPECT(memcmp(told.last.id, id, sizeof id) == 0); /* by place, not by arrival */
    kith_key_free(&key);
    kith_store_close(&s);
}

static int add_way(void *ctx, const char *way) {
    char *text = ctx;
    size_t n = strlen(text);
    (void) snprintf(text + n, 64 - n, "%s ", way);
    return 0;
}

static void remembers_every_way(void) {
    kith_store *s = fresh();
    kith_key *key = kit_key(2);
    kith_packet p = kit_packet(key, "a.b", 3, 9, 1.5);
    char ways[64] = "";
    EXPECT_INT(kit_admit(s, &p, "dir"), 0);
    EXPECT_INT(kit_admit(s, &p, "zmq"), KITH_DUPLICATE);
    kith_arrival known = { .packet = p, .way = "nats", .known = true };
    EXPECT_INT(kith_store_admit(s, &known, 1, kit_at(KIT_NOW), NULL), 0);
    EXPECT_INT(known.result, KITH_DUPLICATE);
    EXPECT_INT(known.arrival, 1);
    EXPECT_INT(kith_store_ways(s, 1, add_way, ways, NULL), 0);
    EXPECT(strcmp(ways, "dir zmq nats ") == 0);
    kith_key_free(&key);
    kith_store_close(&s);
}

static void outbox_gives_what_a_way_lacks(void) {
    kith_store *s = fresh();
    kith_key *me = kit_key(1), *other = kit_key(2);
    kith_packet p = kit_packet(other, "a.b", 1, 1, 7);
    kit_list l = { 0 };
    EXPECT_INT(kit_post(s, me, "a.b", 1, NULL), 0);
    EXPECT_INT(kit_admit(s, &p, "dir"), 0);
    EXPECT_INT(kit_post(s, me, "a.b", 2, NULL), 0);
    EXPECT_INT(
        kith_store_outbox(s, "dir", false, 0, 10, KIT_NOW, kit_collect, &l, NULL), 0);
    EXPECT(l.count == 2 && l.effects[0] == 1 && l.effects[1] == 2);
    l.count = 0;
    EXPECT_INT(kith_store_outbox(s, "dir", true, 0, 10, KIT_NOW, kit_collect, &l, NULL), 0);
    EXPECT_INT(l.count, 2);
    l.count = 0;
    EXPECT_INT(kith_store_outbox(s, "zmq", true, 0, 10, KIT_NOW, kit_collect, &l, NULL), 0);
    EXPECT(l.count == 3 && l.effects[1] == 7);
    l.count = 0;
    EXPECT_INT(kith_store_outbox(s, "zmq", true, 1, 1, KIT_NOW, kit_collect, &l, NULL), 0);
    EXPECT(l.count == 1 && l.arrivals[0] == 2);
    l.count = 0;
    EXPECT_INT(kith_store_outbox(s, "zmq", true, 0, 0, KIT_NOW + INT64_C(3600000000),
                   kit_collect, &l, NULL),
        0);
    EXPECT_INT(l.count, 0);
    kith_key_free(&me);
    kith_key_free(&other);
    kith_store_close(&s);
}

static void latest_is_the_highest_that_lives(void) {
    kith_store *s = fresh();
    kith_key *a = kit_key(1), *b = kit_key(2);
    kith_packet p1 = kit_packet(a, "x.y", 2, 5, 1), p2 = kit_packet(a, "x.y", 2, 4, 2),
                p3 = kit_packet(b, "x.y", 1, 9, 3), p4 = kit_packet(a, "x.z", 1, 1, 4);
    kit_list l = { 0 };
    EXPECT_INT(kit_admit(s, &p1, "dir"), 0);
    EXPECT_INT(kit_admit(s, &p2, "dir"), 0);
    EXPECT_INT(kit_admit(s, &p3, "dir"), 0);
    EXPECT_INT(kit_admit(s, &p4, "dir"), 0);
    EXPECT_INT(kith_store_latest(s, "x.>", KIT_NOW, kit_collect, &l, NULL), 0);
    EXPECT_INT(l.count, 3);
    EXPECT((l.effects[0] == 1) + (l.effects[1] == 1) == 1);
    EXPECT(l.effects[2] == 4);
    l.count = 0;
    EXPECT_INT(kith_store_latest(s, "x.y", KIT_NOW, kit_collect, &l, NULL), 0);
    EXPECT_INT(l.count, 2);
    kith_key_free(&a);
    kith_key_free(&b);
    kith_store_close(&s);
}

static void retraction_brings_back_the_older_one(void) {
    kith_store *s = fresh();
    kith_key *key = kit_key(1), *other = kit_key(2);
    kith_post first, second;
    kit_list l = { 0 };
    EXPECT_INT(kit_post(s, key, "x.y", 1, &first), 0);
    EXPECT_INT(kit_post(s, key, "x.y", 2, &second), 0);
    kith_post back = { 0 };
    EXPECT_INT(kith_retraction_of(&second.content, "wrong sensor", &back.content), 0);
    EXPECT_INT(kith_store_post(s, key, &back, 1, kit_at(KIT_NOW), NULL), 0);
    EXPECT_INT(back.result, 0);
    EXPECT_INT(kith_store_latest(s, "x.y", KIT_NOW, kit_collect, &l, NULL), 0);
    EXPECT(l.count == 1 && l.effects[0] == 1);
    l = kit_find(s, &(kith_query){ .pattern = "x.y" });
    EXPECT_INT(l.count, 2); /* the first, and the retraction itself */
    l = kit_find(s, &(kith_query){ .pattern = "x.y", .with_retracted = true });
    EXPECT_INT(l.count, 3);
    /* Another source cannot take it back. */
    kith_content theft;
    kith_packet p;
    EXPECT_INT(kith_retraction_of(&first.content, NULL, &theft), 0);
    theft.epoch = 1;
    EXPECT_INT(kith_packet_seal(&theft, other, &p), 0);
    EXPECT_INT(kit_admit(s, &p, "dir"), 0);
    l.count = 0;
    EXPECT_INT(kith_store_latest(s, "x.y", KIT_NOW, kit_collect, &l, NULL), 0);
    EXPECT(l.count == 1 && l.effects[0] == 1);
    kith_key_free(&key);
    kith_key_free(&other);
    kith_store_close(&s);
}

static void retraction_may_come_first(void) {
    kith_store *s = fresh();
    kith_key *other = kit_key(2);
    kith_packet target = kit_packet(other, "x.y", 4, 1, 1), back;
    kith_content c, r;
    EXPECT_INT(kith_packet_decode(target.bytes, target.length, &c), 0);
    EXPECT_INT(kith_retraction_of(&c, NULL, &r), 0);
    r.epoch = 4;
    r.seq = 2;
    EXPECT_INT(kith_packet_seal(&r, other, &back), 0);
    EXPECT_INT(kit_admit(s, &back, "dir"), 0);
    EXPECT_INT(kit_admit(s, &target, "dir"), KITH_R_RETRACTED);
    EXPECT_INT(kit_find(s, &(kith_query){ .with_retracted = true }).count, 1);
    kith_key_free(&other);
    kith_store_close(&s);
}

static void expiry_hides_and_prune_removes(void) {
    kith_store *s = fresh();
    kith_key *key = kit_key(1);
    int64_t later = KIT_NOW + INT64_C(3600000000);
    for (int i = 0; i < 10; i++) {
        EXPECT_INT(kit_post(s, key, "x.y", i, NULL), 0);
    }
    EXPECT_INT(kit_find(s, &(kith_query){ .now_us = later - 1 }).count, 10);
    EXPECT_INT(kit_find(s, &(kith_query){ .now_us = later }).count, 0);
    EXPECT_INT(
        kit_find(s, &(kith_query){ .now_us = later, .with_expired = true }).count, 10);
    EXPECT_INT(kith_store_prune(s, later - 1, 100, NULL), 0);
    EXPECT_INT(kith_store_prune(s, later, 4, NULL), 4);
    EXPECT_INT(kith_store_prune(s, later, 100, NULL), 6);
    EXPECT_INT(kith_store_prune(s, later, 100, NULL), 0);
    kith_post p;
    EXPECT_INT(kit_post(s, key, "x.y", 1, &p), 0);
    EXPECT_INT(p.arrival, 11); /* never used twice, even after the last one went */
    kith_key_free(&key);
    kith_store_close(&s);
}

static void born_expired_is_said(void) {
    kith_store *s = fresh();
    kith_key *key = kit_key(1);
    kith_post p = { .content = kit_leaf("x.y", 1) };
    EXPECT_INT(
        kith_store_post(s, key, &p, 1, kit_at(KIT_NOW + INT64_C(4000000000)), NULL), 0);
    EXPECT_INT(p.result, KITH_R_EXPIRED);
    EXPECT_INT(kith_store_post(s, key, &p, 1, kit_at(KIT_NOW - 61000000), NULL), 0);
    EXPECT_INT(p.result, KITH_R_FUTURE);
    EXPECT_INT(kit_find(s, &(kith_query){ .with_expired = true }).count, 0);
    kith_key_free(&key);
    kith_store_close(&s);
}

static void small_state_is_kept(void) {
    kith_store *s = fresh();
    char got[8];
    size_t length = 0;
    EXPECT_INT(kith_store_load(s, "cursor", got, sizeof got, &length), KITH_E_MISSING);
    EXPECT_INT(kith_store_save(s, "cursor", "abc", 3, false, NULL), 0);
    EXPECT_INT(kith_store_load(s, "cursor", got, sizeof got, &length), 0);
    EXPECT(length == 3 && memcmp(got, "abc", 3) == 0);
    EXPECT_INT(kith_store_save(s, "cursor", "defghijkl", 9, true, NULL), 0);
    EXPECT_INT(kith_store_load(s, "cursor", got, sizeof got, &length), KITH_E_SPACE);
    EXPECT_INT(kith_store_save(s, "cursor", NULL, 0, true, NULL), 0);
    EXPECT_INT(kith_store_load(s, "cursor", got, sizeof got, &length), KITH_E_MISSING);
    EXPECT_INT(kith_store_save(s, "", "a", 1, true, NULL), KITH_E_ARG);
    kith_store_close(&s);
}

static void version_changes_with_each_commit(void) {
    kith_store *s = fresh();
    kith_key *key = kit_key(1);
    uint64_t v = kith_store_version(s);
    EXPECT(kith_store_version(s) == v);
    EXPECT_INT(kit_post(s, key, "x.y", 1, NULL), 0);
    EXPECT(kith_store_version(s) != v);
    kith_key_free(&key);
    kith_store_close(&s);
}

static void sequences_rise_over_runs(void) {
    kith_store *s = fresh();
    kith_key *key = kit_key(1);
    uint64_t epoch = 0;
    for (int run = 0; run < 4; run++) {
        EXPECT(s != NULL);
        EXPECT_INT(kith_store_begin_run(s, NULL), 0);
        for (uint64_t i = 0; i < 1500; i += 100) {
            kith_post p[100];
            for (int k = 0; k < 100; k++)
                p[k] = (kith_post){ .content = kit_leaf("x.y", k) };
            EXPECT_INT(kith_store_post(s, key, p, 100, kit_at(KIT_NOW), NULL), 0);
            for (uint64_t k = 0; k < 100; k++) {
                EXPECT_INT(p[k].result, 0);
                EXPECT(p[k].content.epoch > epoch || p[k].content.seq == i + k);
            }
            epoch = i > 0 ? p[0].content.epoch : epoch;
            EXPECT_INT(p[0].content.epoch, p[99].content.epoch);
        }
        if (!durable) break;
        kith_store_close(&s);
        s = open_store();
    }
    kith_key_free(&key);
    kith_store_close(&s);
}

static const test_case cases[] = {
    { "posts_and_finds", posts_and_finds },
    { "pages_by_arrival", pages_by_arrival },
    { "admits_once", admits_once },
    { "remembers_every_way", remembers_every_way },
    { "outbox_gives_what_a_way_lacks", outbox_gives_what_a_way_lacks },
    { "latest_is_the_highest_that_lives", latest_is_the_highest_that_lives },
    { "retraction_brings_back_the_older_one", retraction_brings_back_the_older_one },
    { "retraction_may_come_first", retraction_may_come_first },
    { "expiry_hides_and_prune_removes", expiry_hides_and_prune_removes },
    { "born_expired_is_said", born_expired_is_said },
    { "small_state_is_kept", small_state_is_kept },
    { "version_changes_with_each_commit", version_changes_with_each_commit },
    { "sequences_rise_over_runs", sequences_rise_over_runs },
};

int main(int argc, char **argv) {
    static const char *const engines[] = { "sqlite", "memory" };
    const char *only = getenv("KITH_STORE");
    int bad = 0, k = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t e = 0; e < 2; e++) {
        engine = engines[e];
        durable = e == 0;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            bool skip = (argc > 1 && strcmp(argv[1], cases[i].name) != 0) ||
                        (only != NULL && strcmp(only, engine) != 0);
            if (skip) continue;
            test_bad = false;
            cases[i].run();
            bad += test_bad;
            printf("%s %d - %s (%s)%s%s\n", test_bad ? "not ok" : "ok", ++k, cases[i].name,
                engine, test_skip != NULL ? " # SKIP " : "",
                test_skip != NULL ? test_skip : "");
        }
    }
    printf("1..%d\n", k);
    return bad != 0 || k == 0;
}
