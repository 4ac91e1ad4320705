/* SPDX-License-Identifier: Apache-2.0 */
/* Once each, in any order, however many post and read. */
#include "cli/conform/check.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

static uint64_t roll(uint64_t *dice) {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    return *dice;
}

static void two_readers(world *w) {
    site *a = site_new(w), *b = site_new(w), *c = site_new(w);
    world_bulk(w);
    GOOD(w, site_up(a) && site_up(b) && site_up(c) && post_many(a, "two.readers", 50));
    GOOD(w, until_holds(b, ">", 50) && until_holds(c, ">", 50));
    WANT(w, digests_equal(a, b) && digests_equal(b, c));
    world_by(w, site_backfilled(b) + site_backfilled(c) == 0);
}

/* Eight post, three read by overlapping patterns; everyone its exact set. */
static void many(world *w) {
    size_t each = w->slow ? 1250 : 40;
    site *readers[3], *posters[8];
    static const char *const patterns[] = { "many.>", "many.*.even", "many.p1.>" };
    world_bulk(w);
    for (int i = 0; i < 3; i++) {
        readers[i] = site_new(w);
        site_follow(readers[i], patterns[i]);
        GOOD(w, site_up(readers[i]));
    }
    for (int i = 0; i < 8; i++) {
        posters[i] = site_new(w);
        GOOD(w, site_up(posters[i]));
    }
    for (size_t k = 0; k < each; k += 10) {
        for (int i = 0; i < 8; i++) {
            char subject[32];
            snprintf(subject, sizeof subject, "many.p%d.%s", i % 4,
                k / 10 % 2 == 0 ? "even" : "odd");
            GOOD(w, post_many(posters[i], subject, 10));
        }
        WANT(w, world_turn(w) >= 0);
    }
    GOOD(w, until_holds(readers[0], ">", 8 * each));
    GOOD(w, until_holds(readers[1], ">", 8 * ((each / 10 + 1) / 2 * 10)));
    GOOD(w, until_holds(readers[2], ">", 2 * each) && world_rest(w));
    for (int i = 0; i < 3; i++) {
        WANT_INT(w, readers[i]->accepted, holds(readers[i], ">"));
    }
    world_by(w, site_filtered(readers[1]) + site_filtered(readers[2]) == 0);
}

/* Everyone posts and reads; a node never takes its own echo for a twin. */
static void echo(world *w) {
    site *s[4];
    world_bulk(w);
    for (int i = 0; i < 4; i++) {
        s[i] = site_new(w);
        GOOD(w, site_up(s[i]) && post_many(s[i], "echo.all", 10));
    }
    for (int i = 0; i < 4; i++) {
        GOOD(w, until_holds(s[i], ">", 40));
    }
    GOOD(w, world_rest(w));
    for (int i = 0; i < 4; i++) {
        WANT_INT(w, s[i]->accepted, 30);
        kith_store_stat stat;
        WANT_INT(w, kith_store_stats(s[i]->store, &stat, NULL), 0);
        WANT_INT(w, stat.own, 10);
        WANT_INT(w, stat.foreign, 30);
    }
}

/* First copies of one poster's packets in the order posted, where promised. */
static void order(world *w) {
    if ((w->can & KITH_CAN_ORDER) == 0) {
        world_skip(w, "the carrier promises no order; nothing of ours needs one");
        return;
    }
    raw out, in;
    GOOD(w, raw_open(w, &out));
    if (!raw_open(w, &in)) {
        raw_close(&out);
        return;
    }
    bool good = kith_link_follow(in.link, "in.order") == 0;
    for (uint8_t i = 0; i < 200 && good; i++) {
        uint8_t bytes[2] = { i, 1 };
        good = raw_post(&out, "in.order", bytes, sizeof bytes) == 0;
    }
    kith_item item;
    int last = -1;
    for (int i = 0; i < 200 && good; i++) {
        good = raw_wait(&in, &item) && item.bytes[0] > last;
        last = item.bytes[0];
    }
    raw_close(&in);
    raw_close(&out);
    WANT_INT(w, last, 199);
    GOOD(w, good);
    world_by(w, true);
}

/* One packet a thousand times, then again after a day, then from its own node. */
static void duplicates(world *w) {
    int times = 1000;
    world_bulk(w);
    site *b = site_new(w), *c = site_new(w);
    raw r;
    kith_content content = leaf(w, "dup.one");
    kith_packet packet;
    GOOD(w, seal(200, 1, 1, &content, &packet) && site_up(b) && site_up(c));
    GOOD(w, raw_open(w, &r));
    bool good = true;
    for (int i = 0; i < times && good; i++) {
        good = raw_packet(&r, &packet);
        if (i % 50 == 0) {
            good = good && world_turn(w) >= 0;
        }
    }
    good = good && until_holds(b, ">", 1) && world_rest(w);
    world_jump(w, 24 * HOUR_US);
    good = good && raw_packet(&r, &packet) && raw_settle(&r) && world_rest(w);
    raw_close(&r);
    GOOD(w, good);
    WANT_INT(w, b->accepted, 1);
    WANT_INT(w, c->accepted, 1);
    WANT_INT(w, holds(b, ">"), 1);
    WANT(w, digests_equal(b, c));
    world_by(w, site_duplicates(b) == 0);
}

/* The same again, through any door: the medium keeps it once. */
static void deduped(world *w) {
    world_bulk(w);
    if ((w->can & KITH_CAN_DEDUPE) == 0) {
        world_skip(w, "the carrier does not promise it; the inbox counts once");
        return;
    }
    kith_content content = leaf(w, "dup.kept");
    kith_packet packet;
    raw out[2], in;
    GOOD(w, seal(201, 1, 1, &content, &packet) && raw_open(w, &out[0]));
    if (!raw_open(w, &out[1])) {
        raw_close(&out[0]);
        return;
    }
    bool good = true;
    for (int i = 0; i < 40 && good; i++) {
        good = raw_packet(&out[i % 2], &packet) && (i < 38 || raw_settle(&out[i % 2]));
    }
    raw_close(&out[0]);
    raw_close(&out[1]);
    GOOD(w, good && raw_open(w, &in));
    kith_position start = { .kind = KITH_FROM_START };
    kith_item item;
    int count = 0;
    good = kith_link_follow(in.link, ">") == 0 && kith_link_rewind(in.link, &start) == 0;
    for (bool more = good && raw_wait(&in, &item); more; more = raw_pull(&in, &item)) {
        count++;
    }
    raw_close(&in);
    GOOD(w, good);
    WANT_INT(w, count, 1);
    world_by(w, true);
}

/* The same packets, once in order and once shuffled by a seed: the same state. */
static void reordered(world *w) {
    size_t count = w->slow ? 10000 : bends(w) ? 400 : 5000;
    static kith_packet packets[10000];
    static uint32_t at[10000];
    for (size_t i = 0; i < count; i++) {
        char subject[32];
        snprintf(subject, sizeof subject, "shuffle.s%u", (unsigned) (i % 7));
        kith_content c = leaf(w, subject);
        GOOD(w, seal((uint8_t) (200 + i % 20), 1, i, &c, &packets[i]));
        at[i] = (uint32_t) i;
    }
    uint64_t dice = 88172645463325252u + w->seed;
    for (size_t i = count - 1; i > 0; i--) {
        size_t k = roll(&dice) % (i + 1);
        uint32_t t = at[i];
        at[i] = at[k];
        at[k] = t;
    }
    world_bulk(w);
    site *plain = site_new(w), *b = site_new(w);
    GOOD(w, site_up(b));
    /* The one to compare with never sees the carrier. */
    GOOD(w, kith_store_open(&plain->store, plain->store_url, NULL) == 0);
    raw r;
    GOOD(w, raw_open(w, &r));
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        good = raw_packet(&r, &packets[at[i]]) && (i % 32 != 0 || world_turn(w) >= 0);
        kith_arrival a = { .packet = packets[i], .way = "script" };
        good = good && kith_store_admit(plain->store, &a, 1, site_now(plain), NULL) == 0 &&
               a.result == 0;
    }
    good = good && raw_settle(&r) && until_holds(b, ">", count);
    raw_close(&r);
    GOOD(w, good);
    WANT(w, digests_equal(plain, b));
    world_by(w, site_backfilled(b) == 0);
}

/* One stops reading while many packets come; the others do not wait for it. */
static void slow_reader(world *w) {
    size_t count = w->slow ? 20000 : bends(w) ? 600 : 5000;
    world_bulk(w);
    site *a = site_new(w), *b = site_new(w), *slow = site_new(w);
    GOOD(w, site_up(a) && site_up(b) && site_up(slow) && post_many(a, "slow.x", 1));
    GOOD(w, until_holds(slow, ">", 1));
    slow->asleep = true;
    GOOD(w, post_many(a, "slow.x", count) && until_holds(b, ">", count + 1));
    WANT_INT(w, holds(slow, ">"), 1);
    slow->asleep = false;
    GOOD(w, until_holds(slow, ">", count + 1) && world_rest(w));
    WANT_INT(w, slow->accepted, count + 1);
    WANT(w, digests_equal(b, slow));
    world_by(w, slow->gaps == 0 && site_backfilled(slow) == 0);
}

static int entries(const char *folder) {
    DIR *d = opendir(folder);
    int count = 0;
    while (d != NULL && readdir(d) != NULL) {
        count++;
    }
    if (d != NULL) {
        closedir(d);
    }
    return count;
}

/* The fewest within some turns: a carrier's own thread opens files for a moment. */
static int fewest(world *w, const char *folder) {
    int least = entries(folder);
    for (int i = 0; i < 30 && world_turn(w) >= 0; i++) {
        int now = entries(folder);
        least = now < least ? now : least;
        (void) !poll(NULL, 0, 1);
    }
    return least;
}

/* Descriptors and threads are counted before and after. */
static void reopen(world *w) {
    int times = w->slow ? 1000 : 60;
    site *a = site_new(w), *b = site_new(w);
    GOOD(w,
        site_up(a) && site_up(b) && post_many(a, "re.open", 3) && until_holds(b, ">", 3));
    site_down(b);
    int files = fewest(w, "/proc/self/fd"), threads = fewest(w, "/proc/self/task");
    for (int i = 0; i < times; i++) {
        GOOD(w, site_up(b));
        for (int turn = 0; turn < 3; turn++) {
            WANT(w, world_turn(w) >= 0);
        }
        site_down(b);
    }
    WANT_INT(w, fewest(w, "/proc/self/fd"), files);
    WANT_INT(w, fewest(w, "/proc/self/task"), threads);
    GOOD(w, site_up(b) && post_many(a, "re.open", 3) && until_holds(b, ">", 6));
    WANT_INT(w, b->accepted, 6);
}

/* Links alone, with posts in them and without. */
static void reopen_links(world *w) {
    int times = w->slow ? 1000 : 100;
    raw r;
    GOOD(w, raw_open(w, &r));
    raw_close(&r);
    int files = fewest(w, "/proc/self/fd"), threads = fewest(w, "/proc/self/task");
    for (int i = 0; i < times; i++) {
        GOOD(w, raw_open(w, &r));
        int code = i % 3 == 0 ? raw_post(&r, "re.link", &i, sizeof i) : 0;
        raw_close(&r);
        WANT_INT(w, code, 0);
    }
    WANT_INT(w, fewest(w, "/proc/self/fd"), files);
    WANT_INT(w, fewest(w, "/proc/self/task"), threads);
}

const check many_checks[] = {
    { "two_readers_get_everything", two_readers, 0 },
    { "eight_posters_three_readers_each_its_exact_set", many, 0 },
    { "own_echo_is_no_twin", echo, 0 },
    { "posts_of_one_come_in_order_where_promised", order, 0 },
    { "a_packet_sent_1000_times_counts_once", duplicates, 0 },
    { "what_promises_to_keep_once_keeps_once", deduped, 0 },
    { "reordered_packets_end_in_the_same_state", reordered, 0 },
    { "slow_reader_gets_all_and_holds_up_nobody", slow_reader, 0 },
    { "a_node_closed_and_opened_often_leaks_nothing", reopen, 0 },
    { "a_link_closed_and_opened_often_leaks_nothing", reopen_links, 0 },
    { NULL, NULL, 0 },
};
