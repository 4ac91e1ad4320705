/* SPDX-License-Identifier: Apache-2.0 */
/* Python's json.dumps: its numbers are repr(), its strings ASCII. The locale of the
 * process decides how C writes a decimal point, so no point of C's is ever copied. */
#include "legacy/python.h"

#include "base/check.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 17 /* of a double that must come back */

void ki_line_raw(line *l, const char *text) {
    CHECK(l->at <= l->end);
    size_t n = strlen(text), room = (size_t) (l->end - l->at);
    if (l->full || n >= room) {
        l->full = true;
        return;
    }
    memcpy(l->at, text, n + 1);
    l->at += n;
}

void ki_line_int(line *l, long long x) {
    char text[24];
    (void) snprintf(text, sizeof text, "%lld", x);
    ki_line_raw(l, text);
}

/* One character of well-formed UTF-8. */
static const char *character(const char *p, unsigned *ret) {
    const unsigned char *u = (const unsigned char *) p;
    unsigned more = u[0] < 0x80 ? 0 : u[0] < 0xe0 ? 1 : u[0] < 0xf0 ? 2 : 3;
    *ret = more == 0 ? u[0] : u[0] & (0x3fu >> more);
    for (unsigned i = 1; i <= more && u[i] != '\0'; i++) {
        *ret = *ret << 6 | (u[i] & 0x3fu);
        p++;
    }
    return p + 1;
}

static void escaped(line *l, unsigned c) {
    static const char letters[] = "\bb\tt\nn\ff\rr\"\"\\\\";
    char text[16];
    for (const char *p = letters; *p != '\0'; p += 2) {
        if ((unsigned char) *p == c) {
            (void) snprintf(text, sizeof text, "\\%c", p[1]);
            ki_line_raw(l, text);
            return;
        }
    }
    if (c >= 0x10000) {
        c -= 0x10000;
        (void) snprintf(
            text, sizeof text, "\\u%04x\\u%04x", 0xd800 | c >> 10, 0xdc00 | (c & 0x3ff));
    } else {
        (void) snprintf(text, sizeof text, "\\u%04x", c);
    }
    ki_line_raw(l, text);
}

void ki_line_string(line *l, const char *text) {
    ki_line_raw(l, "\"");
    while (*text != '\0') {
        unsigned c;
        text = character(text, &c);
        if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
            ki_line_raw(l, (char[2]){ (char) c, '\0' });
        } else {
            escaped(l, c);
        }
    }
    ki_line_raw(l, "\"");
}

/* ---- numbers ---- */

typedef struct decimal {
    char digits[DIGITS_MAX + 1];
    int exponent; /* x = 0.DIGITS times ten to this */
} decimal;

/* "d<point>ddde-12", whatever the point is here. */
static decimal taken_apart(const char *text) {
    decimal d = { .exponent = 1 };
    size_t n = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text >= '0' && *text <= '9' && n < DIGITS_MAX) d.digits[n++] = *text;
    }
    while (n > 1 && d.digits[n - 1] == '0') n--;
    d.digits[n] = '\0';
    if (*text == 'e') d.exponent += atoi(text + 1);
    return d;
}

/* One more in the last digit. Where the doubles below x lie closer than those above,
 * at powers of two, that may be the shortest number which gives x. */
static bool next_gives(double x, char *text) {
    for (char *p = strchr(text, 'e') - 1; p >= text; p--) {
        if (*p >= '0' && *p < '9') {
            *p = (char) (*p + 1);
            return strtod(text, NULL) == x;
        }
        if (*p == '9') *p = '0';
    }
    return false;
}

/* x > 0. What needs fewer than 15 digits has zeros at the end of 15; only below the
 * normal range do fewer digits tell one number from the next. */
static decimal shortest(double x) {
    char text[PYTHON_REAL_MAX];
    for (int digits = x < DBL_MIN ? 1 : DBL_DIG; digits < DIGITS_MAX; digits++) {
        (void) snprintf(text, sizeof text, "%.*e", digits - 1, x);
        double back = strtod(text, NULL);
        if (back == x) return taken_apart(text);
        if (back < x && next_gives(x, text)) {
            return taken_apart(text);
        }
    }
    (void) snprintf(text, sizeof text, "%.*e", DIGITS_MAX - 1, x);
    return taken_apart(text);
}

/* Python leaves the plain form below 1e-4 and from 1e16 on. */
static void written(line *l, const decimal *d) {
    int n = (int) strlen(d->digits), point = d->exponent;
    char text[PYTHON_REAL_MAX * 2];
    if (point <= -4 || point > 16) {
        (void) snprintf(text, sizeof text, "%.1s%s%se%c%02d", d->digits, n > 1 ? "." : "",
            d->digits + 1, point > 0 ? '+' : '-', abs(point - 1));
    } else if (point <= 0) {
        (void) snprintf(text, sizeof text, "0.%.*s%s", -point, "0000", d->digits);
    } else if (n <= point) {
        (void) snprintf(
            text, sizeof text, "%s%.*s.0", d->digits, point - n, "0000000000000000");
    } else {
        (void) snprintf(text, sizeof text, "%.*s.%s", point, d->digits, d->digits + point);
    }
    ki_line_raw(l, text);
}

void ki_line_real(line *l, double x) {
    CHECK(isfinite(x));
    if (signbit(x)) ki_line_raw(l, "-");
    if (x == 0) {
        ki_line_raw(l, "0.0");
        return;
    }
    decimal d = shortest(fabs(x));
    written(l, &d);
}

size_t ki_python_real(double x, char ret[PYTHON_REAL_MAX]) {
    line l = { ret, ret + PYTHON_REAL_MAX, false };
    ki_line_real(&l, x);
    CHECK(!l.full);
    return (size_t) (l.at - ret);
}
