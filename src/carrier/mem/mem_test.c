/* SPDX-License-Identifier: Apache-2.0 */
/* What mem promises beyond the suite: who is on a bus, what goes when a ring is
 * full, and that threads may each hold a link. */
#include <kith/carrier.h>

#include "carrier/suite_help.h"
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>

static kith_link *opened(const char *url, const char *pattern) {
    kith_link *l = NULL;
    if (kith_link_open(&l, url, NULL, NULL) != 0) abort();
    if (pattern != NULL && kith_link_follow(l, pattern) != 0) abort();
    return l;
}

static bool posted(kith_link *l, size_t number) {
    uint8_t bytes[8];
    kith_address to = { "a.b" };
    kith_posting p = { .kind = KITH_ITEM_PACKET, .bytes = bytes, .to = &to };
    p.length = (uint16_t) fill_number(number, bytes);
    return kith_link_post(l, &p) == 0;
}

/* The next number; -1: there is none; -2: a gap. */
static int pulled(kith_link *l) {
    kith_item item;
    int r = kith_link_pull(l, &item);
    return r == 0 ? (int) number_of(&item) : r == KITH_GAP ? -2 : -1;
}

static uint64_t lost(kith_link *l) {
    kith_counters c;
    kith_link_counters(l, &c);
    return c.lost;
}

static void a_full_ring_refuses_the_newest_and_says_where(void) {
    kith_link *from = opened("mem://full", NULL), *to = opened("mem://full?ring=4K", ">");
    for (size_t round = 0; round < 5; round++) {
        for (size_t i = 1; i <= 6; i++) EXPECT(posted(from, i));
        for (int i = 1; i <= 4; i++) EXPECT_INT(pulled(to), i);
        EXPECT(posted(from, 7)); /* behind the two that are missing */
        EXPECT_INT(pulled(to), -2);
        EXPECT_INT(lost(to), 2 * (round + 1));
        EXPECT_INT(pulled(to), 7);
        EXPECT_INT(pulled(to), -1);
    }
    for (size_t i = 1; i <= 5; i++) EXPECT(posted(from, i));
    for (int i = 1; i <= 4; i++) EXPECT_INT(pulled(to), i);
    EXPECT_INT(pulled(to), -2); /* told also when nothing follows */
    EXPECT_INT(pulled(to), -1);
    kith_link_close(&to);
    kith_link_close(&from);
}

static void one_place_one_bus(void) {
    kith_link *a = opened("mem://red", ">"), *b = opened("mem://red?ring=4K", ">"),
              *c = opened("mem://reddish", ">"), *d = opened("mem://red", ">");
    EXPECT(posted(a, 7));
    EXPECT_INT(pulled(b), 7);
    EXPECT_INT(pulled(d), 7);
    EXPECT_INT(pulled(c), -1);
    EXPECT_INT(pulled(a), -1); /* nobody hears himself */
    kith_link_close(&b);       /* the one in the middle */
    EXPECT(posted(c, 8));
    EXPECT(posted(a, 9));
    EXPECT_INT(pulled(d), 9);
    EXPECT_INT(pulled(d), -1);
    kith_link_close(&a);
    EXPECT(posted(d, 10)); /* to nobody */
    kith_link_close(&c);
    kith_link_close(&d);
}

static void a_name_is_1_to_63_bytes(void) {
    char url[128] = "mem://";
    kith_link *l = NULL;
    EXPECT_INT(kith_link_open(&l, url, NULL, NULL), KITH_E_ARG);
    memset(url + 6, 'x', 64);
    EXPECT_INT(kith_link_open(&l, url, NULL, NULL), KITH_E_ARG);
    url[69] = '\0';
    EXPECT_INT(kith_link_open(&l, url, NULL, NULL), 0);
    kith_link_close(&l);
}

enum {
    THREADS = 4,
    EACH = 2000
};

static atomic_int finished;

/* Joins, posts its numbers, follows and leaves in between, as threads do. */
static void *post_many(void *arg) {
    size_t first = *(size_t *) arg;
    kith_link *l = opened("mem://threads", NULL);
    for (size_t i = 0; i < EACH; i++) {
        if (!posted(l, first + i)) abort();
        if (i % 500 == 250) {
            kith_link_close(&l);
            l = opened("mem://threads?ring=4K", i % 1000 == 250 ? "a.>" : NULL);
        }
        if (i % 100 == 50) (void) pulled(l);
    }
    kith_link_close(&l);
    atomic_fetch_add(&finished, 1);
    return NULL;
}

/* Exact: what is not counted as lost arrives once and in its poster's order. */
static void threads_share_a_bus(void) {
    pthread_t threads[THREADS];
    size_t first[THREADS], last[THREADS] = { 0 }, got = 0;
    static uint8_t seen[THREADS * EACH + 1];
    memset(seen, 0, sizeof seen);
    kith_link *to = opened("mem://threads?ring=256K", ">");
    int fd = kith_link_wake_fd(to);
    atomic_store(&finished, 0);
    for (size_t i = 0; i < THREADS; i++) {
        first[i] = i * EACH + 1;
        if (pthread_create(&threads[i], NULL, post_many, &first[i]) != 0) abort();
    }
    for (bool over = false;;) {
        bool was = over;
        kith_item item;
        int r = kith_link_pull(to, &item);
        if (r == 0) {
            size_t n = number_of(&item), w = (n - 1) / EACH;
            if (n < 1 || n > THREADS * EACH || seen[n] || n <= last[w]) break;
            last[w] = n;
            seen[n] = 1;
            got++;
            continue;
        }
        if (was && r == KITH_EMPTY) break;
        over = atomic_load(&finished) == THREADS;
        if (!over && r == KITH_EMPTY) (void) readable(fd, 1000);
    }
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    EXPECT_INT(got + lost(to), THREADS * EACH);
    kith_link_close(&to);
}

static const test_case cases[] = {
    { "a_full_ring_refuses_the_newest_and_says_where",
        a_full_ring_refuses_the_newest_and_says_where },
    { "one_place_one_bus", one_place_one_bus },
    { "a_name_is_1_to_63_bytes", a_name_is_1_to_63_bytes },
    { "threads_share_a_bus", threads_share_a_bus },
};
TEST_MAIN(cases)
