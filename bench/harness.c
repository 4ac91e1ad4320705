/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOISY_BELOW 0.8 /* idle share of the machine; see docs/performance.md */

typedef struct figures {
    double of[BENCH_SIDES_MAX][BENCH_ROUNDS_MAX];
    double idle;
} figures;

typedef struct summary {
    double ours, peer;       /* medians */
    double ratio, low, high; /* median, smallest and largest of the rounds */
} summary;

static int compare(const void *a, const void *b) {
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

static double median(const double *values, int count) {
    double sorted[BENCH_ROUNDS_MAX];
    memcpy(sorted, values, (size_t) count * sizeof *values);
    qsort(sorted, (size_t) count, sizeof *sorted, compare);
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static summary summarise(const figures *f, const bench_line *line, int rounds) {
    double ratio[BENCH_ROUNDS_MAX];
    summary s = { .low = INFINITY, .high = -INFINITY };
    for (int i = 0; i < rounds; i++) {
        ratio[i] = f->of[line->ours][i] / f->of[line->peer][i];
        s.low = fmin(s.low, ratio[i]);
        s.high = fmax(s.high, ratio[i]);
    }
    s.ours = median(f->of[line->ours], rounds);
    s.peer = median(f->of[line->peer], rounds);
    s.ratio = median(ratio, rounds);
    return s;
}

static int play(const bench *b, const bench_row *row, figures *ret) {
    for (int round = -1; round < b->rounds; round++) {
        bench_idle mark;
        if (round == 0) {
            bench_idle_mark(&mark);
        }
        for (int s = 0; s < row->side_count; s++) {
            double figure = 0;
            if (row->sides[s].run(row->sides[s].ctx, &figure) < 0) {
                return bench_failed(
                    "%s: %s failed", row->lines[0].name, row->sides[s].name);
            }
            if (round >= 0) {
                ret->of[s][round] = figure;
            } else if (row->sides[s].latency != NULL) {
                histogram_clear(row->sides[s].latency);
            }
        }
        if (round == b->rounds - 1) {
            ret->idle = bench_idle_share(&mark);
        }
    }
    return 0;
}

static bool met(const bench_line *line, double ratio) {
    return line->at_least ? ratio >= line->target : ratio <= line->target;
}

/* Three significant digits; nanoseconds as a person would say them. */
static void show(char *ret, size_t size, double value, const char *unit) {
    static const char *const letter[] = { "", "k", "M", "G" };
    static const char *const time[] = { "ns", "us", "ms", "s" };
    bool is_time = strcmp(unit, "ns") == 0;
    int step = 0;
    while (step < 3 && fabs(value) >= (is_time ? 1e3 : 1e4)) {
        value /= 1e3;
        step++;
    }
    int digits = fabs(value) >= 100 ? 0 : fabs(value) >= 10 ? 1 : 2;
    snprintf(ret, size, "%.*f %s%s", digits, value, is_time ? "" : letter[step],
        is_time ? time[step] : unit);
}

static void write_latency(FILE *to, const char *name, const histogram *h) {
    if (h == NULL) {
        return;
    }
    fprintf(to,
        ",\"%s_latency_ns\":{\"p50\":%llu,\"p99\":%llu,\"p999\":%llu,\"max\":%llu,"
        "\"count\":%llu}",
        name, (unsigned long long) histogram_at(h, .5),
        (unsigned long long) histogram_at(h, .99),
        (unsigned long long) histogram_at(h, .999), (unsigned long long) h->max,
        (unsigned long long) h->count);
}

static void write_json(FILE *to, const bench *b, const bench_row *row,
    const bench_line *line, const summary *s, double idle, double unpinned) {
    fprintf(to, "{\"v\":1,\"kind\":\"bench\",\"name\":\"%s\",\"what\":", line->name);
    bench_json_text(to, line->what);
    fprintf(
        to, ",\"unit\":\"%s\",\"ours\":%.6g,\"peer\":%.6g", row->unit, s->ours, s->peer);
    fprintf(to, ",\"ours_is\":");
    bench_json_text(to, row->sides[line->ours].name);
    fprintf(to, ",\"peer_is\":");
    bench_json_text(to, row->sides[line->peer].name);
    fprintf(to, ",\"ratio\":%.4g,\"low\":%.4g,\"high\":%.4g", s->ratio, s->low, s->high);
    fprintf(to, ",\"target\":%g,\"at_least\":%s,\"met\":%s", line->target,
        line->at_least ? "true" : "false", met(line, s->ratio) ? "true" : "false");
    fprintf(to, ",\"rounds\":%d,\"idle\":%.3f,\"noisy\":%s", b->rounds, idle,
        idle < NOISY_BELOW ? "true" : "false");
    if (unpinned > 0) {
        fprintf(to, ",\"pinned\":true,\"unpinned_ratio\":%.4g", unpinned);
    }
    write_latency(to, "ours", row->sides[line->ours].latency);
    write_latency(to, "peer", row->sides[line->peer].latency);
    fprintf(to, ",\"peer_setup\":");
    bench_json_text(to, row->peer);
    fprintf(to, "}");
}

static void print_latency(const char *name, const histogram *h) {
    if (h != NULL) {
        printf("    %-22s p50 %.3f  p99 %.3f  p99.9 %.3f  max %.3f ms  (%llu)\n", name,
            (double) histogram_at(h, .5) / 1e6, (double) histogram_at(h, .99) / 1e6,
            (double) histogram_at(h, .999) / 1e6, (double) h->max / 1e6,
            (unsigned long long) h->count);
    }
}

static void print_table(const bench_row *row, const bench_line *line, const summary *s,
    double idle, double unpinned) {
    char ours[48], peer[48];
    show(ours, sizeof ours, s->ours, row->unit);
    show(peer, sizeof peer, s->peer, row->unit);
    printf("%-22s ours %-14s peer %-14s ratio %.3f (%.3f-%.3f)  %s %g  %s", line->name,
        ours, peer, s->ratio, s->low, s->high, line->at_least ? ">=" : "<=", line->target,
        met(line, s->ratio) ? "met" : "MISSED");
    if (unpinned > 0) {
        printf("  unpinned %.3f", unpinned);
    }
    if (idle >= 0) {
        printf("  idle %.0f %%%s", 100 * idle, idle < NOISY_BELOW ? " noisy" : "");
    } else {
        printf("  too short to tell how idle");
    }
    printf("\n");
    print_latency(row->sides[line->ours].name, row->sides[line->ours].latency);
    print_latency(row->sides[line->peer].name, row->sides[line->peer].latency);
}

static int tell(bench *b, const bench_row *row, const bench_line *line, const summary *s,
    double idle, double unpinned) {
    if (!isfinite(s->ratio) || s->ratio <= 0) {
        return bench_failed("%s: no ratio", line->name);
    }
    b->lines++;
    b->missed += !met(line, s->ratio);
    if (b->json) {
        write_json(stdout, b, row, line, s, idle, unpinned);
        printf("\n");
    } else {
        print_table(row, line, s, idle, unpinned);
    }
    fflush(stdout);
    if (b->out != NULL) {
        fprintf(b->out, ",\n");
        write_json(b->out, b, row, line, s, idle, unpinned);
        fflush(b->out);
    }
    return 0;
}

int bench_row_run(bench *b, const bench_row *row) {
    static figures pinned, loose;
    bench_pin(row->pin ? 0 : -1);
    int r = play(b, row, &pinned);
    bench_pin(-1);
    if (r == 0 && row->pin) {
        r = play(b, row, &loose);
    }
    for (int i = 0; r == 0 && i < row->line_count; i++) {
        summary s = summarise(&pinned, &row->lines[i], b->rounds);
        double unpinned = row->pin ? summarise(&loose, &row->lines[i], b->rounds).ratio : 0;
        r = tell(b, row, &row->lines[i], &s, pinned.idle, unpinned);
    }
    if (r == 0 && !b->json) {
        printf("    peer: %s\n", row->peer);
    }
    return r;
}

void bench_value(
    bench *b, const bench_line *line, double value, const char *unit, const char *peer) {
    const bench_side sides[] = { { .name = "kith" }, { .name = "limit" } };
    bench_row row = { .unit = unit, .sides = sides, .peer = peer };
    bench_line against = *line;
    against.ours = 0;
    against.peer = 1;
    summary s = { value, line->target, value / line->target, 0, 0 };
    s.low = s.high = s.ratio;
    against.target = 1;
    tell(b, &row, &against, &s, 1, 0);
    if (!b->json) {
        printf("    peer: %s\n", peer);
    }
}

double bench_loop(
    const bench *b, uint64_t chunk, void (*step)(void *ctx, uint64_t count), void *ctx) {
    uint64_t want = (uint64_t) BENCH_BY(b, 1, 20, 150) * 1000000u;
    uint64_t begin = bench_ns(), now = begin, done = 0;
    while (now - begin < want) {
        step(ctx, chunk);
        done += chunk;
        now = bench_ns();
    }
    return (double) (now - begin) / (double) done;
}
