/* SPDX-License-Identifier: Apache-2.0 */
/* Turning the world, and waiting. Nothing here waits for luck: a wait ends when what
 * is waited for is true, and only one that is in vain ends by time. */
#include "cli/conform/content.h"

#include <poll.h>
#include <signal.h>
#include <string.h>

/* Scripted time of a turn: with work, without, and where nothing was done for long. */
#define BUSY_STEP_NS UINT64_C(1000000)
#define IDLE_STEP_NS UINT64_C(100000000)
#define LONG_STEP_NS UINT64_C(250000000)
#define LONG_IDLE    4 /* turns */
#define SAY_AGAIN    40

/* Real time. A wait is in vain when nobody has heard anything for STUCK_NS, or after
 * GIVE_UP_NS; --long: ten times. A carrier on which waits were in vain for VAIN_NS
 * in all is found out, and is no longer given that much: so its end comes soon. */
#define STUCK_NS   UINT64_C(10000000000)
#define GIVE_UP_NS UINT64_C(120000000000)
#define VAIN_NS    UINT64_C(15000000000)
#define FOUND_NS   UINT64_C(150000000)

/* Rest is so many turns in a row with nothing left to do, and so much real time. */
#define REST_TURNS  25
#define REST_MIN_NS UINT64_C(25000000)

static uint64_t in_vain_ns;
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

/* ---- one turn ---- */

/* mem:// has no thread of its own: what is not there now will not be there soon. */
static bool has_threads(const world *w) {
    return strcmp(w->scheme, "mem") != 0;
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
    w->idle_turns = done > 0 ? 0 : w->idle_turns + 1;
    if (done == 0 && has_threads(w)) {
        breathe(w);
    }
    if (++w->turns % SAY_AGAIN == 0 && w->lossy != NULL) {
        raw_again(w->lossy);
    }
    uint64_t step = done > 0                    ? BUSY_STEP_NS
                    : w->idle_turns < LONG_IDLE ? IDLE_STEP_NS
                                                : LONG_STEP_NS;
    w->now.mono_ns += step;
    return done;
}

/* ---- waiting ---- */

typedef struct patience {
    uint64_t begun_ns, moved_ns, heard, stuck_ns, give_up_ns;
} patience;

static uint64_t real_ns(void) {
    return kith_time_now().mono_ns;
}

static uint64_t all_heard(const world *w) {
    uint64_t sum = 0;
    for (size_t i = 0; i < w->site_count; i++) {
        const site *s = &w->sites[i];
        sum += s->accepted + site_refused_all(s);
    }
    return sum;
}

static patience patience_begin(const world *w) {
    uint64_t now = real_ns(), times = w->slow ? 10 : 1;
    bool found_out = in_vain_ns >= times * VAIN_NS;
    return (patience){ .begun_ns = now,
        .moved_ns = now,
        .heard = all_heard(w),
        .stuck_ns = found_out ? FOUND_NS : times * STUCK_NS,
        .give_up_ns = found_out ? FOUND_NS : times * GIVE_UP_NS };
}

static bool patience_ends(patience *p, const world *w) {
    uint64_t now = real_ns(), heard = all_heard(w);
    if (heard != p->heard) {
        p->heard = heard;
        p->moved_ns = now;
    }
    bool ends = now - p->moved_ns > p->stuck_ns || now - p->begun_ns > p->give_up_ns;
    in_vain_ns += ends ? now - p->begun_ns : 0;
    return ends;
}

bool world_until(world *w, bool (*done)(world *w, const void *arg), const void *arg) {
    patience p = patience_begin(w);
    while (!w->failed) {
        if (done(w, arg)) {
            return true;
        }
        if (world_turn(w) < 0 || patience_ends(&p, w)) {
            return false;
        }
    }
    return false;
}

/* The first node that is not; NULL: all are. */
static const site *one_busy(const world *w) {
    for (size_t i = 0; i < w->site_count; i++) {
        const site *s = &w->sites[i];
        if (s->node != NULL && !s->asleep && !kith_node_idle(s->node)) {
            return s;
        }
    }
    return NULL;
}

/* The nodes say themselves whether something is left to be sent, or to be read of
 * what a peer has told. What must have come is waited for by world_until: rest shows
 * only that nothing comes beyond it. */
bool world_rest(world *w) {
    patience p = patience_begin(w);
    uint64_t since = p.begun_ns, heard = p.heard;
    uint64_t least = has_threads(w) ? REST_MIN_NS : 0;
    for (int calm = 0; calm < REST_TURNS || real_ns() - since < least;) {
        if (world_turn(w) < 0) {
            return false;
        }
        const site *busy = one_busy(w);
        if (patience_ends(&p, w)) {
            world_fail(w, "no rest: node %u is busy", busy == NULL ? 0 : busy->number);
            return false;
        }
        uint64_t now_heard = all_heard(w);
        calm = now_heard == heard && busy == NULL ? calm + 1 : 0;
        if (calm == 0) {
            since = real_ns();
            heard = now_heard;
        }
    }
    return true;
}
