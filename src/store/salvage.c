/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged files are set aside at once and read again at leisure.
 *
 *   store.db            the new, empty one, in use
 *   store.db.damaged-1  the old one (and -wal), or only a copy of a damaged log
 *   store.db.salvaged-1 the same when all that could be has been brought back
 *
 * A thread of its own goes over the pages: own packets first, then the others,
 * each only if its id and its signature are right. Small state follows where the
 * new store has none. Stopped half-way, it begins again at the next open; what is
 * there already is a duplicate. */
#include "store/lite.h"

#include "base/check.h"
#include "base/fail.h"
#include "store/damage.h"
#include "store/leaf.h"
#include "store/log.h"
#include "store/vfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SALVAGE_ROOM (LITE_PATH + 64)

enum {
    BATCH = 64,
    NUMBERS = 1000, /* damaged files beside one store */
};

/* ---- set aside ---- */

static void name_beside(
    const char *path, const char *what, int n, const char *tail, char ret[SALVAGE_ROOM]) {
    CHECK(ret != NULL); /* gcc under UBSan wants to hear it */
    (void) snprintf(ret, SALVAGE_ROOM, "%s.%s-%d%s", path, what, n, tail);
}

static void aside_name(
    const lite *s, const char *what, int n, const char *tail, char ret[SALVAGE_ROOM]) {
    name_beside(s->path, what, n, tail, ret);
}

static int free_number(const lite *s) {
    static const char *const kinds[] = { "damaged", "salvaged" };
    static const char *const tails[] = { "", "-wal" };
    for (int n = 1; n < NUMBERS; n++) {
        bool taken = false;
        for (int k = 0; k < 4; k++) {
            char name[SALVAGE_ROOM];
            aside_name(s, kinds[k / 2], n, tails[k % 2], name);
            taken = taken || access(name, F_OK) == 0;
        }
        if (!taken) return n;
    }
    return NUMBERS;
}

static void say_quarantined(lite *s, const char *name) {
    (void) pthread_mutex_lock(&s->health_lock);
    s->quarantined = true;
    (void) snprintf(s->quarantine, sizeof s->quarantine, "%.1023s", name);
    (void) pthread_mutex_unlock(&s->health_lock);
}

int ki_lite_aside_log(lite *s, kith_error *err) {
    char log[SALVAGE_ROOM], name[SALVAGE_ROOM];
    (void) snprintf(log, sizeof log, "%s-wal", s->path);
    aside_name(s, "damaged", free_number(s), "-wal", name);
    int r = ki_copy_file(log, name, err);
    r = r < 0 ? r : ki_sync_folder(s->path, err);
    if (r == 0) {
        say_quarantined(s, name);
    }
    return r;
}

/* The epoch is raised before anything moves: after a crash in between, the old
 * database opens under the higher epoch, which harms nobody. */
int ki_lite_quarantine(lite *s, kith_error *err) {
    char from[SALVAGE_ROOM], to[SALVAGE_ROOM];
    ki_epoch e = { 0 };
    CHECK(!s->looks);
    CHECK(!s->writer_open); /* or SQLite would go on in the file set aside */
    int n = free_number(s), r = ki_epoch_read(s->epoch_path, &e, err);
    if (r == KITH_E_SYSTEM) {
        return r;
    }
    e.epoch = r == 0 ? e.epoch + 1 : ki_epoch_leap(s->epoch);
    e.generation++;
    e.device = e.inode = 0;
    r = ki_epoch_write(s->epoch_path, &e, err);
    if (r < 0) {
        return r;
    }
    (void) snprintf(from, sizeof from, "%s-wal", s->path);
    aside_name(s, "damaged", n, "-wal", to);
    if (rename(from, to) < 0 && errno != ENOENT) {
        return ki_fail_sys(err, "rename %s", from);
    }
    (void) snprintf(from, sizeof from, "%s-shm", s->path);
    (void) unlink(from);
    aside_name(s, "damaged", n, "", to);
    if (rename(s->path, to) < 0 && errno != ENOENT) {
        return ki_fail_sys(err, "rename %s", s->path);
    }
    say_quarantined(s, to);
    return ki_sync_folder(s->path, err);
}

/* ---- bring back ---- */

typedef struct salvage {
    lite *s;
    bool own; /* which of the two passes */
    size_t count;
    ki_leaf_row rows[BATCH];
} salvage;

static int bring(salvage *v) {
    lite *s = v->s;
    uint64_t back = 0;
    CHECK(v->count <= BATCH);
    int r = v->count == 0 ? 0 : ki_lite_bring_back(s, v->rows, v->count, &back);
    v->count = 0;
    CHECK(back <= BATCH);
    (void) atomic_fetch_add(&s->salvaged, back);
    return r < 0 ? r : atomic_load(&s->closing) ? KITH_E_CLOSED : 0;
}

static int consider(void *ctx, const ki_leaf_row *row) {
    salvage *v = ctx;
    kith_content content;
    uint8_t id[KITH_ID_SIZE];
    if (row->own != v->own ||
        kith_packet_decode(row->packet.bytes, row->packet.length, &content) != 0) {
        return 0;
    }
    kith_packet_id(&row->packet, id);
    if (memcmp(id, row->id, sizeof id) != 0 || kith_packet_verify(&row->packet) != 0) {
        return 0;
    }
    CHECK(v->count < BATCH);
    v->rows[v->count++] = *row;
    return v->count == BATCH ? bring(v) : 0;
}

static int consider_frame(void *ctx, uint32_t number, const uint8_t *page, bool chained) {
    salvage *v = ctx;
    (void) number, (void) chained;
    int r = ki_leaf_rows(page, PAGE_SIZE, consider, v);
    return r < 0 ? r : atomic_load(&v->s->closing) ? KITH_E_CLOSED : 0;
}

static int pass_database(salvage *v, const char *path) {
    uint8_t page[PAGE_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), r = 0;
    if (fd < 0) {
        return errno == ENOENT ? 0 : KITH_E_SYSTEM;
    }
    ssize_t n = read(fd, page, sizeof page);
    while (r >= 0 && n > 0) {
        r = n == PAGE_SIZE ? consider_frame(v, 0, page, false) : 0;
        n = read(fd, page, sizeof page);
    }
    (void) close(fd);
    return r;
}

/* SQLite reads the old file's small states; what it cannot read is lost. */
static void bring_states(lite *s, const char *path) {
    sqlite3 *sql = NULL;
    sqlite3_stmt *st = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    int rc = sqlite3_open_v2(path, &sql, flags, VFS_NAME);
    if (rc == SQLITE_OK) {
        (void) sqlite3_db_config(sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        rc = sqlite3_prepare_v2(sql, "SELECT name, saved FROM state", -1, &st, NULL);
    }
    while (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
        const char *name = (const char *) sqlite3_column_text(st, 0);
        const void *bytes = sqlite3_column_blob(st, 1);
        int length = sqlite3_column_bytes(st, 1);
        uint8_t have[KITH_STATE_MAX];
        size_t n = 0;
        if (name == NULL || bytes == NULL || length > KITH_STATE_MAX ||
            strlen(name) > KITH_STATE_NAME_MAX ||
            ki_lite_ledger_back(s, name, bytes, (size_t) length) ||
            ki_lite_load(s, name, have, sizeof have, &n) != KITH_E_MISSING) {
            continue;
        }
        const ki_saved what = { name, bytes, (size_t) length, false };
        (void) !ki_lite_save(s, &what, NULL); /* the next pass tries again */
    }
    (void) sqlite3_finalize(st);
    (void) sqlite3_close(sql);
}

static int salvage_one(lite *s, salvage *v, int n) {
    char path[SALVAGE_ROOM], log[SALVAGE_ROOM], to[SALVAGE_ROOM];
    ki_log state;
    aside_name(s, "damaged", n, "", path);
    aside_name(s, "damaged", n, "-wal", log);
    int r = 0;
    for (int pass = 0; r >= 0 && pass < 2; pass++) {
        v->own = pass == 0;
        v->count = 0;
        r = ki_log_scan(log, &state, consider_frame, v, NULL);
        r = r < 0 ? r : pass_database(v, path);
        r = r < 0 ? r : bring(v);
    }
    /* After the pages: SQLite may remove the log of what is no database to it. */
    if (r >= 0 && access(path, F_OK) == 0) {
        bring_states(s, path);
    }
    r = r < 0 ? r : ki_lite_ride(s, NULL);
    if (r < 0) {
        return r;
    }
    aside_name(s, "salvaged", n, "", to);
    (void) rename(path, to);
    aside_name(s, "salvaged", n, "-wal", to);
    (void) rename(log, to);
    aside_name(s, "damaged", n, "-shm", to);
    (void) unlink(to);
    return 0;
}

static bool either(const char *path, const char *what, int n, char ret[SALVAGE_ROOM]) {
    name_beside(path, what, n, "", ret);
    if (access(ret, F_OK) == 0) return true;
    name_beside(path, what, n, "-wal", ret);
    return access(ret, F_OK) == 0;
}

bool ki_lite_salvage_waits(const char *path, char ret[SALVAGE_ROOM]) {
    for (int n = 1; n < NUMBERS; n++) {
        if (either(path, "damaged", n, ret)) return true;
        if (!either(path, "salvaged", n, ret)) break;
    }
    return false;
}

static void *salvage_all(void *arg) {
    lite *s = arg;
    salvage *v = calloc(1, sizeof *v);
    if (v != NULL) {
        v->s = s;
        for (int n = 1; n < NUMBERS && !atomic_load(&s->closing); n++) {
            char name[SALVAGE_ROOM];
            if (either(s->path, "damaged", n, name)) (void) salvage_one(s, v, n);
        }
        free(v);
    }
    ki_lite_salvage_unlock(s->lock_fd);
    atomic_store(&s->salvaging, false);
    return NULL;
}

/* One process brings back; the others see what it brings. */
void ki_lite_salvage(lite *s) {
    char name[SALVAGE_ROOM];
    if (!ki_lite_salvage_waits(s->path, name) || atomic_load(&s->salvaging) ||
        !ki_lite_salvage_lock(s->lock_fd)) {
        return;
    }
    if (s->salvager_started) {
        (void) pthread_join(s->salvager, NULL);
        s->salvager_started = false;
    }
    atomic_store(&s->salvaging, true);
    s->salvager_started = pthread_create(&s->salvager, NULL, salvage_all, s) == 0;
    if (!s->salvager_started) {
        atomic_store(&s->salvaging, false);
        ki_lite_salvage_unlock(s->lock_fd);
    }
}

void ki_lite_salvage_stop(lite *s) {
    atomic_store(&s->closing, true);
    if (s->salvager_started) {
        (void) pthread_join(s->salvager, NULL);
        s->salvager_started = false;
    }
}
