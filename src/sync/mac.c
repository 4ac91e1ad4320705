/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/mac.h"

#include "base/check.h"
#include "base/wire.h"
#include "sync/frame.h"

#include <sodium.h>

_Static_assert(crypto_shorthash_KEYBYTES == 16, "SipHash-2-4");
_Static_assert(crypto_shorthash_BYTES == 8, "SipHash-2-4");

void ki_salt_of(uint64_t nonce, ki_salt *ret) {
    static const char name[] = "kith-sync-salt-1";
    uint8_t in[sizeof name - 1 + 8], out[64];
    memcpy(in, name, sizeof name - 1);
    wire_put64(in + sizeof name - 1, nonce);
    (void) crypto_generichash(out, sizeof out, in, sizeof in, NULL, 0);
    memcpy(ret->sum_key, out, 32);
    memcpy(ret->tag_key, out + 32, 16);
    memcpy(ret->check_key, out + 48, 16);
}

void ki_salted_root(const ki_salt *salt, const ki_sum *sum, uint8_t ret[ROOT_SIZE]) {
    uint8_t in[8 + 8 * SUM_WORDS];
    wire_put64(in, sum->count);
    for (int i = 0; i < SUM_WORDS; i++) wire_put64(in + 8 + 8 * i, sum->word[i]);
    (void) crypto_generichash(
        ret, ROOT_SIZE, in, sizeof in, salt->sum_key, sizeof salt->sum_key);
}

uint64_t ki_salted_print(const ki_salt *salt, const ki_sum *sum) {
    uint8_t root[ROOT_SIZE];
    ki_salted_root(salt, sum, root);
    return wire_get64(root);
}

uint64_t ki_salted_tag(const ki_salt *salt, const ki_item *item) {
    uint8_t in[16], out[8];
    wire_put64(in, item->id[0]);
    wire_put64(in + 8, item->id[1]);
    (void) crypto_shorthash(out, in, sizeof in, salt->tag_key);
    return wire_get64(out);
}

uint32_t ki_salted_check(const ki_salt *salt, uint64_t tag) {
    uint8_t in[8], out[8];
    wire_put64(in, tag);
    (void) crypto_shorthash(out, in, sizeof in, salt->check_key);
    return wire_get32(out);
}

uint64_t ki_nonce(const uint8_t secret[32], uint64_t counter) {
    uint8_t in[8], out[16];
    wire_put64(in, counter);
    (void) crypto_generichash(out, sizeof out, in, sizeof in, secret, 32);
    return wire_get64(out) | 1; /* never 0 */
}

void ki_ephemeral(const uint8_t secret[32], uint8_t ret_public[32]) {
    (void) crypto_scalarmult_base(ret_public, secret);
}

bool ki_shared(const uint8_t secret[32], const uint8_t own_public[32],
    const uint8_t other_public[32], uint8_t ret[32]) {
    uint8_t in[96];
    if (crypto_scalarmult(in, secret, other_public) != 0) {
        return false;
    }
    bool first = memcmp(own_public, other_public, 32) < 0;
    memcpy(in + 32, first ? own_public : other_public, 32);
    memcpy(in + 64, first ? other_public : own_public, 32);
    (void) crypto_generichash(ret, 32, in, sizeof in, NULL, 0);
    sodium_memzero(in, sizeof in);
    return true;
}

void ki_frame_mac(
    const uint8_t key[32], const uint8_t *frame, size_t length, uint8_t ret[MAC_SIZE]) {
    static const uint8_t none[MAC_SIZE];
    crypto_generichash_state h;
    CHECK(length >= FRAME_HEAD);
    (void) crypto_generichash_init(&h, key, 32, MAC_SIZE);
    (void) crypto_generichash_update(&h, frame, FRAME_MAC_AT);
    (void) crypto_generichash_update(&h, none, MAC_SIZE);
    (void) crypto_generichash_update(&h, frame + FRAME_HEAD, length - FRAME_HEAD);
    (void) crypto_generichash_final(&h, ret, MAC_SIZE);
}

bool ki_mac_same(const uint8_t a[MAC_SIZE], const uint8_t b[MAC_SIZE]) {
    return sodium_memcmp(a, b, MAC_SIZE) == 0;
}
