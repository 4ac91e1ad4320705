/* SPDX-License-Identifier: Apache-2.0 */
/* A link: one opened carrier, and what moves through it. */
#include "base/check.h"
#include "base/fail.h"
#include "carrier/link_state.h"

#include <kith/address.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Items one pull may drop because no pattern wants them. Bounds the time of a
 * pull on a carrier that cannot filter. */
#define SKIP_MAX 64

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
    ki_link_check(link);
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
    } else if (what->kind == KITH_ITEM_LEGACY) {
        if (!(kith_link_can(l) & KITH_CAN_LEGACY)) {
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

/* 0: for the caller; KITH_EMPTY: nobody wants it; E_FORMAT. The bytes may come
 * from anywhere: answers, not CHECKs. */
static int judge(kith_link *l, const kith_item *item) {
    if (item->length < 1 || item->length > KITH_PACKET_MAX) {
        return KITH_E_FORMAT;
    }
    if (item->kind == KITH_ITEM_SYNC) {
        return 0;
    }
    if (item->kind != KITH_ITEM_PACKET && item->kind != KITH_ITEM_LEGACY) {
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
    return ki_link_wants(l, subject) ? 0 : KITH_EMPTY;
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
    CHECK_HOT(l->item.length >= 1 && l->item.length <= KITH_PACKET_MAX); /* judged */
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
    CHECK(l->outstanding || !l->skipped);
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
