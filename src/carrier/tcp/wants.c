/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/tcp/wants.h"

#include "base/check.h"
#include "base/wire.h"
#include "carrier/carrier.h"

#include <kith/address.h>
#include <string.h>

void ki_tcp_wants_clear(wants *w) {
    w->all = false;
    w->count = 0;
}

void ki_tcp_wants_add(wants *w, const char *pattern) {
    CHECK(w->count <= KITH_PATTERNS_MAX);
    for (size_t i = 0; i < w->count; i++) {
        if (strcmp(w->text[i], pattern) == 0) {
            return;
        }
    }
    if (w->all || w->count == KITH_PATTERNS_MAX) {
        w->all = true;
        w->count = 0;
        return;
    }
    memcpy(w->text[w->count++], pattern, strlen(pattern) + 1);
}

void ki_tcp_wants_join(wants *w, const wants *other) {
    if (other->all) {
        w->all = true;
        w->count = 0;
    }
    for (size_t i = 0; i < other->count; i++) {
        ki_tcp_wants_add(w, other->text[i]);
    }
}

bool ki_tcp_wants_equal(const wants *a, const wants *b) {
    if (a->all != b->all || a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->text[i], b->text[i]) != 0) {
            return false;
        }
    }
    return true;
}

bool ki_tcp_wanted(const wants *w, const char *subject) {
    CHECK_HOT(w->count <= KITH_PATTERNS_MAX);
    for (size_t i = 0; i < w->count; i++) {
        if (ki_wants(w->text[i], subject)) {
            return true;
        }
    }
    return w->all;
}

size_t ki_tcp_put_want(uint8_t *to, uint32_t number, const wants *w) {
    uint8_t *at = to + FRAME_HEADER;
    wire_put32(at, number);
    at[4] = w->all;
    at += 5;
    for (size_t i = 0; i < w->count; i++) {
        size_t n = strlen(w->text[i]);
        *at++ = (uint8_t) n;
        memcpy(at, w->text[i], n);
        at += n;
    }
    size_t length = (size_t) (at - to);
    CHECK(length <= WANT_FRAME_MAX);
    ki_tcp_put_header(to, FRAME_WANT, w->count, length - FRAME_HEADER);
    return length;
}

/* The pattern at `at`, or 0: it is none, or runs over the end. */
static size_t one_pattern(const uint8_t *at, size_t left, char ret[KITH_SUBJECT_MAX + 1]) {
    size_t n = left == 0 ? 0 : at[0];
    if (n == 0 || n > KITH_SUBJECT_MAX || n + 1 > left) {
        return 0;
    }
    memcpy(ret, at + 1, n);
    ret[n] = '\0';
    return strlen(ret) == n && kith_pattern_valid(ret) ? n + 1 : 0;
}

int ki_tcp_get_want(const frame *f, wants *ret) {
    CHECK(f->type == FRAME_WANT && f->length >= 5);
    const uint8_t *at = f->body + 5, *end = f->body + f->length;
    char text[KITH_SUBJECT_MAX + 1];
    if (f->count > KITH_PATTERNS_MAX || f->body[4] > 1 || (f->body[4] == 1 && f->count)) {
        return KITH_E_FORMAT;
    }
    for (int i = 0; i < f->count; i++) { /* all of them before one is believed */
        size_t n = one_pattern(at, (size_t) (end - at), text);
        if (n == 0) {
            return KITH_E_FORMAT;
        }
        at += n;
    }
    if (at != end) {
        return KITH_E_FORMAT;
    }
    ki_tcp_wants_clear(ret);
    ret->all = f->body[4] == 1;
    at = f->body + 5;
    for (int i = 0; i < f->count; i++) {
        at += one_pattern(at, (size_t) (end - at), text);
        ki_tcp_wants_add(ret, text);
    }
    return 0;
}
