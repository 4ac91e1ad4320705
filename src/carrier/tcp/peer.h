/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/tcp/peer.h - what one side of a connection knows of the other.
 *
 *   DIALLING --connected--> HELLO --their HELLO--> PROOF --good proof--> OPEN
 *       |                     |    (no guard: straight to OPEN)           |
 *       +---------------------+---- late, rubbish, refused ---> GONE <----+
 *
 * A plain value: no socket, no memory of its own, no clock. Time comes as beats, a
 * tenth of a second each. Credit counts bytes of items, in all since the beginning:
 * who sends more than it was allowed is GONE. So what a peer has under way has a
 * bound, and a frame that is not a batch is never kept back by batches.
 *
 * A WANT has a number and is answered by WANTED once it holds everywhere behind the
 * peer; one that is not answered for WANT_BEATS makes the peer GONE.
 *
 * The kernel of a hub that is stopped goes on to take what comes, so a leaf listens for
 * a heart: after QUIET_BEATS without a byte it says its WANT again, and after
 * DEAD_BEATS the hub is GONE. A hub need not: it keeps nothing back for a leaf. */
#ifndef CARRIER_TCP_PEER_H
#define CARRIER_TCP_PEER_H

#include "carrier/tcp/frame.h"

enum {
    BEAT_MS = 100,
    HELLO_BEATS = 20, /* from accept to OPEN: 2 s */
    WANT_BEATS = 40,
    QUIET_BEATS = 30,
    DEAD_BEATS = 90,
};

typedef enum peer_state {
    PEER_DIALLING = 1,
    PEER_HELLO = 2,
    PEER_PROOF = 3,
    PEER_OPEN = 4,
    PEER_GONE = 5,
} peer_state;

/* The hook for authentication. None exists yet: method 0 is nobody's, needs no proof,
 * and is good on this machine alone. */
typedef struct guard {
    uint8_t method; /* both sides must name the same; never 0 */
    void *ctx;
    /* Writes 1..PROOF_MAX bytes and says how many. */
    size_t (*prove)(void *ctx, const hello *ours, const hello *theirs, uint8_t *ret);
    int (*judge)(void *ctx, const hello *ours, const hello *theirs,
        const frame *proof); /* 0: good */
} guard;

typedef struct peer {
    peer_state state;
    frame_bye why; /* when GONE by our own will */
    uint8_t said;  /* a frame_bye of theirs, or 0 */
    uint32_t beats, want_beats, quiet_beats;
    bool feeling; /* the last WANT only asks whether it lives */
    const guard *guard;
    hello ours, theirs;
    uint64_t sent, allowed;            /* to them */
    uint64_t came, consumed, granted;  /* from them */
    uint32_t want_told, want_heard;    /* our WANTs: the last, and the last answered */
    uint32_t want_owed, want_answered; /* theirs */
} peer;

/* What a frame brought that the owner must see to. */
typedef enum peer_news {
    NEWS_NOTHING = 0,
    NEWS_PROVE = 1, /* send our proof */
    NEWS_OPEN = 2,
    NEWS_WANT = 3,
    NEWS_WANTED = 4,
    NEWS_BATCH = 5,
    NEWS_CREDIT = 6,
} peer_news;

/* `ours` is sent as it is; guard may be NULL. */
void ki_peer_init(peer *p, bool dialling, const hello *ours, const guard *g);
void ki_peer_check(const peer *p);
void ki_peer_connected(peer *p);
void ki_peer_end(peer *p, frame_bye why);

/* One whole frame. 0 and *ret_news; < 0: it is GONE, and why says so. */
KITH_MUST_USE int ki_peer_take(peer *p, const frame *f, peer_news *ret_news);
/* A tenth of a second has passed. False: it is GONE. */
bool ki_peer_beat(peer *p);
bool ki_peer_is_waiting(const peer *p); /* does each beat matter to it? */
/* Some bytes came, or we did not look. */
void ki_peer_heard(peer *p);
/* Is it time to say our WANT again? Then it has a new number. */
bool ki_peer_feel(peer *p);

static inline uint64_t ki_peer_credit(const peer *p) {
    return p->allowed - p->sent;
}
void ki_peer_sent(peer *p, uint32_t load);
/* So much of what came has found its place. True: a CREDIT is due. */
bool ki_peer_consumed(peer *p, uint32_t load);
uint64_t ki_peer_grant(peer *p); /* for that CREDIT */

uint32_t ki_peer_tell(peer *p); /* the number of a new WANT of ours */
static inline bool ki_peer_adopted(const peer *p) {
    return p->want_told == p->want_heard;
}
static inline bool ki_peer_owes(const peer *p) {
    return p->want_owed != p->want_answered;
}

#endif
