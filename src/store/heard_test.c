/* SPDX-License-Identifier: Apache-2.0 */
/* Unsigned packets beside the signed ones, on both engines; and a seeded walk against a
 * naive list. */
#include "store/kit.h"

#include <kith/address.h>
#include <kith/heard.h>

#include "base/dice.h"

enum {
    MOST = 4000,
    STEPS = 1500,
    WEEK_S = 7 * 86400,
};

/* ---- what they say ---- */

static kith_heard say(const char *subject, int n, int64_t t_us) {
    kith_heard h = { 0 };
    kith_seed0 p = { .node_id = "n",
        .outcome_delta = 0.5,
        .confidence = 0.875,
        .n_observations = n,
        .timestamp = (double) t_us / 1e6 };
    kith_seed0_frames f;
    (void) snprintf(p.domain, sizeof p.domain, "%s", subject);
    if (kith_seed0_encode(&p, &f) != 0 ||
        kith_heard_read(0, f.topic, f.topic_length, f.payload, f.payload_length, &h) != 0) {
        test_bad = true;
    }
    (void) snprintf(h.gateway, sizeof h.gateway, "zmq://one");
    return h;
}

static int hear_at(kith_store *s, kith_heard *h, int64_t now) {
    int r = kith_store_hear(s, h, 1, kit_at(now), NULL);
    return r < 0 ? r : h->result;
}

typedef struct list {
    size_t count;
    uint64_t numbers[MOST];
    kith_heard last;
} list;

static int collect(void *ctx, const kith_heard *h) {
    list *l = ctx;
    l->numbers[l->count++] = h->number;
    l->last = *h;
    return l->count == MOST ? KITH_STOP : 0;
}

static list *heard(kith_store *s, const char *pattern) {
    static list l;
    kith_query q = { .pattern = pattern, .now_us = KIT_NOW };
    l.count = 0;
    if (kith_store_heard(s, &q, collect, &l, NULL) != 0) l.count = SIZE_MAX;
    return &l;
}

/* Each case for both engines. */
static void on_both(void (*promise)(const char *url)) {
    kit_clean();
    promise(kit_url());
    if (!test_bad) promise("memory:");
}

/* ---- promises ---- */

static void kept_byte_for_byte(const char *url) {
    kith_store *s = NULL;
    EXPECT_INT(kith_store_open(&s, url, NULL), 0);
    kith_heard h = say("a.b", 7, KIT_NOW), same = h;
    EXPECT_INT(hear_at(s, &h, KIT_NOW), 0);
    EXPECT(h.number > 0);
    list *l = heard(s, "a.b");
    EXPECT_INT(l->count, 1);
    EXPECT_INT(l->last.topic_length, same.topic_length);
    EXPECT_INT(l->last.payload_length, same.payload_length);
    EXPECT(memcmp(l->last.bytes, same.bytes, sizeof same.bytes) == 0);
    EXPECT(memcmp(l->last.id, same.id, sizeof same.id) == 0);
    EXPECT(strcmp(l->last.subject, "a.b") == 0);
    EXPECT(strcmp(l->last.gateway, "zmq://one") == 0);
    EXPECT_INT(l->last.seed, 0);
    EXPECT_INT(l->last.arrived_us, KIT_NOW);
    EXPECT_INT(l->last.expires_us, KIT_NOW + INT64_C(1000000) * WEEK_S);
    EXPECT_INT(heard(s, "a.*")->count, 1);
    EXPECT_INT(heard(s, "b.>")->count, 0);
    kith_store_close(&s);
}

static void they_are_kept_byte_for_byte(void) {
    on_both(kept_byte_for_byte);
}

static void once(const char *url) {
    kith_store *s = NULL;
    kith_store_stat stat;
    EXPECT_INT(kith_store_open(&s, url, NULL), 0);
    kith_heard two[2] = { say("a.b", 7, KIT_NOW), say("a.b", 7, KIT_NOW) };
    EXPECT_INT(kith_store_hear(s, two, 2, kit_at(KIT_NOW), NULL), 0);
    EXPECT_INT(two[0].result, 0);
    EXPECT_INT(two[1].result, KITH_DUPLICATE);
    (void) snprintf(two[1].gateway, sizeof two[1].gateway, "zmq://other");
    EXPECT_INT(hear_at(s, &two[1], KIT_NOW + 5), KITH_DUPLICATE);
    EXPECT(strcmp(heard(s, NULL)->last.gateway, "zmq://one") == 0);
    EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
    EXPECT_INT(stat.heard, 1);
    EXPECT_INT(stat.packets, 0);
    kith_store_close(&s);
}

static void an_exact_repeat_by_any_gateway_is_kept_once(void) {
    on_both(once);
}

static void apart(const char *url) {
    kith_store *s = NULL;
    kith_error err = { 0 };
    kith_key *key = kit_key(1);
    uint64_t version;
    EXPECT_INT(kith_store_open(&s, url, &err), 0);
    EXPECT_INT(kit_post(s, key, "a.b", 1, NULL), 0);
    version = kith_store_version(s);
    kith_heard h = say("a.b", 7, KIT_NOW);
    EXPECT_INT(hear_at(s, &h, KIT_NOW), 0);
    EXPECT(kith_store_version(s) != version);
    kit_list l = { 0 };
    EXPECT_INT(kit_find(s, &(kith_query){ 0 }).count, 1);
    EXPECT_INT(kith_store_latest(s, "a.b", KIT_NOW, kit_collect, &l, NULL), 0);
    EXPECT_INT(l.count, 1);
    l.count = 0;
    EXPECT_INT(
        kith_store_outbox(s, "other", true, 0, 0, KIT_NOW, kit_collect, &l, NULL), 0);
    EXPECT_INT(l.count, 1);
    kith_store_stat stat;
    EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
    EXPECT_INT(stat.last_arrival - stat.first_arrival, 0);
    kith_key_free(&key);
    kith_store_close(&s);
}

static void no_question_about_signed_packets_sees_them(void) {
    on_both(apart);
}

static void go_with_their_time(const char *url) {
    kith_store *s = NULL;
    int64_t end = KIT_NOW + INT64_C(1000000) * WEEK_S;
    EXPECT_INT(kith_store_open(&s, url, NULL), 0);
    kith_heard one = say("a.b", 1, KIT_NOW), two = say("a.b", 2, KIT_NOW + 1000000);
    EXPECT_INT(hear_at(s, &one, KIT_NOW), 0);
    EXPECT_INT(hear_at(s, &two, KIT_NOW), 0);
    static list l;
    kith_query q = { .now_us = end };
    l.count = 0;
    EXPECT_INT(kith_store_heard(s, &q, collect, &l, NULL), 0);
    EXPECT_INT(l.count, 1);
    EXPECT_INT(kith_store_prune(s, end, 100, NULL), 1);
    EXPECT_INT(heard(s, NULL)->count, 1);
    /* The last number is not given again. */
    EXPECT_INT(kith_store_prune(s, end + 2000000, 100, NULL), 1);
    kith_heard three = say("a.b", 3, end);
    EXPECT_INT(hear_at(s, &three, end), 0);
    EXPECT(three.number > two.number);
    kith_store_close(&s);
}

static void they_go_with_their_time_and_no_number_comes_twice(void) {
    on_both(go_with_their_time);
}

static const char seed1_text[] =
    "{\"agent_id\": \"hvac-building-a\", \"domain\": \"hvac\", \"problem_class\": "
    "\"energy-anomaly\", \"conclusion\": \"Compressor draw 18% above baseline.\", "
    "\"confidence\": 0.87, \"context_vector\": [0.18, 0.92], \"timestamp\": "
    "1800000000.25, \"source_node\": \"building-a-floor-3\"}";

static void report(const char *url) {
    static const char topic[] = "qis.iot.hvac.energy-anomaly";
    kith_store *s = NULL;
    kith_heard h;
    kith_content c;
    char name[KITH_SEED1_LENGTH_MAX];
    EXPECT_INT(kith_store_open(&s, url, NULL), 0);
    EXPECT_INT(
        kith_heard_read(1, topic, strlen(topic), seed1_text, sizeof seed1_text - 1, &h), 0);
    (void) snprintf(h.gateway, sizeof h.gateway, "nats://x");
    EXPECT_INT(hear_at(s, &h, KIT_NOW), 0);
    list *l = heard(s, "iot.hvac.energy-anomaly");
    EXPECT_INT(l->count, 1);
    EXPECT_INT(l->last.seed, 1);
    EXPECT_INT(kith_heard_content(&l->last, &c, name), 0);
    EXPECT(strcmp(name, "hvac-building-a") == 0);
    EXPECT(!(c.has & KITH_HAS_EFFECT));
    EXPECT(c.has & KITH_HAS_TEXT);
    kith_store_close(&s);
}

static void a_packet_of_seed_1_is_kept_as_a_report(void) {
    on_both(report);
}

static void what_is_no_packet_is_refused_by_its_reason(void) {
    kith_heard good = say("a.b", 1, KIT_NOW), h;
    uint8_t bytes[KITH_HEARD_MAX + 8] = { 0 };
    EXPECT_INT(kith_heard_read(0, good.bytes, good.topic_length,
                   good.bytes + good.topic_length, good.payload_length - 20u, &h),
        KITH_L_LENGTH);
    EXPECT_INT(
        kith_heard_read(0, bytes, KITH_SEED0_TOPIC_MAX + 1, bytes, 100, &h), KITH_L_TOPIC);
    EXPECT_INT(
        kith_heard_read(0, bytes, 10, bytes, KITH_SEED0_LENGTH_MAX + 1, &h), KITH_L_LENGTH);
    EXPECT_INT(
        kith_heard_read(1, bytes, 10, bytes, KITH_SEED1_LENGTH_MAX + 1, &h), KITH_L_LENGTH);
    EXPECT_INT(kith_heard_read(0, "qis.a.c.d+0.5", 13, good.bytes + good.topic_length,
                   good.payload_length, &h),
        KITH_L_DOMAIN);
}

/* Fills a store with unsigned packets until something had to go. */
static uint64_t flood(kith_store *s, int count) {
    static kith_heard lot[64];
    kith_store_stat stat = { 0 };
    for (int i = 0; i < count; i += 64) {
        for (int k = 0; k < 64; k++) lot[k] = say("flood.here", i + k + 1, KIT_NOW + i + k);
        if (kith_store_hear(s, lot, 64, kit_at(KIT_NOW), NULL) < 0) test_bad = true;
    }
    if (kith_store_stats(s, &stat, NULL) != 0 || stat.bytes > stat.max_bytes)
        test_bad = true;
    return stat.heard_evicted;
}

static void first_to_go(const char *url) {
    char sized[200];
    kith_store *s = NULL;
    kith_store_stat before, after;
    kith_key *stranger = kit_key(2), *own = kit_key(1);
    (void) snprintf(sized, sizeof sized, "%s?max_bytes=1M", url);
    EXPECT_INT(kith_store_open(&s, sized, NULL), 0);
    for (uint64_t i = 0; i < 50; i++) {
        kith_packet p = kit_packet(stranger, "x.y", 1, i, 1);
        EXPECT_INT(kit_admit(s, &p, "dir"), 0);
    }
    EXPECT(flood(s, 6400) > 0);
    EXPECT_INT(kith_store_stats(s, &before, NULL), 0);
    EXPECT_INT(before.packets, 50); /* whatever strangers say unsigned */
    EXPECT(before.heard > 100);
    EXPECT(heard(s, NULL)->last.payload_length > 0);
    for (int i = 0; i < 200; i++) EXPECT_INT(kit_post(s, own, "x.z", i, NULL), 0);
    EXPECT_INT(kith_store_stats(s, &after, NULL), 0);
    EXPECT_INT(after.packets, 250);
    EXPECT_INT(after.evicted, 0);
    EXPECT(after.heard < before.heard);
    kith_key_free(&stranger);
    kith_key_free(&own);
    kith_store_close(&s);
}

static void they_are_the_first_to_go_and_drive_out_nothing_signed(void) {
    on_both(first_to_go);
}

static void full_of_own(const char *url) {
    char sized[200];
    kith_store *s = NULL;
    kith_key *own = kit_key(1);
    (void) snprintf(sized, sizeof sized, "%s?max_bytes=%s", url,
        strcmp(url, "memory:") == 0 ? "64K" : "1M");
    EXPECT_INT(kith_store_open(&s, sized, NULL), 0);
    int r = 0;
    for (int i = 0; i < 4000 && r == 0; i++) r = kit_post(s, own, "x.z", i % 100, NULL);
    EXPECT_INT(r, KITH_E_SPACE);
    kith_heard h = say("a.b", 1, KIT_NOW);
    EXPECT_INT(hear_at(s, &h, KIT_NOW), KITH_E_SPACE);
    EXPECT_INT(heard(s, NULL)->count, 0);
    kith_key_free(&own);
    kith_store_close(&s);
}

static void a_store_full_of_our_own_refuses_them(void) {
    on_both(full_of_own);
}

/* ---- both kinds in one list ---- */

typedef struct mixed {
    size_t count;
    int64_t times[400];
    char kinds[401];
} mixed;

static int see_signed(void *ctx, const kith_record *r) {
    mixed *m = ctx;
    m->times[m->count] = r->arrived_us;
    m->kinds[m->count++] = 's';
    return 0;
}

static int see_heard(void *ctx, const kith_heard *h) {
    mixed *m = ctx;
    m->times[m->count] = h->arrived_us;
    m->kinds[m->count++] = 'u';
    return 0;
}

static int mix(kith_store *s, mixed *ret, bool down, uint32_t limit) {
    kith_query q = {
        .pattern = "a.b", .newest_first = down, .limit = limit, .now_us = KIT_NOW + 1000
    };
    *ret = (mixed){ 0 };
    kith_each_both each = { see_signed, see_heard, ret };
    return kith_store_both(s, &q, &each, NULL);
}

static void in_order(const char *url) {
    static mixed m;
    kith_store *s = NULL;
    kith_key *own = kit_key(1);
    uint64_t dice = 5;
    EXPECT_INT(kith_store_open(&s, url, NULL), 0);
    for (int i = 0; i < 200; i++) {
        if (dice_below(&dice, 3) == 0) {
            kith_post p = { .content = kit_leaf("a.b", i) };
            EXPECT_INT(kith_store_post(s, own, &p, 1, kit_at(KIT_NOW + i), NULL), 0);
        } else {
            kith_heard h = say("a.b", i + 1, KIT_NOW);
            EXPECT_INT(hear_at(s, &h, KIT_NOW + i), 0);
        }
    }
    EXPECT_INT(mix(s, &m, false, 0), 0);
    EXPECT_INT(m.count, 200);
    for (int i = 0; i < 200; i++) EXPECT_INT(m.times[i], KIT_NOW + i);
    EXPECT(strchr(m.kinds, 's') != NULL && strchr(m.kinds, 'u') != NULL);
    EXPECT_INT(mix(s, &m, true, 90), 0);
    EXPECT_INT(m.count, 90);
    for (int i = 0; i < 90; i++) EXPECT_INT(m.times[i], KIT_NOW + 199 - i);
    kith_key_free(&own);
    kith_store_close(&s);
}

static void both_kinds_come_in_the_order_of_their_arrival(void) {
    on_both(in_order);
}

/* ---- on disk ---- */

static void they_outlive_the_process_and_are_checked(void) {
    kit_clean();
    kith_store *s = kit_open(NULL);
    EXPECT(s != NULL);
    kith_heard h = say("a.b", 1, KIT_NOW);
    EXPECT_INT(hear_at(s, &h, KIT_NOW), 0);
    kith_store_close(&s);
    EXPECT_INT(kith_store_check(kit_url(), NULL), 0);
    s = kit_open(NULL);
    EXPECT_INT(heard(s, "a.b")->count, 1);
    kith_heard again = say("a.b", 1, KIT_NOW);
    EXPECT_INT(hear_at(s, &again, KIT_NOW), KITH_DUPLICATE);
    kith_store_close(&s);
}

static void a_copy_has_them_too(void) {
    kit_clean();
    kith_store *s = kit_open(NULL), *copy = NULL;
    char path[200], url[220];
    EXPECT(s != NULL);
    kith_heard h = say("a.b", 1, KIT_NOW);
    EXPECT_INT(hear_at(s, &h, KIT_NOW), 0);
    (void) snprintf(path, sizeof path, "%s", kit_path("copy.db"));
    (void) snprintf(url, sizeof url, "sqlite:%s", path);
    EXPECT_INT(kith_store_backup(s, path, NULL), 0);
    kith_store_close(&s);
    EXPECT_INT(kith_store_open(&copy, url, NULL), 0);
    EXPECT_INT(heard(copy, NULL)->count, 1);
    kith_store_close(&copy);
}

/* ---- a walk ---- */

typedef struct item {
    uint64_t number;
    int64_t exp;
    int n;
    int64_t t;
    const char *subject;
    bool removed;
    uint8_t id[KITH_ID_SIZE];
} item;

typedef struct world {
    kith_store *store;
    item *items;
    size_t count;
    int64_t now;
    uint64_t dice;
} world;

static const char *const subjects[] = { "a", "a.b", "a.b.c", "a.c", "b.d" };
static const char *const patterns[] = { NULL, ">", "a.>", "*.b", "a.b", "c.>", "b.d" };

static bool walk_failed(const char *why, uint64_t step) {
    printf("# step %llu: %s\n", (unsigned long long) step, why);
    test_bad = true;
    return false;
}

static bool step_hear(world *w, uint64_t step) {
    const char *subject = subjects[dice_below(&w->dice, 5)];
    int n = 1 + (int) dice_below(&w->dice, 40);
    int64_t t =
        w->now - w->now % 86400000000 - (int64_t) dice_below(&w->dice, 4) * 86400000000;
    kith_heard h = say(subject, n, t);
    bool known = false;
    for (size_t i = 0; i < w->count; i++) {
        const item *x = &w->items[i];
        known = known || (!x->removed && memcmp(x->id, h.id, sizeof h.id) == 0);
    }
    int r = hear_at(w->store, &h, w->now);
    if (r != (known ? KITH_DUPLICATE : 0)) return walk_failed("hear", step);
    if (!known) {
        w->items[w->count] =
            (item){ .number = h.number, .exp = h.expires_us, .subject = subject };
        memcpy(w->items[w->count++].id, h.id, sizeof h.id);
    }
    return true;
}

static bool step_time(world *w, uint64_t step) {
    w->now += (int64_t) dice_below(&w->dice, 30000) * 1000000;
    if (dice_below(&w->dice, 3) != 0) return true;
    int want = 0;
    for (size_t i = 0; i < w->count; i++) {
        item *x = &w->items[i];
        if (!x->removed && x->exp <= w->now) {
            x->removed = true;
            want++;
        }
    }
    return kith_store_prune(w->store, w->now, 100000, NULL) == want
               ? true
               : walk_failed("prune", step);
}

static bool wanted(const item *x, const kith_query *q) {
    return !x->removed && (x->exp > q->now_us || q->with_expired) && x->number > q->after &&
           (q->before == 0 || x->number < q->before) &&
           (q->id_length == 0 || memcmp(x->id, q->id, q->id_length) == 0) &&
           (q->pattern == NULL || kith_subject_matches(q->pattern, x->subject));
}

static bool step_ask(world *w, uint64_t step) {
    static list got, want;
    kith_query q = { .pattern = patterns[dice_below(&w->dice, 7)],
        .newest_first = dice_below(&w->dice, 2) == 0,
        .with_expired = dice_below(&w->dice, 3) == 0,
        .limit = (uint32_t) dice_below(&w->dice, 30),
        .now_us = w->now };
    const item *any = w->count == 0 ? NULL : &w->items[dice_below(&w->dice, w->count)];
    if (any != NULL && dice_below(&w->dice, 3) == 0) q.after = any->number;
    if (any != NULL && dice_below(&w->dice, 3) == 0) q.before = any->number + 3;
    if (any != NULL && dice_below(&w->dice, 5) == 0) {
        q.id = any->id;
        q.id_length = dice_below(&w->dice, 2) == 0 ? KITH_ID_SIZE : 1;
    }
    got.count = want.count = 0;
    for (size_t k = 0; k < w->count && (q.limit == 0 || want.count < q.limit); k++) {
        const item *x = &w->items[q.newest_first ? w->count - 1 - k : k];
        if (wanted(x, &q)) want.numbers[want.count++] = x->number;
    }
    if (kith_store_heard(w->store, &q, collect, &got, NULL) != 0) {
        return walk_failed("heard", step);
    }
    bool same = got.count == want.count &&
                memcmp(got.numbers, want.numbers, got.count * sizeof *got.numbers) == 0;
    return same ? true : walk_failed("answer", step);
}

static void walk(const char *url, uint64_t seed) {
    world w = { .now = KIT_NOW, .dice = seed };
    kit_clean();
    w.items = calloc(MOST, sizeof *w.items);
    EXPECT(w.items != NULL);
    EXPECT_INT(kith_store_open(&w.store, url, NULL), 0);
    bool fine = true;
    for (uint64_t step = 0; fine && step < STEPS; step++) {
        switch (dice_below(&w.dice, 6)) {
        case 0:
        case 1:
        case 2: fine = step_hear(&w, step); break;
        case 3: fine = step_time(&w, step); break;
        default: fine = step_ask(&w, step);
        }
    }
    free(w.items);
    kith_store_close(&w.store);
}

static void both_engines_agree_with_a_list(void) {
    char url[160];
    kit_clean();
    (void) snprintf(url, sizeof url, "%s", kit_url());
    for (uint64_t seed = 1; seed <= 3 && !test_bad; seed++) walk(url, seed);
    for (uint64_t seed = 1; seed <= 10 && !test_bad; seed++) walk("memory:", seed);
}

static const test_case cases[] = {
    { "they_are_kept_byte_for_byte", they_are_kept_byte_for_byte },
    { "an_exact_repeat_by_any_gateway_is_kept_once",
        an_exact_repeat_by_any_gateway_is_kept_once },
    { "no_question_about_signed_packets_sees_them",
        no_question_about_signed_packets_sees_them },
    { "they_go_with_their_time_and_no_number_comes_twice",
        they_go_with_their_time_and_no_number_comes_twice },
    { "a_packet_of_seed_1_is_kept_as_a_report", a_packet_of_seed_1_is_kept_as_a_report },
    { "what_is_no_packet_is_refused_by_its_reason",
        what_is_no_packet_is_refused_by_its_reason },
    { "they_are_the_first_to_go_and_drive_out_nothing_signed",
        they_are_the_first_to_go_and_drive_out_nothing_signed },
    { "a_store_full_of_our_own_refuses_them", a_store_full_of_our_own_refuses_them },
    { "both_kinds_come_in_the_order_of_their_arrival",
        both_kinds_come_in_the_order_of_their_arrival },
    { "they_outlive_the_process_and_are_checked",
        they_outlive_the_process_and_are_checked },
    { "a_copy_has_them_too", a_copy_has_them_too },
    { "both_engines_agree_with_a_list", both_engines_agree_with_a_list },
};
TEST_MAIN(cases)
