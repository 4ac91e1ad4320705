/* SPDX-License-Identifier: Apache-2.0 */
/* Unsigned evidence in an answer. Anybody may claim any name, so names count nothing: all
 * that came by one gateway has one vote, as precise as its leaves are on average. */
#include "node/ask.h"

#include <kith/address.h>
#include <kith/heard.h>

#include "base/check.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

/* Packets looked at for one answer, the newest first. */
#define LOOKS 16384

/* "0123456789abcdef", as kith names itself to seed 0; 0: another name. */
static uint64_t key_name(const char *name) {
    uint64_t n = 0;
    size_t i = 0;
    for (; name[i] != '\0' && i < 16; i++) {
        bool digit = name[i] >= '0' && name[i] <= '9';
        if (!digit && (name[i] < 'a' || name[i] > 'f')) {
            return 0;
        }
        n = n << 4 | (uint64_t) (digit ? name[i] - '0' : name[i] - 'a' + 10);
    }
    return i == 16 && name[16] == '\0' ? n : 0;
}

static uint64_t key_start(const uint8_t keyid[KITH_KEYID_SIZE]) {
    uint64_t n = 0;
    for (int i = 0; i < 8; i++) {
        n = n << 8 | keyid[i];
    }
    return n;
}

/* Its number; KI_GATEWAYS_MAX: one too many. */
static size_t gateway_of(ki_claims *k, const char *name) {
    size_t i = 0;
    while (i < k->gateway_count && strcmp(k->gateways[i], name) != 0) i++;
    if (i == k->gateway_count && i < KI_GATEWAYS_MAX) {
        memcpy(k->gateways[k->gateway_count++], name, strlen(name) + 1);
    }
    return i;
}

static ki_claim *claim_of(ki_claims *k, size_t gateway, const kith_content *c) {
    for (size_t i = 0; i < k->count; i++) {
        ki_claim *one = &k->all[i];
        if (one->gateway == gateway && memcmp(one->source, c->source, KITH_KEY_SIZE) == 0) {
            return one;
        }
    }
    if (k->count == KI_CLAIMS_MAX) {
        return NULL;
    }
    ki_claim *fresh = &k->all[k->count++];
    *fresh = (ki_claim){ .gateway = (uint16_t) gateway };
    memcpy(fresh->source, c->source, KITH_KEY_SIZE);
    return fresh;
}

static int collect(void *ctx, const kith_heard *h) {
    ki_claims *k = ctx;
    kith_content c;
    char name[KITH_SEED1_LENGTH_MAX];
    k->packets++;
    size_t gateway = gateway_of(k, h->gateway);
    if (gateway == KI_GATEWAYS_MAX || kith_heard_content(h, &c, name) < 0) {
        return 0;
    }
    ki_claim *one = claim_of(k, gateway, &c);
    if (one == NULL) {
        return 0;
    }
    uint32_t packets = one->row.packets + 1;
    if (packets == 1 || c.t_end_us > one->row.t_end_us) {
        one->row = (kith_evidence){ .is_unsigned = true, .t_end_us = c.t_end_us, .n = c.n };
        memcpy(one->row.id, h->id, KITH_ID_SIZE);
        memcpy(one->row.keyid, c.source, KITH_KEYID_SIZE);
        memcpy(one->template_id, c.template_id, KITH_TEMPLATE_SIZE);
        one->measure = c.measure;
        one->components = c.components;
        one->name = h->seed == 0 ? key_name(name) : 0;
        one->row.left_out =
            ki_ask_fault(k->ask, &c, &one->row.y, &one->row.v, &one->measure);
        if (one->row.left_out == NULL && one->row.y == 0) {
            one->row.left_out = "an effect of 0: its confidence tells no error";
        }
    }
    one->row.packets = packets;
    return 0;
}

int ki_claims_read(ki_claims *k, kith_store *store, kith_error *err) {
    kith_query q = { .pattern = k->ask->subject,
        .newest_first = true,
        .limit = LOOKS,
        .now_us = k->ask->now_us };
    return kith_store_heard(store, &q, collect, k, err);
}

/* What this node, or a source that signs here, said once more without a signature. */
static const char *echo_of(const ki_claim *one, const ki_slots *list, uint64_t self) {
    if (one->name == 0) {
        return NULL;
    }
    if (self != 0 && one->name == self) {
        return "unsigned: it claims to be ours";
    }
    for (size_t i = 0; i < list->count; i++) {
        if (!list->all[i].gateway && key_start(list->all[i].row.keyid) == one->name) {
            return "unsigned: its source signs here";
        }
    }
    return NULL;
}

/* No key has such a key-id. */
static void gateway_id(const char *name, uint8_t ret[KITH_KEYID_SIZE]) {
    uint8_t hash[32];
    ki_sha256 h;
    ki_sha256_init(&h);
    ki_sha256_add(&h, "kith-gateway", sizeof "kith-gateway");
    ki_sha256_add(&h, name, strlen(name));
    ki_sha256_done(&h, hash);
    memcpy(ret, hash, KITH_KEYID_SIZE);
}

/* The mean of its leaves by their precision, with their mean precision: one vote, however
 * many they are. Those of another kind than the first stay out. */
static void vote_of(ki_claims *k, size_t gateway, ki_slots *list) {
    double precision = 0, sum = 0;
    size_t leaves = 0;
    const ki_claim *first = NULL;
    ki_slot vote = { .gateway = true, .leaf.relevance = 1.0 };
    for (size_t i = 0; i < k->count; i++) {
        ki_claim *one = &k->all[i];
        if (one->gateway != gateway || one->row.left_out != NULL) {
            continue;
        }
        first = first == NULL ? one : first;
        if (one->measure != first->measure ||
            memcmp(one->template_id, first->template_id, KITH_TEMPLATE_SIZE) != 0) {
            one->row.left_out = "another template or unit";
            continue;
        }
        CHECK(one->row.v > 0);
        precision += 1 / one->row.v;
        sum += one->row.y / one->row.v;
        leaves++;
        vote.leaf.n += one->row.n;
        if (one->row.t_end_us > vote.leaf.t_end_us) vote.leaf.t_end_us = one->row.t_end_us;
    }
    if (leaves == 0) {
        return;
    }
    for (size_t i = 0; i < k->count; i++) {
        ki_claim *one = &k->all[i];
        if (one->gateway == gateway && one->row.left_out == NULL) {
            one->share = 1 / one->row.v / precision;
        }
    }
    vote.leaf.y = sum / precision;
    vote.leaf.v = (double) leaves / precision;
    vote.measure = first->measure;
    vote.components = first->components;
    memcpy(vote.template_id, first->template_id, KITH_TEMPLATE_SIZE);
    gateway_id(k->gateways[gateway], vote.leaf.source);
    memcpy(vote.row.keyid, vote.leaf.source, KITH_KEYID_SIZE);
    ki_slot *place = ki_slots_next(list);
    if (place == NULL) {
        list->no_memory = true;
        return;
    }
    k->slots[gateway] = list->count++;
    *place = vote;
}

/* The same packets give the same sums, in whatever order they came. */
static int by_source(const void *a, const void *b) {
    const ki_claim *x = a, *y = b;
    int r = memcmp(x->source, y->source, sizeof x->source);
    return r != 0 ? r : memcmp(x->row.id, y->row.id, sizeof x->row.id);
}

void ki_claims_vote(ki_claims *k, ki_slots *list) {
    qsort(k->all, k->count, sizeof *k->all, by_source);
    uint8_t self[KITH_KEYID_SIZE] = { 0 };
    if (k->ask->self != NULL) {
        kith_keyid(k->ask->self, self);
    }
    for (size_t i = 0; i < KI_GATEWAYS_MAX; i++) {
        k->slots[i] = SIZE_MAX;
    }
    for (size_t i = 0; i < k->count; i++) {
        ki_claim *one = &k->all[i];
        const char *echo = echo_of(one, list, key_start(self));
        one->row.left_out = one->row.left_out != NULL ? one->row.left_out : echo;
        if (!k->ask->pool_unsigned && one->row.left_out == NULL) {
            one->row.left_out = "unsigned: counts only with pool_unsigned";
        }
    }
    for (size_t i = 0; k->ask->pool_unsigned && i < k->gateway_count; i++) {
        vote_of(k, i, list);
    }
}

void ki_claims_tell(ki_claims *k, const ki_slots *list, kith_answer *ret) {
    ret->unsigned_pooled = 0;
    for (size_t i = 0; i < k->count; i++) {
        ki_claim *one = &k->all[i];
        if (one->row.left_out != NULL) {
            continue;
        }
        CHECK(k->slots[one->gateway] < list->count);
        const ki_slot *vote = &list->all[k->slots[one->gateway]];
        one->row.left_out = vote->row.left_out;
        one->row.vote = vote->row.vote;
        one->row.vote.weight *= one->share;
        ret->unsigned_pooled += one->row.left_out == NULL;
    }
    ret->unsigned_left = k->packets - ret->unsigned_pooled;
}
