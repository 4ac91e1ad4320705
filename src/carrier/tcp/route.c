/* SPDX-License-Identifier: Apache-2.0 */
/* Which item goes where, and who must be told what is wanted. */
#include "base/check.h"
#include "carrier/tcp/bus.h"

#include <kith/address.h>
#include <string.h>

/* ---- sinks ---- */

bool ki_sink_admits(sink *s, size_t size) {
    if (ki_blocks_room(&s->q, size)) {
        return true;
    }
    if (!s->full) {
        s->full = true;
        s->beats = 0;
    }
    return s->stalled;
}

bool ki_sink_put(sink *s, const batch_item *item) {
    size_t size = (size_t) ITEM_HEAD + item->subject_length + item->length;
    /* a stalled one takes nothing more until half of what it has is gone: one gap, not
     * many small ones */
    if (s->stalled || !ki_blocks_room(&s->q, size)) {
        CHECK(s->stalled);
        ki_blocks_lose(&s->q, 1);
        return false;
    }
    ki_blocks_put(&s->q, item);
    return true;
}

void ki_sink_taken(sink *s) {
    s->beats = 0;
    s->full = false;
    if (s->stalled && s->q.queued <= s->q.total / 2) {
        s->stalled = false;
    }
}

void ki_sink_beat(sink *s) {
    if (s->full && !s->stalled && ++s->beats >= STALL_BEATS) {
        s->stalled = true;
    }
}

/* ---- items ---- */

/* Under lock. */
static bool wanted_by(const conn *to, const conn *from, const char *subject) {
    return to != from && to->open &&
           (subject[0] == '\0' || ki_tcp_wanted(&to->t->theirs, subject));
}

/* Under lock. True: every place it goes to has it, or has lost it and counts. */
static bool route_item(
    bus *b, conn *from, const batch_item *item, const char *subject, size_t size) {
    bool here =
        b->role == BUS_LEAF || subject[0] == '\0' || ki_tcp_wanted(&b->own, subject);
    if (here && !ki_sink_admits(&b->inbox, size)) {
        return false;
    }
    bool pass_on = b->role == BUS_HUB;
    for (size_t i = 0; pass_on && i < b->count; i++) {
        conn *to = b->conns[i];
        if (wanted_by(to, from, subject) && !ki_sink_admits(to->out, size)) {
            return false;
        }
    }
    for (size_t i = 0; pass_on && i < b->count; i++) {
        if (wanted_by(b->conns[i], from, subject)) {
            (void) ki_sink_put(b->conns[i]->out, item);
        }
    }
    if (here) {
        bool kept = ki_sink_put(&b->inbox, item);
        b->inbox_put += size;
        b->inbox_returned += kept ? 0 : size;
    }
    return true;
}

/* A hub matches subjects, so it must know that they are some; a leaf's link looks. */
static bool read_subject(const bus *b, const batch_item *item, char *subject) {
    bool same = subject[item->subject_length] == '\0' && item->subject_length > 0 &&
                memcmp(subject, item->subject, item->subject_length) == 0;
    if (same) {
        return true;
    }
    memcpy(subject, item->subject, item->subject_length);
    subject[item->subject_length] = '\0';
    return b->role == BUS_LEAF || item->subject_length == 0 || kith_subject_valid(subject);
}

/* Nobody else is there whom it could go to: then it is brought as it is, and the link
 * judges it. Who is open changes on this thread alone, so no lock. */
static bool is_ours_alone(const bus *b, const conn *from) {
    for (size_t i = 0; b->role == BUS_HUB && i < b->count; i++) {
        if (b->conns[i] != from && b->conns[i]->open) {
            return false;
        }
    }
    return true;
}

/* A batch that is nearly a block already becomes one: copied in one piece, and the lock
 * is held for a moment only. False: not this one. */
static bool take_whole(bus *b, conn *from, const frame *f) {
    uint32_t load = f->length - BATCH_LOST;
    if (from->route_at != 0 || load < WHOLE_MIN || !is_ours_alone(b, from)) {
        return false;
    }
    pthread_mutex_lock(&b->lock);
    block *k = b->inbox.stalled ? NULL : ki_blocks_reserve(&b->inbox.q);
    pthread_mutex_unlock(&b->lock);
    if (k == NULL) {
        return false;
    }
    memcpy(k->bytes + BATCH_HEAD, f->body + BATCH_LOST, load);
    k->used = BATCH_HEAD + load;
    k->count = f->count;
    pthread_mutex_lock(&b->lock);
    ki_blocks_lose(&b->inbox.q, ki_tcp_batch_lost(f));
    ki_blocks_append(&b->inbox.q, k);
    b->inbox_put += load;
    ki_bus_wake_reader(b);
    pthread_mutex_unlock(&b->lock);
    if (b->role == BUS_HUB && ki_peer_consumed(&from->p, load)) {
        from->credit_due = true;
    }
    return true;
}

bool ki_route_batch(bus *b, conn *from, const frame *f) {
    if (take_whole(b, from, f)) {
        return true;
    }
    const uint8_t *end = f->body + f->length;
    char subject[256] = "";
    pthread_mutex_lock(&b->lock);
    if (from->route_at == 0) {
        from->route_at = BATCH_LOST;
        uint32_t lost = ki_tcp_batch_lost(f);
        if (lost > 0) {
            ki_blocks_lose(&b->inbox.q, lost);
        }
    }
    const uint8_t *at = f->body + from->route_at;
    uint32_t load = 0;
    bool all = true;
    while (at < end && all) {
        batch_item item;
        size_t size = ki_tcp_item(at, &item);
        if (!read_subject(b, &item, subject)) {
            ki_peer_end(&from->p, BYE_RUBBISH);
            break;
        }
        all = route_item(b, from, &item, subject, size);
        at += all ? size : 0;
        load += all ? (uint32_t) size : 0;
    }
    from->route_at = (size_t) (at - f->body);
    ki_bus_wake_reader(b);
    b->any_held = b->any_held || !all;
    bool hub = b->role == BUS_HUB;
    pthread_mutex_unlock(&b->lock);
    if (hub && ki_peer_consumed(&from->p, load)) {
        from->credit_due = true;
    }
    return all;
}

/* ---- wants ---- */

/* What this one shall send us: what we want, and, as a hub, what the others do. */
static void collect(const bus *b, const conn *of, wants *ret) {
    *ret = b->own;
    for (size_t i = 0; b->role == BUS_HUB && i < b->count; i++) {
        if (b->conns[i] != of && b->conns[i]->open) {
            ki_tcp_wants_join(ret, &b->conns[i]->t->theirs);
        }
    }
}

static bool others_adopted(const bus *b, const conn *but) {
    for (size_t i = 0; i < b->count; i++) {
        const conn *c = b->conns[i];
        if (c != but && c->open && !ki_peer_adopted(&c->p)) {
            return false;
        }
    }
    return true;
}

static void tell_all(bus *b) {
    wants now;
    for (size_t i = 0; i < b->count; i++) {
        conn *c = b->conns[i];
        if (c->open) {
            collect(b, c, &now);
            if (!ki_tcp_wants_equal(&now, &c->t->told)) {
                c->t->told = now;
                (void) ki_peer_tell(&c->p);
                c->want_due = true;
            }
        }
    }
}

/* What one wants is answered once all that it can come from have been told: then
 * nothing posted after the answer is missed. */
void ki_route_wants(bus *b) {
    pthread_mutex_lock(&b->lock);
    if (b->wants_new || b->follow_asked != b->follow_done) {
        b->wants_new = false;
        tell_all(b);
    }
    for (size_t i = 0; i < b->count; i++) {
        conn *c = b->conns[i];
        if (c->open && ki_peer_owes(&c->p) && others_adopted(b, c)) {
            c->p.want_answered = c->p.want_owed;
            c->wanted_due = true;
        }
    }
    if (b->follow_asked != b->follow_done && others_adopted(b, NULL)) {
        b->follow_done = b->follow_asked;
        ki_bus_ring(b->answer);
    }
    pthread_mutex_unlock(&b->lock);
}
