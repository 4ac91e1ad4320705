/* SPDX-License-Identifier: Apache-2.0 */
/* sums-add, answer-1000, answer-robust, answer-cell, reml: what an answer costs, beside
 * sorting as many doubles, beside plain doubles, and beside metafor. */
#include "process.h"
#include "rows.h"

#include <kith/synthesis.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STUDIES 100
#define R_FITS  "100"

typedef struct pooling {
    const bench *b;
    size_t k;
    kith_leaf *leaves;
    double *values, *scratch;
    kith_sums sums;
    double plain[5], sink;
    uint64_t failed;
    char csv[640];
} pooling;

static double uniform(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double) (*state >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t *state) {
    return sqrt(-2 * log(uniform(state))) * cos(2 * M_PI * uniform(state));
}

static int prepare(pooling *p, const bench *b, size_t k) {
    uint64_t state = 7;
    *p = (pooling){ .b = b, .k = k };
    p->leaves = calloc(k, sizeof *p->leaves);
    p->values = calloc(k, sizeof *p->values);
    p->scratch = calloc(k, sizeof *p->scratch);
    if (!p->leaves || !p->values || !p->scratch) return bench_failed("no memory");
    for (size_t i = 0; i < k; i++) {
        kith_leaf *leaf = &p->leaves[i];
        leaf->v = exp(normal(&state)) / 10;
        leaf->y = 0.3 * normal(&state) + sqrt(leaf->v) * normal(&state);
        leaf->relevance = 1;
        for (int n = 0; n < 8; n++) leaf->source[n] = (uint8_t) (i >> (56 - 8 * n));
        p->values[i] = leaf->y;
        p->failed += kith_sums_add(&p->sums, leaf->y, leaf->v) != 0;
    }
    return p->failed == 0 ? 0 : bench_failed("a leaf is refused");
}

static void finish(pooling *p) {
    free(p->leaves);
    free(p->values);
    free(p->scratch);
}

static void add_exact(void *ctx, uint64_t count) {
    pooling *p = ctx;
    kith_sums sums = { .count = 0 };
    for (uint64_t i = 0; i < count; i++) {
        const kith_leaf *leaf = &p->leaves[i % p->k];
        p->failed += kith_sums_add(&sums, leaf->y, leaf->v) != 0;
    }
    p->sink += (double) sums.s[0].low;
}

/* The same sums, behind a call as ours are. */
__attribute__((noinline)) static int add_double(double sums[5], double y, double v) {
    if (!(fabs(y) <= 1024 && v >= 0x1p-20 && v <= 0x1p20)) return -1;
    double w = 1 / v, wy = w * y;
    sums[0] += 1;
    sums[1] += w;
    sums[2] += w * w;
    sums[3] += wy;
    sums[4] += wy * y;
    return 0;
}

static void add_plain(void *ctx, uint64_t count) {
    pooling *p = ctx;
    double sums[5] = { 0 };
    for (uint64_t i = 0; i < count; i++) {
        const kith_leaf *leaf = &p->leaves[i % p->k];
        p->failed += add_double(sums, leaf->y, leaf->v) != 0;
    }
    p->sink += sums[4];
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

static void sort_once(void *ctx, uint64_t count) {
    pooling *p = ctx;
    for (uint64_t i = 0; i < count; i++) {
        memcpy(p->scratch, p->values, p->k * sizeof *p->values);
        qsort(p->scratch, p->k, sizeof *p->scratch, by_value);
        p->sink += p->scratch[p->k / 2];
    }
}

static void answer_once(void *ctx, uint64_t count) {
    pooling *p = ctx;
    kith_answer answer;
    for (uint64_t i = 0; i < count; i++) {
        p->failed += kith_pool_answer(p->leaves, p->k, NULL, NULL, &answer, NULL) != 0;
        p->sink += answer.kept.mu;
    }
}

static void derive_once(void *ctx, uint64_t count) {
    pooling *p = ctx;
    for (uint64_t i = 0; i < count; i++) {
        double mu, q, tau2;
        p->failed += kith_sums_derive(&p->sums, &mu, &q, &tau2) != 0;
        p->sink += mu + q + tau2;
    }
}

static void reml_once(void *ctx, uint64_t count) {
    pooling *p = ctx;
    kith_fit fit;
    for (uint64_t i = 0; i < count; i++) {
        p->failed +=
            kith_pool_fit(p->leaves, p->k, KITH_POOL_REML, KITH_CI_WALD, &fit) != 0;
        p->sink += fit.tau2;
    }
}

static int timed(pooling *p, uint64_t chunk, void (*step)(void *, uint64_t), double *ret) {
    *ret = bench_loop(p->b, chunk, step, p);
    return p->failed == 0 ? 0 : bench_failed("an answer was refused");
}

static int run_add_exact(void *ctx, double *ret) {
    return timed(ctx, 4096, add_exact, ret);
}
static int run_add_plain(void *ctx, double *ret) {
    return timed(ctx, 4096, add_plain, ret);
}
static int run_sort(void *ctx, double *ret) {
    return timed(ctx, 1, sort_once, ret);
}
static int run_answer(void *ctx, double *ret) {
    return timed(ctx, 1, answer_once, ret);
}
static int run_derive(void *ctx, double *ret) {
    return timed(ctx, 64, derive_once, ret);
}
static int run_reml(void *ctx, double *ret) {
    return timed(ctx, 1, reml_once, ret);
}

static int compare(
    bench *b, const bench_side sides[2], const bench_line *line, const char *peer) {
    const bench_row row = { .unit = "ns",
        .sides = sides,
        .side_count = 2,
        .lines = line,
        .line_count = 1,
        .pin = true,
        .peer = peer };
    return bench_row_run(b, &row);
}

int row_sums_add(bench *b) {
    static const bench_line line = { .name = "sums-add",
        .what = "add one packet to the exact sums",
        .peer = 1,
        .target = 2 };
    pooling p;
    if (prepare(&p, b, 4096) < 0) return -1;
    const bench_side sides[] = { { .name = "kith", .run = run_add_exact, .ctx = &p },
        { .name = "doubles", .run = run_add_plain, .ctx = &p } };
    int r = compare(b, sides, &line, "the same sums and range check in plain doubles");
    finish(&p);
    return r;
}

static int against_sorting(bench *b, size_t k, const bench_line *line, double *ret_ns) {
    pooling p;
    if (prepare(&p, b, k) < 0) return -1;
    const bench_side sides[] = { { .name = "kith", .run = run_answer, .ctx = &p },
        { .name = "sort", .run = run_sort, .ctx = &p } };
    int r = compare(b, sides, line, "qsort of the same effects");
    if (r == 0 && ret_ns != NULL) r = run_answer(&p, ret_ns);
    finish(&p);
    return r;
}

int row_answer(bench *b) {
    static const bench_line line = { .name = "answer-1000",
        .what = "default answer from 1,000 packets, liars and all",
        .peer = 1,
        .target = 5 };
    static const bench_line limit = {
        .name = "answer-1000/limit", .what = "the same against a millisecond", .target = 1
    };
    double ns;
    int r = against_sorting(b, 1000, &line, &ns);
    if (r == 0) bench_value(b, &limit, ns / 1e6, "ms", "a limit");
    return r;
}

int row_answer_robust(bench *b) {
    static const bench_line line = { .name = "answer-robust",
        .what = "robust answer from 10^6 packets",
        .peer = 1,
        .target = 10 };
    return against_sorting(b, BENCH_BY(b, 10000, 1000000, 1000000), &line, NULL);
}

int row_answer_cell(bench *b) {
    static const bench_line line = { .name = "answer-cell",
        .what = "answer for a cell from 10^6 stored packets through its sums",
        .peer = 1,
        .target = 1.5 };
    pooling many, few;
    if (prepare(&many, b, BENCH_BY(b, 10000, 1000000, 1000000)) < 0) return -1;
    if (prepare(&few, b, 1000) < 0) return -1;
    const bench_side sides[] = { { .name = "10^6", .run = run_derive, .ctx = &many },
        { .name = "10^3", .run = run_derive, .ctx = &few } };
    int r = compare(b, sides, &line, "the same cell with 10^3 packets");
    finish(&many);
    finish(&few);
    return r;
}

/* ---- metafor ---- */

/* ns for `fits` fits, R's own start included. */
static int run_r(const pooling *p, const char *fits, double *ret_ns) {
    char program[] = "Rscript", dash[] = "-e", script[1024];
    snprintf(script, sizeof script,
        "suppressMessages(library(metafor)); d <- read.csv('%s'); "
        "for (i in seq_len(%s)) rma(yi, vi, data=d, method='REML')",
        p->csv, fits);
    char *argv[] = { program, dash, script, NULL };
    return process_run(argv, ret_ns);
}

static int run_metafor(void *ctx, double *ret) {
    double with, without;
    if (run_r(ctx, R_FITS, &with) < 0 || run_r(ctx, "0", &without) < 0) return -1;
    *ret = (with - without) / atof(R_FITS);
    return *ret > 0 ? 0 : bench_failed("R was too busy to be measured");
}

static bool metafor_is_here(void) {
    return access("/usr/bin/Rscript", X_OK) == 0 &&
           access("/usr/lib/R/site-library/metafor/DESCRIPTION", R_OK) == 0;
}

int row_reml(bench *b) {
    static const bench_line line = {
        .name = "reml", .what = "REML fit of 100 studies", .peer = 1, .target = 0.001
    };
    pooling p;
    if (!metafor_is_here()) {
        fprintf(stderr, "reml is left out: no metafor (apt-get install r-cran-metafor)\n");
        return 0;
    }
    if (prepare(&p, b, STUDIES) < 0) return -1;
    snprintf(p.csv, sizeof p.csv, "%s/reml.csv", b->dir);
    FILE *to = fopen(p.csv, "we");
    if (to == NULL) return bench_failed("cannot write %s", p.csv);
    fputs("yi,vi\n", to);
    for (size_t i = 0; i < p.k; i++) {
        fprintf(to, "%.17g,%.17g\n", p.leaves[i].y, p.leaves[i].v);
    }
    if (fclose(to) != 0) return bench_failed("cannot write %s", p.csv);
    const bench_side sides[] = { { .name = "kith", .run = run_reml, .ctx = &p },
        { .name = "metafor", .run = run_metafor, .ctx = &p } };
    int r =
        compare(b, sides, &line, "rma() of Debian's r-cran-metafor, R's start taken off");
    finish(&p);
    return r;
}
