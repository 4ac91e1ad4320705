/* SPDX-License-Identifier: Apache-2.0 */
/* kith/option.h - one row serves the URL, the config file, the environment,
 * --help and the manual page.
 *
 * A table describes fields of a plain struct and ends with a NULL name. Setting
 * an option checks it against its row, so that nobody else needs to. Pure.
 */
#ifndef KITH_OPTION_H
#define KITH_OPTION_H

#include <kith/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_OPTIONS_MAX 64 /* rows in a table */

typedef enum kith_option_type {
    KITH_OPTION_INT = 1,   /* int64_t */
    KITH_OPTION_TIME = 2,  /* int64_t, nanoseconds; written 250ms 5s 1h 8d */
    KITH_OPTION_BYTES = 3, /* int64_t; written 512 4KiB 1G */
    KITH_OPTION_TEXT = 4,  /* char[max + 1] inside the struct */
    KITH_OPTION_BOOL = 5,  /* bool; yes no true false on off 1 0 */
    KITH_OPTION_ONE = 6,   /* int: the index of the word in `words`, "a|b|c" */
    KITH_OPTION_REAL = 7,  /* double */
} kith_option_type;

typedef struct kith_option {
    const char *name;
    kith_option_type type;
    size_t offset;
    int64_t min, max;   /* TEXT: shortest and longest; REAL: whole-number limits */
    const char *preset; /* NULL: must be given */
    const char *words;  /* ONE */
    const char *help;
} kith_option;

/* Every row's preset; rows without one are left zero. */
KITH_API KITH_MUST_USE int kith_option_presets(
    const kith_option *table, void *self, kith_error *err);

/* E_CONFIG: no such option (the nearest is named) or not a value for it. */
KITH_API KITH_MUST_USE int kith_option_set(const kith_option *table, void *self,
    const char *name, const char *value, kith_error *err);

/* "drop=10&seed=7", %XX decoded. Names in no row are refused. The query may be
 * NULL or "". Rows without a preset must be in it. */
KITH_API KITH_MUST_USE int kith_option_query(
    const kith_option *table, void *self, const char *query, kith_error *err);

/* The value as a person would write it. Returns the length, cut to fit. */
KITH_API size_t kith_option_show(
    const kith_option *row, const void *self, char *ret_text, size_t size);

/* The name in the table most like `name`, or NULL if none is near. */
KITH_API const char *kith_option_nearest(const kith_option *table, const char *name);

/* The nearest of a list of words that ends with NULL, or NULL: "did you mean". */
KITH_API const char *kith_nearest_word(const char *const *words, const char *word);

#ifdef __cplusplus
}
#endif
#endif
