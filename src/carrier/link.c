/* SPDX-License-Identifier: Apache-2.0 */
/* A link: one opened carrier, what it follows, and the filter that makes a
 * pattern mean the same on all of them. */
#include "base/check.h"
#include "base/fail.h"
#include "carrier/carrier.h"

#include <kith/address.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Items one pull may drop because no pattern wants them. Bounds the time of a
 * pull on a carrier that cannot filter. */
#define SKIP_MAX 64

typedef struct wish {
    uint32_t count; /* of follows; 0: the place is free */
    char text[KITH_SUBJECT_MAX + 1];
} wish;

struct kith_link {
    const kith_carrier *carrier;
    void *self;
    kith_link *inner; /* a wrapper's, borrowed */
    kith_plugin *plugin;
    wish wishes[KITH_PATTERNS_MAX];
    const char *patterns[KITH_PATTERNS_MAX]; /* what the carrier was told */
    size_t pattern_count;
    kith_counters counters; /* posted, pulled, rubbish, filtered: seen from here */

    uint64_t taken; /* ticket of the last post */
    bool taken_new; /* and settle has not told of it */

    /* What we drop ourselves is acked when all that came before it is. */
    uint64_t last_token, skipped_token;
    bool outstanding, skipped;

    /* Subjects that passed last time need not be looked at again. */
    char last_to[KITH_SUBJECT_MAX + 1], last_from[KITH_SUBJECT_MAX + 1];
    kith_item item; /* scratch: the caller's is written only on success */
};

void ki_say(const kith_host *host, const char *scheme, const char *fmt, ...) {
    char words[248];
    if (host == NULL || host->say == NULL) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    host->say(host->ctx, scheme, words);
}

bool ki_wants(const char *p, const char *s) {
    if (*s == '_' && *p != '_') {
        return false;
    }
    for (;; p++, s++) {
        if (*p == '>') {
            return true;
        }
        if (*p == '*') {
            p++;
            while (*s != '\0' && *s != '.') s++;
        }
        while (*p == *s && *p != '\0' && *p != '.') p++, s++;
        if ((*p != '\0' && *p != '.') || (*s != '\0' && *s != '.')) {
            return false;
        }
        if (*p == '\0' || *s == '\0') {
            return *p == *s;
        }
    }
}

int ki_link_open_carrier(kith_link **ret, const ki_opening *how, kith_error *err) {
    static const kith_host nobody;
    CHECK(ret != NULL);
    CHECK(how->place != NULL);
    const kith_carrier *c = how->carrier;
    kith_plugin *plugin = how->plugin;
    kith_link *link = NULL;
    void *self = NULL;
    int r = ki_carrier_vet(c, err);
    if (r < 0) {
        goto undo;
    }
    link = calloc(1, sizeof *link);
    self = calloc(1, c->state_size);
    if (link == NULL || self == NULL) {
        r = ki_fail(err, KITH_E_MEMORY, "open %s", c->scheme);
        goto undo;
    }
    r = kith_option_query(c->options, self, how->query, err);
    if (r == 0) {
        r = c->open(self, how->place, how->host == NULL ? &nobody : how->host, err);
    }
    if (r != 0) {
        r = ki_fail_in(err, r < 0 ? r : KITH_E_NOTSUP, "open %s", c->scheme);
        goto undo;
    }
    link->carrier = c;
    link->self = self;
    link->inner = c->inner == NULL ? NULL : c->inner(self);
    link->plugin = plugin;
    *ret = link;
    return 0;
undo:
    free(self);
    free(link);
    kith_plugin_close(&plugin);
    return r;
}

void kith_link_close(kith_link **link) {
    CHECK(link != NULL);
    kith_link *l = *link;
    if (l == NULL) {
        return;
    }
    l->carrier->close(l->self);
    free(l->self);
    kith_plugin_close(&l->plugin); /* last: its code was running until now */
    free(l);
    *link = NULL;
}

int kith_link_post(kith_link *l, const kith_posting *what) {
    CHECK(l != NULL);
    CHECK(what != NULL);
    CHECK(what->bytes != NULL);
    if (what->length < 1 || what->length > KITH_PACKET_MAX) {
        return KITH_E_ARG;
    }
    if (what->kind == KITH_ITEM_SYNC) {
        if (!(kith_link_can(l) & KITH_CAN_SYNC)) {
            return KITH_E_NOTSUP;
        }
    } else if (what->kind != KITH_ITEM_PACKET || what->to == NULL) {
        return KITH_E_ARG;
    } else if (strncmp(what->to->subject, l->last_to, sizeof l->last_to) != 0 ||
               l->last_to[0] == '\0') {
        if (!kith_subject_valid(what->to->subject)) {
            return KITH_E_ARG;
        }
        memcpy(l->last_to, what->to->subject, sizeof l->last_to);
    }
    int r = l->carrier->post(l->self, what);
    if (r == 0) {
        l->counters.posted++;
        if (what->ticket != 0) { /* 0 is nobody's */
            l->taken = what->ticket;
            l->taken_new = true;
        }
    }
    return r <= 0 || r == KITH_FULL ? r : KITH_E_FORMAT;
}

int kith_link_settle(kith_link *l, uint64_t *ret_through, kith_error *err) {
    CHECK(l != NULL);
    CHECK(ret_through != NULL);
    if (l->carrier->settle != NULL) {
        int r = l->carrier->settle(l->self, ret_through, err);
        return r <= 0 || r == KITH_EMPTY ? r : KITH_E_FORMAT;
    }
    if (l->inner != NULL) {
        return kith_link_settle(l->inner, ret_through, err);
    }
    if (!l->taken_new) {
        return KITH_EMPTY;
    }
    l->taken_new = false;
    *ret_through = l->taken;
    return 0;
}

/* Tells the carrier the whole set, leaving out `without` (NULL: nobody). */
static int tell(kith_link *l, const wish *without) {
    const char *list[KITH_PATTERNS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < KITH_PATTERNS_MAX; i++) {
        const wish *w = &l->wishes[i];
        if (w->count > 0 && w != without) {
            list[count++] = w->text;
        }
    }
    int r = l->carrier->follow(l->self, list, count);
    if (r == 0) {
        memcpy(l->patterns, list, count * sizeof *list);
        l->pattern_count = count;
        l->last_from[0] = '\0';
    }
    return r <= 0 ? r : KITH_E_FORMAT;
}

static wish *find_wish(kith_link *l, const char *pattern) {
    for (size_t i = 0; i < KITH_PATTERNS_MAX; i++) {
        if (l->wishes[i].count > 0 && strcmp(l->wishes[i].text, pattern) == 0) {
            return &l->wishes[i];
        }
    }
    return NULL;
}

int kith_link_follow(kith_link *l, const char *pattern) {
    CHECK(l != NULL);
    CHECK(pattern != NULL);
    if (!kith_pattern_valid(pattern)) {
        return KITH_E_ARG;
    }
    wish *w = find_wish(l, pattern);
    if (w != NULL) {
        CHECK(w->count < UINT32_MAX);
        w->count++;
        return 0;
    }
    for (w = l->wishes; w < l->wishes + KITH_PATTERNS_MAX && w->count > 0;) w++;
    if (w == l->wishes + KITH_PATTERNS_MAX) {
        return KITH_FULL;
    }
    memcpy(w->text, pattern, strlen(pattern) + 1);
    w->count = 1;
    int r = tell(l, NULL);
    if (r < 0) {
        w->count = 0;
    }
    return r;
}

int kith_link_unfollow(kith_link *l, const char *pattern) {
    CHECK(l != NULL);
    CHECK(pattern != NULL);
    if (!kith_pattern_valid(pattern)) {
        return KITH_E_ARG;
    }
    wish *w = find_wish(l, pattern);
    if (w == NULL) {
        return KITH_E_MISSING;
    }
    int r = w->count > 1 ? 0 : tell(l, w);
    if (r == 0) {
        w->count--;
    }
    return r;
}

static bool listed(const char *const *patterns, size_t count, const char *text) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(patterns[i], text) == 0) {
            return true;
        }
    }
    return false;
}

int ki_link_follow_all(kith_link *l, const char *const *patterns, size_t count) {
    for (size_t i = 0; i < KITH_PATTERNS_MAX; i++) {
        wish *w = &l->wishes[i];
        if (w->count > 0 && !listed(patterns, count, w->text)) {
            int r = tell(l, w);
            if (r < 0) {
                return r;
            }
            w->count = 0;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (find_wish(l, patterns[i]) == NULL) {
            int r = kith_link_follow(l, patterns[i]);
            if (r != 0) {
                return r < 0 ? r : KITH_E_SPACE;
            }
        }
    }
    return 0;
}

static bool wanted(kith_link *l, const char *subject) {
    if (l->last_from[0] != '\0' && strcmp(subject, l->last_from) == 0) {
        return true;
    }
    for (size_t i = 0; i < l->pattern_count; i++) {
        if (ki_wants(l->patterns[i], subject)) {
            memcpy(l->last_from, subject, strlen(subject) + 1);
            return true;
        }
    }
    return false;
}

/* 0: for the caller; KITH_EMPTY: nobody wants it; E_FORMAT. The bytes may come
 * from anywhere: answers, not CHECKs. */
static int judge(kith_link *l, const kith_item *item) {
    if (item->length < 1 || item->length > KITH_PACKET_MAX) {
        return KITH_E_FORMAT;
    }
    if (item->kind == KITH_ITEM_SYNC) {
        return 0;
    }
    if (item->kind != KITH_ITEM_PACKET) {
        return KITH_E_FORMAT;
    }
    const char *subject = item->from.subject;
    if (subject[0] == '\0') {
        return 0; /* the node filters after decoding */
    }
    bool same = strncmp(subject, l->last_from, sizeof l->last_from) == 0;
    if (!same && !kith_subject_valid(subject)) {
        return KITH_E_FORMAT;
    }
    return wanted(l, subject) ? 0 : KITH_EMPTY;
}

static void skip(kith_link *l, uint64_t token) {
    if (l->outstanding) {
        l->skipped_token = token;
        l->skipped = true;
    } else {
        kith_link_ack(l, token);
    }
}

static void hand_out(kith_link *l, kith_item *ret) {
    const kith_item *item = &l->item;
    ret->kind = item->kind;
    ret->length = item->length;
    ret->token = item->token;
    memcpy(&ret->from, &item->from, strlen(item->from.subject) + 1);
    memcpy(ret->bytes, item->bytes, item->length);
    l->last_token = item->token;
    l->outstanding = true;
    l->skipped = false; /* acking this one covers what was dropped before it */
    l->counters.pulled++;
}

int kith_link_pull(kith_link *l, kith_item *ret_item) {
    CHECK(l != NULL);
    CHECK(ret_item != NULL);
    for (int i = 0; i < SKIP_MAX; i++) {
        int r = l->carrier->pull(l->self, &l->item);
        if (r != 0) {
            return r < 0 || r == KITH_EMPTY || r == KITH_GAP ? r : KITH_E_FORMAT;
        }
        r = judge(l, &l->item);
        if (r == 0) {
            hand_out(l, ret_item);
            return 0;
        }
        l->counters.rubbish += r < 0;
        l->counters.filtered += r > 0;
        skip(l, l->item.token);
        if (r < 0) {
            return r;
        }
    }
    return KITH_EMPTY;
}

void kith_link_ack(kith_link *l, uint64_t token) {
    CHECK(l != NULL);
    if (l->carrier->ack != NULL) {
        l->carrier->ack(l->self, token);
    } else if (l->inner != NULL) {
        kith_link_ack(l->inner, token);
    }
    if (l->outstanding && token == l->last_token) {
        l->outstanding = false;
        if (l->skipped) {
            l->skipped = false;
            kith_link_ack(l, l->skipped_token);
        }
    }
}

int kith_link_rewind(kith_link *l, const kith_position *to) {
    CHECK(l != NULL);
    CHECK(to != NULL);
    if (to->length > KITH_CURSOR_MAX) {
        return KITH_E_ARG;
    }
    if (l->carrier->rewind != NULL) {
        int r = l->carrier->rewind(l->self, to);
        l->outstanding = l->skipped = r < 0 && l->outstanding;
        return r <= 0 ? r : KITH_E_FORMAT;
    }
    return l->inner != NULL ? kith_link_rewind(l->inner, to) : KITH_E_NOTSUP;
}

bool kith_link_cursor(kith_link *l, kith_position *ret_position) {
    CHECK(l != NULL);
    CHECK(ret_position != NULL);
    if (l->carrier->cursor == NULL) {
        return l->inner != NULL && kith_link_cursor(l->inner, ret_position);
    }
    kith_position at = { 0 };
    l->carrier->cursor(l->self, &at);
    if (at.kind != KITH_FROM_CURSOR || at.length < 1 || at.length > KITH_CURSOR_MAX) {
        return false;
    }
    *ret_position = at;
    return true;
}

int kith_link_wake_fd(kith_link *l) {
    CHECK(l != NULL);
    if (l->carrier->wake_fd != NULL) {
        return l->carrier->wake_fd(l->self);
    }
    return l->inner != NULL ? kith_link_wake_fd(l->inner) : -1;
}

void kith_link_tick(kith_link *l, kith_time now) {
    CHECK(l != NULL);
    if (l->carrier->tick != NULL) {
        l->carrier->tick(l->self, now);
    } else if (l->inner != NULL) {
        kith_link_tick(l->inner, now);
    }
}

uint32_t kith_link_can(const kith_link *l) {
    CHECK(l != NULL);
    return l->carrier->can | (l->inner == NULL ? 0 : kith_link_can(l->inner));
}

kith_level kith_link_level(const kith_link *l) {
    CHECK(l != NULL);
    if (l->carrier->level != NULL) {
        return l->carrier->level(l->self);
    }
    return l->inner == NULL ? KITH_LEVEL_NONE : kith_link_level(l->inner);
}

static bool settles_by_itself(const kith_link *l) {
    return l->carrier->settle == NULL && (l->inner == NULL || settles_by_itself(l->inner));
}

void kith_link_counters(const kith_link *l, kith_counters *ret) {
    CHECK(l != NULL);
    CHECK(ret != NULL);
    kith_counters c = { 0 };
    if (l->carrier->counters != NULL) {
        l->carrier->counters(l->self, &c);
    } else if (l->inner != NULL) {
        kith_link_counters(l->inner, &c);
    }
    c.posted = l->counters.posted;
    c.pulled = l->counters.pulled;
    c.rubbish += l->counters.rubbish;
    c.filtered += l->counters.filtered;
    if (settles_by_itself(l)) {
        c.settled = c.posted;
    }
    *ret = c;
}

int kith_link_health(const kith_link *l, kith_error *err) {
    CHECK(l != NULL);
    if (l->carrier->health != NULL) {
        int r = l->carrier->health(l->self, err);
        return r <= 0 ? r : KITH_E_FORMAT;
    }
    return l->inner == NULL ? 0 : kith_link_health(l->inner, err);
}

const char *kith_link_scheme(const kith_link *l) {
    CHECK(l != NULL);
    return l->inner != NULL ? kith_link_scheme(l->inner) : l->carrier->scheme;
}
