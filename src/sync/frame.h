/* SPDX-License-Identifier: Apache-2.0 */
/* sync/frame.h - the bytes of sync frames, docs/formats/sync.md: written into a
 * buffer of 512 bytes, read without trust. No state and no meaning here. */
#ifndef SYNC_FRAME_H
#define SYNC_FRAME_H

#include "sync/cells.h"
#include "sync/mac.h"

#include <kith/packet.h>

#define FRAME_MAX    KITH_PACKET_MAX
#define FRAME_HEAD   52
#define FRAME_MAC_AT 36

enum {
    FRAME_HELLO = 1, /* who I am, what I follow, the root of what I have */
    FRAME_ASK = 2,   /* asker to answerer */
    FRAME_TELL = 3,  /* answerer to asker */
    FRAME_KEYS = 4,  /* to everybody: who has these numbers of that source? */

    ASK_ROOT = 0,   /* count and root of everything above the floor */
    ASK_EXPAND = 1, /* split this range, or list its items */
    ASK_CELLS = 2,  /* coded cells of this range */
    ASK_RANGE = 3,  /* send what is in this range, at most `total` */
    ASK_TAGS = 4,   /* send these items of this range */

    TELL_ROOT = 0,
    TELL_SPLIT = 1,
    TELL_ITEMS = 2,
    TELL_CELLS = 3,
    TELL_BUSY = 4,  /* ask again after so many seconds */
    TELL_FLOOR = 5, /* nothing below this second is here any more */
    TELL_END = 6,   /* of a range: sent up to here */

    ASKS_MAX = 16,  /* pieces in an ASK */
    TAGS_MAX = 56,  /* tags in a piece of a TELL */
    WANT_MAX = 50,  /* and of an ASK, which names its range too */
    PARTS_MAX = 30, /* parts of a SPLIT */
    CELLS_MAX = 32, /* cells in a piece */
    CELLS_STEP = 8, /* starts and counts of cells are multiples of it */
    RUNS_MAX = 64,  /* runs in a KEYS */
    PATTERNS_MAX = 8,
    PATTERNS_BYTES = 270,
};

typedef struct ki_head {
    uint8_t type;
    uint64_t to, from; /* to 0: everybody */
    uint64_t nonce;
    uint32_t scope, floor; /* floor in seconds */
} ki_head;

typedef struct ki_part {
    ki_bound hi;
    uint64_t count, print;
} ki_part;

/* One piece of an ASK or a TELL. Which members hold depends on its kind. */
typedef struct ki_piece {
    uint8_t kind;
    uint32_t rid;
    ki_bound lo, hi; /* hi: of an END, where it came to */
    uint32_t start;  /* of cells */
    uint32_t count;  /* of tags, parts, cells */
    uint64_t total;  /* items of a ROOT; credit; sent; seconds */
    uint8_t root[ROOT_SIZE];
    uint8_t reason; /* of BUSY */
    union {
        uint64_t tags[TAGS_MAX];
        ki_part parts[PARTS_MAX];
        ki_cell cells[CELLS_MAX];
    };
} ki_piece;

/* What a node follows: each a length byte and the text. */
typedef struct ki_patterns {
    uint8_t count;
    uint16_t length;
    uint8_t bytes[PATTERNS_BYTES];
} ki_patterns;

typedef struct ki_hello {
    bool answer; /* to a HELLO: not to be answered */
    uint8_t key[KITH_KEY_SIZE], ephemeral[32];
    uint32_t boundary;
    uint64_t stored; /* grows with whatever it stores, of this scope or not */
    uint64_t count;
    uint8_t root[ROOT_SIZE];
    uint8_t trust[8];
    ki_patterns patterns;
} ki_hello;

typedef struct ki_run {
    uint64_t first, length;
} ki_run;
typedef struct ki_keys {
    uint8_t source[8]; /* start of the public key */
    uint64_t epoch;
    uint32_t count;
    ki_run runs[RUNS_MAX];
} ki_keys;

typedef struct ki_writer {
    size_t length;
    uint32_t pieces;
    ki_bound last; /* bounds are written against the one before */
    uint8_t bytes[FRAME_MAX];
} ki_writer;

void ki_frame_begin(ki_writer *w, const ki_head *head);
/* false: no room; nothing changed. */
KITH_MUST_USE bool ki_frame_put(ki_writer *w, const ki_piece *piece);
/* Without its signature, which the caller appends: FRAME_SIGNATURE bytes. */
void ki_frame_hello(ki_writer *w, const ki_hello *hello);
#define FRAME_SIGNATURE 64
/* Runs rise and do not touch. false: no room. */
KITH_MUST_USE bool ki_frame_keys(ki_writer *w, const ki_keys *keys);
void ki_frame_seal(ki_writer *w, const uint8_t key[32]);

typedef struct ki_reader {
    const uint8_t *bytes;
    size_t at, end;
    uint8_t type;
    ki_bound last;
} ki_reader;

/* 0, or KITH_E_FORMAT: no frame of ours. */
KITH_MUST_USE int ki_frame_open(
    ki_reader *r, const uint8_t *bytes, size_t length, ki_head *ret);
/* The next piece of an ASK or TELL: 0; KITH_EMPTY, the end; KITH_E_FORMAT. */
KITH_MUST_USE int ki_frame_next(ki_reader *r, ki_piece *ret);
/* ret_signature points into the frame. */
KITH_MUST_USE int ki_read_hello(ki_reader *r, ki_hello *ret, const uint8_t **ret_signature);
KITH_MUST_USE int ki_read_keys(ki_reader *r, ki_keys *ret);
/* Are all pieces of an ASK or TELL what they should be? Reads a copy. */
KITH_MUST_USE bool ki_frame_sound(const ki_reader *r);

#endif
