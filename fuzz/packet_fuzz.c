/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a packet, and any bytes as a content: what decode takes, encode
 * writes again bit by bit; what encode takes, decode reads; what either refuses
 * has a counter and leaves its output alone. */
#include "base/check.h"

#include <kith/packet.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void refused(int code) {
    CHECK(kith_refusal_counter(code) != NULL);
    CHECK(kith_refusal_words(code) != NULL);
}

static void taken(const kith_content *c, const uint8_t *bytes, size_t length) {
    kith_packet again;
    kith_field rows[KITH_FIELDS_MAX];
    size_t total;
    CHECK(kith_packet_encode(c, &again) == 0);
    CHECK(again.length == length);
    CHECK(memcmp(again.bytes, bytes, length) == 0);
    CHECK(kith_packet_fields(c, rows, KITH_FIELDS_MAX, &total) > 11);
    CHECK(total == length);
    CHECK(kith_packet_expires_us(c) > c->t_end_us);
    CHECK(kith_packet_timely(c, c->t_end_us) == 0);
    (void) !kith_template_admits(c);
    if (bytes[length - 1] == 0) (void) !kith_packet_verify(&again);
}

static void as_bytes(const uint8_t *data, size_t size) {
    kith_content c, was;
    memset(&c, 0x5a, sizeof c);
    memset(&was, 0x5a, sizeof was);
    int r = kith_packet_decode(data, size, &c);
    if (r == 0) {
        taken(&c, data, size);
    } else {
        refused(r);
        CHECK(memcmp(&c, &was, sizeof c) == 0);
    }
}

static void as_content(const uint8_t *data, size_t size) {
    kith_content c = { 0 }, back;
    kith_packet p = { .length = 7 };
    kith_field rows[KITH_FIELDS_MAX];
    size_t total;
    memcpy(&c, data, size < sizeof c ? size : sizeof c);
    (void) kith_packet_fields(&c, rows, KITH_FIELDS_MAX, &total);
    int r = kith_packet_encode(&c, &p);
    if (r == 0) {
        CHECK(total == p.length);
        CHECK(kith_packet_decode(p.bytes, p.length, &back) == 0);
        taken(&back, p.bytes, p.length);
    } else {
        refused(r);
        CHECK(p.length == 7);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    as_bytes(data, size);
    as_content(data, size);
    return 0;
}
