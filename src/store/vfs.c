/* SPDX-License-Identifier: Apache-2.0 */
#include "store/vfs.h"

#include "base/hash.h"
#include "base/wire.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define VFS_PATH 1100

enum {
    AT_NUMBER = PAGE_SIZE - 8,
    AT_CRC = PAGE_SIZE - 4,
};

/* SQLite writes a frame's header, then its page. Where a log begins anew over an old
 * one, a process killed in between would leave a header that vouches for a page which
 * is not there: like damage. So the header waits for its page and goes behind it. */
typedef struct file {
    sqlite3_file base;
    bool database, log, waiting;
    bool alone; /* no log beside it, and nobody writes */
    uint8_t header[24];
    sqlite3_int64 header_at;
    bool order_known, big_endian; /* of the log with these salts */
    uint8_t salts[8];
    sqlite3_file *inner; /* right behind this struct */
} file;

bool ki_page_whole(const uint8_t page[PAGE_SIZE], uint32_t number) {
    static const uint8_t zeros[64];
    if (wire_get32(page + AT_CRC) == ki_crc32c(0, page, AT_CRC)) {
        return wire_get32(page + AT_NUMBER) == number;
    }
    for (size_t i = 0; i < PAGE_SIZE; i += sizeof zeros) {
        if (memcmp(page + i, zeros, sizeof zeros) != 0) return false;
    }
    return true;
}

static uint32_t word(bool big_endian, const uint8_t *p) {
    uint32_t v = wire_get32(p);
    return big_endian ? v : __builtin_bswap32(v);
}

void ki_wal_sum(bool big_endian, const uint8_t *bytes, size_t size, uint32_t sum[2]) {
    uint32_t a = sum[0], b = sum[1];
    for (size_t i = 0; i + 8 <= size; i += 8) {
        a += word(big_endian, bytes + i) + b;
        b += word(big_endian, bytes + i + 4) + a;
    }
    sum[0] = a;
    sum[1] = b;
}

void ki_wal_frame_sum(bool big_endian, const uint8_t header[24],
    const uint8_t page[PAGE_SIZE], uint32_t sum[2]) {
    ki_wal_sum(big_endian, header, 8, sum);
    ki_wal_sum(big_endian, page, PAGE_SIZE, sum);
}

/* In which order this log sums, by its header. The frames of one log have its salts. */
static int learn_order(file *f, const uint8_t salts[8]) {
    uint8_t first[WAL_HEADER];
    if (f->order_known && memcmp(f->salts, salts, sizeof f->salts) == 0) {
        return SQLITE_OK;
    }
    int rc = f->inner->pMethods->xRead(f->inner, first, sizeof first, 0);
    if (rc == SQLITE_OK) {
        f->big_endian = (first[3] & 1) != 0;
        f->order_known = memcmp(first + 16, salts, sizeof f->salts) == 0;
        memcpy(f->salts, salts, sizeof f->salts);
    }
    return rc;
}

/* The log's header and frames end with the sum of everything before. */
static int check_frame(file *f, const uint8_t *page, sqlite3_int64 page_at) {
    uint8_t header[24], before[8];
    sqlite3_int64 at = page_at - 24;
    sqlite3_int64 last = at == WAL_HEADER ? 24 : at - WAL_FRAME + 16;
    sqlite3_file *in = f->inner;
    int rc = in->pMethods->xRead(in, header, sizeof header, at);
    rc = rc != SQLITE_OK ? rc : learn_order(f, header + 8);
    rc = rc != SQLITE_OK ? rc : in->pMethods->xRead(in, before, sizeof before, last);
    if (rc != SQLITE_OK) {
        return rc;
    }
    uint32_t sum[2] = { wire_get32(before), wire_get32(before + 4) };
    ki_wal_frame_sum(f->big_endian, header, page, sum);
    bool whole = sum[0] == wire_get32(header + 16) && sum[1] == wire_get32(header + 20);
    return whole ? SQLITE_OK : SQLITE_IOERR_DATA;
}

static int let_header_go(file *f) {
    if (!f->waiting) {
        return SQLITE_OK;
    }
    f->waiting = false;
    return f->inner->pMethods->xWrite(f->inner, f->header, sizeof f->header, f->header_at);
}

static int log_write(file *f, const void *bytes, int size, sqlite3_int64 at) {
    bool behind = f->waiting && at == f->header_at + 24 && size == PAGE_SIZE;
    int rc = behind ? SQLITE_OK : let_header_go(f);
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (size == 24 && at >= WAL_HEADER && (at - WAL_HEADER) % WAL_FRAME == 0) {
        memcpy(f->header, bytes, sizeof f->header);
        f->header_at = at;
        f->waiting = true;
        return SQLITE_OK;
    }
    rc = f->inner->pMethods->xWrite(f->inner, bytes, size, at);
    if (rc != SQLITE_OK) {
        f->waiting = false; /* it is told; the page is not there, nor may its header be */
        return rc;
    }
    return let_header_go(f);
}

static int file_read(sqlite3_file *self, void *ret, int size, sqlite3_int64 at) {
    file *f = (file *) self;
    int rc = let_header_go(f);
    rc = rc != SQLITE_OK ? rc : f->inner->pMethods->xRead(f->inner, ret, size, at);
    if (rc != SQLITE_OK || size != PAGE_SIZE) {
        return rc;
    }
    if (f->log && at > WAL_HEADER && (at - WAL_HEADER - 24) % WAL_FRAME == 0) {
        return check_frame(f, ret, at);
    }
    if (f->database && at % PAGE_SIZE == 0 &&
        !ki_page_whole(ret, (uint32_t) (at / PAGE_SIZE + 1))) {
        return SQLITE_IOERR_DATA;
    }
    return SQLITE_OK;
}

static int file_write(sqlite3_file *self, const void *bytes, int size, sqlite3_int64 at) {
    file *f = (file *) self;
    if (f->log) {
        return log_write(f, bytes, size, at);
    }
    if (!f->database || size != PAGE_SIZE || at % PAGE_SIZE != 0) {
        return f->inner->pMethods->xWrite(f->inner, bytes, size, at);
    }
    uint8_t page[PAGE_SIZE];
    memcpy(page, bytes, AT_NUMBER);
    wire_put32(page + AT_NUMBER, (uint32_t) (at / PAGE_SIZE + 1));
    wire_put32(page + AT_CRC, ki_crc32c(0, page, AT_CRC));
    return f->inner->pMethods->xWrite(f->inner, page, size, at);
}

/* Everything else is the system's own. What looks at a log sees the header, too. */
#define INNER(self) (((file *) (self))->inner)

static int file_close(sqlite3_file *self) {
    (void) !let_header_go((file *) self); /* without its page it says nothing */
    return INNER(self)->pMethods->xClose(INNER(self));
}
static int file_truncate(sqlite3_file *self, sqlite3_int64 size) {
    int rc = let_header_go((file *) self);
    return rc != SQLITE_OK ? rc : INNER(self)->pMethods->xTruncate(INNER(self), size);
}
static int file_sync(sqlite3_file *self, int flags) {
    int rc = let_header_go((file *) self);
    return rc != SQLITE_OK ? rc : INNER(self)->pMethods->xSync(INNER(self), flags);
}
static int file_size(sqlite3_file *self, sqlite3_int64 *ret) {
    int rc = let_header_go((file *) self);
    return rc != SQLITE_OK ? rc : INNER(self)->pMethods->xFileSize(INNER(self), ret);
}
static int file_lock(sqlite3_file *self, int level) {
    return INNER(self)->pMethods->xLock(INNER(self), level);
}
static int file_unlock(sqlite3_file *self, int level) {
    return INNER(self)->pMethods->xUnlock(INNER(self), level);
}
static int file_reserved(sqlite3_file *self, int *ret) {
    return INNER(self)->pMethods->xCheckReservedLock(INNER(self), ret);
}
static int file_control(sqlite3_file *self, int op, void *arg) {
    return INNER(self)->pMethods->xFileControl(INNER(self), op, arg);
}
static int file_sector(sqlite3_file *self) {
    return INNER(self)->pMethods->xSectorSize(INNER(self));
}
static int file_traits(sqlite3_file *self) {
    return INNER(self)->pMethods->xDeviceCharacteristics(INNER(self));
}
static int file_shm_map(
    sqlite3_file *self, int page, int size, int extend, void volatile **ret) {
    return INNER(self)->pMethods->xShmMap(INNER(self), page, size, extend, ret);
}
static int file_shm_lock(sqlite3_file *self, int offset, int n, int flags) {
    return INNER(self)->pMethods->xShmLock(INNER(self), offset, n, flags);
}
static void file_shm_barrier(sqlite3_file *self) {
    INNER(self)->pMethods->xShmBarrier(INNER(self));
}
static int file_shm_unmap(sqlite3_file *self, int remove) {
    return INNER(self)->pMethods->xShmUnmap(INNER(self), remove);
}

/* Version 2: without mapped reads, which would go past us. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* ---- where nobody writes: no lock, no shared memory, nothing made or changed ---- */

static int still_write(sqlite3_file *self, const void *bytes, int size, sqlite3_int64 at) {
    (void) self, (void) bytes, (void) size, (void) at;
    return SQLITE_READONLY;
}
static int still_truncate(sqlite3_file *self, sqlite3_int64 size) {
    (void) self, (void) size;
    return SQLITE_READONLY;
}
static int still_lock(sqlite3_file *self, int level) {
    (void) self, (void) level;
    return SQLITE_OK;
}
static int still_reserved(sqlite3_file *self, int *ret) {
    (void) self;
    *ret = 0;
    return SQLITE_OK;
}
static int still_traits(sqlite3_file *self) {
    return ((file *) self)->alone ? SQLITE_IOCAP_IMMUTABLE : file_traits(self);
}

/* Version 1: SQLite keeps the log's index in its own memory. */
static const sqlite3_io_methods still_methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = still_write,
    .xTruncate = still_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = still_lock,
    .xUnlock = still_lock,
    .xCheckReservedLock = still_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = still_traits,
};

static int still_delete(sqlite3_vfs *vfs, const char *name, int sync_folder) {
    (void) vfs, (void) name, (void) sync_folder;
    return SQLITE_READONLY;
}

/* SQLite keeps the addresses, so they must live for ever: the room's globals. */
static sqlite3_vfs vfs, still_vfs;
static bool vfs_there;
static pthread_mutex_t vfs_lock = PTHREAD_MUTEX_INITIALIZER;

static bool has_log(const char *database) {
    char path[VFS_PATH];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s-wal", database);
    return n > 0 && (size_t) n < sizeof path && stat(path, &st) == 0 && st.st_size > 0;
}

static int vfs_open(
    sqlite3_vfs *self, const char *name, sqlite3_file *ret, int flags, int *ret_flags) {
    sqlite3_vfs *inner = self->pAppData;
    bool still = self == &still_vfs;
    if (still) {
        flags &= ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
        flags |= SQLITE_OPEN_READONLY;
    }
    file *f = (file *) ret;
    *f = (file){
        .database = (flags & SQLITE_OPEN_MAIN_DB) != 0,
        .log = (flags & SQLITE_OPEN_WAL) != 0,
        .inner = (sqlite3_file *) (f + 1),
    };
    f->alone = still && f->database && !has_log(name);
    int rc = inner->xOpen(inner, name, f->inner, flags, ret_flags);
    f->base.pMethods = rc != SQLITE_OK ? NULL : still ? &still_methods : &methods;
    return rc;
}

static int vfs_register(void) {
    int rc = sqlite3_initialize();
    sqlite3_vfs *inner = rc == SQLITE_OK ? sqlite3_vfs_find(NULL) : NULL;
    if (inner == NULL) {
        return rc != SQLITE_OK ? rc : SQLITE_ERROR;
    }
    vfs = *inner;
    vfs.pNext = NULL;
    vfs.zName = VFS_NAME;
    vfs.pAppData = inner;
    vfs.szOsFile = (int) sizeof(file) + inner->szOsFile;
    vfs.xOpen = vfs_open;
    still_vfs = vfs;
    still_vfs.zName = VFS_STILL;
    still_vfs.xDelete = still_delete;
    rc = sqlite3_vfs_register(&vfs, 0);
    return rc != SQLITE_OK ? rc : sqlite3_vfs_register(&still_vfs, 0);
}

int ki_vfs_register(void) {
    (void) pthread_mutex_lock(&vfs_lock);
    int rc = vfs_there ? SQLITE_OK : vfs_register();
    vfs_there = rc == SQLITE_OK;
    (void) pthread_mutex_unlock(&vfs_lock);
    return rc;
}

int ki_vfs_first_page(const char *path, uint8_t ret[PAGE_SIZE], size_t *ret_size) {
    sqlite3_int64 size = 0;
    int rc = ki_vfs_register();
    sqlite3_vfs *inner = rc == SQLITE_OK ? vfs.pAppData : NULL;
    sqlite3_file *f = inner == NULL ? NULL : calloc(1, (size_t) inner->szOsFile);
    const char *name = f == NULL ? NULL : sqlite3_create_filename(path, "", "", 0, NULL);
    if (name == NULL) {
        free(f);
        return rc != SQLITE_OK ? rc : SQLITE_NOMEM;
    }
    memset(ret, 0, PAGE_SIZE);
    rc = inner->xOpen(inner, name, f,
        SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_NOFOLLOW, NULL);
    if (rc == SQLITE_OK) {
        rc = f->pMethods->xFileSize(f, &size);
        rc = rc != SQLITE_OK ? rc : f->pMethods->xRead(f, ret, PAGE_SIZE, 0);
        rc = rc == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : rc;
        (void) f->pMethods->xClose(f);
    }
    *ret_size = size < PAGE_SIZE ? (size_t) size : PAGE_SIZE;
    sqlite3_free_filename(name);
    free(f);
    return rc;
}
