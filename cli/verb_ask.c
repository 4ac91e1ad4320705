/* SPDX-License-Identifier: Apache-2.0 */
/* ask and why: the answer, and every packet behind it. */
#include "cli/answer.h"
#include "cli/evidence.h"
#include "cli/parse.h"
#include "cli/place.h"
#include "cli/proof.h"
#include "cli/templates.h"
#include "cli/verbs.h"

#include <kith/address.h>
#include <kith/heard.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SUBJECTS_MAX 4096
#define ROWS_MAX     (2 * KITH_POOL_MAX)

typedef struct asking {
    const call *c;
    kith_store *store;
    kith_ask ask;
    uint8_t public_key[KITH_KEY_SIZE], template_id[KITH_TEMPLATE_SIZE];
    char (*subjects)[KITH_SUBJECT_MAX + 1];
    size_t subject_count;
    bool too_many, any_template;
    uint64_t unsigned_left;
    kith_templates *known;
    uint16_t near[KITH_CONTEXT_MAX];
} asking;

/* Into its place in order, once. */
static int add_subject(asking *a, const char *subject) {
    size_t n = a->subject_count;
    while (n > 0 && strcmp(a->subjects[n - 1], subject) > 0) n--;
    if (n > 0 && strcmp(a->subjects[n - 1], subject) == 0) return 0;
    if (a->subject_count == SUBJECTS_MAX) {
        a->too_many = true;
        return KITH_STOP;
    }
    memmove(
        a->subjects[n + 1], a->subjects[n], (a->subject_count - n) * sizeof *a->subjects);
    memcpy(a->subjects[n], subject, strlen(subject) + 1);
    a->subject_count++;
    return 0;
}

static int see_subject(void *ctx, const kith_record *one) {
    kith_content content;
    if (kith_packet_decode(one->packet.bytes, one->packet.length, &content) < 0) return 0;
    return add_subject(ctx, content.address.subject);
}

static int see_heard(void *ctx, const kith_heard *one) {
    return add_subject(ctx, one->subject);
}

/* The subjects that the argument names. */
static int find_subjects(asking *a) {
    kith_error err = { 0 };
    const char *what = a->c->args[0];
    const char *why = kith_subject_fault(what, true);
    if (why != NULL) return fault(a->c->out, E_SUBJECT, what, "%s", why);
    a->subjects = calloc(SUBJECTS_MAX, sizeof *a->subjects);
    if (a->subjects == NULL) return fault(a->c->out, E_MEMORY, "subjects", NULL);
    if (kith_subject_valid(what)) {
        memcpy(a->subjects[a->subject_count++], what, strlen(what) + 1);
        return 0;
    }
    kith_query heard = { .pattern = what, .now_us = a->ask.now_us };
    if (kith_store_latest(a->store, what, a->ask.now_us, see_subject, a, &err) < 0 ||
        kith_store_heard(a->store, &heard, see_heard, a, &err) < 0) {
        return store_fault(a->c, &err);
    }
    if (a->too_many) out_note(a->c->out, "only the first %d subjects", SUBJECTS_MAX);
    return a->subject_count == 0 ? fault(a->c->out, E_NOTHING, what, NULL) : 0;
}

static int see_own(void *ctx, const kith_record *one) {
    asking *a = ctx;
    kith_content content;
    if (kith_packet_decode(one->packet.bytes, one->packet.length, &content) < 0) return 0;
    memcpy(a->public_key, content.source, sizeof a->public_key);
    a->ask.self = a->public_key;
    return KITH_STOP;
}

/* Whose own result is never its own twin: the store's, whatever key lies beside it
 * now. Asking needs no key. */
static int own_key(asking *a) {
    kith_error err = { 0 };
    kith_query query = { .origin = KITH_ORIGIN_OWN,
        .newest_first = true,
        .limit = 1,
        .with_expired = true,
        .with_retracted = true,
        .now_us = a->ask.now_us };
    if (kith_store_find(a->store, &query, see_own, a, &err) < 0)
        return store_fault(a->c, &err);
    return 0;
}

static int asking_open(asking *a, const call *c) {
    const ask_flags *f = c->flags;
    *a = (asking){ .c = c };
    a->ask.now_us = kith_time_now().wall_us;
    a->ask.pool = (kith_pool_options){ .method = (kith_pool_method) f->method,
        .ci = (kith_pool_ci) f->ci,
        .plain = f->plain,
        .quorum = (uint32_t) f->quorum };
    node_section node;
    settings_read(c->settings, "node", "", &node);
    a->ask.pool_unsigned = f->pool_unsigned || node.pool_unsigned;
    if (f->unit_u <= 9) {
        a->template_id[KITH_TEMPLATE_SIZE - 1] = (uint8_t) (int8_t) f->unit_u;
        a->ask.template_id = a->template_id;
    }
    a->ask.nearest = (uint32_t) f->nearest;
    int code = templates_load(c, &a->known);
    a->ask.templates = a->known;
    if (code == 0 && flag_given(c, "template")) {
        const kith_template *t = NULL;
        code = template_want(c, a->known, f->template, &t);
        if (t != NULL) memcpy(a->template_id, kith_template_about(t)->id, 16);
        a->ask.template_id = a->template_id;
    }
    a->any_template = a->ask.template_id == NULL;
    if (code == 0) code = open_store(c, &a->store);
    if (code == 0) code = own_key(a);
    return code == 0 ? find_subjects(a) : code;
}

static void asking_close(asking *a) {
    kith_store_close(&a->store);
    kith_templates_free(&a->known);
    free(a->subjects);
}

/* Numbers from 0 to 1, as the built-in templates take them. */
static size_t plain_context(const char *text, uint16_t ret[KITH_CONTEXT_MAX]) {
    post_flags flags = { .hits = 1, .tries = 1 };
    kith_content content;
    char why[WHY_MAX];
    uint64_t given = UINT64_C(1) << row_index(encode_rows, "near") |
                     UINT64_C(1) << row_index(encode_rows, "hits") |
                     UINT64_C(1) << row_index(encode_rows, "tries");
    snprintf(flags.near, sizeof flags.near, "%s", text);
    if (evidence_content(&flags, given, "a", 1, &content, why) != 0) return 0;
    memcpy(ret, content.context16, sizeof content.context16);
    return content.context16_count;
}

/* --near in the words of the template that the subject's sources use. 0, or told. */
static int aim(asking *a, const char *subject) {
    const ask_flags *f = a->c->flags;
    kith_error err = { 0 };
    kith_answer answer;
    uint8_t measure;
    if (!flag_given(a->c, "near")) return 0;
    a->ask.near = NULL;
    if (a->any_template) {
        a->ask.template_id = NULL;
        int r = kith_ask_store(
            a->store, &a->ask, &answer, a->template_id, &measure, NULL, 0, NULL, &err);
        if (r == KITH_E_MISSING) return fault(a->c->out, E_NOTHING, subject, NULL);
        if (r < 0) return store_fault(a->c, &err);
        a->ask.template_id = a->template_id;
    }
    const kith_template *t = kith_templates_find(a->known, a->template_id);
    a->ask.near_count = t == NULL ? plain_context(f->near, a->near)
                        : kith_template_context(t, f->near, a->near, &err) < 0
                            ? 0
                            : kith_template_about(t)->numbers;
    a->ask.near = a->near;
    if (a->ask.near_count > 0) return 0;
    return fault(a->c->out, E_VALUE, "--near", "%s",
        err.text[0] != '\0' ? err.text : "it takes 1 to 16 numbers from 0 to 1, by commas");
}

/* 0: has an answer. 1: insufficient. Else an exit code after a fault. */
static int ask_one(asking *a, const char *subject, bool alone) {
    const ask_flags *f = a->c->flags;
    shown_answer shown = { .subject = subject, .now_us = a->ask.now_us, .known = a->known };
    kith_error err = { 0 };
    a->ask.subject = subject;
    a->ask.ret_twins = &shown.twins;
    shown.near = flag_given(a->c, "near");
    int code = aim(a, subject);
    if (code != 0) return code;
    int r = kith_ask_store(a->store, &a->ask, &shown.answer, shown.template_id,
        &shown.measure, NULL, 0, NULL, &err);
    if (r == KITH_E_MISSING) return fault(a->c->out, E_NOTHING, subject, NULL);
    if (r < 0) return store_fault(a->c, &err);
    shown.own_only = f->own_only;
    a->unsigned_left += shown.answer.unsigned_left;
    if (!show_answer(a->c->out, &shown, alone)) return EXIT_USAGE;
    if (f->own_only) return shown.answer.has_own ? 0 : EXIT_NOTHING;
    return shown.answer.insufficient ? EXIT_NOTHING : 0;
}

int verb_ask(const call *c) {
    asking a;
    int code = asking_open(&a, c), best = EXIT_NOTHING;
    bool alone = a.subject_count == 1;
    for (size_t i = 0; i < a.subject_count && code == 0; i++) {
        int one = ask_one(&a, a.subjects[i], alone);
        if (one == 0) best = 0;
        if (one > 1) code = one;
    }
    if (code == 0 && a.unsigned_left > 0 && !a.ask.pool_unsigned) {
        out_rows(c->out);
        out_note(c->out,
            "%llu unsigned packet%s not counted; to count: kith ask %s --pool-unsigned, or "
            "[node] pool_unsigned = yes",
            (unsigned long long) a.unsigned_left, a.unsigned_left == 1 ? "" : "s",
            c->args[0]);
    }
    if (code == 0 && alone) {
        out_rows(c->out);
        out_next(c->out, "kith why %s", a.subjects[0]);
    }
    asking_close(&a);
    return code != 0 ? code : best;
}

/* ---- why ---- */

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
    if (e->is_unsigned) {
        find_claim(a, e, &claimed);
        (void) see_way(&w, claimed.gateway);
        as_column(put_text(&r, "from", claimed.name), 0);
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
    put_text(&r, "subject", shown->subject);
    put_bool(&r, "pooled", e->left_out == NULL && e->vote.fate != KITH_VOTE_FLAGGED);
    put_real(&r, "residual", e->left_out != NULL ? (double) NAN : e->vote.residual);
    put_real(
        &r, "se_used", e->left_out != NULL ? (double) NAN : sqrt(e->vote.v_used) * unit);
    put_time(&r, "t_end", e->t_end_us);
    put_count(&r, "arrival", e->arrival);
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
    shown_answer shown = { .subject = subject, .now_us = a->ask.now_us, .known = a->known };
    kith_error err = { 0 };
    size_t count = 0;
    a->ask.subject = subject;
    a->ask.ret_twins = &shown.twins;
    shown.near = flag_given(a->c, "near");
    int code = aim(a, subject);
    if (code != 0) return code;
    int r = kith_ask_store(a->store, &a->ask, &shown.answer, shown.template_id,
        &shown.measure, rows, ROWS_MAX, &count, &err);
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
    return show_proofs(a, subject);
}

int verb_why(const call *c) {
    asking a;
    const char *why = kith_subject_fault(c->args[0], false);
    if (why != NULL) return fault(c->out, E_SUBJECT, c->args[0], "%s", why);
    int code = asking_open(&a, c);
    kith_evidence *rows = code == 0 ? calloc(ROWS_MAX, sizeof *rows) : NULL;
    if (code == 0 && rows == NULL) code = fault(c->out, E_MEMORY, "evidence", NULL);
    if (code == 0) code = why_one(&a, a.subjects[0], rows);
    free(rows);
    asking_close(&a);
    return code;
}
