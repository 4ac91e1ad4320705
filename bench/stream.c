/* SPDX-License-Identifier: Apache-2.0 */
/* stream: one thread posts, another pulls, each through a link of its own, over tcp://
 * and unix://, against libzmq PUSH/PULL over tcp and ipc with as many I/O threads. The
 * same record on both sides, a subject and a 300-byte packet; nothing is lost on either;
 * as many bytes may be on their way. Both sides sleep when there is nothing to do. */
#include "rows.h"
#include "sample.h"

#include <kith/carrier.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define KEPT 2048 /* records at each end of libzmq; some 800 KiB, where ours keeps 1 MiB */

typedef struct stream {
    uint64_t count;
    kith_address address[SAMPLES];
    kith_packet packet[SAMPLES];
    size_t subject_length[SAMPLES];
    kith_link *from, *to;
    void *context, *context_to, *push, *pull;
    _Atomic bool failed;
} stream;

/* A poster with no room lets others run, as a loop would that has other things to do. */
static void *post_all(void *ctx) {
    stream *s = ctx;
    for (uint64_t i = 0; i < s->count && !s->failed; i++) {
        uint64_t k = i % SAMPLES;
        kith_posting p = { .kind = KITH_ITEM_PACKET,
            .length = s->packet[k].length,
            .bytes = s->packet[k].bytes,
            .to = &s->address[k],
            .expires_us = INT64_MAX,
            .ticket = i + 1 };
        int r;
        while ((r = kith_link_post(s->from, &p)) == KITH_FULL && !s->failed) {
            sched_yield();
        }
        if (r < 0) {
            s->failed = true;
        }
    }
    return NULL;
}

static void pull_all(stream *s) {
    kith_item item = { 0 };
    struct pollfd p = { .fd = kith_link_wake_fd(s->to), .events = POLLIN };
    for (uint64_t i = 0; i < s->count && !s->failed;) {
        int r = kith_link_pull(s->to, &item);
        if (r == KITH_EMPTY) {
            if (poll(&p, 1, 20 * 1000) != 1) {
                s->failed = true; /* a hang guard */
            }
            continue;
        }
        if (r != 0 || item.bytes[0] != KITH_PACKET_VERSION) {
            s->failed = true; /* a gap too: nothing may be lost here */
        }
        kith_link_ack(s->to, item.token);
        i++;
    }
}

static void *push_all(void *ctx) {
    stream *s = ctx;
    for (uint64_t i = 0; i < s->count && !s->failed; i++) {
        uint64_t k = i % SAMPLES;
        size_t n = s->subject_length[k];
        zmq_msg_t message;
        bool fine = zmq_msg_init_size(&message, n + s->packet[k].length) == 0;
        if (fine) {
            char *data = zmq_msg_data(&message);
            memcpy(data, s->address[k].subject, n);
            memcpy(data + n, s->packet[k].bytes, s->packet[k].length);
            fine = zmq_msg_send(&message, s->push, 0) >= 0;
        }
        if (!fine) {
            s->failed = true;
        }
    }
    return NULL;
}

static void receive_all(stream *s) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    for (uint64_t i = 0; i < s->count && !s->failed; i++) {
        int n = zmq_msg_recv(&message, s->pull, 0);
        size_t at = s->subject_length[i % SAMPLES];
        if (n < 0 || ((char *) zmq_msg_data(&message))[at] != KITH_PACKET_VERSION) {
            s->failed = true;
        }
    }
    zmq_msg_close(&message);
}

static int timed(stream *s, void *(*post)(void *), void (*pull)(stream *), double *ret) {
    pthread_t poster;
    uint64_t begin = bench_ns();
    if (pthread_create(&poster, NULL, post, s) != 0) {
        return bench_failed("no thread");
    }
    pull(s);
    pthread_join(poster, NULL);
    *ret = (double) s->count / ((double) (bench_ns() - begin) / 1e9);
    return s->failed ? bench_failed("a record was lost or refused") : 0;
}

static int run_ours(void *ctx, double *ret) {
    return timed(ctx, post_all, pull_all, ret);
}

static int run_peer(void *ctx, double *ret) {
    return timed(ctx, push_all, receive_all, ret);
}

static int open_ours(stream *s, const char *url) {
    kith_error err = { 0 };
    if (kith_link_open(&s->to, url, NULL, &err) != 0 ||
        kith_link_open(&s->from, url, NULL, &err) != 0) {
        return bench_failed("%s", err.text);
    }
    return kith_link_follow(s->to, ">") == 0 ? 0 : bench_failed("follow");
}

static int open_peer(stream *s, const char *url) {
    int room = KEPT, patience_ms = 20 * 1000; /* never reached: a failure must not hang */
    s->context = zmq_ctx_new();
    s->context_to = zmq_ctx_new(); /* a process would have one of its own */
    s->pull = zmq_socket(s->context_to, ZMQ_PULL);
    s->push = zmq_socket(s->context, ZMQ_PUSH);
    if (s->pull == NULL || s->push == NULL ||
        zmq_setsockopt(s->pull, ZMQ_RCVHWM, &room, sizeof room) != 0 ||
        zmq_setsockopt(s->push, ZMQ_SNDHWM, &room, sizeof room) != 0 ||
        zmq_setsockopt(s->pull, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms) != 0 ||
        zmq_bind(s->pull, url) != 0 || zmq_connect(s->push, url) != 0) {
        return bench_failed("libzmq: %s", zmq_strerror(zmq_errno()));
    }
    return 0;
}

static int prepare(const bench *b, stream *s, const char *ours, const char *theirs) {
    s->count = BENCH_BY(b, 5000u, 500000u, 3000000u);
    for (uint64_t i = 0; i < SAMPLES; i++) {
        kith_content content;
        sample_content(i, SAMPLES, SAMPLE_ASCII, &content);
        if (kith_packet_encode(&content, &s->packet[i]) != 0) {
            return bench_failed("sample %d is refused", (int) i);
        }
        s->address[i] = content.address;
        s->subject_length[i] = strlen(content.address.subject);
    }
    return open_ours(s, ours) < 0 ? -1 : open_peer(s, theirs);
}

static void finish(stream *s) {
    kith_link_close(&s->from);
    kith_link_close(&s->to);
    if (s->push != NULL) {
        zmq_close(s->push);
    }
    if (s->pull != NULL) {
        zmq_close(s->pull);
    }
    if (s->context != NULL) {
        zmq_ctx_term(s->context);
        zmq_ctx_term(s->context_to);
    }
}

static int run_wire(
    bench *b, const bench_line *line, const char *ours, const char *theirs) {
    static stream s;
    char peer[160];
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    snprintf(peer, sizeof peer,
        "libzmq %d.%d.%d PUSH/PULL, one frame, a context and an I/O thread at each end, a "
        "high-water mark of %d at each",
        major, minor, patch, KEPT);
    const bench_side sides[] = {
        { .name = "kith", .run = run_ours, .ctx = &s },
        { .name = "libzmq", .run = run_peer, .ctx = &s },
    };
    const bench_row row = { .unit = "/s",
        .sides = sides,
        .side_count = 2,
        .lines = line,
        .line_count = 1,
        .peer = peer };
    memset(&s, 0, sizeof s);
    int r = prepare(b, &s, ours, theirs);
    r = r < 0 ? r : bench_row_run(b, &row);
    finish(&s);
    return r;
}

int row_tcp(bench *b) {
    static const bench_line line = { .name = "tcp",
        .what = "post to pull through tcp://, 300-byte packets, no store",
        .ours = 0,
        .peer = 1,
        .target = 1.7,
        .at_least = true };
    char ours[64], theirs[64];
    unsigned pid =
        (unsigned) getpid(); /* all of 127/8 is this machine: nobody else's port */
    snprintf(ours, sizeof ours, "tcp://127.%u.%u.%u:24550", 1 + (pid >> 16) % 200,
        pid >> 8 & 255, 1 + pid % 254);
    snprintf(theirs, sizeof theirs, "tcp://127.%u.%u.%u:24551", 1 + (pid >> 16) % 200,
        pid >> 8 & 255, 1 + pid % 254);
    return run_wire(b, &line, ours, theirs);
}

int row_unix(bench *b) {
    static const bench_line line = { .name = "unix",
        .what = "post to pull through unix://, 300-byte packets, no store",
        .ours = 0,
        .peer = 1,
        .target = 3,
        .at_least = true };
    char ours[600], theirs[600];
    snprintf(ours, sizeof ours, "unix://%.80s/ours", b->dir);
    snprintf(theirs, sizeof theirs, "ipc://%.80s/theirs", b->dir);
    return run_wire(b, &line, ours, theirs);
}
