/* SPDX-License-Identifier: Apache-2.0 */
/* What is said beside the estimate: who was capped or left out, the alarm,
 * agreement, freshness. Small pools that can be followed by hand. */
#include <kith/synthesis.h>

#include "test.h"

#include <math.h>

static kith_leaf leaves[16];
static kith_vote votes[16];
static kith_answer a;

static void put(unsigned i, double y, double v) {
    leaves[i] = (kith_leaf){
        .y = y, .v = v, .relevance = 1, .source = { (uint8_t) i }, .t_end_us = 100 + i
    };
}

static bool answered(size_t k, uint32_t quorum) {
    kith_pool_options options = { .quorum = quorum };
    return kith_pool_answer(leaves, k, NULL, &options, &a, votes) == 0;
}

static void five_sources_are_enough_to_name_a_liar(void) {
    for (unsigned i = 0; i < 5; i++) put(i, i == 2 ? -500 : 0.1 * i, 0.1);
    EXPECT(answered(5, 0) && a.robust && a.flagged == 1);
    EXPECT_INT(votes[2].fate, KITH_VOTE_FLAGGED);
    EXPECT(votes[2].residual <= -3 && votes[2].weight == 0 && votes[2].v_used == 0.1);
    EXPECT(a.kept.mu > 0 && a.plain.mu < -50 && a.alarm);
}

/* Two far out on either side leave the plain pool where it is; that they are over
 * a quarter is the alarm. */
static void the_alarm_counts_the_flagged(void) {
    for (unsigned i = 0; i < 6; i++) put(i, i % 2 ? 0.1 : -0.1, 0.1);
    put(6, 1000, 0.1), put(7, -1000, 0.1);
    EXPECT(answered(8, 0) && a.flagged == 2 && !a.alarm);
    leaves[5] = leaves[6], leaves[4] = leaves[7];
    EXPECT(answered(6, 0) && a.flagged == 2 && a.alarm);
    EXPECT(fabs(a.plain.mu - a.kept.mu) < a.kept.se);
}

static void a_quorum_is_of_those_who_are_left(void) {
    for (unsigned i = 0; i < 4; i++) put(i, i % 2 ? 0.1 : -0.1, 0.1);
    put(4, 1000, 0.1), put(5, -1000, 0.1);
    EXPECT(answered(6, 4) && !a.insufficient);
    EXPECT(answered(6, 5) && a.insufficient);
    EXPECT(a.missing == 1 && a.flagged == 2 && a.quorum == 5 && votes[0].weight == 0);
}

static void the_capped_are_kept_with_the_variance_that_counted(void) {
    for (unsigned i = 0; i < 10; i++) put(i, i % 2 ? 0.1 : -0.1, 1);
    leaves[3].v = 1e-6;
    EXPECT(answered(10, 0) && a.capped == 1 && a.flagged == 0);
    EXPECT_INT(votes[3].fate, KITH_VOTE_CAPPED);
    EXPECT(votes[3].v_used == 1.0 / 25 && votes[4].v_used == 1);
    EXPECT(fabs(votes[3].weight / votes[4].weight - 25) < 1e-9);
    for (unsigned i = 4; i < 10; i++) EXPECT(votes[i].fate == KITH_VOTE_KEPT);
}

static void freshness_and_agreement_are_of_the_kept(void) {
    for (unsigned i = 0; i < 8; i++) put(i, i < 3 ? 0 : -1, 1);
    put(8, 5, 1), put(9, -900, 1);
    leaves[9].t_end_us = 5;
    leaves[4].t_end_us = 50;
    leaves[5].t_end_us = 7000;
    EXPECT(answered(10, 0) && a.flagged >= 1 && votes[9].fate == KITH_VOTE_FLAGGED);
    EXPECT(a.oldest_us == 50 && a.newest_us == 7000);
    EXPECT(a.kept.mu < 0);
    /* Five of the kept are negative: those at 0 and above do not agree. */
    EXPECT(fabs(a.agreement - 5.0 / (10 - a.flagged)) < 1e-15);
    for (unsigned i = 0; i < 10; i++) leaves[i].y = -leaves[i].y;
    EXPECT(answered(10, 0) && fabs(a.agreement - 5.0 / (10 - a.flagged)) < 1e-15);
}

/* One far source with a relevance of its own is left out: what remains is equal. */
static void equal_relevances_among_the_kept_are_equal(void) {
    for (unsigned i = 0; i < 8; i++) {
        put(i, i % 2 ? 0.4 : -0.4, 0.1);
        leaves[i].relevance = 0.25;
    }
    leaves[7].y = 800;
    leaves[7].relevance = 1;
    EXPECT(answered(8, 0) && a.flagged == 1);
    kith_fit kept = a.kept;
    EXPECT(kept.k_eff == 7 && isfinite(kept.tau2_high) && isnan(a.plain.tau2_high));
    EXPECT(answered(7, 0));
    EXPECT(memcmp(&kept, &a.kept, sizeof kept) == 0);
}

static const test_case cases[] = {
    { "five_sources_are_enough_to_name_a_liar", five_sources_are_enough_to_name_a_liar },
    { "the_alarm_counts_the_flagged", the_alarm_counts_the_flagged },
    { "a_quorum_is_of_those_who_are_left", a_quorum_is_of_those_who_are_left },
    { "the_capped_are_kept_with_the_variance_that_counted",
        the_capped_are_kept_with_the_variance_that_counted },
    { "freshness_and_agreement_are_of_the_kept", freshness_and_agreement_are_of_the_kept },
    { "equal_relevances_among_the_kept_are_equal",
        equal_relevances_among_the_kept_are_equal },
};

TEST_MAIN(cases)
