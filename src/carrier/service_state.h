/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/service_state.h - what the link and the thread of a service share; private
 * to service.c (the thread's life), service_link.c and service_work.c (the two sides).
 */
#ifndef CARRIER_SERVICE_STATE_H
#define CARRIER_SERVICE_STATE_H

#include "carrier/service.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    /* Items for which the loop is woken in the middle of a turn. For each one it would
     * wake, find one, and sleep again: half the time of reading a folder. */
    SERVICE_WAKE_AT = 32,
};

/* Who frees: the last of the two. */
enum {
    SERVICE_RUNNING = 0,
    SERVICE_ABANDONED = 1, /* by the link: the thread frees */
    SERVICE_FINISHED = 2,  /* by the thread: the link frees */
};

struct ki_service {
    const ki_worker *worker;
    void *self;
    const kith_host *host;
    pthread_t thread;
    atomic_int fate;
    int kick, answer, wake; /* to the thread; back to a waiting call; to the loop */

    pthread_mutex_t lock; /* all below; held for copies, never over a call that waits */
    bool kicked, stopping, ended, signalled, starved;
    kith_time now;
    ki_posted *posts;
    size_t posts_first, posts_count;
    kith_item *items;
    size_t items_first, items_count;
    uint64_t settled; /* ticket */
    bool settled_new, failed;
    kith_error failure, sickness; /* sickness.code 0: well */
    uint64_t sick_ns;             /* since; by tick */
    unsigned asked, answered;     /* begin is the first, then rewinds, by number */
    bool adopting;                /* follow waits until the thread has the patterns */
    int result;                   /* of the one answered last */
    kith_error result_words;
    kith_position position;
    kith_counters counters;
    ki_patterns patterns;
    ki_note note; /* for the carrier's cursor */
};

void ki_service_ring(int bell);
void ki_service_silence(int bell); /* nothing there is as good */

/* Takes the lock, and looks whether all is as it must be. */
void ki_service_lock(ki_service *s);
void ki_service_unlock(ki_service *s);

/* Under lock. kick: the thread has something to do. signal: the loop has, for pull
 * or settle; calm: does it still? */
void ki_service_kick(ki_service *s);
void ki_service_signal(ki_service *s);
void ki_service_calm(ki_service *s);

/* Waits until the thread has done what was asked; `done` is called under lock. False:
 * it did not within ms, and the medium hangs. */
bool ki_service_hear(ki_service *s, bool (*done)(const ki_service *s), int ms);
bool ki_service_has_answered(const ki_service *s);
int ki_service_patience(const ki_service *s);

#endif
