/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/tcp/frame.h - what goes over a stream socket, docs/formats/link.md.
 *
 *   OFFSET SIZE MEANING
 *        0    1 type
 *        1    1 zero
 *        2    2 count: of items, of patterns; else zero
 *        4    4 length of the body, at most what the type allows
 *        8    n body
 *
 * Pure functions over bytes. Nothing of a frame is used before its length was held
 * against its type, so a stranger cannot make us wait for more than it may send.
 */
#ifndef CARRIER_TCP_FRAME_H
#define CARRIER_TCP_FRAME_H

#include <kith/carrier.h>

enum {
    FRAME_HEADER = 8,
    FRAME_MAX = 65536, /* header and body */
    HELLO_SIZE = 64,
    PROOF_MAX = 504,
    STRANGER_MAX = FRAME_HEADER + PROOF_MAX, /* the longest a stranger may send */
    BATCH_LOST = 4,                          /* what a body begins with */
    BATCH_HEAD = FRAME_HEADER + BATCH_LOST,
    ITEM_HEAD = 4,
    ITEM_MAX = ITEM_HEAD + KITH_SUBJECT_MAX + KITH_PACKET_MAX,
    LINK_VERSION = 1,
};

typedef enum frame_type {
    FRAME_HELLO = 1,  /* the first of each side */
    FRAME_PROOF = 2,  /* of who it is; what is in it is the guard's business */
    FRAME_WANT = 3,   /* send me what matches these, and nothing else */
    FRAME_WANTED = 4, /* that WANT holds from here on */
    FRAME_BATCH = 5,
    FRAME_CREDIT = 6, /* how many bytes of items you may have sent in all */
    FRAME_BYE = 7,    /* why I close */
} frame_type;

typedef enum frame_role {
    ROLE_HUB = 1,  /* listens, and passes on to the others */
    ROLE_LEAF = 2, /* dialled */
} frame_role;

typedef enum frame_bye {
    BYE_CLOSING = 1,
    BYE_FULL = 2,    /* no place for one more peer */
    BYE_RUBBISH = 3, /* what you sent is against the format */
    BYE_PROOF = 4,   /* you could not show who you are */
    BYE_SLOW = 5,    /* no answer in time */
    BYE_VERSION = 6,
    BYE_LAST = BYE_VERSION,
} frame_bye;

typedef struct frame {
    uint8_t type;
    uint16_t count;
    uint32_t length; /* of the body */
    const uint8_t *body;
} frame;

typedef struct hello {
    uint8_t version, role, method;
    uint32_t window; /* bytes of items that may come before the first CREDIT */
    uint8_t id[16];  /* of the link, chosen anew at each open */
    uint8_t challenge[32];
} hello;

/* One item of a batch, in place. */
typedef struct batch_item {
    uint8_t kind, subject_length;
    uint16_t length;
    const uint8_t *subject, *bytes;
} batch_item;

/* 0: *ret is whole. KITH_EMPTY: it is not all there yet. E_FORMAT. */
KITH_MUST_USE int ki_tcp_frame(const uint8_t *bytes, size_t length, frame *ret);
void ki_tcp_put_header(uint8_t *to, frame_type type, uint16_t count, size_t body);

/* Each takes the body of a whole frame. E_FORMAT. */
KITH_MUST_USE int ki_tcp_get_hello(const frame *f, hello *ret);
/* Are all items whole, and as many as the header says? */
KITH_MUST_USE int ki_tcp_check_batch(const frame *f);
uint32_t ki_tcp_batch_lost(const frame *f);
uint32_t ki_tcp_get32(const frame *f);
uint64_t ki_tcp_get64(const frame *f);

/* Whole frames; each returns its length. */
size_t ki_tcp_put_hello(uint8_t *to, const hello *h);
size_t ki_tcp_put_number32(uint8_t *to, frame_type type, uint32_t number);
size_t ki_tcp_put_credit(uint8_t *to, uint64_t through);
size_t ki_tcp_put_bye(uint8_t *to, frame_bye why);

/* Reads the item at `at`, which lies in a checked batch; returns its length. */
static inline size_t ki_tcp_item(const uint8_t *at, batch_item *ret) {
    ret->length = (uint16_t) (at[0] << 8 | at[1]);
    ret->kind = at[2];
    ret->subject_length = at[3];
    ret->subject = at + ITEM_HEAD;
    ret->bytes = ret->subject + ret->subject_length;
    return (size_t) ITEM_HEAD + ret->subject_length + ret->length;
}

#endif
