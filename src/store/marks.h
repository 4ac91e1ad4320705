/* SPDX-License-Identifier: Apache-2.0 */
/* store/marks.h - what is remembered of a place besides its packet: that it was taken
 * back (a tombstone), or that its source said two things there (the proof).
 *
 * Each has its end. Foreign ones may take a share of the memory and no more; beyond
 * it those that end soonest go. No lock, no clock. */
#ifndef STORE_MARKS_H
#define STORE_MARKS_H

#include "store/heap.h"

#include <kith/packet.h>

#define PROOFS_MAX 1024

typedef struct mark mark;

typedef struct mark_place {
    const uint8_t *source;
    uint64_t epoch, seq;
} mark_place;

typedef struct marks {
    mark **buckets;
    size_t mask;
    heap own, foreign; /* the keys lag behind when a mark's end is put off */
    size_t tombstones, proofs;
    uint64_t bytes, own_bytes; /* all of them; our own among them */
    uint64_t share;            /* of the foreign ones */
} marks;

int ki_marks_init(marks *m, uint64_t max_bytes);
void ki_marks_fini(marks *m);
size_t ki_marks_cost(const kith_packet *proof);

bool ki_marks_entombed(const marks *m, const mark_place *place);
/* A tombstone. One that is there keeps the later end. */
int ki_marks_entomb(marks *m, const mark_place *place, int64_t until, bool own);
/* The first proof of a place is kept, of at most PROOFS_MAX places. */
int ki_marks_prove(
    marks *m, const mark_place *place, int64_t until, const kith_packet *proof);

/* Every proof, in no order. */
void ki_marks_each_proof(
    const marks *m, void (*fn)(void *ctx, const kith_packet *proof), void *ctx);

/* Removes those whose end has come, at most so many; returns how many. */
uint32_t ki_marks_expire(marks *m, int64_t now_us, uint32_t at_most);
/* The foreign one that ends soonest goes. false: there is none. */
bool ki_marks_drop_foreign(marks *m);
/* Beyond their share? */
bool ki_marks_too_many(const marks *m);

/* NULL: every invariant holds; else what is wrong. */
const char *ki_marks_check(const marks *m);

#endif
