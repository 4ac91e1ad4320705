/* SPDX-License-Identifier: Apache-2.0 */
/* bench/bare.h - the peer of the store rows: SQLite in a bare loop, as somebody would
 * write it who wants speed and no more. The same tables and indexes as our store, taken
 * from a file it made; the same durability; prepared statements; nothing else. */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <kith/key.h>
#include <kith/packet.h>
#include <sqlite3.h>

#define BENCH_CACHE_MB 32 /* of every store here, ours and theirs */

typedef struct bare {
    sqlite3 *sql;
    sqlite3_stmt *begin, *commit, *add, *range;
    int64_t last; /* id of the newest row */
    uint64_t seq;
} bare;

/* A new file at path with the tables and indexes of the store at `like`. */
int bare_create(bare *b, const char *path, const char *like);
/* A store's own file, or a copy of one. */
int bare_open(bare *b, const char *path);
void bare_close(bare *b);

/* Signs the contents as the store does, and adds them in one durable commit. */
int bare_post(bare *b, const kith_key *key, kith_content *contents, size_t count);

/* Up to `limit` whole packets of all subjects that begin with prefix and a dot;
 * *ret_bytes: of all of them. Returns how many, or < 0. */
int bare_find(bare *b, const char *prefix, int limit, uint64_t *ret_bytes);

/* "SQLite 3.40.1, WAL, synchronous=FULL, ..." */
const char *bare_name(void);

#endif
