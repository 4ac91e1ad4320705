/* SPDX-License-Identifier: Apache-2.0 */
/* cli/fault.h - the one table of what can go wrong, and how it is told.
 *
 *   error: no such command: psot [E001]
 *     why: kith has no command of that name; did you mean post?
 *     do:  kith help
 *
 * A code never changes its meaning and is never used again. `kith help E001`
 * prints its row. Every fault ends the program with its row's exit code.
 */
#ifndef CLI_FAULT_H
#define CLI_FAULT_H

#include "cli/out.h"

#include <kith/error.h>

/* The numbers are the codes: E_COMMAND is E001. */
typedef enum fault_id {
    E_COMMAND = 1,  /* no such command */
    E_FLAG = 2,     /* no such flag */
    E_VALUE = 3,    /* a value a flag does not take */
    E_ARGUMENT = 4, /* too few or too many arguments */
    E_TOGETHER = 5, /* flags that do not go together, or lack a partner */
    E_SUBJECT = 6,  /* not a subject or pattern */
    E_LATER = 7,    /* a command that comes with a later version */
    E_FORMAT = 8,   /* --format names nothing */
    E_TOPIC = 9,    /* help about something unknown */

    E_CONFIG = 10,      /* a line of a configuration file */
    E_NO_CONFIG = 11,   /* --config names no readable file */
    E_NO_KEY = 12,      /* no key yet */
    E_KEY_DENIED = 13,  /* a key file that others may read, a link ... */
    E_KEY_DAMAGED = 14, /* a key file that is not what was written */
    E_INITED = 15,      /* init would overwrite */
    E_FOLDER = 16,      /* a folder cannot be made or written */
    E_ENVIRONMENT = 17, /* a KITH_ variable makes no sense */
    E_KEY_NAME = 18,    /* config explain: no such key */

    E_PACKET = 20,   /* bytes that are no packet */
    E_LINE = 21,     /* a line of JSON that makes no sense */
    E_EVIDENCE = 22, /* evidence outside its range */
    E_UNIT = 23,     /* an effect that does not fit its unit */
    E_ROOM = 24,     /* more than 512 bytes */
    E_SAMPLES = 25,  /* samples that are no numbers, or too few */
    E_INPUT = 26,    /* an input file that cannot be read */
    E_PREFIX = 27,   /* an id that is not hex, or fits several packets */
    E_NOT_OWN = 28,  /* retract: somebody else's packet */
    E_ROW = 29,      /* a row of a table that is no number, or says nothing */

    E_FULL = 30,      /* disk or store full */
    E_BUSY = 31,      /* another process holds the store */
    E_DAMAGED = 32,   /* the store is damaged */
    E_NEWER = 33,     /* a schema or file system kith does not serve */
    E_OUTPUT = 34,    /* stdout or a file took no more */
    E_STORE = 35,     /* the store cannot be opened */
    E_READ_ONLY = 36, /* the store may be read and not written */

    E_URL = 40,       /* a carrier's URL makes no sense */
    E_UNREACHED = 41, /* the carrier cannot be reached */
    E_WAIT = 42,      /* -W ran out */
    E_NO_LINK = 43,   /* no carrier was named */
    E_LEVEL = 44,     /* --wait: no carrier of that level */

    E_NOTHING = 50, /* nothing matched */
    E_BUDGET = 51,  /* no privacy budget is left for it */
    E_TEXT = 52,    /* a text that looks like what should not leave */

    E_TEMPLATE = 53,  /* no such template here */
    E_DOCUMENT = 54,  /* a text that is no template */
    E_IMMUTABLE = 55, /* a name and version that mean something else here */

    E_COMMAND_RUN = 60, /* a program that kith runs for you failed to start */

    E_INTERNAL = 70, /* a fault of our own */
    E_MEMORY = 71,   /* no memory */

    E_BENCH = 80, /* kith-bench is not there */
} fault_id;

typedef struct fault_row {
    fault_id id;
    int exit;
    bool retriable;
    const char *what; /* {} stands for what it happened to */
    const char *why;  /* when nothing better is known */
    const char *todo; /* {} as in what */
} fault_row;

/* Ends with id 0. */
extern const fault_row fault_table[];
const fault_row *fault_find(int id);

/* Prints three lines, or a JSON object, on stderr. Returns the exit code. fmt is
 * the reason; NULL takes the table's. */
int fault(const out *o, fault_id id, const char *about, const char *fmt, ...)
    KITH_PRINTF(4, 5);
/* The same with another remedy than the table's. */
int fault_do(const out *o, fault_id id, const char *about, const char *todo,
    const char *fmt, ...) KITH_PRINTF(5, 6);

/* A failure of the library: its code chooses the row; `otherwise` is the row of
 * codes that say nothing special. */
int fault_kith(const out *o, fault_id otherwise, const char *about, const kith_error *err);

#endif
