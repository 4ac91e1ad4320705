/* SPDX-License-Identifier: Apache-2.0 */
/* Where a link sits. The first one of a URL has the place that the URL names, the next
 * ones sit beside it and ask it who else is there. When it goes, one of them takes
 * its place as well, so that whoever comes later finds somebody. */
#include "carrier/zmq/zmq.h"

#include "base/check.h"
#include "base/fail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    ANSWER_MS = 20,
};

static void lock_path(const ki_zmq_place *p, char ret[ZMQ_ENDPOINT_SIZE]) {
    int n = snprintf(ret, ZMQ_ENDPOINT_SIZE, "%s/%u.lock", p->folder, (unsigned) p->live);
    CHECK(n > 0 && n < ZMQ_ENDPOINT_SIZE);
}

/* libzmq takes a socket's name from whoever has it, so the right to the name is a lock
 * beside it; the kernel lets go of it when its owner dies. -1: taken, or errno. */
static int take_lock(const ki_zmq_place *p) {
    char path[ZMQ_ENDPOINT_SIZE];
    struct stat held, named;
    lock_path(p, path);
    for (int tries = 0; tries < 10; tries++) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) {
            return -1;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            close(fd);
            errno = EADDRINUSE;
            return -1;
        }
        if (fstat(fd, &held) == 0 && stat(path, &named) == 0 &&
            held.st_ino == named.st_ino) {
            return fd;
        }
        close(fd); /* its owner removed it on leaving: the next try makes a new one */
    }
    errno = EADDRINUSE;
    return -1;
}

static void drop_lock(const ki_zmq_place *p, int *fd) {
    char path[ZMQ_ENDPOINT_SIZE];
    if (*fd >= 0) {
        lock_path(p, path);
        (void) unlink(path);
        close(*fd);
        *fd = -1;
    }
}

/* false: zmq_errno() says why. */
static bool bind_at(void *socket, const char *endpoint) {
    return zmq_bind(socket, endpoint) == 0;
}

/* Both endpoints or none. The caller has sockets_lock, or is alone. */
static bool bind_pair(ki_zmq *z, const ki_zmq_place *p) {
    char live[ZMQ_ENDPOINT_SIZE], sync[ZMQ_ENDPOINT_SIZE];
    ki_zmq_place_live(p, live);
    ki_zmq_place_sync(p, sync);
    if (!bind_at(z->out, live)) {
        return false;
    }
    if (!bind_at(z->router, sync)) {
        int why = zmq_errno();
        (void) zmq_unbind(z->out, live);
        errno = why;
        return false;
    }
    return true;
}

/* Any port of this host; which one was it? 0: none. */
static uint16_t bind_any(void *socket, const char *host) {
    char endpoint[ZMQ_ENDPOINT_SIZE];
    size_t size = sizeof endpoint;
    (void) snprintf(endpoint, sizeof endpoint, "tcp://%s:*", host);
    if (!bind_at(socket, endpoint) ||
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0) {
        return 0;
    }
    const char *colon = strrchr(endpoint, ':');
    return colon == NULL ? 0 : (uint16_t) strtoul(colon + 1, NULL, 10);
}

static int refuse(const ki_zmq_place *p, kith_error *err) {
    char text[ZMQ_PLACE_MAX + 1];
    ki_zmq_place_text(p, text);
    return ki_fail(err, zmq_errno() == ENOMEM ? KITH_E_MEMORY : KITH_E_SYSTEM,
        "bind %s: %s", text, zmq_strerror(zmq_errno()));
}

static int bind_tcp(ki_zmq *z, kith_error *err) {
    z->own = z->main;
    if (bind_pair(z, &z->main)) {
        z->has_main = true;
        return 0;
    }
    if (zmq_errno() != EADDRINUSE) {
        return refuse(&z->main, err);
    }
    z->own.live = bind_any(z->out, z->main.host);
    z->own.sync = bind_any(z->router, z->main.host);
    return z->own.live == 0 || z->own.sync == 0 ? refuse(&z->main, err) : 0;
}

/* Sockets in a folder that others may write to could be anybody's. */
static int check_folder(const char *folder, kith_error *err) {
    struct stat st;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return ki_fail_sys(err, "mkdir %s", folder);
    }
    if (stat(folder, &st) != 0) {
        return ki_fail_sys(err, "stat %s", folder);
    }
    if (!S_ISDIR(st.st_mode)) {
        return ki_fail(err, KITH_E_CONFIG, "%s is not a folder", folder);
    }
    if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return ki_fail(err, KITH_E_DENIED,
            "%s must be ours and writable by nobody else: chmod 700 %s", folder, folder);
    }
    return 0;
}

static int bind_ipc(ki_zmq *z, kith_error *err) {
    int r = check_folder(z->main.folder, err);
    if (r < 0) {
        return r;
    }
    z->own = z->main;
    for (unsigned i = 0; i < ZMQ_SLOTS; i++) {
        z->own.live = z->own.sync = (uint16_t) ((z->main.live + i) % ZMQ_SLOTS);
        z->locks[0] = take_lock(&z->own);
        if (z->locks[0] >= 0) {
            z->has_main = i == 0;
            return bind_pair(z, &z->own) ? 0 : refuse(&z->own, err);
        }
        if (errno != EADDRINUSE) {
            return ki_fail_sys(err, "lock a place in %s", z->main.folder);
        }
    }
    return ki_fail(
        err, KITH_E_SPACE, "more than %d links in %s", ZMQ_SLOTS, z->main.folder);
}

int ki_zmq_bind(ki_zmq *z, kith_error *err) {
    return z->main.host[0] != '\0' ? bind_tcp(z, err) : bind_ipc(z, err);
}

bool ki_zmq_take_over(ki_zmq *z) {
    bool ipc = z->main.host[0] == '\0';
    CHECK(!z->has_main);
    if (ipc) {
        z->locks[1] = take_lock(&z->main);
        if (z->locks[1] < 0) {
            return false;
        }
    }
    pthread_mutex_lock(&z->sockets_lock);
    z->has_main = bind_pair(z, &z->main);
    pthread_mutex_unlock(&z->sockets_lock);
    if (!z->has_main) {
        drop_lock(&z->main, &z->locks[1]);
    }
    return z->has_main;
}

void ki_zmq_unbind(ki_zmq *z) {
    drop_lock(&z->own, &z->locks[0]);
    drop_lock(&z->main, &z->locks[1]);
}

/* The kernel of this machine answers at once, and yet after connect returned. */
static bool came_through(int fd) {
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    int why = 0;
    socklen_t size = sizeof why;
    return poll(&p, 1, ANSWER_MS) != 1 ||
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &size) != 0 || why == 0;
}

static bool tcp_answers(const ki_zmq_place *p) {
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(p->sync) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void) inet_pton(AF_INET, p->host, &to.sin_addr);
    bool yes = fd < 0 || connect(fd, (struct sockaddr *) &to, sizeof to) == 0 ||
               (errno == EINPROGRESS && came_through(fd));
    if (fd >= 0) {
        close(fd);
    }
    return yes;
}

static bool ipc_answers(const ki_zmq_place *p) {
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int n = snprintf(
        to.sun_path, sizeof to.sun_path, "%s/%u.sync", p->folder, (unsigned) p->sync);
    CHECK(n > 0 && (size_t) n < sizeof to.sun_path);
    bool yes =
        fd < 0 || connect(fd, (struct sockaddr *) &to, sizeof to) == 0 || errno == EAGAIN;
    if (fd >= 0) {
        close(fd);
    }
    return yes;
}

bool ki_zmq_answers(const ki_zmq_place *p) {
    return p->host[0] != '\0' ? tcp_answers(p) : ipc_answers(p);
}
