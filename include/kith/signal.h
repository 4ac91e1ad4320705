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
    uint32_t count_max; /* observations (or tries) that fill a window; 0: no limit */
    uint64_t window_ns; /* 0: no limit; one of the two must be */
    uint32_t count_min; /* fewer at the end of the time: go on; >= 2, tries >= 1 */
    double unit;        /* evidence is in units of this, 10^u of the template; 0: 1 */
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
    uint64_t refused; /* not numbers, or not of this kind */
} kith_window;

/* E_ARG: options that could never be ready, or no such kind. */
KITH_API KITH_MUST_USE int kith_window_init(
    kith_window *window, const kith_signal_options *options);
/* One number; `baseline`: it belongs to the time before, and never expires. E_ARG
 * when it is not finite, beyond 10^100, or the kind takes none: it is counted in
 * `refused`, and nothing else has changed. KITH_FULL: 2^31 - 1 are in it. Numbers
 * that come when a window is ready still count in it: take first. */
KITH_API KITH_MUST_USE int kith_window_number(
    kith_window *window, double x, bool baseline, kith_time now);
/* E_ARG: no tries, more hits than tries, or another kind. KITH_FULL as above. */
KITH_API KITH_MUST_USE int kith_window_trials(
    kith_window *window, uint32_t hits, uint32_t tries, kith_time now);
/* May evidence be taken? Full, or its time is over and count_min is there; and a
 * baseline, where one is needed, has two numbers or more. */
KITH_API bool kith_window_ready(const kith_window *window, uint64_t now_ns);
/* Writes measure, effect, variance and n, or hits and tries; t_end, span, and what
 * it has, into content, and empties the window (the baseline stays). KITH_EMPTY:
 * not ready. A standard error below a thousandth of the unit, which no built-in
 * template admits, becomes a thousandth: above all that of equal numbers, 0. */
KITH_API KITH_MUST_USE int kith_window_take(
    kith_window *window, kith_content *content, uint64_t now_ns);

#ifdef __cplusplus
}
#endif
#endif
