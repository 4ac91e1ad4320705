/* SPDX-License-Identifier: Apache-2.0 */
/* For this room's tests: bits from a seed, and numbers out of tests/golden/dp.json. */
#ifndef PRIVACY_KIT_H
#define PRIVACY_KIT_H

#include "base/dice.h"
#include "privacy/noise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void kit_fill(void *ctx, void *ret, size_t size) {
    uint64_t *state = ctx, w = 0;
    uint8_t *p = ret;
    for (size_t i = 0; i < size; i++) {
        if (i % 8 == 0) w = dice_roll(state);
        p[i] = (uint8_t) (w >> i % 8 * 8);
    }
}

static inline ki_bits kit_bits(uint64_t *seed) {
    return (ki_bits){ .fill = kit_fill, .ctx = seed };
}

/* The file, NUL at its end; NULL: it is not there. */
static inline char *kit_golden(void) {
    char path[512];
    const char *root = getenv("KITH_SOURCE");
    (void) snprintf(
        path, sizeof path, "%s/tests/golden/dp.json", root == NULL ? "." : root);
    FILE *f = fopen(path, "re");
    char *text = calloc(1, 65536);
    if (f == NULL || text == NULL || fread(text, 1, 65535, f) == 0) {
        free(text);
        text = NULL;
    }
    if (f != NULL) (void) fclose(f);
    return text;
}

/* The number behind the next "name": from *at on; *at moves behind it. */
static inline double kit_number(const char **at, const char *name) {
    char *end, key[64];
    (void) snprintf(key, sizeof key, "\"%s\":", name);
    const char *found = strstr(*at, key);
    if (found == NULL) return -1;
    found += strlen(key);
    double x = strtod(found + strspn(found, " ["), &end);
    *at = end;
    return x;
}

#endif
