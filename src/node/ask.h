/* SPDX-License-Identifier: Apache-2.0 */
/* node/ask.h - what an answer is made of: ask.c has the signed evidence and the pool,
 * ask_heard.c what nobody signed. */
#ifndef NODE_ASK_H
#define NODE_ASK_H

#include <kith/node.h>

#include "node/near.h"

/* One vote: the latest leaf of a source, or all unsigned leaves of a gateway. */
typedef struct ki_slot {
    ki_near near; /* where it stands, when that was asked */
    kith_evidence row;
    kith_leaf leaf;
    uint8_t template_id[KITH_TEMPLATE_SIZE];
    uint8_t measure, components;
    bool own, gateway;
} ki_slot;

typedef struct ki_slots {
    const kith_ask *ask;
    ki_slot *all;
    size_t count, room, beyond, far_out;
    kith_twins twins;
    bool no_memory;
} ki_slots;

/* The latest unsigned packet of a name that came by a gateway. */
typedef struct ki_claim {
    kith_evidence row;
    uint8_t source[KITH_KEY_SIZE];
    uint8_t template_id[KITH_TEMPLATE_SIZE], measure, components;
    uint16_t gateway; /* of ki_claims.gateways */
    uint64_t name;    /* the start of a key-id, where it claims one; else 0 */
    double share;     /* of its gateway's vote */
} ki_claim;

#define KI_CLAIMS_MAX   1024 /* names in one answer */
#define KI_GATEWAYS_MAX 64

typedef struct ki_claims {
    const kith_ask *ask;
    size_t count, gateway_count;
    uint64_t packets; /* of them all, and of those that found no place */
    ki_claim all[KI_CLAIMS_MAX];
    char gateways[KI_GATEWAYS_MAX][KITH_WAY_MAX + 1];
    size_t slots[KI_GATEWAYS_MAX]; /* the vote of each; SIZE_MAX: none */
} ki_claims;

/* Why this is no evidence, or NULL; y, v and measure are filled in. */
const char *ki_ask_fault(const kith_ask *ask, const kith_content *c, double *ret_y,
    double *ret_v, uint8_t *ret_measure);
/* Room for one more at all[count], zeroed; NULL: no memory. */
ki_slot *ki_slots_next(ki_slots *list);

/* Of those that are `like` that one in template, measure and components, leaves out who
 * is no twin of the context that was asked for. */
int ki_near_gate(ki_slots *list, const ki_slot *like);

int ki_claims_read(ki_claims *claims, kith_store *store, kith_error *err);
/* With pool_unsigned: a slot for each gateway that has something to count. */
void ki_claims_vote(ki_claims *claims, ki_slots *list);
/* After the pool: what became of each. */
void ki_claims_tell(ki_claims *claims, const ki_slots *list, kith_answer *ret_answer);

#endif
