/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/swarm.h"

#include "base/dice.h"
#include "base/fail.h"
#include "base/hash.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DISKS_MAX = 16, /* more nodes than that keep their stores in memory */
    STREET = 25,    /* nodes that hear each other, in a swarm of more than 40 */
    STEPS = 16,     /* of one node in one moment */
};
/* After the last fault, all must agree within this. */
#define PATIENCE (2 * 3600 * SIM_SECOND)

kith_time ki_sim_time(const ki_sim *s, const ki_member *m) {
    return (kith_time){ .mono_ns = s->now_ns,
        .wall_us = SIM_START + (int64_t) (s->now_ns / 1000) + m->wrong_us };
}

static uint32_t index_of(const ki_sim *s, const ki_member *m) {
    return (uint32_t) (m - s->members);
}

static void heard(void *ctx, uint32_t node) {
    ki_sim *s = ctx;
    s->members[node].due_ns = s->now_ns;
}

/* Set aside, though nothing but the power went: that is a fault of ours. */
static void look_at_store(ki_sim *s, ki_member *m) {
    kith_store_stat stat;
    if (kith_store_stats(m->store, &stat, NULL) < 0) return;
    if (stat.quarantined) {
        ki_sim_wrong(s, "node %u: its store was set aside", index_of(s, m));
    }
}

int ki_sim_up(ki_sim *s, ki_member *m, kith_error *err) {
    CHECK(m->store == NULL && m->node == NULL);
    uint32_t i = index_of(s, m);
    char urls[2][32];
    const char *links[2] = { urls[0], urls[1] };
    bool bridge = s->net.links > s->count && i % s->street == 0;
    (void) snprintf(urls[0], sizeof urls[0], "sim://%u", i);
    (void) snprintf(urls[1], sizeof urls[1], "sim://%u", s->count + i / s->street);
    int r = kith_store_open(&m->store, m->url, err);
    if (r == 0) r = kith_store_begin_run(m->store, err);
    kith_node_config c = { .store = m->store,
        .key = m->key,
        .links = links,
        .link_count = bridge ? 2 : 1,
        .relay = bridge,
        .carrier = &ki_sim_carrier,
        .carrier_ctx = &s->net,
        .seed = dice_roll(&s->dice) | 1 };
    if (r == 0) r = kith_node_open(&m->node, &c, ki_sim_time(s, m), err);
    if (r < 0) {
        kith_store_close(&m->store);
        return r;
    }
    look_at_store(s, m);
    m->due_ns = s->now_ns;
    return 0;
}

int ki_sim_down(ki_sim *s, ki_member *m) {
    CHECK(m->disk != NULL);
    m->disk->dead = true;
    kith_node_close(&m->node);
    kith_store_close(&m->store);
    return ki_disk_cut(m->disk, &s->dice);
}

static void turn(ki_sim *s, ki_member *m) {
    int did = 0;
    for (int i = 0; i < STEPS; i++) {
        did = kith_node_step(m->node, ki_sim_time(s, m));
        s->report->turns++;
        if (did <= 0) break;
    }
    uint64_t due = kith_node_due(m->node), soon = s->now_ns + SIM_MS;
    if (did < 0) due = s->now_ns + 100 * SIM_MS; /* its store fails; it heals itself */
    m->due_ns = due > soon ? due : soon;
}

static bool awake(const ki_member *m) {
    return m->node != NULL && !m->paused;
}

static uint64_t next_moment(const ki_sim *s, uint64_t until_ns) {
    uint64_t next = until_ns, letter = ki_net_due(&s->net);
    next = letter < next ? letter : next;
    next = s->event_ns < next ? s->event_ns : next;
    for (uint32_t i = 0; i < s->count; i++) {
        const ki_member *m = &s->members[i];
        if (awake(m) && m->due_ns < next) next = m->due_ns;
    }
    return next > s->now_ns ? next : s->now_ns;
}

/* From one thing that happens to the next. */
int ki_sim_run(ki_sim *s, uint64_t until_ns) {
    while (s->now_ns < until_ns && s->report->wrong[0] == '\0') {
        s->now_ns = next_moment(s, until_ns);
        ki_net_bring(&s->net, s->now_ns, heard, s);
        for (uint32_t i = 0; i < s->count; i++) {
            ki_member *m = &s->members[i];
            if (awake(m) && m->due_ns <= s->now_ns) turn(s, m);
        }
        if (s->event_ns > s->now_ns) continue;
        ki_sim_over(s);
        ki_sim_event(s);
    }
    return 0;
}

static int make(ki_sim *s, uint32_t i, kith_error *err) {
    ki_member *m = &s->members[i];
    uint8_t seed[32] = { 0 };
    for (int k = 0; k < 8; k++) seed[k] = (uint8_t) (s->config->seed >> 8 * k);
    for (int k = 0; k < 4; k++) seed[8 + k] = (uint8_t) (i >> 8 * k);
    int r = kith_key_from_seed(&m->key, seed, err);
    if (r < 0) return r;
    kith_key_public(m->key, m->public_key);
    if (s->count > DISKS_MAX) {
        memcpy(m->url, "memory:?max_bytes=8M", 21);
    } else {
        char path[SIM_PATH_MAX + 1];
        int n = snprintf(path, sizeof path, "%s/%u.db", s->config->folder, i);
        if (n < 0 || (size_t) n >= sizeof path) {
            return ki_fail(err, KITH_E_ARG, "the folder's name is too long");
        }
        (void) snprintf(m->url, sizeof m->url, "sqlite:%s", path);
        r = ki_disk_new(&m->disk, path);
        s->report->disks++;
    }
    return r < 0 ? ki_fail(err, r, "simulated disk") : ki_sim_up(s, m, err);
}

/* What the stores left in the folder, set aside ones too: "3.db" and what begins so. */
static void remove_files(const ki_sim *s) {
    DIR *folder = s->report->disks > 0 ? opendir(s->config->folder) : NULL;
    for (struct dirent *e; folder != NULL && (e = readdir(folder)) != NULL;) {
        size_t digits = strspn(e->d_name, "0123456789");
        if (digits == 0 || strncmp(e->d_name + digits, ".db", 3) != 0) continue;
        (void) unlinkat(dirfd(folder), e->d_name, 0);
    }
    if (folder != NULL) (void) closedir(folder);
}

static void end(ki_sim *s) {
    for (uint32_t i = 0; i < s->count && s->members != NULL; i++) {
        ki_member *m = &s->members[i];
        kith_node_close(&m->node);
        kith_store_close(&m->store);
        kith_key_free(&m->key);
        ki_disk_free(&m->disk);
    }
    remove_files(s);
    ki_net_close(&s->net);
    free(s->members);
    free(s->attempts);
}

/* Everything is well; how long until all agree? */
static int converge(ki_sim *s) {
    uint64_t from = s->now_ns;
    while (s->report->wrong[0] == '\0') {
        int r = ki_sim_run(s, s->now_ns + 5 * SIM_SECOND);
        if (r < 0) return r;
        if (ki_sim_alike(s)) break;
        if (s->now_ns - from > PATIENCE) {
            ki_sim_wrong(s, "two hours after the last fault nodes still differ");
        }
    }
    s->report->healed_ns = (int64_t) (s->now_ns - from);
    return s->report->wrong[0] == '\0' ? ki_sim_judge(s) : 0;
}

/* What was counted belongs to the digest too: the same seed, the same course. */
static void close_report(ki_sim *s) {
    kith_sim_report *r = s->report;
    uint64_t counts[] = { r->posted, r->refused, r->crashes, r->partitions, r->clocks,
        r->pauses, r->fulls, r->syncs, s->net.messages, s->net.lost, s->net.repeated,
        r->turns, r->checks, (uint64_t) r->healed_ns, s->now_ns };
    ki_sha256 h;
    ki_sha256_init(&h);
    ki_sha256_add(&h, r->digest, sizeof r->digest);
    ki_sha256_add(&h, counts, sizeof counts);
    ki_sha256_done(&h, r->digest);
    r->messages = s->net.messages;
    r->lost = s->net.lost;
    r->repeated = s->net.repeated;
    r->good = r->wrong[0] == '\0';
}

static int begin(ki_sim *s, kith_error *err) {
    ki_sim_draw(s);
    s->street = s->count > 40 ? STREET : s->count;
    s->members = calloc(s->count, sizeof *s->members);
    int r = s->members == NULL
                ? KITH_E_MEMORY
                : ki_net_open(&s->net, s->count, s->street, dice_roll(&s->dice));
    if (r < 0) return ki_fail(err, r, "a swarm of %u", s->count);
    s->net.loss = s->report->loss;
    s->net.repeat = s->report->repeat;
    s->net.delay_ns = (uint64_t) s->report->delay_ns + 1;
    for (uint32_t i = 0; i < s->count && r == 0; i++) r = make(s, i, err);
    return r;
}

int kith_sim_swarm_run(
    const kith_sim_config *config, kith_sim_report *ret, kith_error *err) {
    if (config->folder == NULL || config->nodes == 1 ||
        config->nodes > KITH_SIM_NODES_MAX) {
        return ki_fail(err, KITH_E_ARG, "a swarm has 2 to %d nodes", KITH_SIM_NODES_MAX);
    }
    int r = ki_disk_mount(err);
    if (r < 0) return r;
    *ret = (kith_sim_report){ 0 };
    ki_sim s = { .config = config,
        .report = ret,
        .dice = config->seed,
        .now_ns = SIM_SECOND,
        .event_ns = SIM_SECOND };
    r = begin(&s, err);
    if (r == 0) r = ki_sim_run(&s, s.now_ns + (uint64_t) ret->until_ns);
    if (r == 0) r = ki_sim_heal(&s, err);
    if (r == 0) r = converge(&s);
    if (r == 0) close_report(&s);
    end(&s);
    return r;
}
