/* SPDX-License-Identifier: Apache-2.0 */
/* sim/swarm.h - whole nodes on one simulated clock. swarm.c opens, runs and ends them,
 * faults.c harms and heals them, check.c knows what was posted and compares. */
#ifndef SIM_SWARM_H
#define SIM_SWARM_H

#include "sim/disk.h"
#include "sim/net.h"

#include <kith/node.h>

#define SIM_MS     UINT64_C(1000000)
#define SIM_SECOND (1000 * SIM_MS)
#define SIM_START  INT64_C(1750000000000000) /* µs */

typedef struct ki_member {
    kith_store *store; /* NULL: down */
    kith_node *node;
    kith_key *key;
    ki_disk *disk; /* NULL: its store is in memory, and its power never goes */
    char url[SIM_PATH_MAX + 32];
    uint8_t public_key[KITH_KEY_SIZE];
    uint64_t due_ns, back_ns; /* back: up again then, or no longer paused */
    bool paused;
    int64_t wrong_us;           /* its wall clock */
    uint64_t right_ns, room_ns; /* the clock is set right, the disk emptied then */
    uint64_t epoch, seq;        /* of the last acknowledged post */
} ki_member;

/* One post: its number stands in the packet as n. */
typedef struct ki_attempt {
    uint32_t node;
    bool acked;
    uint8_t id[KITH_ID_SIZE];
} ki_attempt;

/* Nodes a and b: one or both do not hear the other, until then. */
typedef struct ki_cut {
    uint32_t a, b;
    bool both;
    uint64_t until_ns; /* 0: nobody */
} ki_cut;

enum {
    SIM_CUTS = 64,
};

typedef struct ki_sim {
    const kith_sim_config *config;
    kith_sim_report *report;
    uint64_t dice, now_ns, event_ns;
    uint32_t count, street;
    ki_member *members;
    ki_net net;
    ki_cut cuts[SIM_CUTS];
    ki_attempt *attempts;
    uint32_t attempt_count, attempt_size;
} ki_sim;

/* swarm.c */
kith_time ki_sim_time(const ki_sim *s, const ki_member *m);
int ki_sim_up(ki_sim *s, ki_member *m, kith_error *err);
/* The power of a node goes. */
int ki_sim_down(ki_sim *s, ki_member *m);
int ki_sim_run(ki_sim *s, uint64_t until_ns);

/* faults.c */
void ki_sim_draw(ki_sim *s);
void ki_sim_event(ki_sim *s); /* something happens: a post, or a fault */
void ki_sim_over(ki_sim *s);  /* what has lasted long enough ends */
int ki_sim_heal(ki_sim *s, kith_error *err);

/* check.c. Each returns 0, or < 0 when something is broken; what is wrong with the nodes
 * stands in report->wrong. */
int ki_sim_post(ki_sim *s, ki_member *m);
void ki_sim_wrong(ki_sim *s, const char *fmt, ...) KITH_PRINTF(2, 3);
bool ki_sim_alike(ki_sim *s); /* cheap: as many packets everywhere */
int ki_sim_judge(ki_sim *s);

#endif
