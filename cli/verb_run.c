/* SPDX-License-Identifier: Apache-2.0 */
/* run: the node in the foreground. One loop: signals in, packets out and in,
 * answers acted upon, until TERM. */
#include "cli/json.h"
#include "cli/run.h"
#include "cli/templates.h"
#include "cli/verbs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define DRAIN_NS UINT64_C(4000000000)
#define FDS      (KITH_LINKS_MAX + 8 + NAMED_MAX + 2)

typedef struct runner {
    const call *c;
    settings *own; /* after a reload; else c->settings */
    kith_store *store;
    kith_key *key;
    kith_node *node;
    kith_templates *known; /* only ever grows: signals and the node look into it */
    links links;
    char follow_text[1024];
    const char *follows[KITH_FOLLOWS_MAX];
    size_t follow_count;
    sources sources;
    actions actions;
    run_log log;
    int signals;
    bool stop, at_once;
    int stopped_by;
    uint64_t accepted, heard, refused, lost;
} runner;

static const settings *set_of(const runner *r) {
    return r->own != NULL ? r->own : r->c->settings;
}

static void note_event(void *ctx, const kith_event *e) {
    runner *r = ctx;
    char id[17] = "";
    const char *link = e->link == NULL ? "" : e->link;
    switch (e->kind) {
    case KITH_EVENT_ACCEPTED:
        r->accepted++;
        if (e->id != NULL) hex_text(e->id, 8, id);
        log_say(&r->log, LOG_DEBUG, "accepted", "%s %s", id, link);
        break;
    case KITH_EVENT_REFUSED:
        r->refused++;
        log_say(&r->log, LOG_INFO, "refused", "%s: %s", link,
            e->text != NULL ? e->text : kith_error_name(e->code));
        break;
    case KITH_EVENT_UNSIGNED:
        r->heard++;
        if (e->id != NULL) hex_text(e->id, 8, id);
        log_say(&r->log, LOG_DEBUG, "unsigned", "%s %s %s", id, e->text, link);
        break;
    case KITH_EVENT_LINK_UP: log_say(&r->log, LOG_INFO, "up", "%s", link); break;
    case KITH_EVENT_LINK_DOWN:
        log_say(&r->log, LOG_ERROR, "down", "%s: %s", link, e->text == NULL ? "" : e->text);
        break;
    case KITH_EVENT_GAP:
        r->lost += e->count;
        log_say(
            &r->log, LOG_ERROR, "gap", "%s lost %llu", link, (unsigned long long) e->count);
        break;
    case KITH_EVENT_STORE:
        log_say(&r->log, LOG_ERROR, "store", "%s", e->text == NULL ? "" : e->text);
        break;
    case KITH_EVENT_SENT:
        log_say(
            &r->log, LOG_DEBUG, "sent", "%llu %s", (unsigned long long) e->arrival, link);
        break;
    }
}

/* ---- setting up ---- */

static void split_follows(runner *r, const node_section *node) {
    snprintf(r->follow_text, sizeof r->follow_text, "%s", node->follow);
    r->follow_count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(r->follow_text, " \t", &rest);
         word != NULL && r->follow_count < KITH_FOLLOWS_MAX;
         word = strtok_r(NULL, " \t", &rest)) {
        r->follows[r->follow_count++] = word;
    }
}

static int open_node(runner *r) {
    const run_flags *f = r->c->flags;
    node_section node;
    kith_error err = { 0 };
    call c = *r->c;
    c.settings = set_of(r);
    settings_read(c.settings, "node", "", &node);
    int code = choose_links(&c, f->carrier, &r->links);
    if (code != 0) return code;
    split_follows(r, &node);
    kith_node_config config = { .store = r->store,
        .key = r->key,
        .links = r->links.list,
        .link_count = r->links.count,
        .follows = r->follows,
        .follow_count = r->follow_count,
        .relay = node.relay || f->relay,
        .templates = r->known,
        .event = note_event,
        .ctx = r,
        .plugin_dir = node.plugins[0] == '\0' ? NULL : node.plugins };
    if (kith_node_open(&r->node, &config, kith_time_now(), &err) < 0) {
        return node_fault(&c, r->links.count > 0 ? r->links.urls[0] : "carriers", &err);
    }
    return 0;
}

static int hear_signals(void) {
    static const int heard[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD };
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof heard / sizeof *heard; i++) sigaddset(&set, heard[i]);
    (void) signal(SIGPIPE, SIG_IGN); /* a program that reads nothing must not end us */
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- signals ---- */

static void tell_state(runner *r) {
    kith_store_stat stat;
    kith_error err;
    run_log *l = &r->log;
    log_end(l);
    if (kith_store_stats(r->store, &stat, &err) == 0) {
        log_say(l, LOG_INFO, "state",
            "store: %llu packets, %llu own, %llu unsigned, %llu bytes%s%s",
            (unsigned long long) stat.packets, (unsigned long long) stat.own,
            (unsigned long long) stat.heard, (unsigned long long) stat.bytes,
            stat.degraded         ? ", degraded: "
            : stat.why[0] != '\0' ? "; "
                                  : "",
            stat.why);
    }
    log_say(l, LOG_INFO, "state",
        "accepted %llu, unsigned %llu, refused %llu, lost %llu, posted %llu",
        (unsigned long long) r->accepted, (unsigned long long) r->heard,
        (unsigned long long) r->refused, (unsigned long long) r->lost,
        (unsigned long long) r->sources.posted);
    for (size_t i = 0; i < kith_node_link_count(r->node); i++) {
        kith_link_status s;
        if (kith_node_link_status(r->node, i, &s) < 0) continue;
        log_say(l, LOG_INFO, "state",
            "%s %s%s, level %s, %llu wait, %llu unconfirmed, %u peers", s.url,
            s.up ? "up" : "down: ", s.up ? "" : s.why, kith_level_name(s.level),
            (unsigned long long) s.waiting, (unsigned long long) s.unconfirmed, s.peers);
    }
    for (size_t i = 0; i < r->sources.count; i++) {
        const source *s = &r->sources.list[i];
        log_say(l, LOG_INFO, "state", "signal %s: %llu in its window, %llu bad lines",
            s->name, (unsigned long long) (s->window.now.n + s->window.tries),
            (unsigned long long) s->bad);
    }
}

static void tell_changes(run_log *l, const settings *old, const settings *new) {
    size_t changes = 0;
    for (size_t i = 0; i < new->count; i++) {
        const setting *n = &new->list[i];
        const setting *o = settings_find(old, n->section, n->name, n->key);
        if (o != NULL && strcmp(o->value, n->value) == 0) continue;
        changes++;
        log_say(l, LOG_INFO, "config", "%s%s%s.%s = %s", n->section, *n->name ? " " : "",
            n->name, n->key, n->value);
    }
    for (size_t i = 0; i < old->count; i++) {
        const setting *o = &old->list[i];
        if (settings_find(new, o->section, o->name, o->key) != NULL) continue;
        changes++;
        log_say(l, LOG_INFO, "config", "%s%s%s.%s is not set any more", o->section,
            *o->name ? " " : "", o->name, o->key);
    }
    if (changes == 0) log_say(l, LOG_INFO, "config", "nothing changed");
}

/* Another node by other settings; where that cannot be, the one of before again. */
static int change_node(runner *r, settings *fresh) {
    settings *old = r->own;
    r->own = fresh;
    kith_node_close(&r->node);
    int code = open_node(r);
    if (code != 0) {
        r->own = old;
        (void) !open_node(r); /* with what worked before */
    }
    return code;
}

/* Everything new is made before anything old is given up. */
static void reload(runner *r) {
    settings *fresh = NULL;
    sources *s = calloc(1, sizeof *s);
    actions *a = calloc(1, sizeof *a);
    const settings *before = set_of(r);
    /* A fault goes where the log goes, in the log's form. */
    out told = *r->c->out;
    call looked_at = *r->c;
    told.json = r->log.json;
    log_end(&r->log); /* each HUP is answered, the same answer too */
    looked_at.out = &told;
    int code = s == NULL || a == NULL ? EXIT_SOFTWARE : 0;
    if (code == 0) code = settings_load(&fresh, &told, r->c->common, r->c->common_given);
    looked_at.settings = fresh;
    if (code == 0) code = config_check(&looked_at);
    if (code == 0) templates_more(&looked_at, r->known);
    if (code == 0) code = sources_init(s, &looked_at, fresh, r->known);
    if (code == 0) code = actions_init(a, &looked_at, fresh, r->key);
    if (a != NULL) a->known = r->known;
    settings *old = r->own;
    if (code == 0) code = change_node(r, fresh);
    if (code != 0) {
        log_say(&r->log, LOG_ERROR, "config", "kept the old configuration");
        if (s != NULL) sources_fini(s);
        settings_free(&fresh);
    } else {
        tell_changes(&r->log, before, fresh);
        sources_adopt(s, &r->sources);
        sources_fini(&r->sources);
        actions_fini(&r->actions);
        r->sources = *s;
        a->last_arrival = r->actions.last_arrival;
        r->actions = *a;
        settings_free(&old);
        log_init(&r->log, r->own, r->c->out);
    }
    free(s);
    free(a);
}

static void take_signals(runner *r) {
    struct signalfd_siginfo info;
    while (read(r->signals, &info, sizeof info) == (ssize_t) sizeof info) {
        int number = (int) info.ssi_signo;
        if (number == SIGHUP) {
            reload(r);
        } else if (number == SIGUSR1) {
            tell_state(r);
        } else if (number == SIGINT || number == SIGTERM) {
            r->at_once = r->stop;
            r->stop = true;
            r->stopped_by = number;
        }
    }
}

/* ---- the loop ---- */

static void wait_for_work(runner *r, uint64_t until_ns, uint64_t now_ns) {
    int fds[FDS];
    struct pollfd polls[FDS + 1];
    size_t count = kith_node_wake_fds(r->node, fds, KITH_LINKS_MAX + 8);
    if (!r->stop) count += sources_fds(&r->sources, fds + count, FDS - count);
    for (size_t i = 0; i < count; i++) polls[i] = (struct pollfd){ fds[i], POLLIN, 0 };
    polls[count] = (struct pollfd){ r->signals, POLLIN, 0 };
    uint64_t due = kith_node_due(r->node), more = sources_due(&r->sources, now_ns);
    due = more < due ? more : due;
    more = actions_due(&r->actions, now_ns);
    due = more < due ? more : due;
    due = until_ns != 0 && until_ns < due ? until_ns : due;
    uint64_t ms = due <= now_ns ? 0 : (due - now_ns) / 1000000 + 1;
    (void) poll(polls, (nfds_t) count + 1, ms > 60000 ? 60000 : (int) ms);
}

static void loop(runner *r, uint64_t end_ns) {
    bool ailing = false;
    while (!r->stop) {
        kith_time now = kith_time_now();
        if (end_ns != 0 && now.mono_ns >= end_ns) break;
        int done = kith_node_step(r->node, now);
        if (done < 0 && !ailing) {
            log_say(&r->log, LOG_ERROR, "store", "%s", kith_error_name(done));
        }
        ailing = done < 0;
        int more = sources_turn(&r->sources, &r->log, r->store, r->key, now);
        ailing = ailing || more < 0;
        more += actions_turn(&r->actions, &r->log, r->c->out, r->store, now);
        take_signals(r);
        if (r->actions.stdout_gone) {
            log_say(&r->log, LOG_ERROR, "stdout", "nobody reads it any more");
            r->stop = true;
        }
        if (ailing) {
            struct pollfd p = { r->signals, POLLIN, 0 };
            (void) poll(&p, 1, 100);
        } else if (done + more == 0 && !r->stop) {
            wait_for_work(r, end_ns, now.mono_ns);
        }
    }
}

/* Nothing more is read; what can be sent is sent, for at most 4 s. */
static int drain(runner *r) {
    kith_time now = kith_time_now();
    uint64_t end_ns = now.mono_ns + DRAIN_NS;
    sources_flush(&r->sources, &r->log, r->store, r->key, now);
    r->stop = true;
    for (;;) {
        now = kith_time_now();
        int done = kith_node_step(r->node, now);
        take_signals(r);
        if (r->at_once) return r->stopped_by == SIGINT ? EXIT_INTERRUPTED : EXIT_TERMINATED;
        if (done < 0 || now.mono_ns >= end_ns) break;
        if (done == 0 && kith_node_idle(r->node)) break;
        if (done == 0) wait_for_work(r, end_ns, now.mono_ns);
    }
    if (r->sources.post_count > 0) {
        log_say(&r->log, LOG_ERROR, "unposted",
            "%zu packets of the signals are lost: the store took none of them",
            r->sources.post_count);
    }
    return r->actions.stdout_gone ? EXIT_IO : 0;
}

static int begin(runner *r) {
    const call *c = r->c;
    kith_error err = { 0 };
    log_init(&r->log, c->settings, c->out);
    int code = config_check(c);
    if (code == 0) code = open_key(c, &r->key);
    if (code == 0) code = open_store(c, &r->store);
    if (code != 0) return code;
    if (kith_store_begin_run(r->store, &err) < 0) return store_fault(c, &err);
    r->signals = hear_signals();
    if (r->signals < 0) return fault(c->out, E_INTERNAL, "signals", "%s", strerror(errno));
    code = templates_load(c, &r->known);
    if (code == 0) code = open_node(r);
    if (code == 0) code = sources_init(&r->sources, c, c->settings, r->known);
    if (code == 0) code = actions_init(&r->actions, c, c->settings, r->key);
    r->actions.known = r->known;
    if (code != 0) return code;
    kith_store_stat stat;
    if (kith_store_stats(r->store, &stat, &err) == 0)
        r->actions.last_arrival = stat.last_arrival;
    return 0;
}

int verb_run(const call *c) {
    const run_flags *f = c->flags;
    runner *r = calloc(1, sizeof *r);
    if (r == NULL) return fault(c->out, E_MEMORY, "the node", NULL);
    r->c = c;
    r->signals = -1;
    int code = begin(r);
    if (code == 0) {
        uint8_t public_key[KITH_KEY_SIZE], keyid[KITH_KEYID_SIZE];
        char name[2 * KITH_KEYID_SIZE + 1];
        kith_key_public(r->key, public_key);
        kith_keyid(public_key, keyid);
        log_say(&r->log, LOG_INFO, "ready", "%s, %zu carriers, %zu signals, %zu actions",
            hex_text(keyid, sizeof keyid, name), r->links.count, r->sources.count,
            r->actions.count);
        loop(r, f->for_ns == 0 ? 0 : kith_time_now().mono_ns + (uint64_t) f->for_ns);
        code = drain(r);
        log_say(&r->log, LOG_INFO, "end",
            "posted %llu, accepted %llu, refused %llu, lost %llu",
            (unsigned long long) r->sources.posted, (unsigned long long) r->accepted,
            (unsigned long long) r->refused, (unsigned long long) r->lost);
        log_end(&r->log);
    }
    sources_fini(&r->sources);
    actions_fini(&r->actions);
    kith_node_close(&r->node);
    kith_templates_free(&r->known);
    kith_store_close(&r->store);
    kith_key_free(&r->key);
    settings_free(&r->own);
    if (r->signals >= 0) close(r->signals);
    free(r);
    return code;
}
