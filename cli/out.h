/* SPDX-License-Identifier: Apache-2.0 */
/* cli/out.h - what a command prints, in one form for all.
 *
 * A command makes records; this turns each into a row of an aligned table (a
 * terminal), a line of TAB-separated columns (a pipe), a JSON object (--json) or
 * what --format asks for. stdout is data, stderr everything else.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <kith/export.h>

#include <stdio.h>

#define FIELDS_MAX 64
#define CELL_MAX   1024 /* bytes of one cell */
#define BATCH_MAX  256  /* rows looked at to find the widths of columns */

typedef enum field_kind {
    FIELD_TEXT = 1,
    FIELD_REAL = 2,
    FIELD_INT = 3,
    FIELD_COUNT = 4, /* 64 bits: a string in JSON */
    FIELD_BOOL = 5,
    FIELD_TIME = 6, /* wall, microseconds; JSON has NAME and NAME_us */
    FIELD_HEX = 7,
    FIELD_REALS = 8,  /* a list */
    FIELD_ABSENT = 9, /* not in this record: left out in JSON, - elsewhere */
} field_kind;

/* A field borrows what it points to until the record is emitted. */
typedef struct field {
    const char *name;
    field_kind kind;
    bool column;    /* shown in tables */
    uint8_t digits; /* REAL in a table on a terminal: significant; 0: all.
                     * HEX: shown bytes on a terminal; 0: all */
    const char *text;
    double real;
    const double *reals;
    int64_t number;
    uint64_t count;
    const uint8_t *bytes;
    size_t length; /* of bytes or reals */
} field;

typedef struct record {
    const char *kind; /* JSON's "kind" */
    size_t count;
    field fields[FIELDS_MAX];
} record;

typedef struct out {
    FILE *to, *err;
    bool json, zero, ascii, tty, err_tty, color, err_color;
    const char *format; /* NULL: none */
    int width;
    bool failed;       /* a --format that makes no sense was told already */
    bool damage_told;  /* that the store was set aside */
    bool output_told;  /* that stdout took no more */
    struct rows *rows; /* waiting for their widths; NULL until the first */
} out;

/* Chosen by --color, or else the environment; see docs/cli.md. */
typedef struct out_options {
    bool json, zero, ascii;
    int color; /* 0 auto, 1 always, 2 never */
    const char *format;
} out_options;
void out_init(out *o, const out_options *options);

record record_of(const char *kind);
field *put_text(record *r, const char *name, const char *text);
field *put_real(record *r, const char *name, double value);
field *put_int(record *r, const char *name, int64_t value);
field *put_count(record *r, const char *name, uint64_t value);
field *put_bool(record *r, const char *name, bool value);
field *put_time(record *r, const char *name, int64_t wall_us);
field *put_hex(record *r, const char *name, const uint8_t *bytes, size_t length);
field *put_absent(record *r, const char *name);
field *put_reals(record *r, const char *name, const double *values, size_t count);
/* The last field put is a column of the table. digits as in field. */
void as_column(field *f, unsigned digits);

/* false: --format names no field of it; a fault was printed. */
bool out_emit(out *o, const record *r);
/* The same as JSON only, on one line, to any stream. */
void out_json(FILE *to, const record *r);
/* Rows that wait are printed; then everything is in the kernel's hands. */
void out_rows(out *o);
/* false: stdout could not take it; errno says why. Call before exit. */
bool out_flush(out *o);
/* 0, or the exit code after it was told, once, that stdout took no more. A reader that
 * went away is nobody to tell. */
int out_end(out *o);
void out_fini(out *o);

/* For a person at a terminal only: the next command, on stderr. */
void out_next(const out *o, const char *fmt, ...) KITH_PRINTF(2, 3);
/* A note on stderr: {"v":1,"kind":"note","text":...} or "note: ...". */
void out_note(const out *o, const char *fmt, ...) KITH_PRINTF(2, 3);

/* Untrusted text made safe for a terminal and for a line: control characters, and bytes
 * that are no UTF-8, become '?'. Cut to size between characters. */
char *printable(const char *text, char *ret, size_t size);

#endif
