/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there. A link connects to the places of its URL and tells everybody it is
 * connected to where it can be reached and whom it knows; so each soon knows all, and
 * every pair is connected both ways. Whoever is silent for long is forgotten, but for
 * those of the URL. All of it is told again every second: nothing here needs to arrive. */
#include "carrier/zmq/zmq.h"

#include "base/check.h"
#include "base/fail.h"

#include <string.h>

enum {
    SAY_EVERY = 4,   /* beats */
    TELL_UNTIL = 12, /* beats of silence: others are no longer told of it */
    FORGET_AFTER = 240,
    BEHIND = 4,       /* beats without reading all: less than it takes to be left out */
    TRIES_SOON = 500, /* of a hello, before it waits for the next beat */
};

ki_zmq_wish ki_zmq_wish_of(const ki_zmq *z, int type, bool server) {
    return (ki_zmq_wish){ .type = type,
        .server = server,
        .messages_max = z->messages_max,
        .reconnect_ms = 100,
        .backoff_ms = z->backoff_ms,
        .route = type == ZMQ_DEALER ? z->route : NULL };
}

static bool is_at(const ki_zmq_peer *p, const ki_zmq_place *place) {
    return ki_zmq_place_same(&p->at, place) || ki_zmq_place_same(&p->alias, place);
}

static bool is_mine(const ki_zmq *z, const ki_zmq_place *place) {
    return ki_zmq_place_same(&z->own, place) || ki_zmq_place_same(&z->said, place) ||
           (z->has_main && ki_zmq_place_same(&z->main, place));
}

static ki_zmq_peer *peer_at(ki_zmq *z, const ki_zmq_place *place) {
    for (size_t i = 0; i < ZMQ_PEERS_MAX; i++) {
        if (z->peers[i].dealer != NULL && is_at(&z->peers[i], place)) {
            return &z->peers[i];
        }
    }
    return NULL;
}

static void drop(ki_zmq *z, ki_zmq_peer *p) {
    char live[ZMQ_ENDPOINT_SIZE];
    ki_zmq_place_live(&p->at, live);
    pthread_mutex_lock(&z->sockets_lock);
    (void) zmq_disconnect(z->in, live);
    pthread_mutex_unlock(&z->sockets_lock);
    ki_zmq_ring_bell(z);
    (void) zmq_close(p->dealer);
    *p = (ki_zmq_peer){ .dealer = NULL };
}

void ki_zmq_drop_place(ki_zmq *z, const ki_zmq_place *place) {
    ki_zmq_peer *p = peer_at(z, place);
    if (p != NULL) {
        drop(z, p);
    }
}

static int connect_both(ki_zmq *z, ki_zmq_peer *p, kith_error *err) {
    char live[ZMQ_ENDPOINT_SIZE], sync[ZMQ_ENDPOINT_SIZE];
    ki_zmq_wish wish = ki_zmq_wish_of(z, ZMQ_DEALER, false);
    ki_zmq_place_live(&p->at, live);
    ki_zmq_place_sync(&p->at, sync);
    void *dealer = NULL;
    int r = ki_zmq_socket(&dealer, z->context, &wish, err);
    if (r < 0) {
        return r;
    }
    pthread_mutex_lock(&z->sockets_lock);
    bool good = zmq_connect(dealer, sync) == 0 && zmq_connect(z->in, live) == 0;
    pthread_mutex_unlock(&z->sockets_lock);
    ki_zmq_ring_bell(z); /* libzmq may have told us of a message meanwhile, once */
    if (!good) {
        r = ki_fail(err, KITH_E_SYSTEM, "connect %s: %s", live, zmq_strerror(zmq_errno()));
        (void) zmq_close(dealer);
        return r;
    }
    p->dealer = dealer;
    return 0;
}

/* 0, and *ret is NULL where there is nothing to be done: it is us, or all is full. */
static int add(
    ki_zmq *z, const ki_zmq_place *at, bool seed, ki_zmq_peer **ret, kith_error *err) {
    ki_zmq_peer *known = peer_at(z, at);
    *ret = known;
    if (known != NULL || is_mine(z, at)) {
        return 0;
    }
    for (size_t i = 0; i < ZMQ_PEERS_MAX; i++) {
        ki_zmq_peer *p = &z->peers[i];
        if (p->dealer == NULL) {
            *p = (ki_zmq_peer){ .at = *at, .alias = *at, .seed = seed, .due = true };
            p->excused = !ki_zmq_answers(at);
            int r = connect_both(z, p, err);
            *ret = r < 0 ? NULL : p;
            return r;
        }
    }
    return 0;
}

int ki_zmq_seed(ki_zmq *z, kith_error *err) {
    ki_zmq_peer *ignored;
    int r = 0;
    for (size_t i = 0; i < z->seed_count && r == 0; i++) {
        r = add(z, &z->seeds[i], true, &ignored, err);
    }
    return r;
}

/* ---- what is heard ---- */

static bool matches(const ki_zmq_peer *p, const ki_zmq_hello *h) {
    if (p->dealer == NULL) {
        return false;
    }
    bool is = p->named && memcmp(p->name, h->name, ZMQ_NAME_SIZE) == 0;
    for (size_t i = 0; i < h->own_count && !is; i++) {
        is = is_at(p, &h->own[i]);
    }
    return is;
}

/* The row of the one who says hello. It may have two, when it was told of under two
 * places: the one that works is kept. A place of the URL comes back by itself when
 * nobody stands for it any more. */
static ki_zmq_peer *row_of(ki_zmq *z, const ki_zmq_hello *h) {
    ki_zmq_peer *kept = NULL;
    for (size_t i = 0; i < ZMQ_PEERS_MAX; i++) {
        ki_zmq_peer *p = &z->peers[i];
        if (!matches(p, h)) {
            continue;
        }
        if (kept != NULL && (kept->named || !p->named)) {
            drop(z, p);
        } else {
            if (kept != NULL) {
                drop(z, kept);
            }
            kept = p;
        }
    }
    if (kept == NULL) {
        (void) !add(z, &h->own[0], false, &kept, NULL); /* full: it may ask again */
    }
    return kept;
}

static void take_leave(ki_zmq *z, const ki_zmq_hello *h) {
    for (size_t i = 0; i < ZMQ_PEERS_MAX; i++) {
        ki_zmq_peer *p = &z->peers[i];
        if (!matches(p, h)) {
            continue;
        }
        if (p->seed) {
            p->named = false;
            p->excused = true;
            p->silent = TELL_UNTIL;
        } else {
            drop(z, p);
        }
    }
}

/* Of our own kind, so that nobody sends us to other sockets of this machine. */
static bool is_kin(const ki_zmq *z, const ki_zmq_place *p) {
    return (p->host[0] == '\0') == (z->main.host[0] == '\0');
}

/* It went on without somebody. Was it us? Only who has not read all for long can be it. */
static void note_shed(ki_zmq *z, ki_zmq_peer *p, uint32_t shed) {
    unsigned behind = atomic_load(&z->beats) - atomic_load(&z->dry);
    if (p->named && shed > p->shed && behind >= BEHIND) {
        ki_zmq_missed(z);
    }
    p->shed = shed;
}

void ki_zmq_hear(ki_zmq *z, const ki_zmq_hello *h) {
    if (memcmp(h->name, z->name, ZMQ_NAME_SIZE) == 0) {
        return; /* the URL names us under two names of one place */
    }
    if (h->kind == ZMQ_BYE) {
        take_leave(z, h);
        return;
    }
    ki_zmq_peer *p = is_kin(z, &h->own[0]) ? row_of(z, h) : NULL;
    if (p != NULL && p->named && memcmp(p->name, h->name, ZMQ_NAME_SIZE) != 0) {
        drop(z, p); /* another one at the place of a dead one: connect at once */
        p = row_of(z, h);
    }
    if (p != NULL) {
        bool news = !p->named || p->wants != h->wants ||
                    memcmp(p->name, h->name, ZMQ_NAME_SIZE) != 0;
        memcpy(p->name, h->name, ZMQ_NAME_SIZE);
        p->excused = false;
        p->silent = 0;
        p->wants = h->wants;
        note_shed(z, p, h->shed);
        p->named = true;
        p->acked = h->seen;
        p->alias = h->own[ki_zmq_place_same(&p->at, &h->own[0]) ? h->own_count - 1 : 0];
        p->tries = news ? 0 : p->tries;
        p->due = p->due || news;
    }
    for (size_t i = 0; i < h->other_count; i++) {
        ki_zmq_peer *ignored;
        if (is_kin(z, &h->others[i])) {
            (void) !add(z, &h->others[i], false, &ignored, NULL);
        }
    }
}

static ki_zmq_reader *reader_of(ki_zmq *z, const uint8_t *name) {
    for (size_t i = 0; i < ZMQ_READERS_MAX; i++) {
        ki_zmq_reader *r = &z->readers[i];
        if (r->here && memcmp(r->name, name, ZMQ_NAME_SIZE) == 0) {
            return r;
        }
    }
    return NULL;
}

void ki_zmq_mark(ki_zmq *z, bool here, const uint8_t *name, uint32_t generation) {
    ki_zmq_reader *r = reader_of(z, name);
    if (!here) {
        if (r != NULL && r->generation == generation) {
            r->here = false;
        }
        return;
    }
    for (size_t i = 0; i < ZMQ_READERS_MAX && r == NULL; i++) {
        r = z->readers[i].here ? NULL : &z->readers[i];
    }
    if (r == NULL) {
        return; /* full: it reads all the same, and is not waited for long */
    }
    r->here = true;
    r->generation = generation;
    memcpy(r->name, name, ZMQ_NAME_SIZE);
    for (size_t i = 0; i < ZMQ_PEERS_MAX; i++) {
        ki_zmq_peer *p = &z->peers[i];
        if (p->dealer != NULL && p->named && memcmp(p->name, name, ZMQ_NAME_SIZE) == 0) {
            p->due = true;
            p->tries = 0;
        }
    }
}

/* ---- what is said ---- */

static void tell_of_others(ki_zmq *z, const ki_zmq_peer *to, ki_zmq_hello *h) {
    size_t from = atomic_load(&z->beats); /* where not all fit, others are told next time */
    for (size_t i = 0; i < ZMQ_PEERS_MAX && h->other_count < ZMQ_OTHERS_MAX; i++) {
        const ki_zmq_peer *p = &z->peers[(from + i) % ZMQ_PEERS_MAX];
        if (p->dealer != NULL && p != to && p->named && p->silent < TELL_UNTIL) {
            h->others[h->other_count++] = p->at;
        }
    }
}

static void greet_one(ki_zmq *z, ki_zmq_peer *p, uint32_t generation) {
    uint8_t bytes[ZMQ_HELLO_MAX];
    ki_zmq_hello h = { .kind = ZMQ_HELLO, .wants = generation, .own_count = 1 };
    const ki_zmq_reader *r = p->named ? reader_of(z, p->name) : NULL;
    memcpy(h.name, z->name, ZMQ_NAME_SIZE);
    h.seen = r == NULL ? 0 : r->generation;
    h.shed = z->told_shed;
    h.own[0] = z->said;
    if (z->has_main && z->say_text[0] == '\0' && !ki_zmq_place_same(&z->own, &z->main)) {
        h.own[h.own_count++] = z->main;
    }
    tell_of_others(z, p, &h);
    size_t n = ki_zmq_hello_write(&h, bytes);
    p->due = zmq_send(p->dealer, bytes, n, ZMQ_DONTWAIT) < 0;
    p->tries++;
}

void ki_zmq_greet(ki_zmq *z, uint32_t generation) {
    for (size_t i = 0; i < ZMQ_PEERS_MAX; i++) {
        ki_zmq_peer *p = &z->peers[i];
        if (p->dealer != NULL && p->due) {
            greet_one(z, p, generation);
        }
    }
}

void ki_zmq_greet_all(ki_zmq *z) {
    for (size_t i = 0; i < ZMQ_PEERS_MAX; i++) {
        z->peers[i].due = z->peers[i].dealer != NULL;
        z->peers[i].tries = 0;
    }
}

void ki_zmq_goodbye(ki_zmq *z) {
    uint8_t bytes[ZMQ_HELLO_MAX];
    ki_zmq_hello h = { .kind = ZMQ_BYE };
    memcpy(h.name, z->name, ZMQ_NAME_SIZE);
    size_t n = ki_zmq_hello_write(&h, bytes);
    for (size_t i = 0; i < ZMQ_PEERS_MAX; i++) {
        if (z->peers[i].dealer != NULL) {
            (void) zmq_send(z->peers[i].dealer, bytes, n, ZMQ_DONTWAIT);
            (void) zmq_close(z->peers[i].dealer);
            z->peers[i].dealer = NULL;
        }
    }
}

void ki_zmq_peers_beat(ki_zmq *z) {
    bool answered = z->peers_text[0] == '\0', say = atomic_load(&z->beats) % SAY_EVERY == 0;
    for (size_t i = 0; i < ZMQ_PEERS_MAX; i++) {
        ki_zmq_peer *p = &z->peers[i];
        if (p->dealer == NULL) {
            continue;
        }
        p->silent += p->silent < FORGET_AFTER;
        answered = answered || (p->seed && p->silent < TELL_UNTIL);
        if (p->silent == FORGET_AFTER && !p->seed) {
            drop(z, p);
        } else if (say) {
            p->due = true;
        }
    }
    (void) !ki_zmq_seed(z, NULL); /* those for whom nobody stands */
    pthread_mutex_lock(&z->state_lock);
    z->alone = !answered;
    pthread_mutex_unlock(&z->state_lock);
}

bool ki_zmq_main_silent(ki_zmq *z, unsigned beats) {
    const ki_zmq_peer *p = peer_at(z, &z->main);
    return p == NULL || !p->named || p->silent >= beats;
}

/* ---- who is waited for ---- */

/* It has our patterns, and our publisher has its. */
static bool knows(ki_zmq *z, const ki_zmq_peer *p, uint32_t generation) {
    const ki_zmq_reader *r = p->named ? reader_of(z, p->name) : NULL;
    return r != NULL && p->acked >= generation && r->generation >= p->wants;
}

bool ki_zmq_introduced(ki_zmq *z, uint32_t generation, bool *ret_hurry) {
    bool all = true;
    *ret_hurry = false;
    for (size_t i = 0; i < ZMQ_PEERS_MAX; i++) {
        const ki_zmq_peer *p = &z->peers[i];
        if (p->dealer != NULL && !p->excused) {
            all = all && knows(z, p, generation);
            *ret_hurry = *ret_hurry || (p->due && p->tries < TRIES_SOON);
        }
    }
    return all;
}

void ki_zmq_excuse(ki_zmq *z, uint32_t generation, bool all) {
    for (size_t i = 0; i < ZMQ_PEERS_MAX; i++) {
        ki_zmq_peer *p = &z->peers[i];
        if (p->dealer != NULL && !p->excused && !knows(z, p, generation)) {
            p->excused = all || !ki_zmq_answers(&p->at);
        }
    }
}
