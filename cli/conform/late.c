/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever was not there when it was posted: late joiners, and those who were away. */
#include "cli/conform/check.h"

#include <stdio.h>
#include <string.h>

#define PAST 100

static void joiner_sees_past(world *w) {
    site *a = site_new(w), *b = site_new(w);
    world_bulk(w);
    GOOD(w, site_up(a) && post_many(a, "late.past", PAST) && until_sent(a));
    GOOD(w, world_rest(w) && site_up(b) && until_holds(b, ">", PAST));
    WANT(w, digests_equal(a, b));
    world_by(w, site_backfilled(b) == 0);
}

/* The one who posted has gone; what it posted has not, where the carrier keeps a
 * history, or a third node was there. */
static void joiner_after_poster_left(world *w) {
    site *a = site_new(w), *witness = site_new(w), *b = site_new(w);
    world_bulk(w);
    GOOD(w, site_up(a) && site_up(witness) && post_many(a, "late.gone", PAST));
    GOOD(w, until_sent(a) && until_holds(witness, ">", PAST));
    site_down(a);
    GOOD(w, site_up(b) && until_holds(b, ">", PAST));
    world_by(w, site_backfilled(b) == 0);
}

/* What a link that begins where arg says reads of ten old posts and a new one. */
static void read_some(world *w, raw *out, raw *in, int *ret_old, int *ret_fresh) {
    kith_item item;
    uint8_t bytes[4] = { 99 };
    bool good = true;
    if (w->arg == KITH_FROM_NOW) {
        /* The link must have come to its now before the next post is made. */
        good = !raw_pull(in, &item) && raw_post(out, "late.link", bytes, sizeof bytes) == 0;
    }
    int want = w->arg == KITH_FROM_NOW ? 1 : 10;
    for (int i = 0; i < want && good; i++) {
        good = raw_wait(in, &item);
        *ret_old += good && item.bytes[0] < 10;
        *ret_fresh += good && item.bytes[0] == 99;
    }
}

/* arg: where a link begins to read. */
static void link_reads_from(world *w) {
    if ((w->can & KITH_CAN_REPLAY) == 0) {
        world_skip(w, "the carrier keeps no history; nodes fill each other");
        return;
    }
    raw out, in;
    GOOD(w, raw_open(w, &out));
    uint8_t bytes[4] = { 0 };
    bool good = true;
    for (uint8_t i = 0; i < 10 && good; i++) {
        bytes[0] = i;
        good = raw_post(&out, "late.link", bytes, sizeof bytes) == 0;
    }
    good = good && raw_settle(&out) && raw_open(w, &in);
    if (!good) {
        raw_close(&out);
        world_fail(w, "posts did not settle");
        return;
    }
    kith_position from = { .kind = (uint8_t) w->arg };
    good = kith_link_follow(in.link, "late.link") == 0;
    int code = kith_link_rewind(in.link, &from);
    if (code == KITH_E_NOTSUP) {
        raw_close(&in);
        raw_close(&out);
        world_skip(w, "the carrier's history has no such order; nodes read it whole");
        return;
    }
    int old = 0, fresh = 0;
    if (good && code == 0) {
        read_some(w, &out, &in, &old, &fresh);
    }
    raw_close(&in);
    raw_close(&out);
    WANT_INT(w, old, w->arg == KITH_FROM_NOW ? 0 : 10);
    WANT_INT(w, fresh, w->arg == KITH_FROM_NOW);
    world_by(w, true);
}

static bool all_seen(const bool seen[10]) {
    int count = 0;
    for (int i = 0; i < 10; i++) {
        count += seen[i];
    }
    return count == 10;
}

/* Opens a link at that place and notes what comes, and what came before. */
static bool read_on(world *w, const kith_position *at, bool seen[10], int *ret_again) {
    raw in;
    kith_item item;
    if (!raw_open(w, &in)) {
        return false;
    }
    bool good =
        kith_link_follow(in.link, "late.resume") == 0 && kith_link_rewind(in.link, at) == 0;
    while (good && (all_seen(seen) ? raw_pull(&in, &item) : raw_wait(&in, &item))) {
        *ret_again += item.bytes[0] < 10 && seen[item.bytes[0]];
        seen[item.bytes[0] < 10 ? item.bytes[0] : 0] = true;
    }
    raw_close(&in);
    return good;
}

/* A link that acked some goes on behind them after it was closed. */
static void link_resumes(world *w) {
    if ((w->can & KITH_CAN_DURABLE) == 0) {
        world_skip(w, "the carrier keeps no place; the inbox knows what it has");
        return;
    }
    raw out, in;
    GOOD(w, raw_open(w, &out));
    uint8_t bytes[4] = { 0 };
    bool good = raw_open(w, &in), kept = false;
    if (!good) {
        raw_close(&out);
        return;
    }
    kith_position from = { .kind = KITH_FROM_START }, at = { 0 };
    good = kith_link_follow(in.link, "late.resume") == 0 &&
           kith_link_rewind(in.link, &from) == 0;
    for (uint8_t i = 0; i < 10 && good; i++) {
        bytes[0] = i;
        good = raw_post(&out, "late.resume", bytes, sizeof bytes) == 0;
    }
    good = good && raw_settle(&out);
    kith_item item;
    bool seen[10] = { false };
    for (int i = 0; i < 6 && good; i++) {
        good = raw_wait(&in, &item) && item.bytes[0] < 10;
        seen[good ? item.bytes[0] : 0] = true;
        kith_link_ack(in.link, item.token);
    }
    kept = good && kith_link_cursor(in.link, &at);
    raw_close(&in);
    int again = 0, missing = 0;
    good = kept && read_on(w, &at, seen, &again);
    for (int i = 0; i < 10; i++) {
        missing += !seen[i];
    }
    raw_close(&out);
    WANT(w, good && kept);
    WANT_INT(w, missing, 0);
    WANT_INT(w, again, 0);
    world_by(w, true);
}

/* The same node comes back and gets exactly what is new. */
static void reader_offline(world *w) {
    size_t count = w->slow ? 3000 : 150;
    site *a = site_new(w), *b = site_new(w);
    world_bulk(w);
    GOOD(w, site_up(a) && site_up(b) && post_many(a, "off.reader", 20));
    GOOD(w, until_holds(b, ">", 20) && world_rest(w));
    site_down(b);
    GOOD(w, post_many(a, "off.reader", count) && until_sent(a) && world_rest(w));
    b->accepted = 0;
    GOOD(w, site_up(b) && until_holds(b, ">", 20 + count) && world_rest(w));
    WANT_INT(w, b->accepted, count);
    WANT(w, digests_equal(a, b));
    world_by(w, site_backfilled(b) == 0 && site_duplicates(b) == 0);
}

/* Posted without any link: ok means on disk here, and it goes out later. */
static void poster_offline(world *w) {
    size_t count = w->slow ? 500 : 100;
    site *a = site_new(w), *b = site_new(w);
    world_bulk(w); /* the store's disk is the matter here */
    site_on_disk(a);
    GOOD(w, site_up(a) && site_up(b) && post_many(a, "off.poster", 5));
    GOOD(w, until_holds(b, ">", 5));
    site_down(a);
    GOOD(w, post_many(a, "off.poster", count) && world_rest(w));
    WANT_INT(w, holds(b, ">"), 5);
    GOOD(w, site_up(a) && until_holds(b, ">", 5 + count) && world_rest(w));
    WANT_INT(w, b->accepted, 5 + count);
    world_by(w, site_backfilled(b) == 0);
}

/* Ten comings and goings of both; nothing is lost between them. */
static void both_come_and_go(world *w) {
    site *a = site_new(w), *b = site_new(w);
    uint64_t count = 0;
    world_bulk(w);
    for (int i = 0; i < 10; i++) {
        bool up_a = i % 3 != 1, up_b = i % 2 == 0;
        GOOD(w, !up_a || site_up(a));
        GOOD(w, !up_b || site_up(b));
        if (a->store != NULL) {
            GOOD(w, post_many(a, "off.both", 7));
            count += 7;
        }
        for (int turn = 0; turn < 20; turn++) {
            WANT(w, world_turn(w) >= 0);
        }
        site_down(a);
        site_down(b);
    }
    GOOD(w, site_up(a) && site_up(b) && until_holds(b, ">", count) && world_rest(w));
    WANT_INT(w, b->accepted, count);
    WANT(w, digests_equal(a, b));
}

/* What came as an outage while posts went on arrives after it. */
static void carrier_cut(world *w) {
    size_t count = w->slow ? 500 : 100;
    site *a = site_new(w), *b = site_new(w);
    GOOD(w, site_up(a) && site_up(b) && post_many(a, "cut.a", 3) && until_holds(b, ">", 3));
    if (!world_cut(w)) {
        world_skip(w, "nothing to pull out of this carrier; see fault+");
        return;
    }
    bool good = true;
    for (int i = 0; i < 60 && good; i++) {
        good = world_turn(w) >= 0;
    }
    good = good && post_many(a, "cut.a", count);
    for (int i = 0; i < 60 && good; i++) {
        good = world_turn(w) >= 0;
    }
    WANT(w, world_heal(w) && good);
    GOOD(w, until_holds(b, ">", 3 + count) && world_rest(w));
    WANT_INT(w, b->accepted, 3 + count);
    WANT(w, digests_equal(a, b));
    world_by(w, false);
}

static void carrier_flaps(world *w) {
    site *a = site_new(w), *b = site_new(w);
    world_bulk(w);
    GOOD(w, site_up(a) && site_up(b));
    for (int i = 0; i < 5; i++) {
        if (!world_cut(w)) {
            world_skip(w, "nothing to pull out of this carrier; see fault+");
            return;
        }
        bool good = post_many(a, "cut.flap", 9);
        for (int turn = 0; turn < 15 && good; turn++) {
            good = world_turn(w) >= 0;
        }
        WANT(w, world_heal(w) && good);
        GOOD(w, post_many(a, "cut.flap", 9));
        for (int turn = 0; turn < 15; turn++) {
            WANT(w, world_turn(w) >= 0);
        }
    }
    GOOD(w, until_holds(b, ">", 90) && world_rest(w));
    WANT_INT(w, b->accepted, 90);
    world_by(w, false);
}

/* Both halves post while they cannot see each other, then they can. */
static void partition(world *w) {
    site *a = site_new(w), *b = site_new(w), *c = site_new(w);
    world_bulk(w);
    GOOD(w, site_up(a) && site_up(b) && site_up(c));
    if (!world_cut(w)) {
        site_down(b); /* the other half is away, and posts all the same */
    }
    GOOD(w, post_many(a, "part.a", 20) && post_many(b, "part.b", 20));
    GOOD(w, post_many(c, "part.a", 20));
    for (int turn = 0; turn < 20; turn++) {
        WANT(w, world_turn(w) >= 0);
    }
    if (!world_heal(w)) {
        GOOD(w, site_up(b));
    }
    GOOD(w, until_holds(a, ">", 60) && until_holds(b, ">", 60) && until_holds(c, ">", 60));
    WANT(w, digests_equal(a, b) && digests_equal(b, c));
}

const check late_checks[] = {
    { "late_joiner_sees_the_past", joiner_sees_past, 0 },
    { "late_joiner_sees_the_past_when_its_poster_has_left", joiner_after_poster_left, 0 },
    { "a_link_reads_from_the_start", link_reads_from, KITH_FROM_START },
    { "a_link_reads_from_a_time", link_reads_from, KITH_FROM_TIME },
    { "a_link_reads_from_now", link_reads_from, KITH_FROM_NOW },
    { "a_link_resumes_at_its_cursor", link_resumes, 0 },
    { "reader_offline_gets_exactly_what_is_new", reader_offline, 0 },
    { "posts_made_offline_arrive_later", poster_offline, 0 },
    { "both_sides_come_and_go_and_nothing_is_lost", both_come_and_go, 0 },
    { "carrier_cut_for_a_while_loses_nothing", carrier_cut, 0 },
    { "carrier_that_flaps_loses_nothing", carrier_flaps, 0 },
    { "two_halves_that_met_again_agree", partition, 0 },
    { NULL, NULL, 0 },
};
