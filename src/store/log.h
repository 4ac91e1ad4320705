/* SPDX-License-Identifier: Apache-2.0 */
/* store/log.h - SQLite's log as it lies on disk, before SQLite sees it.
 *
 * A flipped bit in the log makes SQLite end it there, in silence: everything
 * acknowledged behind it is gone. So the log is read first. But a log may end badly
 * without any harm: a commit was cut off by a kill or by the power, or was written
 * over in part by the next one. Which of the two it is:
 *
 *   frames:  whole ... whole | bad ...                          it is
 *   bad is whole but for one word (a flipped bit, too)          damage
 *   behind bad a commit, and a frame that goes on from it:      damage: that commit was
 *     who wrote it had synced the commit before                 acknowledged
 *   SQLite's index of the log knew more frames than are whole   damage
 *   none of these                                               cut off
 *
 * What is left in doubt: the last commit of all, more than one word of it gone, and
 * the index gone too. docs/decisions/014-cut-off-or-damaged.md says why. */
#ifndef STORE_LOG_H
#define STORE_LOG_H

#include <kith/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ki_log {
    uint32_t frames;    /* in the file, whole ones by size */
    uint32_t valid;     /* of this log, whose sums go on from the header's */
    uint32_t committed; /* up to the last commit among them */
    uint8_t salts[8];   /* the name of this log */
    bool damaged;       /* something acknowledged may be missing */
    bool cut_off;       /* its last commit was not finished; nobody was told of it */
} ki_log;

/* One frame of a log: its page number and page. chained: its sum is right. */
typedef int (*ki_frame)(void *ctx, uint32_t page_number, const uint8_t *page, bool chained);

/* No such file, or an empty one: zeros. each may be NULL; < 0 from it ends the
 * scan. E_SYSTEM when the file cannot be read. */
int ki_log_scan(const char *path, ki_log *ret, ki_frame each, void *ctx, kith_error *err);
/* The same over bytes in memory. */
int ki_log_parse(const uint8_t *bytes, size_t size, ki_log *ret, ki_frame each, void *ctx);

/* What SQLite's index beside the log (-shm) says of it: it outlives a kill, not a cut.
 * Only while nobody has the database open: closing a file frees all locks that this
 * process holds on it. No index, or one of another log, says nothing. */
void ki_log_compare(const char *index_path, ki_log *log);
void ki_log_compare_parsed(const uint8_t *index, size_t size, ki_log *log);

#endif
