/* SPDX-License-Identifier: Apache-2.0 */
/* What a carrier has not been given, the ways a packet came, and whether it is
 * here at all. */
#include "store/lite_ask.h"

#include <string.h>

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
        (void) sqlite3_bind_int64(st, 1, ki_ask_bound(what->after));
        (void) sqlite3_bind_int64(st, 2, what->now_us);
        (void) sqlite3_bind_int64(st, 3, what->limit == 0 ? -1 : (int64_t) what->limit);
        if (what->relay) (void) sqlite3_bind_int64(st, 4, way);
        rc = ki_ask_walk(&a, st, ASK_ALL);
    } else if (rc == SQLITE_OK) {
        rc = ki_ask_trouble(&a);
    }
    return ki_ask_answer(self, a.db, rc, "outbox", err);
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
        (void) sqlite3_bind_int64(st, 1, ki_ask_bound(arrival));
        while (!stop && sqlite3_step(st) == SQLITE_ROW) {
            const char *name = (const char *) sqlite3_column_text(st, 0);
            stop = name == NULL || each(ctx, name) == KITH_STOP;
        }
        rc = sqlite3_reset(st);
    }
    return ki_ask_answer(self, db, rc, "ways", err);
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
        (void) sqlite3_bind_int64(st, 2, ki_ask_bound(content->epoch));
        (void) sqlite3_bind_int64(st, 3, ki_ask_bound(content->seq));
        if (sqlite3_step(st) == SQLITE_ROW) {
            const void *pid = sqlite3_column_blob(st, 0);
            bool same = pid != NULL && sqlite3_column_bytes(st, 0) == KITH_ID_SIZE &&
                        memcmp(pid, id, KITH_ID_SIZE) == 0;
            found = same ? KITH_DUPLICATE : KITH_R_EQUIVOCATION;
        }
        rc = sqlite3_reset(st);
    }
    r = ki_ask_answer(self, db, rc, "knows", NULL);
    return r < 0 ? r : found;
}

/* One row of the statement; false: not as we wrote it. */
static bool proof_of(sqlite3_stmt *st, kith_record *ret) {
    const void *id = sqlite3_column_blob(st, 0), *body = sqlite3_column_blob(st, 1);
    int length = sqlite3_column_bytes(st, 1);
    if (id == NULL || sqlite3_column_bytes(st, 0) != KITH_ID_SIZE || body == NULL ||
        length < 1 || length > KITH_PACKET_MAX) {
        return false;
    }
    *ret = (kith_record){ .arrival = (uint64_t) sqlite3_column_int64(st, 3) };
    memcpy(ret->id, id, KITH_ID_SIZE);
    memcpy(ret->packet.bytes, body, (size_t) length);
    ret->packet.length = (uint16_t) length;
    return true;
}

int ki_lite_proofs(void *self, kith_each each, void *ctx, kith_error *err) {
    lite_db *db = NULL;
    int r = ki_lite_reader(self, &db, err);
    if (r < 0) {
        return r;
    }
    sqlite3_stmt *st = ki_lite_sql(db, SQL_PROOFS);
    int rc = st == NULL ? sqlite3_extended_errcode(db->sql) : SQLITE_OK;
    if (st != NULL) {
        bool stop = false;
        kith_record one;
        while (!stop && sqlite3_step(st) == SQLITE_ROW) {
            stop = proof_of(st, &one) && each(ctx, &one) == KITH_STOP;
        }
        rc = sqlite3_reset(st);
    }
    return ki_ask_answer(self, db, rc, "proofs", err);
}
