/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/dir/reader.h - files that are to be read, gathered by a walk and read
 * together: opening a file costs more than all we do with its bytes, and a second
 * processor can share that. The helper lives as long as a walk that finds much.
 *
 * One thread owns it; between two flushes the helper touches nothing.
 */
#ifndef CARRIER_DIR_READER_H
#define CARRIER_DIR_READER_H

#include "carrier/dir/name.h"

#include <kith/carrier.h>

#include <pthread.h>
#include <stdatomic.h>

enum {
    READER_FILES = 128,
    READER_SHARE = 8, /* files one thread takes at a time */
    READER_HELP = 64, /* fewer are not worth a second thread */
};

typedef struct reading {
    int folder; /* borrowed from the reader */
    int kind;   /* DIR_PACKET: the content must have its name's hash; DIR_COPY */
    bool plain; /* already known to be a plain file */
    int result; /* 0; KITH_EMPTY: gone; E_FORMAT: half, damaged, no plain file */
    uint8_t id[DIR_ID_SIZE];
    char name[256];
    kith_item item; /* from is filled in by whoever adds */
} reading;

typedef struct reader {
    reading *files; /* READER_FILES */
    size_t count;
    int folders[READER_FILES];
    size_t folder_count;
    atomic_size_t next;    /* the first that nobody took */
    atomic_bool with_time; /* O_NOATIME was refused once: somebody else's files */
    int processors;

    pthread_t helper;
    bool helped;          /* there is one */
    pthread_mutex_t lock; /* all below */
    pthread_cond_t go, done;
    bool open, busy, quit; /* a batch waits; the helper is at it; the last one */
} reader;

KITH_MUST_USE int ki_reader_init(reader *r);
void ki_reader_fini(reader *r);

/* A place to fill in; READER_FILES at most. `folder` as ki_reader_folder gave it. */
reading *ki_reader_add(reader *r);
/* Takes fd until the files in it are read; -1 stays -1. */
int ki_reader_folder(reader *r, int fd);

/* Reads all that wait. They stay until ki_reader_clear. */
void ki_reader_read(reader *r);
void ki_reader_clear(reader *r);

/* No more is to come for a while: the helper ends. */
void ki_reader_rest(reader *r);

#endif
