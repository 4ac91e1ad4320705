/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/format.h"

#include "cli/fault.h"
#include "cli/json.h"

#include <kith/option.h>

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct spec {
    bool plus, left;
    int width, precision; /* precision -1: none */
    char form;            /* 0: as it is */
} spec;

static char *reals_text(const field *f, char *ret, size_t size) {
    size_t used = 0;
    ret[0] = '\0';
    for (size_t i = 0; i < f->length && used + REAL_TEXT + 2 < size; i++) {
        char one[REAL_TEXT];
        used += (size_t) snprintf(ret + used, size - used, "%s%s", i == 0 ? "" : ",",
            real_text(f->reals[i], one));
    }
    return ret;
}

char *field_text(const field *f, bool brief, char *ret, size_t size) {
    char text[TIME_TEXT];
    size_t shown = brief && f->digits != 0 && f->digits < f->length ? f->digits : f->length;
    switch (f->kind) {
    case FIELD_TEXT: printable(f->text == NULL ? "-" : f->text, ret, size); break;
    case FIELD_REAL:
        if (isnan(f->real)) {
            snprintf(ret, size, "-");
        } else if (brief && f->digits != 0) {
            snprintf(ret, size, "%.*g", f->digits, f->real);
        } else {
            snprintf(ret, size, "%s", real_text(f->real, text));
        }
        break;
    case FIELD_INT: snprintf(ret, size, "%" PRId64, f->number); break;
    case FIELD_COUNT: snprintf(ret, size, "%" PRIu64, f->count); break;
    case FIELD_BOOL: snprintf(ret, size, "%s", f->number != 0 ? "yes" : "no"); break;
    case FIELD_TIME: snprintf(ret, size, "%s", time_text(f->number, text)); break;
    case FIELD_HEX:
        if (2 * shown + 1 <= size) {
            hex_text(f->bytes, shown, ret);
        }
        break;
    case FIELD_ABSENT: snprintf(ret, size, "-"); break;
    case FIELD_REALS: reals_text(f, ret, size); break;
    }
    return ret;
}

/* At the text behind ':'; returns where it ends, or NULL. */
static const char *parse_spec(const char *p, spec *ret) {
    *ret = (spec){ .precision = -1 };
    for (; *p == '+' || *p == '-'; p++) {
        ret->plus |= *p == '+';
        ret->left |= *p == '-';
    }
    for (; *p >= '0' && *p <= '9' && ret->width < 1000; p++) {
        ret->width = ret->width * 10 + *p - '0';
    }
    if (*p == '.') {
        ret->precision = 0;
        for (p++; *p >= '0' && *p <= '9' && ret->precision < 100; p++) {
            ret->precision = ret->precision * 10 + *p - '0';
        }
    }
    if (*p != '\0' && strchr("fegdsx", *p) != NULL) ret->form = *p++;
    return *p == '}' && ret->width <= 400 && ret->precision <= 60 ? p : NULL;
}

static double number_of(const field *f) {
    switch (f->kind) {
    case FIELD_REAL: return f->real;
    case FIELD_COUNT: return (double) f->count;
    case FIELD_TIME: return (double) f->number / 1e6;
    case FIELD_TEXT:
    case FIELD_HEX:
    case FIELD_ABSENT:
    case FIELD_REALS: return NAN;
    case FIELD_INT:
    case FIELD_BOOL: break;
    }
    return (double) f->number;
}

static void print_spec(FILE *to, const field *f, const spec *s) {
    char text[CELL_MAX], body[512];
    double x = number_of(f);
    int digits = s->precision < 0 ? 6 : s->precision;
    if (s->form == 0 || s->form == 's' || isnan(x)) {
        field_text(f, false, text, sizeof text);
        if (s->precision >= 0 && isnan(x) && f->kind != FIELD_REAL) {
            snprintf(body, sizeof body, "%.*s", s->precision, text);
        } else {
            fprintf(to, "%*s", s->left ? -s->width : s->width, text);
            return;
        }
    } else if (s->form == 'd') {
        snprintf(body, sizeof body, s->plus ? "%+.0f" : "%.0f", x);
    } else if (s->form == 'x') {
        snprintf(body, sizeof body, "%" PRIx64, (uint64_t) x);
    } else if (s->form == 'f') {
        snprintf(body, sizeof body, s->plus ? "%+.*f" : "%.*f", digits, x);
    } else if (s->form == 'e') {
        snprintf(body, sizeof body, s->plus ? "%+.*e" : "%.*e", digits, x);
    } else {
        snprintf(body, sizeof body, s->plus ? "%+.*g" : "%.*g", digits, x);
    }
    fprintf(to, "%*s", s->left ? -s->width : s->width, body);
}

static const field *find(const record *r, const char *name, size_t length) {
    for (size_t i = 0; i < r->count; i++) {
        if (strlen(r->fields[i].name) == length &&
            memcmp(r->fields[i].name, name, length) == 0) {
            return &r->fields[i];
        }
    }
    return NULL;
}

static bool refuse(out *o, const record *r, const char *name, size_t length) {
    const char *words[FIELDS_MAX + 1] = { NULL };
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int) (length < 60 ? length : 60), name);
    for (size_t i = 0; i < r->count; i++) words[i] = r->fields[i].name;
    const char *near = kith_nearest_word(words, text);
    if (!o->failed) {
        (void) fault(o, E_FORMAT, text,
            near == NULL ? "%s has no such field"
                         : "%s has no such field; did you mean {%s}?",
            r->kind, near == NULL ? "" : near);
    }
    o->failed = true;
    return false;
}

bool format_record(out *o, const record *r) {
    for (const char *p = o->format; *p != '\0'; p++) {
        if ((*p == '{' || *p == '}') && p[1] == *p) {
            fputc(*p++, o->to);
        } else if (*p == '\\' && (p[1] == 't' || p[1] == 'n' || p[1] == '\\')) {
            p++;
            fputc(*p == 't' ? '\t' : *p == 'n' ? '\n' : '\\', o->to);
        } else if (*p == '{') {
            size_t n = strcspn(++p, ":}");
            const field *f = find(r, p, n);
            spec s = { .precision = -1 };
            const char *end = p[n] == ':' ? parse_spec(p + n + 1, &s) : p + n;
            if (f == NULL || end == NULL || *end != '}') return refuse(o, r, p, n);
            print_spec(o->to, f, &s);
            p = end;
        } else {
            fputc(*p, o->to);
        }
    }
    return true;
}
