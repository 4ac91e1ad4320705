/* SPDX-License-Identifier: Apache-2.0 */
/* A million random strings: the fast code and the naive one see the same thing. */
#include "address/naive.h"
#include "address/subject.h"
#include "base/dice.h"

#include <kith/address.h>

#include "test.h"

/* Strings near the grammar: mostly its letters, some of them long. */
static void draw(uint64_t *dice, char *ret) {
    static const char letters[] = "ab..._*>-z09A \xc3|\n";
    static const size_t lengths[] = { 4, 8, 16, 34, 134 };
    size_t n = dice_below(dice, lengths[dice_below(dice, 5)]);
    size_t kinds = dice_below(dice, 3) == 0 ? sizeof letters - 1 : 8;
    uint64_t dots = 2 + dice_below(dice, 30);
    for (size_t i = 0; i < n; i++) {
        ret[i] = letters[dice_below(dice, kinds)];
        if (ret[i] == '.' && dice_below(dice, dots) != 0) ret[i] = 'c';
    }
    ret[n] = '\0';
}

/* A pattern made of the subject's own tokens, so that many match. */
static void derive(uint64_t *dice, const char *subject, char *ret) {
    while (*subject != '\0') {
        size_t n = strcspn(subject, ".");
        uint64_t what = dice_below(dice, 6);
        if (what == 0) {
            *ret++ = '*';
        } else if (what == 1) {
            *ret++ = '>';
            if (dice_below(dice, 4) != 0) break;
        } else {
            memcpy(ret, subject, n);
            ret += n;
        }
        subject += n;
        if (*subject == '.') *ret++ = *subject++;
    }
    *ret = '\0';
}

static void w4_a_million_random_strings_have_one_meaning(void) {
    uint64_t dice = 51;
    int subjects = 0, patterns = 0, hits = 0;
    for (int i = 0; i < 1000000; i++) {
        char s[160], p[160];
        uint8_t room[160] = { 0 };
        draw(&dice, s);
        if (i % 2 == 0) {
            draw(&dice, p);
        } else {
            derive(&dice, s, p);
        }
        bool subject = naive_subject(s), pattern = naive_pattern(p);
        EXPECT(kith_subject_valid(s) == subject);
        EXPECT((kith_subject_fault(s, false) == NULL) == subject);
        EXPECT(kith_pattern_valid(p) == pattern);
        EXPECT((kith_subject_fault(p, true) == NULL) == pattern);
        EXPECT(kith_subject_matches(p, s) == naive_matches(p, s));
        memset(room, (int) dice_roll(&dice), sizeof room);
        memcpy(room, s, strlen(s));
        EXPECT(ki_subject_ok(room, strlen(s)) == subject);
        subjects += subject;
        patterns += pattern;
        hits += naive_matches(p, s);
    }
    printf("# %d subjects, %d patterns, %d matches\n", subjects, patterns, hits);
    EXPECT(subjects > 100000 && patterns > 100000 && hits > 50000);
}

static void a_byte_of_any_value_at_any_place_is_judged_alike(void) {
    for (size_t length = 1; length <= 130; length++) {
        for (size_t at = 0; at < length; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                uint8_t text[160];
                memset(text, 'a', sizeof text);
                text[at] = (uint8_t) byte;
                char copy[160] = { 0 };
                memcpy(copy, text, length);
                bool want = byte != 0 && naive_subject(copy);
                EXPECT(ki_subject_ok(text, length) == want);
            }
            if (length > 40 && length < 120) at += 6;
        }
    }
}

static void two_dots_are_found_wherever_they_stand(void) {
    uint8_t text[KITH_SUBJECT_MAX + 16];
    memset(text, 'a', sizeof text);
    for (size_t at = 1; at < 120; at++) {
        text[at] = '.';
        EXPECT(ki_subject_ok(text, 124));
        text[at + 1] = '.';
        EXPECT(!ki_subject_ok(text, 124));
        text[at] = text[at + 1] = 'a';
    }
}

static const test_case cases[] = {
    { "two_dots_are_found_wherever_they_stand", two_dots_are_found_wherever_they_stand },
    { "w4_a_million_random_strings_have_one_meaning",
        w4_a_million_random_strings_have_one_meaning },
    { "a_byte_of_any_value_at_any_place_is_judged_alike",
        a_byte_of_any_value_at_any_place_is_judged_alike },
};
TEST_MAIN(cases)
