/* SPDX-License-Identifier: Apache-2.0 */
/* What the panels promise: every point between its bounds, small here and whole with
 * KITH_SOAK=1; the same seed the same points, another seed others; and a library that
 * is wrong is seen. */
#include <kith/sim.h>

#include "test.h"

#include <math.h>

static kith_sim_panel panel, again;

static bool longer(void) {
    const char *soak = getenv("KITH_SOAK");
    return soak != NULL && soak[0] == '1';
}

static void holds(char letter) {
    kith_error err = { 0 };
    int r = kith_sim_panel_run(letter, 1, !longer(), &panel, &err);
    if (r < 0) printf("# %s\n", err.text);
    EXPECT_INT(r, 0);
    EXPECT(panel.count > 0 && panel.letter == letter);
    size_t bad = 0, promised = 0;
    for (size_t i = 0; i < panel.count; i++) {
        const kith_sim_point *p = &panel.points[i];
        promised += isnan(p->low) ? 0 : 1;
        if (kith_sim_point_good(p)) continue;
        bad++;
        printf("# %c, %s at %g: %g is not within %g and %g\n", letter, p->series, p->x,
            p->value, p->low, p->high);
    }
    printf("# panel %c: %zu of %u points promised\n", letter, promised, panel.count);
    EXPECT(promised > 0);
    EXPECT_INT(bad, 0);
}

static void a_error_against_the_number_of_nodes(void) {
    holds('A');
}
static void b_like_sources_err_as_much_as_they_claim(void) {
    holds('B');
}
static void c_an_answer_costs_what_its_twins_cost(void) {
    holds('C');
}
static void d_leaves_keep_their_word_where_echoes_lie(void) {
    holds('D');
}
static void e_liars_move_the_answer_as_little_as_is_printed(void) {
    holds('E');
}
static void h_the_own_result_is_never_worse_for_the_others(void) {
    holds('H');
}
static void j_the_half_life_of_the_formula_follows_best(void) {
    holds('J');
}

static bool same(const kith_sim_panel *a, const kith_sim_panel *b) {
    bool equal = a->count == b->count;
    for (size_t i = 0; i < a->count && equal; i++) {
        const kith_sim_point *x = &a->points[i], *y = &b->points[i];
        equal = strcmp(x->series, y->series) == 0 && x->x == y->x && x->value == y->value;
    }
    return equal;
}

static void one_seed_one_picture(void) {
    EXPECT_INT(kith_sim_panel_run('E', 7, true, &panel, NULL), 0);
    EXPECT_INT(kith_sim_panel_run('E', 7, true, &again, NULL), 0);
    EXPECT(same(&panel, &again));
    EXPECT_INT(kith_sim_panel_run('E', 8, true, &again, NULL), 0);
    EXPECT(!same(&panel, &again));
}

static void bounds_are_looked_at(void) {
    kith_sim_point p = { .value = 1, .low = 0.5, .high = 1.5 };
    EXPECT(kith_sim_point_good(&p));
    p.value = 1.6;
    EXPECT(!kith_sim_point_good(&p));
    p.value = NAN;
    EXPECT(!kith_sim_point_good(&p));
    p.low = p.high = NAN;
    EXPECT(kith_sim_point_good(&p));
}

static void what_is_no_panel_is_refused(void) {
    kith_error err = { 0 };
    EXPECT_INT(kith_sim_panel_run('K', 1, true, &panel, &err), KITH_E_ARG);
    EXPECT_INT(kith_sim_panel_run('\0', 1, true, &panel, &err), KITH_E_ARG);
}

static const test_case cases[] = {
    { "a_error_against_the_number_of_nodes", a_error_against_the_number_of_nodes },
    { "b_like_sources_err_as_much_as_they_claim",
        b_like_sources_err_as_much_as_they_claim },
    { "c_an_answer_costs_what_its_twins_cost", c_an_answer_costs_what_its_twins_cost },
    { "d_leaves_keep_their_word_where_echoes_lie",
        d_leaves_keep_their_word_where_echoes_lie },
    { "e_liars_move_the_answer_as_little_as_is_printed",
        e_liars_move_the_answer_as_little_as_is_printed },
    { "h_the_own_result_is_never_worse_for_the_others",
        h_the_own_result_is_never_worse_for_the_others },
    { "j_the_half_life_of_the_formula_follows_best",
        j_the_half_life_of_the_formula_follows_best },
    { "one_seed_one_picture", one_seed_one_picture },
    { "bounds_are_looked_at", bounds_are_looked_at },
    { "what_is_no_panel_is_refused", what_is_no_panel_is_refused },
};
TEST_MAIN(cases)
