/* SPDX-License-Identifier: Apache-2.0 */
/* bench/protobuf_peer.h - protobuf C++ as its manual says for speed: one message that
 * is used again and again, bytes assigned into the strings it already has. */
#ifndef BENCH_PROTOBUF_PEER_H
#define BENCH_PROTOBUF_PEER_H

#include <kith/packet.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "protobuf C++ 3.21.12, ..." */
const char *protobuf_peer_name(void);

/* Struct to bytes; the length, 0 when it does not fit. */
size_t protobuf_peer_encode(const kith_content *content, uint8_t *ret_bytes, size_t size);

/* Bytes to struct; false: not a message. Parts the message lacks are not cleared. */
bool protobuf_peer_decode(const uint8_t *bytes, size_t length, kith_content *ret_content);

#ifdef __cplusplus
}
#endif
#endif
