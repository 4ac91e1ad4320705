/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in templates: any subject, unit 10^u. Effects travel in units, so
 * that a typical standard error is near 1 and the exact sums have room. */
#include <kith/packet.h>

#include "base/check.h"
#include "base/limits.h"

#include <math.h>

#define UNIT_MAX 9
#define SE_LOW   0.001
#define SE_HIGH  1000.0

bool kith_template_builtin(const uint8_t template_id[KITH_TEMPLATE_SIZE], int *ret_u) {
    CHECK(template_id != NULL);
    CHECK(ret_u != NULL);
    for (size_t i = 0; i + 1 < KITH_TEMPLATE_SIZE; i++) {
        if (template_id[i] != 0) return false;
    }
    int u = (int8_t) template_id[KITH_TEMPLATE_SIZE - 1];
    if (u < -UNIT_MAX || u > UNIT_MAX) return false;
    *ret_u = u;
    return true;
}

int kith_template_admits(const kith_content *content) {
    int u;
    if (!kith_template_builtin(content->template_id, &u)) {
        return KITH_EMPTY;
    }
    if (content->type != KITH_LEAF || (content->has & KITH_HAS_COVARIANCE) == 0) {
        return 0; /* no error in any unit */
    }
    CHECK(content->components <= KITH_EFFECT_MAX);
    for (size_t i = 0; i < content->components; i++) {
        double v = content->covariance[i * (i + 3) / 2];
        bool fits = v >= SE_LOW * SE_LOW && v <= SE_HIGH * SE_HIGH &&
                    fabs(content->effect[i]) <= LIMIT_EFFECT;
        if (!fits) return KITH_R_UNIT;
    }
    return 0;
}

double kith_template_unit(int u) {
    static const double units[] = { 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1,
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9 };
    CHECK(u >= -UNIT_MAX && u <= UNIT_MAX);
    return units[u + UNIT_MAX];
}

int kith_template_unit_for(double effect, double se, int *ret_u) {
    CHECK(ret_u != NULL);
    double best = INFINITY;
    int found = 0;
    for (int u = -UNIT_MAX; u <= UNIT_MAX; u++) {
        double unit = kith_template_unit(u), units = se / unit;
        bool fits =
            fabs(effect / unit) <= LIMIT_EFFECT && units >= SE_LOW && units <= SE_HIGH;
        double away = units >= 1 ? units : 1 / units;
        if (fits && away < best) {
            best = away;
            found = u;
        }
    }
    if (!(best < INFINITY)) return KITH_E_ARG;
    CHECK(found >= -UNIT_MAX);
    CHECK(found <= UNIT_MAX);
    *ret_u = found;
    return 0;
}
