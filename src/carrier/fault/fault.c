/* SPDX-License-Identifier: Apache-2.0 */
/* fault: wraps another carrier and harms it, by a seed: loses, repeats, delays,
 * shuffles and cuts, on the way out and on the way in. Bytes stay as they are. */
#include "carrier/fault/fault.h"

#include "base/check.h"
#include "base/fail.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

void ki_fault_nudge(fault *f) {
    if (f->wakes >= 0 && !f->nudged) {
        uint64_t one = 1;
        f->nudged = write(f->wake, &one, sizeof one) == sizeof one;
    }
}

static void calm(fault *f) {
    if (f->nudged) {
        uint64_t count;
        (void) !read(f->wake, &count, sizeof count); /* one write, so one read */
        f->nudged = false;
    }
}

static int add(fault *f, int fd) {
    struct epoll_event event = { .events = EPOLLIN };
    return epoll_ctl(f->wakes, EPOLL_CTL_ADD, fd, &event);
}

/* One descriptor for what the link inside has and for what we hold. */
static int open_wakes(fault *f, kith_error *err) {
    int inner = kith_link_wake_fd(f->next);
    if (inner < 0) {
        return 0;
    }
    f->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    f->wakes = epoll_create1(EPOLL_CLOEXEC);
    if (f->wake < 0 || f->wakes < 0 || add(f, f->wake) != 0 || add(f, inner) != 0) {
        return ki_fail_sys(err, "wake descriptor");
    }
    return 0;
}

static void fault_close(void *self) {
    fault *f = self;
    kith_link_close(&f->next);
    if (f->wakes >= 0) {
        close(f->wakes);
    }
    if (f->wake >= 0) {
        close(f->wake);
    }
    free(f->sent);
    free(f->out_held);
    free(f->in_held);
}

static int fault_open(
    void *self, const char *place, const kith_host *host, kith_error *err) {
    fault *f = self;
    f->host = host;
    f->dice = (uint64_t) f->seed;
    f->sent_first = f->sent_next = 1;
    f->wake = f->wakes = -1;
    f->sent = calloc(FAULT_SENT, sizeof *f->sent);
    f->out_held = calloc(FAULT_HOLD, sizeof *f->out_held);
    f->in_held = calloc(FAULT_HOLD, sizeof *f->in_held);
    int r = f->sent == NULL || f->out_held == NULL || f->in_held == NULL
                ? ki_fail(err, KITH_E_MEMORY, "buffers")
                : kith_link_open(&f->next, place, host, err);
    if (r == 0) {
        r = open_wakes(f, err);
    }
    if (r < 0) {
        fault_close(f);
    }
    return r;
}

static int fault_post(void *self, const kith_posting *what) {
    return ki_fault_post(self, what);
}

static int fault_follow(void *self, const char *const *patterns, size_t count) {
    fault *f = self;
    return ki_link_follow_all(f->next, patterns, count);
}

static int fault_pull(void *self, kith_item *ret_item) {
    fault *f = self;
    calm(f);
    return ki_fault_pull(f, ret_item);
}

static int fault_settle(void *self, uint64_t *ret_through, kith_error *err) {
    fault *f = self;
    int r = ki_fault_settle(f, ret_through, err);
    if (r == KITH_EMPTY && f->in_count == 0 && !f->again) {
        calm(f);
    }
    return r;
}

static void fault_ack(void *self, uint64_t token) {
    ki_fault_ack(self, token);
}

static int fault_rewind(void *self, const kith_position *to) {
    fault *f = self;
    int r = kith_link_rewind(f->next, to);
    if (r == 0) {
        ki_fault_forget_items(f);
    }
    return r;
}

static int fault_wake_fd(void *self) {
    fault *f = self;
    return f->wakes;
}

static void fault_tick(void *self, kith_time now) {
    fault *f = self;
    f->now_ns = now.mono_ns;
    kith_link_tick(f->next, now);
    ki_fault_heal(f);
    for (size_t i = 0; i < FAULT_HOLD; i++) {
        f->out_held[i].left = 0; /* nobody posts: time to go */
    }
    ki_fault_release(f);
    if (f->in_count > 0) {
        ki_fault_nudge(f);
    }
}

static void fault_counters(void *self, kith_counters *ret) {
    fault *f = self;
    kith_link_counters(f->next, ret);
    ret->settled = f->settled;
}

static int fault_health(void *self, kith_error *err) {
    fault *f = self;
    return fault_is_cut(f) ? ki_fail(err, KITH_E_CLOSED, "cut")
                           : kith_link_health(f->next, err);
}

static kith_link *fault_inner(void *self) {
    fault *f = self;
    return f->next;
}

#define PERCENT(name, help)                                                                \
    { #name, KITH_OPTION_INT, offsetof(fault, name), 0, 100, "0", NULL, help }

static const kith_option options[] = {
    PERCENT(drop, "percent lost, each way"),
    PERCENT(repeat, "percent that come twice"),
    PERCENT(reorder, "percent overtaken by up to eight others"),
    { "delay", KITH_OPTION_TIME, offsetof(fault, delay_ns), 0, INT64_C(3600000000000),
        "0ns", NULL, "each way; measured by tick" },
    PERCENT(cut, "percent of posts in which the wire breaks"),
    { "cut_after", KITH_OPTION_INT, offsetof(fault, cut_after), 0, 1000000000, "0", NULL,
        "the post in which it breaks; 0: none" },
    { "cut_for", KITH_OPTION_INT, offsetof(fault, cut_for), 1, 1000000000, "20", NULL,
        "tried posts and ticks until it is healed" },
    { "seed", KITH_OPTION_INT, offsetof(fault, seed), 0, INT64_MAX, "1", NULL,
        "same seed, same faults" },
    { .name = NULL },
};

const kith_carrier ki_fault_carrier = {
    .abi = KITH_CARRIER_ABI,
    .can = KITH_CAN_BEND,
    .state_size = sizeof(fault),
    .scheme = "fault",
    .summary = "harms the link inside, by a seed, for tests",
    .place = "the URL inside",
    .options = options,
    .open = fault_open,
    .close = fault_close,
    .post = fault_post,
    .follow = fault_follow,
    .pull = fault_pull,
    .settle = fault_settle,
    .ack = fault_ack,
    .rewind = fault_rewind,
    .wake_fd = fault_wake_fd,
    .tick = fault_tick,
    .counters = fault_counters,
    .health = fault_health,
    .inner = fault_inner,
};
