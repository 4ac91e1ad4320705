/* SPDX-License-Identifier: Apache-2.0 */
/* base/dice.h - chance: seeded for tests and jitter, the system's for names. */
#ifndef BASE_DICE_H
#define BASE_DICE_H

#include "base/check.h"

#include <stddef.h>
#include <stdint.h>

/* splitmix64: any seed, even 0, starts a good sequence. Not for secrets. */
static inline uint64_t dice_roll(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0..n-1, n > 0; the bias is below n / 2^64. */
static inline uint64_t dice_below(uint64_t *state, uint64_t n) {
    CHECK_HOT(n > 0);
    return dice_roll(state) % n;
}

/* Bytes from the system; never fails: a kernel without randomness is a CHECK. */
void ki_dice_system(void *ret, size_t size);

#endif
