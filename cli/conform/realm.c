/* SPDX-License-Identifier: Apache-2.0 */
/* A fresh place on the carrier for each check, and its removal. mem:// gets a new
 * bus name, a path gets a new folder beside it, udp:// a group and a port, a port of
 * this machine is taken under another of this machine's names. For any other carrier the user
 * writes {n} where a fresh name may stand: nats://127.0.0.1?stream=K{n}. */
#include "cli/conform/tree.h"
#include "cli/conform/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct parts {
    char wrappers[100]; /* "fault+" */
    char scheme[32];
    char place[PATH_SIZE];
    char query[300]; /* "?drop=10" */
} parts;

static void cut_out(char *ret, size_t size, const char *from, size_t length) {
    snprintf(ret, size, "%.*s", (int) length, from);
}

/* false: no URL, or too long for us. */
static bool take_apart(const char *url, parts *ret) {
    const char *colon = strstr(url, "://");
    if (colon == NULL || strlen(url) > PATH_SIZE - 100) {
        return false;
    }
    const char *scheme = colon;
    while (scheme > url && scheme[-1] != '+') {
        scheme--;
    }
    const char *place = colon + 3, *query = strchr(place, '?');
    size_t place_length = query != NULL ? (size_t) (query - place) : strlen(place);
    cut_out(ret->wrappers, sizeof ret->wrappers, url, (size_t) (scheme - url));
    cut_out(ret->scheme, sizeof ret->scheme, scheme, (size_t) (colon - scheme));
    cut_out(ret->place, sizeof ret->place, place, place_length);
    snprintf(ret->query, sizeof ret->query, "%s", query != NULL ? query : "");
    return true;
}

static unsigned fresh_number(void) {
    static unsigned number;
    return ++number;
}

/* Copies `url` with {n} replaced. false: there is none. */
static bool fill_in(const char *url, char ret[KITH_URL_MAX + 1]) {
    const char *hole = strstr(url, "{n}");
    if (hole == NULL) {
        return false;
    }
    snprintf(ret, KITH_URL_MAX + 1, "%.*s%ld-%u%s", (int) (hole - url), url,
        (long) getpid(), fresh_number(), hole + 3);
    return true;
}

static bool make_folder(world *w, const char *beside) {
    size_t length = strlen(beside);
    while (length > 1 && beside[length - 1] == '/') {
        length--;
    }
    snprintf(w->folder, sizeof w->folder, "%.*s.conform-%ld-%u", (int) length, beside,
        (long) getpid(), fresh_number());
    if (mkdir(w->folder, 0700) < 0) {
        world_fail(w, "mkdir %s: %s", w->folder, strerror(errno));
        w->folder[0] = '\0';
        return false;
    }
    return true;
}

/* A group of this process's own, and for each realm the next port. */
static bool make_group(world *w, const char *place) {
    const char *colon = strchr(place, ':');
    unsigned long port = colon == NULL ? 0 : strtoul(colon + 1, NULL, 10);
    unsigned pid = (unsigned) getpid();
    if (port < 1 || port > 30000) {
        world_fail(w, "udp: a port from 1 to 30000, for the next ones are taken too");
        return false;
    }
    snprintf(w->place, sizeof w->place, "239.%u.%u.%u:%lu", 192 | (pid >> 16 & 63),
        pid >> 8 & 255, pid & 255, port + fresh_number() % 30000);
    return true;
}

/* "127.0.0.1:24550": the whole of 127 is this machine, so a fresh number of it is a
 * port that nobody has. */
static bool make_host(world *w, const char *place) {
    const char *colon = strchr(place, ':');
    unsigned own = (unsigned) getpid() * 64 + fresh_number() % 64;
    if (colon == NULL || strncmp(place, "127.", 4) != 0) {
        world_fail(w, "%s: name a port of 127.0.0.1, or a folder", place);
        return false;
    }
    snprintf(w->place, sizeof w->place, "127.%u.%u.%u%.20s", 1 + (own >> 16) % 254,
        own >> 8 & 255, 1 + own % 254, colon);
    return true;
}

/* What lies in the folder of a realm that has one; NULL: it has none. */
static const char *file_of(const parts *p) {
    const char *scheme = p->scheme;
    bool path = strcmp(scheme, "zmq") == 0 && p->place[0] == '/';
    return strcmp(scheme, "dir") == 0 || strcmp(scheme, "fifo") == 0 || path ? ""
           : strcmp(scheme, "sqlite") == 0                                   ? "/shared.db"
           : strcmp(scheme, "unix") == 0                                     ? "/bus"
                                                                             : NULL;
}

static bool make_realm(world *w, const parts *p) {
    const char *file = file_of(p);
    if (strcmp(p->scheme, "mem") == 0) {
        snprintf(w->place, sizeof w->place, "%.200s-%ld-%u", p->place, (long) getpid(),
            fresh_number());
    } else if (file != NULL) {
        if (!make_folder(w, p->place)) {
            return false;
        }
        snprintf(w->place, sizeof w->place, "%.550s%s", w->folder, file);
    } else if (strcmp(p->scheme, "udp") == 0) {
        if (!make_group(w, p->place)) {
            return false;
        }
    } else if (strcmp(p->scheme, "tcp") == 0 || strcmp(p->scheme, "zmq") == 0) {
        if (!make_host(w, p->place)) {
            return false;
        }
    } else {
        world_fail(w, "%s: put {n} into the URL where a fresh name may stand", p->scheme);
        return false;
    }
    snprintf(
        w->url, sizeof w->url, "%s%s://%s%s", p->wrappers, p->scheme, w->place, p->query);
    snprintf(w->plain, sizeof w->plain, "%s://%s%s", p->scheme, w->place,
        p->wrappers[0] != '\0' ? "" : p->query);
    return true;
}

/* One for all links: it must outlive them. */
const kith_host *world_host(const world *w) {
    static kith_host host;
    host.plugin_dir = w->plugins;
    return &host;
}

/* What the carrier says of itself, asked of a link that is closed again. */
static bool look(world *w) {
    kith_link *link = NULL;
    kith_error err = { 0 };
    if (kith_link_open(&link, w->url, world_host(w), &err) < 0) {
        world_fail(w, "%.230s", err.text);
        return false;
    }
    w->can = kith_link_can(link);
    w->level = kith_link_level(link);
    snprintf(w->scheme, sizeof w->scheme, "%s", kith_link_scheme(link));
    kith_link_close(&link);
    return true;
}

bool world_begin(world *w) {
    parts p;
    w->now = (kith_time){ .mono_ns = UINT64_C(1000000000000), .wall_us = START_US };
    if (!take_apart(w->base_url, &p)) {
        world_fail(w, "not a URL: %.200s", w->base_url);
        return false;
    }
    if (fill_in(w->base_url, w->url)) {
        snprintf(w->plain, sizeof w->plain, "%s", w->url + strlen(p.wrappers));
        return look(w);
    }
    return make_realm(w, &p) && look(w);
}

void world_end(world *w) {
    for (size_t i = 0; i < w->site_count; i++) {
        kith_node_close(&w->sites[i].node);
        kith_store_close(&w->sites[i].store);
        kith_key_free(&w->sites[i].key);
    }
    world_sweep(w);
}

void world_sweep(world *w) {
    if (w->folder[0] != '\0') {
        world_heal(w);
        tree_remove(w->folder);
    }
}

static void add_option(char url[KITH_URL_MAX + 1], const char *option) {
    size_t length = strlen(url);
    snprintf(url + length, KITH_URL_MAX + 1 - length, "%c%s",
        strchr(url, '?') == NULL ? '?' : '&', option);
}

void world_bulk(world *w) {
    const char *option = strcmp(w->scheme, "dir") == 0      ? "sync=os"
                         : strcmp(w->scheme, "sqlite") == 0 ? "sync=normal"
                                                            : NULL;
    if (option != NULL && strstr(w->url, "sync=") == NULL) {
        add_option(w->url, option);
        add_option(w->plain, option);
    }
}

void world_bus(const world *w, char ret_url[KITH_URL_MAX + 1]) {
    (void) w;
    snprintf(ret_url, KITH_URL_MAX + 1, "mem://conform-bus-%ld-%u", (long) getpid(),
        fresh_number());
}

/* Pulled out like a stick: the folder is renamed, so that open descriptors stay
 * but every path is gone. */
bool world_cut(world *w) {
    char away[PATH_SIZE + 8];
    snprintf(away, sizeof away, "%s.away", w->folder);
    return world_keeps(w) && rename(w->folder, away) == 0;
}

bool world_heal(world *w) {
    char away[PATH_SIZE + 8];
    snprintf(away, sizeof away, "%s.away", w->folder);
    if (w->folder[0] == '\0' || access(away, F_OK) < 0) {
        return false;
    }
    tree_remove(w->folder); /* what somebody may have made there meanwhile */
    return rename(away, w->folder) == 0;
}
