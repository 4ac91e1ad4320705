/* SPDX-License-Identifier: Apache-2.0 */
/* store/order.h - records sorted by subject, then by arrival.
 *
 *   fences     (x, 1)  (x.b, 7) ...   a leaf holds what is not below its fence
 *   leaves     [r r r] [r r r r] ...  pointers in order, half full or more when alone
 *
 * A B-tree of two floors. Neighbours in the order are neighbours in a leaf, so whoever
 * walks it can ask memory for the records ahead while it looks at one: a list through
 * the records would tell of one at a time. An insert moves at most one leaf and, when
 * that was full, the table of leaves. */
#ifndef STORE_ORDER_H
#define STORE_ORDER_H

#include "store/rec.h"

typedef struct order_leaf order_leaf;

typedef struct order {
    order_leaf **leaves;
    size_t leaf_count, leaf_room;
    size_t count, subjects; /* records; different subjects among them */
} order;

typedef struct order_key {
    const char *text; /* a subject, or any other text */
    size_t length;
    uint64_t arrival;
} order_key;

typedef struct order_spot {
    size_t leaf, at;
} order_spot;

void ki_order_fini(order *o);
/* KITH_E_MEMORY, and nothing has changed. */
int ki_order_add(order *o, shelf_rec *r);
void ki_order_remove(order *o, const shelf_rec *r);

/* The first record that is not below key. */
order_spot ki_order_seek(const order *o, const order_key *key);
/* The record at the spot, which moves behind it; NULL at the end. What lies ahead is
 * fetched into the cache meanwhile. */
shelf_rec *ki_order_next(const order *o, order_spot *spot);
/* The record before the spot, which moves to it; NULL at the beginning. */
shelf_rec *ki_order_prev(const order *o, order_spot *spot);

/* NULL: every invariant holds; else what is wrong. Looks at everything. */
const char *ki_order_check(const order *o);

#endif
