/* SPDX-License-Identifier: Apache-2.0 */
/* The key itself: locked memory, signing, and its one line of text. */
#include "security/key.h"

#include "base/check.h"
#include "base/dice.h"
#include "base/fail.h"
#include "base/hash.h"

#include <sodium.h>
#include <string.h>

#define KIND "kith-node-key 1 "

enum {
    SEED_SIZE = crypto_sign_SEEDBYTES,
    MARK = sizeof KITH_PACKET_SIGNED - 1,
    BASE64_AT = sizeof KIND - 1,
    BASE64_SIZE = 44,
    CHECK_AT = BASE64_AT + BASE64_SIZE + 1,
    CHECK_SIZE = 2 * KITH_KEYID_SIZE,
};
_Static_assert(CHECK_AT + CHECK_SIZE + 1 == KEY_FILE_SIZE, "one line");

struct kith_key {
    uint8_t secret[crypto_sign_SECRETKEYBYTES]; /* seed, then public key */
};

/* Guard pages around it, locked if the limits allow, erased when freed. */
static kith_key *key_alloc(void) {
    return sodium_init() < 0 ? NULL : sodium_malloc(sizeof(kith_key));
}

int kith_key_from_seed(kith_key **ret, const uint8_t seed[32], kith_error *err) {
    uint8_t public[KITH_KEY_SIZE];
    CHECK(ret != NULL);
    CHECK(seed != NULL);
    kith_key *key = key_alloc();
    if (key == NULL) {
        return ki_fail(err, KITH_E_MEMORY, "no memory for a key");
    }
    (void) crypto_sign_seed_keypair(public, key->secret, seed);
    (void) sodium_mprotect_readonly(key);
    *ret = key;
    return 0;
}

int kith_key_generate(kith_key **ret, kith_error *err) {
    uint8_t seed[SEED_SIZE];
    ki_dice_system(seed, sizeof seed);
    int r = kith_key_from_seed(ret, seed, err);
    sodium_memzero(seed, sizeof seed);
    return r;
}

void kith_key_free(kith_key **key) {
    if (key != NULL) {
        sodium_free(*key);
        *key = NULL;
    }
}

void kith_key_public(const kith_key *key, uint8_t ret_public[KITH_KEY_SIZE]) {
    CHECK(key != NULL);
    CHECK(ret_public != NULL);
    memcpy(ret_public, key->secret + SEED_SIZE, KITH_KEY_SIZE);
}

/* Signs what was encoded; the source is part of it. */
static void sign(const kith_key *key, kith_packet *packet) {
    uint8_t message[MARK + KITH_PACKET_MAX];
    CHECK(packet->length > KITH_SIGNATURE_SIZE);
    CHECK(packet->length <= KITH_PACKET_MAX);
    size_t length = packet->length - (size_t) KITH_SIGNATURE_SIZE;
    memcpy(message, KITH_PACKET_SIGNED, MARK);
    memcpy(message + MARK, packet->bytes, length);
    (void) crypto_sign_detached(
        packet->bytes + length, NULL, message, MARK + length, key->secret);
}

int kith_packet_seal(kith_content *content, const kith_key *key, kith_packet *ret_packet) {
    uint8_t before[KITH_KEY_SIZE];
    kith_packet packet;
    CHECK(content != NULL);
    CHECK(ret_packet != NULL);
    memcpy(before, content->source, sizeof before);
    kith_key_public(key, content->source);
    int r = kith_packet_encode(content, &packet);
    if (r < 0) {
        memcpy(content->source, before, sizeof before);
        return r;
    }
    sign(key, &packet);
    memcpy(content->signature, packet.bytes + packet.length - KITH_SIGNATURE_SIZE,
        KITH_SIGNATURE_SIZE);
    *ret_packet = packet;
    return 0;
}

enum {
    MARK_MAX = 32,
};

static size_t marked(uint8_t message[MARK_MAX + KEY_SIGNED_MAX], const char *mark,
    const uint8_t *bytes, size_t length) {
    size_t n = strlen(mark);
    CHECK(n <= MARK_MAX);
    CHECK(length <= KEY_SIGNED_MAX);
    memcpy(message, mark, n);
    memcpy(message + n, bytes, length);
    return n + length;
}

void ki_key_sign(const kith_key *key, const char *mark, const uint8_t *bytes, size_t length,
    uint8_t ret[KITH_SIGNATURE_SIZE]) {
    uint8_t message[MARK_MAX + KEY_SIGNED_MAX];
    size_t n = marked(message, mark, bytes, length);
    (void) crypto_sign_detached(ret, NULL, message, n, key->secret);
}

bool ki_key_verify(const uint8_t key[KITH_KEY_SIZE], const char *mark, const uint8_t *bytes,
    size_t length, const uint8_t signature[KITH_SIGNATURE_SIZE]) {
    uint8_t message[MARK_MAX + KEY_SIGNED_MAX];
    size_t n = marked(message, mark, bytes, length);
    return crypto_sign_verify_detached(signature, message, n, key) == 0;
}

void ki_key_format(const kith_key *key, char *ret_text) {
    char base64[BASE64_SIZE + 1], check[CHECK_SIZE + 1];
    uint8_t keyid[KITH_KEYID_SIZE];
    (void) sodium_bin2base64(
        base64, sizeof base64, key->secret, SEED_SIZE, sodium_base64_VARIANT_ORIGINAL);
    kith_keyid(key->secret + SEED_SIZE, keyid);
    ki_hex(keyid, sizeof keyid, check);
    CHECK(key != NULL);
    CHECK(ret_text != NULL);
    memcpy(ret_text, KIND, BASE64_AT);
    memcpy(ret_text + BASE64_AT, base64, BASE64_SIZE);
    ret_text[CHECK_AT - 1] = ' ';
    memcpy(ret_text + CHECK_AT, check, CHECK_SIZE);
    ret_text[KEY_FILE_SIZE - 1] = '\n';
    sodium_memzero(base64, sizeof base64);
}

/* The seed is read, and then the whole line is made again from it and compared:
 * no byte of the file can be different and go unnoticed. */
kith_key *ki_key_parse(const char *text, size_t length, kith_error *err) {
    uint8_t seed[SEED_SIZE];
    size_t size = 0;
    char again[KEY_FILE_SIZE];
    kith_key *key = NULL;
    bool fits = length == KEY_FILE_SIZE &&
                sodium_base642bin(seed, sizeof seed, text + BASE64_AT, BASE64_SIZE, NULL,
                    &size, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
                size == SEED_SIZE;
    if (fits && kith_key_from_seed(&key, seed, err) < 0) {
        sodium_memzero(seed, sizeof seed);
        return NULL;
    }
    if (fits) {
        ki_key_format(key, again);
        fits = sodium_memcmp(again, text, KEY_FILE_SIZE) == 0;
        sodium_memzero(again, sizeof again);
        sodium_memzero(seed, sizeof seed);
    }
    CHECK(!fits || key != NULL);
    if (!fits) {
        kith_key_free(&key);
        (void) ki_fail(err, KITH_E_CORRUPT, "not a whole key file");
    }
    return key;
}
