/* SPDX-License-Identifier: Apache-2.0 */
/* Questions. Each takes a reader from the pool, so that nobody who asks waits for
 * somebody who posts; what is read is one moment's state. */
#include "store/lite_ask.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

static int one_subject(asker *a, const char *subject, bool down) {
    sqlite3_stmt *st = ki_ask_bounded(a, down ? SQL_SUBJECT_DOWN : SQL_SUBJECT_UP);
    if (st == NULL) {
        return ki_ask_trouble(a);
    }
    a->sure = true;
    (void) sqlite3_bind_text(st, 3, subject, -1, SQLITE_STATIC);
    return ki_ask_walk(a, st, ASK_ALL);
}

static int show_subject(asker *a, void *arg, const char *subject) {
    (void) arg;
    return one_subject(a, subject, false);
}

static int by_subject(asker *a, const char *pattern) {
    if (ki_skip_reach(pattern) != REACH_RANGE) {
        return ki_ask_each_subject(a, pattern, show_subject, NULL);
    }
    char from[SKIP_ROOM], to[SKIP_ROOM];
    ki_skip_first(pattern, from);
    memcpy(to, from, sizeof to);
    to[strlen(to) - 1] = '/';
    bool all = a->lo == 0 && a->hi == INT64_MAX; /* arrivals begin at 1 */
    sqlite3_stmt *st = ki_ask_bounded(a, all ? SQL_RANGE_ALL : SQL_RANGE);
    if (st == NULL) {
        return ki_ask_trouble(a);
    }
    a->sure = true;
    (void) sqlite3_bind_text(st, 3, from, -1, SQLITE_STATIC);
    (void) sqlite3_bind_text(st, 4, to, -1, SQLITE_STATIC);
    return ki_ask_walk(a, st, ASK_ALL);
}

/* ---- a pattern in arrival order: gather, sort, fetch ---- */

typedef struct ids {
    int64_t *at;
    size_t count, room;
} ids;

static int gather(asker *a, ids *list, sqlite3_stmt *st) {
    while (sqlite3_step(st) == SQLITE_ROW) {
        if (list->count == list->room) {
            size_t room = list->room == 0 ? 256 : list->room * 2;
            int64_t *more = realloc(list->at, room * sizeof *more);
            if (more == NULL) {
                (void) sqlite3_reset(st);
                return SQLITE_NOMEM;
            }
            list->at = more;
            list->room = room;
        }
        list->at[list->count++] = sqlite3_column_int64(st, 0);
    }
    (void) a;
    return sqlite3_reset(st);
}

static int gather_subject(asker *a, void *arg, const char *subject) {
    sqlite3_stmt *st = ki_ask_bounded(a, SQL_SUBJECT_IDS);
    if (st == NULL) {
        return ki_ask_trouble(a);
    }
    (void) sqlite3_bind_text(st, 3, subject, -1, SQLITE_STATIC);
    return gather(a, arg, st);
}

static int gather_ids(asker *a, ids *list) {
    uint8_t low[KITH_ID_SIZE] = { 0 }, high[KITH_ID_SIZE];
    const kith_query *q = a->query;
    memset(high, 0xff, sizeof high);
    memcpy(low, q->id, q->id_length);
    memcpy(high, q->id, q->id_length);
    sqlite3_stmt *st = ki_ask_bounded(a, SQL_ID_PREFIX);
    if (st == NULL) {
        return ki_ask_trouble(a);
    }
    (void) sqlite3_bind_blob(st, 3, low, sizeof low, SQLITE_STATIC);
    (void) sqlite3_bind_blob(st, 4, high, sizeof high, SQLITE_STATIC);
    return gather(a, list, st);
}

static int up(const void *a, const void *b) {
    int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
    return (x > y) - (x < y);
}

static int sorted(asker *a) {
    const kith_query *q = a->query;
    ids list = { 0 };
    int rc = q->id_length > 0 ? gather_ids(a, &list)
                              : ki_ask_each_subject(a, q->pattern, gather_subject, &list);
    if (list.count > 0) {
        qsort(list.at, list.count, sizeof *list.at, up);
    }
    for (size_t i = 0; rc == SQLITE_OK && !a->stopped && i < list.count; i++) {
        rc = ki_ask_fetch(a, list.at[q->newest_first ? list.count - 1 - i : i]);
    }
    free(list.at);
    return rc;
}

/* Wide patterns find enough among the first few; narrow ones never would. */
static int by_arrival(asker *a) {
    const kith_query *q = a->query;
    uint64_t few = q->limit == 0 ? 0 : 256 + 4 * (uint64_t) q->limit;
    if (few > 0) {
        sqlite3_stmt *st = ki_ask_bounded(a, q->newest_first ? SQL_SCAN_DOWN : SQL_SCAN_UP);
        int rc = st == NULL ? ki_ask_trouble(a) : ki_ask_walk(a, st, few);
        if (rc != SQLITE_OK || a->stopped || a->looked < few) {
            return rc;
        }
        *(q->newest_first ? &a->hi : &a->lo) = a->last;
    }
    return sorted(a);
}

static int find(asker *a) {
    const kith_query *q = a->query;
    if (q->id_length > 0) {
        return sorted(a);
    }
    switch (ki_skip_reach(q->pattern)) {
    case REACH_ONE: return one_subject(a, q->pattern, q->newest_first && !q->by_subject);
    case REACH_ALL:
        if (!q->by_subject) {
            sqlite3_stmt *st =
                ki_ask_bounded(a, q->newest_first ? SQL_SCAN_DOWN : SQL_SCAN_UP);
            return st == NULL ? ki_ask_trouble(a) : ki_ask_walk(a, st, ASK_ALL);
        }
        return ki_ask_each_subject(a, ">", show_subject, NULL);
    default: return q->by_subject ? by_subject(a, q->pattern) : by_arrival(a);
    }
}

/* Several statements must see one moment's state; one does by itself. */
static bool is_one_statement(const kith_query *q) {
    ki_reach reach = ki_skip_reach(q->pattern);
    return q->id_length == 0 &&
           (reach == REACH_ONE || (reach == REACH_RANGE && q->by_subject) ||
               (reach == REACH_ALL && !q->by_subject));
}

int ki_lite_find(
    void *self, const kith_query *query, kith_each each, void *ctx, kith_error *err) {
    asker a = {
        .query = query,
        .each = each,
        .ctx = ctx,
        .left = query->limit,
        .lo = ki_ask_bound(query->after),
        .hi = query->before == 0 ? INT64_MAX : ki_ask_bound(query->before),
    };
    int r = ki_lite_reader(self, &a.db, err);
    if (r < 0) {
        return r;
    }
    int rc = is_one_statement(query) ? SQLITE_OK : ki_lite_do(a.db, SQL_READ_BEGIN);
    rc = rc != SQLITE_OK ? rc : find(&a);
    return ki_ask_answer(self, a.db, rc, "find", err);
}
