/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that fails at the k-th call, put under a whole program by LD_PRELOAD.
 *
 *   FAIL_UNDER   only files below this path are counted
 *   FAIL_BOOK    a file of three numbers, shared with the test: calls, failures,
 *                and whether from now on all fail
 *   FAIL_AT      the call that fails, from 1; 0: none
 *   FAIL_HOW     io | space | quota | readonly | short | intr | sync
 *   FAIL_EVER    1: every later call of that kind fails as well
 *
 * Counted are write, pwrite, ftruncate, rename, and open of what is written;
 * for `sync` only fsync and fdatasync; for `intr` only write, pwrite and open. */
/* Both spellings of each call are ours, so neither may be an alias here. */
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct book {
    atomic_long calls, failed, armed;
} book;

static struct {
    const char *under;
    book *book;
    long at;
    bool ever, sync, half, interrupted;
    int code;
} plan;

__attribute__((constructor)) static void begin(void) {
    static const struct {
        const char *name;
        int code;
    } hows[] = { { "io", EIO }, { "space", ENOSPC }, { "quota", EDQUOT }, { "short", 0 },
        { "readonly", EROFS }, { "intr", EINTR }, { "sync", EIO } };
    const char *path = getenv("FAIL_BOOK"), *how = getenv("FAIL_HOW");
    const char *at = getenv("FAIL_AT"), *ever = getenv("FAIL_EVER");
    plan.under = getenv("FAIL_UNDER");
    if (path == NULL || how == NULL || at == NULL || plan.under == NULL) return;
    int fd = (int) syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    void *map = mmap(NULL, sizeof(book), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || map == MAP_FAILED) _exit(99);
    (void) close(fd);
    plan.at = strtol(at, NULL, 10);
    plan.ever = ever != NULL && *ever == '1';
    plan.sync = strcmp(how, "sync") == 0;
    plan.half = strcmp(how, "short") == 0;
    plan.interrupted = strcmp(how, "intr") == 0;
    for (size_t i = 0; i < sizeof hows / sizeof *hows; i++) {
        if (strcmp(how, hows[i].name) == 0) plan.code = hows[i].code;
    }
    plan.book = map;
}

static bool below(const char *path) {
    return plan.book != NULL && strncmp(path, plan.under, strlen(plan.under)) == 0 &&
           strstr(path, "-shm") == NULL;
}

static bool ours(int fd) {
    char link[64], path[512];
    (void) snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = plan.book == NULL ? -1 : readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return n > 0 && below(path);
}

/* Is it this call's turn to fail? errno is set then. */
static bool fails(bool sync) {
    if (sync != plan.sync) return false;
    long call = 1 + atomic_fetch_add(&plan.book->calls, 1);
    bool turn = plan.at > 0 && (plan.ever ? call >= plan.at : call == plan.at);
    if (!turn && atomic_load(&plan.book->armed) == 0) return false;
    (void) atomic_fetch_add(&plan.book->failed, 1);
    errno = plan.code;
    return true;
}

static ssize_t put(int fd, const void *bytes, size_t size, off_t at, bool append) {
    if (ours(fd) && fails(false)) {
        if (!plan.half || size < 2) return plan.half ? (errno = ENOSPC, -1) : -1;
        size /= 2;
    }
    return append ? syscall(SYS_write, fd, bytes, size)
                  : syscall(SYS_pwrite64, fd, bytes, size, at);
}

ssize_t write(int fd, const void *bytes, size_t size);
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at);
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at);
ssize_t write(int fd, const void *bytes, size_t size) {
    return put(fd, bytes, size, 0, true);
}
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    return put(fd, bytes, size, at, false);
}
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    return put(fd, bytes, size, at, false);
}

int fsync(int fd) {
    return ours(fd) && fails(true) ? -1 : (int) syscall(SYS_fsync, fd);
}
int fdatasync(int fd) {
    return ours(fd) && fails(true) ? -1 : (int) syscall(SYS_fdatasync, fd);
}

static int cut(int fd, off_t size) {
    bool turn = !plan.half && !plan.interrupted && ours(fd) && fails(false);
    return turn ? -1 : (int) syscall(SYS_ftruncate, fd, size);
}
int ftruncate(int fd, off_t size);
int ftruncate64(int fd, off64_t size);
int ftruncate(int fd, off_t size) {
    return cut(fd, size);
}
int ftruncate64(int fd, off64_t size) {
    return cut(fd, size);
}

static int open_at(int folder, const char *path, int flags, mode_t mode) {
    bool writes = (flags & O_ACCMODE) != O_RDONLY && (flags & O_PATH) == 0;
    bool here = writes && !plan.half && (path[0] == '/' ? below(path) : ours(folder));
    return here && fails(false) ? -1 : (int) syscall(SYS_openat, folder, path, flags, mode);
}

#define OPEN(name, before, folder)                                                         \
    int name(before const char *path, int flags, ...);                                     \
    int name(before const char *path, int flags, ...) {                                    \
        va_list args;                                                                      \
        va_start(args, flags);                                                             \
        bool makes = (flags & (O_CREAT | O_TMPFILE)) != 0;                                 \
        mode_t mode = makes ? va_arg(args, mode_t) : 0;                                    \
        va_end(args);                                                                      \
        return open_at(folder, path, flags, mode);                                         \
    }
#define NOTHING
#define FOLDER int dir,
OPEN(open, NOTHING, AT_FDCWD)
OPEN(open64, NOTHING, AT_FDCWD)
OPEN(openat, FOLDER, dir)
OPEN(openat64, FOLDER, dir)

int renameat(int from_dir, const char *from, int to_dir, const char *to) {
    bool here =
        !plan.half && !plan.interrupted && (from[0] == '/' ? below(from) : ours(from_dir));
    return here && fails(false) ? -1
                                : (int) syscall(SYS_renameat, from_dir, from, to_dir, to);
}
int rename(const char *from, const char *to) {
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}
