/* SPDX-License-Identifier: Apache-2.0 */
/* zmq/seed0_ask.h - one question to a store of seed 0: a DEALER with an empty frame
 * first, as REQ sends it, and unlike REQ not locked up when an answer is lost.
 *
 *   idle --begin--> asking --an answer--> rows --all taken--> idle
 *                     |  ^
 *                     +--+ no answer in time, a few times; then idle
 */
#ifndef ZMQ_SEED0_ASK_H
#define ZMQ_SEED0_ASK_H

#include <kith/carrier.h>
#include <kith/legacy.h>

typedef struct ki_seed0_ask {
    void *dealer; /* NULL: not asking */
    size_t length;
    char prefix[KITH_SEED0_TOPIC_MAX + 1];
    uint64_t due_ns; /* of the next try, by tick */
    unsigned tries;
    size_t at, count;
    kith_seed0 rows[KITH_SEED0_ROWS_MAX];
} ki_seed0_ask;

/* Asks dealer, which is connected and now a's, for topics that begin so. */
void ki_seed0_ask_begin(ki_seed0_ask *a, void *dealer, const char *prefix, size_t length);
/* false: nobody answered in all the tries. */
KITH_MUST_USE bool ki_seed0_ask_tick(ki_seed0_ask *a, uint64_t now_ns);
/* The next row as an item without a topic, the JSON of a reply of that one row; or an
 * answer that is none, cut to fit, for the reader to refuse. KITH_EMPTY. */
KITH_MUST_USE int ki_seed0_ask_pull(ki_seed0_ask *a, kith_item *ret);
void ki_seed0_ask_end(ki_seed0_ask *a);

#endif
