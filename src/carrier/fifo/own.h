/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/fifo/own.h - the pipe that a link reads: made, locked, named, and made anew.
 * It has its name only once it is locked, so a name without a lock is one whose owner
 * is dead. One link reads it: two would each get half. */
#ifndef CARRIER_FIFO_OWN_H
#define CARRIER_FIFO_OWN_H

#include "carrier/fifo/pipes.h"

typedef struct ki_own {
    int folder; /* borrowed */
    int fd;     /* -1: none */
    char name[PIPE_NAME_MAX];
    int64_t room; /* bytes wanted */
} ki_own;

/* E_BUSY: another link reads under this name. */
KITH_MUST_USE int ki_own_open(ki_own *o, kith_error *err);
/* The name goes too, if it is still ours. */
void ki_own_close(ki_own *o);
/* Has it lost its name, so that nobody finds it? */
bool ki_own_lost(const ki_own *o);

#endif
