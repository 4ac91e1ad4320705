/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/fifo/record.h - what goes through a pipe, docs/formats/fifo.md: two bytes of
 * length and an item, or a note of how many the pipe had no room for. A record goes
 * in whole or not at all, since it is shorter than PIPE_BUF. Bytes without trust. */
#ifndef CARRIER_FIFO_RECORD_H
#define CARRIER_FIFO_RECORD_H

#include <kith/packet.h>

enum {
    RECORD_HEAD = 2,
    RECORD_MAX = RECORD_HEAD + KITH_PACKET_MAX,
    RECORD_GAP = 0xffff, /* instead of a length: four bytes of count follow */
    RECORD_GAP_SIZE = 6,
    RECORDS_SIZE = 16384, /* read at once */
};

typedef struct ki_record {
    uint32_t lost; /* > 0: a note, and no item */
    uint16_t length;
    const uint8_t *bytes; /* borrowed until the next call */
} ki_record;

/* Bytes as they came from the pipe. */
typedef struct ki_records {
    size_t from, till;
    uint8_t bytes[RECORDS_SIZE];
} ki_records;

/* Both return the length of what they wrote. */
size_t ki_record_put(uint8_t ret[RECORD_MAX], const uint8_t *bytes, size_t length);
size_t ki_record_put_gap(uint8_t ret[RECORD_GAP_SIZE], uint32_t lost);

/* 0; KITH_EMPTY: no whole record is here; E_FORMAT: this is no record, and nothing
 * says where the next one begins. */
int ki_record_next(ki_records *r, ki_record *ret);

/* Room for at least one record behind what is left: *ret_size bytes from there. */
uint8_t *ki_records_room(ki_records *r, size_t *ret_size);

#endif
