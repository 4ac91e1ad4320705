/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/tcp/wants.h - what one side of a connection wants to be sent: a set of
 * patterns, or simply all. A plain value. What has no room for one more pattern
 * wants all: too much is only filtered again, too little would be lost. */
#ifndef CARRIER_TCP_WANTS_H
#define CARRIER_TCP_WANTS_H

#include "carrier/tcp/frame.h"

typedef struct wants {
    bool all;
    uint16_t count;
    char text[KITH_PATTERNS_MAX][KITH_SUBJECT_MAX + 1];
} wants;

enum {
    WANT_FRAME_MAX = FRAME_HEADER + 5 + KITH_PATTERNS_MAX * (1 + KITH_SUBJECT_MAX),
};

void ki_tcp_wants_clear(wants *w);
/* Patterns are valid. */
void ki_tcp_wants_add(wants *w, const char *pattern);
void ki_tcp_wants_join(wants *w, const wants *other);
/* The same patterns in the same order. */
bool ki_tcp_wants_equal(const wants *a, const wants *b);
bool ki_tcp_wanted(const wants *w, const char *subject);

/* A whole WANT frame; to has room for WANT_FRAME_MAX. */
size_t ki_tcp_put_want(uint8_t *to, uint32_t number, const wants *w);
/* E_FORMAT: a pattern that is none, or a length that is wrong; *ret is untouched. */
KITH_MUST_USE int ki_tcp_get_want(const frame *f, wants *ret);

#endif
