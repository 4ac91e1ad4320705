/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/conform/content.h"

#include <stdio.h>
#include <string.h>

#define CHUNK 256

kith_content leaf_of(world *w, const char *subject, double effect, double variance) {
    w->posted++;
    kith_content c = {
        .type = KITH_LEAF,
        .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE,
        .t_end_us = w->now.wall_us - SECOND_US + (int64_t) (w->posted % 1000),
        .span_s = 60,
        .ttl_s = WEEK_S,
        .measure = KITH_MEAN,
        .components = 1,
        .n = 20,
        .effect = { effect },
        .covariance = { variance },
    };
    snprintf(c.address.subject, sizeof c.address.subject, "%s", subject);
    return c;
}

kith_content leaf(world *w, const char *subject) {
    return leaf_of(w, subject, 0.125 + (double) w->posted / 1024, 0.0625);
}

bool post_kept(site *s, const kith_content *content, kith_post *ret_post) {
    *ret_post = (kith_post){ .content = *content };
    kith_error err = { 0 };
    int r = kith_store_post(s->store, s->key, ret_post, 1, site_now(s), &err);
    if (r < 0 || ret_post->result != 0) {
        const char *words = kith_refusal_words(ret_post->result);
        world_fail(s->world, "post to %.60s: %s: %.120s", content->address.subject,
            r == 0 && words != NULL ? words : kith_error_name(r), err.text);
        return false;
    }
    return true;
}

bool post(site *s, const kith_content *content) {
    kith_post p;
    return post_kept(s, content, &p);
}

bool post_many(site *s, const char *subject, size_t count) {
    static kith_post posts[CHUNK];
    while (count > 0) {
        size_t n = count < CHUNK ? count : CHUNK;
        for (size_t i = 0; i < n; i++) {
            posts[i] = (kith_post){ .content = leaf(s->world, subject) };
        }
        kith_error err = { 0 };
        int r = kith_store_post(s->store, s->key, posts, n, site_now(s), &err);
        for (size_t i = 0; r == 0 && i < n; i++) {
            r = posts[i].result;
        }
        if (r != 0) {
            world_fail(
                s->world, "post %zu: %s: %.120s", count, kith_error_name(r), err.text);
            return false;
        }
        count -= n;
    }
    return true;
}

bool take_back(site *s, const kith_packet *target) {
    kith_content c, gone;
    if (kith_packet_decode(target->bytes, target->length, &c) != 0 ||
        kith_retraction_of(&c, "posted by mistake", &gone) != 0) {
        world_fail(s->world, "no retraction of this packet");
        return false;
    }
    return post(s, &gone);
}

bool seal(uint8_t who, uint64_t epoch, uint64_t seq, kith_content *content,
    kith_packet *ret_packet) {
    uint8_t seed[32] = { 'k', 'i', 't', 'h', who };
    kith_key *key = NULL;
    if (kith_key_from_seed(&key, seed, NULL) < 0) {
        return false;
    }
    content->epoch = epoch;
    content->seq = seq;
    int r = kith_packet_seal(content, key, ret_packet);
    kith_key_free(&key);
    return r == 0;
}

/* ---- what a site holds ---- */

static int count_one(void *ctx, const kith_record *record) {
    (void) record;
    uint64_t *count = ctx;
    ++*count;
    return 0;
}

uint64_t holds(site *s, const char *pattern) {
    uint64_t count = 0;
    kith_query q = { .pattern = pattern, .now_us = site_now(s).wall_us };
    kith_error err = { 0 };
    if (kith_store_find(s->store, &q, count_one, &count, &err) < 0) {
        world_fail(s->world, "find %s: %.160s", pattern, err.text);
    }
    return count;
}

typedef struct search {
    const kith_packet *packet;
    uint64_t arrival;
} search;

static int compare_one(void *ctx, const kith_record *record) {
    search *f = ctx;
    if (record->packet.length == f->packet->length &&
        memcmp(record->packet.bytes, f->packet->bytes, f->packet->length) == 0) {
        f->arrival = record->arrival;
        return KITH_STOP;
    }
    return 0;
}

static uint64_t arrival_of(site *s, const kith_packet *packet) {
    search f = { packet, 0 };
    uint8_t id[KITH_ID_SIZE];
    kith_packet_id(packet, id);
    kith_query q = {
        .id = id,
        .id_length = sizeof id,
        .with_expired = true,
        .with_retracted = true,
        .now_us = site_now(s).wall_us,
    };
    if (kith_store_find(s->store, &q, compare_one, &f, NULL) < 0) {
        world_fail(s->world, "find by id failed");
    }
    return f.arrival;
}

bool holds_packet(site *s, const kith_packet *packet) {
    return arrival_of(s, packet) != 0;
}

typedef struct way_search {
    const char *scheme;
    size_t count;
    bool named;
} way_search;

static int see_way(void *ctx, const char *way) {
    way_search *f = ctx;
    f->count++;
    f->named = f->named || strncmp(way, f->scheme, strlen(f->scheme)) == 0;
    return 0;
}

size_t ways_of(site *s, const kith_packet *packet, const char *scheme, bool *ret_named) {
    way_search f = { .scheme = scheme };
    uint64_t arrival = arrival_of(s, packet);
    if (arrival != 0 && kith_store_ways(s->store, arrival, see_way, &f, NULL) < 0) {
        world_fail(s->world, "asking for the ways failed");
    }
    *ret_named = f.named;
    return f.count;
}

bool digest(site *s, uint8_t ret[32]) {
    kith_error err = { 0 };
    int r = kith_store_digest(s->store, ">", site_now(s).wall_us, ret, NULL, &err);
    if (r < 0) {
        world_fail(s->world, "digest: %.200s", err.text);
    }
    return r == 0;
}

bool digests_equal(site *a, site *b) {
    uint8_t x[32], y[32];
    return digest(a, x) && digest(b, y) && memcmp(x, y, sizeof x) == 0;
}

/* ---- waiting ---- */

static bool holds_now(world *w, const void *arg) {
    (void) w;
    const wanted *v = arg;
    return holds(v->site, v->pattern) >= v->count;
}

bool until_holds(site *s, const char *pattern, uint64_t count) {
    wanted v = { s, pattern, count };
    (void) world_until(s->world, holds_now, &v);
    uint64_t have = holds(s, pattern);
    if (have != count) {
        world_fail(s->world, "node %u holds %llu packets of %s, expected %llu", s->number,
            (unsigned long long) have, pattern, (unsigned long long) count);
    }
    return have == count;
}

typedef struct refused_wanted {
    const site *site;
    int refusal;
    uint64_t count;
} refused_wanted;

static bool refused_now(world *w, const void *arg) {
    (void) w;
    const refused_wanted *v = arg;
    return site_refused(v->site, v->refusal) >= v->count;
}

bool until_refused(site *s, int refusal, uint64_t count) {
    refused_wanted v = { s, refusal, count };
    (void) world_until(s->world, refused_now, &v);
    uint64_t have = site_refused(s, refusal);
    if (have < count) {
        world_fail(s->world, "%s counted %llu times, expected %llu",
            kith_refusal_counter(refusal), (unsigned long long) have,
            (unsigned long long) count);
    }
    return have >= count;
}

static bool sent_now(world *w, const void *arg) {
    (void) w;
    const site *s = arg;
    static kith_link_status status;
    for (size_t i = 0; i < kith_node_link_count(s->node); i++) {
        if (kith_node_link_status(s->node, i, &status) < 0 || status.waiting > 0) {
            return false;
        }
    }
    return true;
}

bool until_sent(site *s) {
    return world_until(s->world, sent_now, s);
}

typedef struct state_wanted {
    site *site, *other; /* other NULL: the digest */
    const uint8_t *digest;
} state_wanted;

static bool state_now(world *w, const void *arg) {
    (void) w;
    const state_wanted *v = arg;
    uint8_t now[32];
    return v->other != NULL
               ? digests_equal(v->site, v->other)
               : digest(v->site, now) && memcmp(now, v->digest, sizeof now) == 0;
}

bool until_equal(site *a, site *b) {
    state_wanted v = { a, b, NULL };
    return world_until(a->world, state_now, &v);
}

bool until_digest(site *s, const uint8_t wanted_digest[32]) {
    state_wanted v = { s, NULL, wanted_digest };
    return world_until(s->world, state_now, &v);
}

typedef struct ways_wanted {
    site *site;
    const kith_packet *packet;
    size_t count;
} ways_wanted;

static bool ways_now(world *w, const void *arg) {
    (void) w;
    const ways_wanted *v = arg;
    bool named;
    return ways_of(v->site, v->packet, "", &named) >= v->count;
}

bool until_ways(site *s, const kith_packet *packet, size_t count) {
    ways_wanted v = { s, packet, count };
    (void) world_until(s->world, ways_now, &v);
    bool good = ways_now(s->world, &v);
    if (!good) {
        world_fail(s->world, "node %u heard a packet not in %zu ways", s->number, count);
    }
    return good;
}
