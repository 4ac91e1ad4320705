/* SPDX-License-Identifier: Apache-2.0 */
/* mem-pull: one thread posts, another pulls, through mem:// and through libzmq inproc
 * PUSH/PULL. The same record on both sides, a subject and a 300-byte packet; nothing is
 * lost on either; as many records may be on their way. */
#include "rows.h"
#include "sample.h"

#include <kith/carrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <zmq.h>

#define ON_THE_WAY 4096 /* records */
#define TELL_EVERY 64   /* records pulled before the poster hears of it */

typedef struct mem {
    bool pin;
    uint64_t count;
    kith_address address[SAMPLES];
    kith_packet packet[SAMPLES];
    size_t subject_length[SAMPLES];
    kith_link *from, *to;
    void *push, *pull;
    _Atomic bool failed;
    _Alignas(64) _Atomic uint64_t pulled; /* by our side, in this round */
} mem;

static void *context;

/* Spin, but do not keep the other thread from the core when the machine is shared. */
static void relax(unsigned *turns) {
    if (++*turns % 4096 == 0) {
        sched_yield();
    }
}

static void *post_all(void *ctx) {
    mem *m = ctx;
    bench_pin(m->pin ? 1 % bench_cpus() : -1);
    unsigned turns = 0;
    uint64_t known = 0; /* pulled, when we last looked */
    for (uint64_t i = 0; i < m->count && !m->failed; i++) {
        while (i - known >= ON_THE_WAY - TELL_EVERY && !m->failed) {
            known = atomic_load_explicit(&m->pulled, memory_order_acquire);
            relax(&turns);
        }
        uint64_t k = i % SAMPLES;
        kith_posting p = { .kind = KITH_ITEM_PACKET,
            .length = m->packet[k].length,
            .bytes = m->packet[k].bytes,
            .to = &m->address[k],
            .expires_us = INT64_MAX,
            .ticket = i + 1 };
        if (kith_link_post(m->from, &p) != 0) {
            m->failed = true;
        }
    }
    return NULL;
}

static void pull_all(mem *m) {
    kith_item item = { 0 };
    unsigned turns = 0;
    for (uint64_t i = 0; i < m->count && !m->failed;) {
        int r = kith_link_pull(m->to, &item);
        if (r == KITH_EMPTY) {
            relax(&turns);
            continue;
        }
        if (r != 0 || item.bytes[0] != KITH_PACKET_VERSION) {
            m->failed = true; /* a gap too: nothing may be lost here */
        }
        kith_link_ack(m->to, item.token);
        i++;
        if (i % TELL_EVERY == 0) {
            atomic_store_explicit(&m->pulled, i, memory_order_release);
        }
    }
}

static void *push_all(void *ctx) {
    mem *m = ctx;
    bench_pin(m->pin ? 1 % bench_cpus() : -1);
    for (uint64_t i = 0; i < m->count && !m->failed; i++) {
        uint64_t k = i % SAMPLES;
        size_t n = m->subject_length[k];
        zmq_msg_t message;
        bool fine = zmq_msg_init_size(&message, n + m->packet[k].length) == 0;
        if (fine) {
            char *data = zmq_msg_data(&message);
            memcpy(data, m->address[k].subject, n);
            memcpy(data + n, m->packet[k].bytes, m->packet[k].length);
            fine = zmq_msg_send(&message, m->push, 0) >= 0;
        }
        if (!fine) {
            m->failed = true;
        }
    }
    return NULL;
}

static void receive_all(mem *m) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    for (uint64_t i = 0; i < m->count && !m->failed; i++) {
        int n = zmq_msg_recv(&message, m->pull, 0);
        size_t at = m->subject_length[i % SAMPLES];
        if (n < 0 || ((char *) zmq_msg_data(&message))[at] != KITH_PACKET_VERSION) {
            m->failed = true;
        }
    }
    zmq_msg_close(&message);
}

static int timed(mem *m, void *(*post)(void *), void (*pull)(mem *), double *ret) {
    pthread_t poster;
    atomic_store(&m->pulled, 0);
    bench_pin(m->pin ? 0 : -1);
    uint64_t begin = bench_ns();
    if (pthread_create(&poster, NULL, post, m) != 0) {
        return bench_failed("no thread");
    }
    pull(m);
    pthread_join(poster, NULL);
    *ret = (double) m->count / ((double) (bench_ns() - begin) / 1e9);
    bench_pin(-1);
    return m->failed ? bench_failed("a record was lost or refused") : 0;
}

static int run_ours(void *ctx, double *ret) {
    return timed(ctx, post_all, pull_all, ret);
}

static int run_peer(void *ctx, double *ret) {
    return timed(ctx, push_all, receive_all, ret);
}

static int open_ours(mem *m, const char *url) {
    kith_error err = { 0 };
    if (kith_link_open(&m->to, url, NULL, &err) != 0 ||
        kith_link_open(&m->from, url, NULL, &err) != 0) {
        return bench_failed("%s", err.text);
    }
    return kith_link_follow(m->to, ">") == 0 ? 0 : bench_failed("follow");
}

static int open_peer(mem *m, const char *url) {
    int room = ON_THE_WAY / 2;   /* libzmq adds both ends up */
    int patience_ms = 20 * 1000; /* never reached: a failure must not hang */
    m->pull = zmq_socket(context, ZMQ_PULL);
    m->push = zmq_socket(context, ZMQ_PUSH);
    if (m->pull == NULL || m->push == NULL ||
        zmq_setsockopt(m->pull, ZMQ_RCVHWM, &room, sizeof room) != 0 ||
        zmq_setsockopt(m->push, ZMQ_SNDHWM, &room, sizeof room) != 0 ||
        zmq_setsockopt(m->pull, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms) != 0 ||
        zmq_bind(m->pull, url) != 0 || zmq_connect(m->push, url) != 0) {
        return bench_failed("libzmq: %s", zmq_strerror(zmq_errno()));
    }
    return 0;
}

static int prepare(const bench *b, mem *m) {
    m->count = BENCH_BY(b, 5000u, 200000u, 1000000u);
    for (uint64_t i = 0; i < SAMPLES; i++) {
        kith_content content;
        sample_content(i, SAMPLES, SAMPLE_ASCII, &content);
        if (kith_packet_encode(&content, &m->packet[i]) != 0) {
            return bench_failed("sample %d is refused", (int) i);
        }
        m->address[i] = content.address;
        m->subject_length[i] = strlen(content.address.subject);
    }
    if (open_ours(m, m->pin ? "mem://pinned?ring=4M" : "mem://loose?ring=4M") < 0) {
        return -1;
    }
    return open_peer(m, m->pin ? "inproc://pinned" : "inproc://loose");
}

static void finish(mem *m) {
    kith_link_close(&m->from);
    kith_link_close(&m->to);
    if (m->push != NULL) {
        zmq_close(m->push);
    }
    if (m->pull != NULL) {
        zmq_close(m->pull);
    }
}

int row_mem_pull(bench *b) {
    static mem both[2];
    static const bench_line line = { .name = "mem-pull",
        .what = "post to pull through mem, two threads, each on its core",
        .ours = 0,
        .peer = 1,
        .target = 3,
        .at_least = true,
        .loose = 2 };
    const bench_side sides[] = {
        { .name = "kith mem", .run = run_ours, .ctx = &both[0] },
        { .name = "libzmq inproc", .run = run_peer, .ctx = &both[0] },
        { .name = "kith mem", .run = run_ours, .ctx = &both[1] },
        { .name = "libzmq inproc", .run = run_peer, .ctx = &both[1] },
    };
    char peer[160];
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    snprintf(peer, sizeof peer,
        "libzmq %d.%d.%d PUSH/PULL over inproc, one frame, a high-water mark of %d at each "
        "end, received without a copy",
        major, minor, patch, ON_THE_WAY / 2);
    const bench_row row = { .unit = "/s",
        .sides = sides,
        .side_count = 4,
        .lines = &line,
        .line_count = 1,
        .peer = peer };
    context = zmq_ctx_new();
    memset(both, 0, sizeof both);
    both[0].pin = true;
    int r = prepare(b, &both[0]) < 0 || prepare(b, &both[1]) < 0 ? -1 : 0;
    r = r < 0 ? r : bench_row_run(b, &row);
    finish(&both[0]);
    finish(&both[1]);
    zmq_ctx_term(context);
    return r;
}
