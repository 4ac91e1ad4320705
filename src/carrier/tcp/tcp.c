/* SPDX-License-Identifier: Apache-2.0 */
/* tcp, unix: our own frames over stream sockets, for places without any broker or
 * library. All links of one URL are one bus: the first to come listens and passes on,
 * the others dial it, and when it goes one of them takes its place. */
#include "base/check.h"
#include "base/dice.h"
#include "base/fail.h"
#include "base/wire.h"
#include "carrier/carrier.h"
#include "carrier/tcp/bus.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* How long open and follow wait for those at the other end. */
#define PATIENCE_MS 5000

static int fds_of(bus *b, int *ret[5]) {
    ret[0] = &b->poll;
    ret[1] = &b->kick;
    ret[2] = &b->answer;
    ret[3] = &b->wake;
    ret[4] = &b->timer;
    return 5;
}

static void undo(bus *b) {
    int *fds[5];
    for (int i = 0, n = fds_of(b, fds); i < n; i++) {
        if (*fds[i] >= 0) {
            close(*fds[i]);
        }
    }
    ki_blocks_fini(&b->inbox.q);
    ki_blocks_fini(&b->up.q);
    pthread_mutex_destroy(&b->lock);
}

static bool watch(bus *b, int *fd) {
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = fd };
    return epoll_ctl(b->poll, EPOLL_CTL_ADD, *fd, &e) == 0;
}

static int prepare(bus *b, kith_error *err) {
    int *fds[5];
    for (int i = 0, n = fds_of(b, fds); i < n; i++) {
        *fds[i] = -1;
    }
    b->listener = -1;
    b->reader_asleep = true;
    pthread_mutex_init(&b->lock, NULL);
    ki_dice_system(b->id, sizeof b->id);
    ki_dice_system(&b->dice, sizeof b->dice);
    if (ki_blocks_init(&b->inbox.q, (size_t) b->queue_bytes) < 0 ||
        ki_blocks_init(&b->up.q, (size_t) b->queue_bytes) < 0) {
        return ki_fail(err, KITH_E_MEMORY, "queues");
    }
    b->poll = epoll_create1(EPOLL_CLOEXEC);
    b->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    b->answer = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    b->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    b->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    for (int i = 0, n = fds_of(b, fds); i < n; i++) {
        if (*fds[i] < 0) {
            return ki_fail_sys(err, "descriptors");
        }
    }
    return watch(b, &b->kick) && watch(b, &b->timer) ? 0 : ki_fail_sys(err, "epoll");
}

/* Until `done` says so under lock, or patience ends. */
static void await(bus *b, bool (*done)(const bus *b)) {
    for (;;) {
        pthread_mutex_lock(&b->lock);
        ki_bus_silence(b->answer);
        bool is_done = done(b);
        pthread_mutex_unlock(&b->lock);
        struct pollfd p = { .fd = b->answer, .events = POLLIN };
        if (is_done || poll(&p, 1, PATIENCE_MS) == 0) {
            return;
        }
    }
}

static bool has_settled(const bus *b) {
    return b->settled;
}

static void stop(bus *b) {
    pthread_mutex_lock(&b->lock);
    b->stopping = true;
    ki_bus_wake_thread(b);
    pthread_mutex_unlock(&b->lock);
    pthread_join(b->thread, NULL); /* it waits for nothing longer than LINGER_BEATS */
}

static int open_bus(bus *b, const char *scheme, const kith_host *host, kith_error *err) {
    b->scheme = scheme;
    b->host = host;
    int r = prepare(b, err);
    if (r == 0 && pthread_create(&b->thread, NULL, ki_bus_run, b) != 0) {
        r = ki_fail(err, KITH_E_MEMORY, "no thread to be had");
    }
    if (r < 0) {
        undo(b);
        return r;
    }
    await(b, has_settled);
    pthread_mutex_lock(&b->lock);
    r = b->begun;
    kith_error words = b->begun_words;
    pthread_mutex_unlock(&b->lock);
    if (r < 0) {
        stop(b);
        undo(b);
        if (err != NULL) {
            *err = words;
        }
    }
    return r;
}

static int tcp_open(void *self, const char *text, const kith_host *host, kith_error *err) {
    bus *b = self;
    int r = ki_place_of_tcp(&b->place, text, err);
    return r < 0 ? r : open_bus(b, "tcp", host, err);
}

static int unix_open(void *self, const char *text, const kith_host *host, kith_error *err) {
    bus *b = self;
    int r = ki_place_of_unix(&b->place, text, err);
    return r < 0 ? r : open_bus(b, "unix", host, err);
}

static void tcp_close(void *self) {
    bus *b = self;
    stop(b);
    undo(b);
}

/* ---- post ---- */

/* Under lock. */
static bool goes_to(const conn *c, const kith_posting *what) {
    return c->open && (what->kind == KITH_ITEM_SYNC ||
                          ki_tcp_wanted(&c->t->theirs, what->to->subject));
}

static bool post_to_leaves(bus *b, const kith_posting *what, const batch_item *item) {
    size_t size = (size_t) ITEM_HEAD + item->subject_length + item->length;
    for (size_t i = 0; i < b->count; i++) {
        if (goes_to(b->conns[i], what) && !ki_sink_admits(b->conns[i]->out, size)) {
            return false;
        }
    }
    for (size_t i = 0; i < b->count; i++) {
        if (goes_to(b->conns[i], what)) {
            (void) ki_sink_put(b->conns[i]->out, item);
        }
    }
    return true;
}

static bool post_to_hub(bus *b, const kith_posting *what, const batch_item *item) {
    size_t size = (size_t) ITEM_HEAD + item->subject_length + item->length;
    if (b->count > 0 && b->conns[0]->open && !goes_to(b->conns[0], what)) {
        return true; /* nobody wants it */
    }
    return ki_blocks_room(&b->up.q, size) && ki_sink_put(&b->up, item);
}

static int tcp_post(void *self, const kith_posting *what) {
    bus *b = self;
    CHECK_HOT(what->length >= 1 && what->length <= KITH_PACKET_MAX);
    batch_item item = { .kind = what->kind,
        .length = what->length,
        .bytes = what->bytes,
        .subject = what->bytes };
    if (what->kind == KITH_ITEM_PACKET) {
        item.subject = (const uint8_t *) what->to->subject;
        item.subject_length = (uint8_t) strlen(what->to->subject);
    }
    pthread_mutex_lock(&b->lock);
    bool taken =
        b->role == BUS_HUB ? post_to_leaves(b, what, &item) : post_to_hub(b, what, &item);
    b->counters.posted += taken;
    b->counters.settled += taken;
    ki_bus_wake_thread(b); /* also to see that something is full */
    pthread_mutex_unlock(&b->lock);
    return taken ? 0 : KITH_FULL;
}

/* ---- follow ---- */

static bool has_followed(const bus *b) {
    return b->follow_done == b->follow_asked;
}

/* What is posted anywhere after this returns is judged by these patterns. */
static int tcp_follow(void *self, const char *const *patterns, size_t count) {
    bus *b = self;
    pthread_mutex_lock(&b->lock);
    ki_tcp_wants_clear(&b->own);
    for (size_t i = 0; i < count; i++) {
        ki_tcp_wants_add(&b->own, patterns[i]);
    }
    b->follow_asked++;
    ki_bus_wake_thread(b);
    pthread_mutex_unlock(&b->lock);
    await(b, has_followed);
    return 0;
}

/* ---- pull ---- */

/* Under lock: the block that was read is free, the next is the reader's. */
static block *next_block(bus *b) {
    if (b->reading != NULL) {
        b->inbox_returned += ki_block_load(b->reading);
        ki_blocks_give_back(&b->inbox.q, b->reading);
        ki_sink_taken(&b->inbox);
        if (b->any_held ||
            b->inbox_returned - b->credit_seen >= (uint64_t) b->queue_bytes / 8) {
            b->credit_seen = b->inbox_returned;
            b->any_held = false;
            ki_bus_wake_thread(b);
        }
    }
    block *k = ki_blocks_take(&b->inbox.q);
    if (k == NULL && !b->reader_asleep) {
        b->reader_asleep = true;
        ki_bus_silence(b->wake);
    }
    if (k != NULL) {
        b->counters.lost += k->lost;
    }
    return k;
}

static void read_item(bus *b, kith_item *ret) {
    batch_item item;
    b->reading_at += ki_tcp_item(b->reading->bytes + b->reading_at, &item);
    b->reading_left--;
    CHECK_HOT(b->reading_at <= b->reading->used);
    ret->kind = item.kind;
    ret->length = item.length;
    ret->token = 0;
    memcpy(ret->from.subject, item.subject, item.subject_length);
    ret->from.subject[item.subject_length] = '\0';
    memcpy(ret->bytes, item.bytes, item.length);
}

static int tcp_pull(void *self, kith_item *ret_item) {
    bus *b = self;
    while (b->reading == NULL || b->reading_left == 0) {
        pthread_mutex_lock(&b->lock);
        b->reading = next_block(b);
        pthread_mutex_unlock(&b->lock);
        if (b->reading == NULL) {
            return KITH_EMPTY;
        }
        b->reading_at = BATCH_HEAD;
        b->reading_left = b->reading->count;
        if (b->reading->lost > 0) {
            return KITH_GAP;
        }
    }
    read_item(b, ret_item);
    return 0;
}

static int tcp_wake_fd(void *self) {
    return ((bus *) self)->wake;
}

static void tcp_counters(void *self, kith_counters *ret) {
    bus *b = self;
    pthread_mutex_lock(&b->lock);
    *ret = b->counters;
    pthread_mutex_unlock(&b->lock);
}

static int tcp_health(void *self, kith_error *err) {
    bus *b = self;
    pthread_mutex_lock(&b->lock);
    int r = b->sickness.code;
    if (r < 0 && err != NULL) {
        *err = b->sickness;
    }
    pthread_mutex_unlock(&b->lock);
    return r;
}

static const kith_option options[] = {
    { "queue", KITH_OPTION_BYTES, offsetof(bus, queue_bytes), 128 << 10, 64 << 20, "1M",
        NULL, "kept for each peer, and for us: more waits, or is lost and counted" },
    { .name = NULL },
};

/* clang-format off */
#define STREAM                                                                             \
    .abi = KITH_CARRIER_ABI, .state_size = sizeof(bus), .options = options,                \
    .close = tcp_close, .post = tcp_post, .follow = tcp_follow, .pull = tcp_pull,          \
    .wake_fd = tcp_wake_fd, .counters = tcp_counters, .health = tcp_health
/* clang-format on */

const kith_carrier ki_tcp_carrier = {
    STREAM,
    .can = KITH_CAN_REMOTE | KITH_CAN_ORDER | KITH_CAN_PREFIX | KITH_CAN_SYNC,
    .scheme = "tcp",
    .summary = "a port: the first to come listens, the others dial it",
    .place = "127.0.0.1:PORT",
    .open = tcp_open,
};

const kith_carrier ki_unix_carrier = {
    STREAM,
    .can = KITH_CAN_ORDER | KITH_CAN_PREFIX | KITH_CAN_SYNC,
    .scheme = "unix",
    .summary = "a socket file: the first to come listens, the others dial it",
    .place = "/path/to/socket",
    .open = unix_open,
};
