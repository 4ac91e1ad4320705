/* SPDX-License-Identifier: Apache-2.0 */
/* udp: a multicast group. One datagram is one packet or one sync frame, without a
 * header of ours (docs/formats/udp.md), so whoever joined the group hears all of it
 * and the node picks what it follows.
 *
 *   post ─► token bucket ─► sendto ~~~ group ~~~ receive buffer ─► pull
 *             FULL                                  lost: GAP
 *
 * Datagrams get lost, and nobody is told who has them: sync repairs it. So that few
 * are, sending is paced, the receive buffer is large, and what does not fit in it
 * is counted by the kernel and told here with KITH_GAP. Our own datagrams come back
 * to us and are passed over. */
#include "base/check.h"
#include "base/fail.h"
#include "carrier/bare.h"
#include "carrier/carrier.h"
#include "carrier/pace.h"
#include "carrier/udp/group.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

/* Datagrams that one pull may pass over. Bounds its time whatever strangers send. */
#define LOOKS_MAX 64

typedef struct udp {
    char interface[IFNAMSIZ]; /* options */
    int64_t room, rate, burst;
    ki_group group;
    ki_pace pace;
    bool deaf; /* nothing is followed */
    bool held; /* `next` waits for its gap to be told */
    uint64_t lost, told, rubbish, filtered, failures;
    int broken; /* errno of the last send, 0: it went out */
    ki_datagram next;
} udp;

static int udp_open(void *self, const char *place, const kith_host *host, kith_error *err) {
    udp *u = self;
    int64_t granted = 0;
    int r = ki_group_parse(place, &u->group.place, err);
    r = r < 0 ? r : ki_group_open(&u->group, u->interface, u->room, &granted, err);
    if (r < 0) {
        return r;
    }
    if (granted < u->room) {
        ki_say(host, "udp",
            "the system grants a receive buffer of %lld bytes, not %lld: more will be lost "
            "and repaired (sysctl net.core.rmem_max)",
            (long long) granted, (long long) u->room);
    }
    ki_pace_init(&u->pace, (uint64_t) u->rate, (uint64_t) u->burst);
    u->deaf = true;
    return 0;
}

static void udp_close(void *self) {
    udp *u = self;
    ki_group_close(&u->group);
}

static int udp_post(void *self, const kith_posting *what) {
    udp *u = self;
    if (ki_bare_kind(what->bytes, what->length) != what->kind) {
        return KITH_E_ARG; /* it would be taken for the other kind */
    }
    if (!ki_pace_take(&u->pace)) {
        return KITH_FULL;
    }
    int r = ki_group_send(&u->group, what->bytes, what->length);
    u->broken = r < 0 ? errno : 0;
    u->failures += r < 0;
    return r;
}

static int udp_follow(void *self, const char *const *patterns, size_t count) {
    udp *u = self;
    (void) patterns; /* the subject is inside the packet: the node looks */
    u->deaf = count == 0;
    return 0;
}

/* Is it for us to hand out? A stranger's costs no more than this. */
static bool wanted(udp *u) {
    const ki_datagram *d = &u->next;
    const struct sockaddr_in *self = &u->group.self;
    if (d->from.sin_port == self->sin_port &&
        d->from.sin_addr.s_addr == self->sin_addr.s_addr) {
        return false;
    }
    if (d->length < 1 || d->length > KITH_PACKET_MAX) {
        u->rubbish++;
        return false;
    }
    if (u->deaf && ki_bare_kind(d->bytes, d->length) == KITH_ITEM_PACKET) {
        u->filtered++;
        return false;
    }
    return true;
}

static void hand_out(udp *u, kith_item *ret) {
    const ki_datagram *d = &u->next;
    CHECK(d->length >= 1 && d->length <= KITH_PACKET_MAX);
    ret->kind = ki_bare_kind(d->bytes, d->length);
    ret->length = (uint16_t) d->length;
    ret->token = 0;
    ret->from.subject[0] = '\0';
    memcpy(ret->bytes, d->bytes, d->length);
    u->held = false;
}

static int udp_pull(void *self, kith_item *ret_item) {
    udp *u = self;
    for (int i = 0; i < LOOKS_MAX; i++) {
        int r = u->held ? 0 : ki_group_receive(&u->group, &u->next);
        if (r < 0) {
            u->failures++;
            return r;
        }
        u->lost += u->held ? 0 : u->next.lost;
        u->held = u->held || (r == 0 && wanted(u));
        if (u->told < u->lost) {
            u->told = u->lost;
            return KITH_GAP;
        }
        if (u->held) {
            hand_out(u, ret_item);
            return 0;
        }
        if (r == KITH_EMPTY) {
            return KITH_EMPTY;
        }
    }
    return KITH_EMPTY; /* the descriptor is still readable */
}

static int udp_wake_fd(void *self) {
    udp *u = self;
    return u->group.in;
}

static void udp_tick(void *self, kith_time now) {
    udp *u = self;
    ki_pace_tick(&u->pace, now.mono_ns);
}

static void udp_counters(void *self, kith_counters *ret) {
    udp *u = self;
    ret->lost = u->lost;
    ret->rubbish = u->rubbish;
    ret->filtered = u->filtered;
    ret->failures = u->failures;
}

static int udp_health(void *self, kith_error *err) {
    udp *u = self;
    if (u->broken != 0) {
        return ki_fail(err, KITH_E_SYSTEM, "send to the group: %s", strerror(u->broken));
    }
    return 0;
}

static const kith_option options[] = {
    { "if", KITH_OPTION_TEXT, offsetof(udp, interface), 1, IFNAMSIZ - 1, "lo", NULL,
        "interface of the group; until keys protect it, the loopback" },
    { "rcvbuf", KITH_OPTION_BYTES, offsetof(udp, room), 1024, 1 << 30, "8M", NULL,
        "kept for us by the kernel; what comes on top is lost, counted and repaired" },
    { "pace", KITH_OPTION_INT, offsetof(udp, burst), 1, PACE_BURST_MAX, "50", NULL,
        "datagrams sent at once; then it pauses" },
    { "rate", KITH_OPTION_INT, offsetof(udp, rate), 1, PACE_RATE_MAX, "20000", NULL,
        "datagrams sent in a second" },
    { .name = NULL },
};

const kith_carrier ki_udp_carrier = {
    .abi = KITH_CARRIER_ABI,
    .can = KITH_CAN_SYNC | KITH_CAN_REMOTE,
    .state_size = sizeof(udp),
    .scheme = "udp",
    .summary = "a multicast group, repaired by its members",
    .place = "group:port",
    .options = options,
    .open = udp_open,
    .close = udp_close,
    .post = udp_post,
    .follow = udp_follow,
    .pull = udp_pull,
    .wake_fd = udp_wake_fd,
    .tick = udp_tick,
    .counters = udp_counters,
    .health = udp_health,
};
