/* SPDX-License-Identifier: Apache-2.0 */
/* store/vfs.h - a thin layer between SQLite and its files that finds damage.
 *
 * Each page of the database ends with eight reserved bytes, page number and
 * CRC-32C, written when the page is written and compared when it is read. A page
 * of zeros is one that was never written. Pages read back from the write-ahead
 * log are checked with the checksum SQLite keeps for recovery alone. Damage is
 * SQLITE_IOERR_DATA. The plain sqlite3 program still reads the file; it must not
 * write it. */
#ifndef STORE_VFS_H
#define STORE_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VFS_NAME      "kith"
#define VFS_STILL     "kith-still" /* the same where nobody writes, and we may not */
#define PAGE_SIZE     4096
#define PAGE_RESERVED 8
#define WAL_HEADER    32
#define WAL_FRAME     (24 + PAGE_SIZE)

/* Once per process; again is free. An SQLite code. */
int ki_vfs_register(void);

/* The first page of a database as it lies on disk, 0 behind its end; *ret_size is
 * what was there. Not by a descriptor of our own: closing one frees the locks that
 * SQLite holds on the same file in this process. An SQLite code. */
int ki_vfs_first_page(const char *path, uint8_t ret[PAGE_SIZE], size_t *ret_size);

/* Is page `number` (from 1) what was written there? */
bool ki_page_whole(const uint8_t page[PAGE_SIZE], uint32_t number);

/* SQLite's running checksum of the log, over size bytes, a multiple of 8. */
void ki_wal_sum(bool big_endian, const uint8_t *bytes, size_t size, uint32_t sum[2]);
/* The checksum of a frame, of its first 8 bytes and its page, after `sum`. */
void ki_wal_frame_sum(bool big_endian, const uint8_t header[24],
    const uint8_t page[PAGE_SIZE], uint32_t sum[2]);

#endif
