/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "carrier/fault/fault.h"

#include <string.h>

enum {
    TRIES = 64, /* items looked at in one pull */
};

static bool hold(fault *f, const kith_item *item, uint32_t left) {
    for (size_t i = 0; i < FAULT_HOLD; i++) {
        fault_held *h = &f->in_held[i];
        if (!h->used) {
            h->used = true;
            h->left = left;
            h->due_ns = f->delay_ns > 0 ? f->now_ns + (uint64_t) f->delay_ns : 0;
            h->item = *item;
            f->in_count++;
            return true;
        }
    }
    return false;
}

/* Does this item wait, or never come? */
static bool keep_back(fault *f, const kith_item *item) {
    bool history = (kith_link_can(f->next) & KITH_CAN_REPLAY) != 0;
    if (fault_roll(f, f->drop)) {
        return !history || hold(f, item, 8 + (uint32_t) dice_below(&f->dice, 56));
    }
    if (fault_roll(f, f->reorder)) {
        return hold(f, item, 1 + (uint32_t) dice_below(&f->dice, 8));
    }
    return f->delay_ns > 0 && hold(f, item, 0);
}

static void pass_held(fault *f) {
    for (size_t i = 0; i < FAULT_HOLD && f->in_count > 0; i++) {
        fault_held *h = &f->in_held[i];
        h->left -= h->used && h->left > 0;
    }
}

/* One that has waited long enough. `hurry`: nothing else will pass soon. */
static bool take_ripe(fault *f, bool hurry, kith_item *ret_item) {
    for (size_t i = 0; i < FAULT_HOLD && f->in_count > 0; i++) {
        fault_held *h = &f->in_held[i];
        if (h->used && (h->left == 0 || hurry) && h->due_ns <= f->now_ns) {
            *ret_item = h->item;
            h->used = false;
            f->in_count--;
            return true;
        }
    }
    return false;
}

static int hand_out(fault *f, const kith_item *item) {
    f->last_token = item->token;
    f->top_token = item->token > f->top_token ? item->token : f->top_token;
    if (fault_roll(f, f->repeat)) {
        f->repeated = *item;
        f->again = true;
    }
    return 0;
}

int ki_fault_pull(fault *f, kith_item *ret_item) {
    if (fault_is_cut(f)) {
        return KITH_EMPTY;
    }
    if (f->again) {
        f->again = false;
        *ret_item = f->repeated;
        return 0;
    }
    if (take_ripe(f, false, ret_item)) {
        return hand_out(f, ret_item);
    }
    for (int i = 0; i < TRIES; i++) {
        int r = kith_link_pull(f->next, ret_item);
        if (r == KITH_EMPTY && take_ripe(f, true, ret_item)) {
            return hand_out(f, ret_item);
        }
        if (r != 0) {
            return r;
        }
        pass_held(f);
        if (!keep_back(f, ret_item)) {
            return hand_out(f, ret_item);
        }
    }
    ki_fault_nudge(f);
    return KITH_EMPTY;
}

/* An ack covers all that was handed out before it. Out of order, the one inside
 * may only be told once nothing is held: a token that it takes for the end of a
 * row would cover what the caller has never seen. */
void ki_fault_ack(fault *f, uint64_t token) {
    if (token == f->last_token && f->in_count == 0) {
        kith_link_ack(f->next, f->top_token);
    }
}

void ki_fault_forget_items(fault *f) {
    for (size_t i = 0; i < FAULT_HOLD; i++) {
        f->in_held[i].used = false;
    }
    f->in_count = 0;
    f->again = false;
    f->last_token = f->top_token = 0;
}
