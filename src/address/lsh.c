/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of a context that near contexts share, for more than nine dimensions: a
 * random projection in integers, cut into pieces of one width. */
#include <kith/cell.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/wire.h"

#include <stdio.h>
#include <string.h>

#define MARK           "kith-lsh-1"
#define WORDS_IN_BLOCK 4

/* Four words of 64 bits: block b of one hash of one table. */
static void block(const uint8_t template_id[KITH_TEMPLATE_SIZE], unsigned table,
    unsigned hash, unsigned number, uint64_t ret[WORDS_IN_BLOCK]) {
    uint8_t tail[4] = { (uint8_t) table, (uint8_t) hash, (uint8_t) (number >> 8),
        (uint8_t) number };
    uint8_t digest[32];
    ki_sha256 h;
    ki_sha256_init(&h);
    ki_sha256_add(&h, MARK, sizeof MARK - 1);
    ki_sha256_add(&h, template_id, KITH_TEMPLATE_SIZE);
    ki_sha256_add(&h, tail, sizeof tail);
    ki_sha256_done(&h, digest);
    for (size_t i = 0; i < WORDS_IN_BLOCK; i++) ret[i] = wire_get64(digest + 8 * i);
}

/* How many of 64 bits are set, less 32. */
static int8_t weight(uint64_t word) {
    int bits = 0;
    for (; word != 0; word &= word - 1) bits++;
    return (int8_t) (bits - 32);
}

/* (word * width) >> 64. */
static uint32_t scaled(uint64_t word, uint32_t width) {
    uint64_t high = (word >> 32) * width, low = (word & UINT32_MAX) * width;
    return (uint32_t) ((high + (low >> 32)) >> 32);
}

static void draw(kith_lsh *l, const uint8_t *template_id, unsigned table, unsigned hash) {
    uint64_t words[WORDS_IN_BLOCK];
    for (unsigned i = 0; i <= l->dims; i++) {
        if (i % WORDS_IN_BLOCK == 0) {
            block(template_id, table, hash, i / WORDS_IN_BLOCK, words);
        }
        uint64_t word = words[i % WORDS_IN_BLOCK];
        if (i < l->dims) {
            l->weights[table][hash][i] = weight(word);
        } else {
            l->offsets[table][hash] = scaled(word, l->width);
        }
    }
}

int kith_lsh_init(kith_lsh *ret, const uint8_t template_id[KITH_TEMPLATE_SIZE],
    const uint8_t shape[3], uint32_t width) {
    if (shape[0] < 1 || shape[0] > KITH_LSH_DIMS || shape[1] < 1 ||
        shape[1] > KITH_LSH_TABLES || shape[2] < 1 || shape[2] > KITH_LSH_HASHES ||
        width < 1 || width > UINT32_C(1) << 31) {
        return KITH_E_ARG;
    }
    *ret = (kith_lsh){
        .dims = shape[0], .tables = shape[1], .hashes = shape[2], .width = width
    };
    for (unsigned t = 0; t < ret->tables; t++) {
        for (unsigned m = 0; m < ret->hashes; m++) draw(ret, template_id, t, m);
    }
    return 0;
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

void kith_lsh_values(const kith_lsh *l, unsigned table, const uint16_t *context,
    int32_t ret[KITH_LSH_HASHES]) {
    CHECK(table < l->tables);
    for (unsigned m = 0; m < l->hashes; m++) {
        int64_t sum = l->offsets[table][m];
        for (unsigned i = 0; i < l->dims; i++) {
            sum += (int64_t) l->weights[table][m][i] * context[i];
        }
        ret[m] = (int32_t) floor_div(sum, l->width);
    }
}

void kith_lsh_token(const kith_lsh *l, unsigned table, const uint16_t *context,
    char ret[KITH_LSH_TOKEN_SIZE]) {
    int32_t values[KITH_LSH_HASHES];
    uint8_t bytes[4 * KITH_LSH_HASHES], digest[32];
    char digits[17];
    kith_lsh_values(l, table, context, values);
    for (unsigned m = 0; m < l->hashes; m++) {
        wire_put32(bytes + (size_t) 4 * m, (uint32_t) values[m]);
    }
    ki_sha256_of(bytes, (size_t) 4 * l->hashes, digest);
    ki_hex(digest, 8, digits);
    (void) snprintf(ret, KITH_LSH_TOKEN_SIZE, "h%u-%s", table, digits);
}
