/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as leaves: an answer is finite or insufficient, nothing is written on
 * refusal, and the order of the leaves changes no byte of the answer.
 *
 *   1 byte    how: bit 0 raw doubles, 1 plain, 2 unequal relevances, 3 an own leaf,
 *             4-5 method, 6-7 interval
 *   then leaves, 4 bytes each: effect i16, variance i8, relevance u8;
 *   raw: 16 bytes each, effect and variance as they stand */
#include <kith/synthesis.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/wire.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define LEAVES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static kith_leaf leaves[LEAVES], mirror[LEAVES], own;
static kith_vote votes[LEAVES];

static double raw(const uint8_t *p) {
    uint64_t bits = wire_get64(p);
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void read_leaf(const uint8_t *p, uint8_t how, kith_leaf *ret) {
    if (how & 1) {
        ret->y = raw(p);
        ret->v = raw(p + 8);
        ret->relevance = 1;
        return;
    }
    ret->y = (int16_t) (p[0] << 8 | p[1]) / 32.0;
    ret->v = exp2((int8_t) p[2] / 6.4);
    ret->relevance = how & 4 ? (p[3] + 1) / 256.0 : 1;
}

static size_t read_leaves(const uint8_t *data, size_t size, uint8_t how) {
    size_t each = how & 1 ? 16 : 4, k = size / each;
    k = k < LEAVES ? k : LEAVES;
    for (size_t i = 0; i < k; i++) {
        leaves[i] = (kith_leaf){ .t_end_us = (int64_t) i, .tag = i };
        leaves[i].source[0] = (uint8_t) (i * 37);
        read_leaf(data + i * each, how, &leaves[i]);
    }
    return k;
}

static void check_fit(const kith_fit *f) {
    CHECK(isfinite(f->mu) && isfinite(f->se) && isfinite(f->tau2) && f->tau2 >= 0);
    CHECK(isfinite(f->ci_low) && isfinite(f->ci_high) && f->ci_low <= f->ci_high);
    CHECK(f->i2 >= 0 && f->i2 <= 100 && isfinite(f->h2) && isfinite(f->q));
}

static void check_answer(const kith_answer *a, size_t k) {
    CHECK(a->k == k && a->flagged <= k);
    if (a->insufficient) {
        CHECK(a->missing > 0 && a->missing <= a->quorum && !a->has_shrunk);
        return;
    }
    check_fit(&a->kept);
    check_fit(&a->plain);
    CHECK(isfinite(a->kept.pi_low) && isfinite(a->kept.pi_high) &&
          a->kept.k + a->flagged == k);
    CHECK(isfinite(a->m) && !isnan(a->m_se) && a->agreement >= 0 && a->agreement <= 1);
    double sum = 0;
    for (size_t i = 0; i < k; i++) {
        CHECK(isfinite(votes[i].residual) && votes[i].weight >= 0);
        CHECK(votes[i].fate != KITH_VOTE_FLAGGED || votes[i].weight == 0);
        sum += votes[i].weight;
    }
    CHECK(fabs(sum - 1) < 1e-9);
    if (a->has_shrunk) {
        CHECK(isfinite(a->shrunk) && isfinite(a->shrunk_sd));
        CHECK(isfinite(a->shrunk_low) && a->shrunk_low <= a->shrunk_high);
    }
}

static void check_sums(size_t k) {
    kith_sums there = { 0 }, back = { 0 };
    double mu, q, tau2;
    for (size_t i = 0; i < k; i++) {
        const kith_leaf *a = &leaves[i], *b = &leaves[k - 1 - i];
        int one = kith_sums_add(&there, a->y, a->v), two = kith_sums_add(&back, b->y, b->v);
        CHECK((one == 0 || one == KITH_E_ARG) && (two == 0 || two == KITH_E_ARG));
    }
    CHECK(memcmp(&there, &back, sizeof there) == 0);
    if (there.count > 0) {
        CHECK(kith_sums_derive(&there, &mu, &q, &tau2) == 0);
        /* each w and w y is rounded to 2^-64, so the mean may lie that much outside */
        CHECK(fabs(mu) <= LIMIT_EFFECT * (1 + 0x1p-62 * LIMIT_V_HIGH) && isfinite(q) &&
              q >= 0 && isfinite(tau2) && tau2 >= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t how = size > 0 ? data[0] : 0;
    size_t k = read_leaves(data + (size > 0), size - (size > 0), how);
    kith_pool_options options = { .plain = (how & 2) != 0,
        .method = (kith_pool_method) (how >> 4 & 3),
        .ci = (kith_pool_ci) (how >> 6) };
    own = (kith_leaf){ .y = 0.5, .v = 0.25, .relevance = 1, .source = { 0, 1 } };
    const kith_leaf *mine = how & 8 ? &own : NULL;
    kith_answer first, again;
    memset(&first, 0, sizeof first);
    memset(&again, 0, sizeof again);
    int rc = kith_pool_answer(leaves, k, mine, &options, &first, votes);
    if (rc == 0) {
        check_answer(&first, k);
    }
    for (size_t i = 0; i < k; i++) {
        mirror[i] = leaves[k - 1 - i];
    }
    CHECK(kith_pool_answer(mirror, k, mine, &options, &again, NULL) == rc);
    CHECK(memcmp(&first, &again, sizeof first) == 0);
    check_sums(k);
    return 0;
}
