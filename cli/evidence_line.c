/* SPDX-License-Identifier: Apache-2.0 */
/* A line of JSON whose keys are the names of flags. */
#include "cli/check.h"
#include "cli/evidence.h"
#include "cli/parse.h"

#include <jansson.h>
#include <string.h>

/* A number as text that reads back the same; an array joined by commas. */
static bool value_text(const json_t *value, char *ret, size_t size) {
    switch (json_typeof(value)) {
    case JSON_STRING:
        return json_string_length(value) < size &&
               snprintf(ret, size, "%s", json_string_value(value)) >= 0;
    case JSON_INTEGER:
        return snprintf(ret, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value)) > 0;
    case JSON_REAL: return snprintf(ret, size, "%.17g", json_real_value(value)) > 0;
    case JSON_TRUE: return snprintf(ret, size, "yes") > 0;
    case JSON_FALSE: return snprintf(ret, size, "no") > 0;
    case JSON_ARRAY: {
        size_t used = 0;
        ret[0] = '\0';
        for (size_t i = 0; i < json_array_size(value); i++) {
            const json_t *one = json_array_get(value, i);
            if (!json_is_number(one) || size - used < 40) return false;
            int n = snprintf(ret + used, size - used, "%s%.17g", i == 0 ? "" : ",",
                json_number_value(one));
            used += n > 0 ? (size_t) n : 0;
        }
        return true;
    }
    case JSON_OBJECT:
    case JSON_NULL: break;
    }
    return false;
}

static bool is_near(const kith_option *row) {
    return strcmp(row->name, "near") == 0 || strcmp(row->name, "effects") == 0 ||
           strcmp(row->name, "covariance") == 0;
}

/* Is the value of a JSON type that the flag takes? Texts are read as on the command
 * line, so "0.5" and "7d" are fine. */
static bool fits(const kith_option *row, const json_t *value) {
    CHECK(value != NULL);
    switch (json_typeof(value)) {
    case JSON_STRING: return true;
    case JSON_TRUE:
    case JSON_FALSE: return row->type == KITH_OPTION_BOOL;
    case JSON_INTEGER:
    case JSON_REAL: return row->type != KITH_OPTION_TEXT && row->type != KITH_OPTION_BOOL;
    case JSON_ARRAY: return is_near(row);
    case JSON_OBJECT:
    case JSON_NULL: break;
    }
    return false;
}

static const char *takes(const kith_option *row) {
    return is_near(row)                    ? "an array of numbers, or a text"
           : row->type == KITH_OPTION_TEXT ? "a text"
           : row->type == KITH_OPTION_BOOL ? "true or false"
           : row->type == KITH_OPTION_TIME ? "seconds, or a text such as 7d"
           : row->type == KITH_OPTION_ONE  ? row->words
                                           : "a number";
}

static int take(const char *key, const json_t *value, post_flags *ret, uint64_t *given,
    char why[WHY_MAX]) {
    char text[1024];
    kith_error err = { 0 };
    int row = row_index(encode_rows, key);
    if (json_is_null(value)) return 0; /* as if it were not there */
    if (row < 0) {
        const char *like = kith_option_nearest(encode_rows, key);
        snprintf(why, WHY_MAX, "no such key: %.60s%s%s%s", key,
            like == NULL ? "; kith help post lists the flags" : "; did you mean ",
            like == NULL ? "" : like, like == NULL ? "" : "?");
        return E_LINE;
    }
    if (!fits(&encode_rows[row], value)) {
        snprintf(why, WHY_MAX, "%.60s takes %s", key, takes(&encode_rows[row]));
        return E_LINE;
    }
    bool good = value_text(value, text, sizeof text - 2);
    if (good && json_is_number(value) && encode_rows[row].type == KITH_OPTION_TIME) {
        size_t end = strlen(text); /* seconds, as in what kith writes */
        text[end] = 's';
        text[end + 1] = '\0';
    }
    if (!good || kith_option_set(encode_rows, ret, key, text, &err) < 0) {
        if (err.text[0] != '\0') {
            snprintf(why, WHY_MAX, "%.*s", WHY_MAX - 1, err.text);
        } else {
            snprintf(why, WHY_MAX, "%.60s has a value that is too long, or nested", key);
        }
        return E_LINE;
    }
    *given |= UINT64_C(1) << row;
    return 0;
}

int evidence_object(
    const struct json_t *object, post_flags *ret, uint64_t *given, char why[WHY_MAX]) {
    if (!json_is_object(object)) {
        snprintf(why, WHY_MAX, "it is no JSON object");
        return E_LINE;
    }
    int code = 0;
    json_t *all = (json_t *) (uintptr_t) object; /* jansson's iterator wants it so */
    for (void *at = json_object_iter(all); at != NULL && code == 0;
         at = json_object_iter_next(all, at)) {
        code = take(json_object_iter_key(at), json_object_iter_value(at), ret, given, why);
    }
    return code;
}

int evidence_line(
    const char *text, size_t length, post_flags *ret, uint64_t *given, char why[WHY_MAX]) {
    json_error_t bad;
    if (length > LINE_MAX_BYTES) {
        snprintf(why, WHY_MAX, "the line is longer than %d bytes", LINE_MAX_BYTES);
        return E_LINE;
    }
    if (memchr(text, '\0', length) != NULL) { /* jansson takes it for a blank */
        snprintf(why, WHY_MAX, "a zero byte");
        return E_LINE;
    }
    json_t *object =
        json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &bad);
    if (object == NULL) {
        static const char end[] = "end of file"; /* jansson's word; here it is a line's */
        char *at = strstr(bad.text, end);
        if (at != NULL) memcpy(at, "end of line", sizeof end - 1);
        snprintf(why, WHY_MAX, "%.200s, column %d", bad.text, bad.column);
        return E_LINE;
    }
    int code = evidence_object(object, ret, given, why);
    json_decref(object);
    return code;
}
