/* SPDX-License-Identifier: Apache-2.0 */
/* Which words may leave, and which look like something of somebody. */
#include <kith/privacy.h>

#include "base/dice.h"
#include "test.h"

typedef struct row {
    kith_lint want;
    const char *text, *part; /* what is named, where it is not the whole text */
} row;

static const row rows[] = {
    { KITH_LINT_MAIL, "ask bob@example.org for it", "bob@example.org" },
    { KITH_LINT_MAIL, "mail: <a.b+c@x.y>", "a.b+c@x.y" },
    { KITH_LINT_MAIL, "root@localhost", NULL },
    { KITH_LINT_LINK, "see https://x.org/y", "https://x.org/y" },
    { KITH_LINT_LINK, "sqlite://data", NULL },
    { KITH_LINT_LINK, "at www.example.org", "www.example.org" },
    { KITH_LINT_IP, "host 10.0.0.7 hangs", "10.0.0.7" },
    { KITH_LINT_IP, "192.168.1.20:8080", NULL },
    { KITH_LINT_IP, "net 10.1.0.0/16", "10.1.0.0/16" },
    { KITH_LINT_IP, "fe80::1", NULL },
    { KITH_LINT_IP, "[::1]", "::1" },
    { KITH_LINT_IP, "2001:db8:0:0:0:0:2:1", NULL },
    { KITH_LINT_IP, "fe80::1%eth0", NULL },
    { KITH_LINT_IP, "::ffff:10.0.0.1", NULL },
    { KITH_LINT_MAC, "nic 00:1b:44:11:3a:b7.", "00:1b:44:11:3a:b7" },
    { KITH_LINT_MAC, "00-1B-44-11-3A-B7", NULL },
    { KITH_LINT_MAC, "001b.4411.3ab7", NULL },
    { KITH_LINT_PATH, "log in /var/log/syslog", "/var/log/syslog" },
    { KITH_LINT_PATH, "file=/etc", "/etc" },
    { KITH_LINT_PATH, "~/notes", NULL },
    { KITH_LINT_PATH, "../up", NULL },
    { KITH_LINT_PATH, "C:\\Users\\bob", NULL },
    { KITH_LINT_PATH, "c:/temp", NULL },
    { KITH_LINT_PATH, "\\\\server\\share", NULL },
    { KITH_LINT_PATH, "host:/export", NULL },
    { KITH_LINT_PATH, "src/main.c fails", "src/main.c" },
    { KITH_LINT_PATH, "home/bob/x", NULL },
    { KITH_LINT_TIME, "since 2026-11-21", "2026-11-21" },
    { KITH_LINT_TIME, "2026-11-21T14:05:00Z", NULL },
    { KITH_LINT_TIME, "am 21.11.2026.", "21.11.2026" },
    { KITH_LINT_TIME, "11/21/2026", NULL },
    { KITH_LINT_TIME, "11/21/26", NULL },
    { KITH_LINT_TIME, "2026/1/31", NULL },
    { KITH_LINT_TIME, "at 14:05", "14:05" },
    { KITH_LINT_TIME, "at 9:30am", "9:30am" },
    { KITH_LINT_TIME, "23:59:59.123", NULL },
    { KITH_LINT_TIME, "21 Nov 2026", "2026" },
    { KITH_LINT_TIME, "November 21st, 2026", "2026" },
    { KITH_LINT_SERIES, "saw 1 2 3 4", "4" },
    { KITH_LINT_SERIES, "21.4,21.5,21.7,22.0", "22.0" },
    { KITH_LINT_SERIES, "[1.5e3; -2; .5; 7]", "7" },
    { KITH_LINT_SERIES, "1|2|3|4", "4" },
    { KITH_LINT_IDENTIFIER, "123e4567-e89b-12d3-a456-426614174000", NULL },
    { KITH_LINT_IDENTIFIER, "commit 3f2a91c", "3f2a91c" },
    { KITH_LINT_IDENTIFIER, "patient 48213377", "48213377" },
    { KITH_LINT_IDENTIFIER, "call +49-170-1234567", "+49-170-1234567" },
    { KITH_LINT_IDENTIFIER, "call 555-12345", "555-12345" },
    { KITH_LINT_IDENTIFIER, "serial SN12345678", "SN12345678" },
    { KITH_LINT_IDENTIFIER, "DE89370400440532013000", NULL },
    { KITH_LINT_SERIES, "4111 1111 1111 1111", "1111" },
    { KITH_LINT_IDENTIFIER, "ghp_x7Kq9mZp2Lw8Rt4Vb6Nc", NULL },
    { KITH_LINT_IDENTIFIER, "at 1763640000", "1763640000" },
    { KITH_LINT_IDENTIFIER, "id=20261121", "20261121" },

    { KITH_LINT_FINE, "", NULL },
    { KITH_LINT_FINE, "x", NULL },
    { KITH_LINT_FINE, "needs --forked", NULL },
    { KITH_LINT_FINE, "bearing worn after 3 weeks of 24/7 use", NULL },
    { KITH_LINT_FINE, "fails with gcc 12.2.0, not with clang 14", NULL },
    { KITH_LINT_FINE, "5 of 6 runs, 83.3 % of them", NULL },
    { KITH_LINT_FINE, "ratio 3/4 and/or km/h, n/a", NULL },
    { KITH_LINT_FINE, "x86_64 on utf8, sha256sum fine", NULL },
    { KITH_LINT_FINE, "std::vector grows; a: b", NULL },
    { KITH_LINT_FINE, "at 10000rpm it hums", NULL },
    { KITH_LINT_FINE, "1000000 rows are too many", NULL },
    { KITH_LINT_FINE, "p = 0.12345678", NULL },
    { KITH_LINT_FINE, "three: 1, 2, 3, then none", NULL },
    { KITH_LINT_FINE, "h\xc3\xa4 \xe2\x80\x93 zu warm", NULL },
    { KITH_LINT_FINE, "winter 2025 was colder than 2024", NULL },
    { KITH_LINT_FINE, "deadbeef and facade are words", NULL },
    { KITH_LINT_FINE, "it may 2 or 3 times fail", NULL },
    { KITH_LINT_FINE, "me @ home", NULL },
};

static void each_text_is_taken_or_refused_with_its_reason(void) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const row *r = &rows[i];
        size_t at = 99, n = 99;
        kith_lint got = kith_text_lint(r->text, strlen(r->text), &at, &n);
        const char *part = r->part == NULL ? r->text : r->part;
        if (got != r->want)
            printf("# '%s' is %d, '%.*s'\n", r->text, got, (int) n, r->text + at);
        EXPECT_INT(got, r->want);
        EXPECT(at + n <= strlen(r->text));
        if (r->want == KITH_LINT_FINE) {
            EXPECT(n == 0 && kith_lint_words(got) == NULL);
            continue;
        }
        if (n != strlen(part) || memcmp(r->text + at, part, n) != 0) {
            printf("# '%s' names '%.*s'\n", r->text, (int) n, r->text + at);
        }
        EXPECT(n == strlen(part) && memcmp(r->text + at, part, n) == 0);
        EXPECT(kith_lint_words(got) != NULL);
    }
}

/* Whatever stands around it, what is refused alone is refused. */
static void words_around_it_hide_nothing(void) {
    static const char *const before[] = { "", "so ", "(", "\"", "see: ", "a, ", "= " };
    static const char *const after[] = { "", " then", ")", ".", ", b", "!", "; c", "?" };
    uint64_t dice = 8;
    for (int i = 0; i < 20000; i++) {
        const row *r = &rows[dice_below(&dice, sizeof rows / sizeof *rows)];
        char text[256];
        size_t at, n;
        if (r->want == KITH_LINT_FINE) continue;
        (void) snprintf(text, sizeof text, "%s%s%s", before[dice_below(&dice, 7)], r->text,
            after[dice_below(&dice, 8)]);
        kith_lint got = kith_text_lint(text, strlen(text), &at, &n);
        if (got == KITH_LINT_FINE) printf("# '%s' passes\n", text);
        EXPECT(got != KITH_LINT_FINE);
    }
}

static void no_word_for_what_is_no_reason(void) {
    EXPECT(kith_lint_words(KITH_LINT_FINE) == NULL);
    EXPECT(kith_lint_words((kith_lint) 99) == NULL);
    EXPECT(kith_lint_words(KITH_LINT_SERIES) != NULL);
}

static const test_case cases[] = {
    { "each_text_is_taken_or_refused_with_its_reason",
        each_text_is_taken_or_refused_with_its_reason },
    { "words_around_it_hide_nothing", words_around_it_hide_nothing },
    { "no_word_for_what_is_no_reason", no_word_for_what_is_no_reason },
};
TEST_MAIN(cases)
