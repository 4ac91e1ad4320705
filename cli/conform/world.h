/* SPDX-License-Identifier: Apache-2.0 */
/* The world of one check: a fresh realm on the carrier, a few nodes in it, and a
 * clock that only the check turns: the wall stands still but for world_jump, so that
 * nothing expires while a wire that loses much is waited for.
 *
 * Nodes are stepped in turn, all in this process, with the scripted time; where
 * a carrier works on a thread of its own the world waits a moment of real time
 * between turns. Keys come from fixed seeds. Whatever a world opened or made on
 * disk is gone after world_end. */
#ifndef CONFORM_WORLD_H
#define CONFORM_WORLD_H

#include <kith/address.h>
#include <kith/node.h>

#define SITES_MAX 12
#define LINKS_MAX 3
#define PATH_SIZE 600
#define START_US  INT64_C(1767225600000000) /* 2026-01-01 00:00 UTC */
#define SECOND_US INT64_C(1000000)
#define HOUR_US   (3600 * SECOND_US)
#define YEAR_US   (INT64_C(31556952) * SECOND_US)
#define REFUSALS  (KITH_R_LENGTH - KITH_R_LAST + 1)
#define WEEK_S    604800u

struct world;

/* One node and its store. `up` says whether the node is open; the store stays
 * open until site_kill or the end. */
typedef struct site {
    struct world *world;
    uint8_t number;
    bool relay, asleep; /* asleep: not stepped */
    int64_t skew_us;    /* its wall clock is that much off */
    char store_url[PATH_SIZE];
    char links[LINKS_MAX][KITH_URL_MAX + 1];
    size_t link_count;
    const char *follows[10];
    size_t follow_count;
    kith_store *store;
    kith_key *key;
    kith_node *node;
    uint64_t accepted, gaps, refused[REFUSALS], downs;
} site;

/* How a check was passed. */
enum {
    BY_NOBODY = 0, /* nothing was asked of the carrier */
    BY_CARRIER,    /* N: natively */
    BY_NODE,       /* E: the node supplied it */
};

typedef struct world {
    const char *base_url; /* as given by the user */
    const char *tmp;      /* a folder for stores */
    const char *plugins;  /* a folder of carriers, or NULL */
    bool slow;            /* --long */
    uint64_t seed;
    int arg;                      /* of the table row */
    char url[KITH_URL_MAX + 1];   /* the fresh realm */
    char plain[KITH_URL_MAX + 1]; /* the same without wrappers */
    char scheme[32];              /* of the innermost carrier */
    char folder[PATH_SIZE];       /* made for this realm; "" where there is none */
    char place[PATH_SIZE];        /* the path inside the folder, "" likewise */
    uint32_t can;                 /* of the carrier */
    kith_level level;
    kith_time now; /* mono goes on with each turn */
    site sites[SITES_MAX];
    size_t site_count;
    struct raw *lossy; /* says everything again now and then: see content.c */
    uint64_t turns, idle_turns;
    uint64_t posted; /* numbers contents, so that each differs */
    uint8_t by;
    bool failed, skipped;
    char why[240];
} world;

#define WANT(w, cond)                                                                      \
    do {                                                                                   \
        if (!(cond)) {                                                                     \
            world_fail(w, "%s:%d: expected %s", __func__, __LINE__, #cond);                \
            return;                                                                        \
        }                                                                                  \
    } while (0)
#define WANT_INT(w, got, want)                                                             \
    do {                                                                                   \
        long long got_ = (long long) (got), want_ = (long long) (want);                    \
        if (got_ != want_) {                                                               \
            world_fail(w, "%s:%d: %s is %lld, expected %lld", __func__, __LINE__, #got,    \
                got_, want_);                                                              \
            return;                                                                        \
        }                                                                                  \
    } while (0)
/* After a helper that may have failed the check by itself. */
#define GOOD(w, call)                                                                      \
    do {                                                                                   \
        if (!(call)) {                                                                     \
            world_fail(w, "%s:%d: %s", __func__, __LINE__, #call);                         \
            return;                                                                        \
        }                                                                                  \
    } while (0)

/* For links of our own. */
const kith_host *world_host(const world *w);

/* Makes the realm. false: why says so. */
bool world_begin(world *w);
/* Another realm of the same kind as the URL says, e.g. the second carrier. */
void world_end(world *w);
/* Only what lies on the disk, when the process that made it is no more. */
void world_sweep(world *w);
/* The first failure is kept. */
void world_fail(world *w, const char *format, ...) KITH_PRINTF(2, 3);
void world_skip(world *w, const char *why);
void world_by(world *w, bool carrier);

/* A new site with a memory store, linked to the realm, following everything. */
site *site_new(world *w);
/* Before site_up: other links than the realm's, other patterns than ">". */
void site_link(site *s, const char *url);
void site_follow(site *s, const char *pattern);
/* Before site_up: the store is a file, so that it outlives its node. */
void site_on_disk(site *s);
bool site_up(site *s);
void site_down(site *s); /* closes the node, keeps the store */
/* The node is dropped as a crash drops it: nothing is closed. The store's file
 * is opened anew by the next site_up. */
void site_drop(site *s);
kith_time site_now(const site *s);
/* Sum over its links. */
uint64_t site_filtered(site *s);
uint64_t site_backfilled(site *s);
uint64_t site_duplicates(site *s);
uint64_t site_posted(site *s); /* packets, not frames */
uint64_t site_refused(const site *s, int refusal);
uint64_t site_refused_all(const site *s);

/* INT, TERM and HUP end the check under way, so that everything is removed. */
void world_catch(void);
int world_stopped(void);

/* One turn of all; how much was done. */
int world_turn(world *w);
/* Turns until `done`, or until nothing moves any more. */
bool world_until(world *w, bool (*done)(world *w, const void *arg), const void *arg);
/* Until every node says that nothing is left to do, and nothing comes for a while. */
bool world_rest(world *w);
void world_jump(world *w, int64_t us);

/* For checks of hundreds, where a power cut is not the question: from here on the
 * realm is opened without a sync for each packet, unless the user chose one. */
void world_bulk(world *w);

/* Does it keep packets in files of ours, and not only a name to meet at? */
static inline bool world_keeps(const world *w) {
    return w->folder[0] != '\0' && w->level > KITH_LEVEL_NONE;
}

/* The carrier away, and back. false: this carrier has nothing to pull out. */
bool world_cut(world *w);
bool world_heal(world *w);

/* Does the carrier repeat on purpose? Then counts of what came are lower bounds. */
static inline bool bends(const world *w) {
    return (w->can & KITH_CAN_BEND) != 0;
}

/* The realm's second carrier: mem://, its own bus. */
void world_bus(const world *w, char ret_url[KITH_URL_MAX + 1]);

#endif
