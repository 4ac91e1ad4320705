/* SPDX-License-Identifier: Apache-2.0 */
/* Free text that should not leave. The text is cut into chunks at blanks, commas,
 * brackets and quotes; each chunk is looked at alone, but for dates in words and rows of
 * numbers, which need the chunks before it. Pure functions of bytes; UTF-8 beyond ASCII
 * counts as letters. */
#include <kith/privacy.h>

#include "base/check.h"

#include <string.h>

enum {
    SERIES = 4,  /* numbers in a row */
    LONG = 7,    /* digits that are no count any more ... */
    ROUND = 3,   /* unless all but so many are zeros at the end */
    HEX_MIN = 7, /* as short names of commits */
    MIXED = 8,   /* letters and digits in one run ... */
    MIXED_DIGITS = 4,
    TOKEN = 20, /* ... or so long that one digit is enough */
};

typedef struct chunk {
    const char *s;
    size_t n;
} chunk;

static bool digit(char c) {
    return c >= '0' && c <= '9';
}

static bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char) c >= 0x80;
}

static bool word(char c) {
    return digit(c) || letter(c);
}

static bool hex(char c) {
    return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static size_t run(chunk c, size_t at, bool (*of)(char)) {
    size_t n = 0;
    while (at + n < c.n && of(c.s[at + n])) {
        n++;
    }
    return n;
}

static size_t count(chunk c, bool (*of)(char)) {
    size_t n = 0;
    for (size_t i = 0; i < c.n; i++) {
        n += of(c.s[i]);
    }
    return n;
}

static bool has(chunk c, const char *text) {
    size_t n = strlen(text);
    return c.n >= n && memmem(c.s, c.n, text, n) != NULL;
}

static bool begins(chunk c, const char *text) {
    size_t n = strlen(text);
    return c.n >= n && memcmp(c.s, text, n) == 0;
}

/* Value of up to nine digits at `at`; longer runs are cut. */
static unsigned value(chunk c, size_t at, size_t n) {
    unsigned v = 0;
    for (size_t i = 0; i < n && i < 9; i++) {
        v = v * 10 + (unsigned) (c.s[at + i] - '0');
    }
    return v;
}

/* Groups of low to high characters with the same mark between: how many from the
 * start, and where they end. */
static size_t groups(
    chunk c, bool (*of)(char), size_t low, size_t high, char mark, size_t *ret_end) {
    size_t n = 0, at = 0;
    for (;;) {
        size_t length = run(c, at, of);
        if (length < low || length > high) {
            return n;
        }
        n++;
        at += length;
        *ret_end = at;
        if (at >= c.n || c.s[at] != mark) {
            return n;
        }
        at++;
    }
}

/* ---- what a chunk looks like ---- */

static bool is_mail(chunk c) {
    for (size_t i = 1; i + 1 < c.n; i++) {
        if (c.s[i] == '@' && word(c.s[i - 1]) && word(c.s[i + 1])) {
            return true;
        }
    }
    return false;
}

static bool is_link(chunk c) {
    return has(c, "://") || begins(c, "www.");
}

static bool is_mac(chunk c) {
    size_t end = 0;
    return (groups(c, hex, 2, 2, ':', &end) == 6 && end == c.n) ||
           (groups(c, hex, 2, 2, '-', &end) == 6 && end == c.n) ||
           (groups(c, hex, 4, 4, '.', &end) == 3 && end == c.n && count(c, digit) > 0);
}

static bool is_ip4(chunk c) {
    size_t end = 0;
    if (groups(c, digit, 1, 3, '.', &end) != 4 || (end < c.n && word(c.s[end]))) {
        return false;
    }
    for (size_t at = 0; at < end;) {
        size_t n = run(c, at, digit);
        if (value(c, at, n) > 255) {
            return false;
        }
        at += n + 1;
    }
    return true;
}

static bool is_ip6(chunk c) {
    size_t colons = 0, digits = 0, i = 0;
    for (; i < c.n && (hex(c.s[i]) || c.s[i] == ':'); i++) {
        colons += c.s[i] == ':';
        digits += hex(c.s[i]);
    }
    bool ends = i == c.n || c.s[i] == '%' || c.s[i] == '/' || c.s[i] == '.';
    chunk front = { c.s, i };
    return ends && digits > 0 && colons >= 2 && (colons >= 7 || has(front, "::"));
}

static bool is_clock(chunk c) {
    size_t h = run(c, 0, digit), m = h < c.n && c.s[h] == ':' ? run(c, h + 1, digit) : 0;
    return (h == 1 || h == 2) && m == 2 && value(c, 0, h) <= 24 && value(c, h + 1, 2) < 60;
}

/* Three numbers with the same mark, one of them a year. */
static bool is_date(chunk c) {
    static const char marks[] = "-./";
    size_t end = 0;
    for (const char *mark = marks; *mark != '\0'; mark++) {
        if (groups(c, digit, 1, 4, *mark, &end) < 3) {
            continue;
        }
        size_t a = run(c, 0, digit), b = run(c, a + 1, digit), d = run(c, a + b + 2, digit);
        unsigned x = value(c, 0, a), y = value(c, a + 1, b), z = value(c, a + b + 2, d);
        bool front =
            a == 4 && b <= 2 && d <= 2 && x >= 1900 && y >= 1 && y <= 12 && z <= 31;
        bool back = a <= 2 && b <= 2 && x >= 1 && y >= 1 && x <= 31 && y <= 31 &&
                    ((d == 4 && z >= 1900) || (d == 2 && *mark == '/'));
        if (front || back) {
            return true;
        }
    }
    return false;
}

static bool is_path(chunk c) {
    size_t slashes = 0, last = 0;
    for (size_t i = 0; i < c.n; i++) {
        if (c.s[i] == '\\' && i + 1 < c.n) {
            return true;
        }
        if (c.s[i] == '/') {
            slashes++;
            last = i;
        }
    }
    if (slashes == 0 || c.n < 2) {
        return false;
    }
    if ((c.s[0] == '/' && (word(c.s[1]) || c.s[1] == '.' || c.s[1] == '_')) ||
        begins(c, "~/") || begins(c, "./") || begins(c, "../") || has(c, ":/")) {
        return true;
    }
    chunk name = { c.s + last + 1, c.n - last - 1 };
    const char *dot = name.n == 0 ? NULL : memchr(name.s, '.', name.n);
    bool ends = dot != NULL && dot + 1 < name.s + name.n && letter(dot[1]);
    return count(c, letter) > 0 && (slashes >= 2 || ends);
}

/* 48213377, and not 2500000. */
static bool is_long(chunk c) {
    size_t n = 0, zeros = 0;
    for (size_t i = 0; i < c.n; i++) {
        zeros = c.s[i] == '0' ? zeros + 1 : digit(c.s[i]) ? 0 : zeros;
        n += digit(c.s[i]);
    }
    return n >= LONG && n - zeros > ROUND;
}

/* One run of letters and digits. */
static bool is_token(chunk c) {
    size_t digits = count(c, digit), hexes = count(c, hex), letters = c.n - digits;
    if (digits == 0) {
        return false;
    }
    if (letters == 0) {
        return is_long(c);
    }
    size_t front = run(c, 0, digit);
    chunk number = { c.s, front };
    if (front == digits && c.n - front <= 4) {
        return is_long(number); /* 10000rpm */
    }
    return (hexes == c.n && digits >= 2 && c.n >= HEX_MIN) ||
           (c.n >= MIXED && digits >= MIXED_DIGITS) || c.n >= TOKEN;
}

/* 0.1234567 is a result, not a number of somebody. */
static bool is_fraction(chunk c) {
    size_t at = c.n > 0 && (c.s[0] == '-' || c.s[0] == '+');
    size_t whole = run(c, at, digit);
    at += whole;
    return whole < LONG && at < c.n && c.s[at] == '.' &&
           at + 1 + run(c, at + 1, digit) == c.n;
}

static bool is_identifier(chunk c) {
    size_t letters = count(c, letter);
    if (is_fraction(c)) {
        return false;
    }
    if (letters == 0 && is_long(c)) {
        return true; /* +49-170-1234567 */
    }
    if (c.n >= 32 && count(c, hex) >= 32 && count(c, digit) > 0) {
        return true; /* a UUID */
    }
    for (size_t at = 0; at < c.n;) {
        size_t n = run(c, at, word);
        if (n > 0 && is_token((chunk){ c.s + at, n })) {
            return true;
        }
        at += n + 1;
    }
    return false;
}

/* ---- rows of chunks ---- */

static bool is_number(chunk c) {
    size_t at = c.n > 0 && (c.s[0] == '-' || c.s[0] == '+');
    size_t whole = run(c, at, digit), part = 0;
    at += whole;
    if (at < c.n && c.s[at] == '.') {
        part = run(c, at + 1, digit);
        at += 1 + part;
    }
    if (at < c.n && (c.s[at] == 'e' || c.s[at] == 'E')) {
        size_t sign = at + 1 < c.n && (c.s[at + 1] == '-' || c.s[at + 1] == '+');
        size_t more = run(c, at + 1 + sign, digit);
        at += more > 0 ? 1 + sign + more : 0;
    }
    return whole + part > 0 && at == c.n;
}

static bool is_day(chunk c) {
    size_t n = run(c, 0, digit);
    return (n == 1 || n == 2) && value(c, 0, n) >= 1 && value(c, 0, n) <= 31 &&
           c.n - n <= 2;
}

static bool is_year(chunk c) {
    return c.n == 4 && run(c, 0, digit) == 4 && value(c, 0, 4) >= 1900 &&
           value(c, 0, 4) < 2200;
}

static bool is_month(chunk c) {
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    char low[3];
    if (c.n < 3 || count(c, letter) != c.n) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        low[i] = (char) (c.s[i] | 0x20);
    }
    for (size_t i = 0; i < sizeof names - 1; i += 3) {
        if (memcmp(names + i, low, 3) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_words_date(const chunk last[2], chunk c) {
    return is_year(c) && ((is_month(last[1]) && is_day(last[0])) ||
                             (is_day(last[1]) && is_month(last[0])));
}

/* ---- the whole ---- */

static kith_lint look(chunk c) {
    return is_mail(c)                  ? KITH_LINT_MAIL
           : is_link(c)                ? KITH_LINT_LINK
           : is_mac(c)                 ? KITH_LINT_MAC
           : is_date(c) || is_clock(c) ? KITH_LINT_TIME
           : is_ip4(c) || is_ip6(c)    ? KITH_LINT_IP
           : is_path(c)                ? KITH_LINT_PATH
           : is_identifier(c)          ? KITH_LINT_IDENTIFIER
                                       : KITH_LINT_FINE;
}

static bool cuts(char c) {
    return c == '\0' || strchr(" \t\r\n,;|()[]{}<>\"'`=*!?", c) != NULL;
}

/* The next chunk at or behind *at, without the full stops and colons at its end. */
static bool next(const char *text, size_t length, size_t *at, chunk *ret) {
    while (*at < length && cuts(text[*at])) {
        ++*at;
    }
    size_t from = *at;
    while (*at < length && !cuts(text[*at])) {
        ++*at;
    }
    size_t n = *at - from;
    while (n > 1 && (text[from + n - 1] == '.' ||
                        (text[from + n - 1] == ':' && text[from + n - 2] != ':'))) {
        n--;
    }
    *ret = (chunk){ text + from, n };
    return n > 0;
}

static kith_lint found(
    kith_lint what, const char *text, chunk c, size_t *ret_at, size_t *ret_length) {
    *ret_at = (size_t) (c.s - text);
    *ret_length = c.n;
    return what;
}

kith_lint kith_text_lint(
    const char *text, size_t length, size_t *ret_at, size_t *ret_length) {
    CHECK(text != NULL || length == 0);
    CHECK(ret_at != NULL && ret_length != NULL);
    size_t at = 0, numbers = 0;
    chunk c, last[2] = { { "", 0 }, { "", 0 } };
    while (next(text, length, &at, &c)) {
        kith_lint what = look(c);
        if (what == KITH_LINT_FINE && is_words_date(last, c)) {
            what = KITH_LINT_TIME;
        }
        numbers = is_number(c) ? numbers + 1 : 0;
        if (what == KITH_LINT_FINE && numbers >= SERIES) {
            what = KITH_LINT_SERIES;
        }
        if (what != KITH_LINT_FINE) {
            return found(what, text, c, ret_at, ret_length);
        }
        last[0] = last[1];
        last[1] = c;
    }
    *ret_at = *ret_length = 0;
    return KITH_LINT_FINE;
}

const char *kith_lint_words(kith_lint lint) {
    switch (lint) {
    case KITH_LINT_MAIL: return "a mail address";
    case KITH_LINT_LINK: return "a link";
    case KITH_LINT_IP: return "an IP address";
    case KITH_LINT_MAC: return "a MAC address";
    case KITH_LINT_PATH: return "a file's path";
    case KITH_LINT_TIME: return "a date or a time";
    case KITH_LINT_SERIES: return "raw data: numbers in a row";
    case KITH_LINT_IDENTIFIER: return "an identifier";
    case KITH_LINT_FINE: break;
    }
    return NULL;
}
