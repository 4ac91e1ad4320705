/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/service.h - a thread inside a carrier, for what blocks.
 *
 *   link's thread                     service thread
 *   post -----> [posts] ------------> work: takes a batch, makes it safe,
 *   settle <--- ticket, or failure <- settles it or fails it as a whole
 *   pull <----- [items] <------------ offers what it found
 *   tick, follow, rewind -----------> sees them at its next turn
 *
 * Both queues are bounded: a full [posts] is KITH_FULL, a full [items] makes the
 * worker wait, so nothing is lost here. One lock, held for copies only, is private
 * to service*.c. The worker sleeps until it is kicked or its own descriptor is
 * readable; it has no clock but tick.
 */
#ifndef CARRIER_SERVICE_H
#define CARRIER_SERVICE_H

#include <kith/carrier.h>

typedef struct ki_service ki_service;

typedef struct ki_worker {
    const char *scheme;
    int patience_ms; /* 0: KI_SERVICE_PATIENCE_MS */
    /* On the service thread, and open waits for it (KI_SERVICE_PATIENCE_MS). */
    int (*begin)(void *self, kith_error *err);
    /* One turn. True: there is more to do at once. */
    bool (*work)(void *self, ki_service *s);
    /* Also on the service thread; items offered before are gone. NULL: none. */
    int (*rewind)(void *self, const kith_position *to);
    /* Readable: another turn is due. NULL or -1: none. */
    int (*watch_fd)(void *self);
    /* After so many ms without anything another turn is due. NULL or -1: never. */
    int (*wait_ms)(void *self);
    /* The last call, on whichever thread is left; frees self. */
    void (*end)(void *self);
} ki_worker;

enum {
    KI_SERVICE_POSTS = 256,
    KI_SERVICE_ITEMS = 512,
    KI_SERVICE_PATIENCE_MS = 5000, /* of open, follow and rewind when the medium hangs */
    KI_SERVICE_SICK_MS = 1000,     /* after a failure, until posts may try again */
};

/* self belongs to the service from here on, also when this fails. E_TIMEOUT: the
 * medium hangs; the thread ends by itself when it no longer does. */
KITH_MUST_USE int ki_service_start(ki_service **ret, const ki_worker *worker, void *self,
    const kith_host *host, kith_error *err);
/* Returns within KITH_CLOSE_MAX_MS. Posts that are not settled are dropped. */
void ki_service_stop(ki_service **s);

/* The link's side. A carrier whose state begins with a ki_served takes these as they
 * are, by KI_SERVED, and gives only open, level and what it does in its own way. */
typedef struct ki_served {
    ki_service *service;
} ki_served;

/* While the medium is away, or has just refused, post takes nothing. */
KITH_MUST_USE int ki_served_post(void *self, const kith_posting *what);
KITH_MUST_USE int ki_served_settle(void *self, uint64_t *ret_through, kith_error *err);
KITH_MUST_USE int ki_served_follow(void *self, const char *const *patterns, size_t count);
KITH_MUST_USE int ki_served_pull(void *self, kith_item *ret_item);
KITH_MUST_USE int ki_served_rewind(void *self, const kith_position *to);
int ki_served_wake_fd(void *self);
void ki_served_tick(void *self, kith_time now);
void ki_served_counters(void *self, kith_counters *ret);
KITH_MUST_USE int ki_served_health(void *self, kith_error *err);
void ki_served_close(void *self);

/* clang-format off */
#define KI_SERVED                                                                          \
    .close = ki_served_close, .post = ki_served_post, .follow = ki_served_follow,          \
    .pull = ki_served_pull, .settle = ki_served_settle, .wake_fd = ki_served_wake_fd,      \
    .tick = ki_served_tick, .counters = ki_served_counters, .health = ki_served_health
/* clang-format on */

/* What the worker knows and a cursor may say, once all items up to its token are acked. */
typedef struct ki_note {
    uint64_t token;
    uint8_t length; /* 0: nothing; everything must be read again */
    uint8_t bytes[KITH_CURSOR_MAX];
} ki_note;
void ki_served_note(void *self, ki_note *ret);

/* The worker's side. */

typedef struct ki_posted {
    uint16_t length;
    uint8_t kind;
    kith_address to;
    int64_t expires_us;
    uint64_t ticket;
    uint8_t bytes[KITH_PACKET_MAX];
} ki_posted;

/* How many posts wait; each stays in its place until it is settled or failed. */
size_t ki_service_waiting(ki_service *s);
const ki_posted *ki_service_posted(const ki_service *s, size_t index);
/* The first `count` are safe. */
void ki_service_settled(ki_service *s, size_t count);
/* Rule 5: none of those waiting is; settle tells err. */
void ki_service_failed(ki_service *s, const kith_error *err);

/* How many items have a place; 0: the worker is kicked when there is more. */
size_t ki_service_room(ki_service *s);
/* No more than that: only the link takes away from it. */
void ki_service_offer(ki_service *s, const kith_item *const *items, size_t count);

typedef struct ki_patterns {
    unsigned generation;
    size_t count;
    char text[KITH_PATTERNS_MAX][KITH_SUBJECT_MAX + 1];
} ki_patterns;
/* Brings the worker's copy up to date. True: it changed. */
bool ki_service_patterns(ki_service *s, ki_patterns *own);
bool ki_patterns_want(const ki_patterns *p, const char *subject);

void ki_service_note(ki_service *s, const ki_note *note);

kith_time ki_service_now(ki_service *s);
bool ki_service_stopping(ki_service *s);
void ki_service_count(ki_service *s, uint64_t rubbish, uint64_t failures);

/* What health says from now on; the host is told when it begins, and by `words`
 * (NULL: not at all) when it ends. */
void ki_service_sick(ki_service *s, const kith_error *why);
void ki_service_well(ki_service *s, const char *words);
/* Sick for KI_SERVICE_SICK_MS, by tick: the medium may be tried again. */
bool ki_service_rested(ki_service *s);

#endif
