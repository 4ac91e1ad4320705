/* SPDX-License-Identifier: Apache-2.0 */
/* pool: every statistic of rows effect,variance[,source]. */
#include "cli/pool.h"
#include "cli/rows.h"
#include "cli/verbs.h"

#include <stdlib.h>
#include <string.h>

static const column columns[] = {
    { "effect|yi", true },
    { "variance|vi", true },
    { "source", false },
    { NULL, false },
};

static bool take_row(void *ctx, const row_cells *row, char why[ROW_WHY]) {
    pool *p = ctx;
    double y, v;
    for (int i = 0; i < 2; i++) {
        if (!cell_number(row->cell[i], i == 0 ? &y : &v)) {
            snprintf(why, ROW_WHY, "%s '%.60s' is no finite number",
                i == 0 ? "effect" : "variance", row->cell[i]);
            return false;
        }
    }
    if (!(v > 0)) {
        snprintf(why, ROW_WHY, "variance %.60s is not above 0", row->cell[1]);
        return false;
    }
    if (p->k == KITH_LEAVES_MAX) {
        snprintf(why, ROW_WHY, "over %u rows", KITH_LEAVES_MAX);
        return false;
    }
    if (p->k == p->room) {
        size_t room = p->room == 0 ? 256 : 2 * p->room;
        pool_source *more = realloc(p->sources, room * sizeof *more);
        if (more == NULL) {
            snprintf(why, ROW_WHY, "no memory for more rows");
            return false;
        }
        p->sources = more;
        p->room = room;
    }
    char *name = row->cell[2] == NULL ? NULL : strdup(row->cell[2]);
    p->sources[p->k] = (pool_source){ .y = y, .v = v, .name = name, .number = p->k };
    p->k++;
    return true;
}

static int sign_of(double a, double b) {
    return (a > b) - (a < b);
}

/* Named sources together, each with its numbers in order. */
static int by_name(const void *a, const void *b) {
    const pool_source *x = a, *z = b;
    if (x->name == NULL || z->name == NULL) {
        int order = (x->name != NULL) - (z->name != NULL);
        return order != 0 ? order : (x->number > z->number) - (x->number < z->number);
    }
    int order = strcmp(x->name, z->name);
    order = order != 0 ? order : sign_of(x->v, z->v);
    order = order != 0 ? order : sign_of(x->y, z->y);
    return order != 0 ? order : (x->number > z->number) - (x->number < z->number);
}

static int by_number(const void *a, const void *b) {
    const pool_source *x = a, *z = b;
    return (x->number > z->number) - (x->number < z->number);
}

static bool one_source(const pool_source *a, const pool_source *b) {
    return a->name != NULL && b->name != NULL && strcmp(a->name, b->name) == 0;
}

/* What one source said in several rows is one vote, weighted by their precision; the
 * same row again is a copy and says nothing. Measured from the first, so that nothing
 * cancels. */
static pool_source vote_of(pool *p, const pool_source *of, size_t count) {
    pool_source vote = of[0];
    long double weight = 1 / (long double) of[0].v, off = 0;
    size_t said = 1;
    for (size_t i = 1; i < count; i++) {
        vote.number = of[i].number < vote.number ? of[i].number : vote.number;
        if (of[i].y == of[i - 1].y && of[i].v == of[i - 1].v) {
            p->copies++;
            continue;
        }
        long double w = 1 / (long double) of[i].v;
        weight += w;
        off += w * ((long double) of[i].y - (long double) of[0].y);
        said++;
    }
    if (said > 1) {
        p->combined += said;
        vote.y = (double) ((long double) of[0].y + off / weight);
        vote.v = (double) (1 / weight);
    }
    return vote;
}

static void combine(pool *p) {
    size_t k = 0;
    qsort(p->sources, p->k, sizeof *p->sources, by_name);
    for (size_t from = 0, to = 0; from < p->k; from = to) {
        for (to = from + 1; to < p->k && one_source(&p->sources[from], &p->sources[to]);) {
            to++;
        }
        pool_source vote = vote_of(p, p->sources + from, to - from);
        for (size_t i = from + 1; i < to; i++) free(p->sources[i].name);
        p->sources[k++] = vote;
    }
    p->k = k;
    qsort(p->sources, k, sizeof *p->sources, by_number);
    for (size_t i = 0; i < k; i++) p->sources[i].number = i + 1;
}

static int compute(const call *c, pool *p) {
    p->rows = calloc(p->k, sizeof *p->rows);
    if (p->rows == NULL) return fault(c->out, E_MEMORY, "rows", NULL);
    for (size_t i = 0; i < p->k; i++) {
        p->rows[i] = (kith_row){ p->sources[i].y, p->sources[i].v };
    }
    int r = kith_table_fit(p->rows, p->k, &p->table);
    if (r == KITH_E_NOTSUP) {
        return fault(c->out, E_ROW, "the table",
            "this machine's numbers end near 1e30: scale effects by c, variances by c*c");
    }
    return r == 0 ? 0 : fault(c->out, E_MEMORY, "the table", NULL);
}

static int pool_of(const call *c, pool *p) {
    const pool_flags *f = c->flags;
    p->lines = p->k;
    combine(p);
    int code = compute(c, p);
    if (code != 0 || !f->robust) return code != 0 ? code : pool_show(c, p, NULL);
    pool_robust r = { .votes = NULL };
    code = pool_robust_of(p, &r) == 0 ? pool_show(c, p, &r)
                                      : fault(c->out, E_MEMORY, "the robust step", NULL);
    pool_robust_fini(&r);
    return code;
}

int verb_pool(const call *c) {
    pool p = { .k = 0 };
    int code = each_row(c, c->arg_count == 0 ? "-" : c->args[0], columns, take_row, &p);
    if (code == 0) code = pool_of(c, &p);
    for (size_t i = 0; i < p.k; i++) free(p.sources[i].name);
    free(p.sources);
    free(p.rows);
    return code;
}
