/* SPDX-License-Identifier: Apache-2.0 */
/* What a subject and a pattern mean, as tables: they must mean this on every
 * carrier. */
#include "address/subject.h"

#include <kith/address.h>

#include "test.h"

/* clang-format off */
static const struct {
    const char *text;
    bool subject, pattern;
} words[] = {
    { "a",                true,  true },
    { "a.b-c.d_9.-._",    true,  true },
    { "1.2.3.4.5.6.7.8",  true,  true },
    { "1.2.3.4.5.6.7.8.9", false, false },
    { "",                 false, false },
    { ".",                false, false },
    { ".a",               false, false },
    { "a.",               false, false },
    { "a..b",             false, false },
    { "A",                false, false },
    { "a b",              false, false },
    { "a/b",              false, false },
    { "a\xc3\xa9",        false, false },
    { "*",                false, true },
    { ">",                false, true },
    { "a.*.b",            false, true },
    { "*.*",              false, true },
    { "a.>",              false, true },
    { ">.a",              false, false },
    { ">.>",              false, false },
    { "a.>.",             false, false },
    { "a*",               false, false },
    { "*a",               false, false },
    { "a>",               false, false },
    { "**",               false, false },
};

static const struct {
    const char *pattern, *subject;
    bool matches;
} rows[] = {
    { "iot.hvac",   "iot.hvac",      true },
    { "iot.hvac",   "iot.hvac.x",    false },
    { "iot.hvac.x", "iot.hvac",      false },
    { "iot.hvac.>", "iot.hvac.x",    true },
    { "iot.hvac.>", "iot.hvac.x.y",  true },
    { "iot.hvac.>", "iot.hvac",      false }, /* one or more, never none */
    { "iot.hvac.>", "iot.hvacuum.x", false },
    { "iot.hvac",   "iot.hvad",      false },
    { "iot.*.x",    "iot.hvac.x",    true },
    { "iot.*.x",    "iot.a.b.x",     false },
    { "iot.*",      "iot",           false },
    { "*.*",        "a.b",           true },
    { "*",          "a.b",           false },
    { "*.b.>",      "a.b.c.d",       true },
    { ">",          "a",             true },
    { ">",          "a.b.c",         true },
    { ">",          "_sys.a",        false }, /* control is not for everybody */
    { "*.a",        "_sys.a",        false },
    { "_sys.>",     "_sys.a",        true },
    { "_sys.*",     "_sys.a",        true },
    { "a.>",        "a._b",          true },
    { "",           "a",             false },
    { ">",          "",              false },
    { "a.*.b",      "a..b",          false },
    { "a.>.b",      "a.c",           false },
    { "A",          "A",             false },
};
/* clang-format on */

static void knows_its_grammar(void) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        printf("# '%s'\n", words[i].text);
        EXPECT(kith_subject_valid(words[i].text) == words[i].subject);
        EXPECT(kith_pattern_valid(words[i].text) == words[i].pattern);
    }
}

static void knows_its_limit(void) {
    char text[KITH_SUBJECT_MAX + 2];
    memset(text, 'a', sizeof text);
    text[KITH_SUBJECT_MAX + 1] = '\0';
    EXPECT(!kith_subject_valid(text));
    EXPECT(!kith_pattern_valid(text));
    text[KITH_SUBJECT_MAX] = '\0';
    EXPECT(kith_subject_valid(text));
    EXPECT(kith_pattern_valid(text));
    EXPECT(kith_subject_fault(text, false) == NULL);
}

static void matches_by_whole_tokens(void) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        printf("# '%s' '%s'\n", rows[i].pattern, rows[i].subject);
        EXPECT(kith_subject_matches(rows[i].pattern, rows[i].subject) == rows[i].matches);
    }
}

static void w4_odd_letters_and_lengths_are_refused_with_their_reason(void) {
    static const struct {
        const char *text;
        bool wild;
        const char *why;
    } odd[] = { { "", false, "empty" }, { "a|b", false, "a-z" }, { "a\r\nb", false, "a-z" },
        { "a b", true, "a-z" }, { "A", false, "a-z" }, { "\xc3\x28", true, "a-z" },
        { "a.*", false, "patterns only" }, { "a.>", false, "patterns only" },
        { "d+0.1", true, "a-z" }, { "a*", true, "whole token" }, { ">.a", true, "last" },
        { "a..b", false, "empty: dots" }, { ".a", true, "empty: dots" },
        { "a.", false, "empty: dots" }, { "1.2.3.4.5.6.7.8.9", true, "8 tokens" } };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        const char *why = kith_subject_fault(odd[i].text, odd[i].wild);
        printf("# %zu: %s\n", i, why == NULL ? "fine" : why);
        EXPECT(why != NULL && strstr(why, odd[i].why) != NULL);
    }
    char token[256];
    memset(token, 'a', 255);
    token[255] = '\0';
    EXPECT(strstr(kith_subject_fault(token, false), "128") != NULL);
    EXPECT(kith_subject_fault("a.b", false) == NULL);
    EXPECT(kith_subject_fault("a.*.>", true) == NULL);
    for (int byte = 1; byte < 256; byte++) {
        const char text[] = { 'a', (char) byte, 'b', '\0' };
        bool fine = byte == '.' || byte == '_' || byte == '-' ||
                    (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z');
        EXPECT(kith_subject_valid(text) == fine);
        EXPECT(kith_pattern_valid(text) == fine);
        EXPECT((kith_subject_fault(text, false) == NULL) == fine);
    }
}

static void seedbug_06_07_29_bytes_and_tokens_are_not_mixed_up(void) {
    EXPECT(!kith_subject_matches("radiology", "radiologyx"));
    EXPECT(!kith_subject_matches("radiology.>", "radiologyx.a"));
    EXPECT(!kith_subject_valid("qis.iot.d+0.1"));
    EXPECT(!kith_subject_valid("qis.+.hvac"));
    EXPECT(!kith_subject_valid("hvac energy"));
}

static const test_case cases[] = {
    { "w4_odd_letters_and_lengths_are_refused_with_their_reason",
        w4_odd_letters_and_lengths_are_refused_with_their_reason },
    { "seedbug_06_07_29_bytes_and_tokens_are_not_mixed_up",
        seedbug_06_07_29_bytes_and_tokens_are_not_mixed_up },
    { "knows_its_grammar", knows_its_grammar },
    { "knows_its_limit", knows_its_limit },
    { "matches_by_whole_tokens", matches_by_whole_tokens },
};
TEST_MAIN(cases)
