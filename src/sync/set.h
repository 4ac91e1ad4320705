/* SPDX-License-Identifier: Apache-2.0 */
/* sync/set.h - which packets we hold, in the order of their expiry, and the
 * fingerprint of any range of them.
 *
 * A B+tree in memory; each inner node keeps, beside a child, the sum of its
 * items. An item's element is 2,048 bits of BLAKE2b over its id; a sum is the
 * word-wise sum of elements, modulo 2^64, and a count: it does not depend on
 * order, and one sum taken from another gives any range between. So wide because
 * sums of narrow hashes fall to lists of crafted items (Wagner's attack).
 *
 * One thread owns a tree. It allocates only when it grows. */
#ifndef SYNC_SET_H
#define SYNC_SET_H

#include <kith/export.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Half an id says which packet is meant: whoever makes two of the same half
 * hides nobody's packet but his own (docs/decisions/050). */
typedef struct ki_item {
    uint64_t expiry;  /* µs since 1970; never UINT64_MAX */
    uint64_t id[2];   /* the first 16 bytes, as numbers */
    uint64_t arrival; /* where the store has it; no part of the order */
} ki_item;

/* A place between items: the expiry, and the first 8 bytes of an id. */
typedef struct ki_bound {
    uint64_t expiry, id;
} ki_bound;

#define BOUND_START ((ki_bound){ 0, 0 })
#define BOUND_END   ((ki_bound){ UINT64_MAX, UINT64_MAX })

#define SUM_WORDS 32
typedef struct ki_sum {
    uint64_t count, word[SUM_WORDS];
} ki_sum;

typedef struct ki_set {
    void *root;
    int height; /* 0: the root is a leaf */
    uint64_t count;
    uint64_t bytes; /* allocated */
} ki_set;

/* Negative, 0 or positive, as memcmp. */
int ki_bound_order(ki_bound a, ki_bound b);
int ki_item_order(const ki_item *a, const ki_item *b);
/* The shortest place behind a and not behind b; false: none is between. */
bool ki_bound_between(const ki_item *a, const ki_item *b, ki_bound *ret);

void ki_sum_add(ki_sum *sum, const ki_sum *other);
void ki_sum_take(ki_sum *sum, const ki_sum *other);
/* The sum of one item. */
void ki_sum_of(const ki_item *item, ki_sum *ret);

void ki_set_init(ki_set *t);
void ki_set_fini(ki_set *t);

/* 0, KITH_DUPLICATE, KITH_E_MEMORY. */
KITH_MUST_USE int ki_set_add(ki_set *t, const ki_item *item);
/* false: it was not there. */
bool ki_set_remove(ki_set *t, const ki_item *item);
bool ki_set_has(const ki_set *t, const ki_item *item);

/* How many items stand before a place. */
uint64_t ki_set_rank(const ki_set *t, ki_bound at);
/* The sum of all items before a place. */
void ki_set_below(const ki_set *t, ki_bound at, ki_sum *ret);
/* The sum of all items. */
void ki_set_total(const ki_set *t, ki_sum *ret);
/* The item of a rank; NULL: there are not so many. Until the next add or remove. */
const ki_item *ki_set_at(const ki_set *t, uint64_t rank);

/* Walks through items in order. Good until the next add or remove. */
typedef struct ki_walk {
    const void *leaf;
    uint32_t at;
} ki_walk;
void ki_walk_from(ki_walk *w, const ki_set *t, ki_bound from);
const ki_item *ki_walk_next(ki_walk *w); /* NULL: the end */

/* The invariants of every node, all sums computed anew: for tests. */
void ki_set_check(const ki_set *t);

#endif
