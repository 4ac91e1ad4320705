/* SPDX-License-Identifier: Apache-2.0 */
/* What every carrier promises in kith/carrier.h, run against the URL in
 * KITH_TEST_URL; '@' in it becomes a fresh place for each case. A new carrier
 * adds a line to src/carrier/meson.build, not a test. Time is told by tick; where
 * a carrier works on a thread of its own, the test waits on wake_fd. */
#include <kith/address.h>
#include <kith/carrier.h>

#include "alloc.h"
#include "carrier/suite_help.h"
#include "test.h"

#include <dirent.h>

enum {
    MANY = 300,
};

static void opens_and_closes_a_hundred_times(void) {
    realm r = realm_new();
    kith_link *l = realm_open(&r);
    kith_link_close(&l); /* what stays open for good is open now */
    size_t before = descriptors();
    for (int i = 0; i < 100; i++) {
        kith_error err = { 0 };
        EXPECT_INT(kith_link_open(&l, r.url, NULL, &err), 0);
        EXPECT_INT(kith_link_follow(l, ">"), 0);
        int64_t start = clock_ms();
        kith_link_close(&l);
        EXPECT(clock_ms() - start <= KITH_CLOSE_MAX_MS);
        EXPECT(l == NULL);
        kith_link_close(&l);
    }
    EXPECT_INT(descriptors(), before);
    realm_free(&r);
}

static void says_what_it_is(void) {
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

static void refuses_what_is_no_subject_and_no_pattern(void) {
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

static void refuses_lengths_outside_the_packet(void) {
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

/* Rule 2, for every length and every value of a byte. */
static void keeps_every_byte_of_every_size(void) {
    realm r = realm_new();
    kith_link *from = realm_open(&r), *to = realm_open(&r);
    EXPECT_INT(kith_link_follow(to, "size.>"), 0);
    static bool seen[KITH_PACKET_MAX + 1];
    memset(seen, 0, sizeof seen);
    size_t distinct = 0;
    for (size_t start = 1; start <= KITH_PACKET_MAX; start += 32) {
        batch b = { .subject = "size.s", .first = start, .count = 32, .fill = fill_ramp };
        EXPECT(batch_send(from, &b));
        kith_item item;
        while (await(to, &item, distinct == start + 31)) {
            EXPECT(item.length >= 1 && item.length <= start + 31);
            EXPECT(strcmp(item.from.subject, "size.s") == 0);
            uint8_t want[KITH_PACKET_MAX];
            size_t n = fill_ramp(item.length, want);
            EXPECT_INT(n, item.length);
            EXPECT(memcmp(want, item.bytes, n) == 0);
            distinct += !seen[n];
            seen[n] = true;
            kith_link_ack(to, item.token);
        }
    }
    EXPECT(lossy(to) || distinct == KITH_PACKET_MAX);
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}

static const char *const cousins[] = { "iot.hvac", "iot.hvac.energy-anomaly",
    "iot.hvac.a.b", "iot.hvacuum.leak", "iot.hvac-2.x", "iot.hvac_2.x", "iot.hvac0",
    "_sys.sync.n1" };

enum {
    COUSINS = sizeof cousins / sizeof *cousins
};

/* The table of patterns; a mask has a bit for each of cousins. */
static const struct {
    const char *pattern;
    unsigned mask;
} table[] = {
    { "iot.hvac", 0x01 },
    { "iot.hvac.>", 0x06 },
    { "iot.hvac.*", 0x02 },
    { "iot.*", 0x41 },
    { "iot.*.x", 0x30 },
    { "iot.*.*.b", 0x04 },
    { "*.hvac.>", 0x06 },
    { "iot.>", 0x7f },
    { ">", 0x7f },
    { "_sys.>", 0x80 },
    { "*.sync.n1", 0 },
    { "iot.hvac.energy", 0 },
    { "iot.hva", 0 },
    { "iot.hvac.a.b.>", 0 },
};

static void w5_patterns_mean_the_same_everywhere(void) {
    for (size_t row = 0; row < sizeof table / sizeof *table; row++) {
        realm r = realm_new();
        kith_link *from = realm_open(&r), *to = realm_open(&r);
        EXPECT_INT(kith_link_follow(to, table[row].pattern), 0);
        unsigned got = 0;
        for (int round = 0; round < (lossy(to) ? 40 : 1); round++) {
            for (size_t i = 0; i < COUSINS; i++) {
                batch b = {
                    .subject = cousins[i], .first = i + 1, .count = 1, .fill = fill_number
                };
                EXPECT(batch_send(from, &b));
            }
            kith_item item;
            while (await(to, &item, got == table[row].mask)) {
                size_t i = number_of(&item) - 1;
                EXPECT(i < COUSINS);
                EXPECT(strcmp(item.from.subject, cousins[i]) == 0);
                got |= 1u << i;
                kith_link_ack(to, item.token);
            }
        }
        if (got != table[row].mask) printf("# %s: %x\n", table[row].pattern, got);
        EXPECT_INT(got, table[row].mask);
        kith_link_close(&from);
        kith_link_close(&to);
        realm_free(&r);
    }
}

static void counts_follows_and_unfollows(void) {
    realm r = realm_new();
    kith_link *from = realm_open(&r), *to = realm_open(&r);
    EXPECT_INT(kith_link_unfollow(to, "a.>"), KITH_E_MISSING);
    EXPECT_INT(kith_link_follow(to, "a.>"), 0);
    EXPECT_INT(kith_link_follow(to, "a.>"), 0);
    EXPECT_INT(kith_link_follow(to, "a.b"), 0);
    EXPECT_INT(kith_link_unfollow(to, "a.>"), 0);
    EXPECT_INT(kith_link_unfollow(to, "a.b"), 0);
    batch b = { .subject = "a.b", .first = 1, .count = MANY, .fill = fill_number };
    EXPECT(batch_send(from, &b));
    tally t = { .expect = MANY };
    EXPECT(tally_drain(&t, to));
    EXPECT(lossy(to) ? t.distinct > 0 : t.distinct == MANY);
    EXPECT(bends(to) || t.repeats == 0);
    EXPECT_INT(kith_link_unfollow(to, "a.>"), 0);
    EXPECT_INT(kith_link_unfollow(to, "a.>"), KITH_E_MISSING);
    b = (batch){ .subject = "a.b", .first = MANY + 1, .count = 5, .fill = fill_number };
    EXPECT(batch_send(from, &b));
    tally none = { 0 };
    EXPECT(tally_drain(&none, to));
    EXPECT_INT(none.distinct, 0);
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}

static void follows_sixty_four_patterns_and_no_more(void) {
    realm r = realm_new();
    kith_link *from = realm_open(&r), *to = realm_open(&r);
    for (int i = 0; i < KITH_PATTERNS_MAX; i++) {
        char pattern[32];
        (void) snprintf(pattern, sizeof pattern, "p%d.>", i);
        EXPECT_INT(kith_link_follow(to, pattern), 0);
    }
    EXPECT_INT(kith_link_follow(to, "one.more"), KITH_FULL);
    EXPECT_INT(kith_link_follow(to, "p63.>"), 0);
    EXPECT_INT(kith_link_unfollow(to, "p7.>"), 0);
    EXPECT_INT(kith_link_follow(to, "one.more"), 0);
    tally t = { .expect = 1 };
    for (int i = 0; i < 40 && t.distinct == 0; i++) {
        batch b = { .subject = "one.more", .first = 1, .count = 1, .fill = fill_number };
        EXPECT(batch_send(from, &b));
        EXPECT(tally_drain(&t, to));
    }
    EXPECT_INT(t.distinct, 1);
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}

static void two_readers_get_all(void) {
    realm r = realm_new();
    kith_link *from = realm_open(&r), *a = realm_open(&r), *b = realm_open(&r);
    EXPECT_INT(kith_link_follow(a, ">"), 0);
    EXPECT_INT(kith_link_follow(b, "two.>"), 0);
    batch all = {
        .subject = "two.readers", .first = 1, .count = MANY, .fill = fill_number
    };
    tally one = { .expect = MANY }, two = { .expect = MANY };
    EXPECT(batch_send(from, &all));
    EXPECT(tally_drain(&one, a));
    EXPECT(tally_drain(&two, b));
    EXPECT(lossy(a) || (one.distinct == MANY && two.distinct == MANY));
    EXPECT(bends(a) || one.repeats + two.repeats == 0);
    kith_link_close(&from);
    kith_link_close(&a);
    kith_link_close(&b);
    realm_free(&r);
}

/* Rule 3: in order for each poster where it is promised, never altered. */
static void many_writers_reach_one_reader(void) {
    enum {
        WRITERS = 4,
        EACH = 100
    };
    realm r = realm_new();
    kith_link *from[WRITERS], *to = realm_open(&r);
    EXPECT_INT(kith_link_follow(to, "many.*"), 0);
    for (size_t w = 0; w < WRITERS; w++) from[w] = realm_open(&r);
    tally t = { .expect = WRITERS * EACH };
    for (size_t i = 0; i < EACH; i += 20) {
        for (size_t w = 0; w < WRITERS; w++) {
            char subject[] = "many.w0";
            subject[6] = (char) ('0' + w);
            batch b = { .subject = subject,
                .first = w * EACH + i + 1,
                .count = 20,
                .fill = fill_number };
            EXPECT(batch_send(from[w], &b));
        }
    }
    size_t last[WRITERS] = { 0 };
    kith_item item;
    while (await(to, &item, t.distinct == t.expect)) {
        size_t n = number_of(&item), w = (n - 1) / EACH;
        EXPECT(w < WRITERS);
        bool first = tally_note(&t, n);
        bool ordered = (kith_link_can(to) & KITH_CAN_ORDER) && !bends(to);
        EXPECT(!ordered || !first || n > last[w]);
        last[w] = n;
        kith_link_ack(to, item.token);
    }
    EXPECT(lossy(to) || t.distinct == t.expect);
    for (size_t w = 0; w < WRITERS; w++) kith_link_close(&from[w]);
    kith_link_close(&to);
    realm_free(&r);
}

static void settles_everything_it_took(void) {
    realm r = realm_new();
    kith_link *l = realm_open(&r);
    batch b = { .subject = "a", .first = 1, .count = MANY, .fill = fill_number };
    EXPECT(batch_send(l, &b));
    EXPECT_INT(b.settled, MANY);
    EXPECT(bends(l) || b.failures == 0);
    uint64_t through = 77;
    EXPECT_INT(kith_link_settle(l, &through, NULL), KITH_EMPTY);
    EXPECT_INT(through, 77);
    kith_counters c;
    kith_link_counters(l, &c);
    EXPECT(c.posted >= MANY && c.settled >= MANY && c.settled <= c.posted);
    kith_link_close(&l);
    realm_free(&r);
}

/* Rule 4: what did not come is counted, or still to come. */
static void nothing_is_lost_in_silence(void) {
    realm r = realm_new();
    kith_link *from = realm_open(&r), *slow = realm_open(&r);
    const size_t flood = kith_link_level(slow) == KITH_LEVEL_NONE ? 3000 : 900;
    EXPECT_INT(kith_link_follow(slow, "flood"), 0);
    batch b = { .subject = "flood", .first = 1, .count = flood, .fill = fill_number };
    EXPECT(batch_send(from, &b));
    tally t = { .expect = flood };
    EXPECT(tally_drain(&t, slow));
    kith_counters c;
    kith_link_counters(slow, &c);
    EXPECT_INT(t.gaps > 0, c.lost > 0);
    EXPECT(bends(slow) || t.distinct + c.lost == flood);
    EXPECT(lossy(slow) || !bends(slow) || t.distinct == flood);
    kith_link_close(&from);
    kith_link_close(&slow);
    realm_free(&r);
}

static void sync_frames_go_where_they_can(void) {
    realm r = realm_new();
    kith_link *from = realm_open(&r), *to = realm_open(&r);
    kith_posting p = {
        .kind = KITH_ITEM_SYNC, .length = 3, .bytes = (const uint8_t *) "abc"
    };
    if (!(kith_link_can(from) & KITH_CAN_SYNC)) {
        EXPECT_INT(kith_link_post(from, &p), KITH_E_NOTSUP);
    } else {
        kith_item item = { 0 };
        bool came = false; /* follows nothing: frames come all the same */
        for (int i = 0; i < 100 && !came; i++) {
            int posted = kith_link_post(from, &p);
            EXPECT(posted == 0 || posted == KITH_FULL);
            came = await(to, &item, false);
        }
        EXPECT(came);
        EXPECT_INT(item.kind, KITH_ITEM_SYNC);
        EXPECT_INT(item.length, 3);
        EXPECT(memcmp(item.bytes, "abc", 3) == 0);
        EXPECT(item.from.subject[0] == '\0');
    }
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}

static void a_late_joiner_begins_where_it_likes(void) {
    realm r = realm_new();
    kith_link *from = realm_open(&r), *late = NULL;
    batch b = { .subject = "past", .first = 1, .count = MANY, .fill = fill_number };
    EXPECT(batch_send(from, &b));
    late = realm_open(&r);
    EXPECT_INT(kith_link_follow(late, "past"), 0);
    tally none = { 0 }, all = { .expect = MANY };
    EXPECT(tally_drain(&none, late));
    EXPECT_INT(none.distinct, 0);
    int want = kith_link_can(late) & KITH_CAN_REPLAY ? 0 : KITH_E_NOTSUP;
    EXPECT_INT(kith_link_rewind(late, &(kith_position){ .kind = KITH_FROM_START }), want);
    if (want == 0) {
        EXPECT(tally_drain(&all, late));
        EXPECT_INT(all.distinct, MANY);
        EXPECT_INT(kith_link_rewind(late, &(kith_position){ .kind = KITH_FROM_START }), 0);
        EXPECT_INT(kith_link_rewind(late, &(kith_position){ .kind = KITH_FROM_NOW }), 0);
        tally now = { .expect = 1 };
        b = (batch){
            .subject = "past", .first = MANY + 1, .count = 1, .fill = fill_number
        };
        EXPECT(batch_send(from, &b));
        EXPECT(tally_drain(&now, late));
        EXPECT_INT(now.distinct, 1);
    }
    kith_link_close(&from);
    kith_link_close(&late);
    realm_free(&r);
}

/* Pulls `count` distinct ones, acks them if told so, and says how far that is. */
static bool take(kith_link *l, size_t count, bool ack, kith_position *ret) {
    tally t = { .expect = count };
    kith_item item;
    while (t.distinct < count && await(l, &item, false)) {
        (void) tally_note(&t, number_of(&item));
        if (ack) kith_link_ack(l, item.token);
    }
    return t.distinct == count && (!ack || kith_link_cursor(l, ret));
}

static void goes_on_from_its_cursor(void) {
    realm r = realm_new();
    kith_link *from = realm_open(&r), *to = realm_open(&r);
    if (!(kith_link_can(to) & KITH_CAN_DURABLE) || bends(to)) {
        kith_link_close(&from);
        kith_link_close(&to);
        realm_free(&r);
        SKIP("no durable place in the order posted here");
    }
    kith_position at = { 0 }, other = { 0 };
    kith_link *fresh = NULL; /* reads from now on: no place to name yet */
    EXPECT_INT(kith_link_open(&fresh, r.url, NULL, NULL), 0);
    EXPECT(!kith_link_cursor(fresh, &at));
    kith_link_close(&fresh);
    EXPECT_INT(kith_link_follow(to, "a.*"), 0);
    batch b = { .subject = "a.b", .first = 1, .count = MANY, .fill = fill_number };
    EXPECT(batch_send(from, &b));
    EXPECT(take(to, 100, true, &at));
    EXPECT_INT(at.kind, KITH_FROM_CURSOR);
    EXPECT(take(to, 50, false, NULL)); /* rule 6: these come again */
    EXPECT(kith_link_cursor(to, &other));
    EXPECT(memcmp(at.cursor, other.cursor, at.length) == 0);
    kith_link_close(&to);
    b = (batch){ .subject = "a.b", .first = MANY + 1, .count = 10, .fill = fill_number };
    EXPECT(batch_send(from, &b)); /* while we were away */
    to = realm_open(&r);
    EXPECT_INT(kith_link_follow(to, "a.*"), 0);
    EXPECT_INT(kith_link_rewind(to, &at), 0);
    tally t = { .expect = MANY + 10 - 100 };
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.distinct, t.expect);
    EXPECT_INT(t.lowest, 101);
    EXPECT_INT(t.repeats, 0);
    at.cursor[0] ^= 1; /* another medium's */
    EXPECT_INT(kith_link_rewind(to, &at), KITH_E_MISSING);
    at.length = 1;
    EXPECT_INT(kith_link_rewind(to, &at), KITH_E_MISSING);
    at.length = KITH_CURSOR_MAX + 1;
    EXPECT_INT(kith_link_rewind(to, &at), KITH_E_ARG);
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}

static void keeps_a_repeated_packet_once(void) {
    realm r = realm_new();
    kith_link *from = realm_open(&r), *to = realm_open(&r);
    if (!(kith_link_can(from) & KITH_CAN_DEDUPE)) {
        kith_link_close(&from);
        kith_link_close(&to);
        realm_free(&r);
        SKIP("repeats are the node's business here");
    }
    for (int i = 0; i < 20; i++) {
        batch b = { .subject = "a", .first = 1, .count = 1, .fill = fill_number };
        EXPECT(batch_send(from, &b));
    }
    EXPECT_INT(kith_link_follow(to, "a"), 0);
    EXPECT_INT(kith_link_rewind(to, &(kith_position){ .kind = KITH_FROM_START }), 0);
    tally t = { .expect = 1 };
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.distinct, 1);
    EXPECT(bends(to) || t.repeats == 0);
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}

static void p7_opening_survives_each_failed_allocation(void) {
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
        EXPECT_INT(descriptors(), fds);
        if (!failed) break;
    }
    realm_free(&r);
}

static void post_and_pull_allocate_nothing(void) {
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

static void its_descriptor_wakes_the_sleeper(void) {
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
        for (int tries = 0; tries < 100 && got == KITH_EMPTY; tries++) {
            for (int i = 0; i < 200 && !readable(fd, 20); i++) pass_time(to);
            EXPECT(readable(fd, 0));
            got = kith_link_pull(to, &item);
        }
        EXPECT_INT(got, 0);
        EXPECT_INT(number_of(&item), round);
    }
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}

/* Posts and leaves: nothing waits for ever, nothing half is left behind. */
static void closing_in_the_middle_ends_in_time(void) {
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
        EXPECT(clock_ms() - start <= KITH_CLOSE_MAX_MS);
        tally t = { .expect = MANY };
        EXPECT(tally_drain(&t, to));
        kith_link_close(&to);
    }
    realm_free(&r);
}

/* A seeded walk over three links: what comes was posted, matches what is
 * followed, and comes to every link that could not miss it. */
static void a_random_walk_keeps_the_rules(void) {
    enum {
        LINKS = 3,
        STEPS = 600
    };
    static const char *const patterns[] = { ">", "a.>", "a.b", "*.b", "b.*.c" };
    static const char *const subjects[] = { "a.b", "a.c", "b", "b.b", "b.x.c", "a.b.c" };
    realm r = realm_new();
    kith_link *l[LINKS];
    uint64_t dice = 20261121;
    unsigned follows[LINKS] = { 0 };
    for (size_t i = 0; i < LINKS; i++) l[i] = realm_open(&r);
    for (size_t step = 1; step <= STEPS; step++) {
        size_t i = roll(&dice) % LINKS, k = roll(&dice) % 5, s = roll(&dice) % 6;
        kith_item item;
        uint8_t bytes[8];
        kith_posting p = posting_of(subjects[s], bytes, fill_number(step << 3 | s, bytes));
        switch (roll(&dice) % 5) {
        case 0:
            EXPECT_INT(kith_link_follow(l[i], patterns[k]), 0);
            follows[i] |= 1u << k;
            break;
        case 1:
            kith_link_close(&l[i]);
            l[i] = realm_open(&r);
            follows[i] = 0;
            break;
        case 2: {
            int posted = kith_link_post(l[i], &p);
            EXPECT(posted == 0 || posted == KITH_FULL);
            break;
        }
        default: {
            int got = kith_link_pull(l[i], &item);
            EXPECT(got == 0 || got == KITH_EMPTY || got == KITH_GAP);
            if (got != 0) break;
            size_t n = number_of(&item);
            EXPECT((n >> 3) <= step && (n & 7) < 6);
            EXPECT(strcmp(item.from.subject, subjects[n & 7]) == 0);
            bool wanted = false;
            for (size_t j = 0; j < 5; j++) {
                wanted |= (follows[i] >> j & 1) &&
                          kith_subject_matches(patterns[j], item.from.subject);
            }
            EXPECT(wanted);
            kith_link_ack(l[i], item.token);
        }
        }
    }
    for (size_t i = 0; i < LINKS; i++) kith_link_close(&l[i]);
    realm_free(&r);
}

#define CASE(name)                                                                         \
    { #name, name }

static const test_case cases[] = {
    CASE(opens_and_closes_a_hundred_times),
    CASE(says_what_it_is),
    CASE(refuses_what_is_no_subject_and_no_pattern),
    CASE(refuses_lengths_outside_the_packet),
    CASE(keeps_every_byte_of_every_size),
    CASE(w5_patterns_mean_the_same_everywhere),
    CASE(counts_follows_and_unfollows),
    CASE(follows_sixty_four_patterns_and_no_more),
    CASE(two_readers_get_all),
    CASE(many_writers_reach_one_reader),
    CASE(settles_everything_it_took),
    CASE(nothing_is_lost_in_silence),
    CASE(sync_frames_go_where_they_can),
    CASE(a_late_joiner_begins_where_it_likes),
    CASE(goes_on_from_its_cursor),
    CASE(keeps_a_repeated_packet_once),
    CASE(p7_opening_survives_each_failed_allocation),
    CASE(post_and_pull_allocate_nothing),
    CASE(its_descriptor_wakes_the_sleeper),
    CASE(closing_in_the_middle_ends_in_time),
    CASE(a_random_walk_keeps_the_rules),
};
TEST_MAIN(cases)
