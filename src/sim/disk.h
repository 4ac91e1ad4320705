/* SPDX-License-Identifier: Apache-2.0 */
/* sim/disk.h - disks that lose what was not synced.
 *
 * A layer below everything SQLite does: files are real, in a folder that should lie in
 * memory, but a sync only forgets how to undo what was written. When the power is
 * cut, what was not synced is undone: all of it, a random half, or single sectors of
 * 512 bytes. One thread. */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include <kith/error.h>

#include <stdbool.h>
#include <stdint.h>

#define SIM_PATH_MAX 900

typedef struct ki_undo ki_undo;

/* Open: the swarm looks into it. */
typedef struct ki_disk {
    struct ki_disk *next;
    char path[SIM_PATH_MAX + 1]; /* of the database; its log stands beside it */
    bool dead;                   /* the power is off: nothing more is written */
    bool full;                   /* no room */
    bool lies;                   /* a planted mistake: a sync does nothing */
    uint32_t fail_next;          /* so many syncs fail */
    uint64_t syncs, failed;
    ki_undo *undo; /* the last first */
} ki_disk;

/* Under every store of this process. KITH_E_NOTSUP: too late, one is open already. */
int ki_disk_mount(kith_error *err);
/* KITH_E_MEMORY. */
int ki_disk_new(ki_disk **ret, const char *path);
void ki_disk_free(ki_disk **disk);
/* When its files are closed: undoes what was not synced, by lot. Then it lives. */
int ki_disk_cut(ki_disk *disk, uint64_t *dice);

#endif
