/* SPDX-License-Identifier: Apache-2.0 */
/* zmq-tcp, zmq-ipc: one thread posts, another pulls, through zmq:// and through a bare
 * loop over libzmq: XPUB and SUB, the same two frames, the same bytes, the same
 * high-water marks, nothing dropped (XPUB_NODROP). No store on either side. */
#include "rows.h"
#include "sample.h"

#include <kith/carrier.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define ROOM 2048 /* messages, at each end: 1 MiB of the longest */

typedef struct wire {
    uint64_t count;
    kith_address address[SAMPLES];
    kith_packet packet[SAMPLES];
    char topic[SAMPLES][KITH_SUBJECT_MAX + 1];
    size_t topic_length[SAMPLES];
    kith_link *from, *to;
    void *context, *out, *in;
    _Atomic bool failed;
} wire;

static void *post_all(void *ctx) {
    wire *w = ctx;
    for (uint64_t i = 0; i < w->count && !w->failed;) {
        uint64_t k = i % SAMPLES;
        kith_posting p = { .kind = KITH_ITEM_PACKET,
            .length = w->packet[k].length,
            .bytes = w->packet[k].bytes,
            .to = &w->address[k],
            .expires_us = INT64_MAX,
            .ticket = i + 1 };
        int r = kith_link_post(w->from, &p);
        if (r ==
            KITH_FULL) { /* thousands are on their way: a moment later is soon enough */
            (void) nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
        } else if (r == 0) {
            i++;
        } else {
            w->failed = true;
        }
    }
    return NULL;
}

static void pull_all(wire *w) {
    kith_item item = { 0 };
    int idle = 0;
    for (uint64_t i = 0; i < w->count && !w->failed;) {
        int r = kith_link_pull(w->to, &item);
        if (r == KITH_EMPTY) {
            struct pollfd p = { .fd = kith_link_wake_fd(w->to), .events = POLLIN };
            idle = poll(&p, 1, 1000) == 1 ? 0 : idle + 1;
            w->failed = w->failed || idle > 20;
            continue;
        }
        bool good = r == 0 && item.length == w->packet[i % SAMPLES].length;
        w->failed = w->failed || !good || item.bytes[0] != KITH_PACKET_VERSION;
        i++;
    }
}

static void *send_all(void *ctx) {
    wire *w = ctx;
    for (uint64_t i = 0; i < w->count && !w->failed; i++) {
        uint64_t k = i % SAMPLES;
        if (zmq_send(w->out, w->topic[k], w->topic_length[k], ZMQ_SNDMORE) < 0 ||
            zmq_send(w->out, w->packet[k].bytes, w->packet[k].length, 0) < 0) {
            w->failed = true;
        }
    }
    return NULL;
}

static void receive_all(wire *w) {
    char topic[KITH_SUBJECT_MAX + 1];
    uint8_t bytes[KITH_PACKET_MAX];
    for (uint64_t i = 0; i < w->count && !w->failed; i++) {
        int n = zmq_recv(w->in, topic, sizeof topic, 0);
        int m = n < 0 ? -1 : zmq_recv(w->in, bytes, sizeof bytes, 0);
        if (m != (int) w->packet[i % SAMPLES].length || bytes[0] != KITH_PACKET_VERSION) {
            w->failed = true;
        }
    }
}

static int timed(wire *w, void *(*post)(void *), void (*pull)(wire *), double *ret) {
    pthread_t poster;
    uint64_t begin = bench_ns();
    if (pthread_create(&poster, NULL, post, w) != 0) {
        return bench_failed("no thread");
    }
    pull(w);
    pthread_join(poster, NULL);
    *ret = (double) w->count / ((double) (bench_ns() - begin) / 1e9);
    return w->failed ? bench_failed("a packet was lost or refused") : 0;
}

static int run_ours(void *ctx, double *ret) {
    return timed(ctx, post_all, pull_all, ret);
}

static int run_peer(void *ctx, double *ret) {
    return timed(ctx, send_all, receive_all, ret);
}

static int open_ours(wire *w, const char *url) {
    kith_error err = { 0 };
    if (kith_link_open(&w->to, url, NULL, &err) != 0 ||
        kith_link_open(&w->from, url, NULL, &err) != 0) {
        return bench_failed("%s", err.text);
    }
    return kith_link_follow(w->to, ">") == 0 ? 0 : bench_failed("follow");
}

static bool set(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static int open_peer(wire *w, const char *endpoint) {
    char at[256];
    size_t size = sizeof at;
    w->context = zmq_ctx_new();
    w->out = zmq_socket(w->context, ZMQ_XPUB);
    w->in = zmq_socket(w->context, ZMQ_SUB);
    bool good = w->out != NULL && w->in != NULL && set(w->out, ZMQ_SNDHWM, ROOM) &&
                set(w->in, ZMQ_RCVHWM, ROOM) && set(w->out, ZMQ_XPUB_NODROP, 1) &&
                set(w->out, ZMQ_LINGER, 0) && set(w->in, ZMQ_RCVTIMEO, 20000) &&
                set(w->out, ZMQ_SNDTIMEO, 20000) && set(w->out, ZMQ_RCVTIMEO, 20000) &&
                zmq_bind(w->out, endpoint) == 0 &&
                zmq_getsockopt(w->out, ZMQ_LAST_ENDPOINT, at, &size) == 0 &&
                zmq_connect(w->in, at) == 0 &&
                zmq_setsockopt(w->in, ZMQ_SUBSCRIBE, "", 0) == 0;
    char first[8]; /* the subscription has come: nothing is lost from here on */
    good = good && zmq_recv(w->out, first, sizeof first, 0) == 1;
    return good ? 0 : bench_failed("libzmq: %s", zmq_strerror(zmq_errno()));
}

static int prepare(const bench *b, wire *w, const char *url, const char *endpoint) {
    w->count = BENCH_BY(b, 2000u, 100000u, 500000u);
    for (uint64_t i = 0; i < SAMPLES; i++) {
        kith_content content;
        sample_content(i, SAMPLES, SAMPLE_ASCII, &content);
        if (kith_packet_encode(&content, &w->packet[i]) != 0) {
            return bench_failed("sample %d is refused", (int) i);
        }
        w->address[i] = content.address;
        w->topic_length[i] = strlen(content.address.subject) + 1;
        memcpy(w->topic[i], content.address.subject, w->topic_length[i]);
        w->topic[i][w->topic_length[i] - 1] = '.';
    }
    return open_ours(w, url) < 0 ? -1 : open_peer(w, endpoint);
}

static void finish(wire *w) {
    kith_link_close(&w->from);
    kith_link_close(&w->to);
    if (w->out != NULL) zmq_close(w->out);
    if (w->in != NULL) zmq_close(w->in);
    if (w->context != NULL) zmq_ctx_term(w->context);
}

static int row(bench *b, const bench_line *line, const char *url, const char *endpoint) {
    static wire w;
    char peer[200];
    int major, minor, patch;
    const bench_side sides[] = {
        { .name = "kith zmq", .run = run_ours, .ctx = &w },
        { .name = "libzmq", .run = run_peer, .ctx = &w },
    };
    zmq_version(&major, &minor, &patch);
    snprintf(peer, sizeof peer,
        "libzmq %d.%d.%d XPUB to SUB in a bare loop, topic and packet in two frames, "
        "XPUB_NODROP, a high-water mark of %d at each end",
        major, minor, patch, ROOM);
    const bench_row rows = { .unit = "/s",
        .sides = sides,
        .side_count = 2,
        .lines = line,
        .line_count = 1,
        .peer = peer };
    w = (wire){ .count = 0 };
    int r = prepare(b, &w, url, endpoint);
    r = r < 0 ? r : bench_row_run(b, &rows);
    finish(&w);
    return r;
}

int row_zmq_tcp(bench *b) {
    static const bench_line line = { .name = "zmq-tcp",
        .what = "post to pull through zmq:// on tcp, 300 bytes, no store",
        .ours = 0,
        .peer = 1,
        .target = 0.85,
        .at_least = true };
    char url[64]; /* a name of this machine that nobody else has a port of */
    unsigned pid = (unsigned) getpid();
    snprintf(
        url, sizeof url, "zmq://127.%u.%u.77:24550", 128 + (pid >> 8) % 100, pid & 255);
    return row(b, &line, url, "tcp://127.0.0.1:*");
}

int row_zmq_ipc(bench *b) {
    static const bench_line line = { .name = "zmq-ipc",
        .what = "post to pull through zmq:// on ipc, 300 bytes, no store",
        .ours = 0,
        .peer = 1,
        .target = 0.85,
        .at_least = true };
    char url[64], endpoint[64]; /* short: a socket's name has 108 bytes */
    snprintf(url, sizeof url, "zmq:///tmp/kith-bench-%ld", (long) getpid());
    snprintf(endpoint, sizeof endpoint, "ipc:///tmp/kith-bench-%ld.peer", (long) getpid());
    int r = row(b, &line, url, endpoint);
    (void) rmdir(url + strlen("zmq://"));
    return r;
}
