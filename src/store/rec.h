/* SPDX-License-Identifier: Apache-2.0 */
/* store/rec.h - one packet in memory: what is asked first stands in front, the sealed
 * bytes follow in the same piece. */
#ifndef STORE_REC_H
#define STORE_REC_H

#include <kith/packet.h>

#include "packet/part.h"

typedef struct shelf_way {
    struct shelf_way *next;
    const char *name; /* interned, as is rec.way */
} shelf_way;

typedef struct shelf_rec shelf_rec;
struct shelf_rec {
    uint64_t arrival;
    int64_t exp, at;
    const char *way;
    shelf_way *more_ways;
    shelf_rec *chain; /* of the place's bucket */
    bool own, gone, evidence;
    uint16_t length;
    uint8_t id[KITH_ID_SIZE];
    uint8_t bytes[];
};

static inline const char *rec_subject(const shelf_rec *r) { /* not ended by NUL */
    return (const char *) r->bytes + AT_SUBJECT + 1;
}

static inline size_t rec_subject_length(const shelf_rec *r) {
    return r->bytes[AT_SUBJECT];
}

/* A record lies where malloc put it: seven lines of the cache, each of which memory
 * takes as long to give as a few hundred instructions. Asked for early, all of them
 * come at once. Asking beyond the end does no harm. */
static inline void rec_fetch(const shelf_rec *r) {
    for (size_t i = 0; i < 448; i += 64) {
        __builtin_prefetch((const char *) r + i);
    }
}

#endif
