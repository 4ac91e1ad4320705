/* SPDX-License-Identifier: Apache-2.0 */
/* legacy/python.h - JSON as Python's json.dumps writes it by its presets. */
#ifndef LEGACY_PYTHON_H
#define LEGACY_PYTHON_H

#include <stdbool.h>
#include <stddef.h>

#define PYTHON_REAL_MAX 32

/* A line that grows in the caller's memory; NUL behind it once it is done. */
typedef struct line {
    char *at, *end; /* the next byte; behind the last that may be written */
    bool full;      /* something did not fit: what stands there is worthless */
} line;

void ki_line_raw(line *l, const char *text);
/* In quotes; everything beyond ' '..'~' as \u escapes. text is UTF-8. */
void ki_line_string(line *l, const char *text);
/* repr(x): the shortest digits that give x again. x is finite. */
void ki_line_real(line *l, double x);
void ki_line_int(line *l, long long x);

/* The same as ki_line_real, alone. Returns its length. */
size_t ki_python_real(double x, char ret[PYTHON_REAL_MAX]);

#endif
