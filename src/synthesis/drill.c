/* SPDX-License-Identifier: Apache-2.0 */
/* drill.c - liars beside real leaves, and how far they carry the answer. */
#include <kith/drill.h>

#include "base/check.h"
#include "base/draw.h"

#include <stdlib.h>
#include <string.h>

/* In the spread of the sources. The swarm that the bounds were measured on spreads by
 * 0.475 and its liars stand at 5 and at 0.6 (docs/synthesis.md, robust default). */
#define GROSS_AT   10.5
#define STEALTH_AT 1.25
#define JITTER     0.1

/* What the answer may move, in its own standard error and in the reach of the lie. */
#define GROSS_SE   2.0
#define STEALTH_SE 1.0
#define REACH      1.25

uint32_t kith_drill_liars(uint32_t k, uint32_t percent) {
    CHECK(percent < 100);
    uint64_t liars = ((uint64_t) k * percent + (100 - percent) / 2) / (100 - percent);
    return liars == 0 ? 1 : (uint32_t) liars;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

/* Everybody, the liars behind the others; votes with and without them. */
typedef struct crowd {
    kith_leaf *leaves;
    kith_vote *votes, *before;
    double *v;
    size_t honest, count;
} crowd;

static int crowd_init(crowd *c, const kith_leaf *leaves, size_t honest, size_t liars) {
    *c = (crowd){ .honest = honest, .count = honest + liars };
    c->leaves = calloc(c->count, sizeof *c->leaves);
    c->votes = calloc(c->count, sizeof *c->votes);
    c->before = calloc(c->count, sizeof *c->before);
    c->v = calloc(c->count, sizeof *c->v);
    if (c->leaves == NULL || c->votes == NULL || c->before == NULL || c->v == NULL) {
        return KITH_E_MEMORY;
    }
    memcpy(c->leaves, leaves, honest * sizeof *leaves);
    return 0;
}

static void crowd_fini(crowd *c) {
    free(c->leaves);
    free(c->votes);
    free(c->before);
    free(c->v);
}

static double median_v(crowd *c) {
    size_t k = c->honest;
    CHECK(k > 0);
    for (size_t i = 0; i < k; i++) c->v[i] = c->leaves[i].v;
    qsort(c->v, k, sizeof *c->v, by_size);
    return (c->v[(k - 1) / 2] + c->v[k / 2]) / 2;
}

/* The liars agree, for that is the worst they can do. Each takes its variance from a
 * source by lot, or where it would not be seen, the median. */
static void plant(crowd *c, const kith_drill_plan *plan, kith_drill *ret) {
    uint64_t dice = plan->seed;
    double v = median_v(c), tau2 = ret->before.kept.tau2;
    bool gross = plan->lie == KITH_DRILL_GROSS;
    ret->spread = sqrt(v + (tau2 > 0 ? tau2 : 0));
    double side = dice_below(&dice, 2) == 0 ? 1 : -1;
    for (size_t i = c->honest; i < c->count; i++) {
        const kith_leaf *like = &c->leaves[dice_below(&dice, c->honest)];
        double at = (gross ? GROSS_AT : STEALTH_AT) + JITTER * draw_normal(&dice);
        c->leaves[i] = (kith_leaf){ .y = ret->before.kept.mu + side * at * ret->spread,
            .v = gross ? like->v : v,
            .relevance = 1,
            .n = like->n,
            .t_end_us = like->t_end_us };
        for (size_t b = 0; b < KITH_KEYID_SIZE; b++) {
            c->leaves[i].source[b] = (uint8_t) (dice_roll(&dice) >> 56);
        }
    }
}

static void count_named(const crowd *c, kith_drill *ret, kith_drill_liar *ret_liars) {
    for (size_t i = 0; i < c->count; i++) {
        bool flagged = c->votes[i].fate == KITH_VOTE_FLAGGED;
        if (i >= c->honest) {
            ret->named += flagged;
            ret_liars[i - c->honest] =
                (kith_drill_liar){ .leaf = c->leaves[i], .vote = c->votes[i] };
        } else {
            ret->accused += flagged && c->before[i].fate != KITH_VOTE_FLAGGED;
        }
    }
    CHECK(ret->named <= ret->liars);
}

/* Who is far out is left out, so that only noise may move: two standard errors. Who is not
 * can be told from nobody: he moves the answer by his share of his distance. */
static double bound_of(const kith_drill *d, const kith_drill_plan *plan) {
    double se = d->before.kept.se, share = (double) d->liars / (d->k + d->liars);
    if (plan->lie == KITH_DRILL_GROSS) {
        return GROSS_SE * se;
    }
    return STEALTH_SE * se + REACH * share * STEALTH_AT * d->spread;
}

static int rehearse(crowd *c, const kith_pool_options *options, const kith_drill_plan *plan,
    kith_drill *ret, kith_drill_liar *ret_liars) {
    int r = kith_pool_answer(c->leaves, c->honest, NULL, options, &ret->before, c->before);
    if (r != 0) {
        return r;
    }
    if (ret->before.insufficient) {
        ret->insufficient = true;
        ret->missing = ret->before.missing;
        ret->liars = 0;
        return 0;
    }
    plant(c, plan, ret);
    r = kith_pool_answer(c->leaves, c->count, NULL, options, &ret->after, c->votes);
    if (r != 0) {
        return r;
    }
    count_named(c, ret, ret_liars);
    /* Left with too few after the far ones are out is as bad as any shift. */
    ret->shift =
        ret->after.insufficient ? INFINITY : fabs(ret->after.kept.mu - ret->before.kept.mu);
    ret->bound = bound_of(ret, plan);
    ret->inside = ret->shift <= ret->bound;
    return 0;
}

int kith_drill_run(const kith_leaf *leaves, size_t count, const kith_pool_options *options,
    const kith_drill_plan *plan, kith_drill *ret, kith_drill_liar *ret_liars) {
    CHECK(plan != NULL);
    CHECK(ret != NULL);
    CHECK(ret_liars != NULL);
    bool known = plan->lie == KITH_DRILL_GROSS || plan->lie == KITH_DRILL_STEALTH;
    if (!known || plan->percent < 1 || plan->percent > KITH_DRILL_PERCENT_MAX ||
        count > KITH_LEAVES_MAX / 2 || (options != NULL && options->plain)) {
        return KITH_E_ARG;
    }
    kith_drill d = { .k = (uint32_t) count };
    if (count < KITH_DRILL_SOURCES_MIN) {
        d.insufficient = true;
        d.missing = KITH_DRILL_SOURCES_MIN - d.k;
        *ret = d;
        return 0;
    }
    crowd c;
    d.liars = kith_drill_liars(d.k, plan->percent);
    int r = crowd_init(&c, leaves, count, d.liars);
    if (r == 0) r = rehearse(&c, options, plan, &d, ret_liars);
    crowd_fini(&c);
    if (r == 0) *ret = d;
    return r;
}
