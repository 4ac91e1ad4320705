/* SPDX-License-Identifier: Apache-2.0 */
/* The small thread: whatever a link must hear and say while its owner is busy with
 * other things, or is asleep. It sleeps itself until a frame comes, a mark is told, it
 * is kicked, or a quarter of a second has passed. */
#include "carrier/zmq/zmq.h"

#include "base/check.h"
#include "base/fail.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    BEAT_NS = 250000000,
    HURRY_MS = 2,        /* between tries while somebody waits */
    QUIET_PROBE = 25,    /* such tries until it is asked who listens at all */
    QUIET_MAX = 2500,    /* such tries until nobody is waited for */
    TAKE_OVER_AFTER = 6, /* beats of silence from the main place */
    LOT = 64,            /* messages in one go */
};

void ki_zmq_kick(ki_zmq *z) {
    (void) !write(z->kick_fd, &(uint64_t){ 1 }, sizeof(uint64_t)); /* full: it is awake */
}

void ki_zmq_ring_bell(ki_zmq *z) {
    if (!atomic_exchange(&z->rung, true)) {
        (void) !write(z->bell_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
    }
}

/* ---- frames, both ways; under state_lock ---- */

static bool ring_put(ki_zmq_ring *r, const uint8_t *bytes, size_t length) {
    if (r->count == ZMQ_FRAMES_MAX) {
        return false;
    }
    uint32_t at = (r->at + r->count++) % ZMQ_FRAMES_MAX;
    r->length[at] = (uint16_t) length;
    memcpy(r->bytes[at], bytes, length);
    return true;
}

static size_t ring_take(ki_zmq_ring *r, uint8_t *ret) {
    if (r->count == 0) {
        return 0;
    }
    size_t length = r->length[r->at];
    memcpy(ret, r->bytes[r->at], length);
    r->at = (r->at + 1) % ZMQ_FRAMES_MAX;
    r->count--;
    return length;
}

int ki_zmq_say(ki_zmq *z, const uint8_t *bytes, size_t length) {
    pthread_mutex_lock(&z->state_lock);
    bool first = z->to_peers.count == 0;
    bool taken = ring_put(&z->to_peers, bytes, length);
    pthread_mutex_unlock(&z->state_lock);
    if (taken && first) {
        ki_zmq_kick(z);
    }
    return taken ? 0 : KITH_FULL;
}

bool ki_zmq_heard(ki_zmq *z, kith_item *ret) {
    pthread_mutex_lock(&z->state_lock);
    size_t n = ring_take(&z->from_peers, ret->bytes);
    atomic_store(&z->frames, z->from_peers.count);
    pthread_mutex_unlock(&z->state_lock);
    ret->kind = KITH_ITEM_SYNC;
    ret->length = (uint16_t) n;
    ret->token = 0;
    ret->from.subject[0] = '\0';
    return n > 0;
}

void ki_zmq_missed(ki_zmq *z) {
    pthread_mutex_lock(&z->state_lock);
    z->lost++;
    pthread_mutex_unlock(&z->state_lock);
    atomic_store(&z->gap, true);
    ki_zmq_ring_bell(z);
}

static void hand_over(ki_zmq *z, const uint8_t *bytes, size_t length) {
    pthread_mutex_lock(&z->state_lock);
    bool taken = ring_put(&z->from_peers, bytes, length);
    atomic_store(&z->frames, z->from_peers.count);
    pthread_mutex_unlock(&z->state_lock);
    if (taken) {
        ki_zmq_ring_bell(z);
    } else {
        ki_zmq_missed(z);
    }
}

static void count_rubbish(ki_zmq *z) {
    pthread_mutex_lock(&z->state_lock);
    z->rubbish++;
    pthread_mutex_unlock(&z->state_lock);
}

/* To everybody; a peer that has no room misses it, as frames may be missed. */
static bool send_frames(ki_zmq *z) {
    uint8_t bytes[1 + KITH_PACKET_MAX] = { ZMQ_SYNC };
    for (int i = 0; i < LOT; i++) {
        pthread_mutex_lock(&z->state_lock);
        size_t n = ring_take(&z->to_peers, bytes + 1);
        pthread_mutex_unlock(&z->state_lock);
        if (n == 0) {
            return false;
        }
        unsigned missed = 0;
        for (size_t k = 0; k < ZMQ_PEERS_MAX; k++) {
            ki_zmq_peer *p = &z->peers[k];
            if (p->dealer != NULL && zmq_send(p->dealer, bytes, n + 1, ZMQ_DONTWAIT) < 0) {
                missed += p->named;
            }
        }
        pthread_mutex_lock(&z->state_lock);
        z->failures += missed;
        pthread_mutex_unlock(&z->state_lock);
    }
    return true;
}

/* ---- what comes ---- */

static void take_message(ki_zmq *z, const uint8_t *bytes, size_t length) {
    ki_zmq_hello h;
    if (length >= 2 && length <= 1 + KITH_PACKET_MAX && bytes[0] == ZMQ_SYNC) {
        hand_over(z, bytes + 1, length - 1);
    } else if (ki_zmq_hello_read(&h, bytes, length) == 0) {
        ki_zmq_hear(z, &h);
    } else {
        count_rubbish(z);
    }
}

/* The route, and one frame: any other count is dropped whole. */
static bool read_router(ki_zmq *z) {
    zmq_msg_t m;
    zmq_msg_init(&m);
    int i = 0;
    for (; i < LOT && zmq_msg_recv(&m, z->router, ZMQ_DONTWAIT) >= 0; i++) {
        bool two = zmq_msg_more(&m) && zmq_msg_recv(&m, z->router, ZMQ_DONTWAIT) >= 0 &&
                   !zmq_msg_more(&m);
        if (two) {
            take_message(z, zmq_msg_data(&m), zmq_msg_size(&m));
        } else {
            count_rubbish(z);
            while (zmq_msg_more(&m) && zmq_msg_recv(&m, z->router, ZMQ_DONTWAIT) >= 0) {
            }
        }
    }
    zmq_msg_close(&m);
    return i == LOT;
}

/* What our publisher is told of subscriptions; only marks are of interest. */
static bool read_marks(ki_zmq *z) {
    struct {
        bool here;
        uint8_t name[ZMQ_NAME_SIZE];
        uint32_t generation;
    } marks[LOT];
    uint8_t bytes[1 + ZMQ_MARK_SIZE + 1];
    size_t count = 0;
    int i = 0;
    pthread_mutex_lock(&z->sockets_lock);
    for (; i < LOT; i++) {
        int n = zmq_recv(z->out, bytes, sizeof bytes, ZMQ_DONTWAIT);
        if (n < 0) {
            break;
        }
        count += ki_zmq_mark_read(bytes, (size_t) n, &marks[count].here, marks[count].name,
            &marks[count].generation);
    }
    pthread_mutex_unlock(&z->sockets_lock);
    for (size_t k = 0; k < count; k++) {
        ki_zmq_mark(z, marks[k].here, marks[k].name, marks[k].generation);
    }
    return i == LOT;
}

/* ---- the turn ---- */

static void beat(ki_zmq *z) {
    uint64_t times;
    if (read(z->beat_fd, &times, sizeof times) != sizeof times) {
        return;
    }
    atomic_fetch_add(&z->beats, 1);
    z->patience += BEAT_NS / 1000000 / HURRY_MS;
    ki_zmq_peers_beat(z);
    if (!z->has_main && ki_zmq_main_silent(z, TAKE_OVER_AFTER) && ki_zmq_take_over(z)) {
        ki_zmq_drop_place(z, &z->main);
        ki_zmq_greet_all(z);
    }
}

/* How long to sleep; -1: until something comes. */
static int settle_in(ki_zmq *z, bool quiet) {
    bool hurry;
    pthread_mutex_lock(&z->state_lock);
    uint32_t generation = z->generation, shed = z->shed;
    bool waiting = z->met != generation;
    pthread_mutex_unlock(&z->state_lock);
    if (generation != z->told || shed != z->told_shed) {
        z->told = generation;
        z->told_shed = shed;
        z->patience = 0;
        z->probe_at = QUIET_PROBE;
        ki_zmq_greet_all(z);
    }
    ki_zmq_greet(z, generation);
    z->patience += waiting && quiet;
    if (waiting && z->patience >= z->probe_at) {
        z->probe_at = z->patience + QUIET_PROBE;
        ki_zmq_excuse(z, generation, z->patience >= QUIET_MAX);
    }
    bool all = ki_zmq_introduced(z, generation, &hurry);
    if (waiting && all) {
        pthread_mutex_lock(&z->state_lock);
        z->met = generation;
        pthread_cond_broadcast(&z->met_changed);
        pthread_mutex_unlock(&z->state_lock);
        waiting = false;
    }
    return waiting || hurry ? HURRY_MS : -1;
}

static bool stopping(ki_zmq *z) {
    pthread_mutex_lock(&z->state_lock);
    bool stop = z->stop;
    pthread_mutex_unlock(&z->state_lock);
    return stop;
}

static void *live(void *arg) {
    ki_zmq *z = arg;
    pthread_mutex_lock(&z->sockets_lock);
    int out_fd = ki_zmq_fd(z->out);
    pthread_mutex_unlock(&z->sockets_lock);
    struct pollfd fds[] = { { z->kick_fd, POLLIN, 0 }, { z->beat_fd, POLLIN, 0 },
        { ki_zmq_fd(z->router), POLLIN, 0 }, { out_fd, POLLIN, 0 } };
    bool quiet = false;
    while (!stopping(z)) {
        bool more = read_marks(z);
        more = read_router(z) || more;
        more = send_frames(z) || more;
        int wait_ms = settle_in(z, quiet);
        quiet = poll(fds, 4, more ? 0 : wait_ms) == 0;
        uint64_t kicks;
        (void) !read(z->kick_fd, &kicks, sizeof kicks);
        beat(z);
    }
    (void) send_frames(z);
    ki_zmq_goodbye(z);
    return NULL;
}

void ki_zmq_meet(ki_zmq *z, uint32_t generation) {
    pthread_mutex_lock(&z->state_lock);
    z->generation = generation;
    pthread_mutex_unlock(&z->state_lock);
    ki_zmq_kick(z);
    pthread_mutex_lock(&z->state_lock);
    while (z->met != generation) { /* the small thread's patience bounds it */
        pthread_cond_wait(&z->met_changed, &z->state_lock);
    }
    pthread_mutex_unlock(&z->state_lock);
}

int ki_zmq_talk_start(ki_zmq *z, kith_error *err) {
    const struct itimerspec every = { .it_interval = { .tv_nsec = BEAT_NS },
        .it_value = { .tv_nsec = BEAT_NS } };
    z->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    z->beat_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (z->kick_fd < 0 || z->beat_fd < 0 ||
        timerfd_settime(z->beat_fd, 0, &every, NULL) != 0) {
        return ki_fail_sys(err, "eventfd");
    }
    sigset_t all, before;
    sigfillset(&all); /* signals are the program's business, not a carrier's thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&z->thread, NULL, live, z);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        return ki_fail(err, KITH_E_MEMORY, "no thread: %s", strerror(code));
    }
    z->running = true;
    return 0;
}

void ki_zmq_talk_stop(ki_zmq *z) {
    if (z->running) {
        pthread_mutex_lock(&z->state_lock);
        z->stop = true;
        pthread_mutex_unlock(&z->state_lock);
        ki_zmq_kick(z);
        pthread_join(z->thread, NULL);
        z->running = false;
    }
    if (z->kick_fd >= 0) {
        close(z->kick_fd);
    }
    if (z->beat_fd >= 0) {
        close(z->beat_fd);
    }
}
