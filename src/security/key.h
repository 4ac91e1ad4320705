/* SPDX-License-Identifier: Apache-2.0 */
/* security/key.h - the text of a key file, apart from the files themselves, so
 * that it can be tried on any bytes. docs/formats/key.md. */
#ifndef SECURITY_KEY_H
#define SECURITY_KEY_H

#include <kith/key.h>

/* "kith-node-key 1 " base64 of the seed, a space, 32 hex digits, a newline. */
#define KEY_FILE_SIZE (16 + 44 + 1 + 32 + 1)

/* Writes exactly KEY_FILE_SIZE bytes. */
void ki_key_format(const kith_key *key, char *ret_text);
/* NULL: not exactly what ki_key_format writes for some key, or no memory, which
 * err tells apart. */
kith_key *ki_key_parse(const char *text, size_t length, kith_error *err);

/* Ed25519 over mark and bytes; length is at most 512. Each use has its own mark, so
 * that nothing signed for one can be shown for another. */
#define KEY_SIGNED_MAX 512
void ki_key_sign(const kith_key *key, const char *mark, const uint8_t *bytes, size_t length,
    uint8_t ret[KITH_SIGNATURE_SIZE]);
bool ki_key_verify(const uint8_t key[KITH_KEY_SIZE], const char *mark, const uint8_t *bytes,
    size_t length, const uint8_t signature[KITH_SIGNATURE_SIZE]);

#endif
