/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/mem/ring.h - items from any number of posters to one reader.
 *
 *   slot 0 ... slot n-1     turn of a slot: 2 * lap      free for that lap
 *   ^ head     ^ tail                       2 * lap + 1  holds an item
 *
 * A poster claims tail, writes, then turns the slot; the reader turns it back.
 * Neither waits. A full ring refuses the newest and counts it. The reader's
 * eventfd is written only when it has gone to sleep: once for each sleep.
 */
#ifndef CARRIER_MEM_RING_H
#define CARRIER_MEM_RING_H

#include <kith/carrier.h>

#include <stdalign.h>
#include <stdatomic.h>

typedef struct ring ring;

/* As many slots as go into `bytes`, a power of two, at least 4. E_MEMORY,
 * E_SYSTEM when there is no descriptor left. */
KITH_MUST_USE int ki_ring_new(ring **ret, size_t bytes);
void ki_ring_ref(ring *r);
void ki_ring_unref(ring **r);

/* Any thread. */
void ki_ring_put(ring *r, const kith_posting *what);

/* The reader alone. 0, KITH_EMPTY, or KITH_GAP when *told lags behind what was
 * lost before this place. */
int ki_ring_get(ring *r, kith_item *ret_item, uint64_t *told);
int ki_ring_wake_fd(ring *r);
uint64_t ki_ring_lost(ring *r);

#endif
