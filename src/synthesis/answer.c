/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c - the whole way from leaves to what a node may say:
 *
 * sort -> quorum? -> cap -> robust centre -> flag -> fit the kept -> shrink own
 *             |                                |
 *             +--> insufficient <--------------+  too few left
 */
#include <kith/synthesis.h>

#include "base/check.h"
#include "synthesis/fit.h"
#include "synthesis/robust.h"
#include "synthesis/shrink.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define QUORUM   3 /* two sources give a valid interval that is too wide to use */
#define ROBUST_K 5 /* with fewer nobody can be called the liar */
#define ALARM_SE 2.0

/* One block of memory, in three parts. */
typedef struct table {
    ki_row *rows, *kept;
    ki_pair *scratch; /* two a row */
    size_t count, kept_count;
    kith_pool_options options;
} table;

/* On the way in and out of each step. Every source has one place: among the kept,
 * or among the flagged. */
static void check(const table *work) {
    CHECK(work->count <= KITH_LEAVES_MAX);
    CHECK(work->kept_count <= work->count);
    CHECK(work->options.quorum >= 2);
    CHECK((unsigned) work->options.method <= KITH_POOL_REML);
    CHECK((unsigned) work->options.ci <= KITH_CI_WALD);
    CHECK((work->rows != NULL) == (work->count > 0));
}

static int begin(table *work, size_t count, const kith_pool_options *options) {
    *work = (struct table){ .count = count };
    if (options) {
        work->options = *options;
    }
    if (work->options.quorum == 0) {
        work->options.quorum = QUORUM;
    }
    bool known = (unsigned) work->options.method <= KITH_POOL_REML &&
                 (unsigned) work->options.ci <= KITH_CI_WALD;
    if (!known || work->options.quorum < 2 || count > KITH_LEAVES_MAX) {
        return KITH_E_ARG;
    }
    if (count == 0) {
        check(work);
        return 0;
    }
    work->rows = calloc(count, 2 * sizeof *work->rows + 2 * sizeof *work->scratch);
    if (!work->rows) {
        return KITH_E_MEMORY;
    }
    work->kept = work->rows + count;
    work->scratch = (ki_pair *) (void *) (work->kept + count);
    check(work);
    return 0;
}

static bool same_source(const kith_leaf *a, const kith_leaf *b) {
    return memcmp(a->source, b->source, KITH_KEYID_SIZE) == 0;
}

/* One source is one vote, and nobody is a twin of himself. */
static bool independent(const table *work, const kith_leaf *own) {
    for (size_t i = 0; i < work->count; i++) {
        if (i > 0 && same_source(work->rows[i].leaf, work->rows[i - 1].leaf)) {
            return false;
        }
        if (own && same_source(work->rows[i].leaf, own)) {
            return false;
        }
    }
    return true;
}

/* Where the sources are, who is far from there, and who is left. */
static void separate(table *work, kith_answer *answer) {
    size_t k = work->count;
    check(work);
    CHECK(work->kept_count == 0);
    answer->robust = k >= ROBUST_K && !work->options.plain;
    memcpy(work->kept, work->rows, k * sizeof *work->rows);
    uint32_t capped = ki_cap(work->kept, k, work->scratch);
    ki_robust centre = ki_robust_of(work->kept, k, work->scratch);
    answer->m = centre.m;
    answer->m_se = centre.m_se;
    for (size_t i = 0; i < k; i++) {
        work->rows[i].r = work->kept[i].r;
    }
    if (!answer->robust) {
        memcpy(work->kept, work->rows, k * sizeof *work->rows);
        work->kept_count = k;
        return;
    }
    answer->capped = capped;
    for (size_t i = 0; i < k; i++) {
        ki_row row = work->kept[i];
        if (fabs(row.r) >= KI_FAR) {
            work->rows[i].fate = KITH_VOTE_FLAGGED;
            answer->flagged++;
        } else {
            work->rows[i].fate = row.fate;
            work->kept[work->kept_count++] = row;
        }
    }
    CHECK(work->kept_count + answer->flagged == k);
    ki_rows_level(work->kept, work->kept_count);
    check(work);
}

static void describe(const table *work, kith_answer *answer) {
    CHECK(work->kept_count >= 1);
    const ki_row *kept = work->kept;
    double mu = answer->kept.mu;
    size_t agree = 0;
    answer->newest_us = answer->oldest_us = kept[0].leaf->t_end_us;
    for (size_t i = 0; i < work->kept_count; i++) {
        int64_t t = kept[i].leaf->t_end_us;
        answer->newest_us = t > answer->newest_us ? t : answer->newest_us;
        answer->oldest_us = t < answer->oldest_us ? t : answer->oldest_us;
        agree += (kept[i].y > 0) == (mu > 0) && (kept[i].y < 0) == (mu < 0);
    }
    CHECK(agree <= work->kept_count);
    CHECK(answer->oldest_us <= answer->newest_us);
    answer->agreement = (double) agree / (double) work->kept_count;
    double apart = fabs(answer->plain.mu - mu);
    answer->alarm = answer->robust &&
                    (apart > ALARM_SE * answer->kept.se || 4 * answer->flagged > answer->k);
}

static void tell_votes(const table *work, const kith_answer *answer, kith_vote *votes) {
    double total = 0;
    check(work);
    for (size_t i = 0; i < work->count; i++) {
        CHECK(work->rows[i].at < work->count);
        votes[work->rows[i].at] = (kith_vote){ .fate = work->rows[i].fate,
            .residual = work->rows[i].r,
            .v_used = work->rows[i].v };
    }
    if (answer->insufficient) {
        return;
    }
    for (size_t i = 0; i < work->kept_count; i++) {
        const ki_row *row = &work->kept[i];
        CHECK(row->at < work->count);
        CHECK(row->fate != KITH_VOTE_FLAGGED);
        kith_vote *vote = &votes[row->at];
        vote->v_used = row->v;
        vote->weight = row->omega / (row->v + answer->kept.tau2);
        total += vote->weight;
    }
    for (size_t i = 0; i < work->kept_count; i++) {
        votes[work->kept[i].at].weight /= total;
    }
}

static void shrink(const table *work, const kith_leaf *own, kith_answer *answer) {
    CHECK(!answer->insufficient);
    CHECK(answer->has_own);
    ki_shrunk it =
        ki_shrink(work->kept, work->kept_count, own->y, own->v, answer->kept.tau2);
    answer->has_shrunk = true;
    answer->shrunk = it.mean;
    answer->shrunk_sd = it.sd;
    answer->shrunk_low = it.low;
    answer->shrunk_high = it.high;
}

static int decide(table *work, const kith_leaf *own, kith_answer *answer) {
    uint32_t quorum = answer->quorum;
    if (answer->k >= 2) {
        separate(work, answer);
    }
    if (work->kept_count < quorum) {
        CHECK(answer->flagged <= answer->k);
        uint32_t left = answer->k - answer->flagged;
        CHECK(left < quorum);
        answer->insufficient = true;
        answer->missing = quorum - left;
        return 0;
    }
    const kith_pool_options *how = &work->options;
    CHECK(answer->flagged + work->kept_count == work->count);
    int rc = ki_fit(work->rows, work->count, how->method, how->ci, &answer->plain);
    rc =
        rc ? rc : ki_fit(work->kept, work->kept_count, how->method, how->ci, &answer->kept);
    if (rc) {
        return rc;
    }
    describe(work, answer);
    if (own) {
        shrink(work, own, answer);
    }
    return 0;
}

static int answer_of(table *work, const kith_leaf *leaves, const kith_leaf *own,
    kith_answer *ret_answer, kith_vote *ret_votes) {
    ki_row mine;
    int rc = ki_rows(leaves, work->count, work->rows);
    rc = rc || !own ? rc : ki_rows(own, 1, &mine);
    if (rc || !independent(work, own)) {
        return KITH_E_ARG;
    }
    uint32_t k = (uint32_t) work->count;
    kith_answer answer = { .k = k,
        .quorum = work->options.quorum,
        .pairs = (uint64_t) k * (k - (k > 0)) / 2,
        .has_own = own != NULL,
        .own_y = own ? own->y : 0,
        .own_v = own ? own->v : 0 };
    rc = decide(work, own, &answer);
    if (rc) {
        return rc;
    }
    if (ret_votes) {
        tell_votes(work, &answer, ret_votes);
    }
    *ret_answer = answer;
    return 0;
}

int kith_pool_answer(const kith_leaf *leaves, size_t count, const kith_leaf *own,
    const kith_pool_options *options, kith_answer *ret_answer, kith_vote *ret_votes) {
    CHECK(leaves != NULL || count == 0);
    CHECK(ret_answer != NULL);
    table work;
    int rc = begin(&work, count, options);
    if (rc == 0) {
        rc = answer_of(&work, leaves, own, ret_answer, ret_votes);
    }
    free(work.rows);
    return rc;
}
