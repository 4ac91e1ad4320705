/* SPDX-License-Identifier: Apache-2.0 */
#include "store/marks.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

enum {
    OVERHEAD = 48, /* of the allocator, the heap and the buckets */
    SHARE = 4,     /* foreign marks take at most a quarter */
};

struct mark {
    mark *next; /* of the bucket */
    uint64_t epoch, seq;
    int64_t until;
    uint8_t source[KITH_KEY_SIZE];
    bool own;
    uint16_t length; /* of the proof; 0: a tombstone */
    uint8_t proof[];
};

int ki_marks_init(marks *m, uint64_t max_bytes) {
    size_t buckets = 256;
    while (buckets < max_bytes / 4096 && buckets < (size_t) 1 << 20) {
        buckets *= 2;
    }
    *m = (marks){ .mask = buckets - 1, .share = max_bytes / SHARE };
    m->buckets = calloc(buckets, sizeof *m->buckets);
    return m->buckets == NULL ? KITH_E_MEMORY : 0;
}

void ki_marks_fini(marks *m) {
    for (size_t i = 0; i < m->own.count + m->foreign.count; i++) {
        free(i < m->own.count ? m->own.at[i].item : m->foreign.at[i - m->own.count].item);
    }
    ki_heap_fini(&m->own);
    ki_heap_fini(&m->foreign);
    free(m->buckets);
    *m = (marks){ 0 };
}

size_t ki_marks_cost(const kith_packet *proof) {
    return sizeof(mark) + OVERHEAD + (proof == NULL ? 0 : proof->length);
}

static size_t cost_of(const mark *p) {
    return sizeof *p + OVERHEAD + p->length;
}

/* ---- places ---- */

static mark **bucket(const marks *m, const mark_place *place) {
    uint64_t h;
    memcpy(&h, place->source, sizeof h);
    h = (h ^ place->epoch * UINT64_C(0x9e3779b97f4a7c15)) + place->seq;
    h = (h ^ h >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
    return &m->buckets[(h ^ h >> 29) & m->mask];
}

static mark *find(const marks *m, const mark_place *place, bool tombstone) {
    mark *p = *bucket(m, place);
    while (p != NULL && (p->epoch != place->epoch || p->seq != place->seq ||
                            (p->length == 0) != tombstone ||
                            memcmp(p->source, place->source, KITH_KEY_SIZE) != 0)) {
        p = p->next;
    }
    return p;
}

bool ki_marks_entombed(const marks *m, const mark_place *place) {
    return find(m, place, true) != NULL;
}

static int add(marks *m, const mark_place *place, const kith_packet *proof, mark **ret) {
    mark *p = malloc(sizeof *p + (proof == NULL ? 0 : proof->length));
    if (p == NULL) {
        return KITH_E_MEMORY;
    }
    mark **at = bucket(m, place);
    *p = (mark){ .next = *at, .epoch = place->epoch, .seq = place->seq };
    memcpy(p->source, place->source, KITH_KEY_SIZE);
    if (proof != NULL) {
        p->length = proof->length;
        memcpy(p->proof, proof->bytes, proof->length);
    }
    *at = p;
    m->bytes += cost_of(p);
    *(p->length == 0 ? &m->tombstones : &m->proofs) += 1;
    *ret = p;
    return 0;
}

int ki_marks_entomb(marks *m, const mark_place *place, int64_t until, bool own) {
    mark *p = find(m, place, true);
    if (p != NULL) {
        p->until = p->until > until ? p->until : until;
        return 0;
    }
    heap *h = own ? &m->own : &m->foreign;
    int r = ki_heap_reserve(h);
    r = r < 0 ? r : add(m, place, NULL, &p);
    if (r < 0) {
        return r;
    }
    p->until = until;
    p->own = own;
    m->own_bytes += own ? cost_of(p) : 0;
    ki_heap_push(h, until, p);
    return 0;
}

int ki_marks_prove(
    marks *m, const mark_place *place, int64_t until, const kith_packet *proof) {
    CHECK(proof->length > 0 && proof->length <= KITH_PACKET_MAX);
    mark *p = find(m, place, false);
    if (p != NULL || m->proofs >= PROOFS_MAX) {
        return 0;
    }
    int r = ki_heap_reserve(&m->foreign);
    r = r < 0 ? r : add(m, place, proof, &p);
    if (r < 0) {
        return r;
    }
    p->until = until;
    ki_heap_push(&m->foreign, until, p);
    return 0;
}

/* ---- ends ---- */

/* An end that was put off left its key behind: it sinks when it comes up. */
static mark *soonest(heap *h) {
    mark *p = ki_heap_top(h);
    while (p != NULL && p->until > h->at[0].key) {
        ki_heap_sink(h, p->until);
        p = ki_heap_top(h);
    }
    return p;
}

static void drop(marks *m, mark *p) {
    mark **at = bucket(m, &(mark_place){ p->source, p->epoch, p->seq });
    while (*at != p) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = p->next;
    CHECK(m->bytes >= cost_of(p));
    m->bytes -= cost_of(p);
    CHECK(m->own_bytes >= (p->own ? cost_of(p) : 0));
    m->own_bytes -= p->own ? cost_of(p) : 0;
    *(p->length == 0 ? &m->tombstones : &m->proofs) -= 1;
    CHECK(ki_heap_top(p->own ? &m->own : &m->foreign) == p);
    ki_heap_pop(p->own ? &m->own : &m->foreign);
    free(p);
}

void ki_marks_each_proof(
    const marks *m, void (*fn)(void *ctx, const kith_packet *proof), void *ctx) {
    for (size_t i = 0; m->proofs > 0 && i <= m->mask; i++) {
        for (const mark *p = m->buckets[i]; p != NULL; p = p->next) {
            kith_packet proof = { .length = p->length };
            if (p->length == 0) continue;
            CHECK(p->length <= KITH_PACKET_MAX);
            memcpy(proof.bytes, p->proof, p->length);
            fn(ctx, &proof);
        }
    }
}

uint32_t ki_marks_expire(marks *m, int64_t now_us, uint32_t at_most) {
    uint32_t n = 0;
    for (int own = 0; own < 2; own++) {
        heap *h = own == 1 ? &m->own : &m->foreign;
        for (mark *p = soonest(h); p != NULL && p->until <= now_us && n < at_most; n++) {
            drop(m, p);
            p = soonest(h);
        }
    }
    return n;
}

bool ki_marks_drop_foreign(marks *m) {
    mark *p = soonest(&m->foreign);
    if (p != NULL) {
        drop(m, p);
    }
    return p != NULL;
}

bool ki_marks_too_many(const marks *m) {
    CHECK(m->bytes >= m->own_bytes);
    return m->bytes - m->own_bytes > m->share;
}

/* ---- check ---- */

const char *ki_marks_check(const marks *m) {
    uint64_t bytes = 0, own_bytes = 0;
    size_t proofs = 0, count = m->own.count + m->foreign.count;
    const char *wrong = ki_heap_check(&m->own);
    wrong = wrong != NULL ? wrong : ki_heap_check(&m->foreign);
    for (size_t i = 0; wrong == NULL && i < count; i++) {
        bool own = i < m->own.count;
        const heap_entry *e = own ? &m->own.at[i] : &m->foreign.at[i - m->own.count];
        const mark *p = e->item;
        mark_place place = { p->source, p->epoch, p->seq };
        if (p->own != own || e->key > p->until) return "marks: a heap's entry";
        if (find(m, &place, p->length == 0) != p) return "marks: not at its place";
        bytes += cost_of(p);
        own_bytes += own ? cost_of(p) : 0;
        proofs += p->length > 0;
    }
    if (wrong != NULL) return wrong;
    if (proofs != m->proofs || count - proofs != m->tombstones) return "marks: the number";
    return bytes != m->bytes || own_bytes != m->own_bytes ? "marks: the bytes" : NULL;
}
