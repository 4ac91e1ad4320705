/* SPDX-License-Identifier: Apache-2.0 */
/* sync/sync.h - two nodes find out what one lacks, over a wire that may lose,
 * repeat and reorder: frames of at most 512 bytes, docs/formats/sync.md.
 *
 * Every node says now and then what it follows, and the root of what it has
 * (HELLO). Who hears another root becomes the asker. It compares ranges: equal
 * ones are done with, unequal ones are split, and scattered differences are read
 * from coded cells. What the peer lacks is pushed, what we lack is asked for.
 * Then roots are compared again, until they are equal. Only the asker draws
 * conclusions; the answerer keeps nothing but a few ranges that it is sending.
 *
 * One exchange of the asker:
 *
 *            0-2 s, and not         nothing to ask           2 round trips
 *            asked by it            or send any more         of silence
 *   (HELLO) -> WAIT --------> OPEN ------------------> QUIET ------------> ROOT
 *                ^              ^                                         |  |
 *                |              +------ another root: next pass ----------+  |
 *                +--- (1 s to 5 min) <- silent, BUSY, no progress    equal: agreed
 *
 * Frames and time are all it knows: no clock, no socket. It allocates when an
 * exchange begins. One thread owns it, and the index that it was given. */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include "sync/index.h"

#include <kith/time.h>

enum {
    SYNC_PEERS_MAX = 128,   /* the one heard of longest ago makes room */
    SYNC_EXCHANGES_MAX = 4, /* as asker, at once */
    SYNC_OPEN_MAX = 4096,   /* ranges known to differ and not yet asked for */
    SYNC_WINDOW = 64,       /* requests under way */
    SYNC_CELLS_MAX = 256,   /* of one range; above, it is split */
    SYNC_ITEMS_MAX = 4096,  /* items looked at for cells or tags */
    SYNC_TRIES_MAX = 8,     /* of a request */
    SYNC_IDLE_PASSES = 3,   /* passes in a row that changed nothing */
    SYNC_PASSES_MAX = 30,   /* of one exchange */
    SYNC_PUSH_MAX = 4096,   /* packets waiting to be pushed; ranges beside them */
    SYNC_PUSH_RANGES = 256,
    SYNC_CREDIT = 256, /* packets of a range, first; doubles */
    SYNC_CREDIT_MAX = 4096,
    SYNC_FRAMES_MAX = 64, /* answers waiting to go out */
    SYNC_DATA_MAX = 1024, /* packets asked for by tag, waiting to go out */
    SYNC_JOBS_MAX = 128,  /* ranges being sent */
    SYNC_JOBS_OF_PEER = 32,
    SYNC_RANGES_MAX = 8,     /* ranges that are sent to us */
    SYNC_REFUSED_MAX = 4096, /* ids not wanted again */
    SYNC_LOOKS_MAX = 24576,  /* items looked at for one ASK: some 4 ms */
    SYNC_ASKS_PER_S = 200,   /* ASK frames of one peer that are answered */
};

typedef enum ki_pass_state {
    PASS_WAIT = 1,
    PASS_OPEN = 2,
    PASS_QUIET = 3,
    PASS_ROOT = 4,
} ki_pass_state;

/* A range of the joint scope that is to be asked about: kind is an ASK_*. */
typedef struct ki_range {
    ki_bound lo, hi;
    uint32_t theirs; /* items, as the peer said */
    uint8_t kind;
    bool dense; /* most of its neighbours differ too */
} ki_range;

/* A request under way. */
typedef struct ki_slot {
    uint32_t rid; /* 0: free. Names the range, whatever the attempt */
    uint32_t tries;
    ki_range range;
    uint64_t due_ns, sent_ns;
    uint64_t credit;            /* of a RANGE */
    uint32_t asked;             /* cells */
    uint32_t got;               /* bits: which eights of them are here */
    uint32_t tag_count, tag_at; /* ASK_TAGS: wanted, of them asked */
    union {
        ki_cell cells[SYNC_CELLS_MAX];
        uint64_t tags[SYNC_CELLS_MAX];
    };
} ki_slot;

typedef struct ki_exchange {
    uint32_t peer; /* its place in the table */
    ki_pass_state state;
    uint64_t nonce, floor_us;
    ki_salt salt;
    ki_view *view;
    uint32_t next_rid, last_rid; /* last: no more requests in this pass */
    uint32_t passes, idle_passes;
    uint64_t changes, their_count; /* at the last ROOT */
    uint64_t seen_changes;
    uint64_t due_ns;  /* WAIT, QUIET: until then */
    uint64_t hold_ns; /* a frame that is not full waits until then; 0: none does */
    uint64_t began_ns, moved_ns, quiet_ns; /* moved: the last answer or packet */
    bool answered;                         /* by this peer, once at least */
    uint64_t gained_ns, gained; /* the last packet that was new, or pushed; how many */
    uint32_t open_count, open_peak, slot_count;
    uint32_t push_at, push_count, range_count;
    ki_item push_last; /* of the range being pushed */
    bool pushing;
    uint64_t pushed;
    /* what this pass met so far, to guess how many cells a range needs */
    uint64_t decoded_diffs, decoded_items;
    uint32_t decoded, parts_seen, parts_differ;
    uint32_t refused_count;
    ki_range open[SYNC_OPEN_MAX];
    ki_slot slots[SYNC_WINDOW];
    ki_item push[SYNC_PUSH_MAX];
    ki_range push_ranges[SYNC_PUSH_RANGES];
    uint64_t refused[SYNC_REFUSED_MAX]; /* their tags in this pass, sorted */
} ki_exchange;

typedef struct ki_peer {
    uint64_t id; /* 0: free */
    uint8_t key[KITH_KEY_SIZE], ephemeral[32], mac_key[32];
    ki_scope scope;              /* joint */
    uint64_t stranger_ns;        /* it did not know us then: a HELLO comes before an ASK */
    uint64_t heard_ns, asked_ns; /* any frame; an ASK to it by another */
    uint64_t again_ns, backoff_ns, rtt_ns;
    uint64_t tokens_ns;                            /* of its ASKs: time they are paid for */
    uint64_t boundary, count, stored, hello_nonce; /* of its last HELLO */
    uint8_t root[ROOT_SIZE];
    bool differs; /* by that HELLO, or it cannot be told */
    bool checked; /* agreed, or stuck, with these: */
    uint64_t checked_changes, checked_stored;
    uint8_t checked_root[ROOT_SIZE];
    bool agreed;             /* the last comparison ended so */
    uint64_t agreed_ns;      /* it had the same as we at that moment; 0: never */
    uint64_t agreed_arrival; /* it has all of its scope that came to us up to here */
} ki_peer;

/* A range that an asker wants sent. */
typedef struct ki_job {
    uint64_t peer; /* 0: free */
    uint64_t nonce;
    uint32_t scope, rid;
    ki_bound lo, hi;
    ki_item last; /* sent up to here */
    bool begun;
    uint64_t credit, sent;
} ki_job;

typedef struct ki_frame {
    uint16_t length;
    uint8_t bytes[FRAME_MAX];
} ki_frame;

#include "sync/gaps.h"

typedef struct ki_sync_stat {
    uint64_t frames_in, frames_out, bytes_out, packets_out;
    uint64_t bad_form, bad_mac, bad_signature, shed; /* frames dropped */
    uint64_t exchanges, passes, agreed, stuck, silent;
    uint64_t dropped;      /* work that found no room: the next pass finds it */
    uint64_t busy, floors; /* told to us */
    uint32_t open_peak, passes_peak;
} ki_sync_stat;

typedef struct ki_sync_config {
    uint8_t key[KITH_KEY_SIZE];
    uint64_t seed; /* of jitter, nonces and the ephemeral key: from the system */
    uint8_t secret[32];
    void *ctx;
    /* Ed25519 by the node's key; and a check of anybody's. */
    void (*sign)(void *ctx, const uint8_t *bytes, size_t length, uint8_t ret[64]);
    bool (*verify)(const uint8_t key[KITH_KEY_SIZE], const uint8_t *bytes, size_t length,
        const uint8_t signature[64]);
} ki_sync_config;

typedef struct ki_sync {
    ki_sync_config config;
    uint64_t me, dice;
    uint8_t ephemeral[32];
    ki_patterns patterns;
    ki_scope own_scope;
    ki_index *index;
    uint64_t now_ns;
    /* HELLO */
    uint64_t hello_ns, hello_last_ns, hello_nonce, hello_changes, hello_tokens_ns;
    uint32_t hello_equal; /* equal roots heard since our last */
    bool hello_answer, hello_hurried;
    uint64_t hello_to;
    ki_peer peers[SYNC_PEERS_MAX];
    ki_exchange *exchanges[SYNC_EXCHANGES_MAX];
    /* answers */
    uint64_t answered_ns;  /* the last */
    uint64_t overheard_ns; /* the last ASK of others to others */
    uint32_t frame_at, frame_count, data_at, data_count, job_at, job_count;
    ki_frame frames[SYNC_FRAMES_MAX];
    ki_item data[SYNC_DATA_MAX];
    ki_job jobs[SYNC_JOBS_MAX];
    uint32_t refused_at, refused_count;
    ki_item refused[SYNC_REFUSED_MAX];
    ki_gaps gaps;
    uint64_t receipts; /* grows whenever a peer was shown to have more */
    ki_sync_stat stat;
} ki_sync;

/* The index outlives it. */
void ki_sync_init(ki_sync *s, const ki_sync_config *config, ki_index *index);
void ki_sync_fini(ki_sync *s);

/* What is followed now. */
void ki_sync_follow(ki_sync *s, const ki_pattern *patterns, size_t count);
/* Would a packet of this subject be asked for? Then it must be taken. */
bool ki_sync_follows(const ki_sync *s, const char *subject);

/* A packet that came over this link, or was posted to it. arrival 0: not stored. */
typedef struct ki_heard {
    ki_item item;
    const uint8_t *source;
    uint64_t epoch, seq;
    int64_t t_end_us;
    bool own;
} ki_heard;
/* Before it is heard: does it come because sets are compared, or a hole was seen, and
 * not as it was posted? A guess: packets bear no mark of it. */
bool ki_sync_brought(const ki_sync *s, const kith_content *content, kith_time now);
void ki_sync_heard(ki_sync *s, const ki_heard *heard, kith_time now);
/* Everything is asked for and compared once more: a clock was set. */
void ki_sync_again(ki_sync *s, kith_time now);
/* It will never be taken: do not ask for it again. */
void ki_sync_refuse(ki_sync *s, const ki_item *item);

/* A frame came. 0, or E_FORMAT: no frame of ours. */
KITH_MUST_USE int ki_sync_take(
    ki_sync *s, const uint8_t *bytes, size_t length, kith_time now);

enum {
    SYNC_NOTHING = 0,
    SYNC_FRAME = 1,
    SYNC_PACKET = 2, /* item.arrival of the store; if it is gone: ki_index_lost */
};
typedef struct ki_sync_out {
    int kind;
    ki_frame frame;
    ki_item item;
} ki_sync_out;
/* What goes out next; SYNC_NOTHING until ki_sync_due. Tick the index before. */
int ki_sync_give(ki_sync *s, kith_time now, ki_sync_out *ret);
uint64_t ki_sync_due(const ki_sync *s);

/* Is an exchange bringing packets just now? */
bool ki_sync_busy(const ki_sync *s);
/* Is no exchange under way, or due for the first time? */
bool ki_sync_settled(const ki_sync *s);
/* Peers that spoke lately. */
uint32_t ki_sync_peers(const ki_sync *s);
/* The moment for which all of these were shown to have what we had; 0: some differ,
 * or there are none. What was made in the four seconds before it is not looked at. */
uint64_t ki_sync_agreed(const ki_sync *s);
/* Says HELLO soon; and asks for one of the peer of whom we know least. */
void ki_sync_prompt(ki_sync *s, kith_time now);
/* Was some peer shown to have this packet, which came to our store as that arrival? */
bool ki_sync_receipt(const ki_sync *s, uint64_t arrival, const char *subject,
    const uint8_t source[KITH_KEY_SIZE]);
/* The highest arrival for which that may be so. */
uint64_t ki_sync_receipt_most(const ki_sync *s);
/* The invariants; called on the way into and out of every function. */
void ki_sync_check(const ki_sync *s);

#endif
