/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/answer.h"

#include "cli/evidence.h"

#include <math.h>
#include <string.h>

double answer_unit(const shown_answer *shown) {
    int u;
    bool scaled = shown->asked.measure != KITH_LOGIT;
    return scaled ? unit_of(shown->known, shown->asked.template_id, &u) : 1;
}

static const char *measure_name(uint8_t measure) {
    static const char *const names[] = { NULL, "mean", "mean-difference", "log-risk-ratio",
        "log-odds-ratio", "risk-difference", "fisher-z", "logit", "log-mean-ratio",
        "score-gain" };
    return measure < sizeof names / sizeof *names ? names[measure] : NULL;
}

/* A proportion for people; counts are pooled as logits. */
static double rate_of(const shown_answer *shown, double logit) {
    return shown->asked.measure == KITH_LOGIT ? 1 / (1 + exp(-logit)) : (double) NAN;
}

static void put_pooled(record *r, const shown_answer *shown, double unit) {
    const kith_answer *a = &shown->asked.answers[shown->component];
    const kith_fit *f = &a->kept;
    bool no = a->insufficient;
    double nan_ = (double) NAN;
    as_column(put_real(r, "estimate", no ? nan_ : f->mu * unit), 4);
    as_column(put_real(r, "ci_low", no ? nan_ : f->ci_low * unit), 4);
    as_column(put_real(r, "ci_high", no ? nan_ : f->ci_high * unit), 4);
    as_column(put_real(r, "pi_low", no ? nan_ : f->pi_low * unit), 4);
    as_column(put_real(r, "pi_high", no ? nan_ : f->pi_high * unit), 4);
    put_real(r, "se", no ? nan_ : f->se * unit);
    put_real(r, "rate", no ? nan_ : rate_of(shown, f->mu));
    put_real(r, "rate_low", no ? nan_ : rate_of(shown, f->ci_low));
    put_real(r, "rate_high", no ? nan_ : rate_of(shown, f->ci_high));
    put_real(r, "tau2", no ? nan_ : f->tau2 * unit * unit);
    as_column(put_real(r, "i2", no ? nan_ : f->i2), 3);
    put_real(r, "q", no ? nan_ : f->q);
    put_real(r, "q_p", no ? nan_ : f->q_p);
    put_real(r, "plain", no ? nan_ : a->plain.mu * unit);
    put_bool(r, "robust", a->robust);
    put_real(r, "agreement", no ? nan_ : a->agreement);
    put_bool(r, "alarm", !no && a->alarm);
}

/* Which of the numbers side by side a node should use: its own, corrected by the others;
 * or where it has none, what the next site may see. */
static const char *act_on(const kith_answer *a) {
    if (a->insufficient) return a->has_own ? "own" : "nothing";
    return a->has_shrunk ? "shrunk" : "prediction";
}

static void put_own(record *r, const kith_answer *a, double unit) {
    double nan_ = (double) NAN;
    put_text(r, "act_on", act_on(a));
    put_bool(r, "has_own", a->has_own);
    put_real(r, "own", a->has_own ? a->own_y * unit : nan_);
    put_real(r, "own_se", a->has_own ? sqrt(a->own_v) * unit : nan_);
    bool shrunk = a->has_shrunk && !a->insufficient;
    put_real(r, "shrunk", shrunk ? a->shrunk * unit : nan_);
    put_real(r, "shrunk_sd", shrunk ? a->shrunk_sd * unit : nan_);
    put_real(r, "shrunk_low", shrunk ? a->shrunk_low * unit : nan_);
    put_real(r, "shrunk_high", shrunk ? a->shrunk_high * unit : nan_);
}

/* Of the nearest that are stored, how many a reader of the cells alone would have had. */
static double recall_of(const kith_twins *t) {
    return t->wanted == 0 ? (double) NAN : (double) t->found / t->wanted;
}

static void put_twins(record *r, const kith_twins *t) {
    put_int(r, "known", t->known);
    as_column(put_int(r, "twins", t->within), 0);
    put_int(r, "used", t->used);
    as_column(
        put_real(r, "farthest", t->used == 0 ? (double) NAN : t->farthest / 65536.0), 3);
    put_int(r, "recall_of", t->wanted);
    as_column(put_real(r, "recall", recall_of(t)), 3);
}

void answer_record(record *r, const shown_answer *shown) {
    const kith_answer *a = &shown->asked.answers[shown->component];
    double unit = answer_unit(shown);
    as_column(put_text(r, "subject", shown->subject), 0);
    as_column(put_text(r, "state", a->insufficient ? "insufficient" : "answer"), 0);
    put_bool(r, "insufficient", a->insufficient);
    put_pooled(r, shown, unit);
    as_column(put_int(r, "k", (int64_t) a->k), 0);
    put_int(r, "quorum", (int64_t) a->quorum);
    put_int(r, "missing", (int64_t) a->missing);
    put_int(r, "flagged", (int64_t) a->flagged);
    put_int(r, "capped", (int64_t) a->capped);
    put_count(r, "pairs", a->pairs);
    put_count(r, "unsigned", a->unsigned_pooled);
    put_count(r, "unsigned_left", a->unsigned_left);
    put_int(r, "component", (int64_t) shown->component + 1);
    put_int(r, "components", (int64_t) shown->asked.components);
    put_text(r, "measure", measure_name(shown->asked.measure));
    put_hex(r, "template", shown->asked.template_id, sizeof shown->asked.template_id);
    bool dated = a->k > 0;
    if (dated) {
        put_time(r, "newest", a->newest_us);
        put_time(r, "oldest", a->oldest_us);
    } else {
        put_absent(r, "newest");
        put_absent(r, "oldest");
    }
    put_own(r, a, unit);
    if (shown->near) put_twins(r, &shown->twins);
}

/* ---- for a person ---- */

static const char *ago(int64_t from_us, int64_t now_us, char *ret, size_t size) {
    double s = (double) (now_us - from_us) / 1e6;
    if (s < 0) s = 0;
    if (s < 120) {
        snprintf(ret, size, "%.0f s", s);
    } else if (s < 7200) {
        snprintf(ret, size, "%.0f min", s / 60);
    } else if (s < 172800) {
        snprintf(ret, size, "%.0f h", s / 3600);
    } else {
        snprintf(ret, size, "%.0f d", s / 86400);
    }
    return ret;
}

static void print_own(out *o, const shown_answer *shown) {
    const kith_answer *a = &shown->asked.answers[shown->component];
    double unit = answer_unit(shown);
    const char *pm = o->ascii ? "+-" : "±";
    if (!a->has_own) return;
    fprintf(o->to, "yours     %+.4g %s %.3g", a->own_y * unit, pm,
        1.959963984540054 * sqrt(a->own_v) * unit);
    if (a->has_shrunk && !a->insufficient) {
        fprintf(o->to, "   with the pool %+.4g %s %.3g: act on this", a->shrunk * unit, pm,
            1.959963984540054 * a->shrunk_sd * unit);
    }
    fputc('\n', o->to);
}

static void print_pool(out *o, const shown_answer *shown) {
    const kith_answer *a = &shown->asked.answers[shown->component];
    const kith_fit *f = &a->kept;
    double unit = answer_unit(shown);
    char new_text[32], old_text[32];
    const char *to = o->ascii ? "..." : "…";
    fprintf(o->to, "%spooled%s    %+.4g   95 %% %+.4g %s %+.4g", o->color ? "\x1b[1m" : "",
        o->color ? "\x1b[0m" : "", f->mu * unit, f->ci_low * unit, to, f->ci_high * unit);
    if (!isnan(f->pi_low)) {
        fprintf(
            o->to, "   next site %+.4g %s %+.4g", f->pi_low * unit, to, f->pi_high * unit);
    }
    fputc('\n', o->to);
    if (shown->asked.measure == KITH_LOGIT) {
        fprintf(o->to, "rate      %.1f %%   95 %% %.1f %s %.1f %%\n",
            100 * rate_of(shown, f->mu), 100 * rate_of(shown, f->ci_low), to,
            100 * rate_of(shown, f->ci_high));
    }
    print_own(o, shown);
    fprintf(o->to, "evidence  %u sources, newest %s, oldest %s   disagreement I2 %.0f %%",
        (unsigned) a->k, ago(a->newest_us, shown->now_us, new_text, sizeof new_text),
        ago(a->oldest_us, shown->now_us, old_text, sizeof old_text), f->i2);
    fprintf(o->to, "   everybody as claimed %+.4g\n", a->plain.mu * unit);
    if (a->flagged > 0 || a->capped > 0) {
        fprintf(o->to, "against   %u too far out, left out; %u capped%s\n",
            (unsigned) a->flagged, (unsigned) a->capped,
            a->alarm ? "   ALARM: look at kith why" : "");
    }
}

static void print_twins(out *o, const kith_twins *t) {
    fprintf(o->to, "twins     %u of %u sources with such a context", t->within, t->known);
    if (t->used > 0) {
        fprintf(o->to,
            ", %u counted, the farthest %.3f away   cells bring %u of the %u nearest",
            t->used, t->farthest / 65536.0, t->found, t->wanted);
    }
    fputc('\n', o->to);
}

static void print_insufficient(out *o, const shown_answer *shown) {
    const kith_answer *a = &shown->asked.answers[shown->component];
    fprintf(o->to, "insufficient   %u of %u independent sources", (unsigned) a->k,
        (unsigned) a->quorum);
    if (a->flagged > 0) {
        fprintf(o->to, "; %u of them too far from the others\n", (unsigned) a->flagged);
    } else {
        fprintf(o->to, "; %u more needed\n", (unsigned) a->missing);
    }
    print_own(o, shown);
}

static bool show_own(out *o, const shown_answer *shown) {
    const kith_answer *a = &shown->asked.answers[shown->component];
    double unit = answer_unit(shown);
    record r = record_of("own");
    as_column(put_text(&r, "subject", shown->subject), 0);
    as_column(put_real(&r, "own", a->has_own ? a->own_y * unit : (double) NAN), 4);
    as_column(put_real(&r, "own_se", a->has_own ? sqrt(a->own_v) * unit : (double) NAN), 3);
    put_bool(&r, "has_own", a->has_own);
    return out_emit(o, &r);
}

static bool show_component(out *o, const shown_answer *shown, bool long_form) {
    if (!long_form) {
        record r = record_of("answer");
        answer_record(&r, shown);
        return out_emit(o, &r);
    }
    if (shown->asked.components > 1) {
        fprintf(o->to, "%scomponent %zu of %u\n", shown->component > 0 ? "\n" : "",
            shown->component + 1, (unsigned) shown->asked.components);
    }
    if (shown->asked.answers[0].insufficient) {
        print_insufficient(o, shown);
    } else {
        print_pool(o, shown);
    }
    return true;
}

bool show_answer(out *o, const shown_answer *shown, bool alone) {
    if (shown->own_only) return show_own(o, shown);
    bool long_form = alone && o->tty && !o->json && !o->zero && o->format == NULL,
         good = true;
    shown_answer one = *shown;
    for (one.component = 0; one.component < shown->asked.components && good;
         one.component++) {
        good = show_component(o, &one, long_form);
    }
    if (long_form && shown->near) print_twins(o, &shown->twins);
    return good;
}
