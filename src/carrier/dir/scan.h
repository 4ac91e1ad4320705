/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/dir/scan.h - finding files: a walk over the tree that can stop anywhere
 * and go on at the next turn, and the watches that make most walks needless.
 */
#ifndef CARRIER_DIR_SCAN_H
#define CARRIER_DIR_SCAN_H

#include "carrier/dir/seen.h"
#include "carrier/dir/tree.h"

enum {
    WALK_DEPTH = KITH_TOKENS_MAX + 2, /* root, tokens, shard */
    WALK_NAMES = 8 * 1024,            /* bytes of names read from a folder at once */
};

/* An open folder and the names of it that are still to be looked at. */
typedef struct level {
    int fd;
    unsigned number; /* another folder, another number */
    size_t length;   /* of the subject, with this folder's token */
    size_t at, end;
    char names[WALK_NAMES] __attribute__((aligned(8)));
} level;

typedef struct walk {
    bool going;
    int depth;        /* folders open */
    bool shard;       /* the innermost is one */
    unsigned folders; /* numbers given out */
    char subject[KITH_SUBJECT_MAX + 1];
    level levels[WALK_DEPTH];
} walk;

typedef struct watches {
    int fd;       /* inotify; -1: polling */
    char **paths; /* by watch descriptor; "" for tokens' folders */
    size_t size;
    bool overflow; /* something was missed: walk */
} watches;

/* What a scan found at one step. */
typedef struct found {
    int kind; /* DIR_PACKET, DIR_COPY; DIR_OTHER: rubbish; -1: the walk is over */
    int folder;
    unsigned folder_number;
    bool plain; /* known to be a plain file */
    bool news;  /* told by the kernel just now, not met by a walk */
    const char *name;
    uint8_t id[DIR_ID_SIZE];
    const char *subject;
} found;

/* One entry further; folders are entered and watched on the way. False: nothing to
 * look at this time. */
KITH_MUST_USE bool ki_walk_step(walk *w, watches *on, found *ret);
KITH_MUST_USE int ki_walk_start(walk *w, const tree *t, watches *on);
void ki_walk_stop(walk *w);

void ki_watches_init(watches *on, bool wanted);
void ki_watches_fini(watches *on);
/* The next file that was moved or written into a watched folder: its folder's path
 * and its name, borrowed until the next call. False: none now; look at overflow. */
typedef struct events {
    size_t at, length;
    char buffer[16 * 1024] __attribute__((aligned(8)));
} events;
KITH_MUST_USE bool ki_watches_next(
    watches *on, events *e, const char **ret_path, const char **ret_name);

#endif
