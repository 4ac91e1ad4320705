/* SPDX-License-Identifier: Apache-2.0 */
/* Panel A: a node's error about its own truth, alone, with everybody and with those
 * whose context is nearest, against the number of nodes. How many of the nearest is
 * chosen by how well they foretell the own result; the truth is never looked at. */
#include "sim/nodes.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SIZES = 6, /* 10 to 10^6 */
    NEARS = 9, /* 4 to 1024 of the nearest */
};
#define TAU 0.3

/* What must come out: shrunk to everybody, and to the nearest. 0: not promised. */
typedef struct wanted {
    unsigned d;
    double everybody[SIZES], nearest[SIZES], slope;
} wanted;
static const wanted table[] = {
    { 2, { 0.70, 0.635, 0.632, 0.635, 0, 0.637 }, { 0.71, 0.447, 0.325, 0.291, 0, 0.271 },
        -0.55 },
    { 4, { 0.70, 0.635, 0.635, 0.633, 0, 0.634 }, { 0.71, 0.582, 0.443, 0.354, 0, 0.279 },
        -0.37 },
    { 8, { 0.68, 0.637, 0.635, 0.627, 0, 0.618 }, { 0.69, 0.625, 0.561, 0.483, 0, 0.375 },
        -0.18 },
};

/* Everything about one number of nodes. */
typedef struct tally {
    ki_squares own, pool, mean, everybody, nearest[NEARS];
    double score[NEARS], floor;
} tally;

typedef struct query {
    const ki_swarm *swarm;
    size_t self;
    kith_leaf own;
    kith_leaf *leaves; /* room for KITH_POOL_MAX */
    tally *t;
} query;

/* ln of the normal density of the own result under what others foretell. */
static double foretold(const kith_leaf *own, const kith_fit *fit) {
    double v = own->v + fit->tau2 + fit->se * fit->se, e = own->y - fit->mu;
    return -0.5 * (log(2 * M_PI * v) + e * e / v);
}

static int ask_nearest(const query *q) {
    uint32_t near[SIM_NEAR_MAX];
    size_t there = ki_swarm_near(q->swarm, q->self, near), k = 0;
    double truth = q->swarm->truth[q->self];
    for (int i = 0; i < NEARS; i++) {
        kith_answer a;
        size_t m = (size_t) 4 << i;
        if (m > there) m = there;
        for (; k < m; k++) q->leaves[k] = ki_swarm_leaf(q->swarm, near[k]);
        int r = kith_pool_answer(q->leaves, m, &q->own, NULL, &a, NULL);
        if (r != 0) return r;
        q->t->score[i] += foretold(&q->own, &a.kept);
        ki_square(&q->t->nearest[i], a.shrunk - truth);
    }
    return 0;
}

/* Many are pooled through their sums, from which the own leaf is taken back. */
static int ask_sums(const query *q, double *ret) {
    kith_sums others = q->swarm->sums;
    double q0, se, count = (double) q->swarm->count - 1;
    kith_fit fit = { .k = (uint32_t) count };
    int r = kith_sums_remove(&others, q->own.y, q->own.v);
    if (r == 0) r = kith_sums_derive(&others, &fit.mu, &q0, &fit.tau2);
    if (r != 0) return r;
    fit.se = sqrt((fit.tau2 + q->own.v) / count); /* next to nothing among thousands */
    kith_pool_plugin(&q->own, &fit, ret, &se);
    return 0;
}

static int ask_everybody(const query *q) {
    double shrunk = 0, truth = q->swarm->truth[q->self];
    int r;
    if (q->swarm->count > KITH_POOL_MAX) {
        r = ask_sums(q, &shrunk);
    } else {
        kith_answer a;
        size_t k = 0;
        for (size_t i = 0; i < q->swarm->count; i++) {
            if (i != q->self) q->leaves[k++] = ki_swarm_leaf(q->swarm, i);
        }
        r = kith_pool_answer(q->leaves, k, &q->own, NULL, &a, NULL);
        shrunk = r == 0 ? a.shrunk : 0;
    }
    if (r == 0) ki_square(&q->t->everybody, shrunk - truth);
    return r;
}

static int ask(query *q, double mu) {
    double truth = q->swarm->truth[q->self];
    q->own = ki_swarm_leaf(q->swarm, q->self);
    ki_square(&q->t->own, q->own.y - truth);
    ki_square(&q->t->pool, mu - truth);
    ki_square(&q->t->mean, q->swarm->mean - truth);
    int r = ask_everybody(q);
    return r == 0 ? ask_nearest(q) : r;
}

/* So many questions altogether, from swarms of `size` nodes. */
static int tally_up(
    uint64_t *dice, size_t size, unsigned d, size_t questions, kith_leaf *room, tally *t) {
    size_t each = size <= 100 ? questions / 50 : size <= 10000 ? questions / 10 : questions;
    each = each < size ? each : size;
    size_t swarms = (questions + each - 1) / each;
    for (size_t s = 0; s < swarms; s++) {
        ki_swarm swarm;
        double mu = 0, q0, tau2;
        int r = ki_swarm_new(&swarm, size, d, TAU, dice);
        if (r < 0) return r;
        r = kith_sums_derive(&swarm.sums, &mu, &q0, &tau2);
        for (size_t i = 0; i < each && r == 0; i++) {
            query q = { .swarm = &swarm, .self = i, .leaves = room, .t = t };
            r = ask(&q, mu);
        }
        t->floor += swarm.floor / (double) (size * swarms);
        ki_swarm_free(&swarm);
        if (r != 0) return r < 0 ? r : KITH_E_ARG;
    }
    return 0;
}

static int best(const tally *t) {
    int at = 0;
    for (int i = 1; i < NEARS; i++) {
        if (t->score[i] > t->score[at]) at = i;
    }
    return at;
}

static void add(kith_sim_panel *p, unsigned d, double x, const char *what,
    const ki_squares *of, ki_bounds b) {
    char series[KITH_SIM_SERIES_MAX + 1];
    (void) snprintf(series, sizeof series, "d %u: %s", d, what);
    ki_sim_add_rms(p, series, x, of, b);
}

static ki_bounds promised(double want, double x) {
    double give = x <= 100 ? 0.03 : 0.02;
    return want == 0 ? SIM_FREE : (ki_bounds){ want - give, want + give };
}

static void add_size(kith_sim_panel *p, const wanted *w, int i, const tally *t) {
    double x = pow(10, i + 1);
    add(p, w->d, x, "own alone", &t->own, ki_about(0.91, 0.07));
    add(p, w->d, x, "seed mean", &t->mean, i < 2 ? SIM_FREE : ki_about(1.04, 0.05));
    add(p, w->d, x, "pool of all", &t->pool, i < 2 ? SIM_FREE : ki_about(1.04, 0.05));
    add(p, w->d, x, "own and everybody", &t->everybody, promised(w->everybody[i], x));
    add(p, w->d, x, "own and the nearest", &t->nearest[best(t)],
        promised(w->nearest[i], x));
    if (w->d == table[0].d) {
        ki_sim_add(
            p, "floor", x, sqrt(t->floor), i < 3 ? SIM_FREE : (ki_bounds){ 0.268, 0.278 });
        ki_sim_add(p, "pairs, a count", x, x * (x - 1) / 2, SIM_FREE)->aside = true;
        ki_sim_add(p, "a fall of one half", x, 0.71 * sqrt(10 / x), SIM_FREE);
    }
}

static int dimension(kith_sim_panel *p, const wanted *w, kith_leaf *room) {
    int sizes = p->quick ? 3 : SIZES, used = 0;
    double at[SIZES], excess[SIZES];
    char series[KITH_SIM_SERIES_MAX + 1];
    for (int i = 0; i < sizes; i++) {
        tally t = { 0 };
        uint64_t dice = ki_dice_for(p, w->d * 16 + (unsigned) i);
        int r =
            tally_up(&dice, (size_t) pow(10, i + 1), w->d, p->quick ? 100 : 2000, room, &t);
        if (r < 0) return r;
        add_size(p, w, i, &t);
        double rms = ki_rms(&t.nearest[best(&t)]), over = rms * rms - t.floor;
        if (i >= 1 && i <= 4 && over > 0) { /* beyond, d = 2 has reached its floor */
            at[used] = pow(10, i + 1);
            excess[used++] = over;
        }
    }
    (void) snprintf(series, sizeof series, "d %u: slope of mean square over floor", w->d);
    ki_sim_add(p, series, pow(10, sizes), ki_slope(at, excess, (size_t) used),
        p->quick ? SIM_FREE : (ki_bounds){ w->slope - 0.15, w->slope + 0.15 })
        ->aside = true;
    return 0;
}

int ki_panel_error(kith_sim_panel *p) {
    kith_leaf *room = calloc(KITH_POOL_MAX, sizeof *room);
    int r = room == NULL ? KITH_E_MEMORY : 0;
    for (size_t i = 0; i < sizeof table / sizeof *table && r == 0; i++) {
        if (!p->quick || table[i].d == 2) r = dimension(p, &table[i], room);
    }
    free(room);
    return r;
}
