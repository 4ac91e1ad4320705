/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling effects of several components, and what a vote is worth before it is read. */
#include <kith/synthesis.h>

#include "base/draw.h"
#include "test.h"

#include <math.h>

#define K 24

static kith_vector votes_in[K];
static kith_leaf leaves[K];
static kith_vote votes[K];

/* Two components, correlated by rho, around (1, -2). */
static void draw_pairs(uint64_t seed, double rho) {
    uint64_t dice = seed;
    for (size_t i = 0; i < K; i++) {
        double a = 0.05 + fabs(draw_normal(&dice)) / 10,
               b = 0.2 + fabs(draw_normal(&dice)) / 4;
        double x = draw_normal(&dice), z = draw_normal(&dice);
        votes_in[i] = (kith_vector){ .components = 2,
            .relevance = 1,
            .source = { (uint8_t) i, 1 },
            .y = { 1 + 0.3 * draw_normal(&dice) + sqrt(a) * x,
                -2 + 0.5 * draw_normal(&dice) +
                    sqrt(b) * (rho * x + sqrt(1 - rho * rho) * z) },
            .covariance = { a, rho * sqrt(a * b), b } };
    }
}

static bool near(double a, double b, double tolerance) {
    return fabs(a - b) <= tolerance * fmax(fabs(b), 1e-3);
}

static void without_correlation_each_component_is_pooled_as_if_alone(void) {
    kith_answer both[4], one;
    draw_pairs(1, 0);
    kith_pool_options plain = { .plain = true };
    EXPECT_INT(kith_pool_vectors(votes_in, K, NULL, &plain, both, votes), 0);
    for (int c = 0; c < 2; c++) {
        for (size_t i = 0; i < K; i++) {
            leaves[i] = (kith_leaf){ .y = votes_in[i].y[c],
                .v = votes_in[i].covariance[2 * c],
                .relevance = 1,
                .source = { (uint8_t) i, 1 } };
        }
        EXPECT_INT(kith_pool_answer(leaves, K, NULL, &plain, &one, NULL), 0);
        EXPECT(near(both[c].kept.mu, one.kept.mu, 1e-12));
        EXPECT(near(both[c].kept.se, one.kept.se, 1e-12));
        EXPECT(near(both[c].kept.ci_high, one.kept.ci_high, 1e-12));
        EXPECT(near(both[c].kept.pi_low, one.kept.pi_low, 1e-12));
        EXPECT(both[c].kept.tau2 == one.kept.tau2);
        EXPECT(both[c].agreement == one.agreement);
    }
    double sum = 0;
    for (size_t i = 0; i < K; i++) sum += votes[i].weight;
    EXPECT(near(sum, 1, 1e-12));
}

/* Against the normal equations written out for two components. */
static void correlated_components_solve_their_normal_equations(void) {
    kith_answer both[4];
    draw_pairs(2, 0.8);
    kith_pool_options plain = { .plain = true, .ci = KITH_CI_WALD };
    EXPECT_INT(kith_pool_vectors(votes_in, K, NULL, &plain, both, NULL), 0);
    double a = 0, b = 0, d = 0, x = 0, z = 0;
    for (size_t i = 0; i < K; i++) {
        const double *v = votes_in[i].covariance, *y = votes_in[i].y;
        double p = v[0] + both[0].kept.tau2, q = v[2] + both[1].kept.tau2;
        double det = p * q - v[1] * v[1];
        a += q / det, b -= v[1] / det, d += p / det;
        x += (q * y[0] - v[1] * y[1]) / det;
        z += (p * y[1] - v[1] * y[0]) / det;
    }
    double det = a * d - b * b;
    EXPECT(near(both[0].kept.mu, (d * x - b * z) / det, 1e-12));
    EXPECT(near(both[1].kept.mu, (a * z - b * x) / det, 1e-12));
    EXPECT(near(both[0].kept.se, sqrt(d / det), 1e-12));
    EXPECT(near(both[1].kept.se, sqrt(a / det), 1e-12));
}

static void a_liar_in_one_component_is_left_out_of_all(void) {
    for (uint64_t seed = 10; seed < 60; seed++) {
        kith_answer clean[4], both[4];
        draw_pairs(seed, 0.5);
        EXPECT_INT(kith_pool_vectors(votes_in, K, NULL, NULL, clean, NULL), 0);
        votes_in[7].y[1] += 20;
        votes_in[7].covariance[2] = 0x1p-20;
        votes_in[7].covariance[1] = 0;
        EXPECT_INT(kith_pool_vectors(votes_in, K, NULL, NULL, both, votes), 0);
        EXPECT_INT(votes[7].fate, KITH_VOTE_FLAGGED);
        EXPECT(votes[7].weight == 0 && both[0].flagged >= 1 && both[0].flagged <= 3);
        EXPECT(both[0].flagged == both[1].flagged && both[1].alarm);
        EXPECT(fabs(both[1].kept.mu + 2) < 0.7 && fabs(both[0].kept.mu - 1) < 0.5);
    }
}

static void order_and_units_change_nothing(void) {
    kith_answer one[4], other[4], scaled[4];
    draw_pairs(3, -0.6);
    kith_vector own = { .components = 2,
        .relevance = 1,
        .source = { 0xff },
        .y = { 1.5, -1 },
        .covariance = { 0.2, 0.05, 0.4 } };
    EXPECT_INT(kith_pool_vectors(votes_in, K, &own, NULL, one, NULL), 0);
    for (size_t i = 0; i < K / 2; i++) {
        kith_vector swap = votes_in[i];
        votes_in[i] = votes_in[K - 1 - i];
        votes_in[K - 1 - i] = swap;
    }
    EXPECT_INT(kith_pool_vectors(votes_in, K, &own, NULL, other, NULL), 0);
    EXPECT(memcmp(one, other, 2 * sizeof *one) == 0);
    EXPECT(one[0].has_shrunk && one[0].shrunk_sd < sqrt(own.covariance[0]));
    for (size_t i = 0; i <= K; i++) { /* the second component in thousandths */
        kith_vector *it = i < K ? &votes_in[i] : &own;
        it->y[1] *= 1024;
        it->covariance[1] *= 1024;
        it->covariance[2] *= 1024.0 * 1024;
    }
    EXPECT_INT(kith_pool_vectors(votes_in, K, &own, NULL, scaled, NULL), 0);
    EXPECT(near(scaled[0].kept.mu, one[0].kept.mu, 1e-10));
    EXPECT(near(scaled[1].kept.mu / 1024, one[1].kept.mu, 1e-10));
    EXPECT(near(scaled[1].shrunk / 1024, one[1].shrunk, 1e-10));
    EXPECT(scaled[0].flagged == one[0].flagged);
}

static void what_is_no_vote_is_refused(void) {
    kith_answer answers[4];
    draw_pairs(4, 0);
    votes_in[3].covariance[1] = 1; /* a correlation above 1 */
    EXPECT_INT(kith_pool_vectors(votes_in, K, NULL, NULL, answers, NULL), KITH_E_ARG);
    draw_pairs(4, 0);
    votes_in[3].components = 1;
    EXPECT_INT(kith_pool_vectors(votes_in, K, NULL, NULL, answers, NULL), KITH_E_ARG);
    draw_pairs(4, 0);
    votes_in[3].source[0] = 2; /* twice the same source */
    EXPECT_INT(kith_pool_vectors(votes_in, K, NULL, NULL, answers, NULL), KITH_E_ARG);
    draw_pairs(4, 0);
    for (size_t k = 0; k < 3; k++) {
        EXPECT_INT(kith_pool_vectors(votes_in, k, NULL, NULL, answers, votes), 0);
        EXPECT(answers[0].insufficient && answers[0].missing == 3 - k);
    }
    EXPECT_INT(kith_pool_vectors(votes_in, 3, NULL, NULL, answers, votes), 0);
    EXPECT(!answers[1].insufficient && !answers[0].robust && answers[0].flagged == 0);
}

static void a_vote_halves_with_each_half_life(void) {
    const int64_t hour = INT64_C(3600000000), now = 100 * hour;
    EXPECT(kith_relevance_age(now, now, hour) == 1);
    EXPECT(kith_relevance_age(now + hour, now, hour) == 1);
    EXPECT(kith_relevance_age(now - hour, now, hour) == 0.5);
    EXPECT(kith_relevance_age(now - 3 * hour, now, hour) == 0.125);
    EXPECT(kith_relevance_age(now - 3 * hour, now, 0) == 1);
    EXPECT(kith_relevance_age(INT64_MIN, INT64_MAX, 1) == 0x1p-60);
}

static void no_enroller_has_more_than_a_third(void) {
    uint64_t dice = 9;
    for (int round = 0; round < 2000; round++) {
        uint32_t group[40];
        double weight[40], relevance[40], total[5] = { 0 }, all = 0, most = 0;
        size_t count = (size_t) (3 + dice_roll(&dice) % 38), groups = 0;
        for (size_t i = 0; i < count; i++) {
            group[i] = (uint32_t) (dice_roll(&dice) % (count < 5 ? 3 : 5));
            weight[i] =
                0.01 + (double) (dice_roll(&dice) % 1000) / (group[i] == 1 ? 1 : 50);
        }
        EXPECT_INT(kith_relevance_groups(group, weight, count, relevance), 0);
        for (size_t i = 0; i < count; i++) {
            EXPECT(relevance[i] > 0 && relevance[i] <= 1);
            if (total[group[i]] == 0) groups++;
            total[group[i]] += relevance[i] * weight[i];
        }
        for (int g = 0; g < 5; g++) {
            all += total[g];
            most = fmax(most, total[g]);
        }
        EXPECT(groups < 3 || most <= all / 3 * (1 + 1e-12));
    }
    uint32_t three[3] = { 0, 1, 2 };
    double weight[3] = { 10, 1, 1 }, relevance[3];
    EXPECT_INT(kith_relevance_groups(three, weight, 3, relevance), 0);
    EXPECT(relevance[0] == 0.1 && relevance[1] == 1 && relevance[2] == 1);
    EXPECT_INT(kith_relevance_groups(three, weight, 2, relevance), 0);
    EXPECT(relevance[0] == 1);
    three[0] = 9;
    EXPECT_INT(kith_relevance_groups(three, weight, 3, relevance), KITH_E_ARG);
}

static const test_case cases[] = {
    { "without_correlation_each_component_is_pooled_as_if_alone",
        without_correlation_each_component_is_pooled_as_if_alone },
    { "correlated_components_solve_their_normal_equations",
        correlated_components_solve_their_normal_equations },
    { "a_liar_in_one_component_is_left_out_of_all",
        a_liar_in_one_component_is_left_out_of_all },
    { "order_and_units_change_nothing", order_and_units_change_nothing },
    { "what_is_no_vote_is_refused", what_is_no_vote_is_refused },
    { "a_vote_halves_with_each_half_life", a_vote_halves_with_each_half_life },
    { "no_enroller_has_more_than_a_third", no_enroller_has_more_than_a_third },
};

TEST_MAIN(cases)
