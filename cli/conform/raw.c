/* SPDX-License-Identifier: Apache-2.0 */
/* A link of our own beside the nodes. */
#include "cli/conform/content.h"

#include <stdio.h>
#include <string.h>

#define SAID_MAX   11000
#define PULL_TURNS 400 /* of a millisecond */

/* What was said since raw_open, to be said again. */
static struct {
    kith_address to;
    uint16_t length;
    uint8_t bytes[KITH_PACKET_MAX];
} said[SAID_MAX];
static size_t said_count, again_at;

bool raw_open(world *w, raw *ret) {
    *ret = (raw){ .world = w };
    kith_error err = { 0 };
    if (kith_link_open(&ret->link, w->plain, world_host(w), &err) < 0) {
        world_fail(w, "open %.80s: %.140s", w->plain, err.text);
        return false;
    }
    said_count = 0;
    bool lossy = (w->can & KITH_CAN_BEND) != 0 && (w->can & KITH_CAN_REPLAY) == 0;
    w->lossy = lossy ? ret : NULL;
    return true;
}

void raw_close(raw *r) {
    kith_link_close(&r->link);
    r->world->lossy = NULL;
}

/* What a lossy wire may have lost, once more. */
void raw_again(raw *r) {
    kith_link_tick(r->link, r->world->now);
    for (size_t i = 0; i < said_count; i++) {
        again_at = (again_at + 1) % said_count;
        kith_posting p = {
            .kind = KITH_ITEM_PACKET,
            .length = said[again_at].length,
            .bytes = said[again_at].bytes,
            .to = &said[again_at].to,
            .expires_us = INT64_MAX,
        };
        if (kith_link_post(r->link, &p) != 0) {
            return; /* no room: the next time goes on from here */
        }
    }
}

/* The same again need not be said twice as often. */
static void remember(const kith_posting *p) {
    bool again = said_count > 0 && said[said_count - 1].length == p->length &&
                 memcmp(said[said_count - 1].bytes, p->bytes, p->length) == 0;
    if (said_count < SAID_MAX && !again) {
        said[said_count].to = *p->to;
        said[said_count].length = p->length;
        memcpy(said[said_count++].bytes, p->bytes, p->length);
    }
}

typedef struct attempt {
    raw *link;
    const kith_posting *what;
    int code;
} attempt;

static bool post_again(world *w, const void *arg) {
    attempt *a = (attempt *) (uintptr_t) arg;
    kith_link_tick(a->link->link, w->now);
    a->code = kith_link_post(a->link->link, a->what);
    return a->code != KITH_FULL;
}

int raw_post(raw *r, const char *subject, const void *bytes, size_t length) {
    kith_address to = { { 0 } };
    snprintf(to.subject, sizeof to.subject, "%s", subject);
    kith_posting p = {
        .kind = KITH_ITEM_PACKET,
        .length = (uint16_t) length,
        .bytes = bytes,
        .to = &to,
        .expires_us = INT64_MAX,
        .ticket = ++r->ticket,
    };
    attempt a = { r, &p, kith_link_post(r->link, &p) };
    int code = a.code;
    if (code == KITH_FULL && world_until(r->world, post_again, &a)) {
        code = a.code;
    }
    if (code == 0 && r->world->lossy == r) {
        remember(&p);
    }
    return code;
}

bool raw_packet(raw *r, const kith_packet *packet) {
    kith_content c;
    int code = kith_packet_decode(packet->bytes, packet->length, &c);
    if (code == 0) {
        code = raw_post(r, c.address.subject, packet->bytes, packet->length);
    }
    if (code != 0) {
        world_fail(r->world, "raw post: %s", kith_error_name(code));
    }
    return code == 0;
}

static bool settled_now(world *w, const void *arg) {
    const raw *r = arg;
    kith_counters c = { 0 };
    uint64_t through = 0;
    kith_error err = { 0 };
    kith_link_tick(r->link, w->now);
    int code = kith_link_settle(r->link, &through, &err);
    kith_link_counters(r->link, &c);
    if (code < 0) {
        world_fail(w, "settle: %.200s", err.text);
    }
    return code < 0 || (code == 0 && through >= r->ticket) || c.settled >= c.posted;
}

bool raw_settle(raw *r) {
    if (!world_until(r->world, settled_now, r)) {
        world_fail(r->world, "posts never settled");
    }
    return !r->world->failed;
}

typedef struct awaited {
    raw *link;
    kith_item *item;
} awaited;

static bool came(world *w, const void *arg) {
    const awaited *a = arg;
    int code = kith_link_pull(a->link->link, a->item);
    if (code == KITH_EMPTY) {
        kith_link_tick(a->link->link, w->now);
    }
    return code == 0 && a->item->kind == KITH_ITEM_PACKET;
}

bool raw_wait(raw *r, kith_item *ret_item) {
    awaited a = { .link = r, .item = ret_item };
    return world_until(r->world, came, &a);
}

bool raw_pull(raw *r, kith_item *ret_item) {
    for (int i = 0; i < PULL_TURNS; i++) {
        int code = kith_link_pull(r->link, ret_item);
        if (code == 0 && ret_item->kind == KITH_ITEM_PACKET) {
            return true;
        }
        if (code == KITH_EMPTY) {
            (void) world_turn(r->world);
            kith_link_tick(r->link, r->world->now);
        }
    }
    return false;
}
