/* SPDX-License-Identifier: Apache-2.0 */
/* The course of an exchange: when one begins, goes on and ends.
 *
 * transition -> function: nothing->WAIT begin, WAIT->OPEN or ROOT step_wait,
 * OPEN->QUIET and QUIET->ROOT ki_ask_step, ROOT->OPEN or end: pass.c,
 * any->end ki_ask_end. */
#include "sync/inside.h"

#include "base/check.h"
#include "base/dice.h"

#include <stdlib.h>

/* Random wait before asking: for each peer that may ask too. */
#define WAIT_EACH_NS (SECOND_NS / 50)
#define WAIT_MAX_NS  (2 * SECOND_NS)
#define AGAIN_NS     SECOND_NS
#define AGAIN_MAX_NS (300 * SECOND_NS)
/* Somebody else asks this peer: what it says helps us too. */
#define OTHERS_NS (2 * SECOND_NS)
/* So long a comparison waits for holes to be mended. */
#define MENDED_NS (3 * SECOND_NS)
/* Others compare just now. */
#define TALK_NS (SECOND_NS / 10)
/* An exchange that gained nothing for so long lets another begin; and ends. */
#define STALLED_NS (2 * SECOND_NS)
#define USELESS_NS (60 * SECOND_NS)
/* Packets pushed in one exchange: every one of ours thrice, for lossy wires. */
#define PUSHES(ours) (3 * (ours) + 4096)

void ki_exchange_check(const ki_exchange *x) {
    CHECK(x->peer < SYNC_PEERS_MAX);
    CHECK(x->state >= PASS_WAIT && x->state <= PASS_ROOT);
    CHECK(x->open_count <= SYNC_OPEN_MAX);
    CHECK(x->slot_count <= SYNC_WINDOW);
    CHECK(x->push_count <= SYNC_PUSH_MAX);
    CHECK(x->range_count <= SYNC_PUSH_RANGES);
    CHECK(x->view->pins > 0);
    uint32_t used = 0;
    for (uint32_t i = 0; i < SYNC_WINDOW; i++) {
        const ki_slot *slot = &x->slots[i];
        used += slot->rid != 0;
        CHECK(slot->rid == 0 || slot->tries <= SYNC_TRIES_MAX);
        CHECK(slot->rid == 0 || slot->asked <= SYNC_CELLS_MAX);
        CHECK(slot->rid == 0 || slot->tag_at <= slot->tag_count);
        CHECK(slot->rid == 0 || slot->tag_count <= SYNC_CELLS_MAX);
    }
    CHECK(used == x->slot_count);
    CHECK(x->state == PASS_OPEN || x->open_count == 0);
}

static void begin(ki_sync *s, uint32_t peer, ki_exchange **place) {
    ki_peer *p = &s->peers[peer];
    ki_view *v = ki_index_view(s->index, &p->scope, true);
    if (v == NULL || !ki_view_ready(v)) {
        return; /* it is being made */
    }
    ki_exchange *x = calloc(1, sizeof *x);
    if (x == NULL) {
        p->again_ns = s->now_ns + AGAIN_NS;
        return;
    }
    uint64_t peers = 0;
    for (int i = 0; i < SYNC_PEERS_MAX; i++) peers += s->peers[i].id != 0;
    uint64_t wait = peers * WAIT_EACH_NS;
    x->peer = peer;
    x->view = v;
    v->pins++;
    x->state = PASS_WAIT;
    x->began_ns = x->moved_ns = x->gained_ns = s->now_ns;
    x->seen_changes = v->changes;
    /* Where both begin the lower key goes on: the other lets it. */
    uint64_t first = p->id < s->me ? 2 * p->rtt_ns : 0;
    x->due_ns =
        s->now_ns + first + dice_below(&s->dice, wait < WAIT_MAX_NS ? wait : WAIT_MAX_NS);
    *place = x;
    s->stat.exchanges++;
    ki_exchange_check(x);
}

/* Somebody else asks this peer, and what it says helps us too: it follows the same. */
static bool asked_lately(const ki_sync *s, const ki_peer *p) {
    return p->scope.same && p->asked_ns != 0 && p->asked_ns + OTHERS_NS > s->now_ns;
}

static bool wants_exchange(const ki_sync *s, const ki_peer *p) {
    return p->id != 0 && p->differs && s->now_ns >= p->again_ns &&
           s->hello_last_ns >= p->stranger_ns && s->hello_last_ns != 0 &&
           !asked_lately(s, p);
}

static bool busy_with(const ki_sync *s, uint32_t peer) {
    for (int i = 0; i < SYNC_EXCHANGES_MAX; i++) {
        if (s->exchanges[i] != NULL && s->exchanges[i]->peer == peer) {
            return true;
        }
    }
    return false;
}

/* One exchange at a time, so that nothing is fetched from two; more when those
 * under way do not get on. */
void ki_ask_consider(ki_sync *s) {
    ki_exchange **place = NULL;
    for (int i = 0; i < SYNC_EXCHANGES_MAX; i++) {
        ki_exchange *x = s->exchanges[i];
        if (x == NULL) {
            place = place == NULL ? &s->exchanges[i] : place;
        } else if (x->gained_ns + STALLED_NS > s->now_ns) {
            return;
        }
    }
    uint32_t first = (uint32_t) dice_below(&s->dice, SYNC_PEERS_MAX);
    for (uint32_t k = 0; k < SYNC_PEERS_MAX && place != NULL && *place == NULL; k++) {
        uint32_t i = (first + k) % SYNC_PEERS_MAX;
        if (wants_exchange(s, &s->peers[i]) && !busy_with(s, i)) {
            begin(s, i, place);
        }
    }
}

/* agreed: roots are equal. Else wait_ns says how long the peer is left alone; 0:
 * longer each time. */
void ki_ask_end(ki_sync *s, ki_exchange *x, bool agreed, uint64_t wait_ns) {
    ki_peer *p = &s->peers[x->peer];
    ki_exchange_check(x);
    if (agreed || wait_ns == 0) { /* not again before a root changes */
        p->differs = false;
        p->checked = true;
        p->checked_changes = x->view->changes;
        p->checked_stored = p->stored;
        memcpy(p->checked_root, p->root, ROOT_SIZE);
    }
    p->agreed = agreed;
    p->backoff_ns = x->gained > 0 ? 0 : p->backoff_ns; /* it was worth it */
    p->backoff_ns = agreed ? 0 : p->backoff_ns == 0 ? AGAIN_NS : 2 * p->backoff_ns;
    p->backoff_ns = p->backoff_ns > AGAIN_MAX_NS ? AGAIN_MAX_NS : p->backoff_ns;
    p->again_ns = s->now_ns + (wait_ns != 0 ? wait_ns : p->backoff_ns);
    s->stat.agreed += agreed;
    s->stat.stuck += !agreed && wait_ns == 0;
    x->view->pins--;
    for (int i = 0; i < SYNC_EXCHANGES_MAX; i++) {
        if (s->exchanges[i] == x) {
            s->exchanges[i] = NULL;
        }
    }
    free(x);
}

static bool done_asking(const ki_exchange *x) {
    return x->open_count == 0 && x->slot_count == 0 && x->push_count == 0 &&
           x->range_count == 0;
}

/* What it tells the other helps us too; its next HELLO says what is left. */
static void leave_to_another(ki_sync *s, ki_exchange *x) {
    ki_peer *p = &s->peers[x->peer];
    ki_ask_end(s, x, false, OTHERS_NS);
    p->differs = false;
    p->backoff_ns = 0;
}

/* KEYS may bring what we lack, or what others ask each other. */
static bool may_be_mended(const ki_sync *s) {
    bool talk = s->overheard_ns != 0 && s->overheard_ns + TALK_NS > s->now_ns;
    return talk || ki_gaps_open(&s->gaps);
}

static void step_wait(ki_sync *s, ki_exchange *x) {
    ki_peer *p = &s->peers[x->peer];
    bool known = false, equal = ki_peer_equal(s, p, &known);
    bool patient = x->began_ns + MENDED_NS > s->now_ns;
    if (!p->differs || equal) {
        ki_ask_end(s, x, true, 0); /* it is mended meanwhile */
    } else if (asked_lately(s, p) && p->asked_ns > x->began_ns) {
        leave_to_another(s, x);
    } else if (patient && may_be_mended(s)) {
        x->due_ns = s->now_ns + dice_below(&s->dice, MENDED_NS / 4);
    } else if (known) {
        x->changes = x->view->changes;
        ki_pass_begin(s, x);
    } else {
        ki_ask_root(s, x); /* that of its HELLO was of another set, or moment */
    }
}

/* A request nobody answered; true: the peer is gone. */
static bool give_up(ki_sync *s, ki_exchange *x) {
    for (uint32_t i = 0; i < SYNC_WINDOW; i++) {
        ki_slot *slot = &x->slots[i];
        if (slot->rid == 0 || slot->tries < SYNC_TRIES_MAX || slot->due_ns > s->now_ns) {
            continue;
        }
        if (s->peers[x->peer].heard_ns < slot->sent_ns || x->state == PASS_ROOT) {
            return true;
        }
        ki_slot_free(x, slot); /* the next pass finds it */
        s->stat.dropped++;
    }
    return false;
}

static bool overdue(const ki_sync *s, const ki_exchange *x) {
    for (uint32_t i = 0; i < SYNC_WINDOW; i++) {
        const ki_slot *slot = &x->slots[i];
        if (slot->rid != 0 &&
            (slot->tries > 1 || (slot->tries == 1 && slot->due_ns <= s->now_ns))) {
            return true;
        }
    }
    return false;
}

/* We ask in vain and another asks too. When a wire that was down comes back, all who
 * ask the same peer would be answered at the same moment. */
static bool asked_in_vain(const ki_sync *s, const ki_exchange *x) {
    const ki_peer *p = &s->peers[x->peer];
    return !x->answered && asked_lately(s, p) && p->asked_ns > x->began_ns && overdue(s, x);
}

/* Whoever only keeps us busy is left, longer each time. */
static bool gains_nothing(const ki_sync *s, ki_exchange *x) {
    if (x->seen_changes != x->view->changes) {
        x->seen_changes = x->view->changes;
        x->gained_ns = s->now_ns;
        x->gained++;
    }
    return x->gained_ns + USELESS_NS <= s->now_ns || x->pushed > PUSHES(x->view->set.count);
}

void ki_ask_step(ki_sync *s, ki_exchange *x) {
    ki_exchange_check(x);
    if (!ki_view_ready(x->view)) { /* it is read anew */
        ki_ask_end(s, x, false, SECOND_NS);
        return;
    }
    if (x->state == PASS_WAIT) {
        if (s->now_ns >= x->due_ns) {
            step_wait(s, x);
        }
        return;
    }
    if (asked_in_vain(s, x)) {
        leave_to_another(s, x);
        return;
    }
    if (give_up(s, x)) {
        s->stat.silent++;
        const ki_peer *p = &s->peers[x->peer];
        ki_ask_end(s, x, false, p->backoff_ns == 0 ? AGAIN_NS : p->backoff_ns);
        return;
    }
    if (gains_nothing(s, x)) {
        ki_ask_end(s, x, false, 0);
        return;
    }
    uint64_t quiet = ki_patience(s, x, 1);
    if (x->state == PASS_OPEN && done_asking(x)) {
        x->state = PASS_QUIET;
        x->due_ns = s->now_ns + quiet;
        x->quiet_ns = s->now_ns;
    }
    if (x->state != PASS_QUIET) {
        return;
    }
    /* Packets still coming are waited for, but not for ever: live ones come too. */
    uint64_t most = x->quiet_ns + (4 * quiet > SECOND_NS ? 4 * quiet : SECOND_NS);
    uint64_t moved = x->moved_ns + quiet;
    if (s->now_ns >= x->due_ns && (s->now_ns >= moved || s->now_ns >= most)) {
        ki_ask_root(s, x);
    } else if (s->now_ns >= x->due_ns) {
        x->due_ns = moved < most ? moved : most;
    }
}

/* When the next exchange may begin; what cannot yet is looked at a little later. */
static uint64_t begin_due(const ki_sync *s) {
    uint64_t due = UINT64_MAX, free = s->now_ns + SECOND_NS / 50;
    for (int i = 0; i < SYNC_EXCHANGES_MAX; i++) {
        const ki_exchange *x = s->exchanges[i];
        uint64_t stalled = x == NULL ? 0 : x->gained_ns + STALLED_NS;
        free = stalled > free ? stalled : free;
    }
    for (uint32_t i = 0; i < SYNC_PEERS_MAX; i++) {
        const ki_peer *p = &s->peers[i];
        if (p->id == 0 || !p->differs || busy_with(s, i)) {
            continue;
        }
        uint64_t at = asked_lately(s, p) ? p->asked_ns + OTHERS_NS : 0;
        at = p->again_ns > at ? p->again_ns : at;
        at = at > s->now_ns ? at : free;
        due = at < due ? at : due;
    }
    return due;
}

static uint64_t exchange_due(const ki_exchange *x) {
    uint64_t due = UINT64_MAX;
    if (x->push_count > 0 || x->range_count > 0) {
        return 0;
    }
    if (x->state == PASS_WAIT || x->state == PASS_QUIET) {
        due = x->due_ns;
    }
    for (uint32_t i = 0; i < SYNC_WINDOW; i++) {
        const ki_slot *slot = &x->slots[i];
        uint64_t at = slot->due_ns < x->hold_ns ? x->hold_ns : slot->due_ns;
        due = slot->rid != 0 && at < due ? at : due;
    }
    return due;
}

uint64_t ki_ask_due(const ki_sync *s) {
    uint64_t due = begin_due(s);
    for (int i = 0; i < SYNC_EXCHANGES_MAX; i++) {
        uint64_t at = s->exchanges[i] == NULL ? UINT64_MAX : exchange_due(s->exchanges[i]);
        due = at < due ? at : due;
    }
    return due;
}
