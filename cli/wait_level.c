/* SPDX-License-Identifier: Apache-2.0 */
/* post --wait LEVEL: a node of our own runs until a carrier of that level has the
 * packet. */
#include "cli/post.h"

#include <unistd.h>

typedef struct waiting {
    const call *c;
    kith_node *node;
    uint64_t arrival;
    kith_level level;
    bool any_up, any_level; /* were there carriers, and of that level? */
} waiting;

/* Where the ack says nothing, a peer's receipt does: it has stored the packet. */
static bool promises(const kith_link_status *s, kith_level level) {
    bool receipts = s->level == KITH_LEVEL_NONE && s->peers > 0;
    return s->level >= level || (receipts && level <= KITH_LEVEL_DISK);
}

static bool is_there(void *ctx) {
    waiting *w = ctx;
    for (size_t i = 0; i < kith_node_link_count(w->node); i++) {
        kith_link_status status;
        if (kith_node_link_status(w->node, i, &status) < 0 || !status.up) continue;
        w->any_up = true;
        if (!promises(&status, w->level)) continue;
        w->any_level = true;
        if (status.sent_through >= w->arrival) return true;
    }
    return false;
}

int wait_level(const call *c, const poster *p, uint64_t arrival) {
    const post_flags *f = c->flags;
    links l;
    kith_error err = { 0 };
    const char *level = kith_level_name((kith_level) f->wait);
    int code = choose_links(c, f->carrier, &l);
    if (code != 0) return code;
    if (l.count == 0) return fault(c->out, E_NO_LINK, "--wait", NULL);
    kith_time now = kith_time_now();
    node_section node;
    settings_read(c->settings, "node", "", &node);
    kith_node_config config = { .store = p->store,
        .templates = ((const post_flags *) c->flags)->known,
        .key = p->key,
        .links = l.list,
        .plugin_dir = node.plugins[0] == '\0' ? NULL : node.plugins,
        .link_count = l.count };
    waiting w = { .c = c, .arrival = arrival, .level = (kith_level) f->wait };
    if (kith_node_open(&w.node, &config, now, &err) < 0) {
        return node_fault(c, l.urls[0], &err);
    }
    int signals = catch_signals();
    int r = drive(w.node, signals, now.mono_ns + (uint64_t) f->wait_ns, is_there, &w, &err);
    kith_node_close(&w.node);
    if (signals >= 0) close(signals);
    if (r == KITH_E_TIMEOUT && w.any_up && !w.any_level) {
        return fault(c->out, E_LEVEL, level, NULL);
    }
    if (r == KITH_E_TIMEOUT) return fault(c->out, E_WAIT, "--wait", NULL);
    if (r == KITH_STOP) return EXIT_INTERRUPTED;
    if (r < 0) return store_fault(c, &err);
    out_note(c->out, "%s has it", level);
    return 0;
}
