/* SPDX-License-Identifier: Apache-2.0 */
/* What the demo shows: a screen that is painted anew each second, or a line of
 * JSON each second. At most 79 columns, at most 24 lines with twelve buildings. */
#include "cli/demo/demo.h"
#include "cli/json.h"

#include <kith/version.h>

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BOLD  "\033[1m"
#define RED   "\033[31m"
#define GREEN "\033[32m"
#define DIM   "\033[2m"

static const char *paint(const demo *d, const char *code) {
    return d->out->color ? code : "";
}

static const char *plain(const demo *d) {
    return d->out->color ? "\033[0m" : "";
}

static const char *either(const demo *d, const char *nice, const char *ascii) {
    return d->out->ascii ? ascii : nice;
}

static void line(demo *d, const char *format, ...) KITH_PRINTF(2, 3);
static void line(demo *d, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(d->out->to, format, args);
    va_end(args);
    fputs(d->live ? "\033[K\n" : "\n", d->out->to);
    d->painted++;
}

static void interval(const demo *d, char *ret, size_t size, double y, double half) {
    snprintf(ret, size, "%+.2f %s %.2f", y, either(d, "±", "+-"), half);
}

static void paint_cell(demo *d, const cell *c) {
    char alone[40] = "-", pooled[40] = "insufficient";
    const report *r = &c->last;
    if (c->is.liar) {
        if (c->pid > 0) {
            line(d, "%s%-12s ! claims +9.9 from 1e9 observations%s", paint(d, RED), c->name,
                plain(d));
        } else {
            line(d, "%-12s", "");
        }
        return;
    }
    if (c->pid <= 0) {
        line(d, "%s%-12s %s killed%s", paint(d, RED), c->name, either(d, "✕", "x"),
            plain(d));
        return;
    }
    if (c->heard && r->has_own) {
        interval(d, alone, sizeof alone, r->own, 1.96 * r->own_se);
    }
    if (c->heard && r->has_shrunk) {
        interval(d, pooled, sizeof pooled, r->shrunk, (r->shrunk_high - r->shrunk_low) / 2);
    }
    const char *mark = r->link_down ? either(d, "◐", "o") : either(d, "●", "*");
    int pad = d->out->ascii ? 18 : 19; /* the sign is two bytes */
    line(d, "%-12s %s%s%s %-*s %-*s %4llu in %3llu out  %u left out", c->name,
        paint(d, r->link_down ? RED : GREEN), mark, plain(d), pad, alone, pad, pooled,
        (unsigned long long) r->in, (unsigned long long) r->out, r->flagged);
}

/* The wires that are talked over here. */
static const char *carriers(const demo *d, const char *between, char *ret, size_t size) {
    bool zmq = d->zmq_url[0] != '\0', udp = d->udp_url[0] != '\0';
    snprintf(ret, size, "dir%ssqlite%s%s%s%s", between, zmq ? between : "",
        zmq ? "zmq" : "", udp ? between : "", udp ? "udp" : "");
    return ret;
}

void screen_note(demo *d) {
    if (d->udp_url[0] != '\0' || d->out->json || !d->out->tty) {
        return;
    }
    line(d, "without udp: %s", d->udp_why);
    d->painted = 0;
}

void screen_paint(demo *d, double seconds) {
    char words[40];
    if (d->painted > 0) {
        fprintf(d->out->to, "\033[%dA", d->painted);
    }
    d->painted = 0;
    line(d, "%skith %s demo%s  %u nodes, carriers %s, no server  %2.0f s", paint(d, BOLD),
        kith_version(), plain(d), d->count, carriers(d, ", ", words, sizeof words),
        seconds);
    line(d, "%s   truth %+.3f, hidden from the nodes", DEMO_SUBJECT, d->truth);
    line(d, "%snode           alone, 95 %%        with the pool      packets%s",
        paint(d, DIM), plain(d));
    const report *first = NULL;
    for (unsigned i = 0; i < d->count; i++) {
        paint_cell(d, &d->cells[i]);
        const cell *c = &d->cells[i];
        if (first == NULL && c->pid > 0 && c->heard && !c->last.insufficient) {
            first = &c->last;
        }
    }
    if (first != NULL) {
        bool covers = first->low <= d->truth && d->truth <= first->high;
        line(d, "pool %+.3f, 95 %% interval %+.3f %s %+.3f from %u   covers the truth: %s",
            first->mu, first->low, either(d, "…", ".."), first->high, first->k,
            covers ? "yes" : "no");
    } else {
        line(d, "pool: not enough sources yet");
    }
    line(d, "%s%s%s", paint(d, BOLD), d->event, plain(d));
    fflush(d->out->to);
}

void screen_say(demo *d, double seconds) {
    if (d->event[0] != '\0') {
        line(d, "%2.0f s  %s", seconds, d->event);
        d->event[0] = '\0'; /* told once */
        fflush(d->out->to);
    }
}

static void number(json *j, const char *key, double value) {
    js_key(j, key);
    js_real(j, value);
}

static void whole(json *j, const char *key, uint64_t value) {
    js_key(j, key);
    js_count(j, value);
}

static json begin(demo *d, const char *kind) {
    json j = js_to(d->out->to);
    js_begin(&j, '{');
    js_key(&j, "v");
    js_int(&j, 1);
    js_key(&j, "kind");
    js_text(&j, kind);
    return j;
}

static void end(demo *d, json *j) {
    js_end(j, '}');
    fputc('\n', d->out->to);
    fflush(d->out->to);
}

static void tick_node(json *j, const cell *c) {
    const report *r = &c->last;
    js_begin(j, '{');
    js_key(j, "name");
    js_text(j, c->name);
    js_key(j, "up");
    js_bool(j, c->pid > 0);
    js_key(j, "carrier_down");
    js_bool(j, c->heard && r->link_down);
    number(j, "own", r->has_own ? r->own : NAN);
    number(j, "own_se", r->has_own ? r->own_se : NAN);
    number(j, "with_pool", r->has_shrunk ? r->shrunk : NAN);
    number(j, "low", r->has_shrunk ? r->shrunk_low : NAN);
    number(j, "high", r->has_shrunk ? r->shrunk_high : NAN);
    js_key(j, "sources");
    js_int(j, (int64_t) r->k);
    js_key(j, "left_out");
    js_int(j, (int64_t) r->flagged);
    whole(j, "in", r->in);
    whole(j, "out", r->out);
    js_end(j, '}');
}

void screen_tick(demo *d, double seconds) {
    json j = begin(d, "demo");
    number(&j, "seconds", seconds);
    js_key(&j, "event");
    js_text(&j, d->event[0] != '\0' ? d->event : NULL);
    d->event[0] = '\0'; /* told once */
    js_key(&j, "nodes");
    js_begin(&j, '[');
    for (unsigned i = 0; i < d->count; i++) {
        tick_node(&j, &d->cells[i]);
    }
    js_end(&j, ']');
    end(d, &j);
}

static void end_json(demo *d, const verdict *v) {
    json j = begin(d, "demo_end");
    number(&j, "truth", d->truth);
    number(&j, "estimate", v->mu);
    number(&j, "low", v->low);
    number(&j, "high", v->high);
    js_key(&j, "covers");
    js_bool(&j, v->covered);
    js_key(&j, "sources");
    js_int(&j, (int64_t) v->k);
    js_key(&j, "nodes_covered");
    js_int(&j, (int64_t) v->nodes_covered);
    js_key(&j, "nodes_asked");
    js_int(&j, (int64_t) v->nodes_asked);
    js_key(&j, "liar_left_out");
    js_bool(&j, v->liar_named);
    number(&j, "liar_moved", v->liar_moved);
    number(&j, "narrower", v->narrower);
    number(&j, "ideal", v->ideal);
    whole(&j, "raw_bytes_kept", v->readings * sizeof(double));
    whole(&j, "bytes_sent", v->bytes);
    whole(&j, "packets", v->packets);
    whole(&j, "largest", v->largest);
    whole(&j, "lost", v->lost);
    whole(&j, "doubled", v->doubled);
    js_key(&j, "carriers");
    char words[40];
    js_text(&j, carriers(d, " ", words, sizeof words));
    if (d->udp_url[0] == '\0') {
        js_key(&j, "udp_left_out");
        js_text(&j, d->udp_why);
    }
    js_key(&j, "digest_dir");
    js_hex(&j, v->by_dir, sizeof v->by_dir);
    js_key(&j, "digest_sqlite");
    js_hex(&j, v->by_sqlite, sizeof v->by_sqlite);
    js_key(&j, "equal");
    js_bool(&j, v->equal);
    end(d, &j);
}

static void end_words(demo *d, const verdict *v) {
    char one[2 * 32 + 1], two[2 * 32 + 1];
    line(d, " ");
    line(d, "pool %+.3f, 95 %% interval %+.3f %s %+.3f   covers the truth %+.3f: %s", v->mu,
        v->low, either(d, "…", ".."), v->high, d->truth, v->covered ? "yes" : "no");
    line(d, "nodes whose interval covers their own truth: %u of %u", v->nodes_covered,
        v->nodes_asked);
    line(d, "%.1f times narrower than alone; %u twins in perfect agreement would give %.1f",
        v->narrower, (unsigned) lround(v->ideal * v->ideal), v->ideal);
    line(d, "the liar was %s; it moved the pool by %.4f",
        v->liar_named ? "left out" : "not left out", v->liar_moved);
    line(d, "kept at home %llu bytes, sent %llu in %llu packets, largest %llu/512 B",
        (unsigned long long) (v->readings * sizeof(double)), (unsigned long long) v->bytes,
        (unsigned long long) v->packets, (unsigned long long) v->largest);
    line(d, "lost %llu, counted twice %llu", (unsigned long long) v->lost,
        (unsigned long long) v->doubled);
    line(d, "digest dir %.12s  sqlite %.12s  all nodes and carriers: %s",
        hex_text(v->by_dir, 32, one), hex_text(v->by_sqlite, 32, two),
        v->equal ? "equal" : "DIFFERENT");
}

void screen_end(demo *d, const verdict *v) {
    if (d->out->json || !d->out->tty) {
        end_json(d, v);
        return;
    }
    end_words(d, v);
    out_next(d->out, "kith init");
}
