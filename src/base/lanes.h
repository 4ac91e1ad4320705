/* SPDX-License-Identifier: Apache-2.0 */
/* base/lanes.h - sixteen bytes at once, for checks of characters. A mask has one
 * bit per byte, the first byte's lowest. The plain C below the SSE2 says what
 * each function means; machines without SSE2 run it, and one test. */
#ifndef BASE_LANES_H
#define BASE_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES     16
#define LANES_ALL 0xffffu

#if defined(__SSE2__) && !defined(LANES_PLAIN)
#include <emmintrin.h>

typedef __m128i lanes;

static inline lanes lanes_load(const void *p) {
    return _mm_loadu_si128((const __m128i *) p);
}

static inline uint32_t lanes_equal(lanes x, uint8_t byte) {
    return (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8((char) byte)));
}

/* low..high, both included. */
static inline uint32_t lanes_between(lanes x, uint8_t low, uint8_t high) {
    lanes above = _mm_sub_epi8(x, _mm_set1_epi8((char) low));
    lanes width = _mm_set1_epi8((char) (high - low));
    return (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(above, width), above));
}

static inline void lanes_store(void *p, lanes x) {
    _mm_storeu_si128((__m128i *) p, x);
}

static inline lanes lanes_and(lanes x, lanes y) {
    return _mm_and_si128(x, y);
}

#else

typedef struct lanes {
    uint8_t byte[LANES];
} lanes;

static inline lanes lanes_load(const void *p) {
    lanes x;
    memcpy(x.byte, p, LANES);
    return x;
}

static inline uint32_t lanes_between(lanes x, uint8_t low, uint8_t high) {
    uint32_t mask = 0;
    for (int i = 0; i < LANES; i++) {
        mask |= (uint32_t) (x.byte[i] >= low && x.byte[i] <= high) << i;
    }
    return mask;
}

static inline uint32_t lanes_equal(lanes x, uint8_t byte) {
    return lanes_between(x, byte, byte);
}

static inline void lanes_store(void *p, lanes x) {
    memcpy(p, x.byte, LANES);
}

static inline lanes lanes_and(lanes x, lanes y) {
    for (int i = 0; i < LANES; i++) x.byte[i] &= y.byte[i];
    return x;
}

#endif

/* Copies in whole blocks: both sides have room for `size` rounded up to LANES. */
static inline void lanes_copy(void *to, const void *from, size_t size) {
    for (size_t at = 0; at < size; at += LANES) {
        lanes_store((uint8_t *) to + at, lanes_load((const uint8_t *) from + at));
    }
}

/* The same, with zeros in the rest of the last block. */
static inline void lanes_copy_cut(void *to, const void *from, size_t size) {
    static const uint8_t ones[2 * LANES] = { 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255 };
    size_t whole = size / LANES * LANES, left = size - whole;
    lanes_copy(to, from, whole);
    if (left != 0) {
        lanes x = lanes_load((const uint8_t *) from + whole);
        lanes_store((uint8_t *) to + whole, lanes_and(x, lanes_load(ones + LANES - left)));
    }
}

/* The mask of the first `left` bytes. */
static inline uint32_t lanes_first(size_t left) {
    return left >= LANES ? LANES_ALL : (1u << left) - 1;
}

#endif
