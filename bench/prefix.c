/* SPDX-License-Identifier: Apache-2.0 */
/* prefix-disk, prefix-memory: 50 whole packets by prefix out of 10^6, with few and with
 * many subjects, against a range query written by hand over our own store's file: the
 * same rows, the same index, an equal cache. While memory: is asked, packets go on
 * coming in, a thousand a second; the peer is left in peace. */
#include "bare.h"
#include "fill.h"
#include "rows.h"
#include "sample.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define FOUND 50

typedef struct prefix {
    const bench *b;
    uint64_t subjects, at;
    kith_store *store;
    bare peer;
    bool inserts; /* during our side's rounds */
    _Atomic bool stop, failed;
    uint64_t inserted;
} prefix;

typedef struct hits {
    int count;
    uint64_t bytes;
} hits;

/* The subject of a random row without its last token. */
static void prefix_of(prefix *p, char ret[KITH_SUBJECT_MAX + 1]) {
    sample_subject(p->at++ * 7919 % fill_rows(p->b), p->subjects, ret);
    *strrchr(ret, '.') = '\0';
}

static int take(void *ctx, const kith_record *record) {
    hits *h = ctx;
    kith_packet packet;
    packet.length = record->packet.length;
    memcpy(packet.bytes, record->packet.bytes, packet.length);
    h->bytes += packet.bytes[0] * (uint64_t) packet.length;
    h->count++;
    return 0;
}

static void ask_ours(void *ctx, uint64_t count) {
    prefix *p = ctx;
    for (uint64_t i = 0; i < count; i++) {
        char pattern[KITH_SUBJECT_MAX + 3];
        hits h = { 0 };
        prefix_of(p, pattern);
        memcpy(pattern + strlen(pattern), ".>", 3);
        kith_query q = { .pattern = pattern,
            .by_subject = true,
            .limit = FOUND,
            .now_us = kith_time_now().wall_us };
        if (kith_store_find(p->store, &q, take, &h, NULL) != 0 || h.count == 0) {
            p->failed = true;
        }
    }
}

static void ask_peer(void *ctx, uint64_t count) {
    prefix *p = ctx;
    for (uint64_t i = 0; i < count; i++) {
        char text[KITH_SUBJECT_MAX + 1];
        uint64_t bytes;
        prefix_of(p, text);
        if (bare_find(&p->peer, text, FOUND, &bytes) <= 0) {
            p->failed = true;
        }
    }
}

static void *insert_some(void *ctx) {
    prefix *p = ctx;
    struct timespec pause = { .tv_nsec = 1000000 };
    while (!p->stop && !p->failed) {
        kith_content content;
        kith_arrival one = { .way = "mem://bench" };
        kith_time now = kith_time_now();
        sample_content(
            fill_rows(p->b) + p->inserted++, p->subjects, SAMPLE_ASCII, &content);
        content.t_end_us = now.wall_us;
        if (kith_packet_encode(&content, &one.packet) != 0 ||
            kith_store_admit(p->store, &one, 1, now, NULL) != 0 || one.result != 0) {
            p->failed = true;
        }
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static int run_ours(void *ctx, double *ret) {
    prefix *p = ctx;
    pthread_t inserter;
    p->stop = false;
    if (p->inserts && pthread_create(&inserter, NULL, insert_some, p) != 0) {
        return bench_failed("no thread");
    }
    *ret = bench_loop(p->b, 4, ask_ours, p);
    p->stop = true;
    if (p->inserts) {
        pthread_join(inserter, NULL);
    }
    return p->failed ? bench_failed("a query found nothing, or failed") : 0;
}

static int run_peer(void *ctx, double *ret) {
    prefix *p = ctx;
    *ret = bench_loop(p->b, 4, ask_peer, p);
    return p->failed ? bench_failed("a query found nothing, or failed") : 0;
}

/* The two sides must find the same before their times may be compared. */
static int same_answers(prefix *p) {
    for (int i = 0; i < 20; i++) {
        char text[KITH_SUBJECT_MAX + 1], pattern[KITH_SUBJECT_MAX + 3];
        hits h = { 0 };
        uint64_t bytes;
        prefix_of(p, text);
        snprintf(pattern, sizeof pattern, "%s.>", text);
        kith_query q = { .pattern = pattern,
            .by_subject = true,
            .limit = FOUND,
            .now_us = kith_time_now().wall_us };
        int found = bare_find(&p->peer, text, FOUND, &bytes);
        if (kith_store_find(p->store, &q, take, &h, NULL) != 0 || h.count != found ||
            h.bytes != bytes) {
            return bench_failed("'%s': we find %d, the peer %d", pattern, h.count, found);
        }
    }
    return 0;
}

static int prepare(bench *b, prefix *p, bool many, bool memory) {
    char url[700];
    kith_error err = { 0 };
    const char *path = fill_disk(b, many);
    *p = (prefix){ .b = b, .subjects = fill_subjects(b, many), .inserts = memory };
    if (path == NULL) {
        return -1;
    }
    fill_url(url, sizeof url, path);
    if (memory) {
        if (fill_memory(b, many, &p->store) < 0) {
            return -1;
        }
    } else if (kith_store_open(&p->store, url, &err) != 0) {
        return bench_failed("%s", err.text);
    }
    return bare_open(&p->peer, path) < 0 ? -1 : same_answers(p);
}

static int run(bench *b, bool memory, const bench_line lines[3]) {
    static prefix both[2];
    const bench_side sides[] = {
        { .name = memory ? "kith memory:" : "kith sqlite:",
            .run = run_ours,
            .ctx = &both[0] },
        { .name = "SQLite range query", .run = run_peer, .ctx = &both[0] },
        { .name = "the same, many subjects", .run = run_ours, .ctx = &both[1] },
        { .name = "SQLite range query", .run = run_peer, .ctx = &both[1] },
    };
    char peer[320];
    snprintf(peer, sizeof peer,
        "%s; SELECT body WHERE subj >= 'a.b.c.' AND subj < 'a.b.c/'", bare_name());
    const bench_row row = { .unit = "ns",
        .sides = sides,
        .side_count = 4,
        .lines = lines,
        .line_count = 3,
        .peer = peer };
    memset(both, 0, sizeof both);
    int r = prepare(b, &both[0], false, memory);
    r = r < 0 ? r : prepare(b, &both[1], true, memory);
    r = r < 0 ? r : bench_row_run(b, &row);
    for (int i = 0; i < 2; i++) {
        bare_close(&both[i].peer);
        kith_store_close(&both[i].store);
    }
    return r;
}

int row_prefix_disk(bench *b) {
    static const bench_line lines[] = {
        { .name = "prefix-disk/few",
            .what = "50 packets by prefix out of 10^6 on disk, 10^4 subjects",
            .ours = 0,
            .peer = 1,
            .target = 1.3 },
        { .name = "prefix-disk/many",
            .what = "the same, 10^6 subjects",
            .ours = 2,
            .peer = 3,
            .target = 1.3 },
        { .name = "prefix-disk/growth",
            .what = "10^6 subjects against 10^4, ours on disk",
            .ours = 2,
            .peer = 0,
            .target = 2 },
    };
    return run(b, false, lines);
}

int row_prefix_memory(bench *b) {
    static const bench_line lines[] = {
        { .name = "prefix-memory/few",
            .what = "50 packets by prefix out of 10^6 in memory:, inserts going on, 10^4 "
                    "subjects",
            .ours = 0,
            .peer = 1,
            .target = 0.1 },
        { .name = "prefix-memory/many",
            .what = "the same, 10^6 subjects",
            .ours = 2,
            .peer = 3,
            .target = 0.1 },
        { .name = "prefix-memory/growth",
            .what = "10^6 subjects against 10^4, ours in memory:",
            .ours = 2,
            .peer = 0,
            .target = 2 },
    };
    return run(b, true, lines);
}
