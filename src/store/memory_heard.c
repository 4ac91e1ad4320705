/* SPDX-License-Identifier: Apache-2.0 */
/* Unsigned packets in memory: an array in order of number, a table by id, a heap by the
 * time they end. Room for them is made out of what has expired and of themselves. */
#include "store/memory.h"

#include <kith/address.h>

#include "base/check.h"
#include "base/fail.h"

#include <stdlib.h>
#include <string.h>

enum {
    BUCKETS_MIN = 64,
    PAGE = 16, /* copied under one lock */
};

/* What one takes: itself, its place in the heap, in the table and in the array. */
#define COST                                                                               \
    (sizeof(overheard) + sizeof(heap_entry) + sizeof(overheard *) + sizeof(overheard_slot))

static size_t bucket_of(const overheard_all *all, const uint8_t id[KITH_ID_SIZE]) {
    uint64_t word;
    memcpy(&word, id, sizeof word);
    CHECK(all->bucket_count > 0);
    return (size_t) (word % all->bucket_count);
}

static overheard *find_id(const overheard_all *all, const uint8_t id[KITH_ID_SIZE]) {
    overheard *o = all->bucket_count == 0 ? NULL : all->buckets[bucket_of(all, id)];
    while (o != NULL && memcmp(o->heard.id, id, KITH_ID_SIZE) != 0) {
        o = o->same;
    }
    return o;
}

/* The first slot whose number is not below. */
static size_t slot_of(const overheard_all *all, uint64_t number) {
    size_t low = 0, high = all->slot_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (all->slots[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Without those that have gone. */
static void close_up(overheard_all *all) {
    size_t n = 0;
    for (size_t i = 0; i < all->slot_count; i++) {
        if (all->slots[i].one != NULL) {
            all->slots[n++] = all->slots[i];
        }
    }
    CHECK(n == all->count);
    all->slot_count = n;
}

static int grow_slots(overheard_all *all) {
    if (all->slot_count == all->slot_room && all->count < all->slot_count / 2) {
        close_up(all);
    }
    if (all->slot_count < all->slot_room) {
        return 0;
    }
    size_t room = all->slot_room == 0 ? BUCKETS_MIN : 2 * all->slot_room;
    overheard_slot *slots = realloc(all->slots, room * sizeof *slots);
    if (slots == NULL) {
        return KITH_E_MEMORY;
    }
    all->slots = slots;
    all->slot_room = room;
    return 0;
}

static int grow_buckets(overheard_all *all) {
    if (all->count < all->bucket_count) {
        return 0;
    }
    size_t count = all->bucket_count == 0 ? BUCKETS_MIN : 2 * all->bucket_count;
    overheard **buckets = calloc(count, sizeof *buckets);
    if (buckets == NULL) {
        return KITH_E_MEMORY;
    }
    free(all->buckets);
    all->buckets = buckets;
    all->bucket_count = count;
    for (size_t i = 0; i < all->slot_count; i++) {
        overheard *o = all->slots[i].one;
        if (o == NULL) {
            continue;
        }
        overheard **at = &buckets[bucket_of(all, o->heard.id)];
        o->same = *at;
        *at = o;
    }
    return 0;
}

static void drop_soonest(overheard_all *all) {
    overheard *o = ki_heap_top(&all->soonest);
    CHECK(o != NULL);
    ki_heap_pop(&all->soonest);
    overheard **at = &all->buckets[bucket_of(all, o->heard.id)];
    while (*at != o) {
        CHECK(*at != NULL);
        at = &(*at)->same;
    }
    *at = o->same;
    size_t slot = slot_of(all, o->heard.number);
    CHECK(slot < all->slot_count && all->slots[slot].one == o);
    all->slots[slot].one = NULL;
    CHECK(all->bytes >= COST);
    all->bytes -= COST;
    all->count--;
    free(o);
}

uint32_t ki_memory_heard_remove(memory *m, int64_t until_us, uint32_t at_most) {
    overheard_all *all = &m->heard;
    uint32_t n = 0;
    const overheard *o;
    while (n < at_most && (o = ki_heap_top(&all->soonest)) != NULL &&
           o->heard.expires_us <= until_us) {
        drop_soonest(all);
        n++;
    }
    return n;
}

void ki_memory_heard_fini(memory *m) {
    (void) ki_memory_heard_remove(m, INT64_MAX, UINT32_MAX);
    CHECK(m->heard.count == 0);
    ki_heap_fini(&m->heard.soonest);
    free(m->heard.buckets);
    free(m->heard.slots);
}

static int add(overheard_all *all, const kith_heard *heard) {
    overheard *o = malloc(sizeof *o);
    if (o == NULL || grow_slots(all) < 0 || grow_buckets(all) < 0 ||
        ki_heap_reserve(&all->soonest) < 0) {
        free(o);
        return KITH_E_MEMORY;
    }
    overheard **at = &all->buckets[bucket_of(all, heard->id)];
    *o = (overheard){ .same = *at, .heard = *heard };
    *at = o;
    all->slots[all->slot_count++] = (overheard_slot){ heard->number, o };
    ki_heap_push(&all->soonest, heard->expires_us, o);
    all->bytes += COST;
    all->count++;
    return 0;
}

/* Only what has expired, and others of their kind, may go for it. */
static bool make_room(memory *m, int64_t now_us) {
    uint64_t most = (uint64_t) m->options.max_bytes;
    if (ki_memory_used(m) + COST > most) {
        (void) ki_memory_expire(m, now_us);
    }
    while (ki_memory_used(m) + COST > most && m->heard.count > 0) {
        drop_soonest(&m->heard);
        m->heard.evicted++;
    }
    bool room = ki_memory_used(m) + COST <= most;
    m->refused += !room;
    return room;
}

static int hear_one(memory *m, kith_heard *h, int64_t now_us) {
    h->arrived_us = now_us;
    h->expired = false;
    h->number = 0;
    if (find_id(&m->heard, h->id) != NULL) {
        return KITH_DUPLICATE;
    }
    if (!make_room(m, now_us)) {
        return KITH_E_SPACE;
    }
    h->number = m->heard.numbers + 1;
    int r = add(&m->heard, h);
    m->heard.numbers += r == 0;
    return r;
}

int ki_memory_hear(
    void *self, kith_heard *list, size_t count, kith_time now, kith_error *err) {
    memory *m = self;
    int r = 0;
    size_t fresh = 0;
    memory_lock(m);
    for (size_t i = 0; i < count; i++) {
        list[i].result = hear_one(m, &list[i], now.wall_us);
        fresh += list[i].result == 0;
        r = list[i].result == KITH_E_MEMORY ? KITH_E_MEMORY : r;
    }
    m->commits += fresh > 0;
    memory_unlock(m);
    return r < 0 ? ki_fail(err, r, "hear: no memory") : 0;
}

/* ---- questions ---- */

static bool wanted(const kith_query *q, const kith_heard *h) {
    return (q->with_expired || h->expires_us > q->now_us) &&
           (q->id_length == 0 || memcmp(h->id, q->id, q->id_length) == 0) &&
           (q->pattern == NULL || kith_subject_matches(q->pattern, h->subject));
}

/* Copies the next few; the bounds of q move behind them. */
static size_t copy_some(memory *m, kith_query *q, kith_heard ret[PAGE]) {
    size_t n = 0;
    memory_lock(m);
    const overheard_all *all = &m->heard;
    size_t low = q->after == UINT64_MAX ? all->slot_count : slot_of(all, q->after + 1);
    size_t high = q->before == 0 ? all->slot_count : slot_of(all, q->before);
    while (low < high && n < PAGE) {
        const overheard *o = all->slots[q->newest_first ? --high : low++].one;
        if (o != NULL && wanted(q, &o->heard)) {
            ret[n] = o->heard;
            ret[n++].expired = o->heard.expires_us <= q->now_us;
        }
    }
    memory_unlock(m);
    if (n > 0) {
        *(q->newest_first ? &q->before : &q->after) = ret[n - 1].number;
    }
    return n;
}

/* Without the lock, so that a callback may call the store. */
int ki_memory_heard(
    void *self, const kith_query *query, kith_each_heard each, void *ctx, kith_error *err) {
    kith_query q = *query;
    kith_heard page[PAGE];
    uint32_t given = 0;
    size_t n = PAGE;
    (void) err;
    while (n == PAGE) {
        n = copy_some(self, &q, page);
        for (size_t i = 0; i < n; i++) {
            if (each(ctx, &page[i]) == KITH_STOP || ++given == query->limit) {
                return 0;
            }
        }
    }
    return 0;
}
