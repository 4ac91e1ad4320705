/* SPDX-License-Identifier: Apache-2.0 */
/* kith/node.h - one node's whole loop, behind a few calls.
 *
 *   post ──► outbox ──► links ~~~~ links ──► verify, dedupe, TTL ──► inbox ──► ask
 *
 * A node owns a store and any number of links. It never blocks longer than a
 * commit takes, starts no thread of its own and reads no clock: call step with
 * the time, then wait on its descriptors. One thread owns a node. A node needs
 * no network and no peer to be useful: what it cannot send now waits on disk.
 */
#ifndef KITH_NODE_H
#define KITH_NODE_H

#include <kith/carrier.h>
#include <kith/key.h>
#include <kith/store.h>
#include <kith/synthesis.h>
#include <kith/template.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_LINKS_MAX   16
#define KITH_FOLLOWS_MAX KITH_PATTERNS_MAX

typedef struct kith_node kith_node;

typedef enum kith_event_kind {
    KITH_EVENT_ACCEPTED = 1, /* record: a packet came that was not known */
    KITH_EVENT_REFUSED = 2,  /* code: a KITH_R_* or KITH_L_*; link; text: in words */
    KITH_EVENT_LINK_UP = 3,
    KITH_EVENT_LINK_DOWN = 4, /* text says why */
    KITH_EVENT_GAP = 5,       /* count: packets a link lost for want of room */
    KITH_EVENT_STORE = 6,     /* text: degraded, quarantined, healed */
    KITH_EVENT_SENT = 7,      /* arrival: safe beyond link, as sent_through below */
    KITH_EVENT_UNSIGNED = 8, /* a packet nobody signed is stored; id, link; text: subject */
} kith_event_kind;

typedef struct kith_event {
    kith_event_kind kind;
    int code;
    uint64_t count, arrival;
    const char *link; /* the URL it was opened with, or "" */
    const char *text;
    const kith_packet *packet;
    const kith_content *content;
    const uint8_t *id;
} kith_event;

typedef struct kith_node_config {
    kith_store *store;        /* borrowed; may be shared with posting threads */
    const kith_key *key;      /* borrowed; NULL: a node that only reads */
    const char *const *links; /* URLs */
    size_t link_count;
    const char *const *follows; /* patterns; none: everything */
    size_t follow_count;
    bool relay;                      /* carry on what came by another link; needs two */
    const char *plugin_dir;          /* may be NULL */
    const kith_templates *templates; /* borrowed; NULL: the built-in ones alone */
    void (*event)(void *ctx, const kith_event *event); /* may be NULL */
    void *ctx;
    /* A carrier of the program's own (kith_host), or NULL. */
    const kith_carrier *carrier;
    void *carrier_ctx;
    /* Not 0: a simulation. Everything that is left to chance follows from it, what must
     * be secret too, and no thread is begun: the same calls do the same. */
    uint64_t seed;
} kith_node_config;

/* Links that cannot be reached now are tried again, 100 ms to 30 s apart; only a
 * URL that makes no sense fails. */
KITH_API KITH_MUST_USE int kith_node_open(
    kith_node **ret, const kith_node_config *config, kith_time now, kith_error *err);
/* Gives links 500 ms each to finish; what they did not take is in the store. */
KITH_API void kith_node_close(kith_node **node);

/* One bounded turn: pull, verify, commit, ack, send, settle, sync. Returns how
 * many things were done; 0 when there is nothing to do now; < 0 when the store
 * failed (then call again: it heals itself or says so in its stats). */
KITH_API int kith_node_step(kith_node *node, kith_time now);

/* Wait on these, at most until kith_node_due (monotonic), before the next step. */
KITH_API size_t kith_node_wake_fds(kith_node *node, int *ret_fds, size_t fds_max);
KITH_API uint64_t kith_node_due(const kith_node *node);

/* Nothing waits to be sent to a link that is up, nothing is half done. */
KITH_API bool kith_node_idle(const kith_node *node);

KITH_API KITH_MUST_USE int kith_node_follow(
    kith_node *node, const char *pattern, kith_error *err);
KITH_API KITH_MUST_USE int kith_node_unfollow(
    kith_node *node, const char *pattern, kith_error *err);

/* Asks peers soon what they have, on links that compare: for who will not wait. */
KITH_API void kith_node_compare(kith_node *node, kith_time now);

typedef struct kith_link_status {
    char url[KITH_URL_MAX + 1];
    bool up;
    char why[248]; /* when down */
    uint32_t can;
    kith_level level;
    kith_counters counters;
    uint64_t accepted, duplicates;
    uint64_t heard;        /* unsigned packets that were not known */
    uint64_t backfilled;   /* sync brought them; kith_store_ways says "sync+" and the URL */
    uint64_t waiting;      /* arrivals not yet looked at, handed over and settled */
    uint64_t sent_through; /* arrival settled; where level is none and peers compare
                            * what they have: which one of them was shown to have */
    uint64_t unconfirmed;  /* arrivals behind that */
    uint32_t peers;        /* nodes that compare with us over this link */
    uint64_t agreed_ns;    /* each had by then (monotonic) what we had, both without the
                            * four seconds before; 0: not so, or nobody compares */
} kith_link_status;
KITH_API size_t kith_node_link_count(const kith_node *node);
KITH_API KITH_MUST_USE int kith_node_link_status(
    kith_node *node, size_t index, kith_link_status *ret);
/* Why packets were refused since open: counts by KITH_R_* and KITH_L_*. */
KITH_API uint64_t kith_node_refused(const kith_node *node, int refusal);

/* ---- questions to a store, with or without a node ---- */

/* One line of an answer's evidence. */
typedef struct kith_evidence {
    uint64_t arrival;
    uint8_t id[KITH_ID_SIZE], keyid[KITH_KEYID_SIZE];
    double y, v; /* of the first component */
    uint8_t components;
    double effect[KITH_EFFECT_MAX], covariance[10];
    double relevance; /* by age; 1 without a half-life */
    kith_vote vote;
    int64_t t_end_us;
    uint64_t n;
    const char *left_out; /* NULL: it was pooled (kept or flagged); else why not */
    /* Nobody signed it (kith/heard.h): id is the legacy one, arrival 0, keyid that of a
     * name which anybody may claim; the latest of `packets` that claim it. Its weight is
     * its part of its gateway's one vote; fate and residual are those of that vote. */
    bool is_unsigned;
    uint32_t packets;
} kith_evidence;

/* How the twins of a context were found. Distances are of 65536. */
typedef struct kith_twins {
    uint32_t known;          /* sources with such a context */
    uint32_t within;         /* of them, in the radius */
    uint32_t used, farthest; /* of them, the nearest asked for; and their farthest */
    uint32_t wanted, found;  /* of the (ten) nearest in the radius, those whose cells a
                             * reader of this context follows: the measured recall */
} kith_twins;

typedef struct kith_ask {
    const char *subject;
    const kith_templates *templates; /* NULL: the built-in ones alone */
    const uint16_t *near;            /* a context of template_id; NULL: everybody's */
    size_t near_count;               /* who is beyond the radius is no row, but counted */
    uint32_t nearest;      /* so many at most; 0: all in the radius, 10 where is none */
    kith_twins *ret_twins; /* may be NULL */
    const uint8_t *template_id; /* NULL: the one most sources use */
    const uint8_t *self;        /* own public key, whose leaf is shrunk; or NULL */
    kith_pool_options pool;
    int64_t now_us;
    bool pool_unsigned;   /* what nobody signed counts too: one vote for each gateway */
    int64_t half_life_us; /* what is this old counts half; 0: age does not matter */
} kith_ask;

/* An answer for each component, 1 to 4. What concerns packets is the same in all. */
typedef struct kith_asked {
    uint8_t template_id[KITH_TEMPLATE_SIZE], measure, components;
    kith_answer answers[KITH_EFFECT_MAX];
} kith_asked;

/* The answer for one subject from what the store holds. rows may be NULL; else it
 * has room for rows_max, and *ret_rows says how many there were. E_MISSING: the
 * store holds nothing under that subject. */
KITH_API KITH_MUST_USE int kith_ask_store(kith_store *store, const kith_ask *ask,
    kith_answer *ret_answer, uint8_t ret_template[KITH_TEMPLATE_SIZE], uint8_t *ret_measure,
    kith_evidence *rows, size_t rows_max, size_t *ret_rows, kith_error *err);

/* The same with every component. */
KITH_API KITH_MUST_USE int kith_ask_all(kith_store *store, const kith_ask *ask,
    kith_asked *ret, kith_evidence *rows, size_t rows_max, size_t *ret_rows,
    kith_error *err);

/* SHA-256 of the synthesised state of everything that matches: equal wherever the
 * same packets are live, whatever way they came. */
KITH_API KITH_MUST_USE int kith_store_digest(kith_store *store, const char *pattern,
    int64_t now_us, uint8_t ret[32], uint64_t *ret_slots, kith_error *err);

#ifdef __cplusplus
}
#endif
#endif
