/* SPDX-License-Identifier: Apache-2.0 */
/* synthesis/tau2.h - the variance between sources, four ways. k >= 2. */
#ifndef SYNTHESIS_TAU2_H
#define SYNTHESIS_TAU2_H

#include "synthesis/fit.h"

/* s~2, the variance of a typical source: the measure for "small". */
double ki_typical_variance(const ki_row *rows, size_t k);

double ki_tau2_dl(const ki_row *rows, size_t k);
double ki_tau2_pm(const ki_row *rows, size_t k, bool equal);
/* Relevances must be equal for what follows. */
double ki_tau2_reml(const ki_row *rows, size_t k);
/* The tau2 at which Q falls to `target`; 0 if it begins below. */
double ki_tau2_where_q(const ki_row *rows, size_t k, double target);

/* Of REML: metafor's restricted log likelihood, and se(tau2). */
double ki_loglik(const ki_row *rows, size_t k, double tau2);
double ki_tau2_se(const ki_row *rows, size_t k, double tau2);

#endif
