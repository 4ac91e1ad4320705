/* SPDX-License-Identifier: Apache-2.0 */
#include "node/verify.h"

#include "base/check.h"

#include <kith/error.h>

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct slot {
    ki_flight flight;
    bool ready;
} slot;

/* first <= claimed <= end, all of them counts: a place is the count modulo the ring. */
struct ki_verify {
    uint64_t first, end; /* the owner's */
    unsigned threads_max, threads;
    bool barren; /* no thread could be begun: it is not tried again */
    ki_spawn spawn;
    pthread_t thread[VERIFY_THREADS_MAX];

    /* Guards what follows, and `ready` of each slot. */
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    uint64_t claimed; /* up to here somebody checks, or has checked */
    uint64_t given;   /* end, as the threads see it */
    uint32_t waiting; /* of those behind `claimed`, how many want a check */
    uint32_t asleep;  /* threads */
    uint32_t busy;    /* chunks that threads are at */
    bool stop;

    slot slots[VERIFY_RING];
};

typedef struct chunk {
    uint64_t from, to;
    uint32_t checks;
} chunk;

static slot *at(ki_verify *v, uint64_t n) {
    return &v->slots[n % VERIFY_RING];
}

static void locked(ki_verify *v) {
    (void) pthread_mutex_lock(&v->lock);
    CHECK(v->claimed <= v->given);
    CHECK(v->waiting <= v->given - v->claimed);
}

static void unlocked(ki_verify *v) {
    (void) pthread_mutex_unlock(&v->lock);
}

/* ---- a chunk: claimed, checked, told; the first and the last with the lock ----
 * It begins with a slot that is not ready: so none of it is taken, and filled anew,
 * before it is told. */

static chunk claim(ki_verify *v, uint32_t most) {
    chunk c = { .from = v->claimed };
    while (c.from < v->given && at(v, c.from)->ready) c.from++; /* the owner may take it */
    c.to = c.from;
    while (c.to < v->given && c.checks < most) {
        c.checks += !at(v, c.to++)->ready;
    }
    v->claimed = c.to;
    v->waiting -= c.checks;
    return c;
}

static void check(ki_verify *v, const chunk *c) {
    for (uint64_t n = c->from; n < c->to; n++) {
        ki_flight *f = &at(v, n)->flight;
        if (f->kind == FLIGHT_PACKET) {
            f->result = kith_packet_verify(&f->packet);
        }
    }
}

static void tell(ki_verify *v, const chunk *c) {
    for (uint64_t n = c->from; n < c->to; n++) at(v, n)->ready = true;
}

static void *run(void *ctx) {
    ki_verify *v = ctx;
    locked(v);
    while (!v->stop) {
        chunk c = claim(v, VERIFY_CHUNK);
        if (c.checks == 0) {
            v->asleep++;
            (void) pthread_cond_wait(&v->work, &v->lock);
            v->asleep--;
            continue;
        }
        v->busy++;
        unlocked(v);
        check(v, &c);
        locked(v);
        tell(v, &c);
        if (--v->busy == 0) {
            (void) pthread_cond_signal(&v->done);
        }
    }
    unlocked(v);
    return NULL;
}

/* ---- threads ---- */

unsigned ki_verify_threads(void) {
    cpu_set_t set;
    long cores = sched_getaffinity(0, sizeof set, &set) == 0
                     ? CPU_COUNT(&set)
                     : sysconf(_SC_NPROCESSORS_ONLN);
    return cores <= 1                   ? 0
           : cores > VERIFY_THREADS_MAX ? VERIFY_THREADS_MAX
                                        : (unsigned) cores - 1;
}

static int begin_thread(pthread_t *ret, void *(*body)(void *), void *ctx) {
    return pthread_create(ret, NULL, body, ctx);
}

/* Signals are the program's: no thread of ours takes one. */
static void begin(ki_verify *v) {
    sigset_t all, before;
    sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &before);
    while (v->threads < v->threads_max && !v->barren) {
        v->barren = v->spawn(&v->thread[v->threads], run, v) != 0;
        v->threads += !v->barren;
    }
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int ki_verify_open(ki_verify **ret, unsigned threads, ki_spawn spawn) {
    CHECK(threads <= VERIFY_THREADS_MAX);
    ki_verify *v = calloc(1, sizeof *v);
    if (v == NULL) {
        return KITH_E_MEMORY;
    }
    v->threads_max = threads;
    v->spawn = spawn == NULL ? begin_thread : spawn;
    (void) pthread_mutex_init(&v->lock, NULL);
    (void) pthread_cond_init(&v->work, NULL);
    (void) pthread_cond_init(&v->done, NULL);
    *ret = v;
    return 0;
}

void ki_verify_close(ki_verify **verify) {
    ki_verify *v = *verify;
    if (v == NULL) {
        return;
    }
    locked(v);
    v->stop = true;
    (void) pthread_cond_broadcast(&v->work);
    unlocked(v);
    for (unsigned i = 0; i < v->threads; i++) (void) pthread_join(v->thread[i], NULL);
    (void) pthread_cond_destroy(&v->work);
    (void) pthread_cond_destroy(&v->done);
    (void) pthread_mutex_destroy(&v->lock);
    free(v);
    *verify = NULL;
}

/* ---- the owner ---- */

size_t ki_verify_count(const ki_verify *v) {
    CHECK(v->end - v->first <= VERIFY_RING);
    return (size_t) (v->end - v->first);
}

ki_flight *ki_verify_next(ki_verify *v) {
    size_t room = v->threads > 0 ? VERIFY_RING : VERIFY_ALONE;
    return ki_verify_count(v) < room ? &at(v, v->end)->flight : NULL;
}

void ki_verify_give(ki_verify *v) {
    slot *s = at(v, v->end);
    bool wants = s->flight.kind == FLIGHT_PACKET;
    CHECK(ki_verify_count(v) < VERIFY_RING);
    s->flight.result = 0;
    locked(v);
    s->ready = !wants;
    v->given = ++v->end;
    v->waiting += wants;
    uint32_t waiting = v->waiting;
    bool wake = v->asleep > 0 && waiting >= VERIFY_CHUNK;
    unlocked(v);
    if (wake) {
        (void) pthread_cond_signal(&v->work);
    } else if (waiting >= VERIFY_BEGIN && v->threads < v->threads_max && !v->barren) {
        begin(v);
    }
}

ki_flight *ki_verify_last(ki_verify *v) {
    return v->end == v->first ? NULL : &at(v, v->end - 1)->flight;
}

void ki_verify_help(ki_verify *v, uint32_t budget) {
    locked(v);
    while (budget > 0) {
        chunk c = claim(v, budget < VERIFY_CHUNK ? budget : VERIFY_CHUNK);
        if (c.from == c.to) {
            break;
        }
        unlocked(v);
        check(v, &c);
        locked(v);
        tell(v, &c);
        budget -= c.checks;
    }
    while (v->waiting == 0 && v->busy > 0) {
        (void) pthread_cond_wait(&v->done, &v->lock);
    }
    unlocked(v);
}

size_t ki_verify_ready(ki_verify *v) {
    locked(v);
    uint64_t n = v->first;
    while (n < v->end && at(v, n)->ready) n++;
    unlocked(v);
    return (size_t) (n - v->first);
}

const ki_flight *ki_verify_at(const ki_verify *v, size_t i) {
    CHECK(i < ki_verify_count(v));
    return &v->slots[(v->first + i) % VERIFY_RING].flight;
}

/* An empty ring begins at its first place again: little traffic touches little memory. */
void ki_verify_take(ki_verify *v, size_t count) {
    CHECK(count <= ki_verify_count(v));
    v->first += count;
    locked(v);
    if (v->claimed < v->first) {
        v->claimed = v->first; /* those in between wanted no check */
    }
    if (v->first == v->end && v->busy == 0) {
        v->first = v->end = v->claimed = v->given = 0;
    }
    unlocked(v);
}
