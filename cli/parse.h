/* SPDX-License-Identifier: Apache-2.0 */
/* cli/parse.h - from argv to a call, by the command table.
 *
 * --name VALUE, --name=VALUE, --flag, --no-flag, -n VALUE, -nVALUE; -- ends
 * flags. Flags may stand anywhere behind the command. A number that begins with
 * '-' is a value where a value is due, and an argument nowhere.
 */
#ifndef CLI_PARSE_H
#define CLI_PARSE_H

#include "cli/command.h"

typedef struct parsed {
    const command *command; /* NULL: none was named */
    common_flags common;
    uint64_t common_given, given;
    void *flags; /* heap; NULL when the command has none */
    const char *args[ARGS_MAX];
    size_t arg_count;
    bool version; /* kith --version */
} parsed;

/* 0, or the exit code of a fault that was printed. Free with parse_fini. */
int parse_args(parsed *ret, out *o, int argc, const char *const *argv);
void parse_fini(parsed *p);

/* --json, --color and the like are wanted before anything can fail: looks for
 * them without complaint. */
void parse_output(out_options *ret, int argc, const char *const *argv);

/* The index of the row with that name, or -1. */
int row_index(const kith_option *rows, const char *name);

#endif
