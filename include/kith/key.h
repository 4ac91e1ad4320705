/* SPDX-License-Identifier: Apache-2.0 */
/* kith/key.h - the Ed25519 identity of a node.
 *
 * A key is opaque and lives in locked memory that is erased when it is freed.
 * The file holds one line: type, version, seed, checksum. load refuses a file
 * that others may read, a symlink, a second hard link, a foreign owner, a folder
 * others may write, and damage; it never makes a new key. One thread owns a key,
 * but signing does not change it, so many may sign at once.
 */
#ifndef KITH_KEY_H
#define KITH_KEY_H

#include <kith/packet.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kith_key kith_key;

/* A fresh key, not on disk. */
KITH_API KITH_MUST_USE int kith_key_generate(kith_key **ret, kith_error *err);
/* The key of a given seed, for tests and simulation. */
KITH_API KITH_MUST_USE int kith_key_from_seed(
    kith_key **ret, const uint8_t seed[32], kith_error *err);
/* Writes a fresh key to a file that must not exist: mode 0600 from its first
 * moment, fsynced with its folder. E_DENIED if something is there already. */
KITH_API KITH_MUST_USE int kith_key_create(
    kith_key **ret, const char *path, kith_error *err);
/* E_MISSING: no such file. E_DENIED: mode, owner, link or folder. E_CORRUPT. */
KITH_API KITH_MUST_USE int kith_key_load(kith_key **ret, const char *path, kith_error *err);
KITH_API void kith_key_free(kith_key **key);

KITH_API void kith_key_public(const kith_key *key, uint8_t ret_public[KITH_KEY_SIZE]);

/* Sets source and signature of content, then encodes it. A KITH_R_*, or 0. */
KITH_API KITH_MUST_USE int kith_packet_seal(
    kith_content *content, const kith_key *key, kith_packet *ret_packet);

#ifdef __cplusplus
}
#endif
#endif
