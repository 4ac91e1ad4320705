/* SPDX-License-Identifier: Apache-2.0 */
/* store/leaf.h - packets out of a page that nobody vouches for.
 *
 * Reads SQLite's table leaves without SQLite and believes nothing: what comes out
 * has the form of a row of pkt; whether it is a packet is for its id and its
 * signature to say. */
#ifndef STORE_LEAF_H
#define STORE_LEAF_H

#include <kith/packet.h>

typedef struct ki_leaf_row {
    bool own;
    int64_t at;
    uint8_t id[KITH_ID_SIZE];
    kith_packet packet;
} ki_leaf_row;

/* Calls each for every row of pkt on the page; ends when it says < 0. */
int ki_leaf_rows(const uint8_t *page, size_t size,
    int (*each)(void *ctx, const ki_leaf_row *row), void *ctx);

#endif
