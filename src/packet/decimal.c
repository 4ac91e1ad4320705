/* SPDX-License-Identifier: Apache-2.0 */
#include "packet/decimal.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MANTISSA_MAX INT64_C(1000000000000000)
#define POWER_MAX    22 /* 10^22 is a double exactly, 10^23 is not */

static bool digit(char c) {
    return c >= '0' && c <= '9';
}

/* "e-3" and nothing else; an empty text is 0. */
static bool exponent(const char *p, const char *end, int *ret) {
    int x = 0;
    *ret = 0;
    if (p == end) return true;
    if (*p != 'e' && *p != 'E') return false;
    bool minus = ++p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    if (p == end || end - p > 3) return false;
    for (; p < end; p++) {
        if (!digit(*p)) return false;
        x = 10 * x + (*p - '0');
    }
    *ret = minus ? -x : x;
    return true;
}

/* One digit fewer, half up. */
static void shorten(int64_t *mantissa, int *power) {
    *mantissa = *mantissa / 10 + (*mantissa % 10 >= 5);
    (*power)++;
}

static bool settle(int64_t mantissa, int power, bool minus, ki_decimal *ret) {
    while (mantissa != 0 && mantissa % 10 == 0) mantissa /= 10, power++;
    while (mantissa != 0 && power < -POWER_MAX) shorten(&mantissa, &power);
    while (mantissa != 0 && mantissa % 10 == 0) mantissa /= 10, power++;
    if (mantissa == 0) power = 0;
    if (power > POWER_MAX) return false;
    double size = (double) mantissa;
    for (int i = 0; i < power; i++) size *= 10;
    if (size > 1e22) return false;
    CHECK(mantissa <= MANTISSA_MAX);
    *ret = (ki_decimal){ .mantissa = minus ? -mantissa : mantissa, .power = power };
    return true;
}

bool ki_decimal_parse(const char *text, size_t length, ki_decimal *ret) {
    const char *p = text, *end = text + length;
    int64_t mantissa = 0;
    int power = 0, more;
    bool minus = p < end && *p == '-', any = false, point = false, rounded = false;
    p += p < end && (*p == '-' || *p == '+');
    for (; p < end && (digit(*p) || (*p == '.' && !point)); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        any = true;
        if (mantissa < MANTISSA_MAX / 10) {
            mantissa = 10 * mantissa + (*p - '0');
            power -= point;
        } else {
            mantissa += !rounded && *p >= '5';
            rounded = true;
            power += !point;
        }
        if (power > 400 || power < -400) return false;
    }
    if (!any || !exponent(p, end, &more)) return false;
    return settle(mantissa, power + more, minus, ret);
}

double ki_decimal_value(const ki_decimal *d) {
    static const double tens[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
        1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    CHECK(d->power >= -POWER_MAX && d->power <= POWER_MAX);
    double m = (double) d->mantissa;
    return d->power < 0 ? m / tens[-d->power] : m * tens[d->power];
}

void ki_decimal_show(const ki_decimal *d, char ret[DECIMAL_TEXT]) {
    char digits[24];
    int64_t m = d->mantissa < 0 ? -d->mantissa : d->mantissa;
    int n = snprintf(digits, sizeof digits, "%" PRId64, m), used = 0;
    CHECK(n > 0 && n <= 16);
    if (d->mantissa < 0) ret[used++] = '-';
    if (d->power >= 0) {
        (void) snprintf(ret + used, (size_t) (DECIMAL_TEXT - used), "%s%.*s", digits,
            d->power, "0000000000000000000000");
        return;
    }
    int behind = -d->power, before = n - behind;
    (void) snprintf(ret + used, (size_t) (DECIMAL_TEXT - used), "%.*s.%.*s%s",
        before > 0 ? before : 1, before > 0 ? digits : "0", before > 0 ? 0 : -before,
        "0000000000000000000000", digits + (before > 0 ? before : 0));
}
