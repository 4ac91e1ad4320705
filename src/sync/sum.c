/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/set.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/wire.h"

int ki_bound_order(ki_bound a, ki_bound b) {
    if (a.expiry != b.expiry) {
        return a.expiry < b.expiry ? -1 : 1;
    }
    return a.id == b.id ? 0 : a.id < b.id ? -1 : 1;
}

int ki_item_order(const ki_item *a, const ki_item *b) {
    int r = ki_bound_order(
        (ki_bound){ a->expiry, a->id[0] }, (ki_bound){ b->expiry, b->id[0] });
    return r != 0 || a->id[1] == b->id[1] ? r : a->id[1] < b->id[1] ? -1 : 1;
}

bool ki_bound_between(const ki_item *a, const ki_item *b, ki_bound *ret) {
    CHECK(ki_item_order(a, b) < 0);
    uint64_t differs = a->expiry ^ b->expiry;
    ki_bound place = { b->expiry, 0 };
    if (differs == 0) {
        differs = a->id[0] ^ b->id[0];
        if (differs == 0) {
            return false;
        }
        place.id = b->id[0];
    }
    /* Whole bytes up to the first that differs stay, zeros follow. */
    int keep = __builtin_clzll(differs) / 8 + 1;
    uint64_t mask = keep == 8 ? UINT64_MAX : ~(UINT64_MAX >> 8 * keep);
    if (a->expiry == b->expiry) {
        place.id &= mask;
    } else {
        place.expiry &= mask;
    }
    *ret = place;
    return true;
}

void ki_sum_add(ki_sum *sum, const ki_sum *other) {
    sum->count += other->count;
    for (int i = 0; i < SUM_WORDS; i++) sum->word[i] += other->word[i];
}

void ki_sum_take(ki_sum *sum, const ki_sum *other) {
    sum->count -= other->count;
    for (int i = 0; i < SUM_WORDS; i++) sum->word[i] -= other->word[i];
}

void ki_sum_of(const ki_item *item, ki_sum *ret) {
    uint8_t in[17], out[64];
    wire_put64(in, item->id[0]);
    wire_put64(in + 8, item->id[1]);
    ret->count = 1;
    for (int i = 0; i < SUM_WORDS / 8; i++) {
        in[16] = (uint8_t) i;
        ki_blake2b(in, sizeof in, out, sizeof out);
        for (int k = 0; k < 8; k++) ret->word[8 * i + k] = wire_get64(out + 8 * k);
    }
}
