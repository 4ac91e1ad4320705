/* SPDX-License-Identifier: Apache-2.0 */
/* What the core promises when a carrier lies, what a URL means, and what a plugin
 * must be. The liar below hands out what it is told to; a carrier from a
 * stranger's shared object may do the same. */
#include <kith/address.h>

#include "carrier/carrier.h"

#include "carrier/suite_help.h"
#include "test.h"

static struct {
    kith_item item;
    int left, answer, settle; /* copies still to hand out; what calls return */
    int opened, closed;
    uint64_t acked;
    char place[KITH_URL_MAX + 1];
} lie;

static int liar_open(
    void *self, const char *place, const kith_host *host, kith_error *err) {
    (void) self, (void) err;
    if (host == NULL) abort(); /* the core always gives one */
    (void) snprintf(lie.place, sizeof lie.place, "%s", place);
    lie.opened++;
    return 0;
}

static void liar_close(void *self) {
    (void) self;
    lie.closed++;
}

static int liar_post(void *self, const kith_posting *what) {
    (void) self, (void) what;
    return lie.answer;
}

static int liar_follow(void *self, const char *const *patterns, size_t count) {
    (void) self, (void) patterns, (void) count;
    return lie.answer;
}

static int liar_pull(void *self, kith_item *ret_item) {
    (void) self;
    if (lie.left == 0) return lie.answer == 0 ? KITH_EMPTY : lie.answer;
    lie.left--;
    *ret_item = lie.item;
    lie.item.token++;
    return 0;
}

static void liar_ack(void *self, uint64_t token) {
    (void) self;
    lie.acked = token;
}

static kith_level liar_level(void *self) {
    (void) self;
    return KITH_LEVEL_DISK;
}

static const kith_carrier liar = {
    .abi = KITH_CARRIER_ABI,
    .state_size = 16,
    .scheme = "liar",
    .summary = "for this test",
    .place = "anything",
    .open = liar_open,
    .close = liar_close,
    .post = liar_post,
    .follow = liar_follow,
    .pull = liar_pull,
    .ack = liar_ack,
    .level = liar_level,
};

static kith_link *opened(const char *pattern) {
    kith_link *l = NULL;
    memset(&lie, 0, sizeof lie);
    if (ki_link_open_carrier(&l, &(ki_opening){ .carrier = &liar, .place = "" }, NULL) !=
            0 ||
        kith_link_follow(l, pattern) != 0) {
        abort();
    }
    lie.item.kind = KITH_ITEM_PACKET;
    lie.item.length = 1;
    return l;
}

static int open_this(const kith_carrier *c, kith_error *err) {
    kith_link *l = NULL;
    int r = ki_link_open_carrier(&l, &(ki_opening){ .carrier = c, .place = "" }, err);
    kith_link_close(&l);
    return r;
}

static void refuses_another_abi(void) {
    kith_error err = { 0 };
    kith_carrier c = liar;
    c.abi = KITH_CARRIER_ABI + 1;
    EXPECT_INT(open_this(&c, &err), KITH_E_NOTSUP);
    EXPECT(strstr(err.text, "ABI 2, not 1") != NULL);
}

static void refuses_a_carrier_with_a_hole(void) {
    for (int hole = 0; hole < 17; hole++) {
        kith_carrier c = liar;
        static const kith_option far[] = {
            { .name = "far", .type = KITH_OPTION_INT, .offset = 9, .help = "" },
            { .name = NULL }
        };
        static const kith_option beyond[] = {
            { .name = "beyond", .type = KITH_OPTION_INT, .offset = 99, .help = "" },
            { .name = NULL }
        };
        static const kith_option odd[] = { { .name = "odd", .type = 99, .help = "" },
            { .name = NULL } };
        static const kith_option mute[] = { { .name = "mute", .type = KITH_OPTION_BOOL },
            { .name = NULL } };
        static const kith_option none[] = {
            { .name = "none", .type = KITH_OPTION_ONE, .help = "" }, { .name = NULL }
        };
        static const kith_option back[] = {
            { .name = "back", .type = KITH_OPTION_INT, .min = 1, .help = "" },
            { .name = NULL }
        };
        if (hole == 0) c.summary = NULL;
        if (hole == 1) c.state_size = 0;
        if (hole == 2) c.open = NULL;
        if (hole == 3) c.close = NULL;
        if (hole == 4) c.post = NULL;
        if (hole == 5) c.follow = NULL;
        if (hole == 6) c.pull = NULL;
        if (hole == 7) c.scheme = NULL;
        if (hole == 8) c.place = NULL;
        if (hole == 9) c.scheme = "li/ar";
        if (hole == 10) c.scheme = "";
        if (hole == 11) c.options = far;
        if (hole == 12) c.options = odd;
        if (hole == 13) c.options = mute;
        if (hole == 14) c.options = none;
        if (hole == 15) c.options = back;
        if (hole == 16) c.options = beyond;
        EXPECT_INT(open_this(&c, NULL), KITH_E_NOTSUP);
    }
    EXPECT_INT(open_this(&liar, NULL), 0);
}

static void filters_what_the_carrier_did_not(void) {
    kith_link *l = opened("a.b.>");
    kith_item item;
    lie.item.from = (kith_address){ "a.bc.d" };
    lie.left = 10;
    EXPECT_INT(kith_link_pull(l, &item), KITH_EMPTY);
    EXPECT_INT(lie.left, 0);
    lie.left = 1000; /* one pull must not chew through all of them */
    EXPECT_INT(kith_link_pull(l, &item), KITH_EMPTY);
    EXPECT(lie.left > 900);
    lie.item.from = (kith_address){ "a.b.c" };
    EXPECT_INT(kith_link_pull(l, &item), 0);
    EXPECT(strcmp(item.from.subject, "a.b.c") == 0);
    kith_counters c;
    kith_link_counters(l, &c);
    EXPECT_INT(c.filtered, 10 + 64);
    lie.item.from = (kith_address){ "" }; /* no address: the node filters */
    EXPECT_INT(kith_link_pull(l, &item), 0);
    EXPECT_INT(kith_link_unfollow(l, "a.b.>"), 0);
    lie.item.from = (kith_address){ "a.b.c" };
    lie.left = 1;
    EXPECT_INT(kith_link_pull(l, &item), KITH_EMPTY);
    kith_link_close(&l);
}

static void calls_rubbish_rubbish(void) {
    kith_link *l = opened(">");
    kith_item item = { .length = 77 }, before = item;
    static const uint16_t lengths[] = { 0, KITH_PACKET_MAX + 1, UINT16_MAX };
    lie.item.from = (kith_address){ "a" };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        lie.item.length = lengths[i];
        lie.left = 1;
        EXPECT_INT(kith_link_pull(l, &item), KITH_E_FORMAT);
    }
    lie.item.length = 1;
    lie.left = 4;
    memset(lie.item.from.subject, 'a', sizeof lie.item.from.subject); /* no end */
    EXPECT_INT(kith_link_pull(l, &item), KITH_E_FORMAT);
    lie.item.from = (kith_address){ "A.b" };
    EXPECT_INT(kith_link_pull(l, &item), KITH_E_FORMAT);
    lie.item.from = (kith_address){ "iot.hvac." };
    EXPECT_INT(kith_link_pull(l, &item), KITH_E_FORMAT);
    lie.item.kind = 9;
    EXPECT_INT(kith_link_pull(l, &item), KITH_E_FORMAT);
    EXPECT(memcmp(&item, &before, sizeof item) == 0);
    lie.answer = 12345; /* no answer of a pull */
    EXPECT_INT(kith_link_pull(l, &item), KITH_E_FORMAT);
    kith_posting p = posting_of("a", "x", 1);
    EXPECT_INT(kith_link_post(l, &p), KITH_E_FORMAT);
    kith_counters c;
    kith_link_counters(l, &c);
    EXPECT_INT(c.rubbish, 7);
    EXPECT_INT(c.posted, 0);
    kith_link_close(&l);
    EXPECT_INT(lie.closed, 1);
}

/* What the filter drops would be read again for ever if nobody acked it; acked
 * too early it would take an unstored one along. */
static void acks_what_it_drops_when_all_before_is_acked(void) {
    kith_link *l = opened("a");
    kith_item item;
    lie.item.token = 1;
    lie.item.from = (kith_address){ "b" };
    lie.left = 1;
    EXPECT_INT(kith_link_pull(l, &item), KITH_EMPTY);
    EXPECT_INT(lie.acked, 1);
    lie.item.from = (kith_address){ "a" };
    lie.left = 1;
    EXPECT_INT(kith_link_pull(l, &item), 0); /* 2 */
    lie.item.from = (kith_address){ "b" };
    lie.left = 2;
    EXPECT_INT(kith_link_pull(l, &item), KITH_EMPTY); /* 3, 4 */
    EXPECT_INT(lie.acked, 1);
    kith_link_ack(l, 2);
    EXPECT_INT(lie.acked, 4);
    kith_link_close(&l);
}

static void a_refused_follow_changes_nothing(void) {
    kith_link *l = opened("a.b");
    kith_item item;
    EXPECT_INT(kith_link_follow(l, "a..b"), KITH_E_ARG);
    lie.answer = KITH_E_MEMORY;
    EXPECT_INT(kith_link_follow(l, "c"), KITH_E_MEMORY);
    EXPECT_INT(kith_link_unfollow(l, "a.b"), KITH_E_MEMORY);
    lie.answer = 0;
    EXPECT_INT(kith_link_unfollow(l, "c"), KITH_E_MISSING);
    lie.item.from = (kith_address){ "a.b" };
    lie.left = 2;
    EXPECT_INT(kith_link_pull(l, &item), 0);
    EXPECT_INT(kith_link_unfollow(l, "a.b"), 0);
    EXPECT_INT(kith_link_pull(l, &item), KITH_EMPTY);
    kith_link_close(&l);
}

static void says_why_it_cannot_open(void) {
    static const struct {
        const char *url, *words;
    } rows[] = {
        { "nonsense://x", "no carrier for 'nonsense" },
        { "", "no carrier" },
        { "mem", "://" },
        { "mem:", "://" },
        { "mem+mem://x", "://" },
        { "fault://x", "+" },
        { "fault+", "no carrier" },
        { "mem://", "name" },
        { "mem://x?ring=0", "ring=0 is not a size" },
        { "mem://x?rign=64K", "no option rign; did you mean ring?" },
        { "fault+mem://x?dorp=1", "no option dorp; did you mean drop?" },
        { "trace+fault+mem://x?xyzzy=1", "no option xyzzy" },
        { "fault+mem://x?drop=", "drop=" },
        { "fault+mem://x?drop=101", "open fault: drop=101" },
        { "fault+mem://x?ring=0", "open fault: open mem: ring=0" },
        { "../evil://x", "no carrier" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kith_link *l = NULL;
        kith_error err = { 0 };
        printf("# %s\n", rows[i].url);
        EXPECT(kith_link_open(&l, rows[i].url, NULL, &err) < 0);
        EXPECT(l == NULL);
        EXPECT(err.code < 0);
        EXPECT(strstr(err.text, rows[i].words) != NULL);
        EXPECT_INT(kith_link_open(&l, rows[i].url, NULL, NULL), err.code);
    }
    static char url[KITH_URL_MAX + 2] = "mem://";
    memset(url + 6, 'x', sizeof url - 7);
    kith_link *l = NULL;
    EXPECT_INT(kith_link_open(&l, url, NULL, NULL), KITH_E_ARG);
}

/* An option goes to the outermost that knows its name. */
static void options_find_their_owner(void) {
    kith_link *l = NULL;
    EXPECT_INT(kith_link_open(
                   &l, "fault+fault+mem://x?ring=4K&drop=100&seed=9&ring=8K", NULL, NULL),
        0);
    EXPECT_INT(
        kith_link_can(l), KITH_CAN_BEND | KITH_CAN_ORDER | KITH_CAN_PREFIX | KITH_CAN_SYNC);
    EXPECT(strcmp(kith_link_scheme(l), "mem") == 0);
    kith_link_close(&l);
    char known[KITH_URL_MAX + 1], rest[KITH_URL_MAX + 1];
    ki_query_split(
        "drop=1&x&&drops=2&seed=3&seed&a=drop", ki_fault_carrier.options, known, rest);
    EXPECT(strcmp(known, "drop=1&seed=3&seed") == 0);
    EXPECT(strcmp(rest, "x&drops=2&a=drop") == 0);
}

/* As deep as a URL is long; what opens also closes. */
static void wrappers_nest_as_deep_as_the_url_is_long(void) {
    static char url[KITH_URL_MAX + 1];
    size_t n = 0, depth = 0;
    while (n + 6 + 7 <= KITH_URL_MAX) {
        memcpy(url + n, "trace+", 6);
        n += 6;
        depth++;
    }
    memcpy(url + n, "mem://x", 8);
    kith_link *l = NULL, *from = NULL;
    kith_item item;
    EXPECT(depth > 100);
    EXPECT_INT(kith_link_open(&l, url, NULL, NULL), 0);
    EXPECT_INT(kith_link_open(&from, "mem://x", NULL, NULL), 0);
    EXPECT_INT(kith_link_follow(l, "a"), 0);
    kith_posting p = posting_of("a", "x", 1);
    EXPECT_INT(kith_link_post(from, &p), 0);
    EXPECT_INT(kith_link_pull(l, &item), 0);
    kith_link_close(&l);
    kith_link_close(&from);
}

/* ki_wants is the same law as kith_subject_matches, only quicker. */
static void the_quick_filter_is_the_exact_one(void) {
    static const char *const parts[] = { "a", "b", "ab", "_s", "-", "a0", "*", ">", "_" };
    uint64_t dice = 5;
    int wanted = 0;
    for (int i = 0; i < 200000; i++) {
        char text[2][64] = { "", "" };
        for (int k = 0; k < 2; k++) {
            size_t tokens = 1 + roll(&dice) % 4, at = 0;
            for (size_t j = 0; j < tokens; j++) {
                const char *part = parts[roll(&dice) % (k == 0 ? 9 : 6)];
                at += (size_t) snprintf(
                    text[k] + at, sizeof text[k] - at, "%s%s", j == 0 ? "" : ".", part);
            }
        }
        if (!kith_pattern_valid(text[0]) || !kith_subject_valid(text[1])) continue;
        bool want = kith_subject_matches(text[0], text[1]);
        if (ki_wants(text[0], text[1]) != want) printf("# %s %s\n", text[0], text[1]);
        EXPECT_INT(ki_wants(text[0], text[1]), want);
        wanted += want;
    }
    EXPECT(wanted > 1000);
}

static void the_registry_lists_whole_carriers(void) {
    size_t n = 0;
    for (const kith_carrier *c; (c = kith_carrier_at(n)) != NULL; n++) {
        kith_error err = { 0 };
        EXPECT_INT(ki_carrier_vet(c, &err), 0);
        EXPECT(ki_carrier_find(c->scheme, strlen(c->scheme)) == c);
    }
    EXPECT(n >= 3);
    EXPECT(strcmp(kith_level_name(KITH_LEVEL_DISK), "disk") == 0);
    EXPECT(strcmp(kith_level_name((kith_level) 9), "unknown") == 0);
}

#define CASE(name)                                                                         \
    { #name, name }

/* Only where a carrier says that it carries them: elsewhere they would be packets. */
static void packets_of_older_programs_go_where_they_are_known(void) {
    kith_link *l = NULL;
    kith_posting what = { .kind = KITH_ITEM_LEGACY,
        .length = 3,
        .bytes = (const uint8_t *) "abc",
        .expires_us = INT64_MAX };
    EXPECT_INT(kith_link_open(&l, "mem://older", NULL, NULL), 0);
    EXPECT_INT(kith_link_post(l, &what), KITH_E_NOTSUP);
    kith_link_close(&l);
}

static const test_case cases[] = {
    CASE(packets_of_older_programs_go_where_they_are_known),
    CASE(refuses_another_abi),
    CASE(refuses_a_carrier_with_a_hole),
    CASE(filters_what_the_carrier_did_not),
    CASE(calls_rubbish_rubbish),
    CASE(acks_what_it_drops_when_all_before_is_acked),
    CASE(a_refused_follow_changes_nothing),
    CASE(says_why_it_cannot_open),
    CASE(options_find_their_owner),
    CASE(wrappers_nest_as_deep_as_the_url_is_long),
    CASE(the_quick_filter_is_the_exact_one),
    CASE(the_registry_lists_whole_carriers),
};
TEST_MAIN(cases)
