/* SPDX-License-Identifier: Apache-2.0 */
#include "store/lite_ask.h"

#include <kith/address.h>

#include "base/check.h"
#include "base/fail.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- readers ---- */

static bool healthy(lite *s) {
    struct stat st;
    return !atomic_load(&s->damaged) && stat(s->path, &st) == 0 &&
           st.st_ino == atomic_load(&s->file);
}

int ki_lite_reader(lite *s, lite_db **ret, kith_error *err) {
    if (!s->looks && !healthy(s)) {
        int r = ki_lite_ride(s, err); /* its leader looks after the file */
        if (r < 0) return r;
    }
    (void) pthread_mutex_lock(&s->pool_lock);
    lite_db *db = s->idle;
    if (db != NULL) {
        s->idle = db->next;
        s->idle_count--;
    }
    (void) pthread_mutex_unlock(&s->pool_lock);
    if (db != NULL) {
        *ret = db;
        return 0;
    }
    db = malloc(sizeof *db);
    if (db == NULL) {
        return ki_fail(err, KITH_E_MEMORY, "no memory");
    }
    uint64_t era = atomic_load(&s->era);
    lite_access access = s->looks ? LITE_LOOKS : LITE_READS;
    int r = ki_lite_db_open(db, s->path, s->options.cache, access, err);
    db->era = era;
    if (r < 0) {
        free(db);
        return r;
    }
    *ret = db;
    return 0;
}

void ki_lite_reader_back(lite *s, lite_db *db, int rc) {
    CHECK(db->sql != NULL);
    if (ki_lite_code(rc) == KITH_E_CORRUPT && rc != SQLITE_OK && rc != SQLITE_DONE) {
        atomic_store(&s->damaged, true);
    }
    if (sqlite3_get_autocommit(db->sql) == 0) {
        (void) ki_lite_do(db, SQL_COMMIT);
    }
    (void) pthread_mutex_lock(&s->pool_lock);
    /* Who only looks opens each time: whether somebody writes may have changed. */
    bool keep =
        !s->looks && s->idle_count < LITE_IDLE_MAX && db->era == atomic_load(&s->era);
    CHECK(s->idle_count <= LITE_IDLE_MAX);
    if (keep) {
        db->next = s->idle;
        s->idle = db;
        s->idle_count++;
    }
    (void) pthread_mutex_unlock(&s->pool_lock);
    if (!keep) {
        ki_lite_db_close(db);
        free(db);
    }
}

int ki_ask_answer(lite *s, lite_db *db, int rc, const char *what, kith_error *err) {
    int r = rc == SQLITE_OK || rc == SQLITE_DONE ? 0 : ki_lite_fail(db, rc, what, err);
    ki_lite_reader_back(s, db, rc);
    return r;
}

/* ---- one record ---- */

static int way_name(asker *a, int64_t way) {
    if (way == a->way) {
        return SQLITE_OK;
    }
    a->record.way[0] = '\0';
    sqlite3_stmt *st = way == 0 ? NULL : ki_lite_sql(a->db, SQL_CARRIER_NAME);
    if (st == NULL) {
        a->way = way;
        return way == 0 ? SQLITE_OK : sqlite3_extended_errcode(a->db->sql);
    }
    (void) sqlite3_bind_int64(st, 1, way);
    if (sqlite3_step(st) == SQLITE_ROW) {
        const char *name = (const char *) sqlite3_column_text(st, 0);
        size_t n = name == NULL ? 0 : strnlen(name, KITH_WAY_MAX);
        memcpy(a->record.way, name == NULL ? "" : name, n);
        a->record.way[n] = '\0';
    }
    a->way = way;
    return sqlite3_reset(st);
}

/* The columns of BARE_RECORD, in their order; each is read once. */
enum {
    COL_ID,
    COL_AT,
    COL_EXP,
    COL_OWN,
    COL_GONE,
    COL_WAY,
    COL_PID,
    COL_BODY,
    COL_SUBJECT, /* not in every statement */
};

static bool wanted(const asker *a, sqlite3_stmt *st, const uint8_t *id) {
    const kith_query *q = a->query;
    const kith_record *r = &a->record;
    if ((r->expired && !q->with_expired) || (r->retracted && !q->with_retracted) ||
        (q->origin == KITH_ORIGIN_OWN && !r->own) ||
        (q->origin == KITH_ORIGIN_FOREIGN && r->own) ||
        (q->id_length > 0 && memcmp(id, q->id, q->id_length) != 0)) {
        return false;
    }
    if (q->pattern == NULL || a->sure) {
        return true;
    }
    const char *subject = (const char *) sqlite3_column_text(st, COL_SUBJECT);
    return subject != NULL && kith_subject_matches(q->pattern, subject);
}

/* Hands on one row. SQLITE_OK: next, please. */
static int emit(asker *a, sqlite3_stmt *st) {
    kith_record *r = &a->record;
    r->arrival = (uint64_t) sqlite3_column_int64(st, COL_ID);
    r->arrived_us = sqlite3_column_int64(st, COL_AT);
    r->expires_us = sqlite3_column_int64(st, COL_EXP);
    r->own = sqlite3_column_int(st, COL_OWN) != 0;
    r->retracted = sqlite3_column_int(st, COL_GONE) != 0;
    r->expired = a->query != NULL && r->expires_us <= a->query->now_us;
    a->looked++;
    a->last = (int64_t) r->arrival;
    const void *pid = sqlite3_column_blob(st, COL_PID);
    if (pid == NULL || sqlite3_column_bytes(st, COL_PID) != KITH_ID_SIZE) {
        return SQLITE_CORRUPT;
    }
    if (a->query != NULL && !wanted(a, st, pid)) {
        return SQLITE_OK;
    }
    memcpy(r->id, pid, KITH_ID_SIZE);
    const void *body = sqlite3_column_blob(st, COL_BODY);
    int length = sqlite3_column_bytes(st, COL_BODY);
    if (body == NULL || length > KITH_PACKET_MAX) {
        return SQLITE_CORRUPT;
    }
    r->packet.length = (uint16_t) length;
    memcpy(r->packet.bytes, body, (size_t) length);
    int rc = way_name(a, sqlite3_column_int64(st, COL_WAY));
    if (rc != SQLITE_OK) {
        return rc;
    }
    a->stopped = a->each(a->ctx, r) == KITH_STOP || --a->left == 0;
    return SQLITE_OK;
}

int ki_ask_walk(asker *a, sqlite3_stmt *st, uint64_t most) {
    int rc = SQLITE_OK, step = SQLITE_ROW;
    CHECK(st != NULL);
    CHECK(a->each != NULL);
    uint64_t until = a->looked + most;
    while (rc == SQLITE_OK && !a->stopped && a->looked < until) {
        step = sqlite3_step(st);
        if (step != SQLITE_ROW) {
            break;
        }
        rc = emit(a, st);
    }
    int end = sqlite3_reset(st);
    return rc != SQLITE_OK ? rc : end;
}

sqlite3_stmt *ki_ask_bounded(asker *a, lite_sql which) {
    sqlite3_stmt *st = ki_lite_sql(a->db, which);
    if (st != NULL) {
        (void) sqlite3_bind_int64(st, 1, a->lo);
        (void) sqlite3_bind_int64(st, 2, a->hi);
    }
    return st;
}

int ki_ask_trouble(const asker *a) {
    return sqlite3_extended_errcode(a->db->sql);
}

int ki_ask_fetch(asker *a, int64_t id) {
    sqlite3_stmt *st = ki_lite_sql(a->db, SQL_PKT_BY_ID);
    if (st == NULL) {
        return ki_ask_trouble(a);
    }
    (void) sqlite3_bind_int64(st, 1, id);
    return ki_ask_walk(a, st, 1);
}

/* ---- from subject to subject ---- */

static int next_subject(asker *a, const char *from, char ret[SKIP_ROOM], bool *ret_found) {
    sqlite3_stmt *st = ki_lite_sql(a->db, SQL_NEXT_SUBJECT);
    if (st == NULL) {
        return ki_ask_trouble(a);
    }
    (void) sqlite3_bind_text(st, 1, from, -1, SQLITE_STATIC);
    *ret_found = false;
    if (sqlite3_step(st) == SQLITE_ROW) {
        const char *text = (const char *) sqlite3_column_text(st, 0);
        size_t n = text == NULL ? 0 : strnlen(text, KITH_SUBJECT_MAX);
        memcpy(ret, text == NULL ? "" : text, n);
        ret[n] = '\0';
        *ret_found = text != NULL;
    }
    return sqlite3_reset(st);
}

int ki_ask_each_subject(asker *a, const char *pattern, ki_ask_subject fn, void *arg) {
    char seek[SKIP_ROOM], subject[SKIP_ROOM];
    bool found = true, more = true;
    ki_skip_first(pattern, seek);
    while (more && !a->stopped) {
        int rc = next_subject(a, seek, subject, &found);
        if (rc != SQLITE_OK || !found) {
            return rc;
        }
        if (kith_subject_matches(pattern, subject)) {
            rc = fn(a, arg, subject);
            if (rc != SQLITE_OK) return rc;
        }
        more = ki_skip_next(pattern, subject, seek);
    }
    return SQLITE_OK;
}
