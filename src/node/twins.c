/* SPDX-License-Identifier: Apache-2.0 */
/* Two packets under one number prove that their source lied. Whoever knows such a
 * pair takes that source's epoch out of what it compares with others, and shows
 * the pair to whoever still offers packets of it: so sets agree again. */
#include "node/node.h"

#include "base/wire.h"

#include <string.h>

/* The index is read anew for a new liar, but not for each of many. */
#define REBUILD_NS UINT64_C(10000000000)
/* A pair is shown again after this long. */
#define SHOW_NS UINT64_C(2000000000)

static ki_twin *find(kith_node *n, const uint8_t *source, uint64_t epoch) {
    for (size_t i = 0; i < n->twin_count; i++) {
        if (n->twins[i].source == wire_get64(source) && n->twins[i].epoch == epoch) {
            return &n->twins[i];
        }
    }
    return NULL;
}

bool ki_twins_barred(kith_node *n, const kith_content *content) {
    return find(n, content->source, content->epoch) != NULL;
}

/* When all places are taken, another liar stays in the set: peers then differ by
 * his packets, and say so, but no more. */
static bool add(kith_node *n, const kith_content *content) {
    if (n->twin_count == NODE_TWINS || find(n, content->source, content->epoch) != NULL) {
        return false;
    }
    n->twins[n->twin_count++] =
        (ki_twin){ .source = wire_get64(content->source), .epoch = content->epoch };
    return true;
}

static int read_one(void *ctx, const kith_record *record) {
    kith_content content;
    if (kith_packet_decode(record->packet.bytes, record->packet.length, &content) == 0) {
        (void) add(ctx, &content);
    }
    return 0;
}

/* Before the first packet enters the index. */
void ki_twins_read(kith_node *n) {
    if (!n->twins_read) {
        n->twins_read = kith_store_proofs(n->store, read_one, n, NULL) >= 0;
    }
}

void ki_twins_found(kith_node *n, const kith_packet *packet) {
    kith_content content;
    if (kith_packet_decode(packet->bytes, packet->length, &content) == 0 &&
        add(n, &content)) {
        n->twins_new = true;
    }
}

void ki_twins_turn(kith_node *n, kith_time now) {
    if (n->twins_new && now.mono_ns >= n->twins_ns) {
        n->twins_new = false;
        n->twins_ns = now.mono_ns + REBUILD_NS;
        ki_index_rebuild(&n->index);
    }
}

typedef struct showing {
    kith_node *node;
    ki_node_link *link;
    const kith_content *of;
} showing;

static int send(const showing *s, const kith_record *record) {
    kith_content content;
    if (kith_packet_decode(record->packet.bytes, record->packet.length, &content) < 0) {
        return 0;
    }
    kith_posting what = { .kind = KITH_ITEM_PACKET,
        .length = record->packet.length,
        .bytes = record->packet.bytes,
        .to = &content.address,
        .expires_us = kith_packet_expires_us(&content) };
    return kith_link_post(s->link->link, &what);
}

static int send_first(void *ctx, const kith_record *record) {
    (void) send(ctx, record);
    return KITH_STOP;
}

/* The twin that came later, and the one that the store holds. */
static int show(void *ctx, const kith_record *record) {
    showing *s = ctx;
    kith_content content;
    if (kith_packet_decode(record->packet.bytes, record->packet.length, &content) < 0 ||
        content.epoch != s->of->epoch ||
        memcmp(content.source, s->of->source, KITH_KEY_SIZE) != 0 || record->arrival == 0) {
        return 0;
    }
    kith_query q = { .after = record->arrival - 1,
        .before = record->arrival + 1,
        .with_expired = true,
        .with_retracted = true,
        .limit = 1 };
    (void) send(s, record);
    (void) !kith_store_find(s->node->store, &q, send_first, s, NULL);
    return KITH_STOP; /* one pair is proof enough */
}

void ki_twins_show(
    kith_node *n, ki_node_link *l, const kith_content *content, kith_time now) {
    ki_twin *t = find(n, content->source, content->epoch);
    if (t == NULL || now.mono_ns < t->shown_ns) {
        return;
    }
    t->shown_ns = now.mono_ns + SHOW_NS;
    showing s = { .node = n, .link = l, .of = content };
    (void) !kith_store_proofs(n->store, show, &s, NULL);
}
