/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#include <string.h>

void histogram_clear(histogram *h) {
    memset(h, 0, sizeof *h);
}

/* Below 64 each value has its own bucket; above, the top seven bits choose it. */
static unsigned bucket_of(uint64_t ns) {
    if (ns >= UINT64_C(1) << HISTOGRAM_BITS) {
        return HISTOGRAM_SIZE - 1;
    }
    if (ns < HISTOGRAM_STEPS) {
        return (unsigned) ns;
    }
    unsigned shift = 63u - (unsigned) __builtin_clzll(ns) - 6u;
    return (shift + 1) * HISTOGRAM_STEPS + (unsigned) ((ns >> shift) - HISTOGRAM_STEPS);
}

/* The largest value that falls into a bucket. */
static uint64_t top_of(unsigned bucket) {
    if (bucket < HISTOGRAM_STEPS) {
        return bucket;
    }
    unsigned shift = bucket / HISTOGRAM_STEPS - 1;
    uint64_t low = bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS;
    return ((low + 1) << shift) - 1;
}

void histogram_add(histogram *h, uint64_t ns) {
    h->count++;
    h->max = ns > h->max ? ns : h->max;
    h->bucket[bucket_of(ns)]++;
}

void histogram_merge(histogram *h, const histogram *from) {
    h->count += from->count;
    h->max = from->max > h->max ? from->max : h->max;
    for (unsigned i = 0; i < HISTOGRAM_SIZE; i++) {
        h->bucket[i] += from->bucket[i];
    }
}

uint64_t histogram_at(const histogram *h, double share) {
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_SIZE; i++) {
        seen += h->bucket[i];
        if (seen > 0 && (double) seen >= share * (double) h->count) {
            return top_of(i) < h->max ? top_of(i) : h->max;
        }
    }
    return h->max;
}
