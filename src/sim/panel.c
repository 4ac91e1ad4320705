/* SPDX-License-Identifier: Apache-2.0 */
/* Which panels there are, and the points they are made of. */
#include "sim/panel.h"

#include "base/fail.h"

#include <string.h>

typedef struct panel_kind {
    char letter;
    const char *title, *x, *y;
    bool log_x, log_y;
    int (*run)(kith_sim_panel *p);
} panel_kind;

static const panel_kind kinds[] = {
    { 'A', "error against the number of nodes", "nodes", "RMSE of the own truth", true,
        true, ki_panel_error },
    { 'B', "no disagreement: error against claimed error", "sources", "RMSE over claimed",
        true, false, ki_panel_alike },
    { 'C', "what an answer costs", "stored leaves", "read for one answer", true, true,
        ki_panel_cost },
    { 'D', "gossip: pooled results again, or leaves", "round", "coverage, claimed error",
        false, false, ki_panel_gossip },
    { 'E', "liars", "who lies, of k", "RMSE about a truth of 0; shares", false, false,
        ki_panel_liars },
    { 'H', "the own result, shrunk", "other sources", "coverage, RMSE over own", true,
        false, ki_panel_own },
    { 'J', "decay: the best half-life", "drift per hour", "hours", true, true,
        ki_panel_decay },
};

/* Another seed is another world, and each case of a panel a part of it by itself. */
uint64_t ki_dice_for(const kith_sim_panel *p, uint64_t which) {
    uint64_t dice = p->seed;
    dice = dice_roll(&dice) ^ (uint64_t) (unsigned char) p->letter << 56 ^ which;
    return dice_roll(&dice);
}

kith_sim_point *ki_sim_add(
    kith_sim_panel *p, const char *series, double x, double value, ki_bounds b) {
    CHECK(p->count < KITH_SIM_POINTS_MAX);
    CHECK(strlen(series) <= KITH_SIM_SERIES_MAX);
    kith_sim_point *it = &p->points[p->count++];
    *it = (kith_sim_point){ .x = x, .value = value, .low = b.low, .high = b.high };
    memcpy(it->series, series, strlen(series) + 1);
    return it;
}

/* The bounds hold for the whole panel; with fewer draws chance has its share. */
static ki_bounds widened(const kith_sim_panel *p, ki_bounds b, double sampling) {
    double more = p->quick ? 3 * sampling : 0;
    return (ki_bounds){ b.low - more, b.high + more };
}

kith_sim_point *ki_sim_add_rms(
    kith_sim_panel *p, const char *series, double x, const ki_squares *of, ki_bounds b) {
    double value = ki_rms(of), sampling = value / sqrt(2 * (double) of->count);
    return ki_sim_add(p, series, x, value, widened(p, b, sampling));
}

kith_sim_point *ki_sim_add_share(
    kith_sim_panel *p, const char *series, double x, double hits, double of, ki_bounds b) {
    double share = hits / of, middle = (hits + 1) / (of + 2);
    b = widened(p, b, sqrt(middle * (1 - middle) / (of + 2)));
    if (!isnan(b.low)) b = (ki_bounds){ fmax(b.low, 0), fmin(b.high, 1) };
    return ki_sim_add(p, series, x, share, b);
}

double ki_slope(const double *x, const double *y, size_t count) {
    double sx = 0, sy = 0, sxx = 0, sxy = 0, n = (double) count;
    for (size_t i = 0; i < count; i++) {
        double a = log(x[i]), b = log(y[i]);
        sx += a, sy += b, sxx += a * a, sxy += a * b;
    }
    return (n * sxy - sx * sy) / (n * sxx - sx * sx);
}

double ki_draw_size(uint64_t *dice, double least) {
    return fmax(least, floor(exp(2 + draw_normal(dice))));
}

kith_leaf ki_leaf(double y, double v, size_t source) {
    kith_leaf leaf = { .y = y, .v = v, .relevance = 1 };
    for (int i = 0; i < 4; i++) leaf.source[i] = (uint8_t) (source >> (24 - 8 * i));
    return leaf;
}

bool kith_sim_point_good(const kith_sim_point *point) {
    if (isnan(point->low) && isnan(point->high)) return true;
    return point->value >= point->low && point->value <= point->high;
}

int kith_sim_panel_run(
    char letter, uint64_t seed, bool quick, kith_sim_panel *ret, kith_error *err) {
    if (letter == '\0' || strchr(KITH_SIM_PANELS, letter) == NULL) {
        return ki_fail(err, KITH_E_ARG, "panels are the letters %s", KITH_SIM_PANELS);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const panel_kind *k = &kinds[i];
        if (k->letter != letter) continue;
        *ret = (kith_sim_panel){ .letter = letter,
            .title = k->title,
            .x = k->x,
            .y = k->y,
            .log_x = k->log_x,
            .log_y = k->log_y,
            .seed = seed,
            .quick = quick };
        int r = k->run(ret);
        return r < 0 ? ki_fail(err, r, "panel %c", letter) : 0;
    }
    return ki_fail(err, KITH_E_NOTSUP, "panel %c is not built yet", letter);
}
