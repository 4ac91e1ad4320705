/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/zmq/frame.h"

#include "base/check.h"
#include "base/wire.h"

#include <string.h>

#define VERSION   1
#define BYE_SIZE  (2 + ZMQ_NAME_SIZE)
#define HEAD_SIZE (BYE_SIZE + 4 + 4 + 4 + 1 + 1)

static size_t add_place(const ki_zmq_place *p, uint8_t *ret, size_t room) {
    char text[ZMQ_PLACE_MAX + 1];
    ki_zmq_place_text(p, text);
    size_t n = strlen(text);
    if (n + 1 > room) {
        return 0;
    }
    ret[0] = (uint8_t) n;
    memcpy(ret + 1, text, n);
    return n + 1;
}

size_t ki_zmq_hello_write(const ki_zmq_hello *h, uint8_t ret[ZMQ_HELLO_MAX]) {
    CHECK(h->kind == ZMQ_BYE || (h->own_count >= 1 && h->own_count <= ZMQ_OWN_MAX));
    CHECK(h->other_count <= ZMQ_OTHERS_MAX);
    ret[0] = h->kind;
    ret[1] = VERSION;
    memcpy(ret + 2, h->name, ZMQ_NAME_SIZE);
    if (h->kind == ZMQ_BYE) {
        return BYE_SIZE;
    }
    wire_put32(ret + BYE_SIZE, h->wants);
    wire_put32(ret + BYE_SIZE + 4, h->seen);
    wire_put32(ret + BYE_SIZE + 8, h->shed);
    size_t at = HEAD_SIZE, told = 0;
    for (size_t i = 0; i < h->own_count; i++) {
        at += add_place(&h->own[i], ret + at, ZMQ_HELLO_MAX - at);
    }
    for (; told < h->other_count; told++) {
        size_t n = add_place(&h->others[told], ret + at, ZMQ_HELLO_MAX - at);
        if (n == 0) {
            break;
        }
        at += n;
    }
    ret[BYE_SIZE + 12] = h->own_count;
    ret[BYE_SIZE + 13] = (uint8_t) told;
    return at;
}

/* Returns how many bytes, or 0. */
static size_t read_place(const uint8_t *bytes, size_t length, ki_zmq_place *ret) {
    size_t n = length > 0 ? bytes[0] : 0;
    if (n == 0 || n + 1 > length ||
        ki_zmq_place_parse(ret, (const char *) bytes + 1, n, NULL) != 0) {
        return 0;
    }
    return n + 1;
}

static bool read_places(const uint8_t *bytes, size_t length, ki_zmq_hello *h) {
    size_t at = 0;
    for (size_t i = 0; i < (size_t) h->own_count + h->other_count; i++) {
        ki_zmq_place *to = i < h->own_count ? &h->own[i] : &h->others[i - h->own_count];
        size_t n = read_place(bytes + at, length - at, to);
        if (n == 0) {
            return false;
        }
        at += n;
    }
    return at == length;
}

int ki_zmq_hello_read(ki_zmq_hello *ret, const uint8_t *bytes, size_t length) {
    ki_zmq_hello h = { 0 };
    if (length < BYE_SIZE || bytes[1] != VERSION ||
        (bytes[0] != ZMQ_HELLO && bytes[0] != ZMQ_BYE)) {
        return KITH_E_FORMAT;
    }
    h.kind = bytes[0];
    memcpy(h.name, bytes + 2, ZMQ_NAME_SIZE);
    if (h.kind == ZMQ_BYE) {
        if (length != BYE_SIZE) {
            return KITH_E_FORMAT;
        }
        *ret = h;
        return 0;
    }
    if (length < HEAD_SIZE || length > ZMQ_HELLO_MAX) {
        return KITH_E_FORMAT;
    }
    h.wants = wire_get32(bytes + BYE_SIZE);
    h.seen = wire_get32(bytes + BYE_SIZE + 4);
    h.shed = wire_get32(bytes + BYE_SIZE + 8);
    h.own_count = bytes[BYE_SIZE + 12];
    h.other_count = bytes[BYE_SIZE + 13];
    if (h.own_count < 1 || h.own_count > ZMQ_OWN_MAX || h.other_count > ZMQ_OTHERS_MAX ||
        !read_places(bytes + HEAD_SIZE, length - HEAD_SIZE, &h)) {
        return KITH_E_FORMAT;
    }
    *ret = h;
    return 0;
}

void ki_zmq_mark_write(
    const uint8_t name[ZMQ_NAME_SIZE], uint32_t generation, uint8_t ret[ZMQ_MARK_SIZE]) {
    ret[0] = 0xff;
    memcpy(ret + 1, name, ZMQ_NAME_SIZE);
    wire_put32(ret + 1 + ZMQ_NAME_SIZE, generation);
}

bool ki_zmq_mark_read(const uint8_t *bytes, size_t length, bool *ret_here,
    uint8_t ret_name[ZMQ_NAME_SIZE], uint32_t *ret_generation) {
    if (length != 1 + ZMQ_MARK_SIZE || bytes[0] > 1 || bytes[1] != 0xff) {
        return false;
    }
    *ret_here = bytes[0] == 1;
    memcpy(ret_name, bytes + 2, ZMQ_NAME_SIZE);
    *ret_generation = wire_get32(bytes + 2 + ZMQ_NAME_SIZE);
    return true;
}

size_t ki_zmq_topic_write(const char *subject, char ret[ZMQ_TOPIC_MAX]) {
    size_t n = strnlen(subject, KITH_SUBJECT_MAX);
    memcpy(ret, subject, n);
    ret[n] = '.';
    return n + 1;
}

bool ki_zmq_topic_read(const char *bytes, size_t length, kith_address *ret) {
    if (length < 2 || length > ZMQ_TOPIC_MAX || bytes[length - 1] != '.' ||
        memchr(bytes, '\0', length) != NULL) {
        return false;
    }
    memcpy(ret->subject, bytes, length - 1);
    ret->subject[length - 1] = '\0';
    return true;
}

size_t ki_zmq_topic_of(const char *pattern, char ret[ZMQ_TOPIC_MAX]) {
    size_t n = strcspn(pattern, "*>");
    if (pattern[n] == '\0') {
        return ki_zmq_topic_write(pattern, ret);
    }
    CHECK(
        n <= KITH_SUBJECT_MAX); /* a pattern's wildcard is a whole token: a dot before it */
    memcpy(ret, pattern, n);
    return n;
}
