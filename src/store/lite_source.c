/* SPDX-License-Identifier: Apache-2.0 */
/* Sources and ways have numbers in the database; we remember some.
 *
 * A key that posts has a row (epoch, next_seq). A running node reserves sequences
 * ahead by moving next_seq on, so that posters sign before the transaction:
 *
 *   0 ......... next ........ end = next_seq      handed out | ours to hand out
 *
 * When another process has moved the row, what we reserved is void (a later
 * sequence must not be posted before an earlier one), and the block's number
 * changes: whoever signed under the old one is signed again. */
#include "store/lite.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/wire.h"

#include <string.h>

static lite_name *slot_of(lite_name *names, const uint8_t bytes[32]) {
    uint64_t h;
    memcpy(&h, bytes, sizeof h);
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return &names[h >> 52 & (LITE_CACHE_SLOTS - 1)];
}

/* The number of a name, made if it is new. */
static int number_of(
    lite *s, lite_sql get, lite_sql add, const void *name, int size, lite_name *ret) {
    for (int turn = 0; turn < 2; turn++) {
        sqlite3_stmt *st = ki_lite_sql(&s->writer, turn == 0 ? get : add);
        if (st == NULL) {
            return sqlite3_extended_errcode(s->writer.sql);
        }
        if (get == SQL_CARRIER_GET) {
            (void) sqlite3_bind_text(st, 1, name, size, SQLITE_STATIC);
        } else {
            (void) sqlite3_bind_blob(st, 1, name, size, SQLITE_STATIC);
        }
        int rc = sqlite3_step(st);
        bool row = rc == SQLITE_ROW;
        ret->number =
            row ? sqlite3_column_int64(st, 0) : sqlite3_last_insert_rowid(s->writer.sql);
        ret->own = row && get == SQL_SRC_GET && sqlite3_column_int(st, 1) != 0;
        rc = sqlite3_reset(st);
        if (rc != SQLITE_OK || row) {
            return rc;
        }
    }
    return SQLITE_OK;
}

int ki_lite_source(lite *s, const uint8_t key[32], int64_t *ret, bool *ret_own) {
    lite_name *n = slot_of(s->sources, key);
    if (n->number == 0 || memcmp(n->bytes, key, 32) != 0) {
        lite_name fresh = { 0 };
        int rc = number_of(s, SQL_SRC_GET, SQL_SRC_ADD, key, 32, &fresh);
        if (rc != SQLITE_OK) {
            return rc;
        }
        memcpy(fresh.bytes, key, 32);
        *n = fresh;
    }
    *ret = n->number;
    *ret_own = n->own;
    return SQLITE_OK;
}

/* 44 bits, so that six bytes hold a slot. Two templates of one source under one number
 * would share its place in "latest": a source can do that to itself alone. */
int64_t ki_lite_slot(const uint8_t template_id[KITH_TEMPLATE_SIZE], int kind) {
    uint64_t a = wire_get64(template_id), b = wire_get64(template_id + 8);
    CHECK(kind >= 0);
    CHECK(kind <= 3);
    if (a == 0 && b < 256) {
        return (int64_t) (b + 1) * 4 + kind; /* built in: a byte, or two */
    }
    a = (a ^ a >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    a = (a ^ b ^ a >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    a = (a ^ a >> 32) * UINT64_C(0x94d049bb133111eb);
    return (int64_t) (a >> 20 | UINT64_C(1) << 44) * 4 + kind;
}

int ki_lite_carrier(lite *s, const char *way, int64_t *ret) {
    lite_name n = { 0 };
    int rc = number_of(s, SQL_CARRIER_GET, SQL_CARRIER_ADD, way, (int) strlen(way), &n);
    *ret = n.number;
    return rc;
}

void ki_lite_forget_sources(lite *s) {
    memset(s->sources, 0, LITE_CACHE_SLOTS * sizeof *s->sources);
}

void ki_lite_forget(lite *s) {
    ki_lite_forget_sources(s);
    s->last_arrival = 0;
    s->room_left = -1;
    (void) pthread_mutex_lock(&s->own_lock);
    for (size_t i = 0; i < LITE_OWN_MAX; i++) {
        s->own[i].src = 0;
        s->own[i].dirty = false;
        s->own[i].new_end = 0;
    }
    (void) pthread_mutex_unlock(&s->own_lock);
}

static void void_block(lite_own *own) {
    own->block++;
    own->next = own->end = 0;
}

/* The entry of a key; the last one gives way when there are too many. */
static lite_own *entry(lite *s, const uint8_t key[32]) {
    for (size_t i = 0; i < LITE_OWN_MAX; i++) {
        if (s->own[i].used && memcmp(s->own[i].key, key, 32) == 0) return &s->own[i];
    }
    return NULL;
}

bool ki_lite_take(lite *s, const uint8_t key[32], size_t count, uint64_t *ret_epoch,
    uint64_t *ret_seq, uint64_t *ret_block) {
    (void) pthread_mutex_lock(&s->own_lock);
    lite_own *own = s->running ? entry(s, key) : NULL;
    bool some = own != NULL && own->end - own->next >= count;
    if (some) {
        *ret_epoch = own->epoch;
        *ret_seq = own->next;
        *ret_block = own->block;
        own->next += count;
    }
    (void) pthread_mutex_unlock(&s->own_lock);
    return some;
}

/* A key that was a stranger's here may be ours of an earlier life. */
static int top_epoch(lite *s, int64_t src, uint64_t *ret) {
    sqlite3_stmt *st = ki_lite_sql(&s->writer, SQL_SRC_TOP);
    if (st == NULL) {
        return sqlite3_extended_errcode(s->writer.sql);
    }
    (void) sqlite3_bind_int64(st, 1, src);
    *ret = sqlite3_step(st) == SQLITE_ROW ? (uint64_t) sqlite3_column_int64(st, 0) : 0;
    return sqlite3_reset(st);
}

static int read_row(lite *s, lite_own *own) {
    int64_t src = 0;
    bool is_own = false;
    int rc = ki_lite_source(s, own->key, &src, &is_own);
    sqlite3_stmt *st = rc == SQLITE_OK ? ki_lite_sql(&s->writer, SQL_SRC_GET) : NULL;
    if (st == NULL) {
        return rc != SQLITE_OK ? rc : sqlite3_extended_errcode(s->writer.sql);
    }
    (void) sqlite3_bind_blob(st, 1, own->key, KITH_KEY_SIZE, SQLITE_STATIC);
    uint64_t epoch = 0, next = 0, top = 0;
    CHECK(own->used);
    CHECK(!own->dirty); /* or what this transaction took would be forgotten */
    if (sqlite3_step(st) == SQLITE_ROW) {
        epoch = (uint64_t) sqlite3_column_int64(st, 2);
        next = (uint64_t) sqlite3_column_int64(st, 3);
    }
    rc = sqlite3_reset(st);
    rc = rc != SQLITE_OK || is_own ? rc : top_epoch(s, src, &top);
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (epoch != own->stored_epoch || next != own->stored_next) {
        void_block(own);
    }
    own->src = src;
    own->stored_epoch = own->row_epoch = epoch;
    own->stored_next = own->row_next = next;
    if (top >= own->row_epoch && top > 0) {
        ki_lite_own_leap(s, own, top);
    }
    return SQLITE_OK;
}

int ki_lite_own(lite *s, const uint8_t key[32], lite_own **ret) {
    int rc = SQLITE_OK;
    (void) pthread_mutex_lock(&s->own_lock);
    lite_own *own = entry(s, key);
    if (own == NULL) {
        own = &s->own[LITE_OWN_MAX - 1];
        for (size_t i = LITE_OWN_MAX; i-- > 0;) {
            own = s->own[i].used ? own : &s->own[i];
        }
        uint64_t block = own->block;
        *own = (lite_own){ .used = true, .block = block + 1 };
        memcpy(own->key, key, KITH_KEY_SIZE);
    }
    if (own->src == 0) {
        rc = read_row(s, own);
    }
    if (rc == SQLITE_OK && own->row_epoch < s->epoch) {
        ki_lite_own_leap(s, own, s->epoch - 1);
    }
    (void) pthread_mutex_unlock(&s->own_lock);
    *ret = own;
    return rc;
}

void ki_lite_own_leap(lite *s, lite_own *own, uint64_t beyond_epoch) {
    (void) s;
    CHECK(own->used);
    void_block(own);
    own->row_epoch = beyond_epoch < INT64_MAX ? beyond_epoch + 1 : INT64_MAX;
    own->row_next = 0;
    own->dirty = true;
}

uint64_t ki_lite_own_fresh(lite *s, lite_own *own, size_t count) {
    (void) pthread_mutex_lock(&s->own_lock);
    if (own->end != own->next) {
        void_block(own);
    }
    uint64_t seq = own->row_next;
    CHECK(own->used);
    own->row_next += count;
    own->dirty = true;
    (void) pthread_mutex_unlock(&s->own_lock);
    return seq;
}

int ki_lite_own_seen(lite *s, const ki_facts *facts) {
    lite_own *own = NULL;
    int rc = ki_lite_own(s, facts->source, &own);
    if (rc == SQLITE_OK &&
        (facts->epoch > own->row_epoch ||
            (facts->epoch == own->row_epoch && facts->seq >= own->row_next))) {
        (void) pthread_mutex_lock(&s->own_lock);
        ki_lite_own_leap(s, own, facts->epoch);
        (void) pthread_mutex_unlock(&s->own_lock);
    }
    return rc;
}

static int write_row(lite *s, lite_own *own) {
    sqlite3_stmt *st = ki_lite_sql(&s->writer, SQL_SRC_OWN);
    if (st == NULL) {
        return sqlite3_extended_errcode(s->writer.sql);
    }
    (void) sqlite3_bind_int64(st, 1, own->src);
    (void) sqlite3_bind_int64(st, 2, (int64_t) own->row_epoch);
    (void) sqlite3_bind_int64(st, 3, (int64_t) own->row_next);
    (void) sqlite3_step(st);
    return sqlite3_reset(st);
}

int ki_lite_reserve(lite *s) {
    int rc = SQLITE_OK;
    (void) pthread_mutex_lock(&s->own_lock);
    for (size_t i = 0; rc == SQLITE_OK && i < LITE_OWN_MAX; i++) {
        lite_own *own = &s->own[i];
        if (!own->used || own->src == 0) {
            continue;
        }
        own->new_end = 0;
        if (s->running && own->end - own->next < LIMIT_SEQ_BLOCK / 2) {
            own->new_start =
                own->end == own->row_next && own->end != 0 ? own->next : own->row_next;
            own->row_next += LIMIT_SEQ_BLOCK;
            own->new_end = own->row_next;
            own->dirty = true;
        }
        rc = own->dirty ? write_row(s, own) : SQLITE_OK;
    }
    (void) pthread_mutex_unlock(&s->own_lock);
    return rc;
}

void ki_lite_reserved(lite *s, bool committed) {
    (void) pthread_mutex_lock(&s->own_lock);
    for (size_t i = 0; committed && i < LITE_OWN_MAX; i++) {
        lite_own *own = &s->own[i];
        if (!own->dirty) {
            continue;
        }
        own->stored_epoch = own->epoch = own->row_epoch;
        own->stored_next = own->row_next;
        own->dirty = false;
        if (own->new_end != 0) {
            bool goes_on = own->end != 0 && own->new_end == own->end + LIMIT_SEQ_BLOCK;
            own->next = goes_on ? own->next : own->new_start;
            own->end = own->new_end;
            own->new_end = 0;
        }
    }
    (void) pthread_mutex_unlock(&s->own_lock);
}
