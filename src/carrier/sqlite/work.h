/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/sqlite/work.h - the shared file's service thread: sqlite.c does a turn after
 * the other, read.c brings rows.
 */
#ifndef CARRIER_SQLITE_WORK_H
#define CARRIER_SQLITE_WORK_H

#include "carrier/sqlite/db.h"

typedef struct worker {
    db db;
    uint8_t medium[DB_MEDIUM_SIZE]; /* the one it was opened on */
    bool replaced;                  /* another stands in its place: the link is over */
    int64_t last;    /* rows up to this id were handed over, or are not wanted */
    int64_t version; /* of the data, as others change them */
    bool news;
    int wake;     /* inotify on the WAL */
    int retry_ms; /* 0: none due */
    ki_patterns patterns;
    kith_time now;
    uint64_t expired_ns;
    int64_t ids[DB_IDS]; /* a backlog, by index */
    size_t ids_at, ids_count;
    int64_t ids_top; /* behind the last of them */
    kith_item item;  /* scratch */
} worker;

/* Hands over rows behind `last`, as many as there is room for. True: at once again. */
bool ki_sqlite_read(worker *w, ki_service *s);

#endif
