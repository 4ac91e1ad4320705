/* SPDX-License-Identifier: Apache-2.0 */
/* synthesis/vector.h - effects of up to four components and their covariances, small
 * enough to live on the stack. A matrix is its lower triangle by rows. */
#ifndef SYNTHESIS_VECTOR_H
#define SYNTHESIS_VECTOR_H

#include "synthesis/robust.h"

enum {
    KI_PARTS = 4,
    KI_CELLS = KI_PARTS * (KI_PARTS + 1) / 2,
};

typedef struct ki_matrix {
    double a[KI_CELLS];
} ki_matrix;

/* Where row i, column j stands; i and j in any order. */
size_t ki_cell(size_t i, size_t j);
/* false: it is not positive definite. */
bool ki_invert(const ki_matrix *m, size_t p, ki_matrix *ret);
void ki_times(const ki_matrix *m, const double *x, size_t p, double *ret);
/* x' m x */
double ki_norm(const ki_matrix *m, const double *x, size_t p);

/* A vote while it is worked on; rows stand in the order of their sources. */
typedef struct ki_vote_row {
    const kith_vector *leaf;
    double y[KI_PARTS], omega, r2;
    ki_matrix v; /* after the cap */
    uint8_t fate;
} ki_vote_row;

typedef struct ki_votes {
    ki_vote_row *rows;
    ki_row *parts; /* one component of all, in the same order */
    ki_pair *scratch;
    size_t k, p, kept;
    double typical[KI_PARTS], scale2[KI_PARTS]; /* median variance; tau2 from Qn */
} ki_votes;

/* (v + T)^-1 of a row, T the diagonal tau2. */
void ki_vote_precision(const ki_vote_row *it, size_t p, const double *tau2, ki_matrix *ret);
/* Cap, scale, centre, flag; k >= 2. Writes capped and flagged, the fates, r2, and the
 * robust centre in m. Unless answer->robust nobody is capped or flagged. */
void ki_votes_separate(ki_votes *w, kith_answer *answer, double *m);

#endif
