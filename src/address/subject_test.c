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
    text[KITH_SUBJECT_MAX] = '\0';
    EXPECT(kith_subject_valid(text));
}

static void matches_by_whole_tokens(void) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        printf("# '%s' '%s'\n", rows[i].pattern, rows[i].subject);
        EXPECT(kith_subject_matches(rows[i].pattern, rows[i].subject) == rows[i].matches);
    }
}

static const test_case cases[] = {
    { "knows_its_grammar", knows_its_grammar },
    { "knows_its_limit", knows_its_limit },
    { "matches_by_whole_tokens", matches_by_whole_tokens },
};
TEST_MAIN(cases)
