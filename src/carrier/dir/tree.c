/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/dir/tree.h"

#include "base/check.h"
#include "base/dice.h"
#include "base/fail.h"
#include "base/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

int ki_tree_fail(kith_error *err, const char *what, const char *where) {
    int code = errno == ENOSPC || errno == EDQUOT                      ? KITH_E_SPACE
               : errno == ENOENT || errno == ESTALE || errno == ENODEV ? KITH_E_MISSING
               : errno == EROFS || errno == EACCES || errno == EPERM   ? KITH_E_DENIED
                                                                       : KITH_E_SYSTEM;
    (void) ki_fail_sys(err, "%s %.150s", what, where);
    if (err != NULL) {
        err->code = code;
    }
    return code;
}

/* For kernels before 5.6: one component after the other. */
static int at_slowly(int root, const char *path, int flags) {
    int at = openat(root, ".", FOLDER);
    while (at >= 0) {
        char part[KITH_SUBJECT_MAX + 8];
        size_t n = strcspn(path, "/");
        if (n >= sizeof part || n == 0 || strncmp(path, "..", n) == 0) {
            close(at);
            errno = ENOENT;
            return -1;
        }
        memcpy(part, path, n);
        part[n] = '\0';
        bool last = path[n] == '\0';
        int next = openat(at, part, last ? flags | O_NOFOLLOW | O_CLOEXEC : FOLDER);
        int sys = errno;
        close(at);
        errno = sys;
        if (last) {
            return next;
        }
        at = next;
        path += n + 1;
    }
    return -1;
}

int ki_tree_at(const tree *t, const char *path, int flags) {
    struct open_how how = { .flags = (uint64_t) (unsigned) (flags | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
    long fd = syscall(SYS_openat2, t->root, path, &how, sizeof how);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
        return at_slowly(t->root, path, flags);
    }
    return (int) fd;
}

static int sync_fd(const tree *t, int fd) {
    return t->sync == TREE_SYNC_DISK ? fsync(fd) : 0;
}

/* Makes a folder and makes it last. */
static int make_folder(const tree *t, int parent, const char *name) {
    if (mkdirat(parent, name, 0777) != 0) {
        return errno == EEXIST ? 0 : -1;
    }
    return sync_fd(t, parent);
}

static int write_all(int fd, const uint8_t *bytes, size_t n) {
    while (n > 0) {
        ssize_t w = write(fd, bytes, n);
        if (w <= 0) {
            errno = w == 0 ? EIO : errno;
            if (errno == EINTR) {
                continue;
            }
            return -1;
        }
        bytes += w;
        n -= (size_t) w;
    }
    return 0;
}

/* Writes .tmp/name; the file is whole and, if so configured, on the disk. */
static int write_beside(const tree *t, const char *name, const uint8_t *bytes, size_t n) {
    int fd =
        openat(t->tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) {
        return -1;
    }
    int r = write_all(fd, bytes, n) != 0 || sync_fd(t, fd) != 0 ? -1 : 0;
    int sys = errno;
    if (close(fd) != 0 && r == 0) {
        sys = errno;
        r = -1;
    }
    if (r != 0) {
        (void) unlinkat(t->tmp, name, 0);
    }
    errno = sys;
    return r;
}

void ki_tree_tidy(const tree *t, int64_t wall_us, int64_t grace_us) {
    int fd = t->tmp < 0 ? -1 : openat(t->tmp, ".", FOLDER);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    struct stat st;
    for (const struct dirent *e; (e = readdir(folder)) != NULL;) {
        if (fstatat(t->tmp, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) &&
            wall_us / 1000000 - (int64_t) st.st_mtim.tv_sec > grace_us / 1000000) {
            (void) unlinkat(t->tmp, e->d_name, 0);
        }
    }
    closedir(folder);
}

ssize_t ki_tree_read(int folder, const char *name, uint8_t ret[KITH_PACKET_MAX + 1]) {
    /* O_NONBLOCK: somebody may have put a pipe there */
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t n = read(fd, ret, KITH_PACKET_MAX + 1);
    int sys = errno;
    close(fd);
    errno = sys;
    return n;
}

/* Which medium is this? A file made once says it; whoever comes second reads. */
static int read_medium(tree *t, bool make, kith_error *err) {
    uint8_t text[KITH_PACKET_MAX + 1], id[DIR_ID_SIZE];
    char name[2 * DIR_ID_SIZE + 1], beside[40];
    ssize_t n = ki_tree_read(t->root, ".medium", text);
    if (n < 0 && errno == ENOENT && make) {
        ki_dice_system(id, sizeof id);
        ki_hex(id, sizeof id, name);
        (void) snprintf(beside, sizeof beside, "%s-medium", t->unique);
        /* linkat would tell who was first, but FAT has no links: renaming over
         * another's is harmless while neither has given out a cursor */
        if (write_beside(t, beside, (const uint8_t *) name, 2 * DIR_ID_SIZE) != 0 ||
            renameat2(t->tmp, beside, t->root, ".medium", RENAME_NOREPLACE) != 0) {
            if (errno == EINVAL) {
                (void) !renameat(t->tmp, beside, t->root, ".medium");
            }
            (void) unlinkat(t->tmp, beside, 0);
        }
        (void) sync_fd(t, t->root);
        n = ki_tree_read(t->root, ".medium", text);
    }
    if (n < 0) {
        return ki_tree_fail(err, "read .medium in", t->place);
    }
    if (n < 2 * DIR_ID_SIZE ||
        !ki_unhex((const char *) text, 2 * DIR_ID_SIZE, t->medium, DIR_ID_SIZE)) {
        return ki_fail(
            err, KITH_E_CORRUPT, "%.150s/kith-1/.medium is damaged; remove it", t->place);
    }
    return 0;
}

static int open_root(tree *t, bool make, kith_error *err) {
    /* The place itself may be a link: it is the user's word. */
    int place = open(t->place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place < 0 && errno == ENOENT && make && mkdir(t->place, 0777) == 0) {
        place = open(t->place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (place < 0) {
        return ki_tree_fail(err, "open folder", t->place);
    }
    if (make && make_folder(t, place, "kith-1") != 0) {
        int r = ki_tree_fail(err, "make kith-1 in", t->place);
        close(place);
        return r;
    }
    t->root = openat(place, "kith-1", FOLDER);
    int sys = errno;
    close(place);
    errno = sys;
    if (t->root < 0 && sys == ENOENT) { /* what is below a pulled stick looks like this */
        return ki_fail(err, KITH_E_MISSING,
            "%.150s holds no kith-1: its medium is away, or was emptied; then whoever "
            "opens "
            "it next begins it (kith sync)",
            t->place);
    }
    return t->root < 0 ? ki_tree_fail(err, "open kith-1 in", t->place) : 0;
}

int ki_tree_open(tree *t, bool make, kith_error *err) {
    struct stat st;
    uint8_t unique[8];
    t->root = t->tmp = -1;
    ki_dice_system(unique, sizeof unique);
    ki_hex(unique, sizeof unique, t->unique);
    int r = open_root(t, make, err);
    if (r < 0) {
        return r;
    }
    (void) make_folder(t, t->root, ".tmp"); /* on a read-only medium one may still read */
    t->tmp = openat(t->root, ".tmp", FOLDER);
    if (t->tmp < 0 || fstat(t->root, &st) != 0) {
        r = ki_tree_fail(err, "open .tmp in", t->place);
    } else {
        t->dev = st.st_dev;
        t->ino = st.st_ino;
        r = read_medium(t, make, err);
    }
    if (r < 0) {
        ki_tree_close(t);
    }
    return r;
}

bool ki_tree_is_remote(int fd) {
    static const unsigned long local[] = { 0xEF53, 0x01021994, 0x58465342, 0x9123683E,
        0x794C7630, 0x4D44, 0x2011BAB0, 0xF2F52010, 0x2FC12FC1, 0x858458F6 };
    struct statfs st;
    if (fstatfs(fd, &st) != 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        if ((unsigned long) st.f_type == local[i]) {
            return false;
        }
    }
    return true;
}

void ki_tree_close(tree *t) {
    if (t->tmp >= 0) {
        close(t->tmp);
    }
    if (t->root >= 0) {
        close(t->root);
    }
    t->root = t->tmp = -1;
}

bool ki_tree_is_there(const tree *t) {
    char path[sizeof t->place + 8];
    struct stat st;
    (void) snprintf(path, sizeof path, "%s/kith-1", t->place);
    return t->root >= 0 && stat(path, &st) == 0 && st.st_dev == t->dev &&
           st.st_ino == t->ino;
}

/* The folder of a path such as "iot=/hvac=/3f", made if need be. */
static int open_shard(const tree *t, const char *path) {
    int fd = ki_tree_at(t, path, O_RDONLY | O_DIRECTORY);
    if (fd >= 0 || errno != ENOENT) {
        return fd;
    }
    int at = openat(t->root, ".", FOLDER);
    for (const char *p = path; at >= 0 && *p != '\0';) {
        char part[KITH_SUBJECT_MAX + 8];
        size_t n = strcspn(p, "/");
        CHECK(n < sizeof part);
        memcpy(part, p, n);
        part[n] = '\0';
        int next = make_folder(t, at, part) == 0 ? openat(at, part, FOLDER) : -1;
        int sys = errno;
        close(at);
        errno = sys;
        at = next;
        p += n + (p[n] == '/');
    }
    return at;
}

/* Is exactly this packet there already? Then it is made to last like a new one. */
static bool is_there(const tree *t, int folder, const char *name, const ki_posted *p) {
    uint8_t bytes[KITH_PACKET_MAX + 1];
    if (ki_tree_read(folder, name, bytes) != p->length ||
        memcmp(bytes, p->bytes, p->length) != 0) {
        return false;
    }
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool safe = fd >= 0 && sync_fd(t, fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return safe;
}

typedef struct pending {
    int folder;
    bool written; /* .tmp/beside waits to be renamed */
    char beside[40], name[DIR_NAME_SIZE];
} pending;

static int prepare(tree *t, const ki_posted *p, pending *ret, kith_error *err) {
    uint8_t id[DIR_ID_SIZE];
    char path[DIR_PATH_SIZE];
    ki_dir_id(p->bytes, p->length, id);
    ki_dir_name(id, ret->name);
    ki_dir_path(p->to.subject, id[0], path);
    ret->folder = open_shard(t, path);
    if (ret->folder < 0) {
        return ki_tree_fail(err, "make folder", path);
    }
    if (!t->distrust && is_there(t, ret->folder, ret->name, p)) {
        return 0;
    }
    (void) snprintf(ret->beside, sizeof ret->beside, "%s-%llu", t->unique,
        (unsigned long long) ++t->writes);
    if (write_beside(t, ret->beside, p->bytes, p->length) != 0) {
        return ki_tree_fail(err, "write in", t->place);
    }
    ret->written = true;
    return 0;
}

int ki_tree_write(tree *t, const ki_posted *const *posts, size_t count, kith_error *err) {
    pending all[TREE_BATCH];
    CHECK(count <= TREE_BATCH);
    int r = 0;
    size_t n = 0;
    for (; n < count && r == 0; n++) {
        all[n] = (pending){ .folder = -1 };
        r = prepare(t, posts[n], &all[n], err);
    }
    for (size_t i = 0; i < n; i++) {
        pending *p = &all[i];
        if (r == 0 && p->written) {
            if (renameat(t->tmp, p->beside, p->folder, p->name) != 0) {
                r = ki_tree_fail(err, "rename in", t->place);
            } else {
                p->written = false;
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        pending *p = &all[i];
        if (r == 0 && sync_fd(t, p->folder) != 0) {
            r = ki_tree_fail(err, "sync folder in", t->place);
        }
        if (p->written) {
            (void) unlinkat(t->tmp, p->beside, 0);
        }
        if (p->folder >= 0) {
            close(p->folder);
        }
    }
    t->distrust = r < 0;
    return r;
}
