/* SPDX-License-Identifier: Apache-2.0 */
/* sim/net.h - one wire between all nodes of a swarm. Each message is lost, repeated and
 * late by lot, for each listener by himself; who is cut off from whom is the swarm's to
 * say. It keeps no history and gives no receipts: everything else is the nodes' work. */
#ifndef SIM_NET_H
#define SIM_NET_H

#include <kith/carrier.h>
#include <kith/sim.h>

typedef struct ki_letter {
    uint64_t due_ns, order;
    uint32_t to;
    kith_item item;
} ki_letter;

/* One opened link. Those of one street hear each other. */
typedef struct ki_box {
    bool open;
    uint32_t node, street;
    uint32_t count, first;
    uint64_t gaps, told;
    kith_item *items; /* as many as the net has room for; more are lost */
} ki_box;

typedef struct ki_net {
    uint64_t dice, now_ns, order;
    uint32_t nodes, links, room;
    uint32_t loss, repeat; /* percent */
    uint64_t delay_ns;
    uint32_t *deaf; /* deaf[to * nodes + from]: how many partitions keep it from hearing */
    ki_box *boxes;
    ki_letter **heap; /* by time */
    size_t count, size;
    uint64_t messages, lost, repeated;
} ki_net;

/* The first links are the nodes' own; then come those of the nodes that also stand in the
 * high street, one for each street, its first node's. street: nodes in one. */
int ki_net_open(ki_net *net, uint32_t nodes, uint32_t street, uint64_t seed);
void ki_net_close(ki_net *net);
/* When the next letter comes; UINT64_MAX: none is on its way. */
uint64_t ki_net_due(const ki_net *net);
/* Brings what is due by now_ns; calls back with each who got something. */
void ki_net_bring(
    ki_net *net, uint64_t now_ns, void (*got)(void *ctx, uint32_t node), void *ctx);

/* "sim://3": link 3 of the net at carrier_ctx. */
extern const kith_carrier ki_sim_carrier;

#endif
