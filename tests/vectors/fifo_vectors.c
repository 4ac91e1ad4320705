/* SPDX-License-Identifier: Apache-2.0 */
/* Writes what tests/vectors/fifo_check.py reads.
 *
 *   fifo_vectors golden         what pipes may hold: JSON
 *   fifo_vectors stream SEED N  N random pipes, many of them spoilt, with what the
 *                               reader says: one JSON line each
 */
#include "base/dice.h"
#include "carrier/fifo/record.h"

#include <kith/error.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHOWN_MAX = 6, /* records of one pipe */
    PIPE_MAX = SHOWN_MAX * RECORD_MAX + 1,
    ITEMS = 1, /* types: nothing but items; a note among them */
    NOTED = 2,
};

static void hex(const uint8_t *bytes, size_t size) {
    putchar('"');
    for (size_t i = 0; i < size; i++) printf("%02x", bytes[i]);
    putchar('"');
}

static void show_record(const ki_record *one, bool first) {
    printf("%s", first ? "" : ",");
    if (one->lost > 0) {
        printf("%u", one->lost);
    } else {
        hex(one->bytes, one->length);
    }
}

static void show(const uint8_t *bytes, size_t length) {
    static ki_records r;
    ki_record one;
    int end, type = ITEMS;
    r.from = 0;
    r.till = length;
    memcpy(r.bytes, bytes, length);
    printf("{\"hex\":");
    hex(bytes, length);
    printf(",\"records\":[");
    for (bool first = true; (end = ki_record_next(&r, &one)) == 0; first = false) {
        type = one.lost > 0 ? NOTED : type;
        show_record(&one, first);
    }
    printf("],\"left\":%zu,", r.till - r.from);
    printf(end == KITH_EMPTY ? "\"type\":%d}" : "\"refused\":true}", type);
}

/* An item of any length, short ones mostly; or a note and an item. */
static size_t random_record(uint64_t *dice, uint8_t *to) {
    uint8_t item[KITH_PACKET_MAX];
    bool ends = dice_below(dice, 8) == 0;
    size_t length =
        ends ? dice_below(dice, 2) * (KITH_PACKET_MAX - 1) + 1 : 1 + dice_below(dice, 40);
    size_t size = 0;
    for (size_t i = 0; i < length; i++) item[i] = (uint8_t) dice_roll(dice);
    if (dice_below(dice, 4) == 0) {
        /* One roll a statement: C keeps no order inside one. */
        uint32_t lost = (uint32_t) dice_roll(dice);
        lost >>= dice_below(dice, 32);
        size = ki_record_put_gap(to, lost == 0 ? 1 : lost);
    }
    return size + ki_record_put(to + size, item, length);
}

static size_t random_pipe(uint64_t *dice, uint8_t *to) {
    size_t size = 0;
    for (uint64_t n = dice_below(dice, SHOWN_MAX - 1); n > 0; n--) {
        size += random_record(dice, to + size);
    }
    return size;
}

static void golden(void) {
    static uint8_t bytes[PIPE_MAX];
    /* half a length; no length; too long by one; a note of nothing; half a note */
    static const char wrong[][8] = { { 0 }, { 0, 0 }, { 2, 1, 5 },
        { '\xff', '\xff', 0, 0, 0, 0 }, { '\xff', '\xff', 0, 0, 1 } };
    static const size_t sizes[] = { 1, 2, 3, 6, 5 };
    uint64_t dice = 7;
    printf("{\"format\":\"fifo 1\",\"frames\":[\n");
    for (int i = 0; i < 12; i++) {
        show(bytes, random_pipe(&dice, bytes));
        printf(",\n");
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memcpy(bytes, wrong[i], sizes[i]);
        show(bytes, sizes[i]);
        printf(i + 1 < sizeof sizes / sizeof *sizes ? ",\n" : "\n");
    }
    printf("]}\n");
}

/* A bit, a byte, an end, a byte too many. */
static size_t spoil(uint64_t *dice, uint8_t *bytes, size_t n) {
    if (n == 0) return n;
    size_t at = dice_below(dice, n);
    switch (dice_below(dice, 6)) {
    case 0: bytes[at] ^= (uint8_t) (1u << dice_below(dice, 8)); return n;
    case 1: bytes[at] = (uint8_t) dice_roll(dice); return n;
    case 2: return at;
    case 3: bytes[n] = 0; return n + 1;
    case 4: bytes[0] = (uint8_t) dice_below(dice, 4); return n;
    default: return n;
    }
}

int main(int argc, char **argv) {
    static uint8_t bytes[PIPE_MAX + RECORD_GAP_SIZE * SHOWN_MAX];
    if (argc == 2 && strcmp(argv[1], "golden") == 0) {
        golden();
        return 0;
    }
    if (argc != 4 || strcmp(argv[1], "stream") != 0) return 64;
    uint64_t dice = strtoull(argv[2], NULL, 10);
    for (unsigned long i = strtoul(argv[3], NULL, 10); i > 0; i--) {
        show(bytes, spoil(&dice, bytes, random_pipe(&dice, bytes)));
        putchar('\n');
    }
    return 0;
}
