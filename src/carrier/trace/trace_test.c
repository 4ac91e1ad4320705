/* SPDX-License-Identifier: Apache-2.0 */
/* What trace promises beyond the suite: every call is said. */
#include <kith/carrier.h>

#include "carrier/suite_help.h"
#include "test.h"

static char said[64 * 1024];

static void hear(void *ctx, const char *scheme, const char *text) {
    (void) ctx;
    size_t n = strlen(said);
    (void) snprintf(said + n, sizeof said - n, "%s: %s\n", scheme, text);
}

static void says_every_call(void) {
    static const kith_host host = { .say = hear };
    static const char *const lines[] = { "trace: open mem://trace: ok\n",
        "trace: follow 1 patterns: ok\n", "trace:   a.>\n",
        "trace: post packet of 3 bytes to a.b, ticket 9: ok\n", "trace: settle through 9\n",
        "trace: settle: empty\n",
        "trace: pull packet of 2 bytes from a.c, token 0 (after 2 empty)\n",
        "trace: pull: empty\n", "trace: ack 0\n",
        "trace: rewind to start: ", "trace: tick 5\n", "trace: health: ok\n",
        "trace: cursor: none\n", "trace: close\n" };
    kith_link *l = NULL, *other = NULL;
    kith_item item;
    uint64_t through = 0;
    kith_position at;
    EXPECT_INT(kith_link_open(&l, "trace+mem://trace", &host, NULL), 0);
    EXPECT_INT(kith_link_open(&other, "mem://trace", NULL, NULL), 0);
    EXPECT_INT(kith_link_follow(l, "a.>"), 0);
    EXPECT_INT(kith_link_pull(l, &item), KITH_EMPTY);
    EXPECT_INT(kith_link_pull(l, &item), KITH_EMPTY);
    kith_posting p = posting_of("a.b", "xyz", 3);
    p.ticket = 9;
    EXPECT_INT(kith_link_post(l, &p), 0);
    EXPECT_INT(kith_link_settle(l, &through, NULL), 0);
    EXPECT_INT(through, 9);
    EXPECT_INT(kith_link_settle(l, &through, NULL), KITH_EMPTY);
    p = posting_of("a.c", "xy", 2);
    EXPECT_INT(kith_link_post(other, &p), 0);
    EXPECT_INT(kith_link_pull(l, &item), 0);
    EXPECT_INT(kith_link_pull(l, &item), KITH_EMPTY);
    kith_link_ack(l, item.token);
    EXPECT_INT(
        kith_link_rewind(l, &(kith_position){ .kind = KITH_FROM_START }), KITH_E_NOTSUP);
    kith_link_tick(l, (kith_time){ .mono_ns = 5 });
    EXPECT_INT(kith_link_health(l, NULL), 0);
    EXPECT(!kith_link_cursor(l, &at));
    kith_link_close(&other);
    kith_link_close(&l);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        bool found = strstr(said, lines[i]) != NULL;
        if (!found) printf("# line %zu\n", i);
        EXPECT(found);
    }
}

static const test_case cases[] = { { "says_every_call", says_every_call } };
TEST_MAIN(cases)
