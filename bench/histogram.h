/* SPDX-License-Identifier: Apache-2.0 */
/* bench/histogram.h - latencies in nanoseconds, log-linear: 64 steps to each power
 * of two, so a quantile is right to 1.6 %. Values up to 2^42 ns, more count there. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 64 /* to each power of two */
#define HISTOGRAM_BITS  42
#define HISTOGRAM_SIZE  ((HISTOGRAM_BITS - 5) * HISTOGRAM_STEPS)

typedef struct histogram {
    uint64_t count, max;
    uint64_t bucket[HISTOGRAM_SIZE];
} histogram;

void histogram_clear(histogram *h);
void histogram_add(histogram *h, uint64_t ns);
void histogram_merge(histogram *h, const histogram *from);

/* The smallest value that at least this share (0..1) does not exceed, rounded up to
 * its step; 0 when empty. */
uint64_t histogram_at(const histogram *h, double share);

#endif
