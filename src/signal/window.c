/* SPDX-License-Identifier: Apache-2.0 */
/* window.c - observations in, one piece of evidence out.
 *
 * transition          performed by
 * EMPTY -> FILLING    observed(), by kith_window_number and kith_window_trials
 * FILLING -> READY    time and count; kith_window_ready only looks
 * READY -> EMPTY      kith_window_take
 */
#include <kith/signal.h>

#include "base/check.h"

#include <math.h>

#define COUNT_TOP  INT32_MAX       /* what a packet can say */
#define NUMBER_TOP 1e100           /* squares of it, 2^31 times, stay finite */
#define V_LEAST    (0.001 * 0.001) /* in units; see kith_template_admits */
#define SECOND_US  INT64_C(1000000)

static uint64_t observations(const kith_window *w) {
    return w->options.kind == KITH_SIGNAL_TRIALS ? w->tries : w->now.n;
}

static void check(const kith_window *w) {
    CHECK((unsigned) w->options.kind <= KITH_SIGNAL_TRIALS);
    CHECK(w->options.count_max || w->options.window_ns);
    CHECK(w->hits <= w->tries);
    CHECK(w->now.n <= COUNT_TOP && w->base.n <= COUNT_TOP && w->tries <= COUNT_TOP);
    CHECK(w->tries == 0 || w->options.kind == KITH_SIGNAL_TRIALS);
    CHECK(w->now.n == 0 || w->options.kind != KITH_SIGNAL_TRIALS);
    CHECK(w->base.n == 0 || w->options.kind == KITH_SIGNAL_BASELINE);
    CHECK(w->first_us <= w->last_us);
    CHECK(isfinite(w->now.mean) && isfinite(w->now.m2) && w->now.m2 >= 0);
    CHECK(isfinite(w->base.mean) && isfinite(w->base.m2) && w->base.m2 >= 0);
}

int kith_window_init(kith_window *window, const kith_signal_options *options) {
    kith_signal_options o = *options;
    uint32_t least = o.kind == KITH_SIGNAL_TRIALS ? 1 : 2;
    if (o.unit == 0) {
        o.unit = 1;
    }
    bool sound = (unsigned) o.kind <= KITH_SIGNAL_TRIALS && o.count_min >= least &&
                 o.count_min <= COUNT_TOP && o.count_max <= COUNT_TOP &&
                 (o.count_max || o.window_ns) &&
                 (!o.count_max || o.count_max >= o.count_min) && o.unit >= 1e-9 &&
                 o.unit <= 1e9;
    if (!sound) {
        return KITH_E_ARG;
    }
    *window = (kith_window){ .options = o };
    check(window);
    return 0;
}

/* The wall clock may step either way; the span covers all that it said. */
static void observed(kith_window *w, kith_time now) {
    if (observations(w) == 0) {
        w->opened_ns = now.mono_ns;
        w->first_us = w->last_us = now.wall_us;
    }
    w->first_us = now.wall_us < w->first_us ? now.wall_us : w->first_us;
    w->last_us = now.wall_us > w->last_us ? now.wall_us : w->last_us;
}

static void welford(kith_moments *m, double x) {
    double before = x - m->mean;
    m->n++;
    m->mean += before / (double) m->n;
    m->m2 += before * (x - m->mean);
    m->m2 = fmax(m->m2, 0); /* rounding alone can make it negative */
}

int kith_window_number(kith_window *window, double x, bool baseline, kith_time now) {
    check(window);
    bool kind = baseline ? window->options.kind == KITH_SIGNAL_BASELINE
                         : window->options.kind != KITH_SIGNAL_TRIALS;
    if (!kind || !(fabs(x) <= NUMBER_TOP)) {
        window->refused++;
        return KITH_E_ARG;
    }
    kith_moments *m = baseline ? &window->base : &window->now;
    if (m->n >= COUNT_TOP) {
        return KITH_FULL;
    }
    if (!baseline) {
        observed(window, now);
    }
    welford(m, x);
    check(window);
    return 0;
}

int kith_window_trials(kith_window *window, uint32_t hits, uint32_t tries, kith_time now) {
    check(window);
    if (window->options.kind != KITH_SIGNAL_TRIALS || tries == 0 || hits > tries) {
        window->refused++;
        return KITH_E_ARG;
    }
    if (tries > COUNT_TOP - window->tries) {
        return KITH_FULL;
    }
    observed(window, now);
    window->hits += hits;
    window->tries += tries;
    check(window);
    return 0;
}

bool kith_window_ready(const kith_window *window, uint64_t now_ns) {
    check(window);
    const kith_signal_options *o = &window->options;
    uint64_t n = observations(window);
    bool full = o->count_max && n >= o->count_max;
    bool over = o->window_ns && now_ns >= window->opened_ns &&
                now_ns - window->opened_ns >= o->window_ns;
    bool based = o->kind != KITH_SIGNAL_BASELINE || window->base.n >= 2;
    return based && (full || (over && n >= o->count_min));
}

/* The square of the standard error of a mean. */
static double error2(const kith_moments *m) {
    return m->m2 / (double) (m->n - 1) / (double) m->n;
}

static void tell_effect(const kith_window *w, kith_content *content) {
    double y = w->now.mean, v = error2(&w->now), unit = w->options.unit;
    content->measure = KITH_MEAN;
    if (w->options.kind == KITH_SIGNAL_BASELINE) {
        y -= w->base.mean;
        v += error2(&w->base);
        content->measure = KITH_MEAN_DIFFERENCE;
    }
    y /= unit;
    content->has |= KITH_HAS_EFFECT | KITH_HAS_COVARIANCE;
    content->components = 1;
    content->n = (uint32_t) w->now.n;
    content->effect[0] = isnormal(y) ? y : 0; /* no packet carries -0 or a denormal */
    content->covariance[0] = fmax(v / unit / unit, V_LEAST);
}

/* The data lie in (t_end - span, t_end], and time begins in 1970. */
static void tell_time(const kith_window *w, kith_content *content) {
    int64_t end = w->last_us < 1 ? 1 : w->last_us,
            first = w->first_us < 1 ? 1 : w->first_us;
    int64_t span = (end - first) / SECOND_US + 1, most = end / SECOND_US;
    span = span < most ? span : most;
    content->t_end_us = end;
    content->span_s = span < (int64_t) UINT32_MAX ? (uint32_t) span : UINT32_MAX;
}

int kith_window_take(kith_window *window, kith_content *content, uint64_t now_ns) {
    check(window);
    if (!kith_window_ready(window, now_ns)) {
        return KITH_EMPTY;
    }
    unsigned others = ~(unsigned) (KITH_HAS_EFFECT | KITH_HAS_COVARIANCE | KITH_HAS_COUNTS |
                                   KITH_HAS_CONFIDENCE);
    content->has &= (uint16_t) others;
    if (window->options.kind == KITH_SIGNAL_TRIALS) {
        content->has |= KITH_HAS_COUNTS;
        content->hits = window->hits;
        content->tries = window->tries;
    } else {
        tell_effect(window, content);
    }
    tell_time(window, content);
    *window = (kith_window){
        .options = window->options, .base = window->base, .refused = window->refused
    };
    check(window);
    return 0;
}
