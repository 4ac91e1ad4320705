/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/service.h"

#include "base/check.h"
#include "base/fail.h"
#include "carrier/carrier.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Close has 500 ms; the rest is for joining and freeing. */
#define STOP_MS (KITH_CLOSE_MAX_MS - 100)

enum {
    /* Items for which the loop is woken in the middle of a turn. For each one it would
     * wake, find one, and sleep again: half the time of reading a folder. */
    WAKE_AT = 32,
};

enum {
    RUNNING = 0,
    ABANDONED = 1, /* by the link: the thread frees */
    FINISHED = 2,  /* by the thread: the link frees */
};

struct ki_service {
    const ki_worker *worker;
    void *self;
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
    bool asked, answered;         /* a rewind */
    bool adopting;                /* follow waits until the thread has the patterns */
    int result;                   /* of begin or rewind */
    kith_error result_words;
    kith_position position;
    kith_counters counters;
    ki_patterns patterns;
};

static void ring_bell(int fd) {
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof one);
    CHECK(n == sizeof one); /* each is read before it can overflow */
}

static void silence(int fd) {
    uint64_t count;
    (void) !read(fd, &count, sizeof count); /* nothing there is as good */
}

/* Under lock. */
static void kick(ki_service *s) {
    if (!s->kicked) {
        s->kicked = true;
        ring_bell(s->kick);
    }
}

/* Under lock: there is something for pull or settle. */
static void signal_loop(ki_service *s) {
    if (!s->signalled) {
        s->signalled = true;
        ring_bell(s->wake);
    }
}

/* Under lock: is there still? */
static void calm_loop(ki_service *s) {
    if (s->signalled && s->items_count == 0 && !s->failed && !s->settled_new) {
        s->signalled = false;
        silence(s->wake);
    }
}

static void free_service(ki_service *s) {
    int fds[] = { s->kick, s->answer, s->wake };
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    pthread_mutex_destroy(&s->lock);
    free(s->posts);
    free(s->items);
    free(s);
}

static void answer(ki_service *s, int result, const kith_error *words) {
    pthread_mutex_lock(&s->lock);
    s->asked = false;
    s->answered = true;
    s->result = result;
    s->result_words = *words;
    ring_bell(s->answer);
    pthread_mutex_unlock(&s->lock);
}

static void do_rewind(ki_service *s) {
    kith_error words = { 0 };
    pthread_mutex_lock(&s->lock);
    kith_position to = s->position;
    s->items_first = s->items_count = 0;
    pthread_mutex_unlock(&s->lock);
    answer(s, s->worker->rewind(s->self, &to), &words);
}

static void wait_for_work(ki_service *s) {
    struct pollfd fds[2] = { { .fd = s->kick, .events = POLLIN },
        { .fd = s->worker->watch_fd == NULL ? -1 : s->worker->watch_fd(s->self),
            .events = POLLIN } };
    int ms = s->worker->wait_ms == NULL ? -1 : s->worker->wait_ms(s->self);
    (void) poll(fds, 2, ms); /* interrupted: one turn too many does no harm */
}

static void end_turn(ki_service *s) {
    pthread_mutex_lock(&s->lock);
    if (s->items_count > 0) signal_loop(s);
    pthread_mutex_unlock(&s->lock);
}

/* Notes the kick as heard before the work it is about is looked at. */
static bool next_turn(ki_service *s, bool *ret_rewind) {
    pthread_mutex_lock(&s->lock);
    if (s->kicked) {
        s->kicked = false;
        silence(s->kick);
    }
    bool go_on = !s->stopping;
    *ret_rewind = s->asked;
    pthread_mutex_unlock(&s->lock);
    return go_on;
}

static void *run(void *arg) {
    ki_service *s = arg;
    kith_error words = { 0 };
    int r = s->worker->begin(s->self, &words);
    answer(s, r, &words);
    bool more = true, rewind = false;
    while (r == 0) {
        if (!more) {
            wait_for_work(s);
        }
        if (!next_turn(s, &rewind)) {
            break;
        }
        if (rewind) {
            do_rewind(s);
        }
        more = s->worker->work(s->self, s);
        end_turn(s);
    }
    s->worker->end(s->self);
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    ring_bell(s->answer);
    pthread_mutex_unlock(&s->lock);
    if (atomic_exchange(&s->fate, FINISHED) == ABANDONED) {
        free_service(s);
    }
    return NULL;
}

/* Waits for an answer. False: the medium hangs. */
static bool hear(ki_service *s, int ms) {
    struct pollfd p = { .fd = s->answer, .events = POLLIN };
    bool heard = poll(&p, 1, ms) == 1;
    if (heard) {
        silence(s->answer);
    }
    return heard;
}

static ki_service *new_service(const ki_worker *worker, void *self) {
    ki_service *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    s->worker = worker;
    s->self = self;
    s->posts = calloc(KI_SERVICE_POSTS, sizeof *s->posts);
    s->items = calloc(KI_SERVICE_ITEMS, sizeof *s->items);
    s->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    s->answer = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    s->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (s->posts == NULL || s->items == NULL || s->kick < 0 || s->answer < 0 ||
        s->wake < 0) {
        free_service(s);
        return NULL;
    }
    return s;
}

int ki_service_start(
    ki_service **ret, const ki_worker *worker, void *self, kith_error *err) {
    CHECK(ret != NULL);
    CHECK(worker->begin != NULL && worker->work != NULL && worker->end != NULL);
    ki_service *s = new_service(worker, self);
    if (s == NULL) {
        worker->end(self);
        return ki_fail(err, KITH_E_MEMORY, "service thread");
    }
    if (pthread_create(&s->thread, NULL, run, s) != 0) {
        worker->end(self);
        free_service(s);
        return ki_fail(err, KITH_E_MEMORY, "no thread to be had");
    }
    bool heard = hear(s, KI_SERVICE_PATIENCE_MS);
    pthread_mutex_lock(&s->lock);
    int r = heard ? s->result : KITH_E_TIMEOUT;
    kith_error words = s->result_words;
    s->answered = false;
    pthread_mutex_unlock(&s->lock);
    if (r == 0) {
        *ret = s;
        return 0;
    }
    if (!heard) {
        words = (kith_error){ 0 };
        (void) ki_fail(
            &words, r, "no answer from the medium in %d ms", KI_SERVICE_PATIENCE_MS);
    }
    if (err != NULL) {
        *err = words;
    }
    ki_service_stop(&s);
    return r;
}

static bool has_ended(ki_service *s) {
    pthread_mutex_lock(&s->lock);
    bool ended = s->ended;
    pthread_mutex_unlock(&s->lock);
    return ended;
}

void ki_service_stop(ki_service **service) {
    ki_service *s = *service;
    *service = NULL;
    if (s == NULL) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    kick(s);
    pthread_mutex_unlock(&s->lock);
    /* an old answer may be heard before the last one */
    for (int tries = 0; tries < 2 && !has_ended(s); tries++) {
        (void) hear(s, STOP_MS / 2);
    }
    pthread_t thread = s->thread;
    if (has_ended(s)) {
        pthread_join(thread, NULL);
        free_service(s);
        return;
    }
    pthread_detach(thread);
    if (atomic_exchange(&s->fate, ABANDONED) == FINISHED) {
        free_service(s); /* just now */
    }
}

int ki_service_post(ki_service *s, const kith_posting *what) {
    int r = KITH_FULL;
    pthread_mutex_lock(&s->lock);
    /* what a failure is about to forget must not grow meanwhile */
    if (!s->failed && s->posts_count < KI_SERVICE_POSTS) {
        ki_posted *p = &s->posts[(s->posts_first + s->posts_count) % KI_SERVICE_POSTS];
        p->kind = what->kind;
        p->length = what->length;
        p->to = what->to == NULL ? (kith_address){ "" } : *what->to;
        p->expires_us = what->expires_us;
        p->ticket = what->ticket;
        memcpy(p->bytes, what->bytes, what->length);
        s->posts_count++;
        kick(s);
        r = 0;
    }
    pthread_mutex_unlock(&s->lock);
    return r;
}

int ki_service_settle(ki_service *s, uint64_t *ret_through, kith_error *err) {
    int r = KITH_EMPTY;
    pthread_mutex_lock(&s->lock);
    if (s->settled_new) {
        *ret_through = s->settled;
        s->settled_new = false;
        r = 0;
    } else if (s->failed) {
        s->failed = false;
        r = s->failure.code;
        if (err != NULL) {
            *err = s->failure;
        }
    } else {
        calm_loop(s);
    }
    pthread_mutex_unlock(&s->lock);
    return r;
}

void ki_service_follow(ki_service *s, const char *const *patterns, size_t count) {
    CHECK(count <= KITH_PATTERNS_MAX);
    pthread_mutex_lock(&s->lock);
    s->patterns.generation++;
    s->patterns.count = count;
    for (size_t i = 0; i < count; i++) {
        memcpy(s->patterns.text[i], patterns[i], strlen(patterns[i]) + 1);
    }
    s->adopting = true;
    silence(s->answer);
    kick(s);
    pthread_mutex_unlock(&s->lock);
    /* What is posted after this returns must not be judged by the old patterns: the
     * turn that still has them ends first. */
    (void) hear(s, KI_SERVICE_PATIENCE_MS);
    pthread_mutex_lock(&s->lock);
    s->adopting = false;
    pthread_mutex_unlock(&s->lock);
}

int ki_service_pull(ki_service *s, kith_item *ret_item) {
    int r = KITH_EMPTY;
    pthread_mutex_lock(&s->lock);
    if (s->items_count > 0) {
        const kith_item *item = &s->items[s->items_first];
        ret_item->kind = item->kind;
        ret_item->length = item->length;
        ret_item->token = item->token;
        ret_item->from = item->from;
        memcpy(ret_item->bytes, item->bytes, item->length);
        s->items_first = (s->items_first + 1) % KI_SERVICE_ITEMS;
        s->items_count--;
        if (s->starved && s->items_count <= KI_SERVICE_ITEMS / 2) {
            s->starved = false;
            kick(s);
        }
        r = 0;
    } else {
        calm_loop(s);
    }
    pthread_mutex_unlock(&s->lock);
    return r;
}

int ki_service_rewind(ki_service *s, const kith_position *to) {
    if (s->worker->rewind == NULL) {
        return KITH_E_NOTSUP;
    }
    silence(s->answer);
    pthread_mutex_lock(&s->lock);
    s->position = *to;
    s->asked = true;
    s->answered = false;
    kick(s);
    pthread_mutex_unlock(&s->lock);
    (void) hear(s, KI_SERVICE_PATIENCE_MS);
    pthread_mutex_lock(&s->lock);
    int r = s->answered ? s->result : KITH_E_TIMEOUT;
    s->asked = s->answered = false;
    pthread_mutex_unlock(&s->lock);
    return r;
}

int ki_service_wake_fd(const ki_service *s) {
    return s->wake;
}

void ki_service_tick(ki_service *s, kith_time now) {
    pthread_mutex_lock(&s->lock);
    s->now = now;
    kick(s);
    pthread_mutex_unlock(&s->lock);
}

void ki_service_counters(ki_service *s, kith_counters *ret) {
    pthread_mutex_lock(&s->lock);
    *ret = s->counters;
    pthread_mutex_unlock(&s->lock);
}

int ki_service_health(ki_service *s, kith_error *err) {
    pthread_mutex_lock(&s->lock);
    int r = s->sickness.code;
    if (r < 0 && err != NULL) {
        *err = s->sickness;
    }
    pthread_mutex_unlock(&s->lock);
    return r;
}

size_t ki_service_waiting(ki_service *s) {
    pthread_mutex_lock(&s->lock);
    size_t count = s->failed ? 0 : s->posts_count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

const ki_posted *ki_service_posted(const ki_service *s, size_t index) {
    return &s->posts[(s->posts_first + index) % KI_SERVICE_POSTS];
}

void ki_service_settled(ki_service *s, size_t count) {
    pthread_mutex_lock(&s->lock);
    CHECK(count <= s->posts_count);
    for (size_t i = 0; i < count; i++) {
        uint64_t ticket = s->posts[s->posts_first].ticket;
        if (ticket != 0) { /* 0 is nobody's */
            s->settled = ticket;
            s->settled_new = true;
        }
        s->posts_first = (s->posts_first + 1) % KI_SERVICE_POSTS;
    }
    s->posts_count -= count;
    s->counters.settled += count;
    if (s->settled_new) {
        signal_loop(s);
    }
    pthread_mutex_unlock(&s->lock);
}

void ki_service_failed(ki_service *s, const kith_error *err) {
    CHECK(err->code < 0);
    pthread_mutex_lock(&s->lock);
    s->posts_first = s->posts_count = 0;
    s->failed = true;
    s->failure = *err;
    s->counters.failures++;
    signal_loop(s);
    pthread_mutex_unlock(&s->lock);
}

bool ki_service_offer(ki_service *s, const kith_item *item) {
    pthread_mutex_lock(&s->lock);
    bool room = s->items_count < KI_SERVICE_ITEMS;
    if (room) {
        kith_item *to = &s->items[(s->items_first + s->items_count) % KI_SERVICE_ITEMS];
        to->kind = item->kind;
        to->length = item->length;
        to->token = item->token;
        to->from = item->from;
        memcpy(to->bytes, item->bytes, item->length);
        s->items_count++;
        if (s->items_count >= WAKE_AT) signal_loop(s); /* fewer: at the end of the turn */
    } else {
        s->starved = true;
    }
    pthread_mutex_unlock(&s->lock);
    return room;
}

bool ki_service_has_room(ki_service *s) {
    pthread_mutex_lock(&s->lock);
    bool room = s->items_count < KI_SERVICE_ITEMS;
    s->starved = s->starved || !room;
    pthread_mutex_unlock(&s->lock);
    return room;
}

bool ki_service_patterns(ki_service *s, ki_patterns *own) {
    pthread_mutex_lock(&s->lock);
    bool changed = own->generation != s->patterns.generation;
    if (changed) {
        *own = s->patterns;
        if (s->adopting) {
            s->adopting = false;
            ring_bell(s->answer);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return changed;
}

bool ki_patterns_want(const ki_patterns *p, const char *subject) {
    for (size_t i = 0; i < p->count; i++) {
        if (ki_wants(p->text[i], subject)) {
            return true;
        }
    }
    return false;
}

kith_time ki_service_now(ki_service *s) {
    pthread_mutex_lock(&s->lock);
    kith_time now = s->now;
    pthread_mutex_unlock(&s->lock);
    return now;
}

bool ki_service_stopping(ki_service *s) {
    pthread_mutex_lock(&s->lock);
    bool stopping = s->stopping;
    pthread_mutex_unlock(&s->lock);
    return stopping;
}

void ki_service_count(ki_service *s, uint64_t rubbish, uint64_t failures) {
    pthread_mutex_lock(&s->lock);
    s->counters.rubbish += rubbish;
    s->counters.failures += failures;
    pthread_mutex_unlock(&s->lock);
}

void ki_service_report(ki_service *s, const kith_error *err) {
    pthread_mutex_lock(&s->lock);
    s->sickness = err == NULL ? (kith_error){ 0 } : *err;
    pthread_mutex_unlock(&s->lock);
}
