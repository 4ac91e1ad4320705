/* SPDX-License-Identifier: Apache-2.0 */
/* zmq/seed0_inside.h - one link of seed 0: seed0.c opens it and brings what comes in,
 * seed0_out.c says what goes out and answers who asks. */
#ifndef ZMQ_SEED0_INSIDE_H
#define ZMQ_SEED0_INSIDE_H

#include "carrier/zmq/place.h"
#include "carrier/zmq/seed0.h"
#include "carrier/zmq/seed0_ask.h"
#include "carrier/zmq/seed0_front.h"

#include <zmq.h>

struct ki_seed0 {
    const kith_host *host;
    bool extended, patient;
    void *context;
    void *out, *in, *front; /* XPUB and ROUTER: NULL when we only read */
    int wake_fd, bell_fd;
    bool more;                   /* the last pull brought something: there may be more */
    uint64_t now_ns, full_since; /* by tick; 0: not full */
    uint64_t rubbish, failures;
    size_t topic_count;
    char topics[KITH_PATTERNS_MAX][KITH_SEED0_TOPIC_MAX + 1];
    zmq_msg_t first, second;
    ki_seed0_readers readers;
    char store_at[ZMQ_ENDPOINT_SIZE]; /* theirs, where we only read */
    ki_seed0_ask ask;
};

/* Whoever asks is answered, and who follows what is heard. false: there are more than
 * one call answers. */
bool ki_seed0_serve(ki_seed0 *s);
/* The other frames of a message whose last read one is `last`. */
void ki_seed0_drop_rest(void *socket, zmq_msg_t *last);

#endif
