/* SPDX-License-Identifier: Apache-2.0 */
/* What the elections promise: templates that call outcomes well win their share, by
 * one's own outcomes and by what others say they gained. Chance is seeded. */
#include <kith/trust.h>

#include "base/draw.h"
#include "test.h"

#include <math.h>

#define RIVALS 3

static bool same(double a, double b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

static void a_score_is_the_density_of_what_came(void) {
    kith_forecast it = { 1, 3 };
    kith_outcome o = { 3, 1, 0 };
    double got = 0;
    EXPECT_INT(kith_forecast_score(&it, &o, &got), 0);
    EXPECT(fabs(got - (-0.5 * log(8 * M_PI) - 0.5)) < 1e-14);
    kith_fit fit = { .mu = 2, .tau2 = 0.5, .se = 0.5 };
    it = kith_forecast_of(&fit);
    EXPECT(same(it.mu, 2) && same(it.var, 0.75));
    it.var = -1;
    EXPECT_INT(kith_forecast_score(&it, &o, &got), KITH_E_ARG);
    it = (kith_forecast){ NAN, 1 };
    EXPECT_INT(kith_forecast_score(&it, &o, &got), KITH_E_ARG);
    it = (kith_forecast){ 0x1p900, 1 };
    EXPECT_INT(kith_forecast_score(&it, &o, &got), KITH_E_ARG);
}

/* Three that are wrong in mean, in width, and not at all. */
static const kith_forecast rivals[RIVALS] = { { 0.5, 1 }, { 0, 9 }, { 0, 1 } };

static void the_mixture_loses_at_most_ln_m_on_the_best(void) {
    uint64_t dice = 31;
    double scores[RIVALS] = { 0 }, mixture = 0;
    for (int t = 0; t < 400; t++) {
        double weights[RIVALS], now[RIVALS], density = 0;
        kith_outcome o = { sqrt(1.1) * draw_normal(&dice), 0.1, 0 };
        EXPECT_INT(kith_curate_weights(scores, RIVALS, weights), 0);
        for (int j = 0; j < RIVALS; j++) {
            EXPECT_INT(kith_forecast_score(&rivals[j], &o, &now[j]), 0);
            EXPECT_INT(kith_curate_add(&scores[j], now[j], 1), 0);
            density += weights[j] * exp(now[j]);
        }
        mixture += log(density);
        double best = fmax(scores[0], fmax(scores[1], scores[2]));
        EXPECT(mixture >= best - log(RIVALS) - 1e-9);
    }
    double weights[RIVALS];
    EXPECT_INT(kith_curate_weights(scores, RIVALS, weights), 0);
    EXPECT(weights[2] > 0.99);
}

/* The world changes sides half-way; only who forgets notices soon. */
static void a_fading_score_follows_a_change(void) {
    uint64_t dice = 32;
    double fading[2] = { 0 }, total[2] = { 0 }, weights[2];
    const kith_forecast sides[2] = { { -1, 1 }, { 1, 1 } };
    for (int t = 0; t < 330; t++) {
        kith_outcome o = { (t < 250 ? -1 : 1) + draw_normal(&dice), 0.1, 0 };
        for (int j = 0; j < 2; j++) {
            double now;
            EXPECT_INT(kith_forecast_score(&sides[j], &o, &now), 0);
            EXPECT_INT(kith_curate_add(&fading[j], now, 0.98), 0);
            EXPECT_INT(kith_curate_add(&total[j], now, 1), 0);
        }
    }
    EXPECT_INT(kith_curate_weights(fading, 2, weights), 0);
    EXPECT(weights[1] > 0.99);
    EXPECT_INT(kith_curate_weights(total, 2, weights), 0);
    EXPECT(weights[1] < 0.01);
}

static void weights_of_any_scores_sum_to_one_in_any_order(void) {
    uint64_t dice = 33;
    for (int run = 0; run < 5000; run++) {
        size_t count = 1 + (size_t) dice_below(&dice, KITH_RIVALS_MAX), shift;
        double scores[KITH_RIVALS_MAX], gains[KITH_RIVALS_MAX], moved[KITH_RIVALS_MAX];
        double told[KITH_RIVALS_MAX], w[KITH_RIVALS_MAX], z[KITH_RIVALS_MAX], sum = 0;
        double far = exp2(40 * draw_uniform(&dice) - 20);
        for (size_t i = 0; i < count; i++) {
            scores[i] = far * draw_normal(&dice);
            gains[i] = draw_normal(&dice);
        }
        shift = (size_t) dice_below(&dice, count);
        for (size_t i = 0; i < count; i++) {
            moved[i] = scores[(i + shift) % count];
            told[i] = gains[(i + shift) % count];
        }
        EXPECT_INT(kith_compete_shares(scores, gains, count, KITH_EXPLORE, w), 0);
        EXPECT_INT(kith_compete_shares(moved, told, count, KITH_EXPLORE, z), 0);
        for (size_t i = 0; i < count; i++) {
            EXPECT(same(z[i], w[(i + shift) % count]));
            EXPECT(w[i] >= KITH_EXPLORE / (double) count);
            sum += w[i];
        }
        EXPECT(fabs(sum - 1) < 1e-12);
    }
}

static void an_eval_waits_for_twenty_outcomes(void) {
    kith_gain gain = { 0 };
    double y = -1, v = -1, mean = 0, squares = 0;
    uint32_t n = 0;
    for (int i = 0; i < KITH_EVAL_MIN; i++) {
        EXPECT_INT(kith_gain_eval(&gain, &y, &v, &n), KITH_EMPTY);
        EXPECT(same(y, -1) && same(v, -1) && n == 0);
        EXPECT_INT(kith_gain_add(&gain, i, 2 * i - 3), 0);
        mean += (3.0 - i) / KITH_EVAL_MIN;
    }
    for (int i = 0; i < KITH_EVAL_MIN; i++) squares += (3 - i - mean) * (3 - i - mean);
    EXPECT_INT(kith_gain_eval(&gain, &y, &v, &n), 0);
    EXPECT(fabs(y - mean) < 1e-12 && n == KITH_EVAL_MIN);
    EXPECT(fabs(v - squares / (KITH_EVAL_MIN - 1) / KITH_EVAL_MIN) < 1e-12);
}

/* A forecast that was sure and wrong costs any number of nats; a packet holds 1,024. */
static void a_gain_always_fits_a_packet(void) {
    uint64_t dice = 34;
    kith_gain gain = { 0 };
    EXPECT_INT(kith_gain_add(&gain, NAN, 0), KITH_E_ARG);
    EXPECT_INT(kith_gain_add(&gain, INFINITY, 0), KITH_E_ARG);
    EXPECT_INT(kith_gain_add(&gain, 0, -INFINITY), KITH_E_ARG);
    EXPECT(gain.count == 0);
    EXPECT_INT(kith_gain_add(&gain, -1e300, 0), 0);
    EXPECT_INT(kith_gain_add(&gain, 1e9, 1e9), 0);
    EXPECT(same(gain.mean, -512)); /* one outcome is 1,024 nats and no more */
    EXPECT(same(gain.squares, 2 * 512 * 512));
    gain = (kith_gain){ 0 };
    for (int i = 0; i < 3000; i++) {
        double huge = exp2(1000 * draw_uniform(&dice));
        EXPECT_INT(kith_gain_add(&gain, i % 3 ? huge : -huge, 0), 0);
        kith_content c = { .type = KITH_EVAL,
            .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE,
            .components = 1,
            .measure = 9 };
        double y, v;
        uint8_t measure;
        int r = kith_gain_eval(&gain, &c.effect[0], &c.covariance[0], &c.n);
        EXPECT_INT(r, i + 1 < KITH_EVAL_MIN ? KITH_EMPTY : 0);
        if (r == 0) {
            EXPECT_INT(kith_evidence_scalar(&c, &y, &v, &measure), 0);
            EXPECT(measure == 9 && same(y, c.effect[0]) && same(v, c.covariance[0]));
        }
    }
}

/* Twelve nodes say what each rival gained them, two of them lie for the useless one; and
 * one node, which has no outcomes of its own yet, follows what pays. */
static void a_better_template_wins_its_share_and_liars_do_not(void) {
    static const double gains[RIVALS] = { 0, 0.1, 0.8 };
    uint64_t dice = 35;
    double pooled[RIVALS], own[RIVALS] = { 0 }, shares[RIVALS];
    for (int j = 0; j < RIVALS; j++) {
        kith_leaf evals[12];
        kith_answer answer;
        for (unsigned i = 0; i < 12; i++) {
            double y = gains[j] + 0.1 * draw_normal(&dice);
            evals[i] = (kith_leaf){ .y = i < 2 && j == 0 ? 900 : y,
                .v = 0.01,
                .relevance = 1,
                .source = { (uint8_t) i } };
        }
        EXPECT_INT(kith_gain_pool(evals, 2, &pooled[j], &answer), 0);
        EXPECT(same(pooled[j], 0) && answer.insufficient);
        EXPECT_INT(kith_gain_pool(evals, 12, &pooled[j], &answer), 0);
        EXPECT(fabs(pooled[j] - gains[j]) < 0.15);
        EXPECT_INT(answer.flagged, j == 0 ? 2 : 0);
    }
    EXPECT_INT(kith_compete_shares(own, pooled, RIVALS, KITH_EXPLORE, shares), 0);
    EXPECT(shares[2] > 0.9);
    EXPECT(shares[0] >= KITH_EXPLORE / RIVALS && shares[0] < 0.05);
    own[0] = 30; /* what one has seen oneself outweighs it */
    EXPECT_INT(kith_compete_shares(own, pooled, RIVALS, KITH_EXPLORE, shares), 0);
    EXPECT(shares[0] > 0.9);
}

static void picks_follow_the_shares_and_the_seed(void) {
    const double shares[RIVALS] = { 0.05, 0.7, 0.25 }, sure[RIVALS] = { 0, 1, 0 };
    const double bad[][RIVALS] = { { 0.5, 0.6, 0 }, { NAN, 0.5, 0.5 }, { -1, 1, 1 } };
    uint64_t dice = 36, again = 36;
    unsigned seen[RIVALS] = { 0 };
    size_t at = 9, other = 9;
    for (int i = 0; i < 20000; i++) {
        EXPECT_INT(kith_compete_pick(shares, RIVALS, &dice, &at), 0);
        EXPECT_INT(kith_compete_pick(shares, RIVALS, &again, &other), 0);
        EXPECT(at < RIVALS && at == other);
        seen[at]++;
    }
    for (int j = 0; j < RIVALS; j++) {
        EXPECT(fabs(seen[j] / 20000.0 - shares[j]) < 0.02);
    }
    for (int i = 0; i < 100; i++) {
        EXPECT_INT(kith_compete_pick(sure, RIVALS, &dice, &at), 0);
        EXPECT_INT(at, 1);
    }
    for (int i = 0; i < 3; i++) {
        EXPECT_INT(kith_compete_pick(bad[i], RIVALS, &dice, &at), KITH_E_ARG);
    }
    EXPECT_INT(kith_compete_pick(shares, 0, &dice, &at), KITH_E_ARG);
}

static void what_makes_no_sense_is_refused(void) {
    double scores[KITH_RIVALS_MAX + 1] = { 0 }, gains[KITH_RIVALS_MAX + 1] = { 0 };
    double w[KITH_RIVALS_MAX + 1], score = 3;
    EXPECT_INT(kith_curate_weights(scores, 0, w), KITH_E_ARG);
    EXPECT_INT(kith_curate_weights(scores, KITH_RIVALS_MAX + 1, w), KITH_E_ARG);
    EXPECT_INT(kith_compete_shares(scores, gains, 2, 1.5, w), KITH_E_ARG);
    EXPECT_INT(kith_compete_shares(scores, gains, 2, NAN, w), KITH_E_ARG);
    gains[1] = INFINITY;
    EXPECT_INT(kith_compete_shares(scores, gains, 2, 0, w), KITH_E_ARG);
    scores[0] = NAN;
    EXPECT_INT(kith_curate_weights(scores, 2, w), KITH_E_ARG);
    EXPECT_INT(kith_curate_add(&score, NAN, 1), KITH_E_ARG);
    EXPECT_INT(kith_curate_add(&score, 1, 0), KITH_E_ARG);
    EXPECT_INT(kith_curate_add(&score, 1, 1.01), KITH_E_ARG);
    EXPECT(same(score, 3));
}

static const test_case cases[] = {
    { "a_score_is_the_density_of_what_came", a_score_is_the_density_of_what_came },
    { "the_mixture_loses_at_most_ln_m_on_the_best",
        the_mixture_loses_at_most_ln_m_on_the_best },
    { "a_fading_score_follows_a_change", a_fading_score_follows_a_change },
    { "weights_of_any_scores_sum_to_one_in_any_order",
        weights_of_any_scores_sum_to_one_in_any_order },
    { "an_eval_waits_for_twenty_outcomes", an_eval_waits_for_twenty_outcomes },
    { "a_gain_always_fits_a_packet", a_gain_always_fits_a_packet },
    { "a_better_template_wins_its_share_and_liars_do_not",
        a_better_template_wins_its_share_and_liars_do_not },
    { "picks_follow_the_shares_and_the_seed", picks_follow_the_shares_and_the_seed },
    { "what_makes_no_sense_is_refused", what_makes_no_sense_is_refused },
};

TEST_MAIN(cases)
