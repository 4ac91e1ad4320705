/* SPDX-License-Identifier: Apache-2.0 */
/* The sqlite engine: open, close, and its table. */
#include "store/lite.h"

#include <kith/option.h>

#include "base/check.h"
#include "base/fail.h"
#include "store/damage.h"
#include "store/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOW_PAGES 262144 /* 1 GiB: looked through when a run begins */

static const kith_option options[] = {
    { "max_bytes", KITH_OPTION_BYTES, offsetof(lite, options.max_bytes), 256 << 10,
        INT64_C(1) << 44, "4G", NULL,
        "the database's size beyond which packets make room" },
    { "cache", KITH_OPTION_BYTES, offsetof(lite, options.cache), 256 << 10,
        INT64_C(1) << 36, "16M", NULL, "memory for pages, for each handle" },
    { 0 },
};

static int resolve(lite *s, const char *place, kith_error *err) {
    int r = ki_lite_resolve(place, s->path, err);
    if (r == 0) {
        (void) snprintf(s->lock_path, sizeof s->lock_path, "%.980s-lock", s->path);
        (void) snprintf(s->epoch_path, sizeof s->epoch_path, "%.980s-epoch", s->path);
    }
    return r;
}

static void lite_close(void *self) {
    lite *s = self;
    ki_lite_salvage_stop(s);
    if (s->pending != NULL && s->writer_open) {
        (void) !ki_lite_ride(s, NULL); /* what it loses, a power cut might have */
    }
    ki_lite_shut(s);
    while (s->pending != NULL) {
        lite_pending *p = s->pending;
        s->pending = p->next;
        free(p);
    }
    if (s->lock_fd >= 0) (void) close(s->lock_fd);
    int wake_fd = atomic_load(&s->wake_fd);
    if (wake_fd >= 0) (void) close(wake_fd);
    (void) pthread_mutex_destroy(&s->lock);
    (void) pthread_mutex_destroy(&s->own_lock);
    (void) pthread_mutex_destroy(&s->pool_lock);
    (void) pthread_mutex_destroy(&s->health_lock);
    free(s->sources);
    free(s);
}

static lite *allocate(void) {
    lite *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->sources = calloc(LITE_CACHE_SLOTS, sizeof *s->sources);
    if (s->sources == NULL) {
        free(s);
        return NULL;
    }
    s->lock_fd = -1;
    atomic_init(&s->wake_fd, -1);
    s->tail = &s->head;
    (void) pthread_mutex_init(&s->lock, NULL);
    (void) pthread_mutex_init(&s->own_lock, NULL);
    (void) pthread_mutex_init(&s->pool_lock, NULL);
    (void) pthread_mutex_init(&s->health_lock, NULL);
    return s;
}

/* Nobody's turn is waited for, nothing is made. A log that is damaged cannot be set
 * aside here; what stands behind the damage is missing, and that is said. */
static int open_to_look(lite *s, kith_error *err) {
    char log_path[LITE_PATH + 8];
    lite_db *db = NULL;
    ki_epoch e = { 0 };
    ki_log log = { 0 };
    struct stat st;
    s->looks = true;
    if (stat(s->path, &st) < 0 || st.st_size == 0) {
        return ki_fail(err, KITH_E_CORRUPT, "no byte is left of it");
    }
    atomic_store(&s->file, (uint64_t) st.st_ino);
    int r = ki_lite_reader(s, &db, err);
    if (r < 0) {
        return r;
    }
    ki_lite_reader_back(s, db, SQLITE_OK);
    s->epoch = ki_epoch_read(s->epoch_path, &e, NULL) == 0 ? e.epoch : 0;
    ki_lite_health(s, true, "read-only: the file or its folder may not be written here");
    (void) snprintf(log_path, sizeof log_path, "%s-wal", s->path);
    if (!ki_lite_is_held(s->lock_path)) { /* else its end is being written */
        r = ki_log_scan(log_path, &log, NULL, NULL, err);
    }
    if (r == 0 && log.damaged) {
        ki_lite_health(s, true,
            "read-only, and the log is damaged: what stands behind that is missing");
    }
    return r;
}

static int open_to_write(lite *s, kith_error *err) {
    s->lock_fd = open(s->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0) {
        return ki_fail_sys(err, "%s", s->lock_path);
    }
    int r = ki_lite_turn(s->lock_fd, err);
    if (r == 0) {
        r = ki_lite_open(s, err);
        ki_lite_turn_over(s->lock_fd);
    }
    if (r == 0) {
        ki_lite_salvage(s);
    }
    return r;
}

static int lite_open(void **ret, const char *place, const char *query, kith_error *err) {
    lite *s = allocate();
    if (s == NULL) {
        return ki_fail(err, KITH_E_MEMORY, "no memory");
    }
    int r = kith_option_presets(options, s, err);
    r = r < 0 ? r : kith_option_query(options, s, query, err);
    r = r < 0 ? r : resolve(s, place, err);
    r = r < 0 ? r : ki_lite_peek(s->path, err);
    r = r < 0 ? r : ki_lite_refuse_network(s->path, err);
    if (r == 0) {
        r = ki_lite_may_only_look(s->path) ? open_to_look(s, err) : open_to_write(s, err);
    }
    if (r < 0) {
        lite_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

/* A run is long: what a short command only meets when it reads it is looked for. */
static int look_ahead(lite *s, kith_error *err) {
    lite_db *db = NULL;
    int64_t pages = 0;
    int r = ki_lite_reader(s, &db, err);
    if (r < 0) {
        return r;
    }
    int rc = ki_lite_number(db, SQL_PAGES, &pages);
    if (rc == SQLITE_OK && pages > LITE_QUICK_PAGES && pages <= SLOW_PAGES) {
        rc = ki_pages_scan(db->sql);
    }
    ki_lite_reader_back(s, db, rc);
    return rc == SQLITE_OK ? 0 : ki_lite_ride(s, err); /* its leader heals */
}

static int lite_begin_run(void *self, kith_error *err) {
    lite *s = self;
    ki_epoch e = { 0 };
    if (s->looks) {
        return ki_lite_refuse_change(err);
    }
    int r = look_ahead(s, err);
    r = r < 0 ? r : ki_lite_turn(s->lock_fd, err);
    if (r < 0) {
        return r;
    }
    r = ki_epoch_read(s->epoch_path, &e, err);
    if (r != KITH_E_SYSTEM) {
        (void) pthread_mutex_lock(&s->own_lock);
        e.epoch = e.epoch > s->epoch ? e.epoch : s->epoch;
        (void) pthread_mutex_unlock(&s->own_lock);
        bool rises =
            r == 0 && e.partial == 0 && e.device == s->device && e.inode == s->inode;
        e.epoch = r == 0 ? e.epoch + 1 : ki_epoch_leap(e.epoch);
        e.device = s->device;
        e.inode = s->inode;
        r = rises ? ki_epoch_raise(s->epoch_path, &e, err)
                  : ki_epoch_write(s->epoch_path, &e, err);
    }
    ki_lite_turn_over(s->lock_fd);
    if (r < 0) {
        return ki_fail_in(err, r, "begin run");
    }
    (void) pthread_mutex_lock(&s->own_lock);
    s->epoch = e.epoch;
    s->running = true;
    for (size_t i = 0; i < LITE_OWN_MAX; i++) {
        s->own[i].next = s->own[i].end = 0;
        s->own[i].block++;
    }
    (void) pthread_mutex_unlock(&s->own_lock);
    return 0;
}

/* ---- has anybody committed? ---- */

static uint64_t changed_at(const char *path, const char *tail) {
    char name[LITE_PATH + 8];
    struct stat st;
    (void) snprintf(name, sizeof name, "%s%s", path, tail);
    return stat(name, &st) < 0
               ? 0
               : (uint64_t) st.st_mtim.tv_sec * 1000000000u + (uint64_t) st.st_mtim.tv_nsec;
}

static uint64_t lite_version(void *self) {
    lite *s = self;
    char events[4096];
    int64_t version = 0;
    int wake_fd = atomic_load(&s->wake_fd);
    while (wake_fd >= 0 && read(wake_fd, events, sizeof events) > 0) {
    }
    if (s->looks) {
        return changed_at(s->path, "") + changed_at(s->path, "-wal");
    }
    (void) pthread_mutex_lock(&s->pool_lock);
    if (!s->watch_open) {
        s->watch_open =
            ki_lite_db_open(&s->watch, s->path, 256 << 10, LITE_READS, NULL) == 0;
        s->version_base += UINT64_C(1) << 32;
    }
    if (s->watch_open) {
        (void) ki_lite_number(&s->watch, SQL_DATA_VERSION, &version);
    }
    uint64_t base = s->version_base;
    (void) pthread_mutex_unlock(&s->pool_lock);
    return base + (uint64_t) version;
}

void ki_lite_wake(const lite *s) {
    ssize_t told = pwrite(s->lock_fd, "", 1, 0);
    (void) told; /* who watches asks from time to time, too */
}

/* Made when it is first asked for: most commands never wait. It is readable at once,
 * since what was committed before is not to be missed. */
static int lite_wake_fd(void *self) {
    lite *s = self;
    (void) pthread_mutex_lock(&s->pool_lock);
    int fd = atomic_load(&s->wake_fd);
    if (fd < 0) {
        fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (fd >= 0 && ki_lite_watch(s, fd) < 0) {
            (void) close(fd);
            fd = -1; /* no watches left on this machine: the caller must ask */
        }
        atomic_store(&s->wake_fd, fd);
        if (fd >= 0 && !s->looks) ki_lite_wake(s);
    }
    (void) pthread_mutex_unlock(&s->pool_lock);
    return fd;
}

const ki_engine ki_engine_sqlite = {
    .scheme = "sqlite",
    .open = lite_open,
    .close = lite_close,
    .begin_run = lite_begin_run,
    .post = ki_lite_post,
    .admit = ki_lite_admit,
    .knows = ki_lite_knows,
    .find = ki_lite_find,
    .latest = ki_lite_latest,
    .outbox = ki_lite_outbox,
    .ways = ki_lite_ways,
    .proofs = ki_lite_proofs,
    .hear = ki_lite_hear,
    .heard = ki_lite_heard,
    .save = ki_lite_save,
    .load = ki_lite_load,
    .prune = ki_lite_prune,
    .stats = ki_lite_stats,
    .head = ki_lite_head,
    .check = ki_lite_check,
    .backup = ki_lite_backup,
    .version = lite_version,
    .wake_fd = lite_wake_fd,
    .ledger = ki_lite_ledger,
    .ledger_each = ki_lite_ledger_each,
};
