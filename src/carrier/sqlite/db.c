/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/sqlite/db.h"

#include "base/check.h"
#include "base/dice.h"
#include "base/fail.h"
#include "base/far.h"
#include "base/hash.h"

#include <kith/address.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    HASH_SIZE = 16,
    LENGTH_MAX = 1 << 16, /* of any value that is read */
    OPEN_BUSY_MS = 2000,  /* open must answer before the service's patience ends */
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS kith_1 (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " subj TEXT NOT NULL, exp INTEGER NOT NULL, came INTEGER NOT NULL,"
    " hash BLOB NOT NULL UNIQUE, body BLOB NOT NULL);"
    "CREATE INDEX IF NOT EXISTS kith_1_subj ON kith_1 (subj, id);"
    "CREATE INDEX IF NOT EXISTS kith_1_exp ON kith_1 (exp);"
    "CREATE TABLE IF NOT EXISTS kith_1_medium (one INTEGER PRIMARY KEY CHECK (one = 1),"
    " id BLOB NOT NULL);";

static const char pragmas[] =
    "PRAGMA journal_size_limit=67108864; PRAGMA wal_autocheckpoint=1000;"
    "PRAGMA cell_size_check=ON; PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY;";

/* The length of a blob is known without reading it: one of 1 GB costs nothing. */
#define COLUMNS                                                                            \
    "SELECT id, CASE WHEN typeof(subj) = 'text' THEN subj END, CASE WHEN"                  \
    " typeof(body) = 'blob' AND length(body) BETWEEN 1 AND 512 THEN body END FROM kith_1"

static const char *const sql[DB_STATEMENTS] = {
    [DB_INSERT] = "INSERT OR IGNORE INTO kith_1 (subj, exp, came, hash, body)"
                  " VALUES (?1, ?2, ?3, ?4, ?5)",
    [DB_AFTER] = COLUMNS " WHERE id > ?1 ORDER BY id LIMIT 256",
    [DB_ONE] = COLUMNS " WHERE id = ?1",
    [DB_NEXT] = "SELECT id FROM kith_1 WHERE id > ?1 ORDER BY id LIMIT 1",
    [DB_LAST] = "SELECT max(ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'kith_1'),"
                " 0), ifnull((SELECT max(id) FROM kith_1), 0))",
    [DB_SINCE] = "SELECT id FROM kith_1 WHERE came >= ?1 ORDER BY id LIMIT 1",
    /* +id: otherwise the planner walks the rowid and reads every row */
    [DB_RANGE] = "SELECT id FROM kith_1 INDEXED BY kith_1_subj WHERE subj >= ?2 AND"
                 " subj < ?3 AND +id > ?1 AND +id <= ?4 ORDER BY +id LIMIT ?5",
    [DB_EXPIRE] = "DELETE FROM kith_1 WHERE id IN (SELECT id FROM kith_1"
                  " INDEXED BY kith_1_exp WHERE exp < ?1 LIMIT 1000)",
    [DB_VERSION] = "PRAGMA data_version",
    [DB_BEGIN] = "BEGIN IMMEDIATE",
    [DB_COMMIT] = "COMMIT",
    [DB_ROLLBACK] = "ROLLBACK",
};

const char *ki_db_sql(int statement) {
    return sql[statement];
}

int ki_db_fail(db *d, int code, const char *what, kith_error *err) {
    static const struct {
        int sqlite, ours;
    } rows[] = { { SQLITE_BUSY, KITH_E_BUSY }, { SQLITE_LOCKED, KITH_E_BUSY },
        { SQLITE_FULL, KITH_E_SPACE }, { SQLITE_CORRUPT, KITH_E_CORRUPT },
        { SQLITE_NOTADB, KITH_E_CORRUPT }, { SQLITE_READONLY, KITH_E_DENIED },
        { SQLITE_PERM, KITH_E_DENIED }, { SQLITE_AUTH, KITH_E_DENIED },
        { SQLITE_NOMEM, KITH_E_MEMORY } };
    int ours = KITH_E_SYSTEM;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ours = rows[i].sqlite == (code & 0xff) ? rows[i].ours : ours;
    }
    (void) ki_fail(err, ours, "%s %.120s: %s", what, d->path,
        d->handle == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(d->handle));
    if (err != NULL && d->handle != NULL) {
        err->sys = sqlite3_system_errno(d->handle);
    }
    return ours;
}

static int execute(db *d, const char *text, kith_error *err) {
    int code = sqlite3_exec(d->handle, text, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : ki_db_fail(d, code, "set up", err);
}

/* Before anything is made there: the folder says it. */
static int check_local(const db *d, kith_error *err) {
    char folder[sizeof d->path + 1];
    (void) snprintf(folder, sizeof folder, "%s", d->path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        slash[1] = '\0';
    }
    const char *far = ki_far(slash != NULL ? folder : ".");
    return far == NULL ? 0
                       : ki_fail(err, KITH_E_NOTSUP,
                             "%.120s is on a network file system (%s)", d->path, far);
}

static int set_wal(db *d, kith_error *err) {
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(d->handle, "PRAGMA journal_mode=WAL", -1, &stmt, NULL);
    code = code == SQLITE_OK ? sqlite3_step(stmt) : code;
    bool wal = code == SQLITE_ROW &&
               strcmp((const char *) sqlite3_column_text(stmt, 0), "wal") == 0;
    (void) sqlite3_finalize(stmt);
    if (code != SQLITE_ROW) {
        return ki_db_fail(d, code, "open", err);
    }
    return wal ? 0 : ki_fail(err, KITH_E_NOTSUP, "%.120s cannot use a WAL here", d->path);
}

/* The file's own name, made by whoever makes the table. */
static int read_medium(db *d, kith_error *err) {
    sqlite3_stmt *stmt = NULL;
    uint8_t fresh[DB_MEDIUM_SIZE];
    ki_dice_system(fresh, sizeof fresh);
    int code = sqlite3_prepare_v2(
        d->handle, "INSERT OR IGNORE INTO kith_1_medium VALUES (1, ?1)", -1, &stmt, NULL);
    if (code == SQLITE_OK) {
        (void) sqlite3_bind_blob(stmt, 1, fresh, sizeof fresh, SQLITE_STATIC);
        code = sqlite3_step(stmt);
    }
    (void) sqlite3_finalize(stmt);
    stmt = NULL;
    if (code == SQLITE_DONE) {
        code =
            sqlite3_prepare_v2(d->handle, "SELECT id FROM kith_1_medium", -1, &stmt, NULL);
        code = code == SQLITE_OK ? sqlite3_step(stmt) : code;
    }
    bool whole = code == SQLITE_ROW && sqlite3_column_bytes(stmt, 0) == DB_MEDIUM_SIZE;
    if (whole) {
        memcpy(d->medium, sqlite3_column_blob(stmt, 0), DB_MEDIUM_SIZE);
    }
    (void) sqlite3_finalize(stmt);
    if (whole) {
        return 0;
    }
    return code == SQLITE_ROW
               ? ki_fail(err, KITH_E_CORRUPT, "%.120s: kith_1_medium is damaged", d->path)
               : ki_db_fail(d, code, "set up", err);
}

static int set_up(db *d, kith_error *err) {
    (void) sqlite3_extended_result_codes(d->handle, 1);
    (void) sqlite3_busy_timeout(
        d->handle, OPEN_BUSY_MS < d->busy_ms ? OPEN_BUSY_MS : d->busy_ms);
    (void) sqlite3_limit(d->handle, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
    int r = set_wal(d, err);
    r = r < 0 ? r : execute(d, pragmas, err);
    r = r < 0
            ? r
            : execute(d,
                  d->normal ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL", err);
    r = r < 0 ? r : execute(d, "BEGIN IMMEDIATE", err);
    r = r < 0 ? r : execute(d, schema, err);
    r = r < 0 ? r : read_medium(d, err);
    r = r < 0 ? r : execute(d, "COMMIT", err);
    for (int i = 0; r == 0 && i < DB_STATEMENTS; i++) {
        int code = sqlite3_prepare_v3(
            d->handle, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &d->statements[i], NULL);
        r = code == SQLITE_OK ? 0 : ki_db_fail(d, code, "set up", err);
    }
    (void) sqlite3_busy_timeout(d->handle, d->busy_ms);
    return r;
}

int ki_db_open(db *d, bool make, kith_error *err) {
    struct stat st;
    /* EXRESCODE is set later: 3.40 has it, older headers do not */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                (make ? SQLITE_OPEN_CREATE : 0);
    int r = check_local(d, err);
    if (r < 0) {
        return r;
    }
    int code = sqlite3_open_v2(d->path, &d->handle, flags, NULL);
    r = code == SQLITE_OK ? set_up(d, err) : ki_db_fail(d, code, "open", err);
    if (r == 0 && stat(d->path, &st) != 0) {
        r = ki_fail_sys(err, "stat %.120s", d->path);
    }
    if (r < 0) {
        ki_db_close(d);
        return r;
    }
    d->dev = st.st_dev;
    d->ino = st.st_ino;
    return 0;
}

void ki_db_close(db *d) {
    for (int i = 0; i < DB_STATEMENTS; i++) {
        (void) sqlite3_finalize(d->statements[i]);
        d->statements[i] = NULL;
    }
    (void) sqlite3_close(d->handle);
    d->handle = NULL;
}

bool ki_db_is_there(const db *d) {
    struct stat st;
    return d->handle != NULL && stat(d->path, &st) == 0 && st.st_dev == d->dev &&
           st.st_ino == d->ino;
}

static int run(db *d, int statement) {
    sqlite3_stmt *stmt = d->statements[statement];
    int code = sqlite3_step(stmt);
    (void) sqlite3_reset(stmt);
    return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
}

/* Subject and bytes together: nobody can keep a packet out by posting its bytes
 * under another subject first. */
static int insert(db *d, const ki_posted *p, int64_t came_us) {
    uint8_t both[KITH_SUBJECT_MAX + 1 + KITH_PACKET_MAX], hash[HASH_SIZE];
    size_t n = strlen(p->to.subject) + 1;
    memcpy(both, p->to.subject, n);
    memcpy(both + n, p->bytes, p->length);
    ki_blake2b(both, n + p->length, hash, sizeof hash);
    sqlite3_stmt *stmt = d->statements[DB_INSERT];
    (void) sqlite3_bind_text(stmt, 1, p->to.subject, -1, SQLITE_STATIC);
    (void) sqlite3_bind_int64(stmt, 2, p->expires_us);
    (void) sqlite3_bind_int64(stmt, 3, came_us);
    (void) sqlite3_bind_blob(stmt, 4, hash, sizeof hash, SQLITE_STATIC);
    (void) sqlite3_bind_blob(stmt, 5, p->bytes, p->length, SQLITE_STATIC);
    int code = run(d, DB_INSERT);
    (void) sqlite3_clear_bindings(stmt); /* they point into this frame */
    return code;
}

int ki_db_post(db *d, ki_service *s, size_t count, int64_t came_us, kith_error *err) {
    CHECK(d->handle != NULL);
    int code = run(d, DB_BEGIN);
    for (size_t i = 0; code == SQLITE_OK && i < count; i++) {
        code = insert(d, ki_service_posted(s, i), came_us);
    }
    code = code == SQLITE_OK ? run(d, DB_COMMIT) : code;
    if (code == SQLITE_OK) {
        return 0;
    }
    int r = ki_db_fail(d, code, "write", err);
    if (!sqlite3_get_autocommit(d->handle)) {
        (void) run(d, DB_ROLLBACK);
    }
    return r;
}

int ki_db_number(db *d, int statement, int64_t argument, int64_t *ret, kith_error *err) {
    sqlite3_stmt *stmt = d->statements[statement];
    if (sqlite3_bind_parameter_count(stmt) > 0) {
        (void) sqlite3_bind_int64(stmt, 1, argument);
    }
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        *ret = sqlite3_column_int64(stmt, 0);
    }
    (void) sqlite3_reset(stmt);
    return code == SQLITE_ROW || code == SQLITE_DONE ? 0 : ki_db_fail(d, code, "read", err);
}

int ki_db_row(sqlite3_stmt *row, int64_t *ret_id, kith_item *ret_item) {
    *ret_id = sqlite3_column_int64(row, 0);
    const char *subject = (const char *) sqlite3_column_text(row, 1);
    const void *body = sqlite3_column_blob(row, 2);
    int subject_length = sqlite3_column_bytes(row, 1),
        length = sqlite3_column_bytes(row, 2);
    if (subject == NULL || body == NULL || length < 1 || length > KITH_PACKET_MAX ||
        subject_length > KITH_SUBJECT_MAX || strlen(subject) != (size_t) subject_length ||
        !kith_subject_valid(subject)) {
        return KITH_EMPTY;
    }
    ret_item->kind = KITH_ITEM_PACKET;
    ret_item->length = (uint16_t) length;
    ret_item->token = (uint64_t) *ret_id;
    memcpy(ret_item->from.subject, subject, (size_t) subject_length + 1);
    memcpy(ret_item->bytes, body, (size_t) length);
    return 0;
}
