/* SPDX-License-Identifier: Apache-2.0 */
/* why: every packet behind an answer, from the store or from a file that was written of
 * it. */
#include "cli/asking.h"
#include "cli/place.h"
#include "cli/proof.h"
#include "cli/verbs.h"
#include "cli/why_file.h"

#include <kith/address.h>
#include <kith/heard.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX (2 * KITH_POOL_MAX)

typedef struct ways {
    char text[512];
    size_t used;
} ways;

static int see_way(void *ctx, const char *way) {
    ways *w = ctx;
    const char *name = *way == '\0' ? "own" : way;
    int n = snprintf(
        w->text + w->used, sizeof w->text - w->used, "%s%s", w->used == 0 ? "" : ",", name);
    if (n < 0 || (size_t) n >= sizeof w->text - w->used) return KITH_STOP;
    w->used += (size_t) n;
    return 0;
}

typedef struct claim {
    char gateway[KITH_WAY_MAX + 1], name[KITH_SEED1_LENGTH_MAX + 16];
} claim;

static int see_claim(void *ctx, const kith_heard *h) {
    claim *c = ctx;
    kith_content content;
    char name[KITH_SEED1_LENGTH_MAX];
    memcpy(c->gateway, h->gateway, sizeof c->gateway);
    if (kith_heard_content(h, &content, name) == 0) {
        snprintf(c->name, sizeof c->name, "unsigned:%s", name);
    }
    return KITH_STOP;
}

static void find_claim(asking *a, const kith_evidence *e, claim *ret) {
    kith_query q = { .id = e->id, .id_length = sizeof e->id, .with_expired = true };
    *ret = (claim){ .name = "unsigned:" };
    (void) !kith_store_heard(a->store, &q, see_claim, ret, NULL); /* then "" */
}

static bool show_row(asking *a, const kith_evidence *e, const shown_answer *shown) {
    static const char *const fates[] = { "counts", "capped", "too far out" };
    double unit = answer_unit(shown);
    ways w = { .text = "" };
    claim claimed = { .name = "" };
    record r = record_of("evidence");
    as_column(put_hex(&r, "id", e->id, sizeof e->id), 4);
    uint64_t arrival = e->arrival;
    if (e->is_unsigned) {
        find_claim(a, e, &claimed);
        (void) see_way(&w, claimed.gateway);
        as_column(put_text(&r, "from", claimed.name), 0);
    } else if (a->file != NULL) {
        why_file_place(a->file, e->id, &arrival, w.text, sizeof w.text);
        as_column(put_hex(&r, "from", e->keyid, sizeof e->keyid), 4);
    } else {
        (void) !kith_store_ways(a->store, e->arrival, see_way, &w, NULL); /* then "" */
        as_column(put_hex(&r, "from", e->keyid, sizeof e->keyid), 4);
    }
    as_column(put_real(&r, "effect",
                  e->left_out != NULL && e->v == 0 ? (double) NAN : e->y * unit),
        4);
    as_column(put_real(&r, "se", sqrt(e->v) * unit), 3);
    as_column(put_int(&r, "n", (int64_t) e->n), 0);
    as_column(put_real(&r, "weight", e->left_out != NULL ? 0 : e->vote.weight), 3);
    as_column(put_text(&r, "fate",
                  e->left_out != NULL                 ? e->left_out
                  : e->vote.fate <= KITH_VOTE_FLAGGED ? fates[e->vote.fate]
                                                      : "?"),
        0);
    as_column(put_real(&r, "age_s", (double) (a->ask.now_us - e->t_end_us) / 1e6), 4);
    as_column(put_text(&r, "ways", w.text), 0);
    put_real(&r, "relevance", e->left_out != NULL ? 0 : e->relevance);
    double effects[KITH_EFFECT_MAX], errors[KITH_EFFECT_MAX];
    for (size_t i = 0; i < e->components && i < KITH_EFFECT_MAX; i++) {
        effects[i] = e->effect[i] * unit;
        errors[i] = sqrt(e->covariance[i * (i + 3) / 2]) * unit;
    }
    if (e->components > 1) {
        put_reals(&r, "effects", effects, e->components);
        put_reals(&r, "ses", errors, e->components);
    } else {
        put_absent(&r, "effects");
        put_absent(&r, "ses");
    }
    put_text(&r, "subject", shown->subject);
    put_bool(&r, "pooled", e->left_out == NULL && e->vote.fate != KITH_VOTE_FLAGGED);
    put_real(&r, "residual", e->left_out != NULL ? (double) NAN : e->vote.residual);
    put_real(
        &r, "se_used", e->left_out != NULL ? (double) NAN : sqrt(e->vote.v_used) * unit);
    put_time(&r, "t_end", e->t_end_us);
    put_count(&r, "arrival", arrival);
    put_bool(&r, "signed", !e->is_unsigned);
    put_int(&r, "packets", e->is_unsigned ? (int64_t) e->packets : 1);
    return out_emit(a->c->out, &r);
}

typedef struct second {
    asking *a;
    bool bad;
} second;

/* What the source signed beside what it had said: kept as a proof, never counted. */
static bool show_proof(void *ctx, const proof *p) {
    second *s = ctx;
    char fate[100], first[17];
    record r = record_of("equivocation");
    if (p->first.length == 0) {
        snprintf(fate, sizeof fate, "equivocates: another came first");
    } else {
        for (int i = 0; i < 8; i++) snprintf(first + 2 * i, 3, "%02x", p->first_id[i]);
        snprintf(fate, sizeof fate, "equivocates: %s came first", first);
    }
    as_column(put_hex(&r, "id", p->id, sizeof p->id), 4);
    as_column(put_hex(&r, "from", p->keyid, sizeof p->keyid), 4);
    as_column(put_absent(&r, "effect"), 0);
    as_column(put_absent(&r, "se"), 0);
    as_column(put_int(&r, "n", p->content.n), 0);
    as_column(put_real(&r, "weight", 0), 3);
    as_column(put_text(&r, "fate", fate), 0);
    as_column(
        put_real(&r, "age_s", (double) (s->a->ask.now_us - p->content.t_end_us) / 1e6), 4);
    as_column(put_absent(&r, "ways"), 0);
    put_text(&r, "subject", p->content.address.subject);
    if (p->first.length > 0) put_hex(&r, "first", p->first_id, sizeof p->first_id);
    put_count(&r, "epoch", p->content.epoch);
    put_count(&r, "seq", p->content.seq);
    s->bad = !out_emit(s->a->c->out, &r);
    return !s->bad;
}

static int show_proofs(asking *a, const char *subject) {
    second s = { .a = a };
    kith_error err = { 0 };
    if (each_proof(a->store, subject, show_proof, &s, &err) < 0) {
        return store_fault(a->c, &err);
    }
    return s.bad ? EXIT_USAGE : 0;
}

static int why_one(asking *a, const char *subject, kith_evidence *rows) {
    const ask_flags *f = a->c->flags;
    shown_answer shown = { .subject = subject, .now_us = a->ask.now_us, .known = a->known };
    kith_error err = { 0 };
    size_t count = 0;
    a->ask.subject = subject;
    a->ask.ret_twins = &shown.twins;
    shown.near = flag_given(a->c, "near");
    int code = a->file != NULL ? 0 : asking_aim(a, subject);
    if (code != 0) return code;
    int r = kith_ask_all(a->store, &a->ask, &shown.asked, rows, ROWS_MAX, &count, &err);
    if (r == KITH_E_MISSING) return fault(a->c->out, E_NOTHING, subject, NULL);
    if (r < 0) return store_fault(a->c, &err);
    out *o = a->c->out;
    if ((o->json || (o->tty && o->format == NULL)) && !show_answer(o, &shown, true)) {
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < count && i < ROWS_MAX; i++) {
        if (!show_row(a, &rows[i], &shown)) return EXIT_USAGE;
    }
    if (count > ROWS_MAX) out_note(o, "%zu more are left out", count - ROWS_MAX);
    code = show_proofs(a, subject);
    if (code != 0 || f->write[0] == '\0') return code;
    return why_file_write(a, f->write, rows, count < ROWS_MAX ? count : ROWS_MAX);
}

static int why_asked(asking *a) {
    kith_evidence *rows = calloc(ROWS_MAX, sizeof *rows);
    int code = rows == NULL ? fault(a->c->out, E_MEMORY, "evidence", NULL)
                            : why_one(a, a->subjects[0], rows);
    free(rows);
    return code;
}

/* From a file nothing of this machine counts: no store, no clock, no key. */
static int why_from(const call *c, const char *path) {
    asking a = { .c = c };
    int code = why_file_open(&a, path);
    if (code == 0) code = why_asked(&a);
    why_file_close(&a);
    return code;
}

int verb_why(const call *c) {
    const ask_flags *f = c->flags;
    asking a;
    if ((f->from[0] != '\0') == (c->arg_count == 1)) {
        return fault_do(c->out, E_ARGUMENT, "why", "kith help why shows the form",
            "it takes a subject, or --from FILE, which says what was asked");
    }
    if (f->from[0] != '\0') return why_from(c, f->from);
    const char *why = kith_subject_fault(c->args[0], false);
    if (why != NULL) return fault(c->out, E_SUBJECT, c->args[0], "%s", why);
    int code = asking_open(&a, c);
    if (code == 0) code = why_asked(&a);
    asking_close(&a);
    return code;
}
