/* SPDX-License-Identifier: Apache-2.0 */
/* kith demo: starts the buildings, plays the world to them, does three kinds of
 * harm, and says at the end what came of it. Buildings are forked before anything
 * is opened here, so they inherit nothing but their wire. */
#include "cli/demo/demo.h"
#include "cli/conform/tree.h"
#include "cli/verbs.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TURN_MS    50
#define PART_NS    INT64_C(1500000000) /* a window's readings come over this time */
#define QUIET_PART 0.25                /* of the whole: no new readings at the end */
#define GOODBYE_NS UINT64_C(30000000000)

static volatile sig_atomic_t stopped;

static void on_stop(int signal_number) {
    stopped = signal_number;
}

static void catch_signals(void) {
    struct sigaction act = { .sa_handler = on_stop };
    (void) sigaction(SIGINT, &act, NULL);
    (void) sigaction(SIGTERM, &act, NULL);
    (void) sigaction(SIGHUP, &act, NULL);
    (void) signal(SIGPIPE, SIG_IGN);
}

/* ---- the world ---- */

static double uniform(uint64_t *dice) {
    *dice = *dice * 6364136223846793005u + 1442695040888963407u;
    return ((double) (*dice >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t *dice) {
    return kith_normal_quantile(uniform(dice));
}

static void draw_world(demo *d) {
    uint64_t dice = d->seed * 2654435761u + 88172645463325252u;
    (void) uniform(&dice);
    d->truth = 0.05 + 0.15 * uniform(&dice);
    for (unsigned i = 0; i < d->count; i++) {
        cell *c = &d->cells[i];
        c->offset = OFFSET_SD * normal(&dice);
        c->dice = dice ^ ((uint64_t) (i + 1) << 32);
        (void) uniform(&c->dice);
    }
}

/* ---- processes ---- */

static void run_child(demo *d, unsigned which, int wire) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void) signal(SIGINT, SIG_IGN); /* the conductor decides */
    (void) signal(SIGTERM, SIG_DFL);
    (void) signal(SIGHUP, SIG_DFL);
    for (unsigned i = 0; i < d->count; i++) {
        if (d->cells[i].wire >= 0) close(d->cells[i].wire);
    }
    building b = d->cells[which].is; /* and nothing else of the conductor's */
    memset(d, 0, sizeof *d);
    _exit(building_live(&b, wire));
}

static bool start(demo *d, unsigned which) {
    cell *c = &d->cells[which];
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return false;
    }
    fflush(d->out->to);
    c->pid = fork();
    if (c->pid == 0) {
        close(ends[0]);
        run_child(d, which, ends[1]);
    }
    close(ends[1]);
    c->wire = ends[0];
    return c->pid > 0;
}

static void bury(cell *c, bool by_force) {
    if (c->pid > 0) {
        if (by_force) kill(c->pid, SIGKILL);
        (void) !waitpid(c->pid, NULL, 0);
    }
    c->pid = -1;
    if (c->wire >= 0) close(c->wire);
    c->wire = -1;
}

/* Closing the wire is the word to go; whoever does not is killed. */
static void say_goodbye(demo *d) {
    uint64_t begun = kith_time_now().mono_ns;
    for (unsigned i = 0; i < d->count; i++) {
        if (d->cells[i].wire >= 0) {
            (void) shutdown(d->cells[i].wire, SHUT_WR);
        }
    }
    for (bool left = true; left && kith_time_now().mono_ns - begun < GOODBYE_NS;) {
        left = false;
        for (unsigned i = 0; i < d->count; i++) {
            cell *c = &d->cells[i];
            if (c->pid > 0 && waitpid(c->pid, NULL, WNOHANG) == c->pid) c->pid = -1;
            left = left || c->pid > 0;
        }
        if (left) (void) !poll(NULL, 0, TURN_MS);
    }
    for (unsigned i = 0; i < d->count; i++) {
        bury(&d->cells[i], true);
    }
}

/* ---- the play ---- */

/* What a building has been given by now, in whole windows. A dead one gets nothing;
 * its sensor hands over what it missed when it is back. So which window is a
 * building's last one depends on the seed and the time alone. */
static void give_readings(demo *d, double seconds) {
    double end = (double) d->for_ns / 1e9 * (1 - QUIET_PART), part = (double) PART_NS / 1e9;
    d->windows_due = (unsigned) ((seconds < end ? seconds : end) / part);
    for (unsigned i = 0; i + 1 < d->count; i++) {
        cell *c = &d->cells[i];
        for (; c->pid > 0 && c->windows < d->windows_due; c->windows++) {
            static double x[WINDOW_COUNT];
            for (unsigned k = 0; k < WINDOW_COUNT; k++) {
                x[k] = d->truth + c->offset + NOISE_SD * normal(&c->dice);
            }
            if (send(c->wire, x, sizeof x, MSG_NOSIGNAL) != sizeof x) break;
            c->readings += WINDOW_COUNT;
        }
    }
}

static void hear_all(demo *d) {
    struct pollfd list[DEMO_NODES_MAX];
    for (unsigned i = 0; i < d->count; i++) {
        list[i] = (struct pollfd){ .fd = d->cells[i].wire, .events = POLLIN };
    }
    (void) !poll(list, d->count, TURN_MS);
    for (unsigned i = 0; i < d->count; i++) {
        cell *c = &d->cells[i];
        report r;
        while (c->wire >= 0 && recv(c->wire, &r, sizeof r, MSG_DONTWAIT) == sizeof r) {
            c->last = r;
            c->heard = true;
        }
    }
}

typedef struct act {
    double at; /* share of the whole time */
    bool (*play)(demo *d);
} act;

static bool liar_joins(demo *d) {
    snprintf(d->event, sizeof d->event, "%s joins: claims +9.9 from 1e9 observations",
        d->cells[d->count - 1].name);
    return start(d, d->count - 1);
}

static bool node_killed(demo *d) {
    snprintf(d->event, sizeof d->event, "%s killed with SIGKILL", d->cells[2].name);
    bury(&d->cells[2], true);
    return true;
}

static bool node_back(demo *d) {
    snprintf(d->event, sizeof d->event, "%s is back", d->cells[2].name);
    return start(d, 2);
}

static bool carrier_pulled(demo *d) {
    char away[DEMO_PATH + 8];
    snprintf(away, sizeof away, "%s.away", d->dir);
    snprintf(d->event, sizeof d->event, "carrier dir pulled out");
    return rename(d->dir, away) == 0;
}

static bool carrier_back(demo *d) {
    char away[DEMO_PATH + 8];
    snprintf(away, sizeof away, "%s.away", d->dir);
    tree_remove(d->dir); /* what somebody may have put in its place */
    snprintf(d->event, sizeof d->event, "carrier dir put back");
    return rename(away, d->dir) == 0;
}

static const act acts[] = { { 0.20, liar_joins }, { 0.32, node_killed },
    { 0.42, node_back }, { 0.50, carrier_pulled }, { 0.64, carrier_back } };
enum {
    ACTS = sizeof acts / sizeof *acts
};

static bool play(demo *d) {
    for (unsigned i = 0; i + 1 < d->count; i++) {
        if (!start(d, i)) return false;
    }
    double whole = (double) d->for_ns / 1e9, shown = -1;
    for (unsigned next = 0; stopped == 0;) {
        double seconds = (double) (kith_time_now().mono_ns - d->begun_ns) / 1e9;
        if (seconds >= whole) return true;
        give_readings(d, seconds);
        if (next < ACTS && seconds >= acts[next].at * whole && !acts[next++].play(d)) {
            return false;
        }
        hear_all(d);
        if (seconds >= shown + 1) {
            shown = floor(seconds);
            bool words = d->out->tty && !d->out->json;
            (!words ? screen_tick : d->live ? screen_paint : screen_say)(d, seconds);
        }
    }
    return true;
}

static int judge(demo *d) {
    verdict v;
    char why[200] = "";
    if (!verdict_of(d, &v, why, sizeof why)) {
        return fault(d->out, E_STORE, d->folder, "%s", why);
    }
    screen_end(d, &v);
    bool good = v.covered && v.equal && v.lost == 0 && v.doubled == 0;
    return good ? EXIT_DONE : EXIT_NOTHING;
}

int verb_demo(const call *c) {
    const demo_flags *f = c->flags;
    static demo d;
    d = (demo){ .out = c->out,
        .seed = (uint64_t) f->seed,
        .count = (unsigned) f->nodes,
        .for_ns = f->seconds_ns,
        .begun_ns = kith_time_now().mono_ns };
    const char *term = getenv("TERM");
    d.live = c->out->tty && !c->out->json && c->out->width >= 79 && term != NULL &&
             strcmp(term, "dumb") != 0;
    catch_signals();
    bool made = f->folder[0] == '\0'
                    ? tree_make("kith-demo", d.folder, sizeof d.folder)
                    : strlen(f->folder) < 480 && mkdir(f->folder, 0700) == 0;
    if (f->folder[0] != '\0') {
        snprintf(d.folder, sizeof d.folder, "%.480s", f->folder);
    }
    if (!made) {
        return fault(c->out, E_FOLDER, d.folder, "%s", strerror(errno));
    }
    int code = EXIT_SOFTWARE;
    if (!demo_set_up(&d)) {
        code = fault(c->out, E_FOLDER, d.folder, "%s", strerror(errno));
    } else {
        screen_note(&d);
        draw_world(&d);
        bool played = play(&d);
        int why = errno;
        say_goodbye(&d);
        code = stopped != 0 ? 128 + (int) stopped
               : played     ? judge(&d)
                            : fault(c->out, E_INTERNAL, "the demo", "%s", strerror(why));
    }
    if (!f->keep) {
        tree_remove(d.folder);
    }
    return code;
}
