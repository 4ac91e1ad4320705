/* SPDX-License-Identifier: Apache-2.0 */
/* What a window promises. Time is a number here, chance is seeded. */
#include <kith/signal.h>

#include "base/dice.h"
#include "base/draw.h"
#include "test.h"

#include <math.h>

#define SECOND  UINT64_C(1000000000)
#define START   INT64_C(1700000000000000)
#define KEPT    4096
#define V_LEAST (0.001 * 0.001)

static kith_time at(double seconds) {
    return (kith_time){ (uint64_t) (seconds * 1e9), START + (int64_t) (seconds * 1e6) };
}

static kith_window window_of(
    kith_signal_kind kind, uint32_t count_max, uint64_t window_ns, uint32_t count_min) {
    kith_signal_options o = { kind, count_max, window_ns, count_min, 0 };
    kith_window w;
    if (kith_window_init(&w, &o) != 0) abort();
    return w;
}

static void a_window_is_empty_then_filling_then_ready_then_empty(void) {
    kith_window w = window_of(KITH_SIGNAL_MEAN, 3, 0, 2);
    kith_content c = { .type = KITH_LEAF };
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) {
            EXPECT(!kith_window_ready(&w, 99 * SECOND));
            EXPECT_INT(kith_window_take(&w, &c, 99 * SECOND), KITH_EMPTY);
            EXPECT_INT(kith_window_number(&w, i, false, at(i)), 0);
        }
        EXPECT(kith_window_ready(&w, 2 * SECOND));
        EXPECT_INT(kith_window_take(&w, &c, 2 * SECOND), 0);
        EXPECT(c.effect[0] == 1 && fabs(c.covariance[0] - 1.0 / 3) < 1e-15);
        EXPECT_INT(c.n, 3);
        EXPECT_INT(c.measure, KITH_MEAN);
        EXPECT_INT(c.components, 1);
        EXPECT_INT(c.has, KITH_HAS_EFFECT | KITH_HAS_COVARIANCE);
        EXPECT_INT(c.t_end_us, START + 2000000);
        EXPECT_INT(c.span_s, 3);
    }
}

static void time_ends_a_window_when_enough_is_in_it(void) {
    kith_window w = window_of(KITH_SIGNAL_MEAN, 0, 10 * SECOND, 3);
    EXPECT_INT(kith_window_number(&w, 1, false, at(100)), 0);
    EXPECT_INT(kith_window_number(&w, 2, false, at(101)), 0);
    EXPECT(!kith_window_ready(&w, 500 * SECOND)); /* too few: it goes on */
    EXPECT_INT(kith_window_number(&w, 3, false, at(102)), 0);
    EXPECT(!kith_window_ready(&w, 110 * SECOND - 1));
    EXPECT(kith_window_ready(&w, 110 * SECOND));
    EXPECT(!kith_window_ready(&w, 5 * SECOND)); /* before it opened */
}

static void a_baseline_stays_and_is_subtracted(void) {
    kith_window w = window_of(KITH_SIGNAL_BASELINE, 2, 0, 2);
    kith_content c = { .type = KITH_LEAF };
    EXPECT_INT(kith_window_number(&w, 10, true, at(0)), 0);
    EXPECT_INT(kith_window_number(&w, 15, false, at(1)), 0);
    EXPECT_INT(kith_window_number(&w, 17, false, at(1)), 0);
    EXPECT(!kith_window_ready(&w, SECOND)); /* one number has no variance */
    EXPECT_INT(kith_window_number(&w, 12, true, at(0)), 0);
    for (int i = 0; i < 2; i++) {
        EXPECT_INT(kith_window_take(&w, &c, SECOND), 0);
        EXPECT(c.effect[0] == 5 && fabs(c.covariance[0] - 2) < 1e-15);
        EXPECT_INT(c.measure, KITH_MEAN_DIFFERENCE);
        EXPECT_INT(c.n, 2);
        EXPECT_INT(kith_window_number(&w, 15, false, at(2)), 0);
        EXPECT_INT(kith_window_number(&w, 17, false, at(2)), 0);
    }
}

static void trials_are_counted(void) {
    kith_window w = window_of(KITH_SIGNAL_TRIALS, 10, 0, 1);
    kith_content c = { .type = KITH_LEAF, .has = KITH_HAS_EFFECT | KITH_HAS_TEXT };
    EXPECT_INT(kith_window_trials(&w, 3, 4, at(0)), 0);
    EXPECT_INT(kith_window_trials(&w, 0, 5, at(0)), 0);
    EXPECT(!kith_window_ready(&w, 0));
    EXPECT_INT(kith_window_trials(&w, 1, 1, at(0)), 0);
    EXPECT_INT(kith_window_take(&w, &c, 0), 0);
    EXPECT_INT(c.hits, 4);
    EXPECT_INT(c.tries, 10);
    EXPECT_INT(c.has, KITH_HAS_COUNTS | KITH_HAS_TEXT);
}

static void what_is_no_observation_is_counted_and_changes_nothing(void) {
    static const double bad[] = { NAN, INFINITY, -INFINITY, 1e101, -1e308 };
    kith_window w = window_of(KITH_SIGNAL_BASELINE, 10, 0, 2);
    EXPECT_INT(kith_window_number(&w, 1, false, at(1)), 0);
    EXPECT_INT(kith_window_number(&w, 1, true, at(1)), 0);
    kith_window before = w;
    for (size_t i = 0; i < 10; i++) {
        EXPECT_INT(kith_window_number(&w, bad[i % 5], i < 5, at(9)), KITH_E_ARG);
        EXPECT_INT(kith_window_trials(&w, 1, 2, at(9)), KITH_E_ARG);
        before.refused += 2;
        EXPECT(memcmp(&w, &before, sizeof w) == 0);
    }
    kith_window t = window_of(KITH_SIGNAL_TRIALS, 10, 0, 1);
    EXPECT_INT(kith_window_trials(&t, 0, 0, at(1)), KITH_E_ARG);
    EXPECT_INT(kith_window_trials(&t, 3, 2, at(1)), KITH_E_ARG);
    EXPECT_INT(kith_window_number(&t, 1, false, at(1)), KITH_E_ARG);
    kith_window m = window_of(KITH_SIGNAL_MEAN, 10, 0, 2);
    EXPECT_INT(kith_window_number(&m, 1, true, at(1)), KITH_E_ARG);
    EXPECT(t.refused == 3 && m.refused == 1 && t.tries == 0 && m.now.n == 0);
}

static void options_that_could_never_be_ready_are_refused(void) {
    static const kith_signal_options bad[] = {
        { KITH_SIGNAL_MEAN, 0, 0, 2, 0 },
        { KITH_SIGNAL_MEAN, 10, 0, 1, 0 },
        { KITH_SIGNAL_MEAN, 10, 0, 11, 0 },
        { KITH_SIGNAL_TRIALS, 10, 0, 0, 0 },
        { KITH_SIGNAL_MEAN, UINT32_MAX, 0, 2, 0 },
        { (kith_signal_kind) 3, 10, 0, 2, 0 },
        { KITH_SIGNAL_MEAN, 10, 0, 2, -1 },
        { KITH_SIGNAL_MEAN, 10, 0, 2, NAN },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        kith_window w;
        EXPECT_INT(kith_window_init(&w, &bad[i]), KITH_E_ARG);
    }
}

static void equal_numbers_are_given_the_smallest_legal_variance(void) {
    kith_window w = window_of(KITH_SIGNAL_MEAN, 5, 0, 2);
    kith_content c = { .type = KITH_LEAF };
    for (int i = 0; i < 5; i++) EXPECT_INT(kith_window_number(&w, 0.1, false, at(0)), 0);
    EXPECT_INT(kith_window_take(&w, &c, 0), 0);
    EXPECT(c.covariance[0] == V_LEAST && fabs(c.effect[0] - 0.1) < 1e-16);
    EXPECT_INT(kith_template_admits(&c), 0);
}

static void effects_are_in_units_and_have_no_sign_at_zero(void) {
    kith_signal_options o = { KITH_SIGNAL_MEAN, 2, 0, 2, 1e-3 };
    kith_window w;
    kith_content c = { .type = KITH_LEAF };
    EXPECT_INT(kith_window_init(&w, &o), 0);
    EXPECT_INT(kith_window_number(&w, 0.001, false, at(0)), 0);
    EXPECT_INT(kith_window_number(&w, 0.003, false, at(0)), 0);
    EXPECT_INT(kith_window_take(&w, &c, 0), 0);
    EXPECT(fabs(c.effect[0] - 2) < 1e-12 && fabs(c.covariance[0] - 1) < 1e-12);
    EXPECT_INT(kith_window_number(&w, -0.0, false, at(0)), 0);
    EXPECT_INT(kith_window_number(&w, -1e-320, false, at(0)), 0);
    EXPECT_INT(kith_window_take(&w, &c, 0), 0);
    EXPECT(c.effect[0] == 0 && !signbit(c.effect[0]));
}

/* 2,000 windows of 50 numbers, mean 3, sd 2: the means scatter as they say they
 * do, and the variances are those of the means. Limits are four analytic errors. */
static void a_known_distribution_is_found_again(void) {
    enum {
        WINDOWS = 2000,
        N = 50
    };
    uint64_t dice = 42;
    kith_window w = window_of(KITH_SIGNAL_MEAN, N, 0, 2);
    double sum = 0, squares = 0, variances = 0;
    for (int i = 0; i < WINDOWS; i++) {
        kith_content c = { .type = KITH_LEAF };
        for (int j = 0; j < N; j++) {
            EXPECT_INT(kith_window_number(&w, 3 + 2 * draw_normal(&dice), false, at(i)), 0);
        }
        EXPECT_INT(kith_window_take(&w, &c, 0), 0);
        sum += c.effect[0] - 3;
        squares += (c.effect[0] - 3) * (c.effect[0] - 3);
        variances += c.covariance[0];
    }
    double v = 4.0 / N;
    EXPECT(fabs(sum / WINDOWS) < 4 * sqrt(v / WINDOWS));
    EXPECT(fabs(squares / WINDOWS - v) < 4 * v * sqrt(2.0 / WINDOWS));
    EXPECT(fabs(variances / WINDOWS - v) < 4 * v * sqrt(2.0 / (N - 1.0) / WINDOWS));
}

static void a_distant_mean_keeps_its_variance(void) {
    uint64_t dice = 1;
    kith_window near = window_of(KITH_SIGNAL_MEAN, 1000, 0, 2), far = near;
    kith_content a = { .type = KITH_LEAF }, b = a;
    for (int i = 0; i < 1000; i++) {
        double x =
            floor(1024 * draw_normal(&dice)) / 1024; /* so that adding 2^30 is exact */
        EXPECT_INT(kith_window_number(&near, x, false, at(i)), 0);
        EXPECT_INT(kith_window_number(&far, x + 0x1p30, false, at(i)), 0);
    }
    EXPECT_INT(kith_window_take(&near, &a, 0), 0);
    EXPECT_INT(kith_window_take(&far, &b, 0), 0);
    /* Sums of squares would have lost all of it: 2^60 leaves no digit for 1. */
    EXPECT(fabs(b.covariance[0] / a.covariance[0] - 1) < 1e-6);
}

/* The monotonic clock counts through a suspend: what was collected before is
 * evidence once, with its own time, and the next window begins after it. */
static void c3_an_hour_of_suspend_ends_one_window_once(void) {
    kith_window w = window_of(KITH_SIGNAL_MEAN, 0, 60 * SECOND, 5);
    kith_content c = { .type = KITH_LEAF };
    for (int i = 0; i < 10; i++) EXPECT_INT(kith_window_number(&w, i, false, at(i)), 0);
    uint64_t awake = 3609 * SECOND;
    EXPECT(kith_window_ready(&w, awake));
    EXPECT_INT(kith_window_take(&w, &c, awake), 0);
    EXPECT_INT(c.n, 10);
    EXPECT_INT(c.t_end_us, START + 9000000);
    EXPECT_INT(c.span_s, 10);
    EXPECT(!kith_window_ready(&w, awake));
    EXPECT_INT(kith_window_take(&w, &c, awake), KITH_EMPTY);
    for (int i = 0; i < 10; i++) {
        EXPECT_INT(kith_window_number(&w, i, false, at(3609 + i)), 0);
        EXPECT(!kith_window_ready(&w, awake + (uint64_t) i * SECOND));
    }
}

static void a_wall_clock_that_steps_leaves_a_legal_span(void) {
    static const int64_t walls[] = { -5, 0, 999999, START, INT64_C(253402300799999999) };
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < 5; j++) {
            kith_window w = window_of(KITH_SIGNAL_MEAN, 2, 0, 2);
            kith_content c = { .type = KITH_LEAF };
            kith_time one = { 5, walls[i] }, two = { 6, walls[j] };
            EXPECT_INT(kith_window_number(&w, 1, false, one), 0);
            EXPECT_INT(kith_window_number(&w, 2, false, two), 0);
            EXPECT_INT(kith_window_take(&w, &c, 7), 0);
            EXPECT(c.t_end_us >= 1 && (int64_t) c.span_s * 1000000 <= c.t_end_us);
        }
    }
}

static void the_span_covers_a_step_back(void) {
    kith_window w = window_of(KITH_SIGNAL_MEAN, 3, 0, 2);
    kith_content c = { .type = KITH_LEAF };
    EXPECT_INT(kith_window_number(&w, 1, false, at(100)), 0);
    EXPECT_INT(kith_window_number(&w, 2, false, at(40)), 0);
    EXPECT_INT(kith_window_number(&w, 3, false, at(70)), 0);
    EXPECT_INT(kith_window_take(&w, &c, 100 * SECOND), 0);
    EXPECT_INT(c.t_end_us, START + 100000000);
    EXPECT_INT(c.span_s, 61);
}

/* Counts beyond what a packet can say are refused, not wrapped. */
static void counts_never_wrap(void) {
    kith_window w = window_of(KITH_SIGNAL_TRIALS, 0, SECOND, 1);
    EXPECT_INT(kith_window_trials(&w, 1, INT32_MAX, at(0)), 0);
    EXPECT_INT(kith_window_trials(&w, 1, 1, at(0)), KITH_FULL);
    kith_window m = window_of(KITH_SIGNAL_MEAN, 0, SECOND, 2);
    m.now.n = INT32_MAX;
    EXPECT_INT(kith_window_number(&m, 1, false, at(0)), KITH_FULL);
    EXPECT_INT(m.now.n, INT32_MAX);
}

/* Whatever comes in whatever order, the window says what a list of all numbers
 * would say; its own check() looks at every step. */
typedef struct list {
    double x[KEPT];
    size_t n;
} list;

static void two_pass(const list *l, double *ret_mean, double *ret_error2) {
    double mean = 0, m2 = 0;
    for (size_t i = 0; i < l->n; i++) mean += l->x[i] / (double) l->n;
    for (size_t i = 0; i < l->n; i++) m2 += (l->x[i] - mean) * (l->x[i] - mean);
    *ret_mean = mean;
    *ret_error2 = m2 / (double) (l->n - 1) / (double) l->n;
}

static bool agrees(const kith_content *c, const list *now, const list *base) {
    double y, v, y0 = 0, v0 = 0;
    two_pass(now, &y, &v);
    if (c->measure == KITH_MEAN_DIFFERENCE) {
        two_pass(base, &y0, &v0);
    }
    v = fmax(v + v0, V_LEAST);
    return c->n == now->n && fabs(c->effect[0] - (y - y0)) < 1e-11 &&
           fabs(c->covariance[0] - v) < 1e-11 * (1 + v);
}

static void a_random_walk_agrees_with_a_list_of_everything(void) {
    static list now, base;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint64_t dice = seed, t = 0;
        bool based = seed % 2, timed = seed % 3 == 0;
        kith_window w = window_of(based ? KITH_SIGNAL_BASELINE : KITH_SIGNAL_MEAN,
            timed ? 0 : 20, timed ? 50 : 0, 4);
        uint64_t opened = 0, taken = 0;
        now.n = base.n = 0;
        for (int step = 0; step < 2000; step++) {
            double x = 10 * draw_normal(&dice);
            kith_time when = { t += dice_below(&dice, 6),
                START + (int64_t) dice_below(&dice, 99) };
            bool to_base = based && dice_below(&dice, 20) == 0 && base.n < KEPT;
            if (dice_below(&dice, 10) == 0) {
                EXPECT_INT(kith_window_number(&w, NAN, to_base, when), KITH_E_ARG);
            } else {
                list *l = to_base ? &base : &now;
                opened = now.n == 0 && !to_base ? t : opened;
                EXPECT_INT(kith_window_number(&w, x, to_base, when), 0);
                l->x[l->n++] = x;
            }
            bool due = timed ? now.n >= 4 && t - opened >= 50 : now.n >= 20;
            due = due && (!based || base.n >= 2);
            kith_content c = { .type = KITH_LEAF };
            EXPECT(kith_window_ready(&w, t) == due);
            EXPECT_INT(kith_window_take(&w, &c, t), due ? 0 : KITH_EMPTY);
            EXPECT(!due || agrees(&c, &now, &base));
            taken += due;
            now.n = due ? 0 : now.n;
        }
        EXPECT(taken > 20);
    }
}

static const test_case cases[] = {
    { "a_window_is_empty_then_filling_then_ready_then_empty",
        a_window_is_empty_then_filling_then_ready_then_empty },
    { "time_ends_a_window_when_enough_is_in_it", time_ends_a_window_when_enough_is_in_it },
    { "a_baseline_stays_and_is_subtracted", a_baseline_stays_and_is_subtracted },
    { "trials_are_counted", trials_are_counted },
    { "what_is_no_observation_is_counted_and_changes_nothing",
        what_is_no_observation_is_counted_and_changes_nothing },
    { "options_that_could_never_be_ready_are_refused",
        options_that_could_never_be_ready_are_refused },
    { "equal_numbers_are_given_the_smallest_legal_variance",
        equal_numbers_are_given_the_smallest_legal_variance },
    { "effects_are_in_units_and_have_no_sign_at_zero",
        effects_are_in_units_and_have_no_sign_at_zero },
    { "a_known_distribution_is_found_again", a_known_distribution_is_found_again },
    { "a_distant_mean_keeps_its_variance", a_distant_mean_keeps_its_variance },
    { "c3_an_hour_of_suspend_ends_one_window_once",
        c3_an_hour_of_suspend_ends_one_window_once },
    { "a_wall_clock_that_steps_leaves_a_legal_span",
        a_wall_clock_that_steps_leaves_a_legal_span },
    { "the_span_covers_a_step_back", the_span_covers_a_step_back },
    { "counts_never_wrap", counts_never_wrap },
    { "a_random_walk_agrees_with_a_list_of_everything",
        a_random_walk_agrees_with_a_list_of_everything },
};

TEST_MAIN(cases)
