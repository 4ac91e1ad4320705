/* SPDX-License-Identifier: Apache-2.0 */
/* store/memory.h - the memory engine: the same promises without a disk, gone with the
 * process. One lock, held for microseconds.
 *
 *   memory.c        open and close, small state, figures, the table of functions
 *   memory_room.c   the bound: what goes first, what is refused
 *   memory_write.c  post and admit
 *   memory_find.c   which records answer a question
 *   memory_note.c   and how they are handed on
 *   memory_heard.c  unsigned packets, apart from all that
 *
 * Its epoch is the time of the first post, in microseconds: the last life's sequences
 * are not used again though nothing remembers them. */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "store/engine.h"
#include "store/heap.h"
#include "store/marks.h"
#include "store/shelf.h"

#include <pthread.h>

typedef struct named {
    struct named *next;
    size_t length;
    uint8_t *bytes; /* of a state; NULL for a way */
    char name[];
} named;

typedef struct own_key {
    struct own_key *next;
    uint8_t key[KITH_KEY_SIZE];
    uint64_t epoch, next_seq;
} own_key;

/* One unsigned packet. */
typedef struct overheard {
    struct overheard *same; /* of the same bucket */
    kith_heard heard;
} overheard;

typedef struct overheard_slot {
    uint64_t number;
    overheard *one; /* NULL: it has gone */
} overheard_slot;

typedef struct overheard_all {
    overheard_slot *slots; /* in order of number */
    size_t slot_count, slot_room, count;
    overheard **buckets; /* by id */
    size_t bucket_count;
    heap soonest; /* which expires first */
    uint64_t numbers, bytes, evicted;
} overheard_all;

typedef struct memory {
    struct {
        int64_t max_bytes;
    } options;
    pthread_mutex_t lock;
    shelf shelf;
    marks marks;
    overheard_all heard;
    named *states, *ways;
    uint64_t named_bytes; /* of states and ways */
    own_key *keys;
    uint64_t epoch;
    bool new_run;
    uint64_t evicted, refused, duplicates, equivocations, commits;
} memory;

static inline void memory_lock(memory *m) {
    (void) pthread_mutex_lock(&m->lock);
}

static inline void memory_unlock(memory *m) {
    (void) pthread_mutex_unlock(&m->lock);
}

/* ---- room ---- */

uint64_t ki_memory_used(const memory *m);
/* Makes room for so many bytes more. KITH_E_SPACE: refused and counted, and nothing
 * that lives was given up for it. */
int ki_memory_room(memory *m, size_t need, int64_t now_us);
/* After something small was kept for which nobody asked for room: the name of a way, a
 * proof. What is foreign goes until the bound and the share of the marks hold. */
void ki_memory_trim(memory *m);
/* All that has expired goes. */
uint32_t ki_memory_expire(memory *m, int64_t now_us);
int ki_memory_prune(void *self, int64_t now_us, uint32_t at_most, kith_error *err);

/* ---- unsigned ---- */

void ki_memory_heard_fini(memory *m);
/* Those that expire by then go, the soonest first: how many. */
uint32_t ki_memory_heard_remove(memory *m, int64_t until_us, uint32_t at_most);
int ki_memory_hear(
    void *self, kith_heard *list, size_t count, kith_time now, kith_error *err);
int ki_memory_heard(
    void *self, const kith_query *query, kith_each_heard each, void *ctx, kith_error *err);

/* ---- write ---- */

/* The same pointer for the same name, for as long as the store is open. */
const char *ki_memory_intern(memory *m, const char *way);
int ki_memory_post(void *self, const kith_key *key, kith_post *posts, size_t count,
    kith_time now, kith_error *err);
int ki_memory_admit(
    void *self, kith_arrival *arrivals, size_t count, kith_time now, kith_error *err);
int ki_memory_knows(
    void *self, const kith_content *content, const uint8_t id[KITH_ID_SIZE]);

/* ---- questions: what answers is noted under the lock, then handed on without it, so
 * that a callback may post ---- */

enum {
    NOTED_FEW = 64,
};

typedef struct memory_hit {
    const shelf_rec *rec; /* holds while nothing was dropped, */
    uint64_t arrival;     /* else it is looked up again */
} memory_hit;

typedef struct noted {
    memory_hit *at;
    size_t count, room;
    uint64_t limit; /* 0: none */
    uint64_t drops; /* of the shelf, when it was noted */
    memory_hit small[NOTED_FEW];
} noted;

void ki_note_begin(noted *n, const memory *m, uint64_t limit);
int ki_note(noted *n, const shelf_rec *r);
bool ki_note_enough(const noted *n);
/* Hands on what was noted, and gives back what it took. Without the lock. */
void ki_note_hand_on(memory *m, noted *n, int64_t now_us, kith_each each, void *ctx);
void ki_note_fini(noted *n);

int ki_memory_find(
    void *self, const kith_query *query, kith_each each, void *ctx, kith_error *err);
int ki_memory_latest(void *self, const char *pattern, int64_t now_us, kith_each each,
    void *ctx, kith_error *err);
int ki_memory_outbox(
    void *self, const ki_outbox *what, kith_each each, void *ctx, kith_error *err);

#endif
