/* SPDX-License-Identifier: Apache-2.0 */
/* The bound. Everything that is kept counts: packets, the ways by which they came,
 * tombstones, proofs, small state. When it is full: first what has expired goes, then
 * unsigned packets, then foreign ones, the soonest to expire first, then foreign tombstones and proofs; our
 * own never, then it is refused. Foreign tombstones and proofs have a share of their
 * own, or a stranger's retractions could drive out everybody's packets. */
#include "store/memory.h"

#include "base/check.h"

enum {
    ROUND = 64, /* removed between two looks */
};

uint64_t ki_memory_used(const memory *m) {
    return m->shelf.bytes + m->marks.bytes + m->named_bytes + m->heard.bytes;
}

/* What nobody may drive out. */
static uint64_t own_bytes(const memory *m) {
    return m->shelf.own_bytes + m->marks.own_bytes + m->named_bytes;
}

/* Packets that expired. */
static uint32_t drop_expired(memory *m, int64_t now_us, uint32_t at_most) {
    uint32_t n = 0;
    for (int own = 0; own < 2; own++) {
        const shelf_rec *r = ki_shelf_soonest(&m->shelf, own == 1);
        while (r != NULL && r->exp <= now_us && n < at_most) {
            ki_shelf_drop_soonest(&m->shelf, own == 1);
            n++;
            r = ki_shelf_soonest(&m->shelf, own == 1);
        }
    }
    return n;
}

/* One foreign thing goes. false: there is none. */
static bool evict(memory *m) {
    if (ki_memory_heard_remove(m, INT64_MAX, 1) > 0) {
        m->heard.evicted++;
        return true;
    }
    bool packet = ki_shelf_soonest(&m->shelf, false) != NULL;
    if (packet) {
        ki_shelf_drop_soonest(&m->shelf, false);
    }
    bool gone = packet || ki_marks_drop_foreign(&m->marks);
    m->evicted += gone;
    return gone;
}

int ki_memory_room(memory *m, size_t need, int64_t now_us) {
    uint64_t most = (uint64_t) m->options.max_bytes;
    uint32_t gone = 1;
    while (ki_memory_used(m) + need > most && gone > 0) {
        gone = drop_expired(m, now_us, ROUND);
        gone += ki_marks_expire(&m->marks, now_us, ROUND);
    }
    CHECK(own_bytes(m) <= ki_memory_used(m));
    if (own_bytes(m) + need > most) {
        m->refused++;
        return KITH_E_SPACE;
    }
    while (ki_memory_used(m) + need > most) {
        bool evicted = evict(m);
        CHECK(evicted);
    }
    return 0;
}

uint32_t ki_memory_expire(memory *m, int64_t now_us) {
    uint32_t n = 0, gone = 1;
    for (; gone > 0; n += gone) {
        gone = drop_expired(m, now_us, ROUND);
        gone += (uint32_t) ki_marks_expire(&m->marks, now_us, ROUND);
        gone += ki_memory_heard_remove(m, now_us, ROUND);
    }
    return n;
}

void ki_memory_trim(memory *m) {
    while (ki_marks_too_many(&m->marks)) {
        bool dropped = ki_marks_drop_foreign(&m->marks);
        CHECK(dropped);
        m->evicted++;
    }
    bool more = true;
    while (more && ki_memory_used(m) > (uint64_t) m->options.max_bytes) {
        more = evict(m);
    }
}

int ki_memory_prune(void *self, int64_t now_us, uint32_t at_most, kith_error *err) {
    memory *m = self;
    (void) err;
    memory_lock(m);
    uint32_t n = drop_expired(m, now_us, at_most);
    (void) ki_marks_expire(&m->marks, now_us, at_most);
    n += ki_memory_heard_remove(m, now_us, at_most - n);
    m->commits += n > 0;
    CHECK(n <= at_most);
    memory_unlock(m);
    return (int) n;
}
