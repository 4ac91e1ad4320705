/* SPDX-License-Identifier: Apache-2.0 */
/* Only + - * / and comparisons of doubles, each of which IEEE fixes to the last bit,
 * and integers: log2 is done by squaring. */
#include "packet/transform.h"

#include "base/check.h"
#include "base/fail.h"
#include "packet/decimal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX    4096
#define POINTS_MAX  256
#define WORD_LENGTH 32
#define ONE         65536

enum {
    LINEAR,
    LOG,
    CYCLIC,
    CATEGORY,
    TABLE,
    KINDS
};
static const struct {
    const char *word, *takes;
    size_t least, most;
} kinds[KINDS] = {
    [LINEAR] = { "linear", "LOW HIGH, rising", 2, 2 },
    [LOG] = { "log", "LOW HIGH, above 0 and rising", 2, 2 },
    [CYCLIC] = { "cyclic", "PERIOD, above 0", 1, 1 },
    [CATEGORY] = { "category", "2 to 256 different words of a-z 0-9 _ -", 2, POINTS_MAX },
    [TABLE] = { "table", "2 to 256 rising numbers", 2, POINTS_MAX },
};

struct ki_transform {
    int kind;
    size_t count;
    double at[POINTS_MAX]; /* of a category: where its word begins in text */
    char text[TEXT_MAX];
};

static int bad(const ki_transform *t, kith_error *err) {
    return ki_fail(
        err, KITH_E_FORMAT, "%s takes %s", kinds[t->kind].word, kinds[t->kind].takes);
}

static bool word_ok(const char *text, size_t length) {
    return length >= 1 && length <= WORD_LENGTH &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") >= length;
}

static bool known_word(
    const ki_transform *t, const char *text, size_t length, size_t *ret) {
    for (size_t i = 0; i < t->count; i++) {
        const char *at = t->text + (size_t) t->at[i];
        if (strcspn(at, " ") == length && memcmp(at, text, length) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* Appends one word or number in its canonical form. */
static bool take(ki_transform *t, const char *word, size_t length, size_t *used) {
    char room[DECIMAL_TEXT];
    ki_decimal d;
    size_t seen;
    if (t->count == kinds[t->kind].most) return false;
    double value = (double) (*used + 1);
    if (t->kind != CATEGORY) {
        if (!ki_decimal_parse(word, length, &d)) return false;
        ki_decimal_show(&d, room);
        value = ki_decimal_value(&d);
        word = room;
        length = strlen(room);
        if (t->count > 0 && !(value > t->at[t->count - 1])) return false;
        if (t->count == 0 && (t->kind == LOG || t->kind == CYCLIC) && !(value > 0)) {
            return false;
        }
    } else if (!word_ok(word, length) || known_word(t, word, length, &seen)) {
        return false;
    }
    if (*used + length + 2 > sizeof t->text) return false;
    t->text[(*used)++] = ' ';
    memcpy(t->text + *used, word, length);
    *used += length;
    t->text[*used] = '\0';
    t->at[t->count++] = value;
    return true;
}

int ki_transform_new(ki_transform **ret, const char *text, kith_error *err) {
    size_t length = strcspn(text, " ");
    int kind = 0;
    while (kind < KINDS && (strlen(kinds[kind].word) != length ||
                               memcmp(kinds[kind].word, text, length) != 0)) {
        kind++;
    }
    if (kind == KINDS) {
        return ki_fail(err, KITH_E_FORMAT,
            "'%.20s' is no transform: linear, log, cyclic, category or table", text);
    }
    ki_transform *t = calloc(1, sizeof *t);
    if (t == NULL) return ki_fail(err, KITH_E_MEMORY, "a transform");
    t->kind = kind;
    size_t used = length;
    memcpy(t->text, text, length + 1);
    t->text[length] = '\0';
    bool good = true;
    for (text += length; good && *text != '\0'; text += length) {
        text += strspn(text, " ");
        length = strcspn(text, " ");
        good = length == 0 || take(t, text, length, &used);
    }
    int r = good && t->count >= kinds[kind].least ? 0 : bad(t, err);
    if (r < 0) {
        free(t);
        return r;
    }
    *ret = t;
    return 0;
}

void ki_transform_free(ki_transform **t) {
    free(*t);
    *t = NULL;
}

const char *ki_transform_text(const ki_transform *t) {
    return t->text;
}

unsigned ki_transform_numbers(const ki_transform *t) {
    return t->kind == CYCLIC ? 2 : 1;
}

uint32_t ki_transform_step(const ki_transform *t) {
    return t->kind == CATEGORY ? ONE / (uint32_t) t->count : 0;
}

/* ---- values ---- */

/* A part of [0, 1] as 16 bits. */
static uint16_t scale(double part) {
    CHECK(part >= 0 && part <= 1);
    double x = floor(part * ONE);
    return x >= ONE ? ONE - 1 : (uint16_t) x;
}

/* log2 in units of 2^-31, rounded down: each squaring of the mantissa gives a bit. */
static int64_t log2_fixed(double x) {
    int power;
    double fraction = frexp(x, &power); /* 0.5 <= fraction < 1 */
    uint64_t m = (uint64_t) (fraction * 0x1p32);
    int64_t ret = power - 1;
    for (int i = 0; i < 31; i++) {
        m = m * m >> 31; /* 2^31..2^32 stands for 1..2 */
        ret = 2 * ret + (m >> 32 != 0);
        m >>= m >> 32 != 0;
        CHECK(m >= UINT64_C(1) << 31 && m < UINT64_C(1) << 32);
    }
    return ret;
}

static uint16_t map_log(const ki_transform *t, double x) {
    int64_t low = log2_fixed(t->at[0]), high = log2_fixed(t->at[1]), here = log2_fixed(x);
    if (high <= low) return 0;
    int64_t u = (here - low) * ONE / (high - low);
    return u >= ONE ? ONE - 1 : u < 0 ? 0 : (uint16_t) u;
}

/* Up from 0 to 1 in the first half, down again in the second. */
static double tent(double phase) {
    phase -= floor(phase);
    return phase < 0.5 ? 2 * phase : 2 - 2 * phase;
}

static uint16_t map_table(const ki_transform *t, double x) {
    size_t i = 0;
    while (i + 2 < t->count && x >= t->at[i + 1]) i++;
    double part = (x - t->at[i]) / (t->at[i + 1] - t->at[i]);
    return scale(((double) i + part) / (double) (t->count - 1));
}

static int outside(
    const ki_transform *t, const char *text, size_t length, kith_error *err) {
    return ki_fail(err, KITH_E_ARG, "'%.*s' does not fit %.80s",
        (int) (length > 40 ? 40 : length), text, t->text);
}

int ki_transform_map(const ki_transform *t, const char *text, size_t length, uint16_t *ret,
    kith_error *err) {
    ki_decimal d;
    size_t which = 0;
    if (t->kind == CATEGORY) {
        if (!known_word(t, text, length, &which)) return outside(t, text, length, err);
        ret[0] = (uint16_t) ((2 * which + 1) * (ONE / 2) / t->count);
        return 0;
    }
    if (!ki_decimal_parse(text, length, &d)) return outside(t, text, length, err);
    double x = ki_decimal_value(&d), low = t->at[0], high = t->at[t->count - 1];
    if (t->kind == CYCLIC) {
        double phase = x / low;
        ret[0] = scale(tent(phase));
        ret[1] = scale(tent(phase + 0.25));
        return 0;
    }
    if (!(x >= low && x <= high)) return outside(t, text, length, err);
    ret[0] = t->kind == LINEAR ? scale((x - low) / (high - low))
             : t->kind == LOG  ? map_log(t, x)
                               : map_table(t, x);
    return 0;
}
