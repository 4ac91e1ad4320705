/* SPDX-License-Identifier: Apache-2.0 */
/* packet/decimal.h - decimal numbers that mean the same bits on every machine: no
 * locale, at most 15 digits, one IEEE operation. */
#ifndef PACKET_DECIMAL_H
#define PACKET_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* mantissa * 10^power, without zeros at the end; |mantissa| <= 10^15, -22 <= power. */
typedef struct ki_decimal {
    int64_t mantissa;
    int power;
} ki_decimal;

#define DECIMAL_TEXT 48

/* "-1.50", "2e-3"; digits behind the fifteenth are rounded. false: it is no number, or
 * beyond 10^22. Reads length bytes exactly. */
bool ki_decimal_parse(const char *text, size_t length, ki_decimal *ret);
double ki_decimal_value(const ki_decimal *d);
/* "-1.5", "0.002": no exponent, no zero that says nothing. */
void ki_decimal_show(const ki_decimal *d, char ret[DECIMAL_TEXT]);

#endif
