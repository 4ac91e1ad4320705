/* SPDX-License-Identifier: Apache-2.0 */
/* Lets the sync state machine speak over a link, and serves what others want
 * from our store. */
#include "node/node.h"

#include "base/dice.h"
#include "base/hash.h"
#include "base/wire.h"

#include <stdlib.h>
#include <string.h>

/* Frames sent in one turn. */
#define GIVES_MAX 16
/* Packets looked at for one list: bounds a turn when few of them are wanted. */
#define SCAN_MAX 1024

static void cursor_name(const kith_node *n, char name[32], uint64_t tag) {
    uint8_t bytes[8];
    wire_put64(bytes, tag ^ n->round * UINT64_C(0x9e3779b97f4a7c15));
    memcpy(name, "sync:", 5);
    ki_hex(bytes, sizeof bytes, name + 5);
}

static uint64_t cursor_load(void *ctx, uint64_t tag) {
    kith_node *n = ctx;
    char name[32];
    uint8_t bytes[8];
    size_t length = 0;
    cursor_name(n, name, tag);
    int r = kith_store_load(n->store, name, bytes, sizeof bytes, &length);
    return r == 0 && length == sizeof bytes ? wire_get64(bytes) : 0;
}

/* Lazily: an old cursor only costs lists that are compared once more. */
static void cursor_save(void *ctx, uint64_t tag, uint64_t cursor) {
    kith_node *n = ctx;
    char name[32];
    uint8_t bytes[8];
    cursor_name(n, name, tag);
    wire_put64(bytes, cursor);
    (void) !kith_store_save(n->store, name, bytes, sizeof bytes, false, NULL);
}

int ki_exchange_open(kith_node *n, ki_node_link *l) {
    uint32_t can = kith_link_can(l->link);
    if ((can & KITH_CAN_REPLAY) != 0 || (can & KITH_CAN_SYNC) == 0) {
        return 0;
    }
    if (l->sync == NULL) {
        l->sync = calloc(1, sizeof *l->sync);
    }
    if (l->sync == NULL) {
        return KITH_E_MEMORY;
    }
    ki_sync_memory memory = { n, cursor_load, cursor_save };
    ki_sync_init(l->sync, n->tag, dice_roll(&n->dice), &memory);
    return ki_exchange_follow(n, l, 0);
}

/* What a peer lists must be what our link lets through, or it would be asked for
 * again and again. */
int ki_exchange_follow(kith_node *n, ki_node_link *l, uint64_t now_ns) {
    if (l->sync == NULL || ki_sync_narrow(l->sync, (const ki_sync_pattern *) n->follows,
                               n->follow_count, now_ns)) {
        return 0;
    }
    int r = kith_link_follow(l->link, ">");
    return r < 0 ? r : 0;
}

void ki_exchange_take(
    kith_node *n, ki_node_link *l, const uint8_t *bytes, size_t length, kith_time now) {
    (void) n;
    if (l->sync == NULL) {
        return;
    }
    ki_sync_wish wish;
    int r = ki_sync_take(l->sync, bytes, length, now.mono_ns, &wish);
    /* When too many ask at once some must ask again: they do, later and later. */
    if (r == KITH_STOP && l->wish_count < sizeof l->wishes / sizeof *l->wishes) {
        l->wishes[l->wish_count++] = wish;
    }
}

typedef struct list {
    ki_node_link *link;
    const ki_sync_wish *wish;
    uint64_t last;
    size_t seen, count;
    uint64_t tags[SYNC_LIST_MAX];
    bool full; /* the link took no more */
} list;

static int add(void *ctx, const kith_record *record) {
    list *w = ctx;
    kith_content content;
    w->last = record->arrival;
    w->seen++;
    if (kith_packet_decode(record->packet.bytes, record->packet.length, &content) < 0 ||
        !ki_sync_wants(w->wish, content.address.subject)) {
        return 0;
    }
    w->tags[w->count] = ki_sync_tag(record->id);
    if ((w->wish->need >> w->count & 1) != 0) {
        kith_posting what = { .kind = KITH_ITEM_PACKET,
            .length = record->packet.length,
            .bytes = record->packet.bytes,
            .to = &content.address,
            .expires_us = record->expires_us };
        w->full = kith_link_post(w->link->link, &what) != 0;
    }
    w->count++;
    return w->full || w->count == SYNC_LIST_MAX ? KITH_STOP : 0;
}

static int send_frame(ki_node_link *l, const uint8_t *bytes, size_t length) {
    kith_posting what = { .kind = KITH_ITEM_SYNC,
        .length = (uint16_t) length,
        .bytes = bytes,
        .expires_us = INT64_MAX };
    return kith_link_post(l->link, &what);
}

static int serve(kith_node *n, ki_node_link *l, const ki_sync_wish *wish, kith_time now) {
    list w = { .link = l, .wish = wish, .last = wish->after };
    kith_query q = { .after = wish->after, .limit = SCAN_MAX, .now_us = now.wall_us };
    uint64_t end = n->last_arrival;
    int r = kith_store_find(n->store, &q, add, &w, NULL);
    if (r < 0) {
        return r;
    }
    if (w.full) {
        return 1; /* no END: the other will ask again */
    }
    bool more = w.count == SYNC_LIST_MAX || w.seen == SCAN_MAX;
    uint64_t through = more || w.last > end ? w.last : end;
    if (through < wish->after) {
        return 1; /* asks beyond our end */
    }
    uint8_t frame[SYNC_FRAME_MAX];
    size_t length = ki_sync_end(l->sync, wish, through, w.tags, w.count, frame);
    (void) !send_frame(l, frame, length);
    return 1;
}

int ki_exchange_turn(kith_node *n, ki_node_link *l, kith_time now) {
    if (l->sync == NULL) {
        return 0;
    }
    int did = 0;
    for (uint32_t i = 0; i < l->wish_count; i++) {
        int r = serve(n, l, &l->wishes[i], now);
        if (r < 0) {
            return r;
        }
        did += r;
    }
    l->wish_count = 0;
    uint8_t frame[SYNC_FRAME_MAX];
    for (int i = 0; i < GIVES_MAX; i++) {
        size_t length = ki_sync_give(l->sync, n->last_arrival, now.mono_ns, frame);
        if (length == 0 || send_frame(l, frame, length) != 0) {
            break;
        }
        did++;
    }
    return did;
}
