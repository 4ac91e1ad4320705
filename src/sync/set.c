/* SPDX-License-Identifier: Apache-2.0 */
/* A set grows and shrinks: items in, items out, nodes split and freed. */
#include "sync/set_node.h"

#include "base/check.h"

#include <kith/error.h>

#include <stdlib.h>
#include <string.h>

typedef ki_set_leaf leaf;
typedef ki_set_inner inner;

void ki_set_init(ki_set *t) {
    memset(t, 0, sizeof *t);
}

static void free_node(void *node, int height) {
    CHECK(height < SET_HEIGHT_MAX);
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
    uint32_t keep = ki_item_order(&l->items[SET_LEAF_MAX - 1], item) < 0 ? SET_LEAF_MAX - 1
                                                                         : SET_LEAF_MAX / 2;
    right->count = SET_LEAF_MAX - keep;
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
    uint32_t keep = ki_item_order(&n->low[SET_INNER_MAX - 1], item) <= 0
                        ? SET_INNER_MAX - 1
                        : SET_INNER_MAX / 2;
    right->count = SET_INNER_MAX - keep;
    memcpy(right->child, n->child + keep, right->count * sizeof *n->child);
    memcpy(right->low, n->low + keep, right->count * sizeof *n->low);
    memcpy(right->sum, n->sum + keep, right->count * sizeof *n->sum);
    n->count = keep;
    return right;
}

static bool is_full(const void *node, int height) {
    return height == 0 ? ((const leaf *) node)->count == SET_LEAF_MAX
                       : ((const inner *) node)->count == SET_INNER_MAX;
}

/* Makes two of a full child; its parent has room. height: of the child. */
static bool split_child(ki_set *t, inner *n, uint32_t i, int height, const ki_item *item) {
    CHECK(n->count < SET_INNER_MAX);
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
    ki_set_sum_node(right, height, &n->sum[i + 1]);
    ki_sum_take(&n->sum[i], &n->sum[i + 1]);
    return true;
}

/* A new root above a full one. */
static bool grow(ki_set *t, const ki_item *item) {
    CHECK(t->height < SET_HEIGHT_MAX - 1);
    inner *root = grab(t, sizeof *root);
    if (root == NULL) {
        return false;
    }
    root->count = 1;
    root->child[0] = t->root;
    ki_set_sum_node(t->root, t->height, &root->sum[0]);
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
        uint32_t i = ki_set_child(n, item);
        if (is_full(n->child[i], h - 1) && !split_child(t, n, i, h - 1, item)) {
            return false;
        }
        node = n->child[ki_set_child(n, item)];
    }
    return true;
}

static bool leaf_has(const leaf *l, const ki_item *item) {
    uint32_t at = ki_set_place(l, item);
    return at < l->count && ki_item_order(&l->items[at], item) == 0;
}

/* The way to where an item belongs. */
typedef struct way {
    inner *node[SET_HEIGHT_MAX];
    uint32_t at[SET_HEIGHT_MAX];
    leaf *leaf;
    bool full; /* something on it must be split first */
} way;

/* What will be touched is fetched meanwhile. */
static void fetch(const void *from, size_t size) {
    for (size_t i = 0; i < size; i += 64) __builtin_prefetch((const char *) from + i, 1);
}

static void find_way(const ki_set *t, const ki_item *item, way *ret) {
    void *node = t->root;
    ret->full = is_full(node, t->height);
    for (int h = t->height; h > 0; h--) {
        inner *n = node;
        uint32_t i = ki_set_child(n, item);
        ret->node[h] = n;
        ret->at[h] = i;
        fetch(&n->sum[i], sizeof n->sum[i]);
        node = n->child[i];
        if (h == 1) {
            fetch(node, sizeof(leaf));
        }
        ret->full = ret->full || (h > 1 && is_full(node, h - 1));
    }
    ret->leaf = node;
}

int ki_set_add(ki_set *t, const ki_item *item) {
    CHECK(item->expiry != UINT64_MAX);
    way w = { .full = true };
    ki_sum one;
    if (t->root != NULL) {
        find_way(t, item, &w);
    }
    ki_sum_of(item, &one); /* while memory is fetched */
    if (w.leaf != NULL && leaf_has(w.leaf, item)) {
        return KITH_DUPLICATE;
    }
    if (w.full || is_full(w.leaf, 0)) {
        if (!make_room(t, item)) {
            return KITH_E_MEMORY;
        }
        find_way(t, item, &w);
    }
    for (int h = t->height; h > 0; h--) ki_sum_add(&w.node[h]->sum[w.at[h]], &one);
    leaf *l = w.leaf;
    CHECK(l->count < SET_LEAF_MAX);
    uint32_t at = ki_set_place(l, item);
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
    inner *path[SET_HEIGHT_MAX];
    uint32_t at[SET_HEIGHT_MAX];
    ki_sum one;
    ki_sum_of(item, &one);
    void *node = t->root;
    for (int h = t->height; h > 0; h--) {
        path[h] = node;
        at[h] = ki_set_child(path[h], item);
        ki_sum_take(&path[h]->sum[at[h]], &one);
        node = path[h]->child[at[h]];
    }
    leaf *l = node;
    uint32_t place = ki_set_place(l, item);
    l->count--;
    memmove(l->items + place, l->items + place + 1, (l->count - place) * sizeof *l->items);
    t->count--;
    prune(t, path, at, l);
    return true;
}
