/* SPDX-License-Identifier: Apache-2.0 */
/* What a histogram promises: quantiles right to a step, the maximum exact. */
#include "histogram.h"
#include "test.h"

static histogram h, other;

static void an_empty_one_says_zero(void) {
    histogram_clear(&h);
    EXPECT_INT(histogram_at(&h, .5), 0);
    EXPECT_INT(histogram_at(&h, 1), 0);
}

static void small_values_are_exact(void) {
    histogram_clear(&h);
    for (uint64_t i = 0; i < 64; i++) {
        histogram_add(&h, i);
    }
    EXPECT_INT(histogram_at(&h, .5), 31);
    EXPECT_INT(histogram_at(&h, 1), 63);
}

static void every_magnitude_is_right_to_a_step(void) {
    for (uint64_t v = 64; v < UINT64_C(1) << 41; v = v * 3 / 2 + 1) {
        histogram_clear(&h);
        for (int i = 0; i < 99; i++) {
            histogram_add(&h, v);
        }
        histogram_add(&h, UINT64_C(1) << 41);
        uint64_t got = histogram_at(&h, .99);
        EXPECT(got >= v);
        EXPECT(got - v <= v / 64);
    }
}

static void the_maximum_is_exact_and_the_largest_quantile(void) {
    histogram_clear(&h);
    histogram_add(&h, 10);
    histogram_add(&h, 123456789);
    EXPECT_INT(h.max, 123456789);
    EXPECT_INT(histogram_at(&h, 1), 123456789);
    histogram_add(&h, UINT64_MAX);
    EXPECT(histogram_at(&h, 1) == UINT64_MAX || histogram_at(&h, 1) >= UINT64_C(1) << 41);
}

static void merging_counts_everything_once(void) {
    histogram_clear(&h);
    histogram_clear(&other);
    for (uint64_t i = 1; i <= 1000; i++) {
        histogram_add(i % 2 ? &h : &other, i * 1000);
    }
    histogram_merge(&h, &other);
    EXPECT_INT(h.count, 1000);
    EXPECT_INT(h.max, 1000000);
    uint64_t median = histogram_at(&h, .5);
    EXPECT(median >= 500000 && median <= 508000);
}

static const test_case cases[] = {
    { "an_empty_one_says_zero", an_empty_one_says_zero },
    { "small_values_are_exact", small_values_are_exact },
    { "every_magnitude_is_right_to_a_step", every_magnitude_is_right_to_a_step },
    { "the_maximum_is_exact_and_the_largest_quantile",
        the_maximum_is_exact_and_the_largest_quantile },
    { "merging_counts_everything_once", merging_counts_everything_once },
};
TEST_MAIN(cases)
