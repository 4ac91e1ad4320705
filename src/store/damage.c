/* SPDX-License-Identifier: Apache-2.0 */
#include "store/damage.h"

#include "base/fail.h"
#include "base/wire.h"
#include "store/vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    LOG_VERSION = 3007000,
    TRIES = 3,
    PAUSE_NS = 1000000,
    COPY_ROOM = 1 << 16,
};

static bool header_whole(const uint8_t *p) {
    uint32_t sum[2] = { 0, 0 };
    ki_wal_sum((p[3] & 1) != 0, p, 24, sum);
    return (wire_get32(p) & ~1u) == 0x377f0682 && wire_get32(p + 4) == LOG_VERSION &&
           wire_get32(p + 8) == PAGE_SIZE && sum[0] == wire_get32(p + 24) &&
           sum[1] == wire_get32(p + 28);
}

/* SQLite syncs the header before the first frame, so a header of zeros was never
 * followed by anything that counts. Any other broken header is damage. */
int ki_log_parse(const uint8_t *bytes, size_t size, ki_log *ret, ki_frame each, void *ctx) {
    static const uint8_t zeros[WAL_HEADER];
    *ret = (ki_log){ 0 };
    if (size < WAL_HEADER || memcmp(bytes, zeros, sizeof zeros) == 0) {
        return 0;
    }
    bool whole = header_whole(bytes), chain = whole, big = (bytes[3] & 1) != 0;
    uint32_t sum[2] = { wire_get32(bytes + 24), wire_get32(bytes + 28) };
    ret->frames = (uint32_t) ((size - WAL_HEADER) / WAL_FRAME);
    ret->damaged = !whole;
    int r = 0;
    for (uint32_t i = 0; r >= 0 && i < ret->frames; i++) {
        const uint8_t *f = bytes + WAL_HEADER + (size_t) i * WAL_FRAME;
        uint32_t number = wire_get32(f);
        if (chain) {
            ki_wal_frame_sum(big, f, f + 24, sum);
            chain =
                number != 0 && sum[0] == wire_get32(f + 16) && sum[1] == wire_get32(f + 20);
        }
        bool ours = memcmp(f + 8, bytes + 16, 8) == 0; /* the salts of this log */
        ret->damaged = ret->damaged || chain != ours;
        ret->valid += chain;
        if (chain && wire_get32(f + 4) != 0) {
            ret->committed = i + 1;
        }
        r = each == NULL ? 0 : each(ctx, number, f + 24, chain);
    }
    return r < 0 ? r : 0;
}

/* All of it, or what is left when another process makes it shorter meanwhile: a map
 * would end us there. */
static uint8_t *read_log(int fd, size_t *size) {
    uint8_t *bytes = malloc(*size);
    size_t have = 0;
    ssize_t n = 1;
    while (bytes != NULL && have < *size && n != 0) {
        n = pread(fd, bytes + have, *size - have, (off_t) have);
        if (n < 0 && errno != EINTR) {
            free(bytes);
            return NULL;
        }
        have += n > 0 ? (size_t) n : 0;
    }
    *size = have;
    return bytes;
}

int ki_log_scan(const char *path, ki_log *ret, ki_frame each, void *ctx, kith_error *err) {
    struct stat st;
    *ret = (ki_log){ 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? 0 : ki_fail_sys(err, "%s", path);
    }
    if (fstat(fd, &st) < 0) {
        int r = ki_fail_sys(err, "%s", path);
        (void) close(fd);
        return r;
    }
    size_t size = (size_t) st.st_size;
    int r = 0;
    if (size >= WAL_HEADER) {
        uint8_t *bytes = read_log(fd, &size);
        r = bytes == NULL ? ki_fail_sys(err, "read %s", path)
                          : ki_log_parse(bytes, size, ret, each, ctx);
        free(bytes);
    }
    (void) close(fd);
    return r;
}

/* Another process may be writing this very page: a moment later it is whole. */
static int read_page(sqlite3_file *file, uint8_t *page, sqlite3_int64 at) {
    int rc = SQLITE_IOERR_DATA;
    for (int i = 0; rc == SQLITE_IOERR_DATA && i < TRIES; i++) {
        struct timespec pause = { .tv_nsec = PAUSE_NS };
        if (i > 0) (void) ppoll(NULL, 0, &pause, NULL);
        rc = file->pMethods->xRead(file, page, PAGE_SIZE, at);
    }
    return rc;
}

int ki_pages_scan(sqlite3 *sql) {
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    uint8_t page[PAGE_SIZE];
    int rc = sqlite3_file_control(sql, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    rc = rc != SQLITE_OK ? rc : file->pMethods->xFileSize(file, &size);
    for (sqlite3_int64 at = 0; rc == SQLITE_OK && at + PAGE_SIZE <= size; at += PAGE_SIZE) {
        rc = read_page(file, page, at);
    }
    return rc;
}

int ki_copy_file(const char *from, const char *to, kith_error *err) {
    uint8_t room[COPY_ROOM];
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in < 0) {
        return ki_fail_sys(err, "%s", from);
    }
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r = out < 0 ? ki_fail_sys(err, "%s", to) : 0;
    ssize_t n = 1;
    while (r == 0 && (n = read(in, room, sizeof room)) > 0) {
        for (ssize_t done = 0; r == 0 && done < n;) {
            ssize_t w = write(out, room + done, (size_t) (n - done));
            r = w < 0 && errno != EINTR ? ki_fail_sys(err, "write %s", to) : 0;
            done += w > 0 ? w : 0;
        }
    }
    r = r == 0 && n < 0 ? ki_fail_sys(err, "read %s", from) : r;
    r = r == 0 && fsync(out) < 0 ? ki_fail_sys(err, "fsync %s", to) : r;
    if (out >= 0) {
        (void) close(out);
        if (r < 0) (void) unlink(to);
    }
    (void) close(in);
    return r;
}
