/* SPDX-License-Identifier: Apache-2.0 */
/* store-post-64, store-post-1: signed posts that are on disk when they return, against
 * a bare SQLite loop that signs too, commits 100 rows (or one) at a time and has the
 * same rows and indexes. */
#include "bare.h"
#include "fill.h"
#include "rows.h"
#include "sample.h"

#include <kith/store.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POSTERS_MAX 64
#define SUBJECTS    10000
#define BATCH       100

typedef struct posts {
    uint64_t count; /* in a round */
    int posters;
    size_t batch; /* of the peer */
    kith_key *key;
    kith_store *store;
    bare peer;
    uint64_t ours_index, peer_index; /* samples go on from round to round */
} posts;

typedef struct poster {
    posts *p;
    uint64_t first, count;
    int result;
} poster;

static void fresh(uint64_t index, kith_content *ret) {
    sample_content(index, SUBJECTS, SAMPLE_ASCII, ret);
    ret->t_end_us = kith_time_now().wall_us;
}

static void *post_some(void *ctx) {
    poster *me = ctx;
    kith_error err = { 0 };
    kith_post post = { 0 };
    for (uint64_t i = 0; i < me->count && me->result == 0; i++) {
        fresh(me->first + i, &post.content);
        me->result =
            kith_store_post(me->p->store, me->p->key, &post, 1, kith_time_now(), &err);
        me->result = me->result == 0 ? post.result : me->result;
    }
    if (me->result != 0) {
        bench_failed("post: %d %s", me->result, err.text);
    }
    return NULL;
}

static int run_ours(void *ctx, double *ret) {
    posts *p = ctx;
    poster all[POSTERS_MAX];
    pthread_t thread[POSTERS_MAX];
    int r = 0;
    uint64_t begin = bench_ns();
    for (int i = 0; i < p->posters; i++) {
        uint64_t each = p->count / (uint64_t) p->posters;
        all[i] = (poster){ .p = p, .first = p->ours_index, .count = each };
        p->ours_index += each;
        if (p->posters == 1) {
            post_some(&all[i]);
        } else if (pthread_create(&thread[i], NULL, post_some, &all[i]) != 0) {
            return bench_failed("no thread");
        }
    }
    for (int i = 0; i < p->posters; i++) {
        if (p->posters > 1) {
            pthread_join(thread[i], NULL);
        }
        r = all[i].result != 0 ? -1 : r;
    }
    *ret = (double) p->count / ((double) (bench_ns() - begin) / 1e9);
    return r;
}

static int run_peer(void *ctx, double *ret) {
    posts *p = ctx;
    kith_content batch[BATCH];
    uint64_t begin = bench_ns();
    for (uint64_t done = 0; done < p->count; done += p->batch) {
        for (size_t i = 0; i < p->batch; i++) {
            fresh(p->peer_index++, &batch[i]);
        }
        if (bare_post(&p->peer, p->key, batch, p->batch) < 0) {
            return -1;
        }
    }
    *ret = (double) p->count / ((double) (bench_ns() - begin) / 1e9);
    return 0;
}

static int prepare(bench *b, posts *p, const char *name) {
    char ours[600], theirs[600], url[700];
    kith_error err = { 0 };
    snprintf(ours, sizeof ours, "%s/%s-ours.db", b->dir, name);
    snprintf(theirs, sizeof theirs, "%s/%s-peer.db", b->dir, name);
    unlink(ours); /* asked for twice in one run */
    unlink(theirs);
    fill_url(url, sizeof url, ours);
    if (kith_key_generate(&p->key, &err) != 0 ||
        kith_store_open(&p->store, url, &err) != 0 ||
        kith_store_begin_run(p->store, &err) != 0) {
        return bench_failed("%s", err.text);
    }
    return bare_create(&p->peer, theirs, ours);
}

static int run(bench *b, posts *p, const bench_line *line, const char *peer) {
    char text[320];
    snprintf(text, sizeof text, "%s; %s", bare_name(), peer);
    const bench_side sides[] = { { .name = "kith store", .run = run_ours, .ctx = p },
        { .name = "bare SQLite loop", .run = run_peer, .ctx = p } };
    const bench_row row = { .unit = "rows/s",
        .sides = sides,
        .side_count = 2,
        .lines = line,
        .line_count = 1,
        .peer = text };
    int r = prepare(b, p, line->name);
    r = r < 0 ? r : bench_row_run(b, &row);
    bare_close(&p->peer);
    kith_store_close(&p->store);
    kith_key_free(&p->key);
    return r;
}

int row_store_post_64(bench *b) {
    static const bench_line line = { .name = "store-post-64",
        .what = "durable posts, 64 posters, signed",
        .ours = 0,
        .peer = 1,
        .target = 0.9,
        .at_least = true };
    static posts p;
    p = (posts){
        .count = BENCH_BY(b, 1600u, 16000u, 32000u), .posters = 64, .batch = BATCH
    };
    return run(b, &p, &line, "one thread signs 100 packets, then commits them");
}

int row_store_post_1(bench *b) {
    static const bench_line line = { .name = "store-post-1",
        .what = "durable posts, one poster, signed",
        .ours = 0,
        .peer = 1,
        .target = 0.9,
        .at_least = true };
    static posts p;
    p = (posts){ .count = BENCH_BY(b, 50u, 1000u, 4000u), .posters = 1, .batch = 1 };
    return run(b, &p, &line, "one row a commit");
}
