/* SPDX-License-Identifier: Apache-2.0 */
#include "synthesis/shrink.h"

#include "base/check.h"
#include "synthesis/bisect.h"

#include <math.h>

#define NODES    256
#define PLUGIN_K 200 /* beyond it tau is known well enough to be held fixed */
#define TAIL     0.025
#define REACH    60.0 /* standard deviations; no quantile of a mixture is beyond */

/* One possible tau: how likely it is, and what it makes of the own result. */
typedef struct node {
    double p, mean, sd;
} node;

typedef struct mixture {
    node nodes[NODES];
    bool upper; /* measure the tail above x instead of below */
} mixture;

static void towards(double y, double v, double mu, double spread, node *ret) {
    CHECK(v > 0);
    double share = v / (v + spread);
    ret->mean = y + share * (mu - y);
    ret->sd = sqrt(1 / (1 / v + 1 / spread));
}

void kith_pool_plugin(
    const kith_leaf *own, const kith_fit *others, double *ret_theta, double *ret_se) {
    CHECK(own != NULL);
    CHECK(others != NULL);
    node it;
    towards(own->y, own->v, others->mu, others->tau2 + others->se * others->se, &it);
    *ret_theta = it.mean;
    *ret_se = it.sd;
}

/* p is its logarithm for now. */
static node node_at(const ki_row *rows, size_t k, double y, double v, double tau) {
    node it;
    CHECK(tau > 0);
    ki_look at = ki_look_at(rows, k, tau * tau);
    double spread = tau * tau + at.var, off = y - at.mu, logs = 0;
    for (size_t i = 0; i < k; i++) {
        logs += rows[i].omega * log(rows[i].v + tau * tau);
    }
    towards(y, v, at.mu, spread, &it);
    it.p = log(tau) - 0.5 * (logs + log(at.weight) + at.q + log(v + spread) +
                                off * off / (v + spread));
    return it;
}

/* Taus evenly spaced in their logarithm, from far below the least standard error
 * to far above the whole spread. */
static void spread_nodes(const ki_row *rows, size_t k, double y, double v, node *nodes) {
    CHECK(k >= 1);
    CHECK(v > 0);
    double least = v, most = v, low = y, high = y, top = -INFINITY, total = 0;
    for (size_t i = 0; i < k; i++) {
        least = fmin(least, rows[i].v);
        most = fmax(most, rows[i].v);
        low = fmin(low, rows[i].y);
        high = fmax(high, rows[i].y);
    }
    double from = sqrt(least) / 1024, to = 128 * sqrt(most + (high - low) * (high - low));
    for (int j = 0; j < NODES; j++) {
        nodes[j] = node_at(rows, k, y, v, from * pow(to / from, (j + 0.5) / NODES));
        top = fmax(top, nodes[j].p);
    }
    for (int j = 0; j < NODES; j++) {
        nodes[j].p = exp(nodes[j].p - top);
        total += nodes[j].p;
    }
    for (int j = 0; j < NODES; j++) {
        nodes[j].p /= total;
    }
}

static bool tail_below(double x, const void *self) {
    const mixture *it = self;
    double sum = 0;
    for (int j = 0; j < NODES; j++) {
        double z = (x - it->nodes[j].mean) / it->nodes[j].sd;
        sum += it->nodes[j].p * kith_normal_cdf(it->upper ? -z : z);
    }
    return it->upper ? sum > TAIL : sum < TAIL;
}

static ki_shrunk averaged(const ki_row *rows, size_t k, double y, double v) {
    mixture mix = { .upper = false };
    ki_shrunk it = { 0 };
    double var = 0;
    spread_nodes(rows, k, y, v, mix.nodes);
    for (int j = 0; j < NODES; j++) {
        it.mean += mix.nodes[j].p * mix.nodes[j].mean;
    }
    for (int j = 0; j < NODES; j++) {
        double off = mix.nodes[j].mean - it.mean, sd = mix.nodes[j].sd;
        var += mix.nodes[j].p * (sd * sd + off * off);
    }
    it.sd = sqrt(var);
    double from = it.mean - REACH * it.sd, to = it.mean + REACH * it.sd;
    it.low = ki_bisect(from, to, tail_below, &mix);
    mix.upper = true;
    it.high = ki_bisect(from, to, tail_below, &mix);
    return it;
}

ki_shrunk ki_shrink(const ki_row *others, size_t k, double y, double v, double tau2) {
    CHECK(others != NULL);
    CHECK(k >= 2);
    if (k <= PLUGIN_K) {
        return averaged(others, k, y, v);
    }
    node it;
    ki_look at = ki_look_at(others, k, tau2);
    towards(y, v, at.mu, tau2 + at.var, &it);
    double half = kith_normal_quantile(1 - TAIL) * it.sd;
    return (ki_shrunk){ it.mean, it.sd, it.mean - half, it.mean + half };
}
