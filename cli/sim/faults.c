/* SPDX-License-Identifier: Apache-2.0 */
/* kith sim --seed, --seeds: whole nodes through faults, a row for each seed. */
#include "cli/sim/sim.h"

#include <kith/time.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    JOBS_MAX = 64,
};

/* How one seed ended: a report, or why there is none. Small enough for a pipe. */
typedef struct outcome {
    int code;
    kith_error err;
    kith_sim_report report;
} outcome;

/* The bits of "loss,crash"; false: it names something else. */
static bool faults_of(const char *text, uint32_t *ret) {
    *ret = 0;
    while (*text != '\0') {
        size_t n = strcspn(text, ","), i = 0;
        const char *name = kith_sim_fault_name(0);
        while (name != NULL && (strlen(name) != n || strncmp(name, text, n) != 0)) {
            name = kith_sim_fault_name(++i);
        }
        if (name == NULL) return false;
        *ret |= 1u << i;
        text += n + (text[n] == ',' ? 1 : 0);
    }
    return true;
}

static char *fault_names(uint32_t faults, char *ret, size_t size) {
    size_t used = 0;
    ret[0] = '\0';
    for (size_t i = 0; kith_sim_fault_name(i) != NULL && used + 1 < size; i++) {
        if ((faults >> i & 1) == 0) continue;
        int n = snprintf(
            ret + used, size - used, "%s%s", used == 0 ? "" : ",", kith_sim_fault_name(i));
        used += n > 0 ? (size_t) n : 0;
    }
    return ret;
}

/* In memory where there is such a place; removed when the run is over. */
static int run_here(const kith_sim_config *config, outcome *ret) {
    static const char *const places[] = { "/dev/shm", "/tmp", "." };
    char folder[64];
    kith_sim_config c = *config;
    *ret = (outcome){ .code = KITH_E_SYSTEM };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(folder, sizeof folder, "%s/kith-sim-XXXXXX", places[i]);
        if (access(places[i], W_OK) != 0 || mkdtemp(folder) == NULL) continue;
        c.folder = folder;
        ret->code = kith_sim_swarm_run(&c, &ret->report, &ret->err);
        (void) rmdir(folder);
        return ret->code;
    }
    snprintf(ret->err.text, sizeof ret->err.text, "no folder for simulated disks");
    return ret->code;
}

/* In a process of its own; *ret_fd is where its outcome comes. */
static pid_t run_child(const kith_sim_config *config, int *ret_fd) {
    int ends[2];
    if (pipe(ends) != 0) return -1;
    pid_t pid = fork();
    if (pid == 0) {
        outcome it;
        (void) run_here(config, &it);
        bool told = write(ends[1], &it, sizeof it) == sizeof it;
        _exit(told ? 0 : 1);
    }
    (void) close(ends[1]);
    *ret_fd = ends[0];
    return pid;
}

static int run_many(const kith_sim_config *base, size_t count, outcome *ret) {
    if (count == 1) return run_here(base, &ret[0]) < 0 ? -1 : 0;
    int fds[JOBS_MAX];
    pid_t pids[JOBS_MAX];
    for (size_t i = 0; i < count; i++) {
        kith_sim_config c = *base;
        c.seed += i;
        pids[i] = run_child(&c, &fds[i]);
    }
    for (size_t i = 0; i < count; i++) {
        ret[i] = (outcome){ .code = KITH_E_SYSTEM };
        if (pids[i] < 0) continue;
        bool whole = read(fds[i], &ret[i], sizeof ret[i]) == sizeof ret[i];
        if (!whole) ret[i].code = KITH_E_SYSTEM;
        (void) close(fds[i]);
        (void) waitpid(pids[i], NULL, 0);
    }
    return 0;
}

static bool emit(const call *c, uint64_t seed, const kith_sim_report *r) {
    char names[160];
    record row = record_of("sim_run");
    as_column(put_count(&row, "seed", seed), 0);
    as_column(put_text(&row, "is", r->good ? "good" : "WRONG"), 0);
    put_text(&row, "wrong", r->good ? NULL : r->wrong);
    as_column(put_int(&row, "nodes", r->nodes), 0);
    put_int(&row, "disks", r->disks);
    as_column(put_text(&row, "faults", fault_names(r->faults, names, sizeof names)), 0);
    put_int(&row, "loss", r->loss);
    put_int(&row, "repeat", r->repeat);
    put_real(&row, "delay_s", (double) r->delay_ns / 1e9);
    as_column(put_real(&row, "until_s", (double) r->until_ns / 1e9), 6);
    as_column(put_real(&row, "healed_s", (double) r->healed_ns / 1e9), 6);
    as_column(put_count(&row, "posted", r->posted), 0);
    put_count(&row, "refused", r->refused);
    as_column(put_count(&row, "crashes", r->crashes), 0);
    put_count(&row, "partitions", r->partitions);
    put_count(&row, "clocks", r->clocks);
    put_count(&row, "pauses", r->pauses);
    put_count(&row, "fulls", r->fulls);
    put_count(&row, "syncs_failed", r->syncs);
    put_count(&row, "messages", r->messages);
    put_count(&row, "messages_lost", r->lost);
    put_count(&row, "messages_repeated", r->repeated);
    put_count(&row, "turns", r->turns);
    as_column(put_count(&row, "checks", r->checks), 0);
    as_column(put_hex(&row, "digest", r->digest, sizeof r->digest), 0);
    return out_emit(c->out, &row);
}

static void tell(const call *c, const kith_sim_config *config, const outcome *it) {
    char without[160], nodes[32] = "", until[32] = "";
    uint32_t left_out = KITH_SIM_ALL & ~config->faults;
    if (config->nodes != 0) snprintf(nodes, sizeof nodes, " --nodes %u", config->nodes);
    if (config->until_ns != 0) {
        snprintf(until, sizeof until, " --until %" PRId64 "ms", config->until_ns / 1000000);
    }
    fault_names(left_out, without, sizeof without);
    out_note(c->out, "%s", it->report.wrong);
    out_note(c->out, "this repeats it: kith sim --seed %" PRIu64 "%s%s%s%s", config->seed,
        nodes, until, left_out == 0 ? "" : " --without ", without);
}

/* Leaves out a fault at a time, then time, as long as it still fails. */
static void shrink(const call *c, kith_sim_config config, const outcome *first) {
    outcome last = *first, it;
    config.faults &= last.report.faults;
    config.until_ns = last.report.until_ns;
    for (uint32_t bit = 1; bit < KITH_SIM_ALL; bit <<= 1) {
        kith_sim_config less = config;
        if ((less.faults & bit) == 0) continue;
        less.faults &= ~bit;
        if (run_here(&less, &it) < 0 || it.report.good) continue;
        config = less;
        last = it;
    }
    while (config.until_ns > INT64_C(2000000000)) {
        kith_sim_config less = config;
        less.until_ns = less.until_ns / 2000000 * 1000000;
        if (run_here(&less, &it) < 0 || it.report.good) break;
        config = less;
        last = it;
    }
    tell(c, &config, &last);
}

/* One row each, in their order; the first that is not good ends it. */
static int show(const call *c, const kith_sim_config *config, const outcome *it) {
    const sim_flags *f = c->flags;
    if (it->code < 0) return fault_kith(c->out, E_INTERNAL, "sim", &it->err);
    if (!emit(c, config->seed, &it->report)) return EXIT_USAGE;
    if (it->report.good) return 0;
    out_rows(c->out);
    if (f->shrink) {
        shrink(c, *config, it);
    } else {
        tell(c, config, it);
    }
    return EXIT_NOTHING;
}

static int run_all(const call *c, kith_sim_config config, uint64_t last, size_t jobs) {
    outcome *outcomes = calloc(jobs, sizeof *outcomes);
    if (outcomes == NULL) return fault(c->out, E_MEMORY, "sim", NULL);
    int code = 0;
    while (code == 0 && config.seed <= last) {
        size_t count = last - config.seed + 1 < jobs ? last - config.seed + 1 : jobs;
        (void) run_many(&config, count, outcomes);
        for (size_t i = 0; i < count && code == 0; i++) {
            code = show(c, &config, &outcomes[i]);
            config.seed++;
        }
    }
    free(outcomes);
    return code;
}

int sim_faults(const call *c) {
    const sim_flags *f = c->flags;
    uint32_t without;
    uint64_t last = (uint64_t) f->seed;
    if (!faults_of(f->without, &without)) {
        return fault(c->out, E_VALUE, "--without", "'%s' names no faults", f->without);
    }
    kith_sim_config config = { .seed = (uint64_t) f->seed,
        .nodes = flag_given(c, "nodes") ? (uint32_t) f->nodes : 0,
        .until_ns = flag_given(c, "until") ? f->until_ns : 0,
        .faults = KITH_SIM_ALL & ~without };
    if (f->seeds[0] != '\0') {
        char end = '\0';
        int n = sscanf(f->seeds, "%" SCNu64 "..%" SCNu64 "%c", &config.seed, &last, &end);
        if (n != 2 || last < config.seed || last == UINT64_MAX) {
            return fault(c->out, E_VALUE, "--seeds", "'%s' is not like 1..200", f->seeds);
        }
    }
    kith_time from = kith_time_now();
    uint64_t first = config.seed;
    int code = run_all(c, config, last, (size_t) f->jobs);
    out_rows(c->out);
    if (code > EXIT_NOTHING || !out_flush(c->out)) return code;
    out_note(c->out, "%" PRIu64 " seeds took %.1f s", last - first + 1,
        (double) (kith_time_now().mono_ns - from.mono_ns) / 1e9);
    return code;
}
