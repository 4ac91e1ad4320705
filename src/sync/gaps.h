/* SPDX-License-Identifier: Apache-2.0 */
/* sync/gaps.h - a hole in a source's numbers is a hint that a packet was lost a
 * moment ago. Who sees it asks everybody (KEYS), after a random wait that lets
 * one ask for all; the source answers, or anybody who heard it. It is a short
 * memory beside the real comparison: what it misses, roots find. */
#ifndef SYNC_GAPS_H
#define SYNC_GAPS_H

#include "sync/frame.h"

enum {
    GAPS_SOURCES = 512, /* watched */
    GAPS_WAYS = 8,      /* places of one; the one heard longest ago makes room */
    GAPS_RECENT = 2048, /* packets that can be repeated */
    GAPS_OWN = 1024,    /* of them our own, beside those */
    GAPS_REPAIRS = 256, /* waiting to be repeated */
    GAPS_WINDOW = 64,   /* numbers behind the newest that may be missing */
};

typedef struct ki_gap_source {
    uint64_t source, epoch, newest; /* source 0: free */
    uint64_t missing;               /* bit k: newest - 1 - k is */
    uint64_t heard_ns, due_ns;      /* due 0: nothing to ask */
    uint32_t tries;
} ki_gap_source;

typedef struct ki_recent {
    uint64_t source, epoch, seq;
    ki_item item;
    uint64_t sent_ns, asked_ns; /* repeated, and asked for, by anybody */
    bool own;
} ki_recent;

typedef struct ki_repair {
    uint32_t recent;
    uint64_t due_ns, asked_ns;
} ki_repair;

typedef struct ki_gaps {
    bool exact;  /* everything is followed: a hole is a loss */
    uint64_t me; /* whose packets cannot be missing here */
    uint64_t dice, tokens_ns;
    uint64_t pace_ns; /* what the group asked for is paid up to here: later, wait */
    ki_gap_source sources[GAPS_SOURCES];
    ki_recent recent[GAPS_RECENT + GAPS_OWN];
    uint32_t repair_count;
    ki_repair repairs[GAPS_REPAIRS];
    uint64_t asked, repaired, cancelled;
} ki_gaps;

/* live: it came as it was posted, so a hole before it is a loss. item NULL: it was
 * not stored. */
void ki_gaps_heard(ki_gaps *g, uint64_t source, uint64_t epoch, uint64_t seq,
    const ki_item *item, bool own, bool live, uint64_t now_ns);
void ki_gaps_keys(ki_gaps *g, const ki_keys *keys, uint64_t now_ns);
/* Is it missing, and did anybody ask for it? */
bool ki_gaps_asked(const ki_gaps *g, uint64_t source, uint64_t epoch, uint64_t seq);
/* The next KEYS to send; false: none is due. */
bool ki_gaps_ask(ki_gaps *g, uint64_t now_ns, ki_keys *ret);
/* The next packet to repeat. */
bool ki_gaps_repair(ki_gaps *g, uint64_t now_ns, ki_item *ret);
/* Are there holes that somebody was or will be asked for? */
bool ki_gaps_open(const ki_gaps *g);
uint64_t ki_gaps_due(const ki_gaps *g);

#endif
