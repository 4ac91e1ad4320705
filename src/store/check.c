/* SPDX-License-Identifier: Apache-2.0 */
/* Reads everything and changes nothing: log, pages, indexes, and of each packet
 * whether its columns say what its bytes say. */
#include "store/lite.h"

#include "base/fail.h"
#include "store/damage.h"
#include "store/log.h"
#include "store/vfs.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOKS = 3,
    PAUSE_NS = 2000000,
};

/* SQLite says in words that it had no memory for a page: that is no damage. */
static bool is_starved(const char *said) {
    static const char words[] = "error code=7"; /* SQLITE_NOMEM */
    const char *at = said == NULL ? NULL : strstr(said, words);
    char next = at == NULL ? '\0' : at[sizeof words - 1];
    return said == NULL || (at != NULL && (next < '0' || next > '9'));
}

static int check_indexes(lite_db *db, kith_error *err) {
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db->sql, "PRAGMA integrity_check(1)", -1, &st, NULL);
    int r = 0;
    if (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
        const char *said = (const char *) sqlite3_column_text(st, 0);
        if (is_starved(said)) {
            r = ki_lite_fail(db, SQLITE_NOMEM, "indexes", err);
        } else if (strcmp(said, "ok") != 0) {
            r = ki_fail(err, KITH_E_CORRUPT, "%.200s", said);
        }
    }
    rc = rc != SQLITE_OK ? rc : sqlite3_reset(st);
    (void) sqlite3_finalize(st);
    return r < 0 || rc == SQLITE_OK ? r : ki_lite_fail(db, rc, "indexes", err);
}

/* arrival, key, epoch, seq, subject, expiry, id, bytes */
static const char *row_fault(sqlite3_stmt *st) {
    const void *key = sqlite3_column_blob(st, 1), *id = sqlite3_column_blob(st, 6);
    const char *subject = (const char *) sqlite3_column_text(st, 4);
    const void *body = sqlite3_column_blob(st, 7);
    int length = sqlite3_column_bytes(st, 7);
    kith_packet packet = { .length = (uint16_t) length };
    kith_content c;
    uint8_t real_id[KITH_ID_SIZE];
    if (body == NULL || length > KITH_PACKET_MAX || key == NULL || id == NULL ||
        subject == NULL || sqlite3_column_bytes(st, 1) != KITH_KEY_SIZE ||
        sqlite3_column_bytes(st, 6) != KITH_ID_SIZE) {
        return "a column is missing";
    }
    memcpy(packet.bytes, body, packet.length);
    if (kith_packet_decode(packet.bytes, packet.length, &c) != 0) {
        return "its bytes are no packet";
    }
    kith_packet_id(&packet, real_id);
    if (memcmp(real_id, id, sizeof real_id) != 0) {
        return "its id is not that of its bytes";
    }
    bool same = memcmp(c.source, key, KITH_KEY_SIZE) == 0 &&
                (int64_t) c.epoch == sqlite3_column_int64(st, 2) &&
                (int64_t) c.seq == sqlite3_column_int64(st, 3) &&
                strcmp(c.address.subject, subject) == 0 &&
                kith_packet_expires_us(&c) == sqlite3_column_int64(st, 5);
    return same ? NULL : "its columns are not those of its bytes";
}

static int check_packets(lite_db *db, kith_error *err) {
    static const char sql[] =
        "SELECT p.id, s.key, p.epoch, p.seq, p.subj, p.exp, p.pid, p.body"
        " FROM pkt p LEFT JOIN src s ON s.id = p.src";
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db->sql, sql, -1, &st, NULL), r = 0;
    while (rc == SQLITE_OK && r == 0 && sqlite3_step(st) == SQLITE_ROW) {
        const char *fault = row_fault(st);
        if (fault != NULL) {
            r = ki_fail(err, KITH_E_CORRUPT, "packet of arrival %lld: %s",
                (long long) sqlite3_column_int64(st, 0), fault);
        }
    }
    rc = rc != SQLITE_OK ? rc : sqlite3_reset(st);
    (void) sqlite3_finalize(st);
    return r < 0 || rc == SQLITE_OK ? r : ki_lite_fail(db, rc, "packets", err);
}

static int check_heard(lite_db *db, kith_error *err) {
    int rc = SQLITE_OK;
    const char *fault = ki_lite_heard_fault(db, &rc);
    if (fault != NULL) {
        return ki_fail(err, KITH_E_CORRUPT, "an unsigned packet: %s", fault);
    }
    return rc == SQLITE_OK ? 0 : ki_lite_fail(db, rc, "unsigned packets", err);
}

/* Who writes it meanwhile may have changed what was read before: damage stays. Where
 * nobody has it open, SQLite's index says what was committed last. */
static int check_log(const char *path, kith_error *err) {
    char name[LITE_PATH + 8], index[LITE_PATH + 8], lock[LITE_PATH + 8];
    ki_log log;
    (void) snprintf(name, sizeof name, "%s-wal", path);
    (void) snprintf(index, sizeof index, "%s-shm", path);
    (void) snprintf(lock, sizeof lock, "%s-lock", path);
    int r = 0;
    for (int i = 0; i < LOOKS && r == 0 && (i == 0 || log.damaged); i++) {
        struct timespec pause = { .tv_nsec = PAUSE_NS };
        if (i > 0) (void) ppoll(NULL, 0, &pause, NULL);
        r = ki_log_scan(name, &log, NULL, NULL, err);
        if (r == 0 && !ki_lite_is_held(lock)) ki_log_compare(index, &log);
    }
    return r == 0 && log.damaged
               ? ki_fail(err, KITH_E_CORRUPT, "the log is damaged behind frame %u of %u",
                     log.valid, log.frames)
               : r;
}

static int check_epoch(const char *path, kith_error *err) {
    char beside[LITE_PATH];
    ki_epoch epoch;
    (void) snprintf(beside, sizeof beside, "%.980s-epoch", path);
    int r = ki_epoch_read(beside, &epoch, err);
    if (r == 0 && epoch.partial == 1) {
        r = ki_epoch_read(beside, &epoch, err); /* it may have been rising just then */
    }
    if (r == 0 && epoch.partial == 1) {
        r = ki_fail(
            err, KITH_E_CORRUPT, "%.200s: only one of its two copies is whole", beside);
    }
    return r == KITH_E_MISSING ? 0 : r;
}

int ki_lite_check(const char *place, const char *query, kith_error *err) {
    char path[LITE_PATH], waiting[LITE_PATH + 64];
    struct stat st = { 0 };
    lite_db db = { 0 };
    (void) query;
    int r = ki_lite_resolve(place, path, err);
    if (r < 0) {
        return r;
    }
    if (access(path, F_OK) != 0) {
        return ki_fail(err, KITH_E_MISSING, "%.200s: not there", path);
    }
    r = ki_lite_peek(path, err);
    if (r < 0) {
        return r;
    }
    r = check_epoch(path, err);
    if (r == 0 && ki_lite_salvage_waits(path, waiting)) {
        r = ki_fail(err, KITH_E_CORRUPT, "%.200s waits to be brought back", waiting);
    }
    if (r == 0 && stat(path, &st) == 0 && st.st_size == 0) {
        r = ki_fail(err, KITH_E_CORRUPT, "%.200s: no byte is left of it", path);
    }
    r = r < 0 ? r : check_log(path, err);
    lite_access how = ki_lite_may_only_look(path) ? LITE_LOOKS : LITE_READS;
    r = r < 0 ? r : ki_lite_db_open(&db, path, 8 << 20, how, err);
    if (r < 0) {
        return r;
    }
    (void) sqlite3_db_config(db.sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    int rc = ki_pages_scan(db.sql);
    r = rc == SQLITE_OK ? 0 : ki_lite_fail(&db, rc, "pages", err);
    r = r < 0 ? r : check_indexes(&db, err);
    r = r < 0 ? r : check_packets(&db, err);
    r = r < 0 ? r : check_heard(&db, err);
    ki_lite_db_close(&db);
    return r;
}
