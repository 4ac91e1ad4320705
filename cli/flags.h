/* SPDX-License-Identifier: Apache-2.0 */
/* cli/flags.h - the flags of every command, as plain structs. cli/flags.c has
 * the rows. A row named by one letter is written -x, all others --name. */
#ifndef CLI_FLAGS_H
#define CLI_FLAGS_H

#include <kith/carrier.h>
#include <kith/ledger.h>
#include <kith/option.h>

#define PATH_TEXT_MAX 1023

typedef struct common_flags {
    bool json, zero, ascii, help, project;
    int color;
    char format[1024];
    char store[PATH_TEXT_MAX + 1], key[PATH_TEXT_MAX + 1], config[PATH_TEXT_MAX + 1];
} common_flags;

/* One packet's evidence, by flags or by a line of JSON with the same names. */
typedef struct post_flags {
    double effect, se, confidence;
    int64_t n, hits, tries, conclusion, unit;
    int legacy;
    char effects[128], covariance[320];
    char samples[PATH_TEXT_MAX + 1], near[1024], text[161], at[40];
    int64_t ttl_ns, span_ns, wait_ns;
    int measure, wait;
    bool dry_run, unlinted;
    char carrier[KITH_URL_MAX + 1], template[64];
    const struct kith_templates *known; /* no flag: what --template may name */
    bool private;                       /* what follows goes with it */
    double lower, upper, grid, sd, rho, epsilon;
    int64_t at_least, per_person;
    int noise;
    char records[KITH_RECORDS_MAX + 1];
} post_flags;

typedef struct budget_flags {
    double rho, epsilon;
    int64_t renew_ns;
} budget_flags;

typedef struct look_flags { /* get, follow */
    int64_t last, limit, for_ns;
    char since[40], carrier[KITH_URL_MAX + 1];
    bool own, foreign, expired, retracted, reverse;
    int legacy;
} look_flags;

typedef struct ask_flags { /* ask, why */
    int64_t quorum;
    int method, ci;
    bool plain, own_only, pool_unsigned;
    int64_t unit_u, nearest, half_life_ns;
    char near[1024], template[64];
    int legacy;
    char write[PATH_TEXT_MAX + 1], from[PATH_TEXT_MAX + 1]; /* why */
} ask_flags;

typedef struct pool_flags {
    int method, ci;
    bool robust;
} pool_flags;

typedef struct effect_flags {
    int measure;
    char columns[512], source[64];
} effect_flags;

typedef struct sync_flags {
    int64_t wait_ns;
    char only[KITH_SUBJECT_MAX + 1], near[1024], template[64];
} sync_flags;

typedef struct run_flags {
    char carrier[KITH_URL_MAX + 1], subject[KITH_SUBJECT_MAX + 1], command[1024];
    int64_t count, window_ns, ttl_ns, for_ns, unit;
    int kind, action;
    bool relay;
} run_flags;

typedef struct file_flags { /* store export, backup, pkt */
    char output[PATH_TEXT_MAX + 1];
    bool raw;
} file_flags;

typedef struct addr_flags {
    char match[KITH_SUBJECT_MAX + 1], near[1024], template[64];
    int64_t unit;
} addr_flags;

typedef struct template_flags {
    bool dry_run;
} template_flags;

typedef struct config_flags {
    bool origin;
} config_flags;

typedef struct help_flags {
    bool all, markdown;
} help_flags;

typedef struct demo_flags {
    int64_t seed, seconds_ns, nodes;
    char folder[PATH_TEXT_MAX + 1];
    bool keep;
} demo_flags;

typedef struct conform_flags {
    bool slow; /* --long */
    char only[64];
    int64_t seed;
    char plugins[PATH_TEXT_MAX + 1];
} conform_flags;

typedef struct sim_flags {
    char panel[64], svg[PATH_TEXT_MAX + 1];
    bool all, quick, shrink;
    int64_t seed, nodes, until_ns, jobs;
    char seeds[64], without[128];
} sim_flags;

typedef struct drill_flags {
    ask_flags ask; /* first: drill asks as ask does */
    char liars[16];
    int lie;
    int64_t seed;
} drill_flags;

extern const kith_option common_rows[], post_rows[], get_rows[], follow_rows[], ask_rows[],
    why_rows[], sync_rows[], run_rows[], export_rows[], addr_rows[], config_rows[],
    help_rows[], demo_rows[], conform_rows[], encode_rows[], decode_rows[], pool_rows[],
    effect_rows[], sim_rows[], template_rows[], budget_rows[], drill_rows[];

#endif
