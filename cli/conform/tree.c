/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/conform/tree.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OPEN_MAX_DIRS 16

bool tree_make(const char *name, char *ret_path, size_t size) {
    const char *base = getenv("TMPDIR");
    if (base == NULL || base[0] != '/') {
        base = "/tmp";
    }
    int n = snprintf(ret_path, size, "%s/%s-XXXXXX", base, name);
    return n > 0 && (size_t) n < size && mkdtemp(ret_path) != NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void) st;
    (void) type;
    (void) at;
    /* What cannot be removed is left to be seen; going on removes the rest. */
    (void) !remove(path);
    return 0;
}

void tree_remove(const char *path) {
    (void) !nftw(path, remove_one, OPEN_MAX_DIRS, FTW_DEPTH | FTW_PHYS);
}
