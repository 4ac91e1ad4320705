/* SPDX-License-Identifier: Apache-2.0 */
/* vector_robust.c - where most sources are, in several components at once. */
#include "synthesis/vector.h"

#include "base/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CAP          25.0
#define TUKEY        4.685
#define CENTRE_STEPS 200
#define CENTRE_NEAR  1e-12  /* of a component's sigma */
#define FAR_P        0.9973 /* three standard errors of one component */

/* (v + T)^-1 of a row. A sum of a positive definite matrix and a diagonal is one. */
void ki_vote_precision(
    const ki_vote_row *it, size_t p, const double *tau2, ki_matrix *ret) {
    ki_matrix m = it->v;
    for (size_t c = 0; c < p; c++) m.a[ki_cell(c, c)] += tau2[c];
    bool good = ki_invert(&m, p, ret);
    CHECK(good);
}

static double median_of(ki_pair *sorted, size_t k) {
    qsort(sorted, k, sizeof *sorted, ki_pair_order);
    return k % 2 ? sorted[k / 2].y : (sorted[k / 2 - 1].y + sorted[k / 2].y) / 2;
}

/* Nobody's variance of any component below a 25th of the median: correlations stay. */
static uint32_t cap(ki_votes *w) {
    double least[KI_PARTS];
    uint32_t changed = 0;
    for (size_t c = 0; c < w->p; c++) {
        for (size_t i = 0; i < w->k; i++) {
            w->scratch[i] = (ki_pair){ w->rows[i].v.a[ki_cell(c, c)], 0 };
        }
        least[c] = median_of(w->scratch, w->k) / CAP;
    }
    for (size_t i = 0; i < w->k; i++) {
        ki_vote_row *it = &w->rows[i];
        for (size_t c = 0; c < w->p; c++) {
            double v = it->v.a[ki_cell(c, c)];
            if (!(v < least[c])) continue;
            double up = sqrt(least[c] / v);
            for (size_t d = 0; d < w->p; d++) {
                it->v.a[ki_cell(c, d)] *= c == d ? up * up : up;
            }
            it->fate = KITH_VOTE_CAPPED;
        }
        changed += it->fate == KITH_VOTE_CAPPED;
    }
    return changed;
}

static void scales(ki_votes *w) {
    for (size_t c = 0; c < w->p; c++) {
        for (size_t i = 0; i < w->k; i++) {
            w->scratch[i] = (ki_pair){ w->rows[i].v.a[ki_cell(c, c)], 0 };
        }
        w->typical[c] = median_of(w->scratch, w->k);
        for (size_t i = 0; i < w->k; i++) {
            w->scratch[i] = (ki_pair){ w->rows[i].y[c], 0 };
        }
        (void) median_of(w->scratch, w->k);
        double s = ki_qn(w->scratch, w->k);
        w->scale2[c] = fmax(0, s * s - w->typical[c]);
    }
}

/* Where the sum of distances is least, each component counted in its own sigma: no half
 * of the sources can carry it away. Begins at the medians. */
static void geometric_median(ki_votes *w, double *m) {
    for (size_t c = 0; c < w->p; c++) {
        for (size_t i = 0; i < w->k; i++) {
            w->scratch[i] = (ki_pair){ w->rows[i].y[c], 0 };
        }
        m[c] = median_of(w->scratch, w->k);
    }
    for (int step = 0; step < CENTRE_STEPS; step++) {
        double pull[KI_PARTS] = { 0 }, total = 0, moved = 0;
        for (size_t i = 0; i < w->k; i++) {
            double far = 0;
            for (size_t c = 0; c < w->p; c++) {
                double off = w->rows[i].y[c] - m[c];
                far += off * off / (w->typical[c] + w->scale2[c]);
            }
            double weight = w->rows[i].omega / fmax(sqrt(far), 1e-9);
            total += weight;
            for (size_t c = 0; c < w->p; c++) pull[c] += weight * (w->rows[i].y[c] - m[c]);
        }
        for (size_t c = 0; c < w->p; c++) {
            m[c] += pull[c] / total;
            moved = fmax(moved, fabs(pull[c] / total) / sqrt(w->typical[c] + w->scale2[c]));
        }
        if (moved <= CENTRE_NEAR) break;
    }
}

/* One turn of Tukey's bisquare around m; the r2 of all rows, and how far m moved. */
static double turn(ki_votes *w, double *m) {
    ki_matrix sum = { { 0 } }, inverse, a;
    double pull[KI_PARTS] = { 0 }, off[KI_PARTS], part[KI_PARTS], moved = 0;
    for (size_t i = 0; i < w->k; i++) {
        ki_vote_row *it = &w->rows[i];
        ki_vote_precision(it, w->p, w->scale2, &a);
        for (size_t c = 0; c < w->p; c++) off[c] = it->y[c] - m[c];
        it->r2 = ki_norm(&a, off, w->p);
        double u = it->r2 / (double) w->p / (TUKEY * TUKEY);
        double kappa = u < 1 ? it->omega * (1 - u) * (1 - u) : 0;
        ki_times(&a, off, w->p, part);
        for (size_t n = 0; n < KI_CELLS; n++) sum.a[n] += kappa * a.a[n];
        for (size_t c = 0; c < w->p; c++) pull[c] += kappa * part[c];
    }
    if (!ki_invert(&sum, w->p, &inverse)) return 0; /* nobody is near: stay */
    ki_times(&inverse, pull, w->p, part);
    for (size_t c = 0; c < w->p; c++) {
        m[c] += part[c];
        moved = fmax(moved, fabs(part[c]) / sqrt(w->typical[c] + w->scale2[c]));
    }
    return moved;
}

void ki_votes_separate(ki_votes *w, kith_answer *answer, double *m) {
    answer->capped = cap(w);
    scales(w);
    geometric_median(w, m);
    for (int n = 0; n < CENTRE_STEPS; n++) {
        if (turn(w, m) <= CENTRE_NEAR) break;
    }
    double far = kith_chi2_quantile(FAR_P, (double) w->p);
    for (size_t i = 0; i < w->k && answer->robust; i++) {
        bool flagged = w->rows[i].r2 >= far;
        w->rows[i].fate = flagged ? KITH_VOTE_FLAGGED : w->rows[i].fate;
        answer->flagged += flagged;
    }
    for (size_t i = 0; i < w->k && !answer->robust; i++) {
        w->rows[i].fate = KITH_VOTE_KEPT; /* nobody can be called the liar */
        memcpy(w->rows[i].v.a, w->rows[i].leaf->covariance, sizeof w->rows[i].v.a);
    }
    answer->capped = answer->robust ? answer->capped : 0;
    w->kept = w->k - answer->flagged;
}
