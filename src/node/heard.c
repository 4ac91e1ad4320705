/* SPDX-License-Identifier: Apache-2.0 */
/* What a link of an older program brought, into the table of unsigned packets; and what
 * a carrier is told that answers questions over its wire. */
#include "node/node.h"

#include "base/check.h"
#include "base/wire.h"

#include <string.h>

/* A question over a wire goes so far back in the store, unless it names a subject. */
#define RECALL_ARRIVALS UINT64_C(65536)

static void refuse(kith_node *n, const ki_node_link *l, int code, const char *words) {
    if (code <= KITH_L_FRAMES) {
        n->legacy_refused[KITH_L_FRAMES - code]++;
    } else if (code <= KITH_E_REFUSED) {
        n->refused[KITH_E_REFUSED - code]++;
    }
    kith_event e = {
        .kind = KITH_EVENT_REFUSED, .code = code, .link = l->url, .text = words
    };
    ki_node_say(n, &e);
}

/* Older programs have no ttl: it is that of our templates. */
static int timely(const kith_heard *h, int64_t now_us) {
    kith_content c;
    int r = kith_heard_content(h, &c, NULL);
    CHECK(r == 0); /* read a moment ago, and reading is pure */
    r = kith_packet_timely(&c, now_us);
    return r == KITH_R_FUTURE ? KITH_L_FUTURE : r;
}

void ki_heard_take(
    kith_node *n, const ki_node_link *l, const kith_item *item, kith_time now) {
    CHECK(n->heard_count < NODE_HEARD);
    kith_heard *h = &n->heard[n->heard_count];
    size_t topic = item->length < 2 ? SIZE_MAX : wire_get16(item->bytes);
    int r = KITH_L_FRAMES;
    if (topic <= KITH_PACKET_MAX && topic + 2 <= item->length) {
        r = kith_heard_read(0, item->bytes + 2, topic, item->bytes + 2 + topic,
            item->length - topic - 2, h);
    }
    if (r == 0 && !ki_node_follows(n, h->subject)) {
        return;
    }
    r = r < 0 ? r : timely(h, now.wall_us);
    if (r < 0) {
        const char *words = kith_legacy_words(r);
        refuse(n, l, r, words == NULL ? kith_refusal_words(r) : words);
        return;
    }
    memcpy(h->gateway, l->way, sizeof h->gateway);
    n->heard_count++;
}

static void told(kith_node *n, ki_node_link *l, const kith_heard *h) {
    if (h->result == KITH_DUPLICATE) {
        l->duplicates++;
    } else if (h->result < 0) {
        refuse(n, l, h->result, "unsigned, and the store is full");
    } else {
        l->heard++;
        kith_event e = {
            .kind = KITH_EVENT_UNSIGNED, .link = l->url, .text = h->subject, .id = h->id
        };
        ki_node_say(n, &e);
    }
}

/* Nobody can be asked to say it again: what the store did not take is missing. */
int ki_heard_commit(kith_node *n, ki_node_link *l, kith_time now) {
    size_t count = n->heard_count;
    n->heard_count = 0;
    int r = count == 0 ? 0 : kith_store_hear(n->store, n->heard, count, now, NULL);
    if (r < 0) {
        kith_event e = { .kind = KITH_EVENT_GAP, .count = count, .link = l->url };
        ki_node_say(n, &e);
        return r;
    }
    for (size_t i = 0; i < count; i++) {
        told(n, l, &n->heard[i]);
    }
    return 0;
}

/* ---- for who asks over a wire ---- */

typedef struct recalling {
    int (*each)(void *ctx, const kith_posting *what);
    void *ctx;
} recalling;

static int tell_signed(void *ctx, const kith_record *record) {
    const recalling *r = ctx;
    kith_posting what = { .kind = KITH_ITEM_PACKET,
        .length = record->packet.length,
        .bytes = record->packet.bytes,
        .expires_us = record->expires_us };
    return r->each(r->ctx, &what);
}

static int tell_heard(void *ctx, const kith_heard *h) {
    const recalling *r = ctx;
    uint8_t bytes[KITH_PACKET_MAX];
    size_t n = (size_t) h->topic_length + h->payload_length;
    if (h->seed != 0 || n + 2 > sizeof bytes) {
        return 0; /* of another program: nobody who asks here reads it */
    }
    wire_put16(bytes, h->topic_length);
    memcpy(bytes + 2, h->bytes, n);
    kith_posting what = { .kind = KITH_ITEM_LEGACY,
        .length = (uint16_t) (n + 2),
        .bytes = bytes,
        .expires_us = h->expires_us };
    return r->each(r->ctx, &what);
}

int ki_heard_recall(void *ctx, const char *pattern,
    int (*each)(void *ctx, const kith_posting *what), void *each_ctx) {
    const kith_node *n = ctx;
    recalling r = { each, each_ctx };
    bool one = pattern != NULL && kith_subject_valid(pattern);
    kith_query q = { .pattern = pattern,
        .newest_first = true,
        .origin = n->relay ? KITH_ORIGIN_ANY : KITH_ORIGIN_OWN,
        .now_us = n->wall_us };
    if (!one && n->last_arrival > RECALL_ARRIVALS) {
        q.after = n->last_arrival - RECALL_ARRIVALS;
    }
    kith_each_both both = { tell_signed, tell_heard, &r };
    return kith_store_both(n->store, &q, &both, NULL);
}
