/* SPDX-License-Identifier: Apache-2.0 */
/* The robust step for numbers of any size: in units of the median variance it is that of
 * every answer; the kept are then fitted as they stand. */
#include "cli/pool.h"

#include <math.h>
#include <stdlib.h>

/* The reach of kith_pool_answer, a little less. */
#define SMALL 0x1p-99
#define LARGE 0x1p99

static int by_value(const void *a, const void *b) {
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

/* A row and where it stands in the table. */
typedef struct place {
    kith_row row;
    size_t at;
} place;

/* By the numbers alone, so that rows in any order give the same bits. */
static int by_numbers(const void *a, const void *b) {
    const place *x = a, *z = b;
    int order = (x->row.v > z->row.v) - (x->row.v < z->row.v);
    return order != 0 ? order : (x->row.y > z->row.y) - (x->row.y < z->row.y);
}

/* The power of two nearest to the median standard error: dividing by it is exact. */
static int scale_of(const pool *p, double *scratch) {
    int power;
    for (size_t i = 0; i < p->k; i++) scratch[i] = p->rows[i].v;
    qsort(scratch, p->k, sizeof *scratch, by_value);
    (void) frexp(scratch[p->k / 2], &power);
    return power >= 0 ? power / 2 : -((1 - power) / 2);
}

/* A row beyond reach keeps its distance in standard errors: far from the median it has no
 * weight to lose, and far below it the cap decides. */
static kith_leaf leaf_of(const kith_row *row, size_t rank, int power) {
    kith_leaf leaf = { .relevance = 1 };
    double v = ldexp(row->v, -2 * power), y = ldexp(row->y, -power);
    if (v > LARGE) {
        y = ldexp(1, 49) * (row->y / sqrt(row->v));
        v = ldexp(1, 98);
    }
    leaf.v = v < SMALL ? SMALL : v;
    leaf.y = fabs(y) > LARGE ? copysign(LARGE, y) : y;
    for (int i = 0; i < 8; i++) leaf.source[i] = (uint8_t) (rank >> (56 - 8 * i));
    return leaf;
}

/* The kept rows with the variances that count, fitted without losing a digit. */
static int fit_kept(const pool *p, int power, kith_row *rows, pool_robust *ret) {
    size_t n = 0;
    for (size_t i = 0; i < p->k; i++) {
        const kith_vote *vote = &ret->votes[i];
        if (vote->fate == KITH_VOTE_FLAGGED) continue;
        rows[n] = p->rows[i];
        if (vote->fate == KITH_VOTE_CAPPED) rows[n].v = ldexp(vote->v_used, 2 * power);
        n++;
    }
    ret->kept_count = n;
    return n == 0 ? 0 : kith_table_fit(rows, n, &ret->kept);
}

static int robust_of(
    const pool *p, kith_leaf *leaves, place *places, double *scratch, pool_robust *ret) {
    const kith_pool_options options = { .quorum = 2 };
    int power = scale_of(p, scratch);
    for (size_t i = 0; i < p->k; i++) {
        places[i] = (place){ p->rows[i], i };
        scratch[i] = p->rows[i].y;
    }
    ret->hodges_lehmann = kith_hodges_lehmann(scratch, p->k);
    qsort(places, p->k, sizeof *places, by_numbers);
    for (size_t i = 0; i < p->k; i++) {
        leaves[places[i].at] = leaf_of(&places[i].row, i, power);
    }
    int r = kith_pool_answer(leaves, p->k, NULL, &options, &ret->answer, ret->votes);
    if (r != 0) return r;
    bool centred = p->k >= 2;
    ret->m = centred ? ldexp(ret->answer.m, power) : p->rows[0].y;
    ret->m_se = centred ? ldexp(ret->answer.m_se, power) : (double) NAN;
    ret->alarm = ret->answer.alarm;
    kith_row *rows = calloc(p->k, sizeof *rows);
    r = rows == NULL ? KITH_E_MEMORY : fit_kept(p, power, rows, ret);
    free(rows);
    return r;
}

int pool_robust_of(const pool *p, pool_robust *ret) {
    kith_leaf *leaves = calloc(p->k, sizeof *leaves);
    place *places = calloc(p->k, sizeof *places);
    double *scratch = calloc(p->k, sizeof *scratch);
    ret->votes = calloc(p->k, sizeof *ret->votes);
    int r = KITH_E_MEMORY;
    if (leaves != NULL && places != NULL && scratch != NULL && ret->votes != NULL) {
        r = robust_of(p, leaves, places, scratch, ret);
    }
    free(leaves);
    free(places);
    free(scratch);
    return r;
}

void pool_robust_fini(pool_robust *r) {
    free(r->votes);
    r->votes = NULL;
}
