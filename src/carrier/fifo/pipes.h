/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/fifo/pipes.h - the pipes of the other readers in a folder, open for writing.
 * Readers come and go: the folder tells (inotify), and a pipe without a reader.
 *
 *   write ── EAGAIN ──► full: FULL, for at most `patience` ──► behind: passed over,
 *                         and the retry reaches only those       counted; the count is
 *                         who lack it                            told when it has room
 */
#ifndef CARRIER_FIFO_PIPES_H
#define CARRIER_FIFO_PIPES_H

#include "carrier/fifo/record.h"

#include <kith/carrier.h>

enum {
    PIPES_MAX = 128,    /* readers of one folder; more are not written to */
    PIPE_NAME_MAX = 72, /* with ".fifo" and its end */
};

typedef struct ki_pipe {
    int fd; /* -1: free */
    uint64_t device, inode;
    bool seen; /* by the scan under way */
    bool full; /* since then */
    uint64_t full_ns;
    uint32_t missed; /* that it is to be told of */
} ki_pipe;

/* An item that not all have yet: what was answered with FULL. */
typedef struct ki_partial {
    bool open;
    uint16_t length;
    uint8_t bytes[KITH_PACKET_MAX];
    bool got[PIPES_MAX];
} ki_partial;

typedef struct ki_pipes {
    int folder; /* borrowed */
    int watch;  /* -1: none, then each tick looks */
    bool look;  /* the folder may have changed */
    const char *own;
    uint64_t now_ns, patience_ns;
    uint64_t rubbish, failures, passed_over;
    uint32_t odd;          /* entries that are no pipe of ours, in the last scan */
    ki_partial partial[2]; /* of packets, of frames: they are posted in turn */
    ki_pipe pipes[PIPES_MAX];
} ki_pipes;

/* path: of the folder, for the watch. */
void ki_pipes_open(ki_pipes *p, int folder, const char *path, const char *own);
void ki_pipes_close(ki_pipes *p);

/* 0: everybody has it, or was passed over. KITH_FULL. */
int ki_pipes_write(ki_pipes *p, const kith_posting *what);

/* Tells those who were passed over, if they have room now. */
void ki_pipes_tick(ki_pipes *p, uint64_t now_ns);

/* "NAME.fifo", and NAME of a-z 0-9 _ - only. */
bool ki_pipe_named(const char *name);

/* Is it a pipe that nobody else can read or write? */
bool ki_pipe_ours(int folder, const char *name, uint64_t *ret_device, uint64_t *ret_inode);

#endif
