/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/dir/seen.h - the set of files that were looked at: 16-byte keys in an
 * open table that doubles up to a named maximum. One thread owns it.
 */
#ifndef CARRIER_DIR_SEEN_H
#define CARRIER_DIR_SEEN_H

#include <kith/error.h>

typedef struct seen_key {
    uint64_t high, low; /* never both zero */
} seen_key;

typedef struct seen {
    seen_key *keys;
    size_t size, count, max; /* size: places, a power of two; max: keys */
    seen_key sum; /* of the keys: two sets with one sum and one count are the same */
} seen;

KITH_MUST_USE int ki_seen_init(seen *s, size_t max);
void ki_seen_fini(seen *s);
void ki_seen_clear(seen *s);
bool ki_seen_has(const seen *s, seen_key key);
/* 0: added; KITH_EMPTY: it was there; E_SPACE: max is reached; E_MEMORY. */
KITH_MUST_USE int ki_seen_add(seen *s, seen_key key);

#endif
