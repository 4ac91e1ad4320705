/* SPDX-License-Identifier: Apache-2.0 */
/* sync/chance.h - for tests and figures: scenarios of chance. The seed tells all:
 * nodes, packets, what each lacks, patterns, clocks, expiry, new packets meanwhile,
 * loss, repeats, delay, spoilt frames, and a peer that lies. */
#ifndef SYNC_CHANCE_H
#define SYNC_CHANCE_H

#include "sync/world.h"

typedef struct scenario {
    uint64_t seed;
    uint32_t nodes, packets, live;
    unsigned drop, repeat, spoil;
    bool narrow, skewed, liar;
} scenario;

static inline scenario c_draw(uint64_t seed) {
    uint64_t dice = seed * 7919 + 13;
    scenario c = { .seed = seed };
    c.nodes = dice_below(&dice, 6) == 0 ? 3 : 2;
    static const uint32_t sizes[] = { 0, 1, 12, 60, 300, 1500 };
    c.packets = (uint32_t) dice_below(&dice, 1 + sizes[dice_below(&dice, 6)]);
    c.live = dice_below(&dice, 3) == 0 ? (uint32_t) dice_below(&dice, 60) : 0;
    c.drop = (unsigned) dice_below(&dice, 2) * (unsigned) dice_below(&dice, 31);
    c.repeat = (unsigned) dice_below(&dice, 2) * (unsigned) dice_below(&dice, 31);
    c.spoil = dice_below(&dice, 3) == 0 ? 5 : 0;
    c.narrow = dice_below(&dice, 3) == 0;
    c.skewed = dice_below(&dice, 3) == 0;
    c.liar = dice_below(&dice, 6) == 0;
    c.nodes += c.liar && c.nodes == 2;
    return c;
}

static inline void c_narrow(w_node *n, uint64_t *dice) {
    static const ki_pattern lists[][2] = { { "a.>", "a.x" }, { "a.*", "b.x" },
        { "b.>", "b.>" }, { "a.x", "b.y.*" }, { ">", ">" } };
    const ki_pattern *list = lists[dice_below(dice, 5)];
    ki_sync_follow(&n->sync, list, 2);
}

/* A packet of the past, or one that is about to expire, in some of the stores. */
static inline void c_scatter(
    world *w, const scenario *c, uint64_t *dice, unsigned missing) {
    int64_t age =
        (int64_t) dice_below(dice, 3600) * 1000000 + (int64_t) dice_below(dice, 1000000);
    int64_t left = dice_below(dice, 4) == 0 ? (int64_t) dice_below(dice, 400) * 1000000
                                            : 3600 * INT64_C(1000000);
    uint32_t p = w_packet_new(w, 100 + (uint32_t) dice_below(dice, 5),
        (uint32_t) dice_below(dice, W_NAMES), W_START - age, W_START + left,
        w->packet_count);
    for (uint32_t i = 0; i < c->nodes; i++) {
        if (dice_below(dice, 100) >= missing) w_keep(w, i, p, false, true);
    }
}

static inline void c_set_up(world *w, const scenario *c, uint64_t *dice) {
    static const unsigned missing[] = { 1, 10, 50, 90 };
    w_begin(w, c->seed, c->nodes);
    w->delay_ns = dice_below(dice, 50) * W_MS;
    w->jitter_ns = dice_below(dice, 2) * dice_below(dice, 400) * W_MS;
    for (uint32_t i = 0; i < c->nodes; i++) {
        if (c->narrow) c_narrow(w->nodes[i], dice);
        w->nodes[i]->skew_us =
            c->skewed ? (int64_t) dice_below(dice, 360) * 1000000 - 180000000 : 0;
    }
    unsigned part = missing[dice_below(dice, 4)];
    bool own = dice_below(dice, 4) == 0; /* each has what nobody else has */
    for (uint32_t i = 0; i < c->packets; i++) c_scatter(w, c, dice, own ? 50 : part);
    w->drop = c->drop;
    w->repeat = c->repeat;
    w->spoil = c->spoil;
}

/* One of the nodes says what is not so: invents counts, prints, cells, tags,
 * bounds and roots, in good form and with a good MAC. */
static inline void c_twist(ki_piece *p, uint64_t *dice) {
    uint64_t what = dice_roll(dice);
    switch (dice_below(dice, 5)) {
    case 0: p->total = what >> dice_below(dice, 64); break;
    case 1: memset(p->root, (int) what & 255, sizeof p->root); break;
    case 2: p->rid = (uint32_t) dice_below(dice, 40); break;
    case 3: p->hi.expiry = p->hi.expiry / 2 + (what >> 14); break;
    default: break;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        uint64_t of = dice_roll(dice);
        if (p->kind == TELL_SPLIT) {
            p->parts[i].print = of;
            p->parts[i].count = of >> dice_below(dice, 64);
        } else if (p->kind == TELL_CELLS) {
            p->cells[i] = (ki_cell){ of, (uint32_t) dice_roll(dice), 1 };
        } else {
            p->tags[i] = of;
        }
    }
}

static inline void c_lie(world *wd, w_node *n, ki_frame *f) {
    ki_reader r;
    ki_head head;
    ki_writer out;
    ki_piece piece;
    if (ki_frame_open(&r, f->bytes, f->length, &head) < 0 || head.type != FRAME_TELL ||
        dice_below(&wd->dice, 3) == 0) {
        return;
    }
    const ki_peer *p = ki_peer_find(&n->sync, head.to);
    ki_frame_begin(&out, &head);
    while (ki_frame_next(&r, &piece) == 0) {
        c_twist(&piece, &wd->dice);
        (void) !ki_frame_put(&out, &piece);
    }
    if (p == NULL || out.pieces == 0) return;
    ki_frame_done(&n->sync, &out, p, f);
}

/* How many seconds of the wire it took, or -1. */
static inline int c_run(world *w, const scenario *c, int most_s) {
    uint64_t dice = c->seed, end = 0;
    uint32_t live = c->live;
    c_set_up(w, c, &dice);
    w->lie = c_lie;
    if (c->liar) w->nodes[c->nodes - 1]->liar = true;
    for (int second = 0; second < most_s; second++) {
        end = w->now_ns + SECOND_NS;
        if (live > 0) {
            w_emit(w, (uint32_t) dice_below(&dice, c->nodes), 600 * INT64_C(1000000),
                (uint32_t) dice_below(&dice, W_NAMES));
            live--;
        }
        while (w->now_ns < end) {
            w_step(w, end);
        }
        if (live == 0 && w_agreed(w)) return second;
    }
    return -1;
}

#endif
