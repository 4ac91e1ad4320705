/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/index.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/wire.h"

#include <kith/error.h>

#include <stdlib.h>

#define SECOND UINT64_C(1000000)

/* The wall clock has not moved for so long: it stands. */
#define STANDING_NS UINT64_C(3000000000)

/* Expired packets that leave a view in one tick. */
#define CUT_MAX 256

/* The wall clock went back by more than this: it was wrong before. */
#define BACK_S (LIMIT_FUTURE_US / 1000000)

_Static_assert(INDEX_SETTLE_US % SECOND == 0, "boundaries are seconds");

void ki_item_of(
    ki_item *ret, int64_t expires_us, const uint8_t id[KITH_ID_SIZE], uint64_t arrival) {
    *ret = (ki_item){ .expiry = expires_us < 0 ? 0 : (uint64_t) expires_us,
        .id = { wire_get64(id), wire_get64(id + 8) },
        .arrival = arrival };
}

void ki_index_init(ki_index *x) {
    memset(x, 0, sizeof *x);
}

static void clear(ki_view *v) {
    ki_set_fini(&v->set);
    free(v->late);
    v->late = NULL;
    v->late_count = v->late_size = 0;
    memset(v->roots, 0, sizeof v->roots);
    v->fed = 0;
    v->starved = false;
    v->changes++;
}

void ki_index_fini(ki_index *x) {
    for (int i = 0; i < INDEX_VIEWS_MAX; i++) clear(&x->views[i]);
    ki_index_init(x);
}

/* An item that enters counts at every boundary at which it was settled. */
static void enter(ki_view *v, const ki_item *item, uint64_t settle_us) {
    int r = ki_set_add(&v->set, item);
    if (r != 0) {
        v->starved = v->starved || r == KITH_E_MEMORY;
        return;
    }
    v->changes++;
    for (int i = 0; i < INDEX_ROOTS; i++) {
        uint64_t at = v->roots[i].second * SECOND;
        if (at != 0 && settle_us <= at && item->expiry >= at) {
            ki_sum one;
            ki_sum_of(item, &one);
            ki_sum_add(&v->roots[i].sum, &one);
        }
    }
}

static bool late_room(ki_view *v) {
    if (v->late_count < v->late_size) {
        return true;
    }
    uint32_t size = v->late_size == 0 ? 64 : 2 * v->late_size;
    ki_late *more = size > INDEX_LATE_MAX ? NULL : realloc(v->late, size * sizeof *v->late);
    if (more == NULL) {
        return false;
    }
    v->late = more;
    v->late_size = size;
    return true;
}

/* Fills the hole at i with this one, or with what must stand above it. */
static void late_sift(ki_view *v, uint32_t i, ki_late late) {
    while (i > 0 && v->late[(i - 1) / 2].due_us > late.due_us) {
        v->late[i] = v->late[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    for (uint32_t k = 2 * i + 1; k < v->late_count; k = 2 * i + 1) {
        k += k + 1 < v->late_count && v->late[k + 1].due_us < v->late[k].due_us;
        if (late.due_us <= v->late[k].due_us) {
            break;
        }
        v->late[i] = v->late[k];
        i = k;
    }
    v->late[i] = late;
}

static ki_late late_take(ki_view *v) {
    CHECK(v->late_count > 0);
    ki_late first = v->late[0], last = v->late[--v->late_count];
    if (v->late_count > 0) {
        late_sift(v, 0, last);
    }
    return first;
}

/* The first boundary at which something is `age` old. */
static uint64_t boundary_after(int64_t from_us, uint64_t age) {
    uint64_t from = from_us < 0 ? 0 : (uint64_t) from_us;
    return (from + age + SECOND - 1) / SECOND * SECOND;
}

static void feed_view(ki_view *v, const ki_entry *e, uint64_t now_us) {
    uint64_t settle = boundary_after(e->t_end_us, INDEX_SETTLE_US);
    uint64_t here = boundary_after(e->arrived_us, INDEX_SETTLE_US + SECOND);
    uint64_t due = settle < here ? settle : here;
    if (due > now_us && late_room(v)) {
        v->late_count++;
        late_sift(v, v->late_count - 1, (ki_late){ due, settle, e->item });
    } else {
        enter(v, &e->item, settle);
    }
}

uint64_t ki_view_through(const ki_view *v) {
    uint64_t through = v->fed;
    for (uint32_t i = 0; i < v->late_count; i++) {
        uint64_t before = v->late[i].item.arrival - 1;
        through = before < through ? before : through;
    }
    return through;
}

static void remember(ki_view *v, uint64_t second) {
    ki_boundary *root = &v->roots[second % INDEX_ROOTS];
    ki_sum expired;
    root->second = second;
    root->through = ki_view_through(v);
    root->changes = v->changes;
    ki_set_total(&v->set, &root->sum);
    ki_set_below(&v->set, (ki_bound){ second * SECOND, 0 }, &expired);
    ki_sum_take(&root->sum, &expired);
}

/* What expires before this moment leaves. */
static uint64_t cut_below(uint64_t now_us) {
    return now_us > INDEX_KEEP_US ? now_us - INDEX_KEEP_US : 0;
}

static void cut(ki_view *v, uint64_t now_us) {
    uint64_t end = cut_below(now_us);
    for (int i = 0; i < CUT_MAX; i++) {
        const ki_item *first = ki_set_at(&v->set, 0);
        if (first == NULL || first->expiry >= end) {
            break;
        }
        ki_item item = *first;
        v->cut_us = item.expiry + 1 > v->cut_us ? item.expiry + 1 : v->cut_us;
        (void) ki_set_remove(&v->set, &item);
    }
}

/* Enters what is due; standing: all of it. */
static void settle(ki_view *v, uint64_t second, bool standing) {
    while (v->late_count > 0 && (standing || v->late[0].due_us <= second * SECOND)) {
        ki_late late = late_take(v);
        enter(v, &late.item, late.settle_us);
    }
}

/* From the store once more. */
static void build_anew(ki_view *v, uint64_t last) {
    clear(v);
    v->needed = last;
}

/* The time went back: what was cut, or not even read, as long expired, is not. */
static void turn_back(ki_index *x) {
    for (int i = 0; i < INDEX_VIEWS_MAX; i++) {
        x->views[i].cut_us = cut_below(x->now_us);
    }
    ki_index_rebuild(x);
}

void ki_index_tick(ki_index *x, kith_time now, uint64_t last) {
    x->now_us = now.wall_us < 0 ? 0 : (uint64_t) now.wall_us;
    x->now_ns = now.mono_ns;
    x->last = last;
    uint64_t second = x->now_us / SECOND;
    if (second + (uint64_t) BACK_S < x->second) {
        turn_back(x);
    }
    bool next = second != x->second;
    bool standing = !next && now.mono_ns > x->second_ns + STANDING_NS;
    for (int i = 0; i < INDEX_VIEWS_MAX; i++) {
        ki_view *v = &x->views[i];
        if (!v->used) {
            continue;
        }
        v->needed = x->second == 0 ? last : v->needed;
        if (v->starved && (next || standing)) {
            build_anew(v, last); /* what is missing in it would never be given to anybody */
        }
        settle(v, second, standing);
        if ((next || standing) && ki_view_ready(v)) {
            remember(v, second);
        }
        cut(v, x->now_us);
    }
    x->second = second;
    x->second_ns = next || standing ? now.mono_ns : x->second_ns;
}

uint64_t ki_index_behind(const ki_index *x) {
    uint64_t behind = UINT64_MAX;
    for (int i = 0; i < INDEX_VIEWS_MAX; i++) {
        const ki_view *v = &x->views[i];
        if (v->used && v->fed < x->last && v->fed < behind) {
            behind = v->fed;
        }
    }
    return behind;
}

void ki_index_feed(ki_index *x, const ki_entry *e) {
    for (int i = 0; i < INDEX_VIEWS_MAX; i++) {
        ki_view *v = &x->views[i];
        if (v->used && v->fed < e->item.arrival &&
            ki_scope_holds(&v->scope, e->subject, e->source)) {
            feed_view(v, e, x->now_us);
        }
    }
}

void ki_index_fed(ki_index *x, uint64_t after, uint64_t through) {
    CHECK(after <= through);
    for (int i = 0; i < INDEX_VIEWS_MAX; i++) {
        ki_view *v = &x->views[i];
        bool was_ready = ki_view_ready(v);
        if (v->used && v->fed >= after && v->fed < through) {
            v->fed = through;
        }
        if (v->used && !was_ready && ki_view_ready(v) && x->second != 0) {
            remember(v, x->second);
        }
    }
}

bool ki_view_ready(const ki_view *v) {
    return v->used && v->fed >= v->needed;
}

const ki_boundary *ki_view_at(const ki_view *v, uint64_t second) {
    const ki_boundary *root = &v->roots[second % INDEX_ROOTS];
    return root->second == second && second != 0 ? root : NULL;
}

const ki_boundary *ki_view_told(const ki_view *v, uint64_t second) {
    for (uint64_t back = 1; second > 1; back--) {
        const ki_boundary *root = &v->roots[(second - back) % INDEX_ROOTS];
        if (root->second == second - back) {
            return root;
        }
        if (back == 0) {
            break;
        }
    }
    return NULL;
}

static bool same_scope(const ki_scope *a, const ki_scope *b) {
    if (a->hash != b->hash || a->same != b->same) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (a->patterns[i].length != b->patterns[i].length ||
            memcmp(a->patterns[i].bytes, b->patterns[i].bytes, a->patterns[i].length) !=
                0 ||
            memcmp(a->key[i], b->key[i], KITH_KEY_SIZE) != 0) {
            return false;
        }
    }
    return true;
}

static bool free_for_use(const ki_index *x, const ki_view *v) {
    return !v->used || (v->pins == 0 && v->used_ns + INDEX_HOLD_NS <= x->now_ns);
}

/* Each packet may stand in eight views, or in more where most of them hold few. What
 * is still being read counts as the largest. */
static bool roomy(const ki_index *x) {
    uint64_t used = 0, items = 0, unread = 0, largest = 0;
    for (int i = 0; i < INDEX_VIEWS_MAX; i++) {
        const ki_view *v = &x->views[i];
        used += v->used;
        unread += v->used && !ki_view_ready(v);
        items += v->set.count;
        largest = v->set.count > largest ? v->set.count : largest;
    }
    return used < INDEX_VIEWS_ANY ||
           items + unread * largest <= (INDEX_VIEWS_ANY - 1) * largest + INDEX_SMALL;
}

ki_view *ki_index_view(ki_index *x, const ki_scope *scope, bool make) {
    ki_view *room = NULL, *oldest = NULL;
    for (int i = 0; i < INDEX_VIEWS_MAX; i++) {
        ki_view *v = &x->views[i];
        if (v->used && same_scope(&v->scope, scope)) {
            v->used_ns = x->now_ns;
            return v;
        }
        room = room == NULL && !v->used ? v : room;
        if (v->used && free_for_use(x, v) &&
            (oldest == NULL || v->used_ns < oldest->used_ns)) {
            oldest = v;
        }
    }
    room = room == NULL || !roomy(x) ? oldest : room;
    if (room == NULL || !make) {
        return NULL;
    }
    clear(room);
    room->used = true;
    room->changes = ++x->made << 40;
    room->used_ns = x->now_ns;
    room->scope = *scope;
    room->needed = x->second == 0 ? UINT64_MAX : x->last; /* the first tick tells */
    room->cut_us = cut_below(x->now_us);
    return room;
}

static bool leave(ki_view *v, const ki_item *item) {
    for (uint32_t i = 0; i < v->late_count; i++) {
        if (ki_item_order(&v->late[i].item, item) == 0) {
            ki_late last = v->late[--v->late_count];
            if (i < v->late_count) {
                late_sift(v, i, last);
            }
            return true;
        }
    }
    if (!ki_set_remove(&v->set, item)) {
        return false;
    }
    v->changes++;
    memset(v->roots, 0, sizeof v->roots);
    return true;
}

void ki_index_drop(ki_index *x, const ki_item *item) {
    for (int i = 0; i < INDEX_VIEWS_MAX; i++) (void) leave(&x->views[i], item);
}

void ki_index_lost(ki_index *x, const ki_item *item) {
    for (int i = 0; i < INDEX_VIEWS_MAX; i++) {
        ki_view *v = &x->views[i];
        if (leave(v, item)) {
            v->cut_us = item->expiry + 1 > v->cut_us ? item->expiry + 1 : v->cut_us;
        }
    }
}

void ki_index_rebuild(ki_index *x) {
    for (int i = 0; i < INDEX_VIEWS_MAX; i++) {
        ki_view *v = &x->views[i];
        if (v->used) build_anew(v, x->last);
    }
}
