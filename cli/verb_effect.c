/* SPDX-License-Identifier: Apache-2.0 */
/* effect: counts, means and correlations into effect and variance. */
#include "cli/rows.h"
#include "cli/verbs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The columns every row may have; a measure takes some of them. */
enum {
    A,
    B,
    C,
    D,
    M1,
    SD1,
    N1,
    M2,
    SD2,
    N2,
    R,
    X,
    N,
    MEASURE,
    SOURCE,
    COLUMNS
};

static const column known[COLUMNS + 1] = {
    [A] = { "a|ai|tpos", false },
    [B] = { "b|bi|tneg", false },
    [C] = { "c|ci|cpos", false },
    [D] = { "d|di|cneg", false },
    [M1] = { "m1|m1i|mi|mean", false },
    [SD1] = { "sd1|sd1i|sdi|sd", false },
    [N1] = { "n1|n1i", false },
    [M2] = { "m2|m2i", false },
    [SD2] = { "sd2|sd2i", false },
    [N2] = { "n2|n2i", false },
    [R] = { "r|ri", false },
    [X] = { "x|xi|hits", false },
    [N] = { "n|ni|tries", false },
    [MEASURE] = { "measure", false },
    [SOURCE] = { "source", false },
    [COLUMNS] = { NULL, false },
};

typedef struct result {
    double y, v;
    const char *measure;
    char *source;
    unsigned long long line;
} result;

typedef struct work {
    const effect_flags *flags;
    result *results;
    size_t count, room;
    unsigned long long others; /* rows of a measure that was not asked for */
} work;

/* false: no such number exists, and why says what is wrong. */
typedef bool (*formula)(double *x, double *y, double *v, const char **why);

/* A half to all cells of a table with an empty one. */
static bool cells(double *x, int count, const char **why) {
    bool empty = false;
    for (int i = 0; i < count; i++) {
        if (!(x[i] >= 0)) {
            *why = "a count is below 0";
            return false;
        }
        empty = empty || x[i] == 0;
    }
    for (int i = 0; i < count; i += 2) {
        if (!(x[i] + x[i + 1] > 0)) {
            *why = "a group has nobody in it";
            return false;
        }
    }
    for (int i = 0; i < count && empty; i++) x[i] += 0.5;
    return true;
}

static bool rr(double *x, double *y, double *v, const char **why) {
    if (!cells(x, 4, why)) return false;
    double n1 = x[0] + x[1], n2 = x[2] + x[3];
    *y = log((x[0] / n1) / (x[2] / n2));
    *v = 1 / x[0] - 1 / n1 + 1 / x[2] - 1 / n2;
    return true;
}

static bool or_(double *x, double *y, double *v, const char **why) {
    if (!cells(x, 4, why)) return false;
    *y = log((x[0] / x[1]) / (x[2] / x[3]));
    *v = 1 / x[0] + 1 / x[1] + 1 / x[2] + 1 / x[3];
    return true;
}

static bool rd(double *x, double *y, double *v, const char **why) {
    if (!cells(x, 4, why)) return false;
    double n1 = x[0] + x[1], n2 = x[2] + x[3];
    *y = x[0] / n1 - x[2] / n2;
    *v = x[0] / n1 * (x[1] / n1) / n1 + x[2] / n2 * (x[3] / n2) / n2;
    return true;
}

static bool plo_cells(double *x, double *y, double *v, const char **why) {
    if (!cells(x, 2, why)) return false;
    *y = log(x[0] / x[1]);
    *v = 1 / x[0] + 1 / x[1];
    return true;
}

static bool plo(double *x, double *y, double *v, const char **why) {
    if (x[0] > x[1]) {
        *why = "more hits than tries";
        return false;
    }
    x[1] -= x[0];
    return plo_cells(x, y, v, why);
}

/* mean, sd, n, once or twice. */
static bool means(const double *x, int groups, const char **why) {
    for (int i = 0; i < groups; i++) {
        if (!(x[3 * i + 1] > 0)) {
            *why = "a standard deviation is not above 0";
            return false;
        }
        if (!(x[3 * i + 2] > 0)) {
            *why = "a group has nobody in it";
            return false;
        }
    }
    return true;
}

static bool mn(double *x, double *y, double *v, const char **why) {
    if (!means(x, 1, why)) return false;
    *y = x[0];
    *v = x[1] * x[1] / x[2];
    return true;
}

static bool md(double *x, double *y, double *v, const char **why) {
    if (!means(x, 2, why)) return false;
    *y = x[0] - x[3];
    *v = x[1] * x[1] / x[2] + x[4] * x[4] / x[5];
    return true;
}

/* Hedges' g: the difference in standard deviations of both, freed of its bias by the
 * exact factor gamma(m/2) / (sqrt(m/2) gamma((m-1)/2)). */
static bool smd(double *x, double *y, double *v, const char **why) {
    if (!means(x, 2, why)) return false;
    double n1 = x[2], n2 = x[5], m = n1 + n2 - 2;
    if (!(m > 1)) {
        *why = "two groups of at least four in all are needed";
        return false;
    }
    int sign;
    double sd = sqrt(((n1 - 1) * x[1] * x[1] + (n2 - 1) * x[4] * x[4]) / m);
    double factor =
        exp(lgamma_r(m / 2, &sign) - 0.5 * log(m / 2) - lgamma_r((m - 1) / 2, &sign));
    *y = factor * ((x[0] - x[3]) / sd);
    *v = 1 / n1 + 1 / n2 + *y * *y / (2 * (n1 + n2));
    return true;
}

static bool rom(double *x, double *y, double *v, const char **why) {
    if (!means(x, 2, why)) return false;
    if (!(x[0] / x[3] > 0)) {
        *why = "two means of one sign are needed";
        return false;
    }
    double c1 = x[1] / x[0], c2 = x[4] / x[3];
    *y = log(x[0] / x[3]);
    *v = c1 * c1 / x[2] + c2 * c2 / x[5];
    return true;
}

static bool zcor(double *x, double *y, double *v, const char **why) {
    if (!(x[0] > -1 && x[0] < 1)) {
        *why = "a correlation is between -1 and 1";
        return false;
    }
    if (!(x[1] > 3)) {
        *why = "a correlation of more than three is needed";
        return false;
    }
    *y = atanh(x[0]);
    *v = 1 / (x[1] - 3);
    return true;
}

/* In the order of --measure; 0 is `each`. */
static const struct measure {
    const char *name;
    formula of;
    uint8_t count, columns[6];
} measures[] = {
    { "each", NULL, 0, { 0 } }, { "RR", rr, 4, { A, B, C, D } },
    { "OR", or_, 4, { A, B, C, D } }, { "RD", rd, 4, { A, B, C, D } },
    { "MN", mn, 3, { M1, SD1, N1 } }, { "MD", md, 6, { M1, SD1, N1, M2, SD2, N2 } },
    { "SMD", smd, 6, { M1, SD1, N1, M2, SD2, N2 } },
    { "ROM", rom, 6, { M1, SD1, N1, M2, SD2, N2 } }, { "ZCOR", zcor, 2, { R, N } },
    { "PLO", plo, 2, { X, N } },
    { "PLO", plo_cells, 2, { A, B } }, /* the same by hits and misses */
};
#define MEASURES (sizeof measures / sizeof *measures)

/* The measure of this row: NULL and no reason when it was not asked for. */
static const struct measure *measure_of(work *w, const row_cells *row, char why[ROW_WHY]) {
    const char *said = row->cell[MEASURE];
    int asked = w->flags->measure;
    if (asked != 0 && (said == NULL || strcmp(said, measures[asked].name) == 0)) {
        return &measures[asked];
    }
    if (said == NULL) {
        snprintf(why, ROW_WHY, "no --measure was given, and it names none");
        return NULL;
    }
    for (size_t i = 1; i < MEASURES; i++) {
        if (strcmp(said, measures[i].name) != 0) continue;
        if (asked == 0) return &measures[i];
        w->others++;
        return NULL;
    }
    snprintf(why, ROW_WHY, "measure '%.60s' is not known", said);
    return NULL;
}

static bool inputs(
    const row_cells *row, const struct measure *m, double *x, char why[ROW_WHY]) {
    for (int i = 0; i < m->count; i++) {
        const char *text = row->cell[m->columns[i]];
        const char *names = known[m->columns[i]].names;
        if (text == NULL) {
            snprintf(why, ROW_WHY, "%s needs %.*s, and it is missing", m->name,
                (int) strcspn(names, "|"), names);
            return false;
        }
        if (!cell_number(text, &x[i])) {
            snprintf(why, ROW_WHY, "%.*s '%.60s' is no finite number",
                (int) strcspn(names, "|"), names, text);
            return false;
        }
    }
    return true;
}

static bool keep(work *w, const result *one, const char *source, char why[ROW_WHY]) {
    if (w->count == w->room) {
        size_t room = w->room == 0 ? 256 : 2 * w->room;
        result *more = realloc(w->results, room * sizeof *more);
        if (more == NULL) {
            snprintf(why, ROW_WHY, "no memory for more rows");
            return false;
        }
        w->results = more;
        w->room = room;
    }
    w->results[w->count] = *one;
    w->results[w->count++].source = source == NULL ? NULL : strdup(source);
    return true;
}

static bool take_row(void *ctx, const row_cells *row, char why[ROW_WHY]) {
    work *w = ctx;
    double x[6] = { 0 };
    const char *wrong = "its effect or variance is no finite number";
    const struct measure *m = measure_of(w, row, why);
    if (m == NULL) return why[0] == '\0';
    if (m->of == plo && row->cell[X] == NULL && row->cell[A] != NULL) m++;
    if (!inputs(row, m, x, why)) return false;
    result one = { .measure = m->name, .line = row->line };
    bool good = m->of(x, &one.y, &one.v, &wrong);
    if (!good || !isfinite(one.y) || !isfinite(one.v) || !(one.v > 0)) {
        snprintf(why, ROW_WHY, "%s: %s", m->name, wrong);
        return false;
    }
    return keep(w, &one, row->cell[SOURCE], why);
}

/* --columns and --source put other names in front. */
static int name_columns(const call *c, column *ret, char *text, size_t size) {
    const effect_flags *f = c->flags;
    const struct measure *m = &measures[f->measure];
    memcpy(ret, known, sizeof known);
    snprintf(text, size, "%s", f->columns);
    char *at = text;
    int count = 0;
    for (; *at != '\0' && count < m->count; count++) {
        size_t n = strcspn(at, ",");
        ret[m->columns[count]].names = at;
        at += n;
        if (*at == ',') *at++ = '\0';
    }
    if (f->columns[0] != '\0' && (count != m->count || *at != '\0')) {
        return fault_do(c->out, E_TOGETHER, "--columns",
            "kith help effect lists the columns of each measure",
            m->count == 0 ? "it needs --measure" : "%s has %d columns", m->name, m->count);
    }
    if (f->source[0] != '\0') ret[SOURCE].names = f->source;
    return 0;
}

static void csv_text(FILE *to, const char *text) {
    if (text == NULL) return;
    bool plain = text[strcspn(text, ",\"\n\r ")] == '\0';
    if (!plain) fputc('"', to);
    for (const char *s = text; *s != '\0'; s++) {
        if (*s == '"') fputc('"', to);
        fputc(*s, to);
    }
    if (!plain) fputc('"', to);
}

static int show(const call *c, const work *w) {
    const out *o = c->out;
    bool records = o->json || o->zero || o->format != NULL;
    if (!records) fputs("effect,variance,source,measure\n", o->to);
    for (size_t i = 0; i < w->count; i++) {
        const result *one = &w->results[i];
        if (!records) {
            fprintf(o->to, "%.17g,%.17g,", one->y, one->v);
            csv_text(o->to, one->source);
            fprintf(o->to, ",%s\n", one->measure);
            continue;
        }
        record r = record_of("effect");
        as_column(put_real(&r, "effect", one->y), 0);
        as_column(put_real(&r, "variance", one->v), 0);
        as_column(one->source == NULL ? put_absent(&r, "source")
                                      : put_text(&r, "source", one->source),
            0);
        as_column(put_text(&r, "measure", one->measure), 0);
        put_int(&r, "line", (int64_t) one->line);
        if (!out_emit(c->out, &r)) return EXIT_USAGE;
    }
    return 0;
}

int verb_effect(const call *c) {
    column columns[COLUMNS + 1];
    work w = { .flags = c->flags };
    char text[sizeof w.flags->columns];
    int code = name_columns(c, columns, text, sizeof text);
    if (code != 0) return code;
    code = each_row(c, c->arg_count == 0 ? "-" : c->args[0], columns, take_row, &w);
    if (code == 0 && w.count == 0) {
        code = fault(c->out, E_ROW, "the table", "no row is of the measure asked for");
    }
    if (code == 0) code = show(c, &w);
    if (code == 0 && w.others > 0) {
        out_note(c->out, "%llu rows are of other measures", w.others);
    }
    for (size_t i = 0; i < w.count; i++) free(w.results[i].source);
    free(w.results);
    return code;
}
