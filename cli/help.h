/* SPDX-License-Identifier: Apache-2.0 */
/* cli/help.h - everything help says comes from the tables. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/command.h"

int help_screen(out *o, bool all);
int help_command(out *o, const command *c);
int help_markdown(out *o);
int help_json(out *o);

typedef struct topic {
    const char *name, *text;
} topic;
extern const topic help_topics[];

/* "a number", "a time" ...: what a flag takes. */
const char *flag_takes(const kith_option *row);
/* "-n" or "--effect". Returns ret. */
char *flag_spelling(const kith_option *row, char *ret, size_t size);

#endif
