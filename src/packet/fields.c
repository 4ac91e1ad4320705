/* SPDX-License-Identifier: Apache-2.0 */
/* Where the bytes of a packet go, for a person who has too many. */
#include "packet/part.h"

#include "base/check.h"

#include <string.h>

static const kith_field fixed[] = {
    { "version", 0, 1 },
    { "type", AT_TYPE, 1 },
    { "flags", AT_FLAGS, 2 },
    { "template", AT_TEMPLATE, KITH_TEMPLATE_SIZE },
    { "source", AT_SOURCE, KITH_KEY_SIZE },
    { "epoch", AT_EPOCH, 8 },
    { "seq", AT_SEQ, 8 },
    { "t_end", AT_T_END, 8 },
    { "span", AT_SPAN, 4 },
    { "ttl", AT_TTL, 4 },
};

static const char *const parts[PART_COUNT] = { "effect", "covariance", "counts",
    "confidence", "context16", "context8", "privacy", "conclusion", "text", "digest",
    "sketch" };

/* Bytes of the part behind flag bit `bit`. Counts are believed up to their
 * maximum, so that sizes can be shown for content that will be refused. */
static size_t part_size(const kith_content *c, unsigned bit) {
    CHECK(bit < PART_COUNT);
    size_t p = part_values(c->components, KITH_EFFECT_MAX);
    switch (1u << bit) {
    case KITH_HAS_EFFECT: return 6 + 8 * p;
    case KITH_HAS_COVARIANCE: return 8 * part_triangle(p);
    case KITH_HAS_COUNTS: return 8;
    case KITH_HAS_CONFIDENCE: return 4;
    case KITH_HAS_CONTEXT16: return 1 + 2 * part_values(c->context16_count, CONTEXT16_MAX);
    case KITH_HAS_CONTEXT8: return 1 + part_values(c->context8_count, CONTEXT8_MAX);
    case KITH_HAS_PRIVACY: return 9;
    case KITH_HAS_CONCLUSION: return 2;
    case KITH_HAS_TEXT: return 1u + c->text_length;
    case KITH_HAS_DIGEST:
        return DIGEST_HEAD + 64 * part_values(c->digest.components, KITH_EFFECT_MAX);
    default: return SKETCH_SIZE;
    }
}

typedef struct table {
    kith_field *rows;
    size_t count, max, total;
} table;

static void add(table *t, const char *name, size_t size) {
    CHECK(t->total + size <= UINT16_MAX);
    if (t->count < t->max) {
        t->rows[t->count++] = (kith_field){ name, (uint16_t) t->total, (uint16_t) size };
    }
    t->total += size;
}

size_t kith_packet_fields(
    const kith_content *content, kith_field *ret_rows, size_t rows_max, size_t *ret_total) {
    CHECK(content != NULL);
    CHECK(ret_rows != NULL || rows_max == 0);
    CHECK(ret_total != NULL);
    table t = { ret_rows, 0, rows_max, 0 };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        add(&t, fixed[i].name, fixed[i].size);
    }
    add(&t, "subject", 1 + strnlen(content->address.subject, KITH_SUBJECT_MAX));
    for (unsigned bit = 0; bit < PART_COUNT; bit++) {
        if ((content->has >> bit & 1) != 0) add(&t, parts[bit], part_size(content, bit));
    }
    add(&t, "signature", KITH_SIGNATURE_SIZE);
    CHECK(t.count <= rows_max);
    *ret_total = t.total;
    return t.count;
}
