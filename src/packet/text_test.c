/* SPDX-License-Identifier: Apache-2.0 */
/* Which texts may be shown to a person. The naive reader here decodes characters
 * one by one from their definition. */
#include "packet/part.h"
#include "packet/samples.h"

#include "test.h"

/* Writes c as UTF-8 of `n` bytes, also where that is not the shortest form. */
static size_t spell(uint32_t c, size_t n, uint8_t *ret) {
    static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    if (n == 1) {
        ret[0] = (uint8_t) c;
        return 1;
    }
    for (size_t i = n - 1; i > 0; i--, c >>= 6) ret[i] = (uint8_t) (0x80 | (c & 0x3f));
    ret[0] = (uint8_t) (lead[n] | c);
    return n;
}

static size_t shortest(uint32_t c) {
    return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

/* The list of docs/formats/packet.md, section 8. */
static bool allowed(uint32_t c) {
    bool control = c <= 0x1f || (c >= 0x7f && c <= 0x9f);
    bool separator = c == 0x2028 || c == 0x2029;
    bool bidi = c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
                (c >= 0x2066 && c <= 0x2069);
    bool surrogate = c >= 0xd800 && c <= 0xdfff;
    return !control && !separator && !bidi && !surrogate && c <= 0x10ffff;
}

static bool fine(const uint8_t *text, size_t length) {
    uint8_t room[KITH_TEXT_MAX + 16];
    memset(
        room, 0x80, sizeof room); /* what could go on with a character is no part of it */
    memcpy(room, text, length);
    return ki_text_ok(room, length);
}

static void takes_each_character_that_is_allowed_and_no_other(void) {
    int taken = 0;
    for (uint32_t c = 0; c < 0x110400; c++) {
        uint8_t text[48];
        size_t n = spell(c, shortest(c), text);
        EXPECT(fine(text, n) == allowed(c));
        memset(text, 'x', sizeof text);
        (void) spell(c, shortest(c), text + 14); /* over the edge of a block */
        EXPECT(fine(text, sizeof text) == allowed(c));
        taken += allowed(c);
    }
    printf("# %d characters\n", taken);
    EXPECT_INT(taken, 0x110000 - 0x800 - 65 - 2 - 12);
}

static void refuses_longer_spellings_and_halves(void) {
    for (uint32_t c = 0; c < 0x10000; c++) {
        uint8_t text[8];
        for (size_t n = shortest(c) + 1; n <= 4; n++) {
            if (n < 4 && c >> (n == 2 ? 11 : 16) != 0) continue;
            EXPECT(!fine(text, spell(c, n, text)));
        }
        for (size_t n = 1; n < shortest(c); n++) {
            (void) spell(c, shortest(c), text);
            EXPECT(!fine(text, n));
        }
    }
    for (unsigned b = 0x80; b < 0x100; b++) {
        EXPECT(!fine((const uint8_t[]){ (uint8_t) b }, 1));
        EXPECT(!fine((const uint8_t[]){ 'a', (uint8_t) b, 'a', 'a', 'a' }, 5));
    }
}

/* Decodes strictly, then asks `allowed`. */
static bool naive(const uint8_t *p, size_t left) {
    while (left > 0) {
        uint8_t again[4];
        size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
        uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
        if (n > left || p[0] >= 0xf8) return false;
        for (size_t i = 1; i < n; i++) c = c << 6 | (p[i] & 0x3fu);
        if (c > 0x10ffff || !allowed(c) || shortest(c) != n) return false;
        (void) spell(c, n, again);
        if (memcmp(again, p, n) != 0) return false;
        p += n;
        left -= n;
    }
    return true;
}

static void agrees_with_a_naive_reader_on_random_texts(void) {
    uint64_t dice = 41;
    int taken = 0;
    for (int i = 0; i < 400000; i++) {
        char text[KITH_TEXT_MAX + 1];
        uint8_t length = sample_text(&dice, text);
        for (uint64_t n = dice_below(&dice, 3); n > 0; n--) {
            size_t at = dice_below(&dice, length);
            text[at] = (char) dice_roll(&dice);
        }
        bool got = fine((const uint8_t *) text, length);
        EXPECT(got == naive((const uint8_t *) text, length));
        taken += got;
    }
    printf("# %d taken of 400000\n", taken);
    EXPECT(taken > 100000 && taken < 350000);
}

static const test_case cases[] = {
    { "takes_each_character_that_is_allowed_and_no_other",
        takes_each_character_that_is_allowed_and_no_other },
    { "refuses_longer_spellings_and_halves", refuses_longer_spellings_and_halves },
    { "agrees_with_a_naive_reader_on_random_texts",
        agrees_with_a_naive_reader_on_random_texts },
};
TEST_MAIN(cases)
