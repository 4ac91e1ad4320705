/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, closing and asking a node how it is. */
#include "node/node.h"

#include "base/check.h"
#include "base/dice.h"
#include "base/fail.h"

#include <stdlib.h>
#include <string.h>

/* For sync, a node that was given no key makes one that dies with it. */
static int take_key(kith_node *n, const kith_key *key, kith_error *err) {
    n->dice = n->seed;
    if (n->seed == 0) ki_dice_system(&n->dice, sizeof n->dice);
    n->key = key;
    if (key != NULL) {
        return 0;
    }
    int r = kith_key_generate(&n->own_key, err);
    n->key = n->own_key;
    return r;
}

static int host_save(void *ctx, const char *name, const void *bytes, size_t length) {
    kith_node *n = ctx;
    return kith_store_save(n->store, name, bytes, length, false, NULL);
}

static int host_load(
    void *ctx, const char *name, void *ret, size_t size, size_t *ret_length) {
    kith_node *n = ctx;
    return kith_store_load(n->store, name, ret, size, ret_length);
}

static int add_link(kith_node *n, const char *url, kith_time now, kith_error *err) {
    if (n->link_count == KITH_LINKS_MAX) {
        return ki_fail(err, KITH_E_CONFIG, "more than %d carriers", KITH_LINKS_MAX);
    }
    size_t length = strlen(url), way = strcspn(url, "?");
    size_t most = KITH_WAY_MAX - strlen(NODE_SYNC_WAY);
    if (length > KITH_URL_MAX || way > most) {
        return ki_fail(
            err, KITH_E_CONFIG, "carrier %.60s...: the name is longer than %zu", url, most);
    }
    ki_node_link *l = &n->links[n->link_count];
    *l = (ki_node_link){ 0 };
    memcpy(l->url, url, length + 1);
    memcpy(l->way, url, way);
    memcpy(l->sync_way, NODE_SYNC_WAY, strlen(NODE_SYNC_WAY));
    memcpy(l->sync_way + strlen(NODE_SYNC_WAY), l->way, way + 1);
    for (size_t i = 0; i < n->link_count; i++) {
        if (strcmp(n->links[i].way, l->way) == 0) {
            return ki_fail(err, KITH_E_CONFIG, "carrier %s is named twice", l->way);
        }
    }
    n->link_count++;
    int r = ki_link_try(n, l, now, err);
    bool nonsense =
        r == KITH_E_CONFIG || r == KITH_E_ARG || r == KITH_E_NOTSUP || r == KITH_E_MEMORY;
    return nonsense ? r : 0;
}

static int add_follow(kith_node *n, const char *pattern, kith_error *err) {
    if (!kith_pattern_valid(pattern)) {
        return ki_fail(err, KITH_E_ARG, "'%.60s' is no pattern: %s", pattern,
            kith_subject_fault(pattern, true));
    }
    if (n->follow_count == KITH_FOLLOWS_MAX) {
        return ki_fail(err, KITH_E_ARG, "more than %d patterns", KITH_FOLLOWS_MAX);
    }
    memcpy(n->follows[n->follow_count++], pattern, strlen(pattern) + 1);
    return 0;
}

static int set_up(kith_node *n, const kith_node_config *c, kith_error *err) {
    if (c->key != NULL) {
        uint8_t self[KITH_KEY_SIZE];
        kith_key_public(c->key, self);
        kith_keyid(self, n->host.me);
    }
    if (c->plugin_dir != NULL) {
        size_t length = strlen(c->plugin_dir);
        if (length > KITH_URL_MAX) {
            return ki_fail(err, KITH_E_CONFIG, "plugin folder: the path is too long");
        }
        memcpy(n->plugin_dir, c->plugin_dir, length + 1);
        n->host.plugin_dir = n->plugin_dir;
    }
    n->host.ctx = n;
    n->host.save = host_save;
    n->host.load = host_load;
    n->host.recall = ki_heard_recall;
    for (size_t i = 0; i < c->follow_count; i++) {
        int r = add_follow(n, c->follows[i], err);
        if (r < 0) {
            return r;
        }
    }
    return c->follow_count == 0 ? add_follow(n, ">", err) : 0;
}

int kith_node_open(
    kith_node **ret, const kith_node_config *c, kith_time now, kith_error *err) {
    CHECK(ret != NULL);
    CHECK(c->store != NULL);
    kith_node *n = calloc(1, sizeof *n);
    if (n == NULL) {
        return ki_fail(err, KITH_E_MEMORY, "open a node");
    }
    n->store = c->store;
    n->templates = c->templates;
    n->relay = c->relay;
    n->event = c->event;
    n->ctx = c->ctx;
    n->seed = c->seed;
    n->host.carrier = c->carrier;
    n->host.carrier_ctx = c->carrier_ctx;
    n->due_ns = now.mono_ns;
    n->wall_us = now.wall_us;
    ki_clock_open(n, now);
    ki_index_init(&n->index);
    if (ki_verify_open(&n->verify, c->seed != 0 ? 0 : ki_verify_threads(), NULL) < 0) {
        free(n);
        return ki_fail(err, KITH_E_MEMORY, "open a node");
    }
    int r = take_key(n, c->key, err);
    if (r == 0) {
        r = set_up(n, c, err);
    }
    for (size_t i = 0; i < c->link_count && r == 0; i++) {
        r = add_link(n, c->links[i], now, err);
    }
    if (r < 0) {
        kith_node_close(&n);
        return r;
    }
    *ret = n;
    return 0;
}

void kith_node_close(kith_node **node) {
    CHECK(node != NULL);
    kith_node *n = *node;
    if (n == NULL) {
        return;
    }
    if (n->verify != NULL) {
        ki_inbox_close(n);
    }
    ki_verify_close(&n->verify);
    for (size_t i = 0; i < n->link_count; i++) {
        kith_link_close(&n->links[i].link);
        ki_exchange_close(&n->links[i]);
    }
    ki_index_fini(&n->index);
    kith_key_free(&n->own_key);
    free(n);
    *node = NULL;
}

/* A new pattern may want what was passed over: links with history read it again,
 * and the store makes repeats harmless. */
static int follow_links(kith_node *n, const char *pattern) {
    for (size_t i = 0; i < n->link_count; i++) {
        kith_link *link = n->links[i].link;
        if (link == NULL) {
            continue;
        }
        int r = kith_link_follow(link, pattern);
        if (r != 0) {
            return r < 0 ? r : KITH_E_SPACE;
        }
        int told = ki_exchange_follow(n, &n->links[i]);
        if (told < 0) {
            return told;
        }
        if ((kith_link_can(link) & KITH_CAN_REPLAY) != 0) {
            kith_position start = { .kind = KITH_FROM_START };
            (void) ki_link_rewind(&n->links[i], &start);
        }
    }
    return 0;
}

int kith_node_follow(kith_node *n, const char *pattern, kith_error *err) {
    int r = add_follow(n, pattern, err);
    if (r < 0) {
        return r;
    }
    r = follow_links(n, pattern);
    return r < 0 ? ki_fail(err, r, "follow %s", pattern) : 0;
}

int kith_node_unfollow(kith_node *n, const char *pattern, kith_error *err) {
    for (size_t i = 0; i < n->follow_count; i++) {
        if (strcmp(n->follows[i], pattern) != 0) {
            continue;
        }
        memmove(n->follows[i], n->follows[i + 1],
            (n->follow_count - i - 1) * sizeof n->follows[0]);
        n->follow_count--;
        for (size_t j = 0; j < n->link_count; j++) {
            if (n->links[j].link != NULL) {
                (void) !kith_link_unfollow(n->links[j].link, pattern);
                (void) !ki_exchange_follow(n, &n->links[j]);
            }
        }
        return 0;
    }
    return ki_fail(err, KITH_E_MISSING, "%.60s is not followed", pattern);
}

size_t kith_node_wake_fds(kith_node *n, int *ret_fds, size_t fds_max) {
    size_t count = 0;
    int fd = kith_store_wake_fd(n->store);
    if (fd >= 0 && count < fds_max) {
        ret_fds[count++] = fd;
    }
    for (size_t i = 0; i < n->link_count; i++) {
        fd = n->links[i].link == NULL ? -1 : kith_link_wake_fd(n->links[i].link);
        if (fd >= 0 && count < fds_max) {
            ret_fds[count++] = fd;
        }
    }
    return count;
}

void kith_node_compare(kith_node *n, kith_time now) {
    for (size_t i = 0; i < n->link_count; i++) {
        if (n->links[i].sync != NULL) {
            ki_sync_prompt(n->links[i].sync, now);
        }
    }
}

size_t kith_node_link_count(const kith_node *n) {
    return n->link_count;
}

int kith_node_link_status(kith_node *n, size_t index, kith_link_status *ret) {
    if (index >= n->link_count) {
        return KITH_E_ARG;
    }
    const ki_node_link *l = &n->links[index];
    *ret = (kith_link_status){ .up = l->up,
        .accepted = l->accepted,
        .duplicates = l->duplicates,
        .backfilled = l->backfilled,
        .heard = l->heard,
        .sent_through = l->safe };
    memcpy(ret->url, l->url, sizeof ret->url);
    memcpy(ret->why, l->why, sizeof ret->why);
    ret->waiting = n->last_arrival > l->settled ? n->last_arrival - l->settled : 0;
    ret->unconfirmed = n->last_arrival > l->safe ? n->last_arrival - l->safe : 0;
    if (l->sync != NULL) {
        ret->peers = ki_sync_peers(l->sync);
        ret->agreed_ns = ki_sync_agreed(l->sync);
    }
    if (l->link != NULL) {
        ret->can = kith_link_can(l->link);
        ret->level = kith_link_level(l->link);
        kith_link_counters(l->link, &ret->counters);
    }
    return 0;
}

uint64_t kith_node_refused(const kith_node *n, int refusal) {
    if (refusal <= KITH_L_FRAMES && refusal >= KITH_L_LAST) {
        return n->legacy_refused[KITH_L_FRAMES - refusal];
    }
    return refusal > KITH_E_REFUSED || refusal < KITH_R_LAST
               ? 0
               : n->refused[KITH_E_REFUSED - refusal];
}
