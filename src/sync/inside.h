/* SPDX-License-Identifier: Apache-2.0 */
/* sync/inside.h - what the parts of the machine ask of each other. sync.c takes
 * and gives, hello.c knows the peers, answer.c answers; course.c begins and
 * ends exchanges, ask.c asks, pass.c reads the answers; gaps.c repeats what was lost
 * a moment ago. */
#ifndef SYNC_INSIDE_H
#define SYNC_INSIDE_H

#include "base/wire.h"
#include "sync/sync.h"

/* Time for an answer before the first was measured; and what is measured is never
 * taken for less than 2 ms. */
#define RTT_FIRST_NS UINT64_C(100000000)
#define RTT_LEAST_NS UINT64_C(2000000)

#define SECOND_NS UINT64_C(1000000000)

/* How frames name a node: the first 8 bytes of its key. */
static inline uint64_t ki_key_start(const uint8_t key[KITH_KEY_SIZE]) {
    return wire_get64(key);
}

/* hello.c */
ki_peer *ki_peer_find(ki_sync *s, uint64_t id);
int ki_hello_take(ki_sync *s, ki_reader *r, const ki_head *head);
/* Says HELLO soon, for somebody does not know us. to: and is asked for its own. */
void ki_hello_soon(ki_sync *s, uint64_t to);
bool ki_hello_give(ki_sync *s, ki_frame *ret);
uint64_t ki_hello_due(const ki_sync *s);
ki_view *ki_own_view(ki_sync *s);
/* Is the root that a peer said equal to ours at that boundary, by what we know now? */
bool ki_peer_equal(ki_sync *s, const ki_peer *p, bool *ret_known);
/* It was shown to have all of its scope that came to us up to this arrival. */
void ki_peer_agreed(ki_sync *s, ki_peer *p, uint64_t through);
void ki_frame_done(ki_sync *s, ki_writer *w, const ki_peer *p, ki_frame *ret);

/* answer.c */
void ki_answer(ki_sync *s, ki_peer *p, ki_reader *r, const ki_head *head);
bool ki_answer_frame(ki_sync *s, ki_frame *ret);
bool ki_answer_packet(ki_sync *s, ki_item *ret);
bool ki_answer_waiting(const ki_sync *s);

/* course.c */
void ki_ask_consider(ki_sync *s);
void ki_ask_end(ki_sync *s, ki_exchange *x, bool agreed, uint64_t wait_ns);
void ki_ask_step(ki_sync *s, ki_exchange *x);
uint64_t ki_ask_due(const ki_sync *s);
void ki_exchange_check(const ki_exchange *x);

/* ask.c */
/* The patience with a request: two round trips, more with each try. */
uint64_t ki_patience(const ki_sync *s, const ki_exchange *x, uint32_t tries);
/* What is asked and answered from now on bears a new nonce: ROOT alone. */
void ki_ask_root(ki_sync *s, ki_exchange *x);
void ki_pass_begin(ki_sync *s, ki_exchange *x);
void ki_range_open(ki_sync *s, ki_exchange *x, const ki_range *range);
void ki_push_item(ki_sync *s, ki_exchange *x, const ki_item *item);
void ki_push_range(ki_sync *s, ki_exchange *x, const ki_range *range);
void ki_slot_free(ki_exchange *x, ki_slot *slot);
bool ki_ask_frame(ki_sync *s, ki_exchange *x, ki_frame *ret);
bool ki_ask_push(ki_sync *s, ki_exchange *x, ki_item *ret);

/* pass.c */
void ki_pass_take(ki_sync *s, ki_peer *p, ki_reader *r, const ki_head *head);
uint32_t ki_cells_first(const ki_exchange *x, uint64_t ours, uint64_t theirs);

#endif
