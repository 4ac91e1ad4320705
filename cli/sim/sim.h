/* SPDX-License-Identifier: Apache-2.0 */
/* cli/sim/sim.h - what the parts of `kith sim` share. */
#ifndef CLI_SIM_SIM_H
#define CLI_SIM_SIM_H

#include "cli/command.h"

#include <kith/sim.h>

/* A picture of the panels, one below the other: the same panels, the same bytes. What
 * is promised stands as a thin bar behind its point; a point outside is red. */
void sim_svg(FILE *to, const kith_sim_panel *panels, size_t count);

/* Whole nodes through faults: a row for each seed. The exit code. */
int sim_faults(const call *c);

/* The panels of a list of letters: table, JSON, picture. The exit code. */
int sim_panels(const call *c, const char *letters);

#endif
