/* SPDX-License-Identifier: Apache-2.0 */
/* store/shelf.h - packets in memory, to be found by arrival, place, subject, expiry.
 *
 *   subjects   sorted blocks of at most 512; an insert moves at most one block, and
 *              splits it when it is full: no merge is ever larger
 *   places     a hash table sized by the bound, so it never grows
 *   expiry     two heaps, own and foreign
 *   arrivals   an array of which the front is dropped as it empties
 *
 * No lock, no clock: the engine above has both. */
#ifndef STORE_SHELF_H
#define STORE_SHELF_H

#include "store/facts.h"
#include "store/skip.h"

typedef struct shelf_rec shelf_rec;

typedef struct shelf_subject {
    shelf_rec *first, *last; /* by arrival */
    size_t length;
    char text[];
} shelf_subject;

typedef struct shelf_way {
    struct shelf_way *next;
    const char *name;
} shelf_way;

struct shelf_rec {
    uint64_t arrival, epoch, seq;
    int64_t at, exp;
    shelf_subject *subject;
    shelf_rec *next, *prev; /* of the subject */
    shelf_rec *chain;       /* of the place's bucket */
    const char *way;
    shelf_way *more_ways;
    bool own, gone, evidence;
    uint16_t length;
    uint8_t id[KITH_ID_SIZE];
    uint8_t bytes[];
};

typedef struct shelf_heap {
    shelf_rec **at;
    size_t count, room;
} shelf_heap;

typedef struct shelf_block {
    size_t count;
    shelf_subject *at[512];
} shelf_block;

typedef struct shelf {
    shelf_block **blocks;
    size_t block_count, block_room;
    shelf_rec **places;
    size_t place_mask;
    shelf_heap own, foreign;
    shelf_rec **arrivals; /* arrivals[i]: base + i; NULL: gone */
    size_t arrival_count, arrival_room;
    uint64_t base;
    size_t count, own_count, subject_count;
    uint64_t bytes;
} shelf;

int ki_shelf_init(shelf *s, uint64_t max_bytes);
void ki_shelf_fini(shelf *s);
/* The place must be free. KITH_E_MEMORY, and nothing has changed. */
int ki_shelf_add(
    shelf *s, const kith_packet *packet, const ki_facts *facts, bool own, shelf_rec **ret);
shelf_rec *ki_shelf_at(
    const shelf *s, const uint8_t source[32], uint64_t epoch, uint64_t seq);
shelf_rec *ki_shelf_arrival(const shelf *s, uint64_t arrival);
/* The first subject >= text, or NULL. */
shelf_subject *ki_shelf_seek(const shelf *s, const char *text);
/* The same, to go on from: each call of next gives a subject and moves behind it. What
 * lies ahead is fetched into the cache meanwhile: a prefix query would spend its time
 * waiting for one subject after the other. */
typedef struct shelf_spot {
    size_t block, at;
} shelf_spot;
shelf_spot ki_shelf_spot(const shelf *s, const char *text);
const shelf_subject *ki_shelf_next(const shelf *s, shelf_spot *spot);
/* Its bytes will be copied soon. */
void ki_shelf_fetch(const shelf_rec *r);
/* Takes away what expires first. NULL heap top: nothing there. */
shelf_rec *ki_shelf_soonest(const shelf *s, bool own);
void ki_shelf_drop_soonest(shelf *s, bool own);
size_t ki_shelf_cost(const ki_facts *facts, size_t length);

#endif
