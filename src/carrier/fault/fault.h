/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/fault/fault.h - the state of fault+, shared by its two directions.
 *
 * Out: a post is sent, held, or dropped, and its ticket waits in a ring until
 * all before it are settled. A drop on a carrier that promises nothing counts as
 * handed over; on one that promises, settle fails there, once, and the caller
 * goes back. In: an item is handed out, held, or dropped; what a carrier with
 * history lost on the way in is read again later, as after a reconnect.
 */
#ifndef CARRIER_FAULT_FAULT_H
#define CARRIER_FAULT_FAULT_H

#include "base/dice.h"
#include "carrier/carrier.h"

enum {
    FAULT_HOLD = 256,  /* posts, and items, held back at once; more go straight on */
    FAULT_SENT = 4096, /* posts whose fate is open; beyond, post says full */
};

typedef enum fault_fate {
    FAULT_HELD = 0,
    FAULT_GONE = 1, /* sent to the link inside */
    FAULT_DROPPED = 2,
} fault_fate;

typedef struct fault_sent {
    uint64_t ticket; /* the caller's */
    uint64_t inner;  /* ours, on the link inside; never used twice */
    fault_fate fate;
} fault_sent;

/* Held back until `left` others have passed, or until due_ns. */
typedef struct fault_held {
    bool used;
    uint32_t left;
    uint64_t due_ns;    /* 0: by count */
    uint64_t slot;      /* out: the number of its place in the ring; 0: none */
    int64_t expires_us; /* out */
    kith_item item;
} fault_held;

typedef struct fault {
    int64_t drop, repeat, reorder, cut, seed; /* options; percent */
    int64_t delay_ns, cut_after, cut_for;     /* options */
    const kith_host *host;
    kith_link *next;
    uint64_t dice, now_ns;
    uint64_t posts;    /* attempts, for cut_after */
    uint64_t cut_left; /* posts and ticks until it is healed */
    bool cut_untold;   /* settle must still say so */

    fault_sent *sent; /* FAULT_SENT places; place of number n: n % FAULT_SENT */
    uint64_t sent_first, sent_next; /* numbers, from 1 */
    uint64_t inner_next, inner_settled, settled;
    fault_held *out_held;

    fault_held *in_held;
    size_t in_count;
    bool again; /* hand out `repeated` once more */
    kith_item repeated;
    uint64_t last_token, top_token;

    int wake, wakes; /* our own eventfd; an epoll of it and the inner one */
    bool nudged;
} fault;

/* In `percent` of 100 cases. */
static inline bool fault_roll(fault *f, int64_t percent) {
    return percent > 0 && dice_below(&f->dice, 100) < (uint64_t) percent;
}

static inline bool fault_is_cut(const fault *f) {
    return f->cut_left > 0;
}

/* There is something that the descriptor of the link inside does not know of. */
void ki_fault_nudge(fault *f);

int ki_fault_post(fault *f, const kith_posting *what);
int ki_fault_settle(fault *f, uint64_t *ret_through, kith_error *err);
/* Sends what was held long enough. */
void ki_fault_release(fault *f);
/* One post or tick less until the cut heals. */
void ki_fault_heal(fault *f);

int ki_fault_pull(fault *f, kith_item *ret_item);
void ki_fault_ack(fault *f, uint64_t token);
void ki_fault_forget_items(fault *f);

#endif
