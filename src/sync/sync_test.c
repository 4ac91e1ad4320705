/* SPDX-License-Identifier: Apache-2.0 */
/* What sync promises: whatever the wire does, nodes that meet come to have the
 * same, soon, and work that is open has its bounds. Seeds make every run alike. */
#include "sync/world.h"

#include "test.h"

#define MINUTE_US INT64_C(60000000)

static world w;

/* One scenario of chance; the seed tells all. */
typedef struct scenario {
    uint64_t seed;
    uint32_t nodes, packets, live;
    unsigned drop, repeat, spoil;
    bool narrow, skewed, liar;
} scenario;

static scenario draw(uint64_t seed) {
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

static void narrow(w_node *n, uint64_t *dice) {
    static const ki_pattern lists[][2] = { { "a.>", "a.x" }, { "a.*", "b.x" },
        { "b.>", "b.>" }, { "a.x", "b.y.*" }, { ">", ">" } };
    const ki_pattern *list = lists[dice_below(dice, 5)];
    ki_sync_follow(&n->sync, list, 2);
}

/* A packet of the past, or one that is about to expire, in some of the stores. */
static void scatter(const scenario *c, uint64_t *dice, unsigned missing) {
    int64_t age =
        (int64_t) dice_below(dice, 3600) * 1000000 + (int64_t) dice_below(dice, 1000000);
    int64_t left = dice_below(dice, 4) == 0 ? (int64_t) dice_below(dice, 400) * 1000000
                                            : 3600 * INT64_C(1000000);
    uint32_t p = w_packet_new(&w, 100 + (uint32_t) dice_below(dice, 5),
        (uint32_t) dice_below(dice, W_NAMES), W_START - age, W_START + left,
        w.packet_count);
    for (uint32_t i = 0; i < c->nodes; i++) {
        if (dice_below(dice, 100) >= missing) w_keep(&w, i, p, false, true);
    }
}

static void set_up(const scenario *c, uint64_t *dice) {
    static const unsigned missing[] = { 1, 10, 50, 90 };
    w_begin(&w, c->seed, c->nodes);
    w.delay_ns = dice_below(dice, 50) * W_MS;
    w.jitter_ns = dice_below(dice, 2) * dice_below(dice, 400) * W_MS;
    for (uint32_t i = 0; i < c->nodes; i++) {
        if (c->narrow) narrow(w.nodes[i], dice);
        w.nodes[i]->skew_us =
            c->skewed ? (int64_t) dice_below(dice, 360) * 1000000 - 180000000 : 0;
    }
    unsigned part = missing[dice_below(dice, 4)];
    bool own = dice_below(dice, 4) == 0; /* each has what nobody else has */
    for (uint32_t i = 0; i < c->packets; i++) scatter(c, dice, own ? 50 : part);
    w.drop = c->drop;
    w.repeat = c->repeat;
    w.spoil = c->spoil;
}

/* One of the nodes says what is not so: invents counts, prints, cells, tags,
 * bounds and roots, in good form and with a good MAC. */
static void twist(ki_piece *p, uint64_t *dice) {
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

static void lie(world *wd, w_node *n, ki_frame *f) {
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
        twist(&piece, &wd->dice);
        (void) !ki_frame_put(&out, &piece);
    }
    if (p == NULL || out.pieces == 0) return;
    ki_frame_done(&n->sync, &out, p, f);
}

static void within_bounds(const scenario *c) {
    for (uint32_t i = 0; i < c->nodes; i++) {
        const ki_sync *s = &w.nodes[i]->sync;
        ki_sync_check(s);
        EXPECT(s->stat.open_peak <= SYNC_OPEN_MAX);
        EXPECT(s->job_count <= SYNC_JOBS_MAX);
    }
}

/* How many seconds of the wire it took, or -1. */
static int run(const scenario *c, int most_s) {
    uint64_t dice = c->seed, end = 0;
    uint32_t live = c->live;
    set_up(c, &dice);
    w.lie = lie;
    if (c->liar) w.nodes[c->nodes - 1]->liar = true;
    for (int second = 0; second < most_s; second++) {
        end = w.now_ns + SECOND_NS;
        if (live > 0) {
            w_emit(&w, (uint32_t) dice_below(&dice, c->nodes), 600 * INT64_C(1000000),
                (uint32_t) dice_below(&dice, W_NAMES));
            live--;
        }
        while (w.now_ns < end) {
            w_step(&w, end);
        }
        if (live == 0 && w_agreed(&w)) return second;
    }
    return -1;
}

static const char *count_text(const char *preset) {
    const char *text = getenv("KITH_SCENARIOS");
    return text == NULL ? preset : text;
}

static void all_scenarios_end_in_agreement(void) {
    long count = strtol(count_text("1000"), NULL, 10);
    uint32_t passes = 0, open = 0;
    int slowest = 0;
    for (long seed = 1; seed <= count; seed++) {
        scenario c = draw((uint64_t) seed);
        int took = run(&c, 1800);
        if (took < 0) {
            printf("# seed %ld: %u nodes, %u packets, %u live, loss %u, repeat %u, spoil "
                   "%u%s%s%s\n",
                seed, c.nodes, c.packets, c.live, c.drop, c.repeat, c.spoil,
                c.narrow ? ", narrow" : "", c.skewed ? ", skewed" : "",
                c.liar ? ", liar" : "");
        }
        within_bounds(&c);
        for (uint32_t i = 0; i < c.nodes; i++) {
            const ki_sync_stat *s = &w.nodes[i]->sync.stat;
            passes = s->passes_peak > passes ? s->passes_peak : passes;
            open = s->open_peak > open ? s->open_peak : open;
        }
        slowest = took > slowest ? took : slowest;
        w_end(&w);
        EXPECT(took >= 0);
    }
    printf("# %ld scenarios: at most %u passes, %u open ranges, %d s\n", count, passes,
        open, slowest);
    EXPECT(passes <= 30);
}

static const test_case cases[] = {
    { "all_scenarios_end_in_agreement", all_scenarios_end_in_agreement },
};
TEST_MAIN(cases)
