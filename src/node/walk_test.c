/* SPDX-License-Identifier: Apache-2.0 */
/* Random walks over everything that happens to nodes: posts, links that are cut and
 * mended, processes that end at once and come again, clocks that are set, other
 * patterns. A model knows what was posted; at the end all is mended, and every node
 * has exactly that, and one digest. KITH_SOAK=1: many walks, with printed seeds. */
#include "node/kit.h"

#include "base/dice.h"

enum {
    WALKERS = 4,
    STEPS = 150,
};

typedef struct walker {
    member *me;
    bool cut, narrow;
    int64_t clock_us; /* its error */
    uint64_t sent;    /* settled at the last look; 0: it may begin anew */
} walker;

static walker walkers[WALKERS];
static size_t posted, posted_by[WALKERS];
static uint64_t dice;

static uint64_t roll(uint64_t below) {
    return dice_below(&dice, below);
}

/* The bus, or another where nobody is. */
static void enter(size_t i) {
    walker *w = &walkers[i];
    char url[128];
    const char *link = url;
    (void) snprintf(url, sizeof url,
        "fault+mem://%s%zu?drop=10&repeat=10&reorder=10&seed=%llu&ring=256K",
        w->cut ? "alone" : "bus", w->cut ? i : 0, (unsigned long long) roll(1000000) + 1);
    open_node(w->me, &link, 1, w->narrow ? "walk.b.>" : NULL, false);
    w->sent = 0;
}

static void leave(size_t i) {
    kith_node_close(&walkers[i].me->node);
}

static kith_time time_of(const walker *w) {
    return (kith_time){ now.mono_ns, now.wall_us + w->clock_us };
}

/* The cursor goes on, or back where the node may: after a clock was ahead. */
static void look(walker *w) {
    kith_link_status s;
    kith_store_stat store;
    EXPECT_INT(kith_node_link_status(w->me->node, 0, &s), 0);
    EXPECT_INT(kith_store_stats(w->me->store, &store, NULL), 0);
    EXPECT(s.sent_through >= w->sent);
    EXPECT(s.sent_through <= store.last_arrival);
    EXPECT(store.packets <= posted);
    EXPECT_INT(s.counters.rubbish, 0);
    w->sent = s.sent_through;
}

static void turns(int how_many) {
    for (int t = 0; t < how_many && !test_bad; t++) {
        for (size_t i = 0; i < WALKERS && !test_bad; i++) {
            walker *w = &walkers[i];
            kith_time saved = now;
            now = time_of(w);
            EXPECT(kith_node_step(w->me->node, now) >= 0);
            now = saved;
            look(w);
        }
        now.mono_ns += 10 * MS;
        now.wall_us += 10000;
    }
}

static void post_some(size_t i) {
    walker *w = &walkers[i];
    kith_time saved = now;
    now = time_of(w);
    for (uint64_t k = 1 + roll(7); k > 0; k--) {
        kith_post p = leaf(roll(2) == 0 ? "walk.a" : "walk.b.c", 0.01 * (double) roll(100));
        p.content.ttl_s = 40 * 86400;
        EXPECT_INT(kith_store_post(w->me->store, w->me->key, &p, 1, now, NULL), 0);
        EXPECT_INT(p.result, 0);
        posted++;
        posted_by[i]++;
    }
    now = saved;
}

static void set_clock(walker *w) {
    static const int64_t errors_s[] = { 0, 5, -5, 50, -50, 3600, -3600, 86400, -86400,
        315360000, -864000 };
    int64_t error_us = errors_s[roll(sizeof errors_s / sizeof *errors_s)] * 1000000;
    w->sent = error_us < w->clock_us ? 0 : w->sent;
    w->clock_us = error_us;
}

/* A post is dated by the clock of its node: while that is far off it posts nothing,
 * for what is dated so is refused by rights. */
static bool right(const walker *w) {
    return w->clock_us > -60000000 && w->clock_us < 10000000;
}

static void something(void) {
    size_t i = roll(WALKERS);
    walker *w = &walkers[i];
    switch (roll(8)) {
    case 0:
    case 1:
    case 2:
        if (right(w)) post_some(i);
        break;
    case 3: /* cut, or mended */
        leave(i);
        w->cut = !w->cut;
        enter(i);
        break;
    case 4: /* ended at once, and opened again */
        leave(i);
        enter(i);
        break;
    case 5: set_clock(w); break;
    case 6: /* other patterns */
        leave(i);
        w->narrow = !w->narrow;
        enter(i);
        break;
    default: turns((int) roll(30));
    }
    turns(1);
}

static bool all_idle(void) {
    for (size_t i = 0; i < WALKERS; i++) {
        if (packets(walkers[i].me) != posted || !kith_node_idle(walkers[i].me->node)) {
            return false;
        }
    }
    return true;
}

static void walk(uint64_t seed) {
    dice = seed;
    posted = 0;
    memset(posted_by, 0, sizeof posted_by);
    for (size_t i = 0; i < WALKERS; i++) {
        walkers[i] = (walker){ .me = join_many(NULL, 0, false) };
        leave(i);
        uint64_t tag = roll(UINT64_MAX); /* the system's dice would not repeat it */
        EXPECT_INT(
            kith_store_save(walkers[i].me->store, "sync.tag", &tag, 8, true, NULL), 0);
        enter(i);
    }
    for (int step = 0; step < STEPS && !test_bad; step++) something();
    for (size_t i = 0; i < WALKERS; i++) { /* everything is well again */
        leave(i);
        walkers[i] = (walker){ .me = walkers[i].me };
        enter(i);
    }
    if (!test_bad) post_some(0); /* there is news: even a bus at rest begins to talk */
    for (int t = 0; t < 400 && !test_bad && !all_idle(); t++) turns(50);
    for (size_t i = 0; i < WALKERS && !test_bad; i++) {
        kith_store_stat s;
        EXPECT_INT(kith_store_stats(walkers[i].me->store, &s, NULL), 0);
        if (s.packets != posted) {
            printf("# node %zu has %llu of %zu, and %llu of its own %zu\n", i,
                (unsigned long long) s.packets, posted, (unsigned long long) s.own,
                posted_by[i]);
        }
        EXPECT_INT(s.packets, posted);
        EXPECT_INT(s.own, posted_by[i]);
    }
    EXPECT(test_bad || one_digest());
    leave_all();
}

static void many_walks_lose_and_double_nothing(void) {
    const char *soak = getenv("KITH_SOAK"), *given = getenv("SEED");
    bool longer = soak != NULL && soak[0] == '1' && given == NULL;
    size_t all = 0;
    for (uint64_t n = 0; n < (longer ? 400 : 6) && !test_bad; n++) {
        uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : 1 + n;
        if (longer) ki_dice_system(&seed, sizeof seed);
        walk(seed);
        all += posted;
        if (test_bad) printf("# SEED=%llu repeats it\n", (unsigned long long) seed);
    }
    printf("# %zu packets posted, 0 lost, 0 doubled\n", all);
}

static const test_case cases[] = {
    { "many_walks_lose_and_double_nothing", many_walks_lose_and_double_nothing },
};
TEST_MAIN(cases)
