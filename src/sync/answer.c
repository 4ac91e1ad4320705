/* SPDX-License-Identifier: Apache-2.0 */
/* The answerer: each ASK is answered from the index as it is now, and forgotten.
 * What stays is bounded: frames to send, packets asked for by tag, and ranges
 * that are being sent. What finds no room is dropped; the asker asks again. */
#include "sync/inside.h"

#include "base/check.h"

#include <kith/error.h>

#include <stdlib.h>

#define PART_LEAST 1024 /* items in a part of a large range */
#define PART_SMALL 24   /* in a part of one below twice that */

typedef struct telling {
    ki_sync *s;
    const ki_peer *peer;
    ki_head head;
    ki_writer w;
    const ki_view *view;
    ki_salt salt;
    uint64_t looks; /* items looked at for this frame */
} telling;

static void flush(telling *t) {
    ki_sync *s = t->s;
    if (t->w.pieces > 0 && s->frame_count < SYNC_FRAMES_MAX) {
        uint32_t at = (s->frame_at + s->frame_count++) % SYNC_FRAMES_MAX;
        ki_frame_done(s, &t->w, t->peer, &s->frames[at]);
    } else {
        s->stat.dropped += t->w.pieces > 0;
    }
    ki_frame_begin(&t->w, &t->head);
}

/* false: too large even for a frame of its own. */
static bool tell(telling *t, const ki_piece *piece) {
    if (ki_frame_put(&t->w, piece)) {
        return true;
    }
    flush(t);
    return ki_frame_put(&t->w, piece);
}

static uint64_t count_of(const ki_view *v, const ki_piece *ask) {
    return ki_set_rank(&v->set, ask->hi) - ki_set_rank(&v->set, ask->lo);
}

static void tell_root(telling *t, const ki_piece *ask) {
    ki_sum sum, below;
    ki_piece p = { .kind = TELL_ROOT, .rid = ask->rid };
    ki_set_total(&t->view->set, &sum);
    ki_set_below(&t->view->set, (ki_bound){ t->head.floor * UINT64_C(1000000), 0 }, &below);
    ki_sum_take(&sum, &below);
    p.total = sum.count;
    ki_salted_root(&t->salt, &sum, p.root);
    (void) tell(t, &p);
}

static void tell_items(telling *t, const ki_piece *ask) {
    ki_piece p = { .kind = TELL_ITEMS, .rid = ask->rid };
    ki_walk w;
    const ki_item *item;
    ki_walk_from(&w, &t->view->set, ask->lo);
    while ((item = ki_walk_next(&w)) != NULL && p.count < TAGS_MAX &&
           ki_bound_order((ki_bound){ item->expiry, item->id[0] }, ask->hi) < 0) {
        p.tags[p.count++] = ki_salted_tag(&t->salt, item);
    }
    (void) tell(t, &p);
}

/* Places that cut n items into equal parts; those that cannot be told apart stay
 * together. Returns how many parts. */
static uint32_t cut(const telling *t, const ki_piece *ask, uint64_t n, uint32_t parts,
    ki_bound ret[PARTS_MAX]) {
    uint64_t first = ki_set_rank(&t->view->set, ask->lo);
    uint32_t count = 0;
    for (uint32_t i = 1; i < parts; i++) {
        uint64_t at = first + n * i / parts;
        ki_item left = *ki_set_at(&t->view->set, at - 1);
        const ki_item *right = ki_set_at(&t->view->set, at);
        ki_bound place;
        if (ki_bound_between(&left, right, &place) && ki_bound_order(place, ask->lo) > 0 &&
            (count == 0 || ki_bound_order(ret[count - 1], place) < 0)) {
            ret[count++] = place;
        }
    }
    ret[count++] = ask->hi;
    return count;
}

static void tell_split(telling *t, const ki_piece *ask, uint64_t n) {
    uint64_t want = n / (n < 2 * PART_LEAST ? PART_SMALL : PART_LEAST);
    uint32_t parts = want > PARTS_MAX ? PARTS_MAX : (uint32_t) want;
    ki_piece p = { .kind = TELL_SPLIT, .rid = ask->rid };
    do {
        ki_bound at[PARTS_MAX];
        ki_sum before, below;
        p.count = cut(t, ask, n, parts, at);
        ki_set_below(&t->view->set, ask->lo, &before);
        for (uint32_t i = 0; i < p.count; i++) {
            ki_set_below(&t->view->set, at[i], &below);
            ki_sum part = below;
            ki_sum_take(&part, &before);
            p.parts[i] = (ki_part){ at[i], part.count, ki_salted_print(&t->salt, &part) };
            before = below;
        }
        parts -= parts > 2 ? 2 : 0; /* too long for a frame: fewer */
    } while (!tell(t, &p) && p.count > 2);
}

static void expand(telling *t, const ki_piece *ask) {
    uint64_t n = count_of(t->view, ask);
    if (n <= TAGS_MAX) {
        tell_items(t, ask);
    } else {
        tell_split(t, ask, n);
    }
}

static void tell_cells(telling *t, const ki_piece *ask) {
    ki_cell cells[8 * CELLS_MAX] = { 0 };
    ki_walk w;
    const ki_item *item;
    CHECK(ask->count <= 8 * CELLS_MAX);
    ki_walk_from(&w, &t->view->set, ask->lo);
    while ((item = ki_walk_next(&w)) != NULL &&
           ki_bound_order((ki_bound){ item->expiry, item->id[0] }, ask->hi) < 0) {
        uint64_t tag = ki_salted_tag(&t->salt, item);
        ki_cells_put(cells, ask->start, ask->count, tag, ki_salted_check(&t->salt, tag), 1);
    }
    for (uint32_t at = 0; at < ask->count; at += CELLS_MAX) {
        uint32_t n = ask->count - at < CELLS_MAX ? ask->count - at : CELLS_MAX;
        ki_piece p = {
            .kind = TELL_CELLS, .rid = ask->rid, .start = ask->start + at, .count = n
        };
        memcpy(p.cells, cells + at, n * sizeof *cells);
        while (p.count > 0 && !tell(t, &p)) p.count -= CELLS_STEP; /* wide counts */
    }
}

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return x == y ? 0 : x < y ? -1 : 1;
}

static void send_tagged(telling *t, ki_piece *ask) {
    ki_sync *s = t->s;
    ki_walk w;
    const ki_item *item;
    qsort(ask->tags, ask->count, sizeof *ask->tags, by_number);
    ki_walk_from(&w, &t->view->set, ask->lo);
    while ((item = ki_walk_next(&w)) != NULL &&
           ki_bound_order((ki_bound){ item->expiry, item->id[0] }, ask->hi) < 0) {
        uint64_t tag = ki_salted_tag(&t->salt, item);
        if (bsearch(&tag, ask->tags, ask->count, sizeof tag, by_number) == NULL) {
            continue;
        }
        if (s->data_count == SYNC_DATA_MAX) {
            s->stat.dropped++;
            return;
        }
        s->data[(s->data_at + s->data_count++) % SYNC_DATA_MAX] = *item;
    }
}

/* The same range asked for again is the same job, and goes on. Jobs of a pass that
 * is over make room. */
static void send_range(telling *t, const ki_piece *ask) {
    ki_job *room = NULL;
    uint32_t own = 0;
    for (uint32_t i = 0; i < SYNC_JOBS_MAX; i++) {
        ki_job *j = &t->s->jobs[i];
        if (j->peer == t->peer->id && j->nonce != t->head.nonce) {
            j->peer = 0;
            t->s->job_count--;
        }
        if (j->peer == t->peer->id && j->rid == ask->rid &&
            ki_bound_order(j->lo, ask->lo) == 0) {
            return;
        }
        own += j->peer == t->peer->id;
        room = room == NULL && j->peer == 0 ? j : room;
    }
    if (room == NULL || own == SYNC_JOBS_OF_PEER) {
        t->s->stat.dropped++;
        return;
    }
    t->s->job_count++;
    *room = (ki_job){ .peer = t->peer->id,
        .nonce = t->head.nonce,
        .scope = t->head.scope,
        .rid = ask->rid,
        .lo = ask->lo,
        .hi = ask->hi,
        .credit = ask->total < SYNC_CREDIT_MAX ? ask->total : SYNC_CREDIT_MAX };
}

static void answer_one(telling *t, ki_piece *ask) {
    uint64_t n =
        ask->kind == ASK_CELLS || ask->kind == ASK_TAGS ? count_of(t->view, ask) : 0;
    if (ask->kind == ASK_CELLS && n > SYNC_ITEMS_MAX) {
        ask->kind = ASK_EXPAND; /* it grew */
    }
    if (n <= SYNC_ITEMS_MAX) {
        t->looks += n;
    }
    if (t->looks > SYNC_LOOKS_MAX) {
        t->s->stat.shed++;
        return;
    }
    switch (ask->kind) {
    case ASK_ROOT: tell_root(t, ask); break;
    case ASK_EXPAND: expand(t, ask); break;
    case ASK_CELLS: tell_cells(t, ask); break;
    case ASK_RANGE: send_range(t, ask); break;
    default:
        if (n <= SYNC_ITEMS_MAX) {
            send_tagged(t, ask);
        }
    }
}

/* Each peer has so many ASKs a second, saved up for one. */
static bool paid(ki_sync *s, ki_peer *p) {
    uint64_t price = SECOND_NS / SYNC_ASKS_PER_S;
    if (p->tokens_ns + SECOND_NS < s->now_ns) {
        p->tokens_ns = s->now_ns - SECOND_NS;
    }
    if (p->tokens_ns > s->now_ns) {
        return false;
    }
    p->tokens_ns += price;
    return true;
}

static void say(telling *t, uint8_t kind, uint64_t total, uint8_t reason) {
    ki_piece p = { .kind = kind, .total = total, .reason = reason };
    (void) tell(t, &p);
    flush(t);
}

void ki_answer(ki_sync *s, ki_peer *p, ki_reader *r, const ki_head *head) {
    telling t = { .s = s, .peer = p, .head = *head };
    if (head->scope != p->scope.hash) {
        ki_hello_soon(s, p->id);
        return;
    }
    t.head.type = FRAME_TELL;
    t.head.to = p->id;
    t.head.from = s->me;
    ki_frame_begin(&t.w, &t.head);
    t.view = ki_index_view(s->index, &p->scope, true);
    if (t.view == NULL || !ki_view_ready(t.view)) {
        say(&t, TELL_BUSY, 1, 1);
        return;
    }
    if (!paid(s, p)) {
        s->stat.shed++;
        say(&t, TELL_BUSY, 1, 2);
        return;
    }
    if (head->floor * UINT64_C(1000000) < t.view->cut_us) {
        say(&t, TELL_FLOOR, t.view->cut_us / 1000000 + 1, 0);
        return;
    }
    ki_salt_of(head->nonce, &t.salt);
    ki_piece piece;
    while (ki_frame_next(r, &piece) == 0) answer_one(&t, &piece);
    flush(&t);
}

bool ki_answer_frame(ki_sync *s, ki_frame *ret) {
    if (s->frame_count == 0) {
        return false;
    }
    *ret = s->frames[s->frame_at];
    s->frame_at = (s->frame_at + 1) % SYNC_FRAMES_MAX;
    s->frame_count--;
    return true;
}

/* The range is sent, or its credit used: END says how far it came. */
static void end_job(ki_sync *s, ki_job *j, ki_bound reached) {
    const ki_peer *p = ki_peer_find(s, j->peer);
    ki_head head = { .type = FRAME_TELL,
        .to = j->peer,
        .from = s->me,
        .nonce = j->nonce,
        .scope = j->scope };
    ki_piece piece = { .kind = TELL_END, .rid = j->rid, .hi = reached, .total = j->sent };
    if (p != NULL && s->frame_count < SYNC_FRAMES_MAX) {
        telling t = { .s = s, .peer = p, .head = head };
        ki_frame_begin(&t.w, &head);
        (void) tell(&t, &piece);
        flush(&t);
    }
    j->peer = 0;
    s->job_count--;
}

static const ki_view *job_view(ki_sync *s, const ki_job *j) {
    for (int i = 0; i < INDEX_VIEWS_MAX; i++) {
        const ki_view *v = &s->index->views[i];
        if (v->used && v->scope.hash == j->scope) {
            return v;
        }
    }
    return NULL;
}

/* The next packet of a job; false: it ended. */
static bool job_next(ki_sync *s, ki_job *j, ki_item *ret) {
    const ki_view *v = job_view(s, j);
    const ki_item *item = NULL;
    ki_bound between = j->hi;
    if (v != NULL) {
        ki_walk w;
        ki_walk_from(
            &w, &v->set, j->begun ? (ki_bound){ j->last.expiry, j->last.id[0] } : j->lo);
        do {
            item = ki_walk_next(&w);
        } while (item != NULL && j->begun && ki_item_order(item, &j->last) <= 0);
    }
    if (item == NULL ||
        ki_bound_order((ki_bound){ item->expiry, item->id[0] }, j->hi) >= 0) {
        end_job(s, j, j->hi);
        return false;
    }
    if (j->sent >= j->credit && ki_bound_between(&j->last, item, &between)) {
        end_job(s, j, between);
        return false;
    }
    *ret = j->last = *item;
    j->begun = true;
    j->sent++;
    return true;
}

bool ki_answer_packet(ki_sync *s, ki_item *ret) {
    if (s->data_count > 0) {
        *ret = s->data[s->data_at];
        s->data_at = (s->data_at + 1) % SYNC_DATA_MAX;
        s->data_count--;
        return true;
    }
    for (uint32_t i = 0; i < SYNC_JOBS_MAX && s->job_count > 0; i++) {
        ki_job *j = &s->jobs[s->job_at % SYNC_JOBS_MAX];
        if (j->peer != 0 && job_next(s, j, ret)) {
            return true;
        }
        s->job_at++;
    }
    return false;
}

bool ki_answer_waiting(const ki_sync *s) {
    return s->frame_count > 0 || s->data_count > 0 || s->job_count > 0;
}
