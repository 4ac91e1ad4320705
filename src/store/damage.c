/* SPDX-License-Identifier: Apache-2.0 */
#include "store/damage.h"

#include "base/fail.h"
#include "store/vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

enum {
    TRIES = 3,
    PAUSE_NS = 1000000,
    COPY_ROOM = 1 << 16,
};

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
