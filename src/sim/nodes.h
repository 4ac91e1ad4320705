/* SPDX-License-Identifier: Apache-2.0 */
/* sim/nodes.h - a swarm of values: nodes with contexts, own truths and own results.
 * Large: fields stand in columns, and what is nearest is found by looking at all. */
#ifndef SIM_NODES_H
#define SIM_NODES_H

#include "sim/panel.h"

#define SIM_NEAR_MAX 1024

typedef struct ki_swarm {
    size_t count;
    unsigned d;
    float *context; /* count rows of d */
    double *truth, *y, *v;
    double floor;   /* sum of tau2 v / (tau2 + v): what no pool can better */
    double mean;    /* of the results, each as much as log(1 + n) */
    kith_sums sums; /* of all */
} ki_swarm;

/* 0 or KITH_E_MEMORY. tau: of a truth about the smooth function of its context. */
int ki_swarm_new(ki_swarm *ret, size_t count, unsigned d, double tau, uint64_t *dice);
void ki_swarm_free(ki_swarm *s);
kith_leaf ki_swarm_leaf(const ki_swarm *s, size_t node);

/* The nodes nearest to `self`, without it, nearest first: as many as there are, at
 * most SIM_NEAR_MAX. */
size_t ki_swarm_near(const ki_swarm *s, size_t self, uint32_t ret[SIM_NEAR_MAX]);

#endif
