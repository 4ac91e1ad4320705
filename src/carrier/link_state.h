/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/link_state.h - one opened carrier; private to link.c (what moves packets),
 * link_follow.c (which of them) and link_view.c (what else one may ask a link).
 */
#ifndef CARRIER_LINK_STATE_H
#define CARRIER_LINK_STATE_H

#include "carrier/carrier.h"

typedef struct wish {
    uint32_t count; /* of follows; 0: the place is free */
    char text[KITH_SUBJECT_MAX + 1];
} wish;

struct kith_link {
    const kith_carrier *carrier;
    void *self;
    kith_link *inner; /* a wrapper's, borrowed */
    kith_plugin *plugin;
    wish wishes[KITH_PATTERNS_MAX];
    const char *patterns[KITH_PATTERNS_MAX]; /* what the carrier was told */
    size_t pattern_count;
    kith_counters counters; /* posted, pulled, rubbish, filtered: seen from here */

    uint64_t taken; /* ticket of the last post */
    bool taken_new; /* and settle has not told of it */

    /* What we drop ourselves is acked when all that came before it is. */
    uint64_t last_token, skipped_token;
    bool outstanding, skipped;

    /* Subjects that passed last time need not be looked at again. */
    char last_to[KITH_SUBJECT_MAX + 1], last_from[KITH_SUBJECT_MAX + 1];
    kith_item item; /* scratch: the caller's is written only on success */
};

/* What must always hold; called wherever something of it changed. */
void ki_link_check(const kith_link *l);

/* Does anything that is followed want it? */
bool ki_link_wants(kith_link *l, const char *subject);

#endif
