/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/nodes.h"

#include <stdlib.h>
#include <string.h>

enum {
    HELD = 4 * SIM_NEAR_MAX, /* candidates, before the farther ones are let go */
};

typedef struct candidate {
    float far;
    uint32_t node;
} candidate;

static double truth_at(const float *x, unsigned d) {
    double f = cos(2 * M_PI * (double) x[0]) + sin(2 * M_PI * (double) x[1]);
    if (d == 2) return f;
    return (f + 0.7 * cos(2 * M_PI * ((double) x[2] + (double) x[3]))) / sqrt(1.245);
}

/* One node: where it is, what is true there, and what it saw. Returns n. */
static double draw(ki_swarm *s, size_t node, double tau, uint64_t *dice) {
    float *x = s->context + node * s->d;
    for (unsigned i = 0; i < s->d; i++) x[i] = (float) draw_uniform(dice);
    double n = ki_draw_size(dice, 2);
    s->v[node] = 4 / n;
    s->truth[node] = truth_at(x, s->d) + tau * draw_normal(dice);
    s->y[node] = s->truth[node] + sqrt(s->v[node]) * draw_normal(dice);
    s->floor += tau * tau * s->v[node] / (tau * tau + s->v[node]);
    return n;
}

int ki_swarm_new(ki_swarm *ret, size_t count, unsigned d, double tau, uint64_t *dice) {
    CHECK(d >= 2 && d != 3);
    *ret = (ki_swarm){ .count = count,
        .d = d,
        .context = calloc(count * d, sizeof(float)),
        .truth = calloc(count, sizeof(double)),
        .y = calloc(count, sizeof(double)),
        .v = calloc(count, sizeof(double)) };
    int r = ret->context == NULL || ret->truth == NULL || ret->y == NULL || ret->v == NULL
                ? KITH_E_MEMORY
                : 0;
    double sum = 0, weights = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        double n = draw(ret, i, tau, dice);
        sum += log1p(n) * ret->y[i];
        weights += log1p(n);
        r = kith_sums_add(&ret->sums, ret->y[i], ret->v[i]);
    }
    ret->mean = weights > 0 ? sum / weights : 0;
    if (r != 0) ki_swarm_free(ret);
    return r > 0 ? KITH_E_ARG : r;
}

void ki_swarm_free(ki_swarm *s) {
    free(s->context);
    free(s->truth);
    free(s->y);
    free(s->v);
    *s = (ki_swarm){ 0 };
}

kith_leaf ki_swarm_leaf(const ki_swarm *s, size_t node) {
    return ki_leaf(s->y[node], s->v[node], node);
}

static int nearer(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->far != y->far) return x->far < y->far ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

size_t ki_swarm_near(const ki_swarm *s, size_t self, uint32_t ret[SIM_NEAR_MAX]) {
    candidate held[HELD];
    size_t count = 0;
    float most = INFINITY;
    const float *me = s->context + self * s->d, *x = s->context;
    for (size_t i = 0; i < s->count; i++, x += s->d) {
        float far = 0;
        for (unsigned k = 0; k < s->d; k++) far += (x[k] - me[k]) * (x[k] - me[k]);
        if (far >= most || i == self) continue;
        held[count++] = (candidate){ far, (uint32_t) i };
        if (count < HELD) continue;
        qsort(held, count, sizeof *held, nearer);
        count = SIM_NEAR_MAX;
        most = held[count - 1].far;
    }
    qsort(held, count, sizeof *held, nearer);
    count = count < SIM_NEAR_MAX ? count : SIM_NEAR_MAX;
    for (size_t i = 0; i < count; i++) ret[i] = held[i].node;
    return count;
}
