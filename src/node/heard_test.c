/* SPDX-License-Identifier: Apache-2.0 */
/* Unsigned evidence in answers: nothing by itself, one vote for each gateway on request. */
#include "node/kit.h"

#include <kith/heard.h>

#include <math.h>
#include <stdlib.h>

#define SUBJECT "clinical.radiology.ct"

/* What kith calls itself to seed 0. */
static void name_of(const kith_key *key, char ret[17]) {
    uint8_t public_key[KITH_KEY_SIZE], keyid[KITH_KEYID_SIZE];
    kith_key_public(key, public_key);
    kith_keyid(public_key, keyid);
    for (int i = 0; i < 8; i++) (void) snprintf(ret + 2 * i, 3, "%02x", keyid[i]);
}

static kith_heard said(const char *gateway, const char *name, double delta, int n) {
    kith_heard h = { 0 };
    kith_seed0 p = { .domain = SUBJECT,
        .outcome_delta = delta,
        .confidence = 0.975,
        .n_observations = n,
        .timestamp = (double) (now.wall_us / 1000000) };
    kith_seed0_frames f;
    (void) snprintf(p.node_id, sizeof p.node_id, "%s", name);
    if (kith_seed0_encode(&p, &f) != 0 ||
        kith_heard_read(0, f.topic, f.topic_length, f.payload, f.payload_length, &h) != 0) {
        abort();
    }
    (void) snprintf(h.gateway, sizeof h.gateway, "%s", gateway);
    return h;
}

static void hear(member *me, kith_heard h) {
    if (kith_store_hear(me->store, &h, 1, now, NULL) != 0 || h.result != 0) abort();
}

enum {
    ROWS = 300
};
static kith_evidence rows[ROWS];
static size_t row_count;

static kith_answer ask(member *me, bool pool_unsigned) {
    kith_answer a;
    uint8_t template_id[KITH_TEMPLATE_SIZE], measure, self[KITH_KEY_SIZE];
    kith_key_public(me->key, self);
    kith_ask what = { .subject = SUBJECT,
        .self = self,
        .now_us = now.wall_us,
        .pool_unsigned = pool_unsigned };
    memset(&a, 0, sizeof a);
    kith_error err = { 0 };
    if (kith_ask_store(me->store, &what, &a, template_id, &measure, rows, ROWS, &row_count,
            &err) != 0) {
        fail("ask", &err);
    }
    return a;
}

static const kith_evidence *row_of(const uint8_t id[KITH_ID_SIZE]) {
    for (size_t i = 0; i < row_count; i++) {
        if (memcmp(rows[i].id, id, KITH_ID_SIZE) == 0) return &rows[i];
    }
    return NULL;
}

/* One who asks, and two others who signed 0.5 with variance 0.04. */
static member *three(void) {
    const char *link = "mem://heard";
    member *me = join(link), *b = join(link), *c = join(link);
    post(b, SUBJECT, 0.5);
    post(c, SUBJECT, 0.5);
    run(300);
    return me;
}

static void they_do_not_count_by_themselves(void) {
    member *me = three();
    kith_answer before = ask(me, false);
    for (int i = 0; i < 5; i++) hear(me, said("zmq://one", "x", -0.5, i + 1));
    kith_answer after = ask(me, false);
    EXPECT_INT(after.k, before.k);
    EXPECT_INT(after.k, 2);
    EXPECT(after.insufficient);
    EXPECT_INT(after.unsigned_pooled, 0);
    EXPECT_INT(after.unsigned_left, 5);
    EXPECT_INT(row_count, 3);
    EXPECT(rows[2].is_unsigned && rows[2].left_out != NULL);
    EXPECT(strstr(rows[2].left_out, "pool_unsigned") != NULL);
    EXPECT_INT(rows[2].packets, 5);
    leave_all();
}

static void a_hundred_names_by_one_gateway_have_one_vote(void) {
    member *me = three();
    char name[16];
    for (int i = 0; i < 100; i++) {
        (void) snprintf(name, sizeof name, "n%d", i);
        hear(me, said("zmq://one", name, 0.4, i + 1));
    }
    kith_answer a = ask(me, true);
    EXPECT_INT(a.k, 3);
    EXPECT(!a.insufficient);
    EXPECT_INT(a.unsigned_pooled, 100);
    double se = 0.4 / kith_normal_quantile((double) 0.975f), w = 1 / (se * se),
           s = 1 / 0.04;
    double unsigned_share = 0;
    for (size_t i = 0; i < row_count; i++) {
        if (!rows[i].is_unsigned) continue;
        EXPECT(rows[i].left_out == NULL);
        unsigned_share += rows[i].vote.weight;
    }
    EXPECT(a.kept.tau2 == 0);
    EXPECT(fabs(unsigned_share - w / (w + 2 * s)) < 1e-6);
    EXPECT(fabs(a.kept.mu - (0.4 * w + 0.5 * 2 * s) / (w + 2 * s)) < 1e-6);
    EXPECT(unsigned_share > 0 && unsigned_share < 0.5);
    leave_all();
}

static void without_anybody_who_signs_one_gateway_is_one_source(void) {
    member *me = join("mem://alone");
    char name[16];
    for (int i = 0; i < 20; i++) {
        (void) snprintf(name, sizeof name, "n%d", i);
        hear(me, said("zmq://one", name, 0.4, 9));
    }
    EXPECT_INT(ask(me, false).k, 0);
    kith_answer a = ask(me, true);
    EXPECT(a.insufficient);
    EXPECT_INT(a.k, 1);
    hear(me, said("zmq://two", "n", 0.5, 9));
    hear(me, said("zmq://three", "n", 0.6, 9));
    a = ask(me, true);
    EXPECT(!a.insufficient);
    EXPECT_INT(a.k, 3);
    leave_all();
}

static void the_latest_of_a_name_counts(void) {
    member *me = three();
    kith_heard first = said("zmq://one", "x", 0.9, 1);
    hear(me, first);
    now.wall_us += 5000000;
    kith_heard last = said("zmq://one", "x", 0.3, 2);
    hear(me, last);
    kith_answer a = ask(me, true);
    EXPECT_INT(a.unsigned_pooled, 1);
    EXPECT_INT(a.unsigned_left, 1);
    EXPECT(row_of(first.id) == NULL);
    const kith_evidence *r = row_of(last.id);
    EXPECT(r != NULL && r->left_out == NULL && fabs(r->y - 0.3) < 1e-6);
    leave_all();
}

static void whoever_signs_here_is_not_counted_again_unsigned(void) {
    member *me = three();
    char name[17];
    name_of(m[1].key, name);
    kith_heard echo = said("zmq://one", name, 0.5, 20);
    hear(me, echo);
    name_of(me->key, name);
    kith_heard own = said("zmq://one", name, 0.5, 20);
    hear(me, own);
    kith_answer a = ask(me, true);
    EXPECT_INT(a.k, 2);
    EXPECT_INT(a.unsigned_pooled, 0);
    EXPECT(row_of(echo.id) != NULL && strstr(row_of(echo.id)->left_out, "signs here"));
    EXPECT(row_of(own.id) != NULL && strstr(row_of(own.id)->left_out, "ours"));
    leave_all();
}

static void what_tells_no_error_does_not_count(void) {
    member *me = three();
    kith_heard zero = said("zmq://one", "z", 0, 20);
    hear(me, zero);
    kith_answer a = ask(me, true);
    EXPECT_INT(a.k, 2);
    EXPECT(row_of(zero.id) != NULL && row_of(zero.id)->left_out != NULL);
    leave_all();
}

static const char report_text[] =
    "{\"agent_id\": \"hvac-a\", \"domain\": \"hvac\", \"problem_class\": \"leak\", "
    "\"conclusion\": \"loose seal\", \"confidence\": 0.87, \"context_vector\": [], "
    "\"timestamp\": 17500000%02d.0, \"source_node\": \"floor-3\"}";

static void reports_of_seed_1_are_listed_counted_and_never_pooled(void) {
    static const char topic[] = "qis.iot.hvac.leak";
    member *me = join("mem://report");
    for (int i = 0; i < 3; i++) {
        char text[KITH_SEED1_LENGTH_MAX + 1];
        kith_heard h;
        int n = snprintf(text, sizeof text, report_text, i);
        EXPECT(kith_heard_read(1, topic, strlen(topic), text, (size_t) n, &h) == 0);
        (void) snprintf(h.gateway, sizeof h.gateway, "nats://x");
        hear(me, h);
    }
    kith_ask what = {
        .subject = "iot.hvac.leak", .now_us = now.wall_us, .pool_unsigned = true
    };
    kith_answer a;
    uint8_t template_id[KITH_TEMPLATE_SIZE], measure;
    EXPECT_INT(kith_ask_store(me->store, &what, &a, template_id, &measure, rows, ROWS,
                   &row_count, NULL),
        0);
    EXPECT_INT(a.k, 0);
    EXPECT_INT(row_count, 1);
    EXPECT_INT(rows[0].packets, 3);
    EXPECT(strstr(rows[0].left_out, "report") != NULL);
    leave_all();
}

static void the_digest_and_other_nodes_know_nothing_of_them(void) {
    member *me = three();
    EXPECT(one_digest());
    for (int i = 0; i < 10; i++) hear(me, said("zmq://one", "x", 0.1, i + 1));
    run(2000);
    EXPECT(one_digest());
    kith_store_stat stat;
    EXPECT_INT(kith_store_stats(m[1].store, &stat, NULL), 0);
    EXPECT_INT(stat.heard, 0);
    EXPECT_INT(stat.packets, 2);
    leave_all();
}

static void the_same_packets_in_any_order_give_the_same_answer(void) {
    kith_answer first = { 0 };
    for (int order = 0; order < 4; order++) {
        member *me = three();
        for (int i = 0; i < 12; i++) {
            char name[16];
            int k = order % 2 == 0 ? i : 11 - i;
            k = order >= 2 ? k * 5 % 12 : k;
            (void) snprintf(name, sizeof name, "n%d", k);
            hear(me,
                said(k % 3 == 0 ? "zmq://one" : "zmq://two", name, 0.1 + k / 17.0, k + 1));
        }
        kith_answer a = ask(me, true);
        EXPECT_INT(a.k, 4);
        EXPECT_INT(a.unsigned_pooled, 12);
        if (order == 0) first = a;
        EXPECT(memcmp(&first.kept.mu, &a.kept.mu, sizeof a.kept.mu) == 0);
        EXPECT(memcmp(&first.kept.se, &a.kept.se, sizeof a.kept.se) == 0);
        leave_all();
    }
}

static const test_case cases[] = {
    { "they_do_not_count_by_themselves", they_do_not_count_by_themselves },
    { "a_hundred_names_by_one_gateway_have_one_vote",
        a_hundred_names_by_one_gateway_have_one_vote },
    { "without_anybody_who_signs_one_gateway_is_one_source",
        without_anybody_who_signs_one_gateway_is_one_source },
    { "the_latest_of_a_name_counts", the_latest_of_a_name_counts },
    { "whoever_signs_here_is_not_counted_again_unsigned",
        whoever_signs_here_is_not_counted_again_unsigned },
    { "what_tells_no_error_does_not_count", what_tells_no_error_does_not_count },
    { "reports_of_seed_1_are_listed_counted_and_never_pooled",
        reports_of_seed_1_are_listed_counted_and_never_pooled },
    { "the_digest_and_other_nodes_know_nothing_of_them",
        the_digest_and_other_nodes_know_nothing_of_them },
    { "the_same_packets_in_any_order_give_the_same_answer",
        the_same_packets_in_any_order_give_the_same_answer },
};
TEST_MAIN(cases)
