/* SPDX-License-Identifier: Apache-2.0 */
/* dir: a shared folder, a USB stick, whatever a file sync brings. Each packet is a
 * file with the name of its content, written aside and renamed, so that only whole
 * ones are seen; docs/formats/dir.md. All of it happens on a service thread. A link
 * does not hear what it posted itself, until it rewinds. */
#include "base/check.h"
#include "base/fail.h"
#include "carrier/carrier.h"
#include "carrier/dir/work.h"

#include <stdlib.h>
#include <string.h>

typedef struct dir {
    ki_served served; /* first, for KI_SERVED */
    int sync, watch;  /* options */
    int64_t poll_ns, max_files, grace_ns;
    uint8_t medium[DIR_ID_SIZE];
    uint64_t acked;
    ki_note place; /* behind everything acked; length 0: it must all be read */
} dir;

_Static_assert(offsetof(dir, served) == 0, "KI_SERVED finds it there");

static int dir_open(void *self, const char *place, const kith_host *host, kith_error *err) {
    dir *d = self;
    size_t n = strlen(place);
    if (n == 0) {
        return ki_fail(
            err, KITH_E_ARG, "dir:// needs a folder, as in dir:///mnt/stick/kith");
    }
    worker *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return ki_fail(err, KITH_E_MEMORY, "state");
    }
    w->tree.root = w->tree.tmp = -1;
    w->tree.sync = d->sync;
    memcpy(w->tree.place, place, n + 1);
    w->poll_ns = d->poll_ns;
    w->grace_ns = d->grace_ns;
    w->watch = d->watch;
    w->on.fd = w->source = -1;
    if (ki_seen_init(&w->seen, (size_t) d->max_files) < 0 ||
        ki_seen_init(&w->next, (size_t) d->max_files) < 0 ||
        ki_reader_init(&w->reader) < 0) {
        ki_dir_worker.end(w);
        return ki_fail(err, KITH_E_MEMORY, "table of files");
    }
    int r = ki_service_start(&d->served.service, &ki_dir_worker, w, host, err);
    if (r == 0) {
        memcpy(
            d->medium, w->tree.medium, sizeof d->medium); /* written before begin ended */
    }
    return r;
}

static void dir_ack(void *self, uint64_t token) {
    dir *d = self;
    d->acked = token > d->acked ? token : d->acked;
}

static int dir_rewind(void *self, const kith_position *to) {
    dir *d = self;
    int r = ki_served_rewind(self, to);
    if (r == 0) {
        d->place = (ki_note){ 0 };
    }
    return r;
}

/* Always which folder it is; what is in it, once all of it was acked. */
static void dir_cursor(void *self, kith_position *ret_position) {
    dir *d = self;
    ki_note latest;
    ki_served_note(self, &latest);
    if (latest.length > 0 && d->acked >= latest.token) {
        d->place = latest;
    }
    ret_position->kind = KITH_FROM_CURSOR;
    ret_position->length = sizeof d->medium;
    memcpy(ret_position->cursor, d->medium, sizeof d->medium);
    if (d->place.length > 0) {
        ret_position->length = d->place.length;
        memcpy(ret_position->cursor, d->place.bytes, d->place.length);
    }
}

static kith_level dir_level(void *self) {
    static const kith_level levels[] = { KITH_LEVEL_DISK, KITH_LEVEL_OS, KITH_LEVEL_NONE };
    dir *d = self;
    return levels[d->sync];
}

#define MOST_NS INT64_C(86400000000000) /* a day */

static const kith_option options[] = {
    { "sync", KITH_OPTION_ONE, offsetof(dir, sync), 0, 0, "disk", "disk|os|none",
        "when a post counts as settled" },
    { "watch", KITH_OPTION_ONE, offsetof(dir, watch), 0, 0, "auto", "auto|inotify|poll",
        "how news are noticed" },
    { "poll", KITH_OPTION_TIME, offsetof(dir, poll_ns), 1000000, MOST_NS, "2s", NULL,
        "between two looks at everything, without inotify" },
    { "max_files", KITH_OPTION_INT, offsetof(dir, max_files), 1, 100000000, "1000000", NULL,
        "looked at; a folder with more is refused" },
    { "grace", KITH_OPTION_TIME, offsetof(dir, grace_ns), 0, 365 * MOST_NS, "1h", NULL,
        "an expired packet's file stays this much longer" },
    { .name = NULL },
};

const kith_carrier ki_dir_carrier = {
    .abi = KITH_CARRIER_ABI,
    .can = KITH_CAN_REMOTE | KITH_CAN_REPLAY | KITH_CAN_PREFIX | KITH_CAN_DEDUPE,
    .state_size = sizeof(dir),
    .scheme = "dir",
    .summary = "a shared folder, a USB stick, any file sync",
    .place = "/path/to/folder",
    .options = options,
    .open = dir_open,
    KI_SERVED,
    .ack = dir_ack,
    .rewind = dir_rewind,
    .cursor = dir_cursor,
    .level = dir_level,
};
