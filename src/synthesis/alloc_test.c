/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling and the state digest when memory runs out, at every place where it can:
 * they say so, write nothing, and leak nothing. */
#include <kith/synthesis.h>

#include "alloc.h"
#include "test.h"

#define SLOTS 300

static void a_pool_without_memory_says_so_and_writes_nothing(void) {
    kith_leaf leaves[6];
    for (int i = 0; i < 6; i++) {
        leaves[i] =
            (kith_leaf){ .y = i, .v = 1, .relevance = 1, .source = { (uint8_t) i } };
    }
    kith_answer answer, untouched;
    kith_fit fit, same;
    memset(&answer, 0x5a, sizeof answer);
    memset(&untouched, 0x5a, sizeof untouched);
    memset(&fit, 0x5a, sizeof fit);
    memset(&same, 0x5a, sizeof same);
    alloc_fail_at(1);
    EXPECT_INT(kith_pool_answer(leaves, 6, NULL, NULL, &answer, NULL), KITH_E_MEMORY);
    EXPECT(alloc_failed() && memcmp(&answer, &untouched, sizeof answer) == 0);
    alloc_fail_at(1);
    EXPECT_INT(kith_pool_fit(leaves, 6, KITH_POOL_PM, KITH_CI_MHK, &fit), KITH_E_MEMORY);
    EXPECT(alloc_failed() && memcmp(&fit, &same, sizeof fit) == 0);
    size_t before = alloc_count();
    EXPECT_INT(kith_pool_answer(leaves, 6, NULL, NULL, &answer, NULL), 0);
    EXPECT_INT(alloc_count() - before, 1);
}

static void a_table_without_memory_says_so_and_writes_nothing(void) {
    kith_row rows[3] = { { 1, 1 }, { 2, 1 }, { 4, 2 } };
    static kith_table table, untouched;
    memset(&table, 0x5a, sizeof table);
    memset(&untouched, 0x5a, sizeof untouched);
    for (size_t n = 1; n <= 2; n++) {
        alloc_fail_at(n);
        EXPECT_INT(kith_table_fit(rows, 3, &table), KITH_E_MEMORY);
        EXPECT(alloc_failed() && memcmp(&table, &untouched, sizeof table) == 0);
    }
    alloc_fail_at(0);
    EXPECT_INT(kith_table_fit(rows, 3, &table), 0);
    EXPECT_INT(kith_table_fit(rows, 0, &table), KITH_E_ARG);
    rows[1].v = 0;
    EXPECT_INT(kith_table_fit(rows, 3, &table), KITH_E_ARG);
}

/* Adds SLOTS slots, those that find no memory once more. */
static int build(uint8_t ret[32]) {
    kith_state_digest *digest = NULL;
    int failures = 0;
    while (kith_state_digest_new(&digest) != 0) {
        failures++;
    }
    for (int i = 0; i < SLOTS; i++) {
        uint8_t id[KITH_ID_SIZE] = { (uint8_t) i };
        kith_content content = { .type = KITH_LEAF, .seq = (uint64_t) i };
        strcpy(content.address.subject, "iot.hvac");
        while (kith_state_digest_add(digest, &content, id) == KITH_E_MEMORY) {
            failures++;
        }
    }
    kith_state_digest_finish(digest, ret);
    kith_state_digest_free(&digest);
    return failures;
}

static void a_digest_survives_every_failed_allocation(void) {
    uint8_t whole[32], after[32];
    EXPECT_INT(build(whole), 0);
    size_t n = 1;
    for (;; n++) {
        alloc_fail_at(n);
        int failures = build(after);
        if (!alloc_failed()) break;
        EXPECT_INT(failures, 1);
        EXPECT(memcmp(whole, after, 32) == 0);
    }
    alloc_fail_at(0);
    EXPECT(n >= 4); /* the object, and its slots more than once */
}

static const test_case cases[] = {
    { "a_pool_without_memory_says_so_and_writes_nothing",
        a_pool_without_memory_says_so_and_writes_nothing },
    { "a_table_without_memory_says_so_and_writes_nothing",
        a_table_without_memory_says_so_and_writes_nothing },
    { "a_digest_survives_every_failed_allocation",
        a_digest_survives_every_failed_allocation },
};

TEST_MAIN(cases)
