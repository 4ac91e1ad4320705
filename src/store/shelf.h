/* SPDX-License-Identifier: Apache-2.0 */
/* store/shelf.h - packets in memory, to be found by arrival, place, subject, expiry.
 *
 *   order      by subject, then arrival (order.h)
 *   places     a hash table sized by the bound, so it never grows
 *   expiry     two heaps, own and foreign
 *   arrivals   an array with holes where packets went; laid together when half are
 *
 * No lock, no clock: the engine above has both. */
#ifndef STORE_SHELF_H
#define STORE_SHELF_H

#include "store/facts.h"
#include "store/heap.h"
#include "store/order.h"

typedef struct shelf_slot {
    uint64_t arrival;
    shelf_rec *rec; /* NULL: gone */
} shelf_slot;

typedef struct shelf {
    order order;
    shelf_rec **places;
    size_t place_mask;
    heap own, foreign;
    shelf_slot *slots; /* by arrival */
    size_t slot_count, slot_room;
    uint64_t next_arrival;
    size_t count, own_count;
    uint64_t bytes, own_bytes; /* what all records cost; our own among them */
    uint64_t drops; /* as long as it is the same, every pointer to a record holds */
} shelf;

int ki_shelf_init(shelf *s, uint64_t max_bytes);
void ki_shelf_fini(shelf *s);
/* The place must be free. KITH_E_MEMORY, and nothing has changed. */
int ki_shelf_add(
    shelf *s, const kith_packet *packet, const ki_facts *facts, bool own, shelf_rec **ret);
/* One more way by which it came; a way that is known already costs nothing. name is
 * interned. */
int ki_shelf_note_way(shelf *s, shelf_rec *r, const char *name);
/* What a packet of this length will cost. */
size_t ki_shelf_cost(size_t length);
size_t ki_shelf_way_cost(void);

shelf_rec *ki_shelf_at(
    const shelf *s, const uint8_t source[32], uint64_t epoch, uint64_t seq);
shelf_rec *ki_shelf_arrival(const shelf *s, uint64_t arrival);
/* The first slot at or above arrival; slot_count: none. */
size_t ki_shelf_slot(const shelf *s, uint64_t arrival);
/* What expires first. NULL: nothing there. */
shelf_rec *ki_shelf_soonest(const shelf *s, bool own);
void ki_shelf_drop_soonest(shelf *s, bool own);

/* NULL: every invariant holds; else what is wrong. Looks at everything. */
const char *ki_shelf_check(const shelf *s);

#endif
