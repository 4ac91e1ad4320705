/* SPDX-License-Identifier: Apache-2.0 */
/* zmq: packets by XPUB and SUB, sync frames by DEALER and ROUTER, between processes of
 * this machine. Every link of one URL finds every other (bind.c, peers.c); what comes
 * before a link is opened it does not get: nodes fill each other by sync. */
#include "carrier/zmq/zmq.h"

#include "base/check.h"
#include "base/dice.h"
#include "base/fail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A reader that takes nothing holds all up for so long; then it misses what is posted,
 * and the others do not. */
#define STALL_BEATS 5

/* Rubbish that one pull may step over. */
#define SKIP_MAX 64

/* ---- open and close ---- */

static void zmq_link_close(void *self) {
    ki_zmq *z = self;
    if (z->seed0 != NULL) {
        ki_seed0_close(&z->seed0);
        return;
    }
    ki_zmq_talk_stop(z); /* says goodbye */
    (void) zmq_msg_close(&z->topic);
    (void) zmq_msg_close(&z->body);
    ki_zmq_close_fd(&z->wake_fd);
    ki_zmq_close_fd(&z->bell_fd);
    ki_zmq_close_socket(&z->in);
    ki_zmq_close_socket(&z->out);
    ki_zmq_close_socket(&z->router);
    ki_zmq_context_end(&z->context);
    ki_zmq_unbind(z);
    pthread_cond_destroy(&z->met_changed);
    pthread_mutex_destroy(&z->state_lock);
    pthread_mutex_destroy(&z->sockets_lock);
}

static bool watch(int in, int fd) {
    struct epoll_event e = { .events = EPOLLIN };
    return epoll_ctl(in, EPOLL_CTL_ADD, fd, &e) == 0;
}

static int open_wake(ki_zmq *z, kith_error *err) {
    z->wake_fd = epoll_create1(EPOLL_CLOEXEC);
    z->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (z->wake_fd < 0 || z->bell_fd < 0 || !watch(z->wake_fd, z->bell_fd) ||
        !watch(z->wake_fd, ki_zmq_fd(z->in))) {
        return ki_fail_sys(err, "epoll");
    }
    return 0;
}

static int open_sockets(ki_zmq *z, kith_error *err) {
    int r = ki_zmq_context(&z->context, err);
    ki_zmq_wish out = ki_zmq_wish_of(z, ZMQ_XPUB, true),
                in = ki_zmq_wish_of(z, ZMQ_SUB, false),
                router = ki_zmq_wish_of(z, ZMQ_ROUTER, true);
    r = r < 0 ? r : ki_zmq_socket(&z->out, z->context, &out, err);
    r = r < 0 ? r : ki_zmq_socket(&z->in, z->context, &in, err);
    r = r < 0 ? r : ki_zmq_socket(&z->router, z->context, &router, err);
    r = r < 0 ? r : ki_zmq_bind(z, err);
    return r < 0 ? r : open_wake(z, err);
}

static bool subscribe_mark(ki_zmq *z, int option, uint32_t generation) {
    uint8_t mark[ZMQ_MARK_SIZE];
    ki_zmq_mark_write(z->name, generation, mark);
    return zmq_setsockopt(z->in, option, mark, sizeof mark) == 0;
}

/* The place of the URL and its peers; mistakes are found before anything is opened. */
static int read_url(ki_zmq *z, const char *place, kith_error *err) {
    int r = ki_zmq_place_parse(&z->main, place, strlen(place), err);
    z->seeds[z->seed_count++] = z->main;
    for (const char *p = z->peers_text; r == 0 && *p != '\0';) {
        size_t n = strcspn(p, ",");
        ki_zmq_place *at = &z->seeds[z->seed_count];
        if (z->seed_count == ZMQ_SEEDS_MAX) {
            return ki_fail(err, KITH_E_CONFIG, "peers: more than %d", ZMQ_SEEDS_MAX - 1);
        }
        r = ki_zmq_place_parse(at, p, n, err);
        if (r == 0 && (at->host[0] == '\0') != (z->main.host[0] == '\0')) {
            r = ki_fail(err, KITH_E_CONFIG, "'%.*s' is not of our own kind", (int) n, p);
        }
        if (r < 0) {
            return ki_fail_in(err, r, "peers");
        }
        z->seed_count++;
        p += n + (p[n] == ',');
    }
    return r;
}

static int open_seed0(
    ki_zmq *z, const char *place, const kith_host *host, kith_error *err) {
    const ki_seed0_plan plan = { .place = place,
        .peers = z->peers_text,
        .query = z->query,
        .bind = z->bind,
        .extended = z->extended,
        .patient = z->patient,
        .messages_max = (int) (z->hwm / KITH_PACKET_MAX),
        .backoff_ms = (int) (z->backoff_ns / 1000000),
        .host = host };
    return ki_seed0_open(&z->seed0, &plan, err);
}

/* Only who has the place of the URL can be behind one tunnel or proxy. */
static int read_say(ki_zmq *z, kith_error *err) {
    z->said = z->own;
    if (z->say_text[0] == '\0') {
        return 0;
    }
    int r = ki_zmq_place_parse(&z->said, z->say_text, strlen(z->say_text), err);
    if (r == 0 && (z->said.host[0] == '\0') != (z->main.host[0] == '\0')) {
        r = ki_fail(err, KITH_E_CONFIG, "'%s' is not of our own kind", z->say_text);
    }
    if (r == 0 && !z->has_main) {
        r = ki_fail(err, KITH_E_BUSY, "another link has the place of this URL already");
    }
    return r < 0 ? ki_fail_in(err, r, "say") : 0;
}

static int zmq_link_open(
    void *self, const char *place, const kith_host *host, kith_error *err) {
    ki_zmq *z = self;
    if (z->interop != 0) {
        return open_seed0(z, place, host, err);
    }
    if (!z->bind || z->query != 0 || z->extended || z->patient) {
        return ki_fail(
            err, KITH_E_CONFIG, "bind, query, extended and patient are for interop=seed0");
    }
    int r = read_url(z, place, err);
    if (r < 0) {
        return r;
    }
    z->host = host;
    z->wake_fd = z->bell_fd = z->kick_fd = z->beat_fd = z->locks[0] = z->locks[1] = -1;
    z->messages_max = (int) (z->hwm / KITH_PACKET_MAX);
    z->backoff_ms = (int) (z->backoff_ns / 1000000);
    z->generation = 1;
    ki_dice_system(z->name, sizeof z->name);
    ki_dice_system(z->route, sizeof z->route);
    z->route[0] = (uint8_t) (z->route[0] | 1); /* libzmq keeps those that begin with 0 */
    pthread_mutex_init(&z->sockets_lock, NULL);
    pthread_mutex_init(&z->state_lock, NULL);
    pthread_cond_init(&z->met_changed, NULL);
    (void) zmq_msg_init(&z->topic);
    (void) zmq_msg_init(&z->body);
    r = open_sockets(z, err);
    if (r == 0 && !subscribe_mark(z, ZMQ_SUBSCRIBE, z->generation)) {
        r = ki_fail(err, KITH_E_MEMORY, "subscribe: %s", zmq_strerror(zmq_errno()));
    }
    r = r < 0 ? r : read_say(z, err);
    r = r < 0 ? r : ki_zmq_seed(z, err);
    r = r < 0 ? r : ki_zmq_talk_start(z, err);
    if (r < 0) {
        zmq_link_close(z);
        return r;
    }
    ki_zmq_meet(z, 1);
    return 0;
}

/* ---- what goes out ---- */

static bool send_both(ki_zmq *z, const char *topic, size_t n, const kith_posting *what) {
    return zmq_send(z->out, topic, n, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
           zmq_send(z->out, what->bytes, what->length, ZMQ_DONTWAIT) >= 0;
}

/* Some reader has no room. It gets a second of everybody's time; from then on it misses
 * what finds no room, until it reads again. Sync brings it what it missed. */
static int post_to_full(ki_zmq *z, const char *topic, size_t n, const kith_posting *what) {
    ki_zmq_refresh(z->out); /* it may have said meanwhile that it has read */
    if (send_both(z, topic, n, what)) {
        z->full = false;
        return 0;
    }
    if (zmq_errno() != EAGAIN) {
        z->link_failures++;
        return KITH_E_SYSTEM;
    }
    if (!z->full) {
        z->full = true;
        z->full_since = atomic_load(&z->beats);
    }
    if (atomic_load(&z->beats) - z->full_since < STALL_BEATS) {
        return KITH_FULL;
    }
    const int keep = 1, drop = 0;
    (void) zmq_setsockopt(z->out, ZMQ_XPUB_NODROP, &drop, sizeof drop);
    bool sent = send_both(z, topic, n, what);
    (void) zmq_setsockopt(z->out, ZMQ_XPUB_NODROP, &keep, sizeof keep);
    z->link_failures++;
    z->leaving = true; /* libzmq leaves it out from here on until it reads */
    return sent ? 0 : KITH_FULL;
}

/* Everybody hears of it; who has been asleep knows that it was meant. */
static void tell_shed(ki_zmq *z) {
    pthread_mutex_lock(&z->state_lock);
    z->shed++;
    pthread_mutex_unlock(&z->state_lock);
    ki_zmq_kick(z);
}

static int zmq_link_post(void *self, const kith_posting *what) {
    ki_zmq *z = self;
    if (z->seed0 != NULL) {
        return ki_seed0_post(z->seed0, what);
    }
    if (what->kind == KITH_ITEM_LEGACY) {
        return KITH_E_NOTSUP;
    }
    if (what->kind == KITH_ITEM_SYNC) {
        return ki_zmq_say(z, what->bytes, what->length);
    }
    char topic[ZMQ_TOPIC_MAX];
    size_t n = ki_zmq_topic_write(what->to->subject, topic);
    int r = 0;
    pthread_mutex_lock(&z->sockets_lock);
    if (!send_both(z, topic, n, what)) {
        r = post_to_full(z, topic, n, what);
    } else if (z->full) {
        z->full = false;
    }
    bool leaving = z->leaving;
    z->leaving = false;
    pthread_mutex_unlock(&z->sockets_lock);
    if (leaving) {
        tell_shed(z);
    }
    return r;
}

/* ---- what is wanted ---- */

static bool has_topic(const ki_zmq_topics *t, const char *text, size_t length) {
    for (size_t i = 0; i < t->count; i++) {
        if (t->length[i] == length && memcmp(t->text[i], text, length) == 0) {
            return true;
        }
    }
    return false;
}

static bool change(
    ki_zmq *z, int option, const ki_zmq_topics *these, const ki_zmq_topics *but) {
    for (size_t i = 0; i < these->count; i++) {
        if (!has_topic(but, these->text[i], these->length[i]) &&
            zmq_setsockopt(z->in, option, these->text[i], these->length[i]) != 0) {
            return false;
        }
    }
    return true;
}

static int zmq_link_follow(void *self, const char *const *patterns, size_t count) {
    ki_zmq *z = self;
    if (z->seed0 != NULL) {
        return ki_seed0_follow(z->seed0, patterns, count);
    }
    ki_zmq_topics now = { .count = 0 };
    CHECK(count <= KITH_PATTERNS_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t n = ki_zmq_topic_of(patterns[i], now.text[now.count]);
        now.length[now.count] = n;
        now.count += !has_topic(&now, now.text[now.count], n);
    }
    uint32_t next = z->generation + 1; /* only follow, and open before it, change it */
    pthread_mutex_lock(&z->sockets_lock);
    bool good = change(z, ZMQ_SUBSCRIBE, &now, &z->topics) &&
                change(z, ZMQ_UNSUBSCRIBE, &z->topics, &now) &&
                subscribe_mark(z, ZMQ_SUBSCRIBE, next) &&
                subscribe_mark(z, ZMQ_UNSUBSCRIBE, next - 1);
    if (good) {
        z->topics = now;
    }
    pthread_mutex_unlock(&z->sockets_lock);
    if (!good) {
        return KITH_E_MEMORY;
    }
    ki_zmq_meet(z, next);
    return 0;
}

/* ---- what comes in ---- */

static void drop_rest(ki_zmq *z) {
    while (zmq_msg_more(&z->body) && zmq_msg_recv(&z->body, z->in, ZMQ_DONTWAIT) >= 0) {
    }
    z->link_rubbish++;
}

/* One message: 0, KITH_EMPTY, or E_FORMAT: it was none of ours and is dropped whole. */
static int receive(ki_zmq *z, kith_item *ret) {
    if (zmq_msg_recv(&z->topic, z->in, ZMQ_DONTWAIT) < 0) {
        return KITH_EMPTY;
    }
    if (!zmq_msg_more(&z->topic)) {
        z->link_rubbish++;
        return KITH_E_FORMAT;
    }
    if (zmq_msg_recv(&z->body, z->in, ZMQ_DONTWAIT) < 0) {
        return KITH_EMPTY; /* libzmq hands out whole messages: not reached */
    }
    size_t n = zmq_msg_size(&z->body);
    if (zmq_msg_more(&z->body) || n < 1 || n > KITH_PACKET_MAX ||
        !ki_zmq_topic_read(zmq_msg_data(&z->topic), zmq_msg_size(&z->topic), &ret->from)) {
        drop_rest(z);
        return KITH_E_FORMAT;
    }
    ret->kind = KITH_ITEM_PACKET;
    ret->length = (uint16_t) n;
    ret->token = 0;
    memcpy(ret->bytes, zmq_msg_data(&z->body), n);
    return 0;
}

static int pull_packet(ki_zmq *z, kith_item *ret) {
    int r = KITH_E_FORMAT;
    pthread_mutex_lock(&z->sockets_lock);
    for (int i = 0; i < SKIP_MAX && r == KITH_E_FORMAT; i++) {
        r = receive(z, ret);
    }
    pthread_mutex_unlock(&z->sockets_lock);
    return r;
}

/* The bell is answered before the last look: what it rang for is then not missed, and
 * what comes behind it rings again. */
static int pull_rung(ki_zmq *z, kith_item *ret) {
    uint64_t times;
    (void) !read(z->bell_fd, &times, sizeof times);
    atomic_store(&z->rung, false);
    return ki_zmq_heard(z, ret) ? 0 : pull_packet(z, ret);
}

static int zmq_link_pull(void *self, kith_item *ret_item) {
    ki_zmq *z = self;
    if (z->seed0 != NULL) {
        return ki_seed0_pull(z->seed0, ret_item);
    }
    int r = KITH_EMPTY;
    if (atomic_load_explicit(&z->gap, memory_order_relaxed)) {
        atomic_store(&z->gap, false);
        r = KITH_GAP;
    } else if (atomic_load_explicit(&z->frames, memory_order_relaxed) > 0) {
        r = ki_zmq_heard(z, ret_item) ? 0 : KITH_EMPTY;
    }
    r = r == KITH_EMPTY ? pull_packet(z, ret_item) : r;
    if (r == KITH_EMPTY && atomic_load(&z->rung)) {
        r = pull_rung(z, ret_item);
    }
    z->more = r != KITH_EMPTY;
    if (!z->more) {
        unsigned beats = atomic_load_explicit(&z->beats, memory_order_relaxed);
        atomic_store_explicit(&z->dry, beats, memory_order_relaxed);
    }
    return r;
}

/* ---- the rest ---- */

/* libzmq tells of messages once, not as long as they are there: so whoever asks for
 * the descriptor before the last pull brought nothing is woken by the bell. */
static int zmq_link_wake_fd(void *self) {
    ki_zmq *z = self;
    if (z->seed0 != NULL) {
        return ki_seed0_wake_fd(z->seed0);
    }
    if (z->more) {
        ki_zmq_ring_bell(z);
    }
    return z->wake_fd;
}

static int zmq_link_rewind(void *self, const kith_position *to) {
    ki_zmq *z = self;
    return z->seed0 != NULL ? ki_seed0_rewind(z->seed0, to) : KITH_E_NOTSUP;
}

static void zmq_link_tick(void *self, kith_time now) {
    ki_zmq *z = self;
    if (z->seed0 != NULL) {
        ki_seed0_tick(z->seed0, now);
    }
}

/* Nobody of seed 0 ever says that he has something. At level none the node would wait
 * for a receipt, and say all of it again after each start: there it counted twice. */
static kith_level zmq_link_level(void *self) {
    const ki_zmq *z = self;
    return z->seed0 != NULL ? KITH_LEVEL_PROCESS : KITH_LEVEL_NONE;
}

static void zmq_link_counters(void *self, kith_counters *ret) {
    ki_zmq *z = self;
    if (z->seed0 != NULL) {
        ki_seed0_counters(z->seed0, ret);
        return;
    }
    pthread_mutex_lock(&z->state_lock);
    ret->lost = z->lost;
    ret->rubbish = z->rubbish + z->link_rubbish;
    ret->failures = z->failures + z->link_failures;
    pthread_mutex_unlock(&z->state_lock);
}

static int zmq_link_health(void *self, kith_error *err) {
    ki_zmq *z = self;
    if (z->seed0 != NULL) {
        return 0; /* PUB and SUB never tell whether the other side is there */
    }
    pthread_mutex_lock(&z->state_lock);
    bool alone = z->alone;
    pthread_mutex_unlock(&z->state_lock);
    return alone ? ki_fail(err, KITH_E_MISSING, "none of the peers answers: %.180s",
                       z->peers_text)
                 : 0;
}

static const kith_option options[] = {
    { "peers", KITH_OPTION_TEXT, offsetof(ki_zmq, peers_text), 0, ZMQ_PEERS_TEXT, "", NULL,
        "places of others, with commas between; those of this URL are found without" },
    { "say", KITH_OPTION_TEXT, offsetof(ki_zmq, say_text), 0, ZMQ_PLACE_MAX, "", NULL,
        "tell others that we are there, where a tunnel or a proxy of ours listens" },
    { "hwm", KITH_OPTION_BYTES, offsetof(ki_zmq, hwm), 64 << 10, 256 << 20, "1M", NULL,
        "kept for each reader that is slow, at each end; then posts wait" },
    { "backoff", KITH_OPTION_TIME, offsetof(ki_zmq, backoff_ns), 100 * INT64_C(1000000),
        3600 * INT64_C(1000000000), "30s", NULL,
        "the longest pause between two tries to reach a peer" },
    { "interop", KITH_OPTION_ONE, offsetof(ki_zmq, interop), 0, 0, "none", "none|seed0",
        "speak as an older program does: its PUB on this port, its store two ports on" },
    { "query", KITH_OPTION_INT, offsetof(ki_zmq, query), 0, 65535, "0", NULL,
        "interop: the port of the store's front; 0 is two ports on" },
    { "extended", KITH_OPTION_BOOL, offsetof(ki_zmq, extended), 0, 0, "no", NULL,
        "interop: the store's replies have time and names too" },
    { "bind", KITH_OPTION_BOOL, offsetof(ki_zmq, bind), 0, 0, "yes", NULL,
        "interop: no is for reading only, from the place of the URL" },
    { "patient", KITH_OPTION_BOOL, offsetof(ki_zmq, patient), 0, 0, "no", NULL,
        "interop: what nobody follows yet waits until somebody does" },
    { .name = NULL },
};

extern const kith_carrier kith_carrier_v1; /* KITH_CARRIER_SYMBOL */

KITH_API const kith_carrier kith_carrier_v1 = {
    .abi = KITH_CARRIER_ABI,
    .can = KITH_CAN_REMOTE | KITH_CAN_ORDER | KITH_CAN_PREFIX | KITH_CAN_SYNC |
           KITH_CAN_LEGACY,
    .state_size = sizeof(ki_zmq),
    .scheme = "zmq",
    .summary = "ZeroMQ between processes of this machine",
    .place = "127.0.0.1:PORT or /FOLDER",
    .options = options,
    .open = zmq_link_open,
    .close = zmq_link_close,
    .post = zmq_link_post,
    .follow = zmq_link_follow,
    .pull = zmq_link_pull,
    .wake_fd = zmq_link_wake_fd,
    .rewind = zmq_link_rewind,
    .tick = zmq_link_tick,
    .level = zmq_link_level,
    .counters = zmq_link_counters,
    .health = zmq_link_health,
};
