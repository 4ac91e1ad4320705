/* SPDX-License-Identifier: Apache-2.0 */
/* cli/pool.h - a table of effects, one row a source, and what `kith pool` says of it. */
#ifndef CLI_POOL_H
#define CLI_POOL_H

#include "cli/command.h"

#include <kith/synthesis.h>

typedef struct pool_source {
    double y, v;
    char *name;    /* NULL: the row is a source of its own */
    size_t number; /* of the source, in the order of the input, from 1 */
} pool_source;

/* One row for each source, as it came, and as it is after the robust step. */
typedef struct pool {
    pool_source *sources;
    size_t k, room;
    size_t lines;    /* rows that were read */
    size_t copies;   /* of them a source's own row once more, counted once */
    size_t combined; /* and rows that went into another's vote */
    kith_row *rows;  /* of sources, in their order */
    kith_table table;
} pool;

/* The robust step over the whole table. Fates and residuals in the order of sources. */
typedef struct pool_robust {
    kith_answer answer; /* in units of 2^scale: only its counts and flags are shown */
    kith_vote *votes;
    double m, m_se, hodges_lehmann;
    kith_table kept; /* of those that were kept, with the capped variances */
    size_t kept_count;
    bool alarm;
} pool_robust;

/* 0, or a KITH_E_*. */
int pool_robust_of(const pool *p, pool_robust *ret);
void pool_robust_fini(pool_robust *r);

/* Prints everything; r is NULL without --robust. An exit code. */
int pool_show(const call *c, const pool *p, const pool_robust *r);

#endif
