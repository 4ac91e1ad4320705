/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/dir/tree.h - the shared folder itself: opening without following any
 * link inside it, and writing so that only whole files are ever seen.
 */
#ifndef CARRIER_DIR_TREE_H
#define CARRIER_DIR_TREE_H

#include "carrier/dir/name.h"
#include "carrier/service.h"

#include <sys/types.h>

enum {
    TREE_SYNC_DISK = 0,
    TREE_SYNC_OS = 1,
    TREE_SYNC_NONE = 2,
};

typedef struct tree {
    char place[KITH_URL_MAX + 1];
    int sync;
    int root, tmp; /* kith-1 and kith-1/.tmp; -1: closed */
    dev_t dev;
    ino_t ino;
    uint8_t medium[DIR_ID_SIZE]; /* the folder's own name, made once */
    char unique[17];             /* of this link, for names in .tmp */
    uint64_t writes;
    bool distrust; /* a sync failed: what is there may not be on the disk; write anew */
} tree;

/* `make`: create what is missing, as open does; a folder that comes back must be
 * there already, or a pulled stick would be "found" again on the disk below. */
KITH_MUST_USE int ki_tree_open(tree *t, bool make, kith_error *err);
void ki_tree_close(tree *t);
/* Is it on a file system that others may change without our kernel's knowledge? What
 * is not known to be local is held to be remote. */
bool ki_tree_is_remote(int folder);
/* Is the folder at `place` still the one that is open? */
bool ki_tree_is_there(const tree *t);

/* A path below root, no link followed. -1 and errno. */
int ki_tree_at(const tree *t, const char *path, int flags);

/* All of them or none: writes beside, fsyncs, renames, fsyncs the folders. At most
 * TREE_BATCH. */
enum {
    TREE_BATCH = 32,
};
KITH_MUST_USE int ki_tree_write(
    tree *t, const ki_posted *const *posts, size_t count, kith_error *err);

/* Removes what posters that died left in .tmp: older than grace by the medium's
 * own clock. If that clock lies and a poster is alive, its rename fails and it
 * writes again. */
void ki_tree_tidy(const tree *t, int64_t wall_us, int64_t grace_us);

/* Up to KITH_PACKET_MAX + 1 bytes of a file; -1 and errno. ELOOP: a link;
 * EINVAL: not a plain file. */
ssize_t ki_tree_read(int folder, const char *name, uint8_t ret[KITH_PACKET_MAX + 1]);

/* Errors of the medium, in our words. */
int ki_tree_fail(kith_error *err, const char *what, const char *where);

#endif
