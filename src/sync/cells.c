/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/cells.h"

#include "base/check.h"

#include <math.h>

/* The walk of one tag over the cells: the gap behind cell i is drawn so that
 * cell k is met with probability 1 / (1 + k / 2). IEEE square root and division
 * are exact to the last bit, so every machine walks the same way. */
typedef struct trail {
    uint64_t state, at;
} trail;

static void step(trail *t) {
    t->state *= UINT64_C(0xda942042e4dd58b5);
    double chance = (double) ((t->state >> 32) + 1); /* 1 to 2^32 */
    double gap = ((double) t->at + 1.5) * (65536.0 / sqrt(chance) - 1.0);
    t->at += gap < 1.0 ? 1 : (uint64_t) ceil(gap);
}

void ki_cells_put(ki_cell *cells, uint32_t start, uint32_t count, uint64_t tag,
    uint32_t check, int32_t by) {
    CHECK_HOT(by == 1 || by == -1);
    uint64_t end = (uint64_t) start + count;
    for (trail t = { tag | 1, 0 }; t.at < end; step(&t)) {
        if (t.at >= start) {
            ki_cell *c = &cells[t.at - start];
            c->sum ^= tag;
            c->check ^= check;
            c->count = (int32_t) ((uint32_t) c->count + (uint32_t) by);
        }
    }
}

static bool is_zero(const ki_cell *c) {
    return c->sum == 0 && c->check == 0 && c->count == 0;
}

int ki_cells_peel(ki_cell *cells, uint32_t count,
    uint32_t (*check_of)(const void *ctx, uint64_t tag), const void *ctx, ki_diff *ret) {
    uint32_t found = 0, zero = 0;
    /* Round and round until a round frees nothing; invented cells end it too, for
     * no more than `count` tags are taken out. */
    for (bool again = true; again && zero < count;) {
        again = false;
        zero = 0;
        for (uint32_t i = 0; i < count; i++) {
            const ki_cell c = cells[i];
            zero += is_zero(&c);
            if ((c.count != 1 && c.count != -1) || c.check != check_of(ctx, c.sum)) {
                continue;
            }
            if (found == count) {
                return -1;
            }
            ret[found++] = (ki_diff){ c.sum, c.count == 1 };
            ki_cells_put(cells, 0, count, c.sum, c.check, -c.count);
            zero += is_zero(&cells[i]);
            again = true;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!is_zero(&cells[i])) {
            return -1;
        }
    }
    return (int) found;
}
