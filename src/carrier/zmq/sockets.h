/* SPDX-License-Identifier: Apache-2.0 */
/* zmq/sockets.h - the one place where sockets of libzmq are opened, and what each has
 * set before anybody can reach it. docs/decisions/061-zmq.md says why each of these. */
#ifndef ZMQ_SOCKETS_H
#define ZMQ_SOCKETS_H

#include <kith/error.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    ZMQ_MESSAGE_MAX = 4096, /* of one frame: what is longer ends the connection */
    ZMQ_ROUTE_SIZE = 16,
    ZMQ_KEY_SIZE = 32,
};

/* The hook for CURVE: who has keys gives them here, and no socket opens without. */
typedef struct ki_zmq_keys {
    uint8_t public_key[ZMQ_KEY_SIZE], secret_key[ZMQ_KEY_SIZE];
    uint8_t server_key[ZMQ_KEY_SIZE]; /* of whom we connect to */
} ki_zmq_keys;

typedef struct ki_zmq_wish {
    int type;            /* ZMQ_XPUB ... */
    bool server;         /* binds; else connects */
    int64_t message_max; /* bytes of a frame; 0: ZMQ_MESSAGE_MAX */
    bool keeps; /* a DEALER: what it sends to nobody yet waits, and what came from one who
                 * has gone can still be read; else neither */
    int messages_max;        /* waiting in a queue for one peer, each way */
    int reconnect_ms;        /* the first pause; twice as long each time ... */
    int backoff_ms;          /* ... up to this */
    const uint8_t *route;    /* of a DEALER, ZMQ_ROUTE_SIZE bytes; else NULL */
    const ki_zmq_keys *keys; /* NULL: none, and only this machine */
} ki_zmq_wish;

/* A context with one thread. E_NOTSUP: a libzmq with known holes. */
KITH_MUST_USE int ki_zmq_context(void **ret, kith_error *err);
KITH_MUST_USE int ki_zmq_socket(
    void **ret, void *context, const ki_zmq_wish *wish, kith_error *err);
/* ZMQ_FD of it. */
int ki_zmq_fd(void *socket);
/* Lets a publisher read what it was told meanwhile. Not for a SUB: libzmq then takes the
 * first frame of the next message out, and aborts when its peer goes before the rest is
 * asked for. */
void ki_zmq_refresh(void *publisher);

/* Each closes what is there, and clears it; the sockets before their context. */
void ki_zmq_close_socket(void **socket);
void ki_zmq_close_fd(int *fd);
void ki_zmq_context_end(void **context);

#endif
