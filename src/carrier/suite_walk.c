/* SPDX-License-Identifier: Apache-2.0 */
/* The suite: a seeded walk over three links. */
#include <kith/address.h>
#include <kith/carrier.h>

#include "carrier/suite.h"
#include "carrier/suite_help.h"

enum {
    LINKS = 3,
    STEPS = 600,
    PATTERNS = 5,
    SUBJECTS = 6,
};

static const char *const patterns[PATTERNS] = { ">", "a.>", "a.b", "*.b", "b.*.c" };
static const char *const subjects[SUBJECTS] = { "a.b", "a.c", "b", "b.b", "b.x.c",
    "a.b.c" };

typedef struct walker {
    kith_link *link;
    unsigned follows; /* a bit for each pattern */
} walker;

static bool wants(const walker *me, const char *subject) {
    bool wanted = false;
    for (size_t j = 0; j < PATTERNS; j++) {
        wanted |= (me->follows >> j & 1) && kith_subject_matches(patterns[j], subject);
    }
    return wanted;
}

/* What comes was posted before this step, where it says, and is followed here. */
static void take_one(walker *me, size_t step) {
    kith_item item;
    int got = kith_link_pull(me->link, &item);
    EXPECT(got == 0 || got == KITH_EMPTY || got == KITH_GAP);
    if (got != 0) {
        return;
    }
    size_t n = number_of(&item);
    EXPECT((n >> 3) <= step && (n & 7) < SUBJECTS);
    EXPECT(bare(&item) || strcmp(item.from.subject, subjects[n & 7]) == 0);
    EXPECT(bare(&item) ? me->follows != 0 : wants(me, subjects[n & 7]));
    kith_link_ack(me->link, item.token);
}

static void post_one(const walker *me, size_t step, size_t subject) {
    uint8_t bytes[8];
    kith_posting p =
        posting_of(subjects[subject], bytes, fill_number(step << 3 | subject, bytes));
    int posted = kith_link_post(me->link, &p);
    EXPECT(posted == 0 || posted == KITH_FULL);
}

/* A seeded walk over three links: what comes was posted, matches what is
 * followed, and comes to every link that could not miss it. */
void a_random_walk_keeps_the_rules(void) {
    realm r = realm_new();
    walker all[LINKS] = { 0 };
    uint64_t dice = 20261121;
    for (size_t i = 0; i < LINKS; i++) all[i].link = realm_open(&r);
    for (size_t step = 1; step <= STEPS && !test_bad; step++) {
        walker *me = &all[roll(&dice) % LINKS];
        size_t k = roll(&dice) % PATTERNS, s = roll(&dice) % SUBJECTS;
        switch (roll(&dice) % 5) {
        case 0:
            EXPECT_INT(kith_link_follow(me->link, patterns[k]), 0);
            me->follows |= 1u << k;
            break;
        case 1:
            kith_link_close(&me->link);
            *me = (walker){ .link = realm_open(&r) };
            break;
        case 2: post_one(me, step, s); break;
        default: take_one(me, step);
        }
    }
    for (size_t i = 0; i < LINKS; i++) kith_link_close(&all[i].link);
    realm_free(&r);
}
