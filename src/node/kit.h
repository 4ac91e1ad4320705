/* SPDX-License-Identifier: Apache-2.0 */
/* node/kit.h - what the tests of this room share: some nodes, their stores, and a time
 * that is a number. */
#ifndef NODE_KIT_H
#define NODE_KIT_H

#include <kith/node.h>

#include "test.h"

enum {
    NODES = 12
};
#define MS    UINT64_C(1000000)
#define START INT64_C(1750000000000000)

typedef struct member {
    kith_store *store;
    kith_key *key;
    kith_node *node;
    uint64_t accepted, refused, gaps, downs, ups;
    int last_refusal;
} member;

static member m[NODES];
static size_t count;
static kith_time now = { UINT64_C(1000000000), START };

static inline void note(void *ctx, const kith_event *event) {
    member *me = ctx;
    me->accepted += event->kind == KITH_EVENT_ACCEPTED;
    me->gaps += event->kind == KITH_EVENT_GAP;
    me->ups += event->kind == KITH_EVENT_LINK_UP;
    me->downs += event->kind == KITH_EVENT_LINK_DOWN;
    if (event->kind == KITH_EVENT_REFUSED) {
        me->refused++;
        me->last_refusal = event->code;
    }
}

static inline void fail(const char *what, const kith_error *err) {
    printf("# %s: %s\n", what, err->text);
    abort();
}

static inline void open_node(member *me, const char *const *links, size_t link_count,
    const char *follow, bool relay) {
    kith_error err = { 0 };
    kith_node_config c = { .store = me->store,
        .key = me->key,
        .links = links,
        .link_count = link_count,
        .follows = &follow,
        .follow_count = follow != NULL,
        .relay = relay,
        .event = note,
        .ctx = me };
    if (kith_node_open(&me->node, &c, now, &err) != 0) fail("open a node", &err);
}

static inline member *join_in(
    const char *store, const char *const *links, size_t link_count, bool relay) {
    member *me = &m[count];
    kith_error err = { 0 };
    uint8_t seed[32] = { (uint8_t) ++count };
    *me = (member){ 0 };
    if (kith_store_open(&me->store, store, &err) != 0) fail("open a store", &err);
    if (kith_key_from_seed(&me->key, seed, &err) != 0) fail("make a key", &err);
    open_node(me, links, link_count, NULL, relay);
    return me;
}

static inline member *join_many(const char *const *links, size_t link_count, bool relay) {
    return join_in("memory:", links, link_count, relay);
}

static inline member *join(const char *link) {
    return join_many(&link, 1, false);
}

static inline void leave_all(void) {
    for (size_t i = 0; i < count; i++) {
        kith_node_close(&m[i].node);
        kith_store_close(&m[i].store);
        kith_key_free(&m[i].key);
    }
    count = 0;
}

static inline void run(int milliseconds) {
    for (int i = 0; i < milliseconds; i += 10) {
        for (size_t k = 0; k < count; k++) {
            if (m[k].node != NULL && kith_node_step(m[k].node, now) < 0) abort();
        }
        now.mono_ns += 10 * MS;
        now.wall_us += 10000;
    }
}

static inline kith_post leaf(const char *subject, double effect) {
    kith_post p = { .content = { .type = KITH_LEAF,
                        .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE,
                        .t_end_us = now.wall_us,
                        .ttl_s = 3600,
                        .measure = KITH_MEAN_DIFFERENCE,
                        .components = 1,
                        .n = 20,
                        .effect = { effect },
                        .covariance = { 0.04 } } };
    memcpy(p.content.address.subject, subject, strlen(subject) + 1);
    return p;
}

static inline void post(member *me, const char *subject, double effect) {
    kith_post p = leaf(subject, effect);
    kith_error err = { 0 };
    if (kith_store_post(me->store, me->key, &p, 1, now, &err) != 0 || p.result != 0) {
        printf("# result %d\n", p.result);
        fail("post", &err);
    }
}

static inline uint64_t packets(member *me) {
    kith_store_stat s;
    return kith_store_stats(me->store, &s, NULL) == 0 ? s.packets : UINT64_MAX;
}

static inline bool one_digest(void) {
    uint8_t first[32], other[32];
    uint64_t slots = 0;
    for (size_t i = 0; i < count; i++) {
        if (kith_store_digest(
                m[i].store, ">", now.wall_us, i == 0 ? first : other, &slots, NULL) != 0) {
            return false;
        }
        if (i > 0 && memcmp(first, other, sizeof first) != 0) return false;
    }
    return slots > 0;
}

#endif
