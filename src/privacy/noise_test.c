/* SPDX-License-Identifier: Apache-2.0 */
/* The two distributions, against the exact law in tests/golden/dp.json. Seeds are fixed:
 * a run that is green is always green. KITH_SOAK draws ten times as many. */
#include "privacy/kit.h"
#include "test.h"

#include <kith/error.h>

#include <math.h>

#define NEAR 10 /* the law is given for 0 .. 10 */

typedef int draw_fn(ki_bits *bits, uint64_t scale, int64_t *ret);

typedef struct seen {
    double count[2 * NEAR + 1], beyond, sum, square;
    long draws;
} seen;

static seen draw_many(draw_fn *draw, uint64_t scale, uint64_t seed) {
    seen s = { .draws = getenv("KITH_SOAK") != NULL ? 1000000 : 100000 };
    ki_bits bits = kit_bits(&seed);
    for (long i = 0; i < s.draws; i++) {
        int64_t x = 0;
        if (draw(&bits, scale, &x) != 0) return (seen){ 0 };
        if (x >= -NEAR && x <= NEAR) {
            s.count[x + NEAR]++;
        } else {
            s.beyond++;
        }
        s.sum += (double) x;
        s.square += (double) x * (double) x;
    }
    return s;
}

/* Chi-square over what is expected five times or more, all else in one. */
static double misfit(const seen *s, const double pmf[NEAR + 1], int *ret_freedom) {
    double chi = 0, rest = (double) s->draws, rest_seen = (double) s->draws;
    *ret_freedom = 0;
    for (int x = -NEAR; x <= NEAR; x++) {
        double want = pmf[abs(x)] * (double) s->draws, got = s->count[x + NEAR];
        if (want < 5) continue;
        chi += (got - want) * (got - want) / want;
        rest -= want;
        rest_seen -= got;
        ++*ret_freedom;
    }
    if (rest < 5) {
        --*ret_freedom;
        return chi;
    }
    return chi + (rest_seen - rest) * (rest_seen - rest) / rest;
}

/* One row of the golden file: is what we draw that? */
static bool follows(const char *name, draw_fn *draw, const char **at) {
    double pmf[NEAR + 1];
    int freedom;
    uint64_t scale = (uint64_t) kit_number(at, name);
    double variance = kit_number(at, "variance");
    pmf[0] = kit_number(at, "pmf_0_to_10");
    for (int i = 1; i <= NEAR; i++) {
        char *end;
        pmf[i] = strtod(*at + strspn(*at, ", "), &end);
        *at = end;
    }
    seen s = draw_many(draw, scale, 20261121 + scale);
    if (s.draws == 0) return false;
    double n = (double) s.draws, mean = s.sum / n, spread = s.square / n;
    double chi = misfit(&s, pmf, &freedom);
    printf("# %s %llu: mean %.4f, variance %.6g (%.6g), chi-square %.1f of %d\n", name,
        (unsigned long long) scale, mean, spread, variance, chi, freedom);
    /* Five standard errors; the fourth moment of neither is above 6 variances squared. */
    return freedom >= 5 && fabs(mean) < 5 * sqrt(variance / n) &&
           fabs(spread - variance) < 5 * sqrt(6 / n) * variance &&
           chi < freedom + 4.5 * sqrt(2.0 * freedom) + 10;
}

static void each_law_is_the_exact_one(void) {
    char *golden = kit_golden();
    EXPECT(golden != NULL);
    const char *at = strstr(golden, "\"discrete_gauss\"");
    int rows = 0;
    bool fine = at != NULL;
    for (; fine && rows < 6; rows++) fine = follows("sigma2", ki_noise_gauss, &at);
    EXPECT(fine);
    at = strstr(golden, "\"discrete_laplace\"");
    for (; fine && rows < 10; rows++) fine = follows("t", ki_noise_laplace, &at);
    EXPECT(fine);
    EXPECT_INT(rows, 10);
    free(golden);
}

/* The same test finds noise that is a little too narrow. */
static void a_wrong_law_is_found(void) {
    double pmf[NEAR + 1], total = 0;
    int freedom;
    for (int x = -200; x <= 200; x++) total += exp(-x * x / 50.0);
    for (int x = 0; x <= NEAR; x++) pmf[x] = exp(-x * x / 50.0) / total;
    seen right = draw_many(ki_noise_gauss, 25, 1), wrong = draw_many(ki_noise_gauss, 24, 1);
    double chi = misfit(&right, pmf, &freedom), off = misfit(&wrong, pmf, &freedom);
    printf("# %.1f and %.1f of %d\n", chi, off, freedom);
    EXPECT(chi < freedom + 4.5 * sqrt(2.0 * freedom) + 10);
    EXPECT(off > freedom + 4.5 * sqrt(2.0 * freedom) + 10);
}

static void large_scales_are_drawn_without_overflow(void) {
    uint64_t seed = 5;
    ki_bits bits = kit_bits(&seed);
    double gauss = 0, laplace = 0;
    int64_t x;
    for (int i = 0; i < 4000; i++) {
        EXPECT_INT(ki_noise_gauss(&bits, NOISE_VARIANCE_MAX, &x), 0);
        gauss += (double) x * (double) x / (double) NOISE_VARIANCE_MAX / 4000;
        EXPECT_INT(ki_noise_laplace(&bits, NOISE_SCALE_MAX, &x), 0);
        laplace += fabs((double) x) / (double) NOISE_SCALE_MAX / 4000;
    }
    EXPECT(fabs(gauss - 1) < 0.15);
    EXPECT(fabs(laplace - 1) < 0.1);
}

static void scales_that_could_overflow_are_refused(void) {
    ki_bits bits;
    int64_t x = 77;
    ki_bits_system(&bits);
    EXPECT_INT(ki_noise_gauss(&bits, 0, &x), KITH_E_ARG);
    EXPECT_INT(ki_noise_gauss(&bits, NOISE_VARIANCE_MAX + 1, &x), KITH_E_ARG);
    EXPECT_INT(ki_noise_laplace(&bits, 0, &x), KITH_E_ARG);
    EXPECT_INT(ki_noise_laplace(&bits, NOISE_SCALE_MAX + 1, &x), KITH_E_ARG);
    EXPECT_INT(x, 77);
}

static void the_systems_bits_differ_and_are_wiped(void) {
    ki_bits bits;
    ki_bits_system(&bits);
    int64_t x[64], same = 0;
    for (int i = 0; i < 64; i++) {
        EXPECT_INT(ki_noise_gauss(&bits, UINT64_C(1) << 40, &x[i]), 0);
        same += i > 0 && x[i] == x[i - 1];
    }
    EXPECT(same < 3);
    ki_bits_wipe(&bits);
    uint64_t any = 0;
    for (size_t i = 0; i < sizeof bits.ahead / sizeof *bits.ahead; i++)
        any |= bits.ahead[i];
    EXPECT_INT(any, 0);
    EXPECT_INT(bits.left, 0);
}

static void zeros(void *ctx, void *ret, size_t size) {
    (void) ctx;
    memset(ret, 0, size);
}

static void a_source_of_nothing_but_zeros_ends(void) {
    ki_bits bits = { .fill = zeros };
    int64_t x = 0;
    EXPECT(ki_noise_laplace(&bits, 10, &x) <= 0);
    EXPECT(ki_noise_gauss(&bits, 100, &x) <= 0);
}

static void roots_are_exact(void) {
    uint64_t dice = 9;
    EXPECT_INT(ki_root(0), 0);
    EXPECT(ki_root(UINT64_MAX) == UINT32_MAX);
    for (int i = 0; i < 100000; i++) {
        uint64_t x = dice_roll(&dice) >> dice_below(&dice, 64), r = ki_root(x);
        EXPECT(r * r <= x && (r == UINT32_MAX || (r + 1) * (r + 1) > x));
        uint64_t square = (uint64_t) (uint32_t) r * r;
        EXPECT(ki_root(square) == r && (square == 0 || ki_root(square - 1) == r - 1));
    }
}

static const test_case cases[] = {
    { "each_law_is_the_exact_one", each_law_is_the_exact_one },
    { "a_wrong_law_is_found", a_wrong_law_is_found },
    { "large_scales_are_drawn_without_overflow", large_scales_are_drawn_without_overflow },
    { "scales_that_could_overflow_are_refused", scales_that_could_overflow_are_refused },
    { "the_systems_bits_differ_and_are_wiped", the_systems_bits_differ_and_are_wiped },
    { "a_source_of_nothing_but_zeros_ends", a_source_of_nothing_but_zeros_ends },
    { "roots_are_exact", roots_are_exact },
};
TEST_MAIN(cases)
