/* SPDX-License-Identifier: Apache-2.0 */
/* Panel D: a hundred nodes, each asks six others a round. Some pool what their
 * neighbours concluded, as if it were evidence; some keep the leaf of each source, once.
 * Both by the same function. What differs is what flows: the first believe their own
 * echo. */
#include "sim/panel.h"

#include <stdio.h>
#include <string.h>

enum {
    NODES = 100,
    PULLS = 6,
    ROUNDS = 8,
    ECHOES = 10, /* in every tenth world conclusions are passed on as well */
    ASKED = 50,  /* every so many-th node is asked what it knows */
};

/* The rounds whose figures are printed. */
static bool shown(int round) {
    return round == 2 || round == 4 || round == 8;
}

typedef struct state {
    double truth;
    kith_leaf own[NODES];
    double mu[NODES], v[NODES]; /* what each concluded */
    bool has[NODES][NODES];     /* whose leaves each has */
} state;

typedef struct tally {
    ki_squares error, claimed;
    double held, of;
} tally;

static int pooled(const kith_leaf *leaves, size_t count, tally *t, double truth,
    double *ret_mu, double *ret_v) {
    kith_fit fit;
    int r = kith_pool_fit(leaves, count, KITH_POOL_FE, KITH_CI_WALD, &fit);
    if (r != 0) return r;
    ki_square(&t->error, fit.mu - truth);
    ki_square(&t->claimed, fit.se);
    t->held += fit.ci_low <= truth && truth <= fit.ci_high;
    t->of++;
    if (ret_mu != NULL) *ret_mu = fit.mu, *ret_v = fit.se * fit.se;
    return 0;
}

static void begin(state *s, uint64_t *dice) {
    *s = (state){ .truth = draw_normal(dice) };
    for (size_t i = 0; i < NODES; i++) {
        double v = 0.23; /* so that all leaves together leave 0.048 */
        s->own[i] = ki_leaf(s->truth + sqrt(v) * draw_normal(dice), v, i);
        s->mu[i] = s->own[i].y;
        s->v[i] = v;
        s->has[i][i] = true;
    }
}

/* One node after six pulls of conclusions. */
static int conclude(const state *s, state *next, size_t i, const size_t *from, tally *t) {
    kith_leaf leaves[1 + PULLS];
    leaves[0] = ki_leaf(s->mu[i], s->v[i], i);
    for (size_t k = 0; k < PULLS; k++) {
        leaves[k + 1] = ki_leaf(s->mu[from[k]], s->v[from[k]], NODES + k);
    }
    return pooled(leaves, PULLS + 1, t, s->truth, &next->mu[i], &next->v[i]);
}

/* The same of leaves: nobody needs to conclude anything before he is asked. */
static int ask(const state *s, size_t i, tally *t) {
    kith_leaf leaves[NODES];
    size_t count = 0;
    for (size_t j = 0; j < NODES; j++) {
        if (s->has[i][j]) leaves[count++] = s->own[j];
    }
    return pooled(leaves, count, t, s->truth, NULL, NULL);
}

static int one_round(const state *s, state *next, uint64_t *dice, bool echo, tally *t) {
    for (size_t i = 0; i < NODES; i++) {
        size_t from[PULLS];
        for (size_t k = 0; k < PULLS; k++) from[k] = dice_below(dice, NODES);
        for (size_t k = 0; k < PULLS; k++) {
            for (size_t j = 0; j < NODES; j++) next->has[i][j] |= s->has[from[k]][j];
        }
        int r = echo ? conclude(s, next, i, from, t) : 0;
        if (r != 0) return r;
    }
    return 0;
}

static int once(uint64_t *dice, bool echo, tally t[ROUNDS][2]) {
    state s, next;
    begin(&s, dice);
    for (int round = 0; round < ROUNDS; round++) {
        next = s;
        int r = one_round(&s, &next, dice, echo, &t[round][0]);
        for (size_t i = 0; i < NODES && r == 0 && shown(round + 1); i += ASKED) {
            r = ask(&next, i, &t[round][1]);
        }
        if (r != 0) return r;
        s = next;
    }
    return 0;
}

static void add(kith_sim_panel *p, const char *flows, int round, const tally *t,
    ki_bounds coverage, ki_bounds claimed) {
    double each = flows[0] == 'l' ? NODES / ASKED : NODES;
    char series[KITH_SIM_SERIES_MAX + 1];
    (void) snprintf(series, sizeof series, "%s: coverage", flows);
    double worlds = t->of / each; /* the nodes of one world err as one */
    ki_sim_add_share(p, series, round, t->held / each, worlds, coverage);
    (void) snprintf(series, sizeof series, "%s: claimed error", flows);
    ki_sim_add(p, series, round, ki_rms(&t->claimed), claimed);
    (void) snprintf(series, sizeof series, "%s: true error", flows);
    ki_sim_add(p, series, round, ki_rms(&t->error), SIM_FREE);
}

int ki_panel_gossip(kith_sim_panel *p) {
    tally t[ROUNDS][2];
    memset(t, 0, sizeof t);
    uint64_t dice = ki_dice_for(p, 0);
    unsigned runs = p->quick ? 150 : 3000;
    for (unsigned run = 0; run < runs; run++) {
        int r = once(&dice, run % ECHOES == 0, t);
        if (r != 0) return r < 0 ? r : KITH_E_ARG;
    }
    for (int round = 2; round <= ROUNDS; round *= 2) {
        bool last = round == ROUNDS;
        ki_bounds lie = { 0, 0.05 }, true_ = { 0.93, 0.97 };
        add(p, "results again", round, &t[round - 1][0], last ? lie : SIM_FREE,
            last ? (ki_bounds){ 0, 0.001 } : SIM_FREE);
        add(p, "leaves", round, &t[round - 1][1], last ? true_ : SIM_FREE,
            last ? (ki_bounds){ 0.045, 0.051 } : SIM_FREE);
    }
    return 0;
}
