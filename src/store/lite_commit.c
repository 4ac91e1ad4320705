/* SPDX-License-Identifier: Apache-2.0 */
/* Posters meet. Whoever finds nobody leading leads: it takes all who wait into
 * one transaction, so they share one fsync; those who come meanwhile wait for the
 * next. A lone poster leads itself and pays for exactly one. No thread, no delay.
 *
 *   wait ──nobody leads──► lead ──committed, all told──► done
 *     └────────────told by a leader──────────────────────►┘
 */
#include "store/lite.h"

#include "base/check.h"
#include "base/fail.h"
#include "base/limits.h"
#include "store/vfs.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BATCH_JOBS = 512,
    BATCH_ROWS = 8192,
    CHECKPOINT_PAGES = 100,        /* short pauses for the few ... */
    CHECKPOINT_PAGES_CROWD = 1000, /* ... less work for the many */
    CHECKPOINT_PAGES_LOTS = 4000,  /* and for lots: 16 MiB of log; each page once */
    CHECKPOINT_EVERY_US = 24000,   /* and for one who posts without a break */
    CROWD = 32,
    LOT = 64, /* rows in a commit */
};

/* Somebody else committed: what we remember of the database may be wrong. */
static int look_again(lite *s) {
    int64_t version = 0, last = 0, floor = 0;
    int rc = ki_lite_number(&s->writer, SQL_DATA_VERSION, &version);
    if (rc != SQLITE_OK || (version == s->data_version && s->last_arrival > 0)) {
        return rc;
    }
    ki_lite_forget(s);
    rc = ki_lite_number(&s->writer, SQL_LAST, &last);
    if (rc == SQLITE_OK) {
        sqlite3_stmt *st = ki_lite_sql(&s->writer, SQL_META_GET);
        if (st == NULL) {
            return sqlite3_extended_errcode(s->writer.sql);
        }
        (void) sqlite3_bind_int(st, 1, META_FLOOR);
        floor = sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
        rc = sqlite3_reset(st);
    }
    if (rc == SQLITE_OK) {
        s->last_arrival = (uint64_t) (last > floor ? last : floor);
        s->data_version = version;
    }
    return rc;
}

/* A file put in our place by another process, or none at all. */
static bool still_ours(lite *s) {
    struct stat st;
    return stat(s->path, &st) == 0 && (uint64_t) st.st_dev == s->device &&
           (uint64_t) st.st_ino == s->inode;
}

static int too_much_log(lite *s, kith_error *err) {
    if ((uint64_t) s->log_frames * WAL_FRAME <= LIMIT_WAL_BYTES) {
        return 0;
    }
    int in_log = 0, moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(
        s->writer.sql, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
    if (rc == SQLITE_OK && in_log >= 0 && moved == in_log) {
        s->log_frames = 0; /* the next commit begins it anew, unless a reader is in it */
        rc = sqlite3_wal_checkpoint_v2(
            s->writer.sql, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
        if (rc == SQLITE_OK) {
            ki_lite_health(s, false, "");
            return 0;
        }
        s->log_frames = in_log;
    }
    ki_lite_health(s, true, "the log is over 64 MiB: some reader hangs");
    return ki_fail(err, KITH_E_SPACE,
        "the store's log is over 64 MiB because some program keeps reading an old state");
}

/* A job that fails for its own reasons leaves no trace; the others go on. */
static int run_jobs(lite *s, lite_job *batch) {
    int rc = SQLITE_OK;
    for (lite_job *j = batch; rc == SQLITE_OK && j != NULL; j = j->next) {
        int r = ki_lite_room(s, j->count, j->now_us);
        r = r != SQLITE_OK ? r : j->run(s, j);
        if (r == KITH_E_SPACE) {
            (void) atomic_fetch_add(&s->refused_full, 1);
            (void) ki_fail(&j->err, r, "the store is full (max_bytes)");
        }
        j->failed = r < 0 ? r : 0;
        rc = r > 0 ? r : SQLITE_OK;
    }
    return rc;
}

static int transaction(lite *s, lite_job *batch) {
    CHECK(s->writer_open);
    CHECK(sqlite3_get_autocommit(s->writer.sql) != 0); /* the last one ended */
    int rc = ki_lite_do(&s->writer, SQL_BEGIN);
    if (rc != SQLITE_OK) {
        return rc;
    }
    int before = sqlite3_total_changes(s->writer.sql);
    rc = look_again(s);
    rc = rc != SQLITE_OK ? rc : run_jobs(s, batch);
    rc = rc != SQLITE_OK ? rc : ki_lite_flush_pending(s);
    bool wrote = sqlite3_total_changes(s->writer.sql) != before;
    if (rc == SQLITE_OK && wrote) {
        rc = ki_lite_reserve(s);
    }
    rc = rc != SQLITE_OK ? rc : ki_lite_do(&s->writer, SQL_COMMIT);
    ki_lite_reserved(s, rc == SQLITE_OK);
    ki_lite_pending_done(s, rc == SQLITE_OK);
    if (rc == SQLITE_OK) {
        (void) atomic_fetch_add(&s->commits, wrote);
        if (wrote && (atomic_load(&s->wake_fd) >= 0 || ki_lite_others(s->lock_fd))) {
            ki_lite_wake(s);
        }
        return rc;
    }
    if (sqlite3_get_autocommit(s->writer.sql) == 0) {
        (void) ki_lite_do(&s->writer, SQL_ROLLBACK);
    }
    ki_lite_forget(s);
    return rc;
}

/* Errors after which nobody knows what the kernel's pages hold. */
static bool finishes_handle(int rc) {
    int low = rc & 0xff;
    return low == SQLITE_IOERR || low == SQLITE_CORRUPT || low == SQLITE_NOTADB ||
           low == SQLITE_CANTOPEN || low == SQLITE_READONLY || low == SQLITE_PROTOCOL;
}

static int with_turn(lite *s, lite_job *batch, kith_error *err) {
    if (s->must_reopen || !s->writer_open || atomic_load(&s->damaged) || !still_ours(s)) {
        int r = ki_lite_reopen(s, err);
        if (r < 0) {
            return r;
        }
    }
    int r = too_much_log(s, err);
    if (r < 0) {
        return r;
    }
    int rc = transaction(s, batch);
    if (rc == SQLITE_OK) {
        return 0;
    }
    /* A rollback for which there was no memory leaves the transaction open. */
    bool open = sqlite3_get_autocommit(s->writer.sql) == 0;
    s->must_reopen = open || finishes_handle(rc);
    r = ki_lite_fail(&s->writer, rc, "commit", err);
    if (s->must_reopen) {
        ki_lite_health(s, true, err->text);
    }
    return r;
}

static void commit_batch(lite *s, lite_job *batch) {
    kith_error err = { 0 };
    CHECK(batch != NULL);
    CHECK(s->lock_fd >= 0);
    int r = ki_lite_turn(s->lock_fd, &err);
    if (r == 0) {
        r = with_turn(s, batch, &err);
        ki_lite_turn_over(s->lock_fd);
    }
    for (lite_job *j = batch; j != NULL; j = j->next) {
        j->result = r < 0 ? r : j->failed;
        if (r < 0) {
            j->err = err;
        }
    }
}

/* Each costs two syncs, whatever it moves: posting without a break, a tenth of the
 * rows. At a thousand posts a second it comes every hundred and fifty pages. Lots come
 * one after another, and write most pages of the indexes again and again. */
static void checkpoint(lite *s, size_t waiting, size_t rows, int64_t now_us) {
    int64_t since_us = now_us - s->checkpointed_us;
    bool hurry = waiting >= CROWD || (since_us >= 0 && since_us < CHECKPOINT_EVERY_US);
    int pages = rows >= LOT ? CHECKPOINT_PAGES_LOTS
                : hurry     ? CHECKPOINT_PAGES_CROWD
                            : CHECKPOINT_PAGES;
    if (!s->writer_open || s->must_reopen) {
        return;
    }
    if (s->log_frames < s->log_frames_tried) {
        s->log_frames_tried = 0;
    }
    if (s->log_frames - s->log_frames_tried < pages) {
        return;
    }
    int rc = sqlite3_wal_checkpoint_v2(
        s->writer.sql, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    s->log_frames_tried = s->log_frames;
    s->checkpointed_us = now_us;
    if (rc != SQLITE_OK && rc != SQLITE_BUSY && rc != SQLITE_LOCKED) {
        s->must_reopen = finishes_handle(rc);
    }
}

/* Takes what waits, in order, up to the bounds. Called with the lock held. */
static lite_job *take_batch(lite *s, size_t *ret_jobs, size_t *ret_rows) {
    lite_job *batch = s->head, *last = NULL;
    size_t jobs = 0, rows = 0;
    for (lite_job *j = s->head; j != NULL; j = j->next) {
        if (jobs > 0 && (jobs == BATCH_JOBS || rows + j->count > BATCH_ROWS)) {
            break;
        }
        jobs++;
        rows += j->count;
        last = j;
    }
    CHECK(last != NULL);
    CHECK(s->waiting >= jobs);
    s->head = last->next;
    if (s->head == NULL) {
        s->tail = &s->head;
    }
    last->next = NULL;
    s->waiting -= jobs;
    *ret_jobs = jobs;
    *ret_rows = rows;
    return batch;
}

/* Tells all but the leader; each may be gone as soon as it is told. */
static void tell(lite_job *batch, const lite_job *mine) {
    while (batch != NULL) {
        lite_job *j = batch;
        batch = j->next;
        if (j != mine) (void) sem_post(&j->turn);
    }
}

/* The next in the queue leads, or nobody does. */
static void hand_over(lite *s) {
    (void) pthread_mutex_lock(&s->lock);
    lite_job *next = s->head;
    CHECK(s->leading);
    CHECK((next == NULL) == (s->waiting == 0));
    s->leading = next != NULL;
    if (next != NULL) {
        next->lead = true;
    }
    (void) pthread_mutex_unlock(&s->lock);
    if (next != NULL) (void) sem_post(&next->turn);
}

static void lead(lite *s, lite_job *mine) {
    size_t jobs = 0, rows = 0;
    (void) pthread_mutex_lock(&s->lock);
    CHECK(s->head == mine); /* who leads was first in the queue */
    lite_job *batch = take_batch(s, &jobs, &rows);
    (void) pthread_mutex_unlock(&s->lock);
    commit_batch(s, batch);
    (void) atomic_fetch_add(&s->shared, jobs - 1);
    tell(batch, mine);
    (void) pthread_mutex_lock(&s->lock);
    size_t waiting = s->waiting + jobs;
    (void) pthread_mutex_unlock(&s->lock);
    checkpoint(s, waiting, rows / jobs, mine->now_us);
    hand_over(s);
}

int ki_lite_commit(lite *s, lite_job *job, kith_error *err) {
    if (s->looks) {
        return ki_lite_refuse_change(err);
    }
    CHECK(job->run != NULL);
    CHECK(job->next == NULL);
    (void) sem_init(&job->turn, 0, 0);
    (void) pthread_mutex_lock(&s->lock);
    *s->tail = job;
    s->tail = &job->next;
    s->waiting++;
    bool first = !s->leading;
    s->leading = true;
    (void) pthread_mutex_unlock(&s->lock);
    while (!first && sem_wait(&job->turn) < 0) {
    }
    if (first || job->lead) {
        lead(s, job);
    }
    (void) sem_destroy(&job->turn);
    if (job->result < 0 && err != NULL) {
        *err = job->err;
    }
    return job->result;
}
