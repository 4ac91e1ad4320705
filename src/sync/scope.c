/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/index.h"

#include <kith/address.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/wire.h"

#include <stdlib.h>

static int by_text(const void *a, const void *b) {
    return strcmp(a, b);
}

static bool append(ki_patterns *p, const char *text) {
    size_t n = strlen(text);
    if (p->count == PATTERNS_MAX || p->length + n + 1 > PATTERNS_BYTES) {
        return false;
    }
    p->bytes[p->length] = (uint8_t) n;
    memcpy(p->bytes + p->length + 1, text, n);
    p->length = (uint16_t) (p->length + n + 1);
    p->count++;
    return true;
}

void ki_patterns_of(ki_patterns *ret, const ki_pattern *patterns, size_t count) {
    ki_pattern sorted[INDEX_FOLLOWS];
    bool fits = count <= INDEX_FOLLOWS && count > 0;
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < count && fits; i++)
        memcpy(sorted[i], patterns[i], sizeof *sorted);
    if (fits) {
        qsort(sorted, count, sizeof *sorted, by_text);
    }
    for (size_t i = 0; i < count && fits; i++) {
        fits = (i > 0 && strcmp(sorted[i - 1], sorted[i]) == 0) || append(ret, sorted[i]);
    }
    if (!fits) {
        memset(ret, 0, sizeof *ret);
        bool one = append(ret, ">");
        CHECK(one);
    }
}

bool ki_patterns_match(const ki_patterns *p, const char *subject) {
    for (size_t at = 0; at < p->length; at += p->bytes[at] + 1u) {
        char text[KITH_SUBJECT_MAX + 1] = "";
        CHECK(p->bytes[at] <= KITH_SUBJECT_MAX);
        if (p->bytes[at] == 1 && p->bytes[at + 1] == '>' && subject[0] != '_') {
            return true;
        }
        memcpy(text, p->bytes + at + 1, p->bytes[at]);
        if (kith_subject_matches(text, subject)) {
            return true;
        }
    }
    return false;
}

static bool same(const ki_patterns *a, const ki_patterns *b) {
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* "kith-sync-scope-1", then one list, or both with their owners, lower key first. */
static uint32_t scope_hash(const ki_scope *s) {
    static const char name[] = "kith-sync-scope-1";
    uint8_t in[sizeof name + 2 * (KITH_KEY_SIZE + PATTERNS_BYTES + 1)], out[32];
    size_t at = sizeof name - 1;
    memcpy(in, name, at);
    for (int i = 0; i < (s->same ? 1 : 2); i++) {
        if (!s->same) {
            memcpy(in + at, s->key[i], KITH_KEY_SIZE);
            at += KITH_KEY_SIZE;
        }
        in[at++] = s->patterns[i].count;
        memcpy(in + at, s->patterns[i].bytes, s->patterns[i].length);
        at += s->patterns[i].length;
    }
    ki_blake2b(in, at, out, sizeof out);
    return wire_get32(out);
}

void ki_scope_of(ki_scope *ret, const uint8_t key_a[KITH_KEY_SIZE], const ki_patterns *a,
    const uint8_t key_b[KITH_KEY_SIZE], const ki_patterns *b) {
    memset(ret, 0, sizeof *ret);
    ret->same = same(a, b);
    if (ret->same) {
        ret->patterns[0] = *a;
    } else {
        int low = memcmp(key_a, key_b, KITH_KEY_SIZE) < 0 ? 0 : 1;
        memcpy(ret->key[low], key_a, KITH_KEY_SIZE);
        memcpy(ret->key[!low], key_b, KITH_KEY_SIZE);
        ret->patterns[low] = *a;
        ret->patterns[!low] = *b;
    }
    ret->hash = scope_hash(ret);
}

/* What a node has: what it follows, and what it wrote itself. So what one wants
 * and the other may have is told by the packet's bytes alone, alike on both sides. */
bool ki_scope_holds(
    const ki_scope *s, const char *subject, const uint8_t source[KITH_KEY_SIZE]) {
    bool first = ki_patterns_match(&s->patterns[0], subject);
    if (s->same) {
        return first;
    }
    bool second = ki_patterns_match(&s->patterns[1], subject);
    return (first && second) || (second && memcmp(source, s->key[0], KITH_KEY_SIZE) == 0) ||
           (first && memcmp(source, s->key[1], KITH_KEY_SIZE) == 0);
}
