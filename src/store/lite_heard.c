/* SPDX-License-Identifier: Apache-2.0 */
/* Unsigned packets of older programs: a table of their own, touched by nothing that
 * handles signed ones. Room for them is made out of what has expired and of themselves. */
#include "store/lite.h"

#include <kith/address.h>

#include "base/check.h"

#include <string.h>

/* Numbers are never used twice, as arrivals are not: AUTOINCREMENT. */
const char ki_lite_heard_schema[] =
    "CREATE TABLE heard(id INTEGER PRIMARY KEY AUTOINCREMENT, hid BLOB NOT NULL UNIQUE,"
    " seed INTEGER NOT NULL, subj TEXT NOT NULL, exp INTEGER NOT NULL, at INTEGER NOT NULL,"
    " way INTEGER NOT NULL, topic BLOB NOT NULL, body BLOB NOT NULL);"
    "CREATE INDEX heard_subj ON heard(subj, id);"
    "CREATE INDEX heard_exp ON heard(exp);";

/* ---- in ---- */

static int add(lite *s, const kith_heard *h, int64_t way, int64_t now_us, bool *ret_new) {
    sqlite3_stmt *st = ki_lite_sql(&s->writer, SQL_HEARD_ADD);
    if (st == NULL) {
        return sqlite3_extended_errcode(s->writer.sql);
    }
    CHECK(h->topic_length + h->payload_length <= KITH_HEARD_MAX);
    (void) sqlite3_bind_blob(st, 1, h->id, KITH_ID_SIZE, SQLITE_STATIC);
    (void) sqlite3_bind_int(st, 2, h->seed);
    (void) sqlite3_bind_text(st, 3, h->subject, -1, SQLITE_STATIC);
    (void) sqlite3_bind_int64(st, 4, h->expires_us);
    (void) sqlite3_bind_int64(st, 5, now_us);
    (void) sqlite3_bind_int64(st, 6, way);
    (void) sqlite3_bind_blob(st, 7, h->bytes, h->topic_length, SQLITE_STATIC);
    (void) sqlite3_bind_blob(
        st, 8, h->bytes + h->topic_length, h->payload_length, SQLITE_STATIC);
    (void) sqlite3_step(st);
    int rc = sqlite3_reset(st);
    *ret_new = rc == SQLITE_OK && sqlite3_changes(s->writer.sql) > 0;
    return rc;
}

static int run_hear(lite *s, lite_job *job) {
    kith_heard *list = job->arg;
    size_t count = (size_t) job->block;
    int rc = ki_lite_room_heard(s, count, job->now_us);
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
        int64_t way = 0;
        bool fresh = false;
        rc = ki_lite_carrier(s, list[i].gateway, &way);
        rc = rc != SQLITE_OK ? rc : add(s, &list[i], way, job->now_us, &fresh);
        list[i].result = fresh ? 0 : KITH_DUPLICATE;
        list[i].arrived_us = job->now_us;
        list[i].number = fresh ? (uint64_t) sqlite3_last_insert_rowid(s->writer.sql) : 0;
    }
    return rc;
}

/* The job counts no rows: those would make room by driving out signed packets. */
int ki_lite_hear(
    void *self, kith_heard *list, size_t count, kith_time now, kith_error *err) {
    lite_job job = { .run = run_hear, .arg = list, .block = count, .now_us = now.wall_us };
    int r = ki_lite_commit(self, &job, err);
    bool full = r == KITH_E_SPACE && job.failed == r; /* the bound, not the disk */
    for (size_t i = 0; r < 0 && i < count; i++) {
        list[i].result = r;
    }
    return full ? 0 : r;
}

int ki_lite_heard_remove(lite *s, int64_t until_us, uint32_t at_most, uint32_t *ret_count) {
    sqlite3_stmt *st = ki_lite_sql(&s->writer, SQL_HEARD_DELETE);
    *ret_count = 0;
    if (st == NULL) {
        return sqlite3_extended_errcode(s->writer.sql);
    }
    (void) sqlite3_bind_int64(st, 1, until_us);
    (void) sqlite3_bind_int64(st, 2, at_most);
    (void) sqlite3_step(st);
    int rc = sqlite3_reset(st);
    *ret_count = rc == SQLITE_OK ? (uint32_t) sqlite3_changes(s->writer.sql) : 0;
    CHECK(*ret_count <= at_most);
    return rc;
}

/* ---- out ---- */

enum {
    COL_NUMBER,
    COL_AT,
    COL_EXP,
    COL_SEED,
    COL_ID,
    COL_SUBJECT,
    COL_TOPIC,
    COL_BODY,
    COL_GATEWAY,
};

static bool copy_text(sqlite3_stmt *st, int column, char *ret, size_t size) {
    const char *text = (const char *) sqlite3_column_text(st, column);
    size_t n = text == NULL ? 0 : (size_t) sqlite3_column_bytes(st, column);
    if (n >= size) {
        return false;
    }
    memcpy(ret, text == NULL ? "" : text, n);
    ret[n] = '\0';
    return true;
}

/* false: the row is not what we write; check says so, nobody else trips over it. */
static bool read_row(sqlite3_stmt *st, kith_heard *ret) {
    const void *id = sqlite3_column_blob(st, COL_ID);
    const void *topic = sqlite3_column_blob(st, COL_TOPIC);
    const void *body = sqlite3_column_blob(st, COL_BODY);
    int id_size = sqlite3_column_bytes(st, COL_ID);
    int n = sqlite3_column_bytes(st, COL_TOPIC), m = sqlite3_column_bytes(st, COL_BODY);
    int64_t seed = sqlite3_column_int64(st, COL_SEED);
    if (id == NULL || topic == NULL || body == NULL || id_size != KITH_ID_SIZE || n < 0 ||
        m < 0 || n + m > KITH_HEARD_MAX || (seed != 0 && seed != 1)) {
        return false;
    }
    *ret = (kith_heard){ .number = (uint64_t) sqlite3_column_int64(st, COL_NUMBER),
        .arrived_us = sqlite3_column_int64(st, COL_AT),
        .expires_us = sqlite3_column_int64(st, COL_EXP),
        .seed = (uint8_t) seed,
        .topic_length = (uint16_t) n,
        .payload_length = (uint16_t) m };
    memcpy(ret->id, id, KITH_ID_SIZE);
    memcpy(ret->bytes, topic, (size_t) n);
    memcpy(ret->bytes + n, body, (size_t) m);
    return copy_text(st, COL_SUBJECT, ret->subject, sizeof ret->subject) &&
           copy_text(st, COL_GATEWAY, ret->gateway, sizeof ret->gateway);
}

static sqlite3_stmt *choose(lite_db *db, const kith_query *q, uint8_t low[KITH_ID_SIZE],
    uint8_t high[KITH_ID_SIZE]) {
    bool one = q->pattern != NULL && kith_subject_valid(q->pattern);
    bool by_id = q->id_length > 0, down = q->newest_first;
    lite_sql which = by_id  ? down ? SQL_HEARD_ID_DOWN : SQL_HEARD_ID_UP
                     : one  ? down ? SQL_HEARD_SUBJECT_DOWN : SQL_HEARD_SUBJECT_UP
                     : down ? SQL_HEARD_DOWN
                            : SQL_HEARD_UP;
    sqlite3_stmt *st = ki_lite_sql(db, which);
    uint64_t after = q->after > INT64_MAX ? INT64_MAX : q->after;
    uint64_t before = q->before == 0 || q->before > INT64_MAX ? INT64_MAX : q->before;
    if (st == NULL) {
        return NULL;
    }
    (void) sqlite3_bind_int64(st, 1, (int64_t) after);
    (void) sqlite3_bind_int64(st, 2, (int64_t) before);
    if (by_id) {
        memset(low, 0, KITH_ID_SIZE);
        memset(high, 0xff, KITH_ID_SIZE);
        memcpy(low, q->id, q->id_length);
        memcpy(high, q->id, q->id_length);
        (void) sqlite3_bind_blob(st, 3, low, KITH_ID_SIZE, SQLITE_STATIC);
        (void) sqlite3_bind_blob(st, 4, high, KITH_ID_SIZE, SQLITE_STATIC);
    } else if (one) {
        (void) sqlite3_bind_text(st, 3, q->pattern, -1, SQLITE_STATIC);
    }
    return st;
}

static int walk(lite_db *db, const kith_query *q, kith_each_heard each, void *ctx) {
    uint8_t low[KITH_ID_SIZE], high[KITH_ID_SIZE];
    sqlite3_stmt *st = choose(db, q, low, high);
    if (st == NULL) {
        return sqlite3_extended_errcode(db->sql);
    }
    uint32_t given = 0;
    while (sqlite3_step(st) == SQLITE_ROW) {
        kith_heard h;
        if (!read_row(st, &h) ||
            (q->pattern != NULL && !kith_subject_matches(q->pattern, h.subject))) {
            continue;
        }
        h.expired = h.expires_us <= q->now_us;
        if (h.expired && !q->with_expired) {
            continue;
        }
        if (each(ctx, &h) == KITH_STOP || ++given == q->limit) {
            break;
        }
    }
    return sqlite3_reset(st);
}

int ki_lite_heard(
    void *self, const kith_query *query, kith_each_heard each, void *ctx, kith_error *err) {
    lite_db *db = NULL;
    int r = ki_lite_reader(self, &db, err);
    if (r < 0) {
        return r;
    }
    /* An older store on a medium that may not be changed has no such table. */
    int rc = db->version < SCHEMA_HEARD ? SQLITE_OK : walk(db, query, each, ctx);
    r = rc == SQLITE_OK ? 0 : ki_lite_fail(db, rc, "heard", err);
    ki_lite_reader_back(self, db, rc);
    return r;
}

/* ---- check ---- */

const char *ki_lite_heard_fault(lite_db *db, int *ret_rc) {
    static const kith_query all = { .with_expired = true };
    const char *fault = NULL;
    uint8_t id[KITH_ID_SIZE];
    sqlite3_stmt *st = db->version < SCHEMA_HEARD ? NULL : choose(db, &all, id, id);
    *ret_rc = st == NULL && db->version >= SCHEMA_HEARD ? sqlite3_extended_errcode(db->sql)
                                                        : SQLITE_OK;
    while (st != NULL && fault == NULL && sqlite3_step(st) == SQLITE_ROW) {
        kith_heard h, again;
        if (!read_row(st, &h)) {
            fault = "a column is missing";
        } else if (kith_heard_read(h.seed, h.bytes, h.topic_length,
                       h.bytes + h.topic_length, h.payload_length, &again) < 0) {
            fault = "its bytes are no packet of an older program";
        } else if (memcmp(h.id, again.id, sizeof h.id) != 0 ||
                   strcmp(h.subject, again.subject) != 0 ||
                   h.expires_us != again.expires_us) {
            fault = "its columns are not those of its bytes";
        }
    }
    *ret_rc = st != NULL && *ret_rc == SQLITE_OK ? sqlite3_reset(st) : *ret_rc;
    return fault;
}
