/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/legacy.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS 250

static bool has_option(const char *url, const char *name) {
    const char *query = strchr(url, '?');
    size_t n = strlen(name);
    for (const char *p = query; p != NULL; p = strchr(p, '&')) {
        p++;
        if (strncmp(p, name, n) == 0 && p[n] == '=') return true;
    }
    return false;
}

int legacy_open(legacy_link *ret, const call *c, const char *url, const char *more) {
    char full[KITH_URL_MAX + 1];
    node_section node;
    kith_error err = { 0 };
    settings_read(c->settings, "node", "", &node);
    int n = snprintf(full, sizeof full, "%s%c%s%s", url, strchr(url, '?') ? '&' : '?',
        has_option(url, "interop") ? "" : "interop=seed0&", more);
    if (n < 0 || (size_t) n >= sizeof full) {
        return fault(c->out, E_URL, url, "it is too long");
    }
    *ret = (legacy_link){ .c = c, .signals = -1 };
    snprintf(ret->plugins, sizeof ret->plugins, "%s", node.plugins);
    ret->host.plugin_dir = ret->plugins[0] == '\0' ? NULL : ret->plugins;
    int r = kith_link_open(&ret->link, full, &ret->host, &err);
    if (r < 0) {
        return fault_kith(c->out, r == KITH_E_SYSTEM ? E_UNREACHED : E_URL, url, &err);
    }
    if (!(kith_link_can(ret->link) & KITH_CAN_LEGACY)) {
        legacy_close(ret);
        return fault(c->out, E_URL, url, "this carrier does not speak seed 0: use zmq://");
    }
    ret->signals = catch_signals();
    kith_link_tick(ret->link, kith_time_now());
    return 0;
}

void legacy_close(legacy_link *l) {
    kith_link_close(&l->link);
    if (l->signals >= 0) close(l->signals);
    l->signals = -1;
}

bool legacy_wait(legacy_link *l, uint64_t deadline_ns) {
    kith_time now = kith_time_now();
    kith_link_tick(l->link, now);
    struct pollfd polls[] = { { kith_link_wake_fd(l->link), POLLIN, 0 },
        { l->signals, POLLIN, 0 } };
    int ms = TICK_MS;
    if (deadline_ns != 0 && deadline_ns < now.mono_ns + (uint64_t) TICK_MS * 1000000) {
        ms = deadline_ns <= now.mono_ns ? 0
                                        : (int) ((deadline_ns - now.mono_ns) / 1000000) + 1;
    }
    (void) poll(polls, 2, ms);
    return (polls[1].revents & POLLIN) == 0;
}
