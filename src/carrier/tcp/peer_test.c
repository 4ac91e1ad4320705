/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine of a connection: no socket, and time is a number of beats. */
#include "carrier/tcp/peer.h"
#include "carrier/tcp/wants.h"

#include "base/dice.h"
#include "base/wire.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

static hello hello_of(uint8_t role, uint8_t id, uint8_t method) {
    return (hello){ .version = LINK_VERSION,
        .role = role,
        .method = method,
        .window = FRAME_MAX,
        .id = { id } };
}

static int take(peer *p, uint8_t *bytes, size_t n, peer_news *news) {
    frame f;
    if (ki_tcp_frame(bytes, n, &f) != 0) return -77;
    return ki_peer_take(p, &f, news);
}

static int take_hello(peer *p, hello h) {
    uint8_t bytes[128];
    peer_news news;
    return take(p, bytes, ki_tcp_put_hello(bytes, &h), &news);
}

static peer open_peer(void) {
    peer p;
    hello ours = hello_of(ROLE_HUB, 1, 0);
    ki_peer_init(&p, false, &ours, NULL);
    if (take_hello(&p, hello_of(ROLE_LEAF, 2, 0)) != 0) abort();
    return p;
}

static void two_hellos_make_a_connection(void) {
    peer p = open_peer();
    EXPECT_INT(p.state, PEER_OPEN);
    EXPECT_INT(ki_peer_credit(&p), FRAME_MAX);
    EXPECT(!ki_peer_is_waiting(&p));
}

static void who_says_nothing_is_gone_after_two_seconds(void) {
    for (int dialling = 0; dialling < 2; dialling++) {
        peer p;
        int beats = 0;
        hello ours = hello_of(dialling ? ROLE_LEAF : ROLE_HUB, 1, 0);
        ki_peer_init(&p, dialling, &ours, NULL);
        while (ki_peer_beat(&p)) beats++;
        EXPECT_INT(p.state, PEER_GONE);
        EXPECT_INT(p.why, BYE_SLOW);
        EXPECT_INT((beats + 1) * BEAT_MS, 2000);
    }
    peer p = open_peer(); /* and who has spoken may be silent for ever */
    for (int i = 0; i < 1000; i++) EXPECT(ki_peer_beat(&p));
}

static void a_stranger_that_is_no_peer_of_ours_is_refused(void) {
    static const struct {
        uint8_t version, role, id, method;
        int why;
    } rows[] = {
        { LINK_VERSION + 1, ROLE_LEAF, 2, 0, BYE_VERSION },
        { LINK_VERSION, ROLE_HUB, 2, 0, BYE_RUBBISH },  /* two hubs */
        { LINK_VERSION, ROLE_LEAF, 1, 0, BYE_RUBBISH }, /* ourselves */
        { LINK_VERSION, ROLE_LEAF, 2, 1, BYE_PROOF },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peer p;
        hello ours = hello_of(ROLE_HUB, 1, 0);
        hello theirs = hello_of(rows[i].role, rows[i].id, rows[i].method);
        theirs.version = rows[i].version;
        ki_peer_init(&p, false, &ours, NULL);
        EXPECT(take_hello(&p, theirs) < 0);
        EXPECT_INT(p.state, PEER_GONE);
        EXPECT_INT(p.why, rows[i].why);
    }
}

/* A guard that wants the other's id, doubled. */
static size_t prove(void *ctx, const hello *o, const hello *theirs, uint8_t *ret) {
    (void) ctx;
    ret[0] = (uint8_t) (theirs->id[0] * 2 + (o->id[0] == 66)); /* 66 lies */
    return 1;
}
static int judge(void *ctx, const hello *o, const hello *theirs, const frame *proof) {
    (void) ctx, (void) theirs;
    return proof->length == 1 && proof->body[0] == o->id[0] * 2 ? 0 : -1;
}

static void a_guard_opens_to_a_good_proof_alone(void) {
    static const guard g = { .method = 7, .prove = prove, .judge = judge };
    for (uint8_t id = 65; id <= 66; id++) {
        peer p;
        peer_news news = NEWS_NOTHING;
        uint8_t bytes[32];
        hello ours = hello_of(ROLE_HUB, 1, 7), theirs = hello_of(ROLE_LEAF, id, 7);
        ki_peer_init(&p, false, &ours, &g);
        EXPECT_INT(take_hello(&p, theirs), 0);
        EXPECT_INT(p.state, PEER_PROOF);
        size_t n = prove(NULL, &theirs, &ours, bytes + FRAME_HEADER);
        ki_tcp_put_header(bytes, FRAME_PROOF, 0, n);
        int r = take(&p, bytes, FRAME_HEADER + n, &news);
        EXPECT_INT(r == 0, id == 65);
        EXPECT_INT(p.state, id == 65 ? PEER_OPEN : PEER_GONE);
    }
    peer p; /* and a batch is no proof */
    hello ours = hello_of(ROLE_HUB, 1, 7);
    uint8_t bytes[32] = { 0 };
    peer_news news;
    ki_peer_init(&p, false, &ours, &g);
    EXPECT_INT(take_hello(&p, hello_of(ROLE_LEAF, 2, 7)), 0);
    ki_tcp_put_header(bytes, FRAME_BATCH, 0, BATCH_LOST);
    EXPECT(take(&p, bytes, BATCH_HEAD, &news) < 0);
}

static void who_sends_more_than_its_credit_is_gone(void) {
    static uint8_t bytes[FRAME_MAX];
    peer p = open_peer();
    peer_news news;
    uint8_t *at = bytes + BATCH_HEAD;
    for (int i = 0; i < 120; i++) { /* 120 items of 4 + 512 */
        wire_put16(at, 512);
        at[2] = KITH_ITEM_SYNC;
        at += 516;
    }
    size_t n = (size_t) (at - bytes);
    ki_tcp_put_header(bytes, FRAME_BATCH, 120, n - FRAME_HEADER);
    EXPECT_INT(take(&p, bytes, n, &news), 0);
    EXPECT_INT(news, NEWS_BATCH);
    EXPECT(ki_peer_consumed(&p, 120 * 516)); /* room again, and it is told so */
    EXPECT_INT(ki_peer_grant(&p), 120 * 516 + FRAME_MAX);
    EXPECT_INT(take(&p, bytes, n, &news), 0);
    EXPECT(take(&p, bytes, n, &news) < 0);
    EXPECT_INT(p.why, BYE_RUBBISH);
}

static void credit_never_shrinks_and_never_grows_beyond_the_window(void) {
    uint8_t bytes[32];
    peer_news news;
    static const struct {
        uint64_t through;
        bool good;
    } rows[] = { { FRAME_MAX, true }, { FRAME_MAX - 1, false }, { FRAME_MAX + 1, false },
        { UINT64_MAX, false } };
    for (size_t i = 0; i < 4; i++) {
        peer p = open_peer();
        int r = take(&p, bytes, ki_tcp_put_credit(bytes, rows[i].through), &news);
        EXPECT_INT(r == 0, rows[i].good);
    }
    peer p = open_peer();
    ki_peer_sent(&p, 1000);
    EXPECT_INT(take(&p, bytes, ki_tcp_put_credit(bytes, FRAME_MAX + 1000), &news), 0);
    EXPECT_INT(ki_peer_credit(&p), FRAME_MAX);
}

static void a_want_without_an_answer_ends_it(void) {
    peer p = open_peer();
    uint8_t bytes[32];
    peer_news news;
    uint32_t first = ki_peer_tell(&p), second = ki_peer_tell(&p);
    EXPECT(ki_peer_is_waiting(&p));
    EXPECT_INT(take(&p, bytes, ki_tcp_put_number32(bytes, FRAME_WANTED, first), &news), 0);
    EXPECT(!ki_peer_adopted(&p));
    EXPECT_INT(take(&p, bytes, ki_tcp_put_number32(bytes, FRAME_WANTED, second), &news), 0);
    EXPECT(ki_peer_adopted(&p) && !ki_peer_is_waiting(&p));
    EXPECT(take(&p, bytes, ki_tcp_put_number32(bytes, FRAME_WANTED, 3), &news) < 0);
    p = open_peer();
    (void) ki_peer_tell(&p);
    int beats = 0;
    while (ki_peer_beat(&p)) beats++;
    EXPECT_INT(beats + 1, WANT_BEATS);
}

static peer open_leaf(void) {
    peer p;
    hello ours = hello_of(ROLE_LEAF, 1, 0);
    ki_peer_init(&p, true, &ours, NULL);
    ki_peer_connected(&p);
    if (take_hello(&p, hello_of(ROLE_HUB, 2, 0)) != 0) abort();
    return p;
}

static void a_hub_that_is_silent_is_asked_and_then_gone_after_nine_seconds(void) {
    peer p = open_leaf();
    int beats = 0, asked = 0;
    while (ki_peer_beat(&p)) {
        beats++;
        asked += ki_peer_feel(&p);
    }
    EXPECT_INT(p.why, BYE_SLOW);
    EXPECT_INT((beats + 1) * BEAT_MS, 9000);
    EXPECT_INT(asked, 1);
}

static void a_hub_that_answers_lives_for_ever(void) {
    peer p = open_leaf();
    peer_news news;
    uint8_t bytes[16];
    for (int i = 0; i < 10000; i++) {
        EXPECT(ki_peer_beat(&p));
        if (ki_peer_feel(&p)) {
            EXPECT_INT(p.quiet_beats, QUIET_BEATS);
            ki_peer_heard(&p); /* what follows came as bytes */
            size_t n = ki_tcp_put_number32(bytes, FRAME_WANTED, p.want_told);
            EXPECT_INT(take(&p, bytes, n, &news), 0);
        }
    }
    EXPECT_INT(p.want_told, 10000 / QUIET_BEATS);
    EXPECT(ki_peer_adopted(&p));
}

/* Any frames in any order, and beats: check() inside is the judge. */
static size_t random_frame(uint64_t *dice, uint8_t *bytes, const peer *p) {
    switch (dice_below(dice, 8)) {
    case 0: {
        hello h = hello_of((uint8_t) (1 + dice_below(dice, 2)),
            (uint8_t) dice_below(dice, 4), (uint8_t) (dice_below(dice, 8) == 0));
        return ki_tcp_put_hello(bytes, &h);
    }
    case 1: return ki_tcp_put_credit(bytes, p->allowed + dice_below(dice, 3) * 500);
    case 2: return ki_tcp_put_number32(bytes, FRAME_WANTED, (uint32_t) dice_below(dice, 4));
    case 3: {
        wants w = { .all = true };
        return ki_tcp_put_want(bytes, (uint32_t) dice_below(dice, 9), &w);
    }
    case 4: return ki_tcp_put_bye(bytes, (frame_bye) (1 + dice_below(dice, 6)));
    default: {
        size_t n = dice_below(dice, 60);
        memset(bytes, 0, BATCH_HEAD + n * 516);
        for (size_t i = 0; i < n; i++) {
            uint8_t *at = bytes + BATCH_HEAD + i * 516;
            wire_put16(at, 512);
            at[2] = KITH_ITEM_SYNC;
        }
        ki_tcp_put_header(bytes, FRAME_BATCH, (uint16_t) n, BATCH_LOST + n * 516);
        return BATCH_HEAD + n * 516;
    }
    }
}

static void a_random_walk_keeps_the_invariants(void) {
    static uint8_t bytes[FRAME_MAX];
    uint64_t dice = 20261121;
    unsigned opened = 0, gone = 0;
    for (int life = 0; life < 3000; life++) {
        peer p;
        bool dialling = dice_below(&dice, 2);
        hello ours = hello_of(dialling ? ROLE_LEAF : ROLE_HUB, 1, 0);
        ki_peer_init(&p, dialling, &ours, NULL);
        if (dialling) ki_peer_connected(&p);
        if (dice_below(&dice, 4) > 0) {
            (void) !take_hello(&p, hello_of(dialling ? ROLE_HUB : ROLE_LEAF, 2, 0));
        }
        for (int step = 0; step < 60 && p.state != PEER_GONE; step++) {
            peer_news news = NEWS_NOTHING;
            opened += p.state == PEER_OPEN;
            if (dice_below(&dice, 3) == 0) (void) ki_peer_beat(&p);
            if (p.state == PEER_OPEN && dice_below(&dice, 4) == 0) (void) ki_peer_tell(&p);
            if (p.state == PEER_OPEN) {
                ki_peer_sent(&p, (uint32_t) dice_below(&dice, ki_peer_credit(&p) / 2 + 1));
            }
            if (p.came > p.consumed && ki_peer_consumed(&p, (uint32_t) dice_below(&dice,
                                                                p.came - p.consumed + 1))) {
                (void) ki_peer_grant(&p);
            }
            if (p.state == PEER_GONE) break;
            EXPECT(take(&p, bytes, random_frame(&dice, bytes, &p), &news) <= 0);
            ki_peer_check(&p);
        }
        gone += p.state == PEER_GONE;
    }
    EXPECT(opened > 1000 && gone > 1000);
}

#define CASE(name)                                                                         \
    { #name, name }
static const test_case cases[] = {
    CASE(two_hellos_make_a_connection),
    CASE(who_says_nothing_is_gone_after_two_seconds),
    CASE(a_hub_that_is_silent_is_asked_and_then_gone_after_nine_seconds),
    CASE(a_hub_that_answers_lives_for_ever),
    CASE(a_stranger_that_is_no_peer_of_ours_is_refused),
    CASE(a_guard_opens_to_a_good_proof_alone),
    CASE(who_sends_more_than_its_credit_is_gone),
    CASE(credit_never_shrinks_and_never_grows_beyond_the_window),
    CASE(a_want_without_an_answer_ends_it),
    CASE(a_random_walk_keeps_the_invariants),
};
TEST_MAIN(cases)
