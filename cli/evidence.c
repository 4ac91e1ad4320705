/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/evidence.h"

#include "cli/parse.h"
#include "cli/templates.h"

#include <kith/address.h>
#include <kith/privacy.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool has(uint64_t given, const char *name) {
    int i = row_index(encode_rows, name);
    return (given >> i & 1) != 0;
}

bool parse_when(const char *text, int64_t now_us, int64_t *ret_us) {
    static const kith_option row[] = {
        { .name = "t", .type = KITH_OPTION_TIME, .max = INT64_MAX }, { .name = NULL }
    };
    int64_t ago_ns;
    kith_error err;
    if (strcmp(text, "now") == 0) {
        *ret_us = now_us;
        return true;
    }
    if (kith_option_set(row, &ago_ns, "t", text, &err) == 0) {
        *ret_us = now_us - ago_ns / 1000;
        return true;
    }
    struct tm parts = { 0 };
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    int64_t part = 0, scale = 1000000;
    if (rest != NULL && *rest == '.') {
        for (rest++; *rest >= '0' && *rest <= '9'; rest++) {
            scale /= 10;
            part += scale * (*rest - '0');
        }
    }
    if (rest == NULL || strcmp(rest, "Z") != 0) return false;
    *ret_us = (int64_t) timegm(&parts) * 1000000 + part;
    return true;
}

bool parse_hex(
    const char *text, size_t length, uint8_t *ret, size_t size, size_t *ret_length) {
    if (length % 2 != 0 || length / 2 > size || length == 0) return false;
    for (size_t i = 0; i < length; i++) {
        static const char digits[] = "0123456789abcdef";
        char c = text[i] >= 'A' && text[i] <= 'F' ? (char) (text[i] + 32) : text[i];
        const char *at = c == '\0' ? NULL : strchr(digits, c);
        if (at == NULL) return false;
        uint8_t value = (uint8_t) (at - digits);
        ret[i / 2] = (uint8_t) (i % 2 == 0 ? value << 4 : ret[i / 2] | value);
    }
    *ret_length = length / 2;
    return true;
}

/* "0.18,0.92": [0, 1] as the 16-bit numbers a packet carries. */
static bool take_near(const char *text, kith_content *ret) {
    size_t n = 0;
    for (const char *p = text; *p != '\0'; n++) {
        char *end;
        double x = strtod(p, &end);
        if (end == p || n == 16 || !(x >= 0 && x <= 1) || (*end != ',' && *end != '\0')) {
            return false;
        }
        double scaled = floor(x * 65536);
        ret->context16[n] = scaled > 65535 ? 65535 : (uint16_t) scaled;
        if (*end == ',' && end[1] == '\0') return false;
        p = end + (*end == ',');
    }
    ret->context16_count = (uint8_t) n;
    ret->has |= KITH_HAS_CONTEXT16;
    return n > 0;
}

/* Numbers by commas; -1: they are none, or more than most. */
static int numbers(const char *text, double *ret, int most) {
    int n = 0;
    for (const char *p = text; *p != '\0'; n++) {
        char *end;
        if (n == most) return -1;
        ret[n] = strtod(p, &end);
        if (end == p || !isfinite(ret[n]) || (*end != ',' && *end != '\0')) return -1;
        if (*end == ',' && end[1] == '\0') return -1;
        p = end + (*end == ',');
    }
    return n;
}

/* Several components with what they share. The covariance must be one: encode judges. */
static int take_effects(const post_flags *f, double unit, uint8_t measure,
    kith_content *ret, char why[WHY_MAX]) {
    int p = numbers(f->effects, ret->effect, KITH_EFFECT_MAX);
    int cells = numbers(f->covariance, ret->covariance, 10);
    if (p < 2 || cells != p * (p + 1) / 2) {
        snprintf(why, WHY_MAX,
            "effects takes 2 to 4 numbers, and covariance 3, 6 or 10: the lower triangle "
            "by rows");
        return E_EVIDENCE;
    }
    for (int i = 0; i < p; i++) ret->effect[i] = ret->effect[i] / unit + 0.0;
    for (int i = 0; i < cells; i++)
        ret->covariance[i] = ret->covariance[i] / unit / unit + 0.0;
    ret->has |= KITH_HAS_EFFECT | KITH_HAS_COVARIANCE;
    if (measure == 0) measure = KITH_MEAN_DIFFERENCE;
    ret->measure = f->measure == 0 ? measure : (uint8_t) f->measure;
    ret->components = (uint8_t) p;
    ret->n = (uint32_t) f->n;
    return 0;
}

static int together(char why[WHY_MAX], const char *text) {
    snprintf(why, WHY_MAX, "%s", text);
    return E_TOGETHER;
}

/* Which of the spellings it is, and whether it is only that one. */
static int take_evidence(const post_flags *f, uint64_t given, const kith_template *t,
    kith_content *ret, char why[WHY_MAX]) {
    bool effect = has(given, "effect"), se = has(given, "se"), hits = has(given, "hits"),
         tries = has(given, "tries"), sure = has(given, "confidence");
    double unit =
        t == NULL ? kith_template_unit((int) f->unit) : kith_template_about(t)->unit;
    uint8_t measure = t == NULL ? 0 : kith_template_about(t)->measure;
    if (has(given, "effects") || has(given, "covariance")) {
        bool alone = !effect && !se && !hits && !tries && !sure;
        return alone ? take_effects(f, unit, measure, ret, why)
                     : together(why, "effects and covariance stand for themselves");
    }
    if (effect && (hits || tries)) return together(why, "effect beside hits or tries");
    if (se && !effect) return together(why, "se needs effect");
    if (hits != tries) return together(why, "hits and tries need each other");
    if (se && sure) return together(why, "se and confidence say the same thing twice");
    if (hits && sure) return together(why, "confidence beside counts");
    if (effect && !se && !sure) return together(why, "effect needs se or confidence");
    if (se && !(f->se > 0)) {
        snprintf(why, WHY_MAX,
            "se is 0, but no finite sample has no error; give the standard error of the "
            "effect, or say the same with --confidence");
        return E_EVIDENCE;
    }
    if (effect) {
        ret->has |= KITH_HAS_EFFECT | (se ? KITH_HAS_COVARIANCE : KITH_HAS_CONFIDENCE);
        if (measure == 0) measure = KITH_MEAN_DIFFERENCE;
        ret->measure = f->measure == 0 ? measure : (uint8_t) f->measure;
        ret->components = 1;
        ret->n = (uint32_t) f->n;
        ret->effect[0] = f->effect / unit + 0.0; /* -0 is refused by the format */
        ret->covariance[0] = se ? f->se / unit * (f->se / unit) : 0;
    } else if (hits) {
        ret->has |= KITH_HAS_COUNTS;
        ret->hits = (uint32_t) f->hits;
        ret->tries = (uint32_t) f->tries;
    } else if (!has(given, "text") && !has(given, "conclusion")) {
        return together(why, "no evidence: effect and se, or hits and tries, or a text");
    } else if (sure) {
        ret->has |= KITH_HAS_CONFIDENCE;
    }
    if (sure) ret->confidence = (float) f->confidence;
    return 0;
}

static int take_time(const post_flags *f, uint64_t given, int64_t now_us, kith_content *ret,
    char why[WHY_MAX]) {
    ret->t_end_us = now_us;
    ret->span_s = (uint32_t) (f->span_ns / 1000000000);
    ret->ttl_s = (uint32_t) (f->ttl_ns / 1000000000);
    if (!has(given, "at") || parse_when(f->at, now_us, &ret->t_end_us)) return 0;
    snprintf(why, WHY_MAX, "at=%s is no time like 2026-01-31T12:00:00Z, and no 90m", f->at);
    return E_EVIDENCE;
}

static int take_template(const post_flags *f, uint64_t given, const kith_template **ret,
    kith_content *c, char why[WHY_MAX]) {
    char reason[160];
    c->template_id[KITH_TEMPLATE_SIZE - 1] = (uint8_t) (int8_t) f->unit;
    if (!has(given, "template")) return 0;
    if (has(given, "unit")) return together(why, "a template has a unit of its own");
    *ret = template_named(f->known, f->template, reason);
    if (*ret == NULL) {
        snprintf(why, WHY_MAX, "template %.60s: %s", f->template, reason);
        return E_TEMPLATE;
    }
    memcpy(c->template_id, kith_template_about(*ret)->id, sizeof c->template_id);
    return 0;
}

static int take_context(
    const post_flags *f, const kith_template *t, kith_content *ret, char why[WHY_MAX]) {
    kith_error err = { 0 };
    if (t == NULL) {
        if (take_near(f->near, ret)) return 0;
        snprintf(why, WHY_MAX, "near takes 1 to 16 numbers from 0 to 1, by commas");
        return E_EVIDENCE;
    }
    if (kith_template_context(t, f->near, ret->context16, &err) < 0) {
        snprintf(why, WHY_MAX, "%.*s", WHY_MAX - 1, err.text);
        return E_EVIDENCE;
    }
    ret->context16_count = kith_template_about(t)->numbers;
    ret->has |= ret->context16_count > 0 ? KITH_HAS_CONTEXT16 : 0;
    return 0;
}

/* What a template says is told before the packet is signed, not when others refuse to
 * pool it. A subject without room for its cells would never be found by a twin. */
static int judge(const kith_template *t, const kith_content *c, char why[WHY_MAX]) {
    kith_address cells[KITH_CELLS_MAX];
    const kith_template_facts *f = kith_template_about(t);
    const char *words = kith_template_fault(t, c);
    if (words == NULL && f->route != KITH_ROUTE_NONE &&
        kith_template_cells(t, c, cells) == 0) {
        words = "its subject has no room for cells: at most 4 tokens and 91 bytes have";
    }
    if (words == NULL) return 0;
    snprintf(why, WHY_MAX, "template %s: %s", f->name, words);
    return E_EVIDENCE;
}

static bool looks_private(const char *text, char why[WHY_MAX]) {
    size_t at, length;
    kith_lint found = kith_text_lint(text, strlen(text), &at, &length);
    if (found == KITH_LINT_FINE) return false;
    snprintf(why, WHY_MAX, "'%.*s' looks like %s", (int) length, text + at,
        kith_lint_words(found));
    return true;
}

int evidence_content(const post_flags *f, uint64_t given, const char *subject,
    int64_t now_us, kith_content *ret, char why[WHY_MAX]) {
    kith_content c = { .type = KITH_LEAF };
    const kith_template *t = NULL;
    snprintf(c.address.subject, sizeof c.address.subject, "%s", subject);
    int bad = take_template(f, given, &t, &c, why);
    if (bad == 0) bad = take_evidence(f, given, t, &c, why);
    if (bad == 0) bad = take_time(f, given, now_us, &c, why);
    if (bad == 0 && t != NULL && !has(given, "ttl"))
        c.ttl_s = kith_template_about(t)->ttl_s;
    if (bad == 0 && has(given, "near")) bad = take_context(f, t, &c, why);
    if (bad != 0) return bad;
    if (has(given, "conclusion")) {
        c.has |= KITH_HAS_CONCLUSION;
        c.conclusion = (uint16_t) f->conclusion;
    }
    if (has(given, "text")) {
        if (!f->unlinted && looks_private(f->text, why)) return E_TEXT;
        c.has |= KITH_HAS_TEXT;
        c.text_length = (uint8_t) strlen(f->text);
        memcpy(c.text, f->text, c.text_length);
    }
    int r = kith_template_admits(&c);
    if (r < 0) return refusal_fault(r, &c, why);
    bad = t == NULL ? 0 : judge(t, &c, why);
    if (bad == 0) *ret = c;
    return bad;
}

int refusal_fault(int refusal, const kith_content *content, char why[WHY_MAX]) {
    const char *words = kith_refusal_words(refusal);
    int u;
    snprintf(why, WHY_MAX, "%s", words == NULL ? kith_error_name(refusal) : words);
    if (refusal == KITH_R_ROOM) {
        kith_field rows[KITH_FIELDS_MAX];
        size_t total = 0;
        (void) kith_packet_fields(content, rows, KITH_FIELDS_MAX, &total);
        snprintf(why, WHY_MAX, "it takes %zu bytes", total);
        return E_ROOM;
    }
    if (refusal != KITH_R_UNIT) return refusal == KITH_R_SUBJECT ? E_SUBJECT : E_EVIDENCE;
    int now = (int8_t) content->template_id[KITH_TEMPLATE_SIZE - 1];
    double unit = kith_template_unit(now), se = sqrt(content->covariance[0]) * unit;
    if (kith_template_unit_for(content->effect[0] * unit, se, &u) == 0) {
        snprintf(why, WHY_MAX,
            "outside what units of 10^%d hold; --unit %d fits, and all on the subject must "
            "use the same",
            now, u);
    } else {
        snprintf(why, WHY_MAX,
            "no unit from 10^-9 to 10^9 holds effect %g with se %g: se goes from 1e-12 to "
            "1e12, and the effect is at most a million times as large",
            content->effect[0] * unit, se);
    }
    return E_UNIT;
}

/* ---- a packet as a record ---- */

double unit_of(
    const kith_templates *known, const uint8_t id[KITH_TEMPLATE_SIZE], int *ret_u) {
    const kith_template *t = kith_templates_find(known, id);
    *ret_u = 0;
    if (t != NULL) return kith_template_about(t)->unit;
    return kith_template_builtin(id, ret_u) ? kith_template_unit(*ret_u) : 1;
}

/* What this packet has not, so that --format may name it. */
static void put_rest(record *r) {
    static const char *const names[] = { "measure", "effect", "effects", "n", "se", "hits",
        "tries", "confidence", "near", "near8", "conclusion", "text" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bool there = false;
        for (size_t k = 0; k < r->count; k++) {
            there = there || strcmp(r->fields[k].name, names[i]) == 0;
        }
        if (!there) put_absent(r, names[i]);
    }
}

static void put_evidence(record *r, packet_view *v, double unit) {
    static const char *const measures[] = { NULL, "mean", "mean-difference",
        "log-risk-ratio", "log-odds-ratio", "risk-difference", "fisher-z", "logit",
        "log-mean-ratio", "score-gain" };
    const kith_content *c = &v->content;
    size_t measured = sizeof measures / sizeof *measures;
    if ((c->has & KITH_HAS_EFFECT) != 0) {
        put_text(r, "measure", c->measure < measured ? measures[c->measure] : NULL);
        put_real(r, "effect", c->effect[0] * unit);
        for (size_t i = 0; i < c->components; i++) v->effects[i] = c->effect[i] * unit;
        if (c->components > 1) put_reals(r, "effects", v->effects, c->components);
        put_int(r, "n", c->n);
    }
    if ((c->has & KITH_HAS_COVARIANCE) != 0)
        put_real(r, "se", sqrt(c->covariance[0]) * unit);
    if ((c->has & KITH_HAS_COUNTS) != 0) {
        put_int(r, "hits", c->hits);
        put_int(r, "tries", c->tries);
    }
    if ((c->has & KITH_HAS_CONFIDENCE) != 0)
        put_real(r, "confidence", (double) c->confidence);
    if ((c->has & KITH_HAS_CONTEXT16) != 0) {
        for (size_t i = 0; i < c->context16_count; i++)
            v->near[i] = c->context16[i] / 65536.0;
        put_reals(r, "near", v->near, c->context16_count);
    }
    if ((c->has & KITH_HAS_CONTEXT8) != 0) {
        for (size_t i = 0; i < c->context8_count; i++) v->near[i] = c->context8[i];
        put_reals(r, "near8", v->near, c->context8_count);
    }
    if ((c->has & KITH_HAS_CONCLUSION) != 0) put_int(r, "conclusion", c->conclusion);
    if ((c->has & KITH_HAS_TEXT) != 0) put_text(r, "text", c->text);
}

/* "+0.12 ± 0.03 (240)", for tables. */
static const char *evidence_words(packet_view *v, double unit) {
    const kith_content *c = &v->content;
    size_t size = sizeof v->words;
    if (c->type == KITH_RETRACT) {
        snprintf(v->words, size, "takes back %.70s", c->text);
    } else if (c->type == KITH_DIGEST) {
        snprintf(v->words, size, "digest");
    } else if ((c->has & KITH_HAS_COVARIANCE) != 0) {
        snprintf(v->words, size, "%+.4g se %.3g n %u", c->effect[0] * unit,
            sqrt(c->covariance[0]) * unit, (unsigned) c->n);
    } else if ((c->has & KITH_HAS_EFFECT) != 0) {
        snprintf(v->words, size, "%+.4g sure %.3g n %u", c->effect[0] * unit,
            (double) c->confidence, (unsigned) c->n);
    } else if ((c->has & KITH_HAS_COUNTS) != 0) {
        snprintf(v->words, size, "%u of %u", (unsigned) c->hits, (unsigned) c->tries);
    } else {
        snprintf(v->words, size, "report");
    }
    return v->words;
}

bool packet_record(record *r, packet_view *v, const kith_packet *packet) {
    static const char *const types[] = { "", "leaf", "digest", "eval", "retract" };
    int u = 0;
    if (kith_packet_decode(packet->bytes, packet->length, &v->content) != 0) return false;
    const kith_content *c = &v->content;
    double unit = unit_of(v->known, c->template_id, &u);
    kith_packet_id(packet, v->id);
    kith_keyid(c->source, v->keyid);
    as_column(put_hex(r, "id", v->id, sizeof v->id), 4);
    as_column(put_text(r, "subject", c->address.subject), 0);
    put_text(r, "type", types[c->type]);
    as_column(put_text(r, "evidence", evidence_words(v, unit)), 0);
    as_column(put_hex(r, "from", v->keyid, sizeof v->keyid), 4);
    as_column(put_time(r, "t_end", c->t_end_us), 0);
    put_evidence(r, v, unit);
    put_rest(r);
    put_int(r, "unit", u);
    put_count(r, "epoch", c->epoch);
    put_count(r, "seq", c->seq);
    put_int(r, "span_s", c->span_s);
    put_int(r, "ttl_s", c->ttl_s);
    put_time(r, "expires", kith_packet_expires_us(c));
    put_hex(r, "template", c->template_id, sizeof c->template_id);
    put_hex(r, "source", c->source, sizeof c->source);
    put_int(r, "bytes", packet->length);
    put_hex(r, "packet", packet->bytes, packet->length);
    return true;
}

bool stored_record(record *r, packet_view *v, const kith_record *stored) {
    if (!packet_record(r, v, &stored->packet)) return false;
    put_count(r, "arrival", stored->arrival);
    put_time(r, "arrived", stored->arrived_us);
    put_bool(r, "own", stored->own);
    put_bool(r, "retracted", stored->retracted);
    put_bool(r, "expired", stored->expired);
    put_bool(r, "signed", true);
    as_column(put_text(r, "way", stored->way[0] == '\0' ? "own" : stored->way), 0);
    return true;
}

/* Its source is a name that anybody may claim, and looks like none that signs. */
bool heard_record(record *r, packet_view *v, const kith_heard *h) {
    if (kith_heard_content(h, &v->content, v->name) != 0) return false;
    const kith_content *c = &v->content;
    snprintf(v->from, sizeof v->from, "unsigned:%s", v->name);
    as_column(put_hex(r, "id", h->id, sizeof h->id), 4);
    as_column(put_text(r, "subject", h->subject), 0);
    put_text(r, "type", "leaf");
    as_column(put_text(r, "evidence", evidence_words(v, 1)), 0);
    as_column(put_text(r, "from", v->from), 0);
    as_column(put_time(r, "t_end", c->t_end_us), 0);
    put_evidence(r, v, 1);
    put_rest(r);
    put_text(r, "claims", v->name);
    put_int(r, "seed", h->seed);
    put_time(r, "expires", h->expires_us);
    put_count(r, "number", h->number);
    put_time(r, "arrived", h->arrived_us);
    put_bool(r, "own", false);
    put_bool(r, "retracted", false);
    put_bool(r, "expired", h->expired);
    put_bool(r, "signed", false);
    put_hex(r, "topic", h->bytes, h->topic_length);
    put_hex(r, "payload", h->bytes + h->topic_length, h->payload_length);
    as_column(put_text(r, "way", h->gateway), 0);
    return true;
}
