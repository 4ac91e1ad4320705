/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/fail.h"
#include "carrier/fault/fault.h"

#include <inttypes.h>
#include <string.h>

static void check(const fault *f) {
    CHECK(f->sent_first >= 1);
    CHECK(f->sent_first <= f->sent_next);
    CHECK(f->sent_next - f->sent_first <= FAULT_SENT);
}

static fault_sent *place(fault *f, uint64_t number) {
    CHECK(number >= f->sent_first && number < f->sent_next);
    return &f->sent[number % FAULT_SENT];
}

/* Rule 5: the caller posts all of them again. */
static void forget_posts(fault *f) {
    f->sent_first = f->sent_next;
    for (size_t i = 0; i < FAULT_HOLD; i++) {
        f->out_held[i].used = false;
    }
}

/* A new place in the ring, or 0 for a post that nobody asks about. */
static uint64_t note(fault *f, uint64_t ticket, uint64_t inner, fault_fate fate) {
    if (ticket == 0) {
        return 0;
    }
    uint64_t number = f->sent_next++;
    *place(f, number) = (fault_sent){ ticket, inner, fate };
    return number;
}

static bool hold(fault *f, const kith_posting *what) {
    bool shuffled = fault_roll(f, f->reorder);
    if (f->delay_ns == 0 && !shuffled) {
        return false;
    }
    for (size_t i = 0; i < FAULT_HOLD; i++) {
        fault_held *h = &f->out_held[i];
        if (h->used) {
            continue;
        }
        h->used = true;
        h->left = shuffled ? 1 + (uint32_t) dice_below(&f->dice, 8) : 0;
        h->due_ns = f->delay_ns > 0 ? f->now_ns + (uint64_t) f->delay_ns : 0;
        h->expires_us = what->expires_us;
        h->item.kind = what->kind;
        h->item.length = what->length;
        h->item.from = what->to == NULL ? (kith_address){ "" } : *what->to;
        memcpy(h->item.bytes, what->bytes, what->length);
        h->slot = note(f, what->ticket, 0, FAULT_HELD);
        return true;
    }
    return false;
}

static int send_on(fault *f, kith_posting what) {
    what.ticket = f->inner_next + 1;
    int r = kith_link_post(f->next, &what);
    if (r != 0) {
        return r;
    }
    f->inner_next++;
    if (fault_roll(f, f->repeat)) {
        what.ticket = 0;
        (void) !kith_link_post(f->next, &what); /* a copy nobody waits for */
    }
    return 0;
}

static bool send_held(fault *f, fault_held *h) {
    kith_posting what = { .kind = h->item.kind,
        .length = h->item.length,
        .bytes = h->item.bytes,
        .to = h->item.kind == KITH_ITEM_SYNC ? NULL : &h->item.from,
        .expires_us = h->expires_us };
    if (send_on(f, what) != 0) {
        return false; /* no room now; the next call tries again */
    }
    h->used = false;
    if (h->slot != 0) {
        fault_sent *s = place(f, h->slot);
        s->fate = FAULT_GONE;
        s->inner = f->inner_next;
    }
    return true;
}

void ki_fault_release(fault *f) {
    if (fault_is_cut(f)) {
        return;
    }
    for (size_t i = 0; i < FAULT_HOLD; i++) {
        fault_held *h = &f->out_held[i];
        if (h->used && h->left == 0 && h->due_ns <= f->now_ns && send_held(f, h)) {
            ki_fault_nudge(f);
        }
    }
}

static void pass_held(fault *f) {
    for (size_t i = 0; i < FAULT_HOLD; i++) {
        fault_held *h = &f->out_held[i];
        h->left -= h->used && h->left > 0;
    }
}

void ki_fault_heal(fault *f) {
    if (f->cut_left > 0 && --f->cut_left == 0) {
        ki_say(f->host, "fault", "healed after %" PRIu64 " posts", f->posts);
        ki_fault_nudge(f);
    }
}

/* Is this the post in which the wire breaks? */
static bool breaks_now(fault *f) {
    f->posts++;
    if ((f->cut_after == 0 || f->posts != (uint64_t) f->cut_after) &&
        !fault_roll(f, f->cut)) {
        return false;
    }
    f->cut_left = (uint64_t) f->cut_for;
    f->cut_untold = f->sent_first != f->sent_next;
    ki_say(f->host, "fault", "cut in post %" PRIu64, f->posts);
    ki_fault_nudge(f);
    return true;
}

int ki_fault_post(fault *f, const kith_posting *what) {
    check(f);
    if (fault_is_cut(f)) {
        f->posts++;
        ki_fault_heal(f);
        return KITH_FULL;
    }
    if (f->cut_untold || f->sent_next - f->sent_first == FAULT_SENT || breaks_now(f)) {
        return KITH_FULL;
    }
    int r = 0;
    if (fault_roll(f, f->drop)) {
        (void) note(f, what->ticket, 0, FAULT_DROPPED);
        ki_fault_nudge(f);
    } else if (!hold(f, what)) {
        r = send_on(f, *what);
        if (r == 0) {
            (void) note(f, what->ticket, f->inner_next, FAULT_GONE);
        }
    }
    pass_held(f);
    ki_fault_release(f);
    check(f);
    return r;
}

/* The first post whose fate is not good; its fate. All before it are settled. */
static bool advance(fault *f, uint64_t *ret_through) {
    bool found = false, promises = kith_link_level(f->next) != KITH_LEVEL_NONE;
    while (f->sent_first < f->sent_next) {
        const fault_sent *s = place(f, f->sent_first);
        bool fine = (s->fate == FAULT_GONE && s->inner <= f->inner_settled) ||
                    (s->fate == FAULT_DROPPED && !promises);
        if (!fine) {
            break;
        }
        *ret_through = s->ticket;
        found = true;
        f->settled++;
        f->sent_first++;
    }
    return found;
}

int ki_fault_settle(fault *f, uint64_t *ret_through, kith_error *err) {
    check(f);
    uint64_t through;
    int r = kith_link_settle(f->next, &through, err);
    if (r < 0) {
        forget_posts(f);
        return r;
    }
    if (r == 0) {
        f->inner_settled = through;
    }
    if (advance(f, ret_through)) {
        f->cut_untold = f->cut_untold && f->sent_first < f->sent_next;
        return 0;
    }
    if (f->cut_untold) {
        f->cut_untold = false;
        forget_posts(f);
        return ki_fail(err, KITH_E_CLOSED, "cut");
    }
    if (f->sent_first < f->sent_next && place(f, f->sent_first)->fate == FAULT_DROPPED) {
        uint64_t ticket = place(f, f->sent_first)->ticket;
        forget_posts(f);
        return ki_fail(err, KITH_E_TIMEOUT, "no answer to post %" PRIu64, ticket);
    }
    return KITH_EMPTY;
}
