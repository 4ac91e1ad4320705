/* SPDX-License-Identifier: Apache-2.0 */
/* What a template says against a packet, and what a reader says against a template. */
#include "packet/document.h"

#include "base/check.h"

#include <math.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

/* The raw data lie in (start, end]; both ends must fall into one window. */
static bool crosses(const kith_content *c, uint32_t window_s) {
    int64_t window = window_s * SECOND_US, start = c->t_end_us - c->span_s * SECOND_US;
    int64_t first = c->span_s > 0 ? start + 1 : start;
    return window > 0 && first / window != c->t_end_us / window;
}

static bool effect_outside(const kith_template_facts *f, const kith_content *c) {
    for (unsigned i = 0; i < c->components; i++) {
        double effect = c->effect[i] * f->unit;
        if (effect < f->effect_low || effect > f->effect_high) return true;
    }
    return false;
}

/* Counts are a logit; a report states no measure. */
static bool other_measure(const kith_template_facts *f, const kith_content *c) {
    if ((c->has & KITH_HAS_COUNTS) != 0) {
        return f->measure != 0 && f->measure != KITH_LOGIT;
    }
    return (c->has & KITH_HAS_EFFECT) != 0 &&
           ((f->measure != 0 && c->measure != f->measure) ||
               c->components != f->components);
}

const char *kith_template_fault(const kith_template *t, const kith_content *c) {
    const kith_template_facts *f = &t->facts;
    CHECK(c->components <= KITH_EFFECT_MAX);
    bool effect = (c->has & KITH_HAS_EFFECT) != 0, counts = (c->has & KITH_HAS_COUNTS) != 0;
    if (other_measure(f, c)) return "not the measure of its template";
    if ((effect && c->n < f->n_min) || (counts && c->tries < f->n_min)) {
        return "fewer observations than its template asks for";
    }
    if (effect && effect_outside(f, c)) return "an effect outside its template's limits";
    if (f->confidential && (c->has & KITH_HAS_TEXT) != 0 && c->type == KITH_LEAF) {
        return "text, which its private template forbids";
    }
    if (f->numbers > 0 &&
        ((c->has & KITH_HAS_CONTEXT16) == 0 || c->context16_count != f->numbers)) {
        return "not the context of its template";
    }
    if (f->numbers == 0 && (c->has & (KITH_HAS_CONTEXT16 | KITH_HAS_CONTEXT8)) != 0) {
        return "a context, of which its template knows nothing";
    }
    if (crosses(c, f->window_s)) return "data of more than one window of its template";
    return NULL;
}

/* ---- lint ---- */

enum {
    RADIUS_WITHOUT,
    NO_RADIUS,
    CATEGORY,
    DEEP,
    NO_HALF_LIFE,
    NO_MEASURE,
    NO_ABOUT,
    RULES
};

static bool breaks(const kith_template *t, int rule) {
    const kith_template_facts *f = &t->facts;
    switch (rule) {
    case RADIUS_WITHOUT: return f->radius > 0 && f->numbers == 0;
    case NO_RADIUS: return f->numbers > 0 && f->radius == 0;
    case CATEGORY:
        for (size_t i = 0; i < t->dimension_count; i++) {
            uint32_t step = ki_transform_step(t->dimensions[i].transform);
            if (step > 0 && f->radius >= step) return true;
        }
        return false;
    case DEEP:
        return f->route == KITH_ROUTE_GRIDS &&
               f->levels[f->level_count - 1] > f->meeting_level;
    case NO_HALF_LIFE: return f->half_life_s > (double) f->ttl_s;
    case NO_MEASURE: return f->measure == 0;
    case NO_ABOUT: return f->about[0] == '\0';
    default: return false;
    }
}

const char *kith_template_lint(const kith_template *t, size_t index) {
    static const char *const words[RULES] = {
        [RADIUS_WITHOUT] = "a radius, but no dimension it could be of",
        [NO_RADIUS] = "dimensions, but no radius: every context is a twin of every other",
        [CATEGORY] = "the radius joins different words of a category",
        [DEEP] =
            "a published level is finer than twins lie apart: nobody follows it surely",
        [NO_HALF_LIFE] = "packets expire before they have lost half their weight",
        [NO_MEASURE] =
            "any measure: what is not alike is not pooled, and nothing says which",
        [NO_ABOUT] = "no about: a person cannot tell what it is for",
    };
    for (int rule = 0; rule < RULES; rule++) {
        if (breaks(t, rule) && index-- == 0) return words[rule];
    }
    return NULL;
}
