/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/conform/world.h"

#include "cli/conform/content.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_STEP_NS UINT64_C(100000000) /* scripted time of a turn without work */
#define BUSY_STEP_NS UINT64_C(1000000)
#define STUCK_NS     UINT64_C(8000000000)  /* real: nothing moved for so long */
#define GIVE_UP_NS   UINT64_C(40000000000) /* real: for one wait; --long: twenty times */
#define SAY_AGAIN    40
#define REST_TURNS   25
#define PATIENCE     300
#define REST_MIN_NS  UINT64_C(25000000)
#define DROPPED_MAX  4096

/* Nodes that were dropped, not closed: a dead process's memory, as it were. They
 * are kept here to the end so that nothing looks like a leak of ours. */
static kith_node *dropped[DROPPED_MAX];
static kith_store *dropped_stores[DROPPED_MAX];
static size_t dropped_count;

void world_fail(world *w, const char *format, ...) {
    if (w->failed) {
        return;
    }
    w->failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(w->why, sizeof w->why, format, args);
    va_end(args);
}

void world_skip(world *w, const char *why) {
    w->skipped = true;
    snprintf(w->why, sizeof w->why, "%s", why);
}

void world_by(world *w, bool carrier) {
    w->by = carrier ? BY_CARRIER : BY_NODE;
}

static uint64_t real_ns(void) {
    return kith_time_now().mono_ns;
}

static uint64_t patience(const world *w) {
    return w->slow ? 20 * GIVE_UP_NS : GIVE_UP_NS;
}

/* ---- sites ---- */

static void on_event(void *ctx, const kith_event *event) {
    site *s = ctx;
    switch (event->kind) {
    case KITH_EVENT_ACCEPTED: s->accepted++; break;
    case KITH_EVENT_REFUSED:
        if (event->code <= KITH_R_LENGTH && event->code >= KITH_R_LAST) {
            s->refused[KITH_R_LENGTH - event->code]++;
        }
        break;
    case KITH_EVENT_GAP: s->gaps += event->count; break;
    case KITH_EVENT_LINK_DOWN: s->downs++; break;
    case KITH_EVENT_LINK_UP:
    case KITH_EVENT_STORE:
    case KITH_EVENT_SENT: break;
    }
}

site *site_new(world *w) {
    if (w->site_count == SITES_MAX) {
        world_fail(w, "too many sites");
        return NULL;
    }
    site *s = &w->sites[w->site_count];
    *s = (site){ .world = w, .number = (uint8_t) (w->site_count + 1) };
    uint8_t seed[32] = { 'k', 'i', 't', 'h', s->number };
    kith_error err = { 0 };
    if (kith_key_from_seed(&s->key, seed, &err) < 0) {
        world_fail(w, "key: %s", err.text);
        return NULL;
    }
    w->site_count++;
    snprintf(s->store_url, sizeof s->store_url, "memory:");
    return s;
}

void site_link(site *s, const char *url) {
    if (s->link_count < LINKS_MAX) {
        snprintf(s->links[s->link_count++], KITH_URL_MAX + 1, "%s", url);
    }
}

void site_follow(site *s, const char *pattern) {
    if (s->follow_count < sizeof s->follows / sizeof *s->follows) {
        s->follows[s->follow_count++] = pattern;
    }
}

void site_on_disk(site *s) {
    static unsigned files;
    snprintf(
        s->store_url, sizeof s->store_url, "sqlite:%s/store-%u.db", s->world->tmp, ++files);
}

kith_time site_now(const site *s) {
    kith_time now = s->world->now;
    now.wall_us += s->skew_us;
    return now;
}

static bool site_store(site *s) {
    kith_error err = { 0 };
    static bool no_memory;
    if (s->store == NULL && strcmp(s->store_url, "memory:") == 0) {
        no_memory = no_memory || kith_store_open(&s->store, s->store_url, NULL) < 0;
        if (no_memory) site_on_disk(s);
    }
    if (s->store == NULL && kith_store_open(&s->store, s->store_url, &err) < 0) {
        world_fail(s->world, "open store %.60s: %.150s", s->store_url, err.text);
        return false;
    }
    return true;
}

bool site_up(site *s) {
    if (!site_store(s)) {
        return false;
    }
    if (s->link_count == 0) {
        site_link(s, s->world->url);
    }
    const char *links[LINKS_MAX];
    for (size_t i = 0; i < s->link_count; i++) {
        links[i] = s->links[i];
    }
    kith_node_config config = {
        .store = s->store,
        .key = s->key,
        .links = links,
        .link_count = s->link_count,
        .follows = s->follows,
        .follow_count = s->follow_count,
        .relay = s->relay,
        .event = on_event,
        .ctx = s,
    };
    kith_error err = { 0 };
    if (kith_node_open(&s->node, &config, site_now(s), &err) < 0) {
        world_fail(s->world, "open node: %.200s", err.text);
        return false;
    }
    return true;
}

void site_down(site *s) {
    kith_node_close(&s->node);
}

void site_drop(site *s) {
    if (dropped_count == DROPPED_MAX) {
        site_down(s);
        return;
    }
    dropped[dropped_count] = s->node;
    s->node = NULL;
    if (strncmp(s->store_url, "memory:", 7) != 0) {
        dropped_stores[dropped_count] = s->store;
        s->store = NULL;
    }
    dropped_count++;
}

enum {
    FILTERED,
    BACKFILLED,
    DUPLICATES
};
static uint64_t site_sum(site *s, int what) {
    uint64_t sum = 0;
    size_t links = s->node != NULL ? kith_node_link_count(s->node) : 0;
    for (size_t i = 0; i < links; i++) {
        static kith_link_status status;
        if (kith_node_link_status(s->node, i, &status) == 0) {
            sum += what == FILTERED     ? status.counters.filtered
                   : what == BACKFILLED ? status.backfilled
                                        : status.duplicates;
        }
    }
    return sum;
}

uint64_t site_filtered(site *s) {
    return site_sum(s, FILTERED);
}

uint64_t site_backfilled(site *s) {
    return site_sum(s, BACKFILLED);
}

uint64_t site_duplicates(site *s) {
    return site_sum(s, DUPLICATES);
}

uint64_t site_refused(const site *s, int refusal) {
    return s->refused[KITH_R_LENGTH - refusal];
}

uint64_t site_refused_all(const site *s) {
    uint64_t sum = 0;
    for (size_t i = 0; i < REFUSALS; i++) {
        sum += s->refused[i];
    }
    return sum;
}

/* ---- turning ---- */

static volatile sig_atomic_t stopped;

static void on_stop(int signal_number) {
    stopped = signal_number;
}

void world_catch(void) {
    struct sigaction act = { .sa_handler = on_stop };
    (void) sigaction(SIGINT, &act, NULL);
    (void) sigaction(SIGTERM, &act, NULL);
    (void) sigaction(SIGHUP, &act, NULL);
}

int world_stopped(void) {
    return (int) stopped;
}

void world_jump(world *w, int64_t us) {
    w->now.wall_us += us;
    w->now.mono_ns += us > 0 ? (uint64_t) us * 1000 : 0;
}

/* A moment of real time for carriers that work on threads of their own. */
static void breathe(world *w) {
    struct pollfd fds[SITES_MAX * 8];
    nfds_t count = 0;
    for (size_t i = 0; i < w->site_count; i++) {
        int found[8];
        size_t n = 0;
        if (w->sites[i].node != NULL && !w->sites[i].asleep) {
            n = kith_node_wake_fds(w->sites[i].node, found, 8);
        }
        for (size_t k = 0; k < n && k < 8; k++) {
            fds[count++] = (struct pollfd){ .fd = found[k], .events = POLLIN };
        }
    }
    (void) !poll(fds, count, 1);
}

static int step_all(world *w) {
    int done = 0;
    for (size_t i = 0; i < w->site_count; i++) {
        site *s = &w->sites[i];
        if (s->node == NULL || s->asleep) {
            continue;
        }
        int n = kith_node_step(s->node, site_now(s));
        if (n < 0) {
            world_fail(w, "step of node %u: %s", s->number, kith_error_name(n));
            return -1;
        }
        done += n;
    }
    return done;
}

int world_turn(world *w) {
    if (stopped != 0) {
        world_fail(w, "interrupted");
        return -1;
    }
    int done = step_all(w);
    if (done < 0) {
        return done;
    }
    if (done == 0) {
        breathe(w);
    }
    if (++w->turns % SAY_AGAIN == 0 && w->lossy != NULL) {
        raw_again(w->lossy);
    }
    uint64_t step = done > 0 ? BUSY_STEP_NS : IDLE_STEP_NS;
    w->now.mono_ns += step;
    w->now.wall_us += w->frozen ? 0 : (int64_t) (step / 1000);
    return done;
}

static uint64_t all_heard(world *w) {
    uint64_t sum = 0;
    for (size_t i = 0; i < w->site_count; i++) {
        site *s = &w->sites[i];
        sum += s->accepted + site_refused_all(s);
    }
    return sum;
}

bool world_until(world *w, bool (*done)(world *w, const void *arg), const void *arg) {
    uint64_t begun = real_ns(), moved = begun, heard = all_heard(w);
    while (!w->failed) {
        if (done(w, arg)) {
            return true;
        }
        int n = world_turn(w);
        uint64_t now = real_ns(), now_heard = all_heard(w);
        if (now_heard != heard) {
            heard = now_heard;
            moved = now;
        }
        if (n < 0 || now - moved > STUCK_NS || now - begun > patience(w)) {
            return false;
        }
    }
    return false;
}

static bool sent_all(site *s) {
    static kith_link_status status;
    for (size_t i = 0; i < kith_node_link_count(s->node); i++) {
        if (kith_node_link_status(s->node, i, &status) < 0 || status.waiting > 0) {
            return false;
        }
    }
    return true;
}

/* Nothing left to send; and whoever follows everything has read everything. */
static bool all_idle(world *w) {
    for (size_t i = 0; i < w->site_count; i++) {
        site *s = &w->sites[i];
        bool at_work = s->node != NULL && !s->asleep;
        if (at_work &&
            (!sent_all(s) || (s->follow_count == 0 && !kith_node_idle(s->node)))) {
            return false;
        }
    }
    return true;
}

/* Nodes greet each other for ever, so rest is not silence: it is that nothing new
 * is heard for many turns, and for a moment of real time. */
bool world_rest(world *w) {
    uint64_t begun = real_ns(), since = begun, heard = all_heard(w);
    for (int calm = 0, turns = 0; calm < REST_TURNS || real_ns() - since < REST_MIN_NS;
         turns++) {
        if (world_turn(w) < 0 || real_ns() - begun > patience(w)) {
            return false;
        }
        uint64_t now_heard = all_heard(w);
        bool idle = turns > PATIENCE || all_idle(w);
        calm = now_heard == heard && idle ? calm + 1 : 0;
        if (calm == 0) {
            since = real_ns();
            heard = now_heard;
        }
    }
    return true;
}
