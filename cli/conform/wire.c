/* SPDX-License-Identifier: Apache-2.0 */
/* Below packets: what a link carries is not looked at. */
#include "cli/conform/check.h"

#include <stdio.h>
#include <string.h>

/* On their way at once: a disk syncs them together. Far fewer than any queue holds. */
#define TOGETHER 64

/* arg 0: i bytes. arg 1: 512 times the byte i. */
static size_t pattern(const world *w, size_t i, uint8_t ret[KITH_PACKET_MAX]) {
    size_t length = w->arg == 0 ? i : KITH_PACKET_MAX;
    for (size_t k = 0; k < length; k++) {
        ret[k] = (uint8_t) (w->arg == 0 && k > 0 ? k * 7 + i * 13 : i);
    }
    return length;
}

/* Which of them it is, bit for bit; `to` when it is none. */
static size_t pattern_of(const world *w, const kith_item *item, size_t from, size_t to) {
    uint8_t bytes[KITH_PACKET_MAX] = { 0 };
    for (size_t i = from; i < to; i++) {
        size_t length = pattern(w, i, bytes);
        if (item->length == length && memcmp(item->bytes, bytes, length) == 0) {
            return i;
        }
    }
    return to;
}

typedef struct crossing {
    raw *out, *in;
    size_t from, to, missing;
    bool seen[KITH_PACKET_MAX + 1], foreign;
} crossing;

/* For world_until, which takes what it asks about as const: the crossing is `arg`'s.
 * What was posted before may come again. */
static bool all_crossed(world *w, const void *arg) {
    crossing *x = *(crossing *const *) arg;
    kith_item item;
    while (kith_link_pull(x->in->link, &item) == 0) {
        if (item.kind != KITH_ITEM_PACKET) {
            continue;
        }
        size_t i = pattern_of(w, &item, 0, x->to);
        x->foreign |= i == x->to;
        x->missing -= i >= x->from && i < x->to && !x->seen[i];
        x->seen[i] = true;
    }
    kith_link_tick(x->out->link, w->now);
    kith_link_tick(x->in->link, w->now);
    return x->missing == 0 || x->foreign;
}

/* Those from `from` up to `to`, posted together: each comes, and nothing that nobody
 * posted. */
static bool cross_together(raw *out, raw *in, size_t from, size_t to) {
    world *w = out->world;
    crossing x = { .out = out, .in = in, .from = from, .to = to, .missing = to - from };
    crossing *each = &x;
    for (size_t i = from; i < to; i++) {
        uint8_t bytes[KITH_PACKET_MAX] = { 0 };
        size_t length = pattern(w, i, bytes);
        if (raw_post(out, "raw.bytes", bytes, length) != 0) {
            world_fail(w, "pattern %zu of %zu bytes was not taken", i, length);
            return false;
        }
    }
    if (!world_until(w, all_crossed, &each) || x.foreign) {
        for (size_t i = from; i < to && !x.foreign; i++) {
            if (!x.seen[i]) world_fail(w, "pattern %zu did not come back", i);
        }
        world_fail(w, "something came that nobody posted");
    }
    return !w->failed;
}

/* arg 0: every size. arg 1: every value, in every byte. */
static void raw_bytes(world *w) {
    raw in, out;
    world_bulk(w);
    GOOD(w, raw_open(w, &out));
    if (!raw_open(w, &in)) {
        raw_close(&out);
        return;
    }
    bool good = kith_link_follow(in.link, "raw.bytes") == 0;
    size_t end = w->arg == 0 ? KITH_PACKET_MAX + 1 : 256;
    for (size_t i = w->arg == 0 ? 1 : 0; i < end && good && !w->failed; i += TOGETHER) {
        good = cross_together(&out, &in, i, i + TOGETHER < end ? i + TOGETHER : end);
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
    world_bulk(w);
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
