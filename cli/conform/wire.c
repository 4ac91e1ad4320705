/* SPDX-License-Identifier: Apache-2.0 */
/* Below packets: what a link carries is not looked at. */
#include "cli/conform/check.h"

#include <stdio.h>
#include <string.h>

static bool find_item(raw *r, const uint8_t *bytes, size_t length) {
    kith_item item;
    for (int i = 0; i < 5 && raw_wait(r, &item); i++) {
        if (item.length == length && memcmp(item.bytes, bytes, length) == 0) {
            return true;
        }
    }
    return false;
}

/* arg 0: one size after the other. arg 1: one value in every byte. */
static void raw_bytes(world *w) {
    raw in, out;
    GOOD(w, raw_open(w, &out));
    if (!raw_open(w, &in)) {
        raw_close(&out);
        return;
    }
    bool good = kith_link_follow(in.link, "raw.bytes") == 0;
    size_t from = w->arg == 0 ? 1 : 0, to = w->arg == 0 ? KITH_PACKET_MAX : 255;
    for (size_t i = from; i <= to && good && !w->failed; i++) {
        uint8_t bytes[KITH_PACKET_MAX];
        size_t length = w->arg == 0 ? i : sizeof bytes;
        for (size_t k = 0; k < length; k++) {
            bytes[k] = (uint8_t) (w->arg == 0 ? k * 7 + i * 13 : i);
        }
        bytes[0] = (uint8_t) (w->arg == 0 ? i : bytes[0]);
        good = raw_post(&out, "raw.bytes", bytes, length) == 0 &&
               find_item(&in, bytes, length);
        if (!good) {
            world_fail(w, "%zu bytes of pattern %zu did not come back", length, i);
        }
    }
    raw_close(&in);
    raw_close(&out);
    GOOD(w, good);
    world_by(w, true);
}

/* One of ours, under the subject it was posted to? Which one, or -1. */
static int ours(const kith_item *item) {
    char subject[32];
    int number = item->length == 64 ? item->bytes[0] * 256 + item->bytes[1] : -1;
    for (int i = 2; i < 64 && number >= 0; i++) {
        number = item->bytes[i] == (uint8_t) (number + i) ? number : -1;
    }
    snprintf(subject, sizeof subject, "raw.s%d", number % 7);
    bool named = item->from.subject[0] == '\0' || strcmp(item->from.subject, subject) == 0;
    return named ? number : -1;
}

#define OURS 400

typedef struct exchange {
    raw *in;
    bool seen[OURS], foreign;
    int missing;
} exchange;

/* For world_until, which takes what it asks about as const: the exchange is `arg`'s. */
static bool read_all(world *w, const void *arg) {
    exchange *x = *(exchange *const *) arg;
    kith_item item;
    int code;
    while ((code = kith_link_pull(x->in->link, &item)) == 0) {
        int number = ours(&item);
        x->foreign |= number < 0 || number >= OURS;
        if (!x->foreign) {
            x->missing -= !x->seen[number];
            x->seen[number] = true;
        }
    }
    x->foreign |= code < 0;
    kith_link_tick(x->in->link, w->now);
    return x->missing == 0 || x->foreign;
}

static bool post_ours(raw *out, int i) {
    uint8_t bytes[64] = { (uint8_t) (i / 256), (uint8_t) i };
    char subject[32];
    for (int k = 2; k < 64; k++) {
        bytes[k] = (uint8_t) (i + k);
    }
    snprintf(subject, sizeof subject, "raw.s%d", i % 7);
    bool good = raw_post(out, subject, bytes, sizeof bytes) == 0;
    kith_link_tick(out->link, out->world->now);
    return good;
}

/* Posts all and reads in between, until all have come; then nothing else may. */
static bool exchanged(raw *out, exchange *x) {
    world *w = out->world;
    bool good = true;
    kith_item item;
    for (int i = 0; i < OURS && good && !x->foreign; i++) {
        good = post_ours(out, i);
        (void) read_all(w, &x);
        (void) !world_turn(w);
    }
    good = good && !x->foreign && world_until(w, read_all, &x);
    while (good && !x->foreign && raw_pull(x->in, &item)) {
        x->foreign |= ours(&item) < 0; /* again is no harm: at least once */
    }
    return good && !x->foreign;
}

static void nothing_else(world *w) {
    raw in, out;
    exchange x = { .in = &in, .missing = OURS };
    GOOD(w, raw_open(w, &out));
    if (!raw_open(w, &in)) {
        raw_close(&out);
        return;
    }
    bool good = kith_link_follow(in.link, "raw.*") == 0 && exchanged(&out, &x);
    raw_close(&in);
    raw_close(&out);
    GOOD(w, good);
    for (int i = 0; i < OURS; i++) {
        WANT(w, x.seen[i]);
    }
    world_by(w, true);
}

/* arg: too long by so much, or 0 for an empty one. */
static void wrong_length(world *w) {
    static const uint8_t bytes[KITH_PACKET_MAX + 1];
    raw r;
    GOOD(w, raw_open(w, &r));
    size_t length = w->arg == 0 ? 0 : KITH_PACKET_MAX + (size_t) w->arg;
    int code = raw_post(&r, "raw.length", bytes, length);
    kith_counters c = { 0 };
    kith_link_counters(r.link, &c);
    raw_close(&r);
    WANT_INT(w, code, KITH_E_ARG);
    WANT_INT(w, c.posted, 0);
}

const check wire_checks[] = {
    { "a_link_carries_1_to_512_bytes_untouched", raw_bytes, 0 },
    { "a_link_carries_every_byte_value_untouched", raw_bytes, 1 },
    { "a_link_brings_what_was_posted_and_nothing_else", nothing_else, 0 },
    { "an_empty_post_is_refused_before_the_carrier", wrong_length, 0 },
    { "a_post_of_513_bytes_is_refused_before_the_carrier", wrong_length, 1 },
    { NULL, NULL, 0 },
};
