/* SPDX-License-Identifier: Apache-2.0 */
/* Reads frames from anybody: docs/formats/sync.md. What is not exactly a frame
 * is KITH_E_FORMAT; nothing is believed before it is bounded. */
#include "sync/frame.h"

#include <kith/address.h>
#include <kith/error.h>

#include "base/wire.h"

static bool get_bytes(ki_reader *r, uint8_t *ret, size_t size) {
    if (r->end - r->at < size) {
        return false;
    }
    memcpy(ret, r->bytes + r->at, size);
    r->at += size;
    return true;
}

static bool get_byte(ki_reader *r, uint8_t *ret) {
    return get_bytes(r, ret, 1);
}

static bool get_64(ki_reader *r, uint64_t *ret) {
    uint8_t b[8];
    if (!get_bytes(r, b, sizeof b)) {
        return false;
    }
    *ret = wire_get64(b);
    return true;
}

/* One form for each number: no needless last byte, nothing beyond 64 bits. */
static bool get_varint(ki_reader *r, uint64_t *ret) {
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        uint8_t b;
        if (!get_byte(r, &b) || (shift == 63 && b > 1)) {
            return false;
        }
        v |= (uint64_t) (b & 0x7f) << shift;
        if (b < 0x80) {
            *ret = v;
            return b != 0 || shift == 0;
        }
    }
    return false;
}

static bool get_small(ki_reader *r, uint32_t *ret, uint64_t most) {
    uint64_t v;
    if (!get_varint(r, &v) || v > most) {
        return false;
    }
    *ret = (uint32_t) v;
    return true;
}

static bool get_bound(ki_reader *r, ki_bound *ret) {
    uint8_t first, b[16];
    if (!get_byte(r, &first)) {
        return false;
    }
    if (first == 0xff) {
        *ret = r->last = BOUND_END;
        return true;
    }
    size_t shared = first >> 4, follow = first & 15;
    follow = follow == 15 ? 16 - shared : follow;
    if (shared + follow > 16) {
        return false;
    }
    wire_put64(b, r->last.expiry);
    wire_put64(b + 8, r->last.id);
    memset(b + shared, 0, 16 - shared);
    if (!get_bytes(r, b + shared, follow)) {
        return false;
    }
    *ret = r->last = (ki_bound){ wire_get64(b), wire_get64(b + 8) };
    return true;
}

static bool get_tags(ki_reader *r, ki_piece *p, uint32_t most) {
    bool good = get_small(r, &p->count, most);
    for (uint32_t i = 0; i < p->count && good; i++) good = get_64(r, &p->tags[i]);
    return good;
}

/* Bounds rise, and the last is that of the whole, which the asker knows. */
static bool get_parts(ki_reader *r, ki_piece *p) {
    bool good = get_small(r, &p->count, PARTS_MAX) && p->count >= 1;
    for (uint32_t i = 0; i < p->count && good; i++) {
        ki_part *part = &p->parts[i];
        part->hi = BOUND_END;
        good = (i + 1 == p->count || get_bound(r, &part->hi)) &&
               get_varint(r, &part->count) && get_64(r, &part->print) &&
               (i == 0 || ki_bound_order(p->parts[i - 1].hi, part->hi) < 0);
    }
    return good;
}

static bool get_extent(ki_reader *r, ki_piece *p, uint32_t most) {
    bool good = get_small(r, &p->start, UINT32_MAX / CELLS_STEP - CELLS_MAX) &&
                get_small(r, &p->count, most / CELLS_STEP) && p->count >= 1;
    p->start *= CELLS_STEP;
    p->count *= CELLS_STEP;
    return good;
}

static bool get_cells(ki_reader *r, ki_piece *p) {
    bool good = get_extent(r, p, CELLS_MAX);
    for (uint32_t i = 0; i < p->count && good; i++) {
        uint32_t zigzag = 0;
        uint8_t check[4] = { 0 };
        good = get_64(r, &p->cells[i].sum) && get_bytes(r, check, 4) &&
               get_small(r, &zigzag, UINT32_MAX);
        p->cells[i].check = wire_get32(check);
        p->cells[i].count = (int32_t) (zigzag >> 1 ^ (0u - (zigzag & 1)));
    }
    return good;
}

static bool get_ask(ki_reader *r, ki_piece *p) {
    if (p->kind > ASK_TAGS) {
        return false;
    }
    if (p->kind != ASK_TAGS && !get_small(r, &p->rid, UINT32_MAX)) {
        return false;
    }
    if (p->kind != ASK_ROOT && (!get_bound(r, &p->lo) || !get_bound(r, &p->hi) ||
                                   ki_bound_order(p->lo, p->hi) >= 0)) {
        return false;
    }
    switch (p->kind) {
    case ASK_CELLS: return get_extent(r, p, 8 * CELLS_MAX);
    case ASK_RANGE: return get_varint(r, &p->total) && p->total >= 1;
    case ASK_TAGS: return get_tags(r, p, WANT_MAX) && p->count >= 1;
    default: return true;
    }
}

static bool get_tell(ki_reader *r, ki_piece *p) {
    switch (p->kind) {
    case TELL_BUSY: return get_varint(r, &p->total) && get_byte(r, &p->reason);
    case TELL_FLOOR: return get_varint(r, &p->total) && p->total <= UINT32_MAX;
    default: break;
    }
    if (p->kind > TELL_END || !get_small(r, &p->rid, UINT32_MAX)) {
        return false;
    }
    switch (p->kind) {
    case TELL_ROOT: return get_varint(r, &p->total) && get_bytes(r, p->root, ROOT_SIZE);
    case TELL_SPLIT: return get_parts(r, p);
    case TELL_ITEMS: return get_tags(r, p, TAGS_MAX);
    case TELL_CELLS: return get_cells(r, p);
    default: return get_bound(r, &p->hi) && get_varint(r, &p->total);
    }
}

int ki_frame_open(ki_reader *r, const uint8_t *b, size_t length, ki_head *ret) {
    if (length < FRAME_HEAD || length > FRAME_MAX || memcmp(b, "KS\1", 3) != 0 ||
        b[3] < FRAME_HELLO || b[3] > FRAME_KEYS) {
        return KITH_E_FORMAT;
    }
    *ret = (ki_head){ .type = b[3],
        .to = wire_get64(b + 4),
        .from = wire_get64(b + 12),
        .nonce = wire_get64(b + 20),
        .scope = wire_get32(b + 28),
        .floor = wire_get32(b + 32) };
    *r = (ki_reader){ .bytes = b, .at = FRAME_HEAD, .end = length, .type = b[3] };
    return ret->from == 0 ? KITH_E_FORMAT : 0;
}

int ki_frame_next(ki_reader *r, ki_piece *ret) {
    if (r->at == r->end) {
        return KITH_EMPTY;
    }
    *ret = (ki_piece){ .kind = r->bytes[r->at++] };
    bool good = r->type == FRAME_ASK ? get_ask(r, ret) : get_tell(r, ret);
    return good ? 0 : KITH_E_FORMAT;
}

bool ki_frame_sound(const ki_reader *r) {
    ki_reader copy = *r;
    ki_piece piece;
    int n = 0, result = 0;
    for (; n <= ASKS_MAX && result == 0; n++) result = ki_frame_next(&copy, &piece);
    return result == KITH_EMPTY && n > 1;
}

static bool get_patterns(ki_reader *r, ki_patterns *p) {
    if (!get_byte(r, &p->count) || p->count == 0 || p->count > PATTERNS_MAX) {
        return false;
    }
    for (uint8_t i = 0; i < p->count; i++) {
        char text[KITH_SUBJECT_MAX + 1] = "";
        uint8_t n;
        if (!get_byte(r, &n) || n > KITH_SUBJECT_MAX ||
            p->length + n + 1u > PATTERNS_BYTES || !get_bytes(r, (uint8_t *) text, n) ||
            memchr(text, '\0', n) != NULL || !kith_pattern_valid(text)) {
            return false;
        }
        p->bytes[p->length] = n;
        memcpy(p->bytes + p->length + 1, text, n);
        p->length = (uint16_t) (p->length + n + 1u);
    }
    return true;
}

int ki_read_hello(ki_reader *r, ki_hello *h, const uint8_t **ret_signature) {
    uint8_t flags, boundary[4];
    memset(h, 0, sizeof *h);
    if (!get_byte(r, &flags) || flags > 1 || !get_bytes(r, h->key, KITH_KEY_SIZE) ||
        !get_bytes(r, h->ephemeral, 32) || !get_bytes(r, boundary, 4) ||
        !get_varint(r, &h->stored) || !get_varint(r, &h->count) ||
        !get_bytes(r, h->root, ROOT_SIZE) || !get_bytes(r, h->trust, sizeof h->trust) ||
        !get_patterns(r, &h->patterns) || r->end - r->at != FRAME_SIGNATURE) {
        return KITH_E_FORMAT;
    }
    h->answer = flags == 1;
    h->boundary = wire_get32(boundary);
    *ret_signature = r->bytes + r->at;
    return 0;
}

int ki_read_keys(ki_reader *r, ki_keys *k) {
    uint64_t at = 0, gap;
    memset(k, 0, sizeof *k);
    bool good = get_bytes(r, k->source, sizeof k->source) && get_varint(r, &k->epoch) &&
                get_small(r, &k->count, RUNS_MAX) && k->count >= 1;
    for (uint32_t i = 0; i < k->count && good; i++) {
        ki_run *run = &k->runs[i];
        good = get_varint(r, &gap) && get_varint(r, &run->length) && gap < 1ull << 62 &&
               run->length >= 1 && run->length < 1ull << 32 && at < 1ull << 62;
        run->first = at + gap;
        at = run->first + run->length;
    }
    return good && r->at == r->end ? 0 : KITH_E_FORMAT;
}
