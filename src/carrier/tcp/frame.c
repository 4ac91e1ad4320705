/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/tcp/frame.h"

#include "base/check.h"
#include "base/wire.h"

#include <string.h>

#define MAGIC "kith"

/* How long a body may be, by type. */
static const struct {
    uint32_t min, max;
    bool counts; /* else count is zero */
} shape[] = {
    [FRAME_HELLO] = { HELLO_SIZE, HELLO_SIZE, false },
    [FRAME_PROOF] = { 1, PROOF_MAX, false },
    [FRAME_WANT] = { 5, 5 + KITH_PATTERNS_MAX *(1 + KITH_SUBJECT_MAX), true },
    [FRAME_WANTED] = { 4, 4, false },
    [FRAME_BATCH] = { BATCH_LOST, FRAME_MAX - FRAME_HEADER, true },
    [FRAME_CREDIT] = { 8, 8, false },
    [FRAME_BYE] = { 1, 1, false },
};

int ki_tcp_frame(const uint8_t *bytes, size_t length, frame *ret) {
    if (length < FRAME_HEADER) {
        return KITH_EMPTY;
    }
    frame f = { .type = bytes[0],
        .count = wire_get16(bytes + 2),
        .length = wire_get32(bytes + 4),
        .body = bytes + FRAME_HEADER };
    if (f.type < FRAME_HELLO || f.type > FRAME_BYE || bytes[1] != 0 ||
        f.length < shape[f.type].min || f.length > shape[f.type].max ||
        (f.count != 0 && !shape[f.type].counts)) {
        return KITH_E_FORMAT;
    }
    if (length - FRAME_HEADER < f.length) {
        return KITH_EMPTY;
    }
    *ret = f;
    return 0;
}

void ki_tcp_put_header(uint8_t *to, frame_type type, uint16_t count, size_t body) {
    CHECK(body >= shape[type].min && body <= shape[type].max);
    to[0] = (uint8_t) type;
    to[1] = 0;
    wire_put16(to + 2, count);
    wire_put32(to + 4, (uint32_t) body);
}

int ki_tcp_get_hello(const frame *f, hello *ret) {
    const uint8_t *b = f->body;
    CHECK(f->type == FRAME_HELLO && f->length == HELLO_SIZE);
    static const uint8_t zero[4];
    hello h = {
        .version = b[4], .role = b[5], .method = b[6], .window = wire_get32(b + 8)
    };
    if (memcmp(b, MAGIC, 4) != 0 || b[7] != 0 || memcmp(b + 12, zero, 4) != 0 ||
        (h.role != ROLE_HUB && h.role != ROLE_LEAF) || h.window < FRAME_MAX) {
        return KITH_E_FORMAT;
    }
    memcpy(h.id, b + 16, sizeof h.id);
    memcpy(h.challenge, b + 32, sizeof h.challenge);
    *ret = h;
    return 0;
}

int ki_tcp_check_batch(const frame *f) {
    CHECK(f->type == FRAME_BATCH && f->length >= BATCH_LOST);
    const uint8_t *at = f->body + BATCH_LOST, *end = f->body + f->length;
    for (uint32_t i = 0; i < f->count; i++) {
        batch_item item;
        if (end - at < ITEM_HEAD) {
            return KITH_E_FORMAT;
        }
        size_t size = ki_tcp_item(at, &item);
        bool packet = item.kind == KITH_ITEM_PACKET && item.subject_length >= 1 &&
                      item.subject_length <= KITH_SUBJECT_MAX;
        bool sync = item.kind == KITH_ITEM_SYNC && item.subject_length == 0;
        if ((!packet && !sync) || item.length < 1 || item.length > KITH_PACKET_MAX ||
            (size_t) (end - at) < size) {
            return KITH_E_FORMAT;
        }
        at += size;
    }
    return at == end ? 0 : KITH_E_FORMAT;
}

uint32_t ki_tcp_batch_lost(const frame *f) {
    return wire_get32(f->body);
}

uint32_t ki_tcp_get32(const frame *f) {
    CHECK(f->length >= 4);
    return wire_get32(f->body);
}

uint64_t ki_tcp_get64(const frame *f) {
    CHECK(f->length >= 8);
    return wire_get64(f->body);
}

size_t ki_tcp_put_hello(uint8_t *to, const hello *h) {
    uint8_t *b = to + FRAME_HEADER;
    ki_tcp_put_header(to, FRAME_HELLO, 0, HELLO_SIZE);
    memset(b, 0, HELLO_SIZE);
    memcpy(b, MAGIC, 4);
    b[4] = h->version;
    b[5] = h->role;
    b[6] = h->method;
    wire_put32(b + 8, h->window);
    memcpy(b + 16, h->id, sizeof h->id);
    memcpy(b + 32, h->challenge, sizeof h->challenge);
    return FRAME_HEADER + HELLO_SIZE;
}

size_t ki_tcp_put_number32(uint8_t *to, frame_type type, uint32_t number) {
    ki_tcp_put_header(to, type, 0, 4);
    wire_put32(to + FRAME_HEADER, number);
    return FRAME_HEADER + 4;
}

size_t ki_tcp_put_credit(uint8_t *to, uint64_t through) {
    ki_tcp_put_header(to, FRAME_CREDIT, 0, 8);
    wire_put64(to + FRAME_HEADER, through);
    return FRAME_HEADER + 8;
}

size_t ki_tcp_put_bye(uint8_t *to, frame_bye why) {
    ki_tcp_put_header(to, FRAME_BYE, 0, 1);
    to[FRAME_HEADER] = (uint8_t) why;
    return FRAME_HEADER + 1;
}
