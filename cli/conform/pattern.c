/* SPDX-License-Identifier: Apache-2.0 */
/* One meaning of a pattern, whatever the carrier can match by itself. */
#include "cli/conform/check.h"

#include <stdio.h>
#include <string.h>

static const char *const posts[] = { "iot.hvac", "iot.hvac.energy-anomaly", "iot.hvac.a.b",
    "iot.hvacuum.leak", "iot.hvac-2.x", "iot.hvac_2.x", "iot.hvac0" };
enum {
    POSTS = sizeof posts / sizeof *posts
};

typedef struct row {
    const char *pattern;
    uint8_t got[POSTS]; /* which of posts */
} row;
static const row rows[] = {
    { "iot.hvac", { 1, 0, 0, 0, 0, 0, 0 } },
    { "iot.hvac.>", { 0, 1, 1, 0, 0, 0, 0 } },
    { "iot.hvac.*", { 0, 1, 0, 0, 0, 0, 0 } },
    { "iot.*", { 1, 0, 0, 0, 0, 0, 1 } },
    { "iot.*.x", { 0, 0, 0, 0, 1, 1, 0 } },
    { "iot.*.*.b", { 0, 0, 1, 0, 0, 0, 0 } },
    { "*.hvac.>", { 0, 1, 1, 0, 0, 0, 0 } },
    { "iot.>", { 1, 1, 1, 1, 1, 1, 1 } },
    { ">", { 1, 1, 1, 1, 1, 1, 1 } },
};

static bool post_all(site *a) {
    for (size_t i = 0; i < POSTS; i++) {
        kith_content c = leaf(a->world, posts[i]);
        if (!post(a, &c)) {
            return false;
        }
    }
    return true;
}

static void table_row(world *w) {
    const row *r = &rows[w->arg];
    site *a = site_new(w), *b = site_new(w), *all = site_new(w);
    site_follow(b, r->pattern);
    GOOD(w, site_up(a) && site_up(b) && site_up(all) && post_all(a));
    uint64_t count = 0;
    for (size_t i = 0; i < POSTS; i++) {
        count += r->got[i];
    }
    GOOD(w, until_holds(all, ">", POSTS) && until_holds(b, ">", count) && world_rest(w));
    for (size_t i = 0; i < POSTS; i++) {
        WANT_INT(w, holds(b, posts[i]), r->got[i]);
    }
    WANT_INT(w, b->accepted, count);
    world_by(w, site_filtered(b) == 0);
}

/* A pattern that does not spell the underscore does not see control traffic. */
static void control(world *w) {
    static const char *const patterns[] = { ">", "*.iot", "_ops.>", "_ops.iot" };
    site *a = site_new(w), *b = site_new(w), *all = site_new(w);
    site_follow(b, patterns[w->arg]);
    site_follow(all, "_ops.*");
    kith_content c = leaf(w, "_ops.iot"), mark = leaf(w, "ops.mark");
    site_follow(b, "ops.mark");
    GOOD(w, site_up(a) && site_up(b) && site_up(all) && post(a, &c) && post(a, &mark));
    GOOD(w, until_holds(all, "_ops.iot", 1) && until_holds(b, "ops.mark", 1));
    GOOD(w, world_rest(w));
    WANT_INT(w, holds(b, "_ops.iot"), w->arg >= 2);
}

static const char *const no_patterns[] = { "a.>.b", ">.a", "a*", "*a", "a..b", ".a", "a.",
    "", "A.b", "a.+", "a.#", "a b", "a/b", "a.%", "1.2.3.4.5.6.7.8.9", "a.>>", "\xc3\xa4.b",
    "a.\n" };
static const char *const no_subjects[] = { "a.*", ">", "a.>", "a..b", ".a", "a.", "", "A.b",
    "a.+", "a.#", "a b", "a/b", "a.%", "1.2.3.4.5.6.7.8.9", "\xc3\xa4.b", "a\r\nb" };
#define COUNT(list) (sizeof(list) / sizeof *(list))

static const char *too_long(void) {
    static char text[KITH_SUBJECT_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    return text;
}

static void patterns_refused_by_link(world *w) {
    raw r;
    GOOD(w, raw_open(w, &r));
    for (size_t i = 0; i <= COUNT(no_patterns) && !w->failed; i++) {
        const char *p = i < COUNT(no_patterns) ? no_patterns[i] : too_long();
        int code = kith_link_follow(r.link, p);
        if (code != KITH_E_ARG) {
            world_fail(w, "follow \"%.40s\" gave %d", p, code);
        }
    }
    raw_close(&r);
}

static void patterns_refused_by_node(world *w) {
    site *s = site_new(w);
    GOOD(w, site_up(s));
    for (size_t i = 0; i <= COUNT(no_patterns); i++) {
        const char *p = i < COUNT(no_patterns) ? no_patterns[i] : too_long();
        kith_error err = { 0 };
        if (kith_node_follow(s->node, p, &err) >= 0 || err.text[0] == '\0') {
            world_fail(w, "follow \"%.40s\" was not refused in words", p);
            return;
        }
    }
}

static void subjects_refused_by_link(world *w) {
    raw r;
    GOOD(w, raw_open(w, &r));
    for (size_t i = 0; i < COUNT(no_subjects) && !w->failed; i++) {
        int code = raw_post(&r, no_subjects[i], "x", 1);
        if (code != KITH_E_ARG) {
            world_fail(w, "post to \"%.40s\" gave %d", no_subjects[i], code);
        }
    }
    kith_counters c = { 0 };
    kith_link_counters(r.link, &c);
    raw_close(&r);
    WANT_INT(w, c.posted, 0);
}

static void subjects_refused_by_store(world *w) {
    site *s = site_new(w);
    GOOD(w, site_up(s));
    for (size_t i = 0; i < COUNT(no_subjects); i++) {
        kith_post p = { .content = leaf(w, no_subjects[i]) };
        int r = kith_store_post(s->store, s->key, &p, 1, site_now(s), NULL);
        if (r >= 0 && p.result != KITH_R_SUBJECT) {
            world_fail(w, "post to \"%.40s\" gave %d", no_subjects[i], p.result);
            return;
        }
    }
    WANT_INT(w, holds(s, ">"), 0);
}

static void follow_twice(world *w) {
    site *a = site_new(w), *b = site_new(w);
    site_follow(b, "twice.mark");
    GOOD(w, site_up(a) && site_up(b));
    WANT_INT(w, kith_node_follow(b->node, "twice.>", NULL), 0);
    WANT_INT(w, kith_node_follow(b->node, "twice.>", NULL), 0);
    WANT_INT(w, kith_node_unfollow(b->node, "twice.>", NULL), 0);
    kith_content c = leaf(w, "twice.a");
    GOOD(w, post(a, &c) && until_holds(b, "twice.a", 1) && world_rest(w));
    WANT_INT(w, b->accepted, 1);
}

static void unfollow(world *w) {
    site *a = site_new(w), *b = site_new(w);
    site_follow(b, "left.mark");
    GOOD(w, site_up(a) && site_up(b));
    WANT_INT(w, kith_node_follow(b->node, "left.a", NULL), 0);
    kith_content c = leaf(w, "left.a");
    GOOD(w, post(a, &c) && until_holds(b, "left.a", 1));
    WANT_INT(w, kith_node_unfollow(b->node, "left.a", NULL), 0);
    WANT_INT(w, kith_node_unfollow(b->node, "left.a", NULL), KITH_E_MISSING);
    kith_content again = leaf(w, "left.a"), mark = leaf(w, "left.mark");
    GOOD(w, post(a, &again) && post(a, &mark));
    GOOD(w, until_holds(b, "left.mark", 1) && world_rest(w));
    WANT_INT(w, holds(b, "left.a"), 1);
}

/* Following later brings what was posted before: the past belongs to a pattern. */
static void follow_later(world *w) {
    site *a = site_new(w), *b = site_new(w);
    site_follow(b, "now.mark");
    kith_content c = leaf(w, "later.a"), mark = leaf(w, "now.mark");
    GOOD(w, site_up(a) && site_up(b) && post(a, &c) && post(a, &mark));
    GOOD(w, until_holds(b, "now.mark", 1) && world_rest(w));
    WANT_INT(w, holds(b, ">"), 1);
    WANT_INT(w, kith_node_follow(b->node, "later.>", NULL), 0);
    GOOD(w, until_holds(b, "later.a", 1));
    world_by(w, site_backfilled(b) == 0);
}

static void overlap(world *w) {
    site *a = site_new(w), *b = site_new(w);
    site_follow(b, "iot.>");
    site_follow(b, "iot.hvac.*");
    site_follow(b, "*.hvac.energy-anomaly");
    GOOD(w, site_up(a) && site_up(b) && post_all(a));
    GOOD(w, until_holds(b, ">", POSTS) && world_rest(w));
    WANT_INT(w, b->accepted, POSTS);
}

static void prefix_trick(world *w) {
    static const char *const near[] = { "clinicalx", "clinical-trial", "clinical.trial",
        "clinica", "a.clinical", "clinical_" };
    site *a = site_new(w), *b = site_new(w), *all = site_new(w);
    site_follow(b, "clinical");
    GOOD(w, site_up(a) && site_up(b) && site_up(all));
    for (size_t i = 0; i < COUNT(near); i++) {
        kith_content c = leaf(w, near[i]);
        GOOD(w, post(a, &c));
    }
    kith_content c = leaf(w, "clinical");
    GOOD(w, post(a, &c) && until_holds(all, ">", COUNT(near) + 1));
    GOOD(w, until_holds(b, "clinical", 1) && world_rest(w));
    WANT_INT(w, b->accepted, 1);
    world_by(w, site_filtered(b) == 0);
}

const check pattern_checks[] = {
    { "pattern_iot.hvac_is_itself", table_row, 0 },
    { "pattern_iot.hvac.>_is_what_is_below", table_row, 1 },
    { "pattern_iot.hvac.*_is_one_token_below", table_row, 2 },
    { "pattern_iot.*_is_two_tokens", table_row, 3 },
    { "pattern_iot.*.x_has_a_token_between", table_row, 4 },
    { "pattern_iot.*.*.b_has_two_tokens_between", table_row, 5 },
    { "pattern_*.hvac.>_begins_with_any_token", table_row, 6 },
    { "pattern_iot.>_is_all_of_iot", table_row, 7 },
    { "pattern_>_is_everything", table_row, 8 },
    { "pattern_>_hides_control_traffic", control, 0 },
    { "pattern_*_hides_control_traffic", control, 1 },
    { "pattern__ops.>_spells_control_traffic", control, 2 },
    { "pattern__ops.iot_spells_control_traffic", control, 3 },
    { "19_malformed_patterns_are_refused_by_the_link", patterns_refused_by_link, 0 },
    { "19_malformed_patterns_are_refused_by_the_node", patterns_refused_by_node, 0 },
    { "16_malformed_subjects_are_refused_by_the_link", subjects_refused_by_link, 0 },
    { "16_malformed_subjects_are_refused_by_the_store", subjects_refused_by_store, 0 },
    { "followed_twice_unfollowed_once_is_followed_once", follow_twice, 0 },
    { "after_unfollow_nothing_more_comes", unfollow, 0 },
    { "following_later_brings_the_past", follow_later, 0 },
    { "overlapping_patterns_bring_each_packet_once", overlap, 0 },
    { "clinical_brings_no_clinicalx", prefix_trick, 0 },
    { NULL, NULL, 0 },
};
