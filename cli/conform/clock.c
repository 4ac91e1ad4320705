/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks that are wrong, and packets whose time is over. */
#include "cli/conform/check.h"

#include <stdio.h>
#include <string.h>

/* Injects a leaf whose t_end is `ahead` of everybody's clock. */
static bool inject(
    raw *r, const char *subject, int64_t ahead, uint32_t ttl_s, uint64_t seq) {
    kith_content c = leaf(r->world, subject);
    kith_packet p;
    c.t_end_us = r->world->now.wall_us + ahead;
    c.ttl_s = ttl_s;
    return seal(230, 1, seq, &c, &p) && raw_packet(r, &p) && raw_settle(r);
}

/* arg: seconds that the poster's clock is ahead. Over 60 is refused, never late. */
static void skewed(world *w) {
    bool future = w->arg > 60, past = w->arg < -(int) WEEK_S;
    site *b = site_new(w);
    raw r;
    GOOD(w, site_up(b) && raw_open(w, &r));
    bool good = inject(&r, "clock.skew", w->arg * SECOND_US, WEEK_S, 1) &&
                (future    ? until_refused(b, KITH_R_FUTURE, 1)
                    : past ? until_refused(b, KITH_R_EXPIRED, 1)
                           : until_holds(b, "clock.skew", 1));
    /* Nobody's clock was moved by it. */
    good = good && inject(&r, "clock.right", 0, WEEK_S, 2) &&
           until_holds(b, "clock.right", 1) && world_rest(w);
    raw_close(&r);
    GOOD(w, good);
    WANT_INT(w, holds(b, "clock.skew"), !future && !past);
}

/* The whole node is off, its posts too; the receivers judge by their own time. */
static void node_off(world *w) {
    site *a = site_new(w), *b = site_new(w);
    a->skew_us = w->arg * YEAR_US;
    GOOD(w, site_up(a) && site_up(b));
    kith_content mine = leaf(w, "off.mine");
    mine.t_end_us = site_now(a).wall_us - SECOND_US;
    /* A post may be born expired by the clock of others, not by its own. */
    GOOD(w, post(a, &mine) && post_many(b, "off.yours", 2));
    GOOD(w, until_refused(b, w->arg > 0 ? KITH_R_FUTURE : KITH_R_EXPIRED, 1));
    GOOD(w, world_rest(w));
    WANT_INT(w, holds(b, "off.mine"), 0);
    WANT_INT(w, holds(b, "off.yours"), 2);
    WANT_INT(w, holds(a, "off.yours"), 0);
    /* Its clock is set right, and it takes part like everybody. */
    a->skew_us = 0;
    site_down(a);
    GOOD(w, site_up(a) && post_many(a, "off.again", 1) && until_holds(b, "off.again", 1));
    GOOD(w, post_many(b, "off.new", 2) && until_holds(a, "off.new", 2));
}

/* Order is by sequence, never by anybody's time. */
static void order_by_sequence(world *w) {
    site *b = site_new(w);
    raw r;
    GOOD(w, site_up(b) && raw_open(w, &r));
    bool good = inject(&r, "clock.order", -10 * SECOND_US, WEEK_S, 7);
    kith_content newer = leaf_of(w, "clock.order", 0.5, 0.0625);
    kith_packet p;
    newer.t_end_us = w->now.wall_us - HOUR_US; /* later number, earlier time */
    good = good && seal(230, 1, 8, &newer, &p) && raw_packet(&r, &p) && raw_settle(&r) &&
           until_holds(b, "clock.order", 2);
    raw_close(&r);
    GOOD(w, good);
    kith_ask ask = { .subject = "clock.order", .now_us = site_now(b).wall_us };
    kith_answer answer;
    uint8_t template_id[KITH_TEMPLATE_SIZE], measure;
    static kith_evidence rows[8];
    size_t count = 0;
    kith_error err = { 0 };
    WANT_INT(w,
        kith_ask_store(
            b->store, &ask, &answer, template_id, &measure, rows, 8, &count, &err),
        0);
    WANT_INT(w, answer.k, 1);
    size_t pooled = 0;
    for (size_t i = 0; i < count && i < 8; i++) {
        if (rows[i].left_out == NULL) {
            pooled++;
            WANT(w, rows[i].y > 0.499 && rows[i].y < 0.501);
        }
    }
    WANT_INT(w, pooled, 1);
}

/* arg: seconds to live. Expired packets are neither delivered late nor pooled. */
static void expiry(world *w) {
    site *a = site_new(w), *b = site_new(w), *late = site_new(w);
    GOOD(w, site_up(a) && site_up(b));
    kith_content c = leaf(w, "ttl.short"), live = leaf(w, "ttl.long");
    c.ttl_s = (uint32_t) w->arg;
    c.t_end_us = w->now.wall_us + 30 * SECOND_US; /* a margin for the waiting below */
    GOOD(w, post(a, &c) && post(a, &live));
    GOOD(w, until_holds(b, "ttl.short", 1) && until_holds(b, "ttl.long", 1));
    uint8_t before[32], after[32];
    GOOD(w, digest(b, before));
    world_jump(w, (w->arg + 61) * SECOND_US);
    WANT_INT(w, holds(b, "ttl.short"), 0);
    WANT_INT(w, holds(b, "ttl.long"), 1);
    GOOD(w, digest(b, after) && digests_equal(a, b));
    WANT(w, memcmp(before, after, sizeof before) != 0);
    /* Whoever comes now gets the living only, whatever the carrier still has. */
    GOOD(w, site_up(late) && until_holds(late, "ttl.long", 1) && world_rest(w));
    WANT_INT(w, holds(late, ">"), 1);
    WANT_INT(w, late->accepted, 1);
    WANT(w, digests_equal(b, late));
    world_by(w, site_refused(late, KITH_R_EXPIRED) == 0 && (w->can & KITH_CAN_TTL) != 0);
}

/* Delivered after its time: refused, counted, never pooled. */
static void expired_on_the_way(world *w) {
    site *b = site_new(w);
    raw r;
    GOOD(w, raw_open(w, &r));
    bool good = inject(&r, "ttl.late", -61 * SECOND_US, 60, 1) && site_up(b) &&
                inject(&r, "ttl.late", -61 * SECOND_US, 60, 2) &&
                inject(&r, "ttl.fine", -61 * SECOND_US, 3600, 3) &&
                until_holds(b, "ttl.fine", 1) && until_refused(b, KITH_R_EXPIRED, 1) &&
                world_rest(w);
    raw_close(&r);
    GOOD(w, good);
    WANT_INT(w, holds(b, "ttl.late"), 0);
    world_by(w, false);
}

/* A source that goes on after its first packets expired is not cut off. */
static void renewed(world *w) {
    site *a = site_new(w), *b = site_new(w);
    GOOD(w, site_up(a) && site_up(b));
    for (int i = 0; i < 4; i++) {
        kith_content c = leaf(w, "ttl.renewed");
        c.ttl_s = 3600;
        GOOD(w, post(a, &c) && until_holds(b, "ttl.renewed", 1) && world_rest(w));
        world_jump(w, 2 * HOUR_US);
        WANT_INT(w, holds(b, "ttl.renewed"), 0);
    }
    WANT_INT(w, b->accepted, 4);
}

#define TEN_YEARS 315569520

const check clock_checks[] = {
    { "a_packet_ten_years_ahead_is_refused", skewed, TEN_YEARS },
    { "a_packet_61_seconds_ahead_is_refused", skewed, 61 },
    { "a_packet_59_seconds_ahead_is_taken", skewed, 59 },
    { "a_packet_5_seconds_ahead_is_taken", skewed, 5 },
    { "a_packet_5_seconds_behind_is_taken", skewed, -5 },
    { "a_packet_ten_years_behind_is_expired", skewed, -TEN_YEARS },
    { "a_node_ten_years_ahead_harms_nobody", node_off, 10 },
    { "a_node_ten_years_behind_harms_nobody", node_off, -10 },
    { "order_is_by_sequence_not_by_time", order_by_sequence, 0 },
    { "a_packet_of_60_seconds_expires_everywhere", expiry, 60 },
    { "a_packet_of_an_hour_expires_everywhere", expiry, 3600 },
    { "a_packet_that_expired_on_the_way_is_refused", expired_on_the_way, 0 },
    { "a_source_goes_on_after_its_packets_expired", renewed, 0 },
    { NULL, NULL, 0 },
};
