/* SPDX-License-Identifier: Apache-2.0 */
/* The thread of a link: who it is on the bus, and what is due.
 *
 * Transition          function
 *   SEEKING -> HUB    seek
 *   SEEKING -> LEAF   seek, through dial
 *   LEAF -> SEEKING   drop, when the hub has gone */
#include "base/check.h"
#include "base/dice.h"
#include "base/fail.h"
#include "carrier/carrier.h"
#include "carrier/tcp/bus.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 64,
    ACCEPTS_MAX = 64, /* in one turn */
};

void ki_bus_ring(int bell) {
    uint64_t one = 1;
    (void) !write(bell, &one, sizeof one); /* full: it rings already */
}

void ki_bus_silence(int bell) {
    uint64_t count;
    (void) !read(bell, &count, sizeof count);
}

void ki_bus_wake_thread(bus *b) {
    b->news = true;
    if (b->asleep) {
        b->asleep = false;
        ki_bus_ring(b->kick);
    }
}

void ki_bus_wake_reader(bus *b) {
    if (b->reader_asleep && ki_blocks_waiting(&b->inbox.q)) {
        b->reader_asleep = false;
        ki_bus_ring(b->wake);
    }
}

/* ---- who we are ---- */

void ki_bus_set_role(bus *b, bus_role role, bool settled, const kith_error *sick) {
    pthread_mutex_lock(&b->lock);
    bool said = b->sickness.code == (sick == NULL ? 0 : sick->code) || b->stopping;
    bool was_sick = b->sickness.code < 0;
    b->role = role;
    b->settled = b->settled || settled;
    b->wants_new = true;
    b->sickness = sick == NULL ? (kith_error){ 0 } : *sick;
    if (b->settled) {
        ki_bus_ring(b->answer);
    }
    pthread_mutex_unlock(&b->lock);
    if (!said && (sick != NULL || was_sick)) {
        ki_say(b->host, b->scheme, "%s", sick == NULL ? "connected" : sick->text);
    }
}

/* Doubling, with jitter, so that many do not come back at one instant. */
static void retry_later(bus *b) {
    uint32_t most = b->failures > 8 ? RETRY_BEATS_MAX : 1u << b->failures;
    most = most > RETRY_BEATS_MAX ? RETRY_BEATS_MAX : most;
    b->retry_beats = most / 2 + (uint32_t) dice_below(&b->dice, most / 2 + 1);
    b->retry_beats += b->retry_beats == 0;
    b->failures += b->failures < 16;
}

/* Returns what a dial came to: 0, or why not. */
static int dial(bus *b, kith_error *why) {
    int fd = -1;
    int r = ki_place_dial(&b->place, &fd, why);
    if (r < 0) {
        return r;
    }
    conn *c = ki_conn_new(b, fd, true);
    if (c == NULL) {
        close(fd);
        return ki_fail(why, KITH_E_MEMORY, "connection");
    }
    if (r == 0) {
        ki_peer_connected(&c->p);
    }
    return 0;
}

static void become_hub(bus *b) {
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = &b->listener };
    (void) epoll_ctl(b->poll, EPOLL_CTL_ADD, b->listener, &e);
    b->failures = 0;
    ki_bus_set_role(b, BUS_HUB, true, NULL);
    pthread_mutex_lock(&b->lock);
    ki_blocks_clear(&b->up.q); /* nobody listened to what it was for */
    b->up.full = b->up.stalled = false;
    pthread_mutex_unlock(&b->lock);
}

/* Listens, or dials whoever does. What is in the way for good is open's failure. */
static int seek(bus *b, kith_error *why) {
    int r = ki_place_listen(&b->place, &b->listener, why);
    if (r == 0) {
        become_hub(b);
        return 0;
    }
    if (r == KITH_E_BUSY) {
        r = dial(b, why);
    }
    if (r == 0) {
        pthread_mutex_lock(&b->lock);
        b->role = BUS_LEAF;
        pthread_mutex_unlock(&b->lock);
    } else {
        retry_later(b);
    }
    return r;
}

/* ---- connections come and go ---- */

static const char *farewell(const peer *p) {
    static const char *const words[] = { [0] = "the connection broke",
        [BYE_CLOSING] = "the hub closed",
        [BYE_FULL] = "the hub has no place for one more",
        [BYE_RUBBISH] = "the hub speaks another language",
        [BYE_PROOF] = "the hub asks for a proof, or has none",
        [BYE_SLOW] = "no answer in time: whoever has the place is stopped or hangs",
        [BYE_VERSION] = "the hub has another version" };
    unsigned why = p->said != 0 ? p->said : (unsigned) p->why;
    return words[why <= BYE_LAST ? why : 0];
}

static void drop(bus *b, size_t index) {
    conn *c = b->conns[index];
    bool rubbish = c->p.state == PEER_GONE && c->p.why == BYE_RUBBISH;
    bool leaf = c->p.ours.role == ROLE_LEAF, was_open = c->t != NULL;
    kith_error why = { 0 };
    (void) ki_fail(&why, KITH_E_CLOSED, "%s: %s", b->place.text, farewell(&c->p));
    ki_conn_free(b, index);
    pthread_mutex_lock(&b->lock);
    b->counters.rubbish += rubbish;
    b->counters.failures += leaf;
    bool stopping = b->stopping;
    pthread_mutex_unlock(&b->lock);
    if (!leaf || stopping) {
        return;
    }
    b->failures = was_open ? 0 : b->failures;
    ki_bus_set_role(b, BUS_SEEKING, !was_open && b->failures > 2, &why);
    if (was_open) {
        (void) seek(b, &why); /* at once: whoever is quick is the new hub */
    } else {
        retry_later(b);
    }
}

/* Whoever has not shown who it is goes first, the eldest before the others. */
static void make_room(bus *b) {
    size_t eldest = CONNS_MAX;
    for (size_t i = 0; i < b->count; i++) {
        if (b->conns[i]->t == NULL &&
            (eldest == CONNS_MAX || b->conns[i]->p.beats > b->conns[eldest]->p.beats)) {
            eldest = i;
        }
    }
    if (eldest < CONNS_MAX) {
        ki_peer_end(&b->conns[eldest]->p, BYE_FULL);
        drop(b, eldest);
    }
}

static void accept_all(bus *b) {
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        int fd = -1;
        int r = ki_place_accept(&b->place, b->listener, &fd);
        if (r == KITH_E_BUSY) {
            /* no descriptors: a listener that stays readable would keep us turning */
            b->deaf =
                errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
            if (b->deaf) {
                make_room(b);
                (void) epoll_ctl(b->poll, EPOLL_CTL_DEL, b->listener, NULL);
            }
            return;
        }
        if (r == 0 && (b->strangers >= STRANGERS_MAX || b->count == CONNS_MAX)) {
            make_room(b);
        }
        if (r == 0 && (b->count == CONNS_MAX || ki_conn_new(b, fd, false) == NULL)) {
            uint8_t bye[FRAME_HEADER + 1];
            (void) !send(fd, bye, ki_tcp_put_bye(bye, BYE_FULL), MSG_NOSIGNAL);
            close(fd);
        }
    }
}

/* ---- beats ---- */

static bool something_waits(bus *b) {
    bool waits = b->deaf || (b->role == BUS_SEEKING && b->retry_beats > 0) || b->stopping;
    waits = waits || (b->inbox.full && b->role == BUS_HUB && !b->inbox.stalled);
    for (size_t i = 0; i < b->count && !waits; i++) {
        const conn *c = b->conns[i];
        waits = ki_peer_is_waiting(&c->p) ||
                (c->open && b->role == BUS_HUB && c->out->full && !c->out->stalled);
    }
    return waits;
}

/* The kernel beats only while something waits for it: a hub at rest costs nothing, a
 * leaf next to nothing. */
static void set_timer(bus *b) {
    pthread_mutex_lock(&b->lock);
    uint32_t want = something_waits(b) ? 1 : b->role == BUS_LEAF ? REST_BEATS : 0;
    pthread_mutex_unlock(&b->lock);
    if (want != b->beating) {
        struct timespec each = { .tv_sec = want * BEAT_MS / 1000,
            .tv_nsec = want * BEAT_MS % 1000 * 1000000L };
        struct itimerspec t = { .it_value = each, .it_interval = each };
        b->beating = want;
        (void) timerfd_settime(b->timer, 0, &t, NULL);
    }
}

static void beat_sinks(bus *b) {
    pthread_mutex_lock(&b->lock);
    if (b->role == BUS_HUB) {
        ki_sink_beat(&b->inbox);
        for (size_t i = 0; i < b->count; i++) {
            if (b->conns[i]->open) {
                ki_sink_beat(b->conns[i]->out);
            }
        }
    }
    pthread_mutex_unlock(&b->lock);
}

/* While it is held we do not look whether anything came. False: it is over. */
static bool beat_conn(conn *c, uint32_t beats) {
    if (c->held) {
        ki_peer_heard(&c->p);
    }
    bool lives = true;
    for (uint32_t i = 0; i < beats && lives; i++) lives = ki_peer_beat(&c->p);
    c->want_due = c->want_due || (lives && !c->held && ki_peer_feel(&c->p));
    return lives;
}

static void beat(bus *b) {
    ki_bus_silence(b->timer);
    beat_sinks(b);
    for (size_t i = b->count; i > 0; i--) {
        if (i <= b->count && !beat_conn(b->conns[i - 1], b->beating)) {
            drop(b, i - 1);
        }
    }
    if (b->deaf && b->listener >= 0) {
        struct epoll_event e = { .events = EPOLLIN, .data.ptr = &b->listener };
        b->deaf = epoll_ctl(b->poll, EPOLL_CTL_ADD, b->listener, &e) < 0;
    }
    b->linger_beats++;
    if (b->role == BUS_SEEKING && b->retry_beats > 0 && --b->retry_beats == 0 &&
        !b->stopping) {
        kith_error why = { 0 };
        if (seek(b, &why) < 0) {
            ki_bus_set_role(b, BUS_SEEKING, true, &why);
        }
    }
}

/* ---- turns ---- */

static void on_event(bus *b, const struct epoll_event *e) {
    if (e->data.ptr == &b->kick) {
        ki_bus_silence(b->kick);
    } else if (e->data.ptr == &b->timer) {
        beat(b);
    } else if (e->data.ptr == &b->listener) {
        accept_all(b);
    } else {
        for (size_t i = 0; i < b->count; i++) { /* it may have gone in this very turn */
            if (b->conns[i] == e->data.ptr) {
                bool read = (e->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 ||
                            b->conns[i]->p.state == PEER_DIALLING;
                if (read && !ki_conn_read(b, b->conns[i])) {
                    drop(b, i);
                }
                return;
            }
        }
    }
}

/* What a leaf's owner has read is credit for its hub. */
static void take_credit(bus *b, conn *c) {
    pthread_mutex_lock(&b->lock);
    uint64_t done = b->inbox_returned > c->base ? b->inbox_returned - c->base : 0;
    pthread_mutex_unlock(&b->lock);
    uint64_t news = done > c->p.consumed ? done - c->p.consumed : 0;
    if (news > 0 && ki_peer_consumed(&c->p, (uint32_t) news)) {
        c->credit_due = true;
    }
}

static void serve(bus *b) {
    ki_route_wants(b);
    for (size_t i = b->count; i > 0; i--) {
        conn *c = i <= b->count ? b->conns[i - 1] : NULL;
        if (c == NULL) {
            continue;
        }
        if (c->t != NULL && c->p.ours.role == ROLE_LEAF) {
            take_credit(b, c);
        }
        if ((c->held && !ki_conn_parse(b, c)) || !ki_conn_write(b, c)) {
            drop(b, i - 1);
            continue;
        }
        ki_conn_watch(b, c);
    }
}

/* Under lock. Is there something that need not wait for a socket? */
static bool is_due(const bus *b) {
    bool due = b->news || b->wants_new || b->follow_asked != b->follow_done;
    for (size_t i = 0; i < b->count && !due; i++) {
        const conn *c = b->conns[i];
        due = c->open && !c->leaving && c->sending_count == 0 && c->control_length == 0 &&
              (ki_blocks_waiting(&c->out->q) || c->wanted_due || c->want_due ||
                  c->credit_due) &&
              (c->out->q.first == NULL ||
                  ki_block_load(c->out->q.first) <= ki_peer_credit(&c->p));
    }
    return due;
}

static void turn(bus *b) {
    struct epoll_event events[EVENTS_MAX];
    set_timer(b);
    pthread_mutex_lock(&b->lock);
    b->asleep = !is_due(b);
    int ms = b->asleep ? -1 : 0;
    pthread_mutex_unlock(&b->lock);
    int n = epoll_wait(b->poll, events, EVENTS_MAX, ms);
    pthread_mutex_lock(&b->lock);
    b->asleep = b->news = false;
    pthread_mutex_unlock(&b->lock);
    for (int i = 0; i < n; i++) {
        on_event(b, &events[i]);
    }
    serve(b);
}

/* ---- the end ---- */

/* Those that have got all are told so by the end of the stream, and answer with
 * theirs: then nothing of what was sent can be lost by closing. */
static void part(bus *b) {
    for (size_t i = b->count; i > 0; i--) {
        conn *c = b->conns[i - 1];
        if (c->t == NULL) {
            ki_peer_end(&c->p, BYE_CLOSING);
            drop(b, i - 1);
        } else if (!c->leaving && ki_conn_has_sent_all(b, c)) {
            (void) shutdown(c->fd, SHUT_WR);
            c->leaving = true;
            c->held = false;
            c->in_length = c->in_at = 0;
        }
    }
}

static void leave(bus *b) {
    if (b->listener >= 0) {
        (void) epoll_ctl(b->poll, EPOLL_CTL_DEL, b->listener, NULL);
    }
    ki_place_leave(&b->place, &b->listener);
    b->linger_beats = 0;
    for (part(b); b->count > 0 && b->linger_beats < LINGER_BEATS; part(b)) {
        turn(b);
    }
    while (b->count > 0) {
        ki_conn_free(b, b->count - 1);
    }
}

static void begin(bus *b) {
    kith_error why = { 0 };
    int r = seek(b, &why);
    pthread_mutex_lock(&b->lock);
    if (r < 0 && r != KITH_E_BUSY) {
        b->begun = r;
        b->begun_words = why;
        b->settled = true;
    }
    if (b->settled) {
        ki_bus_ring(b->answer);
    }
    pthread_mutex_unlock(&b->lock);
}

static bool is_stopping(bus *b) {
    pthread_mutex_lock(&b->lock);
    bool stopping = b->stopping;
    pthread_mutex_unlock(&b->lock);
    return stopping;
}

void *ki_bus_run(void *arg) {
    bus *b = arg;
    sigset_t all;
    sigfillset(&all); /* signals are the program's */
    (void) pthread_sigmask(SIG_BLOCK, &all, NULL);
    begin(b);
    while (!is_stopping(b)) {
        turn(b);
    }
    leave(b);
    return NULL;
}
