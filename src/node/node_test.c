/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes promise each other: every packet arrives, counts once, and the same
 * state follows from it everywhere, whatever the links do. Time is a number. */
#include <kith/node.h>

#include "test.h"

#include <ftw.h>
#include <poll.h>
#include <sys/stat.h>

enum {
    NODES = 6
};
#define MS    UINT64_C(1000000)
#define START INT64_C(1750000000000000)

typedef struct member {
    kith_store *store;
    kith_key *key;
    kith_node *node;
    uint64_t accepted, refused, gaps, downs, ups;
    int last_refusal;
} member;

static member m[NODES];
static size_t count;
static kith_time now = { UINT64_C(1000000000), START };

static void note(void *ctx, const kith_event *event) {
    member *me = ctx;
    me->accepted += event->kind == KITH_EVENT_ACCEPTED;
    me->gaps += event->kind == KITH_EVENT_GAP;
    me->ups += event->kind == KITH_EVENT_LINK_UP;
    me->downs += event->kind == KITH_EVENT_LINK_DOWN;
    if (event->kind == KITH_EVENT_REFUSED) {
        me->refused++;
        me->last_refusal = event->code;
    }
}

static void fail(const char *what, const kith_error *err) {
    printf("# %s: %s\n", what, err->text);
    abort();
}

static void open_node(member *me, const char *const *links, size_t link_count,
    const char *follow, bool relay) {
    kith_error err = { 0 };
    kith_node_config c = { .store = me->store,
        .key = me->key,
        .links = links,
        .link_count = link_count,
        .follows = &follow,
        .follow_count = follow != NULL,
        .relay = relay,
        .event = note,
        .ctx = me };
    if (kith_node_open(&me->node, &c, now, &err) != 0) fail("open a node", &err);
}

static member *join_many(const char *const *links, size_t link_count, bool relay) {
    member *me = &m[count];
    kith_error err = { 0 };
    uint8_t seed[32] = { (uint8_t) ++count };
    *me = (member){ 0 };
    if (kith_store_open(&me->store, "memory:", &err) != 0) fail("open a store", &err);
    if (kith_key_from_seed(&me->key, seed, &err) != 0) fail("make a key", &err);
    open_node(me, links, link_count, NULL, relay);
    return me;
}

static member *join(const char *link) {
    return join_many(&link, 1, false);
}

static void leave_all(void) {
    for (size_t i = 0; i < count; i++) {
        kith_node_close(&m[i].node);
        kith_store_close(&m[i].store);
        kith_key_free(&m[i].key);
    }
    count = 0;
}

static void run(int milliseconds) {
    for (int i = 0; i < milliseconds; i += 10) {
        for (size_t k = 0; k < count; k++) {
            if (m[k].node != NULL && kith_node_step(m[k].node, now) < 0) abort();
        }
        now.mono_ns += 10 * MS;
        now.wall_us += 10000;
    }
}

static kith_post leaf(const char *subject, double effect) {
    kith_post p = { .content = { .type = KITH_LEAF,
                        .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE,
                        .t_end_us = now.wall_us,
                        .ttl_s = 3600,
                        .measure = KITH_MEAN_DIFFERENCE,
                        .components = 1,
                        .n = 20,
                        .effect = { effect },
                        .covariance = { 0.04 } } };
    memcpy(p.content.address.subject, subject, strlen(subject) + 1);
    return p;
}

static void post(member *me, const char *subject, double effect) {
    kith_post p = leaf(subject, effect);
    kith_error err = { 0 };
    if (kith_store_post(me->store, me->key, &p, 1, now, &err) != 0 || p.result != 0) {
        printf("# result %d\n", p.result);
        fail("post", &err);
    }
}

static uint64_t packets(member *me) {
    kith_store_stat s;
    return kith_store_stats(me->store, &s, NULL) == 0 ? s.packets : UINT64_MAX;
}

static bool one_digest(void) {
    uint8_t first[32], other[32];
    uint64_t slots = 0;
    for (size_t i = 0; i < count; i++) {
        if (kith_store_digest(
                m[i].store, ">", now.wall_us, i == 0 ? first : other, &slots, NULL) != 0) {
            return false;
        }
        if (i > 0 && memcmp(first, other, sizeof first) != 0) return false;
    }
    return slots > 0;
}

static void a_post_reaches_every_node(void) {
    for (int i = 0; i < 4; i++) join("mem://all");
    run(100);
    for (int i = 0; i < 4; i++) post(&m[i], "iot.hvac.draw", 0.1 * i);
    run(200);
    for (int i = 0; i < 4; i++) {
        EXPECT_INT(m[i].accepted, 3);
        EXPECT_INT(packets(&m[i]), 4);
        EXPECT(kith_node_idle(m[i].node));
    }
    EXPECT(one_digest());
    leave_all();
}

static void seedbug_13_a_late_joiner_sees_the_past(void) {
    member *early = join("mem://late");
    for (int i = 0; i < 300; i++) post(early, "iot.hvac.draw", 0.001 * i);
    run(500);
    member *late = join("mem://late");
    run(3000);
    EXPECT_INT(late->accepted, 300);
    EXPECT(one_digest());
    leave_all();
}

static void a_link_that_loses_and_repeats_loses_nothing(void) {
    static const char *const url = "fault+mem://bend?drop=30&repeat=20&seed=%d";
    char links[4][64];
    for (int i = 0; i < 4; i++) {
        (void) snprintf(links[i], sizeof links[i], url, i + 1);
        join(links[i]);
    }
    for (int i = 0; i < 200; i++) {
        post(&m[i % 4], "iot.hvac.draw", 0.001 * i);
        if (i % 10 == 0) run(10);
    }
    run(60000);
    for (int i = 0; i < 4; i++) {
        EXPECT_INT(packets(&m[i]), 200);
        EXPECT_INT(m[i].accepted, 150);
    }
    EXPECT(one_digest());
    leave_all();
}

static int count_way(void *ctx, const char *way) {
    (void) way;
    ++*(int *) ctx;
    return 0;
}

static int count_ways(void *ctx, const kith_record *record) {
    int *ways = ctx;
    member *me = &m[1];
    return kith_store_ways(me->store, record->arrival, count_way, ways, NULL);
}

static void two_links_count_once_and_both_are_named(void) {
    static const char *const both[] = { "mem://east", "mem://west" };
    join_many(both, 2, false);
    join_many(both, 2, false);
    run(50);
    post(&m[0], "a.b", 1);
    run(300);
    EXPECT_INT(m[1].accepted, 1);
    kith_link_status east, west;
    EXPECT_INT(kith_node_link_status(m[1].node, 0, &east), 0);
    EXPECT_INT(kith_node_link_status(m[1].node, 1, &west), 0);
    EXPECT_INT(east.accepted + west.accepted, 1);
    EXPECT_INT(east.duplicates + west.duplicates, 1);
    int ways = 0;
    kith_query q = { .now_us = now.wall_us };
    EXPECT_INT(kith_store_find(m[1].store, &q, count_ways, &ways, NULL), 0);
    EXPECT_INT(ways, 2);
    leave_all();
}

static void a_node_on_two_links_relays(void) {
    static const char *const both[] = { "mem://left", "mem://right" };
    join("mem://left");
    join_many(both, 2, true);
    join("mem://right");
    for (int i = 0; i < 20; i++) {
        post(&m[0], "a.left", i);
        post(&m[2], "a.right", i);
    }
    run(1000);
    for (int i = 0; i < 3; i++) EXPECT_INT(packets(&m[i]), 40);
    EXPECT(one_digest());
    leave_all();
}

/* Posts bytes natively, past every check of a node. */
static void inject(
    const char *url, const char *subject, const uint8_t *bytes, size_t size) {
    kith_link *link = NULL;
    kith_address to = { "" };
    memcpy(to.subject, subject, strlen(subject) + 1);
    kith_posting what = { .kind = KITH_ITEM_PACKET,
        .length = (uint16_t) size,
        .bytes = bytes,
        .to = &to,
        .expires_us = INT64_MAX };
    if (kith_link_open(&link, url, NULL, NULL) != 0) abort();
    if (kith_link_post(link, &what) != 0) abort();
    run(100);
    kith_link_close(&link);
}

static void refuses_aloud_and_goes_on(void) {
    member *me = join("mem://bad");
    kith_key *stranger = NULL;
    uint8_t seed[32] = { 99 };
    EXPECT_INT(kith_key_from_seed(&stranger, seed, NULL), 0);
    kith_post p = leaf("a.b", 1);
    p.content.epoch = 1;
    kith_packet packet;
    EXPECT_INT(kith_packet_seal(&p.content, stranger, &packet), 0);

    inject("mem://bad", "a.b", (const uint8_t *) "\001ubbish", 7);
    EXPECT_INT(m[0].last_refusal, KITH_R_LENGTH);
    inject("mem://bad", "a.c", packet.bytes, packet.length);
    EXPECT_INT(m[0].last_refusal, KITH_R_ADDRESS);
    packet.bytes[packet.length - 1] ^= 1;
    inject("mem://bad", "a.b", packet.bytes, packet.length);
    EXPECT_INT(m[0].last_refusal, KITH_R_SIGNATURE);
    packet.bytes[packet.length - 1] ^= 1;
    packet.bytes[0] = 2;
    inject("mem://bad", "a.b", packet.bytes, packet.length);
    EXPECT_INT(m[0].last_refusal, KITH_R_VERSION);
    packet.bytes[0] = 1;
    EXPECT_INT(me->refused, 4);
    EXPECT_INT(packets(me), 0);

    inject("mem://bad", "a.b", packet.bytes, packet.length);
    EXPECT_INT(packets(me), 1);
    EXPECT_INT(kith_node_refused(me->node, KITH_R_ADDRESS), 1);
    kith_key_free(&stranger);
    leave_all();
}

static void c1_a_clock_far_ahead_is_refused_and_a_past_one_judged_by_its_ttl(void) {
    member *me = join("mem://clock");
    kith_key *stranger = NULL;
    uint8_t seed[32] = { 99 };
    EXPECT_INT(kith_key_from_seed(&stranger, seed, NULL), 0);
    static const struct {
        int64_t ahead_s;
        int refusal;
    } rows[] = {
        { 315360000, KITH_R_FUTURE },
        { 61, KITH_R_FUTURE },
        { 55, 0 },
        { -5, 0 },
        { -315360000, KITH_R_EXPIRED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kith_post p = leaf("a.b", 1);
        kith_packet packet;
        p.content.epoch = 1;
        p.content.seq = i;
        p.content.t_end_us += rows[i].ahead_s * 1000000;
        EXPECT_INT(kith_packet_seal(&p.content, stranger, &packet), 0);
        uint64_t before = packets(me);
        me->last_refusal = 0;
        inject("mem://clock", "a.b", packet.bytes, packet.length);
        EXPECT_INT(me->last_refusal, rows[i].refusal);
        EXPECT_INT(packets(me) - before, rows[i].refusal == 0);
    }
    kith_key_free(&stranger);
    leave_all();
}

static void c1_what_a_wrong_clock_refused_comes_when_it_is_right(void) {
    join("mem://reset");
    post(&m[0], "a.b", 1);
    run(100);
    int64_t right = now.wall_us;
    now.wall_us -= INT64_C(86400000000); /* the joiner wakes up yesterday */
    member *late = join("mem://reset");
    for (int i = 0; i < 300; i++) {
        kith_time theirs = { now.mono_ns, right + i * 10000 };
        if (kith_node_step(m[0].node, theirs) < 0) abort();
        if (kith_node_step(late->node, now) < 0) abort();
        now.mono_ns += 10 * MS;
        now.wall_us += 10000;
    }
    EXPECT_INT(late->last_refusal, KITH_R_FUTURE);
    EXPECT_INT(late->accepted, 0);
    now.wall_us += INT64_C(86400000000);
    run(3000);
    EXPECT_INT(late->accepted, 1);
    leave_all();
}

static void two_packets_under_one_number_are_a_proof(void) {
    member *me = join("mem://twice");
    kith_key *liar = NULL;
    uint8_t seed[32] = { 99 };
    EXPECT_INT(kith_key_from_seed(&liar, seed, NULL), 0);
    for (int i = 0; i < 2; i++) {
        kith_post p = leaf("a.b", i);
        kith_packet packet;
        p.content.epoch = 1;
        EXPECT_INT(kith_packet_seal(&p.content, liar, &packet), 0);
        inject("mem://twice", "a.b", packet.bytes, packet.length);
    }
    EXPECT_INT(me->last_refusal, KITH_R_EQUIVOCATION);
    EXPECT_INT(packets(me), 1);
    kith_key_free(&liar);
    leave_all();
}

static void follows_only_what_it_was_told(void) {
    member *a = join("mem://some"), *b = join("mem://some");
    EXPECT_INT(kith_node_unfollow(b->node, ">", NULL), 0);
    EXPECT_INT(kith_node_follow(b->node, "iot.hvac.*", NULL), 0);
    EXPECT_INT(kith_node_follow(b->node, "a..b", NULL), KITH_E_ARG);
    EXPECT_INT(kith_node_unfollow(b->node, ">", NULL), KITH_E_MISSING);
    run(50);
    post(a, "iot.hvac.draw", 1);
    post(a, "iot.hvacuum.leak", 1);
    post(a, "iot.hvac.a.b", 1);
    run(2000);
    EXPECT_INT(b->accepted, 1);
    EXPECT_INT(b->refused, 0);
    leave_all();
}

static void own_echo_is_no_twin(void) {
    for (int i = 0; i < 5; i++) join("mem://twins");
    for (int i = 0; i < 5; i++) post(&m[i], "iot.hvac.draw", 0.1 * i);
    run(500);
    uint8_t self[KITH_KEY_SIZE], template_id[KITH_TEMPLATE_SIZE], measure = 0;
    kith_key_public(m[2].key, self);
    kith_ask ask = { .subject = "iot.hvac.draw", .self = self, .now_us = now.wall_us };
    kith_answer answer;
    kith_evidence rows[8];
    size_t row_count = 0;
    EXPECT_INT(kith_ask_store(m[2].store, &ask, &answer, template_id, &measure, rows, 8,
                   &row_count, NULL),
        0);
    EXPECT(!answer.insufficient);
    EXPECT_INT(answer.k, 4);
    EXPECT(answer.has_own && answer.own_y == 0.2);
    EXPECT_INT(row_count, 5);
    EXPECT_INT(measure, KITH_MEAN_DIFFERENCE);
    int left_out = 0;
    for (size_t i = 0; i < row_count; i++) left_out += rows[i].left_out != NULL;
    EXPECT_INT(left_out, 1);
    leave_all();
}

static void seedbug_23_below_the_quorum_it_says_so(void) {
    for (int i = 0; i < 3; i++) join("mem://few");
    uint8_t self[KITH_KEY_SIZE], template_id[KITH_TEMPLATE_SIZE], measure = 0;
    kith_key_public(m[0].key, self);
    kith_ask ask = { .subject = "a.b", .self = self, .now_us = now.wall_us };
    kith_answer answer;
    EXPECT_INT(kith_ask_store(
                   m[0].store, &ask, &answer, template_id, &measure, NULL, 0, NULL, NULL),
        KITH_E_MISSING);
    for (int i = 0; i < 3; i++) post(&m[i], "a.b", 0.1 * i);
    run(500);
    EXPECT_INT(kith_ask_store(
                   m[0].store, &ask, &answer, template_id, &measure, NULL, 0, NULL, NULL),
        0);
    EXPECT(answer.insufficient);
    EXPECT_INT(answer.k, 2);
    EXPECT_INT(answer.missing, 1);
    leave_all();
}

static void a_place_that_is_not_there_is_tried_again(void) {
    member *me = &m[0];
    static const char *const links[] = { "dir:///nonexistent-place/kith", "mem://here" };
    join_many(links, 2, false);
    EXPECT_INT(me->downs, 1);
    kith_link_status s;
    EXPECT_INT(kith_node_link_status(me->node, 0, &s), 0);
    EXPECT(!s.up && s.why[0] != '\0');
    post(me, "a.b", 1); /* the post does not care */
    run(5000);
    EXPECT_INT(kith_node_link_status(me->node, 0, &s), 0);
    EXPECT(!s.up);
    EXPECT_INT(me->downs, 1); /* said once */
    leave_all();
}

static void a_url_without_sense_is_an_error(void) {
    static const char *const bad[] = { "nonsense://x", "mem://x?queue=0", "mem", "" };
    kith_store *store = NULL;
    EXPECT_INT(kith_store_open(&store, "memory:", NULL), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        kith_node *node = NULL;
        kith_error err = { 0 };
        kith_node_config c = { .store = store, .links = &bad[i], .link_count = 1 };
        printf("# '%s'\n", bad[i]);
        EXPECT(kith_node_open(&node, &c, now, &err) < 0);
        EXPECT(node == NULL);
        EXPECT(err.text[0] != '\0');
    }
    kith_store_close(&store);
}

static void w9_the_same_packets_in_any_order_end_in_one_digest(void) {
    member *a = join("mem://order"), *b = join("mem://other");
    kith_key *source = NULL;
    uint8_t seed[32] = { 77 };
    EXPECT_INT(kith_key_from_seed(&source, seed, NULL), 0);
    static kith_packet all[500];
    for (size_t i = 0; i < 500; i++) {
        kith_post p = leaf(i % 2 ? "a.b" : "a.c", 0.001 * (double) i);
        p.content.epoch = 1;
        p.content.seq = i;
        EXPECT_INT(kith_packet_seal(&p.content, source, &all[i]), 0);
    }
    kith_link *left = NULL, *right = NULL;
    EXPECT_INT(kith_link_open(&left, "mem://order?ring=4M", NULL, NULL), 0);
    EXPECT_INT(kith_link_open(&right, "mem://other?ring=4M", NULL, NULL), 0);
    for (size_t i = 0; i < 1000; i++) {
        const kith_packet *x = &all[i % 500], *y = &all[(i * 211 + 7) % 500];
        kith_address to = { "" };
        kith_posting what = {
            .kind = KITH_ITEM_PACKET, .to = &to, .expires_us = INT64_MAX
        };
        memcpy(to.subject, (i % 500) % 2 ? "a.b" : "a.c", 4);
        what.bytes = x->bytes;
        what.length = x->length;
        EXPECT_INT(kith_link_post(left, &what), 0);
        memcpy(to.subject, ((i * 211 + 7) % 500) % 2 ? "a.b" : "a.c", 4);
        what.bytes = y->bytes;
        what.length = y->length;
        EXPECT_INT(kith_link_post(right, &what), 0);
        if (i % 20 == 0) run(20);
    }
    run(500);
    EXPECT_INT(a->accepted, 500);
    EXPECT_INT(b->accepted, 500);
    EXPECT_INT(a->refused + b->refused, 0);
    EXPECT(one_digest());
    kith_link_close(&left);
    kith_link_close(&right);
    kith_key_free(&source);
    leave_all();
}

/* ---- links with threads: real time, until it is so or ten seconds are over ---- */

static char place[64];

static void make_place(void) {
    if (!test_folder(test_place(), "kith-node", place, sizeof place)) abort();
}

static int forget_file(
    const char *path, const struct stat *st, int type, struct FTW *where) {
    (void) st, (void) type, (void) where;
    return remove(path);
}

static void wipe(const char *path) {
    (void) nftw(path, forget_file, 16, FTW_DEPTH | FTW_PHYS);
}

static bool live_until(bool (*so)(void)) {
    kith_time real = kith_time_now();
    uint64_t end = real.mono_ns + 10000 * MS;
    while (!so() && real.mono_ns < end) {
        int fds[8];
        struct pollfd polls[8];
        size_t n = 0;
        for (size_t i = 0; i < count; i++) {
            if (m[i].node == NULL) continue;
            if (kith_node_step(m[i].node, real) < 0) abort();
            n += kith_node_wake_fds(m[i].node, fds + n, 8 - n);
        }
        for (size_t i = 0; i < n; i++) polls[i] = (struct pollfd){ fds[i], POLLIN, 0 };
        (void) poll(polls, (nfds_t) n, 10);
        real = kith_time_now();
    }
    return so();
}

static bool first_is_idle(void) {
    return kith_node_idle(m[0].node);
}

static bool second_has_ten(void) {
    return m[1].accepted == 10;
}

/* A node that only posts; its medium is taken away between two lives. */
static void empties(const char *url, const char *what) {
    kith_time scripted = now;
    now = kith_time_now();
    join(url);
    for (int i = 0; i < 10; i++) post(&m[0], "a.b", i);
    EXPECT(live_until(first_is_idle));
    kith_node_close(&m[0].node);
    wipe(what);
    open_node(&m[0], &url, 1, NULL, false);
    join(url);
    EXPECT(live_until(second_has_ten));
    EXPECT(one_digest());
    leave_all();
    now = scripted;
}

static void an_emptied_folder_is_filled_again(void) {
    char url[128], root[96];
    make_place();
    (void) snprintf(url, sizeof url, "dir://%s", place);
    (void) snprintf(root, sizeof root, "%s/kith-1", place);
    empties(url, root);
    wipe(place);
}

static void a_new_file_is_filled_again(void) {
    char url[128];
    make_place();
    (void) snprintf(url, sizeof url, "sqlite://%s/shared/s.db", place);
    char folder[96];
    (void) snprintf(folder, sizeof folder, "%s/shared", place);
    EXPECT_INT(mkdir(folder, 0700), 0);
    char other[112];
    (void) snprintf(other, sizeof other, "%s/s.db", folder);
    empties(url, other);
    wipe(place);
}

static bool first_is_down(void) {
    return m[0].downs > 0;
}

static bool both_have_all(void) {
    return m[0].accepted == 1 && m[1].accepted == 2;
}

static void a_stick_pulled_and_put_back_loses_nothing(void) {
    char url[128], aside[96];
    make_place();
    (void) snprintf(url, sizeof url, "dir://%s/stick?poll=100ms", place);
    (void) snprintf(aside, sizeof aside, "%s/pocket", place);
    kith_time scripted = now;
    now = kith_time_now();
    char stick[96];
    (void) snprintf(stick, sizeof stick, "%s/stick", place);
    EXPECT_INT(mkdir(stick, 0700), 0);
    join(url);
    join(url);
    post(&m[0], "a.b", 1);
    EXPECT(live_until(first_is_idle));
    EXPECT_INT(rename(stick, aside), 0);
    EXPECT(live_until(first_is_down));
    post(&m[0], "a.b", 2);
    post(&m[1], "a.b", 3);
    EXPECT_INT(rename(aside, stick), 0);
    EXPECT(live_until(both_have_all));
    EXPECT(one_digest());
    leave_all();
    wipe(place);
    now = scripted;
}

static const test_case cases[] = {
    { "a_post_reaches_every_node", a_post_reaches_every_node },
    { "seedbug_13_a_late_joiner_sees_the_past", seedbug_13_a_late_joiner_sees_the_past },
    { "a_link_that_loses_and_repeats_loses_nothing",
        a_link_that_loses_and_repeats_loses_nothing },
    { "two_links_count_once_and_both_are_named", two_links_count_once_and_both_are_named },
    { "a_node_on_two_links_relays", a_node_on_two_links_relays },
    { "refuses_aloud_and_goes_on", refuses_aloud_and_goes_on },
    { "c1_a_clock_far_ahead_is_refused_and_a_past_one_judged_by_its_ttl",
        c1_a_clock_far_ahead_is_refused_and_a_past_one_judged_by_its_ttl },
    { "c1_what_a_wrong_clock_refused_comes_when_it_is_right",
        c1_what_a_wrong_clock_refused_comes_when_it_is_right },
    { "two_packets_under_one_number_are_a_proof",
        two_packets_under_one_number_are_a_proof },
    { "follows_only_what_it_was_told", follows_only_what_it_was_told },
    { "own_echo_is_no_twin", own_echo_is_no_twin },
    { "seedbug_23_below_the_quorum_it_says_so", seedbug_23_below_the_quorum_it_says_so },
    { "a_place_that_is_not_there_is_tried_again",
        a_place_that_is_not_there_is_tried_again },
    { "a_url_without_sense_is_an_error", a_url_without_sense_is_an_error },
    { "w9_the_same_packets_in_any_order_end_in_one_digest",
        w9_the_same_packets_in_any_order_end_in_one_digest },
    { "an_emptied_folder_is_filled_again", an_emptied_folder_is_filled_again },
    { "a_new_file_is_filled_again", a_new_file_is_filled_again },
    { "a_stick_pulled_and_put_back_loses_nothing",
        a_stick_pulled_and_put_back_loses_nothing },
};
TEST_MAIN(cases)
