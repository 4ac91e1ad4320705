/* SPDX-License-Identifier: Apache-2.0 */
/* The bound. When a commit would go beyond max_bytes: first what has expired goes,
 * then unsigned packets, then foreign ones, the soonest to expire first; our own live
 * packets never, then posts are refused. An unsigned one drives out nothing signed. Each
 * kind is counted. */
#include "store/lite.h"

#include "base/check.h"
#include "store/vfs.h"

enum {
    NEW_WAYS = 256,  /* names of carriers that a sweep must be worth */
    SWEEP = 256,     /* sources looked at in one prune, as in SQL_SRC_PRUNE */
    ROUND = 256,     /* packets removed between two looks */
    ROW_BYTES = 900, /* what a row may cost, with its places in the indexes */
};

static int measure(lite *s, int64_t *ret_left) {
    int64_t pages = 0, unused = 0;
    int rc = ki_lite_number(&s->writer, SQL_PAGES, &pages);
    rc = rc != SQLITE_OK ? rc : ki_lite_number(&s->writer, SQL_FREE_PAGES, &unused);
    *ret_left = s->options.max_bytes - (pages - unused) * PAGE_SIZE;
    return rc;
}

static int delete_one(lite *s, lite_sql which, int64_t id) {
    sqlite3_stmt *st = ki_lite_sql(&s->writer, which);
    if (st == NULL) {
        return sqlite3_extended_errcode(s->writer.sql);
    }
    (void) sqlite3_bind_int64(st, 1, id);
    (void) sqlite3_step(st);
    return sqlite3_reset(st);
}

/* An arrival number is never used twice: the highest is written down first. */
static int keep_floor(lite *s) {
    sqlite3_stmt *st = ki_lite_sql(&s->writer, SQL_META_SET);
    if (st == NULL) {
        return sqlite3_extended_errcode(s->writer.sql);
    }
    (void) sqlite3_bind_int(st, 1, META_FLOOR);
    (void) sqlite3_bind_int64(st, 2, (int64_t) s->last_arrival);
    (void) sqlite3_step(st);
    return sqlite3_reset(st);
}

/* Removes at most `at_most` (<= ROUND) of a kind. */
static int remove_some(
    lite *s, lite_sql which, int64_t now_us, uint32_t at_most, uint32_t *ret_count) {
    int64_t ids[ROUND];
    uint32_t n = 0;
    CHECK(at_most <= ROUND);
    sqlite3_stmt *st = ki_lite_sql(&s->writer, which);
    if (st == NULL) {
        return sqlite3_extended_errcode(s->writer.sql);
    }
    (void) sqlite3_bind_int64(st, 1, now_us);
    (void) sqlite3_bind_int64(st, 2, at_most);
    while (n < at_most && sqlite3_step(st) == SQLITE_ROW) {
        ids[n++] = sqlite3_column_int64(st, 0);
    }
    int rc = sqlite3_reset(st);
    for (uint32_t i = 0; rc == SQLITE_OK && i < n; i++) {
        rc = (uint64_t) ids[i] == s->last_arrival ? keep_floor(s) : SQLITE_OK;
        rc = rc != SQLITE_OK ? rc : delete_one(s, SQL_PKT_DELETE, ids[i]);
        rc = rc != SQLITE_OK ? rc : delete_one(s, SQL_WAY_DELETE, ids[i]);
    }
    *ret_count = n;
    return rc;
}

/* The next that must go. *ret_count 0: there is nothing left to give up. */
static int give_up(lite *s, bool all, int64_t now_us, uint32_t *ret_count) {
    int rc = remove_some(s, SQL_EXPIRED, now_us, ROUND, ret_count);
    if (rc == SQLITE_OK && *ret_count == 0) {
        rc = ki_lite_heard_remove(s, INT64_MAX, ROUND, ret_count);
        (void) atomic_fetch_add(&s->heard_evicted, *ret_count);
    }
    if (rc == SQLITE_OK && *ret_count == 0 && all) {
        rc = remove_some(s, SQL_EVICTABLE, now_us, ROUND, ret_count);
        (void) atomic_fetch_add(&s->evicted, *ret_count);
    }
    return rc;
}

static int make_room(lite *s, size_t count, bool all, int64_t now_us) {
    int64_t need = (int64_t) count * ROW_BYTES;
    CHECK(count <= SIZE_MAX / ROW_BYTES);
    CHECK(s->writer_open);
    if (count == 0 || s->room_left >= need) {
        s->room_left -= need;
        return SQLITE_OK;
    }
    int rc = measure(s, &s->room_left);
    size_t removed = 0;
    while (rc == SQLITE_OK && s->room_left < need && removed < 4 * count + ROUND) {
        uint32_t n = 0;
        rc = give_up(s, all, now_us, &n);
        if (rc == SQLITE_OK && n == 0) {
            return KITH_E_SPACE;
        }
        removed += n;
        rc = rc != SQLITE_OK ? rc : measure(s, &s->room_left);
    }
    s->room_left -= need;
    return rc;
}

int ki_lite_room(lite *s, size_t count, int64_t now_us) {
    return make_room(s, count, true, now_us);
}

int ki_lite_room_heard(lite *s, size_t count, int64_t now_us) {
    return make_room(s, count, false, now_us);
}

/* ---- prune ---- */

typedef struct prune {
    uint32_t left, removed;
} prune;

static int sweep(lite *s, lite_sql which, int64_t a, int64_t b) {
    sqlite3_stmt *st = ki_lite_sql(&s->writer, which);
    if (st == NULL) {
        return sqlite3_extended_errcode(s->writer.sql);
    }
    (void) sqlite3_bind_int64(st, 1, a);
    if (sqlite3_bind_parameter_count(st) > 1) {
        (void) sqlite3_bind_int64(st, 2, b);
    }
    (void) sqlite3_step(st);
    return sqlite3_reset(st);
}

/* Strangers of whom nothing is left are forgotten, a few at each call. */
static int sweep_sources(lite *s) {
    int64_t last = 0;
    int before = sqlite3_total_changes(s->writer.sql);
    int rc = ki_lite_number(&s->writer, SQL_SRC_LAST, &last);
    s->swept = s->swept >= last ? 0 : s->swept;
    rc = rc != SQLITE_OK ? rc : sweep(s, SQL_SRC_PRUNE, s->swept, 0);
    s->swept += SWEEP;
    if (sqlite3_total_changes(s->writer.sql) != before) {
        ki_lite_forget_sources(s);
    }
    return rc;
}

/* Names of carriers by which nothing came that is still here. No index says so: all
 * packets are read, but only when there are many names more than the last time. */
static int sweep_ways(lite *s) {
    int64_t count = 0;
    int rc = ki_lite_number(&s->writer, SQL_CARRIER_COUNT, &count);
    CHECK(count >= 0);
    if (rc != SQLITE_OK || count < s->ways_kept + NEW_WAYS) {
        return rc;
    }
    rc = ki_lite_do(&s->writer, SQL_CARRIER_PRUNE);
    return rc != SQLITE_OK ? rc
                           : ki_lite_number(&s->writer, SQL_CARRIER_COUNT, &s->ways_kept);
}

static int run_prune(lite *s, lite_job *job) {
    prune *p = job->arg;
    int rc = SQLITE_OK;
    uint32_t n = 1;
    p->removed = 0;
    while (rc == SQLITE_OK && n > 0 && p->removed < p->left) {
        uint32_t most = p->left - p->removed;
        rc = remove_some(s, SQL_EXPIRED, job->now_us, most < ROUND ? most : ROUND, &n);
        p->removed += n;
        CHECK(p->removed <= p->left);
    }
    if (rc == SQLITE_OK && p->removed < p->left) {
        rc = ki_lite_heard_remove(s, job->now_us, p->left - p->removed, &n);
        p->removed += n;
    }
    rc = rc != SQLITE_OK ? rc : sweep(s, SQL_GONE_PRUNE, job->now_us, p->left);
    rc = rc != SQLITE_OK ? rc : sweep(s, SQL_PROOF_PRUNE, job->now_us, 0);
    rc = rc != SQLITE_OK ? rc : sweep_sources(s);
    rc = rc != SQLITE_OK ? rc : sweep_ways(s);
    if (p->removed > 0) {
        s->room_left = -1;
    }
    return rc;
}

int ki_lite_prune(void *self, int64_t now_us, uint32_t at_most, kith_error *err) {
    prune p = { .left = at_most };
    lite_job job = { .run = run_prune, .arg = &p, .now_us = now_us };
    int r = ki_lite_commit(self, &job, err);
    return r < 0 ? r : (int) p.removed;
}
