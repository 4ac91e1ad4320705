/* SPDX-License-Identifier: Apache-2.0 */
/* A mean of records behind noise: what goes in, what may come out, what it costs. */
#include "privacy/kit.h"
#include "privacy/release.h"
#include "test.h"

#include "base/draw.h"

#include <float.h>
#include <math.h>

static const kith_release_options plain = {
    .lower = 0, .upper = 1, .grid = 0.01, .rho = 0.5
};

static kith_release made(const kith_release_options *options) {
    kith_release r = { 0 };
    kith_error err = { 0 };
    if (kith_release_init(&r, options, &err) < 0) printf("# %s\n", err.text);
    return r;
}

static bool refused(kith_release_options o, const char *words) {
    kith_release r = { .n = 7 };
    kith_error err = { 0 };
    int code = kith_release_init(&r, &o, &err);
    if (code != KITH_E_ARG || strstr(err.text, words) == NULL) printf("# %s\n", err.text);
    return code == KITH_E_ARG && strstr(err.text, words) != NULL && r.n == 7;
}

static void options_without_meaning_are_refused(void) {
    EXPECT(refused((kith_release_options){ .rho = 1 }, "bounds"));
    EXPECT(refused((kith_release_options){ .lower = 1, .upper = 0, .rho = 1 }, "bounds"));
    EXPECT(refused((kith_release_options){ .lower = NAN, .upper = 1, .rho = 1 }, "bounds"));
    EXPECT(refused((kith_release_options){ .upper = 1 }, "rho"));
    EXPECT(refused((kith_release_options){ .upper = 1, .rho = 65 }, "rho"));
    EXPECT(refused((kith_release_options){ .upper = 1, .rho = NAN }, "rho"));
    EXPECT(refused((kith_release_options){ .upper = 1, .rho = 1, .grid = 0.3 }, "grid"));
    EXPECT(refused((kith_release_options){ .upper = 1, .rho = 1, .grid = 1e-9 }, "grid"));
    EXPECT(refused((kith_release_options){ .upper = 1, .rho = 1, .n_min = 19 }, "20"));
    EXPECT(refused(
        (kith_release_options){ .upper = 1, .rho = 1, .per_person = 9999 }, "person"));
    EXPECT(
        refused((kith_release_options){ .upper = 1, .rho = 1, .mechanism = 3 }, "noise"));
    EXPECT(refused(
        (kith_release_options){ .upper = 1, .rho = 1e-8, .grid = 0x1p-20 }, "coarser"));
}

static void fewer_than_twenty_are_refused_and_nothing_is_drawn(void) {
    kith_release r = made(&plain);
    kith_content c = { 0 }, untouched = { 0 };
    for (int i = 0; i < 19; i++) EXPECT_INT(kith_release_add(&r, 0.5), 0);
    EXPECT_INT(kith_release_preview(&r, &c), KITH_EMPTY);
    EXPECT_INT(kith_release_take(&r, &c), KITH_EMPTY);
    EXPECT(memcmp(&c, &untouched, sizeof c) == 0);
    EXPECT_INT(r.n, 19);
    EXPECT_INT(kith_release_add(&r, 0.5), 0);
    EXPECT_INT(kith_release_take(&r, &c), 0);
    EXPECT_INT(c.n, 20);
}

static void records_are_clipped_and_rounded(void) {
    kith_release r = made(&plain);
    EXPECT_INT(kith_release_add(&r, -1e300), 0);
    EXPECT_INT(r.sum, 0);
    EXPECT_INT(kith_release_add(&r, 1e300), 0);
    EXPECT_INT(r.sum, 100);
    EXPECT_INT(kith_release_add(&r, 0.126), 0);
    EXPECT_INT(r.sum, 113);
    EXPECT_INT(kith_release_add(&r, NAN), KITH_E_ARG);
    EXPECT_INT(kith_release_add(&r, INFINITY), KITH_E_ARG);
    EXPECT_INT(r.sum, 113);
    EXPECT_INT(r.n, 3);
    EXPECT_INT(r.refused, 2);
}

/* Random records, one person's replaced by the worst: the sum moves by the sensitivity
 * and never by more. */
static void one_person_moves_the_sum_by_the_sensitivity_at_most(void) {
    uint64_t dice = 11, widest = 0;
    for (int run = 0; run < 2000; run++) {
        kith_release_options o = { .lower = -5,
            .upper = 3,
            .grid = 0.5,
            .rho = 1,
            .per_person = 1 + (uint32_t) dice_below(&dice, 4) };
        kith_release a = made(&o), b = a;
        for (uint32_t i = 0; i < 40; i++) {
            double x = 20 * draw_normal(&dice),
                   y = i < o.per_person ? 20 * draw_normal(&dice) : x;
            EXPECT_INT(kith_release_add(&a, x), 0);
            EXPECT_INT(kith_release_add(&b, y), 0);
        }
        uint64_t off = a.sum > b.sum ? a.sum - b.sum : b.sum - a.sum;
        EXPECT(off <= a.cells * o.per_person);
        EXPECT(a.rho == ki_release_price(a.cells * o.per_person, a.scale));
        EXPECT(a.rho <= KITH_RHO_ONE);
        widest = off > widest ? off : widest;
    }
    EXPECT_INT(widest, 64); /* 16 cells, 4 records: it is reached */
}

static void noise_is_the_least_that_is_paid(void) {
    uint64_t dice = 2;
    for (int i = 0; i < 5000; i++) {
        kith_release_options o = { .upper = 1,
            .grid = 1.0 / (double) (1 + dice_below(&dice, 500)),
            .rho = pow(2, -12 + 17 * draw_uniform(&dice)),
            .mechanism = 1 + i % 2 };
        kith_release r = made(&o);
        uint64_t offer = (uint64_t) (o.rho * (double) KITH_RHO_ONE);
        uint64_t less = r.scale - 1;
        EXPECT(r.scale >= 1 && r.rho <= offer && r.rho > 0);
        EXPECT(less == 0 || ki_release_price(r.cells, i % 2 ? less * less : less) > offer);
    }
}

/* What others pool is the truth plus what v_dp says, and a packet takes it. */
static void noise_is_in_the_variance(void) {
    uint64_t seed = 4, at = 0;
    ki_bits bits = kit_bits(&seed);
    double sum = 0, square = 0, v_dp = 0;
    enum {
        RUNS = 4000,
        N = 50
    };
    for (int run = 0; run < RUNS; run++) {
        kith_release r = made(&plain);
        kith_content c = { .epoch = 1, .t_end_us = 1, .ttl_s = 1, .address = { "a.b" } },
                     back;
        for (at = 0; at < N; at++) EXPECT_INT(kith_release_add(&r, 0.3), 0);
        EXPECT_INT(ki_release_take(&r, &bits, &c), 0);
        EXPECT_INT(r.n, 0);
        EXPECT_INT(r.sum, 0);
        sum += c.effect[0];
        square += (c.effect[0] - 0.3) * (c.effect[0] - 0.3);
        v_dp = (double) c.v_dp;
        EXPECT(fabs(c.covariance[0] - v_dp - 0.25 / N) < 1e-15);
        kith_packet p;
        EXPECT_INT(kith_packet_encode(&c, &p), 0);
        EXPECT_INT(kith_packet_decode(p.bytes, p.length, &back), 0);
        EXPECT(back.rho == c.rho && back.mechanism == KITH_NOISE_GAUSS &&
               (double) c.rho <= 0.5);
    }
    printf("# mean %.5f, variance %.3g, v_dp %.3g\n", sum / RUNS, square / RUNS, v_dp);
    EXPECT(fabs(sum / RUNS - 0.3) < 5 * sqrt(v_dp / RUNS));
    EXPECT(fabs(square / RUNS / v_dp - 1) < 5 * sqrt(2.0 / RUNS));
}

static void a_preview_says_nothing_of_the_records(void) {
    kith_release low = made(&plain), high = made(&plain);
    kith_content a = { 0 }, b = { 0 };
    for (int i = 0; i < 30; i++) {
        EXPECT_INT(kith_release_add(&low, 0.1), 0);
        EXPECT_INT(kith_release_add(&high, 0.9), 0);
    }
    EXPECT_INT(kith_release_preview(&low, &a), 0);
    EXPECT_INT(kith_release_preview(&high, &b), 0);
    EXPECT(memcmp(&a, &b, sizeof a) == 0);
    EXPECT_INT(low.n, 30);
}

static void what_fits_no_packet_is_seen_before_it_is_paid(void) {
    kith_release_options o = { .lower = 0, .upper = 5000, .rho = 1 };
    kith_content c = { 0 };
    kith_release r = made(&o);
    for (int i = 0; i < 20; i++) EXPECT_INT(kith_release_add(&r, 1), 0);
    EXPECT_INT(kith_release_preview(&r, &c), KITH_R_UNIT);
    o.unit = 1000;
    r = made(&o);
    for (int i = 0; i < 20; i++) EXPECT_INT(kith_release_add(&r, 1), 0);
    EXPECT_INT(kith_release_preview(&r, &c), 0);
    EXPECT(fabs(c.effect[0]) < 1e-9 && c.covariance[0] > 0);
}

/* ---- the attack on noise in doubles ---- */

#define GRID 0x1p53

static double naive(double f, uint64_t k, bool minus) {
    return f + (minus ? 1 : -1) * log((double) k / GRID);
}

/* Is there any u = k 2^-53 from which noise on f makes y? It lies near exp(-|y - f|). */
static bool possible(double f, double y) {
    bool minus = y < f;
    double near = exp(-fabs(y - f)) * GRID;
    for (double k = floor(near) - 40; k <= near + 40; k++) {
        if (k >= 1 && k < GRID && naive(f, (uint64_t) k, minus) == y) return true;
    }
    return false;
}

static void impossible_outputs_betray_noise_in_doubles(void) {
    uint64_t dice = 20;
    int betrayed = 0, wrong = 0;
    enum {
        DRAWS = 4000
    };
    for (int i = 0; i < DRAWS; i++) {
        uint64_t k = 1 + dice_roll(&dice) % ((UINT64_C(1) << 53) - 1);
        double y = naive(0, k, dice_roll(&dice) & 1);
        wrong += !possible(0, y);
        betrayed += !possible(1, y);
    }
    printf("# of %d outputs under f = 0, %d are impossible under f = 1\n", (int) DRAWS,
        betrayed);
    EXPECT_INT(wrong, 0);
    EXPECT(betrayed > DRAWS / 3);
}

/* Two sets of records that differ in one: every output of the one, as the bits of its
 * double, is an output of the other. */
static void impossible_outputs_say_nothing_here(void) {
    enum {
        DRAWS = 20000,
        N = 20,
        FAR = 8,
        WIDE = 4096
    };
    for (int mechanism = 1; mechanism <= 2; mechanism++) {
        static double seen[WIDE];
        static bool there[WIDE];
        memset(there, 0, sizeof there);
        uint64_t seed = (uint64_t) mechanism;
        ki_bits bits = kit_bits(&seed);
        kith_release_options o = {
            .lower = -0.7, .upper = 0.5, .grid = 0.3, .rho = 0.5, .mechanism = mechanism
        };
        int unmatched = 0, inside = 0;
        for (int i = 0; i < 2 * DRAWS; i++) {
            bool first = i < DRAWS;
            kith_release r = made(&o);
            kith_content c = { 0 };
            for (int k = 0; k < N; k++) {
                EXPECT_INT(kith_release_add(&r, k == 0 && first ? 0.5 : -0.7), 0);
            }
            EXPECT_INT(ki_release_take(&r, &bits, &c), 0);
            long k = lround((c.effect[0] + 0.7) / 0.3 * N);
            EXPECT(k > -WIDE / 2 && k < WIDE / 2);
            if (first) {
                EXPECT(!there[k + WIDE / 2] || seen[k + WIDE / 2] == c.effect[0]);
                seen[k + WIDE / 2] = c.effect[0];
                there[k + WIDE / 2] = true;
            } else if (k >= -FAR && k <= FAR) {
                inside++;
                unmatched += !there[k + WIDE / 2] || seen[k + WIDE / 2] != c.effect[0];
            }
        }
        EXPECT(inside > DRAWS / 2);
        EXPECT_INT(unmatched, 0);
    }
}

static const test_case cases[] = {
    { "options_without_meaning_are_refused", options_without_meaning_are_refused },
    { "fewer_than_twenty_are_refused_and_nothing_is_drawn",
        fewer_than_twenty_are_refused_and_nothing_is_drawn },
    { "records_are_clipped_and_rounded", records_are_clipped_and_rounded },
    { "one_person_moves_the_sum_by_the_sensitivity_at_most",
        one_person_moves_the_sum_by_the_sensitivity_at_most },
    { "noise_is_the_least_that_is_paid", noise_is_the_least_that_is_paid },
    { "noise_is_in_the_variance", noise_is_in_the_variance },
    { "a_preview_says_nothing_of_the_records", a_preview_says_nothing_of_the_records },
    { "what_fits_no_packet_is_seen_before_it_is_paid",
        what_fits_no_packet_is_seen_before_it_is_paid },
    { "impossible_outputs_betray_noise_in_doubles",
        impossible_outputs_betray_noise_in_doubles },
    { "impossible_outputs_say_nothing_here", impossible_outputs_say_nothing_here },
};
TEST_MAIN(cases)
