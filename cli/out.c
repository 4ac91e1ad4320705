/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/out.h"

#include "cli/check.h"
#include "cli/exits.h"
#include "cli/fault.h"
#include "cli/format.h"
#include "cli/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool set(const char *name) {
    const char *value = getenv(name);
    return value != NULL && *value != '\0';
}

static bool utf8(void) {
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && *value != '\0') {
            return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
        }
    }
    return false;
}

/* --color > NO_COLOR > FORCE_COLOR > a terminal that is not dumb. */
static bool colors(int choice, bool tty) {
    if (choice != 0) return choice == 1;
    if (set("NO_COLOR")) return false;
    if (set("FORCE_COLOR")) return true;
    const char *term = getenv("TERM");
    return tty && term != NULL && strcmp(term, "dumb") != 0;
}

static int width_of(int fd) {
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    if (columns != NULL && *columns != '\0') {
        long n = strtol(columns, NULL, 10);
        if (n >= 20 && n <= 1000) return (int) n;
    }
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void out_init(out *o, const out_options *options) {
    bool tty = isatty(STDOUT_FILENO) == 1, err_tty = isatty(STDERR_FILENO) == 1;
    *o = (out){
        .to = stdout,
        .err = stderr,
        .json = options->json,
        .zero = options->zero,
        .ascii = options->ascii || !utf8(),
        .tty = tty,
        .err_tty = err_tty,
        .color = colors(options->color, tty),
        .err_color = colors(options->color, err_tty),
        .format = options->format,
        .width = tty ? width_of(STDOUT_FILENO) : 80,
    };
}

record record_of(const char *kind) {
    return (record){ .kind = kind };
}

static field *put(record *r, const char *name, field_kind kind) {
    CHECK(r->count < FIELDS_MAX);
    field *f = &r->fields[r->count++];
    *f = (field){ .name = name, .kind = kind };
    return f;
}

field *put_text(record *r, const char *name, const char *text) {
    field *f = put(r, name, FIELD_TEXT);
    f->text = text;
    return f;
}

field *put_real(record *r, const char *name, double value) {
    field *f = put(r, name, FIELD_REAL);
    f->real = value;
    return f;
}

field *put_int(record *r, const char *name, int64_t value) {
    field *f = put(r, name, FIELD_INT);
    f->number = value;
    return f;
}

field *put_count(record *r, const char *name, uint64_t value) {
    field *f = put(r, name, FIELD_COUNT);
    f->count = value;
    return f;
}

field *put_bool(record *r, const char *name, bool value) {
    field *f = put(r, name, FIELD_BOOL);
    f->number = value;
    return f;
}

field *put_time(record *r, const char *name, int64_t wall_us) {
    field *f = put(r, name, FIELD_TIME);
    f->number = wall_us;
    return f;
}

field *put_hex(record *r, const char *name, const uint8_t *bytes, size_t length) {
    field *f = put(r, name, FIELD_HEX);
    f->bytes = bytes;
    f->length = length;
    return f;
}

field *put_absent(record *r, const char *name) {
    return put(r, name, FIELD_ABSENT);
}

field *put_reals(record *r, const char *name, const double *values, size_t count) {
    field *f = put(r, name, FIELD_REALS);
    f->reals = values;
    f->length = count;
    return f;
}

void as_column(field *f, unsigned digits) {
    f->column = true;
    f->digits = (uint8_t) digits;
}

static void json_field(json *j, const field *f) {
    char name[80];
    if (f->kind == FIELD_ABSENT) return;
    js_key(j, f->name);
    switch (f->kind) {
    case FIELD_TEXT: js_text(j, f->text); break;
    case FIELD_REAL: js_real(j, f->real); break;
    case FIELD_INT: js_int(j, f->number); break;
    case FIELD_COUNT: js_count(j, f->count); break;
    case FIELD_BOOL: js_bool(j, f->number != 0); break;
    case FIELD_HEX: js_hex(j, f->bytes, f->length); break;
    case FIELD_TIME:
        js_time(j, f->number);
        snprintf(name, sizeof name, "%s_us", f->name);
        js_key(j, name);
        js_big(j, f->number);
        break;
    case FIELD_ABSENT: break;
    case FIELD_REALS:
        js_begin(j, '[');
        for (size_t i = 0; i < f->length; i++) js_real(j, f->reals[i]);
        js_end(j, ']');
        break;
    }
}

void out_json(FILE *to, const record *r) {
    json j = js_to(to);
    js_begin(&j, '{');
    js_key(&j, "v");
    js_int(&j, 1);
    js_key(&j, "kind");
    js_text(&j, r->kind);
    for (size_t i = 0; i < r->count; i++) json_field(&j, &r->fields[i]);
    js_end(&j, '}');
    fputc('\n', to);
}

/* ---- tables ---- */

typedef struct rows {
    size_t count, columns;
    size_t width[FIELDS_MAX];
    bool right[FIELDS_MAX];
    const char *names[FIELDS_MAX];
    char *cells[BATCH_MAX][FIELDS_MAX];
    bool headed;
} rows;

/* Columns on a screen: UTF-8 bytes that begin a character. */
static size_t cells_wide(const char *text) {
    size_t n = 0;
    for (; *text != '\0'; text++) n += (*text & 0xc0) != 0x80;
    return n;
}

static void pad(FILE *to, size_t n) {
    while (n-- > 0) fputc(' ', to);
}

static void print_row(const out *o, const rows *t, char *const *cells) {
    for (size_t i = 0; i < t->columns; i++) {
        size_t wide = cells_wide(cells[i]), want = t->width[i];
        size_t gap = want > wide ? want - wide : 0;
        if (t->right[i]) pad(o->to, gap);
        fputs(cells[i], o->to);
        if (i + 1 < t->columns) pad(o->to, (t->right[i] ? 0 : gap) + 2);
    }
    fputc('\n', o->to);
}

static void print_head(const out *o, rows *t) {
    for (size_t i = 0; i < t->columns; i++) {
        size_t wide = strlen(t->names[i]), gap = t->width[i] - wide;
        if (t->right[i]) pad(o->to, gap);
        fprintf(o->to, "%s%s%s", o->color ? "\x1b[1m" : "", t->names[i],
            o->color ? "\x1b[0m" : "");
        if (i + 1 < t->columns) pad(o->to, (t->right[i] ? 0 : gap) + 2);
    }
    fputc('\n', o->to);
    t->headed = true;
}

void out_rows(out *o) {
    rows *t = o->rows;
    if (t == NULL || t->count == 0) return;
    if (!t->headed) print_head(o, t);
    for (size_t i = 0; i < t->count; i++) {
        print_row(o, t, t->cells[i]);
        for (size_t k = 0; k < t->columns; k++) free(t->cells[i][k]);
    }
    t->count = 0;
}

static void add_row(out *o, const record *r) {
    if (o->rows == NULL) o->rows = calloc(1, sizeof *o->rows);
    rows *t = o->rows;
    if (t == NULL) abort();
    if (t->count == BATCH_MAX) out_rows(o);
    size_t column = 0;
    for (size_t i = 0; i < r->count; i++) {
        const field *f = &r->fields[i];
        char cell[CELL_MAX];
        if (!f->column) continue;
        field_text(f, true, cell, sizeof cell);
        t->cells[t->count][column] = strdup(cell);
        if (t->cells[t->count][column] == NULL) abort();
        t->names[column] = f->name;
        t->right[column] =
            f->kind == FIELD_REAL || f->kind == FIELD_INT || f->kind == FIELD_COUNT;
        size_t wide = cells_wide(cell), head = strlen(f->name);
        wide = wide > head ? wide : head;
        t->width[column] = wide > t->width[column] ? wide : t->width[column];
        column++;
    }
    t->columns = column;
    t->count++;
}

static void piped_row(const out *o, const record *r) {
    bool first = true;
    for (size_t i = 0; i < r->count; i++) {
        char cell[CELL_MAX];
        if (!r->fields[i].column) continue;
        if (!first) fputc('\t', o->to);
        fputs(field_text(&r->fields[i], false, cell, sizeof cell), o->to);
        first = false;
    }
    fputc(o->zero ? '\0' : '\n', o->to);
}

bool out_emit(out *o, const record *r) {
    if (o->json) {
        out_json(o->to, r);
    } else if (o->format != NULL) {
        if (!format_record(o, r)) return false;
        fputc(o->zero ? '\0' : '\n', o->to);
    } else if (o->tty && !o->zero) {
        add_row(o, r);
    } else {
        piped_row(o, r);
    }
    return true;
}

bool out_flush(out *o) {
    out_rows(o);
    return fflush(o->to) == 0 && ferror(o->to) == 0;
}

int out_end(out *o) {
    if (out_flush(o)) return 0;
    int why = errno;
    if (o->output_told || why == EPIPE) return EXIT_IO;
    o->output_told = true;
    return fault(o, E_OUTPUT, "stdout", "%s", strerror(why));
}

void out_fini(out *o) {
    free(o->rows);
    o->rows = NULL;
}

char *printable(const char *text, char *ret, size_t size) {
    const unsigned char *s = (const unsigned char *) text;
    size_t n = 0;
    CHECK(size > 0);
    while (*s != '\0') {
        size_t wide = utf8_sequence(s);
        /* C0, DEL, and C1, which some terminals obey as they do ESC [ */
        bool good = wide > 1 ? !(s[0] == 0xc2 && s[1] < 0xa0)
                             : wide == 1 && *s >= 0x20 && *s != 0x7f;
        if (n + (good ? wide : 1) >= size) break;
        if (good) {
            memcpy(ret + n, s, wide);
        } else {
            ret[n] = '?';
        }
        n += good ? wide : 1;
        s += wide == 0 ? 1 : wide;
    }
    ret[n] = '\0';
    return ret;
}

static void KITH_PRINTF(3, 0)
    say(const out *o, const char *kind, const char *fmt, va_list args) {
    char text[CELL_MAX], safe[CELL_MAX];
    (void) vsnprintf(text, sizeof text, fmt, args);
    if (o->json) {
        record r = record_of(kind);
        put_text(&r, "text", text);
        out_json(o->err, &r);
    } else {
        fprintf(o->err, "%s: %s\n", kind, printable(text, safe, sizeof safe));
    }
    fflush(o->err);
}

void out_note(const out *o, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    say(o, "note", fmt, args);
    va_end(args);
}

void out_next(const out *o, const char *fmt, ...) {
    if (!o->tty || !o->err_tty || o->json || o->format != NULL) return;
    va_list args;
    va_start(args, fmt);
    say(o, "next", fmt, args);
    va_end(args);
}
