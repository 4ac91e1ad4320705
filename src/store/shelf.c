/* SPDX-License-Identifier: Apache-2.0 */
#include "store/shelf.h"

#include "base/check.h"
#include "base/wire.h"

#include <stdlib.h>
#include <string.h>

enum {
    OVERHEAD = 80, /* of the allocator and our tables, for each record */
    WAY_COST = sizeof(shelf_way) + 16,
    HOLES = 64, /* fewer are not worth the move */
};

int ki_shelf_init(shelf *s, uint64_t max_bytes) {
    size_t buckets = 1024;
    while (buckets < max_bytes / 512 && buckets < (size_t) 1 << 22) {
        buckets *= 2;
    }
    *s = (shelf){ .place_mask = buckets - 1, .next_arrival = 1 };
    s->places = calloc(buckets, sizeof *s->places);
    return s->places == NULL ? KITH_E_MEMORY : 0;
}

static void free_rec(shelf_rec *r) {
    while (r->more_ways != NULL) {
        shelf_way *w = r->more_ways;
        r->more_ways = w->next;
        free(w);
    }
    free(r);
}

void ki_shelf_fini(shelf *s) {
    for (size_t i = 0; i < s->slot_count; i++) {
        if (s->slots[i].rec != NULL) free_rec(s->slots[i].rec);
    }
    ki_order_fini(&s->order);
    ki_heap_fini(&s->own);
    ki_heap_fini(&s->foreign);
    free(s->places);
    free(s->slots);
    *s = (shelf){ 0 };
}

size_t ki_shelf_cost(size_t length) {
    return sizeof(shelf_rec) + length + OVERHEAD;
}

size_t ki_shelf_way_cost(void) {
    return WAY_COST;
}

static heap *heap_of(shelf *s, bool own) {
    return own ? &s->own : &s->foreign;
}

/* ---- places ---- */

static shelf_rec **bucket(
    const shelf *s, const uint8_t source[32], uint64_t epoch, uint64_t seq) {
    uint64_t h;
    memcpy(&h, source, sizeof h);
    h = (h ^ epoch * UINT64_C(0x9e3779b97f4a7c15)) + seq * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 31) * UINT64_C(0x94d049bb133111eb);
    return &s->places[(h ^ h >> 29) & s->place_mask];
}

static shelf_rec **bucket_of(const shelf *s, const shelf_rec *r) {
    const uint8_t *p = r->bytes;
    return bucket(s, p + AT_SOURCE, wire_get64(p + AT_EPOCH), wire_get64(p + AT_SEQ));
}

shelf_rec *ki_shelf_at(
    const shelf *s, const uint8_t source[32], uint64_t epoch, uint64_t seq) {
    shelf_rec *r = *bucket(s, source, epoch, seq);
    while (r != NULL && (wire_get64(r->bytes + AT_SEQ) != seq ||
                            wire_get64(r->bytes + AT_EPOCH) != epoch ||
                            memcmp(r->bytes + AT_SOURCE, source, 32) != 0)) {
        r = r->chain;
    }
    return r;
}

static void forget_place(shelf *s, const shelf_rec *r) {
    shelf_rec **at = bucket_of(s, r);
    while (*at != r) {
        CHECK(*at != NULL);
        at = &(*at)->chain;
    }
    *at = r->chain;
}

/* ---- arrivals ---- */

size_t ki_shelf_slot(const shelf *s, uint64_t arrival) {
    if (s->slot_count == 0 || arrival <= s->slots[0].arrival) {
        return 0;
    }
    /* Without holes laid together, it is this far from the first. */
    uint64_t guess = arrival - s->slots[0].arrival;
    size_t low = 0, high = s->slot_count;
    if (guess < high) {
        if (s->slots[guess].arrival == arrival) return (size_t) guess;
        high = (size_t) guess;
    }
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->slots[mid].arrival < arrival) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

shelf_rec *ki_shelf_arrival(const shelf *s, uint64_t arrival) {
    size_t i = ki_shelf_slot(s, arrival);
    bool there = i < s->slot_count && s->slots[i].arrival == arrival;
    return there ? s->slots[i].rec : NULL;
}

static int reserve_slot(shelf *s) {
    if (s->slot_count < s->slot_room) {
        return 0;
    }
    size_t room = s->slot_room == 0 ? 64 : s->slot_room * 2;
    shelf_slot *grown = realloc(s->slots, room * sizeof *grown);
    if (grown == NULL) {
        return KITH_E_MEMORY;
    }
    s->slots = grown;
    s->slot_room = room;
    return 0;
}

static void forget_slot(shelf *s, const shelf_rec *r) {
    size_t i = ki_shelf_slot(s, r->arrival), kept = 0;
    CHECK(i < s->slot_count && s->slots[i].rec == r);
    s->slots[i].rec = NULL;
    size_t holes = s->slot_count - s->count; /* count is without r already */
    if (holes < HOLES || holes < s->count) {
        return;
    }
    for (i = 0; i < s->slot_count; i++) {
        if (s->slots[i].rec != NULL) s->slots[kept++] = s->slots[i];
    }
    CHECK(kept == s->count);
    s->slot_count = kept;
}

/* ---- in and out ---- */

static int reserve(shelf *s, bool own) {
    int r = ki_heap_reserve(heap_of(s, own));
    return r < 0 ? r : reserve_slot(s);
}

int ki_shelf_add(
    shelf *s, const kith_packet *packet, const ki_facts *facts, bool own, shelf_rec **ret) {
    CHECK(packet->length >= PART_LENGTH_MIN && packet->length <= KITH_PACKET_MAX);
    CHECK_HOT(ki_shelf_at(s, facts->source, facts->epoch, facts->seq) == NULL);
    shelf_rec *r = reserve(s, own) < 0 ? NULL : malloc(sizeof *r + packet->length);
    if (r == NULL) {
        return KITH_E_MEMORY;
    }
    *r = (shelf_rec){
        .arrival = s->next_arrival,
        .exp = facts->expires_us,
        .own = own,
        .evidence = facts->evidence,
        .length = packet->length,
    };
    memcpy(r->id, facts->id, KITH_ID_SIZE);
    memcpy(r->bytes, packet->bytes, packet->length);
    int failed = ki_order_add(&s->order, r);
    if (failed < 0) {
        free(r);
        return failed;
    }
    shelf_rec **place = bucket_of(s, r);
    r->chain = *place;
    *place = r;
    ki_heap_push(heap_of(s, own), r->exp, r);
    CHECK(s->slot_count < s->slot_room);
    s->slots[s->slot_count++] = (shelf_slot){ s->next_arrival++, r };
    s->count++;
    s->own_count += own;
    s->bytes += ki_shelf_cost(r->length);
    s->own_bytes += own ? ki_shelf_cost(r->length) : 0;
    *ret = r;
    return 0;
}

int ki_shelf_note_way(shelf *s, shelf_rec *r, const char *name) {
    CHECK(name != NULL);
    shelf_way **at = &r->more_ways;
    if (r->way == name) {
        return 0;
    }
    for (; *at != NULL; at = &(*at)->next) {
        if ((*at)->name == name) return 0;
    }
    *at = malloc(sizeof **at);
    if (*at == NULL) {
        return KITH_E_MEMORY;
    }
    **at = (shelf_way){ .name = name };
    s->bytes += WAY_COST;
    s->own_bytes += r->own ? WAY_COST : 0;
    return 0;
}

static uint64_t cost_of(const shelf_rec *r) {
    uint64_t cost = ki_shelf_cost(r->length);
    for (const shelf_way *w = r->more_ways; w != NULL; w = w->next) {
        cost += WAY_COST;
    }
    return cost;
}

shelf_rec *ki_shelf_soonest(const shelf *s, bool own) {
    return ki_heap_top(own ? &s->own : &s->foreign);
}

void ki_shelf_drop_soonest(shelf *s, bool own) {
    shelf_rec *r = ki_shelf_soonest(s, own);
    CHECK(r != NULL && r->own == own);
    CHECK(s->bytes >= cost_of(r));
    ki_heap_pop(heap_of(s, own));
    ki_order_remove(&s->order, r);
    forget_place(s, r);
    CHECK(s->count > 0 && s->own_count >= own && s->own_count <= s->count);
    s->count--;
    s->own_count -= own;
    s->bytes -= cost_of(r);
    s->own_bytes -= own ? cost_of(r) : 0;
    s->drops++;
    forget_slot(s, r);
    free_rec(r);
}

/* ---- check ---- */

static const char *check_rec(const shelf *s, const shelf_slot *slot) {
    const shelf_rec *r = slot->rec;
    const uint8_t *p = r->bytes;
    uint64_t epoch = wire_get64(p + AT_EPOCH), seq = wire_get64(p + AT_SEQ);
    if (r->arrival != slot->arrival) return "shelf: a record in another's slot";
    if (ki_shelf_arrival(s, r->arrival) != r) return "shelf: not found by arrival";
    if (ki_shelf_at(s, p + AT_SOURCE, epoch, seq) != r) return "shelf: not at its place";
    order_key key = { rec_subject(r), rec_subject_length(r), r->arrival };
    order_spot spot = ki_order_seek(&s->order, &key);
    return ki_order_next(&s->order, &spot) == r ? NULL : "shelf: not in the order";
}

static const char *check_heaps(const shelf *s) {
    const char *wrong = ki_heap_check(&s->own);
    wrong = wrong != NULL ? wrong : ki_heap_check(&s->foreign);
    for (size_t i = 0; wrong == NULL && i < s->own.count + s->foreign.count; i++) {
        bool own = i < s->own.count;
        const heap_entry *e = own ? &s->own.at[i] : &s->foreign.at[i - s->own.count];
        const shelf_rec *r = e->item;
        if (r->own != own || r->exp != e->key) wrong = "shelf: a heap's entry";
    }
    return wrong;
}

const char *ki_shelf_check(const shelf *s) {
    size_t count = 0, own = 0;
    uint64_t bytes = 0, own_bytes = 0, last = 0;
    const char *wrong = ki_order_check(&s->order);
    wrong = wrong != NULL ? wrong : check_heaps(s);
    for (size_t i = 0; wrong == NULL && i < s->slot_count; i++) {
        const shelf_slot *slot = &s->slots[i];
        if (slot->arrival <= last) return "shelf: arrivals out of order";
        last = slot->arrival;
        if (slot->rec == NULL) continue;
        wrong = check_rec(s, slot);
        count++;
        own += slot->rec->own;
        bytes += cost_of(slot->rec);
        own_bytes += slot->rec->own ? cost_of(slot->rec) : 0;
    }
    if (wrong != NULL) return wrong;
    if (last >= s->next_arrival) return "shelf: an arrival from the future";
    if (count != s->count || own != s->own_count) return "shelf: the number of records";
    if (count != s->order.count || count - own != s->foreign.count || own != s->own.count) {
        return "shelf: a record that not every index has";
    }
    return bytes != s->bytes || own_bytes != s->own_bytes ? "shelf: the bytes" : NULL;
}
