/* SPDX-License-Identifier: Apache-2.0 */
/* kith/sim.h - the swarm in a box: what kith promises of many nodes, measured.
 *
 * A panel is a picture with points that must lie between bounds: error against
 * the number of nodes, liars, gossip, decay. It draws a world with a known truth
 * from one seed and gives it to the same functions a node calls (kith/synthesis.h),
 * so what it shows is this library and no model of it. The same seed gives the
 * same points on the same machine. Reads no clock.
 */
#ifndef KITH_SIM_H
#define KITH_SIM_H

#include <kith/error.h>
#include <kith/export.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_SIM_PANELS     "ABCDEFGHIJ"
#define KITH_SIM_POINTS_MAX 192
#define KITH_SIM_SERIES_MAX 47
#define KITH_SIM_LABEL_MAX  23

typedef struct kith_sim_point {
    char series[KITH_SIM_SERIES_MAX + 1];
    char label[KITH_SIM_LABEL_MAX + 1]; /* of x, where it is no number; else "" */
    double x, value;
    double low, high; /* must lie between; NaN: shown, and nothing is promised */
    bool aside;       /* a figure beside the picture: a count, a slope */
} kith_sim_point;

typedef struct kith_sim_panel {
    char letter;
    const char *title, *x, *y; /* x and y: names of the axes */
    bool log_x, log_y;
    uint64_t seed;
    bool quick;
    uint32_t count;
    kith_sim_point points[KITH_SIM_POINTS_MAX];
} kith_sim_panel;

/* Works until it is done: seconds, or minutes for the whole panel A. quick: fewer
 * draws and smaller swarms; bounds are then wider by three sampling errors.
 * E_NOTSUP: a panel that is not built yet. E_ARG: no such letter. */
KITH_API KITH_MUST_USE int kith_sim_panel_run(
    char letter, uint64_t seed, bool quick, kith_sim_panel *ret, kith_error *err);

/* Is the point where it must be? A value that is no number is not. */
KITH_API bool kith_sim_point_good(const kith_sim_point *point);

/* ---- a swarm of whole nodes, and what befalls them ---- */

#define KITH_SIM_NODES_MAX 1000

/* Faults, as bits; each seed draws a part of those that are allowed. */
enum {
    KITH_SIM_LOSS = 1u << 0,      /* messages are lost, up to 40 % */
    KITH_SIM_REPEAT = 1u << 1,    /* and come twice, up to 20 % */
    KITH_SIM_DELAY = 1u << 2,     /* late, up to 10 s, so in another order */
    KITH_SIM_PARTITION = 1u << 3, /* nodes do not hear others, one or both ways */
    KITH_SIM_CRASH = 1u << 4,     /* the power goes: what was not synced is lost or torn */
    KITH_SIM_CLOCK = 1u << 5,     /* wall clocks are set wrong and right again */
    KITH_SIM_SYNC = 1u << 6,      /* an fsync fails */
    KITH_SIM_FULL = 1u << 7,      /* the disk is full for a while */
    KITH_SIM_PAUSE = 1u << 8,     /* a node stands still, up to 2 min */
    KITH_SIM_ALL = (1u << 9) - 1,
};
/* "loss", "repeat" ...; NULL behind the last. */
KITH_API const char *kith_sim_fault_name(size_t index);

/* Mistakes that are planted on purpose, one for each thing that is checked. */
enum {
    KITH_SIM_BUG_NONE = 0,
    KITH_SIM_BUG_LOST = 1,     /* a disk that only says that it synced */
    KITH_SIM_BUG_INVENTED = 2, /* a packet that nobody posted */
    KITH_SIM_BUG_APART = 3,    /* a partition that is not healed */
    KITH_SIM_BUG_TWICE = 4,    /* a poster that says again what was stored */
};

typedef struct kith_sim_config {
    uint64_t seed;
    uint32_t nodes;     /* 2 to KITH_SIM_NODES_MAX; 0: drawn, 3 to 8 */
    int64_t until_ns;   /* how long faults go on; 0: drawn, 1 to 8 minutes */
    uint32_t faults;    /* KITH_SIM_* that may be drawn */
    const char *folder; /* an existing folder for the simulated disks, best in memory */
    int bug;            /* KITH_SIM_BUG_* */
} kith_sim_config;

/* What happened. The same config, the same report, but for `folder`. */
typedef struct kith_sim_report {
    uint32_t nodes, disks, faults; /* disks: nodes with a store on a simulated disk */
    uint32_t loss, repeat;         /* percent */
    int64_t delay_ns, until_ns, healed_ns; /* healed: from the last fault to one digest */
    uint64_t posted, refused;              /* acknowledged; not acknowledged */
    uint64_t crashes, partitions, clocks, pauses, fulls, syncs;
    uint64_t messages, lost, repeated;
    uint64_t turns, checks;
    bool good;
    char wrong[200];    /* what was found, when not good */
    uint8_t digest[32]; /* of the state of every node, and of all that was counted */
} kith_sim_report;

/* Runs it: nodes as they are, with real stores, on a network, disks and clocks that
 * follow from the seed. First faults, then everything is healed, and all must agree:
 * nothing acknowledged is lost, nothing counts twice, nothing is invented, one digest.
 * A nodes' store lies on a simulated disk, or in memory where there are more than 16.
 * No store of this process may have been opened before the first run: E_NOTSUP. */
KITH_API KITH_MUST_USE int kith_sim_swarm_run(
    const kith_sim_config *config, kith_sim_report *ret, kith_error *err);

#ifdef __cplusplus
}
#endif
#endif
