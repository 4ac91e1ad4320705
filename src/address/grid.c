/* SPDX-License-Identifier: Apache-2.0 */
/* Shifted Morton grids. The shifts are ⌊j 2^13 / n⌋ with n odd and above d: at every
 * level they cut an axis at places at least ⌊side / n⌋ apart, so a pair nearer than
 * that is cut by at most one of them per axis, and d axes spoil fewer than n. */
#include <kith/cell.h>

#include "base/check.h"
#include "base/wire.h"

#include <stdio.h>
#include <string.h>

#define UNITS_LOG 13 /* a context has 13 bits before it is shifted */
#define TOP       (KITH_GRID_LEVELS - 1)

/* The bits of one coordinate, nine apart: 64 low bits and the rest. */
static void spread(uint32_t x, unsigned at, uint64_t key[2]) {
    for (unsigned bit = at; x != 0; x >>= 1, bit += KITH_GRID_DIMS) {
        key[bit / 64] |= (uint64_t) (x & 1) << bit % 64;
    }
}

int kith_morton_encode(
    const uint16_t coords[KITH_GRID_DIMS], uint8_t ret_key[KITH_MORTON_SIZE]) {
    uint64_t key[2] = { 0, 0 };
    for (unsigned i = 0; i < KITH_GRID_DIMS; i++) {
        if (coords[i] >> KITH_GRID_BITS != 0) return KITH_E_ARG;
        spread(coords[i], i, key);
    }
    CHECK(key[1] >> 62 == 0);
    wire_put64(ret_key, key[1]);
    wire_put64(ret_key + 8, key[0]);
    return 0;
}

int kith_morton_decode(
    const uint8_t key[KITH_MORTON_SIZE], uint16_t ret_coords[KITH_GRID_DIMS]) {
    uint64_t words[2] = { wire_get64(key + 8), wire_get64(key) };
    if (words[1] >> 62 != 0) return KITH_E_ARG;
    for (unsigned i = 0; i < KITH_GRID_DIMS; i++) {
        unsigned x = 0;
        for (unsigned b = 0; b < KITH_GRID_BITS; b++) {
            unsigned bit = KITH_GRID_DIMS * b + i;
            x |= (unsigned) (words[bit / 64] >> bit % 64 & 1) << b;
        }
        ret_coords[i] = (uint16_t) x;
    }
    return 0;
}

unsigned kith_grids(unsigned dims) {
    return dims < 1 || dims > KITH_GRID_DIMS ? 0 : (dims + 1) | 1;
}

int kith_grid_key(const uint16_t *context, unsigned dims, unsigned grid,
    uint8_t ret_key[KITH_MORTON_SIZE]) {
    uint16_t coords[KITH_GRID_DIMS] = { 0 };
    unsigned n = kith_grids(dims);
    if (grid >= n) return KITH_E_ARG;
    for (unsigned i = 0; i < dims; i++) {
        coords[i] = (uint16_t) ((context[i] >> 3) + (grid << UNITS_LOG) / n);
    }
    return kith_morton_encode(coords, ret_key);
}

unsigned kith_grid_reach(unsigned dims, unsigned level) {
    unsigned n = kith_grids(dims);
    return n == 0 || level > UNITS_LOG ? 0 : (1u << (UNITS_LOG - level)) / n;
}

int kith_grid_level(unsigned dims, uint32_t radius, unsigned *ret_level) {
    /* Numbers `radius` apart may be one more apart after >> 3. */
    unsigned apart = radius / 8 + 1, level = 0;
    if (kith_grid_reach(dims, 0) < apart) return KITH_E_ARG;
    while (kith_grid_reach(dims, level + 1) >= apart) level++;
    *ret_level = level;
    return 0;
}

/* Group 13 holds the highest bit of every dimension, group 0 the lowest. */
static unsigned group(const uint64_t words[2], unsigned which) {
    unsigned bit = KITH_GRID_DIMS * which;
    uint64_t x = words[bit / 64] >> bit % 64;
    if (bit / 64 == 0 && bit % 64 > 64 - KITH_GRID_DIMS) x |= words[1] << (64 - bit % 64);
    return (unsigned) (x & 0x1ff);
}

int kith_grid_tokens(const uint8_t key[KITH_MORTON_SIZE], unsigned grid,
    const uint8_t *levels, unsigned count, char *ret, size_t size) {
    uint64_t words[2] = { wire_get64(key + 8), wire_get64(key) };
    if (count < 1 || count > KITH_PUBLISHED_MAX || grid >= KITH_GRIDS_MAX) {
        return KITH_E_ARG;
    }
    unsigned done = 0; /* groups written */
    size_t used = (size_t) snprintf(ret, size, "s%u", grid);
    for (unsigned i = 0; i < count; i++) {
        if (levels[i] > TOP || levels[i] < done) return KITH_E_ARG;
        if (used + 3u * (levels[i] + 1u - done) + 2 > size) return KITH_E_SPACE;
        ret[used++] = '.';
        for (; done <= levels[i]; done++, used += 3) {
            (void) snprintf(ret + used, size - used, "%03x", group(words, TOP - done));
        }
    }
    return 0;
}

/* ---- which tokens are of a cell ---- */

static bool number_below(const char *text, size_t length, unsigned end) {
    unsigned x = 0;
    if (length < 1 || length > 2 || (length == 2 && text[0] == '0')) return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        x = 10 * x + (unsigned) (text[i] - '0');
    }
    return x < end;
}

static bool hex(const char *text, size_t length) {
    return strspn(text, "0123456789abcdef") >= length;
}

bool kith_cell_token(const char *token, size_t length) {
    if (length < 2) return false;
    if (token[0] == 's') return number_below(token + 1, length - 1, KITH_GRIDS_MAX);
    if (token[0] != 'h' || length < 19) return false;
    return token[length - 17] == '-' && hex(token + length - 16, 16) &&
           number_below(token + 1, length - 18, KITH_LSH_TABLES);
}

/* What stands behind a grid's token: groups of hex digits, and in a pattern wildcards
 * behind the first. */
static bool groups(const char *text) {
    size_t count = 0;
    for (;; count++) {
        size_t length = strcspn(text, ".");
        bool wild = length == 1 && (*text == '*' || *text == '>') && count > 0;
        if (!wild && (length == 0 || length % 3 != 0 || !hex(text, length))) return false;
        if (text[length] == '\0') return count < KITH_PUBLISHED_MAX;
        text += length + 1;
    }
}

size_t kith_cell_base(const char *subject) {
    size_t start = 0;
    for (unsigned tokens = 0; tokens < KITH_TOKENS_MAX; tokens++) {
        const char *token = subject + start;
        size_t length = strcspn(token, ".");
        bool last = token[length] == '\0';
        if (start > 0 && kith_cell_token(token, length) &&
            (*token == 'h' ? last : !last && groups(token + length + 1))) {
            return start - 1;
        }
        if (last) break;
        start += length + 1;
    }
    return 0;
}
