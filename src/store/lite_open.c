/* SPDX-License-Identifier: Apache-2.0 */
/* The database behind the lock: what is looked at before it is used, and what happens
 * when it is not what it was. docs/formats/store.md has the picture. */
#include "store/lite.h"

#include "base/check.h"
#include "base/fail.h"
#include "store/damage.h"
#include "store/log.h"
#include "store/vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define GENERATION_SHIFT 40 /* arrivals of generation g begin at g << 40 */

/* ---- health ---- */

void ki_lite_health(lite *s, bool degraded, const char *why) {
    (void) pthread_mutex_lock(&s->health_lock);
    s->degraded = degraded;
    (void) snprintf(s->why, sizeof s->why, "%.159s", why);
    (void) pthread_mutex_unlock(&s->health_lock);
}

/* ---- the epoch ---- */

static uint64_t top_epoch(lite *s) {
    int64_t top = 0;
    return ki_lite_number(&s->writer, SQL_TOP_EPOCH, &top) == SQLITE_OK && top > 0
               ? (uint64_t) top
               : 0;
}

/* Which epoch may be used with this database? When nobody can tell what was used
 * before, one that is far away. */
static int settle_epoch(lite *s, bool fresh, bool raise, kith_error *err) {
    ki_epoch e = { 0 };
    int r = ki_epoch_read(s->epoch_path, &e, err);
    if (r == KITH_E_SYSTEM) {
        return r;
    }
    ki_epoch was = e;
    uint64_t top = top_epoch(s);
    bool same = e.device == s->device && e.inode == s->inode;
    if (fresh) {
        e.epoch = r == 0 ? e.epoch + 1 : r == KITH_E_MISSING ? 1 : ki_epoch_leap(0);
        e.generation += r == 0 && was.inode != 0;
    } else if (r < 0 || !same) {
        e.epoch = ki_epoch_leap(e.epoch > top ? e.epoch : top);
    }
    e.epoch = e.epoch > top ? e.epoch : top;
    e.epoch += raise;
    e.generation += raise;
    CHECK(e.epoch >= top);
    CHECK(e.epoch >= was.epoch);
    e.device = s->device;
    e.inode = s->inode;
    if (e.partial != 0 || memcmp(&was, &e, sizeof e) != 0) {
        r = ki_epoch_write(s->epoch_path, &e, err);
        if (r < 0) return r;
    }
    (void) pthread_mutex_lock(&s->own_lock);
    s->epoch = s->epoch > e.epoch ? s->epoch : e.epoch;
    (void) pthread_mutex_unlock(&s->own_lock);
    s->generation = e.generation;
    ki_lite_ledger_born(s, e.generation, e.epoch);
    return 0;
}

/* A new database does not give arrivals again that the old one gave. */
static int settle_floor(lite *s) {
    sqlite3_stmt *st = s->generation == 0 ? NULL : ki_lite_sql(&s->writer, SQL_META_SET);
    if (st == NULL) {
        return SQLITE_OK;
    }
    (void) sqlite3_bind_int(st, 1, META_FLOOR);
    (void) sqlite3_bind_int64(st, 2, (int64_t) (s->generation << GENERATION_SHIFT));
    (void) sqlite3_step(st);
    return sqlite3_reset(st);
}

/* ---- open and reopen ---- */

static int count_frames(void *arg, sqlite3 *sql, const char *name, int frames) {
    lite *s = arg;
    (void) sql, (void) name;
    s->log_frames = frames;
    return SQLITE_OK;
}

static int make_file(const char *path, bool *ret_fresh, kith_error *err) {
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    *ret_fresh = fd >= 0;
    if (fd < 0 && errno == EEXIST) {
        return ki_lite_peek(path, err);
    }
    if (fd < 0) {
        return ki_fail_sys(err, "create");
    }
    (void) close(fd);
    return ki_sync_folder(path, err);
}

static int open_file(lite *s, bool *ret_fresh, kith_error *err) {
    struct stat st;
    CHECK(!s->writer_open);
    CHECK(!s->looks);
    int r = make_file(s->path, ret_fresh, err);
    r = r < 0 ? r
              : ki_lite_db_open(&s->writer, s->path, s->options.cache, LITE_WRITES, err);
    if (r < 0) {
        return r;
    }
    s->writer_open = true;
    if (stat(s->path, &st) < 0) {
        return ki_fail_sys(err, "stat");
    }
    s->device = (uint64_t) st.st_dev;
    s->inode = (uint64_t) st.st_ino;
    return 0;
}

static void close_writer(lite *s) {
    if (s->writer_open) {
        ki_lite_db_close(&s->writer);
        s->writer_open = false;
    }
}

/* Reads every page where that is quick, or where something was not ended well. A page
 * that the last life was just moving out of the log may be torn, and is no damage: what
 * is in the log is moved again first. A disk that is full is no reason not to look. */
static int look_through(lite *s, bool thorough, kith_error *err) {
    int64_t pages = 0;
    if (thorough) {
        (void) sqlite3_wal_checkpoint_v2(
            s->writer.sql, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    int rc = ki_lite_number(&s->writer, SQL_PAGES, &pages);
    if (rc == SQLITE_OK && (thorough || pages <= LITE_QUICK_PAGES)) {
        rc = ki_pages_scan(s->writer.sql);
    }
    return rc == SQLITE_OK ? 0 : ki_lite_fail(&s->writer, rc, "look through", err);
}

/* Opens what is there; what is damaged is set aside and a new one opened. Only a
 * file of ours: one without an epoch beside it may be anybody's. */
static int open_whole(lite *s, bool thorough, bool *ret_fresh, kith_error *err) {
    int r = open_file(s, ret_fresh, err);
    r = r < 0 ? r : look_through(s, thorough, err);
    bool damaged = r == KITH_E_CORRUPT || r == KITH_E_DENIED;
    if (!damaged || access(s->epoch_path, F_OK) != 0) {
        return r;
    }
    close_writer(s);
    r = ki_lite_quarantine(s, err);
    return r < 0 ? r : open_file(s, ret_fresh, err);
}

/* SQLite deletes the log of a database of no bytes, and begins anew as if nothing had
 * been numbered yet. One that held a store, or a log, is damage. */
static bool emptied(const lite *s, bool log_left) {
    struct stat st;
    ki_epoch e;
    bool there = stat(s->path, &st) == 0;
    if (there && (st.st_size > 0 || !S_ISREG(st.st_mode))) {
        return false;
    }
    return ki_epoch_read(s->epoch_path, &e, NULL) == 0 &&
           (log_left || (there && e.inode != 0));
}

typedef struct log_state {
    bool left, damaged;
    bool cut_off; /* whoever wrote it ended in the middle of a commit */
} log_state;

/* The log before SQLite sees it, when nobody else has it open. What was behind the
 * damage was acknowledged: a copy is kept, and read again in the background. */
static int look_at_log(lite *s, log_state *ret, kith_error *err) {
    char path[LITE_PATH + 8], index[LITE_PATH + 8];
    ki_log log;
    struct stat st;
    (void) snprintf(path, sizeof path, "%s-wal", s->path);
    (void) snprintf(index, sizeof index, "%s-shm", s->path);
    ret->left = stat(path, &st) == 0 && st.st_size > 0;
    if (emptied(s, ret->left)) {
        ret->left = false;
        return ki_lite_quarantine(s, err);
    }
    int r = ki_log_scan(path, &log, NULL, NULL, err);
    if (r < 0) {
        return r;
    }
    ki_log_compare(index, &log);
    ret->cut_off = log.cut_off;
    if (!log.damaged) {
        return 0;
    }
    ret->damaged = true;
    return ki_lite_aside_log(s, err);
}

/* An older kith that has it open would lose its tables. */
static int bring_up(lite *s, bool alone, kith_error *err) {
    CHECK(s->writer_open);
    if (s->writer.version == SCHEMA_VERSION) {
        return 0;
    }
    return alone ? ki_lite_migrate(&s->writer, err)
                 : ki_fail(err, KITH_E_BUSY,
                       "made by an older kith, and another process has it open");
}

/* After a failed write nobody knows what the kernel's pages hold: everything goes
 * into the database, synced, and the log begins anew, before the next ack. Each
 * frame is checked as it is read. */
static int drain_log(lite *s, kith_error *err) {
    int rc = sqlite3_wal_checkpoint_v2(
        s->writer.sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return rc == SQLITE_OK ? 0 : ki_lite_fail(&s->writer, rc, "reopen", err);
}

/* search: something is known to be wrong. */
static int open_database(lite *s, bool search, kith_error *err) {
    bool alone = false, fresh = false;
    log_state log = { 0 };
    int r = ki_lite_hold(s->lock_fd, &alone, err);
    if (r == 0 && alone) {
        r = look_at_log(s, &log, err);
    }
    r = r < 0 ? r : open_whole(s, search || log.left, &fresh, err);
    r = r < 0 ? r : bring_up(s, alone, err);
    if (r == 0) {
        atomic_store(&s->file, s->inode);
        s->log_frames = s->log_frames_tried = 0;
        s->data_version = 0;
        ki_lite_forget(s);
        (void) sqlite3_wal_hook(s->writer.sql, count_frames, s);
        r = settle_epoch(s, fresh, log.damaged, err);
    }
    if (r == 0 && log.cut_off) {
        /* What we write must not build on a commit of which nobody knows whether it is on
         * disk, nor leave half of one behind it: the log begins anew. */
        (void) drain_log(s, NULL);
        ki_lite_health(s, false,
            "the log ended in a commit that was cut off: nobody was told of it, and "
            "nothing acknowledged is missing");
    }
    if (r == 0 && (fresh || log.damaged)) {
        int rc = settle_floor(s);
        r = rc == SQLITE_OK ? 0 : ki_lite_fail(&s->writer, rc, "open", err);
    }
    ki_lite_share(s->lock_fd);
    return r;
}

void ki_lite_shut(lite *s) {
    (void) atomic_fetch_add(&s->era, 1);
    (void) pthread_mutex_lock(&s->pool_lock);
    lite_db *idle = s->idle;
    size_t idle_count = s->idle_count;
    s->idle = NULL;
    s->idle_count = 0;
    CHECK((idle == NULL) == (idle_count == 0));
    if (s->watch_open) {
        ki_lite_db_close(&s->watch);
        s->watch_open = false;
    }
    (void) pthread_mutex_unlock(&s->pool_lock);
    while (idle != NULL) {
        lite_db *next = idle->next;
        ki_lite_db_close(idle);
        free(idle);
        idle = next;
    }
    close_writer(s);
}

int ki_lite_watch(lite *s, int wake_fd) {
    char log_path[LITE_PATH + 8];
    (void) snprintf(log_path, sizeof log_path, "%s-wal", s->path);
    return inotify_add_watch(wake_fd, s->looks ? log_path : s->lock_path, IN_MODIFY);
}

/* A folder that went and came back has another lock file: the turn is taken there
 * too, under the old descriptor's number. */
static int follow_lock(lite *s, kith_error *err) {
    struct stat mine, there;
    if (fstat(s->lock_fd, &mine) == 0 && stat(s->lock_path, &there) == 0 &&
        mine.st_ino == there.st_ino && mine.st_dev == there.st_dev) {
        return 0;
    }
    int fd = open(s->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return ki_fail_sys(err, "%s", s->lock_path);
    }
    int r = ki_lite_turn(fd, err);
    if (r == 0 && dup3(fd, s->lock_fd, O_CLOEXEC) < 0) {
        r = ki_fail_sys(err, "lock");
    }
    (void) close(fd);
    int wake_fd = atomic_load(&s->wake_fd);
    if (wake_fd >= 0) (void) ki_lite_watch(s, wake_fd);
    return r;
}

int ki_lite_open(lite *s, kith_error *err) {
    return open_database(s, false, err);
}

int ki_lite_reopen(lite *s, kith_error *err) {
    ki_lite_shut(s);
    int r = follow_lock(s, err);
    r = r < 0 ? r : open_database(s, true, err);
    r = r < 0 ? r : drain_log(s, err);
    if (r == KITH_E_CORRUPT) {
        ki_lite_shut(s);
        r = ki_lite_quarantine(s, err);
        r = r < 0 ? r : open_database(s, true, err);
    }
    if (r < 0) {
        ki_lite_shut(s);
        s->must_reopen = true;
        ki_lite_health(s, true, err->text);
        return r;
    }
    atomic_store(&s->damaged, false);
    s->must_reopen = false;
    ki_lite_health(s, false, "");
    ki_lite_salvage(s);
    return 0;
}
