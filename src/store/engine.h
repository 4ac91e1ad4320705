/* SPDX-License-Identifier: Apache-2.0 */
/* store/engine.h - what a store must be able to do, as one table of functions.
 *
 * store.c finds the engine by the URL's scheme and calls nothing else, so a third
 * engine is a file and a line there. The promises are those of kith/store.h;
 * arguments have been checked. Functions may be called by any thread, close and
 * open by one. */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include <kith/heard.h>
#include <kith/store.h>

#include "store/ledger.h"

typedef struct ki_outbox {
    const char *way;
    bool relay;
    uint64_t after;
    uint32_t limit;
    int64_t now_us;
} ki_outbox;

typedef struct ki_saved {
    const char *name;
    const void *bytes;
    size_t length;
    bool now;
} ki_saved;

typedef struct ki_engine {
    const char *scheme;
    /* place: between "scheme:" and "?"; query behind it, or "". */
    int (*open)(void **ret, const char *place, const char *query, kith_error *err);
    void (*close)(void *self);
    int (*begin_run)(void *self, kith_error *err);
    int (*post)(void *self, const kith_key *key, kith_post *posts, size_t count,
        kith_time now, kith_error *err);
    int (*admit)(
        void *self, kith_arrival *arrivals, size_t count, kith_time now, kith_error *err);
    int (*knows)(void *self, const kith_content *content, const uint8_t id[KITH_ID_SIZE]);
    int (*find)(
        void *self, const kith_query *query, kith_each each, void *ctx, kith_error *err);
    int (*latest)(void *self, const char *pattern, int64_t now_us, kith_each each,
        void *ctx, kith_error *err);
    int (*outbox)(
        void *self, const ki_outbox *what, kith_each each, void *ctx, kith_error *err);
    int (*ways)(void *self, uint64_t arrival, int (*each)(void *ctx, const char *way),
        void *ctx, kith_error *err);
    int (*proofs)(void *self, kith_each each, void *ctx, kith_error *err);
    int (*hear)(void *self, kith_heard *list, size_t count, kith_time now, kith_error *err);
    int (*heard)(void *self, const kith_query *query, kith_each_heard each, void *ctx,
        kith_error *err);
    int (*save)(void *self, const ki_saved *what, kith_error *err);
    int (*load)(void *self, const char *name, void *ret, size_t size, size_t *ret_length);
    int (*prune)(void *self, int64_t now_us, uint32_t at_most, kith_error *err);
    int (*stats)(void *self, kith_store_stat *ret, kith_error *err);
    int (*head)(void *self, uint64_t *ret_last, uint64_t *ret_evicted, kith_error *err);
    int (*check)(const char *place, const char *query, kith_error *err);
    int (*backup)(void *self, const char *path, kith_error *err);
    uint64_t (*version)(void *self);
    int (*wake_fd)(void *self);
    /* NULL: this store forgets, so it keeps no accounts of privacy. */
    int (*ledger)(void *self, const ki_ledger_op *op, kith_account *ret, kith_error *err);
    int (*ledger_each)(void *self, int64_t now_us,
        int (*each)(void *ctx, const kith_account *account), void *ctx, kith_error *err);
} ki_engine;

extern const ki_engine ki_engine_sqlite;
extern const ki_engine ki_engine_memory;

#endif
