/* SPDX-License-Identifier: Apache-2.0 */
/* What shifted grids promise: the published keys, and that near contexts meet. */
#include "address/golden.h"
#include "base/dice.h"
#include "base/hash.h"

#include <kith/address.h>
#include <kith/cell.h>

#include "test.h"

static const uint8_t levels[] = { 1, 3, 6 };

static bool morton_row(char *cells[GOLDEN_CELLS]) {
    uint16_t coords[KITH_GRID_DIMS], back[KITH_GRID_DIMS];
    uint8_t key[KITH_MORTON_SIZE];
    char digits[2 * KITH_MORTON_SIZE + 1];
    for (int i = 0; i < KITH_GRID_DIMS; i++) coords[i] = (uint16_t) atoi(cells[i]);
    if (kith_morton_encode(coords, key) < 0) return false;
    ki_hex(key, sizeof key, digits);
    return strcmp(digits, cells[9]) == 0 && kith_morton_decode(key, back) == 0 &&
           memcmp(back, coords, sizeof coords) == 0;
}

static void the_published_morton_keys_come_out(void) {
    EXPECT_INT(golden_rows("morton.csv", morton_row), 59);
}

static bool grid_row(char *cells[GOLDEN_CELLS]) {
    unsigned dims = (unsigned) atoi(cells[0]), grid = (unsigned) atoi(cells[2]);
    uint16_t context[KITH_GRID_DIMS];
    uint8_t key[KITH_MORTON_SIZE];
    char digits[2 * KITH_MORTON_SIZE + 1], tokens[80];
    for (unsigned i = 0; i < dims; i++) {
        context[i] = (uint16_t) (8 * atoi(cells[4 + i]) + (int) (i % 8));
    }
    if (kith_grid_key(context, dims, grid, key) < 0 ||
        kith_grid_tokens(key, grid, levels, 3, tokens, sizeof tokens) < 0) {
        return false;
    }
    ki_hex(key, sizeof key, digits);
    return kith_grids(dims) == (unsigned) atoi(cells[1]) &&
           strcmp(digits, cells[13]) == 0 && strcmp(tokens, cells[14]) == 0;
}

static void the_published_grid_keys_and_tokens_come_out(void) {
    EXPECT_INT(golden_rows("grids.csv", grid_row), 295);
}

/* Do two points share a cell of that level in any grid? */
static bool meet(const uint16_t *a, const uint16_t *b, unsigned dims, unsigned level) {
    unsigned n = kith_grids(dims);
    for (unsigned j = 0; j < n; j++) {
        unsigned shift = (j << 13) / n, same = 0;
        for (unsigned i = 0; i < dims; i++) {
            same += ((a[i] >> 3) + shift) >> (13 - level) ==
                    ((b[i] >> 3) + shift) >> (13 - level);
        }
        if (same == dims) return true;
    }
    return false;
}

/* Uniform, or just beside where some grid cuts: the worst places. */
static uint16_t draw(uint64_t *dice, unsigned dims, unsigned level) {
    if (dice_below(dice, 2) == 0) return (uint16_t) dice_below(dice, 8192);
    unsigned n = kith_grids(dims), side = 1u << (13 - level);
    unsigned cut = (unsigned) dice_below(dice, 1u << level) * side + 2 * 8192;
    unsigned at = cut - ((unsigned) dice_below(dice, n) << 13) / n +
                  (unsigned) dice_below(dice, 5) - 2;
    return (uint16_t) (at % 8192);
}

static void contexts_as_near_as_promised_share_a_cell(void) {
    uint64_t dice = 7;
    int trials = 1000000, violations = 0, tried = 0;
    while (tried < trials) {
        unsigned dims = 1 + (unsigned) dice_below(&dice, KITH_GRID_DIMS);
        unsigned level = (unsigned) dice_below(&dice, KITH_GRID_LEVELS);
        unsigned reach = kith_grid_reach(dims, level);
        uint16_t a[KITH_GRID_DIMS] = { 0 }, b[KITH_GRID_DIMS] = { 0 };
        if (reach == 0) continue;
        for (unsigned i = 0; i < dims; i++) {
            unsigned u = draw(&dice, dims, level),
                     d = (unsigned) dice_below(&dice, reach + 1);
            d = dice_below(&dice, 2) == 0 ? reach : d;
            unsigned v = dice_below(&dice, 2) == 0 ? u + d : u - d;
            v = v > 8191 ? u : v;
            a[i] = (uint16_t) (8 * u + dice_below(&dice, 8));
            b[i] = (uint16_t) (8 * v + dice_below(&dice, 8));
        }
        violations += !meet(a, b, dims, level);
        tried++;
    }
    printf("# %d pairs, %d violations\n", tried, violations);
    EXPECT_INT(violations, 0);
}

/* The tokens say the same as the theorem's cells: equal exactly when the cells are. */
static void tokens_are_equal_exactly_when_cells_are(void) {
    uint64_t dice = 11;
    int equal = 0;
    for (int round = 0; round < 20000; round++) {
        unsigned dims = 1 + (unsigned) dice_below(&dice, KITH_GRID_DIMS);
        unsigned n = kith_grids(dims), grid = (unsigned) dice_below(&dice, n);
        uint8_t level[1] = { (uint8_t) dice_below(&dice, KITH_GRID_LEVELS) };
        uint16_t a[KITH_GRID_DIMS], b[KITH_GRID_DIMS];
        uint8_t ka[KITH_MORTON_SIZE], kb[KITH_MORTON_SIZE];
        char ta[80], tb[80];
        bool same = true;
        for (unsigned i = 0; i < dims; i++) {
            unsigned shift = (grid << 13) / n;
            a[i] = (uint16_t) dice_below(&dice, 65536);
            b[i] = (uint16_t) (a[i] ^ dice_below(&dice, 2) << dice_below(&dice, 8));
            same = same && ((a[i] >> 3) + shift) >> (13 - level[0]) ==
                               ((b[i] >> 3) + shift) >> (13 - level[0]);
        }
        EXPECT_INT(kith_grid_key(a, dims, grid, ka), 0);
        EXPECT_INT(kith_grid_key(b, dims, grid, kb), 0);
        EXPECT_INT(kith_grid_tokens(ka, grid, level, 1, ta, sizeof ta), 0);
        EXPECT_INT(kith_grid_tokens(kb, grid, level, 1, tb, sizeof tb), 0);
        EXPECT((strcmp(ta, tb) == 0) == same);
        equal += same;
    }
    EXPECT(equal > 1000 && equal < 19000);
}

static void a_post_serves_all_coarser_levels(void) {
    const uint16_t context[3] = { 11796, 60293, 1966 };
    uint8_t key[KITH_MORTON_SIZE];
    char all[80], coarse[80], subject[128], pattern[128];
    EXPECT_INT(kith_grid_key(context, 3, 2, key), 0);
    EXPECT_INT(kith_grid_tokens(key, 2, levels, 3, all, sizeof all), 0);
    EXPECT_INT(kith_grid_tokens(key, 2, levels, 2, coarse, sizeof coarse), 0);
    snprintf(subject, sizeof subject, "hvac.bearing.%s", all);
    snprintf(pattern, sizeof pattern, "hvac.bearing.%s.>", coarse);
    EXPECT(kith_subject_matches(pattern, subject));
    EXPECT_INT(kith_cell_base(subject), 12);
    EXPECT_INT(kith_cell_base(pattern), 12);
}

static void the_level_for_a_radius_is_the_deepest_that_promises(void) {
    for (unsigned dims = 1; dims <= KITH_GRID_DIMS; dims++) {
        for (uint32_t radius = 0; radius < 65536; radius += 37) {
            unsigned level = 99, apart = radius / 8 + 1;
            int r = kith_grid_level(dims, radius, &level);
            EXPECT_INT(r, kith_grid_reach(dims, 0) >= apart ? 0 : KITH_E_ARG);
            if (r < 0) continue;
            EXPECT(kith_grid_reach(dims, level) >= apart);
            EXPECT(kith_grid_reach(dims, level + 1) < apart);
        }
    }
}

static void what_is_no_key_or_level_is_refused(void) {
    uint16_t coords[KITH_GRID_DIMS] = { 0 };
    uint8_t key[KITH_MORTON_SIZE] = { 0x40 };
    const uint8_t falling[] = { 3, 1 }, deep[] = { 14 };
    char tokens[80];
    EXPECT_INT(kith_morton_decode(key, coords), KITH_E_ARG);
    coords[8] = 1 << 14;
    EXPECT_INT(kith_morton_encode(coords, key), KITH_E_ARG);
    coords[8] = 0;
    EXPECT_INT(kith_grid_key(coords, 10, 0, key), KITH_E_ARG);
    EXPECT_INT(kith_grid_key(coords, 3, 5, key), KITH_E_ARG);
    EXPECT_INT(kith_grid_key(coords, 3, 4, key), 0);
    EXPECT_INT(kith_grid_tokens(key, 4, falling, 2, tokens, sizeof tokens), KITH_E_ARG);
    EXPECT_INT(kith_grid_tokens(key, 4, deep, 1, tokens, sizeof tokens), KITH_E_ARG);
    EXPECT_INT(kith_grid_tokens(key, 4, levels, 3, tokens, 20), KITH_E_SPACE);
}

static void a_cell_in_a_subject_is_told_from_words(void) {
    EXPECT_INT(kith_cell_base("a.b.s0.001"), 3);
    EXPECT_INT(kith_cell_base("a.b.s10.001.0ffabc"), 3);
    EXPECT_INT(kith_cell_base("a.h31-0123456789abcdef"), 1);
    EXPECT_INT(kith_cell_base("a.s3.001.*"), 1);
    EXPECT_INT(kith_cell_base("a.s3.001.>"), 1);
    static const char *const words[] = { "a", "s0.001", "a.s11.001", "a.s01.001", "a.s1",
        "a.s1.0x1", "a.s1.01", "a.s1.>", "a.h32-0123456789abcdef", "a.h1-0123456789abcde",
        "a.h1-0123456789abcdef.b", "a.s1.001.001.001.001", "line.s1.speed", "" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        EXPECT_INT(kith_cell_base(words[i]), 0);
    }
}

static const test_case cases[] = {
    { "the_published_morton_keys_come_out", the_published_morton_keys_come_out },
    { "the_published_grid_keys_and_tokens_come_out",
        the_published_grid_keys_and_tokens_come_out },
    { "contexts_as_near_as_promised_share_a_cell",
        contexts_as_near_as_promised_share_a_cell },
    { "tokens_are_equal_exactly_when_cells_are", tokens_are_equal_exactly_when_cells_are },
    { "a_post_serves_all_coarser_levels", a_post_serves_all_coarser_levels },
    { "the_level_for_a_radius_is_the_deepest_that_promises",
        the_level_for_a_radius_is_the_deepest_that_promises },
    { "what_is_no_key_or_level_is_refused", what_is_no_key_or_level_is_refused },
    { "a_cell_in_a_subject_is_told_from_words", a_cell_in_a_subject_is_told_from_words },
};
TEST_MAIN(cases)
