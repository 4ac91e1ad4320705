/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/noise.h"

#include <kith/error.h>

#include "base/check.h"
#include "base/dice.h"
#include "privacy/wide.h"

#include <math.h>
#include <string.h>

/* ---- bits ---- */

static void fill_from_system(void *ctx, void *ret, size_t size) {
    (void) ctx;
    ki_dice_system(ret, size);
}

void ki_bits_system(ki_bits *bits) {
    *bits = (ki_bits){ .fill = fill_from_system };
}

/* Through volatile, so that the compiler does not find it useless. */
void ki_bits_wipe(ki_bits *bits) {
    volatile uint64_t *p = bits->ahead;
    for (size_t i = 0; i < sizeof bits->ahead / sizeof *bits->ahead; i++) {
        p[i] = 0;
    }
    bits->left = 0;
}

static uint64_t word(ki_bits *b) {
    if (b->left == 0) {
        b->fill(b->ctx, b->ahead, sizeof b->ahead);
        b->left = sizeof b->ahead / sizeof *b->ahead;
    }
    uint64_t w = b->ahead[--b->left];
    b->ahead[b->left] = 0;
    return w;
}

/* ---- uniform integers and coins ---- */

/* 0 .. n - 1, all alike: what lies beyond is thrown away, never folded back. */
static wide below(ki_bits *b, wide n) {
    wide last = wide_minus(n, wide_of(1)); /* and n > 0 */
    wide mask = wide_mask((wide){ last.high, last.low | 1 });
    for (;;) {
        wide x = wide_of(word(b) & mask.low);
        if (mask.high != 0) {
            x.high = word(b) & mask.high;
        }
        if (wide_less(x, n)) {
            return x;
        }
    }
}

/* True with probability a / b, a <= b. */
static bool coin(ki_bits *bits, wide a, wide b) {
    return wide_less(below(bits, b), a);
}

/* True with probability exp(-a / b), a <= b: the series of e as a game. The number of
 * rounds until a coin of a / (b K) falls is odd with just this probability. */
static bool coin_exp_small(ki_bits *bits, wide a, wide b) {
    CHECK_HOT(!wide_less(b, a));
    uint64_t k = 1;
    while (k < NOISE_STEPS_MAX && coin(bits, wide_of(1), wide_of(k)) && coin(bits, a, b)) {
        k++; /* beyond twenty in no life: the chance is 1 / k! */
    }
    return k % 2 == 1;
}

/* exp(-a / b) for any a: a coin of 1/e for each whole unit; most fail at the first. */
static bool coin_exp(ki_bits *bits, wide a, wide b) {
    while (wide_less(b, a)) {
        if (!coin_exp_small(bits, wide_of(1), wide_of(1))) {
            return false;
        }
        a = wide_minus(a, b);
    }
    return coin_exp_small(bits, a, b);
}

/* ---- the two distributions ---- */

uint64_t ki_root(uint64_t x) {
    uint64_t r = (uint64_t) sqrt((double) x);
    while (r > UINT32_MAX || r * r > x) {
        r--;
    }
    while (r < UINT32_MAX && (r + 1) * (r + 1) <= x) {
        r++;
    }
    return r;
}

/* One try at a value; false: it was "-0", which would count 0 twice. */
static int try_laplace(ki_bits *b, uint64_t t, int64_t *ret) {
    uint64_t u, v = 0;
    do {
        u = below(b, wide_of(t)).low;
    } while (!coin_exp_small(b, wide_of(u), wide_of(t)));
    while (coin_exp_small(b, wide_of(1), wide_of(1))) {
        if (++v == NOISE_STEPS_MAX) {
            return KITH_E_SYSTEM;
        }
    }
    int64_t x = (int64_t) (u + t * v);
    bool minus = (word(b) & 1) != 0;
    if (minus && x == 0) {
        return KITH_EMPTY;
    }
    *ret = minus ? -x : x;
    return 0;
}

static int draw_laplace(ki_bits *b, uint64_t t, int64_t *ret) {
    int r = KITH_EMPTY;
    for (int i = 0; r == KITH_EMPTY && i < NOISE_STEPS_MAX; i++) {
        r = try_laplace(b, t, ret);
    }
    return r == KITH_EMPTY ? KITH_E_SYSTEM : r;
}

int ki_noise_laplace(ki_bits *bits, uint64_t t, int64_t *ret) {
    CHECK(bits->fill != NULL);
    return t == 0 || t > NOISE_SCALE_MAX ? KITH_E_ARG : draw_laplace(bits, t, ret);
}

/* A Laplace draw of about the same width, kept with probability
 * exp(-(|x| - sigma2 / t)^2 / (2 sigma2)) = exp(-(|x| t - sigma2)^2 / (2 sigma2 t^2)).
 * With sigma2 <= 2^48 and |x| < 4097 t the numerator stays below 2^124. */
int ki_noise_gauss(ki_bits *bits, uint64_t sigma2, int64_t *ret) {
    CHECK(bits->fill != NULL);
    if (sigma2 == 0 || sigma2 > NOISE_VARIANCE_MAX) {
        return KITH_E_ARG;
    }
    uint64_t t = ki_root(sigma2) + 1;
    wide under = wide_times(2 * sigma2, t * t);
    for (int i = 0; i < NOISE_STEPS_MAX; i++) {
        int64_t x;
        int r = draw_laplace(bits, t, &x);
        if (r < 0) {
            return r;
        }
        uint64_t far = (uint64_t) (x < 0 ? -x : x) * t;
        uint64_t off = far > sigma2 ? far - sigma2 : sigma2 - far;
        if (coin_exp(bits, wide_times(off, off), under)) {
            *ret = x;
            return 0;
        }
    }
    return KITH_E_SYSTEM;
}
