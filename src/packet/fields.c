/* SPDX-License-Identifier: Apache-2.0 */
/* Where the bytes of a packet go, for a person who has too many. */
#include "packet/part.h"

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

typedef struct table {
    kith_field *rows;
    size_t count, max, total;
} table;

static void add(table *t, const char *name, size_t size) {
    if (t->count < t->max) {
        t->rows[t->count++] = (kith_field){ name, (uint16_t) t->total, (uint16_t) size };
    }
    t->total += size;
}

size_t kith_packet_fields(
    const kith_content *content, kith_field *ret_rows, size_t rows_max, size_t *ret_total) {
    table t = { ret_rows, 0, rows_max, 0 };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        add(&t, fixed[i].name, fixed[i].size);
    }
    add(&t, "subject", 1 + strnlen(content->address.subject, KITH_SUBJECT_MAX));
    for (unsigned bit = 0; bit < PART_COUNT; bit++) {
        if ((content->has >> bit & 1) != 0) add(&t, parts[bit], ki_part_size(content, bit));
    }
    add(&t, "signature", KITH_SIGNATURE_SIZE);
    *ret_total = t.total;
    return t.count;
}
