/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "base/dice.h"
#include "test.h"

#include <string.h>

static void the_sum_is_castagnolis(void) {
    uint8_t zeros[32] = { 0 }, ones[32];
    memset(ones, 0xff, sizeof ones);
    EXPECT_INT(ki_crc32c(0, "123456789", 9), 0xe3069283);
    EXPECT_INT(ki_crc32c(0, zeros, sizeof zeros), 0x8a9136aa); /* RFC 3720, B.4 */
    EXPECT_INT(ki_crc32c(0, ones, sizeof ones), 0x62a8ab43);
    EXPECT_INT(ki_crc32c(7, zeros, 0), 7);
}

/* The definition, a bit at a time. */
static uint32_t slowly(const uint8_t *p, size_t size) {
    uint32_t c = ~UINT32_C(0);
    for (size_t i = 0; i < size; i++) {
        c ^= p[i];
        for (int bit = 0; bit < 8; bit++) {
            c = c >> 1 ^ (c & 1 ? 0x82f63b78u : 0);
        }
    }
    return ~c;
}

static void every_length_and_alignment_gives_the_same_sum(void) {
    static uint8_t bytes[3 * 4096];
    uint64_t dice = 71;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t) dice_roll(&dice);
    for (size_t i = 0; i < 300; i++) {
        size_t at = dice_roll(&dice) % 16, size = dice_roll(&dice) % (sizeof bytes - 16);
        size_t half = size == 0 ? 0 : dice_roll(&dice) % size;
        uint32_t want = slowly(bytes + at, size);
        EXPECT_INT(ki_crc32c(0, bytes + at, size), want);
        EXPECT_INT(
            ki_crc32c(ki_crc32c(0, bytes + at, half), bytes + at + half, size - half),
            want);
    }
}

static void hex_is_read_whole_or_not_at_all(void) {
    uint8_t bytes[3] = { 1, 2, 3 };
    char text[7];
    EXPECT(ki_unhex("00fFa9", 6, bytes, 3));
    EXPECT(bytes[0] == 0 && bytes[1] == 255 && bytes[2] == 0xa9);
    ki_hex(bytes, 3, text);
    EXPECT(strcmp(text, "00ffa9") == 0);
    EXPECT(!ki_unhex("1122334", 7, bytes, 3));
    EXPECT(!ki_unhex("11223344", 8, bytes, 3));
    EXPECT(!ki_unhex("11223", 5, bytes, 3));
    EXPECT(!ki_unhex("11223g", 6, bytes, 3));
    EXPECT(!ki_unhex("/12233", 6, bytes, 3));
    EXPECT(bytes[0] == 0 && bytes[1] == 255 && bytes[2] == 0xa9);
}

static const test_case cases[] = {
    { "hex_is_read_whole_or_not_at_all", hex_is_read_whole_or_not_at_all },
    { "the_sum_is_castagnolis", the_sum_is_castagnolis },
    { "every_length_and_alignment_gives_the_same_sum",
        every_length_and_alignment_gives_the_same_sum },
};
TEST_MAIN(cases)
