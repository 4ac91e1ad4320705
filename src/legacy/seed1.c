/* SPDX-License-Identifier: Apache-2.0 */
/* Seed 1: a JSON object of eight keys in at most 512 bytes. */
#include "base/check.h"
#include "legacy/legacy.h"
#include "legacy/python.h"
#include "packet/part.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define INT_EXACT INT64_C(9007199254740992) /* beyond, a double skips whole numbers */

static const char *const keys[] = { "agent_id", "domain", "problem_class", "conclusion",
    "confidence", "context_vector", "timestamp", "source_node" };
#define KEYS (sizeof keys / sizeof *keys)

bool ki_legacy_text(const char *text, size_t length, size_t max) {
    uint8_t copy[KITH_SEED1_LENGTH_MAX + 16]; /* the look-ahead of ki_text_ok */
    if (length > max || length > KITH_SEED1_LENGTH_MAX) return false;
    memset(copy, 0, sizeof copy);
    memcpy(copy, text, length);
    return ki_text_ok(copy, length);
}

/* Every range, for both directions. */
static int check(const kith_seed1 *p) {
    const struct {
        const char *text;
        size_t size;
    } texts[] = {
        { p->agent_id, sizeof p->agent_id },
        { p->domain, sizeof p->domain },
        { p->problem_class, sizeof p->problem_class },
        { p->conclusion, sizeof p->conclusion },
        { p->source_node, sizeof p->source_node },
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t n = strnlen(texts[i].text, texts[i].size);
        if (!ki_legacy_text(texts[i].text, n, texts[i].size - 1)) return KITH_L_TEXT;
    }
    char subject[KITH_SEED1_TOPIC_MAX + 1];
    int r = kith_seed1_subject(p, subject);
    if (r < 0) return r;
    if (!(p->confidence >= 0 && p->confidence <= 1)) return KITH_L_CONFIDENCE;
    if (p->vector_count > KITH_SEED1_VECTOR_MAX) return KITH_L_VECTOR;
    for (size_t i = 0; i < p->vector_count; i++) {
        if (!isfinite(p->context_vector[i])) return KITH_L_VECTOR;
    }
    return ki_legacy_time(p->timestamp) ? 0 : KITH_L_TIME;
}

int kith_seed1_subject(const kith_seed1 *p, char ret[KITH_SEED1_TOPIC_MAX + 1]) {
    CHECK(p != NULL);
    CHECK(ret != NULL);
    char text[2 * sizeof p->domain + 16];
    int n = snprintf(text, sizeof text, "qis.iot.%.*s.%.*s", KITH_SUBJECT_MAX, p->domain,
        KITH_SUBJECT_MAX, p->problem_class);
    CHECK(n > 0 && n < (int) sizeof text);
    if (n > KITH_SEED1_TOPIC_MAX || !ki_legacy_subject(text + 4)) return KITH_L_SUBJECT;
    memcpy(ret, text, (size_t) n + 1);
    return 0;
}

static void write_text(line *l, const char *key, const char *value) {
    ki_line_raw(l, key);
    ki_line_string(l, value);
}

int kith_seed1_encode(const kith_seed1 *p, char ret[KITH_SEED1_LENGTH_MAX + 1]) {
    CHECK(p != NULL);
    CHECK(ret != NULL);
    int r = check(p);
    if (r < 0) return r;
    char text[KITH_SEED1_LENGTH_MAX + 1];
    line l = { text, text + sizeof text, false };
    write_text(&l, "{\"agent_id\": ", p->agent_id);
    write_text(&l, ", \"domain\": ", p->domain);
    write_text(&l, ", \"problem_class\": ", p->problem_class);
    write_text(&l, ", \"conclusion\": ", p->conclusion);
    ki_line_raw(&l, ", \"confidence\": ");
    ki_line_real(&l, p->confidence);
    ki_line_raw(&l, ", \"context_vector\": [");
    for (size_t i = 0; i < p->vector_count; i++) {
        if (i > 0) ki_line_raw(&l, ", ");
        ki_line_real(&l, p->context_vector[i]);
    }
    ki_line_raw(&l, "], \"timestamp\": ");
    ki_line_real(&l, p->timestamp);
    write_text(&l, ", \"source_node\": ", p->source_node);
    ki_line_raw(&l, "}");
    if (l.full) return KITH_L_ROOM;
    memcpy(ret, text, (size_t) (l.at - text) + 1);
    return (int) (l.at - text);
}

/* ---- read ---- */

static int take_text(const json_t *all, const char *key, char *ret, size_t size) {
    const json_t *value = json_object_get(all, key);
    if (!json_is_string(value)) return KITH_L_TYPE;
    size_t n = json_string_length(value);
    if (n >= size) return KITH_L_TEXT;
    memcpy(ret, json_string_value(value), n + 1);
    return strlen(ret) == n ? 0 : KITH_L_TEXT;
}

static int take_number(const json_t *value, int otherwise, double *ret) {
    if (!json_is_number(value)) return KITH_L_TYPE;
    if (json_is_integer(value)) {
        json_int_t whole = json_integer_value(value);
        if (whole > INT_EXACT || whole < -INT_EXACT) return otherwise;
    }
    *ret = json_number_value(value);
    return 0;
}

static int take_vector(const json_t *all, kith_seed1 *ret) {
    const json_t *list = json_object_get(all, "context_vector");
    if (!json_is_array(list)) return KITH_L_TYPE;
    size_t n = json_array_size(list);
    if (n > KITH_SEED1_VECTOR_MAX) return KITH_L_VECTOR;
    ret->vector_count = (uint16_t) n;
    for (size_t i = 0; i < n; i++) {
        int r =
            take_number(json_array_get(list, i), KITH_L_VECTOR, &ret->context_vector[i]);
        if (r < 0) return r;
    }
    return 0;
}

static int take_all(const json_t *all, kith_seed1 *p) {
    if (!json_is_object(all)) return KITH_L_JSON;
    for (size_t i = 0; i < KEYS; i++) {
        if (json_object_get(all, keys[i]) == NULL) return KITH_L_KEYS;
    }
    if (json_object_size(all) != KEYS) return KITH_L_KEYS;
    int r = take_text(all, "agent_id", p->agent_id, sizeof p->agent_id);
    if (r == 0) r = take_text(all, "domain", p->domain, sizeof p->domain);
    if (r == 0) {
        r = take_text(all, "problem_class", p->problem_class, sizeof p->problem_class);
    }
    if (r == 0) r = take_text(all, "conclusion", p->conclusion, sizeof p->conclusion);
    if (r == 0) {
        r = take_number(
            json_object_get(all, "confidence"), KITH_L_CONFIDENCE, &p->confidence);
    }
    if (r == 0) r = take_vector(all, p);
    if (r == 0) {
        r = take_number(json_object_get(all, "timestamp"), KITH_L_TIME, &p->timestamp);
    }
    if (r == 0) r = take_text(all, "source_node", p->source_node, sizeof p->source_node);
    return r;
}

/* Their dots are not told apart, so the whole strings are compared. */
static int check_topic(const char *subject, size_t length, const kith_seed1 *p) {
    char own[KITH_SEED1_TOPIC_MAX + 1];
    int r = kith_seed1_subject(p, own);
    if (r < 0 || subject == NULL) return r;
    if (length < 8 || memcmp(subject, "qis.iot.", 8) != 0) return KITH_L_TOPIC;
    bool same = length == strlen(own) && memcmp(subject, own, length) == 0;
    return same ? 0 : KITH_L_DOMAIN;
}

int kith_seed1_decode(const char *subject, size_t subject_length, const char *text,
    size_t length, kith_seed1 *ret) {
    CHECK(text != NULL);
    CHECK(ret != NULL);
    if (length < 1 || length > KITH_SEED1_LENGTH_MAX) return KITH_L_LENGTH;
    /* jansson passes over a NUL behind a number */
    if (memchr(text, '\0', length) != NULL) return KITH_L_JSON;
    json_t *all = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    if (all == NULL) return KITH_L_JSON;
    kith_seed1 p;
    memset(&p, 0, sizeof p);
    int r = take_all(all, &p);
    json_decref(all);
    if (r == 0) r = check(&p);
    if (r == 0) r = check_topic(subject, subject_length, &p);
    if (r < 0) return r;
    memcpy(ret, &p, sizeof p);
    return 0;
}
