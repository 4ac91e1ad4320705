/* SPDX-License-Identifier: Apache-2.0 */
/* Opens links, watches whether their medium is there, and tries again. */
#include "node/node.h"

#include "base/check.h"
#include "base/dice.h"
#include "base/hash.h"

#include <string.h>

/* carriers.md section 1: 100 ms to 30 s, doubling, with jitter. */
#define RETRY_MIN_NS UINT64_C(100000000)
#define RETRY_MAX_NS UINT64_C(30000000000)
/* Up for so long, and earlier failures are forgotten. */
#define STEADY_NS UINT64_C(10000000000)

void ki_node_say(kith_node *n, const kith_event *event) {
    if (n->event != NULL) {
        n->event(n->ctx, event);
    }
}

bool ki_node_follows(const kith_node *n, const char *subject) {
    for (size_t i = 0; i < n->follow_count; i++) {
        if (kith_subject_matches(n->follows[i], subject)) {
            return true;
        }
    }
    return false;
}

static void say_state(kith_node *n, const ki_node_link *l) {
    kith_event e = { .kind = l->up ? KITH_EVENT_LINK_UP : KITH_EVENT_LINK_DOWN,
        .link = l->url,
        .text = l->why };
    ki_node_say(n, &e);
}

static void set_state(kith_node *n, ki_node_link *l, bool up, const char *why) {
    bool news = l->up != up || (!up && l->why[0] == '\0');
    l->up = up;
    size_t length = strnlen(why, sizeof l->why - 1);
    memcpy(l->why, why, length);
    l->why[length] = '\0';
    if (news) {
        say_state(n, l);
    }
}

static uint64_t backoff(kith_node *n, uint32_t failures) {
    uint64_t wait = failures > 9 ? RETRY_MAX_NS : RETRY_MIN_NS << failures;
    wait = wait > RETRY_MAX_NS ? RETRY_MAX_NS : wait;
    return wait / 2 + dice_below(&n->dice, wait / 2 + 1);
}

int ki_link_rewind(ki_node_link *l, const kith_position *to) {
    l->era++;
    return kith_link_rewind(l->link, to);
}

void ki_link_down(kith_node *n, ki_node_link *l, const char *why, kith_time now) {
    kith_link_close(&l->link);
    l->era++;
    l->retry_ns = now.mono_ns + backoff(n, l->failures);
    l->failures += l->failures < UINT32_MAX;
    set_state(n, l, false, why);
}

/* What is followed is part of a cursor's meaning: with other patterns, packets
 * that were passed over then are wanted now. */
void ki_link_cursor_name(const kith_node *n, const ki_node_link *l, char *ret_name) {
    uint8_t hash[32];
    ki_sha256 h;
    ki_sha256_init(&h);
    for (size_t i = 0; i < n->follow_count; i++) {
        ki_sha256_add(&h, n->follows[i], strlen(n->follows[i]) + 1);
    }
    if (n->round != 0) {
        ki_sha256_add(&h, &n->round, sizeof n->round);
    }
    ki_sha256_done(&h, hash);
    size_t length = strlen(l->way);
    memcpy(ret_name, "in:", 3);
    ki_hex(hash, 8, ret_name + 3);
    ret_name[19] = ':';
    memcpy(ret_name + 20, l->way, length + 1);
}

/* Where reading and sending went on before: from the store. A medium that does
 * not know our cursor is not the one we wrote to (another stick, a wiped folder):
 * then everything is read from its start, and what we have is sent again. */
static int resume(kith_node *n, ki_node_link *l, kith_time now) {
    char name[KITH_STATE_NAME_MAX + 1];
    size_t length = 0;
    ki_outbox_resume(n, l, now);
    if ((kith_link_can(l->link) & KITH_CAN_REPLAY) == 0) {
        return 0;
    }
    kith_position at = { .kind = KITH_FROM_CURSOR };
    ki_link_cursor_name(n, l, name);
    int r = kith_store_load(n->store, name, at.cursor, sizeof at.cursor, &length);
    if (r == 0) {
        at.length = (uint8_t) length;
        r = ki_link_rewind(l, &at);
        if (r == KITH_E_MISSING) {
            ki_outbox_again(n, l, now);
        }
    }
    if (r != 0) {
        at = (kith_position){ .kind = KITH_FROM_START };
        r = ki_link_rewind(l, &at);
    }
    return r < 0 ? r : 0;
}

static int prepare(kith_node *n, ki_node_link *l, kith_time now) {
    for (size_t i = 0; i < n->follow_count; i++) {
        int r = kith_link_follow(l->link, n->follows[i]);
        if (r < 0) {
            return r;
        }
    }
    int r = resume(n, l, now);
    return r < 0 ? r : ki_exchange_open(n, l);
}

int ki_link_try(kith_node *n, ki_node_link *l, kith_time now, kith_error *err) {
    CHECK(l->link == NULL);
    kith_error why = { 0 };
    int r = kith_link_open(&l->link, l->url, &n->host, &why);
    if (r == 0) {
        r = prepare(n, l, now);
        if (r < 0) {
            why = (kith_error){ .code = r };
            memcpy(why.text, "cannot follow or rewind", 24);
        }
    }
    if (r < 0) {
        ki_link_down(n, l, why.text, now);
        if (err != NULL) {
            *err = why;
        }
        return r;
    }
    l->up_ns = now.mono_ns;
    l->cursor_dirty = true; /* it names the medium, even if nothing is ever read */
    set_state(n, l, true, "");
    return 0;
}

/* A clock that was far off made us refuse what is good: it is read once more. One
 * that was ahead made us pass over what has not expired: it is given once more. */
void ki_links_reread(kith_node *n, kith_time now, bool was_ahead) {
    for (size_t i = 0; i < n->link_count; i++) {
        ki_node_link *l = &n->links[i];
        if (l->link != NULL && was_ahead) {
            ki_outbox_again(n, l, now);
        }
        if (l->link != NULL && (kith_link_can(l->link) & KITH_CAN_REPLAY) != 0) {
            kith_position start = { .kind = KITH_FROM_START };
            (void) ki_link_rewind(l, &start);
        }
        l->cursor_dirty = true;
        if (l->sync != NULL) {
            ki_sync_again(l->sync, now);
        }
    }
}

void ki_links_watch(kith_node *n, kith_time now) {
    for (size_t i = 0; i < n->link_count; i++) {
        ki_node_link *l = &n->links[i];
        if (l->link == NULL) {
            if (now.mono_ns >= l->retry_ns) {
                (void) !ki_link_try(n, l, now, NULL); /* l->why keeps the reason */
            }
            continue;
        }
        kith_link_tick(l->link, now);
        kith_error why = { 0 };
        int r = kith_link_health(l->link, &why);
        if (r == KITH_E_REPLACED) { /* opened anew, what we have goes to that one too */
            ki_link_down(n, l, why.text, now);
            continue;
        }
        if (r == 0 && now.mono_ns - l->up_ns > STEADY_NS) {
            l->failures = 0;
        }
        set_state(n, l, r == 0, why.text);
    }
}
