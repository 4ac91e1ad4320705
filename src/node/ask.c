/* SPDX-License-Identifier: Apache-2.0 */
/* From a store to an answer: which packets count as evidence for a subject, and
 * why the others do not. */
#include <kith/address.h>
#include <kith/node.h>

#include "base/check.h"
#include "base/fail.h"
#include "node/ask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Slots looked at for one answer; a subject with more sources than this is
 * beyond one node's answer, and the rest is reported as left out. */
#define SLOTS_MAX (2 * KITH_POOL_MAX)
#define KINDS_MAX 16 /* (template, measure) pairs under one subject */

const char *ki_ask_fault(const kith_ask *ask, const kith_content *c, double *ret_y,
    double *ret_v, uint8_t *ret_measure) {
    int r = kith_template_admits(c);
    if (r == KITH_EMPTY) {
        const kith_template *t = kith_templates_find(ask->templates, c->template_id);
        const char *fault =
            t == NULL ? "its template is not known here" : kith_template_fault(t, c);
        if (fault != NULL) {
            return fault;
        }
    }
    if (r < 0) {
        return "outside the range of its template's unit";
    }
    if (c->type != KITH_LEAF) {
        return "not a leaf";
    }
    if (kith_evidence_scalar(c, ret_y, ret_v, ret_measure) < 0) {
        return "a report: it holds no number to pool";
    }
    if (c->components > 1 && (c->has & KITH_HAS_COVARIANCE) == 0) {
        return "several components without their covariance";
    }
    return NULL;
}

/* What a vote says, in all its components. */
static void take_vote(const kith_content *c, const kith_ask *ask, ki_slot *s) {
    s->row.y = s->leaf.y;
    s->row.v = s->leaf.v;
    s->row.components = s->components;
    memcpy(s->row.effect, c->effect, sizeof s->row.effect);
    memcpy(s->row.covariance, c->covariance, sizeof s->row.covariance);
    if (s->components <= 1) {
        s->row.effect[0] = s->leaf.y;
        s->row.covariance[0] = s->leaf.v;
    }
    s->leaf.relevance *= kith_relevance_age(c->t_end_us, ask->now_us, ask->half_life_us);
    s->leaf.relevance = fmax(s->leaf.relevance, 0x1p-64); /* the least of the pool */
    s->row.relevance = s->leaf.relevance;
}

ki_slot *ki_slots_next(ki_slots *list) {
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : 2 * list->room;
        ki_slot *all = realloc(list->all, room * sizeof *all);
        if (all == NULL) {
            return NULL;
        }
        list->all = all;
        list->room = room;
    }
    ki_slot *next = &list->all[list->count];
    *next = (ki_slot){ 0 };
    return next;
}

static int collect(void *ctx, const kith_record *record) {
    ki_slots *list = ctx;
    kith_content c;
    ki_near near;
    if (kith_packet_decode(record->packet.bytes, record->packet.length, &c) < 0) {
        return 0;
    }
    ki_near_of(list->ask, &c, &near);
    if (near.far_out) { /* there may be any number of these: they are counted alone */
        list->twins.known++;
        list->far_out++;
        return 0;
    }
    if (list->count == SLOTS_MAX) {
        list->beyond++;
        return 0;
    }
    ki_slot *s = ki_slots_next(list);
    if (s == NULL) {
        list->no_memory = true;
        return KITH_STOP;
    }
    list->count++;
    s->near = near;
    s->measure = c.measure;
    s->components = c.components;
    memcpy(s->template_id, c.template_id, sizeof s->template_id);
    s->own =
        list->ask->self != NULL && memcmp(c.source, list->ask->self, sizeof c.source) == 0;
    kith_keyid(c.source, s->row.keyid);
    memcpy(s->row.id, record->id, sizeof s->row.id);
    s->row.arrival = record->arrival;
    s->row.t_end_us = c.t_end_us;
    s->row.n = (c.has & KITH_HAS_COUNTS) != 0 ? c.tries : c.n;
    s->row.left_out = ki_ask_fault(list->ask, &c, &s->leaf.y, &s->leaf.v, &s->measure);
    s->leaf.relevance = ki_near_relevance(list->ask, &c, record->arrived_us);
    take_vote(&c, list->ask, s);
    memcpy(s->leaf.source, s->row.keyid, sizeof s->leaf.source);
    s->leaf.n = s->row.n;
    s->leaf.t_end_us = c.t_end_us;
    return 0;
}

typedef struct kind {
    uint8_t template_id[KITH_TEMPLATE_SIZE];
    uint8_t measure, components;
    size_t votes;
} kind;

static bool is_kind(const ki_slot *s, const kind *k) {
    return s->measure == k->measure && s->components == k->components &&
           memcmp(s->template_id, k->template_id, sizeof k->template_id) == 0;
}

/* The template and measure that most sources use; ties go to the first in the
 * store's order, which is the same everywhere. */
static kind choose(const ki_slots *list) {
    kind kinds[KINDS_MAX];
    size_t count = 0, best = 0;
    for (size_t i = 0; i < list->count; i++) {
        const ki_slot *s = &list->all[i];
        bool wanted =
            list->ask->template_id == NULL ||
            memcmp(s->template_id, list->ask->template_id, KITH_TEMPLATE_SIZE) == 0;
        if (s->row.left_out != NULL || !wanted) {
            continue;
        }
        size_t k = 0;
        while (k < count && !is_kind(s, &kinds[k])) k++;
        if (k == count && count < KINDS_MAX) {
            kinds[count] = (kind){ .measure = s->measure, .components = s->components };
            memcpy(kinds[count++].template_id, s->template_id, KITH_TEMPLATE_SIZE);
        }
        if (k < count) {
            kinds[k].votes++;
            best = kinds[k].votes > kinds[best].votes ? k : best;
        }
    }
    kind none = { .votes = 0 };
    if (list->ask->template_id != NULL) {
        memcpy(none.template_id, list->ask->template_id, KITH_TEMPLATE_SIZE);
    }
    return count == 0 ? none : kinds[best];
}

/* Leaves for the pool in the order of the slots, and the own one apart. */
static size_t pick(
    ki_slots *list, const kind *k, kith_leaf *leaves, const kith_leaf **own) {
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        ki_slot *s = &list->all[i];
        if (s->row.left_out != NULL) {
            continue;
        }
        if (!is_kind(s, k)) {
            s->row.left_out =
                memcmp(s->template_id, k->template_id, KITH_TEMPLATE_SIZE) != 0
                    ? "another template or unit"
                    : "another measure or number of components";
        } else if (s->own) {
            s->row.left_out = "own: never its own twin";
            s->leaf.tag = i;
            *own = &s->leaf;
        } else if (count == KITH_POOL_MAX) {
            s->row.left_out = "beyond the 4,096 sources of one answer";
        } else {
            s->leaf.tag = i;
            leaves[count++] = s->leaf;
        }
    }
    return count;
}

/* What the slots say in all components, for the leaves that were picked. */
static void vector_of(const ki_slot *s, kith_vector *ret) {
    *ret = (kith_vector){ .components = s->components,
        .relevance = s->leaf.relevance,
        .t_end_us = s->row.t_end_us };
    memcpy(ret->y, s->row.effect, sizeof ret->y);
    memcpy(ret->covariance, s->row.covariance, sizeof ret->covariance);
    memcpy(ret->source, s->leaf.source, sizeof ret->source);
}

static int pool_vectors(const ki_slots *list, const kith_leaf *leaves, size_t count,
    const kith_leaf *own, kith_asked *ret, kith_vote *votes) {
    kith_vector *vectors = malloc((count + 1) * sizeof *vectors), *mine = NULL;
    if (vectors == NULL) {
        return KITH_E_MEMORY;
    }
    for (size_t i = 0; i < count; i++) vector_of(&list->all[leaves[i].tag], &vectors[i]);
    if (own != NULL) {
        mine = &vectors[count];
        vector_of(&list->all[own->tag], mine);
    }
    int r = kith_pool_vectors(vectors, count, mine, &list->ask->pool, ret->answers, votes);
    free(vectors);
    return r;
}

static int answer(ki_slots *list, const kind *k, kith_asked *ret, kith_error *err) {
    kith_leaf *leaves = malloc(KITH_POOL_MAX * sizeof *leaves);
    kith_vote *votes = malloc(KITH_POOL_MAX * sizeof *votes);
    const kith_leaf *own = NULL;
    int r = KITH_E_MEMORY;
    if (leaves != NULL && votes != NULL) {
        size_t count = pick(list, k, leaves, &own);
        r = k->components > 1 ? pool_vectors(list, leaves, count, own, ret, votes)
                              : kith_pool_answer(leaves, count, own, &list->ask->pool,
                                    ret->answers, votes);
        for (size_t i = 0; i < count && r == 0; i++) {
            list->all[leaves[i].tag].row.vote = votes[i];
        }
    }
    free(leaves);
    free(votes);
    return r < 0 ? ki_fail(err, r, "pool %s", list->ask->subject) : 0;
}

/* The votes of gateways are shown as the packets they are made of. */
static void show(const ki_slots *list, const ki_claims *claims, kith_evidence *rows,
    size_t rows_max, size_t *ret_rows) {
    size_t n = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->all[i].gateway) {
            continue;
        }
        if (rows != NULL && n < rows_max) rows[n] = list->all[i].row;
        n++;
    }
    for (size_t i = 0; i < claims->count; i++, n++) {
        if (rows != NULL && n < rows_max) rows[n] = claims->all[i].row;
    }
    if (ret_rows != NULL) {
        *ret_rows = n + list->beyond;
    }
}

/* Everything under the subject, signed and unsigned. */
static int gather(kith_store *store, const kith_ask *ask, ki_slots *list, ki_claims *claims,
    kith_error *err) {
    int r = kith_store_latest(store, ask->subject, ask->now_us, collect, list, err);
    r = r < 0 ? r : ki_claims_read(claims, store, err);
    if (r == 0) {
        ki_claims_vote(claims, list);
    }
    if (r == 0 && list->no_memory) {
        r = ki_fail(err, KITH_E_MEMORY, "ask %s", ask->subject);
    }
    if (r == 0 && list->count == 0 && list->far_out == 0 && claims->count == 0) {
        r = ki_fail(err, KITH_E_MISSING, "nothing is stored under %s", ask->subject);
    }
    return r;
}

int kith_ask_all(kith_store *store, const kith_ask *ask, kith_asked *ret,
    kith_evidence *rows, size_t rows_max, size_t *ret_rows, kith_error *err) {
    CHECK(ask->subject != NULL);
    if (!kith_subject_valid(ask->subject)) {
        return ki_fail(err, KITH_E_ARG, "'%.60s' is no subject: %s", ask->subject,
            kith_subject_fault(ask->subject, false));
    }
    ki_slots list = { .ask = ask };
    ki_claims *claims = calloc(1, sizeof *claims);
    if (claims == NULL) {
        return ki_fail(err, KITH_E_MEMORY, "ask %s", ask->subject);
    }
    claims->ask = ask;
    int r = gather(store, ask, &list, claims, err);
    if (r == 0) {
        kind k = choose(&list);
        ki_slot like = { .measure = k.measure, .components = k.components };
        memcpy(like.template_id, k.template_id, sizeof like.template_id);
        r = ki_near_gate(&list, &like);
        kith_asked asked = { .measure = k.measure,
            .components = k.components > 1 ? k.components : 1 };
        memcpy(asked.template_id, k.template_id, KITH_TEMPLATE_SIZE);
        if (r == 0) r = answer(&list, &k, &asked, err);
        if (r == 0) {
            if (ask->ret_twins != NULL) *ask->ret_twins = list.twins;
            ki_claims_tell(claims, &list, &asked.answers[0]);
            *ret = asked;
            show(&list, claims, rows, rows_max, ret_rows);
        }
    }
    free(claims);
    free(list.all);
    return r;
}

int kith_ask_store(kith_store *store, const kith_ask *ask, kith_answer *ret_answer,
    uint8_t ret_template[KITH_TEMPLATE_SIZE], uint8_t *ret_measure, kith_evidence *rows,
    size_t rows_max, size_t *ret_rows, kith_error *err) {
    kith_asked asked;
    int r = kith_ask_all(store, ask, &asked, rows, rows_max, ret_rows, err);
    if (r == 0) {
        *ret_answer = asked.answers[0];
        memcpy(ret_template, asked.template_id, KITH_TEMPLATE_SIZE);
        *ret_measure = asked.measure;
    }
    return r;
}

typedef struct digesting {
    kith_state_digest *digest;
    uint64_t slots;
    int result;
} digesting;

static int digest_slot(void *ctx, const kith_record *record) {
    digesting *d = ctx;
    kith_content c;
    if (kith_packet_decode(record->packet.bytes, record->packet.length, &c) < 0) {
        return 0;
    }
    d->result = kith_state_digest_add(d->digest, &c, record->id);
    d->slots++;
    return d->result == 0 ? 0 : KITH_STOP;
}

int kith_store_digest(kith_store *store, const char *pattern, int64_t now_us,
    uint8_t ret[32], uint64_t *ret_slots, kith_error *err) {
    digesting d = { 0 };
    int r = kith_state_digest_new(&d.digest);
    if (r < 0) {
        return ki_fail(err, r, "digest");
    }
    r = kith_store_latest(store, pattern, now_us, digest_slot, &d, err);
    if (r == 0 && d.result != 0) {
        r = ki_fail(err, d.result < 0 ? d.result : KITH_E_SPACE, "digest of %s", pattern);
    }
    if (r == 0) {
        kith_state_digest_finish(d.digest, ret);
        if (ret_slots != NULL) {
            *ret_slots = d.slots;
        }
    }
    kith_state_digest_free(&d.digest);
    return r;
}
