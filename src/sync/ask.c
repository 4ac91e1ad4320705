/* SPDX-License-Identifier: Apache-2.0 */
/* The asker: what it asks next, and what it pushes. */
#include "sync/inside.h"

#include "base/check.h"
#include "base/dice.h"

#include <stdlib.h>

/* Pieces in a frame that need not wait for more. */
#define FULL_ENOUGH 12
/* Requests of one pass: far more than an honest peer's answers lead to. */
#define REQUESTS(ours, theirs) (4096 + (ours) / 2 + (theirs) / 256)
#define THEIRS_MAX             (UINT64_C(1) << 26)

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return x == y ? 0 : x < y ? -1 : 1;
}

/* What is asked and answered from now on bears a new nonce. */
static void renew(ki_sync *s, ki_exchange *x) {
    x->nonce = ki_nonce(s->config.secret, dice_roll(&s->dice));
    ki_salt_of(x->nonce, &x->salt);
    uint64_t floor =
        s->index->now_us > x->view->cut_us ? s->index->now_us : x->view->cut_us;
    floor = (floor / 1000000 + 1) * 1000000;
    x->floor_us = floor > x->floor_us ? floor : x->floor_us;
    x->open_count = x->slot_count = x->push_count = x->range_count = 0;
    x->pushing = false;
    x->decoded = x->parts_seen = x->parts_differ = 0;
    x->decoded_diffs = x->decoded_items = 0;
    memset(x->slots, 0, sizeof x->slots);
}

void ki_pass_begin(ki_sync *s, ki_exchange *x) {
    renew(s, x);
    x->state = PASS_OPEN;
    x->passes++;
    s->stat.passes++;
    s->stat.passes_peak = x->passes > s->stat.passes_peak ? x->passes : s->stat.passes_peak;
    uint64_t theirs = s->peers[x->peer].count;
    theirs = theirs > THEIRS_MAX ? THEIRS_MAX : theirs;
    x->last_rid = x->next_rid + (uint32_t) (REQUESTS(x->view->set.count, theirs));
    x->refused_count = s->refused_count;
    for (uint32_t i = 0; i < x->refused_count; i++) {
        x->refused[i] = ki_salted_tag(&x->salt, &s->refused[i]);
    }
    qsort(x->refused, x->refused_count, sizeof *x->refused, by_number);
    ki_range all = { .lo = { x->floor_us, 0 }, .hi = BOUND_END, .kind = ASK_EXPAND };
    ki_range_open(s, x, &all);
}

void ki_ask_root(ki_sync *s, ki_exchange *x) {
    renew(s, x);
    x->state = PASS_ROOT;
    x->slots[0] = (ki_slot){ .rid = ++x->next_rid, .due_ns = s->now_ns };
    x->slots[0].range.kind = ASK_ROOT;
    x->slot_count = 1;
}

void ki_range_open(ki_sync *s, ki_exchange *x, const ki_range *range) {
    if (x->open_count == SYNC_OPEN_MAX) {
        s->stat.dropped++;
        return;
    }
    x->open[x->open_count++] = *range;
    x->open_peak = x->open_count > x->open_peak ? x->open_count : x->open_peak;
    s->stat.open_peak = x->open_peak > s->stat.open_peak ? x->open_peak : s->stat.open_peak;
}

void ki_push_item(ki_sync *s, ki_exchange *x, const ki_item *item) {
    if (x->push_count == SYNC_PUSH_MAX) {
        s->stat.dropped++;
        return;
    }
    x->push[(x->push_at + x->push_count++) % SYNC_PUSH_MAX] = *item;
}

void ki_push_range(ki_sync *s, ki_exchange *x, const ki_range *range) {
    if (x->range_count == SYNC_PUSH_RANGES) {
        s->stat.dropped++;
        return;
    }
    x->push_ranges[x->range_count++] = *range;
}

void ki_slot_free(ki_exchange *x, ki_slot *slot) {
    CHECK(slot->rid != 0);
    CHECK(x->slot_count > 0);
    slot->rid = 0;
    x->slot_count--;
}

/* The patience with a request: two round trips, more with each try. */
uint64_t ki_patience(const ki_sync *s, const ki_exchange *x, uint32_t tries) {
    uint64_t rtt = s->peers[x->peer].rtt_ns;
    return 2 * (rtt > RTT_LEAST_NS ? rtt : RTT_LEAST_NS) * tries;
}

/* All runs of eights that are not here yet. false: the frame is full. */
static bool put_cells(const ki_slot *slot, ki_writer *w) {
    uint32_t eights = slot->asked / CELLS_STEP;
    for (uint32_t i = 0; i < eights; i++) {
        uint32_t n = 0;
        while (i + n < eights && (slot->got >> (i + n) & 1) == 0) n++;
        ki_piece p = { .kind = ASK_CELLS,
            .rid = slot->rid,
            .lo = slot->range.lo,
            .hi = slot->range.hi,
            .start = i * CELLS_STEP,
            .count = n * CELLS_STEP };
        if (n > 0 && !ki_frame_put(w, &p)) {
            return false;
        }
        i += n;
    }
    return true;
}

static bool put_tags(ki_exchange *x, ki_slot *slot, ki_writer *w) {
    while (slot->tag_at < slot->tag_count) {
        ki_piece p = { .kind = ASK_TAGS, .lo = slot->range.lo, .hi = slot->range.hi };
        uint32_t left = slot->tag_count - slot->tag_at;
        p.count = left < WANT_MAX ? left : WANT_MAX;
        memcpy(p.tags, slot->tags + slot->tag_at, p.count * sizeof *p.tags);
        while (p.count > 4 && !ki_frame_put(w, &p)) p.count -= 2;
        if (p.count <= 4 && (p.count < left || !ki_frame_put(w, &p))) {
            return false;
        }
        slot->tag_at += p.count;
    }
    ki_slot_free(x, slot); /* what does not come is found in the next pass */
    return true;
}

/* A range whose END does not come is asked for again behind what came of it, if
 * we had nothing there before. */
static void go_on(const ki_exchange *x, ki_slot *slot) {
    uint64_t end = ki_set_rank(&x->view->set, slot->range.hi);
    const ki_item *last = end == 0 ? NULL : ki_set_at(&x->view->set, end - 1);
    ki_bound at = last == NULL ? BOUND_START : (ki_bound){ last->expiry, last->id[0] };
    if (slot->tries > 0 && slot->range.dense && ki_bound_order(at, slot->range.lo) > 0) {
        slot->range.lo = at;
    }
}

static bool put_slot(ki_sync *s, ki_exchange *x, ki_slot *slot, ki_writer *w) {
    bool fits = true;
    if (slot->range.kind == ASK_TAGS) {
        return put_tags(x, slot, w);
    }
    if (slot->range.kind == ASK_CELLS) {
        fits = put_cells(slot, w);
    } else {
        if (slot->range.kind == ASK_RANGE) {
            go_on(x, slot);
        }
        ki_piece p = { .kind = slot->range.kind,
            .rid = slot->rid,
            .lo = slot->range.lo,
            .hi = slot->range.hi,
            .total = slot->credit };
        fits = ki_frame_put(w, &p);
    }
    if (fits) {
        slot->sent_ns = slot->tries == 0 ? s->now_ns : slot->sent_ns;
        slot->tries++;
        slot->due_ns = s->now_ns + ki_patience(s, x, slot->tries);
    }
    return fits;
}

/* Packets of ranges still come: their ENDs are not late. */
static void be_patient(const ki_sync *s, const ki_exchange *x, ki_slot *slot) {
    uint64_t due = x->moved_ns + ki_patience(s, x, 1);
    if (slot->range.kind == ASK_RANGE && slot->tries > 0 && slot->due_ns < due) {
        slot->due_ns = due;
    }
}

static uint32_t under_way(const ki_exchange *x, uint8_t kind) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < SYNC_WINDOW; i++) {
        n += x->slots[i].rid != 0 && x->slots[i].range.kind == kind;
    }
    return n;
}

/* The next open range, if what may come of it has room. */
static ki_slot *next_range(ki_sync *s, ki_exchange *x) {
    if (x->next_rid == x->last_rid) {
        s->stat.dropped += x->open_count;
        x->open_count = 0;
    }
    if (x->open_count == 0 || x->slot_count == SYNC_WINDOW) {
        return NULL;
    }
    const ki_range range = x->open[x->open_count - 1];
    if ((range.kind == ASK_RANGE && under_way(x, ASK_RANGE) >= SYNC_RANGES_MAX) ||
        (range.kind == ASK_EXPAND && x->slot_count > 0 &&
            x->open_count + PARTS_MAX * (x->slot_count + 1) > SYNC_OPEN_MAX)) {
        return NULL;
    }
    x->open_count--;
    ki_slot *slot = x->slots;
    while (slot->rid != 0) slot++;
    memset(slot, 0, sizeof *slot);
    slot->rid = ++x->next_rid;
    slot->range = range;
    slot->credit = range.kind == ASK_RANGE ? SYNC_CREDIT : 0;
    slot->due_ns = s->now_ns;
    if (range.kind == ASK_CELLS) {
        uint64_t ours =
            ki_set_rank(&x->view->set, range.hi) - ki_set_rank(&x->view->set, range.lo);
        slot->asked = ki_cells_first(x, ours, range.theirs);
    }
    x->slot_count++;
    return slot;
}

/* Is there less to ask than fills a frame, while answers are on their way that
 * may bring more? Then a quarter of a round trip is waited for them. */
static bool hold_back(const ki_sync *s, ki_exchange *x) {
    uint32_t ready = x->open_count;
    bool coming = false;
    for (uint32_t i = 0; i < SYNC_WINDOW; i++) {
        const ki_slot *slot = &x->slots[i];
        ready += slot->rid != 0 && slot->due_ns <= s->now_ns;
        coming = coming || (slot->rid != 0 && slot->due_ns > s->now_ns);
    }
    if (ready == 0 || ready >= FULL_ENOUGH || !coming) {
        x->hold_ns = 0;
        return false;
    }
    if (x->hold_ns == 0) {
        x->hold_ns = s->now_ns + s->peers[x->peer].rtt_ns / 4;
    }
    return x->hold_ns > s->now_ns;
}

bool ki_ask_frame(ki_sync *s, ki_exchange *x, ki_frame *ret) {
    ki_writer w;
    if (x->state == PASS_WAIT || hold_back(s, x)) {
        return false;
    }
    const ki_peer *p = &s->peers[x->peer];
    ki_head head = { .type = FRAME_ASK,
        .to = p->id,
        .from = s->me,
        .nonce = x->nonce,
        .scope = p->scope.hash,
        .floor = (uint32_t) (x->floor_us / 1000000) };
    ki_frame_begin(&w, &head);
    bool fits = true;
    for (uint32_t i = 0; i < SYNC_WINDOW && fits; i++) {
        ki_slot *slot = &x->slots[i];
        be_patient(s, x, slot);
        if (slot->rid != 0 && slot->due_ns <= s->now_ns && slot->tries < SYNC_TRIES_MAX) {
            fits = put_slot(s, x, slot, &w);
        }
    }
    while (fits) {
        ki_slot *slot = next_range(s, x);
        fits = slot != NULL && put_slot(s, x, slot, &w);
    }
    if (w.pieces == 0) {
        return false;
    }
    ki_frame_done(s, &w, p, ret);
    ki_exchange_check(x);
    return true;
}

/* The next packet of a range that the peer lacks. */
static const ki_item *next_of_range(ki_exchange *x) {
    const ki_range *range = &x->push_ranges[x->range_count - 1];
    ki_walk w;
    const ki_item *item;
    ki_walk_from(&w, &x->view->set,
        x->pushing ? (ki_bound){ x->push_last.expiry, x->push_last.id[0] } : range->lo);
    do {
        item = ki_walk_next(&w);
    } while (item != NULL && x->pushing && ki_item_order(item, &x->push_last) <= 0);
    if (item == NULL ||
        ki_bound_order((ki_bound){ item->expiry, item->id[0] }, range->hi) >= 0) {
        return NULL;
    }
    return item;
}

bool ki_ask_push(ki_sync *s, ki_exchange *x, ki_item *ret) {
    x->gained_ns = x->push_count + x->range_count > 0 ? s->now_ns : x->gained_ns;
    if (x->push_count > 0) {
        *ret = x->push[x->push_at];
        x->push_at = (x->push_at + 1) % SYNC_PUSH_MAX;
        x->push_count--;
        x->pushed++;
        return true;
    }
    while (x->range_count > 0) {
        const ki_item *item = next_of_range(x);
        if (item != NULL) {
            *ret = x->push_last = *item;
            x->pushing = true;
            x->pushed++;
            return true;
        }
        x->pushing = false;
        x->range_count--;
    }
    return false;
}
