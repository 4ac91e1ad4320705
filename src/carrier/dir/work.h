/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/dir/work.h - the folder's service thread: work.c does a turn after the
 * other, take.c decides about each file that was found.
 */
#ifndef CARRIER_DIR_WORK_H
#define CARRIER_DIR_WORK_H

#include "carrier/dir/reader.h"
#include "carrier/dir/scan.h"

enum {
    WATCH_AUTO = 0,
    WATCH_INOTIFY = 1,
    WATCH_POLL = 2,
};

/* What is asked once for each subject, not for each file. */
typedef struct topic {
    char subject[KITH_SUBJECT_MAX + 1]; /* "": none yet */
    seen_key key;
    bool wanted;
} topic;

typedef struct worker {
    tree tree;
    int watch; /* as configured */
    int64_t poll_ns, grace_ns;
    seen seen, next; /* next: what the walk that is under way has met */
    walk walk;
    bool due;      /* a walk */
    bool renewing; /* a walk fills next; not so one that began with nothing seen */
    bool sweeping; /* this walk also removes what expired */
    bool marking;  /* this walk hands out nothing: all that is there counts as read */
    bool over_max;
    watches on;
    events events;
    reader reader;
    topic topic;
    int source; /* the folder files are found in, as the reader has it; -1: none yet */
    unsigned source_number;
    ki_patterns patterns;
    kith_time now;
    uint64_t walked_ns, swept_ns; /* when last; by tick */
    size_t room;                  /* for items, when last looked at, less what waits */
} worker;

extern const ki_worker ki_dir_worker;

/* take.c */

/* Decides about one file that was found; new packets wait in the reader. */
void ki_dir_take(worker *w, ki_service *s, const found *f);
/* Reads what waits and hands it over. */
void ki_dir_flush(worker *w, ki_service *s);
/* Our own post counts as read. */
void ki_dir_mark_own(worker *w, const ki_posted *p);
/* Patterns changed: what was asked before is not true any more. */
void ki_dir_forget_topic(worker *w);

#endif
