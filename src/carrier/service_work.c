/* SPDX-License-Identifier: Apache-2.0 */
/* The thread's side of a service: what a worker takes from the queues and gives to
 * them. */
#include "base/check.h"
#include "carrier/carrier.h"
#include "carrier/service_state.h"

#include <string.h>

size_t ki_service_waiting(ki_service *s) {
    ki_service_lock(s);
    size_t count = s->posts_count;
    ki_service_unlock(s);
    return count;
}

const ki_posted *ki_service_posted(const ki_service *s, size_t index) {
    CHECK(index < KI_SERVICE_POSTS);
    return &s->posts[(s->posts_first + index) % KI_SERVICE_POSTS];
}

void ki_service_settled(ki_service *s, size_t count) {
    ki_service_lock(s);
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
        ki_service_signal(s);
    }
    ki_service_unlock(s);
}

void ki_service_failed(ki_service *s, const kith_error *err) {
    CHECK(err->code < 0);
    ki_service_lock(s);
    s->posts_first = s->posts_count = 0;
    s->failed = true;
    s->failure = *err;
    s->counters.failures++;
    ki_service_signal(s);
    ki_service_unlock(s);
}

size_t ki_service_room(ki_service *s) {
    ki_service_lock(s);
    size_t room = KI_SERVICE_ITEMS - s->items_count;
    s->starved = s->starved || room == 0;
    ki_service_unlock(s);
    return room;
}

static void keep_item(ki_service *s, const kith_item *item) {
    CHECK(item->length >= 1 && item->length <= KITH_PACKET_MAX);
    kith_item *to = &s->items[(s->items_first + s->items_count) % KI_SERVICE_ITEMS];
    to->kind = item->kind;
    to->length = item->length;
    to->token = item->token;
    to->from = item->from;
    memcpy(to->bytes, item->bytes, item->length);
    s->items_count++;
}

void ki_service_offer(ki_service *s, const kith_item *const *items, size_t count) {
    ki_service_lock(s);
    CHECK(count <= KI_SERVICE_ITEMS - s->items_count);
    for (size_t i = 0; i < count; i++) {
        keep_item(s, items[i]);
    }
    if (s->items_count >= SERVICE_WAKE_AT) { /* fewer: at the end of the turn */
        ki_service_signal(s);
    }
    ki_service_unlock(s);
}

bool ki_service_patterns(ki_service *s, ki_patterns *own) {
    ki_service_lock(s);
    bool changed = own->generation != s->patterns.generation;
    if (changed) {
        *own = s->patterns;
    }
    if (s->adopting && !s->stopping) { /* stop waits for the end alone */
        s->adopting = false;
        ki_service_ring(s->answer);
    }
    ki_service_unlock(s);
    return changed;
}

bool ki_patterns_want(const ki_patterns *p, const char *subject) {
    CHECK(p->count <= KITH_PATTERNS_MAX);
    for (size_t i = 0; i < p->count; i++) {
        if (ki_wants(p->text[i], subject)) {
            return true;
        }
    }
    return false;
}

void ki_service_note(ki_service *s, const ki_note *note) {
    ki_service_lock(s);
    CHECK(note->length == 0 || note->token >= s->note.token);
    s->note = *note;
    ki_service_unlock(s);
}

kith_time ki_service_now(ki_service *s) {
    ki_service_lock(s);
    kith_time now = s->now;
    ki_service_unlock(s);
    return now;
}

bool ki_service_stopping(ki_service *s) {
    ki_service_lock(s);
    bool stopping = s->stopping;
    ki_service_unlock(s);
    return stopping;
}

void ki_service_count(ki_service *s, uint64_t rubbish, uint64_t failures) {
    ki_service_lock(s);
    s->counters.rubbish += rubbish;
    s->counters.failures += failures;
    ki_service_unlock(s);
}

/* When the link has gone the host may be gone too. */
void ki_service_sick(ki_service *s, const kith_error *why) {
    CHECK(why->code < 0);
    ki_service_lock(s);
    bool begins = s->sickness.code == 0 && !s->stopping;
    s->sickness = *why;
    s->sick_ns = s->now.mono_ns;
    ki_service_unlock(s);
    if (begins) {
        ki_say(s->host, s->worker->scheme, "%s", why->text);
    }
}

void ki_service_well(ki_service *s, const char *words) {
    ki_service_lock(s);
    bool ends = s->sickness.code < 0 && !s->stopping;
    s->sickness = (kith_error){ 0 };
    ki_service_unlock(s);
    if (ends && words != NULL) {
        ki_say(s->host, s->worker->scheme, "%s", words);
    }
}

bool ki_service_rested(ki_service *s) {
    ki_service_lock(s);
    bool rested = s->sickness.code < 0 &&
                  s->now.mono_ns - s->sick_ns >= KI_SERVICE_SICK_MS * UINT64_C(1000000);
    ki_service_unlock(s);
    return rested;
}
