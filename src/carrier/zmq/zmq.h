/* SPDX-License-Identifier: Apache-2.0 */
/* zmq/zmq.h - one link over libzmq, inside.
 *
 *   link's thread            post --> [XPUB] ~~~~> SUB of each peer
 *                            pull <-- [SUB]  <~~~~ XPUB of each peer
 *   its own small thread     sync --> [DEALER] ~~> ROUTER, one DEALER a peer
 *                                 <-- [ROUTER] <~~
 *                            and hellos: who is there, and where
 *
 * Packets do not pass the small thread: it would cost a hop of each. XPUB and SUB are
 * used by both, under sockets_lock; ROUTER and DEALERs by the small thread alone.
 * What is under state_lock says so. Neither lock is taken inside the other. */
#ifndef ZMQ_ZMQ_H
#define ZMQ_ZMQ_H

#include "carrier/zmq/frame.h"
#include "carrier/zmq/seed0.h"
#include "carrier/zmq/sockets.h"

#include <pthread.h>
#include <stdatomic.h>
#include <zmq.h>

enum {
    ZMQ_PEERS_MAX = 64,
    ZMQ_READERS_MAX = 128, /* marks known */
    ZMQ_FRAMES_MAX = 256,  /* sync frames waiting, each way */
    ZMQ_PEERS_TEXT = 511,
    ZMQ_SEEDS_MAX = 32,
};

typedef struct ki_zmq_peer {
    void *dealer;    /* NULL: the row is free */
    bool seed;       /* of the URL: never given up */
    bool named;      /* heard, and has not said goodbye */
    bool due;        /* a hello is */
    bool excused;    /* nobody waits for it, until it is heard */
    unsigned silent; /* beats since it was heard */
    unsigned tries;  /* of the hello that is due */
    uint8_t name[ZMQ_NAME_SIZE];
    uint32_t shed;          /* times that it went on without some */
    uint32_t wants, acked;  /* generations: of its patterns, of ours that it knows */
    ki_zmq_place at, alias; /* where we connect; where else it says it is */
} ki_zmq_peer;

typedef struct ki_zmq_reader {
    bool here;
    uint8_t name[ZMQ_NAME_SIZE];
    uint32_t generation;
} ki_zmq_reader;

typedef struct ki_zmq_ring {
    uint32_t at, count;
    uint16_t length[ZMQ_FRAMES_MAX];
    uint8_t bytes[ZMQ_FRAMES_MAX][KITH_PACKET_MAX];
} ki_zmq_ring;

typedef struct ki_zmq_topics {
    size_t count;
    size_t length[KITH_PATTERNS_MAX];
    char text[KITH_PATTERNS_MAX][ZMQ_TOPIC_MAX];
} ki_zmq_topics;

typedef struct ki_zmq {
    int64_t hwm, backoff_ns; /* options */
    char peers_text[ZMQ_PEERS_TEXT + 1], say_text[ZMQ_PLACE_MAX + 1];
    int64_t query;
    int interop; /* 0: none; 1: seed 0, and then `seed` is all there is */
    bool bind, extended, patient;
    ki_seed0 *seed0;

    /* Of open; then never changed. */
    const kith_host *host;
    ki_zmq_place main, own; /* where all of this URL meet; where we are */
    ki_zmq_place said;      /* where others are told that we are */
    size_t seed_count;
    ki_zmq_place seeds[ZMQ_SEEDS_MAX]; /* main, and those of peers= */
    uint8_t name[ZMQ_NAME_SIZE], route[ZMQ_ROUTE_SIZE];
    int messages_max, backoff_ms;
    void *context;
    int wake_fd, bell_fd; /* bell: pull has something that SUB's own fd will not tell */
    int kick_fd, beat_fd; /* of the small thread */
    pthread_t thread;
    bool running;

    pthread_mutex_t sockets_lock;
    void *out, *in; /* XPUB, SUB */
    ki_zmq_topics topics;

    pthread_mutex_t state_lock;
    pthread_cond_t met_changed;
    uint32_t generation, met; /* of patterns; those that all know who are here */
    ki_zmq_ring to_peers, from_peers;
    uint64_t lost, rubbish, failures;
    uint32_t shed; /* times that we went on without a reader that does not read */
    bool alone;    /* of the peers in the URL, none answers */
    bool stop;

    /* The link's thread alone. */
    zmq_msg_t topic, body;
    bool full;           /* the last post found no room */
    bool leaving;        /* ... for so long that we went on without */
    unsigned full_since; /* beat */
    bool more;           /* the last pull brought something: there may be more */
    uint64_t link_rubbish, link_failures;
    atomic_bool rung;
    atomic_uint frames; /* in from_peers: looked at by each pull */
    atomic_uint beats;  /* counted by the small thread, four a second */
    atomic_uint dry;    /* beat at which pull last had nothing */
    atomic_bool gap;    /* to be told by pull */

    /* The small thread alone. */
    void *router;
    bool has_main; /* the main place is ours too */
    int locks[2];  /* of ipc: on own, on main; -1: none */
    unsigned patience, probe_at;
    uint32_t told, told_shed; /* what hellos were made due for */
    ki_zmq_peer peers[ZMQ_PEERS_MAX];
    ki_zmq_reader readers[ZMQ_READERS_MAX];
} ki_zmq;

/* bind.c: takes the main place, or where that is taken another one. */
KITH_MUST_USE int ki_zmq_bind(ki_zmq *z, kith_error *err);
/* Is nobody at the main place any more? Then we are: true. */
bool ki_zmq_take_over(ki_zmq *z);
void ki_zmq_unbind(ki_zmq *z);
/* Does somebody listen there? Only an answer at once counts. */
bool ki_zmq_answers(const ki_zmq_place *p);

/* talk.c: the small thread. */
KITH_MUST_USE int ki_zmq_talk_start(ki_zmq *z, kith_error *err);
void ki_zmq_talk_stop(ki_zmq *z);
/* Wakes it; wakes the link's owner. */
void ki_zmq_kick(ki_zmq *z);
void ki_zmq_ring_bell(ki_zmq *z);
/* A new generation of our patterns is subscribed: tells everybody, and waits until all
 * who are here know it. Whoever does not answer in time is not waited for again. */
void ki_zmq_meet(ki_zmq *z, uint32_t generation);
/* KITH_FULL: no room for a sync frame. */
KITH_MUST_USE int ki_zmq_say(ki_zmq *z, const uint8_t *bytes, size_t length);
/* false: no frame has come. */
bool ki_zmq_heard(ki_zmq *z, kith_item *ret);
/* Something is missing here: counted, and told by pull. */
void ki_zmq_missed(ki_zmq *z);

/* peers.c: who is there; all but the first by the small thread. */
KITH_MUST_USE int ki_zmq_seed(ki_zmq *z, kith_error *err);
void ki_zmq_hear(ki_zmq *z, const ki_zmq_hello *h);
void ki_zmq_mark(ki_zmq *z, bool here, const uint8_t *name, uint32_t generation);
void ki_zmq_greet_all(ki_zmq *z);                  /* makes a hello due to everybody */
void ki_zmq_greet(ki_zmq *z, uint32_t generation); /* says what is due */
void ki_zmq_peers_beat(ki_zmq *z);
/* Does everybody who is here know that generation, and we theirs? *ret_hurry: a hello
 * could not be said yet to one who may be there. */
bool ki_zmq_introduced(ki_zmq *z, uint32_t generation, bool *ret_hurry);
/* Nobody waits any more for those where nobody listens; `all`: for any. */
void ki_zmq_excuse(ki_zmq *z, uint32_t generation, bool all);
/* Has nobody spoken from the main place for so long? */
bool ki_zmq_main_silent(ki_zmq *z, unsigned beats);
void ki_zmq_drop_place(ki_zmq *z, const ki_zmq_place *place);
void ki_zmq_goodbye(ki_zmq *z);

/* How a socket of this link is wished for. */
ki_zmq_wish ki_zmq_wish_of(const ki_zmq *z, int type, bool server);

#endif
