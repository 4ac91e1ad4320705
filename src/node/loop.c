/* SPDX-License-Identifier: Apache-2.0 */
/* The river, whole: what one turn of a node does, in its order.
 *
 *   signal ─► evidence ─► packet ─► kith_store_post ─► outbox ─► link ~~~~
 *                                                                        │
 *   answer ◄─ kith_ask_store ◄─ store ◄─ inbox: verify, dedupe, TTL ◄─ link
 *
 * Everything that must not be lost lies in the store before anybody is told that
 * it is safe: a post returns after its commit, a link is acked after the commit
 * of what it brought. So a turn may end, or the machine may stop, between any
 * two lines below. */
#include "node/node.h"

#include "base/check.h"

/* Expired packets go in small lots, so that no turn is long. */
#define PRUNE_NS    UINT64_C(1000000000)
#define PRUNE_IDLE  UINT64_C(10000000000)
#define PRUNE_BATCH 1000

/* Links are ticked at least this often (kith/carrier.h). */
#define TICK_NS UINT64_C(250000000)

static uint64_t sooner(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static int prune(kith_node *n, kith_time now) {
    if (now.mono_ns < n->prune_ns) {
        return 0;
    }
    int r = kith_store_prune(n->store, now.wall_us, PRUNE_BATCH, NULL);
    n->prune_ns = now.mono_ns + (r == PRUNE_BATCH ? PRUNE_NS : PRUNE_IDLE);
    return r;
}

/* Did anybody, in this process or another, commit since the last turn? */
static int look_at_store(kith_node *n) {
    uint64_t version = kith_store_version(n->store);
    if (version == n->version && n->last_arrival != 0) {
        return 0;
    }
    int r = kith_store_head(n->store, &n->last_arrival, &n->evicted, NULL);
    if (r == 0) {
        n->version = version;
    }
    return r;
}

static int link_turn(kith_node *n, ki_node_link *l, kith_time now) {
    int sent = ki_outbox_turn(n, l, now);
    if (sent < 0) {
        return sent;
    }
    int told = ki_exchange_turn(n, l, now);
    return told < 0 ? told : sent + told;
}

/* A store that fails is said once, and once more when it works again. */
static int store_health(kith_node *n, int r) {
    if ((r < 0) != n->store_failed) {
        n->store_failed = r < 0;
        kith_event e = { .kind = KITH_EVENT_STORE,
            .code = r < 0 ? r : 0,
            .link = "",
            .text = r < 0 ? kith_error_name(r) : "works again" };
        ki_node_say(n, &e);
    }
    return r;
}

/* When something waits that the link had no room for: then it is tried again. */
static uint64_t room_due(const kith_node *n, const ki_node_link *l, kith_time now) {
    bool packet = l->sent < n->last_arrival && l->outbox_ns > now.mono_ns;
    bool frame = l->sync != NULL && l->out.kind != SYNC_NOTHING;
    return sooner(packet ? l->outbox_ns : UINT64_MAX,
        frame ? now.mono_ns + NODE_ROOM_NS : UINT64_MAX);
}

static uint64_t next_due(const kith_node *n, kith_time now, int did) {
    uint64_t due = sooner(n->prune_ns, now.mono_ns + PRUNE_IDLE);
    for (size_t i = 0; i < n->link_count; i++) {
        const ki_node_link *l = &n->links[i];
        due = sooner(due, l->link == NULL ? l->retry_ns : now.mono_ns + TICK_NS);
        due = l->link != NULL && l->sync != NULL ? sooner(due, ki_sync_due(l->sync)) : due;
        due = l->link != NULL ? sooner(due, room_due(n, l, now)) : due;
    }
    return did != 0 ? now.mono_ns : due;
}

int kith_node_step(kith_node *n, kith_time now) {
    CHECK(n != NULL);
    n->wall_us = now.wall_us;
    ki_clock_turn(n, now);
    ki_links_watch(n, now);
    int did = look_at_store(n);
    if (did >= 0) {
        int fed = ki_exchange_feed(n, now);
        did = fed < 0 ? fed : did + fed;
    }
    if (did >= 0) {
        int took = ki_inbox_turn(n, now);
        did = took < 0 ? took : did + took;
    }
    for (size_t i = 0; i < n->link_count && did >= 0; i++) {
        if (n->links[i].link == NULL) {
            continue;
        }
        int r = link_turn(n, &n->links[i], now);
        did = r < 0 ? r : did + r;
    }
    if (did >= 0) {
        int r = prune(n, now);
        did = r < 0 ? r : did + r;
    }
    n->due_ns = next_due(n, now, did > 0);
    return store_health(n, did);
}

uint64_t kith_node_due(const kith_node *n) {
    return n->due_ns;
}

bool kith_node_idle(const kith_node *n) {
    for (size_t i = 0; i < n->link_count; i++) {
        const ki_node_link *l = &n->links[i];
        if (l->up && (l->sent < n->last_arrival || l->settled < l->sent ||
                         (l->sync != NULL && !ki_sync_settled(l->sync)))) {
            return false;
        }
    }
    return ki_verify_count(n->verify) == 0 && n->version == kith_store_version(n->store);
}
