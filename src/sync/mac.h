/* SPDX-License-Identifier: Apache-2.0 */
/* sync/mac.h - keyed hashes of an exchange. The asker draws a nonce for every
 * pass; fingerprints, tags and checks are salted with it, so that nobody can
 * prepare packets that collide. Frames between two nodes carry a MAC under the
 * secret of their two ephemeral keys. */
#ifndef SYNC_MAC_H
#define SYNC_MAC_H

#include "sync/set.h"

#define MAC_SIZE  16
#define ROOT_SIZE 16

typedef struct ki_salt {
    uint8_t sum_key[32], tag_key[16], check_key[16];
} ki_salt;

void ki_salt_of(uint64_t nonce, ki_salt *ret);
/* The fingerprint of a sum as it goes over the wire; ranges send its first half. */
void ki_salted_root(const ki_salt *salt, const ki_sum *sum, uint8_t ret[ROOT_SIZE]);
uint64_t ki_salted_print(const ki_salt *salt, const ki_sum *sum);
uint64_t ki_salted_tag(const ki_salt *salt, const ki_item *item);
uint32_t ki_salted_check(const ki_salt *salt, uint64_t tag);

/* A number that nobody can guess. */
uint64_t ki_nonce(const uint8_t secret[32], uint64_t counter);

/* An ephemeral X25519 key of 32 random bytes. */
void ki_ephemeral(const uint8_t secret[32], uint8_t ret_public[32]);
/* The MAC key that two nodes share; false: the other's key is of small order. */
KITH_MUST_USE bool ki_shared(const uint8_t secret[32], const uint8_t own_public[32],
    const uint8_t other_public[32], uint8_t ret[32]);
/* Over the whole frame, as if its MAC were zero. */
void ki_frame_mac(
    const uint8_t key[32], const uint8_t *frame, size_t length, uint8_t ret[MAC_SIZE]);
bool ki_mac_same(const uint8_t a[MAC_SIZE], const uint8_t b[MAC_SIZE]);

#endif
