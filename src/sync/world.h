/* SPDX-License-Identifier: Apache-2.0 */
/* sync/world.h - for tests and figures: nodes with stores of their own on one
 * simulated wire that loses, repeats, delays and spoils. Frames are the real
 * ones; packets are rows of a table, and their signatures are taken on trust. */
#ifndef SYNC_WORLD_H
#define SYNC_WORLD_H

#include "sync/inside.h"

#include "base/dice.h"
#include "base/hash.h"

#include <kith/address.h>
#include <kith/error.h>

#include <stdio.h>
#include <stdlib.h>

#define W_MS    UINT64_C(1000000)
#define W_START INT64_C(1700000000000000) /* µs */

enum {
    W_NODES = 100,
    W_NAMES = 4,
};

typedef struct w_packet {
    uint8_t id[KITH_ID_SIZE];
    int64_t t_end_us, expires_us;
    uint32_t source, name; /* node of the world, or above: others */
    uint64_t seq;
    bool lost; /* by somebody, as it was posted */
} w_packet;

typedef struct w_letter {
    uint64_t due_ns, order;
    uint32_t to, packet;
    uint16_t length; /* 0: a packet */
    uint8_t bytes[FRAME_MAX];
} w_letter;

typedef struct w_node {
    ki_sync sync;
    ki_index index;
    int64_t skew_us;
    uint32_t *rows; /* its store: packet of arrival k + 1 */
    uint32_t count;
    uint8_t *have;            /* by packet */
    bool mute, liar, stirred; /* stirred: it heard something */
} w_node;

typedef struct world {
    uint64_t dice, now_ns, order;
    unsigned drop, repeat, spoil; /* percent */
    uint32_t deaf;                /* nodes from here on hear nothing; 0: all hear */
    uint64_t lost;
    bool fresh;
    uint64_t delay_ns, jitter_ns;
    uint32_t node_count, packet_count, packet_size;
    w_packet *packets;
    w_letter **wire; /* a heap by time */
    uint32_t wire_count, wire_size;
    uint64_t control_frames, control_bytes, data_sent, data_needed;
    uint64_t said, bucket, bucket_said, peak; /* all frames and repairs, in 100 ms */
    void (*lie)(struct world *w, w_node *n, ki_frame *frame); /* of a liar */
    w_node *nodes[W_NODES];
} world;

static const char *const w_names[W_NAMES] = { "a.x", "a.y", "b.x", "b.y.z" };

static inline void w_key(uint32_t node, uint8_t ret[KITH_KEY_SIZE]) {
    memset(ret, 0, KITH_KEY_SIZE);
    ret[0] = 0x77;
    ret[7] = (uint8_t) (node + 1);
    ret[9] = (uint8_t) (node >> 8);
}

/* A signature that only says who could have made it: real ones stand in
 * sync_test.c and cost too much for a million HELLOs. */
static inline void w_sign(void *ctx, const uint8_t *bytes, size_t length, uint8_t ret[64]) {
    (void) ctx;
    ki_blake2b(bytes, length, ret, 64);
}

static inline bool w_verify(const uint8_t key[KITH_KEY_SIZE], const uint8_t *bytes,
    size_t length, const uint8_t signature[64]) {
    uint8_t want[64];
    (void) key;
    ki_blake2b(bytes, length, want, 64);
    return memcmp(want, signature, 64) == 0;
}

static inline kith_time w_time(const world *w, const w_node *n) {
    return (kith_time){ .mono_ns = w->now_ns,
        .wall_us = W_START + (int64_t) (w->now_ns / 1000) + n->skew_us };
}

static inline bool w_sooner(const w_letter *a, const w_letter *b) {
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static inline void w_post(world *w, w_letter *l) {
    if (w->wire_count == w->wire_size) {
        w->wire_size = w->wire_size == 0 ? 256 : 2 * w->wire_size;
        w->wire = realloc(w->wire, w->wire_size * sizeof(w_letter *));
    }
    uint32_t i = w->wire_count++;
    for (; i > 0 && w_sooner(l, w->wire[(i - 1) / 2]); i = (i - 1) / 2) {
        w->wire[i] = w->wire[(i - 1) / 2];
    }
    w->wire[i] = l;
}

static inline w_letter *w_next(world *w) {
    w_letter *first = w->wire[0], *last = w->wire[--w->wire_count];
    uint32_t i = 0;
    for (uint32_t k = 1; k < w->wire_count; k = 2 * i + 1) {
        k += k + 1 < w->wire_count && w_sooner(w->wire[k + 1], w->wire[k]);
        if (!w_sooner(w->wire[k], last)) break;
        w->wire[i] = w->wire[k];
        i = k;
    }
    w->wire[i] = last;
    return first;
}

/* To everybody else, each with his own luck. */
static inline void w_send(
    world *w, uint32_t from, const uint8_t *bytes, uint16_t length, uint32_t packet) {
    for (uint32_t to = 0; to < w->node_count; to++) {
        if (to == from) continue;
        if (dice_below(&w->dice, 100) < w->drop || (w->deaf != 0 && to >= w->deaf)) {
            w->lost++;
            if (length == 0 && w->fresh) w->packets[packet].lost = true;
            continue;
        }
        unsigned copies = 1 + (dice_below(&w->dice, 100) < w->repeat);
        for (unsigned i = 0; i < copies; i++) {
            size_t size = offsetof(w_letter, bytes) + length;
            w_letter *l = malloc(size < sizeof *l ? sizeof *l : size);
            l->due_ns = w->now_ns + w->delay_ns + dice_below(&w->dice, w->jitter_ns + 1);
            l->order = w->order++;
            l->to = to;
            l->packet = packet;
            l->length = length;
            if (length > 0) memcpy(l->bytes, bytes, length);
            if (length > 0 && dice_below(&w->dice, 100) < w->spoil) {
                l->bytes[dice_below(&w->dice, length)] ^=
                    (uint8_t) (1 + dice_below(&w->dice, 255));
                if (dice_below(&w->dice, 4) == 0)
                    l->length = (uint16_t) dice_below(&w->dice, length);
                if (l->length == 0) l->length = 1;
            }
            w_post(w, l);
        }
    }
}

static inline uint32_t w_packet_new(world *w, uint32_t source, uint32_t name,
    int64_t t_end_us, int64_t expires_us, uint64_t seq) {
    if (w->packet_count == w->packet_size) {
        w->packet_size = w->packet_size == 0 ? 1024 : 2 * w->packet_size;
        w->packets = realloc(w->packets, w->packet_size * sizeof *w->packets);
        for (uint32_t i = 0; i < w->node_count; i++) {
            w_node *n = w->nodes[i];
            n->have = realloc(n->have, w->packet_size);
            memset(n->have + w->packet_count, 0, w->packet_size - w->packet_count);
            n->rows = realloc(n->rows, w->packet_size * sizeof *n->rows);
        }
    }
    w_packet *p = &w->packets[w->packet_count];
    for (int i = 0; i < 4; i++) wire_put64(p->id + 8 * i, dice_roll(&w->dice));
    p->t_end_us = t_end_us;
    p->expires_us = expires_us;
    p->source = source;
    p->name = name;
    p->seq = seq;
    p->lost = false;
    return w->packet_count++;
}

/* Into a node's store, as if it were committed; quiet: nobody is told. */
static inline void w_keep(world *w, uint32_t node, uint32_t packet, bool own, bool quiet) {
    w_node *n = w->nodes[node];
    const w_packet *p = &w->packets[packet];
    uint8_t key[KITH_KEY_SIZE];
    ki_heard heard = {
        .epoch = 1, .seq = p->seq, .t_end_us = p->t_end_us, .own = own, .source = key
    };
    bool follows = own || ki_sync_follows(&n->sync, w_names[p->name]);
    if (!n->have[packet] && follows) {
        n->have[packet] = 1;
        n->rows[n->count++] = packet;
        w->data_needed += !own;
        heard.item.arrival = n->count;
    }
    w_key(p->source, key);
    if (heard.item.arrival != 0) ki_item_of(&heard.item, p->expires_us, p->id, n->count);
    if (!quiet) ki_sync_heard(&n->sync, &heard, w_time(w, n));
}

static inline void w_feed(world *w, w_node *n) {
    uint64_t after;
    ki_index_tick(&n->index, w_time(w, n), n->count);
    while ((after = ki_index_behind(&n->index)) != UINT64_MAX) {
        for (uint64_t a = after + 1; a <= n->count; a++) {
            const w_packet *p = &w->packets[n->rows[a - 1]];
            uint8_t key[KITH_KEY_SIZE];
            ki_entry e = { .t_end_us = p->t_end_us,
                .arrived_us = w_time(w, n).wall_us,
                .subject = w_names[p->name],
                .source = key };
            w_key(p->source, key);
            ki_item_of(&e.item, p->expires_us, p->id, a);
            ki_index_feed(&n->index, &e);
        }
        ki_index_fed(&n->index, after, n->count);
    }
}

/* Everything that is not a fresh post: the most in 100 ms. */
static inline void w_count(world *w) {
    uint64_t bucket = w->now_ns / (100 * W_MS);
    w->bucket_said = bucket == w->bucket ? w->bucket_said + 1 : 1;
    w->bucket = bucket;
    w->peak = w->bucket_said > w->peak ? w->bucket_said : w->peak;
    w->said++;
}

/* What a node has to say now. */
static inline void w_speak(world *w, uint32_t from) {
    w_node *n = w->nodes[from];
    ki_sync_out out;
    w_feed(w, n);
    for (int i = 0; i < 5000 && ki_sync_give(&n->sync, w_time(w, n), &out) != SYNC_NOTHING;
         i++) {
        if (n->mute) continue;
        w_count(w);
        if (n->liar && out.kind == SYNC_FRAME) w->lie(w, n, &out.frame);
        if (out.kind == SYNC_PACKET) {
            w->data_sent++;
            w_send(w, from, NULL, 0, n->rows[out.item.arrival - 1]);
        } else {
            w->control_frames += out.frame.bytes[3] != FRAME_HELLO;
            w->control_bytes += out.frame.bytes[3] != FRAME_HELLO ? out.frame.length : 0;
            w_send(w, from, out.frame.bytes, out.frame.length, 0);
        }
    }
}

static inline void w_hear(world *w, w_letter *l) {
    w_node *n = w->nodes[l->to];
    if (l->length == 0) {
        w_keep(w, l->to, l->packet, false, false);
    } else {
        (void) !ki_sync_take(&n->sync, l->bytes, l->length, w_time(w, n));
    }
    n->stirred = true;
    free(l);
}

/* Goes on to the next thing that happens, but not beyond `until`. */
static inline void w_step(world *w, uint64_t until) {
    uint64_t next = until;
    for (uint32_t i = 0; i < w->node_count; i++) {
        uint64_t due = ki_sync_due(&w->nodes[i]->sync);
        next = due < next ? due : next;
    }
    if (w->wire_count > 0 && w->wire[0]->due_ns < next) next = w->wire[0]->due_ns;
    uint64_t second = (w->now_ns / SECOND_NS + 1) * SECOND_NS; /* packets settle */
    next = second < next ? second : next;
    w->now_ns = next < w->now_ns + W_MS ? w->now_ns + W_MS : next;
    while (w->wire_count > 0 && w->wire[0]->due_ns <= w->now_ns) w_hear(w, w_next(w));
    for (uint32_t i = 0; i < w->node_count; i++) {
        w_node *n = w->nodes[i];
        if (n->stirred || w->now_ns % SECOND_NS == 0 ||
            ki_sync_due(&n->sync) <= w->now_ns) {
            n->stirred = false;
            w_speak(w, i);
        }
    }
}

/* A packet of a node, stored and sent out once, as live traffic is. */
static inline void w_emit(world *w, uint32_t node, int64_t ttl_us, uint32_t name) {
    w_node *n = w->nodes[node];
    int64_t t = w_time(w, n).wall_us;
    uint64_t seq = 0;
    n->stirred = true;
    for (uint32_t i = n->count; i > 0; i--) {
        const w_packet *p = &w->packets[n->rows[i - 1]];
        if (p->source == node) {
            seq = p->seq + 1;
            break;
        }
    }
    uint32_t packet = w_packet_new(w, node, name, t, t + ttl_us, seq);
    w_keep(w, node, packet, true, false);
    w->fresh = true;
    w_send(w, node, NULL, 0, packet);
    w->fresh = false;
}

static inline void w_begin(world *w, uint64_t seed, uint32_t nodes) {
    memset(w, 0, sizeof *w);
    w->dice = seed;
    w->node_count = nodes;
    w->delay_ns = 20 * W_MS;
    w->now_ns = SECOND_NS;
    for (uint32_t i = 0; i < nodes; i++) {
        w_node *n = w->nodes[i] = calloc(1, sizeof *n);
        ki_sync_config c = {
            .seed = dice_roll(&w->dice), .sign = w_sign, .verify = w_verify
        };
        w_key(i, c.key);
        for (int k = 0; k < 4; k++) wire_put64(c.secret + 8 * k, dice_roll(&w->dice));
        ki_index_init(&n->index);
        ki_index_tick(&n->index, w_time(w, n), 0);
        ki_sync_init(&n->sync, &c, &n->index);
    }
    /* room before the first packet */
    w->packet_size = 0;
}

static inline void w_end(world *w) {
    for (uint32_t i = 0; i < w->node_count; i++) {
        w_node *n = w->nodes[i];
        ki_sync_fini(&n->sync);
        ki_index_fini(&n->index);
        free(n->rows);
        free(n->have);
        free(n);
    }
    while (w->wire_count > 0) free(w->wire[--w->wire_count]);
    free(w->wire);
    free(w->packets);
}

/* Must node b have what a has? It is alive for both, and b follows it. */
static inline bool w_lacks(const world *w, uint32_t a, uint32_t b, uint32_t packet) {
    const w_packet *p = &w->packets[packet];
    int64_t now_a = w_time(w, w->nodes[a]).wall_us, now_b = w_time(w, w->nodes[b]).wall_us;
    int64_t floor = (now_a > now_b ? now_a : now_b) + 2000000;
    return w->nodes[a]->have[packet] && !w->nodes[b]->have[packet] &&
           p->expires_us > floor && ki_sync_follows(&w->nodes[b]->sync, w_names[p->name]);
}

static inline bool w_agreed(const world *w) {
    for (uint32_t a = 0; a < w->node_count; a++) {
        for (uint32_t b = 0; b < w->node_count; b++) {
            if (a == b || w->nodes[a]->liar || w->nodes[b]->liar) continue;
            for (uint32_t p = 0; p < w->packet_count; p++) {
                if (w_lacks(w, a, b, p)) return false;
            }
        }
    }
    return true;
}

#endif
