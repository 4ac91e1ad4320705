/* SPDX-License-Identifier: Apache-2.0 */
/* Text that may be shown to a person: well-formed UTF-8 in its shortest form,
 * without anything that moves the cursor, breaks the line or turns the reading
 * direction around. */
#include "packet/part.h"

static bool follows(uint8_t byte) {
    return (byte & 0xc0) == 0x80;
}

/* The character at p, and its length; 0: not UTF-8. left >= 1. */
static size_t character(const uint8_t *p, size_t left, uint32_t *ret) {
    uint32_t a = p[0];
    if (a < 0x80) {
        *ret = a;
        return 1;
    }
    if (a >= 0xc2 && a <= 0xdf && left >= 2 && follows(p[1])) {
        *ret = (a & 0x1f) << 6 | (p[1] & 0x3fu);
        return 2;
    }
    if ((a & 0xf0) == 0xe0 && left >= 3 && follows(p[1]) && follows(p[2])) {
        *ret = (a & 0x0f) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
        bool surrogate = *ret >= 0xd800 && *ret <= 0xdfff;
        return *ret >= 0x800 && !surrogate ? 3 : 0;
    }
    if ((a & 0xf8) == 0xf0 && left >= 4 && follows(p[1]) && follows(p[2]) &&
        follows(p[3])) {
        *ret = (a & 7) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
        return *ret >= 0x10000 && *ret <= 0x10ffff ? 4 : 0;
    }
    return 0;
}

/* C0, DEL and C1; the line and paragraph separators; the marks, embeddings,
 * overrides and isolates of bidirectional text. */
static bool shown(uint32_t c) {
    if (c < 0x20 || (c >= 0x7f && c <= 0x9f)) return false;
    if (c < 0x61c) return true;
    return c != 0x61c && c != 0x200e && c != 0x200f && !(c >= 0x2028 && c <= 0x202e) &&
           !(c >= 0x2066 && c <= 0x2069);
}

bool ki_text_ok(const char *text, size_t length) {
    if (length == 0 || length > KITH_TEXT_MAX) {
        return false;
    }
    const uint8_t *p = (const uint8_t *) text;
    while (length > 0) {
        uint32_t c;
        size_t n = character(p, length, &c);
        if (n == 0 || !shown(c)) {
            return false;
        }
        p += n;
        length -= n;
    }
    return true;
}
