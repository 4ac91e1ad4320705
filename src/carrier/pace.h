/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/pace.h - a token bucket: at most `burst` at once, at most `rate` a second
 * in the long run. A plain value; time comes with tick, and until the first tick
 * there is one burst. One thread owns it. */
#ifndef CARRIER_PACE_H
#define CARRIER_PACE_H

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

#define PACE_SECOND_NS UINT64_C(1000000000)
#define PACE_RATE_MAX  10000000
#define PACE_BURST_MAX 100000

typedef struct ki_pace {
    uint64_t rate, burst;
    uint64_t credit; /* in tokens of a second's nanoseconds: one send costs 10^9 */
    uint64_t last_ns;
} ki_pace;

static inline void ki_pace_init(ki_pace *p, uint64_t rate, uint64_t burst) {
    CHECK(rate >= 1 && rate <= PACE_RATE_MAX);
    CHECK(burst >= 1 && burst <= PACE_BURST_MAX);
    *p = (ki_pace){ .rate = rate, .burst = burst, .credit = burst * PACE_SECOND_NS };
}

/* A clock that goes back gives nothing. */
static inline void ki_pace_tick(ki_pace *p, uint64_t now_ns) {
    uint64_t full = p->burst * PACE_SECOND_NS;
    uint64_t passed = p->last_ns == 0 || now_ns < p->last_ns ? 0 : now_ns - p->last_ns;
    p->last_ns = now_ns;
    /* so long that the bucket is full anyway: the product below must not overflow */
    uint64_t enough = full / p->rate + 1;
    p->credit += (passed < enough ? passed : enough) * p->rate;
    p->credit = p->credit > full ? full : p->credit;
    CHECK(p->credit <= full);
}

/* May one go now? Then it is paid for. */
static inline bool ki_pace_take(ki_pace *p) {
    if (p->credit < PACE_SECOND_NS) {
        return false;
    }
    p->credit -= PACE_SECOND_NS;
    return true;
}

#endif
