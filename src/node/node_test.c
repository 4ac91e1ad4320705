/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes promise each other: every packet arrives, counts once, and the same
 * state follows from it everywhere, whatever the links do. Time is a number. */
#include "node/kit.h"

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
    run(10000); /* what was posted a moment ago settles first */
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

/* Packets of a node, by one of the ways they came. */
typedef struct way_count {
    member *me;
    const char *way;
    uint64_t found, any;
    bool hit;
} way_count;

static int is_way(void *ctx, const char *way) {
    way_count *w = ctx;
    w->any++;
    w->hit = w->hit || strcmp(way, w->way) == 0;
    return 0;
}

static int look_at_ways(void *ctx, const kith_record *record) {
    way_count *w = ctx;
    w->hit = false;
    if (kith_store_ways(w->me->store, record->arrival, is_way, w, NULL) < 0) abort();
    w->found += w->hit;
    return 0;
}

static uint64_t came_by(member *me, const char *way) {
    way_count w = { .me = me, .way = way };
    kith_query q = { .now_us = now.wall_us };
    if (kith_store_find(me->store, &q, look_at_ways, &w, NULL) < 0) abort();
    return w.found;
}

static void what_sync_brought_is_told_from_what_came_by_itself(void) {
    member *a = join("mem://told"), *early = join("mem://told");
    run(50);
    for (int i = 0; i < 20; i++) post(a, "a.b", i);
    run(10000);
    EXPECT_INT(came_by(early, "mem://told"), 20);
    EXPECT_INT(came_by(early, "sync+mem://told"), 0);
    member *late = join("mem://told");
    run(10000);
    EXPECT_INT(packets(late), 20);
    EXPECT_INT(came_by(late, "sync+mem://told"), 20);
    EXPECT_INT(came_by(late, "mem://told"), 0);
    kith_link_status s;
    EXPECT_INT(kith_node_link_status(late->node, 0, &s), 0);
    EXPECT_INT(s.backfilled, 20);
    leave_all();
}

/* One wire brings all, the other half, and what is asked for again. */
static void b5_live_and_repaired_over_two_links_count_once_and_both_are_named(void) {
    static const char *const both[] = { "mem://east2", "mem://west2" }, *const bad[] = {
        "mem://east2", "fault+mem://west2?drop=50&seed=7"
    };
    member *a = join_many(both, 2, false), *b = join_many(bad, 2, false);
    run(3000);
    for (int i = 0; i < 100; i++) {
        post(a, "a.b", i);
        run(100);
    }
    run(20000);
    EXPECT_INT(b->accepted, 100);
    EXPECT_INT(packets(b), 100);
    EXPECT_INT(came_by(b, "mem://east2"), 100);
    uint64_t live = came_by(b, "fault+mem://west2");
    uint64_t repaired = came_by(b, "sync+fault+mem://west2");
    printf("# %d live, %d repaired\n", (int) live, (int) repaired);
    EXPECT(live > 20 && live < 100);
    EXPECT(repaired > 0);
    leave_all();
}

/* What sync brought over a link is not given back to it. */
static void what_sync_brought_is_relayed_to_the_other_link_alone(void) {
    static const char *const both[] = { "mem://left2", "mem://right2" };
    member *a = join("mem://left2");
    for (int i = 0; i < 20; i++) post(a, "a.left", i);
    run(10000);
    member *middle = join_many(both, 2, true), *c = join("mem://right2");
    run(20000);
    EXPECT_INT(came_by(middle, "sync+mem://left2"), 20);
    EXPECT_INT(packets(c), 20);
    kith_link_status left, right;
    EXPECT_INT(kith_node_link_status(middle->node, 0, &left), 0);
    EXPECT_INT(kith_node_link_status(middle->node, 1, &right), 0);
    EXPECT_INT(kith_node_link_status(a->node, 0, &left), 0);
    EXPECT_INT(left.duplicates, 0);
    EXPECT_INT(right.unconfirmed, 0);
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

static const test_case cases[] = {
    { "a_post_reaches_every_node", a_post_reaches_every_node },
    { "seedbug_13_a_late_joiner_sees_the_past", seedbug_13_a_late_joiner_sees_the_past },
    { "a_link_that_loses_and_repeats_loses_nothing",
        a_link_that_loses_and_repeats_loses_nothing },
    { "two_links_count_once_and_both_are_named", two_links_count_once_and_both_are_named },
    { "what_sync_brought_is_told_from_what_came_by_itself",
        what_sync_brought_is_told_from_what_came_by_itself },
    { "b5_live_and_repaired_over_two_links_count_once_and_both_are_named",
        b5_live_and_repaired_over_two_links_count_once_and_both_are_named },
    { "what_sync_brought_is_relayed_to_the_other_link_alone",
        what_sync_brought_is_relayed_to_the_other_link_alone },
    { "a_node_on_two_links_relays", a_node_on_two_links_relays },
    { "follows_only_what_it_was_told", follows_only_what_it_was_told },
    { "own_echo_is_no_twin", own_echo_is_no_twin },
    { "seedbug_23_below_the_quorum_it_says_so", seedbug_23_below_the_quorum_it_says_so },
    { "a_place_that_is_not_there_is_tried_again",
        a_place_that_is_not_there_is_tried_again },
    { "a_url_without_sense_is_an_error", a_url_without_sense_is_an_error },
};
TEST_MAIN(cases)
