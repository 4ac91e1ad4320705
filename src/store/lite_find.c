/* SPDX-License-Identifier: Apache-2.0 */
/* Questions. Each takes a reader from the pool, so that nobody who asks waits for
 * somebody who posts; what is read is one moment's state. */
#include "store/lite.h"

#include <kith/address.h>

#include "base/check.h"
#include "base/fail.h"
#include "store/skip.h"

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
    if (!healthy(s)) {
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
    int r = ki_lite_db_open(db, s->path, s->options.cache, false, err);
    db->era = era;
    if (r < 0) {
        free(db);
        return r;
    }
    *ret = db;
    return 0;
}

void ki_lite_reader_back(lite *s, lite_db *db, int rc) {
    if (ki_lite_code(rc) == KITH_E_CORRUPT && rc != SQLITE_OK && rc != SQLITE_DONE) {
        atomic_store(&s->damaged, true);
    }
    if (sqlite3_get_autocommit(db->sql) == 0) {
        (void) ki_lite_do(db, SQL_COMMIT);
    }
    (void) pthread_mutex_lock(&s->pool_lock);
    bool keep = s->idle_count < LITE_IDLE_MAX && db->era == atomic_load(&s->era);
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

static int answer(lite *s, lite_db *db, int rc, const char *what, kith_error *err) {
    int r = rc == SQLITE_OK || rc == SQLITE_DONE ? 0 : ki_lite_fail(db, rc, what, err);
    ki_lite_reader_back(s, db, rc);
    return r;
}

/* ---- one record ---- */

typedef struct asker {
    lite_db *db;
    const kith_query *query;
    kith_each each;
    void *ctx;
    uint32_t left; /* 0: no limit */
    bool stopped;
    bool sure; /* the statement gives only what the pattern matches */
    int64_t lo, hi;
    uint64_t looked; /* rows, for whoever has had enough of looking */
    int64_t last;    /* the arrival of the last row looked at */
    kith_record record;
    int64_t way; /* whose name is in record.way */
} asker;

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

static int fill(asker *a, sqlite3_stmt *st) {
    kith_record *r = &a->record;
    const void *pid = sqlite3_column_blob(st, 6), *body = sqlite3_column_blob(st, 7);
    int length = sqlite3_column_bytes(st, 7);
    if (pid == NULL || body == NULL || sqlite3_column_bytes(st, 6) != KITH_ID_SIZE ||
        length > KITH_PACKET_MAX) {
        return SQLITE_CORRUPT;
    }
    r->arrival = (uint64_t) sqlite3_column_int64(st, 0);
    r->arrived_us = sqlite3_column_int64(st, 1);
    r->expires_us = sqlite3_column_int64(st, 2);
    r->own = sqlite3_column_int(st, 3) != 0;
    r->retracted = sqlite3_column_int(st, 4) != 0;
    memcpy(r->id, pid, KITH_ID_SIZE);
    r->packet.length = (uint16_t) length;
    memcpy(r->packet.bytes, body, (size_t) length);
    return way_name(a, sqlite3_column_int64(st, 5));
}

static bool wanted(const asker *a, sqlite3_stmt *st) {
    const kith_query *q = a->query;
    if (q == NULL) {
        return true;
    }
    bool expired = sqlite3_column_int64(st, 2) <= q->now_us;
    bool own = sqlite3_column_int(st, 3) != 0;
    if ((expired && !q->with_expired) ||
        (sqlite3_column_int(st, 4) != 0 && !q->with_retracted) ||
        (q->origin == KITH_ORIGIN_OWN && !own) ||
        (q->origin == KITH_ORIGIN_FOREIGN && own)) {
        return false;
    }
    if (q->id_length > 0) {
        const void *pid = sqlite3_column_blob(st, 6);
        if (pid == NULL || sqlite3_column_bytes(st, 6) != KITH_ID_SIZE ||
            memcmp(pid, q->id, q->id_length) != 0) {
            return false;
        }
    }
    if (q->pattern == NULL || a->sure) {
        return true;
    }
    const char *subject = (const char *) sqlite3_column_text(st, 8);
    return subject != NULL && kith_subject_matches(q->pattern, subject);
}

/* Hands on one row. SQLITE_OK: next, please. */
static int emit(asker *a, sqlite3_stmt *st) {
    a->looked++;
    a->last = sqlite3_column_int64(st, 0);
    if (!wanted(a, st)) {
        return SQLITE_OK;
    }
    int rc = fill(a, st);
    if (rc != SQLITE_OK) {
        return rc;
    }
    a->record.expired = a->query != NULL && a->record.expires_us <= a->query->now_us;
    a->stopped = a->each(a->ctx, &a->record) == KITH_STOP || --a->left == 0;
    return SQLITE_OK;
}

/* Steps through a statement that is bound, at most `most` rows. */
static int walk(asker *a, sqlite3_stmt *st, uint64_t most) {
    int rc = SQLITE_OK, step = SQLITE_ROW;
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

static sqlite3_stmt *bounded(asker *a, lite_sql which) {
    sqlite3_stmt *st = ki_lite_sql(a->db, which);
    if (st != NULL) {
        (void) sqlite3_bind_int64(st, 1, a->lo);
        (void) sqlite3_bind_int64(st, 2, a->hi);
    }
    return st;
}

static int trouble(const asker *a) {
    return sqlite3_extended_errcode(a->db->sql);
}

static int one_subject(asker *a, const char *subject, bool down) {
    sqlite3_stmt *st = bounded(a, down ? SQL_SUBJECT_DOWN : SQL_SUBJECT_UP);
    if (st == NULL) {
        return trouble(a);
    }
    a->sure = true;
    (void) sqlite3_bind_text(st, 3, subject, -1, SQLITE_STATIC);
    return walk(a, st, UINT64_MAX / 2);
}

/* ---- from subject to subject ---- */

typedef int (*subject_fn)(asker *a, void *arg, const char *subject);

static int next_subject(asker *a, const char *from, char ret[SKIP_ROOM], bool *ret_found) {
    sqlite3_stmt *st = ki_lite_sql(a->db, SQL_NEXT_SUBJECT);
    if (st == NULL) {
        return trouble(a);
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

static int each_subject(asker *a, const char *pattern, subject_fn fn, void *arg) {
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

static int show_subject(asker *a, void *arg, const char *subject) {
    (void) arg;
    return one_subject(a, subject, false);
}

static int by_subject(asker *a, const char *pattern) {
    if (ki_skip_reach(pattern) != REACH_RANGE) {
        return each_subject(a, pattern, show_subject, NULL);
    }
    char from[SKIP_ROOM], to[SKIP_ROOM];
    ki_skip_first(pattern, from);
    memcpy(to, from, sizeof to);
    to[strlen(to) - 1] = '/';
    sqlite3_stmt *st = bounded(a, SQL_RANGE);
    if (st == NULL) {
        return trouble(a);
    }
    a->sure = true;
    (void) sqlite3_bind_text(st, 3, from, -1, SQLITE_STATIC);
    (void) sqlite3_bind_text(st, 4, to, -1, SQLITE_STATIC);
    return walk(a, st, UINT64_MAX / 2);
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
    sqlite3_stmt *st = bounded(a, SQL_SUBJECT_IDS);
    if (st == NULL) {
        return trouble(a);
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
    sqlite3_stmt *st = bounded(a, SQL_ID_PREFIX);
    if (st == NULL) {
        return trouble(a);
    }
    (void) sqlite3_bind_blob(st, 3, low, sizeof low, SQLITE_STATIC);
    (void) sqlite3_bind_blob(st, 4, high, sizeof high, SQLITE_STATIC);
    return gather(a, list, st);
}

static int up(const void *a, const void *b) {
    int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
    return (x > y) - (x < y);
}

static int fetch(asker *a, int64_t id) {
    sqlite3_stmt *st = ki_lite_sql(a->db, SQL_PKT_BY_ID);
    if (st == NULL) {
        return trouble(a);
    }
    (void) sqlite3_bind_int64(st, 1, id);
    return walk(a, st, 1);
}

static int sorted(asker *a) {
    const kith_query *q = a->query;
    ids list = { 0 };
    int rc = q->id_length > 0 ? gather_ids(a, &list)
                              : each_subject(a, q->pattern, gather_subject, &list);
    if (list.count > 0) {
        qsort(list.at, list.count, sizeof *list.at, up);
    }
    for (size_t i = 0; rc == SQLITE_OK && !a->stopped && i < list.count; i++) {
        rc = fetch(a, list.at[q->newest_first ? list.count - 1 - i : i]);
    }
    free(list.at);
    return rc;
}

/* Wide patterns find enough among the first few; narrow ones never would. */
static int by_arrival(asker *a) {
    const kith_query *q = a->query;
    uint64_t few = q->limit == 0 ? 0 : 256 + 4 * (uint64_t) q->limit;
    if (few > 0) {
        sqlite3_stmt *st = bounded(a, q->newest_first ? SQL_SCAN_DOWN : SQL_SCAN_UP);
        int rc = st == NULL ? trouble(a) : walk(a, st, few);
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
            sqlite3_stmt *st = bounded(a, q->newest_first ? SQL_SCAN_DOWN : SQL_SCAN_UP);
            return st == NULL ? trouble(a) : walk(a, st, UINT64_MAX / 2);
        }
        return each_subject(a, ">", show_subject, NULL);
    default: return q->by_subject ? by_subject(a, q->pattern) : by_arrival(a);
    }
}

static int64_t bound(uint64_t n) {
    return n > INT64_MAX ? INT64_MAX : (int64_t) n;
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
        .lo = bound(query->after),
        .hi = query->before == 0 ? INT64_MAX : bound(query->before),
    };
    int r = ki_lite_reader(self, &a.db, err);
    if (r < 0) {
        return r;
    }
    int rc = is_one_statement(query) ? SQLITE_OK : ki_lite_do(a.db, SQL_READ_BEGIN);
    rc = rc != SQLITE_OK ? rc : find(&a);
    return answer(self, a.db, rc, "find", err);
}

/* ---- latest ---- */

typedef struct slot {
    int64_t slot, src, epoch, seq, id;
    uint8_t key[KITH_TEMPLATE_SIZE + KITH_KEY_SIZE + 1]; /* template, source, type */
} slot;

typedef struct slots {
    slot *at;
    size_t count, room;
    int64_t now_us;
} slots;

static int newest_first(const void *a, const void *b) {
    const slot *x = a, *y = b;
    if (x->slot != y->slot) return x->slot < y->slot ? -1 : 1;
    if (x->src != y->src) return x->src < y->src ? -1 : 1;
    if (x->epoch != y->epoch) return x->epoch > y->epoch ? -1 : 1;
    return (x->seq < y->seq) - (x->seq > y->seq);
}

static int by_key(const void *a, const void *b) {
    return memcmp(
        ((const slot *) a)->key, ((const slot *) b)->key, sizeof((slot *) 0)->key);
}

static int gather_slots(asker *a, slots *list, const char *subject) {
    sqlite3_stmt *st = ki_lite_sql(a->db, SQL_SUBJECT_SLOTS);
    if (st == NULL) {
        return trouble(a);
    }
    (void) sqlite3_bind_text(st, 1, subject, -1, SQLITE_STATIC);
    list->count = 0;
    while (sqlite3_step(st) == SQLITE_ROW) {
        if (list->count == list->room) {
            size_t room = list->room == 0 ? 64 : list->room * 2;
            slot *more = realloc(list->at, room * sizeof *more);
            if (more == NULL) {
                (void) sqlite3_reset(st);
                return SQLITE_NOMEM;
            }
            list->at = more;
            list->room = room;
        }
        list->at[list->count++] = (slot){
            .slot = sqlite3_column_int64(st, 0),
            .src = sqlite3_column_int64(st, 1),
            .epoch = sqlite3_column_int64(st, 2),
            .seq = sqlite3_column_int64(st, 3),
            .id = sqlite3_column_int64(st, 4),
        };
    }
    return sqlite3_reset(st);
}

/* Does it live? Then its key is read from its bytes. */
static int look(asker *a, slot *x, int64_t now_us, bool *ret_live) {
    enum {
        AT_TEMPLATE = 4,
        KEY = KITH_TEMPLATE_SIZE + KITH_KEY_SIZE,
    };
    sqlite3_stmt *st = ki_lite_sql(a->db, SQL_PKT_BY_ID);
    if (st == NULL) {
        return trouble(a);
    }
    (void) sqlite3_bind_int64(st, 1, x->id);
    *ret_live = false;
    if (sqlite3_step(st) == SQLITE_ROW && sqlite3_column_int64(st, 2) > now_us &&
        sqlite3_column_int(st, 4) == 0) {
        const uint8_t *body = sqlite3_column_blob(st, 7);
        if (body != NULL && sqlite3_column_bytes(st, 7) >= AT_TEMPLATE + KEY) {
            memcpy(x->key, body + AT_TEMPLATE, KEY);
            x->key[KEY] = body[1];
            *ret_live = true;
        }
    }
    return sqlite3_reset(st);
}

static int latest_of(asker *a, void *arg, const char *subject) {
    slots *list = arg;
    size_t kept = 0;
    int rc = gather_slots(a, list, subject);
    if (rc != SQLITE_OK || list->count == 0) {
        return rc;
    }
    qsort(list->at, list->count, sizeof *list->at, newest_first);
    for (size_t i = 0; rc == SQLITE_OK && i < list->count; i++) {
        slot *x = &list->at[i];
        bool live = false;
        bool have = kept > 0 && list->at[kept - 1].slot == x->slot &&
                    list->at[kept - 1].src == x->src;
        rc = have ? SQLITE_OK : look(a, x, list->now_us, &live);
        if (live) {
            list->at[kept++] = *x;
        }
    }
    qsort(list->at, kept, sizeof *list->at, by_key);
    for (size_t i = 0; rc == SQLITE_OK && !a->stopped && i < kept; i++) {
        rc = fetch(a, list->at[i].id);
    }
    return rc;
}

int ki_lite_latest(void *self, const char *pattern, int64_t now_us, kith_each each,
    void *ctx, kith_error *err) {
    asker a = { .each = each, .ctx = ctx };
    slots list = { .now_us = now_us };
    int r = ki_lite_reader(self, &a.db, err);
    if (r < 0) {
        return r;
    }
    int rc = ki_lite_do(a.db, SQL_READ_BEGIN);
    rc = rc != SQLITE_OK
             ? rc
             : each_subject(&a, pattern == NULL ? ">" : pattern, latest_of, &list);
    free(list.at);
    return answer(self, a.db, rc, "latest", err);
}

/* ---- the rest ---- */

int ki_lite_outbox(
    void *self, const ki_outbox *what, kith_each each, void *ctx, kith_error *err) {
    asker a = { .each = each, .ctx = ctx };
    int r = ki_lite_reader(self, &a.db, err);
    if (r < 0) {
        return r;
    }
    int64_t way = -1;
    int rc = SQLITE_OK;
    sqlite3_stmt *st = what->relay ? ki_lite_sql(a.db, SQL_CARRIER_GET) : NULL;
    if (st != NULL) {
        (void) sqlite3_bind_text(st, 1, what->way, -1, SQLITE_STATIC);
        way = sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : -1;
        rc = sqlite3_reset(st);
    }
    st = rc == SQLITE_OK ? ki_lite_sql(a.db, what->relay ? SQL_OUT_RELAY : SQL_OUT_OWN)
                         : NULL;
    if (st != NULL) {
        (void) sqlite3_bind_int64(st, 1, bound(what->after));
        (void) sqlite3_bind_int64(st, 2, what->now_us);
        (void) sqlite3_bind_int64(st, 3, what->limit == 0 ? -1 : (int64_t) what->limit);
        if (what->relay) (void) sqlite3_bind_int64(st, 4, way);
        rc = walk(&a, st, UINT64_MAX / 2);
    } else if (rc == SQLITE_OK) {
        rc = trouble(&a);
    }
    return answer(self, a.db, rc, "outbox", err);
}

int ki_lite_ways(void *self, uint64_t arrival, int (*each)(void *ctx, const char *way),
    void *ctx, kith_error *err) {
    lite_db *db = NULL;
    int r = ki_lite_reader(self, &db, err);
    if (r < 0) {
        return r;
    }
    sqlite3_stmt *st = ki_lite_sql(db, SQL_WAYS);
    int rc = st == NULL ? sqlite3_extended_errcode(db->sql) : SQLITE_OK;
    if (st != NULL) {
        bool stop = false;
        (void) sqlite3_bind_int64(st, 1, bound(arrival));
        while (!stop && sqlite3_step(st) == SQLITE_ROW) {
            const char *name = (const char *) sqlite3_column_text(st, 0);
            stop = name == NULL || each(ctx, name) == KITH_STOP;
        }
        rc = sqlite3_reset(st);
    }
    return answer(self, db, rc, "ways", err);
}

int ki_lite_knows(void *self, const kith_content *content, const uint8_t id[KITH_ID_SIZE]) {
    lite_db *db = NULL;
    int found = 0;
    int r = ki_lite_reader(self, &db, NULL);
    if (r < 0) {
        return r;
    }
    sqlite3_stmt *st = ki_lite_sql(db, SQL_KNOWS);
    int rc = st == NULL ? sqlite3_extended_errcode(db->sql) : SQLITE_OK;
    if (st != NULL) {
        (void) sqlite3_bind_blob(st, 1, content->source, KITH_KEY_SIZE, SQLITE_STATIC);
        (void) sqlite3_bind_int64(st, 2, bound(content->epoch));
        (void) sqlite3_bind_int64(st, 3, bound(content->seq));
        if (sqlite3_step(st) == SQLITE_ROW) {
            const void *pid = sqlite3_column_blob(st, 0);
            bool same = pid != NULL && sqlite3_column_bytes(st, 0) == KITH_ID_SIZE &&
                        memcmp(pid, id, KITH_ID_SIZE) == 0;
            found = same ? KITH_DUPLICATE : KITH_R_EQUIVOCATION;
        }
        rc = sqlite3_reset(st);
    }
    r = answer(self, db, rc, "knows", NULL);
    return r < 0 ? r : found;
}
