/* SPDX-License-Identifier: Apache-2.0 */
/* node/near.h - what a template means for one question: who is near, and how much
 * evidence of that age still counts. */
#ifndef NODE_NEAR_H
#define NODE_NEAR_H

#include <kith/node.h>

typedef struct ki_near {
    bool known;   /* it has a context of the kind that was asked for */
    bool far_out; /* and that is beyond the radius */
    uint32_t distance;
    uint16_t context[KITH_CONTEXT_MAX];
} ki_near;

void ki_near_of(const kith_ask *ask, const kith_content *c, ki_near *ret);
/* 2^(-age / half-life) of the packet's template, 2^-64 at the least. */
double ki_near_relevance(const kith_ask *ask, const kith_content *c, int64_t arrived_us);

#endif
