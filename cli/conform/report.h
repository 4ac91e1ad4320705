/* SPDX-License-Identifier: Apache-2.0 */
/* How far a run of checks has come, and what is printed of it. The process that
 * watches reads it too: see conform.c. */
#ifndef CONFORM_REPORT_H
#define CONFORM_REPORT_H

#include "cli/conform/world.h"
#include "cli/out.h"

typedef struct tally {
    out *out;
    const char *url, *only, *plugins;
    char tmp[PATH_SIZE];
    bool slow;
    uint64_t seed, begun_ns;
    const char *name; /* of the check under way */
    int total, number, passed, failed, skipped, native;
    uint32_t can;
    kith_level level;
    uint8_t digest[32];
    int code;
    bool planned; /* the plan is printed */
    bool ended;   /* in good order; code says how */
} tally;

void report_plan(const tally *t);
void report_check(const tally *t, const world *w); /* the one under way */
void report_end(const tally *t);

#endif
