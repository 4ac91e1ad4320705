/* SPDX-License-Identifier: Apache-2.0 */
/* kith conform URL: one check after the other, each in a realm of its own, and at
 * the end the digest of a scripted history. docs/carriers.md is made from what
 * this prints.
 *
 * A carrier under test may crash or never return. So one process works and one
 * watches: it has opened nothing, tells what became of the other, cleans up after
 * it, and lets a new one go on behind the check that was its end. */
#include "cli/conform/check.h"
#include "cli/conform/nursery.h"
#include "cli/conform/report.h"
#include "cli/conform/tree.h"
#include "cli/verbs.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CRASHES_MAX 3
#define LOOK_MS     10
/* Real time in which nothing at all happened: the carrier does not return. */
#define HANG_NS UINT64_C(30000000000)
/* From a signal of the user to SIGKILL. */
#define LEAVE_NS UINT64_C(5000000000)

static const check *const tables[] = { value_checks, wire_checks, pattern_checks,
    late_checks, torn_checks, many_checks, hostile_checks, clock_checks, merge_checks,
    crash_checks };
enum {
    TABLES = sizeof tables / sizeof *tables
};

static const check history_check = { "one_history_ends_in_one_state", history_run, 0 };

/* Seen by both processes. */
typedef struct stage {
    tally tally;
    world world;
} stage;

/* ---- the one that works ---- */

static void count_one(stage *s, const check *c) {
    (void) c;
    s->tally.total++;
}

static void run_check(stage *s, const check *c) {
    tally *t = &s->tally;
    world *w = &s->world;
    if (world_stopped() != 0) {
        return;
    }
    *w = (world){ .base_url = t->url,
        .tmp = t->tmp,
        .plugins = t->plugins,
        .slow = t->slow,
        .arg = c->arg,
        .seed = t->seed };
    t->name = c->name;
    if (world_begin(w)) {
        t->can = w->can;
        t->level = w->level;
        c->run(w);
    }
    w->skipped = w->skipped && !w->failed;
    world_end(w);
    memcpy(t->digest, history_digest, sizeof t->digest);
    t->failed += w->failed;
    t->skipped += w->skipped;
    t->passed += !w->failed && !w->skipped;
    t->native += !w->failed && !w->skipped && w->by == BY_CARRIER;
    t->number++;
    report_check(t, w);
}

/* Each wanted check behind the first `done` of them. */
static void run_all(stage *s, int done, void (*each)(stage *s, const check *c)) {
    size_t only = strlen(s->tally.only);
    for (size_t i = 0; i <= TABLES; i++) {
        for (const check *c = i < TABLES ? tables[i] : &history_check; c->name != NULL;
             c++) {
            if (strncmp(c->name, s->tally.only, only) == 0 && done-- <= 0) {
                each(s, c);
            }
            if (i == TABLES) {
                break;
            }
        }
    }
}

/* The URL must open before anything is said about it. */
static int try_url(stage *s) {
    tally *t = &s->tally;
    world *w = &s->world;
    *w = (world){ .base_url = t->url, .tmp = t->tmp, .plugins = t->plugins };
    bool good = world_begin(w);
    world_end(w);
    return good ? 0 : fault(t->out, E_URL, t->url, "%s", w->why);
}

static int begin(stage *s) {
    tally *t = &s->tally;
    run_all(s, 0, count_one);
    if (t->total == 0) {
        return fault(t->out, E_NOTHING, t->only, "no check has a name that begins so");
    }
    int code = try_url(s);
    if (code == 0) {
        report_plan(t);
        t->planned = true;
    }
    return code;
}

static void work(stage *s, pid_t watcher) {
    tally *t = &s->tally;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (nursery_open()) {
        t->code = t->planned ? 0 : begin(s);
    } else {
        t->code = fault(t->out, E_INTERNAL, "conform", "no process");
    }
    if (t->code == 0) {
        run_all(s, t->number, run_check);
    }
    nursery_close();
    t->ended = true;
    if (getppid() != watcher) { /* killed: nobody else is left to clean up */
        tree_remove(t->tmp);
    }
}

/* ---- the one that watches ---- */

/* Does anything still happen? */
static uint64_t pulse(const stage *s) {
    return s->world.turns + s->world.posted + (uint64_t) s->tally.number;
}

/* Until it is dead. Returns what ended it, in words; "" when it was its own will. */
static const char *watch(stage *s, pid_t worker) {
    uint64_t now = kith_time_now().mono_ns, moved = now, told = 0, seen = pulse(s);
    uint64_t hang = s->tally.slow ? 10 * HANG_NS : HANG_NS;
    bool hung = false;
    int status = 0;
    while (waitpid(worker, &status, WNOHANG) == 0) {
        (void) !poll(NULL, 0, LOOK_MS);
        now = kith_time_now().mono_ns;
        moved = pulse(s) != seen ? now : moved;
        seen = pulse(s);
        if (world_stopped() != 0 && told == 0) {
            kill(worker, world_stopped());
            told = now;
        }
        hung = hung || now - moved > hang;
        if (hung || (told != 0 && now - told > LEAVE_NS)) {
            kill(worker, SIGKILL);
        }
    }
    return s->tally.ended        ? ""
           : hung                ? "the carrier does not return"
           : WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
                                 : "the process ended";
}

/* The check under way ended its process. */
static void lost(stage *s, const char *how) {
    tally *t = &s->tally;
    world *w = &s->world;
    world_sweep(w);
    if (!t->planned) {
        t->code = fault(t->out, E_URL, t->url, "it was opened, and then: %s", how);
        return;
    }
    w->failed = false;
    world_fail(w, "in this check: %s", how);
    w->skipped = false;
    t->failed++;
    t->number++;
    report_check(t, w);
}

/* One process after the other, until all checks have run or it is enough. */
static int run_watched(stage *s) {
    tally *t = &s->tally;
    for (int crashes = 0; !t->ended && t->code == 0 && world_stopped() == 0;) {
        if (crashes == CRASHES_MAX) {
            t->ended = true;
            if (!t->out->json) fprintf(t->out->to, "Bail out! it ends its own process\n");
            break;
        }
        fflush(t->out->to);
        pid_t watcher = getpid(), worker = fork();
        if (worker == 0) {
            work(s, watcher);
            return -1;
        }
        if (worker < 0) {
            return fault(t->out, E_INTERNAL, "conform", "no process");
        }
        const char *how = watch(s, worker);
        while (waitpid(-1, NULL, 0) > 0) { /* what it left behind ends by itself */
        }
        if (how[0] != '\0' && world_stopped() == 0) {
            lost(s, how);
            crashes =
                strcmp(how, "the carrier does not return") == 0 ? CRASHES_MAX : crashes + 1;
        }
    }
    return t->code;
}

static int conform(const call *c, stage *s) {
    const conform_flags *f = c->flags;
    tally *t = &s->tally;
    *t = (tally){ .out = c->out,
        .url = c->args[0],
        .only = f->only,
        .plugins = f->plugins[0] == '\0' ? NULL : f->plugins,
        .slow = f->slow,
        .seed = (uint64_t) f->seed,
        .begun_ns = kith_time_now().mono_ns };
    if (!tree_make("kith-conform", t->tmp, sizeof t->tmp)) {
        return fault(t->out, E_FOLDER, "a folder for the stores", NULL);
    }
    world_catch(); /* the worker as well */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int code = run_watched(s);
    if (code < 0) {
        return EXIT_DONE; /* this is the worker, and it is done */
    }
    if (code == 0 && t->planned) {
        report_end(t);
        code = t->failed > 0 ? EXIT_NOTHING : EXIT_DONE;
    }
    tree_remove(t->tmp);
    return world_stopped() != 0 ? 128 + world_stopped() : code;
}

int verb_conform(const call *c) {
    stage *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED) {
        return fault(c->out, E_MEMORY, "conform", NULL);
    }
    int code = conform(c, s);
    munmap(s, sizeof *s);
    return code;
}
