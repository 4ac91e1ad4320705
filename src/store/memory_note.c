/* SPDX-License-Identifier: Apache-2.0 */
/* From the records that answer a question to a callback that sees copies. */
#include "store/memory.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 8, /* records copied under one lock */
    AHEAD = 4, /* records asked of memory before their turn */
};

void ki_note_begin(noted *n, const memory *m, uint64_t limit) {
    n->at = n->small;
    n->count = 0;
    n->room = NOTED_FEW;
    n->limit = limit;
    n->drops = m->shelf.drops;
}

static int grow(noted *n) {
    size_t room = n->room * 4;
    memory_hit *old = n->at == n->small ? NULL : n->at;
    memory_hit *more = realloc(old, room * sizeof *more);
    if (more == NULL) {
        return KITH_E_MEMORY;
    }
    if (old == NULL) {
        memcpy(more, n->small, sizeof n->small);
    }
    n->at = more;
    n->room = room;
    return 0;
}

int ki_note(noted *n, const shelf_rec *r) {
    CHECK(n->count <= n->room);
    int failed = n->count == n->room ? grow(n) : 0;
    if (failed == 0) {
        n->at[n->count++] = (memory_hit){ r, r->arrival };
    }
    return failed;
}

bool ki_note_enough(const noted *n) {
    return n->limit != 0 && n->count >= n->limit;
}

void ki_note_fini(noted *n) {
    if (n->at != n->small) {
        free(n->at);
    }
    CHECK(n->room >= NOTED_FEW);
    n->at = NULL;
    n->count = n->room = 0;
}

static void fill(const shelf_rec *r, int64_t now_us, kith_record *ret) {
    CHECK(r->length <= KITH_PACKET_MAX);
    ret->arrival = r->arrival;
    ret->arrived_us = r->at;
    ret->expires_us = r->exp;
    ret->own = r->own;
    ret->retracted = r->gone;
    ret->expired = r->exp <= now_us;
    memcpy(ret->id, r->id, KITH_ID_SIZE);
    ret->packet.length = r->length;
    memcpy(ret->packet.bytes, r->bytes, r->length);
    size_t n = r->way == NULL ? 0 : strlen(r->way);
    CHECK(n <= KITH_WAY_MAX);
    memcpy(ret->way, r->way == NULL ? "" : r->way, n);
    ret->way[n] = '\0';
}

/* The next few that are still there; moves *at behind them. */
static size_t copy_some(
    memory *m, const noted *n, size_t *at, int64_t now_us, kith_record ret[BATCH]) {
    size_t copied = 0;
    memory_lock(m);
    bool holds = m->shelf.drops == n->drops;
    for (; *at < n->count && copied < BATCH; ++*at) {
        const memory_hit *hit = &n->at[*at];
        if (*at + AHEAD < n->count) rec_fetch(hit[AHEAD].rec);
        const shelf_rec *r = holds ? hit->rec : ki_shelf_arrival(&m->shelf, hit->arrival);
        if (r == NULL) continue;
        CHECK(r->arrival == hit->arrival);
        fill(r, now_us, &ret[copied++]);
    }
    memory_unlock(m);
    return copied;
}

void ki_note_hand_on(memory *m, noted *n, int64_t now_us, kith_each each, void *ctx) {
    CHECK(n->limit == 0 || n->count <= n->limit);
    kith_record some[BATCH];
    bool stop = false;
    for (size_t at = 0; at < n->count && !stop;) {
        size_t count = copy_some(m, n, &at, now_us, some);
        for (size_t i = 0; i < count && !stop; i++) {
            stop = each(ctx, &some[i]) == KITH_STOP;
        }
    }
    ki_note_fini(n);
}
