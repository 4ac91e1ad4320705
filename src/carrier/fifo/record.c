/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/fifo/record.h"

#include "base/check.h"
#include "base/wire.h"

#include <limits.h>
#include <string.h>

_Static_assert(RECORD_MAX + RECORD_GAP_SIZE <= PIPE_BUF, "a record goes in whole");
_Static_assert(KITH_PACKET_MAX < RECORD_GAP, "no item is as long as the mark says");

size_t ki_record_put(uint8_t ret[RECORD_MAX], const uint8_t *bytes, size_t length) {
    CHECK(length >= 1 && length <= KITH_PACKET_MAX);
    ret[0] = (uint8_t) (length >> 8);
    ret[1] = (uint8_t) length;
    memcpy(ret + RECORD_HEAD, bytes, length);
    return RECORD_HEAD + length;
}

size_t ki_record_put_gap(uint8_t ret[RECORD_GAP_SIZE], uint32_t lost) {
    CHECK(lost > 0);
    ret[0] = ret[1] = 0xff;
    wire_put32(ret + 2, lost);
    return RECORD_GAP_SIZE;
}

int ki_record_next(ki_records *r, ki_record *ret) {
    CHECK(r->from <= r->till && r->till <= sizeof r->bytes);
    size_t left = r->till - r->from;
    const uint8_t *at = r->bytes + r->from;
    if (left < RECORD_HEAD) {
        return KITH_EMPTY;
    }
    size_t length = (size_t) at[0] << 8 | at[1];
    bool gap = length == RECORD_GAP;
    if (!gap && (length < 1 || length > KITH_PACKET_MAX)) {
        return KITH_E_FORMAT;
    }
    size_t size = gap ? RECORD_GAP_SIZE : RECORD_HEAD + length;
    if (left < size) {
        return KITH_EMPTY;
    }
    uint32_t lost = gap ? wire_get32(at + RECORD_HEAD) : 0;
    if (gap && lost == 0) {
        return KITH_E_FORMAT;
    }
    *ret = (ki_record){
        .lost = lost, .length = (uint16_t) (gap ? 0 : length), .bytes = at + RECORD_HEAD
    };
    r->from += size;
    return 0;
}

uint8_t *ki_records_room(ki_records *r, size_t *ret_size) {
    CHECK(r->from <= r->till && r->till <= sizeof r->bytes);
    memmove(r->bytes, r->bytes + r->from, r->till - r->from);
    r->till -= r->from;
    r->from = 0;
    CHECK(sizeof r->bytes - r->till >= RECORD_MAX); /* less than a record was left */
    *ret_size = sizeof r->bytes - r->till;
    return r->bytes + r->till;
}
