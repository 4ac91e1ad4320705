/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts of privacy in the database: read, judged and written inside one transaction,
 * which is synced before anybody is told. So processes that share a store spend from one
 * account, and what was spent stays spent whatever happens next. */
#include "store/ledger.h"
#include "store/lite.h"

#include "base/check.h"
#include "base/fail.h"

#include <stdio.h>
#include <string.h>

/* ---- which life of the store a row was written in ---- */

/* The generation counts databases; an epoch leaps by 2^32 and more where nobody can tell
 * what was used before: a copy, a restored backup. */
static uint64_t life_of(uint64_t generation, uint64_t epoch) {
    return generation << 32 | (epoch >> 32 & UINT32_MAX);
}

void ki_lite_ledger_born(lite *s, uint64_t generation, uint64_t epoch) {
    atomic_store(&s->life, life_of(generation, epoch));
}

/* Who only looks has opened no epoch; it is read again. */
static uint64_t life_now(lite *s) {
    ki_epoch e;
    if (!s->looks) {
        return atomic_load(&s->life);
    }
    return ki_epoch_read(s->epoch_path, &e, NULL) == 0 ? life_of(e.generation, e.epoch)
                                                       : UINT64_MAX;
}

/* ---- rows ---- */

/* there: 1; -1: it is damaged; 0: it is not. An SQLite code. */
static int read_row(lite *s, const char *name, ki_account *ret, int *ret_there) {
    sqlite3_stmt *st = ki_lite_sql(&s->writer, SQL_STATE_GET);
    *ret_there = 0;
    if (st == NULL) {
        return sqlite3_extended_errcode(s->writer.sql);
    }
    (void) sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
    if (sqlite3_step(st) == SQLITE_ROW) {
        const void *bytes = sqlite3_column_blob(st, 0);
        size_t length = bytes == NULL ? 0 : (size_t) sqlite3_column_bytes(st, 0);
        *ret_there = ki_account_parse(bytes, length, ret) == 0 ? 1 : -1;
    }
    return sqlite3_reset(st);
}

static int write_row(lite *s, lite_sql how, const char *name, const ki_account *a) {
    uint8_t bytes[LEDGER_BYTES];
    sqlite3_stmt *st = ki_lite_sql(&s->writer, how);
    if (st == NULL) {
        return sqlite3_extended_errcode(s->writer.sql);
    }
    ki_account_format(a, bytes);
    (void) sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
    (void) sqlite3_bind_blob(st, 2, bytes, sizeof bytes, SQLITE_STATIC);
    (void) sqlite3_step(st);
    return sqlite3_reset(st);
}

/* ---- grant and spend ---- */

typedef struct change {
    const ki_ledger_op *op;
    uint64_t life;
    ki_account after;
} change;

static int change_share(lite *s, const change *c) {
    char name[LEDGER_NAME];
    ki_account was, share;
    int there = 0;
    ki_share_name(c->op->debit, name);
    int rc = read_row(s, name, &was, &there);
    if (rc != SQLITE_OK) {
        return rc;
    }
    ki_share_spend(there > 0 ? &was : NULL, &c->after, c->op->debit->rho, &share);
    return write_row(s, SQL_STATE_SET, name, &share);
}

static int run_change(lite *s, lite_job *job) {
    change *c = job->arg;
    char name[LEDGER_NAME];
    ki_account was;
    int there = 0, r = 0;
    ki_account_name(c->op->records, name);
    int rc = read_row(s, name, &was, &there);
    if (rc != SQLITE_OK) {
        return rc;
    }
    c->life = life_now(s);
    const ki_account *old = there > 0 ? &was : NULL;
    if (c->op->grant) {
        ki_account_grant(old, c->op, c->life, &c->after);
    } else if (there < 0) {
        r = ki_fail(&job->err, KITH_E_CORRUPT, "the account of the records %s is damaged",
            c->op->records);
    } else {
        r = ki_account_spend(old, c->op, c->life, &c->after, &job->err);
    }
    if (r < 0) {
        return r;
    }
    rc = write_row(s, SQL_STATE_SET, name, &c->after);
    return rc != SQLITE_OK || c->op->grant ? rc : change_share(s, c);
}

int ki_lite_ledger(void *self, const ki_ledger_op *op, kith_account *ret, kith_error *err) {
    change c = { .op = op };
    lite_job job = { .run = run_change, .arg = &c, .count = 2, .now_us = op->now_us };
    int r = ki_lite_commit(self, &job, err);
    if (r == 0 && ret != NULL) {
        kith_account a = { 0 };
        (void) snprintf(a.records, sizeof a.records, "%s", op->records);
        ki_account_show(&c.after, &c.after, c.life, op->now_us, &a);
        *ret = a;
    }
    return r;
}

/* ---- a row out of a damaged file: only where nothing newer stands ---- */

typedef struct back {
    const char *name;
    ki_account account;
} back;

static int run_back(lite *s, lite_job *job) {
    const back *b = job->arg;
    return write_row(s, SQL_STATE_KEEP, b->name, &b->account);
}

bool ki_lite_ledger_back(lite *s, const char *name, const void *bytes, size_t length) {
    if (strncmp(name, LEDGER_PREFIX, sizeof LEDGER_PREFIX - 1) != 0) {
        return false;
    }
    back b = { .name = name };
    kith_account unused;
    lite_job job = { .run = run_back, .arg = &b, .count = 1 };
    if (ki_ledger_read_name(name, &unused) &&
        ki_account_parse(bytes, length, &b.account) == 0) {
        (void) !ki_lite_commit(s, &job, NULL); /* the next pass tries again */
    }
    return true;
}

/* ---- looking ---- */

typedef struct telling {
    int64_t now_us;
    uint64_t life;
    int (*each)(void *ctx, const kith_account *account);
    void *ctx;
    bool known; /* the account whose shares follow */
    char records[KITH_RECORDS_MAX + 1];
    ki_account of;
} telling;

static int tell_row(telling *t, const char *name, const void *bytes, size_t length) {
    kith_account shown;
    ki_account a = { 0 };
    if (name == NULL || !ki_ledger_read_name(name, &shown)) {
        return 0;
    }
    bool fine = ki_account_parse(bytes, length, &a) == 0;
    if (shown.subject[0] == '\0') {
        t->known = fine;
        t->of = a;
        memcpy(t->records, shown.records, sizeof t->records);
    }
    bool follows = t->known && strcmp(t->records, shown.records) == 0;
    ki_account_show(
        &a, follows ? &t->of : &a, fine && follows ? t->life : ~a.life, t->now_us, &shown);
    return t->each(t->ctx, &shown);
}

int ki_lite_ledger_each(void *self, int64_t now_us,
    int (*each)(void *ctx, const kith_account *account), void *ctx, kith_error *err) {
    lite *s = self;
    lite_db *db = NULL;
    telling t = { .now_us = now_us, .life = life_now(s), .each = each, .ctx = ctx };
    int r = ki_lite_reader(s, &db, err);
    if (r < 0) {
        return r;
    }
    sqlite3_stmt *st = ki_lite_sql(db, SQL_STATE_RANGE);
    int rc = st == NULL ? sqlite3_extended_errcode(db->sql) : SQLITE_OK;
    if (st != NULL) {
        (void) sqlite3_bind_text(st, 1, LEDGER_PREFIX, -1, SQLITE_STATIC);
        (void) sqlite3_bind_text(st, 2, LEDGER_END, -1, SQLITE_STATIC);
        bool stop = false;
        while (!stop && sqlite3_step(st) == SQLITE_ROW) {
            stop = tell_row(&t, (const char *) sqlite3_column_text(st, 0),
                       sqlite3_column_blob(st, 1),
                       (size_t) sqlite3_column_bytes(st, 1)) == KITH_STOP;
        }
        rc = sqlite3_reset(st);
    }
    r = rc == SQLITE_OK ? 0 : ki_lite_fail(db, rc, "ledger", err);
    ki_lite_reader_back(s, db, rc);
    return r;
}
