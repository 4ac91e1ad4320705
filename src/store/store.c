/* SPDX-License-Identifier: Apache-2.0 */
/* The door of the room: finds the engine, checks arguments, hands on. */
#include <kith/address.h>
#include <kith/heard.h>
#include <kith/store.h>

#include "base/check.h"
#include "base/fail.h"
#include "store/engine.h"

#include <stdlib.h>
#include <string.h>

enum {
    PLACE_MAX = 960, /* a path, and room behind it for the names beside it */
};

struct kith_store {
    const ki_engine *engine;
    void *self;
};

static const ki_engine *const engines[] = { &ki_engine_sqlite, &ki_engine_memory };

/* "sqlite:/a/b?c=d" -> engine, "/a/b", "c=d". */
static int split(const char *url, const ki_engine **ret_engine, char place[PLACE_MAX + 1],
    const char **ret_query, kith_error *err) {
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++) {
        size_t n = strlen(engines[i]->scheme);
        if (strncmp(url, engines[i]->scheme, n) != 0 || url[n] != ':') {
            continue;
        }
        const char *p = url + n + 1;
        p += strncmp(p, "//", 2) == 0 ? 2 : 0;
        size_t length = strcspn(p, "?");
        if (length > PLACE_MAX) {
            return ki_fail(err, KITH_E_CONFIG, "store: the path is longer than 960 bytes");
        }
        memcpy(place, p, length);
        place[length] = '\0';
        *ret_engine = engines[i];
        *ret_query = p[length] == '?' ? p + length + 1 : "";
        return 0;
    }
    return ki_fail(err, KITH_E_CONFIG,
        "store %.80s: begins neither with sqlite: nor with memory:", url);
}

int kith_store_open(kith_store **ret, const char *url, kith_error *err) {
    CHECK(ret != NULL);
    CHECK(url != NULL);
    const ki_engine *engine = NULL;
    const char *query = NULL;
    char place[PLACE_MAX + 1];
    int r = split(url, &engine, place, &query, err);
    if (r < 0) {
        return r;
    }
    kith_store *s = malloc(sizeof *s);
    if (s == NULL) {
        return ki_fail(err, KITH_E_MEMORY, "store: no memory");
    }
    *s = (kith_store){ .engine = engine };
    r = engine->open(&s->self, place, query, err);
    if (r < 0) {
        free(s);
        return ki_fail_in(err, r, "store %.120s", place);
    }
    *ret = s;
    return 0;
}

void kith_store_close(kith_store **store) {
    if (store == NULL || *store == NULL) {
        return;
    }
    (*store)->engine->close((*store)->self);
    free(*store);
    *store = NULL;
}

int kith_store_begin_run(kith_store *store, kith_error *err) {
    CHECK(store != NULL);
    return store->engine->begin_run(store->self, err);
}

int kith_store_post(kith_store *store, const kith_key *key, kith_post *posts, size_t count,
    kith_time now, kith_error *err) {
    CHECK(store != NULL);
    CHECK(key != NULL);
    CHECK(posts != NULL || count == 0);
    return count == 0 ? 0 : store->engine->post(store->self, key, posts, count, now, err);
}

int kith_store_admit(kith_store *store, kith_arrival *arrivals, size_t count, kith_time now,
    kith_error *err) {
    CHECK(store != NULL);
    CHECK(arrivals != NULL || count == 0);
    for (size_t i = 0; i < count; i++) {
        size_t n = arrivals[i].way == NULL ? 0 : strlen(arrivals[i].way);
        if (n == 0 || n > KITH_WAY_MAX) {
            return ki_fail(err, KITH_E_ARG, "admit: a way has 1 to 200 bytes");
        }
    }
    return count == 0 ? 0 : store->engine->admit(store->self, arrivals, count, now, err);
}

int kith_store_knows(
    kith_store *store, const kith_content *content, const uint8_t id[KITH_ID_SIZE]) {
    CHECK(store != NULL);
    CHECK(content != NULL);
    return store->engine->knows(store->self, content, id);
}

static int refuse_pattern(const char *pattern, kith_error *err) {
    if (pattern == NULL || kith_pattern_valid(pattern)) {
        return 0;
    }
    return ki_fail(
        err, KITH_E_ARG, "%.140s: %s", pattern, kith_subject_fault(pattern, true));
}

int kith_store_find(kith_store *store, const kith_query *query, kith_each each, void *ctx,
    kith_error *err) {
    CHECK(store != NULL);
    CHECK(each != NULL);
    if (query->id_length > KITH_ID_SIZE || (query->id == NULL && query->id_length > 0)) {
        return ki_fail(err, KITH_E_ARG, "find: an id has at most 32 bytes");
    }
    int r = refuse_pattern(query->pattern, err);
    return r < 0 ? r : store->engine->find(store->self, query, each, ctx, err);
}

int kith_store_latest(kith_store *store, const char *pattern, int64_t now_us,
    kith_each each, void *ctx, kith_error *err) {
    CHECK(store != NULL);
    CHECK(each != NULL);
    int r = refuse_pattern(pattern, err);
    return r < 0 ? r : store->engine->latest(store->self, pattern, now_us, each, ctx, err);
}

int kith_store_outbox(kith_store *store, const char *way, bool relay, uint64_t after,
    uint32_t limit, int64_t now_us, kith_each each, void *ctx, kith_error *err) {
    CHECK(store != NULL);
    CHECK(way != NULL);
    CHECK(each != NULL);
    ki_outbox what = { way, relay, after, limit, now_us };
    return store->engine->outbox(store->self, &what, each, ctx, err);
}

int kith_store_ways(kith_store *store, uint64_t arrival,
    int (*each)(void *ctx, const char *way), void *ctx, kith_error *err) {
    CHECK(store != NULL);
    CHECK(each != NULL);
    return store->engine->ways(store->self, arrival, each, ctx, err);
}

int kith_store_proofs(kith_store *store, kith_each each, void *ctx, kith_error *err) {
    CHECK(store != NULL);
    CHECK(each != NULL);
    return store->engine->proofs(store->self, each, ctx, err);
}

int kith_store_hear(
    kith_store *store, kith_heard *list, size_t count, kith_time now, kith_error *err) {
    CHECK(store != NULL);
    CHECK(list != NULL || count == 0);
    for (size_t i = 0; i < count; i++) {
        if (list[i].gateway[0] == '\0') {
            return ki_fail(err, KITH_E_ARG, "hear: a gateway has 1 to 200 bytes");
        }
    }
    return count == 0 ? 0 : store->engine->hear(store->self, list, count, now, err);
}

int kith_store_heard(kith_store *store, const kith_query *query, kith_each_heard each,
    void *ctx, kith_error *err) {
    CHECK(store != NULL);
    CHECK(each != NULL);
    if (query->id_length > KITH_ID_SIZE || (query->id == NULL && query->id_length > 0)) {
        return ki_fail(err, KITH_E_ARG, "heard: an id has at most 32 bytes");
    }
    int r = refuse_pattern(query->pattern, err);
    return r < 0 ? r : store->engine->heard(store->self, query, each, ctx, err);
}

int kith_store_save(kith_store *store, const char *name, const void *bytes, size_t length,
    bool now, kith_error *err) {
    CHECK(store != NULL);
    CHECK(bytes != NULL || length == 0);
    size_t n = name == NULL ? 0 : strlen(name);
    if (n == 0 || n > KITH_STATE_NAME_MAX || length > KITH_STATE_MAX) {
        return ki_fail(err, KITH_E_ARG, "save: 1 to 240 bytes of name, 4096 of state");
    }
    if (strncmp(name, LEDGER_PREFIX, sizeof LEDGER_PREFIX - 1) == 0) {
        return ki_fail(err, KITH_E_ARG, "save: that name is the ledger's");
    }
    ki_saved what = { name, bytes, length, now };
    return store->engine->save(store->self, &what, err);
}

int kith_store_load(
    kith_store *store, const char *name, void *ret, size_t size, size_t *ret_length) {
    CHECK(store != NULL);
    CHECK(name != NULL);
    CHECK(ret_length != NULL);
    return store->engine->load(store->self, name, ret, size, ret_length);
}

int kith_store_prune(kith_store *store, int64_t now_us, uint32_t at_most, kith_error *err) {
    CHECK(store != NULL);
    uint32_t bounded = at_most > INT32_MAX ? INT32_MAX : at_most;
    return store->engine->prune(store->self, now_us, bounded, err);
}

int kith_store_stats(kith_store *store, kith_store_stat *ret, kith_error *err) {
    CHECK(store != NULL);
    CHECK(ret != NULL);
    kith_store_stat stat = { 0 };
    int r = store->engine->stats(store->self, &stat, err);
    if (r == 0) {
        *ret = stat;
    }
    return r;
}

int kith_store_head(
    kith_store *store, uint64_t *ret_last_arrival, uint64_t *ret_evicted, kith_error *err) {
    CHECK(store != NULL);
    CHECK(ret_last_arrival != NULL && ret_evicted != NULL);
    return store->engine->head(store->self, ret_last_arrival, ret_evicted, err);
}

int kith_store_check(const char *url, kith_error *err) {
    CHECK(url != NULL);
    const ki_engine *engine = NULL;
    const char *query = NULL;
    char place[PLACE_MAX + 1];
    int r = split(url, &engine, place, &query, err);
    return r < 0 ? r : engine->check(place, query, err);
}

int kith_store_backup(kith_store *store, const char *path, kith_error *err) {
    CHECK(store != NULL);
    CHECK(path != NULL);
    return store->engine->backup(store->self, path, err);
}

uint64_t kith_store_version(kith_store *store) {
    CHECK(store != NULL);
    return store->engine->version(store->self);
}

int kith_store_wake_fd(kith_store *store) {
    CHECK(store != NULL);
    return store->engine->wake_fd(store->self);
}

/* ---- accounts of privacy, kith/ledger.h ---- */

static int refuse_ledger(const kith_store *store, const char *records, kith_error *err) {
    if (store->engine->ledger == NULL) {
        return ki_fail(err, KITH_E_NOTSUP,
            "a store in memory forgets what was spent, so nothing private is posted from "
            "it");
    }
    size_t n = records == NULL ? 0 : strlen(records);
    const char *why = n == 0 ? "empty" : kith_subject_fault(records, false);
    if (n > KITH_RECORDS_MAX || why != NULL) {
        return ki_fail(err, KITH_E_ARG,
            "%.80s: records are named by 1 to 64 bytes, like a subject",
            records == NULL ? "" : records);
    }
    return 0;
}

int kith_ledger_grant(kith_store *store, const char *records, uint64_t limit,
    int64_t period_us, int64_t now_us, kith_error *err) {
    CHECK(store != NULL);
    int r = refuse_ledger(store, records, err);
    if (r == 0 && (limit > KITH_GRANT_MAX || period_us < 0 || now_us < 0)) {
        r = ki_fail(
            err, KITH_E_ARG, "a grant is rho 65536 at most, its period not below 0");
    }
    ki_ledger_op op = { .grant = true,
        .records = records,
        .limit = limit,
        .period_us = period_us,
        .now_us = now_us };
    return r < 0 ? r : store->engine->ledger(store->self, &op, NULL, err);
}

int kith_ledger_spend(
    kith_store *store, const kith_debit *debit, kith_account *ret, kith_error *err) {
    CHECK(store != NULL);
    CHECK(debit != NULL);
    int r = refuse_ledger(store, debit->records, err);
    if (r == 0 && (debit->rho == 0 || debit->rho > KITH_GRANT_MAX || debit->now_us < 0)) {
        r = ki_fail(err, KITH_E_ARG, "a debit is above 0 and at most rho 65536");
    }
    if (r == 0 && kith_subject_fault(debit->subject, false) != NULL) {
        r = ki_fail(err, KITH_E_ARG, "%.140s: %s", debit->subject,
            kith_subject_fault(debit->subject, false));
    }
    ki_ledger_op op = {
        .records = debit->records, .debit = debit, .now_us = debit->now_us
    };
    return r < 0 ? r : store->engine->ledger(store->self, &op, ret, err);
}

int kith_ledger_each(kith_store *store, int64_t now_us,
    int (*each)(void *ctx, const kith_account *account), void *ctx, kith_error *err) {
    CHECK(store != NULL);
    CHECK(each != NULL);
    if (store->engine->ledger_each == NULL) {
        return 0;
    }
    return store->engine->ledger_each(store->self, now_us, each, ctx, err);
}
