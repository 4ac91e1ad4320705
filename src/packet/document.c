/* SPDX-License-Identifier: Apache-2.0 */
/* A template's text: read line by line against one table, written again in one form,
 * and hashed. What has its preset is not written, so that a new key with a preset does
 * not change the id of any older document. */
#include "packet/document.h"

#include "base/check.h"
#include "base/fail.h"
#include "base/hash.h"

#include <kith/option.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK     "kith-template-1"
#define LINE_MAX 4096

/* clang-format off: a table is read by columns. */
#define OF(field) offsetof(ki_written, field)
#define ROW(n, kind, f, lo, hi, pre, h)                                                    \
    {                                                                                      \
        .name = n, .type = KITH_OPTION_##kind, .offset = OF(f), .min = lo, .max = hi,      \
        .preset = pre, .help = h                                                           \
    }
#define ONE(n, f, pre, w, h)                                                               \
    {                                                                                      \
        .name = n, .type = KITH_OPTION_ONE, .offset = OF(f), .preset = pre, .words = w,    \
        .help = h                                                                          \
    }
#define YES(n, f, pre, h)                                                                  \
    { .name = n, .type = KITH_OPTION_BOOL, .offset = OF(f), .preset = pre, .help = h }
#define NUMBER(n, f, pre, h) ROW(n, TEXT, f, 0, DOCUMENT_NUMBER - 1, pre, h)
#define TEN_YEARS            INT64_C(315576000000000000)
#define U32_MAX              INT64_C(2147483647)

static const kith_option rows[] = {
    ROW("name", TEXT, name, 1, KITH_TEMPLATE_NAME_MAX, NULL, "a word of a-z 0-9 _ -"),
    ROW("version", INT, version, 1, 999999, NULL, "rises with every change"),
    ROW("about", TEXT, about, 0, 160, "", "for people"),
    ONE("measure", measure, NULL,
        "any|mean|mean-difference|log-risk-ratio|log-odds-ratio|risk-difference|fisher-z|"
        "logit|log-mean-ratio|score-gain",
        "what kind of number the effect is"),
    ROW("components", INT, components, 1, KITH_EFFECT_MAX, "1", "of an effect"),
    NUMBER("unit", unit, "1", "of effects; a typical standard error is near one unit"),
    NUMBER("effect-low", effect_low, "", "the least effect that makes sense"),
    NUMBER("effect-high", effect_high, "", "the greatest"),
    ROW("n-min", INT, n_min, 1, U32_MAX, "1", "observations a packet needs"),
    NUMBER("prior-scale", prior_scale, "0", "of one observation; 0: unknown"),
    ROW("half-life", TIME, half_life_ns, 0, TEN_YEARS, "0s",
        "after which it counts half; 0: never"),
    ROW("window", TIME, window_ns, 0, TEN_YEARS, "0s",
        "a leaf lies inside one window; 0: none"),
    ROW("ttl", TIME, ttl_ns, INT64_C(1000000000), TEN_YEARS, "7d",
        "how long a packet counts"),
    YES("private", confidential, "no", "n at least 20, and no text"),
    YES("post-base", post_base, "yes",
        "packets stand under their subject too, not in cells alone"),
    NUMBER("radius", radius, "0",
        "twins are at most so far apart, in parts of 1; 0: no cells"),
    ONE("metric", metric, "auto", "auto|max|root",
        "distance: the largest difference, or the root of squares"),
    ONE("route", route, "auto", "auto|none|grids|lsh",
        "how near contexts come to share addresses"),
    ROW("levels", TEXT, levels, 0, 15, "", "of grids: up to three published levels, 1,3,6"),
    ROW("lsh", TEXT, lsh, 0, 31, "", "tables,hashes,width"),
    { .name = NULL },
};
/* clang-format on */

typedef struct reading {
    kith_template *t;
    kith_error *err;
    unsigned line;
    bool in_template, seen_template;
    ki_dimension *dimension;
    uint32_t given; /* rows that were set */
} reading;

static bool blank(char c) {
    return c == ' ' || c == '\t';
}

/* Ends trimmed, runs of blanks one blank. 0, or E_FORMAT. */
static int tidy(reading *r, const char *line, size_t length, char ret[LINE_MAX]) {
    size_t used = 0;
    if (length > 0 && line[length - 1] == '\r') length--;
    for (size_t i = 0; i < length; i++) {
        char c = line[i];
        if (!blank(c) && (c < 0x20 || c > 0x7e)) {
            return ki_fail(r->err, KITH_E_FORMAT, "line %u: not plain ASCII", r->line);
        }
        if (blank(c) && (used == 0 || ret[used - 1] == ' ')) continue;
        if (used + 1 == LINE_MAX) {
            return ki_fail(
                r->err, KITH_E_FORMAT, "line %u: over %d bytes", r->line, LINE_MAX);
        }
        ret[used++] = blank(c) ? ' ' : c;
    }
    if (used > 0 && ret[used - 1] == ' ') used--;
    ret[used] = '\0';
    return 0;
}

static bool name_ok(const char *name) {
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(name) &&
           *name != '\0' && strlen(name) <= KITH_TEMPLATE_NAME_MAX;
}

static int new_dimension(reading *r, const char *name) {
    kith_template *t = r->t;
    if (!name_ok(name)) {
        return ki_fail(r->err, KITH_E_FORMAT,
            "line %u: '%.40s' is no dimension's name: up to 32 of a-z 0-9 _ -", r->line,
            name);
    }
    for (size_t i = 0; i < t->dimension_count; i++) {
        if (strcmp(t->dimensions[i].name, name) == 0) {
            return ki_fail(r->err, KITH_E_FORMAT, "line %u: [dimension %s] stands twice",
                r->line, name);
        }
    }
    if (t->dimension_count == KITH_CONTEXT_MAX) {
        return ki_fail(r->err, KITH_E_FORMAT, "line %u: more than %d dimensions", r->line,
            KITH_CONTEXT_MAX);
    }
    r->dimension = &t->dimensions[t->dimension_count++];
    memcpy(r->dimension->name, name, strlen(name) + 1);
    return 0;
}

static int section(reading *r, char *line) {
    static const char dimension[] = "[dimension ";
    size_t length = strlen(line);
    r->in_template = false;
    r->dimension = NULL;
    if (strcmp(line, "[template]") == 0 && !r->seen_template) {
        r->in_template = r->seen_template = true;
        return 0;
    }
    if (strncmp(line, dimension, sizeof dimension - 1) == 0 && line[length - 1] == ']') {
        line[length - 1] = '\0';
        return new_dimension(r, line + sizeof dimension - 1);
    }
    return ki_fail(r->err, KITH_E_FORMAT,
        "line %u: only one [template], and [dimension NAME] for each number", r->line);
}

static int key_of_template(reading *r, const char *key, const char *value) {
    kith_error err = { 0 };
    int row = 0;
    while (rows[row].name != NULL && strcmp(rows[row].name, key) != 0) row++;
    if (kith_option_set(rows, &r->t->written, key, value, &err) < 0) {
        return ki_fail(r->err, KITH_E_FORMAT, "line %u: %.200s", r->line, err.text);
    }
    if ((r->given >> row & 1) != 0) {
        return ki_fail(r->err, KITH_E_FORMAT, "line %u: %s stands twice", r->line, key);
    }
    r->given |= UINT32_C(1) << row;
    return 0;
}

static int key_of_dimension(reading *r, const char *key, const char *value) {
    kith_error err = { 0 };
    ki_dimension *d = r->dimension;
    if (strcmp(key, "transform") != 0 || d->transform != NULL) {
        return ki_fail(r->err, KITH_E_FORMAT,
            "line %u: a dimension has one key, transform, and has it once", r->line);
    }
    int code = ki_transform_new(&d->transform, value, &err);
    return code < 0 ? ki_fail(r->err, code, "line %u: %.200s", r->line, err.text) : 0;
}

static int take_line(reading *r, char *line) {
    if (*line == '\0' || *line == '#' || *line == ';') return 0;
    if (*line == '[') return section(r, line);
    char *mark = strchr(line, '=');
    if (mark == NULL || mark == line || (!r->in_template && r->dimension == NULL)) {
        return ki_fail(r->err, KITH_E_FORMAT,
            "line %u: neither [section] nor key = value in one", r->line);
    }
    char *end = mark > line && mark[-1] == ' ' ? mark - 1 : mark;
    *end = '\0';
    const char *value = mark[1] == ' ' ? mark + 2 : mark + 1;
    return r->in_template ? key_of_template(r, line, value)
                          : key_of_dimension(r, line, value);
}

static int take_text(reading *r, const char *text, size_t length) {
    char line[LINE_MAX];
    const char *end = text + length;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t) (end - text));
        size_t n = (size_t) ((stop == NULL ? end : stop) - text);
        r->line++;
        int code = tidy(r, text, n, line);
        if (code == 0) code = take_line(r, line);
        if (code < 0) return code;
        text += n + (stop != NULL);
    }
    for (int i = 0; rows[i].name != NULL; i++) {
        if (rows[i].preset == NULL && (r->given >> i & 1) == 0) {
            return ki_fail(r->err, KITH_E_FORMAT, "[template] needs %s = ... (%s)",
                rows[i].name, rows[i].help);
        }
    }
    for (size_t i = 0; i < r->t->dimension_count; i++) {
        if (r->t->dimensions[i].transform == NULL) {
            return ki_fail(r->err, KITH_E_FORMAT, "[dimension %s] needs transform = ...",
                r->t->dimensions[i].name);
        }
    }
    return 0;
}

/* ---- the canonical text ---- */

static void put(FILE *to, const char *key, const char *value) {
    fprintf(to, "%s = %s\n", key, value);
}

static void write_text(FILE *to, const kith_template *t) {
    ki_written preset = { .name = "" };
    (void) !kith_option_presets(rows, &preset, NULL);
    fprintf(to, "[template]\n");
    for (const kith_option *row = rows; row->name != NULL; row++) {
        char is[LINE_MAX], was[LINE_MAX];
        (void) kith_option_show(row, &t->written, is, sizeof is);
        (void) kith_option_show(row, &preset, was, sizeof was);
        if (row->preset == NULL || strcmp(is, was) != 0) put(to, row->name, is);
    }
    for (size_t i = 0; i < t->dimension_count; i++) {
        fprintf(to, "\n[dimension %s]\n", t->dimensions[i].name);
        put(to, "transform", ki_transform_text(t->dimensions[i].transform));
    }
}

static int canonical(kith_template *t, kith_error *err) {
    size_t length = 0;
    uint8_t digest[32];
    ki_sha256 h;
    FILE *to = open_memstream(&t->text, &length);
    if (to != NULL) write_text(to, t);
    if (to == NULL || fclose(to) != 0) return ki_fail(err, KITH_E_MEMORY, "a template");
    if (length > KITH_TEMPLATE_TEXT_MAX) {
        return ki_fail(err, KITH_E_FORMAT, "over %d bytes", KITH_TEMPLATE_TEXT_MAX);
    }
    ki_sha256_init(&h);
    ki_sha256_add(&h, MARK, sizeof MARK - 1);
    ki_sha256_add(&h, t->text, length);
    ki_sha256_done(&h, digest);
    memcpy(t->facts.id, digest, sizeof t->facts.id);
    return 0;
}

static int dimension_lines(kith_template *t, kith_error *err) {
    for (size_t i = 0; i < t->dimension_count; i++) {
        ki_dimension *d = &t->dimensions[i];
        if (asprintf(&d->line, "%s: %s", d->name, ki_transform_text(d->transform)) < 0) {
            d->line = NULL;
            return ki_fail(err, KITH_E_MEMORY, "a template");
        }
    }
    return 0;
}

int kith_template_parse(
    kith_template **ret, const char *text, size_t length, kith_error *err) {
    CHECK(ret != NULL);
    CHECK(text != NULL || length == 0);
    if (length > KITH_TEMPLATE_TEXT_MAX) {
        return ki_fail(err, KITH_E_FORMAT, "over %d bytes", KITH_TEMPLATE_TEXT_MAX);
    }
    kith_template *t = calloc(1, sizeof *t);
    if (t == NULL) return ki_fail(err, KITH_E_MEMORY, "a template");
    reading r = { .t = t, .err = err };
    int code = kith_option_presets(rows, &t->written, err);
    CHECK(code == 0);
    if (code == 0) code = take_text(&r, text, length);
    if (code == 0) code = ki_document_settle(t, err);
    if (code == 0) code = canonical(t, err);
    if (code == 0) code = dimension_lines(t, err);
    if (code == 0) code = ki_document_tables(t, err);
    if (code < 0) {
        kith_template_free(&t);
        return code;
    }
    *ret = t;
    return 0;
}

void kith_template_free(kith_template **template) {
    CHECK(template != NULL);
    kith_template *t = *template;
    if (t == NULL) return;
    for (size_t i = 0; i < t->dimension_count; i++) {
        ki_transform_free(&t->dimensions[i].transform);
        free(t->dimensions[i].line);
    }
    free(t->lsh);
    free(t->text);
    free(t);
    *template = NULL;
}

const kith_template_facts *kith_template_about(const kith_template *t) {
    return &t->facts;
}

const char *kith_template_text(const kith_template *t) {
    return t->text;
}

const char *kith_template_dimension(const kith_template *t, size_t index) {
    return index < t->dimension_count ? t->dimensions[index].line : NULL;
}

int kith_template_unit_text(int u, char *ret, size_t size) {
    char unit[32];
    if (u < -9 || u > 9) return KITH_E_ARG;
    (void) snprintf(unit, sizeof unit, "%s%.*s%s", u < 0 ? "0." : "1", u < 0 ? -u - 1 : u,
        "000000000", u < 0 ? "1" : "");
    int n = snprintf(ret, size,
        "[template]\nname = unit\nversion = 1\nabout = the built-in family, 10^%d: any "
        "subject, any measure\nmeasure = any\nunit = %s\n",
        u, unit);
    return n < 0 || (size_t) n >= size ? KITH_E_SPACE : 0;
}
