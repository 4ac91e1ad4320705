/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of a whole packet: whose it is, which, and when. */
#include <kith/packet.h>

#include "packet/part.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"

#include <sodium.h>
#include <string.h>

_Static_assert(KITH_SIGNATURE_SIZE == crypto_sign_BYTES, "Ed25519");
_Static_assert(KITH_KEY_SIZE == crypto_sign_PUBLICKEYBYTES, "Ed25519");

int kith_packet_verify(const kith_packet *packet) {
    enum {
        MARK = sizeof KITH_PACKET_SIGNED - 1
    };
    CHECK(packet != NULL);
    if (packet->length < PART_LENGTH_MIN || packet->length > KITH_PACKET_MAX) {
        return KITH_R_SIGNATURE;
    }
    uint8_t message[MARK + KITH_PACKET_MAX];
    size_t signed_length = packet->length - (size_t) KITH_SIGNATURE_SIZE;
    CHECK(MARK + signed_length <= sizeof message);
    memcpy(message, KITH_PACKET_SIGNED, MARK);
    memcpy(message + MARK, packet->bytes, signed_length);
    int r = crypto_sign_verify_detached(packet->bytes + signed_length, message,
        MARK + signed_length, packet->bytes + AT_SOURCE);
    return r == 0 ? 0 : KITH_R_SIGNATURE;
}

void kith_packet_id(const kith_packet *packet, uint8_t ret_id[KITH_ID_SIZE]) {
    CHECK(packet->length <= KITH_PACKET_MAX);
    ki_sha256_of(packet->bytes, packet->length, ret_id);
}

int64_t kith_packet_expires_us(const kith_content *content) {
    int64_t ttl_us = (int64_t) content->ttl_s * 1000000;
    if (content->t_end_us > INT64_MAX - ttl_us) {
        return INT64_MAX;
    }
    return content->t_end_us + ttl_us;
}

int kith_packet_timely(const kith_content *content, int64_t now_us) {
    bool early = now_us <= INT64_MAX - LIMIT_FUTURE_US &&
                 content->t_end_us > now_us + LIMIT_FUTURE_US;
    if (early) return KITH_R_FUTURE;
    return kith_packet_expires_us(content) > now_us ? 0 : KITH_R_EXPIRED;
}

void kith_keyid(const uint8_t key[KITH_KEY_SIZE], uint8_t ret_keyid[KITH_KEYID_SIZE]) {
    uint8_t whole[32];
    CHECK(key != NULL);
    CHECK(ret_keyid != NULL);
    ki_blake2b(key, KITH_KEY_SIZE, whole, sizeof whole);
    memcpy(ret_keyid, whole, KITH_KEYID_SIZE);
}
