/* SPDX-License-Identifier: Apache-2.0 */
/* sync/sync.h - what two nodes tell each other so that a carrier without memory
 * loses nothing: a first, plain exchange by arrival numbers.
 *
 * Every store numbers what arrives in it, and has a tag. A node says now and
 * then how far its numbers go (HELLO). Whoever has read less of that store asks
 * for a list of what follows (WANT), compares the listed ids with those it has
 * seen, and asks again for the missing ones only; they come as bare packets, in
 * front of the list (END). The cursor moves when nothing of a list is missing,
 * so loss, repetition and disorder cost time and nothing else.
 *
 * Per peer:
 *              its last > cursor             something is missing
 *      IDLE ---------------------> LISTING ------------------------> FETCHING
 *       ^                          |   ^ |                            |    |
 *       |    all read, or 8 tries  |   | +--- nothing is missing: ----+    |
 *       +--------------------------+   |      cursor moves, next list      |
 *       +------------------------------|-----------------------------------+
 *                                      +-- while last > cursor
 *
 * A plain value: no memory, no clock, no socket. Frames come in and go out as
 * bytes (docs/formats/sync.md). One thread owns it. */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include <kith/packet.h>

#define SYNC_FRAME_MAX KITH_PACKET_MAX
#define SYNC_LIST_MAX  48 /* tags in an END: 33 + 48 * 8 bytes fit a frame */
#define SYNC_SCOPE_MAX (SYNC_FRAME_MAX - 28) /* patterns in a WANT */
#define SYNC_PEERS_MAX 64                    /* the one heard of longest ago makes room */
#define SYNC_TRIES_MAX 8
#define SYNC_SEEN_SIZE 8192 /* slots per generation; half of them are used */

typedef enum ki_sync_state {
    SYNC_IDLE = 0,
    SYNC_LISTING = 1,
    SYNC_FETCHING = 2,
} ki_sync_state;

typedef struct ki_sync_peer {
    uint64_t tag;    /* of its store */
    uint64_t last;   /* its highest arrival, as it said */
    uint64_t cursor; /* everything up to here was seen */
    ki_sync_state state;
    uint32_t tries;
    uint64_t due_ns;   /* ask (again) then */
    uint64_t heard_ns; /* for making room */
    uint64_t through;  /* FETCHING: where the list ends */
    uint32_t listed;
    uint64_t list[SYNC_LIST_MAX];
} ki_sync_peer;

/* Where cursors live across restarts. May be NULL. */
typedef struct ki_sync_memory {
    void *ctx;
    uint64_t (*load)(void *ctx, uint64_t tag);
    void (*save)(void *ctx, uint64_t tag, uint64_t cursor);
} ki_sync_memory;

typedef struct ki_sync {
    uint64_t me; /* tag of our own store */
    uint64_t dice;
    uint64_t hello_ns; /* next HELLO */
    uint64_t told;     /* last arrival as we said it */
    uint32_t peer_count;
    ki_sync_peer peers[SYNC_PEERS_MAX];
    ki_sync_memory memory;
    uint32_t scope_hash;
    size_t scope_length; /* 0: everything */
    uint8_t scope[SYNC_SCOPE_MAX];
    uint32_t seen_now, seen_count; /* which generation, how full */
    uint64_t seen[2][SYNC_SEEN_SIZE];
} ki_sync;

/* Somebody wants what follows `after` in our store and matches its patterns, the
 * packets of the bits in need. */
typedef struct ki_sync_wish {
    uint64_t after, need;
    size_t scope_length;
    uint8_t scope[SYNC_SCOPE_MAX];
} ki_sync_wish;

void ki_sync_init(ki_sync *s, uint64_t me, uint64_t seed, const ki_sync_memory *memory);

typedef char ki_sync_pattern[KITH_SUBJECT_MAX + 1];

/* Only what matches one of these is asked for, from now on; cursors are those of
 * this scope. More than a WANT can hold: everything is asked for, and false. */
bool ki_sync_narrow(
    ki_sync *s, const ki_sync_pattern *patterns, size_t count, uint64_t now_ns);

/* Does the one who asks want this subject? */
bool ki_sync_wants(const ki_sync_wish *wish, const char *subject);

/* Everything is asked for once more, as if nothing had been seen. */
void ki_sync_afresh(ki_sync *s, uint64_t now_ns);

/* This packet came, whatever became of it. */
void ki_sync_seen(ki_sync *s, const uint8_t id[KITH_ID_SIZE]);

/* Did a peer's list name this packet while we lacked it? Ask before _seen. */
bool ki_sync_lacked(const ki_sync *s, const uint8_t id[KITH_ID_SIZE]);

/* A frame came. 0: done. KITH_STOP: answer *ret_wish. E_FORMAT: no such frame. */
KITH_MUST_USE int ki_sync_take(ki_sync *s, const uint8_t *bytes, size_t length,
    uint64_t now_ns, ki_sync_wish *ret_wish);

/* The next frame to send now, or 0. own_last: highest arrival of our store. */
size_t ki_sync_give(
    ki_sync *s, uint64_t own_last, uint64_t now_ns, uint8_t ret_frame[SYNC_FRAME_MAX]);

/* When give has something to say, if nothing happens before. */
uint64_t ki_sync_due(const ki_sync *s);

/* The END that closes an answer: tags are the first eight bytes of ids. */
size_t ki_sync_end(const ki_sync *s, const ki_sync_wish *wish, uint64_t through,
    const uint64_t *tags, size_t count, uint8_t ret_frame[SYNC_FRAME_MAX]);

/* An id's tag in a list. */
uint64_t ki_sync_tag(const uint8_t id[KITH_ID_SIZE]);

/* Is every peer's store read as far as it said? */
bool ki_sync_settled(const ki_sync *s);

#endif
