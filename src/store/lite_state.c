/* SPDX-License-Identifier: Apache-2.0 */
/* Small state by name, numbers for a person, and a copy of the whole. */
#include "store/lite.h"

#include "base/check.h"
#include "base/fail.h"
#include "store/vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- small state: it waits in a list and rides with the next commit ---- */

static lite_pending *find_name(lite_pending *list, const char *name) {
    while (list != NULL && strcmp(list->name, name) != 0) {
        list = list->next;
    }
    return list;
}

static void drop_name(lite *s, const char *name) {
    for (lite_pending **at = &s->pending; *at != NULL; at = &(*at)->next) {
        if (strcmp((*at)->name, name) == 0) {
            lite_pending *old = *at;
            CHECK(s->pending_count > 0);
            *at = old->next;
            free(old);
            s->pending_count--;
            return;
        }
    }
}

static int ride(lite *s, lite_job *job) {
    (void) s, (void) job;
    return SQLITE_OK;
}

int ki_lite_ride(lite *s, kith_error *err) {
    lite_job job = { .run = ride };
    return ki_lite_commit(s, &job, err);
}

int ki_lite_save(void *self, const ki_saved *what, kith_error *err) {
    lite *s = self;
    if (s->looks) {
        return ki_lite_refuse_change(err);
    }
    lite_pending *p = malloc(sizeof *p + what->length);
    if (p == NULL) {
        return ki_fail(err, KITH_E_MEMORY, "save: no memory");
    }
    p->length = what->length;
    (void) snprintf(p->name, sizeof p->name, "%s", what->name);
    if (what->length > 0) {
        memcpy(p->bytes, what->bytes, what->length);
    }
    (void) pthread_mutex_lock(&s->own_lock);
    drop_name(s, what->name);
    p->next = s->pending;
    s->pending = p;
    bool full = ++s->pending_count >= LITE_PENDING_MAX;
    (void) pthread_mutex_unlock(&s->own_lock);
    return what->now || full ? ki_lite_ride(s, err) : 0;
}

static int flush_one(lite *s, const lite_pending *p) {
    sqlite3_stmt *st =
        ki_lite_sql(&s->writer, p->length == 0 ? SQL_STATE_DELETE : SQL_STATE_SET);
    if (st == NULL) {
        return sqlite3_extended_errcode(s->writer.sql);
    }
    (void) sqlite3_bind_text(st, 1, p->name, -1, SQLITE_STATIC);
    if (p->length > 0) {
        (void) sqlite3_bind_blob(st, 2, p->bytes, (int) p->length, SQLITE_STATIC);
    }
    (void) sqlite3_step(st);
    return sqlite3_reset(st);
}

int ki_lite_flush_pending(lite *s) {
    (void) pthread_mutex_lock(&s->own_lock);
    CHECK(s->flushing == NULL);
    s->flushing = s->pending;
    s->pending = NULL;
    s->pending_count = 0;
    (void) pthread_mutex_unlock(&s->own_lock);
    int rc = SQLITE_OK;
    for (lite_pending *p = s->flushing; rc == SQLITE_OK && p != NULL; p = p->next) {
        rc = flush_one(s, p);
    }
    return rc;
}

/* What did not get through waits again, unless it was saved anew meanwhile. */
void ki_lite_pending_done(lite *s, bool committed) {
    (void) pthread_mutex_lock(&s->own_lock);
    while (s->flushing != NULL) {
        lite_pending *p = s->flushing;
        s->flushing = p->next;
        if (committed || find_name(s->pending, p->name) != NULL) {
            free(p);
            continue;
        }
        p->next = s->pending;
        s->pending = p;
        s->pending_count++;
    }
    CHECK((s->pending == NULL) == (s->pending_count == 0));
    (void) pthread_mutex_unlock(&s->own_lock);
}

static int hand_out(
    const void *bytes, size_t length, void *ret, size_t size, size_t *ret_length) {
    if (length == 0) {
        return KITH_E_MISSING;
    }
    if (length > size) {
        return KITH_E_SPACE;
    }
    memcpy(ret, bytes, length);
    *ret_length = length;
    return 0;
}

int ki_lite_load(void *self, const char *name, void *ret, size_t size, size_t *ret_length) {
    lite *s = self;
    (void) pthread_mutex_lock(&s->own_lock);
    lite_pending *p = find_name(s->pending, name);
    p = p != NULL ? p : find_name(s->flushing, name);
    int r = p == NULL ? 0 : hand_out(p->bytes, p->length, ret, size, ret_length);
    (void) pthread_mutex_unlock(&s->own_lock);
    lite_db *db = NULL;
    if (p != NULL) {
        return r;
    }
    r = ki_lite_reader(s, &db, NULL);
    if (r < 0) {
        return r;
    }
    sqlite3_stmt *st = ki_lite_sql(db, SQL_STATE_GET);
    int rc = st == NULL ? sqlite3_extended_errcode(db->sql) : SQLITE_OK;
    if (st != NULL) {
        (void) sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
        r = KITH_E_MISSING;
        if (sqlite3_step(st) == SQLITE_ROW) {
            const void *bytes = sqlite3_column_blob(st, 0);
            size_t length = bytes == NULL ? 0 : (size_t) sqlite3_column_bytes(st, 0);
            r = hand_out(bytes, length, ret, size, ret_length);
        }
        rc = sqlite3_reset(st);
    }
    if (rc != SQLITE_OK) {
        r = ki_lite_fail(db, rc, "load", NULL);
    }
    ki_lite_reader_back(s, db, rc);
    return r;
}

/* ---- numbers ---- */

static int count(lite_db *db, lite_sql which, uint64_t *ret) {
    int64_t n = 0;
    int rc = ki_lite_number(db, which, &n);
    *ret = (uint64_t) n;
    return rc;
}

static int database_numbers(lite_db *db, kith_store_stat *ret) {
    uint64_t pages = 0, unused = 0;
    int rc = count(db, SQL_COUNTS, &ret->packets);
    rc = rc != SQLITE_OK ? rc : count(db, SQL_COUNT_OWN, &ret->own);
    rc = rc != SQLITE_OK ? rc : count(db, SQL_COUNT_GONE, &ret->tombstones);
    rc = rc != SQLITE_OK ? rc : count(db, SQL_FIRST, &ret->first_arrival);
    rc = rc != SQLITE_OK ? rc : count(db, SQL_LAST, &ret->last_arrival);
    rc = rc != SQLITE_OK ? rc : count(db, SQL_SUBJECTS, &ret->subjects_hint);
    rc = rc != SQLITE_OK ? rc : ki_lite_number(db, SQL_MIN_EXP, &ret->oldest_expiry_us);
    rc = rc != SQLITE_OK ? rc : count(db, SQL_PAGES, &pages);
    rc = rc != SQLITE_OK ? rc : count(db, SQL_FREE_PAGES, &unused);
    rc = rc != SQLITE_OK || db->version < SCHEMA_HEARD
             ? rc
             : count(db, SQL_HEARD_COUNT, &ret->heard);
    ret->foreign = ret->packets - ret->own;
    ret->bytes = (pages - unused) * PAGE_SIZE;
    return rc;
}

static uint64_t log_bytes(const lite *s) {
    char path[LITE_PATH + 8];
    struct stat st;
    (void) snprintf(path, sizeof path, "%s-wal", s->path);
    return stat(path, &st) == 0 ? (uint64_t) st.st_size : 0;
}

int ki_lite_stats(void *self, kith_store_stat *ret, kith_error *err) {
    lite *s = self;
    lite_db *db = NULL;
    int r = ki_lite_reader(s, &db, err);
    if (r == 0) {
        int rc = database_numbers(db, ret);
        r = rc == SQLITE_OK ? 0 : ki_lite_fail(db, rc, "stats", err);
        ki_lite_reader_back(s, db, rc);
    }
    (void) snprintf(ret->engine, sizeof ret->engine, "sqlite");
    ret->max_bytes = (uint64_t) s->options.max_bytes;
    ret->wal_bytes = log_bytes(s);
    ret->evicted = atomic_load(&s->evicted);
    ret->heard_evicted = atomic_load(&s->heard_evicted);
    ret->refused_full = atomic_load(&s->refused_full);
    ret->duplicates = atomic_load(&s->duplicates);
    ret->equivocations = atomic_load(&s->equivocations);
    ret->commits = atomic_load(&s->commits);
    ret->fsyncs_shared = atomic_load(&s->shared);
    ret->salvaging = atomic_load(&s->salvaging);
    ret->salvaged = atomic_load(&s->salvaged);
    (void) pthread_mutex_lock(&s->own_lock);
    ret->epoch = s->epoch;
    for (size_t i = 0; i < LITE_OWN_MAX; i++) {
        ret->epoch = s->own[i].epoch > ret->epoch ? s->own[i].epoch : ret->epoch;
    }
    (void) pthread_mutex_unlock(&s->own_lock);
    (void) pthread_mutex_lock(&s->health_lock);
    ret->quarantined = s->quarantined;
    ret->degraded = s->degraded;
    r = s->degraded ? 0 : r; /* then the numbers are what there is: the reason */
    (void) snprintf(ret->why, sizeof ret->why, "%s", s->why);
    (void) snprintf(ret->quarantine, sizeof ret->quarantine, "%s", s->quarantine);
    (void) pthread_mutex_unlock(&s->health_lock);
    return r;
}

int ki_lite_head(void *self, uint64_t *ret_last, uint64_t *ret_evicted, kith_error *err) {
    lite *s = self;
    lite_db *db = NULL;
    int r = ki_lite_reader(s, &db, err);
    if (r < 0) {
        return r;
    }
    int rc = count(db, SQL_LAST, ret_last);
    r = rc == SQLITE_OK ? 0 : ki_lite_fail(db, rc, "head", err);
    ki_lite_reader_back(s, db, rc);
    *ret_evicted = atomic_load(&s->evicted);
    return r;
}

/* ---- a copy ---- */

static int copy_pages(lite_db *from, const char *path, kith_error *err) {
    sqlite3 *to = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(path, &to, flags, VFS_NAME);
    sqlite3_backup *copy =
        rc == SQLITE_OK ? sqlite3_backup_init(to, "main", from->sql, "main") : NULL;
    if (copy != NULL) {
        rc = sqlite3_backup_step(copy, -1); /* one step: one moment's state */
        int end = sqlite3_backup_finish(copy);
        rc = rc == SQLITE_DONE ? end : rc;
    } else if (rc == SQLITE_OK) {
        rc = sqlite3_extended_errcode(to);
    }
    int r = rc == SQLITE_OK ? 0 : ki_lite_fail(NULL, rc, "backup", err);
    (void) sqlite3_close(to);
    return r;
}

int ki_lite_backup(void *self, const char *path, kith_error *err) {
    char beside[LITE_PATH];
    int n = snprintf(beside, sizeof beside, "%s.part", path);
    if (n < 0 || (size_t) n >= sizeof beside) {
        return ki_fail(err, KITH_E_ARG, "backup: the path is too long");
    }
    if (access(path, F_OK) == 0) {
        return ki_fail(
            err, KITH_E_DENIED, "backup %.150s: something is there already", path);
    }
    (void) unlink(beside);
    int fd = open(beside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return ki_fail_sys(err, "backup %s", beside);
    }
    (void) close(fd);
    lite_db *db = NULL;
    int r = ki_lite_reader(self, &db, err);
    if (r == 0) {
        r = copy_pages(db, beside, err);
        ki_lite_reader_back(self, db, SQLITE_OK);
    }
    if (r == 0 && rename(beside, path) < 0) {
        r = ki_fail_sys(err, "rename %s", path);
    }
    r = r < 0 ? r : ki_sync_folder(path, err);
    if (r < 0) {
        (void) unlink(beside);
    }
    return r;
}
