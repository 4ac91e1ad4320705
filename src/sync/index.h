/* SPDX-License-Identifier: Apache-2.0 */
/* sync/index.h - the sets that two nodes compare: one ordered set for each scope
 * that is in use, made from the store and kept up with it.
 *
 * Scope: what both sides of a pair may have and one of them wants. Where both
 * follow the same, it is what they follow, and all such peers share one view.
 *
 * Feeding: the owner reads its store from ki_index_behind on and hands every
 * record over; a view that is new is fed from the start by the same road. A view
 * is ready when it has seen what was there when it was made.
 *
 * Settling: packets under way would make every two roots differ. So a packet
 * enters at the first boundary (a full second) at which it is three seconds old by
 * its own bytes, or has been here for four; what is older enters at once. The sums
 * of the last boundaries are kept, and only equal boundaries are compared. A wall
 * clock that stands still settles everything after three seconds.
 *
 * One index for a node, shared by its links; one thread owns it. */
#ifndef SYNC_INDEX_H
#define SYNC_INDEX_H

#include "sync/frame.h"

#include <kith/time.h>

#define INDEX_VIEWS_MAX 32      /* the one used longest ago makes room */
#define INDEX_VIEWS_ANY 8       /* so many whatever their size, more while they are small */
#define INDEX_SMALL     65536   /* items of all together that are no matter */
#define INDEX_LATE_MAX  16384   /* unsettled packets; above, they enter at once */
#define INDEX_ROOTS     8       /* boundaries remembered */
#define INDEX_SETTLE_US 3000000 /* beyond what KEYS repair: one post a second, and a wait */
#define INDEX_KEEP_US   120000000  /* expired packets stay: clocks differ */
#define INDEX_HOLD_NS   2000000000 /* a view in use so lately stays */
#define INDEX_FOLLOWS   64         /* patterns taken; more of them mean everything */

typedef struct ki_scope {
    uint32_t hash;
    bool same;                     /* both follow patterns[0] */
    uint8_t key[2][KITH_KEY_SIZE]; /* else: the lower key first */
    ki_patterns patterns[2];
} ki_scope;

typedef char ki_pattern[KITH_SUBJECT_MAX + 1];

/* In one order, without repeats; too many for a frame become ">". */
void ki_patterns_of(ki_patterns *ret, const ki_pattern *patterns, size_t count);
bool ki_patterns_match(const ki_patterns *p, const char *subject);

void ki_scope_of(ki_scope *ret, const uint8_t key_a[KITH_KEY_SIZE], const ki_patterns *a,
    const uint8_t key_b[KITH_KEY_SIZE], const ki_patterns *b);
bool ki_scope_holds(
    const ki_scope *s, const char *subject, const uint8_t source[KITH_KEY_SIZE]);

/* A packet of the store. */
typedef struct ki_entry {
    ki_item item;
    int64_t t_end_us, arrived_us;
    const char *subject;
    const uint8_t *source;
} ki_entry;

void ki_item_of(
    ki_item *ret, int64_t expires_us, const uint8_t id[KITH_ID_SIZE], uint64_t arrival);

typedef struct ki_late {
    uint64_t due_us, settle_us;
    ki_item item;
} ki_late;

typedef struct ki_boundary {
    uint64_t second_ns; /* when it came, by the clock that never steps */
    uint64_t second;    /* 0: none */
    uint64_t changes;   /* of the view, then */
    uint64_t through;   /* what arrived up to here is counted, if it is of the scope */
    ki_sum sum;         /* of what had settled then and had not expired */
} ki_boundary;

typedef struct ki_view {
    bool used;
    bool starved;     /* something found no memory: it is built anew at the next second */
    uint32_t pins;    /* exchanges under way: it stays */
    uint64_t used_ns; /* its last use */
    ki_scope scope;
    uint64_t fed, needed; /* arrivals */
    ki_set set;
    uint64_t changes; /* another number whenever a packet entered or left */
    uint64_t cut_us;  /* nothing that expires before is here any more */
    uint32_t late_count, late_size;
    ki_late *late; /* a heap, the earliest first */
    ki_boundary roots[INDEX_ROOTS];
} ki_view;

typedef struct ki_index {
    uint64_t now_us, now_ns, made; /* made: views, so far */
    uint64_t last;                 /* last: highest arrival of the store */
    uint64_t second_ns;            /* when it came, by the clock that never steps */
    uint64_t second;               /* of the last boundary */
    ki_view views[INDEX_VIEWS_MAX];
} ki_index;

void ki_index_init(ki_index *x);
void ki_index_fini(ki_index *x);

/* Time went on: what has settled enters, what is long expired leaves. last: the
 * highest arrival of the store. */
void ki_index_tick(ki_index *x, kith_time now, uint64_t last);

/* Where to read on, exclusive; UINT64_MAX: nothing is behind. */
uint64_t ki_index_behind(const ki_index *x);
/* E_MEMORY: the view that wanted it is given up. */
void ki_index_feed(ki_index *x, const ki_entry *entry);
/* Everything in (after, through] was fed. */
void ki_index_fed(ki_index *x, uint64_t after, uint64_t through);

/* The view of a scope; with make, a new one if need be. NULL: there is none, or
 * all are in use, or were a moment ago: strangers cannot make us read our store
 * again and again. */
ki_view *ki_index_view(ki_index *x, const ki_scope *scope, bool make);
bool ki_view_ready(const ki_view *v);
/* What arrived up to here has settled, if it is of the scope. */
uint64_t ki_view_through(const ki_view *v);
/* A boundary that both know; NULL: it is not known. */
const ki_boundary *ki_view_at(const ki_view *v, uint64_t second);
/* The boundary to tell others of: the last but one, which peers whose clocks are a
 * little behind know too; NULL: there is none. */
const ki_boundary *ki_view_told(const ki_view *v, uint64_t second);

/* A packet that the store does not have any more: it leaves every view, and
 * nothing that expires as early is claimed or wanted from then on. */
void ki_index_lost(ki_index *x, const ki_item *item);
/* A packet that was taken back: it leaves, and may be claimed by others. */
void ki_index_drop(ki_index *x, const ki_item *item);
/* Everything is read again. */
void ki_index_rebuild(ki_index *x);

#endif
