/* SPDX-License-Identifier: Apache-2.0 */
/* A log that ends badly: is something acknowledged missing, or was a commit cut off? */
#include "store/log.h"

#include "base/dice.h"
#include "base/wire.h"
#include "store/vfs.h"

#include "test.h"

#include <string.h>

enum {
    FRAMES = 12,
    SECTOR = 512,
    LOG_SIZE = WAL_HEADER + FRAMES * WAL_FRAME,
};

typedef struct log_bytes {
    size_t frames;
    uint8_t at[LOG_SIZE];
} log_bytes;

static uint8_t *frame_of(log_bytes *log, size_t i) {
    return log->at + WAL_HEADER + i * WAL_FRAME;
}

static void put_sum(uint8_t *at, const uint32_t sum[2]) {
    wire_put32(at, sum[0]);
    wire_put32(at + 4, sum[1]);
}

/* An empty log over whatever lies there, as SQLite begins it anew. */
static void begin(log_bytes *log, uint64_t name) {
    uint32_t sum[2] = { 0, 0 };
    log->frames = 0;
    wire_put32(log->at, 0x377f0682);
    wire_put32(log->at + 4, 3007000);
    wire_put32(log->at + 8, PAGE_SIZE);
    wire_put32(log->at + 12, (uint32_t) name);
    wire_put64(log->at + 16, name * 0x9e3779b97f4a7c15u);
    ki_wal_sum(false, log->at, 24, sum);
    put_sum(log->at + 24, sum);
}

/* One frame more; last: the commit's. Most of the page is the same each time. */
static void add(log_bytes *log, uint64_t *dice, bool last) {
    uint8_t *f = frame_of(log, log->frames);
    const uint8_t *before = log->frames == 0 ? log->at + 24 : f - WAL_FRAME + 16;
    uint32_t sum[2] = { wire_get32(before), wire_get32(before + 4) };
    wire_put32(f, 1 + (uint32_t) log->frames % 5);
    wire_put32(f + 4, last ? 16 : 0);
    memcpy(f + 8, log->at + 16, 8);
    memset(f + 24, (int) log->frames + 1, PAGE_SIZE);
    for (size_t i = 24; i < WAL_FRAME; i += 96) {
        wire_put64(f + i, dice_roll(dice));
    }
    ki_wal_frame_sum(false, f, f + 24, sum);
    put_sum(f + 16, sum);
    log->frames++;
}

static void commit(log_bytes *log, uint64_t *dice, int frames) {
    for (int i = 1; i <= frames; i++) add(log, dice, i == frames);
}

static ki_log parse(const log_bytes *log) {
    ki_log ret;
    (void) !ki_log_parse(log->at, sizeof log->at, &ret, NULL, NULL); /* no each: 0 */
    return ret;
}

/* SQLite's index, once it published so many frames of this log. */
static void index_of(const log_bytes *log, uint32_t frames, uint8_t ret[96]) {
    uint32_t words[12] = { 3007000, 0, 7, 0, frames, 16 };
    uint32_t sum[2] = { 0, 0 };
    static const uint16_t one = 1;
    uint8_t *p = (uint8_t *) words;
    p[12] = 1;
    memcpy(p + 32, log->at + 16, 8);
    ki_wal_sum(*(const uint8_t *) &one == 0, p, 40, sum);
    memcpy(p + 40, sum, 8);
    memcpy(ret, p, 48);
    memcpy(ret + 48, p, 48);
}

/* ---- damage ---- */

static void d5_each_bit_of_the_last_commit_that_flips_is_damage(void) {
    static log_bytes log;
    uint64_t dice = 5;
    long unseen = 0, flips = 0;
    begin(&log, 1);
    commit(&log, &dice, 1);
    commit(&log, &dice, 2);
    EXPECT(!parse(&log).damaged && !parse(&log).cut_off);
    for (size_t bit = 0; bit < (WAL_HEADER + 3 * (size_t) WAL_FRAME) * 8; bit++) {
        log.at[bit / 8] ^= (uint8_t) (1u << bit % 8);
        ki_log l;
        (void) ki_log_parse(log.at, WAL_HEADER + 3 * WAL_FRAME, &l, NULL, NULL);
        unseen += !l.damaged;
        flips++;
        log.at[bit / 8] ^= (uint8_t) (1u << bit % 8);
    }
    printf("# %ld flips, %ld unseen\n", flips, unseen);
    EXPECT_INT(unseen, 0);
}

static void d5_a_word_gone_is_damage_wherever_it_stood(void) {
    static log_bytes log;
    uint64_t dice = 6;
    begin(&log, 1);
    commit(&log, &dice, 3);
    for (size_t at = 0; at < 3 * (size_t) WAL_FRAME; at += 4) {
        uint8_t was[4], *p = frame_of(&log, 0) + at;
        memcpy(was, p, 4);
        wire_put32(p, (uint32_t) dice_roll(&dice));
        EXPECT(parse(&log).damaged || memcmp(was, p, 4) == 0);
        memcpy(p, was, 4);
    }
}

static void whatever_breaks_before_the_last_commit_is_damage(void) {
    static log_bytes whole, log;
    uint64_t dice = 7;
    begin(&whole, 1);
    for (int i = 0; i < 4; i++) commit(&whole, &dice, 2);
    for (size_t i = 0; i < 6; i++) {
        for (size_t sector = 0; sector < 8; sector++) {
            log = whole;
            uint8_t *p = frame_of(&log, i) + 24 + sector * SECTOR;
            for (size_t k = 0; k < SECTOR; k += 8) wire_put64(p + k, dice_roll(&dice));
            EXPECT(parse(&log).damaged);
        }
    }
}

static void what_the_index_knew_and_the_log_lacks_is_damage(void) {
    static log_bytes log;
    uint64_t dice = 8;
    uint8_t index[96];
    begin(&log, 1);
    commit(&log, &dice, 2);
    commit(&log, &dice, 2);
    memset(frame_of(&log, 2) + 24, 0, SECTOR); /* of the last one: nobody can tell */
    ki_log l = parse(&log);
    EXPECT(!l.damaged && l.cut_off);
    index_of(&log, 2, index);
    ki_log_compare_parsed(index, sizeof index, &l);
    EXPECT(!l.damaged && l.cut_off); /* it was never published */
    index_of(&log, 4, index);
    ki_log_compare_parsed(index, sizeof index, &l);
    EXPECT(l.damaged && !l.cut_off);
}

static void an_index_that_is_not_whole_or_of_another_log_says_nothing(void) {
    static log_bytes log, other;
    uint64_t dice = 9;
    uint8_t index[96];
    begin(&log, 1);
    begin(&other, 2);
    commit(&log, &dice, 2);
    ki_log l = parse(&log);
    index_of(&other, 9, index);
    ki_log_compare_parsed(index, sizeof index, &l);
    EXPECT(!l.damaged && !l.cut_off);
    for (size_t bit = 0; bit < sizeof index * 8; bit++) {
        index_of(&log, 9, index);
        index[bit / 8] ^= (uint8_t) (1u << bit % 8);
        ki_log_compare_parsed(index, sizeof index, &l);
        EXPECT(!l.damaged && !l.cut_off);
    }
    index_of(&log, 9, index);
    for (size_t size = 0; size < sizeof index; size++) {
        ki_log_compare_parsed(index, size, &l);
    }
    EXPECT(!l.damaged && !l.cut_off);
    ki_log_compare_parsed(index, sizeof index, &l);
    EXPECT(l.damaged);
}

/* ---- cut off ---- */

/* A log begun anew over an old one; the power goes before the last commit's sync: of
 * its sectors any may be there. */
static void d1_a_commit_torn_by_the_power_is_cut_off(void) {
    static log_bytes old, base, log;
    uint64_t dice = 10;
    for (int round = 0; round < 3000; round++) {
        begin(&old, 1 + 2 * (uint64_t) round);
        commit(&old, &dice, 6);
        commit(&old, &dice, 6);
        base = old;
        begin(&base, 2 + 2 * (uint64_t) round);
        int synced = (int) dice_below(&dice, 3);
        for (int i = 0; i < synced; i++) commit(&base, &dice, 2);
        log = base;
        commit(&log, &dice, 1 + (int) dice_below(&dice, 5));
        size_t end = (size_t) (frame_of(&log, log.frames) - log.at);
        for (size_t at = 0; at < end; at += SECTOR) {
            size_t n = end - at < SECTOR ? end - at : SECTOR;
            if (dice_below(&dice, 4) == 0) memcpy(log.at + at, base.at + at, n);
        }
        ki_log l = parse(&log);
        EXPECT(!l.damaged);
        EXPECT(l.committed == base.frames || l.committed == log.frames);
    }
}

/* Killed in the middle of a commit, or in its sync, while another process has the store
 * open: that one goes on where the last commit ended. */
static void d2_what_a_shorter_commit_leaves_of_another_is_cut_off(void) {
    static log_bytes base, log;
    uint64_t dice = 11;
    uint8_t index[96];
    for (int killed = 1; killed <= 8; killed++) {
        for (int next = 1; next < killed; next++) {
            for (int finished = 0; finished < 2; finished++) {
                begin(&base, 77);
                commit(&base, &dice, 2);
                for (int i = 1; i <= killed; i++) {
                    add(&base, &dice, finished == 1 && i == killed);
                }
                log = base;
                log.frames = 2;
                commit(&log, &dice, next);
                ki_log l = parse(&log);
                EXPECT(!l.damaged && l.cut_off);
                EXPECT_INT(l.committed, log.frames);
                index_of(&log, (uint32_t) log.frames, index);
                ki_log_compare_parsed(index, sizeof index, &l);
                EXPECT(!l.damaged && l.cut_off);
            }
        }
    }
}

/* Whole, but nobody knows whether it is on disk: what follows must not build on it. */
static void a_commit_that_was_not_published_is_cut_off(void) {
    static log_bytes log;
    uint64_t dice = 12;
    uint8_t index[96];
    begin(&log, 1);
    commit(&log, &dice, 2);
    commit(&log, &dice, 3);
    ki_log l = parse(&log);
    EXPECT(!l.damaged && !l.cut_off);
    index_of(&log, 2, index);
    ki_log_compare_parsed(index, sizeof index, &l);
    EXPECT(!l.damaged && l.cut_off);
}

static const test_case cases[] = {
    { "d5_each_bit_of_the_last_commit_that_flips_is_damage",
        d5_each_bit_of_the_last_commit_that_flips_is_damage },
    { "d5_a_word_gone_is_damage_wherever_it_stood",
        d5_a_word_gone_is_damage_wherever_it_stood },
    { "whatever_breaks_before_the_last_commit_is_damage",
        whatever_breaks_before_the_last_commit_is_damage },
    { "what_the_index_knew_and_the_log_lacks_is_damage",
        what_the_index_knew_and_the_log_lacks_is_damage },
    { "an_index_that_is_not_whole_or_of_another_log_says_nothing",
        an_index_that_is_not_whole_or_of_another_log_says_nothing },
    { "d1_a_commit_torn_by_the_power_is_cut_off",
        d1_a_commit_torn_by_the_power_is_cut_off },
    { "d2_what_a_shorter_commit_leaves_of_another_is_cut_off",
        d2_what_a_shorter_commit_leaves_of_another_is_cut_off },
    { "a_commit_that_was_not_published_is_cut_off",
        a_commit_that_was_not_published_is_cut_off },
};
TEST_MAIN(cases)
