/* SPDX-License-Identifier: Apache-2.0 */
/* base/limits.h - every number of the protocol, with its reason. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* A sender's clock may be this far ahead of ours; more and its packets would
 * outlive their data. Receivers refuse, nothing is folded into any clock. */
#define LIMIT_FUTURE_US INT64_C(60000000)

/* 9999-12-31T23:59:59.999999Z: the last instant RFC 3339 can write. */
#define LIMIT_T_END_US INT64_C(253402300799999999)

/* Ten years of 365.25 days. */
#define LIMIT_TTL_S 315576000u

/* Seven days: built-in templates, and what a person gets who says nothing. */
#define LIMIT_TTL_PRESET_S 604800u

/* |effect| in units of the template, and its variance: what the 128-bit sums of
 * 2^22 leaves can hold exactly. */
#define LIMIT_EFFECT        1024.0
#define LIMIT_V_LOW         0x1p-20
#define LIMIT_V_HIGH        0x1p20
#define LIMIT_PIVOT         0x1p-20
#define LIMIT_DIGEST_LEAVES (1u << 22)

/* The write-ahead log of a store beyond which posts are refused: a foreign
 * reader that hangs would let it grow for ever. */
#define LIMIT_WAL_BYTES (64u << 20)

/* Sequences a running node reserves at once (DESIGN section 4). */
#define LIMIT_SEQ_BLOCK 1024u

#endif
