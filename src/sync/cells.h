/* SPDX-License-Identifier: Apache-2.0 */
/* sync/cells.h - coded cells: what two sets do not share, for about 1.4 cells a
 * difference, however large the sets (rateless invertible Bloom lookup tables).
 *
 * Cell i holds, of every tag that maps to it, the XOR of tags, the XOR of their
 * checks and the count. A tag maps to cell 0 always and to cell i with probability
 * 1 / (1 + i / 2). One side's cells taken from the other's hold the differences
 * alone; a cell with one of them names it, and taking that out everywhere frees
 * others. More cells extend the first ones, which stay good. */
#ifndef SYNC_CELLS_H
#define SYNC_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ki_cell {
    uint64_t sum;
    uint32_t check;
    int32_t count;
} ki_cell;

typedef struct ki_diff {
    uint64_t tag;
    bool theirs; /* else ours */
} ki_diff;

/* Counts a tag, by (1, -1), in those of cells start..start+count-1 it maps to. */
void ki_cells_put(ki_cell *cells, uint32_t start, uint32_t count, uint64_t tag,
    uint32_t check, int32_t by);

/* Their cells less ours, used up: how many differences, or -1 when more cells are
 * needed. check_of(ctx, tag) tells a true tag. Room for `count` differences. */
int ki_cells_peel(ki_cell *cells, uint32_t count,
    uint32_t (*check_of)(const void *ctx, uint64_t tag), const void *ctx, ki_diff *ret);

#endif
