/* SPDX-License-Identifier: Apache-2.0 */
/* kith/cell.h - from a context to addresses that near contexts share.
 *
 *   context  u16 numbers ──► n shifted grids ──► keys ──► "s3.00120f.1a2"   d <= 9
 *                       └──► hash tables ─────► words ──► "h7-465138ed1f9a6852"
 *
 * Values in, values out; all integers, so that every machine makes the same bytes.
 * Rules and proofs in short: docs/formats/cells.md.
 */
#ifndef KITH_CELL_H
#define KITH_CELL_H

#include <kith/packet.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_GRID_DIMS     9
#define KITH_GRID_BITS     14 /* of a shifted coordinate */
#define KITH_GRID_LEVELS   14 /* 0 is the coarsest */
#define KITH_GRIDS_MAX     11
#define KITH_MORTON_SIZE   16
#define KITH_PUBLISHED_MAX 3 /* levels that have a token of their own */
#define KITH_LSH_DIMS      16
#define KITH_LSH_TABLES    32
#define KITH_LSH_HASHES    16

/* Bit b of dimension i is bit 9b + i of the key, big endian. Coordinates are below
 * 2^14, else E_ARG. */
KITH_API KITH_MUST_USE int kith_morton_encode(
    const uint16_t coords[KITH_GRID_DIMS], uint8_t ret_key[KITH_MORTON_SIZE]);
/* E_ARG: one of the two highest bits is set. */
KITH_API KITH_MUST_USE int kith_morton_decode(
    const uint8_t key[KITH_MORTON_SIZE], uint16_t ret_coords[KITH_GRID_DIMS]);

/* How many shifted grids: the smallest odd number above dims. 0: dims is not 1..9. */
KITH_API unsigned kith_grids(unsigned dims);
/* The key of a context in one of them; below kith_grids(dims), else E_ARG. */
KITH_API KITH_MUST_USE int kith_grid_key(const uint16_t *context, unsigned dims,
    unsigned grid, uint8_t ret_key[KITH_MORTON_SIZE]);
/* Two contexts whose numbers >> 3 are nowhere farther apart than this share a cell of
 * that level in at least one grid: the meeting theorem. 0: nothing is promised. */
KITH_API unsigned kith_grid_reach(unsigned dims, unsigned level);
/* The deepest level at which contexts within `radius` (of 65536) surely meet.
 * E_ARG: not even at level 0. */
KITH_API KITH_MUST_USE int kith_grid_level(
    unsigned dims, uint32_t radius, unsigned *ret_level);
/* "s3.0001a7.00f": a token for each of `count` rising levels. E_ARG; E_SPACE. */
KITH_API KITH_MUST_USE int kith_grid_tokens(const uint8_t key[KITH_MORTON_SIZE],
    unsigned grid, const uint8_t *levels, unsigned count, char *ret, size_t size);

/* Hash tables for more dimensions: which, how many values in each, their width. The
 * weights come from SHA-256 and are made once. */
typedef struct kith_lsh {
    uint8_t dims, tables, hashes;
    uint32_t width;
    int8_t weights[KITH_LSH_TABLES][KITH_LSH_HASHES][KITH_LSH_DIMS];
    uint32_t offsets[KITH_LSH_TABLES][KITH_LSH_HASHES];
} kith_lsh;
/* E_ARG: dims 1..16, tables 1..32, hashes 1..16, width 1..2^31. */
KITH_API KITH_MUST_USE int kith_lsh_init(kith_lsh *ret,
    const uint8_t template_id[KITH_TEMPLATE_SIZE], const uint8_t shape[3], uint32_t width);
KITH_API void kith_lsh_values(const kith_lsh *lsh, unsigned table, const uint16_t *context,
    int32_t ret[KITH_LSH_HASHES]);
#define KITH_LSH_TOKEN_SIZE 21
/* "h7-465138ed1f9a6852" */
KITH_API void kith_lsh_token(const kith_lsh *lsh, unsigned table, const uint16_t *context,
    char ret[KITH_LSH_TOKEN_SIZE]);

/* Does this token look like the first of a cell: s0..s10, h0-.. to h31-..? */
KITH_API bool kith_cell_token(const char *token, size_t length);
/* Where the base of a subject or pattern ends that spells a cell; 0: it spells none. */
KITH_API size_t kith_cell_base(const char *subject);

#ifdef __cplusplus
}
#endif
#endif
