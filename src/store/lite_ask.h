/* SPDX-License-Identifier: Apache-2.0 */
/* store/lite_ask.h - what the questions to the sqlite engine have in common: a
 * reader, a statement stepped through, one record handed on after the other.
 *
 * An asker is a value of the call that asks; it has a reader from ki_lite_reader
 * until ki_ask_answer, and belongs to one thread. Functions that give an int give
 * an SQLite code, unless they have an err. */
#ifndef STORE_LITE_ASK_H
#define STORE_LITE_ASK_H

#include "store/lite.h"
#include "store/skip.h"

#define ASK_ALL (UINT64_MAX / 2)

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

/* Steps through a statement that is bound, at most `most` rows. */
int ki_ask_walk(asker *a, sqlite3_stmt *st, uint64_t most);
/* A statement with the bounds of the arrivals as its first two parameters. */
sqlite3_stmt *ki_ask_bounded(asker *a, lite_sql which);
int ki_ask_fetch(asker *a, int64_t arrival);
int ki_ask_trouble(const asker *a);

/* Every subject here that matches, in order. */
typedef int (*ki_ask_subject)(asker *a, void *arg, const char *subject);
int ki_ask_each_subject(asker *a, const char *pattern, ki_ask_subject fn, void *arg);

/* Gives the reader back, and says what became of the question. */
int ki_ask_answer(lite *s, lite_db *db, int rc, const char *what, kith_error *err);

/* A number of ours as SQLite can hold it. */
static inline int64_t ki_ask_bound(uint64_t n) {
    return n > INT64_MAX ? INT64_MAX : (int64_t) n;
}

#endif
