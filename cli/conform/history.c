/* SPDX-License-Identifier: Apache-2.0 */
/* One scripted history: who posts what and when is fixed, keys and times too. So
 * the digest of its state is one number, on every carrier and whatever it does
 * to the packets on their way. */
#include "cli/conform/check.h"

#include <stdio.h>
#include <string.h>

#define NODES  5
#define ROUNDS 24
#define AT_US  (START_US + 2 * HOUR_US) /* the moment that is digested */

uint8_t history_digest[32];

static kith_content scripted(int round, int node) {
    static const char *const subjects[] = { "hvac.bearing", "hvac.fan.filter",
        "rover.slip" };
    kith_content c = {
        .type = KITH_LEAF,
        .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE,
        .t_end_us = START_US - (ROUNDS - round) * SECOND_US,
        .span_s = 30,
        .ttl_s = WEEK_S,
        .measure = KITH_MEAN,
        .components = (uint8_t) (1 + round % 2),
        .n = (uint32_t) (10 + round),
        .effect = { (node * 7 + round - 20) / 16.0, 0.5 },
        .covariance = { 0.25 + round / 64.0, 0.0625, 1 },
    };
    if (c.components == 1) {
        c.effect[1] = c.covariance[1] = c.covariance[2] = 0;
    }
    if (round % 6 == 5) {
        c.has = KITH_HAS_COUNTS;
        c.measure = c.components = 0;
        c.n = 0;
        memset(c.effect, 0, sizeof c.effect);
        memset(c.covariance, 0, sizeof c.covariance);
        c.hits = (uint32_t) (round + node);
        c.tries = 100;
    }
    snprintf(c.address.subject, sizeof c.address.subject, "%s", subjects[round % 3]);
    if (round % 8 == 7) {
        c.ttl_s = 3600; /* over when the state is looked at */
    }
    return c;
}

/* What must not leave a trace: unsigned, doubled, too old, too new, unreadable. */
static bool disturb(world *w, raw *r, int round) {
    kith_content c = scripted(round, 9);
    kith_packet p;
    bool good = seal(250, 1, (uint64_t) round, &c, &p);
    kith_packet bad = p;
    bad.bytes[bad.length - 9] ^= 4;
    good = good && raw_packet(r, &bad);
    c.t_end_us = START_US + 10 * YEAR_US;
    good = good && seal(250, 2, (uint64_t) round, &c, &bad) && raw_packet(r, &bad);
    c.t_end_us = START_US - 10 * YEAR_US;
    good = good && seal(250, 3, (uint64_t) round, &c, &bad) && raw_packet(r, &bad);
    good = good && raw_post(r, "hvac.bearing", "rubbish", 7) == 0;
    /* And what must, however often it comes. */
    for (int i = 0; i < 3; i++) {
        good = good && raw_packet(r, &p);
    }
    (void) w;
    return good;
}

static bool play(world *w, site *s[NODES], raw *r) {
    kith_post taken = { 0 };
    for (int round = 0; round < ROUNDS; round++) {
        for (int node = 0; node < NODES; node++) {
            kith_content c = scripted(round, node);
            kith_post p;
            if (!post_kept(s[node], &c, &p)) {
                return false;
            }
            if (node == 1 && round == 9) {
                taken = p;
            }
        }
        if (round == 12 && !take_back(s[1], &taken.packet)) {
            return false;
        }
        if (round == 6) site_down(s[4]); /* away for a while, posting all the same */
        if (round == 18 && !site_up(s[4])) return false;
        if (round % 4 == 0 && !disturb(w, r, round)) return false;
        if (world_turn(w) < 0) return false;
    }
    return true;
}

typedef struct quorum {
    site **sites;
    uint64_t slots;
} quorum;

static bool agree(world *w, const void *arg) {
    (void) w;
    const quorum *q = arg;
    uint8_t first[32], other[32];
    for (int i = 0; i < NODES; i++) {
        uint64_t slots = 0;
        int r = kith_store_digest(
            q->sites[i]->store, ">", AT_US, i == 0 ? first : other, &slots, NULL);
        if (r < 0 || slots < q->slots || (i > 0 && memcmp(first, other, 32) != 0)) {
            return false;
        }
    }
    memcpy(history_digest, first, sizeof first);
    return true;
}

void history_run(world *w) {
    site *s[NODES];
    world_bulk(w);
    for (int i = 0; i < NODES; i++) {
        s[i] = site_new(w);
        GOOD(w, site_up(s[i]));
    }
    raw r;
    GOOD(w, raw_open(w, &r));
    bool good = play(w, s, &r) && raw_settle(&r);
    quorum q = { s, 1 };
    for (int i = 0; i < NODES && good; i++) {
        /* Everybody's posts and a stranger's; one was taken back, by one more. */
        uint64_t total = NODES * ROUNDS + ROUNDS / 4;
        good = until_holds(s[i], ">", total);
    }
    raw_close(&r);
    GOOD(w, good);
    WANT(w, world_until(w, agree, &q));
    /* The carrier may say it all again: nothing changes. */
    uint8_t before[32];
    memcpy(before, history_digest, sizeof before);
    GOOD(w, world_rest(w));
    WANT(w, agree(w, &q) && memcmp(before, history_digest, sizeof before) == 0);
}
