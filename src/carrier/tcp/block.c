/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/tcp/block.h"

#include "base/check.h"
#include "base/wire.h"

#include <stdlib.h>
#include <string.h>

int ki_blocks_init(blocks *q, size_t bytes) {
    *q = (blocks){ .total = bytes / FRAME_MAX + 2 }; /* one is read, one is being filled */
    q->memory = calloc(q->total, sizeof *q->memory);
    if (q->memory == NULL) {
        return KITH_E_MEMORY;
    }
    for (size_t i = q->total; i > 0; i--) {
        q->memory[i - 1].next = q->unused;
        q->unused = &q->memory[i - 1];
    }
    return 0;
}

void ki_blocks_fini(blocks *q) {
    free(q->memory);
    *q = (blocks){ 0 };
}

void ki_blocks_check(const blocks *q) {
    CHECK(q->queued + q->taken <= q->total);
    CHECK((q->first == NULL) == (q->queued == 0));
    CHECK((q->first == NULL) == (q->last == NULL));
    CHECK((q->unused == NULL) == (q->queued + q->taken == q->total));
    CHECK(q->last == NULL || (q->last->next == NULL && q->last->used <= FRAME_MAX));
    CHECK(q->last == NULL || q->last->used >= BATCH_HEAD);
}

static bool fits(const block *b, size_t size) {
    return !b->closed && FRAME_MAX - b->used >= size && b->count < UINT16_MAX;
}

bool ki_blocks_room(const blocks *q, size_t size) {
    CHECK_HOT(size <= ITEM_MAX);
    return (q->last != NULL && q->lost == 0 && fits(q->last, size)) || q->unused != NULL;
}

block *ki_blocks_reserve(blocks *q) {
    block *b = q->unused;
    if (b != NULL) {
        q->unused = b->next;
        q->taken++;
        b->next = NULL;
        b->used = BATCH_HEAD;
        b->count = 0;
        b->closed = false;
        b->lost = 0;
    }
    return b;
}

void ki_blocks_append(blocks *q, block *b) {
    CHECK(q->taken > 0);
    q->taken--;
    b->lost = q->lost;
    q->lost = 0;
    *(q->last == NULL ? &q->first : &q->last->next) = b;
    q->last = b;
    q->queued++;
}

static block *append(blocks *q) {
    block *b = ki_blocks_reserve(q);
    CHECK(b != NULL);
    ki_blocks_append(q, b);
    return b;
}

void ki_blocks_put(blocks *q, const batch_item *item) {
    block *b = q->last;
    size_t size = (size_t) ITEM_HEAD + item->subject_length + item->length;
    if (b == NULL || q->lost > 0 || !fits(b, size)) {
        b = append(q);
    }
    uint8_t *at = b->bytes + b->used;
    wire_put16(at, item->length);
    at[2] = item->kind;
    at[3] = item->subject_length;
    memcpy(at + ITEM_HEAD, item->subject, item->subject_length);
    memcpy(at + ITEM_HEAD + item->subject_length, item->bytes, item->length);
    b->used += (uint32_t) size;
    b->count++;
    CHECK_HOT(b->used <= FRAME_MAX);
}

void ki_blocks_lose(blocks *q, uint32_t count) {
    q->lost = count > UINT32_MAX - q->lost ? UINT32_MAX : q->lost + count;
}

block *ki_blocks_take(blocks *q) {
    if (q->first == NULL && q->lost > 0 && q->unused != NULL) {
        (void) append(q);
    }
    block *b = q->first;
    if (b != NULL) {
        q->first = b->next;
        q->last = q->first == NULL ? NULL : q->last;
        q->queued--;
        q->taken++;
        b->next = NULL;
        b->closed = true;
    }
    return b;
}

void ki_blocks_give_back(blocks *q, block *b) {
    CHECK(q->taken > 0);
    q->taken--;
    b->next = q->unused;
    q->unused = b;
}

void ki_blocks_untake(blocks *q, block *b) {
    CHECK(q->taken > 0);
    q->taken--;
    q->queued++;
    b->next = q->first;
    q->first = b;
    q->last = q->last == NULL ? b : q->last;
}

void ki_blocks_clear(blocks *q) {
    for (block *b; q->first != NULL;) {
        b = ki_blocks_take(q);
        ki_blocks_give_back(q, b);
    }
    q->lost = 0;
}

bool ki_blocks_waiting(const blocks *q) {
    return q->first != NULL || q->lost > 0;
}
