/* SPDX-License-Identifier: Apache-2.0 */
/* kith/address.h - subjects, patterns and the fingerprint of a problem.
 *
 * A subject is 1 to 8 tokens of a-z 0-9 _ - joined by dots, at most 128 bytes.
 * A pattern is the same with `*` for one whole token and a last `>` for one or
 * more. Nothing else is a wildcard, on any carrier. All functions are pure.
 */
#ifndef KITH_ADDRESS_H
#define KITH_ADDRESS_H

#include <kith/packet.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_FINGERPRINT_SIZE    32
#define KITH_FINGERPRINT_VERSION 1

KITH_API bool kith_subject_valid(const char *subject);
KITH_API bool kith_pattern_valid(const char *pattern);

/* Why `text` is no subject (or, with wild, no pattern), in words; NULL if it is. */
KITH_API const char *kith_subject_fault(const char *text, bool wild);

/* Tokens are compared whole. A first token that begins with '_' is control
 * traffic: only a pattern that spells it gets it. What is not valid matches
 * nothing. */
KITH_API bool kith_subject_matches(const char *pattern, const char *subject);

/* SHA-256 over "kith-address-1", the template, the version and the tokens, each
 * with its length. E_ARG: not a subject. */
KITH_API KITH_MUST_USE int kith_address_fingerprint(
    const uint8_t template_id[KITH_TEMPLATE_SIZE], const char *subject,
    uint8_t ret_fingerprint[KITH_FINGERPRINT_SIZE]);

#ifdef __cplusplus
}
#endif
#endif
