/* SPDX-License-Identifier: Apache-2.0 */
/* kith/heard.h - unsigned evidence in a store: packets of two older programs, byte for
 * byte as they were heard, beside the signed packets and never among them. No carrier is
 * given any, sync does not compare them, the state digest knows nothing of them; who
 * asks may count them (kith/node.h, pool_unsigned). Formats: docs/formats/legacy.md.
 *
 * An exact repeat, by whatever link, is stored once: the id is kith_legacy_id. They lie
 * within the store's max_bytes and are the first to go; they drive out nothing signed.
 */
#ifndef KITH_HEARD_H
#define KITH_HEARD_H

#include <kith/legacy.h>
#include <kith/store.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_HEARD_MAX (KITH_SEED1_TOPIC_MAX + KITH_SEED1_LENGTH_MAX)

typedef struct kith_heard {
    uint64_t number; /* out: in order of arrival, never used twice; not an arrival */
    int64_t arrived_us /* out */, expires_us;
    int result;   /* out: 0, KITH_DUPLICATE, KITH_E_SPACE */
    uint8_t seed; /* whose format: 0 or 1 */
    bool expired; /* out */
    uint8_t id[KITH_ID_SIZE];
    char subject[KITH_SUBJECT_MAX + 1];
    char gateway[KITH_WAY_MAX + 1]; /* the link it came by */
    uint16_t topic_length, payload_length;
    uint8_t bytes[KITH_HEARD_MAX]; /* topic, then payload */
} kith_heard;

/* Reads two frames into all that is neither "out" nor the gateway. 0, or a KITH_L_*. */
KITH_API KITH_MUST_USE int kith_heard_read(int seed, const void *topic, size_t topic_length,
    const void *payload, size_t length, kith_heard *ret);
/* What it says: evidence whose source is a hash of the name that it claims. And that
 * name, which anybody may claim; ret_name may be NULL. */
KITH_API KITH_MUST_USE int kith_heard_content(
    const kith_heard *heard, kith_content *ret, char ret_name[KITH_SEED1_LENGTH_MAX]);

/* All that fit are on disk when it returns 0; look at each result. */
KITH_API KITH_MUST_USE int kith_store_hear(
    kith_store *store, kith_heard *list, size_t count, kith_time now, kith_error *err);

/* 0: go on. KITH_STOP: enough. It lives until it returns. */
typedef int (*kith_each_heard)(void *ctx, const kith_heard *heard);

/* Of the query: pattern, id, after and before (numbers), newest_first, with_expired,
 * limit, now_us. In order of number: O(log N + results) for one subject or everything;
 * other patterns look at all. */
KITH_API KITH_MUST_USE int kith_store_heard(kith_store *store, const kith_query *query,
    kith_each_heard each, void *ctx, kith_error *err);

/* Signed and unsigned together, in the order in which they came. The query is that of
 * kith_store_find for the signed ones; its limit is of both. Where `origin` is
 * KITH_ORIGIN_OWN there are still unsigned ones: leave `heard` NULL for none. */
typedef struct kith_each_both {
    kith_each signed_one;
    kith_each_heard heard;
    void *ctx;
} kith_each_both;
KITH_API KITH_MUST_USE int kith_store_both(kith_store *store, const kith_query *query,
    const kith_each_both *each, kith_error *err);

#ifdef __cplusplus
}
#endif
#endif
