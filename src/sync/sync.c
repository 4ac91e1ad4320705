/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/inside.h"

#include "base/check.h"
#include "base/dice.h"

#include <kith/error.h>

void ki_sync_check(const ki_sync *s) {
    CHECK(s->index != NULL);
    CHECK(s->frame_count <= SYNC_FRAMES_MAX);
    CHECK(s->data_count <= SYNC_DATA_MAX);
    CHECK(s->job_count <= SYNC_JOBS_MAX);
    CHECK(s->refused_count <= SYNC_REFUSED_MAX);
    CHECK(s->gaps.repair_count <= GAPS_REPAIRS);
    for (int i = 0; i < SYNC_EXCHANGES_MAX; i++) {
        if (s->exchanges[i] != NULL) {
            ki_exchange_check(s->exchanges[i]);
            CHECK(s->peers[s->exchanges[i]->peer].id != 0);
        }
    }
}

static void set_scope(ki_sync *s) {
    ki_view *v = ki_index_view(s->index, &s->own_scope, true);
    if (v != NULL) {
        v->pins++; /* ours stays */
    }
}

void ki_sync_init(ki_sync *s, const ki_sync_config *config, ki_index *index) {
    static const ki_pattern all = ">";
    memset(s, 0, sizeof *s);
    s->config = *config;
    s->me = ki_key_start(config->key);
    s->dice = config->seed;
    s->gaps.dice = dice_roll(&s->dice);
    s->gaps.exact = true;
    s->gaps.me = s->me;
    s->index = index;
    s->hello_nonce = ki_nonce(config->secret, dice_roll(&s->dice));
    ki_ephemeral(config->secret, s->ephemeral);
    ki_patterns_of(&s->patterns, &all, 1);
    ki_scope_of(&s->own_scope, config->key, &s->patterns, config->key, &s->patterns);
    set_scope(s);
    ki_sync_check(s);
}

static void end_exchanges(ki_sync *s) {
    for (int i = 0; i < SYNC_EXCHANGES_MAX; i++) {
        if (s->exchanges[i] != NULL) {
            ki_ask_end(s, s->exchanges[i], false, 1);
        }
    }
}

static void leave_scope(ki_sync *s) {
    ki_view *v = ki_index_view(s->index, &s->own_scope, false);
    if (v != NULL && v->pins > 0) {
        v->pins--;
    }
}

void ki_sync_fini(ki_sync *s) {
    end_exchanges(s);
    leave_scope(s);
    memset(s, 0, sizeof *s);
}

void ki_sync_follow(ki_sync *s, const ki_pattern *patterns, size_t count) {
    ki_patterns next;
    ki_sync_check(s);
    ki_patterns_of(&next, patterns, count);
    if (next.length == s->patterns.length &&
        memcmp(next.bytes, s->patterns.bytes, next.length) == 0) {
        return;
    }
    end_exchanges(s);
    leave_scope(s);
    s->patterns = next;
    s->gaps.exact = next.count == 1 && next.bytes[1] == '>';
    ki_scope_of(&s->own_scope, s->config.key, &next, s->config.key, &next);
    set_scope(s);
    /* Joint scopes are made anew from the HELLOs that answer ours. */
    memset(s->peers, 0, sizeof s->peers);
    memset(s->jobs, 0, sizeof s->jobs);
    s->job_count = 0;
    s->hello_ns = 0;
    s->hello_last_ns = 0;
    ki_sync_check(s);
}

bool ki_sync_follows(const ki_sync *s, const char *subject) {
    return ki_patterns_match(&s->patterns, subject);
}

#define FRESH_US 5000000

void ki_sync_heard(ki_sync *s, const ki_heard *h, kith_time now) {
    s->now_ns = now.mono_ns;
    /* What an exchange brings, or an asker pushes, comes in another order; but not
     * what was made a moment ago. */
    bool live = s->answered_ns == 0 || s->answered_ns + 2 * SECOND_NS < now.mono_ns;
    for (int i = 0; i < SYNC_EXCHANGES_MAX && !h->own; i++) {
        if (s->exchanges[i] != NULL) {
            s->exchanges[i]->moved_ns = now.mono_ns;
            live = live && s->exchanges[i]->state == PASS_WAIT;
        }
    }
    live = live || h->t_end_us + FRESH_US > now.wall_us;
    ki_gaps_heard(&s->gaps, ki_key_start(h->source), h->epoch, h->seq,
        h->item.arrival == 0 ? NULL : &h->item, h->own, live, now.mono_ns);
}

bool ki_sync_brought(const ki_sync *s, const kith_content *content, kith_time now) {
    /* Only what has settled is compared. */
    bool old = content->t_end_us + INDEX_SETTLE_US < now.wall_us;
    return (old && ki_sync_busy(s)) ||
           ki_gaps_asked(
               &s->gaps, ki_key_start(content->source), content->epoch, content->seq);
}

void ki_sync_refuse(ki_sync *s, const ki_item *item) {
    s->refused[s->refused_at] = *item;
    s->refused_at = (s->refused_at + 1) % SYNC_REFUSED_MAX;
    s->refused_count += s->refused_count < SYNC_REFUSED_MAX;
}

void ki_sync_again(ki_sync *s, kith_time now) {
    ki_sync_check(s);
    s->now_ns = now.mono_ns;
    s->refused_count = s->refused_at = 0;
    for (int i = 0; i < SYNC_PEERS_MAX; i++) {
        ki_peer *p = &s->peers[i];
        p->checked = false;
        p->boundary = 0;
        p->again_ns = p->backoff_ns = 0;
        p->differs = p->id != 0;
    }
    ki_hello_soon(s, 0);
    ki_sync_check(s);
}

/* They ask us: where both began, the lower key goes on. */
static void asked(ki_sync *s, const ki_peer *p) {
    for (int i = 0; i < SYNC_EXCHANGES_MAX; i++) {
        ki_exchange *x = s->exchanges[i];
        if (x == NULL || &s->peers[x->peer] != p) {
            continue;
        }
        if (x->state == PASS_WAIT || p->id < s->me) {
            ki_ask_end(s, x, false, 2 * SECOND_NS);
        }
    }
}

/* An ASK or TELL to us, from a peer whose MAC we can check. */
static void take_talk(ki_sync *s, ki_reader *r, const ki_head *head) {
    uint8_t mac[MAC_SIZE];
    ki_peer *p = ki_peer_find(s, head->from);
    if (p == NULL) {
        ki_hello_soon(s, head->from);
        return;
    }
    ki_frame_mac(p->mac_key, r->bytes, r->end, mac);
    if (!ki_mac_same(mac, r->bytes + FRAME_MAC_AT)) {
        s->stat.bad_mac++;
        ki_hello_soon(s, head->from); /* one of us began anew, or somebody lies */
        return;
    }
    p->heard_ns = s->now_ns;
    if (head->type == FRAME_ASK) {
        s->answered_ns = s->now_ns;
        asked(s, p);
        ki_answer(s, p, r, head);
    } else {
        ki_pass_take(s, p, r, head);
    }
}

/* What others say to each other: whoever is asked by one is left alone. */
static void overhear(ki_sync *s, const ki_head *head) {
    ki_peer *p = head->type == FRAME_ASK ? ki_peer_find(s, head->to) : NULL;
    if (p != NULL) {
        p->asked_ns = s->now_ns;
        s->overheard_ns = s->now_ns;
    }
}

int ki_sync_take(ki_sync *s, const uint8_t *bytes, size_t length, kith_time now) {
    ki_reader r;
    ki_head head;
    ki_keys keys;
    ki_sync_check(s);
    s->now_ns = now.mono_ns;
    s->stat.frames_in++;
    int result = ki_frame_open(&r, bytes, length, &head);
    if (result < 0 || head.from == s->me) {
        s->stat.bad_form += result < 0;
        return result;
    }
    if (head.type == FRAME_HELLO) {
        result = ki_hello_take(s, &r, &head);
    } else if (head.type == FRAME_KEYS) {
        result = ki_read_keys(&r, &keys);
        if (result == 0) {
            ki_gaps_keys(&s->gaps, &keys, s->now_ns);
        }
    } else if (!ki_frame_sound(&r)) {
        result = KITH_E_FORMAT;
    } else if (head.to == s->me) {
        take_talk(s, &r, &head);
    } else {
        overhear(s, &head);
    }
    s->stat.bad_form += result < 0;
    ki_sync_check(s);
    return result;
}

static bool give_keys(ki_sync *s, ki_frame *ret) {
    ki_keys keys;
    ki_writer w;
    ki_head head = { .type = FRAME_KEYS, .from = s->me };
    if (!ki_gaps_ask(&s->gaps, s->now_ns, &keys)) {
        return false;
    }
    ki_frame_begin(&w, &head);
    bool fits = ki_frame_keys(&w, &keys);
    CHECK(fits); /* 64 numbers, close together */
    ki_frame_done(s, &w, NULL, ret);
    return true;
}

static bool give_frame(ki_sync *s, ki_frame *ret) {
    if (ki_hello_give(s, ret) || ki_answer_frame(s, ret) || give_keys(s, ret)) {
        return true;
    }
    ki_ask_consider(s);
    for (int i = 0; i < SYNC_EXCHANGES_MAX; i++) {
        if (s->exchanges[i] != NULL) {
            ki_ask_step(s, s->exchanges[i]);
        }
        if (s->exchanges[i] != NULL && ki_ask_frame(s, s->exchanges[i], ret)) {
            return true;
        }
    }
    return false;
}

static bool give_packet(ki_sync *s, ki_item *ret) {
    if (ki_gaps_repair(&s->gaps, s->now_ns, ret) || ki_answer_packet(s, ret)) {
        return true;
    }
    for (int i = 0; i < SYNC_EXCHANGES_MAX; i++) {
        if (s->exchanges[i] != NULL && ki_ask_push(s, s->exchanges[i], ret)) {
            return true;
        }
    }
    return false;
}

int ki_sync_give(ki_sync *s, kith_time now, ki_sync_out *ret) {
    ki_sync_check(s);
    s->now_ns = now.mono_ns;
    ret->kind = SYNC_NOTHING;
    if (give_frame(s, &ret->frame)) {
        ret->kind = SYNC_FRAME;
        s->stat.frames_out++;
        s->stat.bytes_out += ret->frame.length;
    } else if (give_packet(s, &ret->item)) {
        ret->kind = SYNC_PACKET;
        s->stat.packets_out++;
    } else if (ki_answer_frame(s, &ret->frame)) { /* a range came to its END */
        ret->kind = SYNC_FRAME;
        s->stat.frames_out++;
        s->stat.bytes_out += ret->frame.length;
    }
    ki_sync_check(s);
    return ret->kind;
}

uint64_t ki_sync_due(const ki_sync *s) {
    if (ki_answer_waiting(s)) {
        return s->now_ns;
    }
    uint64_t due = ki_hello_due(s), ask = ki_ask_due(s), gaps = ki_gaps_due(&s->gaps);
    due = ask < due ? ask : due;
    return gaps < due ? gaps : due;
}

/* An answerer is being pushed to, or sends, for so long after the last ASK. */
#define ASKED_NS (SECOND_NS / 2)

bool ki_sync_busy(const ki_sync *s) {
    bool busy = s->answered_ns != 0 && s->answered_ns + ASKED_NS > s->now_ns;
    for (int i = 0; i < SYNC_EXCHANGES_MAX; i++) {
        busy = busy || (s->exchanges[i] != NULL && s->exchanges[i]->state != PASS_WAIT);
    }
    return busy;
}

bool ki_sync_settled(const ki_sync *s) {
    for (int i = 0; i < SYNC_EXCHANGES_MAX; i++) {
        if (s->exchanges[i] != NULL) {
            return false;
        }
    }
    for (int i = 0; i < SYNC_PEERS_MAX; i++) {
        const ki_peer *p = &s->peers[i];
        if (p->id != 0 && p->differs && p->backoff_ns == 0) {
            return false;
        }
    }
    return !ki_answer_waiting(s) && !ki_sync_busy(s);
}

/* HELLOs come every 45 s at the latest, unless they would say what others said. */
#define LATELY_NS (180 * SECOND_NS)

uint32_t ki_sync_peers(const ki_sync *s) {
    uint32_t peers = 0;
    for (int i = 0; i < SYNC_PEERS_MAX; i++) {
        peers += s->peers[i].id != 0 && s->peers[i].heard_ns + LATELY_NS > s->now_ns;
    }
    return peers;
}

uint64_t ki_sync_agreed(const ki_sync *s) {
    uint64_t since = UINT64_MAX;
    for (int i = 0; i < SYNC_PEERS_MAX; i++) {
        const ki_peer *p = &s->peers[i];
        if (p->id != 0 && p->heard_ns + LATELY_NS > s->now_ns) {
            uint64_t at = p->differs ? 0 : p->agreed_ns;
            since = at < since ? at : since;
        }
    }
    return since == UINT64_MAX ? 0 : since;
}

void ki_sync_prompt(ki_sync *s, kith_time now) {
    const ki_peer *least = NULL;
    s->now_ns = now.mono_ns;
    for (int i = 0; i < SYNC_PEERS_MAX; i++) {
        const ki_peer *p = &s->peers[i];
        if (p->id != 0 && (least == NULL || p->agreed_ns < least->agreed_ns)) {
            least = p;
        }
    }
    if (least != NULL) {
        ki_hello_soon(s, least->id);
    } else if (s->hello_last_ns + SECOND_NS / 2 < s->now_ns) {
        s->hello_ns = s->now_ns; /* not as an answer: strangers answer it */
    }
}

bool ki_sync_receipt(const ki_sync *s, uint64_t arrival, const char *subject,
    const uint8_t source[KITH_KEY_SIZE]) {
    for (int i = 0; i < SYNC_PEERS_MAX; i++) {
        const ki_peer *p = &s->peers[i];
        if (p->id != 0 && p->agreed_arrival >= arrival &&
            ki_scope_holds(&p->scope, subject, source)) {
            return true;
        }
    }
    return false;
}

uint64_t ki_sync_receipt_most(const ki_sync *s) {
    uint64_t best = 0;
    for (int i = 0; i < SYNC_PEERS_MAX; i++) {
        const ki_peer *p = &s->peers[i];
        best = p->id != 0 && p->agreed_arrival > best ? p->agreed_arrival : best;
    }
    return best;
}
