/* SPDX-License-Identifier: Apache-2.0 */
/* The link's side of a service thread: nothing here waits, save for patterns and
 * rewinds to be adopted. */
#include "base/check.h"
#include "carrier/service_state.h"

#include <string.h>

static ki_service *service_of(void *self) {
    ki_service *s = ((ki_served *) self)->service;
    CHECK(s != NULL); /* open gave one */
    return s;
}

void ki_served_close(void *self) {
    ki_service_stop(&((ki_served *) self)->service);
}

static void keep_post(ki_posted *p, const kith_posting *what) {
    p->kind = what->kind;
    p->length = what->length;
    p->to = what->to == NULL ? (kith_address){ "" } : *what->to;
    p->expires_us = what->expires_us;
    p->ticket = what->ticket;
    memcpy(p->bytes, what->bytes, what->length);
}

int ki_served_post(void *self, const kith_posting *what) {
    ki_service *s = service_of(self);
    CHECK(what->length >= 1 && what->length <= KITH_PACKET_MAX);
    ki_service_lock(s);
    /* what a failure is about to forget must not grow meanwhile */
    bool room = s->sickness.code == 0 && !s->failed && s->posts_count < KI_SERVICE_POSTS;
    if (room) {
        size_t at = (s->posts_first + s->posts_count) % KI_SERVICE_POSTS;
        keep_post(&s->posts[at], what);
        s->posts_count++;
        ki_service_kick(s);
    }
    ki_service_unlock(s);
    return room ? 0 : KITH_FULL;
}

int ki_served_settle(void *self, uint64_t *ret_through, kith_error *err) {
    ki_service *s = service_of(self);
    int r = KITH_EMPTY;
    ki_service_lock(s);
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
        ki_service_calm(s);
    }
    ki_service_unlock(s);
    return r;
}

static bool has_adopted(const ki_service *s) {
    return !s->adopting;
}

/* What is posted after this returns must not be judged by the old patterns: the turn
 * that still has them ends first. A medium that hangs has nothing to judge. */
int ki_served_follow(void *self, const char *const *patterns, size_t count) {
    ki_service *s = service_of(self);
    CHECK(count <= KITH_PATTERNS_MAX);
    ki_service_lock(s);
    s->patterns.generation++;
    s->patterns.count = count;
    for (size_t i = 0; i < count; i++) {
        memcpy(s->patterns.text[i], patterns[i], strlen(patterns[i]) + 1);
    }
    s->adopting = true;
    ki_service_kick(s);
    ki_service_unlock(s);
    (void) ki_service_hear(s, has_adopted, ki_service_patience(s));
    return 0;
}

int ki_served_pull(void *self, kith_item *ret_item) {
    ki_service *s = service_of(self);
    int r = KITH_EMPTY;
    ki_service_lock(s);
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
            ki_service_kick(s);
        }
        r = 0;
    } else {
        ki_service_calm(s);
    }
    ki_service_unlock(s);
    return r;
}

int ki_served_rewind(void *self, const kith_position *to) {
    ki_service *s = service_of(self);
    if (s->worker->rewind == NULL) {
        return KITH_E_NOTSUP;
    }
    ki_service_lock(s);
    CHECK(s->asked == s->answered); /* one call at a time, by the owner */
    s->position = *to;
    s->asked++;
    ki_service_kick(s);
    ki_service_unlock(s);
    bool heard = ki_service_hear(s, ki_service_has_answered, ki_service_patience(s));
    ki_service_lock(s);
    int r = s->asked == s->answered ? s->result : KITH_E_TIMEOUT;
    if (!heard && r == KITH_E_TIMEOUT) {
        s->answered = ++s->asked; /* withdrawn: an answer to it is nobody's */
    }
    ki_service_unlock(s);
    return r;
}

int ki_served_wake_fd(void *self) {
    return service_of(self)->wake;
}

void ki_served_tick(void *self, kith_time now) {
    ki_service *s = service_of(self);
    ki_service_lock(s);
    s->now = now;
    ki_service_kick(s);
    ki_service_unlock(s);
}

void ki_served_counters(void *self, kith_counters *ret) {
    ki_service *s = service_of(self);
    ki_service_lock(s);
    *ret = s->counters;
    ki_service_unlock(s);
}

int ki_served_health(void *self, kith_error *err) {
    ki_service *s = service_of(self);
    ki_service_lock(s);
    int r = s->sickness.code;
    if (r < 0 && err != NULL) {
        *err = s->sickness;
    }
    ki_service_unlock(s);
    return r;
}

void ki_served_note(void *self, ki_note *ret) {
    ki_service *s = service_of(self);
    ki_service_lock(s);
    *ret = s->note;
    ki_service_unlock(s);
    CHECK(ret->length <= sizeof ret->bytes);
}
