/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include "harness.h"

#include <stdio.h>
#include <string.h>

static int failed(bare *b, const char *what) {
    return bench_failed(
        "%s: %s", what, b->sql == NULL ? "no handle" : sqlite3_errmsg(b->sql));
}

static bool run(bare *b, const char *sql) {
    return sqlite3_exec(b->sql, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool prepare(bare *b, sqlite3_stmt **ret, const char *sql) {
    return sqlite3_prepare_v3(b->sql, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) ==
           SQLITE_OK;
}

const char *bare_name(void) {
    static char name[160];
    snprintf(name, sizeof name,
        "SQLite %s, WAL, synchronous=FULL, %d MiB cache, prepared statements, the same "
        "tables and indexes",
        sqlite3_libversion(), BENCH_CACHE_MB);
    return name;
}

/* NOMUTEX: one thread has it. */
static int open_handle(bare *b, const char *path, int flags) {
    char settings[160];
    *b = (bare){ 0 };
    snprintf(settings, sizeof settings,
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = %d",
        -BENCH_CACHE_MB * 1024);
    if (sqlite3_open_v2(path, &b->sql, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
        !run(b, settings)) {
        return failed(b, path);
    }
    return 0;
}

static int statements(bare *b) {
    sqlite3_stmt *newest = NULL;
    if (!prepare(b, &b->begin, "BEGIN IMMEDIATE") || !prepare(b, &b->commit, "COMMIT") ||
        !prepare(b, &b->add,
            "INSERT INTO pkt(id, src, epoch, seq, subj, slot, exp, own, gone, at, way,"
            " pid, body) VALUES(?1, 1, 1, ?2, ?3, 4, ?4, 1, 0, ?5, 0, ?6, ?7)") ||
        !prepare(
            b, &b->range, "SELECT body FROM pkt WHERE subj >= ?1 AND subj < ?2 LIMIT ?3") ||
        !prepare(b, &newest, "SELECT coalesce(max(id), 0) FROM pkt") ||
        sqlite3_step(newest) != SQLITE_ROW) {
        sqlite3_finalize(newest);
        return failed(b, "prepare");
    }
    b->last = sqlite3_column_int64(newest, 0);
    b->seq = (uint64_t) b->last;
    sqlite3_finalize(newest);
    return 0;
}

int bare_open(bare *b, const char *path) {
    int r = open_handle(b, path, SQLITE_OPEN_READWRITE);
    return r < 0 ? r : statements(b);
}

static int add_table(void *ctx, int columns, char **values, char **names) {
    bare *b = ctx;
    (void) columns;
    (void) names;
    return values[0] == NULL || run(b, values[0]) ? 0 : 1;
}

int bare_create(bare *b, const char *path, const char *like) {
    bare model;
    if (open_handle(b, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) < 0 ||
        open_handle(&model, like, SQLITE_OPEN_READWRITE) < 0) {
        return -1;
    }
    bool fine = sqlite3_exec(model.sql,
                    "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%'",
                    add_table, b, NULL) == SQLITE_OK;
    bare_close(&model);
    return fine ? statements(b) : failed(b, "copy the schema");
}

void bare_close(bare *b) {
    sqlite3_finalize(b->begin);
    sqlite3_finalize(b->commit);
    sqlite3_finalize(b->add);
    sqlite3_finalize(b->range);
    sqlite3_close(b->sql);
    *b = (bare){ 0 };
}

static bool step(sqlite3_stmt *st) {
    (void) sqlite3_step(st);
    return sqlite3_reset(st) == SQLITE_OK;
}

static bool add_one(bare *b, const kith_key *key, kith_content *c) {
    kith_packet packet;
    uint8_t id[KITH_ID_SIZE];
    c->epoch = 1;
    c->seq = b->seq++;
    if (kith_packet_seal(c, key, &packet) != 0) {
        return false;
    }
    kith_packet_id(&packet, id);
    sqlite3_bind_int64(b->add, 1, ++b->last);
    sqlite3_bind_int64(b->add, 2, (sqlite3_int64) c->seq);
    sqlite3_bind_text(b->add, 3, c->address.subject, -1, SQLITE_STATIC);
    sqlite3_bind_int64(b->add, 4, kith_packet_expires_us(c));
    sqlite3_bind_int64(b->add, 5, c->t_end_us);
    sqlite3_bind_blob(b->add, 6, id, sizeof id, SQLITE_STATIC);
    sqlite3_bind_blob(b->add, 7, packet.bytes, packet.length, SQLITE_STATIC);
    return step(b->add);
}

int bare_post(bare *b, const kith_key *key, kith_content *contents, size_t count) {
    bool fine = count == 1 || step(b->begin);
    for (size_t i = 0; fine && i < count; i++) {
        fine = add_one(b, key, &contents[i]);
    }
    fine = fine && (count == 1 || step(b->commit));
    return fine ? 0 : failed(b, "post");
}

int bare_find(bare *b, const char *prefix, int limit, uint64_t *ret_bytes) {
    char low[KITH_SUBJECT_MAX + 2], high[KITH_SUBJECT_MAX + 2];
    snprintf(low, sizeof low, "%s.", prefix);
    snprintf(high, sizeof high, "%s/", prefix); /* '/' follows '.' */
    sqlite3_bind_text(b->range, 1, low, -1, SQLITE_STATIC);
    sqlite3_bind_text(b->range, 2, high, -1, SQLITE_STATIC);
    sqlite3_bind_int(b->range, 3, limit);
    int found = 0;
    kith_packet packet;
    *ret_bytes = 0;
    while (sqlite3_step(b->range) == SQLITE_ROW) {
        int n = sqlite3_column_bytes(b->range, 0);
        if (n < 1 || n > KITH_PACKET_MAX) {
            break;
        }
        memcpy(packet.bytes, sqlite3_column_blob(b->range, 0), (size_t) n);
        packet.length = (uint16_t) n;
        *ret_bytes += packet.length;
        found++;
    }
    return sqlite3_reset(b->range) == SQLITE_OK ? found : failed(b, "range");
}
