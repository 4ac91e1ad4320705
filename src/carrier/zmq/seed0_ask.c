/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/zmq/seed0_ask.h"

#include "base/check.h"
#include "base/wire.h"

#include <string.h>
#include <zmq.h>

enum {
    TRIES_MAX = 15,
};
#define PATIENCE_NS UINT64_C(2000000000)

void ki_seed0_ask_begin(ki_seed0_ask *a, void *dealer, const char *prefix, size_t length) {
    CHECK(length <= KITH_SEED0_TOPIC_MAX);
    CHECK(a->dealer == NULL);
    a->dealer = dealer;
    a->length = length;
    memcpy(a->prefix, prefix, length);
    a->due_ns = a->tries = 0;
    a->at = a->count = 0;
}

void ki_seed0_ask_end(ki_seed0_ask *a) {
    if (a->dealer != NULL) {
        (void) zmq_close(a->dealer);
        a->dealer = NULL;
    }
}

bool ki_seed0_ask_tick(ki_seed0_ask *a, uint64_t now_ns) {
    if (a->dealer == NULL || now_ns < a->due_ns) {
        return true;
    }
    if (a->tries == TRIES_MAX) {
        ki_seed0_ask_end(a);
        return false;
    }
    /* It waits for a store that may come; an answer too many is nobody's. */
    if (zmq_send(a->dealer, "", 0, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0) {
        (void) zmq_send(a->dealer, a->prefix, a->length, ZMQ_DONTWAIT);
    }
    a->due_ns = now_ns + PATIENCE_NS;
    a->tries++;
    return true;
}

static void hand_out(kith_item *ret, const char *text, size_t n) {
    n = n > KITH_PACKET_MAX - 2 ? KITH_PACKET_MAX - 2 : n;
    ret->kind = KITH_ITEM_LEGACY;
    ret->token = 0;
    ret->length = (uint16_t) (n + 2);
    ret->from.subject[0] = '\0';
    wire_put16(ret->bytes, 0);
    memcpy(ret->bytes + 2, text, n);
}

static int next_row(ki_seed0_ask *a, kith_item *ret) {
    char text[KITH_SEED0_REPLY_MAX];
    CHECK(a->at < a->count);
    kith_seed0 *row = &a->rows[a->at++];
    row->timestamp = 1; /* a plain row has none, and writes none */
    int n = kith_seed0_reply(row, 1, false, text);
    CHECK(n > 0); /* it was read a moment ago */
    hand_out(ret, text, (size_t) n);
    memcpy(ret->from.subject, row->domain, strlen(row->domain) + 1);
    return 0;
}

/* An empty frame and the answer; KITH_EMPTY, also for anything else. */
static int take_answer(ki_seed0_ask *a, kith_item *ret) {
    zmq_msg_t m;
    int frame = 0, r = KITH_EMPTY;
    (void) zmq_msg_init(&m);
    while (zmq_msg_recv(&m, a->dealer, ZMQ_DONTWAIT) >= 0) {
        const char *text = zmq_msg_data(&m);
        size_t n = zmq_msg_size(&m);
        if (frame == 1 && !zmq_msg_more(&m) && r == KITH_EMPTY) {
            int rows = kith_seed0_read_reply(text, n, a->rows);
            a->count = rows > 0 ? (size_t) rows : 0;
            r = 0;
            if (rows < 0) {
                hand_out(ret, text, n);
            }
        }
        frame = zmq_msg_more(&m) ? frame + 1 : 0;
    }
    (void) zmq_msg_close(&m);
    if (r == 0) {
        ki_seed0_ask_end(a);
        r = a->count > 0 ? next_row(a, ret) : ret->length > 0 ? 0 : KITH_EMPTY;
    }
    return r;
}

int ki_seed0_ask_pull(ki_seed0_ask *a, kith_item *ret) {
    if (a->at < a->count) {
        return next_row(a, ret);
    }
    ret->length = 0;
    return a->dealer != NULL ? take_answer(a, ret) : KITH_EMPTY;
}
