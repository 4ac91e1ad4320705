/* SPDX-License-Identifier: Apache-2.0 */
/* Writes what tests/vectors/link_check.py reads.
 *
 *   link_vectors golden         a frame of every kind: JSON
 *   link_vectors stream SEED N  N random frames, many of them spoilt, with what the
 *                               reader says: one JSON line each
 */
#include "base/dice.h"
#include "base/wire.h"
#include "carrier/tcp/wants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void hex(const uint8_t *bytes, size_t size) {
    putchar('"');
    for (size_t i = 0; i < size; i++) printf("%02x", bytes[i]);
    putchar('"');
}

static int show_batch(const frame *f) {
    const uint8_t *at = f->body + BATCH_LOST;
    if (ki_tcp_check_batch(f) < 0) return -1;
    printf(",\"lost\":%u,\"items\":[", ki_tcp_batch_lost(f));
    for (unsigned i = 0; i < f->count; i++) {
        batch_item item;
        at += ki_tcp_item(at, &item);
        printf("%s[%u,", i ? "," : "", item.kind);
        hex(item.subject, item.subject_length);
        putchar(',');
        hex(item.bytes, item.length);
        putchar(']');
    }
    putchar(']');
    return 0;
}

static int show_hello(const frame *f) {
    hello h;
    if (ki_tcp_get_hello(f, &h) < 0) return -1;
    printf(",\"version\":%u,\"role\":%u,\"method\":%u,\"window\":%u,\"id\":", h.version,
        h.role, h.method, h.window);
    hex(h.id, sizeof h.id);
    printf(",\"challenge\":");
    hex(h.challenge, sizeof h.challenge);
    return 0;
}

static int show_want(const frame *f) {
    static wants w;
    if (ki_tcp_get_want(f, &w) < 0) return -1;
    printf(",\"number\":%u,\"all\":%s,\"patterns\":[", ki_tcp_get32(f),
        w.all ? "true" : "false");
    for (unsigned i = 0; i < w.count; i++) printf("%s\"%s\"", i ? "," : "", w.text[i]);
    putchar(']');
    return 0;
}

static void show(const uint8_t *bytes, size_t length) {
    frame f;
    printf("{\"hex\":");
    hex(bytes, length);
    int r = ki_tcp_frame(bytes, length, &f);
    if (r == 0 && length == FRAME_HEADER + f.length) {
        printf(",\"type\":%u", f.type);
        r = f.type == FRAME_HELLO   ? show_hello(&f)
            : f.type == FRAME_WANT  ? show_want(&f)
            : f.type == FRAME_BATCH ? show_batch(&f)
                                    : 0;
        if (f.type == FRAME_WANTED) printf(",\"number\":%u", ki_tcp_get32(&f));
        if (f.type == FRAME_CREDIT) {
            printf(",\"through\":%llu", (unsigned long long) ki_tcp_get64(&f));
        }
        if (f.type == FRAME_BYE) printf(",\"why\":%u", f.body[0]);
    } else {
        r = -1;
    }
    printf("%s}", r < 0 ? ",\"refused\":true" : "");
}

static const char *const patterns[] = { ">", "a.*.c", "iot.hvac.>", "_sys.>", "x" };

static size_t random_items(uint64_t *dice, uint8_t *to) {
    uint8_t *at = to + BATCH_HEAD;
    unsigned n = (unsigned) dice_below(dice, 5);
    wire_put32(to + FRAME_HEADER, (uint32_t) dice_below(dice, 3));
    for (unsigned i = 0; i < n; i++) {
        bool sync = dice_below(dice, 3) == 0;
        const char *subject = sync ? "" : i % 2 ? "iot.hvac" : "a";
        size_t s = strlen(subject), length = 1 + dice_below(dice, 20);
        wire_put16(at, (uint16_t) length);
        at[2] = sync ? KITH_ITEM_SYNC : KITH_ITEM_PACKET;
        at[3] = (uint8_t) s;
        memcpy(at + 4, subject, s);
        for (size_t k = 0; k < length; k++) at[4 + s + k] = (uint8_t) dice_roll(dice);
        at += 4 + s + length;
    }
    ki_tcp_put_header(to, FRAME_BATCH, (uint16_t) n, (size_t) (at - to) - FRAME_HEADER);
    return (size_t) (at - to);
}

static size_t random_frame(uint64_t *dice, uint8_t *to) {
    switch (1 + dice_below(dice, 7)) {
    case FRAME_HELLO: {
        hello h = { .version = LINK_VERSION,
            .role = (uint8_t) (1 + dice_below(dice, 2)),
            .window = (uint32_t) (FRAME_MAX + dice_below(dice, 1 << 20)) };
        wire_put64(h.id, dice_roll(dice));
        wire_put64(h.challenge, dice_roll(dice));
        return ki_tcp_put_hello(to, &h);
    }
    case FRAME_PROOF: {
        size_t n = 1 + dice_below(dice, 40);
        memset(to + FRAME_HEADER, 0x5a, n);
        ki_tcp_put_header(to, FRAME_PROOF, 0, n);
        return FRAME_HEADER + n;
    }
    case FRAME_WANT: {
        wants w = { .all = dice_below(dice, 4) == 0 };
        for (unsigned i = 0; !w.all && i < 5; i++) {
            if (dice_below(dice, 2)) ki_tcp_wants_add(&w, patterns[i]);
        }
        return ki_tcp_put_want(to, (uint32_t) dice_below(dice, 1000), &w);
    }
    case FRAME_WANTED:
        return ki_tcp_put_number32(to, FRAME_WANTED, (uint32_t) dice_roll(dice));
    case FRAME_CREDIT: return ki_tcp_put_credit(to, dice_roll(dice));
    case FRAME_BYE: return ki_tcp_put_bye(to, (frame_bye) (1 + dice_below(dice, BYE_LAST)));
    default: return random_items(dice, to);
    }
}

static void golden(void) {
    static uint8_t bytes[FRAME_MAX];
    uint64_t dice = 7;
    printf("{\"format\":\"link 1\",\"frames\":[\n");
    unsigned seen = 0, rows = 0;
    while (seen != 0xfe || rows < 24) {
        size_t n = random_frame(&dice, bytes);
        seen |= 1u << bytes[0];
        printf("%s", rows++ ? ",\n" : "");
        show(bytes, n);
    }
    printf("\n]}\n");
}

/* A bit, a byte, a length, an end: what wires and enemies do. */
static size_t spoil(uint64_t *dice, uint8_t *bytes, size_t n) {
    size_t at = dice_below(dice, n);
    switch (dice_below(dice, 5)) {
    case 0: bytes[at] ^= (uint8_t) (1u << dice_below(dice, 8)); return n;
    case 1: bytes[at] = (uint8_t) dice_roll(dice); return n;
    case 2: return at;
    case 3: bytes[n] = 0; return n + 1;
    default: return n;
    }
}

int main(int argc, char **argv) {
    static uint8_t bytes[FRAME_MAX + 1];
    if (argc == 2 && strcmp(argv[1], "golden") == 0) {
        golden();
        return 0;
    }
    if (argc != 4 || strcmp(argv[1], "stream") != 0) return 64;
    uint64_t dice = strtoull(argv[2], NULL, 10);
    for (unsigned long i = strtoul(argv[3], NULL, 10); i > 0; i--) {
        show(bytes, spoil(&dice, bytes, random_frame(&dice, bytes)));
        putchar('\n');
    }
    return 0;
}
