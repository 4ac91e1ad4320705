/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/conform/world.h"

#include "cli/conform/content.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DROPPED_MAX 4096

/* Nodes that were dropped, not closed: a dead process's memory, as it were. They
 * are kept here to the end so that nothing looks like a leak of ours. */
static kith_node *dropped[DROPPED_MAX];
static kith_store *dropped_stores[DROPPED_MAX];
static size_t dropped_count;

void world_fail(world *w, const char *format, ...) {
    if (w->failed) {
        return;
    }
    w->failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(w->why, sizeof w->why, format, args);
    va_end(args);
}

void world_skip(world *w, const char *why) {
    w->skipped = true;
    snprintf(w->why, sizeof w->why, "%s", why);
}

void world_by(world *w, bool carrier) {
    w->by = carrier ? BY_CARRIER : BY_NODE;
}

/* ---- sites ---- */

static void on_event(void *ctx, const kith_event *event) {
    site *s = ctx;
    switch (event->kind) {
    case KITH_EVENT_ACCEPTED: s->accepted++; break;
    case KITH_EVENT_REFUSED:
        if (event->code <= KITH_R_LENGTH && event->code >= KITH_R_LAST) {
            s->refused[KITH_R_LENGTH - event->code]++;
        }
        break;
    case KITH_EVENT_GAP: s->gaps += event->count; break;
    case KITH_EVENT_LINK_DOWN: s->downs++; break;
    case KITH_EVENT_LINK_UP:
    case KITH_EVENT_STORE:
    case KITH_EVENT_UNSIGNED:
    case KITH_EVENT_SENT: break;
    }
}

site *site_new(world *w) {
    if (w->site_count == SITES_MAX) {
        world_fail(w, "too many sites");
        return NULL;
    }
    site *s = &w->sites[w->site_count];
    *s = (site){ .world = w, .number = (uint8_t) (w->site_count + 1) };
    uint8_t seed[32] = { 'k', 'i', 't', 'h', s->number };
    kith_error err = { 0 };
    if (kith_key_from_seed(&s->key, seed, &err) < 0) {
        world_fail(w, "key: %s", err.text);
        return NULL;
    }
    w->site_count++;
    snprintf(s->store_url, sizeof s->store_url, "memory:");
    return s;
}

void site_link(site *s, const char *url) {
    if (s->link_count < LINKS_MAX) {
        snprintf(s->links[s->link_count++], KITH_URL_MAX + 1, "%s", url);
    }
}

void site_follow(site *s, const char *pattern) {
    if (s->follow_count < sizeof s->follows / sizeof *s->follows) {
        s->follows[s->follow_count++] = pattern;
    }
}

void site_on_disk(site *s) {
    static unsigned files;
    snprintf(
        s->store_url, sizeof s->store_url, "sqlite:%s/store-%u.db", s->world->tmp, ++files);
}

kith_time site_now(const site *s) {
    kith_time now = s->world->now;
    now.wall_us += s->skew_us;
    return now;
}

static bool site_store(site *s) {
    kith_error err = { 0 };
    static bool no_memory;
    if (s->store == NULL && strcmp(s->store_url, "memory:") == 0) {
        no_memory = no_memory || kith_store_open(&s->store, s->store_url, NULL) < 0;
        if (no_memory) site_on_disk(s);
    }
    if (s->store == NULL && kith_store_open(&s->store, s->store_url, &err) < 0) {
        world_fail(s->world, "open store %.60s: %.150s", s->store_url, err.text);
        return false;
    }
    return true;
}

bool site_up(site *s) {
    if (!site_store(s)) {
        return false;
    }
    if (s->link_count == 0) {
        site_link(s, s->world->url);
    }
    const char *links[LINKS_MAX];
    for (size_t i = 0; i < s->link_count; i++) {
        links[i] = s->links[i];
    }
    kith_node_config config = {
        .store = s->store,
        .key = s->key,
        .links = links,
        .link_count = s->link_count,
        .follows = s->follows,
        .follow_count = s->follow_count,
        .relay = s->relay,
        .plugin_dir = s->world->plugins,
        .event = on_event,
        .ctx = s,
    };
    kith_error err = { 0 };
    if (kith_node_open(&s->node, &config, site_now(s), &err) < 0) {
        world_fail(s->world, "open node: %.200s", err.text);
        return false;
    }
    return true;
}

void site_down(site *s) {
    kith_node_close(&s->node);
}

void site_drop(site *s) {
    if (dropped_count == DROPPED_MAX) {
        site_down(s);
        return;
    }
    dropped[dropped_count] = s->node;
    s->node = NULL;
    if (strncmp(s->store_url, "memory:", 7) != 0) {
        dropped_stores[dropped_count] = s->store;
        s->store = NULL;
    }
    dropped_count++;
}

enum {
    FILTERED,
    BACKFILLED,
    DUPLICATES,
    POSTED
};
static uint64_t site_sum(site *s, int what) {
    uint64_t sum = 0;
    size_t links = s->node != NULL ? kith_node_link_count(s->node) : 0;
    for (size_t i = 0; i < links; i++) {
        static kith_link_status status;
        if (kith_node_link_status(s->node, i, &status) == 0) {
            sum += what == FILTERED     ? status.counters.filtered
                   : what == BACKFILLED ? status.backfilled
                   : what == DUPLICATES ? status.duplicates
                                        : status.counters.posted;
        }
    }
    return sum;
}

uint64_t site_filtered(site *s) {
    return site_sum(s, FILTERED);
}

uint64_t site_backfilled(site *s) {
    return site_sum(s, BACKFILLED);
}

uint64_t site_duplicates(site *s) {
    return site_sum(s, DUPLICATES);
}

uint64_t site_posted(site *s) {
    return site_sum(s, POSTED);
}

uint64_t site_refused(const site *s, int refusal) {
    return s->refused[KITH_R_LENGTH - refusal];
}

uint64_t site_refused_all(const site *s) {
    uint64_t sum = 0;
    for (size_t i = 0; i < REFUSALS; i++) {
        sum += s->refused[i];
    }
    return sum;
}
