/* SPDX-License-Identifier: Apache-2.0 */
/* store/shim.h - the disk under the test's thumb.
 *
 * A test that includes this file defines write, pwrite, fsync and the like itself,
 * so all of them, SQLite's too, come through here. While it is armed it
 *
 *   - counts changes (writes, truncations, creations, renames, removals) and syncs
 *   - fails the k-th with an errno, once or for ever, or cuts a write short
 *   - keeps what is needed to undo everything that was not synced, and at the k-th
 *     change cuts the power: all of it is undone, or a random half, or single
 *     sectors of 512 bytes; then the process is gone
 *
 * A failed fsync marks the pages clean, as Linux does: a later fsync does not make
 * them safe. What is written through mmap (SQLite's -shm) is not seen: after a cut
 * it is removed, as a reboot would. One thread at a time while a cut is armed. */
#ifndef STORE_SHIM_H
#define STORE_SHIM_H

/* Both spellings of each call are ours, so neither may be an alias here. */
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS

#include <kith/export.h>

#include "base/dice.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    SHIM_DATA = 1,   /* bytes of a file: undone by writing the old ones */
    SHIM_SIZE = 2,   /* its length */
    SHIM_NAME = 3,   /* created: undone by unlink */
    SHIM_RENAME = 4, /* undone by renaming back, the replaced file under it again */
};

typedef struct shim_undo {
    int kind, fd; /* fd: our own, to the file's inode; or -1 */
    ino_t inode;  /* the file; for names the folder */
    bool lost;
    off_t at;
    size_t length;
    uint8_t *old;
    char path[256], to[256];
    struct shim_undo *next; /* the one before in time */
} shim_undo;

static struct {
    bool on;                 /* undo is kept */
    long changes, syncs;     /* so far */
    long cut_at;             /* the change at which the power goes; 0: never */
    long cut_sync;           /* the sync instead of which it goes, or a kill comes */
    int cut_how;             /* 0 all, 1 random half, 2 sectors, 3 nothing is lost */
    long fail_at, fail_sync; /* the change, the sync that fails; 0: none */
    int fail_errno;          /* of it; -1: half is written */
    bool for_ever;
    uint64_t dice;
    shim_undo *undo;
    const char *folder; /* only files in here */
    bool no_disk;       /* syncs are counted, not done */
} shim;
static atomic_long shim_syncs; /* counted always, by any thread */

static long shim_open(const char *path, int flags, mode_t mode) {
    return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static bool shim_here(int fd, struct stat *st, char path[256]) {
    char link[64];
    (void) snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, 255);
    path[n > 0 ? n : 0] = '\0';
    return shim.folder != NULL && strncmp(path, shim.folder, strlen(shim.folder)) == 0 &&
           fstat(fd, st) == 0 && S_ISREG(st->st_mode) && strstr(path, "-shm") == NULL;
}

static shim_undo *shim_note(int kind, ino_t inode, const char *path) {
    shim_undo *u = calloc(1, sizeof *u);
    if (u == NULL) exit(98);
    *u = (shim_undo){ .kind = kind, .fd = -1, .inode = inode, .next = shim.undo };
    (void) snprintf(u->path, sizeof u->path, "%s", path);
    shim.undo = u;
    return u;
}

static bool shim_chance(void) {
    return shim.cut_how == 0 || (dice_roll(&shim.dice) & 1) != 0;
}

static void shim_restore(const shim_undo *u) {
    for (size_t i = 0; i < u->length; i += 512) {
        size_t n = u->length - i < 512 ? u->length - i : 512;
        if (shim.cut_how == 2 && !shim_chance()) continue;
        if (syscall(SYS_pwrite64, u->fd, u->old + i, n, u->at + (off_t) i) != (long) n) {
            _exit(97);
        }
    }
}

/* Newest first; then the process is gone without a word. */
static void shim_cut(void) {
    for (shim_undo *u = shim.undo; u != NULL && shim.cut_how != 3; u = u->next) {
        if (shim.cut_how != 2 && !shim_chance()) continue;
        if (u->kind == SHIM_DATA) shim_restore(u);
        if (u->kind == SHIM_SIZE && shim_chance() && ftruncate(u->fd, u->at) < 0) _exit(97);
        if (u->kind == SHIM_NAME && shim.cut_how != 2) (void) syscall(SYS_unlink, u->path);
        if (u->kind == SHIM_RENAME) {
            char link[64];
            (void) syscall(SYS_rename, u->to, u->path);
            (void) snprintf(link, sizeof link, "/proc/self/fd/%d", u->fd);
            if (u->fd >= 0) {
                (void) !linkat(AT_FDCWD, link, AT_FDCWD, u->to, AT_SYMLINK_FOLLOW);
            }
        }
    }
    _exit(42);
}

/* Before a change happens. < 0: it fails instead, with errno set; 1: cut short. */
static int shim_change(void) {
    shim.changes++;
    if (shim.cut_at != 0 && shim.changes == shim.cut_at) shim_cut();
    bool fails = shim.fail_at != 0 && (shim.changes == shim.fail_at ||
                                          (shim.for_ever && shim.changes > shim.fail_at));
    if (!fails) return 0;
    errno = shim.fail_errno;
    return shim.fail_errno < 0 ? 1 : -1;
}

static void shim_dirty_again(ino_t inode, off_t at, off_t end);
static void shim_keep(
    int fd, ino_t inode, const char *path, off_t at, size_t size, off_t end) {
    int flags = O_RDWR | O_CLOEXEC;
    char link[64];
    (void) snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int mine = (int) shim_open(link, flags, 0);
    shim_dirty_again(inode, at, at + (off_t) size);
    if (at + (off_t) size > end) {
        shim_undo *u = shim_note(SHIM_SIZE, inode, path);
        u->fd = mine;
        u->at = end;
    }
    size_t had = at >= end ? 0 : (size_t) (end - at) < size ? (size_t) (end - at) : size;
    if (had > 0) {
        shim_undo *u = shim_note(SHIM_DATA, inode, path);
        u->fd = mine;
        u->at = at;
        u->old = malloc(had);
        u->length = u->old == NULL ? 0 : (size_t) pread(mine, u->old, had, at);
    }
}

static ssize_t shim_write(int fd, const void *bytes, size_t size, off_t at, bool append) {
    struct stat st;
    char path[256];
    if (shim.on && shim_here(fd, &st, path)) {
        int how = shim_change();
        if (how < 0) return -1;
        if (how > 0 && size > 1) size /= 2;
        off_t where = append ? lseek(fd, 0, SEEK_CUR) : at;
        if (strstr(path, "-lock") == NULL) {
            shim_keep(fd, st.st_ino, path, where, size, st.st_size);
        }
    }
    return append ? syscall(SYS_write, fd, bytes, size)
                  : syscall(SYS_pwrite64, fd, bytes, size, at);
}

KITH_API ssize_t write(int fd, const void *bytes, size_t size) {
    return shim_write(fd, bytes, size, 0, true);
}
KITH_API ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    return shim_write(fd, bytes, size, at, false);
}
KITH_API ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    return shim_write(fd, bytes, size, at, false);
}

/* A failed sync: the bytes will not come to disk, and a file that grew has zeros. */
static void shim_lose(shim_undo *u) {
    struct stat st;
    if (u->kind == SHIM_SIZE && fstat(u->fd, &st) == 0) {
        u->kind = SHIM_DATA;
        u->length = st.st_size > u->at ? (size_t) (st.st_size - u->at) : 0;
        u->old = calloc(1, u->length + 1);
        if (u->old == NULL) exit(98);
    }
    u->lost = true;
}

/* Written again, a page is dirty again, and the next sync takes it along. */
static void shim_dirty_again(ino_t inode, off_t at, off_t end) {
    for (shim_undo *u = shim.undo; u != NULL; u = u->next) {
        off_t from = u->at & ~(off_t) 4095,
              to = (u->at + (off_t) u->length + 4095) & ~(off_t) 4095;
        if (u->lost && u->inode == inode && from < end && at < to) {
            u->lost = u->at < (at & ~(off_t) 4095) ||
                      u->at + (off_t) u->length > ((end + 4095) & ~(off_t) 4095);
        }
    }
}

/* What is synced is safe: its undo is forgotten, unless a sync of it failed. */
static void shim_forget(ino_t inode, bool names, bool lost) {
    for (shim_undo **at = &shim.undo; *at != NULL;) {
        shim_undo *u = *at;
        bool name = u->kind == SHIM_NAME || u->kind == SHIM_RENAME;
        if (u->inode != inode || name != names || u->lost) {
            at = &u->next;
            continue;
        }
        if (lost) {
            shim_lose(u);
            at = &u->next;
            continue;
        }
        *at = u->next;
        free(u->old);
        free(u);
    }
}

static int shim_sync(int fd, long number) {
    struct stat st;
    char path[256] = "";
    (void) atomic_fetch_add(&shim_syncs, 1);
    bool file = shim.on && shim_here(fd, &st, path);
    bool folder = shim.on && !file && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    if (file || folder) {
        shim.syncs++;
        if (shim.cut_sync != 0 && shim.syncs == shim.cut_sync) shim_cut();
        bool fails =
            shim.fail_sync != 0 && (shim.syncs == shim.fail_sync ||
                                       (shim.for_ever && shim.syncs > shim.fail_sync));
        shim_forget(st.st_ino, folder, fails);
        if (fails) {
            errno = shim.fail_errno > 0 ? shim.fail_errno : EIO;
            return -1;
        }
    }
    if (shim.no_disk) return 0; /* the tests cut no real power */
    return (int) syscall(number, fd);
}

KITH_API int fsync(int fd) {
    return shim_sync(fd, SYS_fsync);
}
KITH_API int fdatasync(int fd) {
    return shim_sync(fd, SYS_fdatasync);
}

static int shim_truncate(int fd, off_t size) {
    struct stat st;
    char path[256];
    if (shim.on && shim_here(fd, &st, path)) {
        if (shim_change() < 0) return -1;
        if (size < st.st_size) {
            shim_keep(fd, st.st_ino, path, size, (size_t) (st.st_size - size), st.st_size);
        }
        shim_undo *u = shim_note(SHIM_SIZE, st.st_ino, path);
        char link[64];
        (void) snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        u->fd = (int) shim_open(link, O_RDWR | O_CLOEXEC, 0);
        u->at = st.st_size;
    }
    return (int) syscall(SYS_ftruncate, fd, size);
}
KITH_API int ftruncate(int fd, off_t size) {
    return shim_truncate(fd, size);
}
KITH_API int ftruncate64(int fd, off64_t size) {
    return shim_truncate(fd, size);
}

static ino_t shim_folder_of(const char *path) {
    char folder[256];
    struct stat st;
    (void) snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL) *slash = '\0';
    return stat(folder, &st) == 0 ? st.st_ino : 0;
}

static bool shim_ours(const char *path) {
    return shim.on && shim.folder != NULL &&
           strncmp(path, shim.folder, strlen(shim.folder)) == 0 &&
           strstr(path, "-shm") == NULL && strstr(path, "-lock") == NULL;
}

static int shim_openat(const char *path, int flags, mode_t mode) {
    bool fresh = (flags & O_CREAT) != 0 && shim_ours(path) && access(path, F_OK) != 0;
    if (fresh && shim_change() < 0) return -1;
    int fd = (int) shim_open(path, flags, mode);
    if (fd >= 0 && fresh) (void) shim_note(SHIM_NAME, shim_folder_of(path), path);
    return fd;
}

KITH_API int open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    return shim_openat(path, flags, mode);
}
KITH_API int open64(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    return shim_openat(path, flags, mode);
}

KITH_API int rename(const char *from, const char *to) {
    if (shim_ours(from)) {
        if (shim_change() < 0) return -1;
        int kept = (int) shim_open(to, O_PATH | O_CLOEXEC, 0);
        shim_undo *u = shim_note(SHIM_RENAME, shim_folder_of(to), from);
        u->fd = kept;
        (void) snprintf(u->to, sizeof u->to, "%s", to);
    }
    return (int) syscall(SYS_rename, from, to);
}

#endif
