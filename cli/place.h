/* SPDX-License-Identifier: Apache-2.0 */
/* cli/place.h - opening what a command works on: store, key, carriers, node. Each
 * returns 0, or an exit code after the fault was told. */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H

#include "cli/command.h"
#include "cli/config.h"

#include <kith/node.h>

/* The store must have been made by init, unless it is memory:. */
int open_store(const call *c, kith_store **ret);
int open_key(const call *c, kith_key **ret);
/* What was set aside and brought back, on stderr; waits a little for the latter.
 * open_store does it; again only for damage that a command met later. */
void tell_damage(const call *c, kith_store *store);
/* The fault of a failed store call. */
int store_fault(const call *c, const kith_error *err);
/* The fault of a node that does not open: of its store, or of that URL. */
int node_fault(const call *c, const char *url, const kith_error *err);

typedef struct links {
    char urls[KITH_LINKS_MAX][KITH_URL_MAX + 1];
    const char *list[KITH_LINKS_MAX];
    size_t count;
} links;

/* `only`, or when it is "" every configured carrier; each with the options that
 * configuration and environment set for its scheme. */
int choose_links(const call *c, const char *only, links *ret);

/* Steps the node until done(ctx), a signal, or the deadline (monotonic; 0: none).
 * 0: done. KITH_STOP: a signal. KITH_E_TIMEOUT. Other < 0: the store failed, err
 * says how. */
typedef bool (*drive_done)(void *ctx);
int drive(kith_node *node, int signals, uint64_t deadline_ns, drive_done done, void *ctx,
    kith_error *err);
/* INT and TERM as a descriptor; -1: it failed. */
int catch_signals(void);

#endif
