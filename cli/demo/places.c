/* SPDX-License-Identifier: Apache-2.0 */
/* Where the buildings live and what they talk over: folders, a database and, where
 * this machine has them, ZeroMQ and multicast on the loopback. */
#include "cli/demo/demo.h"

#include <kith/carrier.h>

#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBE_TURNS  20
#define PROBE_MS     50
#define PROBE_GROUPS 3

static const char *const names[DEMO_NODES_MAX] = { "amber-fox", "blue-wren", "coal-newt",
    "dusk-hare", "elm-owl", "fern-mole", "gold-crane", "hazel-stoat", "iris-toad",
    "jade-lynx", "kelp-seal", "lime-finch", "moss-vole", "nut-jay", "oak-heron",
    "pine-crow", "quartz-carp", "reed-otter", "sand-lark", "teal-duck", "umber-bat",
    "violet-bee", "wheat-mouse", "yew-robin" };

/* Where the plugin is there, and a socket's name has room for the folder's. */
static void look_for_zmq(demo *d) {
    kith_link *link = NULL;
    snprintf(d->zmq_url, sizeof d->zmq_url, "zmq://%.500s/zmq", d->folder);
    if (kith_link_open(&link, d->zmq_url, NULL, NULL) < 0) d->zmq_url[0] = '\0';
    kith_link_close(&link);
}

/* A group that hardly anybody else has: two demos beside each other stay apart. */
static void draw_group(demo *d, unsigned attempt) {
    uint64_t dice = d->begun_ns ^ (uint64_t) getpid() << 40 ^ (uint64_t) attempt << 20;
    dice = (dice ^ dice >> 31) * 0x9e3779b97f4a7c15u;
    dice ^= dice >> 29;
    snprintf(d->udp_url, sizeof d->udp_url, "udp://239.%u.%u.%u:%u",
        192 + (unsigned) (dice & 63), (unsigned) (dice >> 8 & 255),
        (unsigned) (dice >> 16 & 255), 20000 + (unsigned) ((dice >> 24) % 12000));
}

/* Does what one says come to the other? Firewalls and machines without a route for
 * multicast tell nobody. */
static bool is_heard(const char *url, kith_error *err) {
    kith_link *one = NULL, *two = NULL;
    uint8_t frame[] = "KS: does multicast work here?";
    kith_posting what = { .kind = KITH_ITEM_SYNC,
        .length = sizeof frame,
        .bytes = frame,
        .expires_us = INT64_MAX };
    kith_item item;
    bool heard = false;
    if (kith_link_open(&one, url, NULL, err) == 0 &&
        kith_link_open(&two, url, NULL, err) == 0) {
        snprintf(
            err->text, sizeof err->text, "what is sent to the loopback does not come back");
        for (int i = 0; i < PROBE_TURNS && !heard; i++) {
            if (kith_link_post(one, &what) < 0) {
                (void) !kith_link_health(one, err); /* says why */
                break;
            }
            (void) !poll(NULL, 0, PROBE_MS);
            heard = kith_link_pull(two, &item) == 0;
        }
    }
    kith_link_close(&one);
    kith_link_close(&two);
    return heard;
}

static void look_for_udp(demo *d) {
    kith_error err = { 0 };
    for (unsigned attempt = 0; attempt < PROBE_GROUPS; attempt++) {
        draw_group(d, attempt);
        if (is_heard(d->udp_url, &err)) return;
    }
    snprintf(d->udp_why, sizeof d->udp_why, "%.159s", err.text);
    d->udp_url[0] = '\0';
}

static void add_link(building *b, const char *url) {
    snprintf(b->links[b->link_count++], sizeof b->links[0], "%s", url);
}

bool demo_set_up(demo *d) {
    snprintf(d->dir, sizeof d->dir, "%.500s/swarm", d->folder);
    snprintf(d->shared, sizeof d->shared, "%.500s/shared", d->folder);
    snprintf(d->dir_url, sizeof d->dir_url, "dir://%s", d->dir);
    snprintf(d->sqlite_url, sizeof d->sqlite_url, "sqlite://%.580s/bus.db", d->shared);
    if (mkdir(d->dir, 0700) < 0 || mkdir(d->shared, 0700) < 0) {
        return false;
    }
    look_for_zmq(d);
    look_for_udp(d);
    for (unsigned i = 0; i < d->count; i++) {
        cell *c = &d->cells[i];
        building *b = &c->is;
        bool liar = i + 1 == d->count, both = i < 2; /* two carry over */
        *b = (building){ .number = i, .liar = liar, .relay = both, .seed = d->seed };
        c->name = liar ? "sly-ferret" : names[i];
        c->pid = c->wire = -1;
        char home[DEMO_PATH];
        snprintf(home, sizeof home, "%.500s/%s", d->folder, c->name);
        snprintf(b->store, sizeof b->store, "sqlite:%.570s/store.db", home);
        if (mkdir(home, 0700) < 0) {
            return false;
        }
        if (both || i % 2 == 0) {
            add_link(b, d->dir_url);
        }
        if (both || i % 2 == 1) {
            add_link(b, d->sqlite_url);
        }
        /* Some hear each other twice, and count it once. */
        if (d->zmq_url[0] != '\0' && i % 4 == 3) add_link(b, d->zmq_url);
        if (d->udp_url[0] != '\0' && i % 4 == 2) add_link(b, d->udp_url);
    }
    return true;
}
