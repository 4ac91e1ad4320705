/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/tcp/place.h"

#include "base/check.h"
#include "base/fail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_SUFFIX ".lock"

/* A peer that vanished without a word is noticed by the kernel: idle for so long,
 * then probed so often, or data not acknowledged. */
enum {
    KEEP_IDLE_S = 10,
    KEEP_EVERY_S = 5,
    KEEP_TRIES = 4,
    UNACKED_MS = 30000,
};

static int save_text(place *p, const char *text, kith_error *err) {
    size_t n = strlen(text);
    if (n == 0 || n > PLACE_MAX) {
        return ki_fail(err, KITH_E_ARG, "a place of 1 to %d bytes", PLACE_MAX);
    }
    *p = (place){ .lock = -1 };
    memcpy(p->text, text, n + 1);
    return 0;
}

/* "host:port" in two; brackets around an IPv6 address are taken off. */
static bool split(const char *text, char host[64], uint16_t *ret_port) {
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text) {
        return false;
    }
    const char *from = text, *to = colon;
    if (*from == '[' && to[-1] == ']') {
        from++;
        to--;
    } else if (memchr(from, ':', (size_t) (to - from)) != NULL) {
        return false;
    }
    size_t n = (size_t) (to - from), digits = strspn(colon + 1, "0123456789");
    if (n == 0 || n >= 64 || digits == 0 || digits > 5 || colon[1 + digits] != '\0') {
        return false;
    }
    long port = strtol(colon + 1, NULL, 10);
    memcpy(host, from, n);
    host[n] = '\0';
    *ret_port = (uint16_t) port;
    return port >= 1 && port <= 65535;
}

int ki_place_of_tcp(place *p, const char *text, kith_error *err) {
    char host[64];
    uint16_t port;
    int r = save_text(p, text, err);
    if (r < 0) {
        return r;
    }
    if (!split(text, host, &port)) {
        return ki_fail(
            err, KITH_E_ARG, "'%.80s' is not HOST:PORT, like 127.0.0.1:24550", text);
    }
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    const char *number = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    bool here = false;
    if (inet_pton(AF_INET, number, &v4.sin_addr) == 1) {
        here = ntohl(v4.sin_addr.s_addr) >> 24 == 127;
        memcpy(&p->address, &v4, sizeof v4);
        p->length = sizeof v4;
    } else if (inet_pton(AF_INET6, number, &v6.sin6_addr) == 1) {
        here = IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
        memcpy(&p->address, &v6, sizeof v6);
        p->length = sizeof v6;
    }
    return here ? 0
                : ki_fail(err, KITH_E_NOTSUP,
                      "%.80s is not on this machine: peers have no keys to prove who they "
                      "are yet, so only 127.0.0.1, [::1] and localhost are opened",
                      text);
}

int ki_place_of_unix(place *p, const char *text, kith_error *err) {
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int r = save_text(p, text, err);
    if (r < 0) {
        return r;
    }
    size_t n = strlen(text);
    if (text[0] != '/' || text[n - 1] == '/' || n >= sizeof at.sun_path) {
        return ki_fail(err, KITH_E_ARG,
            "'%.120s' is not an absolute path of at most %zu bytes", text,
            sizeof at.sun_path - 1);
    }
    memcpy(at.sun_path, text, n + 1);
    memcpy(&p->address, &at, sizeof at);
    p->length = sizeof at;
    p->is_unix = true;
    return 0;
}

static int new_socket(const place *p) {
    int fd = socket(p->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd >= 0 && !p->is_unix) {
        (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    return fd;
}

/* Tuning: a kernel that refuses one of these is slower, not wrong. */
static void tune(const place *p, int fd) {
    if (p->is_unix) {
        int bytes = 1 << 20;
        (void) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
        return;
    }
    static const struct {
        int level, name, value;
    } settings[] = {
        { IPPROTO_TCP, TCP_NODELAY, 1 },
        { SOL_SOCKET, SO_KEEPALIVE, 1 },
        { IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S },
        { IPPROTO_TCP, TCP_KEEPINTVL, KEEP_EVERY_S },
        { IPPROTO_TCP, TCP_KEEPCNT, KEEP_TRIES },
        { IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKED_MS },
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        (void) setsockopt(fd, settings[i].level, settings[i].name, &settings[i].value,
            sizeof settings[i].value);
    }
}

/* Ours alone from here until leave. E_BUSY: another's. */
static int take_lock(place *p, kith_error *err) {
    char path[PLACE_MAX + sizeof LOCK_SUFFIX];
    struct stat st;
    (void) snprintf(path, sizeof path, "%s" LOCK_SUFFIX, p->text);
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0) {
        return ki_fail_sys(err, "%s", path);
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid()) {
        close(fd);
        return ki_fail(err, KITH_E_DENIED, "%s is not a file of this user", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int code = errno == EWOULDBLOCK ? ki_fail(err, KITH_E_BUSY, "%s is held", path)
                                        : ki_fail_sys(err, "%s", path);
        close(fd);
        return code;
    }
    p->lock = fd;
    return 0;
}

/* Who holds the lock may take away a socket that nobody listens on any more. */
static int clear_stale(const place *p, kith_error *err) {
    struct stat st;
    if (lstat(p->text, &st) < 0) {
        return errno == ENOENT ? 0 : ki_fail_sys(err, "%s", p->text);
    }
    if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid()) {
        return ki_fail(
            err, KITH_E_DENIED, "%s is there and is no socket of this user", p->text);
    }
    return unlink(p->text) == 0 ? 0 : ki_fail_sys(err, "%s", p->text);
}

static int bind_to(place *p, int fd, kith_error *err) {
    if (p->is_unix) {
        int r = take_lock(p, err);
        r = r < 0 ? r : clear_stale(p, err);
        /* the file gets the mode of the socket: there is no moment at which it is open */
        if (r == 0 && fchmod(fd, 0600) < 0) {
            r = ki_fail_sys(err, "%s", p->text);
        }
        if (r < 0) {
            return r;
        }
    }
    const struct sockaddr *at = (const struct sockaddr *) &p->address;
    if (bind(fd, at, p->length) == 0) {
        p->bound = true;
        if (listen(fd, PLACE_BACKLOG) == 0) {
            return 0;
        }
    }
    return errno == EADDRINUSE ? ki_fail(err, KITH_E_BUSY, "%s is taken", p->text)
                               : ki_fail_sys(err, "%s", p->text);
}

int ki_place_listen(place *p, int *ret_fd, kith_error *err) {
    CHECK(p->lock < 0 && !p->bound);
    int fd = new_socket(p);
    if (fd < 0) {
        return ki_fail_sys(err, "%s", p->text);
    }
    int r = bind_to(p, fd, err);
    if (r < 0) {
        ki_place_leave(p, &fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static int refused(const place *p, int code, kith_error *err) {
    static const int soon[] = { ECONNREFUSED, ENOENT, EAGAIN, ECONNRESET, ETIMEDOUT,
        EINTR };
    for (size_t i = 0; i < sizeof soon / sizeof *soon; i++) {
        if (code == soon[i]) {
            return ki_fail(err, KITH_E_BUSY, "%s: %s", p->text, strerror(code));
        }
    }
    errno = code;
    return ki_fail_sys(err, "%s", p->text);
}

int ki_place_dial(const place *p, int *ret_fd, kith_error *err) {
    int fd = new_socket(p);
    if (fd < 0) {
        return ki_fail_sys(err, "%s", p->text);
    }
    int r = connect(fd, (const struct sockaddr *) &p->address, p->length);
    if (r < 0 && errno != EINPROGRESS) {
        r = refused(p, errno, err);
        close(fd);
        return r;
    }
    bool under_way = r < 0;
    r = under_way ? 0 : ki_place_dialled(p, fd, err);
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return under_way ? KITH_EMPTY : 0;
}

/* Of a unix socket: does this user, or root, hold the other end? */
static bool same_user(const place *p, int fd) {
    struct ucred who;
    socklen_t size = sizeof who;
    return !p->is_unix || (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
                              (who.uid == geteuid() || who.uid == 0));
}

int ki_place_dialled(const place *p, int fd, kith_error *err) {
    int code = 0;
    socklen_t size = sizeof code;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0 || code != 0) {
        return refused(p, code, err);
    }
    if (!same_user(p, fd)) {
        return ki_fail(err, KITH_E_DENIED, "%s: another user listens there", p->text);
    }
    tune(p, fd);
    return 0;
}

int ki_place_accept(const place *p, int listener, int *ret_fd) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return KITH_E_BUSY;
    }
    if (!same_user(p, fd)) {
        close(fd);
        return KITH_E_DENIED;
    }
    tune(p, fd);
    *ret_fd = fd;
    return 0;
}

void ki_place_leave(place *p, int *listener) {
    if (p->is_unix && p->bound) {
        (void) unlink(p->text);
    }
    p->bound = false;
    if (*listener >= 0) {
        close(*listener);
        *listener = -1;
    }
    if (p->lock >= 0) {
        close(p->lock);
        p->lock = -1;
    }
}
