/* SPDX-License-Identifier: Apache-2.0 */
/* address/naive.h - what subjects and patterns mean, as slowly as it can be said:
 * split, then compare. For tests and fuzzing, which hold the fast code to it. */
#ifndef ADDRESS_NAIVE_H
#define ADDRESS_NAIVE_H

#include <stdbool.h>
#include <string.h>

typedef struct naive {
    int tokens; /* -1: too many or too long to be anything */
    char token[8][130];
} naive;

static inline naive naive_split(const char *text) {
    naive n = { .tokens = 1 };
    int at = 0;
    if (strlen(text) > 128) {
        n.tokens = -1;
        return n;
    }
    for (; *text != '\0'; text++) {
        if (*text != '.') {
            n.token[n.tokens - 1][at++] = *text;
            continue;
        }
        if (n.tokens == 8) {
            n.tokens = -1;
            return n;
        }
        n.tokens++;
        at = 0;
    }
    return n;
}

static inline bool naive_word(const char *token) {
    return *token != '\0' &&
           token[strspn(token, "-0123456789_abcdefghijklmnopqrstuvwxyz")] == '\0';
}

static inline bool naive_subject(const char *text) {
    naive n = naive_split(text);
    for (int i = 0; i < n.tokens; i++) {
        if (!naive_word(n.token[i])) return false;
    }
    return n.tokens > 0;
}

static inline bool naive_pattern(const char *text) {
    naive n = naive_split(text);
    for (int i = 0; i < n.tokens; i++) {
        bool star = strcmp(n.token[i], "*") == 0;
        bool tail = strcmp(n.token[i], ">") == 0 && i == n.tokens - 1;
        if (!star && !tail && !naive_word(n.token[i])) return false;
    }
    return n.tokens > 0;
}

static inline bool naive_matches(const char *pattern, const char *subject) {
    if (!naive_pattern(pattern) || !naive_subject(subject)) return false;
    if (subject[0] == '_' && pattern[0] != '_') return false;
    naive p = naive_split(pattern), s = naive_split(subject);
    for (int i = 0; i < p.tokens; i++) {
        if (i >= s.tokens) return false;
        if (strcmp(p.token[i], ">") == 0) return true;
        if (strcmp(p.token[i], "*") != 0 && strcmp(p.token[i], s.token[i]) != 0)
            return false;
    }
    return p.tokens == s.tokens;
}

#endif
