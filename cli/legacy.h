/* SPDX-License-Identifier: Apache-2.0 */
/* cli/legacy.h - follow and post as an older program does: without a store. */
#ifndef CLI_LEGACY_H
#define CLI_LEGACY_H

#include "cli/place.h"

#include <kith/carrier.h>

typedef struct legacy_link {
    const call *c;
    kith_link *link;
    int signals;
    kith_host host; /* outlives the link: do not move this */
    char plugins[PATH_TEXT_MAX + 1];
} legacy_link;

/* The link of that URL, interop switched on, with `more` behind its options. 0, or the
 * exit code after the fault was told. */
int legacy_open(legacy_link *ret, const call *c, const char *url, const char *more);
void legacy_close(legacy_link *l);
/* Until the link has something to do, or the deadline (monotonic; 0: none). false: a
 * signal. */
bool legacy_wait(legacy_link *l, uint64_t deadline_ns);

/* follow --legacy seed0 URL PATTERN */
int follow_legacy(const call *c);
/* post --legacy seed0 URL SUBJECT [-] */
int post_legacy(const call *c);

#endif
