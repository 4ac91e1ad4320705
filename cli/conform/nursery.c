/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/conform/nursery.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CRADLES 2

typedef struct order {
    char verb; /* 's' start, 'k' kill */
    int cradle;
    victim who;
} order;

static int line = -1;
static pid_t nursery = -1;

/* ---- the victim ---- */

static bool open_all(
    const victim *v, kith_store **store, kith_key **key, kith_node **node) {
    uint8_t seed[32] = { 'k', 'i', 't', 'h', v->number };
    const char *links[] = { v->url };
    if (kith_key_from_seed(key, seed, NULL) < 0 ||
        kith_store_open(store, v->store_url, NULL) < 0) {
        return false;
    }
    kith_node_config config = {
        .store = *store,
        .key = *key,
        .links = links,
        .link_count = 1,
        .relay = v->relay,
        .plugin_dir = v->plugins[0] == '\0' ? NULL : v->plugins,
    };
    return kith_node_open(node, &config, v->now, NULL) == 0;
}

static bool post_one(const victim *v, kith_store *store, const kith_key *key, kith_time now,
    uint64_t count) {
    kith_post p = { .content = { .type = KITH_LEAF,
                        .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE,
                        .t_end_us = now.wall_us - SECOND_US,
                        .span_s = 60,
                        .ttl_s = WEEK_S,
                        .measure = KITH_MEAN,
                        .components = 1,
                        .n = 10,
                        .effect = { (double) (count % 1000) / 1024 },
                        .covariance = { 0.25 } } };
    snprintf(
        p.content.address.subject, sizeof p.content.address.subject, "kill.p%u", v->number);
    return kith_store_post(store, key, &p, 1, now, NULL) == 0 && p.result == 0;
}

/* Works until it is killed. An ack is written only after its post was ok. */
static void live(const victim *v) {
    kith_store *store = NULL;
    kith_key *key = NULL;
    kith_node *node = NULL;
    int acks = open(v->acks, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (acks < 0 || !open_all(v, &store, &key, &node)) {
        _exit(70);
    }
    kith_time now = v->now;
    for (uint64_t count = 0;; count++) {
        if (count < v->posts && post_one(v, store, key, now, count) &&
            write(acks, "+", 1) != 1) {
            _exit(74);
        }
        int done = kith_node_step(node, now);
        if (done <= 0 && count >= v->posts) {
            int fds[8];
            struct pollfd list[8];
            size_t n = kith_node_wake_fds(node, fds, 8);
            for (size_t i = 0; i < n && i < 8; i++) {
                list[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
            }
            (void) !poll(list, n < 8 ? n : 8, 1);
        }
        now.mono_ns += 1000000;
        now.wall_us += 1000;
    }
}

/* ---- the nursery ---- */

static void put_down(pid_t *child) {
    if (*child > 0) {
        kill(*child, SIGKILL);
        (void) !waitpid(*child, NULL, 0);
        *child = -1;
    }
}

static void tend(int fd) {
    pid_t children[CRADLES] = { -1, -1 };
    static order o;
    while (recv(fd, &o, sizeof o, 0) == sizeof o) {
        pid_t *child = &children[o.cradle % CRADLES];
        put_down(child);
        if (o.verb == 's') {
            *child = fork();
            if (*child == 0) {
                close(fd);
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                live(&o.who);
            }
        }
        char answer = *child > 0 || o.verb == 'k' ? '+' : '-';
        if (send(fd, &answer, 1, MSG_NOSIGNAL) != 1) {
            break;
        }
    }
    for (int i = 0; i < CRADLES; i++) {
        put_down(&children[i]);
    }
}

bool nursery_open(void) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return false;
    }
    nursery = fork();
    if (nursery == 0) {
        close(ends[0]);
        signal(SIGINT, SIG_IGN); /* ends when the line is closed */
        tend(ends[1]);
        _exit(0);
    }
    close(ends[1]);
    line = ends[0];
    if (nursery < 0) {
        close(line);
        line = -1;
    }
    return nursery > 0;
}

void nursery_close(void) {
    if (line >= 0) {
        close(line);
        line = -1;
        (void) !waitpid(nursery, NULL, 0);
    }
}

static bool tell(const order *o) {
    char answer = '-';
    return send(line, o, sizeof *o, MSG_NOSIGNAL) == sizeof *o &&
           recv(line, &answer, 1, 0) == 1 && answer == '+';
}

bool nursery_start(int cradle, const victim *who) {
    static order o;
    o = (order){ .verb = 's', .cradle = cradle, .who = *who };
    return tell(&o);
}

bool nursery_kill(int cradle) {
    static order o;
    o = (order){ .verb = 'k', .cradle = cradle };
    return tell(&o);
}
