/* SPDX-License-Identifier: Apache-2.0 */
/* Where reading begins: at a time, or where a cursor says that nothing is new. */
#include "carrier/dir/dir_help.h"
#include "carrier/dir/work.h"
#include "test.h"

enum {
    PAST = 40,
};

static kith_link *closed_and_open_again(
    const realm *r, kith_link *l, int *ret_at, kith_position *at) {
    *ret_at = kith_link_cursor(l, at);
    kith_link_close(&l);
    return follow(r, ">");
}

static bool put(kith_link *l, size_t first, size_t count) {
    batch b = { .subject = "a.b", .first = first, .count = count, .fill = fill_number };
    return batch_send(l, &b);
}

/* How many come after a rewind, acked as they come. */
static size_t count_from(kith_link *l, const kith_position *from, size_t expect) {
    tally t = { .expect = expect };
    if (kith_link_rewind(l, from) != 0 || !tally_drain(&t, l)) return SIZE_MAX;
    return t.distinct + t.repeats;
}

static const kith_position from_start = { .kind = KITH_FROM_START };

static void an_unchanged_folder_is_not_read_again(void) {
    realm r = realm_of("dir://@?sync=os");
    kith_link *from = realm_open(&r), *to = follow(&r, ">");
    kith_position at;
    int known;
    uint8_t bytes[8];
    EXPECT(put(from, 1, PAST));
    EXPECT_INT(count_from(to, &from_start, PAST), PAST);
    to = closed_and_open_again(&r, to, &known, &at);
    EXPECT(known);
    EXPECT_INT(at.length, DIR_CURSOR_SIZE);
    EXPECT_INT(count_from(to, &at, 0), 0);
    write_file(home_of(&r, PAST + 1, bytes), bytes, 8); /* one comes while we are there */
    tally one = { .expect = 1 };
    EXPECT(tally_drain(&one, to));
    EXPECT_INT(one.distinct, 1);
    EXPECT_INT(one.lowest, PAST + 1);
    to = closed_and_open_again(&r, to, &known, &at);
    EXPECT_INT(count_from(to, &at, 0), 0);
    kith_link_close(&to);
    to = follow(&r, "a.>"); /* other wishes: the cursor says nothing about those */
    EXPECT_INT(count_from(to, &at, PAST + 1), PAST + 1);
    kith_link_close(&to);
    kith_link_close(&from);
    realm_free(&r);
}

static void what_came_while_away_is_never_missed(void) {
    static const char *const urls[] = { "dir://@?sync=os",
        "dir://@?sync=os&watch=poll&poll=250ms" };
    for (size_t i = 0; i < 2; i++) {
        realm r = realm_of(urls[i]);
        kith_link *from = realm_open(&r), *to = follow(&r, ">");
        kith_position at;
        int known;
        uint8_t bytes[8];
        EXPECT(put(from, 1, PAST));
        EXPECT_INT(count_from(to, &from_start, PAST), PAST);
        EXPECT(kith_link_cursor(to, &at));
        kith_link_close(&to);
        EXPECT(put(from, PAST + 1, 1)); /* one more, and one less: the count is the same */
        EXPECT_INT(unlink(home_of(&r, 1, bytes)), 0);
        to = follow(&r, ">");
        tally t = { .expect = PAST };
        EXPECT_INT(kith_link_rewind(to, &at), 0);
        EXPECT(tally_drain(&t, to));
        EXPECT(t.seen[PAST + 1]);
        to = closed_and_open_again(&r, to, &known, &at);
        EXPECT_INT(count_from(to, &at, 0), 0);
        kith_link_close(&to);
        kith_link_close(&from);
        realm_free(&r);
    }
}

/* Rule 6: what was pulled and not acked comes again. */
static void what_was_not_acked_comes_again(void) {
    realm r = realm_of("dir://@?sync=os");
    kith_link *from = realm_open(&r), *to = follow(&r, ">");
    kith_position at;
    kith_item item;
    EXPECT(put(from, 1, PAST));
    EXPECT_INT(kith_link_rewind(to, &from_start), 0);
    size_t pulled = 0;
    while (pulled < PAST && await(to, &item, false)) {
        pulled++;
        if (pulled < PAST) kith_link_ack(to, item.token); /* all but the last */
    }
    EXPECT_INT(pulled, PAST);
    EXPECT(!await(to, &item, true));
    EXPECT(kith_link_cursor(to, &at));
    EXPECT_INT(at.length, DIR_ID_SIZE); /* which medium, and no more */
    EXPECT_INT(count_from(to, &at, PAST), PAST);
    EXPECT(kith_link_cursor(to, &at));
    EXPECT_INT(at.length, DIR_CURSOR_SIZE);
    kith_link_close(&to);
    kith_link_close(&from);
    realm_free(&r);
}

static void begins_at_a_time(void) {
    realm r = realm_of("dir://@?sync=os");
    kith_link *from = realm_open(&r), *to = follow(&r, ">");
    const int64_t now_us = (int64_t) time(NULL) * 1000000, hour = INT64_C(3600000000);
    kith_position at = { .kind = KITH_FROM_TIME, .time_us = now_us - hour };
    EXPECT(put(from, 1, PAST));
    EXPECT_INT(count_from(to, &at, PAST), PAST);
    at.time_us = INT64_MIN;
    EXPECT_INT(count_from(to, &at, PAST), PAST);
    at.time_us = now_us + hour;
    EXPECT_INT(count_from(to, &at, 0), 0);
    EXPECT(put(from, PAST + 1, 1)); /* what comes from now on is told at any rate */
    tally one = { .expect = 1 };
    EXPECT(tally_drain(&one, to));
    EXPECT_INT(one.distinct, 1);
    kith_link_close(&to);
    kith_link_close(&from);
    realm_free(&r);
}

static void a_time_is_judged_generously(void) {
    const struct {
        time_t modified, changed;
        int64_t since_s;
        bool came;
    } rows[] = { { 100, 100, 100, true }, { 100, 50, 100, true }, { 50, 100, 100, true },
        { 98, 98, 100, true }, { 90, 90, 100, false }, { -5, -5, 0, false },
        { 0, 0, INT64_MIN / 1000000, true }, { 0, 0, INT64_MAX / 1000000, false } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stat st = { .st_mtim = { .tv_sec = rows[i].modified },
            .st_ctim = { .tv_sec = rows[i].changed } };
        EXPECT_INT(ki_dir_came_since(&st, rows[i].since_s * 1000000), rows[i].came);
    }
}

#define CASE(name)                                                                         \
    { #name, name }

static const test_case cases[] = {
    CASE(an_unchanged_folder_is_not_read_again),
    CASE(what_came_while_away_is_never_missed),
    CASE(what_was_not_acked_comes_again),
    CASE(begins_at_a_time),
    CASE(a_time_is_judged_generously),
};
TEST_MAIN(cases)
