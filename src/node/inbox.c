/* SPDX-License-Identifier: Apache-2.0 */
/* From the links into the store. Checks in order of cost: form, address, pattern,
 * time, known already, signature. Nothing changes before the signature; verify.h keeps
 * what waits for it, and the order in which all of it came. */
#include "node/node.h"

#include "base/check.h"

#include <string.h>

/* After our own store failed, a link is not read for this long. */
#define PAUSE_NS UINT64_C(250000000)
/* So many in a row that nobody knew, and the store is not asked before the check of
 * the next: it says so in the end, and a copy has then cost one check for nothing. */
#define NEWS 64

/* What becomes of a link by one commit. An ack means "up to". */
typedef struct outcome {
    uint32_t era;
    uint64_t token;
    bool any, lost; /* lost: something of it found no room, or no store */
} outcome;

static void refuse(kith_node *n, ki_node_link *l, int code, const kith_packet *packet) {
    CHECK(code <= KITH_E_REFUSED && code >= KITH_R_LAST);
    n->refused[KITH_E_REFUSED - code]++;
    kith_event e = { .kind = KITH_EVENT_REFUSED,
        .code = code,
        .link = l->url,
        .packet = packet,
        .text = kith_refusal_words(code) };
    ki_node_say(n, &e);
}

/* ---- in ---- */

/* 0: take it; KITH_DUPLICATE: only note the way; KITH_EMPTY: nobody here wants
 * it; or a refusal. */
static int judge(const kith_node *n, const ki_node_link *l, const kith_item *item,
    kith_content *ret_content, const uint8_t id[KITH_ID_SIZE], int64_t now_us) {
    int r = kith_packet_decode(item->bytes, item->length, ret_content);
    if (r < 0) {
        return r;
    }
    const char *from = item->from.subject;
    if (*from != '\0' && !kith_cell_accepts(n->templates, ret_content, from)) {
        return KITH_R_ADDRESS;
    }
    if (!ki_cells_wanted(n, ret_content, from) &&
        (l->sync == NULL || !ki_sync_follows(l->sync, ret_content->address.subject))) {
        return KITH_EMPTY;
    }
    r = kith_packet_timely(ret_content, now_us);
    if (r < 0 || l->news >= NEWS) {
        return r;
    }
    /* Other bytes under a known number are a proof, if they are signed. */
    return kith_store_knows(n->store, ret_content, id) == KITH_DUPLICATE ? KITH_DUPLICATE
                                                                         : 0;
}

static void give(kith_node *n, const ki_node_link *l, ki_flight *f, ki_flight_kind kind) {
    f->kind = (uint8_t) kind;
    f->link = (uint8_t) (l - n->links);
    f->era = l->era;
    ki_verify_give(n->verify);
}

/* Nothing of it is kept: whoever came before it is acked through it. */
static void pass(kith_node *n, const ki_node_link *l, uint64_t token, ki_flight *f) {
    ki_flight *last = ki_verify_last(n->verify);
    if (last != NULL && last->link == l - n->links && last->era == l->era) {
        last->token = token;
        return;
    }
    f->token = token;
    give(n, l, f, FLIGHT_PASSED);
}

static void take_packet(
    kith_node *n, ki_node_link *l, const kith_item *item, ki_flight *f, kith_time now) {
    kith_content content;
    f->token = item->token;
    f->packet.length = item->length;
    memcpy(f->packet.bytes, item->bytes, item->length);
    kith_packet_id(&f->packet, f->id);
    int r = judge(n, l, item, &content, f->id, now.wall_us);
    if (r == KITH_R_FUTURE) {
        ki_clock_refused(n, &f->packet, content.t_end_us, now);
    }
    if (r < 0) {
        ki_exchange_refuse(l, f->id, r);
        refuse(n, l, r, NULL); /* acked with the rest: it will never be better */
    }
    if (r < 0 || r == KITH_EMPTY) {
        pass(n, l, item->token, f);
        return;
    }
    give(n, l, f, r == KITH_DUPLICATE ? FLIGHT_KNOWN : FLIGHT_PACKET);
}

/* A frame keeps its place between packets: it may speak of those before it. */
static void take_frame(
    kith_node *n, const ki_node_link *l, const kith_item *item, ki_flight *f) {
    f->token = item->token;
    f->packet.length = item->length;
    memcpy(f->packet.bytes, item->bytes, item->length);
    give(n, l, f, FLIGHT_FRAME);
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

static void take(
    kith_node *n, ki_node_link *l, const kith_item *item, ki_flight *f, kith_time now) {
    if (item->kind == KITH_ITEM_SYNC) {
        take_frame(n, l, item, f);
    } else if (item->kind == KITH_ITEM_LEGACY) {
        ki_heard_take(n, l, item, now);
        pass(n, l, item->token, f);
    } else {
        take_packet(n, l, item, f, now);
    }
}

/* Returns how many items there were. */
static int pull(kith_node *n, ki_node_link *l, kith_time now) {
    int seen = 0;
    bool dry = l->link == NULL || now.mono_ns < l->inbox_ns;
    while (!dry && seen < NODE_PULLS && n->heard_count < NODE_HEARD) {
        kith_item item;
        ki_flight *f = ki_verify_next(n->verify);
        int r = f == NULL ? KITH_FULL : kith_link_pull(l->link, &item);
        if (r == KITH_FULL) {
            break; /* it waits in the link */
        }
        if (r == KITH_GAP) {
            gap(n, l);
        } else if (r == 0) {
            take(n, l, &item, f, now);
        }
        /* A failure: health says why. A bad format: counted by the link. */
        dry = r == KITH_EMPTY || (r < 0 && r != KITH_E_FORMAT);
        seen += !dry;
    }
    return seen;
}

/* ---- out ---- */

static void accepted(
    kith_node *n, ki_node_link *l, const ki_flight *f, const kith_arrival *a) {
    l->accepted++;
    l->news += l->news < NEWS;
    l->backfilled += a->way == l->sync_way;
    if (n->event == NULL) {
        return;
    }
    kith_content content;
    int r = kith_packet_decode(a->packet.bytes, a->packet.length, &content);
    CHECK(r == 0); /* judged a moment ago, and decode is pure */
    kith_event e = { .kind = KITH_EVENT_ACCEPTED,
        .arrival = a->arrival,
        .link = l->url,
        .packet = &a->packet,
        .content = &content,
        .id = f->id };
    ki_node_say(n, &e);
}

static void told(kith_node *n, ki_node_link *l, const ki_flight *f, const kith_arrival *a) {
    if (a->result == KITH_DUPLICATE) {
        l->duplicates++;
        l->news = 0;
    } else if (a->result <= KITH_E_REFUSED) {
        ki_exchange_refuse(l, f->id, a->result);
        if (a->result == KITH_R_EQUIVOCATION) {
            ki_twins_found(n, &a->packet);
        }
        refuse(n, l, a->result, &a->packet);
    } else {
        accepted(n, l, f, a);
    }
}

static bool goes_in(const ki_flight *f) {
    return (f->kind == FLIGHT_PACKET || f->kind == FLIGHT_KNOWN) && f->result == 0;
}

/* What is ready and goes to the store, in its order. Returns how many. */
static size_t gather(kith_node *n, size_t ready, kith_time now) {
    size_t count = 0;
    for (size_t i = 0; i < ready; i++) {
        const ki_flight *f = ki_verify_at(n->verify, i);
        const ki_node_link *l = &n->links[f->link];
        kith_content content;
        if (!goes_in(f)) {
            continue;
        }
        int r = kith_packet_decode(f->packet.bytes, f->packet.length, &content);
        CHECK(r == 0); /* judged when it came, and decode is pure */
        bool brought = l->sync != NULL && ki_sync_brought(l->sync, &content, now);
        CHECK(count < NODE_COMMIT);
        n->arrivals[count++] = (kith_arrival){ .packet = f->packet,
            .way = brought ? l->sync_way : l->way,
            .known = f->kind == FLIGHT_KNOWN,
            .id = f->id };
    }
    return count;
}

/* The end of one that was on its way. a: what the store said, if it was asked. */
static void land(kith_node *n, ki_node_link *l, const ki_flight *f, const kith_arrival *a,
    kith_time now) {
    if (f->kind == FLIGHT_FRAME) {
        ki_exchange_take(n, l, f->packet.bytes, f->packet.length, now);
    } else if (f->result < 0) {
        ki_exchange_refuse(l, f->id, f->result);
        refuse(n, l, f->result, NULL);
    } else if (a != NULL) {
        ki_news news = {
            .packet = &a->packet, .id = f->id, .arrival = a->result < 0 ? 0 : a->arrival
        };
        told(n, l, f, a);
        ki_exchange_heard(n, l, &news, now);
    }
}

/* What came before a link was rewound says nothing about what comes now. */
static void note(outcome *o, const ki_flight *f, bool lost) {
    if (o->era != f->era) {
        *o = (outcome){ .era = f->era };
    }
    o->lost = o->lost || lost;
    if (!o->lost) {
        o->token = f->token;
        o->any = true;
    }
}

/* What we could not store must come again: a link with history goes back to the
 * last ack; elsewhere the peers still have it, and sync brings it. */
static void bring_back(ki_node_link *l, kith_time now) {
    kith_position to;
    l->inbox_ns = now.mono_ns + PAUSE_NS;
    if (!kith_link_cursor(l->link, &to)) {
        to = (kith_position){ .kind = KITH_FROM_START };
    }
    (void) ki_link_rewind(l, &to);
}

/* Acks what is safe: all of it, or what stands before the first that was lost. */
static void ack(kith_node *n, const outcome *of, kith_time now) {
    for (size_t i = 0; i < n->link_count; i++) {
        ki_node_link *l = &n->links[i];
        if (l->link == NULL || l->era != of[i].era) {
            continue; /* closed, or rewound, meanwhile: it all comes again */
        }
        if (of[i].any) {
            kith_link_ack(l->link, of[i].token);
            l->cursor_dirty = true;
        }
        if (of[i].lost) {
            bring_back(l, now);
        }
    }
}

static int store(kith_node *n, size_t ready, kith_time now) {
    outcome of[KITH_LINKS_MAX] = { 0 };
    size_t count = gather(n, ready, now), at = 0;
    int r = count == 0 ? 0 : kith_store_admit(n->store, n->arrivals, count, now, NULL);
    bool failed = r < 0;
    n->version = count > 0 ? 0 : n->version; /* look at the store again: relays have work */
    for (size_t i = 0; i < ready; i++) {
        const ki_flight *f = ki_verify_at(n->verify, i);
        outcome *o = &of[f->link];
        const kith_arrival *a = goes_in(f) ? &n->arrivals[at++] : NULL;
        bool lost = a != NULL && (failed || a->result == KITH_E_SPACE);
        if (!lost) {
            land(n, &n->links[f->link], f, a, now);
        }
        r = lost && r == 0 ? KITH_E_SPACE : r;
        note(o, f, lost);
    }
    CHECK(at == count);
    ack(n, of, now);
    ki_verify_take(n->verify, ready);
    return r;
}

/* Stores what is ready when all of it is, or when that is much: the more waits, the
 * fewer commits. While much comes the threads check, until nothing more fits; what is
 * little, or came alone, is checked and stored in the turn that brought it. */
static int store_some(kith_node *n, size_t came, kith_time now) {
    if (came < NODE_BATCH || ki_verify_next(n->verify) == NULL) {
        ki_verify_help(n->verify, NODE_BATCH);
    }
    size_t ready = ki_verify_ready(n->verify);
    if (ready == 0 || (ready < NODE_COMMIT && ready < ki_verify_count(n->verify))) {
        return 0;
    }
    return store(n, ready < NODE_COMMIT ? ready : NODE_COMMIT, now);
}

int ki_inbox_turn(kith_node *n, kith_time now) {
    int seen = 0;
    size_t before = ki_verify_count(n->verify);
    n->now = now;
    for (size_t i = 0; i < n->link_count; i++) { /* each is first in its turn */
        ki_node_link *l = &n->links[(n->turn + i) % n->link_count];
        seen += pull(n, l, now);
        int r = ki_heard_commit(n, l, now);
        if (r < 0) {
            return r;
        }
    }
    n->turn++;
    if (ki_verify_count(n->verify) > 0) {
        int r = store_some(n, ki_verify_count(n->verify) - before, now);
        if (r < 0) {
            return r;
        }
        seen++; /* what is still on its way is looked after at once */
    }
    for (size_t i = 0; i < n->link_count; i++) {
        if (n->links[i].link != NULL) keep_cursor(n, &n->links[i]);
    }
    return seen;
}

void ki_inbox_close(kith_node *n) {
    int r = 0;
    n->event = NULL; /* nobody waits for news of it */
    while (r == 0 && ki_verify_count(n->verify) > 0) {
        ki_verify_help(n->verify, VERIFY_RING);
        r = store_some(n, 0, n->now);
    }
}
