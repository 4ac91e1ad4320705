/* SPDX-License-Identifier: Apache-2.0 */
/* The templates a node knows. */
#include <kith/template.h>

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

struct kith_templates {
    size_t count;
    kith_template *list[KITH_TEMPLATES_MAX];
};

int kith_templates_new(kith_templates **ret) {
    *ret = calloc(1, sizeof **ret);
    return *ret == NULL ? KITH_E_MEMORY : 0;
}

void kith_templates_free(kith_templates **set) {
    kith_templates *s = *set;
    for (size_t i = 0; s != NULL && i < s->count; i++) kith_template_free(&s->list[i]);
    free(s);
    *set = NULL;
}

static int judge(const kith_templates *set, const kith_template *t) {
    const kith_template_facts *f = kith_template_about(t);
    if (kith_templates_find(set, f->id) != NULL) return KITH_DUPLICATE;
    for (size_t i = 0; i < set->count; i++) {
        const kith_template_facts *g = kith_template_about(set->list[i]);
        if (g->version == f->version && strcmp(g->name, f->name) == 0) return KITH_E_DENIED;
    }
    return set->count == KITH_TEMPLATES_MAX ? KITH_FULL : 0;
}

int kith_templates_add(kith_templates *set, kith_template **t) {
    CHECK(set != NULL);
    CHECK(*t != NULL);
    int r = judge(set, *t);
    if (r != 0) {
        kith_template_free(t);
        return r;
    }
    set->list[set->count++] = *t;
    *t = NULL;
    return 0;
}

const kith_template *kith_templates_find(
    const kith_templates *set, const uint8_t id[KITH_TEMPLATE_SIZE]) {
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        if (memcmp(kith_template_about(set->list[i])->id, id, KITH_TEMPLATE_SIZE) == 0) {
            return set->list[i];
        }
    }
    return NULL;
}

const kith_template *kith_templates_at(const kith_templates *set, size_t index) {
    return set != NULL && index < set->count ? set->list[index] : NULL;
}
