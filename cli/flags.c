/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/flags.h"

/* clang-format off: a table is read by columns. */
#define OF(type, field) offsetof(type, field)
#define ROW(t, n, kind, f, lo, hi, pre, h)                                                 \
    {                                                                                      \
        .name = n, .type = KITH_OPTION_##kind, .offset = OF(t, f), .min = lo, .max = hi,   \
        .preset = pre, .help = h                                                           \
    }
#define ONE(t, n, f, pre, w, h)                                                            \
    {                                                                                      \
        .name = n, .type = KITH_OPTION_ONE, .offset = OF(t, f), .preset = pre, .words = w, \
        .help = h                                                                          \
    }
#define YES(t, n, f, h)                                                                    \
    { .name = n, .type = KITH_OPTION_BOOL, .offset = OF(t, f), .preset = "no", .help = h }
#define HOUR INT64_C(3600000000000)
#define DAY  (24 * HOUR)
#define BIG  INT64_C(1000000000000000000)
#define U32  INT64_C(4294967295)

const kith_option common_rows[] = {
    YES(common_flags, "json", json, "one JSON object a line, each with v and kind"),
    ROW(common_flags, "format", TEXT, format, 0, 1023, "",
        "print each record so: '{subject} {effect:+.3f}'"),
    YES(common_flags, "z", zero, "end each record with NUL instead of a newline"),
    ONE(common_flags, "color", color, "auto", "auto|always|never",
        "auto: a terminal, NO_COLOR and FORCE_COLOR decide"),
    YES(common_flags, "ascii", ascii, "no characters beyond ASCII"),
    ROW(common_flags, "store", TEXT, store, 0, PATH_TEXT_MAX, "",
        "the store: a path, sqlite:PATH or memory:"),
    ROW(common_flags, "key", TEXT, key, 0, PATH_TEXT_MAX, "",
        "the file of this node's key"),
    ROW(common_flags, "config", TEXT, config, 0, PATH_TEXT_MAX, "",
        "read this configuration file and no other"),
    YES(common_flags, "project", project, "also read ./kith.conf"),
    YES(common_flags, "help", help, "say what this command does"),
    { .name = NULL },
};

#define EVIDENCE_ROWS                                                                      \
    ROW(post_flags, "effect", REAL, effect, -BIG, BIG, NULL, "the effect that was seen"),  \
        ROW(post_flags, "se", REAL, se, 0, BIG, NULL, "its standard error"),               \
        ROW(post_flags, "n", INT, n, 1, U32, "1", "the number of observations behind it"), \
        ROW(post_flags, "hits", INT, hits, 0, U32, NULL, "successes"),                     \
        ROW(post_flags, "tries", INT, tries, 1, U32, NULL, "of so many trials"),           \
        ROW(post_flags, "confidence", REAL, confidence, 0, 1, NULL,                        \
            "where no standard error is known: how sure, 0 to 1"),                         \
        ROW(post_flags, "near", TEXT, near, 0, 1023, "",                                   \
            "the context: a value for each dimension of the template, by commas; without " \
            "a template up to 16 numbers from 0 to 1"),                                    \
        ROW(post_flags, "conclusion", INT, conclusion, 1, 65535, NULL,                     \
            "a code whose meaning the subject's users agreed on"),                         \
        ROW(post_flags, "text", TEXT, text, 0, KITH_TEXT_MAX, "",                          \
            "a few words for people; never raw data"),                                     \
        ROW(post_flags, "ttl", TIME, ttl_ns, INT64_C(1000000000), 3652 * DAY, "7d",        \
            "how long it counts, from the time of the data"),                              \
        ROW(post_flags, "unit", INT, unit, -9, 9, "0",                                     \
            "effects are counted in units of 10^U; the same for all on a subject"),        \
        ONE(post_flags, "measure", measure, "auto",                                        \
            "auto|mean|mean-difference|log-risk-ratio|log-odds-ratio|risk-difference|"     \
            "fisher-z|logit|log-mean-ratio",                                               \
            "what kind of number the effect is; auto is mean for samples, else "           \
            "mean-difference; equal kinds are pooled"),                                    \
        ROW(post_flags, "at", TEXT, at, 0, 39, "",                                         \
            "the time of the data, RFC 3339; preset now"),                                 \
        ROW(post_flags, "span", TIME, span_ns, 0, 3652 * DAY, "0s",                        \
            "the data lie in so long a time before --at"),                                 \
        ROW(post_flags, "template", TEXT, template, 0, 63, "",                             \
            "of this template: name, name@version or id; unit, ttl and ranges are its"),   \
        ROW(post_flags, "effects", TEXT, effects, 0, 127, "",                              \
            "2 to 4 effects that belong together, by commas"),                             \
        ROW(post_flags, "covariance", TEXT, covariance, 0, 319, "",                        \
            "theirs, by commas: the lower triangle, row by row"),                          \
        YES(post_flags, "unlinted", unlinted,                                              \
            "let a text through that looks like raw data or an identifier")

const kith_option post_rows[] = {
    EVIDENCE_ROWS,
    ROW(post_flags, "samples", TEXT, samples, 0, PATH_TEXT_MAX, "",
        "numbers in a file, or - for stdin; reduced here, never stored"),
    YES(post_flags, "dry-run", dry_run, "show bytes and size, post nothing"),
    ONE(post_flags, "wait", wait, "none", "none|process|os|disk|replicated",
        "wait until a carrier of this level has it"),
    ROW(post_flags, "W", TIME, wait_ns, 0, DAY, "30s", "how long --wait waits"),
    ROW(post_flags, "carrier", TEXT, carrier, 0, KITH_URL_MAX, "",
        "use this carrier and none of the configured"),
    ONE(post_flags, "legacy", legacy, "none", "none|seed0",
        "say it to readers of an older program, from the carrier URL, and store nothing"),
    YES(post_flags, "private", private,
        "a mean of --samples behind noise, paid from the budget of its records"),
    ROW(post_flags, "records", TEXT, records, 1, KITH_RECORDS_MAX, "records",
        "private: whose account pays; one for all subjects fed by the same people"),
    ROW(post_flags, "lower", REAL, lower, -BIG, BIG, NULL,
        "private: smaller samples count as this; chosen before looking at them"),
    ROW(post_flags, "upper", REAL, upper, -BIG, BIG, NULL,
        "private: larger samples count as this"),
    ROW(post_flags, "grid", REAL, grid, 0, BIG, "0",
        "private: samples are rounded to steps of this; 0 is a 1024th of the way"),
    ROW(post_flags, "rho", REAL, rho, 0, 64, NULL, "private: what it may cost, as rho"),
    ROW(post_flags, "epsilon", REAL, epsilon, 0, 100, NULL,
        "private: what it may cost, as epsilon at delta 1e-6"),
    ONE(post_flags, "noise", noise, "gauss", "gauss|laplace", "private: its kind"),
    ROW(post_flags, "sd", REAL, sd, 0, BIG, "0",
        "private: the deviation of single samples, publicly known; 0: half the way"),
    ROW(post_flags, "per-person", INT, per_person, 1, 1024, "1",
        "private: samples of one person at most"),
    ROW(post_flags, "at-least", INT, at_least, KITH_PRIVATE_N_MIN, U32, "20",
        "private: fewer samples are refused"),
    { .name = NULL },
};

const kith_option encode_rows[] = { EVIDENCE_ROWS, { .name = NULL } };

#define SHOW_ROWS                                                                          \
    YES(look_flags, "own", own, "only this node's packets"),                               \
        YES(look_flags, "foreign", foreign, "only packets of others")

const kith_option get_rows[] = {
    ROW(look_flags, "last", INT, last, 0, U32, "50", "so many at most; 0 is all"),
    ROW(look_flags, "since", TEXT, since, 0, 39, "",
        "came after this: a time, or 1h for an hour ago"),
    SHOW_ROWS,
    YES(look_flags, "expired", expired, "also those whose time is over"),
    YES(look_flags, "retracted", retracted, "also those that were taken back"),
    YES(look_flags, "reverse", reverse, "oldest first"),
    { .name = NULL },
};

const kith_option follow_rows[] = {
    ROW(look_flags, "since", TEXT, since, 0, 39, "",
        "begin here: a time, 1h for an hour ago, or start"),
    ROW(look_flags, "limit", INT, limit, 0, U32, "0", "end after so many; 0 is never"),
    ROW(look_flags, "for", TIME, for_ns, 0, 3652 * DAY, "0s",
        "end after so long; 0 is never"),
    ROW(look_flags, "carrier", TEXT, carrier, 0, KITH_URL_MAX, "",
        "use this carrier and none of the configured"),
    ONE(look_flags, "legacy", legacy, "none", "none|seed0",
        "show what an older program says at the carrier URL; nothing is stored"),
    SHOW_ROWS,
    { .name = NULL },
};

#define FIT_ROWS                                                                           \
    ROW(ask_flags, "quorum", INT, quorum, 0, 4096, "0",                                    \
        "sources needed; 0 is the preset, 3"),                                             \
        ONE(ask_flags, "method", method, "pm", "pm|fe|dl|reml",                            \
            "how sites are allowed to differ: Paule-Mandel, not at all, "                  \
            "DerSimonian-Laird, REML"),                                                    \
        ONE(ask_flags, "ci", ci, "mhk", "mhk|hk|wald",                                     \
            "the interval: modified Hartung-Knapp, Hartung-Knapp, normal")
#define KIND_ROWS                                                                          \
    ROW(ask_flags, "unit", INT, unit_u, -9, 10, "10",                                      \
        "only evidence in units of 10^U; 10: what most sources use"),                      \
        ROW(ask_flags, "template", TEXT, template, 0, 63, "",                              \
            "only evidence of this template: name, name@version or id")
#define AGE_ROW                                                                            \
    ROW(ask_flags, "half-life", TIME, half_life_ns, 0, 3652 * DAY, "0s",                   \
        "evidence of that age counts half; 0: age does not matter")
#define ASK_ROWS                                                                           \
    FIT_ROWS,                                                                              \
        YES(ask_flags, "plain", plain, "everybody counts as claimed: no caps, no flags"),  \
        YES(ask_flags, "own-only", own_only, "only what this node found itself"),          \
        YES(ask_flags, "pool-unsigned", pool_unsigned,                                     \
            "what older programs said counts too, one vote for each gateway; also "        \
            "[node] pool_unsigned"),                                                       \
        KIND_ROWS,                                                                         \
        ROW(ask_flags, "near", TEXT, near, 0, 1023, "",                                    \
            "only twins of this context: its values, by commas"),                          \
        ROW(ask_flags, "k", INT, nearest, 0, U32, "0",                                     \
            "the nearest so many of them; 0: all in the radius, 10 where there is none"),  \
        AGE_ROW

const kith_option ask_rows[] = {
    ASK_ROWS,
    ONE(ask_flags, "legacy", legacy, "none", "none|seed1",
        "the fields of an older program: consensus, recommendation, alert"),
    { .name = NULL },
};
const kith_option why_rows[] = {
    ASK_ROWS,
    ROW(ask_flags, "write", TEXT, write, 0, PATH_TEXT_MAX, "",
        "also write all that the answer was made of into this file"),
    ROW(ask_flags, "from", TEXT, from, 0, PATH_TEXT_MAX, "",
        "answer from such a file: the same bytes on any machine"),
    { .name = NULL },
};

const kith_option drill_rows[] = {
    ROW(drill_flags, "liars", TEXT, liars, 1, 15, "20%",
        "their share of all sources, themselves among them: 1% to 30%"),
    ONE(drill_flags, "lie", lie, "both", "both|gross|stealth",
        "gross: far out, all on one side; stealth: inside the honest spread, all on one "
        "side"),
    ROW(drill_flags, "seed", INT, seed, 0, BIG, "1", "of everything that is drawn by lot"),
    FIT_ROWS,
    KIND_ROWS,
    AGE_ROW,
    { .name = NULL },
};

const kith_option pool_rows[] = {
    ONE(pool_flags, "method", method, "pm", "pm|fe|dl|reml",
        "the estimate that stands in answer"),
    ONE(pool_flags, "ci", ci, "mhk", "mhk|hk|wald", "and its interval"),
    YES(pool_flags, "robust", robust,
        "the answer is that of ask: caps, and who is too far out does not count"),
    { .name = NULL },
};

const kith_option effect_rows[] = {
    ONE(effect_flags, "measure", measure, "each", "each|RR|OR|RD|MN|MD|SMD|ROM|ZCOR|PLO",
        "what is computed; each: what the column measure says"),
    ROW(effect_flags, "columns", TEXT, columns, 0, 511, "",
        "the columns of the measure, in its order, by commas"),
    ROW(effect_flags, "source", TEXT, source, 0, 63, "source",
        "the column that names whose row it is"),
    { .name = NULL },
};

const kith_option sync_rows[] = {
    ROW(sync_flags, "W", TIME, wait_ns, 0, DAY, "60s", "give up after so long"),
    ROW(sync_flags, "only", TEXT, only, 0, KITH_SUBJECT_MAX, ">",
        "fetch only what matches this pattern"),
    ROW(sync_flags, "near", TEXT, near, 0, 1023, "",
        "of the subject --only, fetch only the cells of this context"),
    ROW(sync_flags, "template", TEXT, template, 0, 63, "",
        "whose cells: name, name@version or id"),
    { .name = NULL },
};

const kith_option run_rows[] = {
    ROW(run_flags, "carrier", TEXT, carrier, 0, KITH_URL_MAX, "",
        "use this carrier and none of the configured"),
    ROW(run_flags, "subject", TEXT, subject, 0, KITH_SUBJECT_MAX, "",
        "read a signal from stdin and post it here"),
    ONE(run_flags, "kind", kind, "mean", "mean|baseline|trials|outcome",
        "what the lines of stdin are"),
    ROW(run_flags, "count", INT, count, 0, U32, "100",
        "observations in a window; 0: only time ends it"),
    ROW(run_flags, "window", TIME, window_ns, 0, 365 * DAY, "0s",
        "a window's time; 0: only the count ends it"),
    ROW(run_flags, "ttl", TIME, ttl_ns, INT64_C(1000000000), 3652 * DAY, "7d",
        "how long a packet counts"),
    ROW(run_flags, "unit", INT, unit, -9, 9, "0", "effects are counted in units of 10^U"),
    ONE(run_flags, "action", action, "none", "none|print|json|run",
        "what to do with a changed answer"),
    ROW(run_flags, "command", TEXT, command, 0, 1023, "",
        "the program of --action run, with arguments; no shell"),
    YES(run_flags, "relay", relay, "carry on what came by another carrier"),
    ROW(run_flags, "for", TIME, for_ns, 0, 3652 * DAY, "0s",
        "end after so long; 0 is never"),
    { .name = NULL },
};

const kith_option export_rows[] = {
    ROW(file_flags, "o", TEXT, output, 0, PATH_TEXT_MAX, "-", "write here; - is stdout"),
    { .name = NULL },
};

const kith_option decode_rows[] = {
    YES(file_flags, "raw", raw, "the file is one packet's bytes, not lines of hex"),
    { .name = NULL },
};

const kith_option addr_rows[] = {
    ROW(addr_flags, "match", TEXT, match, 0, KITH_SUBJECT_MAX, "",
        "exit 0 if this pattern takes it, else 1"),
    ROW(addr_flags, "unit", INT, unit, -9, 9, "0",
        "of the built-in template with units of 10^U"),
    ROW(addr_flags, "template", TEXT, template, 0, 63, "",
        "of this template: name, name@version or id"),
    ROW(addr_flags, "near", TEXT, near, 0, 1023, "",
        "show the cells of this context: where it is posted, what its reader follows"),
    { .name = NULL },
};

const kith_option template_rows[] = {
    YES(template_flags, "dry-run", dry_run, "check and show the id, keep nothing"),
    { .name = NULL },
};

const kith_option config_rows[] = {
    YES(config_flags, "origin", origin, "also where each value comes from"),
    { .name = NULL },
};

const kith_option help_rows[] = {
    YES(help_flags, "a", all,
        "also commands that come later, and programs kith-NAME on PATH"),
    YES(help_flags, "markdown", markdown, "the whole reference, as in docs/cli.md"),
    { .name = NULL },
};

const kith_option budget_rows[] = {
    ROW(budget_flags, "rho", REAL, rho, 0, 65536, NULL, "the limit, as rho"),
    ROW(budget_flags, "epsilon", REAL, epsilon, 0, 1000, NULL,
        "the limit, as epsilon at delta 1e-6"),
    ROW(budget_flags, "renew", TIME, renew_ns, 0, 3652 * DAY, "0s",
        "the limit is anew after so long; 0 is never"),
    { .name = NULL },
};

const kith_option demo_rows[] = {
    ROW(demo_flags, "seed", INT, seed, 0, U32, "1",
        "of the hidden truth and everybody's noise"),
    ROW(demo_flags, "for", TIME, seconds_ns, INT64_C(5000000000), HOUR, "35s",
        "how long it runs"),
    ROW(demo_flags, "nodes", INT, nodes, 4, 24, "12", "how many buildings"),
    ROW(demo_flags, "folder", TEXT, folder, 0, PATH_TEXT_MAX, "",
        "where to put it; preset: a new one, removed at the end"),
    YES(demo_flags, "keep", keep, "do not remove the folder"),
    { .name = NULL },
};

const kith_option conform_rows[] = {
    YES(conform_flags, "long", slow, "the slow cases in full"),
    ROW(conform_flags, "only", TEXT, only, 0, 63, "", "only checks whose name begins so"),
    ROW(conform_flags, "plugins", TEXT, plugins, 0, PATH_TEXT_MAX, "",
        "the folder with kith-carrier-NAME.so"),
    ROW(conform_flags, "seed", INT, seed, 0, U32, "1", "of everything drawn by lot"),
    { .name = NULL },
};

const kith_option sim_rows[] = {
    ROW(sim_flags, "panel", TEXT, panel, 0, 63, "", "which panels: A, A..E, B,D"),
    YES(sim_flags, "all", all, "every panel, A to J"),
    YES(sim_flags, "quick", quick,
        "fewer draws, smaller swarms: seconds, with bounds wider by three sampling errors"),
    ROW(sim_flags, "svg", TEXT, svg, 0, PATH_TEXT_MAX, "",
        "also a picture, into this file"),
    ROW(sim_flags, "seed", INT, seed, 0, BIG, "1", "of everything that is drawn by lot"),
    ROW(sim_flags, "nodes", INT, nodes, 2, 1000, NULL,
        "whole nodes through faults: so many; preset: drawn, 3 to 8"),
    ROW(sim_flags, "until", TIME, until_ns, INT64_C(1000000000), 30 * DAY, NULL,
        "simulated time with faults; preset: drawn, 1 to 8 min"),
    ROW(sim_flags, "seeds", TEXT, seeds, 0, 63, "",
        "1..200: many, up to the first failure"),
    ROW(sim_flags, "jobs", INT, jobs, 1, 64, "1", "so many seeds at once"),
    ROW(sim_flags, "without", TEXT, without, 0, 127, "",
        "leave these faults out: loss,repeat,delay,partition,crash,clock,sync,full,pause"),
    YES(sim_flags, "shrink", shrink,
        "when a seed fails: leave out what it takes not, and print the shorter command"),
    { .name = NULL },
};
/* clang-format on */
