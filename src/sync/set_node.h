/* SPDX-License-Identifier: Apache-2.0 */
/* sync/set_node.h - what a set is made of. set.c changes it, set_look.c asks it. */
#ifndef SYNC_SET_NODE_H
#define SYNC_SET_NODE_H

#include "sync/set.h"

enum {
    SET_LEAF_MAX = 48,
    SET_INNER_MAX = 32,
    SET_HEIGHT_MAX = 12, /* 2^12 leaves, were every inner node left with two children */
};

typedef struct ki_set_leaf {
    uint32_t count;
    struct ki_set_leaf *before, *after;
    ki_item items[SET_LEAF_MAX];
} ki_set_leaf;

typedef struct ki_set_inner {
    uint32_t count;
    void *child[SET_INNER_MAX];
    /* Nothing in a child is below it; that of the first is unused. */
    ki_item low[SET_INNER_MAX];
    ki_sum sum[SET_INNER_MAX];
} ki_set_inner;

/* The last child whose items may be as low as this one. */
static inline uint32_t ki_set_child(const ki_set_inner *n, const ki_item *item) {
    uint32_t low = 0, high = n->count;
    while (high - low > 1) {
        uint32_t mid = (low + high) / 2;
        *(ki_item_order(&n->low[mid], item) <= 0 ? &low : &high) = mid;
    }
    return low;
}

/* The first item of a leaf that is not below this one. */
static inline uint32_t ki_set_place(const ki_set_leaf *l, const ki_item *item) {
    uint32_t low = 0, high = l->count;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (ki_item_order(&l->items[mid], item) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* Items from..to-1 of a leaf. */
void ki_set_sum_items(const ki_set_leaf *l, uint32_t from, uint32_t to, ki_sum *ret);
void ki_set_sum_node(const void *node, int height, ki_sum *ret);

#endif
