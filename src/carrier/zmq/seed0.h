/* SPDX-License-Identifier: Apache-2.0 */
/* zmq/seed0.h - a link that speaks seed 0: zmq://127.0.0.1:5555?interop=seed0
 *
 *   post --> [XPUB] on the port of the URL ~~~> their SUB      two frames: topic, payload
 *            [ROUTER] two ports on         <~~> their REQ      a prefix; a JSON array
 *   pull <-- [SUB] <~~~ their PUB, those of peers=
 *
 * Packets of ours go out as far as seed 0 can say them; theirs come in as
 * KITH_ITEM_LEGACY, as they were sent. Everything happens in the calls of the link's
 * owner: no thread, no lock. docs/formats/legacy.md has the bytes. */
#ifndef ZMQ_SEED0_H
#define ZMQ_SEED0_H

#include <kith/carrier.h>

typedef struct ki_seed0 ki_seed0;

typedef struct ki_seed0_plan {
    const char *place; /* where we are, or with !bind where a PUB of theirs is */
    const char *peers; /* more PUBs, with commas between */
    int64_t query;     /* the port of the store, ours or theirs; 0: the next but one */
    bool bind;         /* else only read */
    bool extended;     /* replies have all fields */
    bool patient;      /* a post waits for somebody who follows its topic */
    int messages_max, backoff_ms;
    const kith_host *host;
} ki_seed0_plan;

/* plan's texts need not live on. */
KITH_MUST_USE int ki_seed0_open(ki_seed0 **ret, const ki_seed0_plan *plan, kith_error *err);
void ki_seed0_close(ki_seed0 **seed);

KITH_MUST_USE int ki_seed0_post(ki_seed0 *s, const kith_posting *what);
KITH_MUST_USE int ki_seed0_follow(ki_seed0 *s, const char *const *patterns, size_t count);
/* To the start: what their store still has comes first, where we only read. */
KITH_MUST_USE int ki_seed0_rewind(ki_seed0 *s, const kith_position *to);
KITH_MUST_USE int ki_seed0_pull(ki_seed0 *s, kith_item *ret);
int ki_seed0_wake_fd(ki_seed0 *s);
void ki_seed0_tick(ki_seed0 *s, kith_time now);
void ki_seed0_counters(const ki_seed0 *s, kith_counters *ret);

#endif
