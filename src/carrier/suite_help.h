/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/suite_help.h - what the tests of carriers share: fresh places, numbered
 * packets, a poster that keeps rule 5, a reader that knows when all has come. */
#ifndef CARRIER_SUITE_HELP_H
#define CARRIER_SUITE_HELP_H

#include <kith/carrier.h>

#include "test.h"

#include <dirent.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

enum {
    PATIENCE_MS = 120000, /* a hang guard: nothing that comes takes nearly as long */
};

/* A group and a port that nobody on this machine is bound to: of our own number, and
 * tried. */
static UNUSED void fresh_group(char *ret, size_t size) {
    static unsigned count;
    for (int bound = -1; bound != 0;) {
        unsigned pid = (unsigned) getpid(), port = 20000 + count++ % 12000;
        struct sockaddr_in at = { .sin_family = AF_INET,
            .sin_port = htons((uint16_t) port) };
        at.sin_addr.s_addr = htonl(0xefc00000 | (pid & 0x3fffff));
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        bound = bind(fd, (struct sockaddr *) &at, sizeof at);
        if (fd < 0 || close(fd) != 0 || count > 12000) abort();
        (void) snprintf(ret, size, "239.%u.%u.%u:%u", 192 | (pid >> 16 & 63),
            pid >> 8 & 255, pid & 255, port);
    }
}

/* A port that is nobody's: all of 127/8 is this machine, so each process has an address
 * of its own, and no other that looks for a free port can be in its way. */
static UNUSED void fresh_port(char *ret, size_t size) {
    static unsigned count;
    unsigned pid = (unsigned) getpid();
    (void) snprintf(ret, size, "127.%u.%u.%u:%u", 64 + (pid >> 16) % 128, pid >> 8 & 255,
        pid & 255, 20000 + count++ % 12000);
}

/* "udp://#?x=1": the group, or the port, in its place. */
static UNUSED void group_of(const char *pattern, char *ret, size_t size) {
    char group[32];
    const char *at = strchr(pattern, '#');
    if (strstr(pattern, "tcp://") != NULL) {
        fresh_port(group, sizeof group);
    } else {
        fresh_group(group, sizeof group);
    }
    (void) snprintf(ret, size, "%.*s%s%s", (int) (at - pattern), pattern, group, at + 1);
}

/* A place of its own for one case, and the URL that leads there. */
typedef struct realm {
    char folder[64];
    char url[512];
} realm;

/* This machine under a name that nobody else uses: so no port is taken. */
static void realm_host(char *ret, size_t size) {
    static unsigned count;
    unsigned own = (unsigned) getpid() * 64 + count++ % 64;
    (void) snprintf(
        ret, size, "127.%u.%u.%u", 1 + (own >> 16) % 254, own >> 8 & 255, 1 + own % 254);
}

static UNUSED realm realm_of(const char *pattern) {
    /* in memory where there is such a place: hundreds of fsyncs are not the matter */
    const char *memory = getenv("TEST_SHM");
    realm r = { 0 };
    memory = memory == NULL ? "/dev/shm" : memory;
    if (!test_folder(memory, "kith-test", r.folder, sizeof r.folder) &&
        !test_folder(test_place(), "kith-test", r.folder, sizeof r.folder)) {
        abort();
    }
    if (strchr(pattern, '#') != NULL) {
        group_of(pattern, r.url, sizeof r.url);
        return r;
    }
    const char *at = strpbrk(pattern, "@~");
    size_t n = at == NULL ? strlen(pattern) : (size_t) (at - pattern);
    char host[32];
    realm_host(host, sizeof host);
    (void) snprintf(r.url, sizeof r.url, "%.*s%s%s", (int) n, pattern,
        at == NULL   ? ""
        : *at == '@' ? r.folder
                     : host,
        at == NULL ? "" : at + 1);
    return r;
}

static UNUSED realm realm_new(void) {
    const char *u = getenv("KITH_TEST_URL");
    return realm_of(u != NULL ? u : "mem://@?ring=512K");
}

static int realm_remove(
    const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void) st, (void) kind, (void) ftw;
    return remove(path);
}

static UNUSED void realm_free(realm *r) {
    (void) nftw(r->folder, realm_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static UNUSED kith_link *realm_open(const realm *r) {
    kith_link *l = NULL;
    kith_error err = { 0 };
    if (kith_link_open(&l, r->url, NULL, &err) != 0) {
        printf("# %s: %s\n", r->url, err.text);
        abort();
    }
    return l;
}

static UNUSED size_t descriptors(void) {
    size_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d != NULL && readdir(d) != NULL) n++;
    if (d != NULL) closedir(d);
    return n;
}

static UNUSED int64_t clock_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static UNUSED bool readable(int fd, int ms) {
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return poll(&p, fd < 0 ? 0 : 1, ms) == 1;
}

/* splitmix64 */
static UNUSED uint64_t roll(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static UNUSED bool bends(const kith_link *l) {
    return (kith_link_can(l) & KITH_CAN_BEND) != 0;
}

/* May posts vanish without a word? */
static UNUSED bool lossy(const kith_link *l) {
    return bends(l) && !(kith_link_can(l) & KITH_CAN_REPLAY);
}

static UNUSED kith_posting posting_of(const char *subject, const void *bytes, size_t n) {
    static kith_address to;
    memcpy(to.subject, subject, strlen(subject) + 1);
    return (kith_posting){ .kind = KITH_ITEM_PACKET,
        .length = (uint16_t) n,
        .bytes = bytes,
        .to = &to,
        .expires_us = INT64_MAX };
}

/* A wire without a copy of the address: the node, here the test, reads it inside. */
static UNUSED bool bare(const kith_item *item) {
    return item->from.subject[0] == '\0';
}

static UNUSED size_t fill_number(size_t number, uint8_t *ret) {
    uint64_t n = number;
    memcpy(ret, &n, sizeof n);
    return sizeof n;
}

static UNUSED size_t number_of(const kith_item *item) {
    uint64_t n = 0;
    if (item->length == sizeof n) memcpy(&n, item->bytes, sizeof n);
    return (size_t) n;
}

/* `number` bytes; over all sizes every value stands everywhere. */
static UNUSED size_t fill_ramp(size_t number, uint8_t *ret) {
    for (size_t i = 0; i < number; i++) ret[i] = (uint8_t) (i * 7 + number);
    return number;
}

/* The suite's own time: a quarter of a second passes whenever somebody waits. */
static UNUSED void pass_time(kith_link *l) {
    static kith_time now = { .mono_ns = 1, .wall_us = INT64_C(1800000000000000) };
    now.mono_ns += 250000000;
    now.wall_us += 250000;
    kith_link_tick(l, now);
    (void) readable(kith_link_wake_fd(l), strcmp(kith_link_scheme(l), "mem") == 0 ? 0 : 4);
}

/* Turns in which nothing came. */
typedef struct lull {
    int turns;
    int64_t since_ms;
} lull;

/* One turn more. True: nothing more will come. Where all must come that was posted, and
 * has not (`enough`), the hang guard alone says so: how fast a thread or a disk is on a
 * busy machine is not the matter. mem brings at once what it brings. */
static UNUSED bool gives_up(kith_link *l, lull *q, bool enough) {
    if (q->turns++ == 0) q->since_ms = clock_ms();
    pass_time(l);
    bool prompt = strcmp(kith_link_scheme(l), "mem") == 0;
    if (prompt || enough) return q->turns >= 12;
    if (lossy(l)) return q->turns >= 60;
    return clock_ms() - q->since_ms >= PATIENCE_MS;
}

typedef struct batch {
    const char *subject;
    size_t first, count; /* numbers; tickets are number - first + 1 */
    size_t (*fill)(size_t number, uint8_t *ret);
    size_t settled, failures; /* out */
} batch;

/* Posts all, and again what a failure forgot. False: it never ends. */
static UNUSED bool batch_send(kith_link *l, batch *b) {
    size_t next = 1; /* ticket */
    int64_t since = clock_ms();
    while (b->settled < b->count && clock_ms() - since < PATIENCE_MS) {
        if (next <= b->count) {
            uint8_t bytes[KITH_PACKET_MAX];
            size_t n = b->fill(b->first + next - 1, bytes);
            kith_posting p = posting_of(b->subject, bytes, n);
            p.ticket = next;
            int r = kith_link_post(l, &p);
            if (r < 0) {
                printf("# post %d\n", r);
                return false;
            }
            if (r == 0) {
                next++;
                continue;
            }
        }
        uint64_t through = 0;
        int r = kith_link_settle(l, &through, NULL);
        if (r == 0) {
            b->settled = (size_t) through;
            since = clock_ms();
        } else if (r < 0) {
            b->failures++;
            next = b->settled + 1;
        } else {
            pass_time(l);
        }
    }
    if (b->settled != b->count)
        printf("# settled %zu of %zu next %zu failures %zu\n", b->settled, b->count, next,
            b->failures);
    return b->settled == b->count;
}

/* The next item. Without `enough` it waits for one; with it only for stragglers. */
static UNUSED bool await(kith_link *l, kith_item *ret, bool enough) {
    for (lull q = { 0 };;) {
        int r = kith_link_pull(l, ret);
        if (r == 0) return true;
        if (r == KITH_EMPTY && gives_up(l, &q, enough)) return false;
    }
}

/* Until so, which is asked anew; the body makes time pass. A hang guard, no measure. */
#define UNTIL(so)                                                                          \
    for (int64_t since_ = clock_ms(); !(so) && clock_ms() - since_ < PATIENCE_MS;)

/* What a loop does with a link that brings it nothing: asks, then sleeps. Returns
 * the failure that settle told, or 0. */
static UNUSED int idle_turn(kith_link *l) {
    kith_item item;
    uint64_t through;
    int r = kith_link_settle(l, &through, NULL);
    (void) !kith_link_pull(l, &item);
    pass_time(l);
    return r < 0 ? r : 0;
}

/* Which numbers came. */
typedef struct tally {
    size_t expect, distinct, repeats, gaps, lowest;
    uint8_t seen[8192];
} tally;

static UNUSED bool tally_note(tally *t, size_t number) {
    if (number >= sizeof t->seen) abort();
    bool first = !t->seen[number];
    t->seen[number] = 1;
    t->distinct += first;
    t->repeats += !first;
    t->lowest = t->lowest == 0 || number < t->lowest ? number : t->lowest;
    return first;
}

static UNUSED uint64_t lost_by(const kith_link *l) {
    kith_counters c;
    kith_link_counters(l, &c);
    return c.lost;
}

/* All there is. False: something came that nobody posted. */
static UNUSED bool tally_drain(tally *t, kith_link *l) {
    for (lull q = { 0 };;) {
        kith_item item;
        int r = kith_link_pull(l, &item);
        if (r == 0) {
            size_t n = number_of(&item);
            if (n == 0 || n >= sizeof t->seen) return false;
            (void) tally_note(t, n);
            kith_link_ack(l, item.token);
            q.turns = 0;
        } else if (r == KITH_GAP) {
            t->gaps++;
        } else if (r != KITH_EMPTY) {
            return false;
        } else if (gives_up(l, &q, t->distinct + lost_by(l) >= t->expect)) {
            return true;
        }
    }
}

#endif
