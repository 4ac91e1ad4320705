/* SPDX-License-Identifier: Apache-2.0 */
/* What fault promises beyond the suite: as much harm as asked for, the same harm
 * for the same seed, and no false word about what is settled. */
#include <kith/carrier.h>

#include "carrier/suite_help.h"
#include "test.h"

enum {
    POSTS = 2000
};

static kith_link *opened(const char *url, const char *pattern) {
    kith_link *l = NULL;
    if (kith_link_open(&l, url, NULL, NULL) != 0) abort();
    if (pattern != NULL && kith_link_follow(l, pattern) != 0) abort();
    return l;
}

static int post(kith_link *l, size_t number, uint64_t ticket) {
    uint8_t bytes[8];
    kith_posting p = posting_of("a", bytes, fill_number(number, bytes));
    p.ticket = ticket;
    return kith_link_post(l, &p);
}

/* How often packet i came, and how often one came before an older one. */
static int harmed(const char *url, uint8_t arrivals[POSTS], int *ret_overtaken) {
    kith_link *from = opened(url, NULL), *to = opened("mem://f?ring=4M", "a");
    int sum = 0;
    size_t last = 0;
    memset(arrivals, 0, POSTS);
    *ret_overtaken = 0;
    for (size_t i = 0; i < POSTS; i++) {
        if (post(from, i + 1, 0) != 0) abort();
    }
    for (uint64_t t = 1; t <= 5; t++) {
        kith_item item;
        kith_link_tick(from, (kith_time){ .mono_ns = t * 1000000000 });
        while (kith_link_pull(to, &item) == 0) {
            size_t n = number_of(&item);
            if (n < 1 || n > POSTS) abort();
            *ret_overtaken += n < last;
            last = n;
            arrivals[n - 1]++;
            sum++;
        }
    }
    kith_link_close(&from);
    kith_link_close(&to);
    return sum;
}

static void harms_as_much_as_asked(void) {
    static uint8_t arrivals[POSTS];
    int late;
    EXPECT_INT(harmed("fault+mem://f", arrivals, &late), POSTS);
    EXPECT_INT(late, 0);
    EXPECT_INT(harmed("fault+mem://f?drop=100", arrivals, &late), 0);
    EXPECT_INT(harmed("fault+mem://f?repeat=100", arrivals, &late), 2 * POSTS);
    int half = harmed("fault+mem://f?drop=50", arrivals, &late);
    EXPECT(half > POSTS * 4 / 10);
    EXPECT(half < POSTS * 6 / 10);
    EXPECT_INT(harmed("fault+mem://f?reorder=20", arrivals, &late), POSTS);
    EXPECT(late > POSTS / 20);
    EXPECT_INT(harmed("fault+mem://f?delay=10s&drop=0", arrivals, &late), POSTS - 256);
    EXPECT_INT(harmed("fault+mem://f?delay=2s", arrivals, &late), POSTS);
}

static void same_seed_same_harm(void) {
    static uint8_t one[POSTS], two[POSTS];
    int late;
    (void) harmed("fault+mem://f?drop=20&repeat=20&reorder=5&seed=5", one, &late);
    (void) harmed("fault+mem://f?drop=20&repeat=20&reorder=5&seed=5", two, &late);
    EXPECT(memcmp(one, two, POSTS) == 0);
    (void) harmed("fault+mem://f?drop=20&repeat=20&reorder=5&seed=6", two, &late);
    EXPECT(memcmp(one, two, POSTS) != 0);
}

/* The same on the way in. */
static void bends_both_ways(void) {
    kith_link *from = opened("mem://in", NULL);
    kith_link *half = opened("fault+mem://in?ring=4M&drop=50", "a");
    kith_link *twice = opened("fault+mem://in?ring=4M&repeat=100", "a");
    kith_link *mixed = opened("fault+mem://in?ring=4M&reorder=30", "a");
    for (size_t i = 1; i <= POSTS; i++) EXPECT_INT(post(from, i, 0), 0);
    tally a = { 0 }, b = { 0 }, c = { 0 };
    EXPECT(tally_drain(&a, half));
    EXPECT(a.distinct > POSTS * 4 / 10 && a.distinct < POSTS * 6 / 10);
    EXPECT(tally_drain(&b, twice));
    EXPECT(b.distinct == POSTS && b.repeats == POSTS);
    kith_item item;
    size_t last = 0, late = 0;
    while (kith_link_pull(mixed, &item) == 0) {
        late += number_of(&item) < last;
        last = number_of(&item);
        (void) tally_note(&c, last);
    }
    EXPECT_INT(c.distinct, POSTS);
    EXPECT_INT(c.repeats, 0);
    EXPECT(late > POSTS / 10);
    kith_link_close(&from);
    kith_link_close(&half);
    kith_link_close(&twice);
    kith_link_close(&mixed);
}

static void a_cut_refuses_says_so_and_heals(void) {
    kith_link *l = opened("fault+mem://cut?cut_after=4&cut_for=3", NULL);
    kith_error err = { 0 };
    uint64_t through = 0;
    for (uint64_t i = 1; i <= 3; i++) EXPECT_INT(post(l, i, i), 0);
    EXPECT_INT(kith_link_health(l, &err), 0);
    EXPECT_INT(post(l, 4, 4), KITH_FULL);
    EXPECT_INT(kith_link_health(l, &err), KITH_E_CLOSED);
    EXPECT(strstr(err.text, "cut") != NULL);
    EXPECT_INT(kith_link_settle(l, &through, &err), 0); /* went out before */
    EXPECT_INT(through, 3);
    EXPECT_INT(kith_link_settle(l, &through, &err), KITH_EMPTY);
    EXPECT_INT(post(l, 4, 4), KITH_FULL);
    kith_link_tick(l, (kith_time){ .mono_ns = 1 }); /* time heals too */
    EXPECT_INT(post(l, 4, 4), KITH_FULL);
    EXPECT_INT(kith_link_health(l, &err), 0);
    EXPECT_INT(post(l, 4, 4), 0);
    EXPECT_INT(kith_link_settle(l, &through, &err), 0);
    EXPECT_INT(through, 4);
    kith_link_close(&l);
    l = opened("fault+mem://cut?cut_after=4&cut_for=1&delay=1h", NULL);
    for (uint64_t i = 1; i <= 3; i++) EXPECT_INT(post(l, i, i), 0);
    EXPECT_INT(post(l, 4, 4), KITH_FULL);
    EXPECT_INT(kith_link_settle(l, &through, &err), KITH_E_CLOSED); /* 1..3 were held */
    EXPECT(strstr(err.text, "cut") != NULL);
    EXPECT_INT(kith_link_settle(l, &through, &err), KITH_EMPTY); /* told once */
    kith_link_close(&l);
}

static void a_lost_post_is_settled_only_where_nothing_is_promised(void) {
    kith_link *l = opened("fault+mem://lost?drop=100", NULL);
    uint64_t through = 0;
    EXPECT_INT(post(l, 1, 41), 0);
    EXPECT_INT(kith_link_settle(l, &through, NULL), 0);
    EXPECT_INT(through, 41);
    kith_link_close(&l);
}

static const test_case cases[] = {
    { "harms_as_much_as_asked", harms_as_much_as_asked },
    { "same_seed_same_harm", same_seed_same_harm },
    { "bends_both_ways", bends_both_ways },
    { "a_cut_refuses_says_so_and_heals", a_cut_refuses_says_so_and_heals },
    { "a_lost_post_is_settled_only_where_nothing_is_promised",
        a_lost_post_is_settled_only_where_nothing_is_promised },
};
TEST_MAIN(cases)
