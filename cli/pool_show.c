/* SPDX-License-Identifier: Apache-2.0 */
/* What `kith pool` prints: one nested object, or a row for each method and interval. */
#include "cli/json.h"
#include "cli/pool.h"

#include <kith/version.h>

#include <math.h>
#include <stdlib.h>

#define SHRINK_MAX 200 /* each source against the pool of all others costs a fit */
#define QUORUM     3

/* By kith_pool_method and kith_pool_ci. */
static const char *const methods[] = { "PM", "FE", "DL", "REML" };
static const char *const words[] = { "pm", "fe", "dl", "reml" };
static const char *const intervals[] = { "mHK", "HK", "Wald" };
static const char *const ci_words[] = { "mhk", "hk", "wald" };
static const kith_pool_method order[] = { KITH_POOL_FE, KITH_POOL_DL, KITH_POOL_PM,
    KITH_POOL_REML };

static void put(json *j, const char *key, double x) {
    js_key(j, key);
    js_real(j, x);
}

static void open_key(json *j, const char *key, char bracket) {
    js_key(j, key);
    js_begin(j, bracket);
}

static void show_method(json *j, kith_pool_method m, const kith_fit *f) {
    open_key(j, methods[m], '{');
    if (m != KITH_POOL_FE) put(j, "tau2", f->tau2);
    put(j, "b", f->mu);
    put(j, "se", f->se);
    put(j, "ci_lo", f->ci_low);
    put(j, "ci_hi", f->ci_high);
    if (m == KITH_POOL_FE) {
        put(j, "Q", f->q);
        put(j, "Q_p", f->q_p);
    }
    put(j, "I2", f->i2);
    put(j, "H2", f->h2);
    if (m == KITH_POOL_REML) {
        put(j, "se_tau2", f->tau2_se);
        put(j, "loglik", f->loglik);
    }
    js_end(j, '}');
}

static void show_knapp(json *j, const kith_table *t, kith_pool_ci ci) {
    open_key(j, intervals[ci], '{');
    for (int i = 1; i < 4; i++) {
        const kith_fit *f = &t->fit[order[i]][ci];
        open_key(j, methods[order[i]], '{');
        put(j, "q", f->hk_q);
        put(j, "se", f->se);
        put(j, "ci_lo", f->ci_low);
        put(j, "ci_hi", f->ci_high);
        put(j, "pi_lo", f->pi_low);
        put(j, "pi_hi", f->pi_high);
        js_end(j, '}');
    }
    js_end(j, '}');
}

static void show_table(json *j, const kith_table *t) {
    static const char *const sums[] = { "S1", "S2", "S3", "S4" };
    open_key(j, "sums", '{');
    js_key(j, "S0");
    js_int(j, (int64_t) t->fit[0][0].k);
    for (int i = 0; i < 4; i++) put(j, sums[i], t->sums[i]);
    js_end(j, '}');
    for (int i = 0; i < 4; i++) show_method(j, order[i], &t->fit[order[i]][KITH_CI_WALD]);
    show_knapp(j, t, KITH_CI_HK);
    show_knapp(j, t, KITH_CI_MHK);
    open_key(j, "Qprofile", '{');
    put(j, "lo", t->fit[0][0].tau2_low);
    put(j, "hi", t->fit[0][0].tau2_high);
    js_end(j, '}');
    open_key(j, "PI_hts", '{');
    for (int i = 1; i < 4; i++) {
        const kith_fit *f = &t->fit[order[i]][KITH_CI_WALD];
        open_key(j, methods[order[i]], '{');
        put(j, "lo", f->pi_low);
        put(j, "hi", f->pi_high);
        js_end(j, '}');
    }
    js_end(j, '}');
}

/* Source i drawn towards the pool of all others, tau2 held. */
static void show_shrunk(json *j, const kith_row *own, size_t i, const kith_fit *others) {
    double p = others->tau2 + others->se * others->se, share = own->v / (own->v + p);
    js_begin(j, '{');
    js_key(j, "i");
    js_int(j, (int64_t) i + 1);
    put(j, "mu", others->mu);
    put(j, "se", others->se);
    put(j, "tau2", others->tau2);
    put(j, "P", p);
    put(j, "B", share);
    put(j, "theta", own->y + share * (others->mu - own->y));
    put(j, "theta_se", sqrt(share) * sqrt(p));
    js_end(j, '}');
}

/* false: no memory. */
static bool show_shrink(json *j, const pool *p) {
    kith_table *without = calloc(p->k, sizeof *without);
    kith_row *rest = calloc(p->k, sizeof *rest);
    bool good = without != NULL && rest != NULL;
    for (size_t i = 0; i < p->k && good; i++) {
        size_t n = 0;
        for (size_t k = 0; k < p->k; k++) {
            if (k != i) rest[n++] = p->rows[k];
        }
        good = kith_table_fit(rest, n, &without[i]) == 0;
    }
    if (good) open_key(j, "shrink", '{');
    for (int m = 2; m < 4 && good; m++) {
        open_key(j, methods[order[m]], '[');
        for (size_t i = 0; i < p->k; i++) {
            show_shrunk(j, &p->rows[i], i, &without[i].fit[order[m]][KITH_CI_WALD]);
        }
        js_end(j, ']');
    }
    if (good) js_end(j, '}');
    free(rest);
    free(without);
    return good;
}

static void show_numbers(json *j, const kith_fit *f) {
    put(j, "b", f->mu);
    put(j, "se", f->se);
    put(j, "ci_lo", f->ci_low);
    put(j, "ci_hi", f->ci_high);
    put(j, "pi_lo", f->pi_low);
    put(j, "pi_hi", f->pi_high);
    put(j, "tau2", f->tau2);
    put(j, "tau2_lo", f->tau2_low);
    put(j, "tau2_hi", f->tau2_high);
    put(j, "q", f->hk_q);
    put(j, "Q", f->q);
    put(j, "Q_p", f->q_p);
    put(j, "I2", f->i2);
    put(j, "H2", f->h2);
}

static void show_fates(json *j, const pool *p, const pool_robust *r, int fate) {
    js_begin(j, '[');
    for (size_t i = 0; i < p->k; i++) {
        if (r->votes[i].fate != fate) continue;
        js_begin(j, '{');
        js_key(j, "i");
        js_int(j, (int64_t) i + 1);
        if (p->sources[i].name != NULL) {
            js_key(j, "source");
            js_text(j, p->sources[i].name);
        }
        put(j, "r", r->votes[i].residual);
        js_end(j, '}');
    }
    js_end(j, ']');
}

static void show_robust(
    json *j, const pool *p, const pool_robust *r, const kith_fit *plain) {
    js_key(j, "alarm");
    js_bool(j, r->alarm);
    put(j, "plain", plain->mu);
    put(j, "plain_se", plain->se);
    put(j, "m", r->m);
    put(j, "m_se", r->m_se);
    put(j, "hodges_lehmann", r->hodges_lehmann);
    js_key(j, "flagged");
    show_fates(j, p, r, KITH_VOTE_FLAGGED);
    js_key(j, "capped");
    show_fates(j, p, r, KITH_VOTE_CAPPED);
}

/* What the flags chose. Fewer than the quorum is said, and the numbers stand beside it:
 * this is a calculator. */
static void show_answer(const call *c, json *j, const pool *p, const pool_robust *r) {
    const pool_flags *f = c->flags;
    const kith_fit *plain = &p->table.fit[f->method][f->ci];
    size_t k = r == NULL ? p->k : r->kept_count;
    kith_fit none = { .mu = NAN,
        .se = NAN,
        .ci_low = NAN,
        .ci_high = NAN,
        .tau2 = NAN,
        .tau2_low = NAN,
        .tau2_high = NAN,
        .q = NAN,
        .q_p = NAN,
        .i2 = NAN,
        .h2 = NAN,
        .hk_q = NAN,
        .pi_low = NAN,
        .pi_high = NAN };
    open_key(j, "answer", '{');
    js_key(j, "method");
    js_text(j, words[f->method]);
    js_key(j, "ci");
    js_text(j, ci_words[f->ci]);
    js_key(j, "robust");
    js_bool(j, r != NULL);
    js_key(j, "k");
    js_int(j, (int64_t) k);
    js_key(j, "insufficient");
    js_bool(j, k < QUORUM);
    js_key(j, "missing");
    js_int(j, k < QUORUM ? (int64_t) (QUORUM - k) : 0);
    show_numbers(j, r == NULL ? plain : k == 0 ? &none : &r->kept.fit[f->method][f->ci]);
    if (r != NULL) show_robust(j, p, r, plain);
    js_end(j, '}');
}

static int show_json(const call *c, const pool *p, const pool_robust *r) {
    json j = js_to(c->out->to);
    js_begin(&j, '{');
    js_key(&j, "v");
    js_int(&j, 1);
    js_key(&j, "kind");
    js_text(&j, "pool");
    js_key(&j, "k");
    js_int(&j, (int64_t) p->k);
    js_key(&j, "rows");
    js_int(&j, (int64_t) p->lines);
    js_key(&j, "copies");
    js_int(&j, (int64_t) p->copies);
    js_key(&j, "combined");
    js_int(&j, (int64_t) p->combined);
    show_table(&j, &p->table);
    if (p->k >= 3 && p->k <= SHRINK_MAX && !show_shrink(&j, p)) {
        return fault(c->out, E_MEMORY, "the own results", NULL);
    }
    show_answer(c, &j, p, r);
    js_end(&j, '}');
    fputc('\n', c->out->to);
    return 0;
}

static int show_row(
    const call *c, const char *method, const char *ci, const kith_fit *f, bool chosen) {
    record r = record_of("pool");
    as_column(put_text(&r, "method", method), 0);
    as_column(put_text(&r, "ci", ci), 0);
    as_column(put_int(&r, "k", (int64_t) f->k), 0);
    as_column(put_real(&r, "b", f->mu), 4);
    as_column(put_real(&r, "se", f->se), 4);
    as_column(put_real(&r, "ci_lo", f->ci_low), 4);
    as_column(put_real(&r, "ci_hi", f->ci_high), 4);
    as_column(put_real(&r, "pi_lo", f->pi_low), 4);
    as_column(put_real(&r, "pi_hi", f->pi_high), 4);
    as_column(put_real(&r, "tau2", f->tau2), 4);
    as_column(put_real(&r, "I2", f->i2), 3);
    as_column(put_text(&r, "answer", chosen ? "yes" : "no"), 0);
    put_real(&r, "tau2_lo", f->tau2_low);
    put_real(&r, "tau2_hi", f->tau2_high);
    put_real(&r, "Q", f->q);
    put_real(&r, "Q_p", f->q_p);
    put_real(&r, "H2", f->h2);
    put_real(&r, "q", f->hk_q);
    return out_emit(c->out, &r) ? 0 : EXIT_USAGE;
}

static int show_rows(const call *c, const pool *p, const pool_robust *r) {
    const pool_flags *f = c->flags;
    int code = 0;
    for (int i = 0; i < 4 && code == 0; i++) {
        for (int ci = KITH_CI_WALD; ci >= 0 && code == 0; ci--) {
            bool chosen = r == NULL && (int) order[i] == f->method && ci == f->ci;
            code = show_row(
                c, methods[order[i]], intervals[ci], &p->table.fit[order[i]][ci], chosen);
        }
    }
    if (code == 0 && r != NULL && r->kept_count > 0) {
        char name[32];
        snprintf(name, sizeof name, "robust %s", methods[f->method]);
        code = show_row(c, name, intervals[f->ci], &r->kept.fit[f->method][f->ci], true);
    }
    if (code == 0 && r != NULL && r->alarm) {
        out_rows(c->out);
        out_note(c->out,
            "ALARM: the plain and the robust answer are over 2 standard errors "
            "apart, or over a quarter of the sources is too far out");
    }
    return code;
}

int pool_show(const call *c, const pool *p, const pool_robust *r) {
    return c->out->json ? show_json(c, p, r) : show_rows(c, p, r);
}
