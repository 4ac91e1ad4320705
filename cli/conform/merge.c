/* SPDX-License-Identifier: Apache-2.0 */
/* One state from many packets: who wins, who takes back, who lies about numbers,
 * and two carriers at once. */
#include "cli/conform/check.h"

#include <stdio.h>
#include <string.h>

static bool ask(site *s, const char *subject, kith_answer *ret, kith_evidence *rows,
    size_t rows_max, size_t *ret_rows) {
    kith_ask question = { .subject = subject, .now_us = site_now(s).wall_us };
    uint8_t template_id[KITH_TEMPLATE_SIZE], measure;
    kith_error err = { 0 };
    int r = kith_ask_store(
        s->store, &question, ret, template_id, &measure, rows, rows_max, ret_rows, &err);
    if (r != 0) {
        world_fail(s->world, "ask %s: %s: %.120s", subject, kith_error_name(r), err.text);
    }
    return r == 0;
}

/* The last word of a source is the one that is pooled. */
static void last_writer_wins(world *w) {
    site *s[4];
    for (int i = 0; i < 4; i++) {
        s[i] = site_new(w);
        GOOD(w, site_up(s[i]));
        kith_content first = leaf_of(w, "lww.x", 9, 0.25);
        kith_content last = leaf_of(w, "lww.x", 0.25 * i, 0.25);
        GOOD(w, post(s[i], &first) && post(s[i], &last));
    }
    for (int i = 0; i < 4; i++) {
        GOOD(w, until_holds(s[i], "lww.x", 8));
    }
    kith_answer a;
    size_t count = 0;
    static kith_evidence rows[16];
    GOOD(w, ask(s[0], "lww.x", &a, rows, 16, &count));
    WANT_INT(w, a.k, 4);
    for (size_t i = 0; i < count && i < 16; i++) {
        WANT(w, rows[i].left_out != NULL || rows[i].y < 1);
    }
    for (int i = 1; i < 4; i++) {
        WANT(w, digests_equal(s[0], s[i]));
    }
}

/* The older one comes last: it changes nothing. */
static void old_word_comes_late(world *w) {
    site *b = site_new(w), *c = site_new(w);
    kith_content first = leaf_of(w, "lww.late", 9, 0.25);
    kith_content last = leaf_of(w, "lww.late", 0.5, 0.25);
    kith_packet one, two;
    raw r;
    GOOD(w, seal(240, 1, 1, &first, &one) && seal(240, 1, 2, &last, &two));
    GOOD(w, site_up(b) && raw_open(w, &r));
    uint8_t alone[32], both[32];
    bool good = raw_packet(&r, &two) && raw_settle(&r) && until_holds(b, ">", 1) &&
                digest(b, alone) && raw_packet(&r, &one) && raw_settle(&r) &&
                until_holds(b, ">", 2) && digest(b, both) && site_up(c) &&
                until_holds(c, ">", 2);
    raw_close(&r);
    GOOD(w, good);
    WANT(w, memcmp(alone, both, sizeof alone) == 0);
    WANT(w, digests_equal(b, c));
}

/* A higher epoch beats any sequence of a lower one. */
static void epochs(world *w) {
    site *b = site_new(w);
    kith_content old = leaf_of(w, "lww.epoch", 9, 0.25);
    kith_content new = leaf_of(w, "lww.epoch", 0.5, 0.25);
    kith_packet one, two;
    raw r;
    GOOD(w, seal(241, 1, 1000000, &old, &one) && seal(241, 2, 0, &new, &two));
    GOOD(w, site_up(b) && raw_open(w, &r));
    bool good = raw_packet(&r, &two) && raw_packet(&r, &one) && raw_settle(&r) &&
                until_holds(b, ">", 2);
    raw_close(&r);
    GOOD(w, good);
    kith_answer a;
    size_t count = 0;
    kith_evidence rows[4];
    GOOD(w, ask(b, "lww.epoch", &a, rows, 4, &count));
    WANT_INT(w, a.k, 1);
    for (size_t i = 0; i < count && i < 4; i++) {
        WANT(w, rows[i].left_out != NULL || (rows[i].y > 0.4 && rows[i].y < 0.6));
    }
}

static void retraction(world *w) {
    site *a = site_new(w), *b = site_new(w), *late = site_new(w);
    GOOD(w, site_up(a) && site_up(b));
    kith_content kept = leaf(w, "back.kept"), c = leaf(w, "back.taken");
    GOOD(w, post(a, &kept) && until_holds(b, ">", 1));
    uint8_t before[32], after[32];
    kith_post p;
    GOOD(w, digest(b, before) && post_kept(a, &c, &p) && until_holds(b, "back.taken", 1));
    GOOD(w, take_back(a, &p.packet) && until_digest(b, before));
    GOOD(w, world_rest(w));
    kith_answer answer;
    kith_ask question = { .subject = "back.taken", .now_us = site_now(b).wall_us };
    uint8_t template_id[KITH_TEMPLATE_SIZE], measure;
    int r = kith_ask_store(
        b->store, &question, &answer, template_id, &measure, NULL, 0, NULL, NULL);
    WANT(w, r == KITH_E_MISSING || (r == 0 && answer.k == 0));
    GOOD(w, digest(b, after));
    WANT(w, memcmp(before, after, sizeof before) == 0);
    GOOD(w, site_up(late) && until_holds(late, "back.kept", 1) && until_equal(b, late));
    GOOD(w, world_rest(w));
    WANT(w, digests_equal(a, b) && digests_equal(b, late));
}

/* What comes after its own retraction stays away. */
static void retraction_first(world *w) {
    site *b = site_new(w);
    kith_content c = leaf(w, "back.late");
    kith_content gone;
    kith_packet target, taken;
    raw r;
    GOOD(w, seal(242, 1, 5, &c, &target) && kith_retraction_of(&c, NULL, &gone) == 0);
    GOOD(w, seal(242, 1, 6, &gone, &taken));
    GOOD(w, site_up(b) && raw_open(w, &r));
    uint8_t before[32], after[32];
    bool good = raw_packet(&r, &taken) && raw_settle(&r) &&
                until_holds(b, "back.late", 1) && digest(b, before) &&
                raw_packet(&r, &target) && raw_settle(&r) && world_rest(w) &&
                digest(b, after);
    raw_close(&r);
    GOOD(w, good);
    WANT(w, memcmp(before, after, sizeof before) == 0);
    /* A later word counts again: it and the retraction are what is held then. */
    kith_content again = leaf(w, "back.late");
    kith_packet p;
    GOOD(w, raw_open(w, &r));
    good = seal(242, 1, 7, &again, &p) && raw_packet(&r, &p) && raw_settle(&r) &&
           until_holds(b, "back.late", 2);
    raw_close(&r);
    GOOD(w, good);
}

/* Nobody takes back what is another's. */
static void retraction_foreign(world *w) {
    site *a = site_new(w), *b = site_new(w), *c = site_new(w);
    GOOD(w, site_up(a) && site_up(b) && site_up(c));
    kith_content content = leaf(w, "back.mine"), mark = leaf(w, "back.mark");
    kith_post p;
    GOOD(w, post_kept(a, &content, &p) && until_holds(b, ">", 1) && until_holds(c, ">", 1));
    GOOD(w, take_back(b, &p.packet) && post(b, &mark) && until_holds(c, "back.mark", 1));
    GOOD(w, world_rest(w));
    kith_answer answer;
    size_t count = 0;
    kith_evidence rows[4];
    GOOD(w, ask(c, "back.mine", &answer, rows, 4, &count));
    WANT_INT(w, answer.k, 1);
    WANT(w, digests_equal(a, c));
}

/* Two packets under one number: the first is kept, the second is proof. */
static void equivocation(world *w) {
    site *b = site_new(w), *c = site_new(w);
    kith_content one = leaf_of(w, "two.faced", 1, 0.25);
    kith_content two = leaf_of(w, "two.faced", -1, 0.25);
    kith_packet p, q;
    raw r;
    GOOD(w, seal(243, 1, 1, &one, &p) && seal(243, 1, 1, &two, &q));
    GOOD(w, site_up(b) && site_up(c) && raw_open(w, &r));
    bool good = raw_packet(&r, &p) && raw_settle(&r) && until_holds(b, ">", 1) &&
                until_holds(c, ">", 1) && raw_packet(&r, &q) && raw_settle(&r) &&
                until_refused(b, KITH_R_EQUIVOCATION, 1);
    raw_close(&r);
    GOOD(w, good);
    kith_store_stat stat;
    WANT_INT(w, kith_store_stats(b->store, &stat, NULL), 0);
    /* Nodes that compare sets show such a pair to each other: then it comes again. */
    bool again = bends(w) || (w->can & KITH_CAN_SYNC) != 0;
    WANT(w, stat.equivocations == 1 || (again && stat.equivocations > 1));
    WANT(w, holds_packet(b, &p));
    WANT_INT(w, holds(b, ">"), 1);
    world_by(w, false);
}

/* An unsigned forgery under a known number is no proof of anything. */
static void equivocation_forged(world *w) {
    site *b = site_new(w);
    kith_content one = leaf_of(w, "framed", 1, 0.25), two = leaf_of(w, "framed", -1, 0.25);
    kith_packet p, q;
    raw r;
    GOOD(w, seal(244, 1, 1, &one, &p) && seal(244, 1, 1, &two, &q));
    q.bytes[q.length - 1] ^= 1;
    GOOD(w, site_up(b) && raw_open(w, &r));
    bool good = raw_packet(&r, &p) && raw_settle(&r) && until_holds(b, ">", 1) &&
                raw_packet(&r, &q) && raw_settle(&r) &&
                until_refused(b, KITH_R_SIGNATURE, 1);
    raw_close(&r);
    GOOD(w, good);
    kith_store_stat stat;
    WANT_INT(w, kith_store_stats(b->store, &stat, NULL), 0);
    WANT_INT(w, stat.equivocations, 0);
}

/* Eight sources, each once, however often they post: k is 8, n is exact. */
static void counts_exact(world *w) {
    site *s[8];
    world_bulk(w);
    for (int i = 0; i < 8; i++) {
        s[i] = site_new(w);
        GOOD(w, site_up(s[i]));
        for (int k = 0; k <= i; k++) {
            kith_content c = leaf_of(w, "count.x", 0.5 + i / 64.0, 0.25);
            c.n = 100;
            GOOD(w, post(s[i], &c));
        }
    }
    for (int i = 0; i < 8; i++) {
        GOOD(w, until_holds(s[i], "count.x", 36));
        kith_answer a;
        size_t count = 0;
        static kith_evidence rows[64];
        GOOD(w, ask(s[i], "count.x", &a, rows, 64, &count));
        WANT_INT(w, a.k, 8);
        uint64_t n = 0;
        for (size_t k = 0; k < count && k < 64; k++) {
            n += rows[k].left_out == NULL ? rows[k].n : 0;
        }
        WANT_INT(w, n, 800);
        WANT(w, digests_equal(s[0], s[i]));
    }
}

/* ---- two carriers ---- */

/* Posts until one has come both ways: at once, or, on a wire that loses, after some
 * that came one way only and are therefore not asked for again. */
static bool post_both_ways(site *a, site *b, kith_post *ret, uint64_t *ret_count) {
    world *w = a->world;
    bool named;
    for (uint64_t count = 1; count <= 100; count++) {
        kith_content c = leaf(w, "two.ways");
        if (!post_kept(a, &c, ret) || !until_holds(b, ">", count)) {
            return false;
        }
        bool both = bends(w) ? world_rest(w) && ways_of(b, &ret->packet, "", &named) == 2
                             : until_ways(b, &ret->packet, 2);
        if (both || !bends(w)) {
            *ret_count = count;
            return both;
        }
    }
    return false;
}

static void two_carriers(world *w) {
    char bus[KITH_URL_MAX + 1];
    world_bus(w, bus);
    site *a = site_new(w), *b = site_new(w);
    for (int i = 0; i < 2; i++) {
        site_link(i == 0 ? a : b, w->url);
        site_link(i == 0 ? a : b, bus);
    }
    GOOD(w, site_up(a) && site_up(b));
    kith_post p;
    uint64_t posted = 0;
    GOOD(w, post_both_ways(a, b, &p, &posted) && world_rest(w));
    WANT_INT(w, b->accepted, posted);
    bool here = false, there = false;
    const char *end = strchr(w->url, ':');
    char scheme[64];
    snprintf(scheme, sizeof scheme, "%.*s:", (int) (end - w->url), w->url);
    WANT_INT(w, ways_of(b, &p.packet, scheme, &here), 2);
    WANT_INT(w, ways_of(b, &p.packet, "mem:", &there), 2);
    WANT(w, here && there);
    kith_answer answer;
    size_t count = 0;
    kith_evidence rows[4];
    GOOD(w, ask(b, "two.ways", &answer, rows, 4, &count));
    WANT_INT(w, answer.k, 1);
}

/* Half of the nodes here, half on mem, one on both that carries over. */
static void relay(world *w) {
    char bus[KITH_URL_MAX + 1];
    world_bulk(w);
    world_bus(w, bus);
    site *s[7];
    for (int i = 0; i < 7; i++) {
        s[i] = site_new(w);
        if (i <= 3) site_link(s[i], w->url);
        if (i >= 3) site_link(s[i], bus);
        s[i]->relay = i == 3;
        GOOD(w, site_up(s[i]));
    }
    for (int i = 0; i < 7; i++) {
        char subject[32];
        snprintf(subject, sizeof subject, "relay.s%d", i % 3);
        GOOD(w, post_many(s[i], subject, 10));
    }
    for (int i = 0; i < 7; i++) {
        GOOD(w, until_holds(s[i], ">", 70));
    }
    GOOD(w, world_rest(w));
    for (int i = 0; i < 7; i++) {
        WANT_INT(w, s[i]->accepted, 60);
        WANT(w, digests_equal(s[0], s[i]));
    }
}

static uint64_t all_posted(world *w) {
    uint64_t sum = 0;
    for (size_t i = 0; i < w->site_count; i++) {
        sum += site_posted(&w->sites[i]);
    }
    return sum;
}

/* Two relays between the same carriers do not send things in circles. */
static void relay_ring(world *w) {
    char bus[KITH_URL_MAX + 1];
    world_bulk(w);
    world_bus(w, bus);
    site *s[4];
    for (int i = 0; i < 4; i++) {
        s[i] = site_new(w);
        if (i != 3) site_link(s[i], w->url);
        if (i != 0) site_link(s[i], bus);
        s[i]->relay = i == 1 || i == 2;
        GOOD(w, site_up(s[i]));
    }
    GOOD(w, post_many(s[0], "ring.a", 20) && post_many(s[3], "ring.b", 20));
    for (int i = 0; i < 4; i++) {
        GOOD(w, until_holds(s[i], ">", 40));
    }
    GOOD(w, world_rest(w));
    for (int i = 0; i < 4; i++) {
        WANT_INT(w, s[i]->accepted, i == 0 || i == 3 ? 20 : 40);
        /* Each packet at most once by each relay, on a wire that repeats nothing. */
        WANT(w, bends(w) || site_duplicates(s[i]) <= 120);
    }
    /* What goes in circles would still be going. */
    uint64_t posted = all_posted(w);
    GOOD(w, world_rest(w));
    WANT(w, all_posted(w) - posted < 200); /* greetings, and what they fetched */
}

const check merge_checks[] = {
    { "the_last_word_of_a_source_wins", last_writer_wins, 0 },
    { "an_older_word_that_comes_late_changes_nothing", old_word_comes_late, 0 },
    { "a_higher_epoch_wins_over_any_sequence", epochs, 0 },
    { "a_retracted_packet_leaves_no_trace_in_the_state", retraction, 0 },
    { "what_comes_after_its_retraction_stays_away", retraction_first, 0 },
    { "nobody_retracts_what_is_anothers", retraction_foreign, 0 },
    { "equivocation_is_kept_as_proof_and_counts_once", equivocation, 0 },
    { "a_forgery_is_no_proof_of_equivocation", equivocation_forged, 0 },
    { "counts_are_exact_however_often_a_source_posts", counts_exact, 0 },
    { "two_carriers_count_once_and_both_ways_are_named", two_carriers, 0 },
    { "half_here_half_on_mem_one_relay_one_digest", relay, 0 },
    { "two_relays_send_nothing_in_circles", relay_ring, 0 },
    { NULL, NULL, 0 },
};
