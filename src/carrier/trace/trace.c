/* SPDX-License-Identifier: Apache-2.0 */
/* trace: says every call on the link inside through host->say and changes
 * nothing. Of pulls and settles in a row that bring nothing only the first is
 * said, and how many there were with the next that brings something. */
#include "base/check.h"
#include "base/fail.h"
#include "carrier/carrier.h"

#include <inttypes.h>
#include <string.h>

typedef struct trace {
    const kith_host *host;
    kith_link *next;
    uint64_t idle_pulls, idle_settles;
} trace;

static const char *word(int r) {
    switch (r) {
    case 0: return "ok";
    case KITH_EMPTY: return "empty";
    case KITH_FULL: return "full";
    case KITH_GAP: return "gap";
    default: return kith_error_name(r);
    }
}

static int trace_open(
    void *self, const char *place, const kith_host *host, kith_error *err) {
    trace *t = self;
    t->host = host;
    int r = kith_link_open(&t->next, place, host, err);
    ki_say(host, "trace", "open %.180s: %s", place, word(r));
    return r;
}

static void trace_close(void *self) {
    trace *t = self;
    kith_link_close(&t->next);
    ki_say(t->host, "trace", "close");
}

static int trace_post(void *self, const kith_posting *what) {
    trace *t = self;
    int r = kith_link_post(t->next, what);
    ki_say(t->host, "trace", "post %s of %u bytes to %s, ticket %" PRIu64 ": %s",
        what->kind == KITH_ITEM_SYNC ? "sync frame" : "packet", what->length,
        what->to == NULL ? "all" : what->to->subject, what->ticket, word(r));
    return r;
}

static int trace_follow(void *self, const char *const *patterns, size_t count) {
    trace *t = self;
    int r = ki_link_follow_all(t->next, patterns, count);
    ki_say(t->host, "trace", "follow %zu patterns: %s", count, word(r));
    for (size_t i = 0; i < count; i++) {
        ki_say(t->host, "trace", "  %s", patterns[i]);
    }
    return r;
}

static int trace_pull(void *self, kith_item *ret_item) {
    trace *t = self;
    int r = kith_link_pull(t->next, ret_item);
    if (r == KITH_EMPTY) {
        if (t->idle_pulls++ == 0) {
            ki_say(t->host, "trace", "pull: empty");
        }
        return r;
    }
    if (r == 0) {
        ki_say(t->host, "trace",
            "pull %s of %u bytes from %s, token %" PRIu64 " (after %" PRIu64 " empty)",
            ret_item->kind == KITH_ITEM_SYNC ? "sync frame" : "packet", ret_item->length,
            ret_item->from.subject, ret_item->token, t->idle_pulls);
    } else {
        ki_say(t->host, "trace", "pull: %s", word(r));
    }
    t->idle_pulls = 0;
    return r;
}

static int trace_settle(void *self, uint64_t *ret_through, kith_error *err) {
    trace *t = self;
    kith_error own = { 0 };
    int r = kith_link_settle(t->next, ret_through, &own);
    if (err != NULL && r < 0) {
        *err = own;
    }
    if (r == KITH_EMPTY) {
        if (t->idle_settles++ == 0) {
            ki_say(t->host, "trace", "settle: empty");
        }
        return r;
    }
    if (r == 0) {
        ki_say(t->host, "trace", "settle through %" PRIu64, *ret_through);
    } else {
        ki_say(t->host, "trace", "settle: %s: %s", word(r), own.text);
    }
    t->idle_settles = 0;
    return r;
}

static void trace_ack(void *self, uint64_t token) {
    trace *t = self;
    ki_say(t->host, "trace", "ack %" PRIu64, token);
    kith_link_ack(t->next, token);
}

static int trace_rewind(void *self, const kith_position *to) {
    static const char *const words[] = { "?", "start", "now", "cursor", "time" };
    trace *t = self;
    int r = kith_link_rewind(t->next, to);
    ki_say(
        t->host, "trace", "rewind to %s: %s", words[to->kind <= 4 ? to->kind : 0], word(r));
    return r;
}

static void trace_cursor(void *self, kith_position *ret_position) {
    trace *t = self;
    bool has = kith_link_cursor(t->next, ret_position);
    ki_say(t->host, "trace", "cursor: %s", has ? "ok" : "none");
}

static void trace_tick(void *self, kith_time now) {
    trace *t = self;
    ki_say(t->host, "trace", "tick %" PRIu64, now.mono_ns);
    kith_link_tick(t->next, now);
}

static int trace_health(void *self, kith_error *err) {
    trace *t = self;
    int r = kith_link_health(t->next, err);
    ki_say(t->host, "trace", "health: %s", word(r));
    return r;
}

static kith_link *trace_inner(void *self) {
    trace *t = self;
    return t->next;
}

const kith_carrier ki_trace_carrier = {
    .abi = KITH_CARRIER_ABI,
    .state_size = sizeof(trace),
    .scheme = "trace",
    .summary = "says every call on the link inside",
    .place = "the URL inside",
    .open = trace_open,
    .close = trace_close,
    .post = trace_post,
    .follow = trace_follow,
    .pull = trace_pull,
    .settle = trace_settle,
    .ack = trace_ack,
    .rewind = trace_rewind,
    .cursor = trace_cursor,
    .tick = trace_tick,
    .health = trace_health,
    .inner = trace_inner,
};
