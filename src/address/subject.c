/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar, walked token by token: `walk` says what is wrong. ki_subject_ok
 * knows the same grammar and is fast; a test holds them to each other. */
#include "address/subject.h"

#include "base/check.h"
#include "base/lanes.h"

#include <kith/address.h>

#include <string.h>

/* Why a text is no subject; the order is that of the words below. */
enum {
    FINE,
    EMPTY,
    LONG,
    TOKEN_EMPTY,
    TOKENS,
    LETTER,
    WILD_IN_SUBJECT,
    WILD_IN_TOKEN,
    TAIL_NOT_LAST,
};

static const char *const faults[] = {
    [EMPTY] = "it is empty",
    [LONG] = "it is longer than 128 bytes",
    [TOKEN_EMPTY] = "a token is empty: dots stand between tokens, one at a time",
    [TOKENS] = "it has more than 8 tokens",
    [LETTER] = "only a-z, 0-9, '_', '-' and dots between tokens are allowed",
    [WILD_IN_SUBJECT] = "'*' and '>' belong in patterns only",
    [WILD_IN_TOKEN] = "'*' and '>' must be a whole token",
    [TAIL_NOT_LAST] = "'>' must be the last token",
};

static bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool wildcard(char c) {
    return c == '*' || c == '>';
}

/* What is wrong with the byte that ended a token. */
static int fault_at(char c, bool wild) {
    if (!wildcard(c)) return LETTER;
    return wild ? WILD_IN_TOKEN : WILD_IN_SUBJECT;
}

static int walk(const char *text, size_t length, bool wild) {
    if (length == 0) return EMPTY;
    if (length > KITH_SUBJECT_MAX) return LONG;
    size_t i = 0;
    for (int tokens = 1;; tokens++) {
        size_t start = i;
        if (wild && i < length && wildcard(text[i])) {
            i++;
        } else {
            while (i < length && letter(text[i])) i++;
        }
        CHECK(i <= length);
        if (i < length && text[i] != '.') return fault_at(text[i], wild);
        if (i == start) return TOKEN_EMPTY;
        if (tokens > KITH_TOKENS_MAX) return TOKENS;
        if (i == length) return FINE;
        if (text[start] == '>') return TAIL_NOT_LAST;
        i++;
    }
}

static int walk_string(const char *text, bool wild) {
    CHECK(text != NULL);
    return walk(text, strnlen(text, KITH_SUBJECT_MAX + 1), wild);
}

/* The same without the reason: a dot may not follow a dot, nor the beginning, nor
 * be the end. */
bool ki_subject_ok(const uint8_t *text, size_t length) {
    if (length == 0 || length > KITH_SUBJECT_MAX || text[length - 1] == '.') {
        return false;
    }
    CHECK_HOT(text != NULL);
    uint32_t before = 1, tokens = 1;
    for (size_t at = 0; at < length; at += LANES) {
        lanes x = lanes_load(text + at);
        uint32_t here = lanes_first(length - at), dots = lanes_equal(x, '.') & here;
        uint32_t fine = lanes_between(x, 'a', 'z') | lanes_between(x, '-', '.') |
                        lanes_between(x, '0', '9') | lanes_equal(x, '_');
        if ((~fine & here) != 0 || (dots & (dots << 1 | before)) != 0) {
            return false;
        }
        before = dots >> (LANES - 1);
        for (; dots != 0; dots &= dots - 1) tokens++;
    }
    return tokens <= KITH_TOKENS_MAX;
}

bool kith_subject_valid(const char *subject) {
    CHECK(subject != NULL);
    uint8_t room[KITH_SUBJECT_MAX + LANES];
    size_t length = strnlen(subject, KITH_SUBJECT_MAX + 1);
    if (length > KITH_SUBJECT_MAX) {
        return false;
    }
    CHECK(length + LANES <= sizeof room);
    memcpy(room, subject, length);
    return ki_subject_ok(room, length);
}

bool kith_pattern_valid(const char *pattern) {
    return walk_string(pattern, true) == FINE;
}

const char *kith_subject_fault(const char *text, bool wild) {
    int fault = walk_string(text, wild);
    CHECK(fault >= FINE);
    CHECK((size_t) fault < sizeof faults / sizeof *faults);
    return faults[fault];
}

static bool inside(char c) {
    return c != '.' && c != '\0';
}

/* Both are valid here, so a token ends with a dot or with NUL. */
static bool matches(const char *p, const char *s) {
    CHECK(inside(*p));
    CHECK(inside(*s));
    for (;;) {
        if (*p == '>') return true;
        if (*p == '*') {
            p++;
            while (inside(*s)) s++;
        } else {
            while (inside(*p) && *p == *s) p++, s++;
        }
        if (*p != *s) return false;
        if (*p == '\0') return true;
        p++;
        s++;
    }
}

bool kith_subject_matches(const char *pattern, const char *subject) {
    if (!kith_pattern_valid(pattern) || !kith_subject_valid(subject)) {
        return false;
    }
    if (*subject == '_' && *pattern != '_') {
        return false;
    }
    return matches(pattern, subject);
}
