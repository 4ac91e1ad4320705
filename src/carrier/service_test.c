/* SPDX-License-Identifier: Apache-2.0 */
/* The thread inside a carrier when its medium misbehaves: each call of the worker can be
 * held until the test lets it go, as a call to a dead mount is held. Nobody waits for
 * ever, nothing is lost in silence, and what is left behind frees itself. */
#include "carrier/service.h"

#include "carrier/suite_help.h"
#include "test.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    IN_BEGIN = 1,
    IN_WORK = 2,
    IN_REWIND = 4,
    SHORT_MS = 30, /* of patience */
};

/* The medium. It outlives the worker, which the service frees. */
typedef struct medium {
    atomic_int hold; /* which calls hang */
    int gate;        /* a hanging call reads it */
    int held;        /* and says so before */
    int ended;
    int begin_result;
    bool fail, settle, flood; /* what a turn does */
    atomic_size_t offered, settled, rewinds;
} medium;

static medium *the_medium(void) {
    static medium m;
    m = (medium){ .gate = eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC),
        .held = eventfd(0, EFD_CLOEXEC),
        .ended = eventfd(0, EFD_CLOEXEC) };
    return &m;
}

static void ring(int fd) {
    uint64_t one = 1;
    if (write(fd, &one, sizeof one) != sizeof one) abort();
}

/* Waits as long as it takes: the test is over when it comes. */
static void hear(int fd) {
    uint64_t n;
    if (read(fd, &n, sizeof n) != sizeof n) abort();
}

static void medium_done(medium *m) {
    close(m->gate);
    close(m->held);
    close(m->ended);
}

static void hang(medium *m, int where) {
    if (m->hold & where) {
        ring(m->held);
        hear(m->gate);
    }
}

typedef struct worker {
    medium *m;
    ki_patterns patterns;
} worker;

static int fake_begin(void *self, kith_error *err) {
    worker *w = self;
    hang(w->m, IN_BEGIN);
    if (w->m->begin_result < 0 && err != NULL) {
        *err = (kith_error){ .code = w->m->begin_result, .text = "no such medium" };
    }
    return w->m->begin_result;
}

static bool fake_work(void *self, ki_service *s) {
    worker *w = self;
    hang(w->m, IN_WORK);
    (void) ki_service_patterns(s, &w->patterns);
    size_t waiting = ki_service_waiting(s);
    if (waiting > 0 && w->m->fail) {
        kith_error err = { .code = KITH_E_SPACE, .text = "full" };
        ki_service_failed(s, &err);
    } else if (waiting > 0 && w->m->settle) {
        w->m->settled += waiting;
        ki_service_settled(s, waiting);
    }
    size_t room = w->m->flood ? ki_service_room(s) : 0;
    for (size_t i = 0; i < room; i++) {
        kith_item item = { .kind = KITH_ITEM_PACKET };
        size_t number = ++w->m->offered;
        item.length = (uint16_t) fill_number(number, item.bytes);
        ki_service_offer(s, &(const kith_item *){ &item }, 1);
    }
    return room > 0;
}

static int fake_rewind(void *self, const kith_position *to) {
    worker *w = self;
    hang(w->m, IN_REWIND);
    w->m->rewinds++;
    return to->kind == KITH_FROM_START ? 0 : KITH_E_MISSING;
}

static void fake_end(void *self) {
    worker *w = self;
    ring(w->m->ended);
    free(w);
}

static const ki_worker fake = { .scheme = "fake",
    .patience_ms = SHORT_MS,
    .begin = fake_begin,
    .work = fake_work,
    .rewind = fake_rewind,
    .end = fake_end };

static const ki_worker patient = { .scheme = "fake",
    .begin = fake_begin,
    .work = fake_work,
    .rewind = fake_rewind,
    .end = fake_end };

static int start(ki_served *l, const ki_worker *kind, medium *m, kith_error *err) {
    static const kith_host nobody;
    worker *w = calloc(1, sizeof *w);
    if (w == NULL) abort();
    w->m = m;
    return ki_service_start(&l->service, kind, w, &nobody, err);
}

static int post_number(ki_served *l, size_t number) {
    uint8_t bytes[8];
    kith_posting p = posting_of("a.b", bytes, fill_number(number, bytes));
    p.ticket = number;
    return ki_served_post(l, &p);
}

/* Until the loop is woken: the thread has something to tell. */
static void sleep_on(ki_served *l) {
    (void) readable(ki_served_wake_fd(l), -1);
}

static void d8_an_open_that_hangs_gives_up_and_leaks_nothing(void) {
    medium *m = the_medium();
    ki_served l = { NULL };
    kith_error err = { 0 };
    size_t before = descriptors();
    m->hold = IN_BEGIN;
    EXPECT_INT(start(&l, &fake, m, &err), KITH_E_TIMEOUT);
    EXPECT(l.service == NULL);
    EXPECT(strstr(err.text, "no answer from the medium") != NULL);
    EXPECT(!readable(m->ended, 0)); /* it still hangs */
    ring(m->gate);
    hear(m->ended);                   /* and ends by itself */
    while (descriptors() != before) { /* its three bells are closed by the thread */
    }
    medium_done(m);
}

static void an_open_that_is_refused_says_why(void) {
    medium *m = the_medium();
    ki_served l = { NULL };
    kith_error err = { 0 };
    m->begin_result = KITH_E_MISSING;
    EXPECT_INT(start(&l, &patient, m, &err), KITH_E_MISSING);
    EXPECT(strcmp(err.text, "no such medium") == 0);
    EXPECT(readable(m->ended, 0)); /* joined before open returned */
    medium_done(m);
}

static void d8_a_close_while_a_call_hangs_returns_in_time(void) {
    medium *m = the_medium();
    ki_served l = { NULL };
    size_t before = descriptors();
    EXPECT_INT(start(&l, &patient, m, NULL), 0);
    m->hold = IN_WORK;
    EXPECT_INT(post_number(&l, 1), 0);
    hear(m->held);
    int64_t begin = clock_ms();
    ki_served_close(&l);
    EXPECT(clock_ms() - begin < PATIENCE_MS); /* it hangs for ever */
    EXPECT(l.service == NULL);
    EXPECT(!readable(m->ended, 0));
    m->hold = 0;
    ring(m->gate);
    hear(m->ended);
    while (descriptors() != before) {
    }
    medium_done(m);
}

static void a_medium_that_hangs_for_good_fills_the_queue_and_no_more(void) {
    medium *m = the_medium();
    ki_served l = { NULL };
    EXPECT_INT(start(&l, &patient, m, NULL), 0);
    m->settle = true;
    m->hold = IN_WORK;
    ki_served_tick(&l, (kith_time){ .mono_ns = 1 });
    hear(m->held);
    for (size_t i = 1; i <= KI_SERVICE_POSTS; i++) {
        EXPECT_INT(post_number(&l, i), 0);
    }
    for (size_t i = 0; i < 1000; i++) {
        EXPECT_INT(post_number(&l, KI_SERVICE_POSTS + 1), KITH_FULL);
    }
    uint64_t through = 0;
    EXPECT_INT(ki_served_settle(&l, &through, NULL), KITH_EMPTY);
    m->hold = 0; /* it comes back */
    ring(m->gate);
    sleep_on(&l);
    EXPECT_INT(ki_served_settle(&l, &through, NULL), 0);
    EXPECT_INT(through, KI_SERVICE_POSTS);
    EXPECT_INT(post_number(&l, KI_SERVICE_POSTS + 1), 0);
    ki_served_close(&l);
    medium_done(m);
}

/* Rule 5: told once, and nothing is taken before it was told. */
static void a_failure_is_told_once_and_forgets_what_waited(void) {
    medium *m = the_medium();
    ki_served l = { NULL };
    kith_error err = { 0 };
    uint64_t through = 0;
    EXPECT_INT(start(&l, &patient, m, NULL), 0);
    m->hold = IN_WORK;
    ki_served_tick(&l, (kith_time){ .mono_ns = 1 });
    hear(m->held);
    m->fail = true;
    for (size_t i = 1; i <= 10; i++) EXPECT_INT(post_number(&l, i), 0);
    m->hold = 0;
    ring(m->gate);
    sleep_on(&l);
    EXPECT_INT(post_number(&l, 11), KITH_FULL);
    EXPECT_INT(ki_served_settle(&l, &through, &err), KITH_E_SPACE);
    EXPECT(strcmp(err.text, "full") == 0);
    EXPECT_INT(ki_served_settle(&l, &through, &err), KITH_EMPTY);
    kith_counters c;
    ki_served_counters(&l, &c);
    EXPECT_INT(c.failures, 1);
    EXPECT_INT(c.settled, 0);
    ki_served_close(&l);
    medium_done(m);
}

/* The answer to a rewind that was given up must not pass for that of the next. */
static void a_late_answer_is_nobodys(void) {
    medium *m = the_medium();
    ki_served l = { NULL };
    const kith_position start_of = { .kind = KITH_FROM_START },
                        cursor = { .kind = KITH_FROM_CURSOR };
    ki_worker moody = patient;
    EXPECT_INT(start(&l, &moody, m, NULL), 0);
    moody.patience_ms = SHORT_MS; /* only what hangs is given up so soon */
    m->hold = IN_REWIND;
    EXPECT_INT(ki_served_rewind(&l, &cursor), KITH_E_TIMEOUT);
    hear(m->held);
    EXPECT_INT(ki_served_rewind(&l, &start_of), KITH_E_TIMEOUT); /* not begun */
    m->hold = 0;
    ring(m->gate);
    while (m->rewinds == 0) { /* the late one is done, and would be E_MISSING */
    }
    moody.patience_ms = 0;
    EXPECT_INT(ki_served_rewind(&l, &start_of), 0);
    const char *const all[] = { ">" };
    EXPECT_INT(ki_served_follow(&l, all, 1), 0);
    ki_served_close(&l);
    medium_done(m);
}

static void follow_returns_although_the_medium_hangs(void) {
    medium *m = the_medium();
    ki_served l = { NULL };
    const char *const all[] = { ">" };
    ki_worker moody = patient;
    EXPECT_INT(start(&l, &moody, m, NULL), 0);
    moody.patience_ms = SHORT_MS;
    m->hold = IN_WORK;
    ki_served_tick(&l, (kith_time){ .mono_ns = 1 });
    hear(m->held);
    EXPECT_INT(ki_served_follow(&l, all, 1), 0);
    m->hold = 0;
    ring(m->gate);
    EXPECT_INT(ki_served_follow(&l, all, 1), 0);
    ki_served_close(&l);
    medium_done(m);
}

/* A reader that stops: the thread waits, and goes on where it was. */
static void a_full_queue_of_items_makes_the_thread_wait_and_loses_none(void) {
    medium *m = the_medium();
    ki_served l = { NULL };
    EXPECT_INT(start(&l, &patient, m, NULL), 0);
    m->flood = true;
    ki_served_tick(&l, (kith_time){ .mono_ns = 1 });
    size_t expected = 1;
    while (expected < 5 * KI_SERVICE_ITEMS) {
        kith_item item;
        if (ki_served_pull(&l, &item) == 0) {
            EXPECT_INT(number_of(&item), expected);
            expected++;
            EXPECT(m->offered < expected + KI_SERVICE_ITEMS);
        } else {
            sleep_on(&l);
        }
    }
    ki_served_close(&l);
    medium_done(m);
}

/* In a process that may make no thread; the process ends with it. */
static int open_without_threads(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof code / sizeof *code, .filter = code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        return 2;
    }
    medium *m = the_medium();
    ki_served l = { NULL };
    kith_error err = { 0 };
    int r = start(&l, &patient, m, &err);
    bool good = r == KITH_E_MEMORY && l.service == NULL && readable(m->ended, 0) &&
                strcmp(err.text, "no thread to be had") == 0;
    return good ? 0 : 1;
}

static void p7_without_a_thread_open_is_refused_and_undone(void) {
    pid_t pid = fork();
    if (pid == 0) {
        _exit(open_without_threads());
    }
    int status = 0;
    EXPECT_INT(waitpid(pid, &status, 0), pid);
    EXPECT(WIFEXITED(status));
    if (WEXITSTATUS(status) == 2) {
        SKIP("no seccomp here: a thread cannot be refused");
    }
    EXPECT_INT(WEXITSTATUS(status), 0);
}

/* Seeded: calls in any order against a model of what must have happened. check() looks
 * at the state inside at each lock. */
static void a_random_walk_keeps_order_and_count(void) {
    medium *m = the_medium();
    ki_served l = { NULL };
    uint64_t dice = 20261122, through = 0;
    const char *const patterns[] = { ">", "a.>", "a.b" };
    size_t next = 1, settled = 0, last_item = 0, mono = 1;
    EXPECT_INT(start(&l, &patient, m, NULL), 0);
    m->settle = m->flood = true;
    for (int step = 0; step < 4000; step++) {
        kith_item item;
        switch (roll(&dice) % 8) {
        case 0: ki_served_tick(&l, (kith_time){ .mono_ns = ++mono }); break;
        case 1: EXPECT_INT(ki_served_follow(&l, patterns, 1 + roll(&dice) % 3), 0); break;
        case 2: {
            int r = ki_served_settle(&l, &through, NULL);
            EXPECT(r == 0 || r == KITH_EMPTY);
            EXPECT(through >= settled && through < next);
            settled = (size_t) through;
            break;
        }
        case 3:
            if (roll(&dice) % 20 == 0) {
                EXPECT_INT(
                    ki_served_rewind(&l, &(kith_position){ .kind = KITH_FROM_START }), 0);
            }
            break;
        case 4:
        case 5: {
            int r = post_number(&l, next);
            EXPECT(r == 0 || r == KITH_FULL);
            next += r == 0;
            break;
        }
        default:
            if (ki_served_pull(&l, &item) == 0) {
                EXPECT(number_of(&item) > last_item);
                last_item = number_of(&item);
            }
        }
    }
    while (settled < next - 1) {
        sleep_on(&l);
        kith_item item;
        if (ki_served_settle(&l, &through, NULL) == 0) settled = (size_t) through;
        (void) !ki_served_pull(&l, &item);
    }
    EXPECT_INT(m->settled, next - 1);
    ki_served_close(&l);
    medium_done(m);
}

#define CASE(name)                                                                         \
    { #name, name }

static const test_case cases[] = {
    CASE(p7_without_a_thread_open_is_refused_and_undone),
    CASE(d8_an_open_that_hangs_gives_up_and_leaks_nothing),
    CASE(an_open_that_is_refused_says_why),
    CASE(d8_a_close_while_a_call_hangs_returns_in_time),
    CASE(a_medium_that_hangs_for_good_fills_the_queue_and_no_more),
    CASE(a_failure_is_told_once_and_forgets_what_waited),
    CASE(a_late_answer_is_nobodys),
    CASE(follow_returns_although_the_medium_hangs),
    CASE(a_full_queue_of_items_makes_the_thread_wait_and_loses_none),
    CASE(a_random_walk_keeps_order_and_count),
};
TEST_MAIN(cases)
