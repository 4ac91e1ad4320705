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

#ifdef __cplusplus
}
#endif
#endif
