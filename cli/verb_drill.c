/* SPDX-License-Identifier: Apache-2.0 */
/* drill: liars beside a copy of what sources say, and how far they carry the answer. */
#include "cli/asking.h"
#include "cli/place.h"
#include "cli/verbs.h"

#include <kith/drill.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX (2 * KITH_POOL_MAX)

static const char *const lies[] = { "gross", "stealth" };

/* One subject's drill: what is asked, and room for all of it. */
typedef struct drilling {
    asking *a;
    uint32_t percent;
    shown_answer shown; /* for the unit */
    kith_evidence *rows;
    kith_leaf *leaves;
    kith_drill_liar *liars;
    size_t count;
} drilling;

/* "20%", "20": 1 to 30. 0: neither. */
static uint32_t percent_of(const char *text) {
    char *end;
    unsigned long n = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
    if (n < 1 || n > KITH_DRILL_PERCENT_MAX) return 0;
    return *end == '\0' || strcmp(end, "%") == 0 ? (uint32_t) n : 0;
}

/* The leaves that the answer was made of. They are copies: nothing below reaches the
 * store. */
static void copy_leaves(drilling *d, size_t rows) {
    d->count = 0;
    for (size_t i = 0; i < rows && i < ROWS_MAX; i++) {
        const kith_evidence *e = &d->rows[i];
        if (e->left_out != NULL || e->is_unsigned) continue;
        kith_leaf *leaf = &d->leaves[d->count++];
        *leaf = (kith_leaf){ .y = e->y,
            .v = e->v,
            .relevance = e->relevance,
            .n = e->n,
            .t_end_us = e->t_end_us };
        memcpy(leaf->source, e->keyid, sizeof leaf->source);
    }
}

static bool emit_liar(const drilling *d, const char *lie, size_t i) {
    const kith_drill_liar *liar = &d->liars[i];
    double unit = answer_unit(&d->shown);
    bool named = liar->vote.fate == KITH_VOTE_FLAGGED;
    char who[32];
    snprintf(who, sizeof who, "planted-%zu", i + 1);
    record r = record_of("drill_liar");
    as_column(put_text(&r, "subject", d->shown.subject), 0);
    as_column(put_text(&r, "lie", lie), 0);
    as_column(put_text(&r, "who", who), 0);
    as_column(put_real(&r, "says", liar->leaf.y * unit), 4);
    as_column(put_absent(&r, "shift"), 0);
    as_column(put_absent(&r, "bound"), 0);
    as_column(put_text(&r, "result", named ? "named" : "not named"), 0);
    put_real(&r, "se", sqrt(liar->leaf.v) * unit);
    put_real(&r, "residual", liar->vote.residual);
    put_real(&r, "weight", liar->vote.weight);
    put_bool(&r, "named", named);
    put_hex(&r, "source", liar->leaf.source, sizeof liar->leaf.source);
    return out_emit(d->a->c->out, &r);
}

static void put_counts(record *r, const drilling *d, const kith_drill *it) {
    put_text(r, "state",
        it->insufficient ? "insufficient"
        : it->inside     ? "inside"
                         : "outside");
    put_int(r, "k", (int64_t) it->k);
    put_int(r, "missing", (int64_t) it->missing);
    put_int(r, "percent", (int64_t) d->percent);
    put_int(r, "liars", (int64_t) it->liars);
    put_int(r, "named", (int64_t) it->named);
    put_int(r, "accused", (int64_t) it->accused);
    put_int(r, "components", (int64_t) d->shown.asked.components);
}

static bool emit_result(
    const drilling *d, const char *lie, const kith_drill *it, bool *ret_good) {
    double unit = answer_unit(&d->shown), nan_ = (double) NAN;
    bool no = it->insufficient;
    char who[48], result[80];
    snprintf(who, sizeof who, no ? "%u sources" : "%u sources, %u liars", it->k, it->liars);
    if (no) {
        snprintf(result, sizeof result, "insufficient: %u more needed", it->missing);
    } else {
        snprintf(result, sizeof result, "%s; %u of %u named",
            it->inside ? "inside" : "OUTSIDE", it->named, it->liars);
    }
    record r = record_of("drill");
    as_column(put_text(&r, "subject", d->shown.subject), 0);
    as_column(put_text(&r, "lie", lie), 0);
    as_column(put_text(&r, "who", who), 0);
    as_column(put_real(&r, "says", no ? nan_ : it->after.kept.mu * unit), 4);
    as_column(put_real(&r, "shift", no ? nan_ : it->shift * unit), 3);
    as_column(put_real(&r, "bound", no ? nan_ : it->bound * unit), 3);
    as_column(put_text(&r, "result", result), 0);
    put_counts(&r, d, it);
    put_real(&r, "before", no ? nan_ : it->before.kept.mu * unit);
    put_real(&r, "before_se", no ? nan_ : it->before.kept.se * unit);
    put_real(&r, "spread", no ? nan_ : it->spread * unit);
    put_real(&r, "plain_shift",
        no ? nan_ : fabs(it->after.plain.mu - it->before.plain.mu) * unit);
    put_bool(&r, "alarm", !no && it->after.alarm);
    *ret_good = !no && it->inside;
    return out_emit(d->a->c->out, &r);
}

/* 0: inside. 1: outside, or insufficient. Else an exit code after a fault. */
static int drill_lie(drilling *d, kith_drill_lie lie, bool *ret_sufficient) {
    const call *c = d->a->c;
    const drill_flags *f = c->flags;
    kith_drill it;
    kith_drill_plan plan = {
        .lie = lie, .percent = d->percent, .seed = (uint64_t) f->seed
    };
    bool good = false;
    int r = kith_drill_run(d->leaves, d->count, &d->a->ask.pool, &plan, &it, d->liars);
    if (r < 0) {
        kith_error err = { .code = r };
        return fault_kith(c->out, E_INTERNAL, "drill", &err);
    }
    *ret_sufficient = !it.insufficient;
    if (!emit_result(d, lies[lie], &it, &good)) return EXIT_USAGE;
    for (size_t i = 0; i < it.liars && *ret_sufficient; i++) {
        if (!emit_liar(d, lies[lie], i)) return EXIT_USAGE;
    }
    return good ? 0 : EXIT_NOTHING;
}

/* ret_sufficient: the subject had sources enough. */
static int drill_one(drilling *d, const char *subject, bool *ret_sufficient) {
    const call *c = d->a->c;
    const drill_flags *f = c->flags;
    kith_error err = { 0 };
    size_t rows = 0;
    d->a->ask.subject = subject;
    d->shown = (shown_answer){
        .subject = subject, .now_us = d->a->ask.now_us, .known = d->a->known
    };
    int r = kith_ask_all(
        d->a->store, &d->a->ask, &d->shown.asked, d->rows, ROWS_MAX, &rows, &err);
    if (r == KITH_E_MISSING) return fault(c->out, E_NOTHING, subject, NULL);
    if (r < 0) return store_fault(c, &err);
    copy_leaves(d, rows);
    int worst = 0;
    for (int lie = KITH_DRILL_GROSS; lie <= KITH_DRILL_STEALTH; lie++) {
        if (f->lie != 0 && f->lie != lie + 1) continue;
        int code = drill_lie(d, (kith_drill_lie) lie, ret_sufficient);
        if (code > worst) worst = code;
        if (code > EXIT_NOTHING || !*ret_sufficient) break; /* no lie would say more */
    }
    return worst;
}

static int drill_all(drilling *d) {
    bool any = false, outside = false;
    for (size_t i = 0; i < d->a->subject_count; i++) {
        bool sufficient = false;
        int code = drill_one(d, d->a->subjects[i], &sufficient);
        if (code > EXIT_NOTHING) return code;
        any |= sufficient;
        outside |= sufficient && code != 0;
    }
    return any && !outside ? 0 : EXIT_NOTHING;
}

static int drill_asked(asking *a, uint32_t percent) {
    drilling d = { .a = a,
        .percent = percent,
        .rows = calloc(ROWS_MAX, sizeof *d.rows),
        .leaves = calloc(ROWS_MAX, sizeof *d.leaves),
        .liars = calloc(kith_drill_liars(ROWS_MAX, percent), sizeof *d.liars) };
    a->ask.pool_unsigned = false; /* a gateway is no source that could be compared */
    int code = d.rows == NULL || d.leaves == NULL || d.liars == NULL
                   ? fault(a->c->out, E_MEMORY, "the drill", NULL)
                   : drill_all(&d);
    free(d.rows);
    free(d.leaves);
    free(d.liars);
    return code;
}

int verb_drill(const call *c) {
    static const char *const all[] = { ">" };
    const drill_flags *f = c->flags;
    uint32_t percent = percent_of(f->liars);
    asking a;
    call of = *c;
    if (percent == 0) {
        return fault(c->out, E_VALUE, "--liars",
            "'%s' is not 1%% to 30%%: beyond that nothing is promised", f->liars);
    }
    if (of.arg_count == 0) {
        of.args = all;
        of.arg_count = 1;
    }
    int code = asking_open(&a, &of);
    if (code == 0) code = drill_asked(&a, percent);
    asking_close(&a);
    return code;
}
