/* SPDX-License-Identifier: Apache-2.0 */
/* Carriers from shared objects. A plugin is code that runs as us, so nobody
 * else may have been able to write it: file and folder belong to root or to us
 * and are writable by no other, and the file is no symlink. */
#include "base/check.h"
#include "base/fail.h"
#include "carrier/carrier.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct kith_plugin {
    void *handle;
};

static int check_rights(const char *path, mode_t kind, int fd, kith_error *err) {
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return ki_fail_sys(err, "stat %s", path);
    }
    if ((st.st_mode & S_IFMT) != kind) {
        return ki_fail(err, KITH_E_DENIED, "%s is not a plain %s", path,
            kind == S_IFDIR ? "folder" : "file");
    }
    if (st.st_uid != 0 && st.st_uid != geteuid()) {
        return ki_fail(err, KITH_E_DENIED, "%s belongs to neither root nor us", path);
    }
    /* a sticky folder such as /tmp is no better: others may put files there */
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return ki_fail(err, KITH_E_DENIED, "%s is writable by others", path);
    }
    return 0;
}

static int open_checked(const char *path, int flags, mode_t kind, kith_error *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
    if (fd < 0) {
        if (errno == ENOENT) {
            return ki_fail(err, KITH_E_MISSING, "no file %s", path);
        }
        return errno == ELOOP ? ki_fail(err, KITH_E_DENIED, "%s is a symlink", path)
                              : ki_fail_sys(err, "open %s", path);
    }
    int r = check_rights(path, kind, fd, err);
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

static int check_folder(const char *path, kith_error *err) {
    char folder[KITH_URL_MAX + 1];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t) (slash - path);
    if (n >= sizeof folder) {
        return ki_fail(err, KITH_E_CONFIG, "path longer than %d", KITH_URL_MAX);
    }
    (void) snprintf(folder, sizeof folder, "%.*s", (int) n, path);
    int fd = open_checked(slash == NULL ? "."
                          : n == 0      ? "/"
                                        : folder,
        O_DIRECTORY, S_IFDIR, err);
    if (fd < 0) {
        return fd;
    }
    close(fd);
    return 0;
}

static int load(
    void **ret, const char *path, const kith_carrier **ret_carrier, kith_error *err) {
    /* A bare name would be searched for in the system's folders. */
    char full[KITH_URL_MAX + 3];
    (void) snprintf(full, sizeof full, "%s%s", strchr(path, '/') == NULL ? "./" : "", path);
    void *handle = dlopen(full, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        const char *why = dlerror();
        return ki_fail(err, KITH_E_NOTSUP, "%s", why == NULL ? path : why);
    }
    const kith_carrier *c = dlsym(handle, KITH_CARRIER_SYMBOL);
    int r = c == NULL ? ki_fail(err, KITH_E_NOTSUP, "no %s inside", KITH_CARRIER_SYMBOL)
                      : ki_carrier_vet(c, err);
    if (r < 0) {
        dlclose(handle);
        return ki_fail_in(err, r, "%s", path);
    }
    *ret = handle;
    *ret_carrier = c;
    return 0;
}

int kith_plugin_open(kith_plugin **ret, const char *path, const kith_carrier **ret_carrier,
    kith_error *err) {
    CHECK(ret != NULL);
    CHECK(path != NULL);
    CHECK(ret_carrier != NULL);
    int r = check_folder(path, err);
    int fd = r < 0 ? r : open_checked(path, O_NOFOLLOW, S_IFREG, err);
    if (fd < 0) {
        return fd;
    }
    close(fd); /* nobody else can exchange it: the folder is ours or root's */
    kith_plugin *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return ki_fail(err, KITH_E_MEMORY, "plugin %s", path);
    }
    r = load(&p->handle, path, ret_carrier, err);
    if (r < 0) {
        free(p);
        return r;
    }
    *ret = p;
    return 0;
}

void kith_plugin_close(kith_plugin **plugin) {
    CHECK(plugin != NULL);
    if (*plugin == NULL) {
        return;
    }
    dlclose((*plugin)->handle);
    free(*plugin);
    *plugin = NULL;
}
