/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "base/check.h"

#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

_Static_assert(sizeof(ki_sha256) >= sizeof(crypto_hash_sha256_state), "room for the state");
_Static_assert(_Alignof(ki_sha256) >= _Alignof(crypto_hash_sha256_state), "alignment");

static crypto_hash_sha256_state *state(ki_sha256 *h) {
    CHECK(h != NULL);
    return (crypto_hash_sha256_state *) (void *) h->opaque;
}

void ki_sha256_init(ki_sha256 *h) {
    (void) crypto_hash_sha256_init(state(h));
}

void ki_sha256_add(ki_sha256 *h, const void *bytes, size_t size) {
    CHECK(bytes != NULL || size == 0);
    (void) crypto_hash_sha256_update(state(h), bytes, size);
}

void ki_sha256_done(ki_sha256 *h, uint8_t ret[32]) {
    (void) crypto_hash_sha256_final(state(h), ret);
}

void ki_sha256_of(const void *bytes, size_t size, uint8_t ret[32]) {
    CHECK(bytes != NULL || size == 0);
    (void) crypto_hash_sha256(ret, bytes, size);
}

void ki_blake2b(const void *bytes, size_t length, uint8_t *ret, size_t size) {
    CHECK(ret != NULL);
    CHECK(size >= crypto_generichash_BYTES_MIN);
    CHECK(size <= crypto_generichash_BYTES_MAX);
    (void) crypto_generichash(ret, size, bytes, length, NULL, 0);
}

/* One byte by the definition: the slow road of machines without the instruction. */
static uint32_t crc_word(uint32_t c) {
    for (int bit = 0; bit < 8; bit++) {
        c = c >> 1 ^ (0x82f63b78u & (0u - (c & 1)));
    }
    return c;
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/* The instruction takes three cycles but begins anew each cycle, so three lanes go side
 * by side. Two rounds of them are a store's page, but for a few bytes. */
#define LANE_WORDS 85
#define LANE_BYTES (LANE_WORDS * 8)

static uint64_t load64(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* The sum over one or two more lanes of zeros: a product by x^(8 bytes - 33), mod P,
 * bits reversed; the instruction reduces it. */
__attribute__((target("sse4.2,pclmul"))) static uint64_t beyond(uint64_t c, bool two) {
    const uint32_t power = two ? 0x3f70cc6f : 0xe417f38a;
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t) c), _mm_cvtsi64_si128(power), 0);
    return _mm_crc32_u64(0, (uint64_t) _mm_cvtsi128_si64(product));
}

__attribute__((target("sse4.2,pclmul"))) static uint64_t three_lanes(
    uint64_t c, const uint8_t *p) {
    uint64_t second = 0, third = 0;
    for (int i = 0; i < LANE_WORDS; i++, p += 8) {
        c = _mm_crc32_u64(c, load64(p));
        second = _mm_crc32_u64(second, load64(p + LANE_BYTES));
        third = _mm_crc32_u64(third, load64(p + 2 * LANE_BYTES));
    }
    return beyond(c, true) ^ beyond(second, false) ^ third;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t crc_fast(
    uint32_t c, const uint8_t *p, size_t size) {
    uint64_t wide = c;
    for (; size >= 3 * LANE_BYTES; p += 3 * LANE_BYTES, size -= 3 * LANE_BYTES) {
        wide = three_lanes(wide, p);
    }
    for (; size >= 8; p += 8, size -= 8) {
        wide = _mm_crc32_u64(wide, load64(p));
    }
    c = (uint32_t) wide;
    for (; size > 0; p++, size--) {
        c = _mm_crc32_u8(c, *p);
    }
    return c;
}
/* Asked at the first use: gcc's own builtin asks for everything, in each program that
 * holds it, before main; in a virtual machine each such question is a trap. */
/* Asked at the first use: gcc's own builtin asks for everything, in each program that
 * holds it, before main; in a virtual machine each such question is a trap. */
static bool crc_has_fast(void) {
    static _Atomic int known; /* 0: not asked yet, 1: no, 2: yes */
    int have = atomic_load_explicit(&known, memory_order_relaxed);
    if (have == 0) {
        unsigned a, b, c = 0, d, both = bit_SSE4_2 | bit_PCLMUL;
        have = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & both) == both ? 2 : 1;
        atomic_store_explicit(&known, have, memory_order_relaxed);
    }
    return have == 2;
}
#else
static uint32_t crc_fast(uint32_t c, const uint8_t *p, size_t size) {
    (void) p, (void) size;
    return c;
}
static bool crc_has_fast(void) {
    return false;
}
#endif

uint32_t ki_crc32c(uint32_t before, const void *bytes, size_t size) {
    const uint8_t *p = bytes;
    uint32_t c = ~before;
    if (crc_has_fast()) {
        return ~crc_fast(c, p, size);
    }
    for (; size > 0; p++, size--) {
        c = c >> 8 ^ crc_word((c ^ *p) & 0xff);
    }
    return ~c;
}

void ki_hex(const uint8_t *bytes, size_t size, char *ret) {
    static const char digits[] = "0123456789abcdef";
    CHECK(ret != NULL);
    CHECK(bytes != NULL || size == 0);
    for (size_t i = 0; i < size; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * size] = '\0';
}

static int nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool ki_unhex(const char *text, size_t digits, uint8_t *ret, size_t size) {
    CHECK(text != NULL || digits == 0);
    CHECK(ret != NULL || size == 0);
    if (digits != 2 * size) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        if (nibble(text[i]) < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < size; i++) {
        ret[i] = (uint8_t) (nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
    }
    return true;
}
