/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/tcp/block.h - items on their way, in blocks that are batches as they go
 * over the wire: what is posted is written once, where it is sent from.
 *
 *   post ---> [last ... first] ---> taken, sent or read, given back
 *
 * All blocks are taken at init. The pages of those never used stay the kernel's. One
 * lock of its owner covers a queue; a block that was taken is the taker's alone.
 */
#ifndef CARRIER_TCP_BLOCK_H
#define CARRIER_TCP_BLOCK_H

#include "carrier/tcp/frame.h"

typedef struct block {
    struct block *next;
    uint32_t used; /* of bytes, BATCH_HEAD included */
    uint16_t count;
    uint32_t lost; /* items that are missing in front of it */
    bool closed;   /* nothing more goes in */
    uint8_t bytes[FRAME_MAX];
} block;

typedef struct blocks {
    block *memory;
    size_t total, queued, taken;
    block *unused, *first, *last;
    uint32_t lost; /* for want of room, and not yet noted in a block */
} blocks;

/* E_MEMORY. */
KITH_MUST_USE int ki_blocks_init(blocks *q, size_t bytes);
void ki_blocks_fini(blocks *q);
void ki_blocks_check(const blocks *q);

/* Is there a place for an item of so many bytes, ITEM_HEAD included? */
bool ki_blocks_room(const blocks *q, size_t size);
/* There is. */
void ki_blocks_put(blocks *q, const batch_item *item);
/* A block to be filled without the lock, or NULL; and in with it, as the newest. */
block *ki_blocks_reserve(blocks *q);
void ki_blocks_append(blocks *q, block *b);
/* There was none for so many: said in front of what comes next. */
void ki_blocks_lose(blocks *q, uint32_t count);

/* The oldest, or NULL; also one that only says what was lost. */
block *ki_blocks_take(blocks *q);
void ki_blocks_give_back(blocks *q, block *b);
/* Taken, and not sent after all: it is the oldest again. */
void ki_blocks_untake(blocks *q, block *b);
void ki_blocks_clear(blocks *q); /* all that is queued */
bool ki_blocks_waiting(const blocks *q);

/* Bytes of items in it: what credit counts. */
static inline uint32_t ki_block_load(const block *b) {
    return b->used - BATCH_HEAD;
}

#endif
