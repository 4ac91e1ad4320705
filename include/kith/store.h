/* SPDX-License-Identifier: Apache-2.0 */
/* kith/store.h - where packets are safe: outbox, inbox, history, small state.
 *
 * A packet is stored once for ever under (source, epoch, sequence), whatever the
 * number of times and ways it comes. 0 from post and admit means that it is on
 * disk. Every record has an arrival number, rising in commit order, never used
 * twice; all cursors are arrival numbers.
 *
 * Any thread may call any function except close; posts that meet share one
 * fsync. Several processes may open the same sqlite store.
 *
 *   sqlite:/var/lib/kith/store.db?max_bytes=1G      durable, the preset
 *   memory:?max_bytes=16M                           gone with the process
 */
#ifndef KITH_STORE_H
#define KITH_STORE_H

#include <kith/key.h>
#include <kith/packet.h>
#include <kith/time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_WAY_MAX        200 /* bytes of a carrier's name */
#define KITH_STATE_NAME_MAX 240
#define KITH_STATE_MAX      4096

typedef struct kith_store kith_store;

/* Opens, migrates, checks and, if it must, quarantines a damaged store: then a
 * new, empty one is ready at once under a raised epoch, the old file stands
 * beside it, and its packets come back in the background; kith_store_stat tells.
 * E_CORRUPT only when even that cannot be done. E_BUSY: another process holds it
 * exclusively. E_NOTSUP: a newer schema, a network file system. */
KITH_API KITH_MUST_USE int kith_store_open(
    kith_store **ret, const char *url, kith_error *err);
KITH_API void kith_store_close(kith_store **store);

/* A long-running node: raises the boot epoch (a file of its own, fsynced) and
 * reserves sequences in blocks, so that posters sign before the transaction. */
KITH_API KITH_MUST_USE int kith_store_begin_run(kith_store *store, kith_error *err);

/* One post of many in a call. Epoch, sequence, source and signature are set by
 * the store; everything else by the caller. */
typedef struct kith_post {
    kith_content content;
    kith_packet packet;       /* out */
    uint8_t id[KITH_ID_SIZE]; /* out */
    uint64_t arrival;         /* out */
    int result;               /* out: 0, a KITH_R_*, or KITH_E_* */
} kith_post;

/* All that fit are on disk when it returns 0; look at each result. E_SPACE: the
 * bound or the disk is full, nothing was posted. E_BUSY: another process held
 * the store for too long. E_CORRUPT: a failed fsync or a damaged page; the store
 * reopens itself, nothing of this call is known to be safe. */
KITH_API KITH_MUST_USE int kith_store_post(kith_store *store, const kith_key *key,
    kith_post *posts, size_t count, kith_time now, kith_error *err);

/* Packets from elsewhere, decoded, timely and verified by the caller; or, with
 * `known`, only heard again by another way. result: 0 stored now;
 * KITH_DUPLICATE; KITH_R_EQUIVOCATION (kept as proof); KITH_R_RETRACTED (its
 * retraction came first); KITH_E_SPACE. */
typedef struct kith_arrival {
    kith_packet packet;
    const char *way; /* the carrier that brought it */
    bool known;
    int result;        /* out */
    uint64_t arrival;  /* out, when 0 or KITH_DUPLICATE */
    const uint8_t *id; /* of the packet, where it is known already; or NULL */
} kith_arrival;
KITH_API KITH_MUST_USE int kith_store_admit(kith_store *store, kith_arrival *arrivals,
    size_t count, kith_time now, kith_error *err);

/* Cheaper than a signature check, and before it: 0 unknown, KITH_DUPLICATE,
 * KITH_R_EQUIVOCATION (same place, other bytes). */
KITH_API KITH_MUST_USE int kith_store_knows(
    kith_store *store, const kith_content *content, const uint8_t id[KITH_ID_SIZE]);

typedef struct kith_record {
    uint64_t arrival;
    int64_t arrived_us, expires_us;
    bool own, retracted, expired;
    uint8_t id[KITH_ID_SIZE];
    kith_packet packet;
    char way[KITH_WAY_MAX + 1]; /* the first; "" for own */
} kith_record;

/* 0: go on. KITH_STOP: enough. The record lives until it returns. The callback
 * may call the store, but not with the same query in mind: it sees a snapshot. */
typedef int (*kith_each)(void *ctx, const kith_record *record);

enum {
    KITH_ORIGIN_ANY = 0,
    KITH_ORIGIN_OWN = 1,
    KITH_ORIGIN_FOREIGN = 2,
};
typedef struct kith_query {
    const char *pattern;    /* NULL: everything */
    const uint8_t *id;      /* with id_length: begins so; else NULL */
    size_t id_length;       /* bytes */
    uint64_t after, before; /* arrivals, exclusive; before 0: no end */
    bool newest_first;      /* else oldest first */
    bool by_subject;        /* order: subject, then arrival */
    bool with_expired, with_retracted;
    int origin;
    uint32_t limit; /* 0: none */
    int64_t now_us;
} kith_query;

/* In arrival order: O(log N + results) for one subject or everything; a pattern
 * first looks at the newest (oldest) few, then at all its matches. by_subject:
 * O(log N + results) for prefix patterns too. Other patterns skip from token to
 * token. A page after a page: the last arrival seen is `after` (or `before`); not
 * with by_subject. E_ARG: not a pattern. */
KITH_API KITH_MUST_USE int kith_store_find(
    kith_store *store, const kith_query *query, kith_each each, void *ctx, kith_error *err);

/* For pooling: of each (source, template, subject) that matches, the live,
 * unretracted LEAF (or EVAL) with the highest (epoch, sequence), in the order
 * (subject, template, source, type). A report (a LEAF without effect or counts)
 * is no evidence and takes nobody's place: it is not listed here. */
KITH_API KITH_MUST_USE int kith_store_latest(kith_store *store, const char *pattern,
    int64_t now_us, kith_each each, void *ctx, kith_error *err);

/* What a carrier has not been given: own packets, and with relay those that came
 * by another way, beyond an arrival, oldest first, unexpired. Retractions too. */
KITH_API KITH_MUST_USE int kith_store_outbox(kith_store *store, const char *way, bool relay,
    uint64_t after, uint32_t limit, int64_t now_us, kith_each each, void *ctx,
    kith_error *err);

/* A RETRACT that takes target back: same template, subject, context, t_end, span
 * and ttl; its text begins with the target's "EPOCH/SEQ". reason may be NULL. */
KITH_API KITH_MUST_USE int kith_retraction_of(
    const kith_content *target, const char *reason, kith_content *ret);
/* Which (epoch, seq) of its own source a RETRACT takes back. false: none. */
KITH_API bool kith_retraction_target(
    const kith_content *content, uint64_t *ret_epoch, uint64_t *ret_seq);

/* Every way a packet came, oldest first: calls each(ctx, name). */
KITH_API KITH_MUST_USE int kith_store_ways(kith_store *store, uint64_t arrival,
    int (*each)(void *ctx, const char *way), void *ctx, kith_error *err);

/* Each packet that came, well signed, under a (source, epoch, seq) which another had
 * taken: the two prove that their source lied. `arrival` is that of the first, 0 when
 * it has gone. By source, epoch and seq; kept until it expires. */
KITH_API KITH_MUST_USE int kith_store_proofs(
    kith_store *store, kith_each each, void *ctx, kith_error *err);

/* Small durable state by name: cursors, a breaker. Not `now`: it rides with the
 * next commit, and may be lost with the power. Length 0 deletes. */
KITH_API KITH_MUST_USE int kith_store_save(kith_store *store, const char *name,
    const void *bytes, size_t length, bool now, kith_error *err);
/* E_MISSING; E_SPACE when it is longer than size. */
KITH_API KITH_MUST_USE int kith_store_load(
    kith_store *store, const char *name, void *ret, size_t size, size_t *ret_length);

/* Removes what expired and its tombstones, a bounded number per call. Returns
 * how many, or < 0. */
KITH_API KITH_MUST_USE int kith_store_prune(
    kith_store *store, int64_t now_us, uint32_t at_most, kith_error *err);

typedef struct kith_store_stat {
    char engine[16];
    uint64_t packets, own, foreign, tombstones, subjects_hint;
    uint64_t bytes, max_bytes, wal_bytes;
    uint64_t first_arrival, last_arrival;
    uint64_t epoch;
    int64_t oldest_expiry_us;
    uint64_t evicted, refused_full, duplicates, equivocations; /* since open */
    uint64_t commits, fsyncs_shared; /* since open; posts that rode another's fsync */
    bool quarantined;                /* at this open */
    bool salvaging;                  /* now */
    uint64_t salvaged;               /* packets brought back */
    char quarantine[1024];           /* the old file, "" if none */
    bool degraded;                   /* posts are refused now */
    char why[160];                   /* of degraded; else a word about this open, or "" */
    uint64_t heard, heard_evicted;   /* unsigned, kith/heard.h; since open */
} kith_store_stat;
KITH_API KITH_MUST_USE int kith_store_stats(
    kith_store *store, kith_store_stat *ret, kith_error *err);

/* Reads everything: pages, checksums, indexes, packet ids. 0: whole. E_CORRUPT
 * and the first damage in err. Changes nothing. */
KITH_API KITH_MUST_USE int kith_store_check(const char *url, kith_error *err);

/* A whole copy, taken while others post. The copy opens under a raised epoch. */
KITH_API KITH_MUST_USE int kith_store_backup(
    kith_store *store, const char *path, kith_error *err);

/* A number that changes whenever any process commits; cheap. And what a loop then asks,
 * of stats the two that cost no count: last_arrival and evicted. */
KITH_API uint64_t kith_store_version(kith_store *store);
KITH_API KITH_MUST_USE int kith_store_head(
    kith_store *store, uint64_t *ret_last_arrival, uint64_t *ret_evicted, kith_error *err);
/* Readable when another process may have committed; -1: there is none. */
KITH_API int kith_store_wake_fd(kith_store *store);

#ifdef __cplusplus
}
#endif
#endif
