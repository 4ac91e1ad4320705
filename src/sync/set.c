/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/set.h"

#include "base/check.h"

#include <kith/error.h>

#include <stdlib.h>
#include <string.h>

enum {
    LEAF_MAX = 48,
    INNER_MAX = 32,
    HEIGHT_MAX = 12, /* 2^12 leaves, were every inner node left with two children */
};

typedef struct leaf {
    uint32_t count;
    struct leaf *before, *after;
    ki_item items[LEAF_MAX];
} leaf;

typedef struct inner {
    uint32_t count;
    void *child[INNER_MAX];
    ki_item
        low[INNER_MAX]; /* nothing in a child is below it; that of the first is unused */
    ki_sum sum[INNER_MAX];
} inner;

/* Items from..to-1 of a leaf. */
static void sum_items(const leaf *l, uint32_t from, uint32_t to, ki_sum *ret) {
    memset(ret, 0, sizeof *ret);
    for (uint32_t i = from; i < to; i++) {
        ki_sum one;
        ki_sum_of(&l->items[i], &one);
        ki_sum_add(ret, &one);
    }
}

void ki_set_init(ki_set *t) {
    memset(t, 0, sizeof *t);
}

static void free_node(void *node, int height) {
    CHECK(height < HEIGHT_MAX);
    if (height > 0) {
        inner *n = node;
        for (uint32_t i = 0; i < n->count; i++) free_node(n->child[i], height - 1);
    }
    free(node);
}

void ki_set_fini(ki_set *t) {
    if (t->root != NULL) {
        free_node(t->root, t->height);
    }
    ki_set_init(t);
}

/* The last child whose items may be as low as this one. */
static uint32_t child_of(const inner *n, const ki_item *item) {
    uint32_t low = 0, high = n->count;
    while (high - low > 1) {
        uint32_t mid = (low + high) / 2;
        *(ki_item_order(&n->low[mid], item) <= 0 ? &low : &high) = mid;
    }
    return low;
}

/* The first item of a leaf that is not below this one. */
static uint32_t place_of(const leaf *l, const ki_item *item) {
    uint32_t low = 0, high = l->count;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (ki_item_order(&l->items[mid], item) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static const leaf *leaf_of(const ki_set *t, const ki_item *item) {
    const void *node = t->root;
    for (int h = t->height; h > 0; h--) {
        const inner *n = node;
        node = n->child[child_of(n, item)];
    }
    return node;
}

bool ki_set_has(const ki_set *t, const ki_item *item) {
    if (t->root == NULL) {
        return false;
    }
    const leaf *l = leaf_of(t, item);
    uint32_t at = place_of(l, item);
    return at < l->count && ki_item_order(&l->items[at], item) == 0;
}

static void *grab(ki_set *t, size_t size) {
    void *node = calloc(1, size);
    t->bytes += node == NULL ? 0 : size;
    return node;
}

/* The upper part of a leaf moves into a new one. What comes in order leaves full
 * leaves behind. */
static leaf *split_leaf(ki_set *t, leaf *l, const ki_item *item) {
    leaf *right = grab(t, sizeof *right);
    if (right == NULL) {
        return NULL;
    }
    uint32_t keep =
        ki_item_order(&l->items[LEAF_MAX - 1], item) < 0 ? LEAF_MAX - 1 : LEAF_MAX / 2;
    right->count = LEAF_MAX - keep;
    memcpy(right->items, l->items + keep, right->count * sizeof *l->items);
    l->count = keep;
    right->after = l->after;
    right->before = l;
    if (l->after != NULL) {
        l->after->before = right;
    }
    l->after = right;
    return right;
}

static inner *split_inner(ki_set *t, inner *n, const ki_item *item) {
    inner *right = grab(t, sizeof *right);
    if (right == NULL) {
        return NULL;
    }
    uint32_t keep =
        ki_item_order(&n->low[INNER_MAX - 1], item) <= 0 ? INNER_MAX - 1 : INNER_MAX / 2;
    right->count = INNER_MAX - keep;
    memcpy(right->child, n->child + keep, right->count * sizeof *n->child);
    memcpy(right->low, n->low + keep, right->count * sizeof *n->low);
    memcpy(right->sum, n->sum + keep, right->count * sizeof *n->sum);
    n->count = keep;
    return right;
}

static bool is_full(const void *node, int height) {
    return height == 0 ? ((const leaf *) node)->count == LEAF_MAX
                       : ((const inner *) node)->count == INNER_MAX;
}

static void sum_node(const void *node, int height, ki_sum *ret) {
    if (height == 0) {
        const leaf *l = node;
        sum_items(l, 0, l->count, ret);
        return;
    }
    const inner *n = node;
    memset(ret, 0, sizeof *ret);
    for (uint32_t i = 0; i < n->count; i++) ki_sum_add(ret, &n->sum[i]);
}

/* Makes two of a full child; its parent has room. height: of the child. */
static bool split_child(ki_set *t, inner *n, uint32_t i, int height, const ki_item *item) {
    CHECK(n->count < INNER_MAX);
    void *right = height == 0 ? (void *) split_leaf(t, n->child[i], item)
                              : (void *) split_inner(t, n->child[i], item);
    if (right == NULL) {
        return false;
    }
    uint32_t rest = n->count - i - 1;
    memmove(n->child + i + 2, n->child + i + 1, rest * sizeof *n->child);
    memmove(n->low + i + 2, n->low + i + 1, rest * sizeof *n->low);
    memmove(n->sum + i + 2, n->sum + i + 1, rest * sizeof *n->sum);
    n->count++;
    n->child[i + 1] = right;
    n->low[i + 1] = height == 0 ? ((leaf *) right)->items[0] : ((inner *) right)->low[0];
    sum_node(right, height, &n->sum[i + 1]);
    ki_sum_take(&n->sum[i], &n->sum[i + 1]);
    return true;
}

/* A new root above a full one. */
static bool grow(ki_set *t, const ki_item *item) {
    CHECK(t->height < HEIGHT_MAX - 1);
    inner *root = grab(t, sizeof *root);
    if (root == NULL) {
        return false;
    }
    root->count = 1;
    root->child[0] = t->root;
    sum_node(t->root, t->height, &root->sum[0]);
    if (!split_child(t, root, 0, t->height, item)) {
        t->bytes -= sizeof *root;
        free(root);
        return false;
    }
    t->root = root;
    t->height++;
    return true;
}

/* Makes room on the way down, so that a leaf with room is found; false: memory.
 * Sums change only when nothing can fail any more. */
static bool make_room(ki_set *t, const ki_item *item) {
    if (t->root == NULL) {
        t->root = grab(t, sizeof(leaf));
        return t->root != NULL;
    }
    if (is_full(t->root, t->height) && !grow(t, item)) {
        return false;
    }
    void *node = t->root;
    for (int h = t->height; h > 0; h--) {
        inner *n = node;
        uint32_t i = child_of(n, item);
        if (is_full(n->child[i], h - 1) && !split_child(t, n, i, h - 1, item)) {
            return false;
        }
        node = n->child[child_of(n, item)];
    }
    return true;
}

int ki_set_add(ki_set *t, const ki_item *item) {
    CHECK(item->expiry != UINT64_MAX);
    if (ki_set_has(t, item)) {
        return KITH_DUPLICATE;
    }
    if (!make_room(t, item)) {
        return KITH_E_MEMORY;
    }
    ki_sum one;
    ki_sum_of(item, &one);
    void *node = t->root;
    for (int h = t->height; h > 0; h--) {
        inner *n = node;
        uint32_t i = child_of(n, item);
        ki_sum_add(&n->sum[i], &one);
        node = n->child[i];
    }
    leaf *l = node;
    CHECK(l->count < LEAF_MAX);
    uint32_t at = place_of(l, item);
    memmove(l->items + at + 1, l->items + at, (l->count - at) * sizeof *l->items);
    l->items[at] = *item;
    l->count++;
    t->count++;
    return 0;
}

static void free_leaf(ki_set *t, leaf *l) {
    if (l->before != NULL) {
        l->before->after = l->after;
    }
    if (l->after != NULL) {
        l->after->before = l->before;
    }
    t->bytes -= sizeof *l;
    free(l);
}

static void drop_child(inner *n, uint32_t i) {
    uint32_t rest = n->count - i - 1;
    memmove(n->child + i, n->child + i + 1, rest * sizeof *n->child);
    memmove(n->low + i, n->low + i + 1, rest * sizeof *n->low);
    memmove(n->sum + i, n->sum + i + 1, rest * sizeof *n->sum);
    n->count--;
}

/* Empty nodes go, from the leaf up; nodes that are merely thin stay: what is
 * removed is nearly always a whole run at the low end. */
static void prune(ki_set *t, inner *const path[], const uint32_t at[], leaf *l) {
    if (l->count > 0) {
        return;
    }
    free_leaf(t, l);
    int h = 1;
    for (; h <= t->height; h++) {
        drop_child(path[h], at[h]);
        if (path[h]->count > 0) {
            break;
        }
        t->bytes -= sizeof *path[h];
        free(path[h]);
    }
    if (h > t->height) { /* the root went too */
        ki_set_init(t);
    }
    while (t->height > 0 && ((inner *) t->root)->count == 1) {
        inner *root = t->root;
        t->root = root->child[0];
        t->height--;
        t->bytes -= sizeof *root;
        free(root);
    }
}

bool ki_set_remove(ki_set *t, const ki_item *item) {
    if (!ki_set_has(t, item)) {
        return false;
    }
    inner *path[HEIGHT_MAX];
    uint32_t at[HEIGHT_MAX];
    ki_sum one;
    ki_sum_of(item, &one);
    void *node = t->root;
    for (int h = t->height; h > 0; h--) {
        path[h] = node;
        at[h] = child_of(path[h], item);
        ki_sum_take(&path[h]->sum[at[h]], &one);
        node = path[h]->child[at[h]];
    }
    leaf *l = node;
    uint32_t place = place_of(l, item);
    l->count--;
    memmove(l->items + place, l->items + place + 1, (l->count - place) * sizeof *l->items);
    t->count--;
    prune(t, path, at, l);
    return true;
}

/* The leaf and the place in it of the first item that is not before a bound.
 * With ret: what stands before that leaf. */
static const leaf *descend(const ki_set *t, ki_bound at, ki_sum *ret, uint32_t *ret_place,
    const ki_sum **ret_whole) {
    const ki_item probe = { .expiry = at.expiry, .id = { at.id, 0 } };
    const void *node = t->root;
    *ret_whole = NULL;
    for (int h = t->height; h > 0; h--) {
        const inner *n = node;
        uint32_t i = child_of(n, &probe);
        for (uint32_t k = 0; k < i && ret != NULL; k++) ki_sum_add(ret, &n->sum[k]);
        *ret_whole = &n->sum[i];
        node = n->child[i];
    }
    *ret_place = place_of(node, &probe);
    return node;
}

void ki_set_below(const ki_set *t, ki_bound at, ki_sum *ret) {
    memset(ret, 0, sizeof *ret);
    if (t->root == NULL) {
        return;
    }
    uint32_t place;
    const ki_sum *whole;
    ki_sum part;
    const leaf *l = descend(t, at, ret, &place, &whole);
    if (whole == NULL || place <= l->count / 2) {
        sum_items(l, 0, place, &part);
        ki_sum_add(ret, &part);
    } else { /* the rest is shorter to hash */
        sum_items(l, place, l->count, &part);
        ki_sum_add(ret, whole);
        ki_sum_take(ret, &part);
    }
}

void ki_set_total(const ki_set *t, ki_sum *ret) {
    memset(ret, 0, sizeof *ret);
    if (t->root != NULL) {
        sum_node(t->root, t->height, ret);
    }
    CHECK(ret->count == t->count);
}

uint64_t ki_set_rank(const ki_set *t, ki_bound at) {
    const ki_item probe = { .expiry = at.expiry, .id = { at.id, 0 } };
    const void *node = t->root;
    uint64_t rank = 0;
    for (int h = t->height; h > 0; h--) {
        const inner *n = node;
        uint32_t i = child_of(n, &probe);
        for (uint32_t k = 0; k < i; k++) rank += n->sum[k].count;
        node = n->child[i];
    }
    return node == NULL ? 0 : rank + place_of(node, &probe);
}

const ki_item *ki_set_at(const ki_set *t, uint64_t rank) {
    if (rank >= t->count) {
        return NULL;
    }
    const void *node = t->root;
    for (int h = t->height; h > 0; h--) {
        const inner *n = node;
        uint32_t i = 0;
        while (rank >= n->sum[i].count) rank -= n->sum[i++].count;
        node = n->child[i];
    }
    const leaf *l = node;
    CHECK(rank < l->count);
    return &l->items[rank];
}

void ki_walk_from(ki_walk *w, const ki_set *t, ki_bound from) {
    const ki_sum *whole;
    w->leaf = t->root == NULL ? NULL : descend(t, from, NULL, &w->at, &whole);
}

const ki_item *ki_walk_next(ki_walk *w) {
    const leaf *l = w->leaf;
    while (l != NULL && w->at == l->count) {
        w->leaf = l = l->after;
        w->at = 0;
    }
    return l == NULL ? NULL : &l->items[w->at++];
}

static void check_leaf(const leaf *l, const leaf **last) {
    CHECK(l->count >= 1);
    CHECK(l->count <= LEAF_MAX);
    CHECK(l->before == *last);
    for (uint32_t i = 1; i < l->count; i++) {
        CHECK(ki_item_order(&l->items[i - 1], &l->items[i]) < 0);
    }
    if (*last != NULL) {
        CHECK((*last)->after == l);
        CHECK(ki_item_order(&(*last)->items[(*last)->count - 1], &l->items[0]) < 0);
    }
    *last = l;
}

static void check_node(const void *node, int height, const leaf **last, ki_sum *ret) {
    if (height == 0) {
        check_leaf(node, last);
        sum_node(node, 0, ret);
        return;
    }
    const inner *n = node;
    CHECK(n->count >= 1);
    CHECK(n->count <= INNER_MAX);
    memset(ret, 0, sizeof *ret);
    for (uint32_t i = 0; i < n->count; i++) {
        ki_sum sum;
        CHECK(i < 2 || ki_item_order(&n->low[i - 1], &n->low[i]) < 0);
        check_node(n->child[i], height - 1, last, &sum);
        CHECK(memcmp(&sum, &n->sum[i], sizeof sum) == 0);
        ki_sum_add(ret, &sum);
    }
}

void ki_set_check(const ki_set *t) {
    const leaf *last = NULL;
    ki_sum sum = { 0 };
    CHECK(t->height < HEIGHT_MAX);
    if (t->root != NULL) {
        check_node(t->root, t->height, &last, &sum);
        CHECK(last->after == NULL);
    }
    CHECK(sum.count == t->count);
}
