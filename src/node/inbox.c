/* SPDX-License-Identifier: Apache-2.0 */
/* From a link into the store. Checks in order of cost: form, address, pattern,
 * time, known already, signature. Nothing changes before the signature. */
#include "node/node.h"

#include "base/check.h"

#include <string.h>

/* After our own store failed, a link is not read for this long. */
#define PAUSE_NS UINT64_C(250000000)

typedef struct batch {
    size_t count;
    kith_arrival *arrivals;
    uint64_t *tokens; /* of each arrival */
    uint64_t last;    /* token of whatever was pulled last; an ack means "up to" */
    bool any;
} batch;

static void refuse(kith_node *n, ki_node_link *l, int code) {
    CHECK(code <= KITH_E_REFUSED && code >= KITH_R_LAST);
    n->refused[KITH_E_REFUSED - code]++;
    kith_event e = { .kind = KITH_EVENT_REFUSED,
        .code = code,
        .link = l->url,
        .text = kith_refusal_words(code) };
    ki_node_say(n, &e);
}

/* 0: take it; KITH_DUPLICATE: only note the way; KITH_EMPTY: nobody here wants
 * it; or a refusal. */
static int judge(kith_node *n, const ki_node_link *l, const kith_item *item,
    kith_content *ret_content, uint8_t ret_id[KITH_ID_SIZE], int64_t now_us) {
    kith_packet packet = { .length = item->length };
    memcpy(packet.bytes, item->bytes, item->length);
    kith_packet_id(&packet, ret_id);
    int r = kith_packet_decode(item->bytes, item->length, ret_content);
    if (r < 0) {
        return r;
    }
    if (item->from.subject[0] != '\0' &&
        strcmp(item->from.subject, ret_content->address.subject) != 0) {
        return KITH_R_ADDRESS;
    }
    const char *subject = ret_content->address.subject;
    if (!ki_node_follows(n, subject) &&
        (l->sync == NULL || !ki_sync_follows(l->sync, subject))) {
        return KITH_EMPTY;
    }
    r = kith_packet_timely(ret_content, now_us);
    if (r < 0) {
        return r;
    }
    r = kith_store_knows(n->store, ret_content, ret_id);
    if (r == KITH_DUPLICATE) {
        return r;
    }
    /* Other bytes under a known number are a proof, if they are signed. */
    int signed_well = kith_packet_verify(&packet);
    return signed_well < 0 ? signed_well : 0;
}

static void take_packet(
    kith_node *n, ki_node_link *l, const kith_item *item, batch *b, kith_time now) {
    kith_content content;
    uint8_t id[KITH_ID_SIZE];
    int r = judge(n, l, item, &content, id, now.wall_us);
    if (r == KITH_R_FUTURE) {
        ki_clock_refused(n, content.t_end_us, now);
    }
    if (r < 0) {
        ki_exchange_refuse(l, id, r);
        refuse(n, l, r); /* acked with the rest: it will never be better */
    }
    if (r < 0 || r == KITH_EMPTY) {
        return;
    }
    kith_arrival *a = &b->arrivals[b->count];
    bool brought = l->sync != NULL && ki_sync_brought(l->sync, &content, now);
    *a = (kith_arrival){ .way = brought ? l->sync_way : l->way,
        .known = r == KITH_DUPLICATE };
    a->packet.length = item->length;
    memcpy(a->packet.bytes, item->bytes, item->length);
    b->tokens[b->count++] = item->token;
}

static void told(kith_node *n, ki_node_link *l, const kith_arrival *a) {
    if (a->result == KITH_DUPLICATE) {
        l->duplicates++;
        return;
    }
    if (a->result <= KITH_E_REFUSED) {
        uint8_t id[KITH_ID_SIZE];
        kith_packet_id(&a->packet, id);
        ki_exchange_refuse(l, id, a->result);
        if (a->result == KITH_R_EQUIVOCATION) {
            ki_twins_found(n, &a->packet);
        }
        n->refused[KITH_E_REFUSED - a->result]++;
        kith_event e = { .kind = KITH_EVENT_REFUSED,
            .code = a->result,
            .link = l->url,
            .packet = &a->packet,
            .text = kith_refusal_words(a->result) };
        ki_node_say(n, &e);
        return;
    }
    l->accepted++;
    l->backfilled += a->way == l->sync_way;
    if (n->event == NULL) {
        return;
    }
    kith_content content;
    uint8_t id[KITH_ID_SIZE];
    int r = kith_packet_decode(a->packet.bytes, a->packet.length, &content);
    CHECK(r == 0); /* judged a moment ago, and decode is pure */
    kith_packet_id(&a->packet, id);
    kith_event e = { .kind = KITH_EVENT_ACCEPTED,
        .arrival = a->arrival,
        .link = l->url,
        .packet = &a->packet,
        .content = &content,
        .id = id };
    ki_node_say(n, &e);
}

/* What we could not store must come again: a link with history goes back to the
 * last ack; elsewhere the peers still have it, and sync brings it. */
static void bring_back(ki_node_link *l, kith_time now) {
    kith_position to;
    l->inbox_ns = now.mono_ns + PAUSE_NS;
    if (!kith_link_cursor(l->link, &to)) {
        to = (kith_position){ .kind = KITH_FROM_START };
    }
    (void) !kith_link_rewind(l->link, &to);
}

/* Acks what is safe: all of it, or what stands before the first that found no
 * room. Returns whether there was one. */
static bool ack(ki_node_link *l, const batch *b) {
    for (size_t i = 0; i < b->count; i++) {
        if (b->arrivals[i].result == KITH_E_SPACE) {
            if (i > 0) {
                kith_link_ack(l->link, b->tokens[i - 1]);
            }
            return true;
        }
    }
    if (b->any) {
        kith_link_ack(l->link, b->last);
        l->cursor_dirty = true;
    }
    return false;
}

static int commit(kith_node *n, ki_node_link *l, batch *b, kith_time now) {
    if (b->count > 0) {
        int r = kith_store_admit(n->store, b->arrivals, b->count, now, NULL);
        if (r < 0) {
            bring_back(l, now);
            return r;
        }
        n->version = 0; /* look at the store again: relays have work */
    }
    for (size_t i = 0; i < b->count; i++) {
        const kith_arrival *a = &b->arrivals[i];
        if (a->result != KITH_E_SPACE) {
            told(n, l, a);
            ki_exchange_heard(n, l, &a->packet, a->result < 0 ? 0 : a->arrival, false, now);
        }
    }
    if (ack(l, b)) {
        bring_back(l, now);
        return KITH_E_SPACE;
    }
    return 0;
}

static void gap(kith_node *n, ki_node_link *l) {
    kith_counters c;
    kith_link_counters(l->link, &c);
    kith_event e = { .kind = KITH_EVENT_GAP, .count = c.lost, .link = l->url };
    ki_node_say(n, &e);
}

/* The cursor of what is acked rides with a later commit: an old one only means
 * that some packets come twice. */
static void keep_cursor(kith_node *n, ki_node_link *l) {
    kith_position at;
    if (!l->cursor_dirty || !kith_link_cursor(l->link, &at)) {
        return;
    }
    char name[KITH_STATE_NAME_MAX + 1];
    ki_link_cursor_name(n, l, name);
    l->cursor_dirty =
        kith_store_save(n->store, name, at.cursor, at.length, false, NULL) < 0;
}

int ki_inbox_turn(kith_node *n, ki_node_link *l, kith_time now) {
    batch b = { .arrivals = n->arrivals, .tokens = n->tokens };
    int seen = 0;
    if (now.mono_ns < l->inbox_ns) {
        return 0;
    }
    while (b.count < NODE_BATCH && seen < 4 * NODE_BATCH) {
        kith_item item;
        int r = kith_link_pull(l->link, &item);
        if (r == KITH_EMPTY) {
            break;
        }
        seen++;
        if (r == KITH_GAP) {
            gap(n, l);
        } else if (r == KITH_E_FORMAT) {
            continue; /* counted by the link */
        } else if (r < 0) {
            break; /* health says why */
        } else {
            b.last = item.token;
            b.any = true;
            if (item.kind == KITH_ITEM_SYNC) {
                ki_exchange_take(n, l, item.bytes, item.length, now);
            } else if (item.kind == KITH_ITEM_LEGACY) {
                refuse(n, l, KITH_R_UNSIGNED);
            } else {
                take_packet(n, l, &item, &b, now);
            }
        }
    }
    int r = commit(n, l, &b, now);
    keep_cursor(n, l);
    return r < 0 ? r : seen;
}
