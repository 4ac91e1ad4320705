/* SPDX-License-Identifier: Apache-2.0 */
/* What a drill promises: liars by plan, a bound that holds in nearly all worlds, and leaves
 * that stay as they were. */
#include <kith/drill.h>

#include "base/draw.h"
#include "test.h"

#define MOST  160
#define RUNS  150
#define TRUTH 3

static kith_leaf leaves[MOST];
static kith_drill_liar liars[MOST];

static void draw(uint64_t seed, unsigned k, double tau) {
    uint64_t dice = seed;
    for (unsigned i = 0; i < k; i++) {
        double n = fmax(1, round(exp(2 + draw_normal(&dice)))), v = 1 / n;
        leaves[i] = (kith_leaf){ .y = TRUTH + draw_normal(&dice) * sqrt(tau * tau + v),
            .v = v,
            .relevance = 1,
            .n = (uint64_t) n,
            .source = { (uint8_t) i, 1 } };
    }
}

static kith_drill drilled(unsigned k, kith_drill_plan plan) {
    kith_drill d;
    if (kith_drill_run(leaves, k, NULL, &plan, &d, liars) != 0) abort();
    return d;
}

typedef struct shares {
    double inside, all_named, none_named;
} shares;

static shares over_worlds(kith_drill_lie lie, unsigned k, double tau, uint32_t percent) {
    shares s = { 0 };
    for (unsigned run = 0; run < RUNS; run++) {
        draw(7919u * run + k, k, tau);
        kith_drill d =
            drilled(k, (kith_drill_plan){ .lie = lie, .percent = percent, .seed = run });
        s.inside += d.inside;
        s.all_named += d.named == d.liars;
        s.none_named += d.named == 0;
    }
    s = (shares){ s.inside / RUNS, s.all_named / RUNS, s.none_named / RUNS };
    printf("# %s, %u %% beside %u, tau %.1f: inside %.3f, all named %.3f, none %.3f\n",
        lie == KITH_DRILL_GROSS ? "gross" : "stealth", percent, k, tau, s.inside,
        s.all_named, s.none_named);
    return s;
}

static const unsigned ks[] = { 8, 20, 80 };
static const double taus[] = { 0, 0.3, 1 };
static const uint32_t percents[] = { 10, 20, 30 };

static void gross_liars_are_named_and_move_the_answer_within_the_bound(void) {
    for (unsigned i = 0; i < 27; i++) {
        shares s =
            over_worlds(KITH_DRILL_GROSS, ks[i / 9], taus[i / 3 % 3], percents[i % 3]);
        EXPECT(s.inside >= (ks[i / 9] < 20 ? 0.94 : 0.98));
        EXPECT(s.all_named >= 0.94);
    }
}

static void stealthy_liars_are_hardly_named_and_move_the_answer_within_the_bound(void) {
    for (unsigned i = 0; i < 27; i++) {
        shares s =
            over_worlds(KITH_DRILL_STEALTH, ks[i / 9], taus[i / 3 % 3], percents[i % 3]);
        EXPECT(s.inside >= 0.94);
        EXPECT(s.none_named >= 0.9);
    }
}

static void a_bound_can_be_broken_and_is_then_said_to_be(void) {
    unsigned outside = 0;
    for (unsigned run = 0; run < 4 * RUNS; run++) {
        draw(run, 8, 1);
        kith_drill d = drilled(8, (kith_drill_plan){ .percent = 30, .seed = run });
        EXPECT(d.inside == (d.shift <= d.bound));
        outside += !d.inside;
    }
    EXPECT(outside > 0);
}

/* The swarm of the table: fifty, a fifth of them at +0.6 where sources spread by 0.475. */
static void the_bound_of_stealthy_liars_is_that_of_the_table(void) {
    draw(1, 40, 0.3);
    kith_drill d = drilled(
        40, (kith_drill_plan){ .lie = KITH_DRILL_STEALTH, .percent = 20, .seed = 1 });
    double told = d.bound - d.before.kept.se;
    EXPECT_INT(d.liars, 10);
    EXPECT(fabs(told / d.spread - 0.15 / 0.475) < 0.01);
}

static void the_same_seed_plants_the_same_liars(void) {
    kith_drill_liar first[MOST];
    draw(5, 20, 0.3);
    kith_drill_plan plan = { .percent = 20, .seed = 9 };
    kith_drill a = drilled(20, plan);
    memcpy(first, liars, sizeof first);
    kith_drill b = drilled(20, plan);
    EXPECT(a.shift == b.shift && a.bound == b.bound && a.after.kept.mu == b.after.kept.mu);
    EXPECT_INT(a.liars, 5);
    for (unsigned i = 0; i < a.liars; i++) {
        EXPECT(first[i].leaf.y == liars[i].leaf.y);
        EXPECT(memcmp(first[i].leaf.source, liars[i].leaf.source, KITH_KEYID_SIZE) == 0);
    }
    plan.seed = 10;
    (void) drilled(20, plan);
    EXPECT(first[0].leaf.y != liars[0].leaf.y);
}

static void the_leaves_and_the_answer_without_liars_are_those_of_ask(void) {
    static kith_leaf as_they_were[MOST];
    kith_answer answer;
    draw(5, 20, 0.3);
    memcpy(as_they_were, leaves, sizeof leaves);
    kith_drill d = drilled(20, (kith_drill_plan){ .percent = 20, .seed = 9 });
    EXPECT(memcmp(as_they_were, leaves, sizeof leaves) == 0);
    EXPECT_INT(kith_pool_answer(leaves, 20, NULL, NULL, &answer, NULL), 0);
    EXPECT(answer.kept.mu == d.before.kept.mu && answer.kept.se == d.before.kept.se);
    EXPECT(d.shift == fabs(d.after.kept.mu - answer.kept.mu));
}

static void who_was_far_out_before_is_not_accused_by_it(void) {
    draw(5, 20, 0.3);
    leaves[2].y = 50;
    kith_drill d = drilled(20, (kith_drill_plan){ .percent = 20, .seed = 9 });
    EXPECT(d.before.flagged > 0);
    EXPECT(d.after.flagged == d.before.flagged + d.named);
    EXPECT_INT(d.named, 5);
    EXPECT_INT(d.accused, 0);
}

static void too_few_sources_are_counted_and_nothing_is_planted(void) {
    draw(5, 20, 0.3);
    for (unsigned k = 0; k < KITH_DRILL_SOURCES_MIN; k++) {
        kith_drill d = drilled(k, (kith_drill_plan){ .percent = 20 });
        EXPECT(d.insufficient && !d.inside);
        EXPECT_INT(d.k + d.missing, KITH_DRILL_SOURCES_MIN);
        EXPECT_INT(d.liars, 0);
    }
    kith_pool_options many = { .quorum = 50 };
    kith_drill_plan plan = { .percent = 20 };
    kith_drill d;
    EXPECT_INT(kith_drill_run(leaves, 20, &many, &plan, &d, liars), 0);
    EXPECT(d.insufficient && !d.inside && d.liars == 0);
    EXPECT_INT(d.missing, 30);
}

static void the_share_is_of_all_with_the_liars_among_them(void) {
    EXPECT_INT(kith_drill_liars(8, 20), 2);
    EXPECT_INT(kith_drill_liars(40, 20), 10);
    EXPECT_INT(kith_drill_liars(70, 30), 30);
    EXPECT_INT(kith_drill_liars(8, 1), 1);
    EXPECT_INT(kith_drill_liars(KITH_LEAVES_MAX, 30), 1797559);
}

static void plans_that_make_no_sense_are_refused_and_change_nothing(void) {
    kith_pool_options plain = { .plain = true };
    kith_drill d = { .k = 77 };
    draw(5, 20, 0.3);
    const kith_drill_plan bad[] = { { .percent = 0 }, { .percent = 31 },
        { .percent = 20, .lie = (kith_drill_lie) 2 } };
    for (unsigned i = 0; i < 3; i++) {
        EXPECT_INT(kith_drill_run(leaves, 20, NULL, &bad[i], &d, liars), KITH_E_ARG);
    }
    kith_drill_plan good = { .percent = 20 };
    EXPECT_INT(kith_drill_run(leaves, 20, &plain, &good, &d, liars), KITH_E_ARG);
    leaves[3].y = NAN;
    EXPECT_INT(kith_drill_run(leaves, 20, NULL, &good, &d, liars), KITH_E_ARG);
    EXPECT_INT(d.k, 77);
}

static const test_case cases[] = {
    { "gross_liars_are_named_and_move_the_answer_within_the_bound",
        gross_liars_are_named_and_move_the_answer_within_the_bound },
    { "stealthy_liars_are_hardly_named_and_move_the_answer_within_the_bound",
        stealthy_liars_are_hardly_named_and_move_the_answer_within_the_bound },
    { "a_bound_can_be_broken_and_is_then_said_to_be",
        a_bound_can_be_broken_and_is_then_said_to_be },
    { "the_bound_of_stealthy_liars_is_that_of_the_table",
        the_bound_of_stealthy_liars_is_that_of_the_table },
    { "the_same_seed_plants_the_same_liars", the_same_seed_plants_the_same_liars },
    { "the_leaves_and_the_answer_without_liars_are_those_of_ask",
        the_leaves_and_the_answer_without_liars_are_those_of_ask },
    { "who_was_far_out_before_is_not_accused_by_it",
        who_was_far_out_before_is_not_accused_by_it },
    { "too_few_sources_are_counted_and_nothing_is_planted",
        too_few_sources_are_counted_and_nothing_is_planted },
    { "the_share_is_of_all_with_the_liars_among_them",
        the_share_is_of_all_with_the_liars_among_them },
    { "plans_that_make_no_sense_are_refused_and_change_nothing",
        plans_that_make_no_sense_are_refused_and_change_nothing },
};
TEST_MAIN(cases)
