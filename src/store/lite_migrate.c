/* SPDX-License-Identifier: Apache-2.0 */
/* From an older schema to ours, in one transaction: after a crash the old one is
 * there, or the new one.
 *
 *   1 -> 2  pkt.slot numbered templates by a table that only grew; now the number
 *           follows from the template itself
 *   2 -> 3  a table for packets that nobody signed
 */
#include "store/lite.h"

#include "base/check.h"
#include "base/fail.h"

/* kith_slot(template, old slot) */
static void new_slot(sqlite3_context *ctx, int count, sqlite3_value **values) {
    static const uint8_t none[KITH_TEMPLATE_SIZE];
    CHECK(count == 2);
    const void *id = sqlite3_value_blob(values[0]);
    bool whole = id != NULL && sqlite3_value_bytes(values[0]) == KITH_TEMPLATE_SIZE;
    int64_t kind = sqlite3_value_int64(values[1]) & 3;
    sqlite3_result_int64(ctx, ki_lite_slot(whole ? id : none, (int) kind));
}

static int from_1_to_2(sqlite3 *sql) {
    int rc = sqlite3_create_function(sql, "kith_slot", 2,
        SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL, new_slot, NULL, NULL);
    rc = rc != SQLITE_OK
             ? rc
             : sqlite3_exec(sql,
                   "UPDATE pkt SET slot = kith_slot((SELECT template FROM template"
                   " WHERE id = slot >> 2), slot);"
                   "DROP TABLE template;",
                   NULL, NULL, NULL);
    (void) sqlite3_create_function(
        sql, "kith_slot", 2, SQLITE_UTF8, NULL, NULL, NULL, NULL);
    return rc;
}

static int from_2_to_3(sqlite3 *sql) {
    int rc = sqlite3_exec(sql, ki_lite_heard_schema, NULL, NULL, NULL);
    return rc != SQLITE_OK ? rc
                           : sqlite3_exec(sql, "PRAGMA user_version = 3", NULL, NULL, NULL);
}

/* The pages that change must fit into memory, for none may leave it before the commit
 * (decision 010). The log goes into the database at the end, so that the version can be
 * read from its first page. */
int ki_lite_migrate(lite_db *db, kith_error *err) {
    CHECK(db->version >= 1);
    CHECK(db->version < SCHEMA_VERSION);
    int rc = sqlite3_exec(db->sql, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    rc = rc != SQLITE_OK || db->version >= 2 ? rc : from_1_to_2(db->sql);
    rc = rc != SQLITE_OK ? rc : from_2_to_3(db->sql);
    rc = rc != SQLITE_OK ? rc : sqlite3_exec(db->sql, "COMMIT", NULL, NULL, NULL);
    rc = rc != SQLITE_OK ? rc
                         : sqlite3_wal_checkpoint_v2(
                               db->sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (rc != SQLITE_OK) {
        int r = ki_lite_fail(db, rc, "bring an older store up to date", err);
        if (sqlite3_get_autocommit(db->sql) == 0) {
            (void) sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
        }
        return r;
    }
    db->version = SCHEMA_VERSION;
    return 0;
}
