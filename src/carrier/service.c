/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a service thread: who starts it, who waits for it how long, and who
 * frees what is left when it hangs. */
#include "base/check.h"
#include "base/fail.h"
#include "carrier/service_state.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Close has 500 ms; the rest is for joining and freeing. */
#define STOP_MS (KITH_CLOSE_MAX_MS - 100)

void ki_service_ring(int bell) {
    uint64_t one = 1;
    ssize_t n = write(bell, &one, sizeof one);
    CHECK(n == sizeof one); /* each is read before it can overflow */
}

void ki_service_silence(int bell) {
    uint64_t count;
    (void) !read(bell, &count, sizeof count);
}

static void check(const ki_service *s) {
    CHECK(s->posts_first < KI_SERVICE_POSTS && s->posts_count <= KI_SERVICE_POSTS);
    CHECK(s->items_first < KI_SERVICE_ITEMS && s->items_count <= KI_SERVICE_ITEMS);
    CHECK(!s->failed || s->posts_count == 0); /* rule 5: all are forgotten */
    CHECK(s->failure.code < 0 || !s->failed); /* and settle has something to say */
    CHECK(s->signalled || !(s->failed || s->settled_new)); /* nobody sleeps over it */
    CHECK(s->signalled || s->items_count < SERVICE_WAKE_AT);
    CHECK(!s->starved || s->items_count > KI_SERVICE_ITEMS / 2); /* pull will kick */
    CHECK(s->asked - s->answered <= 1);
    CHECK(s->patterns.count <= KITH_PATTERNS_MAX);
    CHECK(!s->ended || s->fate != SERVICE_ABANDONED || s->stopping);
}

void ki_service_lock(ki_service *s) {
    pthread_mutex_lock(&s->lock);
    check(s);
}

void ki_service_unlock(ki_service *s) {
    pthread_mutex_unlock(&s->lock);
}

void ki_service_kick(ki_service *s) {
    if (!s->kicked) {
        s->kicked = true;
        ki_service_ring(s->kick);
    }
}

void ki_service_signal(ki_service *s) {
    if (!s->signalled) {
        s->signalled = true;
        ki_service_ring(s->wake);
    }
}

void ki_service_calm(ki_service *s) {
    if (s->signalled && s->items_count == 0 && !s->failed && !s->settled_new) {
        s->signalled = false;
        ki_service_silence(s->wake);
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

static void answer(ki_service *s, unsigned number, int result, const kith_error *words) {
    ki_service_lock(s);
    if (number == s->asked && !s->stopping) { /* else nobody waits for it any more */
        s->answered = number;
        s->result = result;
        s->result_words = *words;
        ki_service_ring(s->answer);
    }
    ki_service_unlock(s);
}

static void do_rewind(ki_service *s, unsigned number) {
    kith_error words = { 0 };
    ki_service_lock(s);
    kith_position to = s->position;
    s->items_first = s->items_count = 0;
    s->starved = false;
    s->note.length = 0;
    ki_service_unlock(s);
    answer(s, number, s->worker->rewind(s->self, &to), &words);
}

static void wait_for_work(ki_service *s) {
    struct pollfd fds[2] = { { .fd = s->kick, .events = POLLIN },
        { .fd = s->worker->watch_fd == NULL ? -1 : s->worker->watch_fd(s->self),
            .events = POLLIN } };
    int ms = s->worker->wait_ms == NULL ? -1 : s->worker->wait_ms(s->self);
    (void) poll(fds, 2, ms); /* interrupted: one turn too many does no harm */
}

static void end_turn(ki_service *s) {
    ki_service_lock(s);
    if (s->items_count > 0) {
        ki_service_signal(s);
    }
    ki_service_unlock(s);
}

/* Notes the kick as heard before the work it is about is looked at. *ret_rewind: the
 * number of a rewind that waits, or 0. */
static bool next_turn(ki_service *s, unsigned *ret_rewind) {
    ki_service_lock(s);
    if (s->kicked) {
        s->kicked = false;
        ki_service_silence(s->kick);
    }
    bool go_on = !s->stopping;
    *ret_rewind = s->asked != s->answered ? s->asked : 0;
    ki_service_unlock(s);
    return go_on;
}

static void end(ki_service *s) {
    s->worker->end(s->self);
    ki_service_lock(s);
    s->ended = true;
    ki_service_ring(s->answer);
    ki_service_unlock(s);
    if (atomic_exchange(&s->fate, SERVICE_FINISHED) == SERVICE_ABANDONED) {
        free_service(s);
    }
}

static void *run(void *arg) {
    ki_service *s = arg;
    kith_error words = { 0 };
    int r = s->worker->begin(s->self, &words);
    answer(s, 1, r, &words);
    bool more = true;
    unsigned rewind = 0;
    while (r == 0) {
        if (!more) {
            wait_for_work(s);
        }
        if (!next_turn(s, &rewind)) {
            break;
        }
        if (rewind != 0) {
            do_rewind(s, rewind);
        }
        more = s->worker->work(s->self, s);
        end_turn(s);
    }
    end(s);
    return NULL;
}

bool ki_service_hear(ki_service *s, bool (*done)(const ki_service *s), int ms) {
    for (;;) {
        ki_service_lock(s);
        ki_service_silence(s->answer);
        bool is_done = done(s);
        ki_service_unlock(s);
        struct pollfd p = { .fd = s->answer, .events = POLLIN };
        /* what rings may be the late answer to a call that gave up: that is rare, and
         * each such call rings once */
        if (is_done || poll(&p, 1, ms) != 1) {
            return is_done;
        }
    }
}

bool ki_service_has_answered(const ki_service *s) {
    return s->asked == s->answered;
}

static bool has_ended(const ki_service *s) {
    return s->ended;
}

int ki_service_patience(const ki_service *s) {
    return s->worker->patience_ms > 0 ? s->worker->patience_ms : KI_SERVICE_PATIENCE_MS;
}

static ki_service *new_service(const ki_worker *worker, void *self, const kith_host *host) {
    ki_service *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    s->worker = worker;
    s->self = self;
    s->host = host;
    s->asked = 1; /* begin */
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

/* The result of begin; E_TIMEOUT: it hangs. */
static int hear_begin(ki_service *s, kith_error *err) {
    bool heard = ki_service_hear(s, ki_service_has_answered, ki_service_patience(s));
    ki_service_lock(s);
    int r = heard ? s->result : KITH_E_TIMEOUT;
    if (heard && err != NULL && r < 0) {
        *err = s->result_words;
    }
    ki_service_unlock(s);
    return heard ? r
                 : ki_fail(err, r, "no answer from the medium in %d ms",
                       ki_service_patience(s));
}

int ki_service_start(ki_service **ret, const ki_worker *worker, void *self,
    const kith_host *host, kith_error *err) {
    CHECK(ret != NULL && host != NULL && worker->scheme != NULL);
    CHECK(worker->begin != NULL && worker->work != NULL && worker->end != NULL);
    ki_service *s = new_service(worker, self, host);
    if (s == NULL) {
        worker->end(self);
        return ki_fail(err, KITH_E_MEMORY, "service thread");
    }
    if (pthread_create(&s->thread, NULL, run, s) != 0) {
        worker->end(self);
        free_service(s);
        return ki_fail(err, KITH_E_MEMORY, "no thread to be had");
    }
    int r = hear_begin(s, err);
    if (r == 0) {
        *ret = s;
    } else {
        ki_service_stop(&s);
    }
    return r;
}

void ki_service_stop(ki_service **service) {
    ki_service *s = *service;
    *service = NULL;
    if (s == NULL) {
        return;
    }
    ki_service_lock(s);
    s->stopping = true;
    ki_service_kick(s);
    ki_service_unlock(s);
    pthread_t thread = s->thread;
    if (ki_service_hear(s, has_ended, STOP_MS)) {
        pthread_join(thread, NULL);
        free_service(s);
        return;
    }
    pthread_detach(thread);
    if (atomic_exchange(&s->fate, SERVICE_ABANDONED) == SERVICE_FINISHED) {
        free_service(s); /* just now */
    }
}
