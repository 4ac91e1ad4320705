/* SPDX-License-Identifier: Apache-2.0 */
/* The one option table of the configuration: file, environment and help. */
#include "cli/config.h"

#include <string.h>

/* clang-format off: a table is read by columns. */
#define ROW(t, n, k, f, lo, hi, pre, h)                                                    \
    {                                                                                      \
        .name = n, .type = KITH_OPTION_##k, .offset = offsetof(t, f), .min = lo,           \
        .max = hi, .preset = pre, .help = h                                                \
    }
#define ONE(t, n, f, pre, w, h)                                                            \
    {                                                                                      \
        .name = n, .type = KITH_OPTION_ONE, .offset = offsetof(t, f), .preset = pre,       \
        .words = w, .help = h                                                              \
    }
#define S   INT64_C(1000000000)
#define DAY (86400 * S)

static const kith_option store_rows[] = {
    ROW(store_section, "url", TEXT, url, 0, KITH_URL_MAX, "",
        "a path, sqlite:PATH?max_bytes=1G or memory:; preset: store.db in "
        "$XDG_DATA_HOME/kith"),
    { .name = NULL },
};
static const kith_option key_rows[] = {
    ROW(key_section, "file", TEXT, file, 0, PATH_TEXT_MAX, "",
        "this node's key; preset: key in $XDG_DATA_HOME/kith"),
    { .name = NULL },
};
static const kith_option log_rows[] = {
    ONE(log_section, "level", level, "info", "error|info|debug",
        "what run tells on stderr"),
    ONE(log_section, "form", form, "auto", "auto|human|json",
        "auto: human on a terminal, else JSON lines"),
    { .name = NULL },
};
static const kith_option node_rows[] = {
    { .name = "relay",
        .type = KITH_OPTION_BOOL,
        .offset = offsetof(node_section, relay),
        .preset = "no",
        .help = "carry on what came by another carrier" },
    { .name = "pool_unsigned",
        .type = KITH_OPTION_BOOL,
        .offset = offsetof(node_section, pool_unsigned),
        .preset = "no",
        .help =
            "ask, why and actions count what older programs said without a signature: one "
            "vote for each gateway it came by" },
    ROW(node_section, "follow", TEXT, follow, 0, 1023, "",
        "patterns to fetch, with blanks between; preset: everything"),
    ROW(node_section, "plugins", TEXT, plugins, 0, PATH_TEXT_MAX, "",
        "a folder with more kith-carrier-NAME.so than were installed"),
    { .name = NULL },
};
static const kith_option folder_rows[] = {
    ROW(template_section, "folder", TEXT, folder, 0, PATH_TEXT_MAX, "",
        "where templates are kept; preset: templates in $XDG_DATA_HOME/kith"),
    { .name = NULL },
};
static const kith_option carrier_rows[] = {
    ROW(carrier_section, "url", TEXT, url, 1, KITH_URL_MAX, NULL,
        "SCHEME://PLACE?OPTION=VALUE; see kith carriers"),
    { .name = NULL },
};
static const kith_option signal_rows[] = {
    ROW(signal_section, "subject", TEXT, subject, 1, KITH_SUBJECT_MAX, NULL,
        "where its packets are posted"),
    ONE(signal_section, "kind", kind, "mean", "mean|baseline|trials|outcome",
        "what its lines are"),
    ROW(signal_section, "command", TEXT, command, 0, 1023, "",
        "a program that prints lines, with arguments, no shell; preset: stdin"),
    ROW(signal_section, "every", TIME, every_ns, S / 10, DAY, "10s",
        "start the program again so long after it ended"),
    ROW(signal_section, "count", INT, count, 0, INT64_C(4294967295), "100",
        "observations in a window; 0: only time ends it"),
    ROW(signal_section, "window", TIME, window_ns, 0, 365 * DAY, "0s",
        "a window's time; 0: only the count ends it"),
    ROW(signal_section, "least", INT, least, 2, INT64_C(4294967295), "2",
        "fewer at the end of the time: go on"),
    ROW(signal_section, "ttl", TIME, ttl_ns, S, 3652 * DAY, "7d",
        "how long a packet counts"),
    ROW(signal_section, "unit", INT, unit, -9, 9, "0",
        "effects are counted in units of 10^U"),
    ROW(signal_section, "template", TEXT, template, 0, 63, "",
        "its packets are of this template: unit, ttl and ranges come from it"),
    ROW(signal_section, "near", TEXT, near, 0, 255, "",
        "the context of all its packets, in the words of the template"),
    { .name = NULL },
};
static const kith_option action_rows[] = {
    ROW(action_section, "subject", TEXT, subject, 1, KITH_SUBJECT_MAX, ">",
        "answers to which subjects, a pattern"),
    ONE(action_section, "do", act, "print", "none|print|json|run",
        "a line, a JSON line, or a program with the JSON on stdin"),
    ROW(action_section, "command", TEXT, command, 0, 1023, "",
        "the program of do = run, with arguments; no shell"),
    ROW(action_section, "every", TIME, every_ns, 0, DAY, "1s",
        "a subject acts at most so often"),
    ROW(action_section, "limit", TIME, limit_ns, S / 10, DAY, "30s",
        "the program is ended after so long"),
    { .name = NULL },
};

const section_row config_sections[] = {
    { "store", false, store_rows, sizeof(store_section) },
    { "key", false, key_rows, sizeof(key_section) },
    { "log", false, log_rows, sizeof(log_section) },
    { "node", false, node_rows, sizeof(node_section) },
    { "template", false, folder_rows, sizeof(template_section) },
    { "carrier", true, carrier_rows, sizeof(carrier_section) },
    { "signal", true, signal_rows, sizeof(signal_section) },
    { "action", true, action_rows, sizeof(action_section) },
    { .name = NULL },
};
/* clang-format on */

const kith_option *section_rows(const char *name, bool *ret_named, size_t *ret_size) {
    for (const section_row *s = config_sections; s->name != NULL; s++) {
        if (strcmp(s->name, name) == 0) {
            *ret_named = s->named;
            *ret_size = s->size;
            return s->rows;
        }
    }
    *ret_named = false;
    for (size_t i = 0; kith_carrier_at(i) != NULL; i++) {
        const kith_carrier *c = kith_carrier_at(i);
        if (strcmp(c->scheme, name) == 0) {
            *ret_size = c->state_size;
            return c->options;
        }
    }
    return NULL;
}
