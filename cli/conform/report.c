/* SPDX-License-Identifier: Apache-2.0 */
/* What conform prints: TAP, or a line of JSON for each check; the digest last. */
#include "cli/conform/report.h"
#include "cli/json.h"

#include <stdio.h>
#include <string.h>

static const char *by_words(uint8_t by) {
    static const char *const words[] = { "", "native", "node" };
    return words[by];
}

static void tell_tap(const tally *t, const world *w) {
    const char *verdict = w->failed ? "not ok" : "ok";
    fprintf(t->out->to, "%s %d - %s", verdict, t->number, t->name);
    if (w->skipped) {
        fprintf(t->out->to, " # SKIP %s", w->why);
    } else if (!w->failed && w->by != BY_NOBODY) {
        fprintf(t->out->to, " # %s%s%s", by_words(w->by), w->why[0] != '\0' ? ", " : "",
            w->why);
    } else if (!w->failed && w->why[0] != '\0') {
        fprintf(t->out->to, " # %s", w->why);
    }
    fputc('\n', t->out->to);
    if (w->failed) {
        char line[sizeof w->why];
        fprintf(t->out->to, "# %s\n", printable(w->why, line, sizeof line));
    }
    fflush(t->out->to);
}

static void tell_json(const tally *t, const world *w) {
    json j = js_to(t->out->to);
    js_begin(&j, '{');
    js_key(&j, "v");
    js_int(&j, 1);
    js_key(&j, "kind");
    js_text(&j, "check");
    js_key(&j, "number");
    js_int(&j, t->number);
    js_key(&j, "name");
    js_text(&j, t->name);
    js_key(&j, "result");
    js_text(&j, w->failed ? "failed" : w->skipped ? "skipped" : "passed");
    js_key(&j, "by");
    js_text(&j, w->skipped || w->failed || w->by == BY_NOBODY ? NULL : by_words(w->by));
    js_key(&j, "why");
    js_text(&j, w->why[0] != '\0' ? w->why : NULL);
    js_end(&j, '}');
    fputc('\n', t->out->to);
    fflush(t->out->to);
}

void report_check(const tally *t, const world *w) {
    (t->out->json ? tell_json : tell_tap)(t, w);
}

void report_plan(const tally *t) {
    if (!t->out->json) {
        fprintf(t->out->to, "1..%d\n", t->total);
        fflush(t->out->to);
    }
}

static void can_names(json *j, uint32_t can) {
    static const char *const names[] = { "remote", "replay", "durable", "order", "prefix",
        "ttl", "dedupe", "query", "sync", "bend" };
    js_begin(j, '[');
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if ((can & 1u << i) != 0) {
            js_text(j, names[i]);
        }
    }
    js_end(j, ']');
}

static void sum_up_json(const tally *t, bool whole) {
    json j = js_to(t->out->to);
    js_begin(&j, '{');
    js_key(&j, "v");
    js_int(&j, 1);
    js_key(&j, "kind");
    js_text(&j, "conform");
    js_key(&j, "url");
    js_text(&j, t->url);
    js_key(&j, "checks");
    js_int(&j, t->number);
    js_key(&j, "passed");
    js_int(&j, t->passed);
    js_key(&j, "failed");
    js_int(&j, t->failed);
    js_key(&j, "skipped");
    js_int(&j, t->skipped);
    js_key(&j, "native");
    js_int(&j, t->native);
    js_key(&j, "can");
    can_names(&j, t->can);
    js_key(&j, "level");
    js_text(&j, kith_level_name(t->level));
    js_key(&j, "seconds");
    js_real(&j, (double) (kith_time_now().mono_ns - t->begun_ns) / 1e9);
    js_key(&j, "digest");
    if (whole) {
        js_hex(&j, t->digest, sizeof t->digest);
    } else {
        js_null(&j);
    }
    js_end(&j, '}');
    fputc('\n', t->out->to);
}

void report_end(const tally *t) {
    static const uint8_t none[sizeof t->digest];
    bool whole = memcmp(t->digest, none, sizeof none) != 0;
    if (t->out->json) {
        sum_up_json(t, whole);
        return;
    }
    fprintf(t->out->to, "# %d passed, %d of them native; %d skipped, %d failed; %.1f s\n",
        t->passed, t->native, t->skipped, t->failed,
        (double) (kith_time_now().mono_ns - t->begun_ns) / 1e9);
    if (whole) {
        char hex[2 * sizeof t->digest + 1];
        fprintf(t->out->to, "digest %s\n", hex_text(t->digest, sizeof t->digest, hex));
    }
}
