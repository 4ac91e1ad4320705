/* SPDX-License-Identifier: Apache-2.0 */
/* From records to a noisy mean. After the rounding of each record to the public grid all
 * is integers until the noise is in; what is computed from that is nobody's secret. */
#include "privacy/release.h"

#include "base/check.h"
#include "base/fail.h"
#include "base/limits.h"

#include <float.h>
#include <math.h>

enum {
    CELLS_PRESET = 1024,
    CELLS_MAX = 1 << 20,
    PER_PERSON_MAX = 1024,
};
#define RHO_LOW  0x1p-29 /* a packet can say half of it: the price may be below the offer */
#define RHO_HIGH 0x1p6
#define V_DP_LOW 0x1p-40
#define FAR      20 /* standard deviations beyond which no noise is drawn in any life */

static void check(const kith_release *r) {
    CHECK(r->cells >= 1 && r->cells <= CELLS_MAX);
    CHECK(r->scale >= 1);
    CHECK(r->options.n_min >= KITH_PRIVATE_N_MIN);
    CHECK(r->sum <= r->cells * r->n);
}

uint64_t ki_release_price(uint64_t sensitivity, uint64_t square) {
    CHECK(sensitivity <= (uint64_t) CELLS_MAX * PER_PERSON_MAX);
    CHECK(square >= 1 && square <= NOISE_VARIANCE_MAX);
    uint64_t over = sensitivity * sensitivity, price = over / square, rest = over % square;
    if (price > 1u << 7) {
        return UINT64_MAX;
    }
    for (int i = 0; i < 39; i++) { /* KITH_RHO_ONE / 2 */
        rest *= 2;
        price = price * 2 + (rest >= square);
        rest -= rest >= square ? square : 0;
    }
    return price + (rest > 0);
}

static int fill_options(kith_release_options *o, kith_error *err) {
    o->grid = o->grid == 0 ? (o->upper - o->lower) / CELLS_PRESET : o->grid;
    o->unit = o->unit == 0 ? 1 : o->unit;
    o->n_min = o->n_min == 0 ? KITH_PRIVATE_N_MIN : o->n_min;
    o->per_person = o->per_person == 0 ? 1 : o->per_person;
    o->mechanism = o->mechanism == 0 ? KITH_NOISE_GAUSS : o->mechanism;
    o->sd = o->sd == 0 ? (o->upper - o->lower) / 2 : o->sd;
    if (!isfinite(o->lower) || !isfinite(o->upper) || !(o->lower < o->upper) ||
        !isfinite(o->upper - o->lower)) {
        return ki_fail(err, KITH_E_ARG, "a private mean needs bounds, lower below upper");
    }
    if (!(o->grid > 0) || !(o->unit > 0) || !isfinite(o->unit) || !(o->sd > 0) ||
        !isfinite(o->sd)) {
        return ki_fail(err, KITH_E_ARG, "grid, unit and sd are above 0");
    }
    if (o->n_min < KITH_PRIVATE_N_MIN) {
        return ki_fail(err, KITH_E_ARG, "a private mean needs at least %d records",
            KITH_PRIVATE_N_MIN);
    }
    if (o->per_person > PER_PERSON_MAX) {
        return ki_fail(err, KITH_E_ARG, "at most %d records of one person", PER_PERSON_MAX);
    }
    if (o->mechanism != KITH_NOISE_GAUSS && o->mechanism != KITH_NOISE_LAPLACE) {
        return ki_fail(err, KITH_E_ARG, "no such noise");
    }
    if (!(o->rho >= RHO_LOW) || !(o->rho <= RHO_HIGH)) {
        return ki_fail(err, KITH_E_ARG, "rho goes from 2^-29 to 64");
    }
    return 0;
}

/* The least noise whose price is not above what was offered. */
static int choose_scale(kith_release *r, kith_error *err) {
    uint64_t far = r->cells * r->options.per_person, price;
    uint64_t offer = (uint64_t) (r->options.rho * (double) KITH_RHO_ONE);
    double square = (double) far * (double) far / (2 * r->options.rho);
    bool gauss = r->options.mechanism == KITH_NOISE_GAUSS;
    if (square > 0.99 * (double) NOISE_VARIANCE_MAX) {
        return ki_fail(err, KITH_E_ARG,
            "so much noise over so fine a grid is not drawn exactly: take a coarser grid");
    }
    uint64_t scale = (uint64_t) (gauss ? square : sqrt(square));
    scale = scale < 2 ? 1 : scale - 1; /* doubles err by less */
    while (price = ki_release_price(far, gauss ? scale : scale * scale), price > offer) {
        scale++;
    }
    r->scale = scale;
    r->rho = price;
    return 0;
}

int kith_release_init(
    kith_release *release, const kith_release_options *options, kith_error *err) {
    CHECK(options != NULL);
    kith_release r = { .options = *options };
    int failed = fill_options(&r.options, err);
    if (failed < 0) {
        return failed;
    }
    double cells = (r.options.upper - r.options.lower) / r.options.grid;
    if (!(cells < CELLS_MAX + 0.5) || cells < 0.5 ||
        fabs(cells - round(cells)) > 1e-6 * cells) {
        return ki_fail(err, KITH_E_ARG,
            "upper - lower is 1 to 2^20 times the grid, a whole number of times");
    }
    r.cells = (uint64_t) llround(cells);
    failed = choose_scale(&r, err);
    if (failed < 0) {
        return failed;
    }
    check(&r);
    *release = r;
    return 0;
}

int kith_release_add(kith_release *release, double x) {
    check(release);
    const kith_release_options *o = &release->options;
    if (!isfinite(x)) {
        release->refused++;
        return KITH_E_ARG;
    }
    if (release->n == INT32_MAX) {
        return KITH_FULL;
    }
    double inside = x < o->lower ? o->lower : x > o->upper ? o->upper : x;
    uint64_t cell = (uint64_t) llround((inside - o->lower) / o->grid);
    release->sum += cell < release->cells ? cell : release->cells;
    release->n++;
    check(release);
    return 0;
}

static float up(double x) {
    float f = (float) x;
    return (double) f < x ? nextafterf(f, INFINITY) : f;
}

/* noisy: the sum with its noise, the only thing here that comes from records. */
static void write_content(const kith_release *r, int64_t noisy, kith_content *c) {
    const kith_release_options *o = &r->options;
    double n = r->n, cell = o->grid / n;
    double v_dp =
        kith_noise_variance(o->mechanism, r->scale) * (cell / o->unit) * (cell / o->unit);
    c->type = KITH_LEAF;
    c->has |= KITH_HAS_EFFECT | KITH_HAS_COVARIANCE | KITH_HAS_PRIVACY;
    c->measure = KITH_MEAN;
    c->components = 1;
    c->n = r->n;
    c->effect[0] = (o->lower + cell * (double) noisy) / o->unit + 0.0;
    if (fabs(c->effect[0]) < DBL_MIN) {
        c->effect[0] = 0; /* a denormal is no number of a packet */
    }
    c->mechanism = (uint8_t) o->mechanism;
    c->rho = up((double) r->rho / (double) KITH_RHO_ONE);
    c->v_dp = up(v_dp > V_DP_LOW ? v_dp : V_DP_LOW);
    c->covariance[0] = o->sd / o->unit * (o->sd / o->unit) / n + (double) c->v_dp;
}

int kith_release_preview(const kith_release *release, kith_content *content) {
    check(release);
    const kith_release_options *o = &release->options;
    if (release->n < o->n_min) {
        return KITH_EMPTY;
    }
    kith_content c = *content;
    double far = fmax(fabs(o->lower), fabs(o->upper));
    write_content(release, 0, &c); /* nothing of the records */
    if (far / o->unit + FAR * sqrt((double) c.v_dp) > LIMIT_EFFECT ||
        c.covariance[0] > LIMIT_V_HIGH || c.covariance[0] < LIMIT_V_LOW) {
        return KITH_R_UNIT;
    }
    *content = c;
    return 0;
}

int ki_release_take(kith_release *release, ki_bits *bits, kith_content *content) {
    check(release);
    if (release->n < release->options.n_min) {
        return KITH_EMPTY;
    }
    int64_t noise = 0;
    int r = release->options.mechanism == KITH_NOISE_GAUSS
                ? ki_noise_gauss(bits, release->scale, &noise)
                : ki_noise_laplace(bits, release->scale, &noise);
    if (r < 0) {
        return r;
    }
    write_content(release, (int64_t) release->sum + noise, content);
    release->sum = 0;
    release->n = 0;
    check(release);
    return 0;
}

int kith_release_take(kith_release *release, kith_content *content) {
    ki_bits bits;
    ki_bits_system(&bits);
    int r = ki_release_take(release, &bits, content);
    ki_bits_wipe(&bits);
    return r;
}
