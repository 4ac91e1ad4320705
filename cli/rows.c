/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/rows.h"

#include "cli/check.h"
#include "cli/lines.h"

#include <jansson.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIELDS_PER_LINE 256
#define NUMBER_TEXT     32

typedef struct reader {
    const call *c;
    const column *columns;
    size_t column_count;
    row_each each;
    void *ctx;
    unsigned long long line, good, bad;
    bool headed; /* the line with the names was read, or it is JSON */
    bool json;
    int at[CELLS_MAX]; /* CSV: the field of each column, or -1 */
    char *text;        /* a copy of the line, cut into its fields */
    char numbers[CELLS_MAX][NUMBER_TEXT];
} reader;

bool cell_number(const char *text, double *ret) {
    char *end;
    if (text == NULL || text[strspn(text, "0123456789+-.eE")] != '\0') return false;
    double x = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(x)) return false;
    *ret = x;
    return true;
}

/* Is `name` one of "a|b|c"? */
static bool is_named(const char *names, const char *name) {
    size_t n = strlen(name);
    for (const char *at = names; n > 0 && *at != '\0';) {
        size_t length = strcspn(at, "|");
        if (length == n && memcmp(at, name, n) == 0) return true;
        at += length + (at[length] == '|');
    }
    return false;
}

static const char *first_name(const char *names, char ret[64]) {
    snprintf(ret, 64, "%.*s", (int) strcspn(names, "|"), names);
    return ret;
}

static void told(reader *r, const char *why) {
    char about[40];
    if (++r->bad > ROW_FAULTS) return;
    snprintf(about, sizeof about, "line %llu", r->line);
    (void) fault(r->c->out, E_ROW, about, "%s", why);
}

/* One field of a CSV line, in place; false: a quote that does not end, or text behind
 * one. *at is NULL behind the last field. */
static bool csv_field(char **at, char **ret) {
    char *s = *at, *to;
    while (*s == ' ') s++;
    if (*s != '"') {
        char *end = s + strcspn(s, ",");
        *at = *end == ',' ? end + 1 : NULL;
        while (end > s && end[-1] == ' ') end--;
        *end = '\0';
        *ret = s;
        return true;
    }
    *ret = to = ++s;
    for (; *s != '\0' && (*s != '"' || s[1] == '"'); s++) {
        s += *s == '"';
        *to++ = *s;
    }
    if (*s != '"') return false;
    s++;
    while (*s == ' ') s++;
    *to = '\0';
    *at = *s == ',' ? s + 1 : NULL;
    return *s == ',' || *s == '\0';
}

/* The fields of r->text; -1 after the reason was written. */
static int csv_split(reader *r, char *ret[FIELDS_PER_LINE], char why[ROW_WHY]) {
    char *at = r->text;
    int count = 0;
    while (at != NULL && count < FIELDS_PER_LINE) {
        if (!csv_field(&at, &ret[count++])) {
            snprintf(why, ROW_WHY, "a quote in field %d does not end it", count);
            return -1;
        }
    }
    if (at != NULL) {
        snprintf(why, ROW_WHY, "it has over %d fields", FIELDS_PER_LINE);
        return -1;
    }
    return count;
}

/* The line with the names. */
static bool csv_head(reader *r, char why[ROW_WHY]) {
    char *fields[FIELDS_PER_LINE], name[64];
    int count = csv_split(r, fields, why);
    for (size_t i = 0; i < r->column_count && count >= 0; i++) {
        r->at[i] = -1;
        for (int f = 0; f < count; f++) {
            if (!is_named(r->columns[i].names, fields[f])) continue;
            if (r->at[i] >= 0) {
                snprintf(why, ROW_WHY, "two columns are %s: %.60s and %.60s",
                    first_name(r->columns[i].names, name), fields[r->at[i]], fields[f]);
                return false;
            }
            r->at[i] = f;
        }
        if (r->at[i] < 0 && r->columns[i].needed) {
            snprintf(why, ROW_WHY,
                "the first line names the columns, and none of them is %s",
                first_name(r->columns[i].names, name));
            return false;
        }
    }
    return count >= 0;
}

static bool csv_row(reader *r, row_cells *ret, char why[ROW_WHY]) {
    char *fields[FIELDS_PER_LINE];
    int count = csv_split(r, fields, why);
    if (count < 0) return false;
    for (size_t i = 0; i < r->column_count; i++) {
        if (r->at[i] >= count) {
            snprintf(
                why, ROW_WHY, "it has %d of the fields that the first line names", count);
            return false;
        }
        bool there = r->at[i] >= 0 && fields[r->at[i]][0] != '\0';
        ret->cell[i] = there ? fields[r->at[i]] : NULL;
    }
    return true;
}

/* A value as the text that a CSV would have. */
static bool json_cell(reader *r, size_t i, const json_t *value, row_cells *ret) {
    if (json_is_null(value)) return true;
    if (json_is_string(value)) {
        if (strlen(json_string_value(value)) != json_string_length(value)) return false;
        ret->cell[i] =
            json_string_value(value)[0] == '\0' ? NULL : json_string_value(value);
        return true;
    }
    if (!json_is_number(value)) return false;
    snprintf(r->numbers[i], NUMBER_TEXT, "%.17g", json_number_value(value));
    ret->cell[i] = r->numbers[i];
    return true;
}

static bool json_row(reader *r, json_t *object, row_cells *ret, char why[ROW_WHY]) {
    if (!json_is_object(object)) {
        snprintf(why, ROW_WHY, "it is no JSON object");
        return false;
    }
    for (size_t i = 0; i < r->column_count; i++) {
        bool found = false;
        for (void *at = json_object_iter(object); at != NULL;
             at = json_object_iter_next(object, at)) {
            const char *key = json_object_iter_key(at);
            if (!is_named(r->columns[i].names, key)) continue;
            if (found || !json_cell(r, i, json_object_iter_value(at), ret)) {
                snprintf(why, ROW_WHY, "%.60s %s", key,
                    found ? "is said twice, under two names"
                          : "is neither a number nor a text");
                return false;
            }
            found = true;
        }
    }
    return true;
}

static bool take(reader *r, row_cells *row, char why[ROW_WHY]) {
    char name[64];
    for (size_t i = 0; i < r->column_count; i++) {
        if (row->cell[i] == NULL && r->columns[i].needed) {
            snprintf(why, ROW_WHY, "%s is missing", first_name(r->columns[i].names, name));
            return false;
        }
    }
    return r->each(r->ctx, row, why);
}

static bool json_line(reader *r, size_t length, row_cells *row, char why[ROW_WHY]) {
    json_error_t bad;
    json_t *object = json_loadb(r->text, length,
        JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &bad);
    if (object == NULL) {
        snprintf(why, ROW_WHY, "%.200s, column %d", bad.text, bad.column);
        return false;
    }
    bool good = json_row(r, object, row, why) && take(r, row, why);
    json_decref(object);
    return good;
}

/* false: nothing that comes behind makes sense. */
static bool read_line(reader *r, const char *text, size_t length) {
    char why[ROW_WHY] = "";
    r->line++;
    if (r->line == 1 && length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3; /* the mark some editors put before the first line */
        length -= 3;
    }
    length = lines_trim(text, length);
    if (length == 0) return true;
    bool good = length <= ROWS_MAX_BYTES && memchr(text, '\0', length) == NULL;
    if (!good) {
        snprintf(
            why, sizeof why, length > ROWS_MAX_BYTES ? "it is too long" : "a zero byte");
        told(r, why);
        return r->headed;
    }
    memcpy(r->text, text, length);
    r->text[length] = '\0';
    row_cells row = { .line = r->line, .count = r->column_count };
    if (!r->headed) {
        r->headed = true;
        r->json = *text == '{';
        if (!r->json) {
            good = csv_head(r, why);
            if (!good) told(r, why);
            return good;
        }
    }
    good = r->json ? json_line(r, length, &row, why)
                   : csv_row(r, &row, why) && take(r, &row, why);
    r->good += good;
    if (!good) told(r, why);
    return true;
}

static int read_all(reader *r, int fd, const char *from) {
    lines in;
    int got = 0;
    bool more = true;
    if (!lines_init(&in, fd, ROWS_MAX_BYTES)) return fault(r->c->out, E_MEMORY, from, NULL);
    while (more && (got = lines_read(&in)) > 0) {
        const char *text;
        size_t length;
        while (more && lines_next(&in, &text, &length)) more = read_line(r, text, length);
    }
    lines_fini(&in);
    if (got < 0) return fault(r->c->out, E_INPUT, from, "%s", strerror(errno));
    if (r->bad > ROW_FAULTS) {
        out_note(r->c->out, "%llu bad rows more", r->bad - ROW_FAULTS);
    }
    if (r->bad == 0 && r->good == 0) {
        return fault(r->c->out, E_ROW, from, "there is no row in it");
    }
    return r->bad > 0 ? EXIT_DATA : 0;
}

int each_row(
    const call *c, const char *from, const column *columns, row_each each, void *ctx) {
    reader r = { .c = c, .columns = columns, .each = each, .ctx = ctx };
    while (columns[r.column_count].names != NULL) r.column_count++;
    CHECK(r.column_count <= CELLS_MAX);
    bool plain = strcmp(from, "-") == 0;
    int fd = plain ? STDIN_FILENO : open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fault(c->out, E_INPUT, from, "%s", strerror(errno));
    r.text = malloc(ROWS_MAX_BYTES + 1);
    int code = r.text == NULL ? fault(c->out, E_MEMORY, from, NULL)
                              : read_all(&r, fd, plain ? "stdin" : from);
    free(r.text);
    if (!plain) close(fd);
    return code;
}
