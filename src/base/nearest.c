/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the word most like what was written. */
#include <kith/option.h>

#include "base/check.h"

#include <string.h>

/* Edit distance with swaps of neighbours, for words up to 31 bytes. */
static size_t distance(const char *a, const char *b) {
    enum {
        WORD = 32
    };
    CHECK(a != NULL);
    CHECK(b != NULL);
    size_t rows[3][WORD + 1], na = strlen(a), nb = strlen(b);
    if (na >= WORD || nb >= WORD) {
        return WORD;
    }
    size_t *two = rows[0], *one = rows[1], *now = rows[2];
    for (size_t j = 0; j <= nb; j++) one[j] = j;
    for (size_t i = 1; i <= na; i++) {
        now[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = one[j - 1] + (a[i - 1] != b[j - 1]);
            best = one[j] + 1 < best ? one[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                two[j - 2] + 1 < best) {
                best = two[j - 2] + 1;
            }
            now[j] = best;
        }
        size_t *old = two;
        two = one;
        one = now;
        now = old;
    }
    CHECK(one[nb] <= (na > nb ? na : nb));
    return one[nb];
}

/* Near: at most a third of the word is wrong. */
static bool nearer(const char *candidate, const char *word, size_t *best) {
    size_t d = distance(candidate, word);
    if (d >= *best || 3 * d > strlen(word) + 2) {
        return false;
    }
    *best = d;
    return true;
}

const char *kith_option_nearest(const kith_option *table, const char *name) {
    const char *found = NULL;
    size_t best = SIZE_MAX;
    for (const kith_option *o = table; o != NULL && o->name != NULL; o++) {
        if (nearer(o->name, name, &best)) {
            found = o->name;
        }
    }
    return found;
}

const char *kith_nearest_word(const char *const *words, const char *word) {
    CHECK(words != NULL);
    CHECK(word != NULL);
    const char *found = NULL;
    size_t best = SIZE_MAX;
    for (; *words != NULL; words++) {
        if (nearer(*words, word, &best)) {
            found = *words;
        }
    }
    return found;
}
