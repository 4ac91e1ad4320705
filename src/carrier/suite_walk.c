/* SPDX-License-Identifier: Apache-2.0 */
/* The suite: a seeded walk over three links. */
#include <kith/address.h>
#include <kith/carrier.h>

#include "carrier/suite.h"
#include "carrier/suite_help.h"

/* A seeded walk over three links: what comes was posted, matches what is
 * followed, and comes to every link that could not miss it. */
void a_random_walk_keeps_the_rules(void) {
    enum {
        LINKS = 3,
        STEPS = 600
    };
    static const char *const patterns[] = { ">", "a.>", "a.b", "*.b", "b.*.c" };
    static const char *const subjects[] = { "a.b", "a.c", "b", "b.b", "b.x.c", "a.b.c" };
    realm r = realm_new();
    kith_link *l[LINKS];
    uint64_t dice = 20261121;
    unsigned follows[LINKS] = { 0 };
    for (size_t i = 0; i < LINKS; i++) l[i] = realm_open(&r);
    for (size_t step = 1; step <= STEPS; step++) {
        size_t i = roll(&dice) % LINKS, k = roll(&dice) % 5, s = roll(&dice) % 6;
        kith_item item;
        uint8_t bytes[8];
        kith_posting p = posting_of(subjects[s], bytes, fill_number(step << 3 | s, bytes));
        switch (roll(&dice) % 5) {
        case 0:
            EXPECT_INT(kith_link_follow(l[i], patterns[k]), 0);
            follows[i] |= 1u << k;
            break;
        case 1:
            kith_link_close(&l[i]);
            l[i] = realm_open(&r);
            follows[i] = 0;
            break;
        case 2: {
            int posted = kith_link_post(l[i], &p);
            EXPECT(posted == 0 || posted == KITH_FULL);
            break;
        }
        default: {
            int got = kith_link_pull(l[i], &item);
            EXPECT(got == 0 || got == KITH_EMPTY || got == KITH_GAP);
            if (got != 0) break;
            size_t n = number_of(&item);
            EXPECT((n >> 3) <= step && (n & 7) < 6);
            EXPECT(bare(&item) || strcmp(item.from.subject, subjects[n & 7]) == 0);
            bool wanted = false;
            for (size_t j = 0; j < 5; j++) {
                wanted |=
                    (follows[i] >> j & 1) &&
                    (bare(&item) || kith_subject_matches(patterns[j], subjects[n & 7]));
            }
            EXPECT(wanted);
            kith_link_ack(l[i], item.token);
        }
        }
    }
    for (size_t i = 0; i < LINKS; i++) kith_link_close(&l[i]);
    realm_free(&r);
}
