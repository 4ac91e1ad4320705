/* SPDX-License-Identifier: Apache-2.0 */
/* privacy/release.h - a take with bits of the caller's: for tests and simulators. */
#ifndef PRIVACY_RELEASE_H
#define PRIVACY_RELEASE_H

#include <kith/privacy.h>

#include "privacy/noise.h"

int ki_release_take(kith_release *release, ki_bits *bits, kith_content *content);

/* rho of one release in KITH_RHO_ONE, rounded up: sensitivity^2 / (2 square), where square is
 * sigma^2 or t^2. UINT64_MAX: beyond 64. */
uint64_t ki_release_price(uint64_t sensitivity, uint64_t square);

#endif
