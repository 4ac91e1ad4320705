/* SPDX-License-Identifier: Apache-2.0 */
/* zmq/seed0_store.h - what went over the wire of late, for those who ask; and who
 * follows what. Memory of fixed size, no sockets. */
#ifndef ZMQ_SEED0_STORE_H
#define ZMQ_SEED0_STORE_H

#include <kith/carrier.h>
#include <kith/legacy.h>

enum {
    SEED0_KEPT = 1024,   /* packets; then the oldest goes */
    SEED0_CHUNK = 8,     /* of them in one piece of the node's small state, */
    SEED0_CHUNKS = 16,   /* and so many pieces: what a restart still knows */
    SEED0_FOLLOWED = 256 /* prefixes known; with more, everything counts as followed */
};

typedef struct ki_seed0_kept {
    uint16_t topic_length;
    char topic[KITH_SEED0_TOPIC_MAX + 1];
    kith_seed0 packet;
} ki_seed0_kept;

typedef struct ki_seed0_store {
    uint64_t total; /* ever kept: the next one's number */
    uint64_t saved; /* those before are in the state */
    size_t count;
    ki_seed0_kept kept[SEED0_KEPT];
} ki_seed0_store;

void ki_seed0_keep(
    ki_seed0_store *s, const kith_seed0_frames *frames, const kith_seed0 *packet);
/* The reply to one who asks for topics that begin so: its length. */
size_t ki_seed0_answer(const ki_seed0_store *s, const void *prefix, size_t length,
    bool extended, char ret[KITH_SEED0_REPLY_MAX]);

/* What is new since the last save, and what was saved before. Pieces that are not ours or
 * damaged are passed over: what is lost is an answer to one who asks. */
void ki_seed0_save(ki_seed0_store *s, const kith_host *host, const char *place);
void ki_seed0_load(ki_seed0_store *s, const kith_host *host, const char *place);

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
