/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and strings as Python writes them. tests/vectors/legacy_check.py asks
 * Python itself about many more. */
#include "legacy/python.h"

#include "test.h"

#include <locale.h>

static bool is(double x, const char *want) {
    char text[PYTHON_REAL_MAX];
    size_t n = ki_python_real(x, text);
    if (strcmp(text, want) != 0) printf("# %s, not %s\n", text, want);
    return strcmp(text, want) == 0 && n == strlen(want);
}

static void numbers_are_repr(void) {
    EXPECT(is(0, "0.0"));
    EXPECT(is(-0.0, "-0.0"));
    EXPECT(is(1, "1.0"));
    EXPECT(is(0.87, "0.87"));
    EXPECT(is(-0.1, "-0.1"));
    EXPECT(is(1750000000.25, "1750000000.25"));
    EXPECT(is((double) 0.1f, "0.10000000149011612"));
    EXPECT(is(0.0001, "0.0001"));
    EXPECT(is(0.00001, "1e-05"));
    EXPECT(is(1.25e-7, "1.25e-07"));
    EXPECT(is(1e15, "1000000000000000.0"));
    EXPECT(is(1e16, "1e+16"));
    EXPECT(is(12345678901234568.0, "1.2345678901234568e+16"));
    EXPECT(is(1e300, "1e+300"));
    EXPECT(is(5e-324, "5e-324"));
    EXPECT(is(1.7976931348623157e308, "1.7976931348623157e+308"));
}

static void powers_of_two_have_the_shortest_digits(void) {
    EXPECT(is(0x1p-44, "5.684341886080802e-14"));
    EXPECT(is(0x1p-1022, "2.2250738585072014e-308"));
    EXPECT(is(9007199254740992.0, "9007199254740992.0"));
    EXPECT(is(9.5367431640625e-07, "9.5367431640625e-07"));
}

static void the_point_of_the_locale_is_not_ours(void) {
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL) SKIP("no German locale here");
    bool fine = is(0.87, "0.87") && is(1.25e-7, "1.25e-07");
    (void) setlocale(LC_NUMERIC, "C");
    EXPECT(fine);
}

static void strings_are_ascii(void) {
    char text[64];
    line l = { text, text + sizeof text, false };
    ki_line_string(&l, "a/\"\\\n\t\x7f\x01\xc3\xa9\xf0\x9f\x98\x80");
    EXPECT(!l.full);
    EXPECT(strcmp(text, "\"a/\\\"\\\\\\n\\t\\u007f\\u0001\\u00e9\\ud83d\\ude00\"") == 0);
}

static void what_does_not_fit_is_told(void) {
    char text[8] = "";
    line l = { text, text + sizeof text, false };
    ki_line_raw(&l, "1234567");
    EXPECT(!l.full);
    ki_line_raw(&l, "8");
    EXPECT(l.full);
    ki_line_raw(&l, "");
    EXPECT(l.full);
}

static const test_case cases[] = {
    { "numbers_are_repr", numbers_are_repr },
    { "powers_of_two_have_the_shortest_digits", powers_of_two_have_the_shortest_digits },
    { "the_point_of_the_locale_is_not_ours", the_point_of_the_locale_is_not_ours },
    { "strings_are_ascii", strings_are_ascii },
    { "what_does_not_fit_is_told", what_does_not_fit_is_told },
};
TEST_MAIN(cases)
