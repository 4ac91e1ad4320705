/* SPDX-License-Identifier: Apache-2.0 */
/* cli/exits.h - the exit codes; systemd knows 64 to 78 by name. */
#ifndef CLI_EXITS_H
#define CLI_EXITS_H

enum {
    EXIT_DONE = 0,
    EXIT_NOTHING = 1, /* nothing matched, insufficient, assertion false */
    EXIT_USAGE = 64,
    EXIT_DATA = 65,
    EXIT_UNREACHED = 69,
    EXIT_SOFTWARE = 70,
    EXIT_IO = 74,
    EXIT_TEMPORARY = 75,
    EXIT_PROTOCOL = 76,
    EXIT_DENIED = 77,
    EXIT_CONFIG = 78,
    EXIT_TIMEOUT = 124,
    EXIT_INTERRUPTED = 130,
    EXIT_TERMINATED = 143,
};

/* In words, for help; NULL: not one of ours. */
const char *exit_words(int code);

#endif
