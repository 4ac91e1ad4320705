/* SPDX-License-Identifier: Apache-2.0 */
/* From the store to a link: two numbers, `sent` and `settled`, both arrivals.
 * Nothing is copied or marked; a cursor of 8 bytes is the whole outbox. */
#include "node/node.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/wire.h"

#include <string.h>

/* A link that failed or is full is left alone this long. */
#define PAUSE_NS UINT64_C(50000000)

typedef struct giving {
    kith_node *node;
    ki_node_link *link;
    int given;
    int result; /* the post that stopped us */
    kith_time now;
} giving;

static int give(void *ctx, const kith_record *record) {
    giving *g = ctx;
    ki_node_link *l = g->link;
    kith_content content;
    int r = kith_packet_decode(record->packet.bytes, record->packet.length, &content);
    if (r < 0) { /* a damaged row: the store's check finds it, we go on */
        l->sent = record->arrival;
        return 0;
    }
    kith_posting what = { .kind = KITH_ITEM_PACKET,
        .length = record->packet.length,
        .bytes = record->packet.bytes,
        .to = &content.address,
        .expires_us = record->expires_us,
        .ticket = record->arrival };
    g->result = kith_link_post(l->link, &what);
    if (g->result != 0) {
        return KITH_STOP;
    }
    l->sent = record->arrival;
    l->last_ticket = record->arrival;
    ki_exchange_heard(g->node, l, &record->packet, record->arrival, true, g->now);
    g->given++;
    return 0;
}

static int give_some(kith_node *n, ki_node_link *l, kith_time now) {
    if (l->sent >= n->last_arrival || now.mono_ns < l->outbox_ns) {
        return 0;
    }
    if (l->lot > 0 && l->settled < l->last_ticket) {
        return 0; /* first these: the link has failed of late */
    }
    uint32_t limit = l->lot > 0 ? l->lot : NODE_BATCH;
    uint64_t end = n->last_arrival; /* read before the query: arrivals only grow */
    giving g = { n, l, 0, 0, now };
    int r = kith_store_outbox(
        n->store, l->way, n->relay, l->sent, limit, now.wall_us, give, &g, NULL);
    if (r < 0) {
        return r;
    }
    if (g.result != 0) {
        l->outbox_ns = now.mono_ns + PAUSE_NS;
    } else if (g.given < (int) limit) {
        l->sent = end > l->sent ? end : l->sent; /* the rest is not for this link */
    }
    return g.given;
}

/* A link that fails forgets all that is under way. So after a failure less is given
 * at once, and nothing more until that is settled; each lot that is makes the next
 * one larger. Without it a wire that is slow and breaks often would carry nothing. */
static void shrink(ki_node_link *l) {
    uint32_t lot = (l->lot > 0 ? l->lot : NODE_BATCH) / 2;
    l->lot = lot > 0 ? lot : 1;
}

static void grow(ki_node_link *l) {
    l->lot = l->lot < NODE_BATCH ? 2 * l->lot : 0;
}

static void outbox_name(const ki_node_link *l, char ret[KITH_STATE_NAME_MAX + 1]) {
    memcpy(ret, "out:", 4);
    memcpy(ret + 4, l->way, strlen(l->way) + 1);
}

/* The cursor, and our clock's time: what it passed over as expired was judged by it. */
static void keep(kith_node *n, const ki_node_link *l, kith_time now) {
    char name[KITH_STATE_NAME_MAX + 1];
    uint8_t bytes[16];
    outbox_name(l, name);
    wire_put64(bytes, l->settled);
    wire_put64(bytes + 8, (uint64_t) now.wall_us);
    (void) !kith_store_save(n->store, name, bytes, sizeof bytes, false, NULL);
}

void ki_outbox_again(kith_node *n, ki_node_link *l, kith_time now) {
    l->sent = l->settled = l->last_ticket = 0;
    keep(n, l, now);
}

void ki_outbox_resume(kith_node *n, ki_node_link *l, kith_time now) {
    char name[KITH_STATE_NAME_MAX + 1];
    uint8_t bytes[16];
    size_t length = 0;
    outbox_name(l, name);
    int r = kith_store_load(n->store, name, bytes, sizeof bytes, &length);
    bool known = r == 0 && length == sizeof bytes;
    int64_t then = known ? (int64_t) wire_get64(bytes + 8) : 0;
    known = known && then <= now.wall_us + LIMIT_FUTURE_US;
    l->sent = l->settled = l->last_ticket = known ? wire_get64(bytes) : 0;
}

static int settle(kith_node *n, ki_node_link *l, kith_time now) {
    uint64_t through = 0, before = l->settled;
    kith_error err = { 0 };
    int r = kith_link_settle(l->link, &through, &err);
    if (r < 0) {
        shrink(l);
        l->sent = l->settled; /* rule 5: everything behind is ours to post again */
        l->last_ticket = l->settled;
        l->outbox_ns = now.mono_ns + PAUSE_NS;
        return 1;
    }
    through = through < l->sent ? through : l->sent; /* we may have gone back since */
    if (r == 0 && through > l->settled) {
        l->settled = through;
    }
    if (l->settled >= l->last_ticket) { /* nothing of ours is under way */
        if (l->settled > before && l->lot > 0) {
            grow(l);
        }
        l->settled = l->sent;
    }
    CHECK(l->settled <= l->sent);
    if (l->settled == before) {
        return 0;
    }
    keep(n, l, now);
    kith_event e = {
        .kind = KITH_EVENT_SENT, .arrival = l->settled, .link = l->url, .code = 0
    };
    ki_node_say(n, &e);
    return 1;
}

int ki_outbox_turn(kith_node *n, ki_node_link *l, kith_time now) {
    int given = give_some(n, l, now);
    if (given < 0) {
        return given;
    }
    return given + settle(n, l, now);
}
