/* SPDX-License-Identifier: Apache-2.0 */
/* kith/signal.h - raw observations become evidence here, and end here.
 *
 * A window collects observations until it is full or its time is over, then
 * gives evidence and forgets them. Nothing but running sums is kept, so raw data
 * cannot leave. A plain value: no memory, no clock. One thread owns it.
 *
 *            add, add, ...          count reached, or time over
 *   EMPTY ----------------> FILLING ----------------------------> READY
 *     ^                                                             |
 *     +--------------------------- take ----------------------------+
 */
#ifndef KITH_SIGNAL_H
#define KITH_SIGNAL_H

#include <kith/packet.h>
#include <kith/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kith_signal_kind {
    KITH_SIGNAL_MEAN = 0,     /* numbers: their mean and its variance */
    KITH_SIGNAL_BASELINE = 1, /* numbers against a baseline: mean difference */
    KITH_SIGNAL_TRIALS = 2,   /* successes of trials */
} kith_signal_kind;

typedef struct kith_signal_options {
    kith_signal_kind kind;
    uint32_t count_max; /* observations in a window; 0: no limit */
    uint64_t window_ns; /* 0: no limit */
    uint32_t count_min; /* fewer than this at the end of the time: go on; >= 2 */
} kith_signal_options;

typedef struct kith_moments {
    uint64_t n;
    double mean, m2; /* Welford */
} kith_moments;

typedef struct kith_window {
    kith_signal_options options;
    kith_moments base, now;
    uint32_t hits, tries;
    uint64_t opened_ns;
    int64_t first_us, last_us;
    uint64_t refused; /* NaN, infinity */
} kith_window;

KITH_API KITH_MUST_USE int kith_window_init(
    kith_window *window, const kith_signal_options *options);
/* One number; `baseline`: it belongs to the time before, and never expires. E_ARG
 * when it is not finite or the kind takes none; the window is untouched. */
KITH_API KITH_MUST_USE int kith_window_number(
    kith_window *window, double x, bool baseline, kith_time now);
KITH_API KITH_MUST_USE int kith_window_trials(
    kith_window *window, uint32_t hits, uint32_t tries, kith_time now);
/* May evidence be taken? Full, or its time is over and count_min is there. */
KITH_API bool kith_window_ready(const kith_window *window, uint64_t now_ns);
/* Writes measure, effect, variance, n or hits and tries, t_end, span into content
 * and empties the window (the baseline stays). KITH_EMPTY: not ready. A variance
 * of zero, which no packet may carry, becomes the smallest legal one. */
KITH_API KITH_MUST_USE int kith_window_take(
    kith_window *window, kith_content *content, uint64_t now_ns);

#ifdef __cplusplus
}
#endif
#endif
