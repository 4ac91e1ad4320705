/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/dir/work.h - the folder's service thread: work.c does a turn after the
 * other, take.c decides about each file that was found.
 */
#ifndef CARRIER_DIR_WORK_H
#define CARRIER_DIR_WORK_H

#include "carrier/dir/reader.h"
#include "carrier/dir/scan.h"

#include <sys/stat.h>

enum {
    WATCH_AUTO = 0,
    WATCH_INOTIFY = 1,
    WATCH_POLL = 2,
};

/* A cursor names the medium and, when all that is in it was read and acked, the sum of
 * it: as long as that is the same nothing need be read after an open. */
enum {
    DIR_SUM_SIZE = 24,
    DIR_CURSOR_SIZE = DIR_ID_SIZE + DIR_SUM_SIZE,
};

/* What is asked once for each subject, not for each file. */
typedef struct topic {
    char subject[KITH_SUBJECT_MAX + 1]; /* "": none yet */
    seen_key key;
    bool wanted;
} topic;

typedef struct worker {
    tree tree;
    uint8_t medium[DIR_ID_SIZE]; /* the one it was opened on */
    bool replaced;               /* another stands in its place: the link is over */
    int watch;                   /* as configured */
    int64_t poll_ns, grace_ns;
    seen seen, next; /* next: what the walk that is under way has met */
    walk walk;
    bool due;      /* a walk */
    bool renewing; /* a walk fills next; not so one that began with nothing seen */
    bool sweeping; /* this walk also removes what expired */
    bool marking;  /* this walk hands out nothing: all that is there counts as read */
    bool over_max;
    bool timed; /* this walk hands out only what came since then */
    int64_t since_us;
    watches on;
    events events;
    reader reader;
    topic topic;
    int source; /* the folder files are found in, as the reader has it; -1: none yet */
    unsigned source_number;
    ki_patterns patterns;
    seen_key wishes;               /* the hash of patterns */
    uint64_t handed;               /* token of the last item */
    uint8_t told[DIR_CURSOR_SIZE]; /* what the cursor was told last */
    kith_time now;
    uint64_t walked_ns, swept_ns; /* when last; by tick */
    size_t room;                  /* for items, when last looked at, less what waits */
} worker;

extern const ki_worker ki_dir_worker;

/* take.c */

/* Did the file come at or after that time, or may it have? By the clocks of whoever
 * wrote the medium, whose file systems round down by up to two seconds. */
bool ki_dir_came_since(const struct stat *st, int64_t since_us);

/* Decides about one file that was found; new packets wait in the reader. */
void ki_dir_take(worker *w, ki_service *s, const found *f);
/* Reads what waits and hands it over. */
void ki_dir_flush(worker *w, ki_service *s);
/* Our own post counts as read. */
void ki_dir_mark_own(worker *w, const ki_posted *p);
/* What was asked before is not true any more. */
void ki_dir_new_patterns(worker *w);

#endif
