/* SPDX-License-Identifier: Apache-2.0 */
/* store/damage.h - pages as they lie on disk, and copies of files. The log: log.h. */
#ifndef STORE_DAMAGE_H
#define STORE_DAMAGE_H

#include <kith/error.h>

#include <sqlite3.h>

/* Every page of the open database, as it lies on disk. An SQLite code. */
int ki_pages_scan(sqlite3 *sql);

/* Copies from to a name that is free, synced. */
int ki_copy_file(const char *from, const char *to, kith_error *err);

#endif
