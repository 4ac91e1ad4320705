/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that die without a word. On carriers between processes they are processes
 * and get SIGKILL at seeded moments; mem:// is one process, so there the node is
 * dropped without being closed. */
#include "cli/conform/check.h"
#include "cli/conform/nursery.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of one life: most end in the middle of them, and the wire must carry what is kept. */
#define POSTS 200

static uint64_t dice;
static unsigned roll(unsigned below) {
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (unsigned) (dice >> 33) % below;
}

/* What stays on this machine and promises nothing is memory of this process. */
static bool one_process(const world *w) {
    return w->level == KITH_LEVEL_NONE && (w->can & KITH_CAN_REMOTE) == 0;
}

static bool turns(world *w, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (world_turn(w) < 0) {
            return false;
        }
    }
    return true;
}

static uint64_t file_size(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? (uint64_t) st.st_size : 0;
}

static victim victim_of(world *w, const site *s, bool posts) {
    victim v = { .number = s->number, .posts = posts ? POSTS : 0, .now = w->now };
    snprintf(v.url, sizeof v.url, "%s", w->url);
    snprintf(v.store_url, sizeof v.store_url, "%s", s->store_url);
    snprintf(v.plugins, sizeof v.plugins, "%s", w->plugins == NULL ? "" : w->plugins);
    snprintf(v.acks, sizeof v.acks, "%.560s/acks-%u", w->tmp, s->number);
    unlink(v.acks);
    return v;
}

/* Until the victim has got somewhere, and then a seeded moment longer. */
static bool let_live(world *w, const victim *v, uint64_t more) {
    uint64_t begin = file_size(v->acks);
    for (int i = 0; v->posts > 0 && i < 20000 && file_size(v->acks) < begin + more; i++) {
        if (world_turn(w) < 0) {
            return false;
        }
        usleep(200);
    }
    return turns(w, roll(20)) && usleep(roll(3000)) == 0;
}

static void say_dropped(world *w) {
    snprintf(
        w->why, sizeof w->why, "in process: simulated by dropping the node without close");
}

static void drop_poster(world *w, int rounds) {
    site *a = site_new(w), *b = site_new(w);
    GOOD(w, site_up(b));
    uint64_t count = 0;
    for (int i = 0; i < rounds; i++) {
        unsigned n = 1 + roll(20);
        GOOD(w, site_up(a) && post_many(a, "kill.poster", n) && turns(w, roll(4)));
        count += n;
        site_drop(a);
    }
    GOOD(w, site_up(a) && until_holds(b, ">", count) && world_rest(w));
    WANT_INT(w, b->accepted, count);
    WANT(w, digests_equal(a, b));
    say_dropped(w);
}

static void poster_killed(world *w) {
    int rounds = w->slow ? 100 : 6;
    world_bulk(w);
    dice = w->seed + 77;
    if (one_process(w)) {
        drop_poster(w, rounds);
        return;
    }
    site *a = site_new(w), *b = site_new(w);
    site_on_disk(a);
    GOOD(w, site_up(b));
    uint64_t acked = 0;
    victim v = victim_of(w, a, true);
    for (int i = 0; i < rounds; i++) {
        v.now = w->now;
        GOOD(w, nursery_start(0, &v));
        bool good = let_live(w, &v, 3 + roll(10));
        GOOD(w, nursery_kill(0) && good);
    }
    acked = file_size(v.acks);
    WANT(w, acked > 0);
    GOOD(w, site_up(a));
    uint64_t kept = holds(a, ">");
    WANT(w, kept >= acked); /* one may be on disk without its ack */
    GOOD(w, until_holds(b, ">", kept) && world_rest(w));
    WANT_INT(w, b->accepted, kept);
    WANT(w, digests_equal(a, b));
}

static void reader_killed(world *w) {
    int rounds = w->slow ? 100 : 6;
    dice = w->seed + 78;
    site *a = site_new(w), *b = site_new(w);
    bool mem = one_process(w);
    world_bulk(w); /* a kill takes nothing that was written */
    if (!mem) site_on_disk(b);
    GOOD(w, site_up(a));
    uint64_t count = 0;
    victim v = victim_of(w, b, false);
    for (int i = 0; i < rounds; i++) {
        v.now = w->now;
        GOOD(w, mem ? site_up(b) : nursery_start(0, &v));
        unsigned n = 5 + roll(20);
        count += n;
        GOOD(w, post_many(a, "kill.reader", n) && turns(w, roll(8)));
        usleep(mem ? 0 : 2000 + roll(30000));
        GOOD(w, turns(w, roll(8)));
        if (mem) site_drop(b);
        GOOD(w, mem || nursery_kill(0));
    }
    GOOD(w, site_up(b));
    uint64_t had = mem ? 0 : holds(b, ">");
    GOOD(w, until_holds(b, ">", count) && world_rest(w));
    WANT_INT(w, b->accepted + had, count);
    WANT(w, digests_equal(a, b));
    world_by(w, site_backfilled(b) == 0);
    if (mem) say_dropped(w);
}

/* Both at once, and their stores tell what was acknowledged. */
static void both_killed(world *w) {
    if (one_process(w)) {
        world_skip(w, "one process: see the two before");
        return;
    }
    int rounds = w->slow ? 50 : 4;
    dice = w->seed + 79;
    site *a = site_new(w), *b = site_new(w);
    world_bulk(w);
    site_on_disk(a);
    site_on_disk(b);
    victim poster = victim_of(w, a, true), reader = victim_of(w, b, false);
    for (int i = 0; i < rounds; i++) {
        poster.now = reader.now = w->now;
        GOOD(w, nursery_start(0, &poster) && nursery_start(1, &reader));
        bool good = let_live(w, &poster, 5 + roll(20));
        GOOD(w, nursery_kill(i % 2) && nursery_kill(1 - i % 2) && good);
    }
    GOOD(w, site_up(a) && site_up(b));
    uint64_t kept = holds(a, ">"), had = holds(b, ">");
    WANT(w, kept >= file_size(poster.acks) && kept > 0);
    GOOD(w, until_holds(b, ">", kept) && world_rest(w));
    WANT_INT(w, b->accepted + had, kept);
    WANT(w, digests_equal(a, b));
}

const check crash_checks[] = {
    { "a_poster_killed_at_any_moment_loses_no_ok", poster_killed, 0 },
    { "a_reader_killed_at_any_moment_counts_once", reader_killed, 0 },
    { "poster_and_reader_killed_together_agree_again", both_killed, 0 },
    { NULL, NULL, 0 },
};
