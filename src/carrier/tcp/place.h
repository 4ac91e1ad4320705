/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/tcp/place.h - where links of one URL meet: a port of this machine, or a
 * socket file. Whoever comes first listens there, the others dial.
 *
 *   unix: PATH is the socket, 0600; PATH.lock is held by whoever listens, so that a
 *   socket left behind by a process that was killed is known to be nobody's. */
#ifndef CARRIER_TCP_PLACE_H
#define CARRIER_TCP_PLACE_H

#include <kith/carrier.h>

#include <sys/socket.h>
#include <sys/un.h>

enum {
    PLACE_MAX = 255,
    PLACE_BACKLOG = 1024,
};

typedef struct place {
    char text[PLACE_MAX + 1];
    bool is_unix;
    bool bound; /* the socket file is ours */
    int lock;   /* -1 */
    struct sockaddr_storage address;
    socklen_t length;
} place;

/* E_ARG: no place. E_DENIED: tcp beyond this machine, where links need keys. */
KITH_MUST_USE int ki_place_of_tcp(place *p, const char *text, kith_error *err);
KITH_MUST_USE int ki_place_of_unix(place *p, const char *text, kith_error *err);

/* A listening socket. E_BUSY: somebody listens there, so dial. */
KITH_MUST_USE int ki_place_listen(place *p, int *ret_fd, kith_error *err);
/* KITH_EMPTY: connecting; it will be writable. E_BUSY: nobody, or no room, now. */
KITH_MUST_USE int ki_place_dial(const place *p, int *ret_fd, kith_error *err);
/* What became of it. E_BUSY as above. */
KITH_MUST_USE int ki_place_dialled(const place *p, int fd, kith_error *err);
/* E_BUSY: no more of them, or no descriptors. E_DENIED: another user's, and closed. */
KITH_MUST_USE int ki_place_accept(const place *p, int listener, int *ret_fd);
/* Nobody listens any more; the socket file goes first. */
void ki_place_leave(place *p, int *listener);

#endif
