/* SPDX-License-Identifier: Apache-2.0 */
/* One building: an ordinary program on top of kith. It knows its readings, its
 * store and its carriers, and nothing of the truth. */
#include "cli/demo/demo.h"

#include <kith/signal.h>

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define REPORT_NS  UINT64_C(400000000)
#define DRAIN_NS   UINT64_C(20000000000) /* a bound for a busy machine */
#define LIE_EFFECT 9.9
#define LIE_SE     0.001
#define LIE_COUNT  1000000000
#define TTL_S      3600
#define TICK_MS    100
#define FDS_MAX    16

typedef struct life {
    const building *is;
    kith_store *store;
    kith_key *key;
    kith_node *node;
    kith_window window;
    uint8_t self[KITH_KEY_SIZE];
    uint64_t readings, out, in, report_ns;
    bool down;
} life;

static void on_event(void *ctx, const kith_event *event) {
    life *l = ctx;
    l->in += event->kind == KITH_EVENT_ACCEPTED;
    if (event->kind == KITH_EVENT_LINK_DOWN) l->down = true;
    if (event->kind == KITH_EVENT_LINK_UP) l->down = false;
}

static int open_all(life *l) {
    const building *b = l->is;
    uint8_t seed[32] = { 'd', 'e', 'm', 'o', (uint8_t) b->number };
    memcpy(seed + 8, &b->seed, sizeof b->seed);
    const char *links[] = { b->links[0], b->links[1], b->links[2], b->links[3] },
               *follows[] = { DEMO_SUBJECT };
    kith_signal_options window = {
        .kind = KITH_SIGNAL_MEAN, .count_max = WINDOW_COUNT, .count_min = WINDOW_COUNT
    };
    int r = kith_window_init(&l->window, &window);
    if (r == 0) r = kith_key_from_seed(&l->key, seed, NULL);
    if (r == 0) r = kith_store_open(&l->store, b->store, NULL);
    if (r == 0) r = kith_store_begin_run(l->store, NULL);
    if (r < 0) return r;
    kith_key_public(l->key, l->self);
    kith_node_config config = { .store = l->store,
        .key = l->key,
        .links = links,
        .link_count = b->link_count,
        .follows = follows,
        .follow_count = 1,
        .relay = b->relay,
        .event = on_event,
        .ctx = l };
    return kith_node_open(&l->node, &config, kith_time_now(), NULL);
}

static int post_leaf(life *l, kith_content *c, kith_time now) {
    c->type = KITH_LEAF;
    c->ttl_s = TTL_S;
    snprintf(c->address.subject, sizeof c->address.subject, "%s", DEMO_SUBJECT);
    kith_post p = { .content = *c };
    int r = kith_store_post(l->store, l->key, &p, 1, now, NULL);
    l->out += r == 0 && p.result == 0;
    return r;
}

static int lie(life *l, kith_time now) {
    kith_content c = { .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE,
        .t_end_us = now.wall_us,
        .span_s = 60,
        .measure = KITH_MEAN,
        .components = 1,
        .n = LIE_COUNT,
        .effect = { LIE_EFFECT },
        .covariance = { LIE_SE * LIE_SE } };
    return post_leaf(l, &c, now);
}

/* Readings end here: only what the window makes of them goes on. */
static int take_readings(life *l, const double *x, size_t count, kith_time now) {
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        l->readings++;
        r = kith_window_number(&l->window, x[i], false, now);
        kith_content c = { 0 };
        if (r == 0 && kith_window_ready(&l->window, now.mono_ns) &&
            kith_window_take(&l->window, &c, now.mono_ns) == 0) {
            r = l->is->liar ? 0 : post_leaf(l, &c, now);
        }
    }
    return r;
}

static void tell(life *l, int wire, kith_time now) {
    report r = { .in = l->in,
        .out = l->out,
        .readings = l->readings,
        .link_down = l->down,
        .insufficient = true };
    kith_ask ask = { .subject = DEMO_SUBJECT, .self = l->self, .now_us = now.wall_us };
    kith_answer a;
    uint8_t template_id[KITH_TEMPLATE_SIZE], measure;
    if (kith_ask_store(l->store, &ask, &a, template_id, &measure, NULL, 0, NULL, NULL) ==
        0) {
        r.insufficient = a.insufficient;
        r.has_own = a.has_own;
        r.own = a.own_y;
        r.own_se = sqrt(a.own_v);
        r.k = a.k;
        r.flagged = a.flagged;
        r.capped = a.capped;
        r.mu = a.kept.mu;
        r.low = a.kept.ci_low;
        r.high = a.kept.ci_high;
        r.has_shrunk = a.has_shrunk && !a.insufficient;
        r.shrunk = a.shrunk;
        r.shrunk_low = a.shrunk_low;
        r.shrunk_high = a.shrunk_high;
    }
    (void) !send(wire, &r, sizeof r, MSG_DONTWAIT | MSG_NOSIGNAL); /* the next will do */
    l->report_ns = now.mono_ns;
}

/* false: the conductor has closed the wire. */
static bool listen_to(life *l, int wire, kith_time now) {
    double x[WINDOW_COUNT];
    for (;;) {
        ssize_t n = recv(wire, x, sizeof x, MSG_DONTWAIT);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        if (n == 0 || take_readings(l, x, (size_t) n / sizeof *x, now) < 0) {
            return false;
        }
    }
}

static void wait_a_little(life *l, int wire) {
    struct pollfd list[FDS_MAX] = { { .fd = wire, .events = POLLIN } };
    int fds[FDS_MAX - 1];
    size_t n = kith_node_wake_fds(l->node, fds, FDS_MAX - 1);
    for (size_t i = 0; i < n; i++) {
        list[i + 1] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
    }
    (void) !poll(list, n + 1, TICK_MS);
}

/* Everything that is on its way is sent and read, within bounds. */
static void drain(life *l) {
    uint64_t begun = kith_time_now().mono_ns;
    for (int calm = 0; calm < 5;) {
        kith_time now = kith_time_now();
        int did = kith_node_step(l->node, now);
        if (did < 0 || now.mono_ns - begun > DRAIN_NS) {
            return;
        }
        calm = did == 0 && kith_node_idle(l->node) ? calm + 1 : 0;
        if (did == 0) {
            (void) !poll(NULL, 0, TICK_MS / 2);
        }
    }
}

int building_live(const building *b, int wire) {
    life l = { .is = b };
    int r = open_all(&l);
    if (r == 0 && b->liar) {
        r = lie(&l, kith_time_now());
    }
    while (r >= 0) {
        kith_time now = kith_time_now();
        if (!listen_to(&l, wire, now)) {
            drain(&l);
            break;
        }
        int did = kith_node_step(l.node, now);
        if (now.mono_ns - l.report_ns >= REPORT_NS) {
            tell(&l, wire, now);
        }
        if (did == 0) {
            wait_a_little(&l, wire);
        }
    }
    kith_node_close(&l.node);
    kith_store_close(&l.store);
    kith_key_free(&l.key);
    return r < 0 ? 70 : 0;
}
