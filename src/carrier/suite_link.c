/* SPDX-License-Identifier: Apache-2.0 */
/* The suite: a link as such, from open to close, and what it refuses. */
#include <kith/carrier.h>

#include "alloc.h"
#include "carrier/suite.h"
#include "carrier/suite_help.h"

void opens_and_closes_a_hundred_times(void) {
    realm r = realm_new();
    kith_link *l = realm_open(&r);
    kith_link_close(&l); /* what stays open for good is open now */
    size_t before = descriptors();
    for (int i = 0; i < 100; i++) {
        kith_error err = { 0 };
        EXPECT_INT(kith_link_open(&l, r.url, NULL, &err), 0);
        EXPECT_INT(kith_link_follow(l, ">"), 0);
        kith_link_close(&l);
        EXPECT(l == NULL);
        kith_link_close(&l);
    }
    UNTIL (descriptors() <= before) (void) readable(-1, 1); /* threads end a little later */
    EXPECT(descriptors() <= before); /* one of before them may have ended too */
    realm_free(&r);
}

void says_what_it_is(void) {
    realm r = realm_new();
    kith_link *l = realm_open(&r);
    kith_error err = { 0 };
    EXPECT(strstr(r.url, kith_link_scheme(l)) != NULL);
    EXPECT_INT(kith_link_health(l, &err), 0);
    EXPECT(kith_link_level(l) >= KITH_LEVEL_NONE);
    EXPECT(kith_link_level(l) <= KITH_LEVEL_REPLICATED);
    EXPECT((kith_link_can(l) & KITH_CAN_BEND) == 0 || strstr(r.url, "fault+") != NULL);
    kith_link_close(&l);
    realm_free(&r);
}

void refuses_what_is_no_subject_and_no_pattern(void) {
    static const char *const bad[] = { "a.>.b", ">.a", "a*", "*a", "a..b", ".a", "a.", "",
        "A.b", "a.+", "a.#", "a b", "a/b", "a.%", "a\n", "1.2.3.4.5.6.7.8.9", "../x",
        "a\\b" };
    realm r = realm_new();
    kith_link *l = realm_open(&r);
    char longest[KITH_SUBJECT_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[KITH_SUBJECT_MAX + 1] = '\0';
    kith_posting p = posting_of("a", "x", 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        kith_address to = { "" };
        memcpy(to.subject, bad[i], strlen(bad[i]) + 1);
        p.to = &to;
        EXPECT_INT(kith_link_follow(l, bad[i]), KITH_E_ARG);
        EXPECT_INT(kith_link_unfollow(l, bad[i]), KITH_E_ARG);
        EXPECT_INT(kith_link_post(l, &p), KITH_E_ARG);
    }
    kith_address endless;
    memset(&endless, 'a', sizeof endless);
    p.to = &endless;
    EXPECT_INT(kith_link_post(l, &p), KITH_E_ARG);
    EXPECT_INT(kith_link_follow(l, longest), KITH_E_ARG);
    p.to = &(kith_address){ "a.*" };
    EXPECT_INT(kith_link_post(l, &p), KITH_E_ARG);
    p.to = NULL;
    EXPECT_INT(kith_link_post(l, &p), KITH_E_ARG);
    kith_counters c;
    kith_link_counters(l, &c);
    EXPECT_INT(c.posted, 0);
    kith_link_close(&l);
    realm_free(&r);
}

void refuses_lengths_outside_the_packet(void) {
    realm r = realm_new();
    kith_link *l = realm_open(&r);
    static const uint16_t lengths[] = { 0, KITH_PACKET_MAX + 1, UINT16_MAX };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        kith_posting p = posting_of("a", "x", 1);
        p.length = lengths[i];
        EXPECT_INT(kith_link_post(l, &p), KITH_E_ARG);
    }
    kith_posting p = posting_of("a", "x", 1);
    p.kind = 77;
    EXPECT_INT(kith_link_post(l, &p), KITH_E_ARG);
    kith_link_close(&l);
    realm_free(&r);
}

void p7_opening_survives_each_failed_allocation(void) {
    realm r = realm_new();
    kith_link *l = realm_open(&r);
    kith_link_close(&l);
    size_t fds = descriptors();
    for (size_t n = 1;; n++) {
        kith_error err = { 0 };
        EXPECT(n < 10000);
        alloc_fail_at(n);
        int opened = kith_link_open(&l, r.url, NULL, &err);
        int followed = opened < 0 ? 0 : kith_link_follow(l, "a.>");
        bool failed = alloc_failed();
        alloc_fail_at(0);
        EXPECT_INT(opened < 0, l == NULL);
        EXPECT(opened == 0 || (opened == KITH_E_MEMORY && err.text[0] != '\0'));
        EXPECT(followed == 0 || followed == KITH_E_MEMORY);
        kith_link_close(&l);
        UNTIL (descriptors() <= fds) (void) readable(-1, 1);
        EXPECT(descriptors() <= fds);
        if (!failed) break;
    }
    realm_free(&r);
}

void post_and_pull_allocate_nothing(void) {
    realm r = realm_new();
    kith_link *from = realm_open(&r), *to = realm_open(&r);
    EXPECT_INT(kith_link_follow(to, ">"), 0);
    size_t posted = 0;
    size_t before = alloc_count();
    for (size_t i = 1; i <= MANY; i++) {
        uint8_t bytes[8];
        kith_posting p = posting_of("a.b", bytes, fill_number(i, bytes));
        posted += kith_link_post(from, &p) == 0;
        kith_item item;
        (void) !kith_link_pull(to, &item);
    }
    EXPECT_INT(alloc_count(), before);
    EXPECT(posted > 0);
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}

void its_descriptor_wakes_the_sleeper(void) {
    realm r = realm_new();
    kith_link *from = realm_open(&r), *to = realm_open(&r);
    EXPECT_INT(kith_link_follow(to, "wake"), 0);
    int fd = kith_link_wake_fd(to);
    if (fd < 0 || bends(to)) {
        kith_link_close(&from);
        kith_link_close(&to);
        realm_free(&r);
        SKIP("the core must ask here");
    }
    for (size_t round = 1; round <= 50; round++) {
        kith_item item;
        while (kith_link_pull(to, &item) != KITH_EMPTY) {
        }
        batch b = { .subject = "wake", .first = round, .count = 1, .fill = fill_number };
        EXPECT(batch_send(from, &b));
        int got = KITH_EMPTY;
        UNTIL (got != KITH_EMPTY) {
            pass_time(to);
            if (readable(fd, 20)) got = kith_link_pull(to, &item);
        }
        EXPECT_INT(got, 0);
        EXPECT_INT(number_of(&item), round);
    }
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}

/* Posts and leaves: nothing waits for ever, nothing half is left behind. */
void closing_in_the_middle_ends_in_time(void) {
    realm r = realm_new();
    for (int round = 0; round < 5; round++) {
        kith_link *from = realm_open(&r), *to = realm_open(&r);
        EXPECT_INT(kith_link_follow(to, ">"), 0);
        for (size_t i = 1; i <= MANY; i++) {
            uint8_t bytes[8];
            kith_posting p = posting_of("a.b", bytes, fill_number(i, bytes));
            p.ticket = i;
            int posted = kith_link_post(from, &p);
            EXPECT(posted == 0 || posted == KITH_FULL);
        }
        int64_t start = clock_ms();
        kith_link_close(&from);
        EXPECT(clock_ms() - start <= PATIENCE_MS); /* what was not settled need not come */
        tally t = { 0 };
        EXPECT(tally_drain(&t, to));
        kith_link_close(&to);
    }
    realm_free(&r);
}
