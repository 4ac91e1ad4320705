/* SPDX-License-Identifier: Apache-2.0 */
/* sums.c - five sums that do not care about order.
 *
 * Every term is one double, rounded once to a multiple of 2^-64 and from then on
 * an integer; integers add up the same in any order. What is derived is exact up
 * to one division, so nothing cancels however far the mean is from the spread. */
#include <kith/synthesis.h>

#include "base/check.h"
#include "base/limits.h"
#include "synthesis/sums.h"

#include <math.h>

#define COARSE 0x1p-11
#define TOP    (UINT64_C(1) << 63)
#define HALF   UINT64_C(0xffffffff)
#define BITS   64 /* of a quotient; 53 of them reach the double, the rest rounds it */

/* 256 bits, most significant first. */
typedef struct wide {
    uint64_t d[4];
} wide;

static bool negative(kith_i128 x) {
    return (x.high & TOP) != 0;
}

static bool none(kith_i128 x) {
    return (x.high | x.low) == 0;
}

/* 128 bits as two words, because a 32-bit compiler has no wider number. */
static kith_i128 plus(kith_i128 a, kith_i128 b) {
    uint64_t low = a.low + b.low;
    return (kith_i128){ a.high + b.high + (low < a.low), low };
}

static kith_i128 negated(kith_i128 x) {
    return (kith_i128){ ~x.high + (x.low == 0), -x.low };
}

static kith_i128 magnitude(kith_i128 x) {
    return negative(x) ? negated(x) : x;
}

/* Scaling by 2^64 is exact, rint rounds half to even. */
static kith_i128 rounded(double x) {
    CHECK(fabs(x) < COARSE);
    int64_t units = (int64_t) rint(x * 0x1p64);
    return (kith_i128){ units < 0 ? UINT64_MAX : 0, (uint64_t) units };
}

/* From COARSE on the bits of a double end at 2^-63, and nothing is rounded: what is left
 * of the whole part, which has the sign of x, is a whole number of pairs of units. */
static inline kith_i128 fixed(double x) {
    if (fabs(x) < COARSE) {
        return rounded(x);
    }
    int64_t whole = (int64_t) x;
    uint64_t pairs = (uint64_t) (int64_t) ((x - (double) whole) * 0x1p63);
    uint64_t low = pairs + pairs; /* carries what was the sign */
    return (kith_i128){ (uint64_t) whole - (low < pairs), low };
}

kith_i128 ki_fixed(double x) {
    CHECK(fabs(x) < 0x1p62);
    return fixed(x);
}

static bool legal(double y, double v) {
    return fabs(y) <= LIMIT_EFFECT && v >= LIMIT_V_LOW && v <= LIMIT_V_HIGH;
}

/* Each line is one operation; together they are the definition of the sums. */
static inline void terms(double y, double v, double ret[4]) {
    double w = 1.0 / v;
    double w2 = w * w;
    double wy = w * y;
    double wyy = wy * y;
    ret[0] = w;
    ret[1] = w2;
    ret[2] = wy;
    ret[3] = wyy;
}

int kith_sums_add(kith_sums *sums, double y, double v) {
    CHECK(sums != NULL);
    double term[4];
    if (!legal(y, v)) {
        return KITH_E_ARG;
    }
    if (sums->count >= KITH_LEAVES_MAX) {
        return KITH_FULL;
    }
    terms(y, v, term);
    for (int i = 0; i < 4; i++) {
        sums->s[i] = plus(sums->s[i], fixed(term[i]));
    }
    sums->count++;
    CHECK(sums->count <= KITH_LEAVES_MAX);
    return 0;
}

int kith_sums_remove(kith_sums *sums, double y, double v) {
    CHECK(sums != NULL);
    double term[4];
    if (!legal(y, v) || sums->count == 0) {
        return KITH_E_ARG;
    }
    terms(y, v, term);
    for (int i = 0; i < 4; i++) {
        sums->s[i] = plus(sums->s[i], negated(fixed(term[i])));
    }
    sums->count--;
    return 0;
}

int kith_sums_merge(kith_sums *sums, const kith_sums *other) {
    CHECK(sums != NULL);
    CHECK(other != NULL);
    if (other->count > KITH_LEAVES_MAX || sums->count > KITH_LEAVES_MAX - other->count) {
        return KITH_FULL;
    }
    for (int i = 0; i < 4; i++) {
        sums->s[i] = plus(sums->s[i], other->s[i]);
    }
    sums->count += other->count;
    CHECK(sums->count <= KITH_LEAVES_MAX);
    return 0;
}

/* As in school, with digits of 32 bits: a digit, a product of two and what is
 * carried fit a word together. */
static wide product(kith_i128 a, kith_i128 b) {
    uint64_t x[4] = { a.low & HALF, a.low >> 32, a.high & HALF, a.high >> 32 };
    uint64_t y[4] = { b.low & HALF, b.low >> 32, b.high & HALF, b.high >> 32 };
    uint64_t sum[8] = { 0 };
    for (size_t i = 0; i < 4; i++) {
        uint64_t carried = 0;
        for (size_t j = 0; j < 4; j++) {
            carried += x[i] * y[j] + sum[i + j];
            sum[i + j] = carried & HALF;
            carried >>= 32;
        }
        CHECK_HOT(carried <= HALF);
        sum[i + 4] = carried;
    }
    return (wide){ { sum[7] << 32 | sum[6], sum[5] << 32 | sum[4], sum[3] << 32 | sum[2],
        sum[1] << 32 | sum[0] } };
}

/* a * 2^64, for a that is below 2^192. */
static wide raised(kith_i128 a) {
    return (wide){ { 0, a.high, a.low, 0 } };
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
    CHECK(order(&a, b) >= 0);
    uint64_t borrow = 0;
    for (int i = 3; i >= 0; i--) {
        uint64_t less = b->d[i] + borrow;
        /* Borrowing from a full word takes 2^64 away, which is nothing here. */
        borrow = less < borrow || a.d[i] < less;
        a.d[i] -= less;
    }
    CHECK(borrow == 0);
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
    CHECK(!is_zero(a));
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
    CHECK(quotient >= TOP >> 1); /* both began with the same bit */
    quotient |= !is_zero(&top);
    return ldexp((double) quotient, power - (BITS - 1));
}

static double mean(const kith_sums *sums) {
    double mu = ratio(raised(magnitude(sums->s[2])), raised(sums->s[0]));
    return negative(sums->s[2]) ? -mu : mu;
}

/* What any sum of legal terms is; a stranger's may not be. */
static bool sound(const kith_sums *sums) {
    return sums->count > 0 && sums->count <= KITH_LEAVES_MAX && !none(sums->s[0]) &&
           !negative(sums->s[0]) && !negative(sums->s[1]) && !negative(sums->s[3]);
}

int kith_sums_derive(
    const kith_sums *sums, double *ret_mu, double *ret_q, double *ret_tau2) {
    CHECK(ret_mu != NULL);
    CHECK(ret_q != NULL);
    CHECK(ret_tau2 != NULL);
    if (!sound(sums)) {
        return KITH_E_ARG;
    }
    kith_i128 s1 = sums->s[0], s3 = magnitude(sums->s[2]);
    wide spread = product(sums->s[3], s1), shift = product(s3, s3), nothing = { { 0 } };
    spread = order(&spread, &shift) > 0 ? minus(spread, &shift) : nothing;

    /* tau2 = [s4 s1 - s3^2 - (k-1) 2^64 s1] / [s1^2 - 2^64 s2] */
    wide expected = product(s1, (kith_i128){ sums->count - 1, 0 });
    wide excess = order(&spread, &expected) > 0 ? minus(spread, &expected) : nothing;
    wide scale = product(s1, s1), squares = raised(sums->s[1]);
    scale = order(&scale, &squares) > 0 ? minus(scale, &squares) : nothing;
    *ret_mu = mean(sums);
    *ret_q = ratio(spread, raised(s1));
    *ret_tau2 = is_zero(&scale) ? 0 : ratio(excess, scale);
    return 0;
}
