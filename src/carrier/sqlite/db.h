/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/sqlite/db.h - the shared file: docs/formats/sqlite-carrier.md. All on one
 * thread, and every call may wait for the disk or for another's lock.
 */
#ifndef CARRIER_SQLITE_DB_H
#define CARRIER_SQLITE_DB_H

#include "carrier/service.h"

#include <sqlite3.h>
#include <sys/types.h>

enum {
    DB_MEDIUM_SIZE = 16,
    DB_IDS = 4096, /* of a backlog, found at once */
};

enum {
    DB_INSERT,
    DB_AFTER,  /* rows behind an id, in order */
    DB_ONE,    /* one row */
    DB_NEXT,   /* the next id behind an id */
    DB_LAST,   /* the last id ever given out */
    DB_SINCE,  /* the first id that came at or after a time */
    DB_RANGE,  /* ids behind an id whose subject lies in a range, in order */
    DB_EXPIRE, /* removes a thousand */
    DB_VERSION,
    DB_BEGIN,
    DB_COMMIT,
    DB_ROLLBACK,
    DB_STATEMENTS,
};

typedef struct db {
    char path[KITH_URL_MAX + 1];
    bool normal; /* sync=normal */
    int busy_ms;
    sqlite3 *handle; /* NULL: closed */
    sqlite3_stmt *statements[DB_STATEMENTS];
    dev_t dev;
    ino_t ino;
    uint8_t medium[DB_MEDIUM_SIZE];
} db;

/* `make`: create the file if it is not there. */
KITH_MUST_USE int ki_db_open(db *d, bool make, kith_error *err);
void ki_db_close(db *d);
bool ki_db_is_there(const db *d);

/* The statement's text, for the test that looks at its plan. */
const char *ki_db_sql(int statement);

/* All in one transaction, or none. `came_us`: by the wall. */
KITH_MUST_USE int ki_db_post(
    db *d, ki_service *s, size_t count, int64_t came_us, kith_error *err);

/* One number; *ret stays when there is none. */
KITH_MUST_USE int ki_db_number(
    db *d, int statement, int64_t argument, int64_t *ret, kith_error *err);

/* A row: 0 and *ret_item; KITH_EMPTY: rubbish, *ret_id is set all the same. */
KITH_MUST_USE int ki_db_row(sqlite3_stmt *row, int64_t *ret_id, kith_item *ret_item);

/* E_BUSY, E_SPACE, E_CORRUPT ... for what the handle just answered. */
int ki_db_fail(db *d, int code, const char *what, kith_error *err);

#endif
