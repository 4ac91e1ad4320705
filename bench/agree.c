/* SPDX-License-Identifier: Apache-2.0 */
/* fresh-node, post-to-stored: whole nodes over mem://, each with its own thread and its
 * own durable store, against what nobody can leave out: the signature checks. */
#include "fill.h"
#include "rows.h"
#include "sample.h"

#include <kith/node.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WIRE     "mem://bench-agree?ring=16M"
#define BATCH    512  /* of one post: what is sustained comes in lots */
#define AHEAD    4096 /* posted and not yet stored at the other end: the wire holds them */
#define MESSAGES 64
#define SUBJECTS 10000
#define PATIENCE UINT64_C(3600000000000)

/* What the whole process worked for one side, all its threads together: a figure that
 * a busy machine spoils less than the time it took. */
typedef struct work {
    double begun, us;
    uint64_t packets;
} work;

typedef struct agree {
    const bench *b;
    uint64_t count; /* in a round */
    kith_key *key;
    kith_store *store; /* of who posts */
    kith_node *node;
    kith_store *far_store;
    kith_node *far;
    _Atomic uint64_t accepted; /* by the other, since it was opened */
    _Atomic uint64_t wanted;   /* posted in all, by the thread */
    _Atomic bool stop, failed;
    uint64_t posted, rounds;
    work ours, peer;
    char whole[600]; /* a copy of the store, for the peer */
    uint8_t messages[MESSAGES][SAMPLE_BYTES], signatures[MESSAGES][crypto_sign_BYTES];
    uint8_t secret[crypto_sign_SECRETKEYBYTES], public_key[crypto_sign_PUBLICKEYBYTES];
} agree;

static double processor_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

static void work_begin(work *w) {
    w->begun = processor_us();
}

static void work_end(work *w, uint64_t packets) {
    w->us += processor_us() - w->begun;
    w->packets += packets;
}

static void work_say(const bench *b, const agree *a) {
    if (!b->json && a->ours.packets > 0 && a->peer.packets > 0) {
        printf("    processor: ours %.0f us for a packet, on all cores; peer %.0f us\n",
            a->ours.us / (double) a->ours.packets, a->peer.us / (double) a->peer.packets);
    }
}

static void note(void *ctx, const kith_event *event) {
    agree *a = ctx;
    if (event->kind == KITH_EVENT_ACCEPTED) {
        atomic_fetch_add(&a->accepted, 1);
    }
}

static int open_store(const bench *b, const char *name, uint64_t round, kith_store **ret) {
    char path[600], url[700];
    kith_error err = { 0 };
    snprintf(path, sizeof path, "%s/agree-%s-%d.db", b->dir, name, (int) round);
    fill_url(url, sizeof url, path);
    if (kith_store_open(ret, url, &err) != 0 || kith_store_begin_run(*ret, &err) != 0) {
        return bench_failed("%s", err.text);
    }
    return 0;
}

static int open_node(kith_node **ret, kith_store *store, const kith_key *key, agree *a) {
    static const char *const links[] = { WIRE };
    kith_error err = { 0 };
    kith_node_config c = { .store = store, .key = key, .links = links, .link_count = 1 };
    c.event = a == NULL ? NULL : note;
    c.ctx = a;
    if (kith_node_open(ret, &c, kith_time_now(), &err) != 0) {
        return bench_failed("%s", err.text);
    }
    return 0;
}

static int turn(kith_node *node) {
    kith_time now = kith_time_now();
    int r = kith_node_step(node, now);
    uint64_t due = kith_node_due(node);
    if (r == 0 && due > now.mono_ns) {
        int fds[8];
        struct pollfd polls[8];
        size_t n = kith_node_wake_fds(node, fds, 8);
        for (size_t i = 0; i < n; i++) polls[i] = (struct pollfd){ fds[i], POLLIN, 0 };
        uint64_t ms = (due - now.mono_ns) / 1000000;
        (void) poll(polls, (nfds_t) n, ms > 5 ? 5 : (int) ms);
    }
    return r;
}

static int post_batch(agree *a) {
    static kith_post posts[BATCH];
    kith_error err = { 0 };
    kith_time now = kith_time_now();
    for (size_t i = 0; i < BATCH; i++) {
        sample_content(a->posted + i, SUBJECTS, SAMPLE_ASCII, &posts[i].content);
        posts[i].content.t_end_us = now.wall_us;
    }
    if (kith_store_post(a->store, a->key, posts, BATCH, now, &err) != 0) {
        return bench_failed("post: %s", err.text);
    }
    a->posted += BATCH;
    return 0;
}

/* The node that posts, in its own thread. */
static void *near_side(void *ctx) {
    agree *a = ctx;
    while (!atomic_load(&a->stop)) {
        if (turn(a->node) < 0) {
            atomic_store(&a->failed, true);
            return NULL;
        }
    }
    return NULL;
}

/* Who posts there, in another: never further ahead than the wire holds. */
static void *poster(void *ctx) {
    agree *a = ctx;
    while (!atomic_load(&a->stop)) {
        bool may = a->posted < atomic_load(&a->wanted) &&
                   a->posted < atomic_load(&a->accepted) + AHEAD;
        if (!may) {
            (void) poll(NULL, 0, 1);
        } else if (post_batch(a) < 0) {
            atomic_store(&a->failed, true);
            return NULL;
        }
    }
    return NULL;
}

/* Until the other has that many. */
static int take(agree *a, uint64_t until) {
    uint64_t end = bench_ns() + PATIENCE;
    while (atomic_load(&a->accepted) < until) {
        if (turn(a->far) < 0 || atomic_load(&a->failed) || bench_ns() > end) {
            return bench_failed(
                "%d of %d came", (int) atomic_load(&a->accepted), (int) until);
        }
    }
    return 0;
}

static int set_up(bench *b, agree *a, const char *name) {
    kith_error err = { 0 };
    uint8_t seed[32] = { 7 };
    a->b = b;
    crypto_sign_seed_keypair(a->public_key, a->secret, seed);
    for (size_t i = 0; i < MESSAGES; i++) {
        memset(a->messages[i], (int) i, SAMPLE_BYTES);
        crypto_sign_detached(
            a->signatures[i], NULL, a->messages[i], SAMPLE_BYTES, a->secret);
    }
    if (kith_key_from_seed(&a->key, seed, &err) != 0) {
        return bench_failed("%s", err.text);
    }
    return open_store(b, name, 0, &a->store);
}

static int begin_thread(agree *a, pthread_t *ret) {
    int r = open_node(&a->node, a->store, a->key, NULL);
    if (r == 0 && pthread_create(ret, NULL, near_side, a) != 0) {
        r = bench_failed("no thread");
    }
    return r;
}

static void end_thread(agree *a, pthread_t thread, bool begun) {
    atomic_store(&a->stop, true);
    if (begun) pthread_join(thread, NULL);
}

static void clear(agree *a, pthread_t thread, bool begun) {
    end_thread(a, thread, begun);
    kith_node_close(&a->far);
    kith_node_close(&a->node);
    kith_store_close(&a->far_store);
    kith_store_close(&a->store);
    kith_key_free(&a->key);
}

/* ---- post-to-stored ---- */

static int run_posts(void *ctx, double *ret) {
    agree *a = ctx;
    uint64_t begin = bench_ns(), before = atomic_load(&a->accepted);
    work_begin(&a->ours);
    atomic_store(&a->wanted, before + a->count);
    int r = take(a, before + a->count);
    work_end(&a->ours, a->count);
    *ret = (double) a->count / ((double) (bench_ns() - begin) / 1e9);
    return r;
}

static int verify_some(const agree *a, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        if (crypto_sign_verify_detached(a->signatures[i % MESSAGES],
                a->messages[i % MESSAGES], SAMPLE_BYTES, a->public_key) != 0) {
            return bench_failed("a signature does not hold");
        }
    }
    return 0;
}

static int run_checks(void *ctx, double *ret) {
    agree *a = ctx;
    uint64_t begin = bench_ns();
    work_begin(&a->peer);
    int r = verify_some(a, a->count);
    work_end(&a->peer, a->count);
    *ret = (double) a->count / ((double) (bench_ns() - begin) / 1e9);
    return r;
}

int row_post_to_stored(bench *b) {
    static agree a;
    static const bench_line line = { .name = "post-to-stored",
        .what = "signed and stored on one node, verified and stored on the other",
        .ours = 0,
        .peer = 1,
        .target = 0.8,
        .at_least = true };
    const bench_side sides[] = {
        { .name = "two nodes over mem", .run = run_posts, .ctx = &a },
        { .name = "crypto_sign_verify_detached", .run = run_checks, .ctx = &a }
    };
    const bench_row row = { .unit = "/s",
        .sides = sides,
        .side_count = 2,
        .lines = &line,
        .line_count = 1,
        .peer = "libsodium, one thread, 300 bytes each; nothing else is done" };
    pthread_t thread, posts;
    memset(&a, 0, sizeof a);
    a.count = BENCH_BY(b, 1280u, 20480u, 65536u);
    int r = set_up(b, &a, "post");
    r = r < 0 ? r : open_store(b, "stored", 0, &a.far_store);
    r = r < 0 ? r : open_node(&a.far, a.far_store, NULL, &a);
    int begun = r < 0 ? r : begin_thread(&a, &thread);
    bool posting = begun == 0 && pthread_create(&posts, NULL, poster, &a) == 0;
    r = posting ? bench_row_run(b, &row) : -1;
    work_say(b, &a);
    end_thread(&a, posts, posting);
    clear(&a, thread, begun == 0);
    return r;
}

/* ---- fresh-node ---- */

static int run_fresh(void *ctx, double *ret) {
    agree *a = ctx;
    if (open_store(a->b, "fresh", ++a->rounds, &a->far_store) < 0) {
        return -1;
    }
    atomic_store(&a->accepted, 0);
    uint64_t begin = bench_ns();
    work_begin(&a->ours);
    int r = open_node(&a->far, a->far_store, NULL, a);
    r = r < 0 ? r : take(a, a->count);
    work_end(&a->ours, a->count);
    *ret = (double) (bench_ns() - begin);
    kith_node_close(&a->far);
    kith_store_close(&a->far_store);
    return r;
}

static int run_copy(void *ctx, double *ret) {
    agree *a = ctx;
    char path[600];
    sqlite3 *sql = NULL;
    sqlite3_stmt *st = NULL;
    uint64_t rows = 0;
    snprintf(path, sizeof path, "%s/agree-copy-%d.db", a->b->dir, (int) ++a->rounds);
    uint64_t begin = bench_ns();
    work_begin(&a->peer);
    int r = fill_copy(a->whole, path);
    if (r == 0 &&
        (sqlite3_open_v2(path, &sql, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
            sqlite3_prepare_v2(sql, "SELECT body FROM pkt", -1, &st, NULL) != SQLITE_OK)) {
        r = bench_failed("%s", sqlite3_errmsg(sql));
    }
    while (r == 0 && sqlite3_step(st) == SQLITE_ROW) {
        kith_packet p = { .length = (uint16_t) sqlite3_column_bytes(st, 0) };
        memcpy(p.bytes, sqlite3_column_blob(st, 0), p.length);
        r = kith_packet_verify(&p) == 0 ? 0 : bench_failed("a signature does not hold");
        rows++;
    }
    *ret = (double) (bench_ns() - begin);
    work_end(&a->peer, rows);
    sqlite3_finalize(st);
    sqlite3_close(sql);
    unlink(path);
    return r == 0 && rows != a->count ? bench_failed("%d rows", (int) rows) : r;
}

/* What was posted is compared once it has settled. */
static int fill_near(agree *a) {
    kith_error err = { 0 };
    int r = 0;
    while (r == 0 && a->posted < a->count) r = post_batch(a);
    snprintf(a->whole, sizeof a->whole, "%s/agree-whole.db", a->b->dir);
    unlink(a->whole);
    if (r == 0 && kith_store_backup(a->store, a->whole, &err) != 0) {
        r = bench_failed("%s", err.text);
    }
    return r;
}

int row_fresh_node(bench *b) {
    static agree a;
    static const bench_line line = { .name = "fresh-node",
        .what = "an empty node takes all packets of another: the time of it",
        .ours = 0,
        .peer = 1,
        .target = 1.5 };
    const bench_side sides[] = { { .name = "sync over mem", .run = run_fresh, .ctx = &a },
        { .name = "copy and verify", .run = run_copy, .ctx = &a } };
    const bench_row row = { .unit = "ns",
        .sides = sides,
        .side_count = 2,
        .lines = &line,
        .line_count = 1,
        .peer = "the store's file copied and synced, every signature of it checked by one "
                "thread" };
    pthread_t thread;
    memset(&a, 0, sizeof a);
    a.count = BENCH_BY(b, 1280u, 19200u, 1000000u) / BATCH * BATCH;
    int r = set_up(b, &a, "near");
    r = r < 0 ? r : fill_near(&a);
    int begun = r < 0 ? r : begin_thread(&a, &thread);
    if (begun == 0) (void) poll(NULL, 0, 6000); /* settled, and read into the index */
    bench fewer = *b;                           /* a million packets take minutes */
    fewer.rounds = BENCH_BY(b, 1, 3, 2);
    r = begun < 0 ? begun : bench_row_run(&fewer, &row);
    b->lines = fewer.lines;
    b->missed = fewer.missed;
    work_say(b, &a);
    clear(&a, thread, begun == 0);
    return r;
}
