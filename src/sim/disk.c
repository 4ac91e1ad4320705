/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/disk.h"

#include "base/check.h"
#include "base/dice.h"
#include "base/fail.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SECTOR = 512,
};

struct ki_undo {
    ki_undo *next;
    bool log, stuck;    /* of the log; stuck: a sync failed, a later one will not help */
    sqlite3_int64 size; /* of the file before */
    sqlite3_int64 at;   /* what lay there */
    int span;           /* how much was written */
    int length;
    uint8_t old[];
};

typedef struct file {
    sqlite3_file base;
    ki_disk *disk; /* NULL: not one of ours */
    bool log;
    sqlite3_file *inner; /* right behind */
} file;

/* SQLite keeps the address of a layer for ever, and finds files by their names alone. */
static sqlite3_vfs layer;
static ki_disk *disks;

#define INNER(self) (((file *) (self))->inner)

/* Remembers what a change is about to overwrite. */
static int note(file *f, int length, sqlite3_int64 at) {
    sqlite3_int64 size = 0;
    int rc = f->inner->pMethods->xFileSize(f->inner, &size);
    int there = at >= size ? 0 : size - at < length ? (int) (size - at) : length;
    ki_undo *u = rc == SQLITE_OK ? malloc(sizeof *u + (size_t) there + 1) : NULL;
    if (u == NULL) return rc != SQLITE_OK ? rc : SQLITE_NOMEM;
    *u = (ki_undo){ .next = f->disk->undo,
        .log = f->log,
        .size = size,
        .at = at,
        .span = length,
        .length = there };
    if (there > 0) rc = f->inner->pMethods->xRead(f->inner, u->old, there, at);
    if (rc != SQLITE_OK) {
        free(u);
        return rc;
    }
    f->disk->undo = u;
    return SQLITE_OK;
}

static int change(file *f, int length, sqlite3_int64 at) {
    if (f->disk == NULL) return SQLITE_OK;
    if (f->disk->dead) return SQLITE_IOERR_WRITE;
    if (f->disk->full) return SQLITE_FULL;
    return note(f, length, at);
}

static int f_write(sqlite3_file *self, const void *bytes, int size, sqlite3_int64 at) {
    file *f = (file *) self;
    int rc = change(f, size, at);
    return rc != SQLITE_OK ? rc : f->inner->pMethods->xWrite(f->inner, bytes, size, at);
}

static int f_truncate(sqlite3_file *self, sqlite3_int64 size) {
    file *f = (file *) self;
    sqlite3_int64 before = 0;
    int rc = f->inner->pMethods->xFileSize(f->inner, &before);
    if (rc == SQLITE_OK && before > size) rc = change(f, (int) (before - size), size);
    return rc != SQLITE_OK ? rc : f->inner->pMethods->xTruncate(f->inner, size);
}

/* A later write over the same place was synced: what was stuck there is of no account. */
static void supersede(const ki_undo *u) {
    for (ki_undo *v = u->next; v != NULL; v = v->next) {
        bool inside =
            v->log == u->log && v->at >= u->at && v->at + v->span <= u->at + u->span;
        if (inside) v->stuck = false;
    }
}

/* What is synced need not be undone any more. Pages that met a failed sync count as
 * clean, as on Linux: a later sync does not save them, unless they are written again. */
static void synced(ki_disk *d, bool log) {
    for (const ki_undo *u = d->undo; u != NULL; u = u->next) {
        if (u->log == log && !u->stuck) supersede(u);
    }
    for (ki_undo **at = &d->undo; *at != NULL;) {
        ki_undo *u = *at;
        if (u->log != log || u->stuck) {
            at = &u->next;
            continue;
        }
        *at = u->next;
        free(u);
    }
}

static int f_sync(sqlite3_file *self, int flags) {
    file *f = (file *) self;
    ki_disk *d = f->disk;
    if (d == NULL) return f->inner->pMethods->xSync(f->inner, flags);
    if (d->dead) return SQLITE_IOERR_FSYNC;
    d->syncs++;
    if (d->fail_next > 0) {
        d->fail_next--;
        d->failed++;
        for (ki_undo *u = d->undo; u != NULL; u = u->next) {
            u->stuck = u->stuck || u->log == f->log;
        }
        return SQLITE_IOERR_FSYNC;
    }
    if (!d->lies) synced(d, f->log);
    return SQLITE_OK;
}

/* ---- the rest is the system's ---- */

static int f_close(sqlite3_file *self) {
    return INNER(self)->pMethods->xClose(INNER(self));
}
static int f_read(sqlite3_file *self, void *ret, int size, sqlite3_int64 at) {
    return INNER(self)->pMethods->xRead(INNER(self), ret, size, at);
}
static int f_size(sqlite3_file *self, sqlite3_int64 *ret) {
    return INNER(self)->pMethods->xFileSize(INNER(self), ret);
}
static int f_lock(sqlite3_file *self, int level) {
    return INNER(self)->pMethods->xLock(INNER(self), level);
}
static int f_unlock(sqlite3_file *self, int level) {
    return INNER(self)->pMethods->xUnlock(INNER(self), level);
}
static int f_reserved(sqlite3_file *self, int *ret) {
    return INNER(self)->pMethods->xCheckReservedLock(INNER(self), ret);
}
static int f_control(sqlite3_file *self, int op, void *arg) {
    return INNER(self)->pMethods->xFileControl(INNER(self), op, arg);
}
static int f_sector(sqlite3_file *self) {
    return INNER(self)->pMethods->xSectorSize(INNER(self));
}
static int f_traits(sqlite3_file *self) {
    return INNER(self)->pMethods->xDeviceCharacteristics(INNER(self));
}
static int f_shm_map(
    sqlite3_file *self, int page, int size, int more, void volatile **ret) {
    return INNER(self)->pMethods->xShmMap(INNER(self), page, size, more, ret);
}
static int f_shm_lock(sqlite3_file *self, int offset, int n, int flags) {
    return INNER(self)->pMethods->xShmLock(INNER(self), offset, n, flags);
}
static void f_shm_barrier(sqlite3_file *self) {
    INNER(self)->pMethods->xShmBarrier(INNER(self));
}
static int f_shm_unmap(sqlite3_file *self, int remove) {
    return INNER(self)->pMethods->xShmUnmap(INNER(self), remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_reserved,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_traits,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

/* The disk that a name lies on: its database, or the log beside it. */
static ki_disk *disk_of(const char *name, bool *ret_log) {
    for (ki_disk *d = disks; d != NULL && name != NULL; d = d->next) {
        size_t n = strlen(d->path);
        if (strncmp(name, d->path, n) != 0) continue;
        *ret_log = strcmp(name + n, "-wal") == 0;
        if (*ret_log || name[n] == '\0') return d;
    }
    return NULL;
}

static int l_open(
    sqlite3_vfs *self, const char *name, sqlite3_file *ret, int flags, int *ret_flags) {
    sqlite3_vfs *inner = self->pAppData;
    file *f = (file *) ret;
    *f = (file){ .inner = (sqlite3_file *) (f + 1) };
    f->disk = disk_of(name, &f->log);
    int rc = inner->xOpen(inner, name, f->inner, flags, ret_flags);
    f->base.pMethods = rc == SQLITE_OK ? &methods : NULL;
    return rc;
}

/* A file is removed by a directory's sync, which comes with it: at once and for good. */
static int l_delete(sqlite3_vfs *self, const char *name, int sync_folder) {
    sqlite3_vfs *inner = self->pAppData;
    bool log = false;
    ki_disk *d = disk_of(name, &log);
    if (d != NULL && d->dead) return SQLITE_IOERR_DELETE;
    for (ki_undo **at = d == NULL ? NULL : &d->undo; at != NULL && *at != NULL;) {
        ki_undo *u = *at;
        if (u->log != log) {
            at = &u->next;
            continue;
        }
        *at = u->next;
        free(u);
    }
    return inner->xDelete(inner, name, sync_folder);
}

int ki_disk_mount(kith_error *err) {
    static bool mounted;
    if (mounted) return 0;
    sqlite3_vfs *inner = sqlite3_initialize() == SQLITE_OK ? sqlite3_vfs_find(NULL) : NULL;
    if (inner == NULL || sqlite3_vfs_find("kith") != NULL) {
        return ki_fail(err, KITH_E_NOTSUP, "a store was opened before the simulation");
    }
    layer = *inner;
    layer.pNext = NULL;
    layer.zName = "kith-sim";
    layer.pAppData = inner;
    layer.szOsFile = (int) sizeof(file) + inner->szOsFile;
    layer.xOpen = l_open;
    layer.xDelete = l_delete;
    mounted = sqlite3_vfs_register(&layer, 1) == SQLITE_OK;
    return mounted ? 0 : ki_fail(err, KITH_E_MEMORY, "simulated disks");
}

int ki_disk_new(ki_disk **ret, const char *path) {
    ki_disk *d = calloc(1, sizeof *d);
    if (d == NULL || strlen(path) > SIM_PATH_MAX) {
        free(d);
        return KITH_E_MEMORY;
    }
    memcpy(d->path, path, strlen(path) + 1);
    d->next = disks;
    disks = d;
    *ret = d;
    return 0;
}

static void forget(ki_disk *d) {
    while (d->undo != NULL) {
        ki_undo *u = d->undo;
        d->undo = u->next;
        free(u);
    }
}

void ki_disk_free(ki_disk **disk) {
    ki_disk *d = *disk;
    if (d == NULL) return;
    for (ki_disk **at = &disks; *at != NULL; at = &(*at)->next) {
        if (*at != d) continue;
        *at = d->next;
        break;
    }
    forget(d);
    free(d);
    *disk = NULL;
}

typedef enum cut {
    CUT_ALL = 0,     /* nothing of it had reached the disk */
    CUT_HALF = 1,    /* some writes had */
    CUT_SECTORS = 2, /* some sectors of some writes had */
} cut;

static bool undo_one(int fd, const ki_undo *u, cut how, uint64_t *dice) {
    bool whole = how == CUT_ALL || dice_below(dice, 2) == 0;
    if (!whole && how == CUT_HALF) return true;
    for (int i = 0; i < u->length;) {
        int n = SECTOR - (int) ((u->at + i) % SECTOR);
        n = n < u->length - i ? n : u->length - i;
        bool lost = how != CUT_SECTORS || dice_below(dice, 2) == 0;
        if (lost && pwrite(fd, u->old + i, (size_t) n, u->at + i) != n) return false;
        i += n;
    }
    return !whole || u->stuck || ftruncate(fd, u->size) == 0;
}

int ki_disk_cut(ki_disk *d, uint64_t *dice) {
    char log[SIM_PATH_MAX + 8];
    (void) snprintf(log, sizeof log, "%s-wal", d->path);
    int fds[2] = { open(d->path, O_WRONLY | O_CLOEXEC), open(log, O_WRONLY | O_CLOEXEC) };
    cut how = (cut) dice_below(dice, 3);
    bool done = true;
    for (const ki_undo *u = d->undo; u != NULL; u = u->next) {
        int fd = fds[u->log];
        if (fd >= 0) done = undo_one(fd, u, how, dice) && done;
    }
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0) (void) close(fds[i]);
    }
    forget(d);
    (void) snprintf(log, sizeof log, "%s-shm", d->path); /* a reboot has no such memory */
    (void) unlink(log);
    d->dead = d->full = false;
    d->fail_next = 0;
    return done ? 0 : KITH_E_SYSTEM;
}
