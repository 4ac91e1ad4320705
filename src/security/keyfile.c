/* SPDX-License-Identifier: Apache-2.0 */
/* Keys on disk. Everything is judged on the open descriptor, never on a path
 * that somebody could change between the look and the use. */
#include "security/key.h"

#include "base/check.h"
#include "base/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* May others put files of theirs in place of ours? In a sticky folder of root,
 * such as /tmp, they may not. */
static bool folder_safe(const struct stat *st) {
    bool sticky = (st->st_mode & S_ISVTX) != 0 && st->st_uid == 0;
    return (st->st_mode & (S_IWGRP | S_IWOTH)) == 0 || sticky;
}

static bool owner_safe(const struct stat *st) {
    return st->st_uid == geteuid() || st->st_uid == 0;
}

/* Is it the top of a git work tree? A commit of everything would take the key along.
 * Of a linked work tree or a submodule .git is a file; an empty .git is none. */
static bool git_tree(int folder) {
    struct stat st;
    if (fstatat(folder, ".git", &st, AT_SYMLINK_NOFOLLOW) < 0) return false;
    return !S_ISDIR(st.st_mode) || fstatat(folder, ".git/HEAD", &st, 0) == 0;
}

/* One of the folders above the key: the first `length` bytes of `path`. */
static int judge_folder(int fd, const char *path, size_t length, kith_error *err) {
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return ki_fail_sys(err, "look at %s", path);
    }
    int n = length == 0 ? 1 : (int) length; /* the root has a name, too */
    if (!folder_safe(&st)) {
        return ki_fail(err, KITH_E_DENIED,
            "others may write in %.*s, a folder above the key; do: chmod go-w %.*s", n,
            path, n, path);
    }
    if (git_tree(fd)) {
        return ki_fail(err, KITH_E_DENIED,
            "%.*s is a git work tree, and a commit would publish the key; do: keep it "
            "elsewhere, and name it by --key or KITH_KEY_FILE",
            n, path);
    }
    bool last = path[length + strspn(path + length, "/")] == '\0';
    return !last || owner_safe(&st)
               ? 0
               : ki_fail(err, KITH_E_DENIED,
                     "%s belongs to somebody else; do: chown it, or run as its owner",
                     path);
}

/* Opens `folder`, no link in its path, and looks at each one above it. */
static int open_folder(const char *folder, kith_error *err) {
    CHECK(folder[0] == '/'); /* realpath made it */
    int fd = open("/", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (fd < 0) (void) ki_fail_sys(err, "open /");
    for (const char *p = folder; fd >= 0;) {
        if (judge_folder(fd, folder, (size_t) (p - folder), err) < 0) {
            break;
        }
        p += strspn(p, "/");
        if (*p == '\0') {
            return fd;
        }
        char name[NAME_MAX + 1];
        size_t n = strcspn(p, "/");
        CHECK(n < sizeof name);
        (void) snprintf(name, sizeof name, "%.*s", (int) n, p);
        int next = openat(fd, name, O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0) (void) ki_fail_sys(err, "open %s", folder);
        (void) close(fd);
        fd = next;
        p += n;
    }
    if (fd >= 0) (void) close(fd);
    return -1;
}

/* Splits path into an open, safe folder and *ret_name. < 0: why not. */
static int open_parent(const char *path, const char **ret_name, kith_error *err) {
    char folder[PATH_MAX], real[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash == NULL ? snprintf(folder, sizeof folder, ".")
            : slash == path
                ? snprintf(folder, sizeof folder, "/")
                : snprintf(folder, sizeof folder, "%.*s", (int) (slash - path), path);
    if (n < 0 || (size_t) n >= sizeof folder) {
        return ki_fail(err, KITH_E_ARG, "the path is too long");
    }
    const char *name = slash == NULL ? path : slash + 1;
    if (*name == '\0') return ki_fail(err, KITH_E_ARG, "the path names no file");
    if (realpath(folder, real) == NULL) {
        return errno == ENOENT
                   ? ki_fail(err, KITH_E_MISSING, "there is no folder %s", folder)
                   : ki_fail_sys(err, "open %s", folder);
    }
    kith_error why = { 0 };
    int fd = open_folder(real, &why);
    if (fd < 0) {
        CHECK(why.code < 0);
        if (err != NULL) *err = why;
        return why.code;
    }
    CHECK(*name != '\0');
    *ret_name = name;
    return fd;
}

static int write_whole(int fd, const char *text, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno != EINTR) return -1;
        if (n > 0) {
            text += n;
            size -= (size_t) n;
        }
    }
    return 0;
}

/* A new file in `folder`, readable by us alone from its first moment, on disk
 * with its name when this returns 0. Never takes the place of another. */
static int create_in(int folder, const char *name, const char *text, kith_error *err) {
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(folder, name, flags, 0600);
    if (fd < 0) {
        return errno == EEXIST ? ki_fail(err, KITH_E_DENIED,
                                     "something is there already; it stays as it is")
                               : ki_fail_sys(err, "create");
    }
    int r = 0;
    if (write_whole(fd, text, KEY_FILE_SIZE) < 0 || fsync(fd) < 0) {
        r = ki_fail_sys(err, "write");
    }
    if (close(fd) < 0 && r == 0) r = ki_fail_sys(err, "close");
    if (r == 0 && fsync(folder) < 0) r = ki_fail_sys(err, "sync its folder");
    if (r < 0) (void) unlinkat(folder, name, 0);
    return r;
}

int kith_key_create(kith_key **ret, const char *path, kith_error *err) {
    const char *name;
    char text[KEY_FILE_SIZE];
    kith_key *key = NULL;
    CHECK(ret != NULL);
    CHECK(path != NULL);
    int folder = open_parent(path, &name, err);
    if (folder < 0) return ki_fail_in(err, folder, "key %s", path);
    int r = kith_key_generate(&key, err);
    if (r == 0) {
        ki_key_format(key, text);
        r = create_in(folder, name, text, err);
        sodium_memzero(text, sizeof text);
    }
    (void) close(folder);
    if (r < 0) {
        kith_key_free(&key);
        return ki_fail_in(err, r, "key %s", path);
    }
    *ret = key;
    return 0;
}

static int judge_file(int fd, const char *path, kith_error *err) {
    struct stat st;
    if (fstat(fd, &st) < 0) return ki_fail_sys(err, "look at it");
    if (!S_ISREG(st.st_mode)) return ki_fail(err, KITH_E_DENIED, "it is no regular file");
    if (!owner_safe(&st)) {
        return ki_fail(err, KITH_E_DENIED,
            "it belongs to somebody else; do: chown it, or run as its owner");
    }
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return ki_fail(err, KITH_E_DENIED, "others may read it; do: chmod 600 %s", path);
    }
    if (st.st_nlink != 1)
        return ki_fail(err, KITH_E_DENIED,
            "it has a second name (hard link); do: remove the other one");
    return 0;
}

static int open_file(int folder, const char *name, kith_error *err) {
    int fd =
        openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0) return fd;
    if (errno == ENOENT) return ki_fail(err, KITH_E_MISSING, "there is no such file");
    if (errno == ELOOP)
        return ki_fail(err, KITH_E_DENIED,
            "it is a symbolic link; do: name the file itself by --key or KITH_KEY_FILE");
    if (errno == EACCES) return ki_fail(err, KITH_E_DENIED, "it may not be read by us");
    return ki_fail_sys(err, "open");
}

/* The bytes of the file, at most `size`; a longer file gives size. */
static ssize_t read_whole(int fd, char *ret, size_t size) {
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, ret + got, size - got);
        if (n == 0) break;
        if (n < 0 && errno != EINTR) return -1;
        if (n > 0) got += (size_t) n;
    }
    CHECK(got <= size);
    return (ssize_t) got;
}

static int load_in(
    kith_key **ret, int folder, const char *path, const char *name, kith_error *err) {
    char text[KEY_FILE_SIZE + 1];
    int fd = open_file(folder, name, err);
    if (fd < 0) return fd;
    int r = judge_file(fd, path, err);
    if (r == 0) {
        ssize_t n = read_whole(fd, text, sizeof text);
        kith_error why = { 0 };
        kith_key *key = n < 0 ? NULL : ki_key_parse(text, (size_t) n, &why);
        if (n < 0) (void) ki_fail_sys(&why, "read");
        sodium_memzero(text, sizeof text);
        if (key != NULL) *ret = key;
        if (key == NULL && err != NULL) *err = why;
        CHECK((key == NULL) == (why.code < 0));
        r = why.code;
    }
    (void) close(fd);
    return r;
}

int kith_key_load(kith_key **ret, const char *path, kith_error *err) {
    const char *name;
    CHECK(ret != NULL);
    CHECK(path != NULL);
    int folder = open_parent(path, &name, err);
    if (folder < 0) return ki_fail_in(err, folder, "key %s", path);
    int r = load_in(ret, folder, path, name, err);
    (void) close(folder);
    return r < 0 ? ki_fail_in(err, r, "key %s", path) : 0;
}
