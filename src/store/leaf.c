/* SPDX-License-Identifier: Apache-2.0 */
#include "store/leaf.h"

#include <string.h>

enum {
    TABLE_LEAF = 13,
    COLUMNS = 13, /* of pkt */
    COLUMN_OWN = 7,
    COLUMN_AT = 9,
    COLUMN_PID = 11,
    COLUMN_BODY = 12,
    CELLS_AT = 8,
};

typedef struct cursor {
    const uint8_t *at, *end;
    bool bad;
} cursor;

/* 1 to 9 bytes, seven bits each but the ninth. */
static uint64_t varint(cursor *c) {
    uint64_t v = 0;
    for (int i = 0; i < 9; i++) {
        if (c->at >= c->end) {
            c->bad = true;
            return 0;
        }
        uint8_t b = *c->at++;
        if (i == 8) return v << 8 | b;
        v = v << 7 | (b & 0x7f);
        if (b < 0x80) return v;
    }
    return v;
}

static size_t size_of(uint64_t type) {
    static const uint8_t sizes[] = { 0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0 };
    return type < 12 ? sizes[type] : (size_t) ((type - 12) / 2);
}

static int64_t integer(uint64_t type, const uint8_t *p) {
    if (type == 8 || type == 9) {
        return (int64_t) type - 8;
    }
    uint64_t v = type >= 1 && type <= 6 && (p[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (size_t i = 0; type >= 1 && type <= 6 && i < size_of(type); i++) {
        v = v << 8 | p[i];
    }
    return (int64_t) v;
}

/* A record's header names a type for each column; the values follow. */
static bool parse_row(const uint8_t *payload, size_t length, ki_leaf_row *ret) {
    uint64_t types[COLUMNS];
    const uint8_t *values[COLUMNS];
    cursor c = { .at = payload, .end = payload + length };
    uint64_t header = varint(&c);
    if (c.bad || header > length) {
        return false;
    }
    const uint8_t *value = payload + header;
    c.end = value;
    for (size_t i = 0; i < COLUMNS; i++) {
        types[i] = varint(&c);
        if (c.bad || types[i] > 1 << 20 ||
            size_of(types[i]) > (size_t) (payload + length - value)) {
            return false;
        }
        values[i] = value;
        value += size_of(types[i]);
    }
    size_t body = size_of(types[COLUMN_BODY]);
    bool fits = c.at == c.end && types[COLUMN_PID] == 12 + 2 * KITH_ID_SIZE &&
                types[COLUMN_BODY] >= 12 && types[COLUMN_BODY] % 2 == 0 && body >= 1 &&
                body <= KITH_PACKET_MAX;
    if (!fits) {
        return false;
    }
    *ret = (ki_leaf_row){
        .own = integer(types[COLUMN_OWN], values[COLUMN_OWN]) == 1,
        .at = integer(types[COLUMN_AT], values[COLUMN_AT]),
        .packet.length = (uint16_t) body,
    };
    memcpy(ret->id, values[COLUMN_PID], KITH_ID_SIZE);
    memcpy(ret->packet.bytes, values[COLUMN_BODY], body);
    return true;
}

int ki_leaf_rows(const uint8_t *page, size_t size,
    int (*each)(void *ctx, const ki_leaf_row *row), void *ctx) {
    if (size < CELLS_AT || page[0] != TABLE_LEAF) {
        return 0;
    }
    size_t cells = (size_t) page[3] << 8 | page[4];
    for (size_t i = 0; i < cells && CELLS_AT + 2 * i + 2 <= size; i++) {
        const uint8_t *slot = page + CELLS_AT + 2 * i;
        size_t at = (size_t) slot[0] << 8 | slot[1];
        if (at >= size) {
            continue;
        }
        cursor c = { .at = page + at, .end = page + size };
        uint64_t length = varint(&c);
        (void) varint(&c); /* the row's number */
        ki_leaf_row row;
        if (c.bad || length > (uint64_t) (c.end - c.at) ||
            !parse_row(c.at, (size_t) length, &row)) {
            continue;
        }
        int r = each(ctx, &row);
        if (r < 0) return r;
    }
    return 0;
}
