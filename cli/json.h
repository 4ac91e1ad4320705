/* SPDX-License-Identifier: Apache-2.0 */
/* cli/json.h - writes JSON, a value at a time, straight to a stream.
 *
 * Holds no text, so nothing grows; nesting is bounded. 64-bit integers are
 * decimal strings, because browsers and jq round them; NaN is null; doubles are
 * the shortest text that reads back the same. A plain value; one thread.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 16

typedef struct json {
    FILE *to;
    unsigned depth;
    bool comma[JSON_DEPTH_MAX];
    bool keyed; /* a key stands before the next value */
} json;

json js_to(FILE *to);
void js_begin(json *j, char bracket); /* '{' or '[' */
void js_end(json *j, char bracket);   /* '}' or ']' */
void js_key(json *j, const char *key);
void js_text(json *j, const char *text); /* NULL: null; bytes that are no UTF-8: U+FFFD */
void js_int(json *j, int64_t value);     /* of at most 32 bits: a plain number */
void js_count(json *j, uint64_t value);  /* as a string */
void js_big(json *j, int64_t value);     /* as a string */
void js_real(json *j, double value);
void js_bool(json *j, bool value);
void js_null(json *j);
void js_hex(json *j, const uint8_t *bytes, size_t length);
void js_time(json *j, int64_t wall_us); /* RFC 3339 UTC */

/* Bytes of the UTF-8 sequence that begins here; 0: it is none. */
size_t utf8_sequence(const unsigned char *s);

/* The same texts, for tables. Each returns ret. */
enum {
    REAL_TEXT = 32,
    TIME_TEXT = 40,
};
char *real_text(double value, char ret[REAL_TEXT]);
char *time_text(int64_t wall_us, char ret[TIME_TEXT]);
char *hex_text(const uint8_t *bytes, size_t length, char *ret); /* 2 * length + 1 */

#endif
