/* SPDX-License-Identifier: Apache-2.0 */
/* store/facts.h - what a store must know of a packet, read from its fixed places.
 *
 * The caller has decoded the packet before it came here; so nothing is checked
 * twice but what would make us read beyond the end. The pointers point into the
 * packet. */
#ifndef STORE_FACTS_H
#define STORE_FACTS_H

#include <kith/store.h>

/* A tombstone outlives its target by a day: clocks differ. */
#define GONE_GRACE_US INT64_C(86400000000)

typedef struct ki_facts {
    uint8_t type;
    bool evidence; /* a LEAF or EVAL that can be pooled */
    bool retracts; /* and then target_* say what */
    const uint8_t *template_id, *source;
    uint64_t epoch, seq, target_epoch, target_seq;
    int64_t expires_us;
    const char *subject; /* not ended by NUL */
    size_t subject_length;
    uint8_t id[KITH_ID_SIZE];
} ki_facts;

/* id: known already, or NULL. KITH_E_FORMAT: not a packet. */
int ki_facts_of(const kith_packet *packet, const uint8_t *id, ki_facts *ret);

#endif
