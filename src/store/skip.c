/* SPDX-License-Identifier: Apache-2.0 */
#include "store/skip.h"

#include "base/check.h"

#include <string.h>

/* The order of bytes: '!' < '-' < '.' < '/' < digits < '_' < '`' < letters. So "x!"
 * is just above x, and "x/" is just above everything that begins with "x.". */

ki_reach ki_skip_reach(const char *pattern) {
    if (pattern == NULL || strcmp(pattern, ">") == 0) {
        return REACH_ALL;
    }
    size_t length = strlen(pattern);
    if (strpbrk(pattern, "*>") == NULL) {
        return REACH_ONE;
    }
    bool range = pattern[length - 1] == '>' && strchr(pattern, '*') == NULL;
    return range ? REACH_RANGE : REACH_SOME;
}

void ki_skip_first(const char *pattern, char ret[SKIP_ROOM]) {
    CHECK(pattern != NULL);
    size_t n = strcspn(pattern, "*>");
    CHECK(n < SKIP_ROOM);
    memcpy(ret, pattern, n);
    ret[n] = '\0';
}

static size_t token(const char *p) {
    return strcspn(p, ".");
}

static void put(
    char ret[SKIP_ROOM], const char *head, size_t n, const char *tail, size_t m) {
    CHECK(n + m < SKIP_ROOM);
    memcpy(ret, head, n);
    memcpy(ret + n, tail, m);
    ret[n + m] = '\0';
}

bool ki_skip_next(const char *pattern, const char *subject, char ret[SKIP_ROOM]) {
    const char *p = pattern, *t = subject;
    size_t bump = 0; /* bytes of subject up to the end of the last token under a '*' */
    if (subject[0] == '_' && (pattern[0] == '*' || pattern[0] == '>')) {
        put(ret, "`", 1, "", 0); /* control traffic is not for wildcards */
        return true;
    }
    for (;;) {
        size_t m = token(p), n = token(t);
        if (p[0] == '>') {
            break;
        }
        if (p[0] == '*') {
            bump = (size_t) (t - subject) + n;
        } else if (m != n || memcmp(p, t, n) != 0) {
            put(ret, subject, (size_t) (t - subject), p, m);
            if (strcmp(ret, subject) > 0) return true;
            put(ret, ret, strlen(ret), ".", 1);
            if (strcmp(ret, subject) > 0) return true;
            put(ret, subject, bump, "/", 1);
            return bump > 0;
        }
        p += m;
        t += n;
        if (*p == '\0' || *t == '\0') {
            break;
        }
        p++;
        t++;
    }
    if (*p == '\0' && *t != '\0') { /* longer than the pattern, and so are its kin */
        put(ret, subject, (size_t) (t - subject), "/", 1);
        return true;
    }
    put(ret, subject, strlen(subject), "!", 1);
    return true;
}
