/* SPDX-License-Identifier: Apache-2.0 */
/* udp-paced: two nodes in a multicast group, one sends what it has, and the other
 * has all of it, verified, when the clock stops: whatever was lost on the way has been
 * repaired. The peer sends the same bytes into a group with bare sendto and recvfrom, at
 * the same pace, checks nothing and repairs nothing. */
#include "rows.h"
#include "sample.h"

#include <arpa/inet.h>
#include <kith/node.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACE    6000 /* packets a second, on both sides */
#define BURST   50
#define POST_AT 100 /* packets in one commit */
#define ROOM    (4 << 20)
#define HANG_NS UINT64_C(120000000000)

typedef struct udp {
    uint64_t count;
    unsigned round;
    kith_key *key[2];
    kith_store *from;
    kith_packet packet[SAMPLES];
    _Atomic bool stop, failed;
    kith_node *sender;
    int in, out;
    struct sockaddr_in group;
} udp;

/* A group of this process's own; the port is free when nobody is bound to it. */
static int fresh_group(udp *u) {
    unsigned pid = (unsigned) getpid();
    u->group = (struct sockaddr_in){ .sin_family = AF_INET };
    u->group.sin_addr.s_addr = htonl(0xefc00000u | (pid & 0x3fffff));
    for (int tries = 0; tries < 1000; tries++) {
        u->group.sin_port = htons((uint16_t) (20000 + u->round++ % 12000));
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int bound = bind(fd, (struct sockaddr *) &u->group, sizeof u->group);
        close(fd);
        if (bound == 0) {
            return 0;
        }
    }
    return bench_failed("no free port");
}

/* ---- ours ---- */

static bool turn(kith_node *node) {
    int fds[8];
    struct pollfd waits[8];
    if (kith_node_step(node, kith_time_now()) < 0) {
        return false;
    }
    uint64_t now = kith_time_now().mono_ns, due = kith_node_due(node);
    if (due <= now) {
        return true;
    }
    size_t n = kith_node_wake_fds(node, fds, 8);
    for (size_t i = 0; i < n; i++) waits[i] = (struct pollfd){ fds[i], POLLIN, 0 };
    uint64_t ms = (due - now) / 1000000 + 1;
    (void) !poll(waits, n, ms > 5 ? 5 : (int) ms);
    return true;
}

static void *send_ours(void *ctx) {
    udp *u = ctx;
    while (!u->stop) {
        if (!turn(u->sender)) {
            u->failed = true;
        }
    }
    return NULL;
}

/* What one sends, made a moment ago: older packets sync would offer as well. */
static int fill(udp *u) {
    kith_error err = { 0 };
    if (kith_store_open(&u->from, "memory:?max_bytes=1G", &err) < 0) {
        return bench_failed("%s", err.text);
    }
    static kith_post posts[POST_AT];
    for (uint64_t i = 0; i < u->count; i += POST_AT) {
        for (uint64_t k = 0; k < POST_AT; k++) {
            sample_content(i + k, 1000, SAMPLE_ASCII, &posts[k].content);
            posts[k].content.t_end_us = kith_time_now().wall_us;
        }
        if (kith_store_post(u->from, u->key[0], posts, POST_AT, kith_time_now(), &err) <
            0) {
            return bench_failed("%s", err.text);
        }
    }
    return 0;
}

static int open_node(kith_node **ret, kith_store *store, kith_key *key, const char *url) {
    kith_error err = { 0 };
    kith_node_config config = {
        .store = store, .key = key, .links = &url, .link_count = 1
    };
    if (kith_node_open(ret, &config, kith_time_now(), &err) < 0) {
        return bench_failed("%s", err.text);
    }
    return 0;
}

static int receive_ours(udp *u, kith_node *node, kith_store *store, double *ret) {
    pthread_t sender;
    kith_store_stat stat = { 0 };
    u->stop = u->failed = false;
    uint64_t begin = bench_ns();
    if (pthread_create(&sender, NULL, send_ours, u) != 0) {
        return bench_failed("no thread");
    }
    while (stat.foreign < u->count && !u->failed && bench_ns() - begin < HANG_NS) {
        u->failed = !turn(node) || kith_store_stats(store, &stat, NULL) < 0 || u->failed;
    }
    *ret = (double) u->count / ((double) (bench_ns() - begin) / 1e9);
    u->stop = true;
    pthread_join(sender, NULL);
    return stat.foreign == u->count
               ? 0
               : bench_failed("%llu of %llu came", (unsigned long long) stat.foreign,
                     (unsigned long long) u->count);
}

static int run_ours(void *ctx, double *ret) {
    udp *u = ctx;
    char url[128], address[INET_ADDRSTRLEN];
    kith_store *store = NULL;
    kith_node *receiver = NULL;
    kith_error err = { 0 };
    if (fresh_group(u) < 0 || fill(u) < 0) {
        kith_store_close(&u->from);
        return -1;
    }
    (void) inet_ntop(AF_INET, &u->group.sin_addr, address, sizeof address);
    snprintf(url, sizeof url, "udp://%s:%u?pace=%d&rate=%d&rcvbuf=%d", address,
        ntohs(u->group.sin_port), BURST, PACE, ROOM);
    int r = kith_store_open(&store, "memory:?max_bytes=1G", &err);
    r = r < 0 ? bench_failed("%s", err.text) : open_node(&receiver, store, u->key[1], url);
    r = r < 0 ? r : open_node(&u->sender, u->from, u->key[0], url);
    r = r < 0 ? r : receive_ours(u, receiver, store, ret);
    kith_node_close(&u->sender);
    kith_node_close(&receiver);
    kith_store_close(&store);
    kith_store_close(&u->from);
    return r;
}

/* ---- the peer ---- */

/* As ours: so many at once, so many a second. */
static void *send_bare(void *ctx) {
    udp *u = ctx;
    uint64_t begin = bench_ns(), sent = 0;
    while (sent < u->count) {
        uint64_t may = BURST + (bench_ns() - begin) * PACE / UINT64_C(1000000000);
        for (; sent < may && sent < u->count; sent++) {
            const kith_packet *p = &u->packet[sent % SAMPLES];
            (void) !sendto(u->out, p->bytes, p->length, 0, (struct sockaddr *) &u->group,
                sizeof u->group);
        }
        (void) !poll(NULL, 0, 5);
    }
    for (int i = 0; i < 3; i++) { /* the end */
        (void) !sendto(u->out, "", 0, 0, (struct sockaddr *) &u->group, sizeof u->group);
    }
    return NULL;
}

static int open_bare(udp *u) {
    int yes = 1, room = ROOM, lo = (int) if_nametoindex("lo");
    struct ip_mreqn at = { .imr_multiaddr = u->group.sin_addr, .imr_ifindex = lo };
    struct timeval patience = { .tv_sec = 20 };
    u->in = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    u->out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (u->in < 0 || u->out < 0 ||
        setsockopt(u->in, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        bind(u->in, (struct sockaddr *) &u->group, sizeof u->group) < 0 ||
        setsockopt(u->in, IPPROTO_IP, IP_ADD_MEMBERSHIP, &at, sizeof at) < 0 ||
        setsockopt(u->in, SOL_SOCKET, SO_RCVBUF, &room, sizeof room) < 0 ||
        setsockopt(u->in, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
        setsockopt(u->out, IPPROTO_IP, IP_MULTICAST_IF, &at, sizeof at) < 0) {
        return bench_failed("bare sockets");
    }
    return 0;
}

static int run_bare(void *ctx, double *ret) {
    udp *u = ctx;
    pthread_t sender;
    uint8_t bytes[KITH_PACKET_MAX];
    uint64_t got = 0;
    if (fresh_group(u) < 0 || open_bare(u) < 0) {
        return -1;
    }
    uint64_t begin = bench_ns();
    if (pthread_create(&sender, NULL, send_bare, u) != 0) {
        return bench_failed("no thread");
    }
    while (recvfrom(u->in, bytes, sizeof bytes, 0, NULL, NULL) > 0) got++;
    *ret = (double) got / ((double) (bench_ns() - begin) / 1e9);
    pthread_join(sender, NULL);
    close(u->in);
    close(u->out);
    return got > 0 ? 0 : bench_failed("nothing came");
}

static int prepare(const bench *b, udp *u) {
    kith_error err = { 0 };
    uint8_t seeds[2][32] = { { 1 }, { 2 } };
    u->count = BENCH_BY(b, 300u, 12000u, 30000u);
    if (kith_key_from_seed(&u->key[0], seeds[0], &err) < 0 ||
        kith_key_from_seed(&u->key[1], seeds[1], &err) < 0) {
        return bench_failed("%s", err.text);
    }
    for (uint64_t i = 0; i < SAMPLES; i++) {
        kith_content content;
        sample_content(i, SAMPLES, SAMPLE_ASCII, &content);
        if (kith_packet_encode(&content, &u->packet[i]) != 0) {
            return bench_failed("sample %d is refused", (int) i);
        }
    }
    return 0;
}

int row_udp_paced(bench *b) {
    static udp u;
    static const bench_line line = { .name = "udp-paced",
        .what = "a multicast group, delivered, verified and repaired, at 6,000 packets a "
                "second",
        .ours = 0,
        .peer = 1,
        .target = 0.8,
        .at_least = true };
    const bench_side sides[] = {
        { .name = "kith udp", .run = run_ours, .ctx = &u },
        { .name = "bare sockets", .run = run_bare, .ctx = &u },
    };
    const bench_row row = { .unit = "/s",
        .sides = sides,
        .side_count = 2,
        .lines = &line,
        .line_count = 1,
        .peer =
            "sendto and recvfrom in a group of the loopback, 50 at once, nothing checked" };
    int r = prepare(b, &u);
    r = r < 0 ? r : bench_row_run(b, &row);
    kith_key_free(&u.key[0]);
    kith_key_free(&u.key[1]);
    return r;
}
