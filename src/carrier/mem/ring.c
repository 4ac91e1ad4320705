/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/mem/ring.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    LINE = 64, /* of a cache */
};

typedef struct slot {
    alignas(LINE) _Atomic uint64_t turn;
    uint64_t lost; /* by this ring when the item came: where a gap is told */
    uint16_t length;
    uint8_t kind, subject_length;
    uint8_t data[KITH_SUBJECT_MAX + KITH_PACKET_MAX]; /* subject, then bytes */
} slot;

struct ring {
    alignas(LINE) _Atomic uint64_t tail; /* the posters' line */
    _Atomic uint64_t lost;
    alignas(LINE) _Atomic bool armed; /* the reader sleeps, or is about to */
    alignas(LINE) uint64_t head;      /* the reader's line */
    bool watched;                     /* somebody sleeps on the descriptor at all */
    bool asleep;                      /* armed, as far as the reader knows */
    alignas(LINE) atomic_uint refs;   /* never changes while packets flow */
    int shift;                        /* log2 of the number of slots */
    uint64_t mask;
    int wake;
    void *block; /* what calloc gave */
    alignas(LINE) slot slots[];
};

int ki_ring_new(ring **ret, size_t bytes) {
    int shift = 2;
    while (sizeof(slot) << (shift + 1) <= bytes) shift++;
    /* calloc, so that pages nobody fills stay the kernel's; aligned by hand. */
    size_t size = sizeof(ring) + (sizeof(slot) << shift);
    char *block = calloc(1, size + LINE);
    if (block == NULL) {
        return KITH_E_MEMORY;
    }
    ring *r = (ring *) (void *) (block + (LINE - (uintptr_t) block % LINE));
    r->block = block;
    r->shift = shift;
    r->mask = ((uint64_t) 1 << shift) - 1;
    atomic_init(&r->refs, 1);
    r->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (r->wake < 0) {
        free(block);
        return KITH_E_SYSTEM;
    }
    *ret = r;
    return 0;
}

void ki_ring_ref(ring *r) {
    unsigned before = atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    CHECK(before > 0);
}

void ki_ring_unref(ring **ring_at) {
    ring *r = *ring_at;
    *ring_at = NULL;
    if (r != NULL && atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1) {
        close(r->wake);
        free(r->block);
    }
}

/* The slot that is now the caller's, or NULL: the ring is full. */
static slot *claim(ring *r, uint64_t *ret_lap) {
    uint64_t at = atomic_load_explicit(&r->tail, memory_order_relaxed);
    for (;;) {
        slot *s = &r->slots[at & r->mask];
        uint64_t lap = at >> r->shift;
        uint64_t turn = atomic_load_explicit(&s->turn, memory_order_acquire);
        if (turn == 2 * lap) {
            if (atomic_compare_exchange_weak_explicit(
                    &r->tail, &at, at + 1, memory_order_relaxed, memory_order_relaxed)) {
                *ret_lap = lap;
                return s;
            }
        } else if (turn < 2 * lap) {
            return NULL; /* still holds what was put in a lap ago */
        } else {
            at = atomic_load_explicit(&r->tail, memory_order_relaxed);
        }
    }
}

/* Sequentially consistent with ki_ring_get: either we see that the reader is
 * armed, or it sees what we have put in. */
static void wake_reader(ring *r) {
    if (atomic_load(&r->armed) && atomic_exchange(&r->armed, false)) {
        uint64_t one = 1;
        ssize_t n = write(r->wake, &one, sizeof one);
        CHECK(n == sizeof one); /* cannot be full: one write for each sleep */
    }
}

void ki_ring_put(ring *r, const kith_posting *what) {
    uint64_t lap;
    slot *s = claim(r, &lap);
    if (s == NULL) {
        atomic_fetch_add_explicit(&r->lost, 1, memory_order_relaxed);
        return; /* a reader with a full ring is awake, or has been woken */
    }
    CHECK_HOT(what->length <= KITH_PACKET_MAX);
    size_t n = what->to == NULL ? 0 : strlen(what->to->subject);
    s->lost = atomic_load_explicit(&r->lost, memory_order_relaxed);
    s->length = what->length;
    s->kind = what->kind;
    s->subject_length = (uint8_t) n;
    if (n > 0) {
        memcpy(s->data, what->to->subject, n);
    }
    memcpy(s->data + n, what->bytes, what->length);
    atomic_store(&s->turn, 2 * lap + 1);
    wake_reader(r);
}

static bool ready(ring *r) {
    uint64_t turn = atomic_load(&r->slots[r->head & r->mask].turn);
    return turn == 2 * (r->head >> r->shift) + 1;
}

/* Nothing is there. True: something came while we lay down. */
static bool lie_down(ring *r) {
    if (!r->watched) {
        return false;
    }
    if (r->asleep && atomic_load(&r->armed)) {
        return false; /* nobody has woken us since */
    }
    if (r->asleep) {
        uint64_t count;
        (void) !read(
            r->wake, &count, sizeof count); /* empty: the writer is not there yet */
    }
    r->asleep = true;
    atomic_store(&r->armed, true);
    return ready(r);
}

int ki_ring_get(ring *r, kith_item *ret_item, uint64_t *told) {
    if (!ready(r) && !lie_down(r)) {
        uint64_t lost = atomic_load_explicit(&r->lost, memory_order_relaxed);
        if (lost == *told) {
            return KITH_EMPTY;
        }
        *told = lost;
        return KITH_GAP;
    }
    slot *s = &r->slots[r->head & r->mask];
    if (s->lost > *told) {
        *told = s->lost;
        return KITH_GAP;
    }
    ret_item->kind = s->kind;
    ret_item->length = s->length;
    ret_item->token = r->head;
    memcpy(ret_item->from.subject, s->data, s->subject_length);
    ret_item->from.subject[s->subject_length] = '\0';
    memcpy(ret_item->bytes, s->data + s->subject_length, s->length);
    uint64_t lap = r->head >> r->shift;
    r->head++;
    atomic_store_explicit(&s->turn, 2 * (lap + 1), memory_order_release);
    return 0;
}

int ki_ring_wake_fd(ring *r) {
    if (!r->watched) {
        /* readable until the first look finds nothing */
        uint64_t one = 1;
        r->watched = r->asleep = true;
        (void) !write(r->wake, &one, sizeof one);
    }
    return r->wake;
}

uint64_t ki_ring_lost(ring *r) {
    return atomic_load_explicit(&r->lost, memory_order_relaxed);
}
