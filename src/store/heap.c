/* SPDX-License-Identifier: Apache-2.0 */
#include "store/heap.h"

#include <kith/error.h>

#include "base/check.h"

#include <stdlib.h>

void ki_heap_fini(heap *h) {
    free(h->at);
    *h = (heap){ 0 };
}

int ki_heap_reserve(heap *h) {
    CHECK(h->count <= h->room);
    if (h->count < h->room) {
        return 0;
    }
    size_t room = h->room == 0 ? 64 : h->room * 2;
    heap_entry *at = realloc(h->at, room * sizeof *at);
    if (at == NULL) {
        return KITH_E_MEMORY;
    }
    h->at = at;
    h->room = room;
    return 0;
}

void ki_heap_push(heap *h, int64_t key, void *item) {
    CHECK(h->count < h->room);
    CHECK(item != NULL);
    size_t i = h->count++;
    for (; i > 0 && h->at[(i - 1) / 2].key > key; i = (i - 1) / 2) {
        h->at[i] = h->at[(i - 1) / 2];
    }
    h->at[i] = (heap_entry){ key, item };
}

void *ki_heap_top(const heap *h) {
    return h->count == 0 ? NULL : h->at[0].item;
}

/* Puts e where the top was, and as far down as it belongs. */
static void sift_down(heap *h, heap_entry e) {
    size_t i = 0;
    for (size_t child = 1; child < h->count; child = 2 * i + 1) {
        child += child + 1 < h->count && h->at[child + 1].key < h->at[child].key;
        if (h->at[child].key >= e.key) {
            break;
        }
        h->at[i] = h->at[child];
        i = child;
    }
    h->at[i] = e;
}

void ki_heap_pop(heap *h) {
    CHECK(h->count > 0);
    heap_entry last = h->at[--h->count];
    if (h->count > 0) {
        sift_down(h, last);
    }
}

void ki_heap_sink(heap *h, int64_t key) {
    CHECK(h->count > 0);
    CHECK(key >= h->at[0].key);
    sift_down(h, (heap_entry){ key, h->at[0].item });
}

const char *ki_heap_check(const heap *h) {
    if (h->count > h->room) return "heap: more than there is room for";
    for (size_t i = 0; i < h->count; i++) {
        if (h->at[i].item == NULL) return "heap: an entry without an item";
        if (i > 0 && h->at[(i - 1) / 2].key > h->at[i].key) return "heap: out of order";
    }
    return NULL;
}
