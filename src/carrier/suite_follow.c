/* SPDX-License-Identifier: Apache-2.0 */
/* The suite: what is followed comes, whole, to everybody who follows it. */
#include <kith/address.h>
#include <kith/carrier.h>

#include "carrier/suite.h"
#include "carrier/suite_help.h"
#include <kith/address.h>

/* Rule 2, for every length and every value of a byte. */
void keeps_every_byte_of_every_size(void) {
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
            EXPECT(bare(&item) || strcmp(item.from.subject, "size.s") == 0);
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

void w5_patterns_mean_the_same_everywhere(void) {
    for (size_t row = 0; row < sizeof table / sizeof *table; row++) {
        realm r = realm_new();
        kith_link *from = realm_open(&r), *to = realm_open(&r);
        EXPECT_INT(kith_link_follow(to, table[row].pattern), 0);
        unsigned got = 0;
        int whole = 0; /* rounds after which all was there */
        for (int round = 0; round < (lossy(to) ? 40 : 1) && whole < 3; round++) {
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
                kith_link_ack(to, item.token);
                if (bare(&item)) {
                    bool mine = kith_subject_matches(table[row].pattern, cousins[i]);
                    got |= (unsigned) mine << i;
                    continue;
                }
                EXPECT(strcmp(item.from.subject, cousins[i]) == 0);
                got |= 1u << i;
            }
            whole += got == table[row].mask;
        }
        if (got != table[row].mask) printf("# %s: %x\n", table[row].pattern, got);
        EXPECT_INT(got, table[row].mask);
        kith_link_close(&from);
        kith_link_close(&to);
        realm_free(&r);
    }
}

void counts_follows_and_unfollows(void) {
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

void follows_sixty_four_patterns_and_no_more(void) {
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

void two_readers_get_all(void) {
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
void many_writers_reach_one_reader(void) {
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
