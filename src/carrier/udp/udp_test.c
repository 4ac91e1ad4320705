/* SPDX-License-Identifier: Apache-2.0 */
/* What udp promises beyond the suite: what is dropped is counted to the last one,
 * sending is paced, strangers' datagrams cost their bytes and nothing more, and
 * nothing leaves the machine. */
#include "carrier/suite_help.h"

#include "carrier/pace.h"
#include "carrier/udp/group.h"
#include "test.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/resource.h>

static kith_link *follow(const realm *r) {
    kith_link *l = realm_open(r);
    if (kith_link_follow(l, ">") != 0) abort();
    return l;
}

/* A stranger: any process of this machine that knows the group. */
typedef struct stranger {
    int fd;
    struct sockaddr_in to;
} stranger;

static stranger stranger_of(const realm *r) {
    stranger s = { .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
    char place[64];
    const char *from = strstr(r->url, "//") + 2;
    (void) snprintf(place, sizeof place, "%.*s", (int) strcspn(from, "?"), from);
    struct ip_mreqn through = { .imr_ifindex = (int) if_nametoindex("lo") };
    if (s.fd < 0 || ki_group_parse(place, &s.to, NULL) < 0 ||
        setsockopt(s.fd, IPPROTO_IP, IP_MULTICAST_IF, &through, sizeof through) < 0) {
        abort();
    }
    return s;
}

static void say(const stranger *s, const void *bytes, size_t length) {
    ssize_t n =
        sendto(s->fd, bytes, length, 0, (const struct sockaddr *) &s->to, sizeof s->to);
    EXPECT_INT(n, (ssize_t) length);
}

static bool brings(kith_link *l, size_t number) {
    kith_item item;
    return await(l, &item, false) && number_of(&item) == number;
}

static void say_number(const stranger *s, size_t number) {
    uint8_t bytes[8];
    say(s, bytes, fill_number(number, bytes));
}

static uint64_t rubbish_of(const kith_link *l) {
    kith_counters c;
    kith_link_counters(l, &c);
    return c.rubbish;
}

/* More than fits, with nothing behind it that could tell: gap, and the exact count. */
static void counts_what_was_dropped_to_the_last_one(void) {
    enum {
        FLOOD = 900 /* less than the kernel keeps of what it has not yet looked at */
    };
    realm r = realm_of("udp://#?rcvbuf=4K");
    kith_link *slow = follow(&r);
    stranger s = stranger_of(&r);
    for (size_t i = 1; i <= FLOOD; i++) say_number(&s, i);
    tally t = { .expect = FLOOD };
    EXPECT(tally_drain(&t, slow));
    EXPECT(t.distinct > 0 && t.distinct < FLOOD);
    EXPECT(t.gaps > 0);
    EXPECT_INT(t.distinct + lost_by(slow), FLOOD);
    EXPECT_INT(rubbish_of(slow), 0);
    close(s.fd);
    kith_link_close(&slow);
    realm_free(&r);
}

/* A gap in the middle stands before what comes behind it. */
static void a_gap_stands_where_it_is(void) {
    realm r = realm_of("udp://#?rcvbuf=4K");
    kith_link *slow = follow(&r);
    stranger s = stranger_of(&r);
    for (size_t i = 1; i <= 500; i++) say_number(&s, i);
    kith_item item;
    EXPECT(await(slow, &item, false));
    size_t last = number_of(&item);
    uint64_t skipped = last - 1;
    size_t next = 501;
    bool told = false;
    UNTIL (last > 500) {
        int got = kith_link_pull(slow, &item);
        if (got == 0) {
            size_t n = number_of(&item);
            EXPECT(n == last + 1 || (n > last && told));
            skipped += n - last - 1;
            last = n;
            told = false;
        } else if (got == KITH_GAP) {
            told = true;
            EXPECT(lost_by(slow) > 0);
        } else {
            pass_time(slow);
            say_number(&s, next++); /* there is room again behind the hole */
        }
    }
    EXPECT(last > 500 && skipped > 0);
    EXPECT_INT(skipped, lost_by(slow));
    close(s.fd);
    kith_link_close(&slow);
    realm_free(&r);
}

/* Empty, one byte too long, as long as a datagram can be: counted, no memory taken,
 * and the next one is read. */
static void w6_datagrams_of_wrong_length_are_dropped(void) {
    static uint8_t big[65507];
    realm r = realm_of("udp://#");
    kith_link *l = follow(&r);
    stranger s = stranger_of(&r);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    for (size_t i = 1; i <= 50; i++) {
        say(&s, big, 0);
        say(&s, big, KITH_PACKET_MAX + 1);
        say(&s, big, sizeof big);
        say_number(&s, i);
        EXPECT(brings(l, i));
    }
    getrusage(RUSAGE_SELF, &after);
    EXPECT_INT(rubbish_of(l), 150);
    EXPECT(after.ru_maxrss - before.ru_maxrss < 1024); /* KiB, of 3,200 that were sent */
    close(s.fd);
    kith_link_close(&l);
    realm_free(&r);
}

/* Whatever a stranger sends comes out as it was or not at all; a pull is bounded. */
static void strangers_bytes_are_handed_out_unjudged(void) {
    realm r = realm_of("udp://#");
    kith_link *l = follow(&r);
    stranger s = stranger_of(&r);
    uint64_t dice = 20261121;
    for (int i = 0; i < 2000; i++) {
        uint8_t bytes[600];
        size_t length = roll(&dice) % sizeof bytes;
        for (size_t k = 0; k < length; k++) bytes[k] = (uint8_t) roll(&dice);
        if (length >= 2 && i % 3 == 0) memcpy(bytes, "KS", 2);
        say(&s, bytes, length);
        uint64_t bad = rubbish_of(l);
        if (length < 1 || length > KITH_PACKET_MAX) {
            kith_item item;
            UNTIL (rubbish_of(l) != bad) {
                EXPECT_INT(kith_link_pull(l, &item), KITH_EMPTY);
                if (rubbish_of(l) == bad) pass_time(l);
            }
            EXPECT_INT(rubbish_of(l), bad + 1);
            continue;
        }
        kith_item item;
        EXPECT(await(l, &item, false));
        EXPECT_INT(item.length, length);
        EXPECT(memcmp(item.bytes, bytes, length) == 0);
        bool frame = length >= 2 && memcmp(bytes, "KS", 2) == 0;
        EXPECT_INT(item.kind, frame ? KITH_ITEM_SYNC : KITH_ITEM_PACKET);
    }
    close(s.fd);
    kith_link_close(&l);
    realm_free(&r);
}

static void does_not_hear_itself(void) {
    realm r = realm_of("udp://#");
    kith_link *a = follow(&r), *b = follow(&r);
    batch all = { .subject = "a", .first = 1, .count = 40, .fill = fill_number };
    tally mine = { 0 }, theirs = { .expect = 40 };
    EXPECT(batch_send(a, &all));
    EXPECT(tally_drain(&theirs, b)); /* when b has all of them, so has a */
    EXPECT(tally_drain(&mine, a));
    EXPECT_INT(theirs.distinct, 40);
    EXPECT_INT(mine.distinct, 0);
    kith_link_close(&a);
    kith_link_close(&b);
    realm_free(&r);
}

/* Who follows nothing gets frames and no packets. */
static void packets_are_passed_over_while_nothing_is_followed(void) {
    realm r = realm_of("udp://#");
    kith_link *l = realm_open(&r);
    stranger s = stranger_of(&r);
    kith_item item;
    say_number(&s, 1);
    say(&s, "KS", 2);
    EXPECT(await(l, &item, false));
    EXPECT_INT(item.kind, KITH_ITEM_SYNC);
    kith_counters c;
    kith_link_counters(l, &c);
    EXPECT_INT(c.filtered, 1);
    close(s.fd);
    kith_link_close(&l);
    realm_free(&r);
}

/* Between packet and frame nothing but the first bytes tells. */
static void refuses_what_would_be_taken_for_the_other_kind(void) {
    realm r = realm_of("udp://#");
    kith_link *l = realm_open(&r);
    kith_posting p = posting_of("a", "KSx", 3);
    EXPECT_INT(kith_link_post(l, &p), KITH_E_ARG);
    p = posting_of("a", "abc", 3);
    p.kind = KITH_ITEM_SYNC;
    EXPECT_INT(kith_link_post(l, &p), KITH_E_ARG);
    kith_link_close(&l);
    realm_free(&r);
}

static size_t post_until_full(kith_link *l) {
    size_t count = 0;
    for (int r = 0; r == 0; count += r == 0) {
        kith_posting p = posting_of("a", "x", 1);
        r = kith_link_post(l, &p);
        if (r < 0) abort();
    }
    return count;
}

static void sends_no_faster_than_its_pace(void) {
    realm r = realm_of("udp://#?pace=30&rate=1000");
    kith_link *l = realm_open(&r);
    kith_time now = { .mono_ns = 5000000000u };
    EXPECT_INT(post_until_full(l), 30);
    kith_link_tick(l, now); /* the first tick tells only what time it is */
    EXPECT_INT(post_until_full(l), 0);
    now.mono_ns += 7000000;
    kith_link_tick(l, now);
    EXPECT_INT(post_until_full(l), 7);
    now.mono_ns += 900000; /* nine tenths, and then the last */
    kith_link_tick(l, now);
    EXPECT_INT(post_until_full(l), 0);
    now.mono_ns += 100000;
    kith_link_tick(l, now);
    EXPECT_INT(post_until_full(l), 1);
    now.mono_ns += UINT64_C(86400000000000);
    kith_link_tick(l, now);
    EXPECT_INT(post_until_full(l), 30);
    now.mono_ns = 1; /* never back */
    kith_link_tick(l, now);
    EXPECT_INT(post_until_full(l), 0);
    kith_link_close(&l);
    realm_free(&r);
}

/* Any rate, burst and steps of time: never more than the bucket says. */
static void a_random_walk_over_paces_keeps_the_bound(void) {
    uint64_t dice = 7;
    for (int walk = 0; walk < 300; walk++) {
        uint64_t rate = 1 + roll(&dice) % PACE_RATE_MAX, burst = 1 + roll(&dice) % 200;
        ki_pace p;
        ki_pace_init(&p, rate, burst);
        uint64_t begin = 1 + roll(&dice) % 1000, now = begin, sent = 0;
        ki_pace_tick(&p, now);
        for (int step = 0; step < 200; step++) {
            now += roll(&dice) % (walk % 2 == 0 ? 1000000 : UINT64_C(1) << 40);
            ki_pace_tick(&p, now);
            uint64_t lot = 0;
            while (ki_pace_take(&p)) lot++;
            sent += lot;
            EXPECT(lot <= burst);
            long double bound = (long double) burst +
                                (long double) rate * (long double) (now - begin) / 1e9L;
            EXPECT((long double) sent <= bound + 0.001L);
        }
    }
}

static void expect_refused(const char *url, int code, const char *word) {
    kith_link *l = NULL;
    kith_error err = { 0 };
    EXPECT_INT(kith_link_open(&l, url, NULL, &err), code);
    EXPECT(strstr(err.text, word) != NULL);
    EXPECT(l == NULL);
}

static void refuses_places_that_are_none(void) {
    size_t before = descriptors();
    expect_refused("udp://127.0.0.1:24777", KITH_E_ARG, "multicast");
    expect_refused("udp://239.255.77.7", KITH_E_ARG, "port");
    expect_refused("udp://239.255.77.7:0", KITH_E_ARG, "port");
    expect_refused("udp://239.255.77.7:65536", KITH_E_ARG, "port");
    expect_refused("udp://239.255.77.7:1x", KITH_E_ARG, "port");
    expect_refused("udp://239.255.77.7:", KITH_E_ARG, "port");
    expect_refused("udp://:24777", KITH_E_ARG, "group");
    expect_refused("udp://all-hosts:24777", KITH_E_ARG, "multicast");
    expect_refused("udp://239.255.77.700:24777", KITH_E_ARG, "multicast");
    expect_refused("udp://239.255.77.7:24777?if=", KITH_E_CONFIG, "if");
    expect_refused("udp://239.255.77.7:24777?if=nowhere0", KITH_E_SYSTEM, "nowhere0");
    EXPECT_INT(descriptors(), before);
}

static void nothing_leaves_this_machine_without_keys(void) {
    struct if_nameindex *all = if_nameindex();
    int refused = 0;
    for (struct if_nameindex *i = all; i != NULL && i->if_index != 0; i++) {
        char url[128];
        (void) snprintf(url, sizeof url, "udp://239.255.77.7:24777?if=%s", i->if_name);
        if (strcmp(i->if_name, "lo") != 0) {
            expect_refused(url, KITH_E_NOTSUP, "loopback");
            refused++;
        }
    }
    if_freenameindex(all);
    if (refused == 0) SKIP("this machine has no other interface");
}

#define CASE(name)                                                                         \
    { #name, name }

static const test_case cases[] = {
    CASE(counts_what_was_dropped_to_the_last_one),
    CASE(a_gap_stands_where_it_is),
    CASE(w6_datagrams_of_wrong_length_are_dropped),
    CASE(strangers_bytes_are_handed_out_unjudged),
    CASE(does_not_hear_itself),
    CASE(packets_are_passed_over_while_nothing_is_followed),
    CASE(refuses_what_would_be_taken_for_the_other_kind),
    CASE(sends_no_faster_than_its_pace),
    CASE(a_random_walk_over_paces_keeps_the_bound),
    CASE(refuses_places_that_are_none),
    CASE(nothing_leaves_this_machine_without_keys),
};
TEST_MAIN(cases)
