/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/tcp/bus.h - one link: its thread, its connections, its queues.
 *
 *   SEEKING --nobody listens--> HUB    listens, and passes on between its leaves
 *      ^  \---somebody does---> LEAF   dials it
 *      +----- the hub is gone ---'
 *
 *   post ---> out of a connection ---> [thread: sendmsg] ~~~ socket
 *   pull <--- reading <--- inbox <---- [thread: recv, route] ~~~ socket
 *
 * The owner's calls touch queues only; the thread owns every socket. One lock covers
 * what both see. The thread waits for sockets, for `kick`, and for a timer of the
 * kernel that beats every tenth of a second while something is waited for: strangers
 * must go in time even when the owner's loop hangs, so tick is not asked. A leaf at rest
 * has one beat for ten, to hear whether its hub lives. */
#ifndef CARRIER_TCP_BUS_H
#define CARRIER_TCP_BUS_H

#include "carrier/tcp/block.h"
#include "carrier/tcp/peer.h"
#include "carrier/tcp/place.h"
#include "carrier/tcp/wants.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    CONNS_MAX = 160,
    STRANGERS_MAX = 32,        /* the eldest makes room */
    SENDS_MAX = 4,             /* blocks in one sendmsg */
    WHOLE_MIN = FRAME_MAX / 2, /* load of a batch that takes a block for itself */
    STALL_BEATS = 3,  /* full, and nothing taken: what comes is lost, and counted */
    LINGER_BEATS = 3, /* of close, to send what was taken */
    RETRY_BEATS_MAX = 300,
    REST_BEATS = 10,
};

/* Where items go: full makes others wait, until it is held to be stalled. Under lock. */
typedef struct sink {
    blocks q;
    bool full, stalled;
    uint32_t beats;
} sink;

/* What a connection has once it is OPEN. */
typedef struct traffic {
    wants theirs, told; /* theirs under lock */
    sink out;           /* a hub's, under lock */
    uint8_t in[FRAME_MAX];
    uint8_t control[WANT_FRAME_MAX];
} traffic;

typedef struct conn {
    int fd;
    peer p;
    bool open;    /* under lock: items may be put for it */
    bool leaving; /* we said all; waits for its end */
    bool greeted; /* a leaf: its hub has said what it wants */
    bool want_due, wanted_due, credit_due;
    uint32_t watched; /* by epoll */
    traffic *t;       /* NULL: a stranger */
    sink *out;        /* t->out, or a leaf's own */
    uint8_t *in, *control;
    size_t in_length, in_size, in_at, control_length, control_at;
    /* of the batch at in_at: how far it is routed. 0: not begun */
    size_t route_at;
    uint32_t route_left;
    bool held;     /* something it goes to is full */
    uint64_t base; /* a leaf's: bytes in the inbox from before */
    block *sending[SENDS_MAX];
    size_t sending_count, sending_at;
    uint8_t small_in[STRANGER_MAX], small_control[STRANGER_MAX + FRAME_HEADER + HELLO_SIZE];
} conn;

typedef enum bus_role {
    BUS_SEEKING = 0,
    BUS_HUB = 1,
    BUS_LEAF = 2,
} bus_role;

typedef struct bus {
    int64_t queue_bytes; /* option */
    place place;
    const char *scheme;
    const kith_host *host;
    const guard *guard;
    uint8_t id[16];
    uint64_t dice;

    pthread_t thread;
    int poll, kick, answer, wake, timer;

    /* the thread's */
    int listener;
    bool deaf;        /* no descriptor for one more: not before the next beat */
    uint32_t beating; /* the timer's, in beats; 0: it is off */
    conn *conns[CONNS_MAX];
    size_t count, strangers;
    uint32_t failures, retry_beats, linger_beats;
    bool wants_new;

    /* under lock */
    pthread_mutex_t lock;
    bus_role role;
    bool stopping, asleep, news, settled; /* news: not to sleep before a look;
 * settled: open need not wait any more */
    bool reader_asleep, any_held;
    int begun;
    kith_error begun_words, sickness;
    wants own;
    unsigned follow_asked, follow_done;
    sink inbox, up; /* up: what a leaf posts; it outlives connections */
    uint64_t inbox_put, inbox_returned, credit_seen;
    kith_counters counters;

    /* the owner's */
    block *reading;
    size_t reading_at;
    uint16_t reading_left;
} bus;

void ki_bus_ring(int bell);
void ki_bus_silence(int bell);
/* Under lock. */
void ki_bus_wake_thread(bus *b);
void ki_bus_wake_reader(bus *b);

void *ki_bus_run(void *bus);
/* sick: why it is not well, or NULL; settled: open need not wait any longer. */
void ki_bus_set_role(bus *b, bus_role role, bool settled, const kith_error *sick);

/* conn.c: sockets. The thread's. */
conn *ki_conn_new(bus *b, int fd, bool dialling);
void ki_conn_free(bus *b, size_t index);
void ki_conn_watch(bus *b, conn *c);
/* Takes what has come. False: it is over. */
bool ki_conn_read(bus *b, conn *c);
bool ki_conn_parse(bus *b, conn *c);
/* Sends what there is. False: it is over. */
bool ki_conn_write(bus *b, conn *c);
bool ki_conn_has_sent_all(bus *b, conn *c);

/* route.c */
/* Under lock. Is there a place, or has it been given up? False: wait. */
bool ki_sink_admits(sink *s, size_t size);
bool ki_sink_put(sink *s, const batch_item *item); /* false: lost, and counted */
void ki_sink_taken(sink *s);
void ki_sink_beat(sink *s);
/* All of the batch at in_at that has a place. False: some has not, yet. */
bool ki_route_batch(bus *b, conn *from, const frame *f);
/* WANT and WANTED where they are due. */
void ki_route_wants(bus *b);

#endif
