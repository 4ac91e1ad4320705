/* SPDX-License-Identifier: Apache-2.0 */
/* kith/privacy.h - a mean that hides each record behind noise, and what that costs.
 *
 * A release collects numbers, clips them into public bounds and keeps nothing but a
 * count and one sum of integers. Taking it draws integer noise, exactly, from the
 * system's randomness, and empties it: one sum meets one noise, once.
 *
 *            add, add, ...           n_min reached
 *   EMPTY ----------------> FILLING ---------------> READY
 *     ^                                                |
 *     +--------------------- take ---------------------+
 *
 * Plain values: no memory, no clock. One thread owns a release. What it costs is
 * counted as rho (zero-concentrated differential privacy, neighbours differ in the
 * records of one person); rho adds. docs/privacy.md says what that promises and what
 * it does not; kith/ledger.h keeps the account. */
#ifndef KITH_PRIVACY_H
#define KITH_PRIVACY_H

#include <kith/packet.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_PRIVATE_N_MIN 20                  /* no private result from fewer records */
#define KITH_RHO_ONE       (UINT64_C(1) << 40) /* rho = 1, as ledgers count it */
#define KITH_DELTA         1e-6 /* what is shown as epsilon is so at this delta */

enum {
    KITH_NOISE_GAUSS = 1, /* a packet's mechanism */
    KITH_NOISE_LAPLACE = 2,
};

/* All of it is public: chosen before anybody looked at the records. */
typedef struct kith_release_options {
    double lower, upper; /* records are clipped to these */
    double grid;         /* and rounded to lower + k * grid; upper - lower is a multiple of
                          * it, at most 2^20; 0: a 1024th of the way */
    double rho;          /* to spend; the noise is the least that does not spend more */
    double sd;           /* of single records, publicly known; 0: (upper - lower) / 2 */
    double unit;         /* evidence is in units of this, 10^u of the template; 0: 1 */
    uint32_t n_min;      /* fewer records are refused; at least, and 0: 20 */
    uint32_t per_person; /* records of one person at most, 1 to 1024; 0: 1 */
    int mechanism;       /* KITH_NOISE_*; 0: Gauss */
} kith_release_options;

typedef struct kith_release {
    kith_release_options options; /* with presets filled in */
    uint64_t cells;               /* (upper - lower) / grid */
    uint64_t scale;               /* of the noise in cells: Gauss sigma^2, Laplace t */
    uint64_t rho;                 /* what a take costs, in KITH_RHO_ONE, rounded up */
    uint64_t sum;
    uint32_t n;
    uint64_t refused; /* not numbers */
} kith_release;

/* E_ARG: options that make no sense, or noise beyond what can be drawn exactly: then a
 * coarser grid helps. err may be NULL. */
KITH_API KITH_MUST_USE int kith_release_init(
    kith_release *release, const kith_release_options *options, kith_error *err);
/* E_ARG: not finite; it is counted in `refused`. KITH_FULL: 2^31 - 1 are in it. */
KITH_API KITH_MUST_USE int kith_release_add(kith_release *release, double x);
/* What a take would write, but for the effect, which is that of records all at lower:
 * for looking at ranges before anything is spent. KITH_EMPTY: fewer than n_min. KITH_R_UNIT: it would not fit a packet in
 * this unit. */
KITH_API KITH_MUST_USE int kith_release_preview(
    const kith_release *release, kith_content *content);
/* Draws the noise; writes measure, n, effect, variance (noise included), mechanism, rho
 * and v_dp, both rounded up, and what it `has`; empties the release. The price is to be paid
 * before: kith_ledger_post does both. KITH_EMPTY: fewer than n_min. */
KITH_API KITH_MUST_USE int kith_release_take(kith_release *release, kith_content *content);

/* Epsilon of rho at delta, 0 < delta < 1: the tightest conversion known for rho alone, and
 * its simple upper bound rho + 2 sqrt(rho ln 1/delta). */
KITH_API double kith_rho_epsilon(double rho, double delta);
KITH_API double kith_rho_epsilon_simple(double rho, double delta);
/* The rho whose simple bound is epsilon. */
KITH_API double kith_epsilon_rho(double epsilon, double delta);
/* Variance of the integer noise, an upper bound: sigma^2, or 2 t^2. */
KITH_API double kith_noise_variance(int mechanism, uint64_t scale);

/* ---- free text ---- */

/* What a text looks like that should not leave. Part of the ABI: add, never renumber. */
typedef enum kith_lint {
    KITH_LINT_FINE = 0,
    KITH_LINT_MAIL = 1,       /* somebody@somewhere */
    KITH_LINT_LINK = 2,       /* scheme://..., www. */
    KITH_LINT_IP = 3,         /* 10.0.0.7, fe80::1 */
    KITH_LINT_MAC = 4,        /* 00:1b:44:11:3a:b7 */
    KITH_LINT_PATH = 5,       /* /var/log, C:\Users, ~/x, a/b/c.txt */
    KITH_LINT_TIME = 6,       /* 2026-11-21, 21.11.2026, 14:05 */
    KITH_LINT_SERIES = 7,     /* four numbers in a row: raw data */
    KITH_LINT_IDENTIFIER = 8, /* long numbers, hex, UUIDs, serial numbers */
} kith_lint;

/* The first such thing from the left, and where it stands: a net against accidents, not
 * against somebody who wants to get a name through. Never reads beyond length. */
KITH_API kith_lint kith_text_lint(
    const char *text, size_t length, size_t *ret_at, size_t *ret_length);
/* "a file's path". NULL for KITH_LINT_FINE and what is none. */
KITH_API const char *kith_lint_words(kith_lint lint);

#ifdef __cplusplus
}
#endif
#endif
