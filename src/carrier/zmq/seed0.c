/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/zmq/seed0_inside.h"

#include "base/check.h"
#include "base/dice.h"
#include "base/fail.h"
#include "base/wire.h"
#include "carrier/zmq/sockets.h"

#include <kith/address.h>

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    FIRST_PAUSE_MS = 100,
    QUERY_PORTS_ON = 2,
    ASKS_MAX = 16, /* questions that wait in a queue */
};

/* ---- open and close ---- */

void ki_seed0_close(ki_seed0 **seed) {
    ki_seed0 *s = *seed;
    if (s == NULL) {
        return;
    }
    (void) zmq_msg_close(&s->first);
    (void) zmq_msg_close(&s->second);
    ki_zmq_close_fd(&s->wake_fd);
    ki_zmq_close_fd(&s->bell_fd);
    ki_seed0_ask_end(&s->ask);
    ki_zmq_close_socket(&s->in);
    ki_zmq_close_socket(&s->out);
    ki_zmq_close_socket(&s->front);
    ki_zmq_context_end(&s->context);
    free(s);
    *seed = NULL;
}

static int open_socket(ki_seed0 *s, void **ret, int type, bool server,
    const ki_seed0_plan *plan, kith_error *err) {
    ki_zmq_wish wish = { .type = type,
        .server = server,
        .messages_max = plan->messages_max,
        .reconnect_ms = FIRST_PAUSE_MS,
        .backoff_ms = plan->backoff_ms };
    return ki_zmq_socket(ret, s->context, &wish, err);
}

static int fail_at(kith_error *err, const char *what, const char *endpoint) {
    return ki_fail(err, zmq_errno() == ENOMEM ? KITH_E_MEMORY : KITH_E_SYSTEM, "%s %s: %s",
        what, endpoint, zmq_strerror(zmq_errno()));
}

/* Their store, or the front of ours. */
static int query_place(
    ki_zmq_place at, int64_t query, char ret[ZMQ_ENDPOINT_SIZE], kith_error *err) {
    int64_t port = query != 0 ? query : at.live + QUERY_PORTS_ON;
    if (port > UINT16_MAX) {
        return ki_fail(err, KITH_E_CONFIG,
            "no port for questions two behind %u: name one with query=",
            (unsigned) at.live);
    }
    at.live = (uint16_t) port;
    ki_zmq_place_live(&at, ret);
    return 0;
}

/* They come to fixed ports: one that is taken is an error, not a reason to move. */
static int bind_both(ki_seed0 *s, const ki_zmq_place *at, kith_error *err) {
    char endpoint[ZMQ_ENDPOINT_SIZE];
    ki_zmq_place_live(at, endpoint);
    if (zmq_bind(s->out, endpoint) != 0) {
        return fail_at(err, "bind", endpoint);
    }
    return zmq_bind(s->front, s->store_at) == 0 ? 0 : fail_at(err, "bind", s->store_at);
}

static int parse(ki_zmq_place *ret, const char *text, size_t length, kith_error *err) {
    int r = ki_zmq_place_parse(ret, text, length, err);
    if (r == 0 && ret->host[0] == '\0') {
        r = ki_fail(
            err, KITH_E_CONFIG, "seed 0 has ports and no folders: write 127.0.0.1:PORT");
    }
    return r;
}

static int connect_to(ki_seed0 *s, const char *text, size_t length, kith_error *err) {
    ki_zmq_place at;
    char endpoint[ZMQ_ENDPOINT_SIZE];
    int r = parse(&at, text, length, err);
    if (r < 0) {
        return r;
    }
    ki_zmq_place_live(&at, endpoint);
    return zmq_connect(s->in, endpoint) == 0 ? 0 : fail_at(err, "connect", endpoint);
}

static int connect_all(ki_seed0 *s, const char *peers, kith_error *err) {
    int r = 0;
    for (const char *p = peers; r == 0 && *p != '\0';) {
        size_t n = strcspn(p, ",");
        r = connect_to(s, p, n, err);
        p += n + (p[n] == ',');
    }
    return r < 0 ? ki_fail_in(err, r, "peers") : r;
}

static bool watch(const ki_seed0 *s, int fd) {
    struct epoll_event e = { .events = EPOLLIN };
    return epoll_ctl(s->wake_fd, EPOLL_CTL_ADD, fd, &e) == 0;
}

static int open_wake(ki_seed0 *s, kith_error *err) {
    s->wake_fd = epoll_create1(EPOLL_CLOEXEC);
    s->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool good =
        s->wake_fd >= 0 && s->bell_fd >= 0 && watch(s, s->bell_fd) &&
        watch(s, ki_zmq_fd(s->in)) &&
        (s->out == NULL || (watch(s, ki_zmq_fd(s->out)) && watch(s, ki_zmq_fd(s->front))));
    return good ? 0 : ki_fail_sys(err, "epoll");
}

static int open_all(ki_seed0 *s, const ki_seed0_plan *plan, kith_error *err) {
    ki_zmq_place at;
    int r = parse(&at, plan->place, strlen(plan->place), err);
    r = r < 0 ? r : query_place(at, plan->query, s->store_at, err);
    r = r < 0 ? r : ki_zmq_context(&s->context, err);
    r = r < 0 ? r : open_socket(s, &s->in, ZMQ_SUB, false, plan, err);
    if (r == 0 && plan->bind) {
        r = open_socket(s, &s->out, ZMQ_XPUB, true, plan, err);
        r = r < 0 ? r : open_socket(s, &s->front, ZMQ_ROUTER, true, plan, err);
        r = r < 0 ? r : bind_both(s, &at, err);
    } else if (r == 0) {
        r = connect_to(s, plan->place, strlen(plan->place), err);
    }
    r = r < 0 ? r : connect_all(s, plan->peers, err);
    return r < 0 ? r : open_wake(s, err);
}

int ki_seed0_open(ki_seed0 **ret, const ki_seed0_plan *plan, kith_error *err) {
    ki_seed0 *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return ki_fail(err, KITH_E_MEMORY, "interop=seed0");
    }
    s->host = plan->host;
    s->extended = plan->extended;
    s->patient = plan->patient;
    s->wake_fd = s->bell_fd = -1;
    s->more = true; /* whatever came while we opened */
    (void) zmq_msg_init(&s->first);
    (void) zmq_msg_init(&s->second);
    int r = open_all(s, plan, err);
    if (r < 0) {
        ki_seed0_close(&s);
        return r;
    }
    *ret = s;
    return 0;
}

/* ---- what comes in ---- */

static bool has_topic(const ki_seed0 *s, size_t count, const char *text) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(s->topics[i], text) == 0) {
            return true;
        }
    }
    return false;
}

int ki_seed0_follow(ki_seed0 *s, const char *const *patterns, size_t count) {
    CHECK(count <= KITH_PATTERNS_MAX);
    size_t before = s->topic_count;
    char old[KITH_PATTERNS_MAX][KITH_SEED0_TOPIC_MAX + 1];
    memcpy(old, s->topics, sizeof old);
    s->topic_count = 0;
    s->more = true; /* setting options may swallow the wake-up of a message */
    for (size_t i = 0; i < count; i++) {
        char *to = s->topics[s->topic_count];
        size_t n = ki_seed0_prefix_of(patterns[i], to);
        if (has_topic(s, s->topic_count, to)) {
            continue;
        }
        s->topic_count++;
        if (zmq_setsockopt(s->in, ZMQ_SUBSCRIBE, to, n) != 0) {
            return KITH_E_MEMORY;
        }
    }
    /* They are counted: what stays was subscribed once more, and now once less. */
    for (size_t i = 0; i < before; i++) {
        (void) zmq_setsockopt(s->in, ZMQ_UNSUBSCRIBE, old[i], strlen(old[i]));
    }
    return 0;
}

/* The subject that a topic claims, for the filter; "" where there is none. */
static void claimed(const char *topic, size_t length, kith_address *ret) {
    ret->subject[0] = '\0';
    if (length > 10 && length <= KITH_SEED0_TOPIC_MAX && memcmp(topic, "qis.", 4) == 0) {
        memcpy(ret->subject, topic + 4, length - 10);
        ret->subject[length - 10] = '\0';
        if (!kith_subject_valid(ret->subject)) {
            ret->subject[0] = '\0';
        }
    }
}

/* 0, KITH_EMPTY, or E_FORMAT: not two frames, or too long for any; dropped whole. */
static int receive(ki_seed0 *s, kith_item *ret) {
    if (zmq_msg_recv(&s->first, s->in, ZMQ_DONTWAIT) < 0) {
        return KITH_EMPTY;
    }
    size_t topic = zmq_msg_size(&s->first), n = 0;
    bool good =
        zmq_msg_more(&s->first) && zmq_msg_recv(&s->second, s->in, ZMQ_DONTWAIT) >= 0;
    n = good ? zmq_msg_size(&s->second) : 0;
    if (!good || zmq_msg_more(&s->second) || topic + n + 2 > KITH_PACKET_MAX) {
        if (good) {
            ki_seed0_drop_rest(s->in, &s->second);
        }
        s->rubbish++;
        return KITH_E_FORMAT;
    }
    ret->kind = KITH_ITEM_LEGACY;
    ret->token = 0;
    ret->length = (uint16_t) (topic + n + 2);
    wire_put16(ret->bytes, (uint16_t) topic);
    memcpy(ret->bytes + 2, zmq_msg_data(&s->first), topic);
    memcpy(ret->bytes + 2 + topic, zmq_msg_data(&s->second), n);
    claimed((const char *) ret->bytes + 2, topic, &ret->from);
    return 0;
}

/* Of one topic; of several, everything, which the filter then sorts out. */
static int ask(ki_seed0 *s) {
    uint8_t route[ZMQ_ROUTE_SIZE];
    ki_zmq_wish wish = { .type = ZMQ_DEALER,
        .message_max = KITH_SEED0_REPLY_MAX,
        .keeps = true,
        .messages_max = ASKS_MAX,
        .reconnect_ms = FIRST_PAUSE_MS,
        .backoff_ms = FIRST_PAUSE_MS,
        .route = route };
    void *dealer = NULL;
    const char *prefix = s->topic_count == 1 ? s->topics[0] : "qis.";
    ki_dice_system(route, sizeof route);
    route[0] |= 1; /* libzmq keeps those that begin with 0 */
    int r = ki_zmq_socket(&dealer, s->context, &wish, NULL);
    if (r < 0) {
        return r;
    }
    if (zmq_connect(dealer, s->store_at) != 0 || !watch(s, ki_zmq_fd(dealer))) {
        (void) zmq_close(dealer);
        return KITH_E_SYSTEM;
    }
    ki_seed0_ask_begin(&s->ask, dealer, prefix, strlen(prefix));
    s->more = true;
    return 0;
}

int ki_seed0_rewind(ki_seed0 *s, const kith_position *to) {
    if (to->kind == KITH_FROM_NOW) {
        return 0;
    }
    if (to->kind != KITH_FROM_START || s->out != NULL) {
        return KITH_E_NOTSUP;
    }
    ki_seed0_ask_end(&s->ask);
    return ask(s);
}

/* What was asked for comes first. */
static int pull_next(ki_seed0 *s, kith_item *ret) {
    int r = ki_seed0_ask_pull(&s->ask, ret);
    return r == KITH_EMPTY ? receive(s, ret) : r;
}

int ki_seed0_pull(ki_seed0 *s, kith_item *ret) {
    bool served = ki_seed0_serve(s);
    int r = pull_next(s, ret);
    if (r == KITH_EMPTY && served) { /* the bell first, then the last look */
        uint64_t times;
        (void) !read(s->bell_fd, &times, sizeof times);
        served = ki_seed0_serve(s);
        r = pull_next(s, ret);
    }
    s->more = r != KITH_EMPTY || !served;
    return r;
}

/* ---- the rest ---- */

int ki_seed0_wake_fd(ki_seed0 *s) {
    const uint64_t one = 1;
    if (s->more) {
        (void) !write(s->bell_fd, &one, sizeof one);
    }
    return s->wake_fd;
}

void ki_seed0_tick(ki_seed0 *s, kith_time now) {
    s->now_ns = now.mono_ns;
    s->failures += !ki_seed0_ask_tick(&s->ask, now.mono_ns);
    s->more = !ki_seed0_serve(s) || s->more;
}

void ki_seed0_counters(const ki_seed0 *s, kith_counters *ret) {
    ret->rubbish = s->rubbish;
    ret->failures = s->failures;
}
