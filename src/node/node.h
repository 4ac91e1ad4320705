/* SPDX-License-Identifier: Apache-2.0 */
/* node/node.h - what the parts of a node share: the node itself and its links.
 * loop.c tells in which order things happen, links.c opens and watches links,
 * inbox.c and outbox.c move packets between a link and the store, heard.c the unsigned
 * ones, exchange.c lets sync frames speak, cells.c knows where contexts meet, ask.c
 * answers questions from a store, near.c for the twins of one context. */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include <kith/address.h>
#include <kith/heard.h>
#include <kith/node.h>

#include "node/verify.h"
#include "sync/sync.h"

/* Signatures that a turn checks by itself: some 5 ms, so that no link waits long for
 * another. Items taken from one link in a turn, and packets given to it. */
#define NODE_BATCH 64
#define NODE_PULLS 256
#define NODE_GIVES 512
/* Packets of one commit, at most. */
#define NODE_COMMIT 512
/* Unsigned packets of one commit: a link is asked for no more in a turn. */
#define NODE_HEARD 64

/* A link that has no room is asked again so soon: those that pace themselves have
 * room again then. */
#define NODE_ROOM_NS UINT64_C(5000000)

typedef struct ki_node_link {
    char url[KITH_URL_MAX + 1];
    char way[KITH_WAY_MAX + 1];      /* the URL without its query: name in the store */
    char sync_way[KITH_WAY_MAX + 1]; /* of what sync brought over it */
    kith_link *link;                 /* NULL: not open */
    bool up;
    char why[248];
    uint32_t failures;    /* to open, in a row */
    uint32_t era;         /* grows when it is opened, closed or rewound */
    uint32_t news;        /* packets in a row that nobody knew */
    uint64_t retry_ns;    /* open again then */
    uint64_t up_ns;       /* since when it is open */
    uint64_t outbox_ns;   /* post again then */
    uint64_t inbox_ns;    /* pull again then */
    uint64_t sent;        /* arrivals handed over */
    uint64_t last_ticket; /* the highest of them that a post carried */
    uint64_t settled;     /* arrivals that the link says have reached its level */
    uint64_t safe;        /* the outbox's cursor: those, or, where that level says
                           * nothing, what a peer was shown to have */
    uint64_t receipts;    /* of the peers, when they were last looked at */
    uint64_t part_of;     /* an arrival that is given in parts: under its cells too */
    uint32_t part;        /* the next of them */
    uint32_t lot;         /* given at once, after a failure; 0: all there is room for */
    uint64_t accepted, duplicates, backfilled, heard;
    bool cursor_dirty;
    ki_sync *sync;   /* NULL: the link keeps history, or carries no frames */
    ki_sync_out out; /* what the link had no room for; kind 0: nothing */
} ki_node_link;

/* An epoch of a source that signed two packets under one number. */
#define NODE_TWINS 64
typedef struct ki_twin {
    uint64_t source, epoch; /* source: the start of its key */
    uint64_t shown_ns;      /* shown again then */
} ki_twin;

struct kith_node {
    kith_store *store;
    kith_host host;
    char plugin_dir[KITH_URL_MAX + 1];
    const kith_templates *templates;
    bool relay;
    void (*event)(void *ctx, const kith_event *event);
    void *ctx;
    uint64_t seed; /* of a simulation, or 0 */
    uint64_t dice;
    size_t link_count;
    ki_node_link links[KITH_LINKS_MAX];
    size_t follow_count;
    char follows[KITH_FOLLOWS_MAX][KITH_SUBJECT_MAX + 1];
    uint64_t refused[1 + KITH_E_REFUSED - KITH_R_LAST];
    uint64_t legacy_refused[1 + KITH_L_FRAMES - KITH_L_LAST];
    int64_t wall_us;   /* of this turn */
    uint64_t due_ns;   /* of the next turn, if nothing wakes us */
    uint64_t prune_ns; /* next time old packets are removed */
    int64_t clocks_us; /* wall less monotonic: changes when the wall clock is set */
    int64_t again_us;  /* read everything again then; 0: never */
    uint64_t again_ns; /* and not before */
    uint64_t round;    /* how often everything was read anew */
    uint64_t version;  /* of the store when it was last looked at */
    uint64_t last_arrival;
    ki_index index; /* of the store, for sync over all links */
    size_t twin_count;
    ki_twin twins[NODE_TWINS];
    bool twins_read, twins_new;
    uint64_t twins_ns; /* the index may be read anew then */
    const kith_key *key;
    kith_key *own_key;              /* of a node that was given none: for sync alone */
    uint64_t evicted, evicted_seen; /* by the store */
    bool store_failed;              /* told, and not yet healed */
    kith_time now;                  /* of the last turn */
    uint32_t turn;
    ki_verify *verify; /* what came and is not stored yet */
    kith_arrival arrivals[NODE_COMMIT];
    kith_heard heard[NODE_HEARD]; /* of one link's turn, not yet stored */
    size_t heard_count;
};

/* In front of a way: sync brought it. */
#define NODE_SYNC_WAY "sync+"

/* links.c */
void ki_links_watch(kith_node *n, kith_time now);
void ki_links_reread(kith_node *n, kith_time now, bool was_ahead);
int ki_link_try(kith_node *n, ki_node_link *l, kith_time now, kith_error *err);
void ki_link_down(kith_node *n, ki_node_link *l, const char *why, kith_time now);
/* To where it can; what is on its way from it is not acked any more. */
int ki_link_rewind(ki_node_link *l, const kith_position *to);
/* Name of the reading cursor in the store; room for KITH_STATE_NAME_MAX + 1. */
void ki_link_cursor_name(const kith_node *n, const ki_node_link *l, char *ret_name);
bool ki_node_follows(const kith_node *n, const char *subject);

/* cells.c: packets under the cells of their context. Where to post one on a link; what
 * is followed as a wire that compares must see it; may a packet that stood under
 * `from` ("": nowhere) be taken, by what is followed? */
size_t ki_cells_places(const kith_node *n, const ki_node_link *l, const kith_content *c,
    kith_address ret[KITH_CELLS_MAX + 1]);
size_t ki_cells_bases(const kith_node *n, ki_pattern ret[KITH_FOLLOWS_MAX]);
/* Is that one of them that nobody asked for in so many words? */
bool ki_cells_spelt(const kith_node *n, const char *base);
bool ki_cells_wanted(const kith_node *n, const kith_content *c, const char *from);
void ki_node_say(kith_node *n, const kith_event *event);

/* clock.c */
void ki_clock_open(kith_node *n, kith_time now);
void ki_clock_turn(kith_node *n, kith_time now);
/* A packet dated so was refused as lying in the future. */
void ki_clock_refused(
    kith_node *n, const kith_packet *packet, int64_t t_end_us, kith_time now);

/* Each returns how much it did, or < 0 when the store failed. */
int ki_inbox_turn(kith_node *n, kith_time now);
int ki_outbox_turn(kith_node *n, ki_node_link *l, kith_time now);
int ki_exchange_turn(kith_node *n, ki_node_link *l, kith_time now);

/* What is on its way is stored, as far as the store can. */
void ki_inbox_close(kith_node *n);

/* heard.c: heard_count is 0 between turns. */
void ki_heard_take(
    kith_node *n, const ki_node_link *l, const kith_item *item, kith_time now);
int ki_heard_commit(kith_node *n, ki_node_link *l, kith_time now);
int ki_heard_recall(void *ctx, const char *pattern,
    int (*each)(void *ctx, const kith_posting *what), void *each_ctx);

/* outbox.c: the sending cursor, from the store; and back to the beginning, for a
 * medium that has nothing of ours, or for a clock that was ahead. */
void ki_outbox_resume(kith_node *n, ki_node_link *l, kith_time now);
void ki_outbox_again(kith_node *n, ki_node_link *l, kith_time now);

/* twins.c */
void ki_twins_read(kith_node *n);
bool ki_twins_barred(kith_node *n, const kith_content *content);
void ki_twins_found(kith_node *n, const kith_packet *packet);
void ki_twins_turn(kith_node *n, kith_time now);
void ki_twins_show(
    kith_node *n, ki_node_link *l, const kith_content *content, kith_time now);

/* exchange.c */
int ki_exchange_open(kith_node *n, ki_node_link *l);
void ki_exchange_close(ki_node_link *l);
int ki_exchange_follow(kith_node *n, ki_node_link *l);
/* Reads what is new in the store into the index. */
int ki_exchange_feed(kith_node *n, kith_time now);
/* A packet came over a link, or was given to it. arrival 0: it was refused. */
typedef struct ki_news {
    const kith_packet *packet;
    const uint8_t *id;
    uint64_t arrival;
    bool own;
} ki_news;
void ki_exchange_heard(kith_node *n, ki_node_link *l, const ki_news *news, kith_time now);
void ki_exchange_refuse(ki_node_link *l, const uint8_t id[KITH_ID_SIZE], int refusal);
void ki_exchange_take(
    kith_node *n, ki_node_link *l, const uint8_t *bytes, size_t length, kith_time now);

#endif
