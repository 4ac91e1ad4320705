/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/zmq/seed0_inside.h"

#include <stdio.h>
#include <string.h>

enum {
    QUERIES_MAX = 4, /* answered in one call */
};
#define STALL_NS UINT64_C(1000000000) /* one reader holds the others up so long */

/* ---- those who follow, and those who ask ---- */

static void hear_readers(ki_seed0 *s) {
    while (zmq_msg_recv(&s->first, s->out, ZMQ_DONTWAIT) >= 0) {
        ki_seed0_told(&s->readers, zmq_msg_data(&s->first), zmq_msg_size(&s->first));
    }
}

void ki_seed0_drop_rest(void *socket, zmq_msg_t *last) {
    while (zmq_msg_more(last) && zmq_msg_recv(last, socket, ZMQ_DONTWAIT) >= 0) {
    }
}

/* REQ puts an empty frame before its question: who, "", prefix. */
static bool take_question(ki_seed0 *s, zmq_msg_t *who) {
    zmq_msg_t *last = who;
    bool good = zmq_msg_more(who);
    if (good) {
        last = &s->first;
        good = zmq_msg_recv(last, s->front, ZMQ_DONTWAIT) == 0 && zmq_msg_more(last);
    }
    if (good) {
        last = &s->second;
        good = zmq_msg_recv(last, s->front, ZMQ_DONTWAIT) >= 0 && !zmq_msg_more(last);
    }
    if (!good) {
        ki_seed0_drop_rest(s->front, last);
    }
    return good;
}

static bool give_answer(ki_seed0 *s, zmq_msg_t *who) {
    char text[KITH_SEED0_REPLY_MAX];
    size_t n = ki_seed0_answer(
        s->host, zmq_msg_data(&s->second), zmq_msg_size(&s->second), s->extended, text);
    /* Who takes nothing gets none: the ROUTER drops it. */
    return zmq_msg_send(who, s->front, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
           zmq_send(s->front, "", 0, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
           zmq_send(s->front, text, n, ZMQ_DONTWAIT) >= 0;
}

/* What has another form is dropped whole: no REQ sends it. false: nobody asks. */
static bool answer_one(ki_seed0 *s) {
    zmq_msg_t who;
    (void) zmq_msg_init(&who);
    bool asked = zmq_msg_recv(&who, s->front, ZMQ_DONTWAIT) >= 0;
    if (asked && !take_question(s, &who)) {
        s->rubbish++;
    } else if (asked && !give_answer(s, &who)) {
        s->failures++;
    }
    (void) zmq_msg_close(&who);
    return asked;
}

bool ki_seed0_serve(ki_seed0 *s) {
    if (s->out == NULL) {
        return true;
    }
    hear_readers(s);
    for (int i = 0; i < QUERIES_MAX; i++) {
        if (!answer_one(s)) {
            return true;
        }
    }
    return false;
}

/* ---- what goes out ---- */

/* Taken and not sent: seed 0 has no words for it, and never will. */
static void refused(ki_seed0 *s, const kith_posting *what, int code) {
    char text[KITH_SUBJECT_MAX + 160];
    s->failures++;
    if (s->host->say != NULL) {
        (void) snprintf(text, sizeof text, "not said to seed 0 on %s: %s (%s)",
            what->to == NULL ? "?" : what->to->subject, kith_legacy_words(code),
            kith_legacy_counter(code));
        s->host->say(s->host->ctx, "zmq", text);
    }
}

static bool send_both(ki_seed0 *s, const kith_seed0_frames *f) {
    return zmq_send(s->out, f->topic, f->topic_length, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
           zmq_send(s->out, f->payload, f->payload_length, ZMQ_DONTWAIT) >= 0;
}

/* A reader that takes nothing holds up the others for a second; then it misses what
 * finds no room: seed 0 has no way to ask for it again. */
static int send_frames(ki_seed0 *s, const kith_seed0_frames *f) {
    if (send_both(s, f)) {
        s->full_since = 0;
        return 0;
    }
    if (zmq_errno() != EAGAIN) {
        s->failures++;
        return KITH_E_SYSTEM;
    }
    if (s->full_since == 0) {
        s->full_since = s->now_ns;
    }
    if (s->now_ns - s->full_since < STALL_NS) {
        return KITH_FULL;
    }
    const int keep = 1, drop = 0;
    (void) zmq_setsockopt(s->out, ZMQ_XPUB_NODROP, &drop, sizeof drop);
    bool sent = send_both(s, f);
    (void) zmq_setsockopt(s->out, ZMQ_XPUB_NODROP, &keep, sizeof keep);
    s->failures++;
    return sent ? 0 : KITH_FULL;
}

int ki_seed0_post(ki_seed0 *s, const kith_posting *what) {
    kith_seed0_frames f = { 0 };
    kith_seed0 p;
    if (what->kind == KITH_ITEM_SYNC) {
        return 0; /* nobody of seed 0 understands a word */
    }
    int r = ki_seed0_read(what, &f, &p);
    if (r < 0) {
        refused(s, what, r);
        return what->kind == KITH_ITEM_LEGACY ? KITH_E_ARG : 0;
    }
    if (s->out == NULL) {
        return KITH_E_NOTSUP;
    }
    hear_readers(s);
    if (s->patient && !ki_seed0_followed(&s->readers, f.topic, f.topic_length)) {
        return KITH_FULL;
    }
    return send_frames(s, &f);
}
