/* SPDX-License-Identifier: Apache-2.0 */
/* node/verify.h - what came over the links and is not stored yet, in the order in
 * which it came; its signatures are checked by several threads at once.
 *
 *   give ─► | waits | waits | a thread checks | ready | ready | ready | ─► take
 *                     ▲
 *                     └── the owner checks too, when it would have to wait
 *
 * One thread owns it, gives and takes; the others only check. They are begun when
 * much waits for the first time, so a quiet node has none; where none can be begun,
 * or there is one processor, the owner checks everything, and less is taken in. A
 * full ring takes nothing more: then the links keep it. */
#ifndef NODE_VERIFY_H
#define NODE_VERIFY_H

#include <kith/packet.h>

#include <pthread.h>

enum {
    VERIFY_RING = 1024,     /* things on their way, at most */
    VERIFY_ALONE = 64,      /* while there are no threads */
    VERIFY_BEGIN = 32,      /* waiting for a check, before threads are begun */
    VERIFY_CHUNK = 8,       /* checks taken at once: some 0.4 ms */
    VERIFY_THREADS_MAX = 7, /* beside the owner */
};

typedef enum ki_flight_kind {
    FLIGHT_PACKET = 1, /* to be checked, then stored */
    FLIGHT_KNOWN = 2,  /* stored before: its way is noted */
    FLIGHT_FRAME = 3,  /* sync's */
    FLIGHT_PASSED = 4, /* nothing but a token */
} ki_flight_kind;

typedef struct ki_flight {
    uint8_t kind, link; /* link: its place in the node */
    int result;         /* of the check: 0, or KITH_R_SIGNATURE */
    uint32_t era;       /* of the link: an older one is not acked any more */
    uint64_t token;     /* an ack of it means "up to here" */
    uint8_t id[KITH_ID_SIZE];
    kith_packet packet; /* or a frame */
} ki_flight;

typedef struct ki_verify ki_verify;

/* Begins a thread as pthread_create does: a test lets it fail. */
typedef int (*ki_spawn)(pthread_t *ret, void *(*run)(void *), void *ctx);

/* How many threads beside the owner make sense here. */
unsigned ki_verify_threads(void);
/* spawn NULL: the system's. E_MEMORY. */
KITH_MUST_USE int ki_verify_open(ki_verify **ret, unsigned threads, ki_spawn spawn);
/* What is on its way is gone; threads end after the checks they are at. */
void ki_verify_close(ki_verify **v);

/* A place to fill, then to give; NULL: full. */
ki_flight *ki_verify_next(ki_verify *v);
void ki_verify_give(ki_verify *v);
/* What was given last and is not taken: its token may still move on. NULL: nothing. */
ki_flight *ki_verify_last(ki_verify *v);

/* Checks by itself, at most `budget`; if then nothing waits, waits for the threads. */
void ki_verify_help(ki_verify *v, uint32_t budget);
/* How many are on their way; how many of them, from the first on, are ready. */
size_t ki_verify_count(const ki_verify *v);
size_t ki_verify_ready(ki_verify *v);
/* The i-th of those that are ready; until they are taken. */
const ki_flight *ki_verify_at(const ki_verify *v, size_t i);
void ki_verify_take(ki_verify *v, size_t count);

#endif
