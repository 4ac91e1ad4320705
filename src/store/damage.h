/* SPDX-License-Identifier: Apache-2.0 */
/* store/damage.h - what SQLite would not notice, or not survive.
 *
 * A flipped bit in the log makes SQLite end it there, in silence: everything
 * acknowledged behind it is gone. So the log is read before SQLite sees it. */
#ifndef STORE_DAMAGE_H
#define STORE_DAMAGE_H

#include <kith/error.h>

#include <sqlite3.h>

typedef struct ki_log {
    uint32_t frames;    /* in the file, whole ones by size */
    uint32_t valid;     /* whose sums go on from the header's */
    uint32_t committed; /* up to the last commit among them */
    bool damaged;       /* something of this log stands behind its end */
} ki_log;

/* One frame of a log: its page number and page. chained: its sum is right. */
typedef int (*ki_frame)(void *ctx, uint32_t page_number, const uint8_t *page, bool chained);

/* No such file, or an empty one: zeros. each may be NULL; < 0 from it ends the
 * scan. E_SYSTEM when the file cannot be read. */
int ki_log_scan(const char *path, ki_log *ret, ki_frame each, void *ctx, kith_error *err);
/* The same over bytes in memory. */
int ki_log_parse(const uint8_t *bytes, size_t size, ki_log *ret, ki_frame each, void *ctx);

/* Every page of the open database, as it lies on disk. An SQLite code. */
int ki_pages_scan(sqlite3 *sql);

/* Copies from to a name that is free, synced. */
int ki_copy_file(const char *from, const char *to, kith_error *err);

#endif
