/* SPDX-License-Identifier: Apache-2.0 */
/* What a link follows: the set its carrier was told, and the filter that makes a
 * pattern mean the same on all of them. */
#include "base/check.h"
#include "carrier/link_state.h"

#include <kith/address.h>

#include <string.h>

bool ki_wants(const char *p, const char *s) {
    if (*s == '_' && *p != '_') {
        return false;
    }
    for (;; p++, s++) {
        if (*p == '>') {
            return true;
        }
        if (*p == '*') {
            p++;
            while (*s != '\0' && *s != '.') s++;
        }
        while (*p == *s && *p != '\0' && *p != '.') p++, s++;
        if ((*p != '\0' && *p != '.') || (*s != '\0' && *s != '.')) {
            return false;
        }
        if (*p == '\0' || *s == '\0') {
            return *p == *s;
        }
    }
}

void ki_link_check(const kith_link *l) {
    CHECK(l->carrier != NULL && l->self != NULL);
    CHECK(l->pattern_count <= KITH_PATTERNS_MAX);
    CHECK(l->outstanding || !l->skipped); /* else it is acked at once */
    for (size_t i = 0; i < l->pattern_count; i++) {
        /* what the carrier was told stands in a wish that somebody holds */
        size_t at = (size_t) (l->patterns[i] - l->wishes[0].text) / sizeof(wish);
        CHECK(at < KITH_PATTERNS_MAX && l->patterns[i] == l->wishes[at].text);
        CHECK(l->wishes[at].count > 0);
    }
}

/* Tells the carrier the whole set, leaving out `without` (NULL: nobody). */
static int tell(kith_link *l, const wish *without) {
    const char *list[KITH_PATTERNS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < KITH_PATTERNS_MAX; i++) {
        const wish *w = &l->wishes[i];
        if (w->count > 0 && w != without) {
            list[count++] = w->text;
        }
    }
    int r = l->carrier->follow(l->self, list, count);
    if (r == 0) {
        memcpy(l->patterns, list, count * sizeof *list);
        l->pattern_count = count;
        l->last_from[0] = '\0';
    }
    return r <= 0 ? r : KITH_E_FORMAT;
}

static wish *find_wish(kith_link *l, const char *pattern) {
    for (size_t i = 0; i < KITH_PATTERNS_MAX; i++) {
        if (l->wishes[i].count > 0 && strcmp(l->wishes[i].text, pattern) == 0) {
            return &l->wishes[i];
        }
    }
    return NULL;
}

int kith_link_follow(kith_link *l, const char *pattern) {
    CHECK(l != NULL);
    CHECK(pattern != NULL);
    if (!kith_pattern_valid(pattern)) {
        return KITH_E_ARG;
    }
    wish *w = find_wish(l, pattern);
    if (w != NULL) {
        CHECK(w->count < UINT32_MAX);
        w->count++;
        return 0;
    }
    for (w = l->wishes; w < l->wishes + KITH_PATTERNS_MAX && w->count > 0;) w++;
    if (w == l->wishes + KITH_PATTERNS_MAX) {
        return KITH_FULL;
    }
    memcpy(w->text, pattern, strlen(pattern) + 1);
    w->count = 1;
    int r = tell(l, NULL);
    if (r < 0) {
        w->count = 0;
    }
    ki_link_check(l);
    return r;
}

int kith_link_unfollow(kith_link *l, const char *pattern) {
    CHECK(l != NULL);
    CHECK(pattern != NULL);
    if (!kith_pattern_valid(pattern)) {
        return KITH_E_ARG;
    }
    wish *w = find_wish(l, pattern);
    if (w == NULL) {
        return KITH_E_MISSING;
    }
    int r = w->count > 1 ? 0 : tell(l, w);
    if (r == 0) {
        w->count--;
    }
    ki_link_check(l);
    return r;
}

static bool listed(const char *const *patterns, size_t count, const char *text) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(patterns[i], text) == 0) {
            return true;
        }
    }
    return false;
}

int ki_link_follow_all(kith_link *l, const char *const *patterns, size_t count) {
    for (size_t i = 0; i < KITH_PATTERNS_MAX; i++) {
        wish *w = &l->wishes[i];
        if (w->count > 0 && !listed(patterns, count, w->text)) {
            int r = tell(l, w);
            if (r < 0) {
                return r;
            }
            w->count = 0;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (find_wish(l, patterns[i]) == NULL) {
            int r = kith_link_follow(l, patterns[i]);
            if (r != 0) {
                return r < 0 ? r : KITH_E_SPACE;
            }
        }
    }
    return 0;
}

bool ki_link_wants(kith_link *l, const char *subject) {
    if (l->last_from[0] != '\0' && strcmp(subject, l->last_from) == 0) {
        return true;
    }
    for (size_t i = 0; i < l->pattern_count; i++) {
        if (ki_wants(l->patterns[i], subject)) {
            memcpy(l->last_from, subject, strlen(subject) + 1);
            return true;
        }
    }
    return false;
}
