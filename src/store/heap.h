/* SPDX-License-Identifier: Apache-2.0 */
/* store/heap.h - what ends first. The keys stand in the heap itself, so that sorting
 * touches no item. */
#ifndef STORE_HEAP_H
#define STORE_HEAP_H

#include <stddef.h>
#include <stdint.h>

typedef struct heap_entry {
    int64_t key;
    void *item;
} heap_entry;

typedef struct heap {
    heap_entry *at;
    size_t count, room;
} heap;

void ki_heap_fini(heap *h);
/* Room for one more: push cannot fail then. */
int ki_heap_reserve(heap *h);
void ki_heap_push(heap *h, int64_t key, void *item);
/* The item with the smallest key, or NULL. */
void *ki_heap_top(const heap *h);
void ki_heap_pop(heap *h);
/* The top's key has grown. */
void ki_heap_sink(heap *h, int64_t key);
/* NULL: whole; else what is wrong. */
const char *ki_heap_check(const heap *h);

#endif
