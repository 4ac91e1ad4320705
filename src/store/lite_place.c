/* SPDX-License-Identifier: Apache-2.0 */
/* What lies where a store is named, seen before anything is opened or made. */
#include "store/lite.h"

#include "base/check.h"
#include "base/fail.h"
#include "base/far.h"
#include "base/wire.h"
#include "store/vfs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    AT_RESERVED = 20, /* of the first page, as SQLite's format has it */
    AT_USER_VERSION = 60,
    AT_APPLICATION = 68,
};

/* The folder's true name and the file's own: symlinks on the way are the
 * administrator's business, a symlink in the file's place is not followed. */
int ki_lite_resolve(const char *place, char ret[LITE_PATH], kith_error *err) {
    char folder[LITE_PATH], real[PATH_MAX];
    const char *slash = strrchr(place, '/');
    const char *name = slash == NULL ? place : slash + 1;
    size_t n = slash == NULL ? 0 : (size_t) (slash - place);
    if (*name == '\0' || n >= sizeof folder) {
        return ki_fail(err, KITH_E_CONFIG, "no file is named");
    }
    memcpy(folder, place, n);
    folder[n] = '\0';
    if (realpath(slash == NULL ? "." : n == 0 ? "/" : folder, real) == NULL) {
        return ki_fail_sys(err, "%s", slash == NULL ? "." : folder);
    }
    const char *sep = strcmp(real, "/") == 0 ? "" : "/";
    int length = snprintf(ret, LITE_PATH, "%s%s%s", real, sep, name);
    if (length < 0 || length >= LITE_PATH - 40) {
        return ki_fail(err, KITH_E_CONFIG, "the path is too long");
    }
    return 0;
}

/* Of a path that was resolved: it begins with a slash. */
static void folder_of(const char *path, char ret[LITE_PATH]) {
    (void) snprintf(ret, LITE_PATH, "%s", path);
    char *slash = strrchr(ret, '/');
    CHECK(slash != NULL);
    slash[slash == ret] = '\0';
}

/* SQLite's log needs memory shared between all who open it, and true locks. */
int ki_lite_refuse_network(const char *path, kith_error *err) {
    char folder[LITE_PATH];
    folder_of(path, folder);
    const char *far = ki_far(folder);
    return far == NULL ? 0
                       : ki_fail(err, KITH_E_NOTSUP,
                             "a store cannot live on a network file system (%s)", far);
}

/* A name beside the store's own. */
static bool beside(const char *path, const char *tail) {
    char name[LITE_PATH + 16];
    (void) snprintf(name, sizeof name, "%s%s", path, tail);
    return access(name, F_OK) == 0;
}

/* A process that was killed while it made the database leaves one without a name. */
static bool half_made(const uint8_t *page) {
    return wire_get32(page + AT_APPLICATION) == 0 && ki_page_whole(page, 1);
}

/* A newer kith may have another layout of pages. With ours, a version that the page's
 * sum does not bear out is damage. */
static bool is_newer(const uint8_t *page) {
    uint32_t version = wire_get32(page + AT_USER_VERSION);
    bool layout = wire_get16(page + 16) == PAGE_SIZE && page[AT_RESERVED] == PAGE_RESERVED;
    return wire_get32(page + AT_APPLICATION) == APPLICATION_ID && version <= INT32_MAX &&
           version > SCHEMA_VERSION && (!layout || ki_page_whole(page, 1));
}

static int judge(const char *path, const uint8_t *page, kith_error *err) {
    bool database = memcmp(page, "SQLite format 3", 16) == 0;
    if (database && is_newer(page)) {
        return ki_fail(err, KITH_E_NOTSUP,
            "made by a newer kith: its schema is %u, this one knows up to %d",
            wire_get32(page + AT_USER_VERSION), SCHEMA_VERSION);
    }
    if (beside(path, "-epoch") || beside(path, "-lock")) {
        return 0; /* a place of ours: what is wrong with it is damage */
    }
    if (!database) {
        return ki_fail(err, KITH_E_DENIED, "not a kith store, and not a database at all");
    }
    if (wire_get32(page + AT_APPLICATION) != APPLICATION_ID && !half_made(page)) {
        return ki_fail(err, KITH_E_DENIED, "this database is not a kith store");
    }
    return 0;
}

static const char *kind(mode_t mode) {
    return S_ISDIR(mode)    ? "a folder"
           : S_ISLNK(mode)  ? "a symbolic link"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

int ki_lite_peek(const char *path, kith_error *err) {
    uint8_t page[PAGE_SIZE];
    struct stat st;
    size_t size = 0;
    if (lstat(path, &st) < 0) {
        return errno == ENOENT ? 0 : ki_fail_sys(err, "%s", path);
    }
    if (!S_ISREG(st.st_mode)) { /* reading a pipe would never end */
        return ki_fail(
            err, KITH_E_SYSTEM, "%s, where a regular file is wanted", kind(st.st_mode));
    }
    if (st.st_size == 0) {
        return 0; /* an empty file becomes a store, or was emptied: the log tells */
    }
    if (access(path, R_OK) < 0) {
        return ki_fail_sys(err, "%s", path);
    }
    int rc = ki_vfs_first_page(path, page, &size);
    return rc == SQLITE_OK ? judge(path, page, err) : ki_lite_fail(NULL, rc, path, err);
}

/* The folder counts too: the epoch is raised, and damage set aside, by renaming. */
bool ki_lite_may_only_look(const char *path) {
    char folder[LITE_PATH], lock[LITE_PATH + 16];
    if (access(path, F_OK) < 0) {
        return false; /* nothing to look at: making it will say why it cannot be */
    }
    folder_of(path, folder);
    (void) snprintf(lock, sizeof lock, "%s-lock", path);
    return access(folder, W_OK) < 0 || access(path, W_OK) < 0 ||
           (access(lock, F_OK) == 0 && access(lock, W_OK) < 0);
}

int ki_lite_refuse_change(kith_error *err) {
    (void) ki_fail(err, KITH_E_DENIED,
        "read-only: the store's file or folder may not be written here");
    if (err != NULL) {
        err->sys = EROFS;
    }
    return KITH_E_DENIED;
}
