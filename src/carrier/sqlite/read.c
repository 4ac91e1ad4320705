/* SPDX-License-Identifier: Apache-2.0 */
/* Rows to items: one after the other, or, far behind and wanting little, by the index. */
#include "base/check.h"
#include "carrier/sqlite/work.h"

#include <string.h>

static void hand_over(worker *w, ki_service *s) {
    if (ki_patterns_want(&w->patterns, w->item.from.subject)) {
        ki_service_offer(s, &(const kith_item *){ &w->item }, 1);
    }
}

/* A value too long to be read: over it. */
static int skip_one(worker *w, ki_service *s, kith_error *err) {
    int r = ki_db_number(&w->db, DB_NEXT, w->last, &w->last, err);
    ki_service_count(s, 1, 0);
    return r;
}

/* Rows in order behind `last`. 0: there may be more; KITH_EMPTY: that was all;
 * KITH_FULL: no room. */
static int read_on(worker *w, ki_service *s, kith_error *err) {
    sqlite3_stmt *stmt = w->db.statements[DB_AFTER];
    (void) sqlite3_bind_int64(stmt, 1, w->last);
    int code, rows = 0;
    bool room = true;
    while ((room = ki_service_room(s) > 0) && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        rows++;
        if (ki_db_row(stmt, &w->last, &w->item) == 0) {
            hand_over(w, s);
        } else {
            ki_service_count(s, 1, 0);
        }
    }
    (void) sqlite3_reset(stmt);
    if (!room) {
        return KITH_FULL;
    }
    if (code == SQLITE_TOOBIG) {
        return skip_one(w, s, err);
    }
    if (code != SQLITE_DONE) {
        return ki_db_fail(&w->db, code, "read", err);
    }
    return rows == 0 ? KITH_EMPTY : 0;
}

/* The subjects one pattern can match, as a range of the index: '.' is followed by
 * '/', and '!' comes before all that a subject may contain. False: all of them. */
static bool range_of(const char *pattern, char low[], char high[]) {
    size_t n = strcspn(pattern, "*>");
    if (n == 0) {
        return false;
    }
    bool exact = pattern[n] == '\0';
    memcpy(low, pattern, n);
    memcpy(high, pattern, n);
    low[n] = '\0';
    high[n] = exact ? '!' : '\0';
    high[n + (exact ? 1 : 0)] = '\0';
    high[n - 1] = exact ? high[n - 1] : '/';
    return true;
}

/* Far behind and wanting little: finds the wanted ids by the index instead of
 * reading every row. True: there are some, or all up to ids_top are dealt with. */
static bool find_backlog(worker *w, kith_error *err, int *ret) {
    char low[KITH_SUBJECT_MAX + 2], high[KITH_SUBJECT_MAX + 2];
    int64_t top = w->last;
    *ret = ki_db_number(&w->db, DB_LAST, 0, &top, err);
    if (*ret < 0 || top - w->last < DB_IDS || w->patterns.count != 1 ||
        !range_of(w->patterns.text[0], low, high)) {
        return false;
    }
    sqlite3_stmt *stmt = w->db.statements[DB_RANGE];
    (void) sqlite3_bind_int64(stmt, 1, w->last);
    (void) sqlite3_bind_text(stmt, 2, low, -1, SQLITE_STATIC);
    (void) sqlite3_bind_text(stmt, 3, high, -1, SQLITE_STATIC);
    (void) sqlite3_bind_int64(stmt, 4, top);
    (void) sqlite3_bind_int64(stmt, 5, DB_IDS);
    int code;
    w->ids_at = w->ids_count = 0;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        w->ids[w->ids_count++] = sqlite3_column_int64(stmt, 0);
    }
    (void) sqlite3_reset(stmt);
    (void) sqlite3_clear_bindings(stmt);
    if (code != SQLITE_DONE) {
        w->ids_count = 0;
        *ret = ki_db_fail(&w->db, code, "read", err);
        return false;
    }
    w->ids_top = w->ids_count < DB_IDS ? top : w->ids[DB_IDS - 1];
    w->last = w->ids_count == 0 ? top : w->last;
    return true;
}

/* As read_on. */
static int read_backlog(worker *w, ki_service *s, kith_error *err) {
    sqlite3_stmt *stmt = w->db.statements[DB_ONE];
    while (w->ids_at < w->ids_count) {
        if (ki_service_room(s) == 0) {
            return KITH_FULL;
        }
        int64_t id = w->ids[w->ids_at++];
        (void) sqlite3_bind_int64(stmt, 1, id);
        int code = sqlite3_step(stmt);
        bool good = code == SQLITE_ROW && ki_db_row(stmt, &id, &w->item) == 0;
        (void) sqlite3_reset(stmt);
        if (good) {
            hand_over(w, s);
        } else if (code == SQLITE_ROW || code == SQLITE_TOOBIG) {
            ki_service_count(s, 1, 0);
        } else if (code != SQLITE_DONE) { /* done: it expired meanwhile */
            return ki_db_fail(&w->db, code, "read", err);
        }
        w->last = id;
    }
    w->last = w->ids_top;
    w->ids_count = w->ids_at = 0;
    return 0;
}

bool ki_sqlite_read(worker *w, ki_service *s) {
    kith_error why = { 0 };
    int r = 0;
    if (w->ids_count > 0 || find_backlog(w, &why, &r)) {
        r = read_backlog(w, s, &why);
    } else if (r == 0) {
        r = read_on(w, s, &why);
    }
    if (r < 0) {
        ki_service_sick(s, &why);
    }
    w->news = r != KITH_EMPTY;
    return r == 0;
}
