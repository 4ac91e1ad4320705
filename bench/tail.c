/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint-tail: durable posts at a fixed thousand a second into a store of 10^6 rows,
 * against the same file in a bare loop with SQLite's default checkpointing. Latency
 * counts from when a post was due, not from when the last one let it begin. The sides
 * take turns of one second, far more often than in other rows: long enough for several
 * checkpoints of each, and a pause of the disk itself spoils one ratio among many, of
 * which the median counts. */
#include "bare.h"
#include "fill.h"
#include "rows.h"
#include "sample.h"

#include <kith/store.h>
#include <sys/prctl.h>
#include <time.h>

#define EVERY_NS UINT64_C(1000000)

typedef struct tail {
    const bench *b;
    kith_key *key;
    kith_store *store;
    bare peer;
    uint64_t count, index;
    histogram ours, theirs; /* of all rounds */
} tail;

static void fresh(tail *t, kith_content *ret) {
    sample_content(
        fill_rows(t->b) + t->index++, fill_subjects(t->b, true), SAMPLE_ASCII, ret);
    ret->t_end_us = kith_time_now().wall_us;
}

static void wait_until(uint64_t due) {
    struct timespec at = { .tv_sec = (time_t) (due / 1000000000u),
        .tv_nsec = (long) (due % 1000000000u) };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0) {
    }
}

static int post_ours(tail *t) {
    kith_post post = { 0 };
    kith_error err = { 0 };
    fresh(t, &post.content);
    int r = kith_store_post(t->store, t->key, &post, 1, kith_time_now(), &err);
    r = r == 0 ? post.result : r;
    return r == 0 ? 0 : bench_failed("post: %d %s", r, err.text);
}

static int post_theirs(tail *t) {
    kith_content content;
    fresh(t, &content);
    return bare_post(&t->peer, t->key, &content, 1);
}

static int open_loop(tail *t, int (*post)(tail *), histogram *all, double *ret) {
    static histogram round;
    histogram_clear(&round);
    uint64_t due = bench_ns() + EVERY_NS;
    for (uint64_t i = 0; i < t->count; i++, due += EVERY_NS) {
        wait_until(due);
        if (post(t) < 0) {
            return -1;
        }
        histogram_add(&round, bench_ns() - due);
    }
    histogram_merge(all, &round);
    *ret = (double) histogram_at(&round, .999);
    return 0;
}

static int run_ours(void *ctx, double *ret) {
    tail *t = ctx;
    return open_loop(t, post_ours, &t->ours, ret);
}

static int run_peer(void *ctx, double *ret) {
    tail *t = ctx;
    return open_loop(t, post_theirs, &t->theirs, ret);
}

static int prepare(bench *b, tail *t) {
    char ours[600], theirs[600], url[700];
    kith_error err = { 0 };
    const char *filled = fill_disk(b, true);
    snprintf(ours, sizeof ours, "%s/tail-ours.db", b->dir);
    snprintf(theirs, sizeof theirs, "%s/tail-peer.db", b->dir);
    if (filled == NULL || fill_copy(filled, ours) < 0 || fill_copy(filled, theirs) < 0) {
        return -1;
    }
    fill_url(url, sizeof url, ours);
    if (kith_key_generate(&t->key, &err) != 0 ||
        kith_store_open(&t->store, url, &err) != 0 ||
        kith_store_begin_run(t->store, &err) != 0) {
        return bench_failed("%s", err.text);
    }
    return bare_open(&t->peer, theirs);
}

int row_checkpoint_tail(bench *b) {
    static tail t;
    static const bench_line line = { .name = "checkpoint-tail",
        .what = "p99.9 of durable posts at 1,000/s into 10^6 rows",
        .ours = 0,
        .peer = 1,
        .target = 0.6 };
    const bench_side sides[] = {
        { .name = "kith store", .run = run_ours, .ctx = &t, .latency = &t.ours },
        { .name = "bare SQLite loop", .run = run_peer, .ctx = &t, .latency = &t.theirs },
    };
    char peer[320];
    snprintf(peer, sizeof peer, "%s; wal_autocheckpoint at its preset of 1,000 pages",
        bare_name());
    const bench_row row = { .unit = "ns",
        .sides = sides,
        .side_count = 2,
        .lines = &line,
        .line_count = 1,
        .peer = peer };
    int rounds = b->rounds;
    t = (tail){ .b = b, .count = BENCH_BY(b, 200u, 1000u, 1000u) };
    b->rounds = BENCH_BY(b, 1, 11, 31);
    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL); /* wake in time, on both sides */
    int r = prepare(b, &t);
    r = r < 0 ? r : bench_row_run(b, &row);
    b->rounds = rounds;
    bare_close(&t.peer);
    kith_store_close(&t.store);
    kith_key_free(&t.key);
    return r;
}
