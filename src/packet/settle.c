/* SPDX-License-Identifier: Apache-2.0 */
/* From what a template's text says to the numbers that follow. */
#include "packet/document.h"

#include "base/check.h"
#include "base/fail.h"
#include "packet/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND     INT64_C(1000000000)
#define HASH_WIDTH 24 /* a table's width is 6 radii, and weights have a sd of 4 */

enum {
    ROUTE_AUTO,
    ROUTE_NONE,
    ROUTE_GRIDS,
    ROUTE_LSH
};
enum {
    METRIC_AUTO,
    METRIC_MAX,
    METRIC_ROOT
};

/* The number, and the text in its one form. An empty text stays. */
static int number(const char *key, char text[DOCUMENT_NUMBER], double otherwise,
    double *ret, kith_error *err) {
    ki_decimal d;
    *ret = otherwise;
    if (*text == '\0') return 0;
    if (!ki_decimal_parse(text, strlen(text), &d)) {
        return ki_fail(err, KITH_E_FORMAT, "%s = %s is no number", key, text);
    }
    ki_decimal_show(&d, text);
    *ret = ki_decimal_value(&d);
    return 0;
}

/* "1,3,6" or "1 3 6" to numbers, and the text in its one form. */
static int list(const char *key, char *text, size_t size, long *ret, size_t *ret_count,
    kith_error *err) {
    size_t most = *ret_count, count = 0, used = 0;
    char *p = text;
    while (*p != '\0') {
        char *end;
        bool digit = *p >= '0' && *p <= '9';
        long x = digit ? strtol(p, &end, 10) : -1;
        if (!digit || count == most || x > INT32_MAX) {
            return ki_fail(
                err, KITH_E_FORMAT, "%s: up to %zu whole numbers, by commas", key, most);
        }
        ret[count++] = x;
        for (p = end; *p == ' ' || *p == ','; p++) continue;
    }
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        used +=
            (size_t) snprintf(text + used, size - used, "%s%ld", i == 0 ? "" : ",", ret[i]);
    }
    *ret_count = count;
    return used < size ? 0 : ki_fail(err, KITH_E_FORMAT, "%s is too long", key);
}

static int numbers(kith_template *t, kith_error *err) {
    ki_written *w = &t->written;
    kith_template_facts *f = &t->facts;
    double radius;
    int r = number("unit", w->unit, 1, &f->unit, err);
    if (r == 0) r = number("effect-low", w->effect_low, -INFINITY, &f->effect_low, err);
    if (r == 0) r = number("effect-high", w->effect_high, INFINITY, &f->effect_high, err);
    if (r == 0) r = number("prior-scale", w->prior_scale, 0, &f->prior_scale, err);
    if (r == 0) r = number("radius", w->radius, 0, &radius, err);
    if (r < 0) return r;
    if (!(f->unit > 0)) return ki_fail(err, KITH_E_FORMAT, "unit must be above 0");
    if (!(f->effect_low < f->effect_high)) {
        return ki_fail(err, KITH_E_FORMAT, "effect-low must be below effect-high");
    }
    if (f->prior_scale < 0) return ki_fail(err, KITH_E_FORMAT, "prior-scale is below 0");
    if (!(radius >= 0 && radius <= 1)) {
        return ki_fail(err, KITH_E_FORMAT, "radius goes from 0 to 1");
    }
    f->radius = (uint32_t) floor(radius * 65536);
    long ignored[KITH_PUBLISHED_MAX];
    size_t levels = KITH_PUBLISHED_MAX, tables = 3;
    r = list("levels", w->levels, sizeof w->levels, ignored, &levels, err);
    if (r == 0) r = list("lsh", w->lsh, sizeof w->lsh, ignored, &tables, err);
    if (r < 0) return r;
    if (w->window_ns % SECOND == 0 && w->ttl_ns % SECOND == 0) return 0;
    return ki_fail(err, KITH_E_FORMAT, "window and ttl are whole seconds");
}

int ki_document_route(const kith_template *t) {
    const kith_template_facts *f = &t->facts;
    if (f->numbers == 0 || f->radius == 0 || t->written.route == ROUTE_NONE) {
        return KITH_ROUTE_NONE;
    }
    if (t->written.route == ROUTE_GRIDS) return KITH_ROUTE_GRIDS;
    if (t->written.route == ROUTE_LSH) return KITH_ROUTE_LSH;
    return f->numbers <= KITH_GRID_DIMS ? KITH_ROUTE_GRIDS : KITH_ROUTE_LSH;
}

/* Published levels rise; preset: the one level at which twins surely meet. */
static int grids(kith_template *t, kith_error *err) {
    kith_template_facts *f = &t->facts;
    long given[KITH_PUBLISHED_MAX];
    size_t count = KITH_PUBLISHED_MAX;
    unsigned sure;
    if (f->numbers > KITH_GRID_DIMS) {
        return ki_fail(err, KITH_E_FORMAT,
            "grids take up to %d numbers, the context has %u", KITH_GRID_DIMS, f->numbers);
    }
    if (kith_grid_level(f->numbers, f->radius, &sure) < 0) {
        return ki_fail(err, KITH_E_FORMAT,
            "with %u numbers two contexts surely meet up to a radius of %.4f", f->numbers,
            (8.0 * kith_grid_reach(f->numbers, 0) - 8) / 65536);
    }
    int r = list("levels", t->written.levels, sizeof t->written.levels, given, &count, err);
    if (r < 0) return r;
    if (count == 0) given[count++] = (long) sure;
    for (size_t i = 0; i < count; i++) {
        if (given[i] >= KITH_GRID_LEVELS || (i > 0 && given[i] <= given[i - 1])) {
            return ki_fail(err, KITH_E_FORMAT, "levels rise, from 0 to 13");
        }
        f->levels[i] = (uint8_t) given[i];
        if (given[i] <= (long) sure) f->meeting_level = (uint8_t) given[i];
    }
    f->level_count = (uint8_t) count;
    if (given[0] <= (long) sure) return 0;
    return ki_fail(err, KITH_E_FORMAT,
        "no published level holds twins together: one must be at most %u", sure);
}

int ki_document_settle(kith_template *t, kith_error *err) {
    ki_written *w = &t->written;
    kith_template_facts *f = &t->facts;
    unsigned count = 0;
    if (strspn(w->name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(w->name)) {
        return ki_fail(err, KITH_E_FORMAT, "name is a word of a-z 0-9 _ -");
    }
    int r = numbers(t, err);
    if (r < 0) return r;
    for (size_t i = 0; i < t->dimension_count; i++) {
        count += ki_transform_numbers(t->dimensions[i].transform);
    }
    if (count > KITH_CONTEXT_MAX) {
        return ki_fail(err, KITH_E_FORMAT,
            "a context of %u numbers, but %d have room; a circle takes two", count,
            KITH_CONTEXT_MAX);
    }
    memcpy(f->name, w->name, sizeof f->name);
    memcpy(f->about, w->about, sizeof f->about);
    f->version = (uint32_t) w->version;
    f->measure = (uint8_t) w->measure;
    f->components = (uint8_t) w->components;
    f->confidential = w->confidential;
    f->n_min = (uint32_t) (w->confidential && w->n_min < 20 ? 20 : w->n_min);
    f->half_life_s = (double) w->half_life_ns / SECOND;
    f->window_s = (uint32_t) (w->window_ns / SECOND);
    f->ttl_s = (uint32_t) (w->ttl_ns / SECOND);
    f->post_base = w->post_base;
    f->numbers = (uint8_t) count;
    f->route = (uint8_t) ki_document_route(t);
    f->euclid = w->metric == METRIC_ROOT ||
                (w->metric == METRIC_AUTO && f->route == KITH_ROUTE_LSH);
    return f->route == KITH_ROUTE_GRIDS ? grids(t, err) : 0;
}

int ki_document_tables(kith_template *t, kith_error *err) {
    const kith_template_facts *f = &t->facts;
    long given[3] = { KITH_LSH_TABLES, 10, HASH_WIDTH * (long) f->radius };
    size_t count = 3;
    char again[sizeof t->written.lsh];
    memcpy(again, t->written.lsh, sizeof again);
    if (f->route != KITH_ROUTE_LSH) return 0;
    int r = list("lsh", again, sizeof again, given, &count, err);
    if (r < 0) return r;
    uint8_t shape[3] = { f->numbers, (uint8_t) (given[0] > 255 ? 255 : given[0]),
        (uint8_t) (given[1] > 255 ? 255 : given[1]) };
    t->lsh = malloc(sizeof *t->lsh);
    if (t->lsh == NULL) return ki_fail(err, KITH_E_MEMORY, "a template");
    if (kith_lsh_init(t->lsh, f->id, shape, (uint32_t) given[2]) == 0) return 0;
    return ki_fail(err, KITH_E_FORMAT,
        "lsh is tables 1..%d, hashes 1..%d, width 1..2147483647", KITH_LSH_TABLES,
        KITH_LSH_HASHES);
}
