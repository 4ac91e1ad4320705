/* SPDX-License-Identifier: Apache-2.0 */
/* What hash tables for many dimensions promise: the published values, and that near
 * contexts share more tables than far ones. */
#include "address/golden.h"
#include "base/dice.h"
#include "base/hash.h"

#include <kith/cell.h>

#include "test.h"

static unsigned numbers(const char *text, long *ret, unsigned most) {
    unsigned n = 0;
    for (char *end; *text != '\0' && n < most; text = end)
        ret[n++] = strtol(text, &end, 10);
    return n;
}

static bool lsh_row(char *cells[GOLDEN_CELLS]) {
    static kith_lsh lsh;
    static char known[40];
    uint8_t id[KITH_TEMPLATE_SIZE];
    uint16_t context[KITH_LSH_DIMS];
    long given[KITH_LSH_DIMS + 1], wanted[KITH_LSH_HASHES];
    int32_t values[KITH_LSH_HASHES];
    char token[KITH_LSH_TOKEN_SIZE];
    unsigned dims = numbers(cells[4], given, KITH_LSH_DIMS + 1);
    unsigned table = (unsigned) atoi(cells[1]), hashes = (unsigned) atoi(cells[2]);
    if (dims > KITH_LSH_DIMS) return true; /* more than a packet has room for */
    uint8_t shape[3] = { (uint8_t) dims, 32, (uint8_t) hashes };
    if (!ki_unhex(cells[0], 32, id, sizeof id)) return false;
    if (strcmp(known, cells[0]) != 0 || lsh.dims != dims) {
        if (kith_lsh_init(&lsh, id, shape, (uint32_t) atol(cells[3])) < 0) return false;
        snprintf(known, sizeof known, "%s", cells[0]);
    }
    for (unsigned i = 0; i < dims; i++) context[i] = (uint16_t) given[i];
    if (numbers(cells[5], wanted, hashes) != hashes) return false;
    kith_lsh_values(&lsh, table, context, values);
    for (unsigned m = 0; m < hashes; m++) {
        if (values[m] != wanted[m]) return false;
    }
    kith_lsh_token(&lsh, table, context, token);
    return strcmp(token, cells[6]) == 0 && kith_cell_token(token, strlen(token));
}

static void the_published_values_and_tokens_come_out(void) {
    EXPECT_INT(golden_rows("lsh.csv", lsh_row), 36);
}

static int shared(const kith_lsh *lsh, uint64_t *dice, unsigned apart) {
    uint16_t a[KITH_LSH_DIMS], b[KITH_LSH_DIMS];
    char ta[KITH_LSH_TOKEN_SIZE], tb[KITH_LSH_TOKEN_SIZE];
    int same = 0;
    for (unsigned i = 0; i < lsh->dims; i++) {
        a[i] = (uint16_t) (20000 + dice_below(dice, 20000));
        b[i] = (uint16_t) (a[i] + (dice_below(dice, 2) == 0 ? apart : 0));
    }
    for (unsigned t = 0; t < lsh->tables; t++) {
        kith_lsh_token(lsh, t, a, ta);
        kith_lsh_token(lsh, t, b, tb);
        same += strcmp(ta, tb) == 0;
    }
    return same;
}

static void near_contexts_share_tables_and_far_ones_none(void) {
    static kith_lsh lsh;
    const uint8_t id[KITH_TEMPLATE_SIZE] = { 1, 2, 3 }, shape[3] = { 16, 32, 10 };
    uint64_t dice = 3;
    int near = 0, far = 0, met = 0;
    EXPECT_INT(kith_lsh_init(&lsh, id, shape, 157286), 0);
    for (int i = 0; i < 100; i++) {
        int tables = shared(&lsh, &dice, 500);
        near += tables;
        met += tables > 0;
        far += shared(&lsh, &dice, 25000);
    }
    printf(
        "# of 3200 tables: near pairs share %d, far ones %d; %d of 100 near pairs meet\n",
        near, far, met);
    EXPECT_INT(met, 100);
    EXPECT(near > 20 * far);
}

static void shapes_that_make_no_sense_are_refused(void) {
    static kith_lsh lsh;
    const uint8_t id[KITH_TEMPLATE_SIZE] = { 0 };
    static const uint8_t bad[][3] = { { 0, 1, 1 }, { 17, 1, 1 }, { 1, 0, 1 }, { 1, 33, 1 },
        { 1, 1, 0 }, { 1, 1, 17 } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EXPECT_INT(kith_lsh_init(&lsh, id, bad[i], 1000), KITH_E_ARG);
    }
    const uint8_t good[3] = { 16, 32, 16 };
    EXPECT_INT(kith_lsh_init(&lsh, id, good, 0), KITH_E_ARG);
    EXPECT_INT(kith_lsh_init(&lsh, id, good, (UINT32_C(1) << 31) + 1), KITH_E_ARG);
    EXPECT_INT(kith_lsh_init(&lsh, id, good, UINT32_C(1) << 31), 0);
}

static const test_case cases[] = {
    { "the_published_values_and_tokens_come_out",
        the_published_values_and_tokens_come_out },
    { "near_contexts_share_tables_and_far_ones_none",
        near_contexts_share_tables_and_far_ones_none },
    { "shapes_that_make_no_sense_are_refused", shapes_that_make_no_sense_are_refused },
};
TEST_MAIN(cases)
