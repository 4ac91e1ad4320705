/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/udp/group.h"

#include "base/check.h"
#include "base/fail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int ki_group_parse(const char *place, struct sockaddr_in *ret, kith_error *err) {
    char address[INET_ADDRSTRLEN];
    const char *colon = strchr(place, ':');
    size_t length = colon == NULL ? 0 : (size_t) (colon - place);
    struct sockaddr_in at = { .sin_family = AF_INET };
    if (length == 0 || length >= sizeof address) {
        return ki_fail(err, KITH_E_ARG, "'%.60s' is not a group and a port", place);
    }
    memcpy(address, place, length);
    address[length] = '\0';
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1 ||
        !IN_MULTICAST(ntohl(at.sin_addr.s_addr))) {
        return ki_fail(
            err, KITH_E_ARG, "'%s' is no multicast group (239.0.0.0/8 is free)", address);
    }
    size_t digits = strspn(colon + 1, "0123456789");
    unsigned long port = digits > 5 ? 0 : strtoul(colon + 1, NULL, 10);
    if (digits == 0 || colon[1 + digits] != '\0' || port < 1 || port > UINT16_MAX) {
        return ki_fail(err, KITH_E_ARG, "'%.60s' is no port from 1 to 65535", colon + 1);
    }
    at.sin_port = htons((uint16_t) port);
    *ret = at;
    return 0;
}

/* Without keys whoever reaches the group could read all of it, and make every node
 * look at what it says: until there are some, it does not leave this machine. */
static int find_loopback(int fd, const char *name, int *ret_index, kith_error *err) {
    struct ifreq request = { 0 };
    memcpy(request.ifr_name, name, strnlen(name, sizeof request.ifr_name - 1));
    if (ioctl(fd, SIOCGIFFLAGS, &request) < 0) {
        return ki_fail_sys(err, "interface %s", name);
    }
    if ((request.ifr_flags & IFF_LOOPBACK) == 0) {
        return ki_fail(err, KITH_E_NOTSUP,
            "%s is not the loopback interface, and nothing protects this wire yet: "
            "only if=lo",
            name);
    }
    if (ioctl(fd, SIOCGIFINDEX, &request) < 0) {
        return ki_fail_sys(err, "interface %s", name);
    }
    *ret_index = request.ifr_ifindex;
    return 0;
}

static int set(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value);
}

static int open_out(ki_group *g, const char *interface, int *ret_index, kith_error *err) {
    g->out = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (g->out < 0) {
        return ki_fail_sys(err, "socket");
    }
    int r = find_loopback(g->out, interface, ret_index, err);
    if (r < 0) {
        return r;
    }
    struct ip_mreqn through = { .imr_ifindex = *ret_index };
    socklen_t size = sizeof g->self;
    g->self = (struct sockaddr_in){ .sin_family = AF_INET };
    g->self.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (setsockopt(g->out, IPPROTO_IP, IP_MULTICAST_IF, &through, sizeof through) < 0 ||
        set(g->out, IPPROTO_IP, IP_MULTICAST_TTL, 0) < 0 ||
        set(g->out, IPPROTO_IP, IP_MULTICAST_LOOP, 1) < 0 ||
        bind(g->out, (struct sockaddr *) &g->self, sizeof g->self) < 0 ||
        getsockname(g->out, (struct sockaddr *) &g->self, &size) < 0) {
        return ki_fail_sys(err, "socket that sends");
    }
    return 0;
}

/* Beyond the system's limit only root may go; what was granted is read back. */
static int64_t make_room(int fd, int64_t room) {
    int want = room > INT_MAX / 2 ? INT_MAX / 2 : (int) room, got = 0;
    socklen_t size = sizeof got;
    if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, want) < 0) {
        (void) set(fd, SOL_SOCKET, SO_RCVBUF, want);
    }
    (void) getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &size);
    return got / 2; /* the kernel counts its own work as well, and says the double */
}

static int open_in(ki_group *g, int interface, kith_error *err) {
    g->in = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct ip_mreqn join = { .imr_multiaddr = g->place.sin_addr, .imr_ifindex = interface };
    if (g->in < 0) {
        return ki_fail_sys(err, "socket");
    }
    /* bound to the group, and only to groups joined here: else whatever any process of
     * this machine has joined, or sends to that port, would come as well */
    if (set(g->in, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
        set(g->in, SOL_SOCKET, SO_RXQ_OVFL, 1) < 0 ||
        bind(g->in, (struct sockaddr *) &g->place, sizeof g->place) < 0 ||
        set(g->in, IPPROTO_IP, IP_MULTICAST_ALL, 0) < 0) {
        return ki_fail_sys(err, "socket that listens");
    }
    if (setsockopt(g->in, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join) < 0) {
        return ki_fail_sys(err, "join the group (is multicast forbidden here?)");
    }
    return 0;
}

int ki_group_open(
    ki_group *g, const char *interface, int64_t room, int64_t *ret_room, kith_error *err) {
    int index = 0;
    g->in = g->out = -1;
    int r = open_out(g, interface, &index, err);
    r = r < 0 ? r : open_in(g, index, err);
    if (r < 0) {
        ki_group_close(g);
        return r;
    }
    *ret_room = make_room(g->in, room);
    return 0;
}

void ki_group_close(ki_group *g) {
    if (g->in >= 0) {
        close(g->in);
    }
    if (g->out >= 0) {
        close(g->out);
    }
    g->in = g->out = -1;
}

int ki_group_send(ki_group *g, const uint8_t *bytes, size_t length) {
    CHECK(g->out >= 0);
    CHECK(length >= 1 && length <= KITH_PACKET_MAX);
    ssize_t n;
    do {
        n = sendto(g->out, bytes, length, MSG_NOSIGNAL, (const struct sockaddr *) &g->place,
            sizeof g->place);
    } while (n < 0 && errno == EINTR);
    if (n >= 0) {
        return 0;
    }
    return errno == EAGAIN || errno == ENOBUFS ? KITH_FULL : KITH_E_SYSTEM;
}

/* What was dropped since we last looked. Two sources tell the same counter, and may
 * be read in the other order than they were written: it only goes forward. */
static uint32_t drops_since(ki_group *g, uint32_t now) {
    uint32_t more = now - g->drops;
    if (more > UINT32_MAX / 2) {
        return 0;
    }
    g->drops = now;
    return more;
}

/* The count at the time the datagram was queued; none is told while it is zero. */
static uint32_t drops_told(ki_group *g, struct msghdr *m) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            uint32_t count;
            memcpy(&count, CMSG_DATA(c), sizeof count);
            return drops_since(g, count);
        }
    }
    return 0;
}

/* What was dropped behind the last datagram, which none that follows tells. */
static uint32_t drops_behind(ki_group *g) {
    uint32_t info[SK_MEMINFO_VARS] = { 0 };
    socklen_t size = sizeof info;
    bool good = getsockopt(g->in, SOL_SOCKET, SO_MEMINFO, info, &size) == 0 &&
                size > SK_MEMINFO_DROPS * sizeof *info;
    return good ? drops_since(g, info[SK_MEMINFO_DROPS]) : 0;
}

int ki_group_receive(ki_group *g, ki_datagram *ret) {
    CHECK(g->in >= 0);
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint32_t))];
    struct iovec to = { ret->bytes, sizeof ret->bytes };
    struct msghdr m = { .msg_name = &ret->from,
        .msg_namelen = sizeof ret->from,
        .msg_iov = &to,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof control };
    ssize_t n;
    do {
        n = recvmsg(g->in, &m, MSG_TRUNC);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) {
        return KITH_E_SYSTEM;
    }
    ret->lost = n < 0 ? drops_behind(g) : drops_told(g, &m);
    ret->length = n < 0 ? 0 : (size_t) n;
    return n < 0 ? KITH_EMPTY : 0;
}
