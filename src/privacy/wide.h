/* SPDX-License-Identifier: Apache-2.0 */
/* privacy/wide.h - unsigned integers of 128 bits, as far as exact draws need them:
 * machines of 32 bits have none. */
#ifndef PRIVACY_WIDE_H
#define PRIVACY_WIDE_H

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct wide {
    uint64_t high, low;
} wide;

static inline wide wide_of(uint64_t x) {
    return (wide){ 0, x };
}

static inline bool wide_less(wide a, wide b) {
    return a.high < b.high || (a.high == b.high && a.low < b.low);
}

/* a >= b. */
static inline wide wide_minus(wide a, wide b) {
    CHECK_HOT(!wide_less(a, b));
    return (wide){ a.high - b.high - (a.low < b.low), a.low - b.low };
}

static inline wide wide_times(uint64_t a, uint64_t b) {
    uint64_t a0 = (uint32_t) a, a1 = a >> 32, b0 = (uint32_t) b, b1 = b >> 32;
    uint64_t low = a0 * b0, mid = a1 * b0 + (low >> 32), more = a0 * b1 + (uint32_t) mid;
    return (wide){ a1 * b1 + (mid >> 32) + (more >> 32), more << 32 | (uint32_t) low };
}

/* As many ones as x has bits, x > 0. */
static inline wide wide_mask(wide x) {
    int zeros = x.high != 0 ? __builtin_clzll(x.high) : __builtin_clzll(x.low);
    return x.high != 0 ? (wide){ UINT64_MAX >> zeros, UINT64_MAX }
                       : (wide){ 0, UINT64_MAX >> zeros };
}

#endif
