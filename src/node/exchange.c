/* SPDX-License-Identifier: Apache-2.0 */
/* Lets the sync state machine speak over a link without memory: feeds the index
 * from the store, carries frames, and fetches the packets that it wants sent. */
#include "node/node.h"

#include "base/check.h"
#include "base/dice.h"
#include "security/key.h"

#include <stdlib.h>
#include <string.h>

/* Frames and packets sent in one turn, and packets read into the index. */
#define GIVES_MAX 256
#define FEED_MAX  1024
/* Packets looked at in one turn for those that the store evicted. */
#define EVICTED_LOOKS 64

#define HELLO_MARK "kith-sync-1"

static void sign(void *ctx, const uint8_t *bytes, size_t length, uint8_t ret[64]) {
    const kith_node *n = ctx;
    ki_key_sign(n->key, HELLO_MARK, bytes, length, ret);
}

static bool verify(const uint8_t key[KITH_KEY_SIZE], const uint8_t *bytes, size_t length,
    const uint8_t signature[64]) {
    return ki_key_verify(key, HELLO_MARK, bytes, length, signature);
}

int ki_exchange_open(kith_node *n, ki_node_link *l) {
    uint32_t can = kith_link_can(l->link);
    if ((can & KITH_CAN_REPLAY) != 0 || (can & KITH_CAN_SYNC) == 0) {
        return 0;
    }
    if (l->sync == NULL) {
        ki_sync_config config = { .ctx = n, .sign = sign, .verify = verify };
        l->sync = malloc(sizeof *l->sync);
        if (l->sync == NULL) {
            return KITH_E_MEMORY;
        }
        kith_key_public(n->key, config.key);
        for (size_t i = 0; n->seed != 0 && i < sizeof config.secret; i++) {
            config.secret[i] = (uint8_t) dice_roll(&n->dice);
        }
        if (n->seed == 0) ki_dice_system(config.secret, sizeof config.secret);
        config.seed = dice_roll(&n->dice);
        ki_sync_init(l->sync, &config, &n->index);
    }
    l->out.kind = SYNC_NOTHING;
    return ki_exchange_follow(n, l);
}

void ki_exchange_close(ki_node_link *l) {
    if (l->sync != NULL) {
        ki_sync_fini(l->sync);
        free(l->sync);
        l->sync = NULL;
    }
}

/* What is asked for must be what our link lets through, or it would be asked for
 * again and again. */
int ki_exchange_follow(kith_node *n, ki_node_link *l) {
    if (l->sync == NULL) {
        return 0;
    }
    ki_pattern bases[KITH_FOLLOWS_MAX];
    size_t count = ki_cells_bases(n, bases);
    ki_sync_follow(l->sync, (const ki_pattern *) bases, count);
    for (size_t i = 0; l->link != NULL && i < count; i++) {
        int r = ki_cells_spelt(n, bases[i]) ? kith_link_follow(l->link, bases[i]) : 0;
        if (r < 0) {
            return r;
        }
    }
    if (l->link == NULL || ki_node_follows(n, "a.subject.of.everything") ||
        !ki_sync_follows(l->sync, "a.subject.of.everything")) {
        return 0;
    }
    int r = kith_link_follow(l->link, ">");
    return r < 0 ? r : 0;
}

void ki_exchange_take(
    kith_node *n, ki_node_link *l, const uint8_t *bytes, size_t length, kith_time now) {
    (void) n;
    if (l->sync != NULL) {
        (void) !ki_sync_take(l->sync, bytes, length, now); /* counted there */
    }
}

void ki_exchange_heard(kith_node *n, ki_node_link *l, const ki_news *news, kith_time now) {
    kith_content content;
    const kith_packet *packet = news->packet;
    if (l->sync == NULL ||
        kith_packet_decode(packet->bytes, packet->length, &content) < 0) {
        return;
    }
    ki_heard heard = { .source = content.source,
        .epoch = content.epoch,
        .seq = content.seq,
        .t_end_us = content.t_end_us,
        .own = news->own };
    if (news->arrival != 0) {
        ki_item_of(&heard.item, kith_packet_expires_us(&content), news->id, news->arrival);
    }
    ki_sync_heard(l->sync, &heard, now);
    if (!news->own) {
        ki_twins_show(n, l, &content, now);
    }
}

/* A clock that is set may make a packet of the future good. */
void ki_exchange_refuse(ki_node_link *l, const uint8_t id[KITH_ID_SIZE], int refusal) {
    if (l->sync != NULL && refusal != KITH_R_FUTURE) {
        ki_item item;
        ki_item_of(&item, 0, id, 0);
        ki_sync_refuse(l->sync, &item);
    }
}

typedef struct feeding {
    kith_node *node;
    uint64_t last;
    uint32_t count;
    uint64_t epoch, seq; /* of what is taken back */
    const uint8_t *source;
} feeding;

static int drop_target(void *ctx, const kith_record *record) {
    feeding *f = ctx;
    kith_content content;
    if (kith_packet_decode(record->packet.bytes, record->packet.length, &content) < 0 ||
        content.epoch != f->epoch || content.seq != f->seq ||
        memcmp(content.source, f->source, KITH_KEY_SIZE) != 0) {
        return 0;
    }
    ki_item item;
    ki_item_of(&item, record->expires_us, record->id, record->arrival);
    ki_index_drop(&f->node->index, &item);
    return KITH_STOP;
}

/* Who knows a retraction refuses its target: so neither side claims it. */
static void take_back(feeding *f, const kith_content *content) {
    kith_query q = {
        .pattern = content->address.subject, .with_retracted = true, .with_expired = true
    };
    f->source = content->source;
    if (kith_retraction_target(content, &f->epoch, &f->seq)) {
        (void) !kith_store_find(f->node->store, &q, drop_target, f, NULL);
    }
}

static int feed(void *ctx, const kith_record *record) {
    feeding *f = ctx;
    kith_content content;
    f->last = record->arrival;
    f->count++;
    if (kith_packet_decode(record->packet.bytes, record->packet.length, &content) < 0 ||
        ki_twins_barred(f->node, &content)) {
        return 0;
    }
    ki_entry e = { .t_end_us = content.t_end_us,
        .arrived_us = record->arrived_us,
        .subject = content.address.subject,
        .source = content.source };
    ki_item_of(&e.item, record->expires_us, record->id, record->arrival);
    ki_index_feed(&f->node->index, &e);
    if (content.type == KITH_RETRACT) {
        take_back(f, &content);
    }
    return 0;
}

static int nothing(void *ctx, const kith_record *record) {
    *(bool *) ctx = record != NULL;
    return KITH_STOP;
}

static bool has(kith_node *n, uint64_t arrival) {
    bool found = false;
    kith_query q = { .after = arrival - 1,
        .before = arrival + 1,
        .with_expired = true,
        .with_retracted = true,
        .limit = 1 };
    return kith_store_find(n->store, &q, nothing, &found, NULL) < 0 || found;
}

/* A full store evicts what expires first: what is gone is not claimed any more,
 * and not wanted again. */
static void look_for_evicted(kith_node *n) {
    for (int v = 0; v < INDEX_VIEWS_MAX; v++) {
        uint64_t rank = 0;
        for (int i = 0; i < EVICTED_LOOKS && n->index.views[v].used; i++) {
            const ki_item *at = ki_set_at(&n->index.views[v].set, rank);
            if (at == NULL) {
                break;
            }
            ki_item item = *at;
            if (has(n, item.arrival)) {
                rank++; /* own packets are never evicted */
            } else {
                ki_index_lost(&n->index, &item);
            }
        }
    }
}

int ki_exchange_feed(kith_node *n, kith_time now) {
    bool any = false;
    for (size_t i = 0; i < n->link_count; i++) any = any || n->links[i].sync != NULL;
    if (!any) {
        return 0;
    }
    ki_index_tick(&n->index, now, n->last_arrival);
    ki_twins_read(n);
    ki_twins_turn(n, now);
    if (n->evicted != n->evicted_seen) {
        n->evicted_seen = n->evicted;
        look_for_evicted(n);
    }
    uint64_t after = ki_index_behind(&n->index);
    if (after == UINT64_MAX) {
        return 0;
    }
    feeding f = { .node = n };
    uint64_t end = n->last_arrival;
    kith_query q = { .after = after, .limit = FEED_MAX, .now_us = now.wall_us };
    int r = kith_store_find(n->store, &q, feed, &f, NULL);
    if (r < 0) {
        return r;
    }
    uint64_t through = f.count == FEED_MAX || f.last > end ? f.last : end;
    ki_index_fed(&n->index, after, through);
    return 1;
}

typedef struct sending {
    ki_node_link *link;
    uint64_t arrival;
    bool found;
    int result;
} sending;

static int send_record(void *ctx, const kith_record *record) {
    sending *s = ctx;
    kith_content content;
    if (record->arrival != s->arrival ||
        kith_packet_decode(record->packet.bytes, record->packet.length, &content) < 0) {
        return KITH_STOP;
    }
    kith_posting what = { .kind = KITH_ITEM_PACKET,
        .length = record->packet.length,
        .bytes = record->packet.bytes,
        .to = &content.address,
        .expires_us = record->expires_us };
    s->found = true;
    s->result = kith_link_post(s->link->link, &what);
    return KITH_STOP;
}

/* 0: sent, or there is nothing to send; else the link has no room. */
static int send_packet(kith_node *n, ki_node_link *l, const ki_item *item, kith_time now) {
    sending s = { .link = l, .arrival = item->arrival };
    kith_query q = { .after = item->arrival - 1,
        .before = item->arrival + 1,
        .limit = 1,
        .now_us = now.wall_us };
    int r = kith_store_find(n->store, &q, send_record, &s, NULL);
    if (r < 0) {
        return r;
    }
    if (!s.found) { /* it expired, was taken back, or evicted */
        ki_index_drop(&n->index, item);
    }
    return s.result;
}

static int send_frame(ki_node_link *l, const ki_frame *frame) {
    kith_posting what = { .kind = KITH_ITEM_SYNC,
        .length = frame->length,
        .bytes = frame->bytes,
        .expires_us = INT64_MAX };
    return kith_link_post(l->link, &what);
}

int ki_exchange_turn(kith_node *n, ki_node_link *l, kith_time now) {
    int did = 0;
    if (l->sync == NULL) {
        return 0;
    }
    for (; did < GIVES_MAX; did++) {
        if (l->out.kind == SYNC_NOTHING &&
            ki_sync_give(l->sync, now, &l->out) == SYNC_NOTHING) {
            break;
        }
        int r = l->out.kind == SYNC_FRAME ? send_frame(l, &l->out.frame)
                                          : send_packet(n, l, &l->out.item, now);
        if (r != 0) {
            break; /* it waits for room */
        }
        l->out.kind = SYNC_NOTHING;
    }
    return did;
}
