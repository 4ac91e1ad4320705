/* SPDX-License-Identifier: Apache-2.0 */
/* store/epoch.h - the boot epoch, in a file of its own.
 *
 * A sequence number used twice looks like lying, so what makes numbers fresh must
 * not go back when the database does. The file holds the same record twice:
 *
 *   OFFSET SIZE MEANING
 *        0   16 "kith-epoch-1"
 *       16    8 epoch: no packet of ours has a higher one
 *       24    8 generation: how often the database began anew; arrivals of
 *               generation g begin at g * 2^40
 *       32   16 device and inode of the database it belongs to
 *       48   12 zero
 *       60    4 CRC-32C of the 60 bytes before
 *      512   64 the same again
 *
 * It is written beside, synced, renamed, and the folder synced. Where only the epoch
 * rises, as at each start, both copies are written in place with one sync: after a
 * power cut each is the old one, the new one or damaged, and the new one has not been
 * used yet. */
#ifndef STORE_EPOCH_H
#define STORE_EPOCH_H

#include <kith/error.h>

#define EPOCH_FILE_SIZE 576

typedef struct ki_epoch {
    uint64_t epoch, generation;
    uint64_t device, inode; /* 0, 0: of no database yet */
    uint64_t partial;       /* not in the file: 1 when a byte of it is damaged, 2 when
                             * the copies are whole and their epochs differ */
} ki_epoch;

/* KITH_E_CORRUPT when neither copy is whole. */
int ki_epoch_parse(const uint8_t *bytes, size_t length, ki_epoch *ret);
void ki_epoch_format(const ki_epoch *epoch, uint8_t ret[EPOCH_FILE_SIZE]);

/* KITH_E_MISSING, KITH_E_CORRUPT, KITH_E_SYSTEM. */
int ki_epoch_read(const char *path, ki_epoch *ret, kith_error *err);
int ki_epoch_write(const char *path, const ki_epoch *epoch, kith_error *err);
/* The same for a whole file in which nothing but the epoch changes. */
int ki_epoch_raise(const char *path, const ki_epoch *epoch, kith_error *err);

/* Far enough away that no other history of this store went there. */
uint64_t ki_epoch_leap(uint64_t from);

/* fsync of the folder that holds path. */
int ki_sync_folder(const char *path, kith_error *err);

#endif
