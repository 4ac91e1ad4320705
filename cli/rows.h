/* SPDX-License-Identifier: Apache-2.0 */
/* cli/rows.h - a table of named columns from a file or stdin: CSV whose first line
 * names its columns, or JSON lines.
 *
 * The caller says which columns it knows, each by a few names; others are passed over.
 * Every bad row is told with its number, and the result is then EXIT_DATA: whoever
 * computes something from a table computes it from all of it or from nothing. */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include "cli/command.h"

#define ROWS_MAX_BYTES 65536 /* of one line */
#define ROW_WHY        320
#define CELLS_MAX      24
#define ROW_FAULTS     10 /* so many bad rows are told; the rest are counted */

typedef struct column {
    const char *names; /* "effect|yi|y"; the first is the one we speak of */
    bool needed;
} column;

typedef struct row_cells {
    unsigned long long line;
    size_t count;                /* the columns of the caller */
    const char *cell[CELLS_MAX]; /* NULL: not there, or empty */
} row_cells;

/* false, and the reason in why: the row is bad. */
typedef bool (*row_each)(void *ctx, const row_cells *row, char why[ROW_WHY]);

/* from: a path, or - for stdin. columns ends with a NULL name. 0, or the exit code
 * after all that is wrong was told. No row at all is EXIT_DATA too. */
int each_row(
    const call *c, const char *from, const column *columns, row_each each, void *ctx);

/* A finite decimal number and nothing else. */
bool cell_number(const char *text, double *ret);

#endif
