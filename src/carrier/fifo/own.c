/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/fifo/own.h"

#include "base/check.h"
#include "base/dice.h"
#include "base/fail.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Is there a reader of that name already? What else stands there is not touched. */
static int look_for_other(const ki_own *o, kith_error *err) {
    uint64_t device, inode;
    int fd = openat(o->folder, o->name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return 0;
    }
    int r = 0;
    if (fd < 0 || !ki_pipe_ours(o->folder, o->name, &device, &inode)) {
        r = ki_fail(err, KITH_E_DENIED, "%s is there, and no pipe of ours alone", o->name);
    } else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        r = ki_fail(
            err, KITH_E_BUSY, "another link reads %s: give each its own me=", o->name);
    }
    if (fd >= 0) {
        close(fd); /* the lock goes with it: it was nobody's */
    }
    return r;
}

/* Made under a name that nobody looks at, and locked; then named. */
static int make(ki_own *o, kith_error *err) {
    uint8_t chance[8];
    char text[2 * sizeof chance + 1], hidden[32];
    ki_dice_system(chance, sizeof chance);
    ki_hex(chance, sizeof chance, text);
    (void) snprintf(hidden, sizeof hidden, ".new-%.16s", text);
    if (mkfifoat(o->folder, hidden, 0600) < 0) {
        return ki_fail_sys(err, "make a pipe");
    }
    /* for writing too: so it never ends when the last writer goes */
    o->fd = openat(o->folder, hidden, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    bool good = o->fd >= 0 && flock(o->fd, LOCK_EX | LOCK_NB) == 0 &&
                fstat(o->fd, &st) == 0 && S_ISFIFO(st.st_mode) &&
                fchmod(o->fd, 0600) == 0 && /* whatever the umask */
                renameat(o->folder, hidden, o->folder, o->name) == 0;
    if (!good) {
        int r = ki_fail_sys(err, "name the pipe %s", o->name);
        (void) unlinkat(o->folder, hidden, 0);
        return r;
    }
    return 0;
}

int ki_own_open(ki_own *o, kith_error *err) {
    o->fd = -1;
    int r = look_for_other(o, err);
    r = r < 0 ? r : make(o, err);
    if (r < 0) {
        if (o->fd >= 0) {
            close(o->fd);
            o->fd = -1;
        }
        return r;
    }
    int room = o->room > INT_MAX ? INT_MAX : (int) o->room;
    (void) !fcntl(o->fd, F_SETPIPE_SZ, room); /* beyond the limit: what it has will do */
    return 0;
}

bool ki_own_lost(const ki_own *o) {
    struct stat here, there;
    CHECK(o->fd >= 0);
    return fstat(o->fd, &here) < 0 ||
           fstatat(o->folder, o->name, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
           here.st_dev != there.st_dev || here.st_ino != there.st_ino;
}

void ki_own_close(ki_own *o) {
    if (o->fd < 0) {
        return;
    }
    if (!ki_own_lost(o)) {
        (void) unlinkat(o->folder, o->name, 0);
    }
    close(o->fd);
    o->fd = -1;
}
