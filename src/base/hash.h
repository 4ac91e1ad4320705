/* SPDX-License-Identifier: Apache-2.0 */
/* base/hash.h - SHA-256 and BLAKE2b, and hex. The only door to libsodium's
 * hashes for rooms that may not include it. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ki_sha256 {
    uint64_t opaque[16];
} ki_sha256;

void ki_sha256_init(ki_sha256 *h);
void ki_sha256_add(ki_sha256 *h, const void *bytes, size_t size);
void ki_sha256_done(ki_sha256 *h, uint8_t ret[32]);
void ki_sha256_of(const void *bytes, size_t size, uint8_t ret[32]);

/* size 16..64; the digest depends on it. */
void ki_blake2b(const void *bytes, size_t length, uint8_t *ret, size_t size);

/* CRC-32C (Castagnoli), for finding damage, not malice. */
uint32_t ki_crc32c(uint32_t before, const void *bytes, size_t size);

/* Lower case, ends with NUL: ret has room for 2 * size + 1. */
void ki_hex(const uint8_t *bytes, size_t size, char *ret);
/* Exactly 2 * size digits of either case, else false and ret is untouched. */
bool ki_unhex(const char *text, size_t digits, uint8_t *ret, size_t size);

#endif
