/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/bare.h - for wires that carry items bare, with no header of ours: what an
 * item is stands in its first bytes. A sync frame begins with "KS", a packet with
 * its version, which is no letter (docs/formats/). Pure. */
#ifndef CARRIER_BARE_H
#define CARRIER_BARE_H

#include <kith/carrier.h>

static inline uint8_t ki_bare_kind(const uint8_t *bytes, size_t length) {
    bool frame = length >= 2 && bytes[0] == 'K' && bytes[1] == 'S';
    return frame ? KITH_ITEM_SYNC : KITH_ITEM_PACKET;
}

#endif
