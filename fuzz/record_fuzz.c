/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes from a pipe, in lots as the kernel may give them: what is read as records
 * is what was written, in any cut; what is no record is found at the same place. */
#include "carrier/fifo/record.h"

#include <kith/error.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct reading {
    size_t records, bytes;
    uint64_t sum, lost;
    int end;
} reading;

static void note(reading *to, const ki_record *record) {
    if (record->length > KITH_PACKET_MAX) abort();
    if ((record->length == 0) != (record->lost > 0)) abort();
    to->records++;
    to->lost += record->lost;
    to->bytes += record->length;
    for (size_t i = 0; i < record->length; i++) to->sum = to->sum * 31 + record->bytes[i];
}

/* `lot` bytes at a time; 0: as many as there is room for. */
static reading read_all(const uint8_t *data, size_t size, size_t lot) {
    static ki_records r;
    reading got = { .end = KITH_EMPTY };
    r.from = r.till = 0;
    for (size_t at = 0; got.end == KITH_EMPTY && at < size;) {
        size_t room;
        uint8_t *to = ki_records_room(&r, &room);
        size_t n = lot > 0 && lot < room ? lot : room;
        n = n < size - at ? n : size - at;
        memcpy(to, data + at, n);
        r.till += n;
        at += n;
        ki_record record;
        while ((got.end = ki_record_next(&r, &record)) == 0) note(&got, &record);
    }
    return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) {
        return 0;
    }
    reading one = read_all(data + 1, size - 1, 0);
    reading other = read_all(data + 1, size - 1, 1 + (size_t) data[0] * 3);
    if (one.records != other.records || one.sum != other.sum || one.lost != other.lost ||
        one.bytes != other.bytes || one.end != other.end) {
        abort();
    }
    return 0;
}
