/* SPDX-License-Identifier: Apache-2.0 */
/* mem: every mem:// with the same place in one process is one bus. A post is
 * copied into the ring of each other link that wants it; the poster does not
 * hear itself. A full ring refuses the newest, and its owner is told with
 * KITH_GAP, in the place where it is missing, how many.
 *
 *   poster --- posted ---> ring of each follower ---> pull
 *     its own list of (ring, patterns), renewed when the bus has a new version
 *
 * Several posters may write to a ring at once, one link reads it. The bus's lock
 * is taken to join, to leave, to follow, and by a poster that finds its list out
 * of date; posting and pulling take none. */
#include "base/check.h"
#include "base/fail.h"
#include "carrier/carrier.h"
#include "carrier/mem/ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    NAME_MAX_ = 63,
    LINKS_MAX = 1024, /* on one bus */
};

/* What one link follows now; never changed, so that posters read it freely. */
typedef struct wishes {
    atomic_uint refs;
    size_t count;
    char text[][KITH_SUBJECT_MAX + 1];
} wishes;

typedef struct member {
    ring *ring;
    wishes *wishes; /* NULL: none */
} member;

typedef struct bus {
    struct bus *next;
    char name[NAME_MAX_ + 1];
    pthread_mutex_t lock;
    atomic_uint version;
    size_t refs;  /* under `everywhere` */
    size_t count; /* under lock, like the members */
    member members[LINKS_MAX];
} bus;

typedef struct mem {
    int64_t ring_bytes; /* option */
    bus *bus;
    ring *ring;
    unsigned seen; /* version of the bus that others[] shows */
    size_t others_count;
    member others[LINKS_MAX];
    uint64_t posted, told;
} mem;

/* The exception to "no globals": a meeting place of one process is one. */
static pthread_mutex_t everywhere = PTHREAD_MUTEX_INITIALIZER;
static bus *buses;

static void wishes_unref(wishes *w) {
    if (w != NULL && atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) == 1) {
        free(w);
    }
}

static void member_unref(member *m) {
    ki_ring_unref(&m->ring);
    wishes_unref(m->wishes);
    m->wishes = NULL;
}

static bus *find_bus(const char *name) {
    bus *b = buses;
    while (b != NULL && strcmp(b->name, name) != 0) b = b->next;
    return b;
}

/* The bus of that name, made if need be, with one reference more. */
static bus *bus_ref(const char *name) {
    pthread_mutex_lock(&everywhere);
    bus *b = find_bus(name);
    if (b == NULL) {
        b = calloc(1, sizeof *b);
        if (b != NULL) {
            pthread_mutex_init(&b->lock, NULL);
            memcpy(b->name, name, strlen(name) + 1);
            b->next = buses;
            buses = b;
        }
    }
    if (b != NULL) {
        b->refs++;
    }
    pthread_mutex_unlock(&everywhere);
    return b;
}

static void bus_unref(bus *b) {
    pthread_mutex_lock(&everywhere);
    CHECK(b->refs > 0);
    if (--b->refs == 0) {
        bus **at = &buses;
        while (*at != b) {
            CHECK(*at != NULL);
            at = &(*at)->next;
        }
        *at = b->next;
        pthread_mutex_destroy(&b->lock);
        free(b);
    }
    pthread_mutex_unlock(&everywhere);
}

static int join(mem *m, kith_error *err) {
    bus *b = m->bus;
    int r = 0;
    pthread_mutex_lock(&b->lock);
    if (b->count == LINKS_MAX) {
        r = ki_fail(err, KITH_E_SPACE, "more than %d links on one bus", LINKS_MAX);
    } else {
        ki_ring_ref(m->ring);
        b->members[b->count++] = (member){ .ring = m->ring };
        atomic_fetch_add_explicit(&b->version, 1, memory_order_release);
    }
    pthread_mutex_unlock(&b->lock);
    return r;
}

/* Under the bus's lock. */
static member *find_self(mem *m) {
    for (size_t i = 0; i < m->bus->count; i++) {
        if (m->bus->members[i].ring == m->ring) {
            return &m->bus->members[i];
        }
    }
    CHECK(false && "an open link is on its bus");
    return NULL;
}

static void leave(mem *m) {
    bus *b = m->bus;
    pthread_mutex_lock(&b->lock);
    member *self = find_self(m), gone = *self;
    *self = b->members[--b->count];
    atomic_fetch_add_explicit(&b->version, 1, memory_order_release);
    pthread_mutex_unlock(&b->lock);
    member_unref(&gone);
}

static void forget_others(mem *m) {
    for (size_t i = 0; i < m->others_count; i++) {
        member_unref(&m->others[i]);
    }
    m->others_count = 0;
}

/* Only when somebody came, left or follows something else. */
static void renew(mem *m) {
    bus *b = m->bus;
    forget_others(m);
    pthread_mutex_lock(&b->lock);
    m->seen = atomic_load_explicit(&b->version, memory_order_relaxed);
    for (size_t i = 0; i < b->count; i++) {
        member *other = &b->members[i];
        if (other->ring == m->ring) {
            continue;
        }
        ki_ring_ref(other->ring);
        if (other->wishes != NULL) {
            atomic_fetch_add_explicit(&other->wishes->refs, 1, memory_order_relaxed);
        }
        m->others[m->others_count++] = *other;
    }
    pthread_mutex_unlock(&b->lock);
}

static int mem_open(void *self, const char *place, const kith_host *host, kith_error *err) {
    mem *m = self;
    (void) host;
    size_t n = strlen(place);
    if (n == 0 || n > NAME_MAX_) {
        return ki_fail(
            err, KITH_E_ARG, "'%.80s' is not a name of 1 to %d bytes", place, NAME_MAX_);
    }
    int r = ki_ring_new(&m->ring, (size_t) m->ring_bytes);
    if (r < 0) {
        return ki_fail(err, r, "ring of %lld bytes", (long long) m->ring_bytes);
    }
    m->bus = bus_ref(place);
    r = m->bus == NULL ? ki_fail(err, KITH_E_MEMORY, "bus") : join(m, err);
    if (r < 0) {
        if (m->bus != NULL) {
            bus_unref(m->bus);
        }
        ki_ring_unref(&m->ring);
    }
    return r;
}

static void mem_close(void *self) {
    mem *m = self;
    leave(m);
    forget_others(m);
    ki_ring_unref(&m->ring);
    bus_unref(m->bus);
}

static bool wanted(const wishes *w, const char *subject) {
    for (size_t i = 0; w != NULL && i < w->count; i++) {
        if (ki_wants(w->text[i], subject)) {
            return true;
        }
    }
    return false;
}

static int mem_post(void *self, const kith_posting *what) {
    mem *m = self;
    if (atomic_load_explicit(&m->bus->version, memory_order_acquire) != m->seen) {
        renew(m);
    }
    for (size_t i = 0; i < m->others_count; i++) {
        const member *other = &m->others[i];
        if (what->kind == KITH_ITEM_SYNC || wanted(other->wishes, what->to->subject)) {
            ki_ring_put(other->ring, what);
        }
    }
    m->posted++;
    return 0;
}

static int mem_follow(void *self, const char *const *patterns, size_t count) {
    mem *m = self;
    wishes *w = calloc(1, sizeof *w + count * sizeof w->text[0]);
    if (w == NULL) {
        return KITH_E_MEMORY;
    }
    atomic_init(&w->refs, 1);
    w->count = count;
    for (size_t i = 0; i < count; i++) {
        memcpy(w->text[i], patterns[i], strlen(patterns[i]) + 1); /* the core saw it */
    }
    pthread_mutex_lock(&m->bus->lock);
    member *here = find_self(m);
    wishes *old = here->wishes;
    here->wishes = w;
    atomic_fetch_add_explicit(&m->bus->version, 1, memory_order_release);
    pthread_mutex_unlock(&m->bus->lock);
    wishes_unref(old);
    return 0;
}

static int mem_pull(void *self, kith_item *ret_item) {
    mem *m = self;
    return ki_ring_get(m->ring, ret_item, &m->told);
}

static int mem_wake_fd(void *self) {
    mem *m = self;
    return ki_ring_wake_fd(m->ring);
}

/* A poster that rests lets go of rings whose links are closed. */
static void mem_tick(void *self, kith_time now) {
    mem *m = self;
    (void) now;
    if (atomic_load_explicit(&m->bus->version, memory_order_acquire) != m->seen) {
        renew(m);
    }
}

static void mem_counters(void *self, kith_counters *ret) {
    mem *m = self;
    ret->posted = ret->settled = m->posted;
    ret->lost = ki_ring_lost(m->ring);
}

static const kith_option options[] = {
    { "ring", KITH_OPTION_BYTES, offsetof(mem, ring_bytes), 4096, 1 << 30, "1M", NULL,
        "kept for a follower that is slow; what comes on top is lost and counted" },
    { .name = NULL },
};

const kith_carrier ki_mem_carrier = {
    .abi = KITH_CARRIER_ABI,
    .can = KITH_CAN_ORDER | KITH_CAN_PREFIX | KITH_CAN_SYNC,
    .state_size = sizeof(mem),
    .scheme = "mem",
    .summary = "inside one process",
    .place = "name of a bus",
    .options = options,
    .open = mem_open,
    .close = mem_close,
    .post = mem_post,
    .follow = mem_follow,
    .pull = mem_pull,
    .wake_fd = mem_wake_fd,
    .tick = mem_tick,
    .counters = mem_counters,
};
