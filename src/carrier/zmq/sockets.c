/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/zmq/sockets.h"

#include "base/check.h"
#include "base/dice.h"
#include "base/fail.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

enum {
    LINGER_MS = 200, /* what was taken is on its way out for so long after close */
    HANDSHAKE_MS = 2000,
    HEARTBEAT_MS = 1000,
    SILENCE_MS = 3000, /* then the connection is dead */
    BACKLOG = 4096,
    SOCKETS_MAX = 256,
};

static int fail_zmq(kith_error *err, const char *what) {
    int code = zmq_errno() == ENOMEM ? KITH_E_MEMORY : KITH_E_SYSTEM;
    return ki_fail(err, code, "%s: %s", what, zmq_strerror(zmq_errno()));
}

int ki_zmq_context(void **ret, kith_error *err) {
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    if (major < 4 || (major == 4 && (minor < 3 || (minor == 3 && patch < 3)))) {
        return ki_fail(err, KITH_E_NOTSUP,
            "libzmq %d.%d.%d has holes known to all: 4.3.3 is the oldest that will do",
            major, minor, patch);
    }
    /* libzmq draws the names of nameless peers from rand(), and nobody seeds it: who
     * guesses the next one can end a ROUTER. The program's own use of rand() is none
     * of a library's business, but the peer's attack is. */
    unsigned seed;
    ki_dice_system(&seed, sizeof seed);
    srand(seed);
    void *context = zmq_ctx_new();
    if (context == NULL) {
        return fail_zmq(err, "libzmq");
    }
    (void) zmq_ctx_set(context, ZMQ_MAX_SOCKETS, SOCKETS_MAX);
    *ret = context;
    return 0;
}

typedef struct setting {
    int option, value;
} setting;

static bool set(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool set_all(void *socket, const setting *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!set(socket, list[i].option, list[i].value)) {
            return false;
        }
    }
    return true;
}

static bool harden(void *socket, const ki_zmq_wish *w) {
    const setting all[] = {
        { ZMQ_SNDHWM, w->messages_max },
        { ZMQ_RCVHWM, w->messages_max },
        { ZMQ_LINGER, LINGER_MS },
        { ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS },
        { ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS },
        { ZMQ_HEARTBEAT_TIMEOUT, SILENCE_MS },
        { ZMQ_HEARTBEAT_TTL, SILENCE_MS },
        { ZMQ_TCP_KEEPALIVE, 1 },
        { ZMQ_BACKLOG, BACKLOG },
        { ZMQ_RECONNECT_IVL, w->reconnect_ms },
        { ZMQ_RECONNECT_IVL_MAX, w->backoff_ms },
    };
    const int64_t most = w->message_max != 0 ? w->message_max : ZMQ_MESSAGE_MAX;
    bool good = set_all(socket, all, sizeof all / sizeof *all) &&
                zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most, sizeof most) == 0;
    if (w->type == ZMQ_XPUB) {
        good = good && set(socket, ZMQ_XPUB_NODROP, 1);
    } else if (w->type == ZMQ_ROUTER) { /* an old connection must not lock out its owner */
        good = good && set(socket, ZMQ_ROUTER_HANDOVER, 1);
    } else if (w->type == ZMQ_DEALER) { /* nothing waits for who is not there */
        good = good && set(socket, ZMQ_IMMEDIATE, !w->keeps) && w->route != NULL &&
               zmq_setsockopt(socket, ZMQ_ROUTING_ID, w->route, ZMQ_ROUTE_SIZE) == 0;
    }
    return good;
}

static bool put_keys(void *socket, const ki_zmq_wish *w) {
    const ki_zmq_keys *k = w->keys;
    bool good =
        set(socket, ZMQ_CURVE_SERVER, w->server) &&
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, k->secret_key, ZMQ_KEY_SIZE) == 0;
    if (!w->server) {
        good =
            good &&
            zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, k->public_key, ZMQ_KEY_SIZE) == 0 &&
            zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, k->server_key, ZMQ_KEY_SIZE) == 0;
    }
    return good;
}

/* libzmq forgets a key that it refuses and goes on in the clear, so it is asked. */
static int check_mechanism(void *socket, const ki_zmq_wish *w, kith_error *err) {
    int mechanism = -1;
    size_t size = sizeof mechanism;
    if (zmq_getsockopt(socket, ZMQ_MECHANISM, &mechanism, &size) != 0) {
        return fail_zmq(err, "ZMQ_MECHANISM");
    }
    if (mechanism != (w->keys == NULL ? ZMQ_NULL : ZMQ_CURVE)) {
        return ki_fail(
            err, KITH_E_DENIED, "libzmq did not take the keys: mechanism %d", mechanism);
    }
    return 0;
}

int ki_zmq_socket(void **ret, void *context, const ki_zmq_wish *w, kith_error *err) {
    CHECK(ret != NULL);
    void *socket = zmq_socket(context, w->type);
    if (socket == NULL) {
        return fail_zmq(err, "zmq_socket");
    }
    int r = !harden(socket, w) || (w->keys != NULL && !put_keys(socket, w))
                ? fail_zmq(err, "zmq_setsockopt")
                : check_mechanism(socket, w, err);
    if (r < 0) {
        (void) zmq_close(socket);
        return r;
    }
    *ret = socket;
    return 0;
}

int ki_zmq_fd(void *socket) {
    int fd = -1;
    size_t size = sizeof fd;
    return zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0 ? fd : -1;
}

void ki_zmq_refresh(void *publisher) {
    int events = 0;
    size_t size = sizeof events;
    (void) zmq_getsockopt(publisher, ZMQ_EVENTS, &events, &size);
}

void ki_zmq_close_socket(void **socket) {
    if (*socket != NULL) {
        (void) zmq_close(*socket);
        *socket = NULL;
    }
}

void ki_zmq_close_fd(int *fd) {
    if (*fd >= 0) {
        (void) close(*fd);
        *fd = -1;
    }
}

void ki_zmq_context_end(void **context) {
    while (*context != NULL && zmq_ctx_term(*context) != 0 && zmq_errno() == EINTR) {
    }
    *context = NULL;
}
