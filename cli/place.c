/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/place.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define SALVAGE_PATIENCE UINT64_C(4000000000)

int store_fault(const call *c, const kith_error *err) {
    char url[KITH_URL_MAX + 1];
    if (!store_url(c->settings, c->out, url)) return EXIT_IO;
    return fault_kith(c->out, E_STORE, url, err);
}

int node_fault(const call *c, const char *url, const kith_error *err) {
    bool nonsense = err->code == KITH_E_CONFIG || err->code == KITH_E_ARG ||
                    err->code == KITH_E_NOTSUP || err->code == KITH_E_MEMORY;
    return nonsense ? fault_kith(c->out, E_URL, url, err) : store_fault(c, err);
}

/* Damage was found: say so, and give what is brought back a little time, so that a
 * short command sees it too. */
void tell_damage(const call *c, kith_store *store) {
    kith_store_stat stat;
    kith_error err = { 0 };
    uint64_t end = kith_time_now().mono_ns + SALVAGE_PATIENCE;
    while (kith_store_stats(store, &stat, &err) == 0) {
        if (stat.quarantined && !c->out->damage_told) {
            out_note(c->out, "the store was damaged; set aside: %s", stat.quarantine);
            c->out->damage_told = true;
        }
        if (!stat.salvaging || kith_time_now().mono_ns > end) break;
        (void) poll(NULL, 0, 5);
    }
    if (err.code == 0 && (stat.salvaging || stat.salvaged > 0)) {
        out_note(c->out, "%llu packets were brought back%s",
            (unsigned long long) stat.salvaged, stat.salvaging ? " so far" : "");
    }
}

int open_store(const call *c, kith_store **ret) {
    char url[KITH_URL_MAX + 1], path[KITH_URL_MAX + 1];
    kith_error err = { 0 };
    if (!store_url(c->settings, c->out, url)) return EXIT_IO;
    if (strncmp(url, "sqlite:", 7) == 0) {
        const char *place = url + 7 + (strncmp(url + 7, "//", 2) == 0 ? 2 : 0);
        snprintf(path, sizeof path, "%.*s", (int) strcspn(place, "?"), place);
        if (access(path, F_OK) != 0) {
            return fault_do(c->out, E_STORE, path, errno == ENOENT ? "kith init" : NULL,
                "%s", errno == ENOENT ? "there is none yet" : strerror(errno));
        }
    }
    if (kith_store_open(ret, url, &err) < 0) return fault_kith(c->out, E_STORE, url, &err);
    tell_damage(c, *ret);
    return 0;
}

int open_key(const call *c, kith_key **ret) {
    char path[PATH_TEXT_MAX + 1];
    kith_error err = { 0 };
    if (!key_file(c->settings, c->out, path)) return EXIT_CONFIG;
    int r = kith_key_load(ret, path, &err);
    if (r == KITH_E_MISSING) return fault(c->out, E_NO_KEY, path, "%s", err.text);
    return r < 0 ? fault_kith(c->out, E_NO_KEY, path, &err) : 0;
}

/* ---- links ---- */

static const kith_carrier *carrier_named(const char *scheme, size_t length) {
    for (size_t i = 0; kith_carrier_at(i) != NULL; i++) {
        const kith_carrier *k = kith_carrier_at(i);
        if (strlen(k->scheme) == length && memcmp(k->scheme, scheme, length) == 0) return k;
    }
    return NULL;
}

/* Does the URL's query set that option already? */
static bool says(const char *url, const char *option) {
    size_t n = strlen(option);
    for (const char *p = strchr(url, '?'); p != NULL; p = strchr(p, '&')) {
        p++;
        if (strncmp(p, option, n) == 0 && (p[n] == '=' || p[n] == '&' || p[n] == '\0')) {
            return true;
        }
    }
    return false;
}

static void escape(const char *text, char *ret, size_t size) {
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (; *text != '\0' && n + 4 < size; text++) {
        unsigned char c = (unsigned char) *text;
        if (c <= ' ' || c >= 0x7f || strchr("%&?#+=", c) != NULL) {
            ret[n++] = '%';
            ret[n++] = digits[c >> 4];
            ret[n++] = digits[c & 15];
        } else {
            ret[n++] = (char) c;
        }
    }
    ret[n] = '\0';
}

/* Adds what [SCHEME] sets for the innermost carrier. */
static bool complete(const settings *s, char url[KITH_URL_MAX + 1]) {
    const char *end = strstr(url, "://"), *begin = url;
    if (end == NULL) return true;
    for (const char *p = url; p < end; p++) {
        if (*p == '+') begin = p + 1;
    }
    const kith_carrier *k = carrier_named(begin, (size_t) (end - begin));
    for (size_t i = 0; i < s->count && k != NULL; i++) {
        const setting *one = &s->list[i];
        char value[KITH_URL_MAX + 1];
        if (strcmp(one->section, k->scheme) != 0 || says(url, one->key)) continue;
        escape(one->value, value, sizeof value);
        size_t used = strlen(url), room = KITH_URL_MAX + 1 - used;
        int n = snprintf(url + used, room, "%c%s=%s", strchr(url, '?') == NULL ? '?' : '&',
            one->key, value);
        if (n < 0 || (size_t) n >= room) return false;
    }
    return true;
}

static int add_link(const call *c, links *ret, const char *url) {
    if (ret->count == KITH_LINKS_MAX) {
        return fault(c->out, E_URL, url, "over %d carriers", KITH_LINKS_MAX);
    }
    char *slot = ret->urls[ret->count];
    snprintf(slot, KITH_URL_MAX + 1, "%s", url);
    if (!complete(c->settings, slot))
        return fault(c->out, E_URL, url, "it becomes too long");
    ret->list[ret->count++] = slot;
    return 0;
}

int choose_links(const call *c, const char *only, links *ret) {
    const char *names[NAMED_MAX];
    ret->count = 0;
    if (only[0] != '\0') return add_link(c, ret, only);
    size_t count = settings_names(c->settings, "carrier", names);
    for (size_t i = 0; i < count; i++) {
        carrier_section one;
        settings_read(c->settings, "carrier", names[i], &one);
        int code = add_link(c, ret, one.url);
        if (code != 0) return code;
    }
    return 0;
}

/* ---- driving a node ---- */

int catch_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int wait_for(kith_node *node, int signals, uint64_t until_ns, uint64_t now_ns) {
    int fds[KITH_LINKS_MAX + 8];
    struct pollfd polls[KITH_LINKS_MAX + 9];
    size_t count = kith_node_wake_fds(node, fds, KITH_LINKS_MAX + 8);
    for (size_t i = 0; i < count; i++) polls[i] = (struct pollfd){ fds[i], POLLIN, 0 };
    polls[count] = (struct pollfd){ signals, POLLIN, 0 };
    uint64_t due = kith_node_due(node);
    if (until_ns != 0 && until_ns < due) due = until_ns;
    uint64_t wait_ms = due <= now_ns ? 0 : (due - now_ns) / 1000000 + 1;
    int ms = wait_ms > 1000 ? 1000 : (int) wait_ms;
    (void) poll(polls, (nfds_t) count + 1, ms);
    return (polls[count].revents & POLLIN) != 0 ? KITH_STOP : 0;
}

int drive(kith_node *node, int signals, uint64_t deadline_ns, drive_done done, void *ctx,
    kith_error *err) {
    for (;;) {
        kith_time now = kith_time_now();
        int r = kith_node_step(node, now);
        if (r < 0) {
            *err = (kith_error){ .code = r };
            snprintf(err->text, sizeof err->text, "%s", kith_error_name(r));
            return r;
        }
        if (done(ctx)) return 0;
        if (deadline_ns != 0 && now.mono_ns >= deadline_ns) return KITH_E_TIMEOUT;
        if (r > 0) continue;
        if (wait_for(node, signals, deadline_ns, now.mono_ns) == KITH_STOP)
            return KITH_STOP;
    }
}
