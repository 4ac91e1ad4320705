/* SPDX-License-Identifier: Apache-2.0 */
/* Text that may be shown to a person: well-formed UTF-8 in its shortest form,
 * without anything that moves the cursor, breaks the line or turns the reading
 * direction around. */
#include "packet/part.h"

#include "base/check.h"
#include "base/lanes.h"
#include "base/wire.h"

static bool follows(uint8_t byte) {
    return (byte & 0xc0) == 0x80;
}

/* The character beyond ASCII at p, and its length; 0: not UTF-8. left >= 1. */
static size_t character(const uint8_t *p, size_t left, uint32_t *ret) {
    CHECK_HOT(left >= 1);
    uint32_t a = p[0];
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

/* Beyond ASCII: not C1, not the separators of lines and paragraphs, not the
 * marks, embeddings, overrides and isolates of bidirectional text. */
static bool shown(uint32_t c) {
    if (c <= 0x9f) return false;
    if (c < 0x61c) return true;
    return c != 0x61c && c != 0x200e && c != 0x200f && !(c >= 0x2028 && c <= 0x202e) &&
           !(c >= 0x2066 && c <= 0x2069);
}

/* Three bytes led by E3..EF, most of the world's writing: only behind ED there is
 * something to refuse. Reads four bytes. */
static bool common(const uint8_t *p) {
    uint32_t word = wire_get32(p);
    return (word & 0xf0c0c000) == 0xe0808000 && *p > 0xe2 && *p != 0xed;
}

/* Characters beyond ASCII, as many as follow each other. NULL: one is wrong. */
static const uint8_t *beyond(const uint8_t *p, const uint8_t *end) {
    while (p < end && *p >= 0x80) {
        if (end - p >= 3 && common(p)) {
            p += 3;
            continue;
        }
        uint32_t c;
        size_t n = character(p, (size_t) (end - p), &c);
        if (n == 0 || !shown(c)) return NULL;
        p += n;
    }
    CHECK(p <= end);
    return p;
}

bool ki_text_ok(const uint8_t *text, size_t length) {
    CHECK(text != NULL);
    const uint8_t *p = text, *end = text + length;
    while (p < end) {
        uint32_t others = ~lanes_between(lanes_load(p), 0x20, 0x7e);
        others &= lanes_first((size_t) (end - p));
        if (others == 0) {
            p += LANES;
            continue;
        }
        p += __builtin_ctz(others);
        if (*p < 0x80) return false;
        p = beyond(p, end);
        if (p == NULL) return false;
    }
    return true;
}
