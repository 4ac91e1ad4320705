/* SPDX-License-Identifier: Apache-2.0 */
/* Where plugins lie without anybody saying so: in "kith" among the libraries that this
 * one was installed with, wherever that tree stands now, or in the folder it was built
 * in. Seen from the file that holds this code: libkith.so, or a program that has the
 * library inside. */
#include "base/check.h"
#include "carrier/carrier.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef KITH_LIB_FROM_BIN /* meson.build knows where libraries are installed */
#define KITH_LIB_FROM_BIN "../lib"
#endif

/* false: the name does not fit, or the system does not tell. */
static bool own_folder(char ret[KITH_URL_MAX + 1]) {
    static const char here;
    Dl_info info;
    struct link_map *map = NULL;
    bool library = dladdr1(&here, &info, (void **) &map, RTLD_DL_LINKMAP) != 0 &&
                   map != NULL && map->l_name[0] != '\0';
    const char *path = library ? map->l_name : "/proc/self/exe";
    ssize_t n = library ? (ssize_t) strlen(path) : readlink(path, ret, KITH_URL_MAX);
    if (n <= 0 || n >= KITH_URL_MAX) {
        return false;
    }
    if (library) {
        memcpy(ret, path, (size_t) n);
    }
    ret[n] = '\0';
    char *slash = strrchr(ret, '/');
    if (slash == NULL) {
        return false;
    }
    slash[slash == ret] = '\0';
    return true;
}

static bool is_there(const char *folder, const char *mark) {
    char path[KITH_URL_MAX + 64];
    struct stat st;
    (void) snprintf(path, sizeof path, "%s/%s", folder, mark);
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) == (mark[0] == '\0');
}

bool kith_plugin_folder(size_t index, char ret[KITH_URL_MAX + 1]) {
    /* Below a folder of ours; the mark must be in it. */
    static const struct {
        const char *below, *mark;
    } list[] = { { "kith", "" }, { KITH_LIB_FROM_BIN "/kith", "" }, { ".", "build.ninja" },
        { "..", "build.ninja" } };
    char own[KITH_URL_MAX + 1], folder[KITH_URL_MAX + 1];
    CHECK(ret != NULL);
    if (!own_folder(own)) {
        return false;
    }
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        int n = snprintf(folder, sizeof folder, "%s/%s", own, list[i].below);
        if (n > 0 && (size_t) n < sizeof folder && is_there(folder, list[i].mark) &&
            index-- == 0) {
            memcpy(ret, folder, (size_t) n + 1);
            return true;
        }
    }
    return false;
}
