/* SPDX-License-Identifier: Apache-2.0 */
/* sums.c - five sums that do not care about order.
 *
 * Every term is one double, rounded once to a multiple of 2^-64 and from then on
 * an integer; integers add up the same in any order. What is derived is exact up
 * to one division, so nothing cancels however far the mean is from the spread. */
#include <kith/synthesis.h>

#include "base/limits.h"
#include "synthesis/sums.h"

#include <math.h>

__extension__ typedef unsigned __int128 u128;
__extension__ typedef __int128 i128;

#define ONE  0x1p64 /* of the fixed point */
#define TOP  (UINT64_C(1) << 63)
#define BITS 64 /* of a quotient; 53 of them reach the double, the rest rounds it */

/* 256 bits, most significant first. */
typedef struct wide {
    uint64_t d[4];
} wide;

static u128 whole(kith_i128 x) {
    return (u128) x.high << 64 | x.low;
}

static kith_i128 parts(u128 x) {
    return (kith_i128){ (uint64_t) (x >> 64), (uint64_t) x };
}

static bool negative(kith_i128 x) {
    return (x.high & TOP) != 0;
}

/* Scaling by 2^64 is exact, rint rounds half to even, and a double of 2^40 * 2^64
 * is a whole number already. */
static u128 fixed(double x) {
    return (u128) (i128) rint(x * ONE);
}

kith_i128 ki_fixed(double x) {
    return parts(fixed(x));
}

static bool legal(double y, double v) {
    return fabs(y) <= LIMIT_EFFECT && v >= LIMIT_V_LOW && v <= LIMIT_V_HIGH;
}

/* Each line is one operation; together they are the definition of the sums. */
static void terms(double y, double v, u128 ret[4]) {
    double w = 1.0 / v;
    double w2 = w * w;
    double wy = w * y;
    double wyy = wy * y;
    ret[0] = fixed(w);
    ret[1] = fixed(w2);
    ret[2] = fixed(wy);
    ret[3] = fixed(wyy);
}

int kith_sums_add(kith_sums *sums, double y, double v) {
    u128 term[4];
    if (!legal(y, v)) {
        return KITH_E_ARG;
    }
    if (sums->count >= KITH_LEAVES_MAX) {
        return KITH_FULL;
    }
    terms(y, v, term);
    for (int i = 0; i < 4; i++) {
        sums->s[i] = parts(whole(sums->s[i]) + term[i]);
    }
    sums->count++;
    return 0;
}

int kith_sums_remove(kith_sums *sums, double y, double v) {
    u128 term[4];
    if (!legal(y, v) || sums->count == 0) {
        return KITH_E_ARG;
    }
    terms(y, v, term);
    for (int i = 0; i < 4; i++) {
        sums->s[i] = parts(whole(sums->s[i]) - term[i]);
    }
    sums->count--;
    return 0;
}

int kith_sums_merge(kith_sums *sums, const kith_sums *other) {
    if (other->count > KITH_LEAVES_MAX || sums->count > KITH_LEAVES_MAX - other->count) {
        return KITH_FULL;
    }
    for (int i = 0; i < 4; i++) {
        sums->s[i] = parts(whole(sums->s[i]) + whole(other->s[i]));
    }
    sums->count += other->count;
    return 0;
}

static wide product(u128 a, u128 b) {
    u128 a1 = a >> 64, a0 = (uint64_t) a, b1 = b >> 64, b0 = (uint64_t) b;
    u128 low = a0 * b0, left = a1 * b0, right = a0 * b1, high = a1 * b1;
    u128 middle = (low >> 64) + (uint64_t) left + (uint64_t) right;
    high += (left >> 64) + (right >> 64) + (middle >> 64);
    return (wide){ { (uint64_t) (high >> 64), (uint64_t) high, (uint64_t) middle,
        (uint64_t) low } };
}

/* a * 2^64, for a that is below 2^192. */
static wide raised(u128 a) {
    return (wide){ { 0, (uint64_t) (a >> 64), (uint64_t) a, 0 } };
}

static int order(const wide *a, const wide *b) {
    for (int i = 0; i < 4; i++) {
        if (a->d[i] != b->d[i]) {
            return a->d[i] > b->d[i] ? 1 : -1;
        }
    }
    return 0;
}

/* a >= b */
static wide minus(wide a, const wide *b) {
    uint64_t borrow = 0;
    for (int i = 3; i >= 0; i--) {
        u128 d = (u128) a.d[i] - b->d[i] - borrow;
        a.d[i] = (uint64_t) d;
        borrow = (uint64_t) (d >> 64) & 1;
    }
    return a;
}

static wide doubled(wide a) {
    for (int i = 0; i < 4; i++) {
        a.d[i] = a.d[i] << 1 | (i < 3 ? a.d[i + 1] >> 63 : 0);
    }
    return a;
}

static bool is_zero(const wide *a) {
    return (a->d[0] | a->d[1] | a->d[2] | a->d[3]) == 0;
}

/* Shifts until bit 254 is the highest set: one bit of room for the division. */
static int normalise(wide *a) {
    int shifts = 0;
    while (!(a->d[0] & TOP >> 1)) {
        *a = doubled(*a);
        shifts++;
    }
    return shifts;
}

/* top / bottom, both below 2^255, bottom > 0, rounded once: 64 bits of the
 * quotient by long division, the last of them sticky. */
static double ratio(wide top, wide bottom) {
    if (is_zero(&top)) {
        return 0;
    }
    int power = normalise(&bottom) - normalise(&top);
    uint64_t quotient = 0;
    for (int i = 0; i < BITS; i++) {
        quotient <<= 1;
        if (order(&top, &bottom) >= 0) {
            top = minus(top, &bottom);
            quotient |= 1;
        }
        top = doubled(top);
    }
    quotient |= !is_zero(&top);
    return ldexp((double) quotient, power - (BITS - 1));
}

static double mean(const kith_sums *sums) {
    bool below = negative(sums->s[2]);
    u128 size = below ? -whole(sums->s[2]) : whole(sums->s[2]);
    double mu = ratio(raised(size), raised(whole(sums->s[0])));
    return below ? -mu : mu;
}

int kith_sums_derive(
    const kith_sums *sums, double *ret_mu, double *ret_q, double *ret_tau2) {
    u128 s1 = whole(sums->s[0]), s2 = whole(sums->s[1]), s4 = whole(sums->s[3]);
    bool sound = sums->count > 0 && sums->count <= KITH_LEAVES_MAX && s1 != 0 &&
                 !negative(sums->s[0]) && !negative(sums->s[1]) && !negative(sums->s[3]);
    if (!sound) {
        return KITH_E_ARG;
    }
    u128 s3 = negative(sums->s[2]) ? -whole(sums->s[2]) : whole(sums->s[2]);
    wide spread = product(s4, s1), shift = product(s3, s3), none = { { 0 } };
    spread = order(&spread, &shift) > 0 ? minus(spread, &shift) : none;

    /* tau2 = [s4 s1 - s3^2 - (k-1) 2^64 s1] / [s1^2 - 2^64 s2] */
    wide expected = product(s1, (u128) (sums->count - 1) << 64);
    wide excess = order(&spread, &expected) > 0 ? minus(spread, &expected) : none;
    wide scale = product(s1, s1), squares = raised(s2);
    scale = order(&scale, &squares) > 0 ? minus(scale, &squares) : none;
    *ret_mu = mean(sums);
    *ret_q = ratio(spread, raised(s1));
    *ret_tau2 = is_zero(&scale) ? 0 : ratio(excess, scale);
    return 0;
}
