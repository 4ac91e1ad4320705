/* SPDX-License-Identifier: Apache-2.0 */
/* Transition                    function
 *   DIALLING -> HELLO           ki_peer_connected
 *   HELLO -> PROOF, OPEN        take_hello
 *   PROOF -> OPEN               take_proof
 *   any -> GONE                 ki_peer_end, and what calls it */
#include "carrier/tcp/peer.h"

#include "base/check.h"

#include <string.h>

void ki_peer_check(const peer *p) {
    CHECK(p->state >= PEER_DIALLING && p->state <= PEER_GONE);
    CHECK(p->sent <= p->allowed);
    CHECK(p->consumed <= p->came && p->came <= p->granted);
    CHECK(p->granted <= p->consumed + p->ours.window);
    CHECK(p->want_heard <= p->want_told);
    CHECK(!p->feeling || (p->ours.role == ROLE_LEAF && !ki_peer_adopted(p)));
    CHECK(p->state == PEER_GONE || p->quiet_beats < DEAD_BEATS);
    CHECK(p->state == PEER_OPEN || p->state == PEER_GONE ||
          (p->sent == 0 && p->came == 0 && p->want_told == 0 && p->want_owed == 0));
    CHECK(p->state != PEER_PROOF || p->guard != NULL);
    CHECK(p->state == PEER_GONE || p->state == PEER_OPEN || p->beats < HELLO_BEATS);
}

void ki_peer_init(peer *p, bool dialling, const hello *ours, const guard *g) {
    CHECK(ours->window >= FRAME_MAX);
    CHECK(g == NULL ? ours->method == 0 : g->method == ours->method && g->method != 0);
    *p = (peer){ .state = dialling ? PEER_DIALLING : PEER_HELLO,
        .guard = g,
        .ours = *ours,
        .granted = ours->window };
    ki_peer_check(p);
}

void ki_peer_connected(peer *p) {
    CHECK(p->state == PEER_DIALLING);
    p->state = PEER_HELLO;
    ki_peer_check(p);
}

void ki_peer_end(peer *p, frame_bye why) {
    if (p->state != PEER_GONE) {
        p->state = PEER_GONE;
        p->why = why;
    }
}

static int refuse(peer *p, frame_bye why) {
    ki_peer_end(p, why);
    return why == BYE_RUBBISH ? KITH_E_FORMAT : KITH_E_DENIED;
}

static void open_up(peer *p, peer_news *ret_news) {
    p->state = PEER_OPEN;
    p->allowed = p->theirs.window;
    *ret_news = NEWS_OPEN;
}

static int take_hello(peer *p, const frame *f, peer_news *ret_news) {
    hello h;
    if (ki_tcp_get_hello(f, &h) < 0) {
        return refuse(p, BYE_RUBBISH);
    }
    if (h.version != LINK_VERSION) {
        return refuse(p, BYE_VERSION);
    }
    if (h.role == p->ours.role || memcmp(h.id, p->ours.id, sizeof h.id) == 0) {
        return refuse(p, BYE_RUBBISH); /* two hubs, or we dialled ourselves */
    }
    if (h.method != p->ours.method) {
        return refuse(p, BYE_PROOF);
    }
    p->theirs = h;
    if (p->guard == NULL) {
        open_up(p, ret_news);
    } else {
        p->state = PEER_PROOF;
        *ret_news = NEWS_PROVE;
    }
    return 0;
}

static int take_proof(peer *p, const frame *f, peer_news *ret_news) {
    if (p->guard->judge(p->guard->ctx, &p->ours, &p->theirs, f) != 0) {
        return refuse(p, BYE_PROOF);
    }
    open_up(p, ret_news);
    return 0;
}

static int take_batch(peer *p, const frame *f, peer_news *ret_news) {
    uint64_t load = f->length - BATCH_LOST;
    if (load > p->granted - p->came || ki_tcp_check_batch(f) < 0) {
        return refuse(p, BYE_RUBBISH);
    }
    p->came += load;
    *ret_news = NEWS_BATCH;
    return 0;
}

static int take_credit(peer *p, const frame *f, peer_news *ret_news) {
    uint64_t through = ki_tcp_get64(f);
    if (through < p->allowed || through > p->sent + p->theirs.window) {
        return refuse(p, BYE_RUBBISH);
    }
    p->allowed = through;
    *ret_news = NEWS_CREDIT;
    return 0;
}

/* An answer to an older WANT says nothing about the last. */
static int take_wanted(peer *p, const frame *f, peer_news *ret_news) {
    uint32_t number = ki_tcp_get32(f);
    if (number > p->want_told || number < p->want_heard) {
        return refuse(p, BYE_RUBBISH);
    }
    p->want_heard = number;
    p->want_beats = 0;
    p->feeling = p->feeling && number != p->want_told;
    *ret_news = NEWS_WANTED;
    return 0;
}

static int take_open(peer *p, const frame *f, peer_news *ret_news) {
    switch (f->type) {
    case FRAME_BATCH: return take_batch(p, f, ret_news);
    case FRAME_CREDIT: return take_credit(p, f, ret_news);
    case FRAME_WANTED: return take_wanted(p, f, ret_news);
    case FRAME_WANT:
        p->want_owed = ki_tcp_get32(f);
        *ret_news = NEWS_WANT;
        return 0;
    default: return refuse(p, BYE_RUBBISH);
    }
}

int ki_peer_take(peer *p, const frame *f, peer_news *ret_news) {
    ki_peer_check(p);
    CHECK(p->state != PEER_GONE && p->state != PEER_DIALLING);
    *ret_news = NEWS_NOTHING;
    int r;
    if (f->type == FRAME_BYE) {
        p->said = f->body[0];
        ki_peer_end(p, BYE_CLOSING);
        r = KITH_E_CLOSED;
    } else if (p->state == PEER_OPEN) {
        r = take_open(p, f, ret_news);
    } else if (p->state == PEER_HELLO && f->type == FRAME_HELLO) {
        r = take_hello(p, f, ret_news);
    } else if (p->state == PEER_PROOF && f->type == FRAME_PROOF) {
        r = take_proof(p, f, ret_news);
    } else {
        r = refuse(p, BYE_RUBBISH);
    }
    ki_peer_check(p);
    return r;
}

bool ki_peer_is_waiting(const peer *p) {
    return p->state < PEER_OPEN || (!ki_peer_adopted(p) && !p->feeling);
}

void ki_peer_heard(peer *p) {
    p->quiet_beats = 0;
}

bool ki_peer_feel(peer *p) {
    bool due = p->state == PEER_OPEN && p->ours.role == ROLE_LEAF && ki_peer_adopted(p) &&
               p->quiet_beats >= QUIET_BEATS;
    if (due) {
        (void) ki_peer_tell(p);
        p->feeling = true;
    }
    return due;
}

bool ki_peer_beat(peer *p) {
    if (p->state < PEER_OPEN && p->beats + 1 >= HELLO_BEATS) {
        ki_peer_end(p, BYE_SLOW);
    } else if (p->state < PEER_OPEN) {
        p->beats++;
    } else if (!ki_peer_adopted(p) && !p->feeling && ++p->want_beats >= WANT_BEATS) {
        ki_peer_end(p, BYE_SLOW);
    } else if (p->ours.role == ROLE_LEAF && ++p->quiet_beats >= DEAD_BEATS) {
        ki_peer_end(p, BYE_SLOW);
    }
    ki_peer_check(p);
    return p->state != PEER_GONE;
}

void ki_peer_sent(peer *p, uint32_t load) {
    CHECK(load <= ki_peer_credit(p));
    p->sent += load;
}

bool ki_peer_consumed(peer *p, uint32_t load) {
    CHECK(load <= p->came - p->consumed);
    p->consumed += load;
    return p->consumed + p->ours.window - p->granted >= p->ours.window / 4;
}

uint64_t ki_peer_grant(peer *p) {
    p->granted = p->consumed + p->ours.window;
    ki_peer_check(p);
    return p->granted;
}

uint32_t ki_peer_tell(peer *p) {
    CHECK(p->state == PEER_OPEN && p->want_told < UINT32_MAX);
    p->want_beats = 0;
    p->feeling = false;
    return ++p->want_told;
}
