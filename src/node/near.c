/* SPDX-License-Identifier: Apache-2.0 */
/* Who is near, and how much evidence of that age still counts. */
#include "node/ask.h"

#include "base/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_WITHOUT_RADIUS 10
/* The nearest that recall is measured on. */
#define WANTED 10

/* The template that the context is of; NULL: a built-in one, or unknown. */
static const kith_template *template_of(const kith_ask *ask) {
    return ask->template_id == NULL ? NULL
                                    : kith_templates_find(ask->templates, ask->template_id);
}

static uint32_t radius_of(const kith_ask *ask) {
    const kith_template *t = template_of(ask);
    return t == NULL ? 0 : kith_template_about(t)->radius;
}

/* Built-in templates know no metric: the largest difference. */
static uint32_t distance(const kith_ask *ask, const uint16_t *a, size_t count) {
    const kith_template *t = template_of(ask);
    uint32_t most = 0;
    if (t != NULL) {
        return kith_template_distance(t, ask->near, a);
    }
    for (size_t i = 0; i < count; i++) {
        int apart = ask->near[i] - a[i];
        uint32_t size = (uint32_t) (apart < 0 ? -apart : apart);
        most = size > most ? size : most;
    }
    return most;
}

void ki_near_of(const kith_ask *ask, const kith_content *c, ki_near *ret) {
    *ret = (ki_near){ .known = false };
    if (ask->near == NULL || (c->has & KITH_HAS_CONTEXT16) == 0 ||
        c->context16_count != ask->near_count ||
        (ask->template_id != NULL &&
            memcmp(ask->template_id, c->template_id, KITH_TEMPLATE_SIZE) != 0)) {
        return;
    }
    const kith_template *t = template_of(ask);
    if (t != NULL && kith_template_about(t)->numbers != ask->near_count) {
        return;
    }
    CHECK(c->context16_count <= KITH_CONTEXT_MAX);
    uint32_t radius = radius_of(ask);
    memcpy(ret->context, c->context16, c->context16_count * sizeof c->context16[0]);
    ret->known = true;
    ret->distance = distance(ask, ret->context, c->context16_count);
    ret->far_out = radius > 0 && ret->distance > radius;
}

/* So many twins may count. */
static size_t most_of(const kith_ask *ask) {
    if (ask->nearest > 0) {
        return ask->nearest;
    }
    return radius_of(ask) > 0 ? SIZE_MAX : MOST_WITHOUT_RADIUS;
}

/* Would a reader of the context that was asked for have met that one? */
static bool meets(const kith_ask *ask, const ki_near *twin) {
    const kith_template *t = template_of(ask);
    if (t == NULL || kith_template_about(t)->route == KITH_ROUTE_NONE) {
        return true; /* it stands under the base subject, which everybody reads */
    }
    return kith_template_meet(t, ask->near, twin->context);
}

static int by_distance(const void *a, const void *b) {
    const ki_slot *x = *(ki_slot *const *) a, *y = *(ki_slot *const *) b;
    if (x->near.distance != y->near.distance) {
        return x->near.distance < y->near.distance ? -1 : 1;
    }
    return memcmp(x->row.keyid, y->row.keyid, sizeof x->row.keyid);
}

static bool alike(const ki_slot *a, const ki_slot *b) {
    return a->measure == b->measure && a->components == b->components &&
           memcmp(a->template_id, b->template_id, sizeof a->template_id) == 0;
}

/* Those with such a context, nearest first. */
static size_t sorted(ki_slots *list, const ki_slot *like, ki_slot **ret) {
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        ki_slot *s = &list->all[i];
        if (s->row.left_out != NULL || !alike(s, like)) {
            continue;
        }
        if (!s->near.known) {
            s->row.left_out = "it has no context to be near";
        } else if (!s->own) {
            ret[count++] = s;
        }
    }
    qsort(ret, count, sizeof *ret, by_distance);
    return count;
}

int ki_near_gate(ki_slots *list, const ki_slot *like) {
    if (list->ask->near == NULL) {
        return 0;
    }
    ki_slot **twins = calloc(list->count + 1, sizeof *twins);
    if (twins == NULL) {
        return KITH_E_MEMORY;
    }
    size_t count = sorted(list, like, twins), most = most_of(list->ask);
    for (size_t i = most; i < count; i++) {
        twins[i]->row.left_out = "not among the nearest that were asked for";
    }
    kith_twins *t = &list->twins;
    t->known += (uint32_t) count;
    t->within = (uint32_t) count;
    t->used = (uint32_t) (count < most ? count : most);
    t->farthest = t->used == 0 ? 0 : twins[t->used - 1]->near.distance;
    for (size_t i = 0; i < count && i < WANTED; i++) {
        t->wanted++;
        t->found += meets(list->ask, &twins[i]->near);
    }
    free(twins);
    return 0;
}

double ki_near_relevance(const kith_ask *ask, const kith_content *c, int64_t arrived_us) {
    const kith_template *t = kith_templates_find(ask->templates, c->template_id);
    double half = t == NULL ? 0 : kith_template_about(t)->half_life_s;
    if (!(half > 0)) {
        return 1;
    }
    int64_t from_us = arrived_us > 0 && arrived_us < c->t_end_us ? arrived_us : c->t_end_us;
    double age_s = (double) (ask->now_us - from_us) / 1e6;
    double relevance = age_s > 0 ? exp2(-age_s / half) : 1;
    return relevance < 0x1p-64 ? 0x1p-64 : relevance;
}
