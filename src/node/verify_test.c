/* SPDX-License-Identifier: Apache-2.0 */
/* What is promised of signatures that several threads check: all are checked, each
 * once, what is good stays good, and everything comes out as it went in. */
#include "node/verify.h"

#include <kith/error.h>
#include <kith/key.h>

#include "base/dice.h"
#include "test.h"

#include <errno.h>

#define SAMPLES 64 /* the odd ones bear a signature that does not hold */

static kith_packet samples[SAMPLES];

static void make_samples(void) {
    kith_key *key = NULL;
    uint8_t seed[32] = { 5 };
    if (samples[0].length != 0) return;
    if (kith_key_from_seed(&key, seed, NULL) != 0) abort();
    for (uint64_t i = 0; i < SAMPLES; i++) {
        kith_content c = { .type = KITH_LEAF,
            .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE,
            .t_end_us = INT64_C(1750000000000000),
            .ttl_s = 3600,
            .epoch = 1,
            .seq = i,
            .measure = KITH_MEAN_DIFFERENCE,
            .components = 1,
            .n = 20,
            .effect = { 1 },
            .covariance = { 0.04 } };
        memcpy(c.address.subject, "a.b", 4);
        if (kith_packet_seal(&c, key, &samples[i]) != 0) abort();
        samples[i].bytes[samples[i].length - 1] ^= (uint8_t) (i % 2);
    }
    kith_key_free(&key);
}

static int begun, allowed;

static int spawn_some(pthread_t *ret, void *(*body)(void *), void *ctx) {
    return begun++ < allowed ? pthread_create(ret, NULL, body, ctx) : EAGAIN;
}

static ki_verify *open_with(unsigned threads, int may_begin) {
    ki_verify *v = NULL;
    make_samples();
    begun = 0;
    allowed = may_begin;
    if (ki_verify_open(&v, threads, spawn_some) != 0) abort();
    return v;
}

/* What number n is, and so what must become of it. */
static uint8_t kind_of(uint64_t n) {
    return n % 7 == 3 ? FLIGHT_FRAME : n % 11 == 4 ? FLIGHT_PASSED : FLIGHT_PACKET;
}

static int result_of(uint64_t n) {
    return kind_of(n) == FLIGHT_PACKET && n % SAMPLES % 2 != 0 ? KITH_R_SIGNATURE : 0;
}

static bool give(ki_verify *v, uint64_t n) {
    ki_flight *f = ki_verify_next(v);
    if (f == NULL) return false;
    f->kind = kind_of(n);
    f->token = n;
    f->packet = samples[n % SAMPLES];
    ki_verify_give(v);
    return true;
}

/* Takes what is ready; false: one of them is not what went in at its place. */
static bool take_ready(ki_verify *v, uint64_t *next) {
    size_t ready = ki_verify_ready(v);
    for (size_t i = 0; i < ready; i++, ++*next) {
        const ki_flight *f = ki_verify_at(v, i);
        if (f->token != *next || f->kind != kind_of(*next) ||
            f->result != result_of(*next)) {
            printf("# token %d at %d: result %d\n", (int) f->token, (int) *next, f->result);
            return false;
        }
    }
    ki_verify_take(v, ready);
    return true;
}

static void comes_out_as_it_went_in_by(unsigned threads, int may_begin, uint64_t all) {
    ki_verify *v = open_with(threads, may_begin);
    uint64_t in = 0, out = 0;
    while (out < all) {
        while (in < all && give(v, in)) in++;
        ki_verify_help(v, 16);
        EXPECT(take_ready(v, &out));
        EXPECT(ki_verify_count(v) == in - out);
    }
    ki_verify_close(&v);
    EXPECT(v == NULL);
}

static void what_several_threads_check_comes_out_as_it_went_in(void) {
    comes_out_as_it_went_in_by(3, 3, 6000);
}

static void where_no_thread_can_be_begun_the_owner_checks_everything(void) {
    comes_out_as_it_went_in_by(3, 0, 1500);
    EXPECT_INT(begun, 1); /* not tried again and again */
    comes_out_as_it_went_in_by(0, 0, 1500);
    EXPECT_INT(begun, 0);
}

static void a_thread_that_could_not_be_begun_is_done_without(void) {
    comes_out_as_it_went_in_by(3, 1, 3000);
    EXPECT_INT(begun, 2);
}

static void a_bad_signature_between_good_ones_is_refused_alone(void) {
    ki_verify *v = open_with(2, 2);
    for (uint64_t i = 0; i < 201; i++) {
        ki_flight *f = ki_verify_next(v);
        EXPECT(f != NULL);
        f->kind = FLIGHT_PACKET;
        f->packet = samples[i == 100 ? 1 : 0];
        ki_verify_give(v);
    }
    ki_verify_help(v, VERIFY_RING);
    EXPECT_INT(ki_verify_ready(v), 201);
    for (size_t i = 0; i < 201; i++) {
        EXPECT_INT(ki_verify_at(v, i)->result, i == 100 ? KITH_R_SIGNATURE : 0);
    }
    ki_verify_close(&v);
}

static void what_is_full_takes_nothing_until_something_is_taken(void) {
    for (unsigned threads = 0; threads <= 2; threads += 2) {
        ki_verify *v = open_with(threads, 2);
        uint64_t in = 0, out = 0, room = threads == 0 ? VERIFY_ALONE : VERIFY_RING;
        while (give(v, in)) in++;
        EXPECT_INT(in, room);
        EXPECT(ki_verify_next(v) == NULL);
        ki_verify_help(v, VERIFY_RING);
        EXPECT_INT(ki_verify_ready(v), room);
        EXPECT(ki_verify_next(v) == NULL); /* ready is not taken */
        ki_verify_take(v, 5);
        out = 5;
        for (int i = 0; i < 5; i++) EXPECT(give(v, in++));
        EXPECT(ki_verify_next(v) == NULL);
        ki_verify_help(v, VERIFY_RING);
        EXPECT(take_ready(v, &out));
        EXPECT_INT(out, room + 5);
        EXPECT_INT(ki_verify_count(v), 0);
        ki_verify_close(&v);
    }
}

/* As often as it takes for threads to be at every point of their work. */
static void it_ends_while_it_is_full(void) {
    for (int i = 0; i < 30; i++) {
        ki_verify *v = open_with(3, 3);
        uint64_t in = 0;
        while (in < (i % 2 == 0 ? VERIFY_RING : 40) && give(v, in)) in++;
        EXPECT(ki_verify_count(v) > 0);
        ki_verify_close(&v);
        EXPECT(v == NULL);
    }
    ki_verify *none = NULL;
    ki_verify_close(&none);
}

static void little_traffic_begins_no_thread(void) {
    ki_verify *v = open_with(3, 3);
    uint64_t in = 0, out = 0;
    for (int i = 0; i < 100; i++) {
        for (int k = 0; k < VERIFY_BEGIN - 1; k++) EXPECT(give(v, in++));
        ki_verify_help(v, VERIFY_RING);
        EXPECT(take_ready(v, &out));
    }
    EXPECT_INT(out, in);
    EXPECT_INT(begun, 0);
    ki_verify_close(&v);
}

static void what_is_not_checked_holds_its_place(void) {
    ki_verify *v = open_with(0, 0);
    EXPECT(ki_verify_last(v) == NULL);
    for (uint64_t n = 2; n < 5; n++) EXPECT(give(v, n)); /* a packet, a frame, a token */
    EXPECT_INT(ki_verify_last(v)->kind, FLIGHT_PASSED);
    EXPECT_INT(ki_verify_ready(v), 0);
    ki_verify_last(v)->token = 77;
    ki_verify_help(v, 1);
    EXPECT_INT(ki_verify_ready(v), 3);
    EXPECT_INT(ki_verify_at(v, 2)->token, 77);
    ki_verify_take(v, 3);
    EXPECT(ki_verify_last(v) == NULL);
    ki_verify_close(&v);
}

static void any_mixture_of_calls_keeps_the_order(void) {
    uint64_t dice = 20261121, in = 0, out = 0;
    ki_verify *v = open_with(2, 2);
    for (int i = 0; i < 3000; i++) {
        switch (dice_below(&dice, 4)) {
        case 0:
            for (uint64_t k = dice_below(&dice, 12); k > 0 && give(v, in); k--) in++;
            break;
        case 1: ki_verify_help(v, (uint32_t) dice_below(&dice, 6)); break;
        case 2: EXPECT(take_ready(v, &out)); break;
        default: EXPECT_INT(ki_verify_count(v), in - out);
        }
        EXPECT(ki_verify_ready(v) <= in - out);
    }
    ki_verify_help(v, VERIFY_RING);
    EXPECT(take_ready(v, &out));
    EXPECT_INT(out, in);
    ki_verify_close(&v);
}

static const test_case cases[] = {
    { "what_several_threads_check_comes_out_as_it_went_in",
        what_several_threads_check_comes_out_as_it_went_in },
    { "where_no_thread_can_be_begun_the_owner_checks_everything",
        where_no_thread_can_be_begun_the_owner_checks_everything },
    { "a_thread_that_could_not_be_begun_is_done_without",
        a_thread_that_could_not_be_begun_is_done_without },
    { "a_bad_signature_between_good_ones_is_refused_alone",
        a_bad_signature_between_good_ones_is_refused_alone },
    { "what_is_full_takes_nothing_until_something_is_taken",
        what_is_full_takes_nothing_until_something_is_taken },
    { "it_ends_while_it_is_full", it_ends_while_it_is_full },
    { "little_traffic_begins_no_thread", little_traffic_begins_no_thread },
    { "what_is_not_checked_holds_its_place", what_is_not_checked_holds_its_place },
    { "any_mixture_of_calls_keeps_the_order", any_mixture_of_calls_keeps_the_order },
};
TEST_MAIN(cases)
