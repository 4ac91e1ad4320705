/* SPDX-License-Identifier: Apache-2.0 */
/* bench/harness.h - ours and its peer in turns, in one run: A B A B ...
 *
 * A row is a set of sides, each a function that works for a while and gives one
 * figure. Every round runs each side once, in order; a line compares two sides:
 * the ratio ours / peer of each round, its median and its range. Absolute figures
 * are leads, the ratio is the result. One warm-up round is thrown away.
 */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include "histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BENCH_SIDES_MAX  8
#define BENCH_ROUNDS_MAX 32

typedef enum bench_scale {
    BENCH_TINY = 0,  /* does it run at all: a second for all rows */
    BENCH_QUICK = 1, /* while developing */
    BENCH_FULL = 2,  /* for the record */
} bench_scale;

typedef struct bench {
    bench_scale scale;
    int rounds;
    bool json;       /* lines on stdout are JSON, not a table */
    FILE *out;       /* results.json, or NULL */
    char dir[512];   /* scratch, on a real disk */
    char data[512];  /* filled stores: the same, or a folder that is kept */
    char kith[512];  /* the command line under test */
    unsigned lines;  /* printed so far */
    unsigned missed; /* of these, beyond their target */
} bench;

/* By scale. */
#define BENCH_BY(b, tiny, quick, full)                                                     \
    ((b)->scale == BENCH_TINY ? (tiny) : (b)->scale == BENCH_QUICK ? (quick) : (full))

/* One figure, in the unit of the row; < 0: failed, and said why on stderr. */
typedef int (*bench_run)(void *ctx, double *ret_figure);

typedef struct bench_side {
    const char *name;
    bench_run run;
    void *ctx;
    histogram *latency; /* NULL, or what the side recorded, in ns, over all rounds */
} bench_side;

typedef struct bench_line {
    const char *name; /* "codec-decode/ascii" */
    const char *what; /* one line for the table in the docs */
    int ours, peer;   /* sides */
    double target;    /* of the ratio */
    bool at_least;    /* else: at most */
    int loose;        /* the same two unpinned are sides loose and loose + 1; 0: none */
} bench_line;

typedef struct bench_row {
    const char *unit; /* "ns", "rows/s" */
    const bench_side *sides;
    int side_count;
    const bench_line *lines;
    int line_count;
    bool pin;         /* one thread: also run pinned to one core, and say both */
    const char *peer; /* how the peer is used: version, flags, settings */
} bench_row;

/* Runs and prints a row. 0, or < 0 when a side failed. */
int bench_row_run(bench *b, const bench_row *row);

/* A single value against a limit, where there is nothing to repeat. */
void bench_value(
    bench *b, const bench_line *line, double value, const char *unit, const char *peer);

/* Calls step(ctx, n) in chunks for the time one round takes; ns per operation. */
double bench_loop(
    const bench *b, uint64_t chunk, void (*step)(void *ctx, uint64_t count), void *ctx);

uint64_t bench_ns(void);
int bench_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Of the calling thread. cpu counts those we may use, from the last one down; -1: any. */
void bench_pin(int cpu);
int bench_cpus(void);

/* What the machine did besides us since mark: 1 is nothing. < 0: too short to tell. */
typedef struct bench_idle {
    double total, busy, own;
} bench_idle;
void bench_idle_mark(bench_idle *mark);
double bench_idle_share(const bench_idle *mark);

/* The machine and the build, as members of a JSON object. */
void bench_machine(FILE *to);
/* Writes text as a JSON string. */
void bench_json_text(FILE *to, const char *text);

#endif
