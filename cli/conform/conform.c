/* SPDX-License-Identifier: Apache-2.0 */
/* kith conform URL: one check after the other, each in a realm of its own, and at
 * the end the digest of a scripted history. docs/carriers.md is made from what
 * this prints. */
#include "cli/conform/check.h"
#include "cli/conform/nursery.h"
#include "cli/conform/tree.h"
#include "cli/json.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const check *const tables[] = { value_checks, pattern_checks, late_checks,
    many_checks, hostile_checks, clock_checks, merge_checks, crash_checks };
enum {
    TABLES = sizeof tables / sizeof *tables
};

static const check history_check = { "one_history_ends_in_one_state", history_run, 0 };

typedef struct tally {
    out *out;
    const char *url, *only;
    char tmp[PATH_SIZE];
    bool slow;
    uint64_t seed;
    int total, number, passed, failed, skipped, native;
    uint32_t can;
    kith_level level;
    uint64_t begun_ns;
} tally;

static bool wanted_check(const tally *t, const check *c) {
    return strncmp(c->name, t->only, strlen(t->only)) == 0;
}

static const char *by_words(uint8_t by) {
    static const char *const words[] = { "", "native", "node" };
    return words[by];
}

static void tell_tap(const tally *t, const check *c, const world *w) {
    const char *verdict = w->failed ? "not ok" : "ok";
    fprintf(t->out->to, "%s %d - %s", verdict, t->number, c->name);
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

static void tell_json(const tally *t, const check *c, const world *w) {
    json j = js_to(t->out->to);
    js_begin(&j, '{');
    js_key(&j, "v");
    js_int(&j, 1);
    js_key(&j, "kind");
    js_text(&j, "check");
    js_key(&j, "number");
    js_int(&j, t->number);
    js_key(&j, "name");
    js_text(&j, c->name);
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

static void run_check(tally *t, const check *c) {
    static world w;
    if (world_stopped() != 0) {
        return;
    }
    w = (world){
        .base_url = t->url, .tmp = t->tmp, .slow = t->slow, .arg = c->arg, .seed = t->seed
    };
    if (world_begin(&w)) {
        t->can = w.can;
        t->level = w.level;
        c->run(&w);
    }
    if (w.failed) {
        w.skipped = false;
    }
    world_end(&w);
    t->number++;
    t->failed += w.failed;
    t->skipped += w.skipped;
    t->passed += !w.failed && !w.skipped;
    t->native += !w.failed && !w.skipped && w.by == BY_CARRIER;
    (t->out->json ? tell_json : tell_tap)(t, c, &w);
}

static void run_all(tally *t, void (*each)(tally *t, const check *c)) {
    for (size_t i = 0; i < TABLES; i++) {
        for (const check *c = tables[i]; c->name != NULL; c++) {
            if (wanted_check(t, c)) {
                each(t, c);
            }
        }
    }
    if (wanted_check(t, &history_check)) {
        each(t, &history_check);
    }
}

static void count_one(tally *t, const check *c) {
    (void) c;
    t->total++;
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
        js_hex(&j, history_digest, sizeof history_digest);
    } else {
        js_null(&j);
    }
    js_end(&j, '}');
    fputc('\n', t->out->to);
}

static void sum_up(const tally *t) {
    static const uint8_t none[sizeof history_digest];
    bool whole = memcmp(history_digest, none, sizeof none) != 0;
    if (t->out->json) {
        sum_up_json(t, whole);
        return;
    }
    fprintf(t->out->to, "# %d passed, %d of them native; %d skipped, %d failed; %.1f s\n",
        t->passed, t->native, t->skipped, t->failed,
        (double) (kith_time_now().mono_ns - t->begun_ns) / 1e9);
    if (whole) {
        char hex[2 * sizeof history_digest + 1];
        fprintf(t->out->to, "digest %s\n",
            hex_text(history_digest, sizeof history_digest, hex));
    }
}

/* The URL must open before anything is said about it. */
static int try_url(const tally *t) {
    world w = { .base_url = t->url, .tmp = t->tmp };
    bool good = world_begin(&w);
    world_end(&w);
    return good ? 0 : fault(t->out, E_URL, t->url, "%s", w.why);
}

int verb_conform(const call *c) {
    const conform_flags *f = c->flags;
    tally t = { .out = c->out,
        .url = c->args[0],
        .only = f->only,
        .slow = f->slow,
        .seed = (uint64_t) f->seed,
        .begun_ns = kith_time_now().mono_ns };
    if (!nursery_open() || !tree_make("kith-conform", t.tmp, sizeof t.tmp)) {
        nursery_close();
        return fault(t.out, E_FOLDER, "a folder for the stores", NULL);
    }
    world_catch();
    int code = try_url(&t);
    run_all(&t, count_one);
    if (code == 0 && t.total == 0) {
        code = fault(t.out, E_NOTHING, t.only, "no check has a name that begins so");
    }
    if (code == 0) {
        if (!t.out->json) {
            fprintf(t.out->to, "1..%d\n", t.total);
        }
        run_all(&t, run_check);
        sum_up(&t);
        code = t.failed > 0 ? EXIT_NOTHING : EXIT_DONE;
    }
    nursery_close();
    tree_remove(t.tmp);
    return world_stopped() != 0 ? 128 + world_stopped() : code;
}
