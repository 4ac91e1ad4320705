/* SPDX-License-Identifier: Apache-2.0 */
/* Writes frames: docs/formats/sync.md. */
#include "sync/frame.h"

#include "base/check.h"
#include "base/wire.h"

/* Every put checks for room, then writes; what did not fit is undone by whoever
 * began the piece. */
static bool room(const ki_writer *w, size_t size) {
    return w->length + size <= FRAME_MAX;
}

static bool put_byte(ki_writer *w, uint8_t v) {
    if (!room(w, 1)) {
        return false;
    }
    w->bytes[w->length++] = v;
    return true;
}

static bool put_bytes(ki_writer *w, const uint8_t *bytes, size_t size) {
    if (!room(w, size)) {
        return false;
    }
    memcpy(w->bytes + w->length, bytes, size);
    w->length += size;
    return true;
}

static bool put_varint(ki_writer *w, uint64_t v) {
    for (; v >= 0x80; v >>= 7) {
        if (!put_byte(w, (uint8_t) (v | 0x80))) {
            return false;
        }
    }
    return put_byte(w, (uint8_t) v);
}

static bool put_64(ki_writer *w, uint64_t v) {
    uint8_t b[8];
    wire_put64(b, v);
    return put_bytes(w, b, sizeof b);
}

static bool put_bound(ki_writer *w, ki_bound v) {
    uint8_t now[16], last[16];
    wire_put64(now, v.expiry);
    wire_put64(now + 8, v.id);
    wire_put64(last, w->last.expiry);
    wire_put64(last + 8, w->last.id);
    w->last = v;
    if (ki_bound_order(v, BOUND_END) == 0) {
        return put_byte(w, 0xff);
    }
    size_t shared = 0, end = 16;
    while (shared < 15 && now[shared] == last[shared]) shared++;
    while (end > shared && now[end - 1] == 0) end--;
    size_t follow = end - shared;
    if (follow > 14) {
        follow = 16 - shared;
    }
    uint8_t first = (uint8_t) (shared << 4 | (follow > 14 ? 15 : follow));
    return put_byte(w, first) && put_bytes(w, now + shared, follow);
}

static bool put_parts(ki_writer *w, const ki_piece *p) {
    CHECK(p->count >= 1 && p->count <= PARTS_MAX);
    bool fits = put_byte(w, (uint8_t) p->count);
    for (uint32_t i = 0; i < p->count && fits; i++) {
        const ki_part *part = &p->parts[i];
        fits = (i + 1 == p->count || put_bound(w, part->hi)) &&
               put_varint(w, part->count) && put_64(w, part->print);
    }
    return fits;
}

static bool put_tags(ki_writer *w, const ki_piece *p, uint32_t most) {
    CHECK(p->count <= most);
    bool fits = put_byte(w, (uint8_t) p->count);
    for (uint32_t i = 0; i < p->count && fits; i++) fits = put_64(w, p->tags[i]);
    return fits;
}

static bool put_cells(ki_writer *w, const ki_piece *p) {
    CHECK(p->count >= 1 && p->count <= CELLS_MAX);
    CHECK(p->start % CELLS_STEP == 0 && p->count % CELLS_STEP == 0);
    bool fits = put_varint(w, p->start / CELLS_STEP) &&
                put_byte(w, (uint8_t) (p->count / CELLS_STEP));
    for (uint32_t i = 0; i < p->count && fits; i++) {
        const ki_cell *c = &p->cells[i];
        uint8_t check[4];
        wire_put32(check, c->check);
        uint32_t zigzag = (uint32_t) c->count << 1 ^ (c->count < 0 ? UINT32_MAX : 0);
        fits = put_64(w, c->sum) && put_bytes(w, check, 4) && put_varint(w, zigzag);
    }
    return fits;
}

static bool put_ask(ki_writer *w, const ki_piece *p) {
    if (p->kind != ASK_TAGS && !put_varint(w, p->rid)) {
        return false;
    }
    if (p->kind != ASK_ROOT && !(put_bound(w, p->lo) && put_bound(w, p->hi))) {
        return false;
    }
    switch (p->kind) {
    case ASK_CELLS:
        return put_varint(w, p->start / CELLS_STEP) &&
               put_byte(w, (uint8_t) (p->count / CELLS_STEP));
    case ASK_RANGE: return put_varint(w, p->total);
    case ASK_TAGS: return put_tags(w, p, WANT_MAX);
    default: return true;
    }
}

static bool put_tell(ki_writer *w, const ki_piece *p) {
    switch (p->kind) {
    case TELL_BUSY: return put_varint(w, p->total) && put_byte(w, p->reason);
    case TELL_FLOOR: return put_varint(w, p->total);
    default: break;
    }
    if (!put_varint(w, p->rid)) {
        return false;
    }
    switch (p->kind) {
    case TELL_ROOT: return put_varint(w, p->total) && put_bytes(w, p->root, ROOT_SIZE);
    case TELL_SPLIT: return put_parts(w, p);
    case TELL_ITEMS: return put_tags(w, p, TAGS_MAX);
    case TELL_CELLS: return put_cells(w, p);
    default: return put_bound(w, p->hi) && put_varint(w, p->total);
    }
}

void ki_frame_begin(ki_writer *w, const ki_head *head) {
    memset(w, 0, sizeof *w);
    memcpy(w->bytes, "KS\1", 3);
    w->bytes[3] = head->type;
    wire_put64(w->bytes + 4, head->to);
    wire_put64(w->bytes + 12, head->from);
    wire_put64(w->bytes + 20, head->nonce);
    wire_put32(w->bytes + 28, head->scope);
    wire_put32(w->bytes + 32, head->floor);
    w->length = FRAME_HEAD;
}

bool ki_frame_put(ki_writer *w, const ki_piece *piece) {
    uint8_t type = w->bytes[3];
    CHECK(type == FRAME_ASK || type == FRAME_TELL);
    CHECK(piece->kind <= (type == FRAME_ASK ? ASK_TAGS : TELL_END));
    size_t length = w->length;
    ki_bound last = w->last;
    if (w->pieces < ASKS_MAX && put_byte(w, piece->kind) &&
        (type == FRAME_ASK ? put_ask(w, piece) : put_tell(w, piece))) {
        w->pieces++;
        return true;
    }
    w->length = length;
    w->last = last;
    return false;
}

void ki_frame_hello(ki_writer *w, const ki_hello *h) {
    uint8_t boundary[4];
    wire_put32(boundary, h->boundary);
    bool fits = put_byte(w, h->answer) && put_bytes(w, h->key, KITH_KEY_SIZE) &&
                put_bytes(w, h->ephemeral, 32) && put_bytes(w, boundary, 4) &&
                put_varint(w, h->stored) && put_varint(w, h->count) &&
                put_bytes(w, h->root, ROOT_SIZE) &&
                put_bytes(w, h->trust, sizeof h->trust) && put_byte(w, h->patterns.count) &&
                put_bytes(w, h->patterns.bytes, h->patterns.length);
    CHECK(fits);
    CHECK(room(w, FRAME_SIGNATURE));
}

bool ki_frame_keys(ki_writer *w, const ki_keys *k) {
    CHECK(k->count >= 1 && k->count <= RUNS_MAX);
    uint64_t at = 0;
    bool fits = put_bytes(w, k->source, sizeof k->source) && put_varint(w, k->epoch) &&
                put_byte(w, (uint8_t) k->count);
    for (uint32_t i = 0; i < k->count && fits; i++) {
        CHECK(k->runs[i].first >= at && k->runs[i].length >= 1);
        fits = put_varint(w, k->runs[i].first - at) && put_varint(w, k->runs[i].length);
        at = k->runs[i].first + k->runs[i].length;
    }
    return fits;
}

void ki_frame_seal(ki_writer *w, const uint8_t key[32]) {
    ki_frame_mac(key, w->bytes, w->length, w->bytes + FRAME_MAC_AT);
}
