/* SPDX-License-Identifier: Apache-2.0 */
/* Coded cells: what they find, what it costs, and what liars can do: nothing. */
#include "sync/cells.h"

#include "base/dice.h"
#include "test.h"

enum {
    CELLS = 1024,
};

static ki_cell cells[CELLS];
static ki_diff found[CELLS];

static uint32_t check_of(const void *ctx, uint64_t tag) {
    (void) ctx;
    uint64_t state = tag;
    return (uint32_t) dice_roll(&state);
}

static void put(uint32_t count, uint64_t tag, int32_t by) {
    ki_cells_put(cells, 0, count, tag, check_of(NULL, tag), by);
}

/* How many cells it took for `diffs` differences beside what both have. */
static uint32_t cells_for(uint64_t *dice, uint32_t diffs, uint32_t both) {
    uint64_t tags[600], common = dice_roll(dice), sum = 0;
    for (uint32_t i = 0; i < diffs; i++) tags[i] = dice_roll(dice);
    for (uint32_t count = 1; count <= CELLS; count += 1 + count / 32) {
        memset(cells, 0, sizeof cells);
        for (uint32_t i = 0; i < both; i++) {
            put(count, common + i, 1);
            put(count, common + i, -1);
        }
        for (uint32_t i = 0; i < diffs; i++) put(count, tags[i], i % 3 == 0 ? 1 : -1);
        int n = ki_cells_peel(cells, count, check_of, NULL, found);
        if (n < 0) continue;
        for (int i = 0; i < n; i++) sum += found[i].tag;
        for (uint32_t i = 0; i < diffs; i++) sum -= tags[i];
        return n == (int) diffs && sum == 0 ? count : CELLS + 1;
    }
    return CELLS + 1;
}

static void a_difference_costs_less_than_two_cells(void) {
    static const struct {
        uint32_t diffs;
        double most; /* cells a difference, mean of 200 */
    } rows[] = { { 1, 1.3 }, { 5, 2.1 }, { 20, 1.95 }, { 100, 1.7 }, { 500, 1.55 } };
    uint64_t dice = 1;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        uint64_t total = 0;
        uint32_t runs = rows[k].diffs > 100 ? 20 : 200;
        for (uint32_t i = 0; i < runs; i++) {
            uint32_t n = cells_for(&dice, rows[k].diffs, 50);
            EXPECT(n <= CELLS);
            total += n;
        }
        double mean = (double) total / runs / rows[k].diffs;
        printf("# %u differences: %.2f cells each\n", rows[k].diffs, mean);
        EXPECT(mean <= rows[k].most);
    }
}

static void equal_sets_leave_nothing(void) {
    uint64_t dice = 2;
    memset(cells, 0, sizeof cells);
    for (int i = 0; i < 1000; i++) {
        uint64_t tag = dice_roll(&dice);
        put(8, tag, 1);
        put(8, tag, -1);
    }
    EXPECT_INT(ki_cells_peel(cells, 8, check_of, NULL, found), 0);
}

static void a_part_made_later_is_the_same_part(void) {
    uint64_t dice = 3;
    ki_cell late[64];
    memset(cells, 0, sizeof cells);
    memset(late, 0, sizeof late);
    for (int i = 0; i < 500; i++) {
        uint64_t tag = dice_roll(&dice);
        put(128, tag, 1);
        ki_cells_put(late, 64, 64, tag, check_of(NULL, tag), 1);
    }
    EXPECT(memcmp(cells + 64, late, sizeof late) == 0);
}

static void invented_cells_end_and_name_no_more_than_there_are_cells(void) {
    uint64_t dice = 4;
    for (int round = 0; round < 20000; round++) {
        uint32_t count = 8 * (1 + (uint32_t) dice_below(&dice, 8));
        for (uint32_t i = 0; i < count; i++) {
            uint64_t tag = dice_below(&dice, 4) == 0 ? 5 : dice_roll(&dice);
            cells[i] = (ki_cell){ tag, check_of(NULL, tag), 1 - 2 * (int) (dice & 1) };
        }
        int n = ki_cells_peel(cells, count, check_of, NULL, found);
        EXPECT(n >= -1 && n <= (int) count);
    }
}

static const test_case cases[] = {
    { "a_difference_costs_less_than_two_cells", a_difference_costs_less_than_two_cells },
    { "equal_sets_leave_nothing", equal_sets_leave_nothing },
    { "a_part_made_later_is_the_same_part", a_part_made_later_is_the_same_part },
    { "invented_cells_end_and_name_no_more_than_there_are_cells",
        invented_cells_end_and_name_no_more_than_there_are_cells },
};
TEST_MAIN(cases)
