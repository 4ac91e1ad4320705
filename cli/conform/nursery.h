/* SPDX-License-Identifier: Apache-2.0 */
/* Processes to be killed. A nursery is forked before this process has opened
 * anything or started a thread, and forks the victims from its own clean state:
 * no store, link or lock is ever inherited. Victims die with it. */
#ifndef CONFORM_NURSERY_H
#define CONFORM_NURSERY_H

#include "cli/conform/world.h"

/* What a victim is told to be. */
typedef struct victim {
    uint8_t number; /* of its key */
    uint64_t posts; /* leaf after leaf, so many; then, or with 0, it only reads */
    bool relay;
    char url[KITH_URL_MAX + 1];
    char store_url[PATH_SIZE];
    char plugins[KITH_URL_MAX + 1]; /* "": none */
    char acks[PATH_SIZE];           /* a file: one byte for each post that was ok */
    kith_time now;
} victim;

bool nursery_open(void);
void nursery_close(void);
/* 0 or 1 names the cradle. */
bool nursery_start(int cradle, const victim *who);
bool nursery_kill(int cradle); /* SIGKILL, and it is dead when this returns */

#endif
