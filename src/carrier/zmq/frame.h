/* SPDX-License-Identifier: Apache-2.0 */
/* zmq/frame.h - the bytes between links, docs/formats/zmq.md:
 *
 *   packets   [topic: subject and a dot] [packet]        publisher -> subscriber
 *   marks     0xff NAME(16) GENERATION(4)                a subscription nobody posts to
 *   hello     'H' VERSION NAME WANTS SEEN SHED places         DEALER -> ROUTER
 *   bye       'B' VERSION NAME                           DEALER -> ROUTER
 *   sync      'S' frame of 1 to 512 bytes                DEALER -> ROUTER
 *
 * A mark is subscribed after all patterns of its generation, and libzmq keeps that
 * order (0xff sorts behind every subject): the publisher that sees it has them all.
 * Pure functions; nothing here knows a socket. */
#ifndef ZMQ_FRAME_H
#define ZMQ_FRAME_H

#include "carrier/zmq/place.h"

#include <kith/carrier.h>

enum {
    ZMQ_NAME_SIZE = 16,
    ZMQ_MARK_SIZE = 1 + ZMQ_NAME_SIZE + 4,
    ZMQ_TOPIC_MAX = KITH_SUBJECT_MAX + 1,
    ZMQ_HELLO_MAX = 1024,
    ZMQ_OWN_MAX = 2,     /* places one link can be reached at */
    ZMQ_OTHERS_MAX = 32, /* told in one hello */
    ZMQ_HELLO = 'H',
    ZMQ_BYE = 'B',
    ZMQ_SYNC = 'S',
};

typedef struct ki_zmq_hello {
    uint8_t kind; /* ZMQ_HELLO; ZMQ_BYE has only a name */
    uint8_t name[ZMQ_NAME_SIZE];
    uint32_t wants; /* generation of the sender's patterns */
    uint32_t seen;  /* generation of yours that its publisher knows */
    uint32_t shed;  /* how often it went on without those who do not read */
    uint8_t own_count, other_count;
    ki_zmq_place own[ZMQ_OWN_MAX], others[ZMQ_OTHERS_MAX];
} ki_zmq_hello;

/* Returns the length. Others that do not fit are left out. */
size_t ki_zmq_hello_write(const ki_zmq_hello *h, uint8_t ret[ZMQ_HELLO_MAX]);
/* E_FORMAT, and *ret is untouched. */
KITH_MUST_USE int ki_zmq_hello_read(ki_zmq_hello *ret, const uint8_t *bytes, size_t length);

void ki_zmq_mark_write(
    const uint8_t name[ZMQ_NAME_SIZE], uint32_t generation, uint8_t ret[ZMQ_MARK_SIZE]);
/* Of what a publisher is told: 1 or 0, and the topic. false: no mark. */
bool ki_zmq_mark_read(const uint8_t *bytes, size_t length, bool *ret_here,
    uint8_t ret_name[ZMQ_NAME_SIZE], uint32_t *ret_generation);

/* The subject and a dot. Returns the length. */
size_t ki_zmq_topic_write(const char *subject, char ret[ZMQ_TOPIC_MAX]);
/* false: not ended by a dot, or too long, or with a NUL inside. Whether it is a
 * subject is seen by the core. */
bool ki_zmq_topic_read(const char *bytes, size_t length, kith_address *ret);
/* What to subscribe to: all that the pattern wants begins with it. Length 0: everything. */
size_t ki_zmq_topic_of(const char *pattern, char ret[ZMQ_TOPIC_MAX]);

#endif
