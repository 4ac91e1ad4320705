/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there: HELLO says what a node follows and the root of what it has, and
 * brings the key for the MACs. When to say it, and what to think of another's. */
#include "sync/inside.h"

#include "base/check.h"
#include "base/dice.h"

#include <kith/error.h>

/* Now and then for those who joined in silence; sooner when there is news; an
 * answer to a stranger at once, but not all strangers' at the same moment. */
#define HELLO_IDLE_NS  (30 * SECOND_NS)
#define HELLO_NEWS_NS  (2 * SECOND_NS)
#define NEWS_SPREAD_NS (SECOND_NS / 16)
#define NEWS_REST_NS   (SECOND_NS / 8)
#define HELLO_SOON_NS  UINT64_C(50000000)
#define HELLO_LEAST_NS UINT64_C(100000000)
/* A signature costs 100 µs: so many HELLOs a second are looked at. */
#define HELLOS_PER_S 200
/* A peer that was silent for so long may come back with an older clock. */
#define FORGET_NS (120 * SECOND_NS)
/* So many have said our root since we last spoke: we need not. */
#define EQUAL_ENOUGH 2

ki_view *ki_own_view(ki_sync *s) {
    return ki_index_view(s->index, &s->own_scope, true);
}

ki_peer *ki_peer_find(ki_sync *s, uint64_t id) {
    for (int i = 0; i < SYNC_PEERS_MAX; i++) {
        if (s->peers[i].id == id) {
            return &s->peers[i];
        }
    }
    return NULL;
}

void ki_frame_done(ki_sync *s, ki_writer *w, const ki_peer *p, ki_frame *ret) {
    CHECK(w->length <= FRAME_MAX);
    if (p != NULL) {
        ki_frame_seal(w, p->mac_key);
    }
    ret->length = (uint16_t) w->length;
    memcpy(ret->bytes, w->bytes, w->length);
    (void) s;
}

static uint64_t known_peers(const ki_sync *s) {
    uint64_t peers = 0;
    for (int i = 0; i < SYNC_PEERS_MAX; i++) peers += s->peers[i].id != 0;
    return peers;
}

/* Many share the time, so that few speak at once. */
void ki_hello_soon(ki_sync *s, uint64_t to) {
    uint64_t span =
        HELLO_SOON_NS + (known_peers(s) > 2 ? known_peers(s) * NEWS_SPREAD_NS : 0);
    uint64_t soon = s->now_ns + dice_below(&s->dice, span);
    uint64_t least = s->hello_last_ns + HELLO_LEAST_NS;
    soon = s->hello_last_ns != 0 && soon < least ? least : soon;
    s->hello_ns = soon < s->hello_ns ? soon : s->hello_ns;
    s->hello_answer = true;
    s->hello_to = to != 0 ? to : s->hello_to;
}

static bool in_exchange(const ki_sync *s, const ki_peer *p) {
    for (int i = 0; i < SYNC_EXCHANGES_MAX; i++) {
        if (s->exchanges[i] != NULL && &s->peers[s->exchanges[i]->peer] == p) {
            return true;
        }
    }
    return false;
}

/* Room for a stranger: the peer heard of longest ago that we are not busy with. */
static ki_peer *meet(ki_sync *s) {
    ki_peer *room = NULL;
    for (int i = 0; i < SYNC_PEERS_MAX; i++) {
        ki_peer *p = &s->peers[i];
        if (p->id == 0) {
            return p;
        }
        if (!in_exchange(s, p) && (room == NULL || p->heard_ns < room->heard_ns)) {
            room = p;
        }
    }
    return room;
}

/* What a HELLO's root tells us: the same as ours at that boundary, another, or
 * nothing, when patterns differ or the boundary is not one of ours. */
bool ki_peer_equal(ki_sync *s, const ki_peer *p, bool *ret_known) {
    ki_salt salt;
    uint8_t root[ROOT_SIZE];
    const ki_view *v = ki_own_view(s);
    bool comparable = p->scope.same && v != NULL && ki_view_ready(v);
    const ki_boundary *ours = comparable ? ki_view_at(v, p->boundary) : NULL;
    *ret_known = ours != NULL;
    if (ours == NULL) {
        return false;
    }
    ki_salt_of(p->hello_nonce, &salt);
    ki_salted_root(&salt, &ours->sum, root);
    return memcmp(root, p->root, ROOT_SIZE) == 0;
}

void ki_peer_agreed(ki_sync *s, ki_peer *p, uint64_t through) {
    if (through > p->agreed_arrival) {
        p->agreed_arrival = through;
        s->receipts++;
    }
}

/* The moment of a boundary that passed a little while ago. */
static uint64_t moment_of(const ki_index *x, uint64_t boundary) {
    uint64_t back = x->second > boundary ? (x->second - boundary) * SECOND_NS : 0;
    return x->second_ns > back ? x->second_ns - back : 1;
}

/* before: what it said last. */
static void judge(ki_sync *s, ki_peer *p, const ki_peer *before) {
    bool known = false, equal = ki_peer_equal(s, p, &known);
    const ki_view *v = ki_index_view(s->index, &p->scope, false);
    bool same = before->hello_nonce == p->hello_nonce &&
                (p->scope.same || p->checked_stored == p->stored) &&
                memcmp(p->checked_root, p->root, ROOT_SIZE) == 0;
    bool checked = p->checked && v != NULL && p->checked_changes == v->changes && same;
    p->differs = !equal && !checked;
    p->checked = equal || checked;
    p->agreed = equal || p->agreed;
    if (p->checked && p->agreed) {
        p->agreed_ns = moment_of(s->index, p->boundary);
    }
    if (!equal) {
        return;
    }
    s->hello_equal++;
    p->checked_changes = v->changes;
    memcpy(p->checked_root, p->root, ROOT_SIZE);
    p->backoff_ns = 0;
    ki_peer_agreed(s, p, ki_view_at(v, p->boundary)->through);
}

static void know(ki_sync *s, ki_peer *p, const ki_hello *h, const ki_head *head) {
    const ki_peer before = *p;
    bool other = memcmp(p->ephemeral, h->ephemeral, sizeof p->ephemeral) != 0;
    memcpy(p->key, h->key, sizeof p->key);
    memcpy(p->ephemeral, h->ephemeral, sizeof p->ephemeral);
    ki_scope_of(&p->scope, s->config.key, &s->patterns, h->key, &h->patterns);
    if (p->scope.hash != before.scope.hash) {
        p->agreed_arrival = 0; /* that was said of another set */
        p->agreed_ns = 0;
    }
    p->boundary = h->boundary;
    p->count = h->count;
    p->stored = h->stored;
    p->hello_nonce = head->nonce;
    memcpy(p->root, h->root, ROOT_SIZE);
    judge(s, p, &before);
    p->heard_ns = s->now_ns;
    bool room = known_peers(s) < SYNC_PEERS_MAX; /* else strangers come and go */
    if ((other && !h->answer && room) || head->to == s->me) {
        ki_hello_soon(s, 0); /* it does not know us, or our new key */
        p->stranger_ns = s->now_ns;
    }
}

static bool paid(ki_sync *s) {
    if (s->hello_tokens_ns + SECOND_NS < s->now_ns) {
        s->hello_tokens_ns = s->now_ns - SECOND_NS;
    }
    if (s->hello_tokens_ns > s->now_ns) {
        s->stat.shed++;
        return false;
    }
    s->hello_tokens_ns += SECOND_NS / HELLOS_PER_S;
    return true;
}

int ki_hello_take(ki_sync *s, ki_reader *r, const ki_head *head) {
    ki_hello h;
    const uint8_t *signature;
    if (ki_read_hello(r, &h, &signature) < 0 || ki_key_start(h.key) != head->from) {
        s->stat.bad_form++;
        return KITH_E_FORMAT;
    }
    if (head->from == s->me || !paid(s)) {
        return 0;
    }
    if (!s->config.verify(h.key, r->bytes, r->at, signature)) {
        s->stat.bad_signature++;
        return 0;
    }
    ki_peer *p = ki_peer_find(s, head->from);
    /* An old HELLO, said again by anybody, would bring back an old key. */
    if (p != NULL && h.boundary < p->boundary && s->now_ns - p->heard_ns < FORGET_NS) {
        return 0;
    }
    uint8_t mac_key[32];
    bool other = p == NULL || memcmp(p->ephemeral, h.ephemeral, sizeof h.ephemeral) != 0;
    if (other && !ki_shared(s->config.secret, s->ephemeral, h.ephemeral, mac_key)) {
        s->stat.bad_signature++;
        return 0;
    }
    if (p == NULL) {
        p = meet(s);
        if (p == NULL) {
            return 0;
        }
        memset(p, 0, sizeof *p);
        p->id = head->from;
        p->rtt_ns = RTT_FIRST_NS;
    }
    if (other) {
        memcpy(p->mac_key, mac_key, sizeof mac_key);
    }
    know(s, p, &h, head);
    return 0;
}

/* Grows with what others may want to hear of: what we follow, and, where one
 * follows something else, whatever we stored. */
static uint64_t news(const ki_sync *s, const ki_view *v) {
    bool others = false;
    for (int i = 0; i < SYNC_PEERS_MAX; i++) {
        others = others || (s->peers[i].id != 0 && !s->peers[i].scope.same);
    }
    return v->changes + (others ? s->index->last : 0);
}

/* News make the next HELLO come sooner. */
static void hurry(ki_sync *s, const ki_view *v) {
    if (s->hello_hurried || news(s, v) == s->hello_changes) {
        return; /* one draw for each: the least of many would be no chance */
    }
    s->hello_hurried = true;
    uint64_t peers = known_peers(s);
    uint64_t from = s->hello_last_ns + HELLO_NEWS_NS + peers * NEWS_REST_NS;
    from = from < s->now_ns ? s->now_ns : from;
    uint64_t soon = from + dice_below(&s->dice, SECOND_NS / 2 + peers * NEWS_SPREAD_NS);
    s->hello_ns = soon < s->hello_ns ? soon : s->hello_ns;
}

static void write_hello(ki_sync *s, const ki_boundary *root, ki_frame *ret) {
    ki_writer w;
    ki_salt salt;
    ki_head head = { .type = FRAME_HELLO,
        .to = s->hello_to,
        .from = s->me,
        .nonce = s->hello_nonce,
        .scope = s->own_scope.hash };
    ki_hello h = { .answer = s->hello_answer,
        .boundary = (uint32_t) root->second,
        .stored = s->index->last,
        .patterns = s->patterns };
    memcpy(h.key, s->config.key, sizeof h.key);
    memcpy(h.ephemeral, s->ephemeral, sizeof h.ephemeral);
    ki_salt_of(s->hello_nonce, &salt);
    h.count = root->sum.count;
    ki_salted_root(&salt, &root->sum, h.root);
    ki_frame_begin(&w, &head);
    ki_frame_hello(&w, &h);
    s->config.sign(s->config.ctx, w.bytes, w.length, w.bytes + w.length);
    w.length += FRAME_SIGNATURE;
    ki_frame_done(s, &w, NULL, ret);
}

bool ki_hello_give(ki_sync *s, ki_frame *ret) {
    ki_view *v = ki_own_view(s);
    if (v == NULL || !ki_view_ready(v)) {
        s->hello_ns = s->now_ns > s->hello_ns ? s->now_ns + SECOND_NS / 50 : s->hello_ns;
        return false;
    }
    hurry(s, v);
    if (s->now_ns < s->hello_ns) {
        return false;
    }
    const ki_boundary *root = ki_view_told(v, s->index->second);
    if (root == NULL) { /* packets left it just now */
        s->hello_ns = s->now_ns + SECOND_NS / 4;
        return false;
    }
    uint64_t told = news(s, v) - (v->changes - root->changes);
    bool nothing_new =
        told == s->hello_changes && s->hello_last_ns + HELLO_IDLE_NS > s->now_ns;
    if (s->hello_hurried && !s->hello_answer && nothing_new) {
        s->hello_ns = s->now_ns + SECOND_NS / 4; /* the news have no boundary yet */
        return false;
    }
    bool needless =
        s->hello_equal >= EQUAL_ENOUGH && !s->hello_answer && s->hello_last_ns != 0;
    s->hello_changes = told;
    s->hello_equal = 0;
    s->hello_ns = s->now_ns + HELLO_IDLE_NS / 2 + dice_below(&s->dice, HELLO_IDLE_NS);
    s->hello_last_ns = s->now_ns;
    if (!needless) {
        write_hello(s, root, ret);
    }
    s->hello_answer = s->hello_hurried = false;
    s->hello_to = 0;
    return !needless;
}

uint64_t ki_hello_due(const ki_sync *s) {
    return s->hello_ns;
}
