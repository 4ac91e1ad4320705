/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/dir/seen.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST_SIZE = 256,
};

int ki_seen_init(seen *s, size_t max) {
    *s = (seen){ .size = FIRST_SIZE, .max = max };
    s->keys = calloc(s->size, sizeof *s->keys);
    return s->keys == NULL ? KITH_E_MEMORY : 0;
}

void ki_seen_fini(seen *s) {
    free(s->keys);
    *s = (seen){ 0 };
}

void ki_seen_clear(seen *s) {
    memset(s->keys, 0, s->size * sizeof *s->keys);
    s->count = 0;
    s->sum = (seen_key){ 0, 0 };
}

static bool is_free(const seen_key *k) {
    return k->high == 0 && k->low == 0;
}

/* The key's place, or the free one where it belongs. Keys are hashes already. */
static seen_key *find(seen_key *keys, size_t size, seen_key key) {
    CHECK_HOT(key.high != 0 || key.low != 0);
    for (size_t i = (size_t) key.low;; i++) {
        seen_key *k = &keys[i & (size - 1)];
        if (is_free(k) || (k->high == key.high && k->low == key.low)) {
            return k;
        }
    }
}

bool ki_seen_has(const seen *s, seen_key key) {
    return !is_free(find(s->keys, s->size, key));
}

static int grow(seen *s) {
    seen_key *keys = calloc(2 * s->size, sizeof *keys);
    if (keys == NULL) {
        return KITH_E_MEMORY;
    }
    for (size_t i = 0; i < s->size; i++) {
        if (!is_free(&s->keys[i])) {
            *find(keys, 2 * s->size, s->keys[i]) = s->keys[i];
        }
    }
    free(s->keys);
    s->keys = keys;
    s->size *= 2;
    return 0;
}

int ki_seen_add(seen *s, seen_key key) {
    CHECK(s->count <= s->size / 2); /* so that a search always ends */
    seen_key *place = find(s->keys, s->size, key);
    if (!is_free(place)) {
        return KITH_EMPTY;
    }
    if (s->count >= s->max) {
        return KITH_E_SPACE;
    }
    if (s->count == s->size / 2) {
        int r = grow(s);
        if (r < 0) {
            return r;
        }
        place = find(s->keys, s->size, key);
    }
    *place = key;
    s->count++;
    s->sum.high += key.high;
    s->sum.low += key.low;
    return 0;
}
