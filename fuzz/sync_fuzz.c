/* SPDX-License-Identifier: Apache-2.0 */
/* Any frames at any time, with a good MAC or a bad one, at a node that has
 * packets and an exchange under way: check() inside the machine is the judge. What
 * is read as pieces must be written again as the same pieces. */
#include "sync/world.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void reads_as_written(const uint8_t *bytes, size_t length) {
    ki_reader r, back;
    ki_head head;
    ki_writer w;
    ki_piece piece, again;
    if (ki_frame_open(&r, bytes, length, &head) < 0 ||
        (head.type != FRAME_ASK && head.type != FRAME_TELL) || !ki_frame_sound(&r)) {
        return;
    }
    ki_frame_begin(&w, &head);
    while (ki_frame_next(&r, &piece) == 0) {
        ki_writer one;
        ki_frame_begin(&one, &head);
        if (!ki_frame_put(&one, &piece)) continue; /* its bounds leant on another's */
        CHECK(ki_frame_open(&back, one.bytes, one.length, &head) == 0);
        CHECK(ki_frame_next(&back, &again) == 0);
        CHECK(memcmp(&piece, &again, sizeof piece) == 0);
    }
}

/* Two nodes that have met, with a hundred packets each, half of them common. */
static void meet(world *w) {
    w_begin(w, 1, 2);
    for (uint32_t i = 0; i < 150; i++) {
        uint32_t p = w_packet_new(w, 100 + i % 3, i % W_NAMES,
            W_START - 60000000 - i * 7919, W_START + 3600000000, i);
        if (i < 100) w_keep(w, 0, p, false, true);
        if (i >= 50) w_keep(w, 1, p, false, true);
    }
    for (int i = 0; i < 4; i++) w_step(w, w->now_ns + SECOND_NS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static world w;
    meet(&w);
    w_node *n = w.nodes[0];
    ki_peer *p = ki_peer_find(&n->sync, w.nodes[1]->sync.me);
    while (size > 3) {
        uint8_t frame[FRAME_MAX];
        size_t length = data[0] + (data[1] & 1u) * 256u;
        uint8_t how = data[1] >> 1;
        w.now_ns += (uint64_t) data[2] * 5000000u;
        data += 3;
        size -= 3;
        length = length > size ? size : length;
        memcpy(frame, data, length);
        data += length;
        size -= length;
        reads_as_written(frame, length);
        if ((how & 1) != 0 && length >= FRAME_HEAD && p != NULL) { /* as the peer would */
            memcpy(frame, "KS\1", 3);
            wire_put64(frame + 4, n->sync.me);
            wire_put64(frame + 12, p->id);
            wire_put32(frame + 28, p->scope.hash);
            if (n->sync.exchanges[0] != NULL) {
                wire_put64(frame + 20, n->sync.exchanges[0]->nonce);
            }
            ki_frame_mac(p->mac_key, frame, length, frame + FRAME_MAC_AT);
        }
        (void) !ki_sync_take(&n->sync, frame, length, w_time(&w, n));
        w_speak(&w, 0);
    }
    w_end(&w);
    return 0;
}
