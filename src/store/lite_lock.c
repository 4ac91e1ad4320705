/* SPDX-License-Identifier: Apache-2.0 */
/* Processes take turns. SQLite's own wait is unfair: of four writers one gets
 * nearly everything. Here are two locks on bytes of a file beside the database:
 * who wants to write takes the queue, then the desk, then leaves the queue. Who
 * leaves the desk finds the next one holding the queue, and cannot overtake.
 * The kernel frees both when a process dies. */
#include "store/lite.h"

#include "base/check.h"
#include "base/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

enum {
    BYTE_HOLD = 0,
    BYTE_QUEUE = 1,
    BYTE_DESK = 2, /* behind the queue: both are taken at once when nobody waits */
    BYTE_SALVAGE = 3,
    FIRST_US = 100, /* between two tries, doubled up to the longest */
    LONGEST_US = 5000,
    PATIENCE_US = 5000000,
};

static int lock_bytes(int fd, short type, off_t at, off_t count) {
    struct flock lock = {
        .l_type = type,
        .l_whence = SEEK_SET,
        .l_start = at,
        .l_len = count,
    };
    int r;
    do {
        r = fcntl(fd, F_OFD_SETLK, &lock);
    } while (r < 0 && errno == EINTR);
    return r;
}

static int lock_byte(int fd, short type, off_t at) {
    return lock_bytes(fd, type, at, 1);
}

/* Tries until it has the byte or has waited *left_us in all. */
static int wait_byte(int fd, short type, off_t at, long *left_us) {
    long pause = FIRST_US;
    CHECK(fd >= 0);
    while (lock_byte(fd, type, at) < 0) {
        if (errno != EAGAIN && errno != EACCES) {
            return KITH_E_SYSTEM;
        }
        if (*left_us <= 0) {
            return KITH_E_BUSY;
        }
        struct timespec t = { .tv_nsec = pause * 1000 };
        (void) ppoll(NULL, 0, &t, NULL);
        *left_us -= pause;
        pause = pause * 2 < LONGEST_US ? pause * 2 : LONGEST_US;
    }
    return 0;
}

int ki_lite_turn(int fd, kith_error *err) {
    long left_us = PATIENCE_US;
    if (lock_bytes(fd, F_WRLCK, BYTE_QUEUE, 2) == 0) { /* nobody waits: both at once */
        (void) lock_byte(fd, F_UNLCK, BYTE_QUEUE);
        return 0;
    }
    int r = wait_byte(fd, F_WRLCK, BYTE_QUEUE, &left_us);
    if (r == 0) {
        r = wait_byte(fd, F_WRLCK, BYTE_DESK, &left_us);
        (void) lock_byte(fd, F_UNLCK, BYTE_QUEUE);
    }
    if (r == KITH_E_BUSY) {
        return ki_fail(err, r, "another process has held the store for five seconds");
    }
    return r < 0 ? ki_fail_sys(err, "lock") : 0;
}

void ki_lite_turn_over(int fd) {
    (void) lock_byte(fd, F_UNLCK, BYTE_DESK);
}

int ki_lite_hold(int fd, bool *ret_alone, kith_error *err) {
    *ret_alone = lock_byte(fd, F_WRLCK, BYTE_HOLD) == 0;
    if (!*ret_alone && lock_byte(fd, F_RDLCK, BYTE_HOLD) < 0) {
        return ki_fail_sys(err, "lock");
    }
    return 0;
}

bool ki_lite_others(int fd) {
    struct flock lock = { .l_type = F_WRLCK, .l_start = BYTE_HOLD, .l_len = 1 };
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool ki_lite_is_held(const char *lock_path) {
    int fd = open(lock_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool held = fd >= 0 && ki_lite_others(fd);
    if (fd >= 0) (void) close(fd);
    return held;
}

void ki_lite_share(int fd) {
    (void) lock_byte(fd, F_RDLCK, BYTE_HOLD);
}

bool ki_lite_salvage_lock(int fd) {
    return lock_byte(fd, F_WRLCK, BYTE_SALVAGE) == 0;
}

void ki_lite_salvage_unlock(int fd) {
    (void) lock_byte(fd, F_UNLCK, BYTE_SALVAGE);
}
