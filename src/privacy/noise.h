/* SPDX-License-Identifier: Apache-2.0 */
/* privacy/noise.h - integers whose distribution is exactly what it says.
 *
 * Every step is a comparison of integers with uniform integers, so there is no rounding
 * for anybody to read the true value from (Canonne, Kamath and Steinke 2020). How long
 * a draw takes depends on what is drawn: draw before a moment that others can watch. */
#ifndef PRIVACY_NOISE_H
#define PRIVACY_NOISE_H

#include <stddef.h>
#include <stdint.h>

/* Noise of these scales is drawn without any overflow; others are refused. */
#define NOISE_VARIANCE_MAX (UINT64_C(1) << 48) /* Gauss: sigma^2 */
#define NOISE_SCALE_MAX    (UINT64_C(1) << 24) /* Laplace: t */
/* e^-4096 is no chance at all: only a broken source of bits gets there. */
#define NOISE_STEPS_MAX 4096

/* Where bits come from. A test brings its own fill; bits drawn ahead are wiped. */
typedef struct ki_bits {
    void (*fill)(void *ctx, void *ret, size_t size);
    void *ctx;
    uint64_t ahead[32];
    size_t left;
} ki_bits;

void ki_bits_system(ki_bits *bits);
void ki_bits_wipe(ki_bits *bits);

/* 0: *ret is a draw of P(x) ~ exp(-|x| / t), or exp(-x^2 / (2 sigma2)), over all
 * integers. KITH_E_ARG: a scale of 0 or beyond the maximum. KITH_E_SYSTEM: the bits
 * are none. */
int ki_noise_laplace(ki_bits *bits, uint64_t t, int64_t *ret);
int ki_noise_gauss(ki_bits *bits, uint64_t sigma2, int64_t *ret);

/* The largest r with r * r <= x. */
uint64_t ki_root(uint64_t x);

#endif
