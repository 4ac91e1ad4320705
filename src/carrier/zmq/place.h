/* SPDX-License-Identifier: Apache-2.0 */
/* zmq/place.h - where a link can be reached: two endpoints and one text.
 *
 *   127.0.0.1:24550          tcp, packets on 24550, sync frames on the next port
 *   127.0.0.1:40001:40007    tcp, the ports of one that found 24550 taken
 *   /run/kith/bus            ipc, sockets 0.live and 0.sync in that folder
 *   /run/kith/bus#7          ipc, 7.live and 7.sync
 *
 * Only this machine: whoever is not here cannot be told from a stranger until links
 * have keys. The text stands in URLs, in peers= and in the frames by which links
 * tell each other of third ones, so it is read as bytes from outside. */
#ifndef ZMQ_PLACE_H
#define ZMQ_PLACE_H

#include <kith/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ZMQ_FOLDER_MAX = 96, /* a socket's path has 108 bytes, "/63.live" and an end */
    ZMQ_SLOTS = 64,      /* links in one folder */
    ZMQ_PLACE_MAX = ZMQ_FOLDER_MAX + 3,
    ZMQ_ENDPOINT_SIZE = 128,
};

/* All bytes count, so that equal places are equal memory. */
typedef struct ki_zmq_place {
    char host[16];       /* "127.0.0.1"; "": ipc */
    uint16_t live, sync; /* ports; ipc: both the number of the slot */
    char folder[ZMQ_FOLDER_MAX + 1];
} ki_zmq_place;

KITH_MUST_USE int ki_zmq_place_parse(
    ki_zmq_place *ret, const char *text, size_t length, kith_error *err);
void ki_zmq_place_text(const ki_zmq_place *p, char ret[ZMQ_PLACE_MAX + 1]);
void ki_zmq_place_live(const ki_zmq_place *p, char ret[ZMQ_ENDPOINT_SIZE]);
void ki_zmq_place_sync(const ki_zmq_place *p, char ret[ZMQ_ENDPOINT_SIZE]);
bool ki_zmq_place_same(const ki_zmq_place *a, const ki_zmq_place *b);

#endif
