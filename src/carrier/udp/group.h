/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/udp/group.h - the sockets of udp://: one joined to a group, one that
 * sends to it, and what the kernel tells of a datagram. */
#ifndef CARRIER_UDP_GROUP_H
#define CARRIER_UDP_GROUP_H

#include <kith/packet.h>

#include <netinet/in.h>

typedef struct ki_group {
    int in, out;              /* -1: not open */
    struct sockaddr_in place; /* of the group */
    struct sockaddr_in self;  /* where our own datagrams come from */
    uint32_t drops;           /* of the kernel at `in`, as last seen; wraps */
} ki_group;

typedef struct ki_datagram {
    size_t length; /* as it was sent; more than KITH_PACKET_MAX: cut */
    struct sockaddr_in from;
    uint32_t lost; /* dropped for want of room before this one */
    uint8_t bytes[KITH_PACKET_MAX + 1];
} ki_datagram;

/* "239.255.77.7:24777": a multicast group and a port. */
KITH_MUST_USE int ki_group_parse(
    const char *place, struct sockaddr_in *ret, kith_error *err);

/* Opens both sockets on that interface, which must be the loopback. *ret_room: the
 * receive buffer that the kernel granted. */
KITH_MUST_USE int ki_group_open(
    ki_group *g, const char *interface, int64_t room, int64_t *ret_room, kith_error *err);
void ki_group_close(ki_group *g);

/* 0, KITH_FULL, or E_SYSTEM and errno. */
int ki_group_send(ki_group *g, const uint8_t *bytes, size_t length);

/* 0, KITH_EMPTY, or E_SYSTEM and errno. ret->lost is set with 0 and with EMPTY. */
int ki_group_receive(ki_group *g, ki_datagram *ret);

#endif
