/* SPDX-License-Identifier: Apache-2.0 */
/* The sqlite engine: open, close, and what happens when the file is not what it
 * was. docs/formats/store.md has the picture. */
#include "store/lite.h"

#include <kith/option.h>

#include "base/check.h"
#include "base/fail.h"
#include "store/damage.h"
#include "store/vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define QUICK_PAGES      2048   /* 8 MiB: looked through at each open */
#define SLOW_PAGES       262144 /* 1 GiB: looked through when a run begins */
#define GENERATION_SHIFT 40     /* arrivals of generation g begin at g << 40 */

static const kith_option options[] = {
    { "max_bytes", KITH_OPTION_BYTES, offsetof(lite, options.max_bytes), 256 << 10,
        INT64_C(1) << 44, "4G", NULL,
        "the database's size beyond which packets make room" },
    { "cache", KITH_OPTION_BYTES, offsetof(lite, options.cache), 256 << 10,
        INT64_C(1) << 36, "16M", NULL, "memory for pages, for each handle" },
    { 0 },
};

/* ---- names ---- */

/* The folder's true name and the file's own: symlinks on the way are the
 * administrator's business, a symlink in the file's place is not followed. */
int ki_lite_resolve(const char *place, char ret[LITE_PATH], kith_error *err) {
    char folder[LITE_PATH], real[PATH_MAX];
    const char *slash = strrchr(place, '/');
    const char *name = slash == NULL ? place : slash + 1;
    size_t n = slash == NULL ? 0 : (size_t) (slash - place);
    if (*name == '\0' || n >= sizeof folder) {
        return ki_fail(err, KITH_E_CONFIG, "no file is named");
    }
    memcpy(folder, place, n);
    folder[n] = '\0';
    if (realpath(slash == NULL ? "." : n == 0 ? "/" : folder, real) == NULL) {
        return ki_fail_sys(err, "%s", slash == NULL ? "." : folder);
    }
    const char *sep = strcmp(real, "/") == 0 ? "" : "/";
    int length = snprintf(ret, LITE_PATH, "%s%s%s", real, sep, name);
    if (length < 0 || length >= LITE_PATH - 40) {
        return ki_fail(err, KITH_E_CONFIG, "the path is too long");
    }
    return 0;
}

static int resolve(lite *s, const char *place, kith_error *err) {
    int r = ki_lite_resolve(place, s->path, err);
    if (r == 0) {
        (void) snprintf(s->lock_path, sizeof s->lock_path, "%.980s-lock", s->path);
        (void) snprintf(s->epoch_path, sizeof s->epoch_path, "%.980s-epoch", s->path);
    }
    return r;
}

/* SQLite's log needs memory shared between all who open it, and true locks. */
static int refuse_network(const char *path, kith_error *err) {
    static const struct {
        uint32_t type;
        const char *name;
    } far[] = { { 0x6969, "NFS" }, { 0x517b, "SMB" }, { 0xff534d42, "CIFS" },
        { 0xfe534d42, "SMB2" }, { 0x5346414f, "AFS" }, { 0x00c36400, "Ceph" },
        { 0x73757245, "Coda" }, { 0x01021997, "9P" } };
    struct statfs fs;
    if (statfs(path, &fs) < 0) {
        return ki_fail_sys(err, "%s", path);
    }
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        if ((uint32_t) fs.f_type == far[i].type) {
            return ki_fail(err, KITH_E_NOTSUP,
                "a store cannot live on a network file system (%s)", far[i].name);
        }
    }
    return 0;
}

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
    if (fd < 0 && errno == EEXIST) { /* reading a pipe would never end */
        struct stat st;
        return stat(path, &st) < 0 || S_ISREG(st.st_mode)
                   ? 0
                   : ki_fail(err, KITH_E_SYSTEM, "%.200s: not a regular file", path);
    }
    if (fd < 0) {
        return ki_fail_sys(err, "create");
    }
    (void) close(fd);
    return ki_sync_folder(path, err);
}

static int open_file(lite *s, bool *ret_fresh, kith_error *err) {
    struct stat st;
    int r = make_file(s->path, ret_fresh, err);
    r = r < 0 ? r : ki_lite_db_open(&s->writer, s->path, s->options.cache, true, err);
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

/* Reads every page where that is quick, or where something was not ended well. */
static int look_through(lite *s, bool thorough, kith_error *err) {
    int64_t pages = 0;
    int rc = ki_lite_number(&s->writer, SQL_PAGES, &pages);
    if (rc == SQLITE_OK && (thorough || pages <= QUICK_PAGES)) {
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

/* The log before SQLite sees it, when nobody else has it open. What was behind the
 * damage was acknowledged: a copy is kept, and read again in the background. */
static int look_at_log(lite *s, bool *ret_left, bool *ret_raise, kith_error *err) {
    char path[LITE_PATH + 8];
    ki_log log;
    struct stat st;
    (void) snprintf(path, sizeof path, "%s-wal", s->path);
    *ret_left = stat(path, &st) == 0 && st.st_size > 0;
    if (emptied(s, *ret_left)) {
        *ret_left = false;
        return ki_lite_quarantine(s, err);
    }
    int r = ki_log_scan(path, &log, NULL, NULL, err);
    if (r < 0 || !log.damaged) {
        return r;
    }
    *ret_raise = true;
    return ki_lite_aside_log(s, err);
}

/* With the turn. search: something is known to be wrong. */
static int open_database(lite *s, bool search, kith_error *err) {
    bool alone = false, fresh = false, left = false, raise = false;
    int r = ki_lite_hold(s->lock_fd, &alone, err);
    if (r == 0 && alone) {
        r = look_at_log(s, &left, &raise, err);
    }
    r = r < 0 ? r : open_whole(s, search || (alone && left), &fresh, err);
    if (r == 0) {
        atomic_store(&s->file, s->inode);
        s->log_frames = s->log_frames_tried = 0;
        s->data_version = 0;
        ki_lite_forget(s);
        (void) sqlite3_wal_hook(s->writer.sql, count_frames, s);
        r = settle_epoch(s, fresh, raise, err);
    }
    if (r == 0 && (fresh || raise)) {
        int rc = settle_floor(s);
        r = rc == SQLITE_OK ? 0 : ki_lite_fail(&s->writer, rc, "open", err);
    }
    ki_lite_share(s->lock_fd);
    return r;
}

static void close_database(lite *s) {
    (void) atomic_fetch_add(&s->era, 1);
    (void) pthread_mutex_lock(&s->pool_lock);
    lite_db *idle = s->idle;
    s->idle = NULL;
    s->idle_count = 0;
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

/* After a failed write nobody knows what the kernel's pages hold: everything goes
 * into the database, synced, and the log begins anew, before the next ack. Each
 * frame is checked as it is read. */
static int drain_log(lite *s, kith_error *err) {
    int rc = sqlite3_wal_checkpoint_v2(
        s->writer.sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return rc == SQLITE_OK ? 0 : ki_lite_fail(&s->writer, rc, "reopen", err);
}

static int watch_file(lite *s) {
    return s->wake_fd < 0 ? 0 : inotify_add_watch(s->wake_fd, s->lock_path, IN_MODIFY);
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
    (void) watch_file(s);
    return r;
}

int ki_lite_reopen(lite *s, kith_error *err) {
    close_database(s);
    int r = follow_lock(s, err);
    r = r < 0 ? r : open_database(s, true, err);
    r = r < 0 ? r : drain_log(s, err);
    if (r == KITH_E_CORRUPT) {
        close_database(s);
        r = ki_lite_quarantine(s, err);
        r = r < 0 ? r : open_database(s, true, err);
    }
    if (r < 0) {
        close_database(s);
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

static void lite_close(void *self) {
    lite *s = self;
    ki_lite_salvage_stop(s);
    if (s->pending != NULL && s->writer_open) {
        (void) !ki_lite_ride(s, NULL); /* what it loses, a power cut might have */
    }
    close_database(s);
    while (s->pending != NULL) {
        lite_pending *p = s->pending;
        s->pending = p->next;
        free(p);
    }
    if (s->lock_fd >= 0) (void) close(s->lock_fd);
    if (s->wake_fd >= 0) (void) close(s->wake_fd);
    (void) pthread_mutex_destroy(&s->lock);
    (void) pthread_mutex_destroy(&s->own_lock);
    (void) pthread_mutex_destroy(&s->pool_lock);
    (void) pthread_mutex_destroy(&s->health_lock);
    free(s->sources);
    free(s->templates);
    free(s);
}

static lite *allocate(void) {
    lite *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->sources = calloc(LITE_CACHE_SLOTS, sizeof *s->sources);
    s->templates = calloc(LITE_CACHE_SLOTS, sizeof *s->templates);
    if (s->sources == NULL || s->templates == NULL) {
        free(s->sources);
        free(s->templates);
        free(s);
        return NULL;
    }
    s->lock_fd = s->wake_fd = -1;
    s->tail = &s->head;
    (void) pthread_mutex_init(&s->lock, NULL);
    (void) pthread_mutex_init(&s->own_lock, NULL);
    (void) pthread_mutex_init(&s->pool_lock, NULL);
    (void) pthread_mutex_init(&s->health_lock, NULL);
    return s;
}

static int open_beside(lite *s, kith_error *err) {
    s->lock_fd = open(s->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0) {
        return ki_fail_sys(err, "%s", s->lock_path);
    }
    s->wake_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch_file(s) < 0) {
        (void) close(s->wake_fd);
        s->wake_fd = -1; /* no watches left on this machine: the caller must ask */
    }
    return 0;
}

static int lite_open(void **ret, const char *place, const char *query, kith_error *err) {
    lite *s = allocate();
    if (s == NULL) {
        return ki_fail(err, KITH_E_MEMORY, "no memory");
    }
    int r = kith_option_presets(options, s, err);
    r = r < 0 ? r : kith_option_query(options, s, query, err);
    r = r < 0 ? r : resolve(s, place, err);
    r = r < 0 ? r : open_beside(s, err);
    r = r < 0 ? r : refuse_network(s->lock_path, err);
    r = r < 0 ? r : ki_lite_turn(s->lock_fd, err);
    if (r == 0) {
        r = open_database(s, false, err);
        ki_lite_turn_over(s->lock_fd);
    }
    if (r < 0) {
        lite_close(s);
        return r;
    }
    ki_lite_salvage(s);
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
    if (rc == SQLITE_OK && pages > QUICK_PAGES && pages <= SLOW_PAGES) {
        rc = ki_pages_scan(db->sql);
    }
    ki_lite_reader_back(s, db, rc);
    return rc == SQLITE_OK ? 0 : ki_lite_ride(s, err); /* its leader heals */
}

static int lite_begin_run(void *self, kith_error *err) {
    lite *s = self;
    ki_epoch e = { 0 };
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

static uint64_t lite_version(void *self) {
    lite *s = self;
    char events[4096];
    int64_t version = 0;
    while (s->wake_fd >= 0 && read(s->wake_fd, events, sizeof events) > 0) {
    }
    (void) pthread_mutex_lock(&s->pool_lock);
    if (!s->watch_open) {
        s->watch_open = ki_lite_db_open(&s->watch, s->path, 256 << 10, false, NULL) == 0;
        s->version_base += UINT64_C(1) << 32;
    }
    if (s->watch_open) {
        (void) ki_lite_number(&s->watch, SQL_DATA_VERSION, &version);
    }
    uint64_t base = s->version_base;
    (void) pthread_mutex_unlock(&s->pool_lock);
    return base + (uint64_t) version;
}

static int lite_wake_fd(void *self) {
    const lite *s = self;
    return s->wake_fd;
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
    .save = ki_lite_save,
    .load = ki_lite_load,
    .prune = ki_lite_prune,
    .stats = ki_lite_stats,
    .check = ki_lite_check,
    .backup = ki_lite_backup,
    .version = lite_version,
    .wake_fd = lite_wake_fd,
};
