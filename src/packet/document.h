/* SPDX-License-Identifier: Apache-2.0 */
/* packet/document.h - a template inside: what was written, and what follows from it. */
#ifndef PACKET_DOCUMENT_H
#define PACKET_DOCUMENT_H

#include <kith/template.h>

#include "packet/transform.h"

#define DOCUMENT_NUMBER 48

/* The [template] section as its option table sees it. */
typedef struct ki_written {
    char name[KITH_TEMPLATE_NAME_MAX + 1], about[161];
    int64_t version, components, n_min;
    int64_t half_life_ns, window_ns, ttl_ns;
    int measure, route, metric;
    bool confidential, post_base;
    char unit[DOCUMENT_NUMBER], effect_low[DOCUMENT_NUMBER], effect_high[DOCUMENT_NUMBER],
        prior_scale[DOCUMENT_NUMBER], radius[DOCUMENT_NUMBER];
    char levels[16], lsh[32];
} ki_written;

typedef struct ki_dimension {
    char name[KITH_TEMPLATE_NAME_MAX + 1];
    ki_transform *transform;
    char *line; /* "load: linear 0 1" */
} ki_dimension;

struct kith_template {
    ki_written written;
    size_t dimension_count;
    ki_dimension dimensions[KITH_CONTEXT_MAX];
    kith_template_facts facts;
    kith_lsh *lsh; /* NULL: another route */
    char *text;    /* canonical */
};

/* From what was written: facts, and the hash tables once the id is known. */
int ki_document_settle(kith_template *t, kith_error *err);
int ki_document_tables(kith_template *t, kith_error *err);
/* "auto" resolved: KITH_ROUTE_*. */
int ki_document_route(const kith_template *t);

#endif
