/* SPDX-License-Identifier: Apache-2.0 */
/* cli/command.h - one row of the command table, and what a command is given.
 *
 * cli/table.c drives parsing, --help, `kith help --json`, the reference
 * docs/cli.md, and later the manual pages and completion. A new command is a row
 * there, a struct and an option table in cli/flags.[hc], and one function.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/exits.h"
#include "cli/fault.h"
#include "cli/flags.h"
#include "cli/out.h"

#include <kith/option.h>

#define ARGS_MAX 64

typedef enum command_class {
    CLASS_RO = 0,     /* changes nothing but a file you name */
    CLASS_RW = 1,     /* changes this node, or sends what it may send */
    CLASS_DANGER = 2, /* loosens safety, or changes what others may do */
} command_class;

/* A line a shell runs in a scratch folder after `kith init`, and its exit code. A
 * test runs every one, in the order of the table. code < 0: not run. */
typedef struct example {
    const char *line;
    int code;
} example;

struct settings;

typedef struct call {
    const struct command *command;
    const common_flags *common;
    uint64_t common_given;
    const void *flags;               /* the command's own struct of cli/flags.h */
    uint64_t given;                  /* bit i: row i of its table was on the command line */
    const struct settings *settings; /* NULL for commands that need none */
    const char *const *args;
    size_t arg_count;
    out *out;
} call;

#define EXAMPLES_MAX 6
typedef struct command {
    const char *name;
    const char *noun; /* second word, or NULL */
    const char *group;
    command_class klass;
    const char *synopsis; /* arguments only: "SUBJECT [-]" */
    uint8_t args_min, args_max;
    const char *summary; /* one line, no full stop */
    const char *detail;  /* paragraphs; NULL: the summary says it all */
    const kith_option *flags;
    size_t flags_size;
    const char *exits;         /* "0 1 64": each is in cli/exits.h */
    bool bare;                 /* reads no configuration */
    int (*run)(const call *c); /* the exit code; NULL: comes later */
    example examples[EXAMPLES_MAX];
} command;

/* Ends with a NULL name. Commands of one name with nouns stand together. */
extern const command command_table[];

/* The row, or NULL. noun may be NULL. */
const command *command_find(const char *name, const char *noun);
bool command_has_nouns(const char *name);
/* "store stat" */
char *command_title(const command *c, char *ret, size_t size);

/* Was this flag on the command line? name must be one of the table. */
bool flag_given(const call *c, const char *name);

#endif
