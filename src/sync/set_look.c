/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a set: is it there, how many stand before, what is their sum. */
#include "sync/set_node.h"

#include "base/check.h"

#include <string.h>

typedef ki_set_leaf leaf;
typedef ki_set_inner inner;

void ki_set_sum_items(const leaf *l, uint32_t from, uint32_t to, ki_sum *ret) {
    memset(ret, 0, sizeof *ret);
    for (uint32_t i = from; i < to; i++) {
        ki_sum one;
        ki_sum_of(&l->items[i], &one);
        ki_sum_add(ret, &one);
    }
}

void ki_set_sum_node(const void *node, int height, ki_sum *ret) {
    if (height == 0) {
        const leaf *l = node;
        ki_set_sum_items(l, 0, l->count, ret);
        return;
    }
    const inner *n = node;
    memset(ret, 0, sizeof *ret);
    for (uint32_t i = 0; i < n->count; i++) ki_sum_add(ret, &n->sum[i]);
}

static const leaf *leaf_of(const ki_set *t, const ki_item *item) {
    const void *node = t->root;
    for (int h = t->height; h > 0; h--) {
        const inner *n = node;
        node = n->child[ki_set_child(n, item)];
    }
    return node;
}

bool ki_set_has(const ki_set *t, const ki_item *item) {
    if (t->root == NULL) {
        return false;
    }
    const leaf *l = leaf_of(t, item);
    uint32_t at = ki_set_place(l, item);
    return at < l->count && ki_item_order(&l->items[at], item) == 0;
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
        uint32_t i = ki_set_child(n, &probe);
        for (uint32_t k = 0; k < i && ret != NULL; k++) ki_sum_add(ret, &n->sum[k]);
        *ret_whole = &n->sum[i];
        node = n->child[i];
    }
    *ret_place = ki_set_place(node, &probe);
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
        ki_set_sum_items(l, 0, place, &part);
        ki_sum_add(ret, &part);
    } else { /* the rest is shorter to hash */
        ki_set_sum_items(l, place, l->count, &part);
        ki_sum_add(ret, whole);
        ki_sum_take(ret, &part);
    }
}

void ki_set_total(const ki_set *t, ki_sum *ret) {
    memset(ret, 0, sizeof *ret);
    if (t->root != NULL) {
        ki_set_sum_node(t->root, t->height, ret);
    }
    CHECK(ret->count == t->count);
}

uint64_t ki_set_rank(const ki_set *t, ki_bound at) {
    const ki_item probe = { .expiry = at.expiry, .id = { at.id, 0 } };
    const void *node = t->root;
    uint64_t rank = 0;
    for (int h = t->height; h > 0; h--) {
        const inner *n = node;
        uint32_t i = ki_set_child(n, &probe);
        for (uint32_t k = 0; k < i; k++) rank += n->sum[k].count;
        node = n->child[i];
    }
    return node == NULL ? 0 : rank + ki_set_place(node, &probe);
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
    CHECK(l->count <= SET_LEAF_MAX);
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
        ki_set_sum_node(node, 0, ret);
        return;
    }
    const inner *n = node;
    CHECK(n->count >= 1);
    CHECK(n->count <= SET_INNER_MAX);
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
    CHECK(t->height < SET_HEIGHT_MAX);
    if (t->root != NULL) {
        check_node(t->root, t->height, &last, &sum);
        CHECK(last->after == NULL);
    }
    CHECK(sum.count == t->count);
}
