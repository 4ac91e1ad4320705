/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as what a peer says over tcp:// or unix://: check() of the state machine
 * is the judge. What is read must be written again as the same bytes. */
#include "carrier/tcp/peer.h"
#include "carrier/tcp/wants.h"

#include "base/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const frame *f, const uint8_t *bytes, size_t length) {
    CHECK(length == FRAME_HEADER + f->length);
    CHECK(memcmp(bytes, f->body - FRAME_HEADER, length) == 0);
}

static void written_as_read(const frame *f) {
    static uint8_t bytes[FRAME_MAX];
    hello h;
    wants w = { 0 };
    if (f->type == FRAME_HELLO && ki_tcp_get_hello(f, &h) == 0) {
        same(f, bytes, ki_tcp_put_hello(bytes, &h));
    } else if (f->type == FRAME_WANT && ki_tcp_get_want(f, &w) == 0 &&
               w.count == f->count) {
        same(f, bytes, ki_tcp_put_want(bytes, ki_tcp_get32(f), &w));
    } else if (f->type == FRAME_WANTED) {
        same(f, bytes, ki_tcp_put_number32(bytes, FRAME_WANTED, ki_tcp_get32(f)));
    } else if (f->type == FRAME_CREDIT) {
        same(f, bytes, ki_tcp_put_credit(bytes, ki_tcp_get64(f)));
    }
}

/* Every item of a batch that was taken lies inside it. */
static void walk(const frame *f) {
    const uint8_t *at = f->body + BATCH_LOST, *end = f->body + f->length;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        batch_item item;
        at += ki_tcp_item(at, &item);
        CHECK(at <= end && item.bytes + item.length == at);
        sum += item.bytes[item.length - 1];
    }
    CHECK(at == end && sum <= f->count * 255u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    hello ours = { .version = LINK_VERSION, .role = ROLE_HUB, .window = FRAME_MAX };
    ours.id[0] = 1;
    peer p;
    ki_peer_init(&p, false, &ours, NULL);
    frame f;
    for (size_t at = 0; ki_tcp_frame(data + at, size - at, &f) == 0;) {
        peer_news news;
        written_as_read(&f);
        if (ki_peer_take(&p, &f, &news) < 0) {
            CHECK(p.state == PEER_GONE);
            break;
        }
        if (news == NEWS_OPEN) {
            (void) ki_peer_tell(&p);
        } else if (news == NEWS_BATCH) {
            walk(&f);
            if (ki_peer_consumed(&p, f.length - BATCH_LOST)) {
                (void) ki_peer_grant(&p);
            }
        } else if (news == NEWS_CREDIT) {
            ki_peer_sent(&p, (uint32_t) (ki_peer_credit(&p) / 2));
        }
        (void) ki_peer_beat(&p);
        ki_peer_check(&p);
        if (p.state == PEER_GONE) {
            break;
        }
        at += FRAME_HEADER + f.length;
    }
    return 0;
}
