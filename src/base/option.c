/* SPDX-License-Identifier: Apache-2.0 */
#include <kith/option.h>

#include "base/check.h"
#include "base/fail.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    NAME_MAX_ = 64,   /* longest name or value looked at in an error */
    VALUE_MAX = 1024, /* longest value in a URL */
};

typedef struct suffix {
    const char *text;
    int64_t factor;
} suffix;

static const suffix times[] = {
    { "ns", 1 },
    { "us", 1000 },
    { "ms", 1000000 },
    { "s", 1000000000 },
    { "m", INT64_C(60) * 1000000000 },
    { "min", INT64_C(60) * 1000000000 },
    { "h", INT64_C(3600) * 1000000000 },
    { "d", INT64_C(86400) * 1000000000 },
    { NULL, 0 },
};

static const suffix sizes[] = {
    { "", 1 },
    { "B", 1 },
    { "K", 1 << 10 },
    { "KiB", 1 << 10 },
    { "M", 1 << 20 },
    { "MiB", 1 << 20 },
    { "G", 1 << 30 },
    { "GiB", 1 << 30 },
    { NULL, 0 },
};

static const suffix plain[] = { { "", 1 }, { NULL, 0 } };

/* Digits with an optional sign, then one of the suffixes; nothing may overflow. */
static bool parse_int(const char *text, const suffix *list, int64_t *ret) {
    CHECK(text != NULL);
    CHECK(ret != NULL);
    if (*text != '-' && (*text < '0' || *text > '9')) {
        return false;
    }
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || (*text == '-' && end == text + 1)) {
        return false;
    }
    if (value == 0 && *end == '\0') { /* nothing of any unit; it is shown so too */
        *ret = 0;
        return true;
    }
    for (; list->text != NULL; list++) {
        if (strcmp(end, list->text) == 0) {
            return !__builtin_mul_overflow(value, list->factor, ret);
        }
    }
    return false;
}

static bool parse_bool(const char *text, bool *ret) {
    static const char *const yes[] = { "yes", "true", "on", "1" };
    static const char *const no[] = { "no", "false", "off", "0" };
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *ret = strcmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

static bool parse_one(const char *words, const char *text, int *ret) {
    CHECK(words != NULL);
    size_t length = strlen(text);
    int index = 0;
    for (const char *p = words; *p != '\0'; index++) {
        size_t n = strcspn(p, "|");
        if (n == length && memcmp(p, text, n) == 0) {
            *ret = index;
            return true;
        }
        p += n + (p[n] == '|');
    }
    return false;
}

static bool parse_real(const char *text, double *ret) {
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value)) {
        return false;
    }
    *ret = value;
    return true;
}

static int refuse_range(
    const kith_option *o, const char *value, const char *what, kith_error *err) {
    char low[NAME_MAX_], high[NAME_MAX_];
    int64_t limits[2] = { o->min, o->max };
    kith_option row = *o;
    row.offset = 0;
    (void) kith_option_show(&row, &limits[0], low, sizeof low);
    (void) kith_option_show(&row, &limits[1], high, sizeof high);
    return ki_fail(err, KITH_E_CONFIG, "%s=%.40s is not %s from %s to %s", o->name, value,
        what, low, high);
}

static int set_int(const kith_option *o, void *field, const char *value, kith_error *err) {
    const suffix *list = o->type == KITH_OPTION_TIME    ? times
                         : o->type == KITH_OPTION_BYTES ? sizes
                                                        : plain;
    const char *what = o->type == KITH_OPTION_TIME    ? "a time (250ms, 5s, 1h)"
                       : o->type == KITH_OPTION_BYTES ? "a size (512, 4KiB, 1G)"
                                                      : "a whole number";
    int64_t number;
    CHECK(o->min <= o->max);
    if (!parse_int(value, list, &number) || number < o->min || number > o->max) {
        return refuse_range(o, value, what, err);
    }
    memcpy(field, &number, sizeof number);
    return 0;
}

static int set_text(const kith_option *o, void *field, const char *value, kith_error *err) {
    size_t n = strlen(value);
    CHECK(o->min >= 0);
    if ((int64_t) n < o->min || (int64_t) n > o->max) {
        return ki_fail(err, KITH_E_CONFIG,
            "%s=%.40s has %zu bytes, not %" PRId64 " to %" PRId64, o->name, value, n,
            o->min, o->max);
    }
    memcpy(field, value, n + 1);
    return 0;
}

static int set_field(
    const kith_option *o, void *field, const char *value, kith_error *err) {
    bool yes;
    int one;
    double real;
    switch (o->type) {
    case KITH_OPTION_INT:
    case KITH_OPTION_TIME:
    case KITH_OPTION_BYTES: return set_int(o, field, value, err);
    case KITH_OPTION_TEXT: return set_text(o, field, value, err);
    case KITH_OPTION_BOOL:
        if (!parse_bool(value, &yes)) {
            return ki_fail(err, KITH_E_CONFIG, "%s=%.40s is not yes or no", o->name, value);
        }
        memcpy(field, &yes, sizeof yes);
        return 0;
    case KITH_OPTION_ONE:
        if (!parse_one(o->words, value, &one)) {
            return ki_fail(
                err, KITH_E_CONFIG, "%s=%.40s is not one of %s", o->name, value, o->words);
        }
        memcpy(field, &one, sizeof one);
        return 0;
    case KITH_OPTION_REAL:
        if (!parse_real(value, &real) || real < (double) o->min || real > (double) o->max) {
            return ki_fail(err, KITH_E_CONFIG,
                "%s=%.40s is not a number from %" PRId64 " to %" PRId64, o->name, value,
                o->min, o->max);
        }
        memcpy(field, &real, sizeof real);
        return 0;
    }
    return ki_fail(err, KITH_E_NOTSUP, "%s has an option type from another ABI", o->name);
}

static const kith_option *find(const kith_option *table, const char *name) {
    for (const kith_option *o = table; o != NULL && o->name != NULL; o++) {
        if (strcmp(o->name, name) == 0) {
            return o;
        }
    }
    return NULL;
}

int kith_option_presets(const kith_option *table, void *self, kith_error *err) {
    CHECK(self != NULL);
    for (const kith_option *o = table; o != NULL && o->name != NULL; o++) {
        if (o->preset != NULL) {
            int r = set_field(o, (char *) self + o->offset, o->preset, err);
            if (r < 0) {
                return r;
            }
        }
    }
    return 0;
}

int kith_option_set(const kith_option *table, void *self, const char *name,
    const char *value, kith_error *err) {
    CHECK(self != NULL);
    CHECK(name != NULL);
    CHECK(value != NULL);
    const kith_option *o = find(table, name);
    if (o != NULL) {
        return set_field(o, (char *) self + o->offset, value, err);
    }
    const char *near = kith_option_nearest(table, name);
    return ki_fail(err, KITH_E_CONFIG, "no option %.60s%s%s%s", name,
        near == NULL ? "" : "; did you mean ", near == NULL ? "" : near,
        near == NULL ? "" : "?");
}

static int hex_digit(char c) {
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);
    return at == NULL ? -1 : (int) (at - digits);
}

/* Copies up to `stop` bytes with %XX decoded; false: too long, or bad escape. */
static bool unescape(const char *from, size_t stop, char *to, size_t size) {
    size_t used = 0;
    CHECK(size >= 1);
    for (size_t i = 0; i < stop; i++) {
        char c = from[i];
        if (c == '%') {
            if (stop - i < 3) return false;
            int high = hex_digit(from[i + 1]), low = high < 0 ? -1 : hex_digit(from[i + 2]);
            if (low < 0 || (high == 0 && low == 0)) return false;
            c = (char) (high * 16 + low);
            i += 2;
        }
        if (used + 1 >= size) return false;
        to[used++] = c;
    }
    CHECK(used < size);
    to[used] = '\0';
    return true;
}

/* One "name=value" of a query; a bare name means yes. */
static int set_pair(const kith_option *table, void *self, const char *pair, size_t length,
    char *ret_name, kith_error *err) {
    char value[VALUE_MAX];
    CHECK(length >= 1);
    const char *mark = memchr(pair, '=', length);
    size_t name_length = mark == NULL ? length : (size_t) (mark - pair);
    size_t skip = mark == NULL ? length : name_length + 1;
    if (!unescape(pair, name_length, ret_name, NAME_MAX_) ||
        !unescape(pair + skip, length - skip, value, sizeof value)) {
        return ki_fail(err, KITH_E_CONFIG, "'%.*s' is too long or has a bad %%XX escape",
            (int) (length > 40 ? 40 : length), pair);
    }
    return kith_option_set(table, self, ret_name, mark == NULL ? "yes" : value, err);
}

int kith_option_query(
    const kith_option *table, void *self, const char *query, kith_error *err) {
    int r = kith_option_presets(table, self, err);
    if (r < 0) {
        return r;
    }
    bool given[KITH_OPTIONS_MAX] = { false };
    for (const char *p = query; p != NULL && *p != '\0';) {
        char name[NAME_MAX_];
        size_t n = strcspn(p, "&");
        if (n > 0) {
            r = set_pair(table, self, p, n, name, err);
            if (r < 0) {
                return r;
            }
            size_t index = (size_t) (find(table, name) - table);
            CHECK(index < KITH_OPTIONS_MAX);
            given[index] = true;
        }
        p += n + (p[n] == '&');
    }
    for (size_t i = 0; table != NULL && table[i].name != NULL; i++) {
        if (table[i].preset == NULL && !given[i]) {
            return ki_fail(
                err, KITH_E_CONFIG, "%s= must be given (%s)", table[i].name, table[i].help);
        }
    }
    return 0;
}

/* The largest suffix that divides the number. */
static int show_suffixed(const suffix *list, int64_t number, char *ret_text, size_t size) {
    const suffix *best = &list[0];
    for (const suffix *s = list; s->text != NULL; s++) {
        if (number != 0 && number % s->factor == 0 && s->factor > best->factor) {
            best = s;
        }
    }
    return snprintf(ret_text, size, "%" PRId64 "%s", number / best->factor,
        number == 0 ? "" : best->text);
}

static int show_word(const char *words, int index, char *ret_text, size_t size) {
    for (; index > 0 && *words != '\0'; index--) {
        words += strcspn(words, "|");
        words += *words == '|';
    }
    return snprintf(ret_text, size, "%.*s", (int) strcspn(words, "|"), words);
}

size_t kith_option_show(
    const kith_option *o, const void *self, char *ret_text, size_t size) {
    CHECK(o != NULL);
    CHECK(self != NULL);
    CHECK(size >= 1);
    const char *field = (const char *) self + o->offset;
    int64_t number;
    double real;
    bool yes;
    int one, n = 0;
    switch (o->type) {
    case KITH_OPTION_INT:
        memcpy(&number, field, sizeof number);
        n = snprintf(ret_text, size, "%" PRId64, number);
        break;
    case KITH_OPTION_TIME:
        memcpy(&number, field, sizeof number);
        n = show_suffixed(times, number, ret_text, size);
        break;
    case KITH_OPTION_BYTES:
        memcpy(&number, field, sizeof number);
        n = show_suffixed(sizes, number, ret_text, size);
        break;
    case KITH_OPTION_TEXT: n = snprintf(ret_text, size, "%s", field); break;
    case KITH_OPTION_BOOL:
        memcpy(&yes, field, sizeof yes);
        n = snprintf(ret_text, size, "%s", yes ? "yes" : "no");
        break;
    case KITH_OPTION_ONE:
        memcpy(&one, field, sizeof one);
        n = show_word(o->words, one, ret_text, size);
        break;
    case KITH_OPTION_REAL:
        memcpy(&real, field, sizeof real);
        n = snprintf(ret_text, size, "%.17g", real);
        break;
    }
    return n < 0 ? 0 : (size_t) n < size ? (size_t) n : size - 1;
}
