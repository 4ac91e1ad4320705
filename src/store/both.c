/* SPDX-License-Identifier: Apache-2.0 */
/* Signed and unsigned packets as one list. The signed ones come by one question; between
 * them the unsigned ones are read a page at a time. */
#include <kith/heard.h>

#include "base/check.h"

#include <string.h>

enum {
    PAGE = 16,
};

typedef struct both {
    kith_store *store;
    const kith_each_both *each;
    kith_query rest; /* of the unsigned ones that were not read yet */
    bool down, stopped, dry;
    uint32_t left; /* 0: no limit */
    kith_heard page[PAGE];
    size_t at, count;
    int result;
    kith_error *err;
} both;

static int keep(void *ctx, const kith_heard *h) {
    both *b = ctx;
    b->page[b->count++] = *h;
    *(b->down ? &b->rest.before : &b->rest.after) = h->number;
    return b->count == PAGE ? KITH_STOP : 0;
}

/* The next unsigned one, or NULL. */
static const kith_heard *peek(both *b) {
    if (b->at < b->count) {
        return &b->page[b->at];
    }
    if (b->dry || b->result < 0) {
        return NULL;
    }
    b->at = b->count = 0;
    b->result = kith_store_heard(b->store, &b->rest, keep, b, b->err);
    b->dry = b->count < PAGE;
    return b->count > 0 && b->result == 0 ? &b->page[0] : NULL;
}

static void counted(both *b, int said) {
    b->stopped = said == KITH_STOP || b->left == 1;
    b->left -= b->left > 0;
}

/* Those that came before this signed one, in the order that is asked for. */
static void give_until(both *b, const kith_record *record) {
    const kith_heard *h;
    while (!b->stopped && (h = peek(b)) != NULL) {
        if (record != NULL && (b->down ? h->arrived_us <= record->arrived_us
                                       : h->arrived_us >= record->arrived_us)) {
            return;
        }
        b->at++;
        counted(b, b->each->heard(b->each->ctx, h));
    }
}

static int take(void *ctx, const kith_record *record) {
    both *b = ctx;
    give_until(b, record);
    if (!b->stopped) {
        counted(b, b->each->signed_one(b->each->ctx, record));
    }
    return b->stopped || b->result < 0 ? KITH_STOP : 0;
}

int kith_store_both(kith_store *store, const kith_query *query, const kith_each_both *each,
    kith_error *err) {
    CHECK(store != NULL);
    CHECK(query != NULL);
    CHECK(each != NULL);
    both b = { .store = store,
        .each = each,
        .rest = *query,
        .down = query->newest_first,
        .dry = each->heard == NULL,
        .left = query->limit,
        .err = err };
    b.rest.limit = 0;
    b.rest.after = b.rest.before = 0; /* those are arrivals */
    int r = each->signed_one == NULL ? 0 : kith_store_find(store, query, take, &b, err);
    if (r == 0 && b.result == 0) {
        give_until(&b, NULL);
    }
    return r < 0 ? r : b.result;
}
