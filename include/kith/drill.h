/* SPDX-License-Identifier: Apache-2.0 */
/* kith/drill.h - what liars would do to an answer: a rehearsal on a copy.
 *
 * Invented sources are laid beside the leaves of a real answer, the same function pools
 * them again, and the shift stands beside what is promised. Values in, values out: no
 * store, no clock, and the same seed gives the same liars. docs/answers.md says what the
 * bound is made of.
 */
#ifndef KITH_DRILL_H
#define KITH_DRILL_H

#include <kith/synthesis.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_DRILL_SOURCES_MIN 8  /* below, nothing is promised of liars */
#define KITH_DRILL_PERCENT_MAX 30 /* nor above */

typedef enum kith_drill_lie {
    KITH_DRILL_GROSS = 0,   /* all far out, on one side, as precise as honest sources */
    KITH_DRILL_STEALTH = 1, /* all inside the honest spread, on one side: no outliers */
} kith_drill_lie;

typedef struct kith_drill_plan {
    kith_drill_lie lie;
    uint32_t percent; /* of all sources, the liars among them; 1 to PERCENT_MAX */
    uint64_t seed;
} kith_drill_plan;

/* A liar, and what became of it. */
typedef struct kith_drill_liar {
    kith_leaf leaf;
    kith_vote vote;
} kith_drill_liar;

/* In the unit of the leaves. */
typedef struct kith_drill {
    bool insufficient; /* then only k and missing mean anything */
    uint32_t k, missing, liars;
    uint32_t named;   /* liars that were flagged */
    uint32_t accused; /* others that were not flagged before, and now are */
    double spread;    /* of the sources: root of their tau2 and median variance together */
    kith_answer before, after;
    double shift, bound; /* of the estimate, without sign */
    bool inside;         /* shift <= bound */
} kith_drill;

/* How many liars so many percent are beside k sources; at least one. */
KITH_API uint32_t kith_drill_liars(uint32_t k, uint32_t percent);

/* ret_liars has room for kith_drill_liars of them. E_ARG: a plan or leaves that make no
 * sense, or options that name nobody (plain). */
KITH_API KITH_MUST_USE int kith_drill_run(const kith_leaf *leaves, size_t count,
    const kith_pool_options *options, const kith_drill_plan *plan, kith_drill *ret,
    kith_drill_liar *ret_liars);

#ifdef __cplusplus
}
#endif
#endif
