/* SPDX-License-Identifier: Apache-2.0 */
/* Seed 0's store: what it answers to a REQ. */
#include "base/check.h"
#include "legacy/legacy.h"
#include "legacy/python.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#define PLAIN_KEYS    4
#define EXTENDED_KEYS 7

static void write_row(line *l, const kith_seed0 *row, bool extended) {
    ki_line_raw(l, "{\"domain\": ");
    ki_line_string(l, row->domain);
    ki_line_raw(l, ", \"outcome_delta\": ");
    ki_line_real(l, (double) (float) row->outcome_delta);
    ki_line_raw(l, ", \"confidence\": ");
    ki_line_real(l, (double) (float) row->confidence);
    ki_line_raw(l, ", \"n_observations\": ");
    ki_line_int(l, row->n_observations);
    if (extended) {
        ki_line_raw(l, ", \"timestamp\": ");
        ki_line_real(l, row->timestamp);
        ki_line_raw(l, ", \"node_id\": ");
        ki_line_string(l, row->node_id);
        ki_line_raw(l, ", \"context_hash\": ");
        ki_line_string(l, row->context_hash);
    }
    ki_line_raw(l, "}");
}

int kith_seed0_reply(
    const kith_seed0 *rows, size_t count, bool extended, char ret[KITH_SEED0_REPLY_MAX]) {
    CHECK(rows != NULL || count == 0);
    CHECK(ret != NULL);
    if (count > KITH_SEED0_ROWS_MAX) return KITH_E_ARG;
    for (size_t i = 0; i < count; i++) {
        /* Everything a packet must be; NaN, for one, would be no JSON. */
        kith_seed0_frames frames;
        int r = kith_seed0_encode(&rows[i], &frames);
        if (r < 0) return r;
    }
    line l = { ret, ret + KITH_SEED0_REPLY_MAX, false };
    ki_line_raw(&l, "[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) ki_line_raw(&l, ", ");
        write_row(&l, &rows[i], extended);
    }
    ki_line_raw(&l, "]");
    CHECK(!l.full); /* the longest row of all is 456 bytes and names of \u escapes */
    return (int) (l.at - ret);
}

/* ---- read ---- */

static int take_text(const json_t *row, const char *key, char *ret, size_t max) {
    const json_t *value = json_object_get(row, key);
    if (value == NULL) return KITH_L_KEYS;
    if (!json_is_string(value)) return KITH_L_TYPE;
    size_t n = json_string_length(value);
    if (!ki_legacy_text(json_string_value(value), n, max)) return KITH_L_TEXT;
    memcpy(ret, json_string_value(value), n + 1);
    return 0;
}

static int take_number(const json_t *row, const char *key, double *ret) {
    const json_t *value = json_object_get(row, key);
    if (value == NULL) return KITH_L_KEYS;
    if (!json_is_number(value)) return KITH_L_TYPE;
    *ret = json_number_value(value);
    return 0;
}

static int take_row(const json_t *row, kith_seed0 *ret) {
    if (!json_is_object(row)) return KITH_L_JSON;
    size_t keys = json_object_size(row);
    if (keys != PLAIN_KEYS && keys != EXTENDED_KEYS) return KITH_L_KEYS;
    kith_seed0 p = { .timestamp = 0 };
    int r = take_text(row, "domain", p.domain, KITH_SUBJECT_MAX);
    if (r == 0) r = take_number(row, "outcome_delta", &p.outcome_delta);
    if (r == 0) r = take_number(row, "confidence", &p.confidence);
    if (r < 0) return r;
    const json_t *n = json_object_get(row, "n_observations");
    if (n == NULL) return KITH_L_KEYS;
    if (!json_is_integer(n)) return KITH_L_TYPE;
    if (json_integer_value(n) < 1 || json_integer_value(n) > INT32_MAX) {
        return KITH_L_COUNT;
    }
    p.n_observations = (int32_t) json_integer_value(n);
    if (keys == EXTENDED_KEYS) {
        r = take_number(row, "timestamp", &p.timestamp);
        if (r == 0) r = take_text(row, "node_id", p.node_id, KITH_SEED0_NAME_MAX);
        if (r == 0) r = take_text(row, "context_hash", p.context_hash, KITH_SEED0_NAME_MAX);
        if (r == 0 && !ki_legacy_time(p.timestamp)) r = KITH_L_TIME;
        if (r < 0) return r;
    }
    if (!ki_legacy_subject(p.domain)) return KITH_L_SUBJECT;
    if (!(p.outcome_delta >= -1 && p.outcome_delta <= 1)) return KITH_L_DELTA;
    if (!(p.confidence >= 0 && p.confidence <= 1)) return KITH_L_CONFIDENCE;
    *ret = p;
    return 0;
}

int kith_seed0_read_reply(
    const char *text, size_t length, kith_seed0 ret_rows[KITH_SEED0_ROWS_MAX]) {
    CHECK(text != NULL);
    CHECK(ret_rows != NULL);
    if (length > KITH_SEED0_REPLY_MAX) return KITH_L_LENGTH;
    /* jansson passes over a NUL behind a number */
    if (memchr(text, '\0', length) != NULL) return KITH_L_JSON;
    json_t *all = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    int r = json_is_array(all) ? 0 : KITH_L_JSON;
    size_t count = json_array_size(all);
    if (r == 0 && count > KITH_SEED0_ROWS_MAX) r = KITH_L_COUNT;
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = take_row(json_array_get(all, i), &ret_rows[i]);
    }
    json_decref(all);
    return r < 0 ? r : (int) count;
}
