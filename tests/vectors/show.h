/* SPDX-License-Identifier: Apache-2.0 */
/* vectors/show.h - packets as JSON, with the names of kith_packet.py. */
#ifndef VECTORS_SHOW_H
#define VECTORS_SHOW_H

#include <kith/packet.h>

/* Valid until the fourth call from now; at most KITH_PACKET_MAX + 8 bytes. */
const char *show_hex(const void *bytes, size_t size);

/* {"hex":...,"refused":...} or {"hex":...,"fields":...}, with `verify` also
 * whether the signature is good, the id and the key-id. */
void show_packet(const uint8_t *bytes, size_t length, bool verify);

#endif
