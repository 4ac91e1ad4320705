/* SPDX-License-Identifier: Apache-2.0 */
/* start, idle, size: what it costs to have kith on a machine, beside nats-server. Like
 * is compared with like: `--version` with `--version`, an idle node with an idle server,
 * each from its start to the moment it says that it is ready. */
#include "process.h"
#include "rows.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SIZE_LIMIT 2e6 /* bytes */

static char nats[] = "nats-server";

typedef struct program {
    const bench *b;
    char *const *argv;
    const char *ready;
} program;

static const char *nats_version(void) {
    static char text[80];
    FILE *f = popen("nats-server --version", "r");
    if (f == NULL || fgets(text, sizeof text, f) == NULL) {
        snprintf(text, sizeof text, "nats-server, version unknown");
    }
    if (f != NULL) {
        pclose(f);
    }
    text[strcspn(text, "\n")] = '\0';
    return text;
}

/* ---- start ---- */

static int rising(const void *a, const void *b) {
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

static int run_version(void *ctx, double *ret) {
    program *p = ctx;
    int times = BENCH_BY(p->b, 3, 21, 61);
    double each[61];
    for (int i = 0; i < times; i++) {
        if (process_run(p->argv, &each[i]) < 0) {
            return -1;
        }
    }
    qsort(each, (size_t) times, sizeof *each, rising);
    *ret = each[times / 2];
    return 0;
}

int row_start(bench *b) {
    static char version[] = "--version";
    char *ours[] = { b->kith, version, NULL }, *theirs[] = { nats, version, NULL };
    program a = { .b = b, .argv = ours }, c = { .b = b, .argv = theirs };
    static const bench_line line = { .name = "start",
        .what = "kith --version, from spawn to exit, median",
        .ours = 0,
        .peer = 1,
        .target = 0.3 };
    const bench_side sides[] = {
        { .name = "kith --version", .run = run_version, .ctx = &a },
        { .name = "nats-server --version", .run = run_version, .ctx = &c }
    };
    const bench_row row = { .unit = "ns",
        .sides = sides,
        .side_count = 2,
        .lines = &line,
        .line_count = 1,
        .peer = nats_version() };
    return bench_row_run(b, &row);
}

/* ---- idle ---- */

/* Starts it, waits until it says that it is ready, lets it settle, looks, stops it. */
static int look_at(program *p, double *ret_ready_ns, double *ret_rss) {
    process running;
    struct timespec settle = { .tv_nsec = BENCH_BY(p->b, 20, 200, 500) * 1000000L };
    if (process_start(&running, p->argv, p->ready, ret_ready_ns) < 0) {
        return -1;
    }
    nanosleep(&settle, NULL);
    *ret_rss = process_rss(&running);
    process_stop(&running);
    return *ret_rss > 0 ? 0 : bench_failed("%s is gone", p->argv[0]);
}

static int run_ready(void *ctx, double *ret) {
    double rss;
    return look_at(ctx, ret, &rss);
}

static int run_rss(void *ctx, double *ret) {
    double ready;
    return look_at(ctx, &ready, ret);
}

static int compare(bench *b, const bench_line *line, bench_run run, const char *unit) {
    static char command[] = "run", carrier[] = "--carrier", any[] = "-1", host[] = "-a",
                local[] = "127.0.0.1", port[] = "-p";
    char folder[600];
    snprintf(folder, sizeof folder, "dir://%s/idle", b->dir);
    char *ours[] = { b->kith, command, carrier, folder, NULL };
    char *theirs[] = { nats, host, local, port, any, NULL };
    program a = { .b = b, .argv = ours, .ready = "\"event\":\"ready\"" };
    program c = { .b = b, .argv = theirs, .ready = "Server is ready" };
    const bench_side sides[] = { { .name = "kith run", .run = run, .ctx = &a },
        { .name = "nats-server", .run = run, .ctx = &c } };
    const bench_row row = { .unit = unit,
        .sides = sides,
        .side_count = 2,
        .lines = line,
        .line_count = 1,
        .peer = nats_version() };
    return bench_row_run(b, &row);
}

/* A node with its key, its store on disk and a shared folder; nothing to do. */
int row_idle(bench *b) {
    static const bench_line ready = { .name = "idle-ready",
        .what = "an idle node, from spawn until it says that it is ready",
        .ours = 0,
        .peer = 1,
        .target = 1 };
    static const bench_line rss = { .name = "idle-rss",
        .what = "an idle node, resident memory",
        .ours = 0,
        .peer = 1,
        .target = 0.6 };
    static char init[] = "init";
    char *argv[] = { b->kith, init, NULL };
    double ns;
    setenv("XDG_CONFIG_HOME", b->dir, 1);
    setenv("XDG_DATA_HOME", b->dir, 1);
    if (process_run(argv, &ns) < 0 || compare(b, &ready, run_ready, "ns") < 0) {
        return -1;
    }
    return compare(b, &rss, run_rss, "B");
}

/* ---- size ---- */

/* A copy without symbols, as a package would hold it; its size, or 0. */
static double stripped(const bench *b, const char *path) {
    char copy[600];
    snprintf(copy, sizeof copy, "%s/stripped", b->dir);
    char program_name[] = "strip", o[] = "-o", from[600];
    snprintf(from, sizeof from, "%s", path);
    char *argv[] = { program_name, o, copy, from, NULL };
    struct stat st;
    double ns;
    return process_run(argv, &ns) == 0 && stat(copy, &st) == 0 ? (double) st.st_size : 0;
}

/* The shared libkith that a program loads; "" if it holds it. */
static void library_of(const char *path, char *ret, size_t size) {
    char command[600], line[1024];
    snprintf(command, sizeof command, "ldd '%s'", path);
    FILE *f = popen(command, "r");
    ret[0] = '\0';
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        char *name = strstr(line, "libkith"), *to = strstr(line, "=> ");
        if (name != NULL && to != NULL && name < to) {
            to[3 + strcspn(to + 3, " \n")] = '\0';
            snprintf(ret, size, "%s", to + 3);
        }
    }
    if (f != NULL) {
        pclose(f);
    }
}

int row_size(bench *b) {
    static const bench_line line = { .name = "size",
        .what = "the stripped command line, with libkith where it is shared",
        .target = SIZE_LIMIT };
    char library[600];
    double bytes = stripped(b, b->kith);
    library_of(b->kith, library, sizeof library);
    if (bytes > 0 && library[0] != '\0') {
        double more = stripped(b, library);
        bytes = more > 0 ? bytes + more : 0;
    }
    if (bytes <= 0) {
        return bench_failed("%s cannot be stripped", b->kith);
    }
    bench_value(b, &line, bytes, "B", "a limit of 2 MB; Debian's libraries not counted");
    return 0;
}
