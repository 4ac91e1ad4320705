/* SPDX-License-Identifier: Apache-2.0 */
/* For pooling: of each source the newest that lives, subject after subject. */
#include "store/lite_ask.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

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
        return ki_ask_trouble(a);
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
        return ki_ask_trouble(a);
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
        CHECK(kept <= i);
        if (live) {
            list->at[kept++] = *x;
        }
    }
    qsort(list->at, kept, sizeof *list->at, by_key);
    for (size_t i = 0; rc == SQLITE_OK && !a->stopped && i < kept; i++) {
        rc = ki_ask_fetch(a, list->at[i].id);
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
             : ki_ask_each_subject(&a, pattern == NULL ? ">" : pattern, latest_of, &list);
    free(list.at);
    return ki_ask_answer(self, a.db, rc, "latest", err);
}
