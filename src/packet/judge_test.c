/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a packet besides its bytes: its time, its unit, and the words
 * for its refusal. */
#include "packet/samples.h"

#include "test.h"

#define DAY_US  INT64_C(86400000000)
#define YEAR_US (365 * DAY_US)
#define NOW     INT64_C(1764000000000000)

static kith_content at(int64_t t_end_us, uint32_t ttl_s) {
    return (kith_content){ .t_end_us = t_end_us, .ttl_s = ttl_s };
}

static int timely(int64_t t_end_us, uint32_t ttl_s, int64_t now_us) {
    kith_content c = at(t_end_us, ttl_s);
    return kith_packet_timely(&c, now_us);
}

static void c1_a_clock_ten_years_off_is_refused_either_way(void) {
    EXPECT_INT(timely(NOW, 604800, NOW), 0);
    EXPECT_INT(timely(NOW + 60000000, 604800, NOW), 0);
    EXPECT_INT(timely(NOW + 60000001, 604800, NOW), KITH_R_FUTURE);
    EXPECT_INT(timely(NOW + 10 * YEAR_US, 604800, NOW), KITH_R_FUTURE);
    EXPECT_INT(timely(NOW - 10 * YEAR_US, 604800, NOW), KITH_R_EXPIRED);
    EXPECT_INT(timely(NOW - 10 * YEAR_US, 315576000, NOW), 0); /* ten years to live */
    for (int64_t jitter = -5000000; jitter <= 5000000; jitter += 250000) {
        EXPECT_INT(timely(NOW + jitter, 604800, NOW), 0);
    }
}

static void expires_when_its_time_is_over_and_not_before(void) {
    EXPECT_INT(timely(NOW, 1, NOW + 999999), 0);
    EXPECT_INT(timely(NOW, 1, NOW + 1000000), KITH_R_EXPIRED);
    EXPECT_INT(timely(NOW - DAY_US, 86400, NOW), KITH_R_EXPIRED); /* born expired */
}

static void c4_no_inversion_where_clocks_overflow(void) {
    static const int64_t edges[] = { (INT64_C(1) << 31) * 1000000,
        (INT64_C(1) << 32) * 1000000, 1483228800000000 /* a leap second before it */,
        INT64_C(253402300799999999) - 5000000, INT64_MAX - 5000000 };
    int inversions = 0, ticks = 0;
    for (size_t e = 0; e < sizeof edges / sizeof *edges; e++) {
        int64_t before = 0;
        for (int64_t i = 0; i < 2000000; i++, ticks++) {
            kith_content c = at(edges[e] - 1000000 + i, (uint32_t) (1 + i / 1000000));
            int64_t expires = kith_packet_expires_us(&c);
            inversions += expires < before || expires < c.t_end_us;
            inversions += kith_packet_timely(&c, c.t_end_us) != 0;
            before = expires;
        }
    }
    EXPECT_INT(ticks, 10000000);
    EXPECT_INT(inversions, 0);
}

static void time_never_overflows(void) {
    kith_content c = at(INT64_MAX, UINT32_MAX);
    EXPECT_INT(kith_packet_expires_us(&c), INT64_MAX);
    EXPECT_INT(kith_packet_timely(&c, INT64_MAX - 1), 0);
    EXPECT_INT(kith_packet_timely(&c, INT64_MAX), KITH_R_EXPIRED);
    EXPECT_INT(kith_packet_timely(&c, INT64_MIN), KITH_R_FUTURE);
    c = at(1, 1);
    EXPECT_INT(kith_packet_timely(&c, INT64_MAX), KITH_R_EXPIRED);
}

static void every_refusal_has_its_own_counter_and_words(void) {
    for (int a = KITH_R_LENGTH; a >= KITH_R_LAST; a--) {
        EXPECT(kith_refusal_counter(a) != NULL && kith_refusal_words(a) != NULL);
        EXPECT(strspn(kith_refusal_counter(a), "abcdefghijklmnopqrstuvwxyz_") ==
               strlen(kith_refusal_counter(a)));
        for (int b = KITH_R_LENGTH; b > a; b--) {
            EXPECT(strcmp(kith_refusal_counter(a), kith_refusal_counter(b)) != 0);
            EXPECT(strcmp(kith_refusal_words(a), kith_refusal_words(b)) != 0);
        }
    }
    static const int others[] = { 0, 1, KITH_E_ARG, KITH_E_CONFIG, KITH_R_LENGTH + 1,
        KITH_R_LAST - 1, INT32_MIN, INT32_MAX };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        EXPECT(kith_refusal_counter(others[i]) == NULL);
        EXPECT(kith_refusal_words(others[i]) == NULL);
    }
}

static void knows_the_built_in_templates(void) {
    for (int last = 0; last < 256; last++) {
        uint8_t id[KITH_TEMPLATE_SIZE] = { 0 };
        int u = 77, want = (int8_t) last;
        id[15] = (uint8_t) last;
        bool known = want >= -9 && want <= 9;
        EXPECT(kith_template_builtin(id, &u) == known);
        EXPECT_INT(u, known ? want : 77);
        for (int i = 0; i < 15; i++) {
            id[i] = 1;
            EXPECT(!kith_template_builtin(id, &u));
            id[i] = 0;
        }
    }
}

static kith_content effect(double y, double v, int8_t u) {
    kith_content c = {
        .type = KITH_LEAF,
        .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE,
        .components = 1,
        .effect = { y },
        .covariance = { v },
    };
    c.template_id[15] = (uint8_t) u;
    return c;
}

static void admits_what_fits_the_unit(void) {
    static const struct {
        double y, se;
        int code;
    } rows[] = { { 0, 1, 0 }, { 1024, 1, 0 }, { -1024.5, 1, KITH_R_UNIT }, { 0, 0.001, 0 },
        { 0, 0.00099, KITH_R_UNIT }, { 0, 1000, 0 }, { 0, 1001, KITH_R_UNIT },
        { 0, (double) NAN, KITH_R_UNIT } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kith_content c = effect(rows[i].y, rows[i].se * rows[i].se, (int8_t) (i - 3));
        EXPECT_INT(kith_template_admits(&c), rows[i].code);
    }
    kith_content c = effect(0, 1, 0);
    c.components = 4;
    for (int i = 0; i < 10; i++) c.covariance[i] = 1;
    EXPECT_INT(kith_template_admits(&c), 0);
    c.covariance[9] = 1e-7;
    EXPECT_INT(kith_template_admits(&c), KITH_R_UNIT);
    c.has = KITH_HAS_COUNTS;
    EXPECT_INT(kith_template_admits(&c), 0);
    c.template_id[0] = 1;
    EXPECT_INT(kith_template_admits(&c), KITH_EMPTY);
}

static void finds_the_unit_that_fits(void) {
    static const struct {
        double effect, se;
        int u;
    } rows[] = { { 0.5, 1, 0 }, { 5000, 1000, 3 }, { 5e6, 200, 4 }, { 0.001, 2e-4, -4 },
        { 1e12, 1e9, 9 }, { 0, 2e-12, -9 }, { 1024, 1e-3, 0 }, { -3e-8, 1e-9, -9 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int u = 77;
        EXPECT_INT(kith_template_unit_for(rows[i].effect, rows[i].se, &u), 0);
        EXPECT_INT(u, rows[i].u);
        double unit = kith_template_unit(u), se = rows[i].se / unit;
        kith_content c = effect(rows[i].effect / unit, se * se, (int8_t) u);
        EXPECT_INT(kith_template_admits(&c), 0);
    }
    static const double none[][2] = { { 1e13, 1 }, { 0, 0 }, { 0, -1 }, { (double) NAN, 1 },
        { 0, (double) NAN }, { 0, (double) INFINITY }, { 1e9, 1e-9 }, { 5e6, 2 },
        { 0, 1e-13 } };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        int u = 77;
        EXPECT_INT(kith_template_unit_for(none[i][0], none[i][1], &u), KITH_E_ARG);
        EXPECT_INT(u, 77);
    }
}

static void names_a_source_by_its_key(void) {
    uint8_t key[KITH_KEY_SIZE] = { 0 }, a[KITH_KEYID_SIZE], b[KITH_KEYID_SIZE];
    kith_keyid(key, a);
    for (int bit = 0; bit < 256; bit++) {
        key[bit / 8] ^= (uint8_t) (1 << bit % 8);
        kith_keyid(key, b);
        EXPECT(memcmp(a, b, sizeof a) != 0);
        key[bit / 8] ^= (uint8_t) (1 << bit % 8);
    }
}

static const test_case cases[] = {
    { "c1_a_clock_ten_years_off_is_refused_either_way",
        c1_a_clock_ten_years_off_is_refused_either_way },
    { "expires_when_its_time_is_over_and_not_before",
        expires_when_its_time_is_over_and_not_before },
    { "c4_no_inversion_where_clocks_overflow", c4_no_inversion_where_clocks_overflow },
    { "time_never_overflows", time_never_overflows },
    { "every_refusal_has_its_own_counter_and_words",
        every_refusal_has_its_own_counter_and_words },
    { "knows_the_built_in_templates", knows_the_built_in_templates },
    { "admits_what_fits_the_unit", admits_what_fits_the_unit },
    { "finds_the_unit_that_fits", finds_the_unit_that_fits },
    { "names_a_source_by_its_key", names_a_source_by_its_key },
};
TEST_MAIN(cases)
