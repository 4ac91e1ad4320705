/* SPDX-License-Identifier: Apache-2.0 */
#include "store/shelf.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 512,
    AT_SOURCE = 20,
    AHEAD = 4,     /* subjects: about the time memory takes */
    OVERHEAD = 64, /* of the allocator and our tables, for each record */
};

int ki_shelf_init(shelf *s, uint64_t max_bytes) {
    size_t buckets = 1024;
    while (buckets < max_bytes / 512 && buckets < (size_t) 1 << 22) {
        buckets *= 2;
    }
    *s = (shelf){ .place_mask = buckets - 1, .base = 1 };
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
    for (size_t i = 0; i < s->arrival_count; i++) {
        if (s->arrivals[i] != NULL) free_rec(s->arrivals[i]);
    }
    for (size_t i = 0; i < s->block_count; i++) {
        for (size_t k = 0; k < s->blocks[i]->count; k++) free(s->blocks[i]->at[k]);
        free(s->blocks[i]);
    }
    free(s->blocks);
    free(s->places);
    free(s->own.at);
    free(s->foreign.at);
    free(s->arrivals);
    *s = (shelf){ 0 };
}

size_t ki_shelf_cost(const ki_facts *facts, size_t length) {
    return sizeof(shelf_rec) + length + OVERHEAD + facts->subject_length;
}

/* Room for one more, at least twice what there was. */
static int reserve(void *array, size_t size, size_t count, size_t *room) {
    if (count < *room) {
        return 0;
    }
    size_t more = *room == 0 ? 64 : *room * 2;
    void **at = array;
    void *grown = realloc(*at, more * size);
    if (grown == NULL) {
        return KITH_E_MEMORY;
    }
    *at = grown;
    *room = more;
    return 0;
}

/* ---- subjects ---- */

/* The block in which text is or belongs, and the place in it. */
static size_t find_block(const shelf *s, const char *text) {
    size_t low = 0, high = s->block_count;
    while (high - low > 1) { /* blocks[low] begins at or below text, if any does */
        size_t mid = low + (high - low) / 2;
        if (strcmp(s->blocks[mid]->at[0]->text, text) <= 0) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return low;
}

static size_t find_in_block(const shelf_block *b, const char *text) {
    size_t low = 0, high = b->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(b->at[mid]->text, text) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

shelf_spot ki_shelf_spot(const shelf *s, const char *text) {
    if (s->block_count == 0) {
        return (shelf_spot){ 0, 0 };
    }
    size_t b = find_block(s, text), i = find_in_block(s->blocks[b], text);
    return i == s->blocks[b]->count ? (shelf_spot){ b + 1, 0 } : (shelf_spot){ b, i };
}

shelf_subject *ki_shelf_seek(const shelf *s, const char *text) {
    shelf_spot spot = ki_shelf_spot(s, text);
    return spot.block < s->block_count ? s->blocks[spot.block]->at[spot.at] : NULL;
}

const shelf_subject *ki_shelf_next(const shelf *s, shelf_spot *spot) {
    if (spot->block >= s->block_count) {
        return NULL;
    }
    const shelf_block *b = s->blocks[spot->block];
    if (spot->at + 2 * AHEAD < b->count) {
        __builtin_prefetch(b->at[spot->at + 2 * AHEAD]);
        __builtin_prefetch(b->at[spot->at + AHEAD]->first);
    }
    const shelf_subject *subject = b->at[spot->at++];
    if (spot->at == b->count) {
        *spot = (shelf_spot){ spot->block + 1, 0 };
    }
    return subject;
}

void ki_shelf_fetch(const shelf_rec *r) {
    const char *at = (const char *) r;
    for (size_t i = 64; i < sizeof *r + r->length; i += 64) {
        __builtin_prefetch(at + i);
    }
}

/* A full block becomes two halves. */
static int split(shelf *s, size_t b) {
    int r = reserve(&s->blocks, sizeof *s->blocks, s->block_count, &s->block_room);
    shelf_block *upper = r == 0 ? malloc(sizeof *upper) : NULL;
    if (upper == NULL) {
        return KITH_E_MEMORY;
    }
    shelf_block *lower = s->blocks[b];
    upper->count = lower->count / 2;
    lower->count -= upper->count;
    memcpy(upper->at, lower->at + lower->count, upper->count * sizeof *upper->at);
    memmove(
        &s->blocks[b + 2], &s->blocks[b + 1], (s->block_count - b - 1) * sizeof *s->blocks);
    s->blocks[b + 1] = upper;
    s->block_count++;
    return 0;
}

static int add_subject(shelf *s, const char *text, shelf_subject **ret) {
    if (s->block_count == 0) {
        int r = reserve(&s->blocks, sizeof *s->blocks, 0, &s->block_room);
        shelf_block *first = r == 0 ? malloc(sizeof *first) : NULL;
        if (first == NULL) return KITH_E_MEMORY;
        first->count = 0;
        s->blocks[s->block_count++] = first;
    }
    /* An empty first block has no text to compare with, and is the only one. */
    size_t b = s->blocks[0]->count == 0 ? 0 : find_block(s, text);
    if (s->blocks[b]->count == BLOCK) {
        int r = split(s, b);
        if (r < 0) return r;
        b = find_block(s, text);
    }
    shelf_block *block = s->blocks[b];
    size_t i = find_in_block(block, text), n = strlen(text);
    shelf_subject *subject = malloc(sizeof *subject + n + 1);
    if (subject == NULL) {
        return KITH_E_MEMORY;
    }
    *subject = (shelf_subject){ .length = n };
    memcpy(subject->text, text, n + 1);
    memmove(&block->at[i + 1], &block->at[i], (block->count - i) * sizeof *block->at);
    block->at[i] = subject;
    block->count++;
    s->subject_count++;
    *ret = subject;
    return 0;
}

static void drop_subject(shelf *s, shelf_subject *subject) {
    size_t b = find_block(s, subject->text);
    shelf_block *block = s->blocks[b];
    size_t i = find_in_block(block, subject->text);
    CHECK(i < block->count && block->at[i] == subject);
    memmove(&block->at[i], &block->at[i + 1], (block->count - i - 1) * sizeof *block->at);
    block->count--;
    s->subject_count--;
    free(subject);
    if (block->count == 0) {
        free(block);
        memmove(
            &s->blocks[b], &s->blocks[b + 1], (s->block_count - b - 1) * sizeof *s->blocks);
        s->block_count--;
    }
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

shelf_rec *ki_shelf_at(
    const shelf *s, const uint8_t source[32], uint64_t epoch, uint64_t seq) {
    shelf_rec *r = *bucket(s, source, epoch, seq);
    while (r != NULL && (r->epoch != epoch || r->seq != seq ||
                            memcmp(r->bytes + AT_SOURCE, source, 32) != 0)) {
        r = r->chain;
    }
    return r;
}

/* ---- expiry ---- */

static void sift_up(shelf_heap *h, size_t i) {
    shelf_rec *r = h->at[i];
    for (; i > 0 && h->at[(i - 1) / 2]->exp > r->exp; i = (i - 1) / 2) {
        h->at[i] = h->at[(i - 1) / 2];
    }
    h->at[i] = r;
}

static void sift_down(shelf_heap *h, size_t i) {
    shelf_rec *r = h->at[i];
    for (size_t child = 2 * i + 1; child < h->count; child = 2 * i + 1) {
        child += child + 1 < h->count && h->at[child + 1]->exp < h->at[child]->exp;
        if (h->at[child]->exp >= r->exp) {
            break;
        }
        h->at[i] = h->at[child];
        i = child;
    }
    h->at[i] = r;
}

shelf_rec *ki_shelf_soonest(const shelf *s, bool own) {
    const shelf_heap *h = own ? &s->own : &s->foreign;
    return h->count == 0 ? NULL : h->at[0];
}

/* ---- in and out ---- */

static int make_room(shelf *s, bool own) {
    shelf_heap *h = own ? &s->own : &s->foreign;
    int r = reserve(&h->at, sizeof(shelf_rec *), h->count, &h->room);
    return r < 0 ? r
                 : reserve(&s->arrivals, sizeof(shelf_rec *), s->arrival_count,
                       &s->arrival_room);
}

static void link_rec(shelf *s, shelf_rec *r, shelf_subject *subject) {
    shelf_rec **place = bucket(s, r->bytes + AT_SOURCE, r->epoch, r->seq);
    shelf_heap *h = r->own ? &s->own : &s->foreign;
    r->chain = *place;
    *place = r;
    r->subject = subject;
    r->prev = subject->last;
    *(subject->last == NULL ? &subject->first : &subject->last->next) = r;
    subject->last = r;
    h->at[h->count++] = r;
    sift_up(h, h->count - 1);
    r->arrival = s->base + s->arrival_count;
    s->arrivals[s->arrival_count++] = r;
    s->count++;
    s->own_count += r->own;
}

int ki_shelf_add(
    shelf *s, const kith_packet *packet, const ki_facts *facts, bool own, shelf_rec **ret) {
    char text[SKIP_ROOM];
    memcpy(text, facts->subject, facts->subject_length);
    text[facts->subject_length] = '\0';
    shelf_rec *r = make_room(s, own) < 0 ? NULL : malloc(sizeof *r + packet->length);
    if (r == NULL) {
        return KITH_E_MEMORY;
    }
    shelf_subject *subject = ki_shelf_seek(s, text);
    if (subject == NULL || strcmp(subject->text, text) != 0) {
        int failed = add_subject(s, text, &subject);
        if (failed < 0) {
            free(r);
            return failed;
        }
    }
    *r = (shelf_rec){
        .epoch = facts->epoch,
        .seq = facts->seq,
        .exp = facts->expires_us,
        .own = own,
        .evidence = facts->evidence,
        .length = packet->length,
    };
    memcpy(r->id, facts->id, KITH_ID_SIZE);
    memcpy(r->bytes, packet->bytes, packet->length);
    link_rec(s, r, subject);
    s->bytes += ki_shelf_cost(facts, packet->length);
    *ret = r;
    return 0;
}

shelf_rec *ki_shelf_arrival(const shelf *s, uint64_t arrival) {
    bool inside = arrival >= s->base && arrival - s->base < s->arrival_count;
    return inside ? s->arrivals[arrival - s->base] : NULL;
}

/* The front of the array goes when at least half of it is empty. */
static void shorten(shelf *s) {
    size_t empty = 0;
    while (empty < s->arrival_count && s->arrivals[empty] == NULL) {
        empty++;
    }
    if (empty > 64 && empty >= s->arrival_count / 2) {
        s->arrival_count -= empty;
        s->base += empty;
        memmove(s->arrivals, s->arrivals + empty, s->arrival_count * sizeof *s->arrivals);
    }
}

void ki_shelf_drop_soonest(shelf *s, bool own) {
    shelf_heap *h = own ? &s->own : &s->foreign;
    CHECK(h->count > 0);
    shelf_rec *r = h->at[0];
    h->at[0] = h->at[--h->count];
    if (h->count > 0) {
        sift_down(h, 0);
    }
    shelf_rec **place = bucket(s, r->bytes + AT_SOURCE, r->epoch, r->seq);
    while (*place != r) {
        place = &(*place)->chain;
    }
    *place = r->chain;
    *(r->prev == NULL ? &r->subject->first : &r->prev->next) = r->next;
    *(r->next == NULL ? &r->subject->last : &r->next->prev) = r->prev;
    s->bytes -= sizeof *r + r->length + OVERHEAD + r->subject->length;
    if (r->subject->first == NULL) {
        drop_subject(s, r->subject);
    }
    s->arrivals[r->arrival - s->base] = NULL;
    s->count--;
    s->own_count -= r->own;
    free_rec(r);
    if (s->count % 64 == 0) {
        shorten(s);
    }
}
