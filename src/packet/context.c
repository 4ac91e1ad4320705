/* SPDX-License-Identifier: Apache-2.0 */
/* What a template says about a context: its numbers, distances, cells. */
#include "packet/document.h"

#include "base/check.h"
#include "base/fail.h"

#include <kith/address.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TOKENS_SIZE 80

int kith_template_context(const kith_template *t, const char *text,
    uint16_t ret[KITH_CONTEXT_MAX], kith_error *err) {
    uint16_t numbers[KITH_CONTEXT_MAX];
    unsigned count = 0;
    for (size_t i = 0; i < t->dimension_count; i++) {
        const ki_dimension *d = &t->dimensions[i];
        while (*text == ' ') text++;
        size_t length = strcspn(text, ","), used = length;
        while (used > 0 && text[used - 1] == ' ') used--;
        if (used == 0) {
            return ki_fail(err, KITH_E_ARG,
                "template %s wants %zu values, by commas; nothing is given for %s",
                t->facts.name, t->dimension_count, d->name);
        }
        int r = ki_transform_map(d->transform, text, used, numbers + count, err);
        if (r < 0) return ki_fail_in(err, r, "%s", d->name);
        count += ki_transform_numbers(d->transform);
        text += length;
        if (*text == ',' && text[1] != '\0' && i + 1 < t->dimension_count) text++;
    }
    if (*text != '\0') {
        return ki_fail(err, KITH_E_ARG, "template %s wants %zu values, by commas, not more",
            t->facts.name, t->dimension_count);
    }
    CHECK(count == t->facts.numbers);
    memcpy(ret, numbers, count * sizeof *numbers);
    return 0;
}

uint32_t kith_template_distance(
    const kith_template *t, const uint16_t *a, const uint16_t *b) {
    uint32_t most = 0;
    uint64_t sum = 0;
    for (unsigned i = 0; i < t->facts.numbers; i++) {
        uint32_t apart = a[i] > b[i] ? (uint32_t) (a[i] - b[i]) : (uint32_t) (b[i] - a[i]);
        most = apart > most ? apart : most;
        sum += (uint64_t) apart * apart;
    }
    if (!t->facts.euclid) return most;
    uint32_t root = (uint32_t) sqrt((double) sum); /* below 2^36: exact enough to mend */
    while ((uint64_t) root * root < sum) root++;
    while (root > 0 && (uint64_t) (root - 1) * (root - 1) >= sum) root--;
    return root;
}

/* base + '.' + tail. false: no subject, or more than a carrier's tree has room for. */
static bool join(const char *base, const char *tail, kith_address *ret) {
    int n = snprintf(ret->subject, sizeof ret->subject, "%s.%s", base, tail);
    return n > 0 && (size_t) n < sizeof ret->subject && kith_pattern_valid(ret->subject);
}

static bool grid_tail(const kith_template *t, const uint16_t *context, unsigned grid,
    unsigned levels, char ret[TOKENS_SIZE]) {
    uint8_t key[KITH_MORTON_SIZE];
    int r = kith_grid_key(context, t->facts.numbers, grid, key);
    if (r == 0) r = kith_grid_tokens(key, grid, t->facts.levels, levels, ret, TOKENS_SIZE);
    return r == 0;
}

/* How many cells a context has. */
static unsigned cells(const kith_template *t) {
    return t->facts.route == KITH_ROUTE_GRIDS ? kith_grids(t->facts.numbers)
           : t->facts.route == KITH_ROUTE_LSH ? t->lsh->tables
                                              : 0;
}

/* The tokens of one of them, down to that many published levels. */
static bool tail(const kith_template *t, const uint16_t *context, unsigned which,
    unsigned levels, char ret[TOKENS_SIZE]) {
    if (t->facts.route == KITH_ROUTE_GRIDS) {
        return grid_tail(t, context, which, levels, ret);
    }
    kith_lsh_token(t->lsh, which, context, ret);
    return true;
}

size_t kith_template_cells(
    const kith_template *t, const kith_content *c, kith_address ret[KITH_CELLS_MAX]) {
    char tokens[TOKENS_SIZE];
    unsigned count = cells(t);
    if ((c->has & KITH_HAS_CONTEXT16) == 0 || c->context16_count != t->facts.numbers ||
        (c->type != KITH_LEAF && c->type != KITH_RETRACT)) {
        return 0;
    }
    for (unsigned i = 0; i < count; i++) {
        if (!tail(t, c->context16, i, t->facts.level_count, tokens) ||
            !join(c->address.subject, tokens, &ret[i])) {
            return 0;
        }
    }
    return count;
}

/* Published levels down to the one at which twins surely meet. */
static unsigned meeting_levels(const kith_template *t) {
    unsigned count = 0;
    while (
        count < t->facts.level_count && t->facts.levels[count] <= t->facts.meeting_level) {
        count++;
    }
    return count;
}

size_t kith_template_follow(const kith_template *t, const char *base,
    const uint16_t *context, kith_address ret[KITH_CELLS_MAX]) {
    char tokens[TOKENS_SIZE];
    unsigned count = cells(t), levels = meeting_levels(t);
    bool deeper = t->facts.route == KITH_ROUTE_GRIDS && levels < t->facts.level_count;
    for (unsigned i = 0; i < count; i++) {
        if (!tail(t, context, i, levels, tokens)) return 0;
        size_t length = strlen(tokens);
        if (deeper) memcpy(tokens + length, ".>", 3);
        if (!join(base, tokens, &ret[i])) return 0;
    }
    return count;
}

bool kith_template_meet(
    const kith_template *t, const uint16_t *mine, const uint16_t *theirs) {
    char a[TOKENS_SIZE], b[TOKENS_SIZE];
    unsigned count = cells(t), levels = meeting_levels(t);
    for (unsigned i = 0; i < count; i++) {
        if (tail(t, mine, i, levels, a) && tail(t, theirs, i, levels, b) &&
            strcmp(a, b) == 0) {
            return true;
        }
    }
    return false;
}

bool kith_cell_accepts(
    const kith_templates *set, const kith_content *c, const char *subject) {
    kith_address all[KITH_CELLS_MAX];
    const char *base = c->address.subject;
    size_t length = strlen(base);
    if (strcmp(subject, base) == 0) return true;
    const kith_template *t = kith_templates_find(set, c->template_id);
    if (t == NULL) {
        int u;
        return (c->has & KITH_HAS_CONTEXT16) != 0 &&
               !kith_template_builtin(c->template_id, &u) &&
               kith_cell_base(subject) == length && memcmp(subject, base, length) == 0;
    }
    size_t count = kith_template_cells(t, c, all);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(all[i].subject, subject) == 0) return true;
    }
    return false;
}
