/* SPDX-License-Identifier: Apache-2.0 */
#include "synthesis/vector.h"

#include "base/check.h"

#include <math.h>

size_t ki_cell(size_t i, size_t j) {
    return i >= j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i;
}

/* By the root L of m = L L': its inverse is lower too, and the product of that with
 * itself is what was asked for. Scaled to a diagonal of 1 before, so that components in
 * other units cost no digit. */
bool ki_invert(const ki_matrix *m, size_t p, ki_matrix *ret) {
    CHECK(p >= 1);
    CHECK(p <= KI_PARTS);
    double l[KI_PARTS][KI_PARTS] = { { 0 } }, n[KI_PARTS][KI_PARTS] = { { 0 } };
    double scale[KI_PARTS];
    for (size_t i = 0; i < p; i++) {
        scale[i] = sqrt(m->a[ki_cell(i, i)]);
        if (!(scale[i] > 0)) return false;
    }
    for (size_t i = 0; i < p; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = m->a[ki_cell(i, j)] / scale[i] / scale[j];
            for (size_t k = 0; k < j; k++) sum -= l[i][k] * l[j][k];
            if (i == j && !(sum > 0)) return false;
            l[i][j] = i == j ? sqrt(sum) : sum / l[j][j];
        }
    }
    for (size_t j = 0; j < p; j++) {
        n[j][j] = 1 / l[j][j];
        for (size_t i = j + 1; i < p; i++) {
            double sum = 0;
            for (size_t k = j; k < i; k++) sum -= l[i][k] * n[k][j];
            n[i][j] = sum / l[i][i];
        }
    }
    for (size_t i = 0; i < p; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t k = i; k < p; k++) sum += n[k][i] * n[k][j];
            ret->a[ki_cell(i, j)] = sum / scale[i] / scale[j];
        }
    }
    return true;
}

void ki_times(const ki_matrix *m, const double *x, size_t p, double *ret) {
    for (size_t i = 0; i < p; i++) {
        double sum = 0;
        for (size_t j = 0; j < p; j++) sum += m->a[ki_cell(i, j)] * x[j];
        ret[i] = sum;
    }
}

double ki_norm(const ki_matrix *m, const double *x, size_t p) {
    double y[KI_PARTS], sum = 0;
    ki_times(m, x, p, y);
    for (size_t i = 0; i < p; i++) sum += x[i] * y[i];
    return fmax(0, sum);
}
