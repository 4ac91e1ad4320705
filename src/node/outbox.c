/* SPDX-License-Identifier: Apache-2.0 */
/* From the store to a link: three numbers, `sent`, `settled` and `safe`, all of them
 * arrivals. Nothing is copied or marked; a cursor of 8 bytes is the whole outbox. */
#include "node/node.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/wire.h"

#include <string.h>

/* A link that failed is left alone this long. */
#define PAUSE_NS UINT64_C(50000000)
/* Packets looked up in one turn when receipts came. */
#define RECEIPTS_MAX 256

typedef struct giving {
    kith_node *node;
    ki_node_link *link;
    uint32_t seen;
    int given;
    int result; /* the post that stopped us */
    kith_time now;
} giving;

/* The store leaves out what came by the link's name, but not what sync brought. */
static bool is_echo(const ki_node_link *l, const kith_record *record) {
    return strcmp(record->way, l->sync_way) == 0;
}

/* Under its own subject and under the cells of its context. A link that runs full goes
 * on there. Only the last carries the ticket; a part that comes before it settles what
 * stands before. */
static int give_parts(giving *g, const kith_record *record, const kith_content *content) {
    kith_address places[KITH_CELLS_MAX + 1];
    ki_node_link *l = g->link;
    size_t count = ki_cells_places(g->node, l, content, places);
    if (l->part_of != record->arrival || l->part >= count) {
        l->part_of = record->arrival;
        l->part = 0;
    }
    for (; l->part < count; l->part++) {
        kith_posting what = { .kind = KITH_ITEM_PACKET,
            .length = record->packet.length,
            .bytes = record->packet.bytes,
            .to = &places[l->part],
            .expires_us = record->expires_us,
            .ticket = record->arrival - (l->part + 1 < count) };
        int r = kith_link_post(l->link, &what);
        if (r != 0) {
            return r;
        }
    }
    l->part_of = 0;
    return 0;
}

static int give(void *ctx, const kith_record *record) {
    giving *g = ctx;
    ki_node_link *l = g->link;
    kith_content content;
    g->seen++;
    if (is_echo(l, record)) {
        l->sent = record->arrival;
        return 0;
    }
    int r = kith_packet_decode(record->packet.bytes, record->packet.length, &content);
    if (r < 0) { /* a damaged row: the store's check finds it, we go on */
        l->sent = record->arrival;
        return 0;
    }
    g->result = give_parts(g, record, &content);
    if (g->result != 0) {
        return KITH_STOP;
    }
    l->sent = record->arrival;
    l->last_ticket = record->arrival;
    ki_news news = { &record->packet, record->id, record->arrival, true };
    ki_exchange_heard(g->node, l, &news, g->now);
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
    uint32_t limit = l->lot > 0 ? l->lot : NODE_GIVES;
    uint64_t end = n->last_arrival; /* read before the query: arrivals only grow */
    giving g = { .node = n, .link = l, .now = now };
    int r = kith_store_outbox(
        n->store, l->way, n->relay, l->sent, limit, now.wall_us, give, &g, NULL);
    if (r < 0) {
        return r;
    }
    if (g.result != 0) {
        l->outbox_ns = now.mono_ns + (g.result == KITH_FULL ? NODE_ROOM_NS : PAUSE_NS);
    } else if (g.seen < limit) {
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
    wire_put64(bytes, l->safe);
    wire_put64(bytes + 8, (uint64_t) now.wall_us);
    (void) !kith_store_save(n->store, name, bytes, sizeof bytes, false, NULL);
}

static void begin_at(ki_node_link *l, uint64_t arrival) {
    l->sent = l->settled = l->safe = l->last_ticket = arrival;
    l->receipts = 0;
    l->part_of = 0;
}

void ki_outbox_again(kith_node *n, ki_node_link *l, kith_time now) {
    begin_at(l, 0);
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
    begin_at(l, known ? wire_get64(bytes) : 0);
}

static void move_cursor(kith_node *n, ki_node_link *l, uint64_t to, kith_time now) {
    CHECK(to > l->safe);
    l->safe = to;
    l->sent = l->sent < to ? to : l->sent; /* it is there by another way */
    keep(n, l, now);
    kith_event e = {
        .kind = KITH_EVENT_SENT, .arrival = l->safe, .link = l->url, .code = 0
    };
    ki_node_say(n, &e);
}

static int settle(ki_node_link *l) {
    uint64_t through = 0, before = l->settled;
    kith_error err = { 0 };
    int r = kith_link_settle(l->link, &through, &err);
    if (r < 0) {
        shrink(l);
        l->part_of = 0;
        l->sent = l->settled; /* rule 5: everything behind is ours to post again */
        l->last_ticket = l->settled;
        return r;
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
    return l->settled != before;
}

typedef struct receipts {
    const ki_node_link *link;
    uint64_t through;
    uint32_t count;
    bool missing; /* nobody was shown to have the next */
} receipts;

static int look(void *ctx, const kith_record *record) {
    receipts *r = ctx;
    kith_content content;
    int decoded = kith_packet_decode(record->packet.bytes, record->packet.length, &content);
    r->missing = decoded == 0 && !is_echo(r->link, record) &&
                 !ki_sync_receipt(r->link->sync, record->arrival, content.address.subject,
                     content.source);
    if (r->missing) {
        return KITH_STOP;
    }
    r->through = record->arrival;
    r->count++;
    return 0;
}

/* An ack that says nothing moves no cursor: a peer's receipt does. What nobody on
 * the wire follows stays here until it expires. */
static int collect(kith_node *n, ki_node_link *l, kith_time now, uint64_t *ret_through) {
    uint64_t most = ki_sync_receipt_most(l->sync), end = n->last_arrival;
    receipts r = { .link = l, .through = l->safe };
    *ret_through = l->safe;
    if (l->receipts == l->sync->receipts || most <= l->safe) {
        return 0;
    }
    int done = kith_store_outbox(
        n->store, l->way, n->relay, l->safe, RECEIPTS_MAX, now.wall_us, look, &r, NULL);
    if (done < 0) {
        return done;
    }
    bool all = !r.missing && r.count < RECEIPTS_MAX; /* the rest is not for this link */
    most = most < end ? most : end;
    *ret_through = all && most > r.through ? most : r.through;
    if (all || r.missing) {
        l->receipts = l->sync->receipts;
    }
    return 0;
}

int ki_outbox_turn(kith_node *n, ki_node_link *l, kith_time now) {
    int given = give_some(n, l, now);
    if (given < 0) {
        return given;
    }
    bool blind = l->sync != NULL && kith_link_level(l->link) == KITH_LEVEL_NONE;
    int moved = settle(l);
    uint64_t through = l->settled;
    if (moved < 0) {
        l->outbox_ns = now.mono_ns + PAUSE_NS;
        return given + 1;
    }
    int r = blind ? collect(n, l, now, &through) : 0;
    if (r == 0 && through > l->safe) {
        move_cursor(n, l, through, now);
        moved = 1;
    }
    return r < 0 ? r : given + moved;
}
