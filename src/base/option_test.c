/* SPDX-License-Identifier: Apache-2.0 */
/* What an option table promises: checked values, the nearest name, and the same
 * text out as in. */
#include <kith/option.h>

#include "test.h"

typedef struct sample {
    int64_t count, wait_ns, size;
    char name[9];
    bool on;
    int mode;
    double rate;
} sample;

static const kith_option table[] = {
    { "count", KITH_OPTION_INT, offsetof(sample, count), 1, 65536, "7", NULL, "things" },
    { "wait", KITH_OPTION_TIME, offsetof(sample, wait_ns), 0, 3600000000000, "250ms", NULL,
        "" },
    { "size", KITH_OPTION_BYTES, offsetof(sample, size), 512, 1 << 30, "4KiB", NULL, "" },
    { "name", KITH_OPTION_TEXT, offsetof(sample, name), 1, 8, NULL, NULL, "who" },
    { "on", KITH_OPTION_BOOL, offsetof(sample, on), 0, 1, "no", NULL, "" },
    { "mode", KITH_OPTION_ONE, offsetof(sample, mode), 0, 2, "slow", "slow|fast|mad", "" },
    { "rate", KITH_OPTION_REAL, offsetof(sample, rate), 0, 100, "0.5", NULL, "" },
    { .name = NULL },
};

static void takes_presets_and_values(void) {
    sample s = { 0 };
    kith_error err = { 0 };
    EXPECT_INT(kith_option_query(table, &s, "name=a%26b&size=2M&on&mode=mad", &err), 0);
    EXPECT_INT(s.count, 7);
    EXPECT_INT(s.wait_ns, 250000000);
    EXPECT_INT(s.size, 2 << 20);
    EXPECT(strcmp(s.name, "a&b") == 0);
    EXPECT(s.on);
    EXPECT_INT(s.mode, 2);
    EXPECT(s.rate == 0.5);
}

static void says_what_is_wrong(void) {
    static const struct {
        const char *query, *words;
    } rows[] = {
        { "name=x&count=0", "count=0 is not a whole number from 1 to 65536" },
        { "name=x&count=1e3", "count=1e3" },
        { "name=x&count=99999999999999999999", "is not a whole number" },
        { "name=x&count=-", "count=-" },
        { "name=x&count=", "count=" },
        { "name=x&wait=5", "is not a time" },
        { "name=x&wait=2h", "from 0 to 1h" },
        { "name=x&wait=9223372036854775807d", "is not a time" },
        { "name=x&size=1T", "is not a size" },
        { "name=123456789", "has 9 bytes, not 1 to 8" },
        { "name=", "has 0 bytes" },
        { "name=x&on=maybe", "is not yes or no" },
        { "name=x&mode=slo", "is not one of slow|fast|mad" },
        { "name=x&mode=slower", "is not one of slow|fast|mad" },
        { "name=x&mode=", "is not one of" },
        { "name=x&mode=slow|fast", "is not one of" },
        { "name=x&rate=nan", "is not a number" },
        { "name=x&rate=101", "from 0 to 100" },
        { "name=x&conut=3", "no option conut; did you mean count?" },
        { "name=x&zzzzzz=3", "no option zzzzzz" },
        { "", "name= must be given (who)" },
        { "name=%4", "bad %XX escape" },
        { "name=%00", "bad %XX escape" },
        { "name=%zz", "bad %XX escape" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sample s = { 0 };
        kith_error err = { 0 };
        printf("# %s\n", rows[i].query);
        EXPECT_INT(kith_option_query(table, &s, rows[i].query, &err), KITH_E_CONFIG);
        EXPECT(strstr(err.text, rows[i].words) != NULL);
    }
}

/* 1023 bytes are the longest value of a URL, 63 the longest name. */
static void what_is_too_long_is_refused_at_the_first_byte_too_many(void) {
    static const kith_option wide[] = {
        { "name", KITH_OPTION_TEXT, 0, 1, 2000, "x", NULL, "" }, { .name = NULL }
    };
    char field[2001], query[2000];
    kith_error err = { 0 };
    memset(query, 'a', sizeof query);
    memcpy(query, "name=", 5);
    query[5 + 1023] = '\0';
    EXPECT_INT(kith_option_query(wide, field, query, &err), 0);
    EXPECT_INT(strlen(field), 1023);
    query[5 + 1023] = 'a';
    query[5 + 1024] = '\0';
    EXPECT_INT(kith_option_query(wide, field, query, &err), KITH_E_CONFIG);
    EXPECT(strstr(err.text, "too long") != NULL);
}

static void shows_what_it_read(void) {
    static const char *const texts[][2] = { { "wait", "0" }, { "wait", "90s" },
        { "wait", "250ms" }, { "size", "4KiB" }, { "count", "12" }, { "on", "yes" },
        { "mode", "fast" }, { "name", "bob" }, { "rate", "0.25" } };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        sample s = { 0 }, again = { 0 };
        char shown[64];
        EXPECT_INT(kith_option_set(table, &s, texts[i][0], texts[i][1], NULL), 0);
        for (const kith_option *o = table; o->name != NULL; o++) {
            if (strcmp(o->name, texts[i][0]) != 0) continue;
            EXPECT(kith_option_show(o, &s, shown, sizeof shown) > 0);
            EXPECT_INT(kith_option_set(table, &again, o->name, shown, NULL), 0);
        }
        EXPECT(memcmp(&s, &again, sizeof s) == 0);
    }
}

static void what_it_shows_is_cut_to_fit(void) {
    sample s = { .count = 12345,
        .wait_ns = 90000000000,
        .size = 2 << 20,
        .name = "bob",
        .on = true,
        .mode = 1,
        .rate = 0.25 };
    for (const kith_option *o = table; o->name != NULL; o++) {
        char whole[64], part[3] = "##";
        size_t length = kith_option_show(o, &s, whole, sizeof whole);
        EXPECT_INT(length, strlen(whole));
        EXPECT(length >= 2);
        EXPECT_INT(kith_option_show(o, &s, part, 2), 1);
        EXPECT(part[0] == whole[0] && part[1] == '\0' && part[2] == '\0');
    }
}

static void finds_the_word_that_was_meant(void) {
    static const char *const verbs[] = { "post", "follow", "get", "ask", "why", NULL };
    EXPECT(strcmp(kith_nearest_word(verbs, "pots"), "post") == 0);
    EXPECT(strcmp(kith_nearest_word(verbs, "folow"), "follow") == 0);
    EXPECT(strcmp(kith_nearest_word(verbs, "gte"), "get") == 0); /* a swap is one mistake */
    EXPECT(kith_nearest_word(verbs, "gxy") == NULL);
    EXPECT(kith_nearest_word(verbs, "transport") == NULL);
}

static const test_case cases[] = {
    { "takes_presets_and_values", takes_presets_and_values },
    { "says_what_is_wrong", says_what_is_wrong },
    { "what_is_too_long_is_refused_at_the_first_byte_too_many",
        what_is_too_long_is_refused_at_the_first_byte_too_many },
    { "shows_what_it_read", shows_what_it_read },
    { "what_it_shows_is_cut_to_fit", what_it_shows_is_cut_to_fit },
    { "finds_the_word_that_was_meant", finds_the_word_that_was_meant },
};
TEST_MAIN(cases)
