/* SPDX-License-Identifier: Apache-2.0 */
#include "store/order.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

enum {
    LEAF = 256,
    SPARSE = LEAF / 4,       /* below it a leaf is laid together with a neighbour, */
    TOGETHER = LEAF / 4 * 3, /* when both have no more than this */
    AHEAD = 6,               /* records: about the time memory takes */
};

struct order_leaf {
    size_t count;
    uint64_t low_arrival; /* the fence: of the first record that was ever in front */
    uint8_t low_length;
    char low[KITH_SUBJECT_MAX];
    shelf_rec *at[LEAF];
};

void ki_order_fini(order *o) {
    for (size_t i = 0; i < o->leaf_count; i++) {
        free(o->leaves[i]);
    }
    free(o->leaves);
    *o = (order){ 0 };
}

/* ---- keys ---- */

static order_key key_of(const shelf_rec *r) {
    return (order_key){ rec_subject(r), rec_subject_length(r), r->arrival };
}

static order_key fence_of(const order_leaf *leaf) {
    return (order_key){ leaf->low, leaf->low_length, leaf->low_arrival };
}

static bool same_text(const order_key *a, const order_key *b) {
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static bool below(const order_key *a, const order_key *b) {
    int d = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);
    if (d != 0) return d < 0;
    return a->length != b->length ? a->length < b->length : a->arrival < b->arrival;
}

static void set_fence(order_leaf *leaf, const order_key *key) {
    CHECK(key->length <= KITH_SUBJECT_MAX);
    leaf->low_length = (uint8_t) key->length;
    leaf->low_arrival = key->arrival;
    memcpy(leaf->low, key->text, key->length);
}

/* ---- search ---- */

/* The last leaf whose fence is not above key. The first leaf's is below everything. */
static size_t find_leaf(const order *o, const order_key *key) {
    size_t low = 0, high = o->leaf_count;
    CHECK(high > 0);
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        order_key fence = fence_of(o->leaves[mid]);
        if (below(key, &fence)) {
            high = mid;
        } else {
            low = mid;
        }
    }
    return low;
}

static void fetch_subject(const shelf_rec *r) {
    __builtin_prefetch(rec_subject(r));
}

/* Both records that may be looked at next are on their way while one is. */
static size_t find_in_leaf(const order_leaf *leaf, const order_key *key) {
    size_t low = 0, high = leaf->count;
    CHECK(high <= LEAF);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        fetch_subject(leaf->at[low + (mid - low) / 2]);
        if (mid + 1 < high) fetch_subject(leaf->at[mid + 1 + (high - mid - 1) / 2]);
        order_key there = key_of(leaf->at[mid]);
        if (below(&there, key)) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

order_spot ki_order_seek(const order *o, const order_key *key) {
    if (o->leaf_count == 0) {
        return (order_spot){ 0, 0 };
    }
    size_t leaf = find_leaf(o, key);
    return (order_spot){ leaf, find_in_leaf(o->leaves[leaf], key) };
}

/* The record at a spot, or beyond the end of its leaf the first of the next one. */
static shelf_rec *at_spot(const order *o, order_spot *spot) {
    if (spot->leaf < o->leaf_count && spot->at >= o->leaves[spot->leaf]->count) {
        *spot = (order_spot){ spot->leaf + 1, spot->at - o->leaves[spot->leaf]->count };
    }
    bool there = spot->leaf < o->leaf_count && spot->at < o->leaves[spot->leaf]->count;
    return there ? o->leaves[spot->leaf]->at[spot->at] : NULL;
}

shelf_rec *ki_order_next(const order *o, order_spot *spot) {
    shelf_rec *r = at_spot(o, spot);
    order_spot ahead = { spot->leaf, spot->at + AHEAD };
    const shelf_rec *later = r == NULL ? NULL : at_spot(o, &ahead);
    if (later != NULL) {
        rec_fetch(later);
    }
    spot->at += r != NULL;
    return r;
}

shelf_rec *ki_order_prev(const order *o, order_spot *spot) {
    if (spot->at == 0) {
        if (spot->leaf == 0) return NULL;
        spot->leaf--;
        spot->at = o->leaves[spot->leaf]->count;
    }
    const order_leaf *leaf = o->leaves[spot->leaf];
    CHECK(spot->at <= leaf->count);
    spot->at--;
    if (spot->at >= AHEAD) {
        rec_fetch(leaf->at[spot->at - AHEAD]);
    }
    return leaf->at[spot->at];
}

/* ---- change ---- */

/* Has a neighbour of the spot the same subject? */
static bool has_kin(const order *o, order_spot spot, const order_key *key) {
    order_spot before = spot;
    const shelf_rec *near[] = { ki_order_prev(o, &before), at_spot(o, &spot) };
    for (size_t i = 0; i < 2; i++) {
        order_key there = near[i] == NULL ? (order_key){ "", 0, 0 } : key_of(near[i]);
        if (near[i] != NULL && same_text(&there, key)) return true;
    }
    return false;
}

/* An empty leaf at i, its fence not yet set. */
static int insert_leaf(order *o, size_t i) {
    if (o->leaf_count == o->leaf_room) {
        size_t room = o->leaf_room == 0 ? 16 : o->leaf_room * 2;
        order_leaf **grown = realloc(o->leaves, room * sizeof(order_leaf *));
        if (grown == NULL) return KITH_E_MEMORY;
        o->leaves = grown;
        o->leaf_room = room;
    }
    order_leaf *leaf = malloc(sizeof *leaf);
    if (leaf == NULL) {
        return KITH_E_MEMORY;
    }
    leaf->count = 0;
    memmove(o->leaves + i + 1, o->leaves + i, (o->leaf_count - i) * sizeof *o->leaves);
    o->leaves[i] = leaf;
    o->leaf_count++;
    return 0;
}

static int split(order *o, size_t i) {
    int r = insert_leaf(o, i + 1);
    if (r < 0) {
        return r;
    }
    order_leaf *lower = o->leaves[i], *upper = o->leaves[i + 1];
    CHECK(lower->count == LEAF);
    upper->count = LEAF / 2;
    lower->count -= upper->count;
    memcpy(upper->at, lower->at + lower->count, upper->count * sizeof *upper->at);
    CHECK(lower->count > 0);
    order_key first = key_of(upper->at[0]);
    set_fence(upper, &first);
    return 0;
}

int ki_order_add(order *o, shelf_rec *r) {
    order_key key = key_of(r);
    if (o->leaf_count == 0) {
        int failed = insert_leaf(o, 0);
        if (failed < 0) return failed;
        set_fence(o->leaves[0], &(order_key){ "", 0, 0 });
    }
    size_t i = find_leaf(o, &key);
    if (o->leaves[i]->count == LEAF) {
        int failed = split(o, i);
        if (failed < 0) return failed;
        i = find_leaf(o, &key);
    }
    order_leaf *leaf = o->leaves[i];
    size_t at = find_in_leaf(leaf, &key);
    CHECK(leaf->count < LEAF && at <= leaf->count);
    o->subjects += !has_kin(o, (order_spot){ i, at }, &key);
    memmove(leaf->at + at + 1, leaf->at + at, (leaf->count - at) * sizeof *leaf->at);
    leaf->at[at] = r;
    leaf->count++;
    o->count++;
    return 0;
}

static void drop_leaf(order *o, size_t i) {
    CHECK(o->leaves[i]->count == 0);
    free(o->leaves[i]);
    o->leaf_count--;
    memmove(o->leaves + i, o->leaves + i + 1, (o->leaf_count - i) * sizeof *o->leaves);
    if (i == 0 && o->leaf_count > 0) {
        set_fence(o->leaves[0], &(order_key){ "", 0, 0 });
    }
}

/* Lays leaf i + 1 behind leaf i, if there are both and they are light. */
static void join(order *o, size_t i) {
    if (i + 1 >= o->leaf_count) {
        return;
    }
    order_leaf *lower = o->leaves[i], *upper = o->leaves[i + 1];
    if (lower->count + upper->count > TOGETHER) {
        return;
    }
    memcpy(lower->at + lower->count, upper->at, upper->count * sizeof *upper->at);
    lower->count += upper->count;
    upper->count = 0;
    drop_leaf(o, i + 1);
}

void ki_order_remove(order *o, const shelf_rec *r) {
    order_key key = key_of(r);
    order_spot spot = ki_order_seek(o, &key);
    CHECK(at_spot(o, &spot) == r);
    order_leaf *leaf = o->leaves[spot.leaf];
    leaf->count--;
    memmove(leaf->at + spot.at, leaf->at + spot.at + 1,
        (leaf->count - spot.at) * sizeof *leaf->at);
    CHECK(o->count > 0 && o->subjects > 0 && o->subjects <= o->count);
    o->count--;
    o->subjects -= !has_kin(o, spot, &key);
    if (leaf->count == 0) {
        drop_leaf(o, spot.leaf);
    } else if (leaf->count < SPARSE) {
        join(o, spot.leaf);
        if (spot.leaf > 0) join(o, spot.leaf - 1);
    }
}

/* ---- check ---- */

static const char *check_leaf(const order *o, size_t i, order_key *last, order *sum) {
    const order_leaf *leaf = o->leaves[i];
    order_key fence = fence_of(leaf);
    if (leaf->count == 0 || leaf->count > LEAF) return "order: a leaf's count";
    if (i == 0 && fence.length != 0) return "order: something is below the first fence";
    for (size_t k = 0; k < leaf->count; k++) {
        order_key key = key_of(leaf->at[k]);
        if (sum->count > 0 && !below(last, &key)) return "order: records out of order";
        if (below(&key, &fence)) return "order: a record below its leaf's fence";
        sum->subjects += sum->count == 0 || !same_text(last, &key);
        sum->count++;
        *last = key;
    }
    order_key next = i + 1 < o->leaf_count ? fence_of(o->leaves[i + 1]) : *last;
    bool above = i + 1 < o->leaf_count && !below(last, &next);
    return above ? "order: a record above the next leaf's fence" : NULL;
}

const char *ki_order_check(const order *o) {
    order_key last = { "", 0, 0 };
    order sum = { 0 };
    if (o->leaf_count > o->leaf_room) return "order: more leaves than room";
    for (size_t i = 0; i < o->leaf_count; i++) {
        const char *wrong = check_leaf(o, i, &last, &sum);
        if (wrong != NULL) return wrong;
    }
    if (sum.count != o->count) return "order: the number of records";
    return sum.subjects != o->subjects ? "order: the number of subjects" : NULL;
}
