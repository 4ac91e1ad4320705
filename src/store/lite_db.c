/* SPDX-License-Identifier: Apache-2.0 */
/* One SQLite handle: its settings, the schema, and every statement there is.
 * docs/formats/store.md explains the tables. */
#include "store/lite.h"

#include "base/check.h"
#include "base/fail.h"
#include "store/vfs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char schema[] =
    "CREATE TABLE meta(key INTEGER PRIMARY KEY, value INTEGER NOT NULL);"
    "CREATE TABLE src(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE,"
    " own INTEGER NOT NULL DEFAULT 0, epoch INTEGER NOT NULL DEFAULT 0,"
    " next_seq INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE carrier(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE pkt(id INTEGER PRIMARY KEY, src INTEGER NOT NULL, epoch INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, subj TEXT NOT NULL, slot INTEGER NOT NULL, exp INTEGER NOT "
    "NULL,"
    " own INTEGER NOT NULL, gone INTEGER NOT NULL, at INTEGER NOT NULL, way INTEGER NOT "
    "NULL,"
    " pid BLOB NOT NULL, body BLOB NOT NULL);"
    "CREATE UNIQUE INDEX pkt_place ON pkt(src, epoch, seq);"
    "CREATE INDEX pkt_subj ON pkt(subj, id, src, epoch, seq, slot);"
    "CREATE INDEX pkt_exp ON pkt(exp, pid);"
    "CREATE INDEX pkt_own ON pkt(id) WHERE own = 1;"
    "CREATE TABLE way(id INTEGER PRIMARY KEY, pkt INTEGER NOT NULL, carrier INTEGER NOT "
    "NULL,"
    " UNIQUE(pkt, carrier));"
    "CREATE TABLE gone(src INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " until INTEGER NOT NULL, PRIMARY KEY(src, epoch, seq)) WITHOUT ROWID;"
    "CREATE INDEX gone_until ON gone(until);"
    "CREATE TABLE proof(src INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " exp INTEGER NOT NULL, pid BLOB NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY(src, epoch, seq)) WITHOUT ROWID;"
    "CREATE TABLE state(name TEXT PRIMARY KEY, saved BLOB NOT NULL);";

#define BARE_RECORD "p.id, p.at, p.exp, p.own, p.gone, p.way, p.pid, p.body"
#define RECORD      BARE_RECORD ", p.subj"

#define HEARD                                                                              \
    "SELECT h.id, h.at, h.exp, h.seed, h.hid, h.subj, h.topic, h.body,"                    \
    " (SELECT name FROM carrier WHERE id = h.way) FROM heard h"                            \
    " WHERE h.id > ?1 AND h.id < ?2"

static const char *const statements[SQL_MAX] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_DATA_VERSION] = "PRAGMA data_version",
    [SQL_META_GET] = "SELECT value FROM meta WHERE key = ?1",
    [SQL_META_SET] = "INSERT INTO meta(key, value) VALUES(?1, ?2)"
                     " ON CONFLICT(key) DO UPDATE SET value = ?2",
    [SQL_LAST] = "SELECT max(id) FROM pkt",
    [SQL_PKT_ADD] = "INSERT INTO pkt VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
                    " ?12, ?13) ON CONFLICT(src, epoch, seq) DO NOTHING",
    [SQL_PKT_AT] =
        "SELECT id, pid, way, exp FROM pkt WHERE src = ?1 AND epoch = ?2 AND seq = ?3",
    [SQL_PKT_BY_ID] = "SELECT " RECORD " FROM pkt p WHERE p.id = ?1",
    [SQL_PKT_RETRACT] = "UPDATE pkt SET gone = 1 WHERE id = ?1",
    [SQL_SRC_LAST] = "SELECT max(id) FROM src",
    [SQL_SRC_GET] = "SELECT id, own, epoch, next_seq FROM src WHERE key = ?1",
    [SQL_SRC_ADD] = "INSERT INTO src(key) VALUES(?1)",
    [SQL_SRC_OWN] = "UPDATE src SET own = 1, epoch = ?2, next_seq = ?3 WHERE id = ?1",
    [SQL_SRC_TOP] = "SELECT epoch, seq FROM pkt WHERE src = ?1"
                    " ORDER BY epoch DESC, seq DESC LIMIT 1",
    [SQL_CARRIER_GET] = "SELECT id FROM carrier WHERE name = ?1",
    [SQL_CARRIER_ADD] = "INSERT INTO carrier(name) VALUES(?1)",
    [SQL_CARRIER_NAME] = "SELECT name FROM carrier WHERE id = ?1",
    [SQL_CARRIER_COUNT] = "SELECT count(*) FROM carrier",
    [SQL_CARRIER_PRUNE] = "DELETE FROM carrier WHERE id NOT IN (SELECT way FROM pkt)"
                          " AND id NOT IN (SELECT carrier FROM way)"
                          " AND id NOT IN (SELECT way FROM heard)",
    [SQL_WAY_ADD] = "INSERT INTO way(pkt, carrier) VALUES(?1, ?2)"
                    " ON CONFLICT(pkt, carrier) DO NOTHING",
    [SQL_PROOFS] =
        "SELECT f.pid, f.body, f.exp, (SELECT p.id FROM pkt p WHERE p.src = f.src"
        " AND p.epoch = f.epoch AND p.seq = f.seq) FROM proof f"
        " ORDER BY f.src, f.epoch, f.seq",
    [SQL_WAYS] = "SELECT c.name FROM (SELECT 0 AS n, way AS c FROM pkt WHERE id = ?1 AND"
                 " way > 0 UNION ALL SELECT id, carrier FROM way WHERE pkt = ?1) w"
                 " JOIN carrier c ON c.id = w.c ORDER BY w.n",
    [SQL_GONE_GET] = "SELECT 1 FROM gone WHERE src = ?1 AND epoch = ?2 AND seq = ?3",
    [SQL_GONE_ADD] = "INSERT INTO gone VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE"
                     " SET until = max(until, ?4)",
    [SQL_PROOF_ADD] = "INSERT INTO proof VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
                      " ON CONFLICT DO NOTHING",
    [SQL_STATE_GET] = "SELECT saved FROM state WHERE name = ?1",
    [SQL_STATE_SET] = "INSERT INTO state VALUES(?1, ?2)"
                      " ON CONFLICT(name) DO UPDATE SET saved = ?2",
    [SQL_STATE_KEEP] = "INSERT INTO state VALUES(?1, ?2) ON CONFLICT(name) DO NOTHING",
    [SQL_STATE_RANGE] = "SELECT name, saved FROM state WHERE name >= ?1 AND name < ?2"
                        " ORDER BY name",
    [SQL_STATE_DELETE] = "DELETE FROM state WHERE name = ?1",
    [SQL_PAGES] = "PRAGMA page_count",
    [SQL_FREE_PAGES] = "PRAGMA freelist_count",
    [SQL_EXPIRED] = "SELECT id FROM pkt INDEXED BY pkt_exp WHERE exp <= ?1"
                    " ORDER BY exp LIMIT ?2",
    [SQL_EVICTABLE] = "SELECT id FROM pkt INDEXED BY pkt_exp WHERE exp > ?1 AND own = 0"
                      " ORDER BY exp LIMIT ?2",
    [SQL_PKT_DELETE] = "DELETE FROM pkt WHERE id = ?1",
    [SQL_WAY_DELETE] = "DELETE FROM way WHERE pkt = ?1",
    [SQL_GONE_PRUNE] = "DELETE FROM gone WHERE (src, epoch, seq) IN (SELECT src, epoch, seq"
                       " FROM gone INDEXED BY gone_until WHERE until <= ?1 LIMIT ?2)",
    [SQL_PROOF_PRUNE] = "DELETE FROM proof WHERE exp <= ?1",
    [SQL_SRC_PRUNE] = "DELETE FROM src WHERE own = 0 AND id > ?1 AND id <= ?1 + 256 AND"
                      " NOT EXISTS(SELECT 1 FROM pkt WHERE src = src.id) AND"
                      " NOT EXISTS(SELECT 1 FROM gone WHERE src = src.id) AND"
                      " NOT EXISTS(SELECT 1 FROM proof WHERE src = src.id)",
    [SQL_SCAN_UP] = "SELECT " RECORD " FROM pkt p WHERE p.id > ?1 AND p.id < ?2"
                    " ORDER BY p.id",
    [SQL_SCAN_DOWN] = "SELECT " RECORD " FROM pkt p WHERE p.id > ?1 AND p.id < ?2"
                      " ORDER BY p.id DESC",
    /* +exp and the like are not needed: the index is named, and a test reads the plan. */
    [SQL_SUBJECT_UP] =
        "SELECT " BARE_RECORD " FROM pkt p INDEXED BY pkt_subj WHERE p.subj = ?3"
        " AND p.id > ?1 AND p.id < ?2 ORDER BY p.id",
    [SQL_SUBJECT_DOWN] = "SELECT " BARE_RECORD " FROM pkt p INDEXED BY pkt_subj WHERE"
                         " p.subj = ?3 AND p.id > ?1 AND p.id < ?2 ORDER BY p.id DESC",
    [SQL_RANGE] = "SELECT " BARE_RECORD " FROM pkt p INDEXED BY pkt_subj WHERE p.subj >= ?3"
                  " AND p.subj < ?4 AND +p.id > ?1 AND +p.id < ?2 ORDER BY p.subj, p.id",
    [SQL_RANGE_ALL] = "SELECT " BARE_RECORD " FROM pkt p INDEXED BY pkt_subj WHERE"
                      " p.subj >= ?3 AND p.subj < ?4 ORDER BY p.subj, p.id",
    [SQL_NEXT_SUBJECT] = "SELECT subj FROM pkt INDEXED BY pkt_subj WHERE subj >= ?1"
                         " ORDER BY subj LIMIT 1",
    [SQL_SUBJECT_IDS] = "SELECT id FROM pkt INDEXED BY pkt_subj WHERE subj = ?3"
                        " AND id > ?1 AND id < ?2",
    [SQL_SUBJECT_SLOTS] = "SELECT slot, src, epoch, seq, id FROM pkt INDEXED BY pkt_subj"
                          " WHERE subj = ?1 AND slot & 3",
    [SQL_OUT_OWN] = "SELECT " RECORD " FROM pkt p INDEXED BY pkt_own WHERE p.own = 1"
                    " AND p.id > ?1 AND p.exp > ?2 AND p.gone = 0 ORDER BY p.id LIMIT ?3",
    [SQL_OUT_RELAY] = "SELECT " RECORD " FROM pkt p WHERE p.id > ?1 AND p.exp > ?2"
                      " AND p.gone = 0 AND (p.own = 1 OR (p.way <> ?4 AND NOT EXISTS("
                      "SELECT 1 FROM way w WHERE w.pkt = p.id AND w.carrier = ?4)))"
                      " ORDER BY p.id LIMIT ?3",
    [SQL_COUNTS] = "SELECT (SELECT count(*) FROM pkt INDEXED BY pkt_place)",
    [SQL_COUNT_OWN] = "SELECT count(*) FROM pkt INDEXED BY pkt_own WHERE own = 1",
    [SQL_COUNT_GONE] = "SELECT count(*) FROM gone",
    [SQL_FIRST] = "SELECT min(id) FROM pkt",
    [SQL_SUBJECTS] =
        "WITH RECURSIVE s(n, subj) AS (SELECT 0, '' UNION ALL SELECT n + 1,"
        " (SELECT subj FROM pkt INDEXED BY pkt_subj WHERE subj > s.subj ORDER BY"
        " subj LIMIT 1) FROM s WHERE subj IS NOT NULL AND n <= 1000)"
        " SELECT count(*) - 1 FROM s WHERE subj IS NOT NULL",
    [SQL_TOP_EPOCH] = "SELECT max(epoch) FROM src WHERE own = 1",
    [SQL_KNOWS] = "SELECT pid FROM pkt WHERE src = (SELECT id FROM src WHERE key = ?1)"
                  " AND epoch = ?2 AND seq = ?3",
    [SQL_ID_PREFIX] = "SELECT id FROM pkt INDEXED BY pkt_exp WHERE pid >= ?3 AND pid <= ?4"
                      " AND id > ?1 AND id < ?2",
    [SQL_READ_BEGIN] = "BEGIN",
    [SQL_HEARD_ADD] = "INSERT INTO heard(hid, seed, subj, exp, at, way, topic, body)"
                      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT(hid) DO NOTHING",
    [SQL_HEARD_DELETE] = "DELETE FROM heard WHERE id IN (SELECT id FROM heard"
                         " INDEXED BY heard_exp WHERE exp <= ?1 ORDER BY exp LIMIT ?2)",
    [SQL_HEARD_COUNT] = "SELECT count(*) FROM heard INDEXED BY heard_exp",
    [SQL_HEARD_UP] = HEARD " ORDER BY h.id",
    [SQL_HEARD_DOWN] = HEARD " ORDER BY h.id DESC",
    [SQL_HEARD_SUBJECT_UP] = HEARD " AND h.subj = ?3 ORDER BY h.id",
    [SQL_HEARD_SUBJECT_DOWN] = HEARD " AND h.subj = ?3 ORDER BY h.id DESC",
    [SQL_HEARD_ID_UP] = HEARD " AND h.hid >= ?3 AND h.hid <= ?4 ORDER BY +h.id",
    [SQL_HEARD_ID_DOWN] = HEARD " AND h.hid >= ?3 AND h.hid <= ?4 ORDER BY +h.id DESC",
    [SQL_MIN_EXP] = "SELECT min(exp) FROM pkt",
};

sqlite3_stmt *ki_lite_sql(lite_db *db, lite_sql which) {
    CHECK(which < SQL_MAX);
    if (db->st[which] == NULL) {
        int rc = sqlite3_prepare_v3(db->sql, statements[which], -1,
            SQLITE_PREPARE_PERSISTENT, &db->st[which], NULL);
        return rc == SQLITE_OK ? db->st[which] : NULL;
    }
    (void) sqlite3_reset(db->st[which]); /* says again what the last step said */
    return db->st[which];
}

int ki_lite_do(lite_db *db, lite_sql which) {
    sqlite3_stmt *st = ki_lite_sql(db, which);
    if (st == NULL) {
        return sqlite3_extended_errcode(db->sql);
    }
    (void) sqlite3_step(st);
    return sqlite3_reset(st);
}

int ki_lite_number(lite_db *db, lite_sql which, int64_t *ret) {
    CHECK(ret != NULL);
    CHECK(db->sql != NULL);
    sqlite3_stmt *st = ki_lite_sql(db, which);
    if (st == NULL) {
        return sqlite3_extended_errcode(db->sql);
    }
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        *ret = sqlite3_column_int64(st, 0);
    }
    return sqlite3_reset(st);
}

int ki_lite_code(int rc) {
    if (rc == SQLITE_IOERR_DATA || rc == SQLITE_IOERR_CORRUPTFS ||
        rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC) {
        return KITH_E_CORRUPT;
    }
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: return KITH_E_BUSY;
    case SQLITE_FULL: return KITH_E_SPACE;
    case SQLITE_NOMEM: return KITH_E_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return KITH_E_CORRUPT;
    default: return rc == SQLITE_IOERR_NOMEM ? KITH_E_MEMORY : KITH_E_SYSTEM;
    }
}

int ki_lite_fail(lite_db *db, int rc, const char *what, kith_error *err) {
    int sys = db != NULL && db->sql != NULL ? sqlite3_system_errno(db->sql) : 0;
    int code = ki_lite_code(rc);
    if (code == KITH_E_SYSTEM && (sys == ENOSPC || sys == EDQUOT)) {
        code = KITH_E_SPACE;
    }
    const char *words = rc == SQLITE_IOERR_DATA    ? "a page is damaged"
                        : rc == SQLITE_IOERR_FSYNC ? "the disk failed to sync"
                                                   : sqlite3_errstr(rc);
    (void) ki_fail(err, code, "%s: %s (%d)", what, words, rc);
    if (err != NULL) {
        err->sys = code == KITH_E_SYSTEM || code == KITH_E_SPACE ? sys : 0;
    }
    return code;
}

static int pragma(lite_db *db, const char *name, int64_t value) {
    char sql[96];
    (void) snprintf(sql, sizeof sql, "PRAGMA %s = %" PRId64, name, value);
    return sqlite3_exec(db->sql, sql, NULL, NULL, NULL);
}

static int settings(lite_db *db, int64_t cache_bytes, bool writes) {
    const struct {
        const char *name;
        int64_t value;
    } rows[] = {
        { "busy_timeout", 5000 },
        { "synchronous", 2 }, /* FULL: a commit is one fsync */
        /* Who writes looks at cells before it spreads them; who reads has the sums. */
        { "cell_size_check", writes },
        { "trusted_schema", 0 },
        { "cache_size", -(cache_bytes >> 10) },
        { "cache_spill", 0 },        /* frames enter the log once, at commit */
        { "wal_autocheckpoint", 0 }, /* the leader does it */
        { "secure_delete", 0 },
        { "temp_store", 2 },
        { "mmap_size", 0 }, /* would go past the checksums */
        { "journal_size_limit", 16 << 20 },
    };
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof rows / sizeof *rows; i++) {
        rc = pragma(db, rows[i].name, rows[i].value);
    }
    return rc;
}

static int one_number(lite_db *db, const char *sql, int64_t *ret) {
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db->sql, sql, -1, &st, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
        *ret = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
        rc = sqlite3_finalize(st);
    }
    return rc;
}

static int create_schema(lite_db *db) {
    int reserve = PAGE_RESERVED;
    int rc = pragma(db, "page_size", PAGE_SIZE);
    rc = rc != SQLITE_OK
             ? rc
             : sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve);
    rc = rc != SQLITE_OK ? rc
                         : sqlite3_exec(db->sql,
                               "PRAGMA auto_vacuum = 0;"
                               "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE;",
                               NULL, NULL, NULL);
    int64_t version = 0; /* another process may have been faster */
    rc = rc != SQLITE_OK ? rc : one_number(db, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK && version == 0) {
        rc = sqlite3_exec(db->sql, schema, NULL, NULL, NULL);
        rc = rc != SQLITE_OK
                 ? rc
                 : sqlite3_exec(db->sql, ki_lite_heard_schema, NULL, NULL, NULL);
        rc = rc != SQLITE_OK ? rc : pragma(db, "application_id", APPLICATION_ID);
        rc = rc != SQLITE_OK ? rc : pragma(db, "user_version", SCHEMA_VERSION);
    }
    if (rc == SQLITE_OK) {
        return sqlite3_exec(db->sql, "COMMIT", NULL, NULL, NULL);
    }
    (void) sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* Whose is it, and of which schema? An empty one becomes ours. */
static int recognise(lite_db *db, bool create, kith_error *err) {
    int64_t application = 0, tables = 0;
    int rc = one_number(db, "PRAGMA user_version", &db->version);
    rc = rc != SQLITE_OK ? rc : one_number(db, "PRAGMA application_id", &application);
    rc = rc != SQLITE_OK ? rc
                         : one_number(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc == SQLITE_OK && tables == 0 && create) {
        rc = create_schema(db);
        db->version = SCHEMA_VERSION;
        application = APPLICATION_ID;
    }
    if (rc != SQLITE_OK) {
        return ki_lite_fail(db, rc, "schema", err);
    }
    if (application != APPLICATION_ID) {
        return ki_fail(err, KITH_E_DENIED, "this database is not a kith store");
    }
    if (db->version > SCHEMA_VERSION) {
        return ki_fail(err, KITH_E_NOTSUP,
            "made by a newer kith: its schema is %" PRId64 ", this one knows up to %d",
            db->version, SCHEMA_VERSION);
    }
    return db->version >= 1 ? 0 : ki_fail(err, KITH_E_CORRUPT, "its schema has no version");
}

/* ---- what may only be looked at ---- */

/* Percent-encoded, with a word to SQLite behind it. */
static void as_uri(const char *path, const char *query, char *ret, size_t size) {
    static const char digits[] = "0123456789ABCDEF";
    size_t n = (size_t) snprintf(ret, size, "file:");
    for (; *path != '\0' && n + 4 < size; path++) {
        unsigned char c = (unsigned char) *path;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9') || strchr("/._-", c) != NULL;
        if (plain) {
            ret[n++] = (char) c;
            continue;
        }
        ret[n++] = '%';
        ret[n++] = digits[c >> 4];
        ret[n++] = digits[c & 15];
    }
    (void) snprintf(ret + n, size - n, "?%s", query);
}

static bool is_there(const char *path, const char *tail) {
    char name[LITE_PATH + 8];
    (void) snprintf(name, sizeof name, "%s%s", path, tail);
    return access(name, F_OK) == 0;
}

/* With a log and its index somebody may be writing: SQLite reads beside them by its
 * own rules, and keeps an index of its own where that one is stale. Without the index
 * nobody is: then no lock is taken, and the log is read into memory. */
static int open_to_look(lite_db *db, const char *path, int flags) {
    char uri[3 * LITE_PATH + 32];
    flags |= SQLITE_OPEN_READONLY;
    if (!is_there(path, "-wal") || !is_there(path, "-shm")) {
        int rc = sqlite3_open_v2(path, &db->sql, flags, VFS_STILL);
        return rc != SQLITE_OK ? rc
                               : sqlite3_exec(db->sql, "PRAGMA locking_mode = EXCLUSIVE",
                                     NULL, NULL, NULL);
    }
    as_uri(path, "readonly_shm=1", uri, sizeof uri);
    return sqlite3_open_v2(uri, &db->sql, flags | SQLITE_OPEN_URI, VFS_NAME);
}

static int open_handle(lite_db *db, const char *path, lite_access access) {
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOFOLLOW |
                SQLITE_OPEN_EXRESCODE;
    int rc = ki_vfs_register();
    if (rc == SQLITE_OK && access == LITE_LOOKS) {
        rc = open_to_look(db, path, flags);
    } else if (rc == SQLITE_OK) {
        flags |= SQLITE_OPEN_READWRITE;
        flags |= access == LITE_WRITES ? SQLITE_OPEN_CREATE : 0;
        rc = sqlite3_open_v2(path, &db->sql, flags, VFS_NAME);
    }
    return rc;
}

int ki_lite_db_open(lite_db *db, const char *path, int64_t cache_bytes, lite_access access,
    kith_error *err) {
    bool writes = access == LITE_WRITES;
    /* A name may get another file behind our back (quarantine by another process):
     * then closing the old one must not delete the new one's log. */
    int keep = 1;
    *db = (lite_db){ 0 };
    int rc = open_handle(db, path, access);
    rc = rc != SQLITE_OK
             ? rc
             : sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
    /* Until it is known to be ours, closing it must not move its log. */
    rc = rc != SQLITE_OK
             ? rc
             : sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    rc = rc != SQLITE_OK ? rc : settings(db, cache_bytes, writes);
    int r =
        rc != SQLITE_OK ? ki_lite_fail(db, rc, "open", err) : recognise(db, writes, err);
    if (r < 0) {
        ki_lite_db_close(db);
    } else if (access != LITE_LOOKS) {
        (void) sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    }
    return r;
}

void ki_lite_db_close(lite_db *db) {
    for (int i = 0; i < SQL_MAX; i++) {
        (void) sqlite3_finalize(db->st[i]);
    }
    int rc = sqlite3_close(db->sql);
    CHECK(rc == SQLITE_OK); /* BUSY: a statement of ours was forgotten */
    *db = (lite_db){ 0 };
}
