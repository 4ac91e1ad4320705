/* SPDX-License-Identifier: Apache-2.0 */
/* When all buildings have gone their stores are read: was anything lost, did
 * anything count twice, do all agree, and was the truth where they said it is? */
#include "cli/demo/demo.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDS_MAX    8192
#define READ_TURNS 600
#define ROWS_MAX   64

typedef struct ids {
    uint8_t (*all)[KITH_ID_SIZE];
    size_t count;
    uint64_t bytes, largest;
    bool own_only;
} ids;

static int collect(void *ctx, const kith_record *one) {
    ids *list = ctx;
    if (list->own_only && !one->own) return 0;
    if (list->count == IDS_MAX) return KITH_STOP;
    memcpy(list->all[list->count++], one->id, KITH_ID_SIZE);
    list->bytes += one->packet.length;
    if (one->packet.length > list->largest) list->largest = one->packet.length;
    return 0;
}

static int by_bytes(const void *a, const void *b) {
    return memcmp(a, b, KITH_ID_SIZE);
}

/* Sorted ids of a store. */
static bool ids_of(kith_store *store, bool own_only, ids *ret) {
    *ret = (ids){ .all = malloc(IDS_MAX * KITH_ID_SIZE), .own_only = own_only };
    kith_query q = { .now_us = kith_time_now().wall_us };
    if (ret->all == NULL || kith_store_find(store, &q, collect, ret, NULL) < 0) {
        return false;
    }
    qsort(ret->all, ret->count, KITH_ID_SIZE, by_bytes);
    return true;
}

/* Of what all posted: how much is missing here, and how much is here twice. */
static void compare(const ids *posted, const ids *held, verdict *v) {
    for (size_t i = 0; i < posted->count; i++) {
        if (bsearch(posted->all[i], held->all, held->count, KITH_ID_SIZE, by_bytes) ==
            NULL) {
            v->lost++;
        }
    }
    for (size_t i = 1; i < held->count; i++) {
        v->doubled += memcmp(held->all[i - 1], held->all[i], KITH_ID_SIZE) == 0;
    }
}

static bool gather(demo *d, kith_store **stores, verdict *v) {
    ids posted = { .all = malloc(IDS_MAX * KITH_ID_SIZE) };
    bool good = posted.all != NULL;
    for (unsigned i = 0; i < d->count && good; i++) {
        ids own;
        good = ids_of(stores[i], true, &own) && posted.count + own.count <= IDS_MAX;
        if (good) {
            memcpy(posted.all[posted.count], own.all, own.count * KITH_ID_SIZE);
            posted.count += own.count;
            v->bytes += own.bytes;
            if (own.largest > v->largest) v->largest = own.largest;
        }
        free(own.all);
    }
    if (good) {
        v->packets = posted.count;
        qsort(posted.all, posted.count, KITH_ID_SIZE, by_bytes);
    }
    for (unsigned i = 0; i < d->count && good; i++) {
        ids held;
        good = ids_of(stores[i], false, &held);
        if (good) compare(&posted, &held, v);
        free(held.all);
    }
    free(posted.all);
    return good;
}

/* What a stranger with nothing but this carrier would know. */
static bool read_carrier(const char *url, uint64_t want, int64_t at_us, uint8_t ret[32]) {
    kith_store *store = NULL;
    kith_node *node = NULL;
    kith_node_config config = { .links = &url, .link_count = 1 };
    bool good = kith_store_open(&store, "memory:", NULL) == 0;
    config.store = store;
    good = good && kith_node_open(&node, &config, kith_time_now(), NULL) == 0;
    for (int i = 0; i < READ_TURNS && good; i++) {
        kith_store_stat stat;
        int did = kith_node_step(node, kith_time_now());
        good = did >= 0 && kith_store_stats(store, &stat, NULL) == 0;
        if (good && stat.packets >= want && did == 0) break;
        if (did == 0) (void) !poll(NULL, 0, 10);
    }
    good = good && kith_store_digest(store, ">", at_us, ret, NULL, NULL) == 0;
    kith_node_close(&node);
    kith_store_close(&store);
    return good;
}

static void self_of(const demo *d, unsigned i, uint8_t ret[KITH_KEY_SIZE]) {
    uint8_t seed[32] = { 'd', 'e', 'm', 'o', (uint8_t) i };
    memcpy(seed + 8, &d->seed, sizeof d->seed);
    kith_key *key = NULL;
    memset(ret, 0, KITH_KEY_SIZE);
    if (kith_key_from_seed(&key, seed, NULL) == 0) {
        kith_key_public(key, ret);
        kith_key_free(&key);
    }
}

/* The same pool without the liar: how far did it move the answer? */
static double moved_by(
    const uint8_t *liar, const kith_evidence *rows, size_t count, double mu) {
    kith_leaf leaves[ROWS_MAX];
    size_t n = 0;
    uint8_t keyid[KITH_KEYID_SIZE];
    kith_keyid(liar, keyid);
    for (size_t i = 0; i < count; i++) {
        bool other =
            rows[i].left_out != NULL || memcmp(rows[i].keyid, keyid, sizeof keyid) == 0;
        if (other) continue;
        leaves[n] = (kith_leaf){ .y = rows[i].y,
            .v = rows[i].v,
            .relevance = 1,
            .n = rows[i].n,
            .t_end_us = rows[i].t_end_us };
        memcpy(leaves[n++].source, rows[i].keyid, KITH_KEYID_SIZE);
    }
    kith_answer without;
    if (kith_pool_answer(leaves, n, NULL, NULL, &without, NULL) != 0) return NAN;
    return fabs(mu - without.kept.mu);
}

static bool liar_left_out(const uint8_t *liar, const kith_evidence *rows, size_t count) {
    uint8_t keyid[KITH_KEYID_SIZE];
    kith_keyid(liar, keyid);
    for (size_t i = 0; i < count; i++) {
        if (memcmp(rows[i].keyid, keyid, sizeof keyid) == 0) {
            return rows[i].left_out == NULL && rows[i].vote.fate == KITH_VOTE_FLAGGED;
        }
    }
    return false;
}

/* The swarm's answer as a stranger would get it from the first store. */
static bool pool_all(demo *d, kith_store *store, int64_t at_us, verdict *v) {
    kith_ask ask = { .subject = DEMO_SUBJECT, .now_us = at_us };
    kith_answer a;
    uint8_t template_id[KITH_TEMPLATE_SIZE], measure, liar[KITH_KEY_SIZE];
    static kith_evidence rows[ROWS_MAX];
    size_t count = 0;
    if (kith_ask_store(
            store, &ask, &a, template_id, &measure, rows, ROWS_MAX, &count, NULL) != 0) {
        return false;
    }
    count = count < ROWS_MAX ? count : ROWS_MAX;
    self_of(d, d->count - 1, liar);
    v->answered = !a.insufficient;
    v->k = a.k;
    v->mu = a.kept.mu;
    v->low = a.kept.ci_low;
    v->high = a.kept.ci_high;
    v->covered = v->answered && v->low <= d->truth && d->truth <= v->high;
    v->liar_named = liar_left_out(liar, rows, count);
    v->liar_moved = moved_by(liar, rows, count, a.kept.mu);
    v->ideal = sqrt((double) a.kept.k);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = i + 1; k < count; k++) { /* one source, one vote */
            v->doubled += rows[i].left_out == NULL && rows[k].left_out == NULL &&
                          memcmp(rows[i].keyid, rows[k].keyid, KITH_KEYID_SIZE) == 0;
        }
    }
    return true;
}

/* Each honest node's own answer against its own hidden truth. */
static void ask_each(demo *d, kith_store **stores, int64_t at_us, verdict *v) {
    double ratio = 0;
    for (unsigned i = 0; i + 1 < d->count; i++) {
        uint8_t self[KITH_KEY_SIZE], template_id[KITH_TEMPLATE_SIZE], measure;
        self_of(d, i, self);
        kith_ask ask = { .subject = DEMO_SUBJECT, .self = self, .now_us = at_us };
        kith_answer a;
        if (kith_ask_store(
                stores[i], &ask, &a, template_id, &measure, NULL, 0, NULL, NULL) != 0 ||
            !a.has_shrunk || !a.has_own) {
            continue;
        }
        double here = d->truth + d->cells[i].offset;
        v->nodes_asked++;
        v->nodes_covered += a.shrunk_low <= here && here <= a.shrunk_high;
        ratio += 2 * 1.959964 * sqrt(a.own_v) / (v->high - v->low);
    }
    v->narrower = v->nodes_asked > 0 ? ratio / v->nodes_asked : NAN;
}

bool verdict_of(demo *d, verdict *v, char *ret_why, size_t size) {
    kith_store *stores[DEMO_NODES_MAX] = { NULL };
    int64_t at_us = kith_time_now().wall_us;
    bool good = true;
    *v = (verdict){ .equal = true };
    for (unsigned i = 0; i < d->count && good; i++) {
        kith_error err = { 0 };
        good = kith_store_open(&stores[i], d->cells[i].is.store, &err) == 0;
        snprintf(ret_why, size, "%s", err.text);
        v->readings += d->cells[i].readings;
    }
    good = good && gather(d, stores, v) &&
           read_carrier(d->dir_url, v->packets, at_us, v->by_dir) &&
           read_carrier(d->sqlite_url, v->packets, at_us, v->by_sqlite);
    v->equal = good && memcmp(v->by_dir, v->by_sqlite, 32) == 0;
    for (unsigned i = 0; i < d->count && good; i++) {
        uint8_t one[32];
        good = kith_store_digest(stores[i], ">", at_us, one, NULL, NULL) == 0;
        v->equal = v->equal && memcmp(one, v->by_dir, 32) == 0;
    }
    good = good && pool_all(d, stores[0], at_us, v);
    if (good) ask_each(d, stores, at_us, v);
    for (unsigned i = 0; i < d->count; i++) {
        kith_store_close(&stores[i]);
    }
    return good;
}
