/* SPDX-License-Identifier: Apache-2.0 */
/* zmq/seed0_front.h - what is answered to those who ask, out of what the node has; and
 * who follows what. No sockets. */
#ifndef ZMQ_SEED0_FRONT_H
#define ZMQ_SEED0_FRONT_H

#include <kith/carrier.h>
#include <kith/legacy.h>

enum {
    SEED0_LOOKS = 4096,  /* of the node's packets, for one question */
    SEED0_FOLLOWED = 256 /* prefixes known; with more, everything counts as followed */
};

/* A packet of ours, or one of theirs as it came, in the words of seed 0: 0, or a
 * KITH_L_*. */
KITH_MUST_USE int ki_seed0_read(
    const kith_posting *what, kith_seed0_frames *ret_frames, kith_seed0 *ret_packet);

/* The pattern of subjects whose topics may begin so; the prefix sorts out the rest.
 * false: no topic begins so. */
bool ki_seed0_pattern_of(const void *prefix, size_t length, char ret[KITH_SUBJECT_MAX + 1]);

/* The reply to one who asks for topics that begin so: its length. */
size_t ki_seed0_answer(const kith_host *host, const void *prefix, size_t length,
    bool extended, char ret[KITH_SEED0_REPLY_MAX]);

typedef struct ki_seed0_prefix {
    uint8_t length;
    char text[KITH_SEED0_TOPIC_MAX];
} ki_seed0_prefix;

typedef struct ki_seed0_readers {
    size_t count;
    bool all; /* more prefixes than places */
    ki_seed0_prefix list[SEED0_FOLLOWED];
} ki_seed0_readers;

/* What XPUB tells: 1 and a prefix that somebody follows now, 0 and one that nobody
 * does any more. Anything else is nothing. */
void ki_seed0_told(ki_seed0_readers *r, const void *bytes, size_t length);
bool ki_seed0_followed(const ki_seed0_readers *r, const char *topic, size_t length);

/* What to subscribe to, so that all which the pattern wants begins with it. Returns the
 * length. */
size_t ki_seed0_prefix_of(const char *pattern, char ret[KITH_SEED0_TOPIC_MAX + 1]);

#endif
