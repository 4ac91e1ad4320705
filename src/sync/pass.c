/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer means: ranges that agree are done with, others are opened,
 * pushed or fetched. A piece belongs to the range whose number it bears, whatever
 * attempt it answers; what belongs to none is late, and dropped. */
#include "sync/inside.h"

#include "base/check.h"

#include <stdlib.h>

#define CELLS_LEAST    17 /* items of a range worth coding; fewer are listed */
#define CELLS_MOST     2048
#define CELLS_APART    48 /* counts that differ by more: split first */
#define CELLS_BEGIN    8
#define CELLS_DENSE    32
#define CELLS_SPARE    4 /* beyond 1.4 for each difference */
#define DECODED_ENOUGH 4
#define PARTS_ENOUGH   20
#define PAUSE_MAX_S    300

static uint32_t cells_limit(uint64_t ours, uint64_t theirs) {
    uint64_t most = (ours > theirs ? ours : theirs) * 5 / 8 / CELLS_STEP * CELLS_STEP;
    most = most < CELLS_BEGIN ? CELLS_BEGIN : most;
    return most > SYNC_CELLS_MAX ? SYNC_CELLS_MAX : (uint32_t) most;
}

/* How many cells to ask for first: as many as differences can be guessed. Counts
 * tell the least; ranges that were decoded before tell the usual; before any was,
 * how many of all parts of this size differ. */
uint32_t ki_cells_first(const ki_exchange *x, uint64_t ours, uint64_t theirs) {
    uint64_t apart = ours > theirs ? ours - theirs : theirs - ours;
    uint64_t n = CELLS_BEGIN, least = apart * 7 / 5 + CELLS_SPARE;
    if (x->decoded >= DECODED_ENOUGH) {
        n = x->decoded_diffs * theirs * 7 / (5 * (x->decoded_items + 1)) + CELLS_SPARE;
    } else if (x->parts_seen >= PARTS_ENOUGH && 8 * x->parts_differ > 7 * x->parts_seen) {
        n = CELLS_DENSE;
    }
    n = ((n > least ? n : least) + CELLS_STEP - 1) / CELLS_STEP * CELLS_STEP;
    uint32_t limit = cells_limit(ours, theirs);
    return n > limit ? limit : (uint32_t) n;
}

static uint64_t count_in(const ki_exchange *x, const ki_range *range) {
    return ki_set_rank(&x->view->set, range->hi) - ki_set_rank(&x->view->set, range->lo);
}

/* One part of a range that was split: `differing` means that most parts are. */
static void take_part(
    ki_sync *s, ki_exchange *x, ki_range *part, uint64_t ours, uint64_t theirs) {
    uint64_t apart = ours > theirs ? ours - theirs : theirs - ours;
    part->theirs = theirs > UINT32_MAX ? UINT32_MAX : (uint32_t) theirs;
    if (theirs == 0) {
        ki_push_range(s, x, part);
        return;
    }
    if (ours < (theirs + 7) / 8) {
        part->kind = ASK_RANGE;
        part->dense = ours == 0; /* what comes of it tells how far it came */
    } else if (ours >= CELLS_LEAST && theirs >= CELLS_LEAST && ours <= CELLS_MOST &&
               theirs <= CELLS_MOST && apart <= CELLS_APART &&
               !(part->dense && theirs <= TAGS_MAX)) {
        part->kind = ASK_CELLS;
    } else {
        part->kind = ASK_EXPAND;
    }
    ki_range_open(s, x, part);
}

typedef struct parts {
    uint64_t ours[PARTS_MAX];
    bool differs[PARTS_MAX];
    uint32_t differing;
} parts;

static void compare(
    const ki_exchange *x, const ki_range *range, const ki_piece *p, parts *ret) {
    ki_sum before, below;
    ret->differing = 0;
    ki_set_below(&x->view->set, range->lo, &before);
    for (uint32_t i = 0; i < p->count; i++) {
        ki_bound hi = i + 1 == p->count ? range->hi : p->parts[i].hi;
        ki_set_below(&x->view->set, hi, &below);
        ki_sum part = below;
        ki_sum_take(&part, &before);
        before = below;
        ret->ours[i] = part.count;
        ret->differs[i] = part.count != p->parts[i].count ||
                          ki_salted_print(&x->salt, &part) != p->parts[i].print;
        ret->differing += ret->differs[i];
    }
}

static void take_split(ki_sync *s, ki_exchange *x, ki_slot *slot, const ki_piece *p) {
    const ki_range range = slot->range;
    parts own;
    uint32_t last = p->count - 1;
    if (last > 0 && (ki_bound_order(range.lo, p->parts[0].hi) >= 0 ||
                        ki_bound_order(p->parts[last - 1].hi, range.hi) >= 0)) {
        return; /* not of this range */
    }
    compare(x, &range, p, &own);
    ki_slot_free(x, slot);
    if (p->count == 1) { /* cannot be split: all of it, both ways */
        ki_range all = range;
        ki_push_range(s, x, &all);
        all.kind = ASK_RANGE;
        ki_range_open(s, x, &all);
        return;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        ki_range part = { .lo = i == 0 ? range.lo : p->parts[i - 1].hi,
            .hi = i == last ? range.hi : p->parts[i].hi,
            .dense = 2 * own.differing > p->count };
        bool leaf = p->parts[i].count <= CELLS_MOST;
        x->parts_seen += leaf;
        x->parts_differ += leaf && own.differs[i];
        if (own.differs[i]) {
            take_part(s, x, &part, own.ours[i], p->parts[i].count);
        }
    }
}

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return x == y ? 0 : x < y ? -1 : 1;
}

static bool is_refused(const ki_exchange *x, uint64_t tag) {
    return bsearch(&tag, x->refused, x->refused_count, sizeof tag, by_number) != NULL;
}

/* The slot goes on to ask for these; none: it is done. */
static void want(
    ki_sync *s, ki_exchange *x, ki_slot *slot, const uint64_t *tags, uint32_t count) {
    uint64_t wanted[SYNC_CELLS_MAX];
    uint32_t n = 0;
    CHECK(count <= SYNC_CELLS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_refused(x, tags[i])) {
            wanted[n++] = tags[i];
        }
    }
    if (n == 0) {
        ki_slot_free(x, slot);
        return;
    }
    slot->range.kind = ASK_TAGS;
    slot->tries = slot->tag_at = 0;
    slot->tag_count = n;
    slot->due_ns = s->now_ns;
    memcpy(slot->tags, wanted, n * sizeof *wanted);
}

/* Pushes what we have in a range and `tags`, sorted, says they lack: all but
 * those, or only those. */
static void push_tagged(ki_sync *s, ki_exchange *x, const ki_range *range,
    const uint64_t *tags, uint32_t count, bool only) {
    ki_walk w;
    const ki_item *item;
    ki_walk_from(&w, &x->view->set, range->lo);
    while ((item = ki_walk_next(&w)) != NULL &&
           ki_bound_order((ki_bound){ item->expiry, item->id[0] }, range->hi) < 0) {
        uint64_t tag = ki_salted_tag(&x->salt, item);
        bool found = bsearch(&tag, tags, count, sizeof tag, by_number) != NULL;
        if (found == only) {
            ki_push_item(s, x, item);
        }
    }
}

static void take_items(ki_sync *s, ki_exchange *x, ki_slot *slot, const ki_piece *p) {
    uint64_t tags[TAGS_MAX], missing[TAGS_MAX];
    uint32_t n = 0;
    bool have[TAGS_MAX] = { false };
    ki_walk w;
    const ki_item *item;
    memcpy(tags, p->tags, p->count * sizeof *tags);
    qsort(tags, p->count, sizeof *tags, by_number);
    if (count_in(x, &slot->range) > SYNC_ITEMS_MAX) {
        ki_push_range(s, x, &slot->range);
    } else {
        ki_walk_from(&w, &x->view->set, slot->range.lo);
        while (
            (item = ki_walk_next(&w)) != NULL &&
            ki_bound_order((ki_bound){ item->expiry, item->id[0] }, slot->range.hi) < 0) {
            uint64_t tag = ki_salted_tag(&x->salt, item);
            const uint64_t *at = bsearch(&tag, tags, p->count, sizeof tag, by_number);
            if (at != NULL) {
                have[at - tags] = true;
            }
        }
        push_tagged(s, x, &slot->range, tags, p->count, false);
    }
    for (uint32_t i = 0; i < p->count; i++) {
        if (!have[i]) {
            missing[n++] = tags[i];
        }
    }
    want(s, x, slot, missing, n);
}

static uint32_t check_of(const void *ctx, uint64_t tag) {
    const ki_exchange *x = ctx;
    return ki_salted_check(&x->salt, tag);
}

/* Their cells less ours. */
static int decode(const ki_exchange *x, const ki_slot *slot, ki_diff *ret) {
    ki_cell cells[SYNC_CELLS_MAX];
    ki_walk w;
    const ki_item *item;
    memcpy(cells, slot->cells, slot->asked * sizeof *cells);
    ki_walk_from(&w, &x->view->set, slot->range.lo);
    while ((item = ki_walk_next(&w)) != NULL &&
           ki_bound_order((ki_bound){ item->expiry, item->id[0] }, slot->range.hi) < 0) {
        uint64_t tag = ki_salted_tag(&x->salt, item);
        ki_cells_put(cells, 0, slot->asked, tag, ki_salted_check(&x->salt, tag), -1);
    }
    return ki_cells_peel(cells, slot->asked, check_of, x, ret);
}

/* Twice as many cells; beyond what is worth it, smaller ranges. */
static void more_cells(ki_sync *s, ki_exchange *x, ki_slot *slot) {
    uint32_t limit = cells_limit(count_in(x, &slot->range), slot->range.theirs);
    slot->tries = 0;
    slot->due_ns = s->now_ns;
    if (slot->asked < limit) {
        slot->asked = 2 * slot->asked > limit ? limit : 2 * slot->asked;
        return;
    }
    ki_range range = slot->range;
    range.kind = ASK_EXPAND;
    ki_slot_free(x, slot);
    ki_range_open(s, x, &range);
}

static void take_cells(ki_sync *s, ki_exchange *x, ki_slot *slot, const ki_piece *p) {
    ki_diff diffs[SYNC_CELLS_MAX];
    uint64_t ours[SYNC_CELLS_MAX], theirs[SYNC_CELLS_MAX];
    uint32_t own = 0, n = 0, eights = slot->asked / CELLS_STEP;
    if (p->start + p->count > slot->asked || count_in(x, &slot->range) > SYNC_ITEMS_MAX) {
        return;
    }
    memcpy(slot->cells + p->start, p->cells, p->count * sizeof *p->cells);
    for (uint32_t i = 0; i < p->count / CELLS_STEP; i++) {
        slot->got |= 1u << (p->start / CELLS_STEP + i);
    }
    if (slot->got != (eights == 32 ? UINT32_MAX : (1u << eights) - 1)) {
        return;
    }
    int found = decode(x, slot, diffs);
    if (found < 0) {
        more_cells(s, x, slot);
        return;
    }
    x->decoded++;
    x->decoded_diffs += (uint64_t) found;
    x->decoded_items += slot->range.theirs;
    for (int i = 0; i < found; i++) {
        if (diffs[i].theirs) {
            theirs[n++] = diffs[i].tag;
        } else {
            ours[own++] = diffs[i].tag;
        }
    }
    qsort(ours, own, sizeof *ours, by_number);
    if (own > 0) {
        push_tagged(s, x, &slot->range, ours, own, true);
    }
    want(s, x, slot, theirs, n);
}

static void take_end(ki_sync *s, ki_exchange *x, ki_slot *slot, const ki_piece *p) {
    if (ki_bound_order(p->hi, slot->range.lo) <= 0 ||
        ki_bound_order(p->hi, slot->range.hi) > 0) {
        return; /* no step forward */
    }
    if (ki_bound_order(p->hi, slot->range.hi) == 0) {
        ki_slot_free(x, slot);
        return;
    }
    slot->range.lo = p->hi;
    slot->credit = 2 * slot->credit > SYNC_CREDIT_MAX ? SYNC_CREDIT_MAX : 2 * slot->credit;
    slot->tries = 0;
    slot->due_ns = s->now_ns;
}

/* Its root is ours: it has what we have. Unless what expires soonest was left out
 * because the peer has cut it off: then nothing is known of that. */
static void receipt(ki_sync *s, const ki_exchange *x) {
    s->peers[x->peer].agreed_ns = s->now_ns;
    const ki_set *set = &x->view->set;
    uint64_t soon = (s->index->now_us / 1000000 + 2) * 1000000;
    if (x->floor_us <= soon || ki_set_rank(set, (ki_bound){ x->floor_us, 0 }) ==
                                   ki_set_rank(set, (ki_bound){ soon, 0 })) {
        ki_peer_agreed(s, &s->peers[x->peer], ki_view_through(x->view));
    }
}

/* The pass is judged: equal, or on with the next, or enough of it. */
static void take_root(ki_sync *s, ki_exchange *x, const ki_piece *p) {
    ki_sum sum, below;
    uint8_t root[ROOT_SIZE];
    ki_set_total(&x->view->set, &sum);
    ki_set_below(&x->view->set, (ki_bound){ x->floor_us, 0 }, &below);
    ki_sum_take(&sum, &below);
    ki_salted_root(&x->salt, &sum, root);
    if (sum.count == p->total && memcmp(root, p->root, ROOT_SIZE) == 0) {
        receipt(s, x);
        ki_ask_end(s, x, true, 0);
        return;
    }
    bool moved = x->changes != x->view->changes || x->their_count != p->total;
    x->idle_passes = moved ? 0 : x->idle_passes + 1;
    x->changes = x->view->changes;
    x->their_count = p->total;
    if (x->idle_passes >= SYNC_IDLE_PASSES || x->passes >= SYNC_PASSES_MAX) {
        bool better = x->idle_passes < SYNC_IDLE_PASSES && x->gained > 0;
        ki_ask_end(s, x, false, better ? SECOND_NS : 0);
        return;
    }
    ki_pass_begin(s, x);
}

/* The peer has cut off more than we: both look above that. */
static void take_floor(ki_sync *s, ki_exchange *x, uint64_t seconds) {
    uint64_t floor = seconds * 1000000;
    s->stat.floors++;
    if (floor <= x->floor_us) {
        return;
    }
    if (x->passes >= SYNC_PASSES_MAX) {
        ki_ask_end(s, x, false, 0);
        return;
    }
    x->floor_us = floor;
    ki_pass_begin(s, x);
}

static void take_busy(ki_sync *s, ki_exchange *x, uint64_t seconds) {
    s->stat.busy++;
    seconds = seconds > PAUSE_MAX_S ? PAUSE_MAX_S : seconds;
    for (uint32_t i = 0; i < SYNC_WINDOW; i++) {
        ki_slot *slot = &x->slots[i];
        if (slot->rid != 0 && slot->tries > 0) {
            slot->due_ns = s->now_ns + (seconds == 0 ? 1 : seconds) * SECOND_NS;
        }
    }
}

static ki_slot *slot_of(ki_exchange *x, uint32_t rid) {
    for (uint32_t i = 0; i < SYNC_WINDOW && rid != 0; i++) {
        if (x->slots[i].rid == rid) {
            return &x->slots[i];
        }
    }
    return NULL;
}

/* How long an answer took, if it is clear which attempt it answers. */
static void measure(ki_sync *s, ki_peer *p, const ki_slot *slot) {
    if (slot->tries != 1 || slot->range.kind == ASK_RANGE) {
        return;
    }
    uint64_t took = s->now_ns - slot->sent_ns;
    p->rtt_ns = p->rtt_ns == 0 ? took : (7 * p->rtt_ns + took) / 8;
}

static void take_piece(ki_sync *s, ki_exchange *x, ki_peer *p, const ki_piece *piece) {
    ki_slot *slot = slot_of(x, piece->rid);
    if (slot == NULL) {
        return;
    }
    uint8_t kind = slot->range.kind;
    bool split = kind == ASK_EXPAND || kind == ASK_CELLS;
    measure(s, p, slot);
    x->moved_ns = s->now_ns;
    x->answered = true;
    if (piece->kind == TELL_SPLIT && split) {
        take_split(s, x, slot, piece);
    } else if (piece->kind == TELL_ITEMS && split) {
        take_items(s, x, slot, piece);
    } else if (piece->kind == TELL_CELLS && kind == ASK_CELLS) {
        take_cells(s, x, slot, piece);
    } else if (piece->kind == TELL_END && kind == ASK_RANGE) {
        take_end(s, x, slot, piece);
    } else if (piece->kind == TELL_ROOT && kind == ASK_ROOT) {
        take_root(s, x, piece); /* the exchange may be over */
    }
}

static ki_exchange *exchange_of(ki_sync *s, const ki_peer *p, uint64_t nonce) {
    for (int i = 0; i < SYNC_EXCHANGES_MAX; i++) {
        ki_exchange *x = s->exchanges[i];
        if (x != NULL && &s->peers[x->peer] == p && x->nonce == nonce &&
            x->state != PASS_WAIT && ki_view_ready(x->view)) {
            return x;
        }
    }
    return NULL;
}

void ki_pass_take(ki_sync *s, ki_peer *p, ki_reader *r, const ki_head *head) {
    ki_piece piece;
    ki_exchange *x;
    /* Looked up for each piece: one may end the pass. */
    while ((x = exchange_of(s, p, head->nonce)) != NULL && ki_frame_next(r, &piece) == 0) {
        if (piece.kind == TELL_FLOOR) {
            take_floor(s, x, piece.total);
        } else if (piece.kind == TELL_BUSY) {
            take_busy(s, x, piece.total);
        } else {
            take_piece(s, x, p, &piece);
        }
    }
}
