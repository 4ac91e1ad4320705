/* SPDX-License-Identifier: Apache-2.0 */
/* post and retract: what is said is on disk before it is answered. */
#include "cli/evidence.h"
#include "cli/legacy.h"
#include "cli/place.h"
#include "cli/post.h"
#include "cli/templates.h"
#include "cli/verbs.h"

#include <kith/address.h>
#include <kith/signal.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool told_post(const call *c, const poster *p, const kith_post *post, uint64_t line) {
    char size[32];
    snprintf(size, sizeof size, "%u/%d B", (unsigned) post->packet.length, KITH_PACKET_MAX);
    record r = record_of("posted");
    as_column(put_hex(&r, "id", post->id, KITH_ID_SIZE), 4);
    put_text(&r, "subject", post->content.address.subject);
    if (c->out->json || c->out->format != NULL) {
        put_int(&r, "bytes", post->packet.length);
    } else {
        as_column(put_text(&r, "bytes", size), 0);
    }
    as_column(put_text(&r, "safe", p->safe), 0);
    put_count(&r, "arrival", post->arrival);
    put_count(&r, "epoch", post->content.epoch);
    put_count(&r, "seq", post->content.seq);
    if (line > 0) put_count(&r, "line", line);
    return out_emit(c->out, &r);
}

int poster_open(const call *c, poster *ret) {
    kith_error err = { 0 };
    kith_store_stat stat;
    *ret = (poster){ .c = c, .safe = "disk" };
    int code = open_key(c, &ret->key);
    if (code == 0) code = open_store(c, &ret->store);
    if (code == 0 && kith_store_stats(ret->store, &stat, &err) == 0 &&
        strcmp(stat.engine, "sqlite") != 0) {
        ret->safe = "process";
    }
    if (code != 0) poster_close(ret);
    return code;
}

void poster_close(poster *p) {
    kith_store_stat stat;
    if (p->store != NULL && !p->c->out->damage_told &&
        kith_store_stats(p->store, &stat, NULL) == 0 && stat.quarantined) {
        tell_damage(p->c, p->store);
    }
    kith_store_close(&p->store);
    kith_key_free(&p->key);
}

/* ---- samples ---- */

static int take_number(const call *c, kith_window *window, const char *name, char *line,
    size_t row, kith_time now) {
    char *end;
    line[strcspn(line, "\r\n")] = '\0';
    if (line[strspn(line, " \t")] == '\0') return 0;
    double x = strtod(line, &end);
    if (end == line || end[strspn(end, " \t")] != '\0' ||
        kith_window_number(window, x, false, now) != 0) {
        char about[PATH_TEXT_MAX + 40];
        snprintf(about, sizeof about, "%s line %zu", name, row);
        return fault(c->out, E_SAMPLES, about, "'%.40s' is no number kith takes", line);
    }
    return 0;
}

/* Reads numbers, one a line, into mean and error; keeps none of them. */
static int reduce(const call *c, const char *name, kith_time now, kith_content *content) {
    const post_flags *f = c->flags;
    char why[160];
    const kith_template *t =
        flag_given(c, "template") ? template_named(f->known, f->template, why) : NULL;
    kith_window window;
    char line[512];
    kith_signal_options options = { .kind = KITH_SIGNAL_MEAN,
        .count_max = 0,
        .window_ns = 1,
        .count_min = 2,
        .unit =
            t == NULL ? kith_template_unit((int) f->unit) : kith_template_about(t)->unit };
    FILE *from = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
    if (from == NULL) return fault(c->out, E_INPUT, name, "%s", strerror(errno));
    int code = kith_window_init(&window, &options) < 0
                   ? fault(c->out, E_INTERNAL, "the window of samples", NULL)
                   : 0;
    for (size_t row = 1; code == 0 && fgets(line, sizeof line, from) != NULL; row++) {
        code = take_number(c, &window, name, line, row, now);
    }
    if (code == 0 && ferror(from))
        code = fault(c->out, E_INPUT, name, "%s", strerror(errno));
    if (from != stdin) (void) fclose(from);
    if (code == 0 && kith_window_take(&window, content, now.mono_ns + 1) != 0) {
        code = fault(c->out, E_SAMPLES, name, NULL);
    }
    return code;
}

/* ---- one packet ---- */

int post_content(const call *c, const char *subject, kith_time now, kith_content *ret) {
    const post_flags *f = c->flags;
    char why[WHY_MAX] = "";
    uint64_t given = c->given;
    post_flags flags = *f;
    if (!flag_given(c, "samples")) {
        int bad = evidence_content(&flags, given, subject, now.wall_us, ret, why);
        return bad == 0 ? 0 : fault(c->out, (fault_id) bad, subject, "%s", why);
    }
    if (flag_given(c, "effect") || flag_given(c, "se") || flag_given(c, "hits") ||
        flag_given(c, "tries") || flag_given(c, "confidence") || flag_given(c, "effects") ||
        flag_given(c, "covariance")) {
        return fault(c->out, E_TOGETHER, "--samples", "it is the evidence already");
    }
    kith_content reduced = { 0 };
    int code = reduce(c, f->samples, now, &reduced);
    if (code != 0) return code;
    /* The rest as with any evidence; what stands in for it is then replaced. */
    flags.tries = flags.hits = 1;
    given |= UINT64_C(3) << 3;
    int bad = evidence_content(&flags, given, subject, now.wall_us, ret, why);
    if (bad != 0) return fault(c->out, (fault_id) bad, subject, "%s", why);
    ret->has = (uint16_t) ((ret->has & ~KITH_HAS_COUNTS) | reduced.has);
    ret->hits = ret->tries = 0;
    ret->measure = f->measure == 0 ? reduced.measure : (uint8_t) f->measure;
    ret->components = reduced.components;
    ret->n = reduced.n;
    memcpy(ret->effect, reduced.effect, sizeof ret->effect);
    memcpy(ret->covariance, reduced.covariance, sizeof ret->covariance);
    int r = kith_template_admits(ret);
    if (r >= 0) return 0;
    bad = refusal_fault(r, ret, why);
    return fault(c->out, (fault_id) bad, subject, "%s", why);
}

/* Seals with epoch 1: only the size and the ranges are of interest. */
static int dry_run(const call *c, const kith_content *content) {
    kith_content copy = *content;
    kith_packet packet;
    packet_view view = { .known = ((const post_flags *) c->flags)->known };
    char why[WHY_MAX];
    kith_key *key = NULL;
    int code = open_key(c, &key);
    if (code != 0) return code;
    copy.epoch = 1;
    int r = kith_packet_seal(&copy, key, &packet);
    kith_key_free(&key);
    if (r < 0) {
        int bad = refusal_fault(r, content, why);
        return fault(c->out, (fault_id) bad, content->address.subject, "%s", why);
    }
    record row = record_of("dry_run");
    if (!packet_record(&row, &view, &packet)) return EXIT_SOFTWARE;
    as_column(&row.fields[row.count - 2], 0); /* bytes */
    return out_emit(c->out, &row) ? 0 : EXIT_USAGE;
}

int post_failed(const call *c, const char *about, const kith_post *post) {
    char why[WHY_MAX];
    if (post->result <= KITH_E_REFUSED) {
        int bad = refusal_fault(post->result, &post->content, why);
        return fault(c->out, (fault_id) bad, about, "%s", why);
    }
    kith_error err = { .code = post->result };
    return fault_kith(c->out, E_STORE, about, &err);
}

static int post_one(const call *c, kith_post *post, kith_time now) {
    poster p;
    kith_error err = { 0 };
    const post_flags *f = c->flags;
    int code = poster_open(c, &p);
    if (code != 0) return code;
    if (kith_store_post(p.store, p.key, post, 1, now, &err) < 0) {
        code = store_fault(c, &err);
    } else if (post->result != 0) {
        code = post_failed(c, c->args[0], post);
    } else {
        if (!told_post(c, &p, post, 0)) code = EXIT_USAGE;
        if (kith_packet_expires_us(&post->content) <= now.wall_us) {
            out_note(c->out, "born expired: ttl runs from the time of the data");
        }
        if (f->wait != 0 && code == 0) {
            if (!out_flush(c->out)) code = EXIT_IO;
            if (code == 0) code = wait_level(c, &p, post->arrival);
        }
        if (code == 0) out_next(c->out, "kith ask %s", c->args[0]);
    }
    poster_close(&p);
    return code;
}

static int post(const call *c) {
    const post_flags *f = c->flags;
    if (f->legacy != 0 && c->arg_count > 1) return post_legacy(c);
    if (f->legacy != 0 || c->arg_count > 2) {
        return fault(c->out, E_ARGUMENT, "post",
            f->legacy != 0 ? "with --legacy: URL SUBJECT [-]" : "it takes SUBJECT [-]");
    }
    const char *why = kith_subject_fault(c->args[0], false);
    if (why != NULL) return fault(c->out, E_SUBJECT, c->args[0], "%s", why);
    if (c->arg_count > 1) {
        if (strcmp(c->args[1], "-") != 0) {
            return fault(c->out, E_ARGUMENT, c->args[1], "only - may stand there");
        }
        if (flag_given(c, "samples")) {
            return fault(c->out, E_TOGETHER, "- and --samples", "both are evidence");
        }
        if (f->private) {
            return fault(c->out, E_TOGETHER, "- and --private", "it needs --samples");
        }
        return post_lines(c);
    }
    if (f->private) return post_private(c);
    kith_time now = kith_time_now();
    kith_post *post = calloc(1, sizeof *post);
    if (post == NULL) return fault(c->out, E_MEMORY, "a packet", NULL);
    int code = post_content(c, c->args[0], now, &post->content);
    if (code == 0) code = f->dry_run ? dry_run(c, &post->content) : post_one(c, post, now);
    free(post);
    return code;
}

int verb_post(const call *c) {
    kith_templates *known = NULL;
    int code = templates_for_post(c, &known);
    if (code == 0) code = post(c);
    kith_templates_free(&known);
    return code;
}

/* ---- retract ---- */

typedef struct target {
    size_t found;
    bool own;
    kith_content content;
} target;

static int see_target(void *ctx, const kith_record *one) {
    target *t = ctx;
    if (t->found++ == 0) {
        t->own = one->own;
        (void) !kith_packet_decode(one->packet.bytes, one->packet.length, &t->content);
    }
    return t->found > 1 ? KITH_STOP : 0;
}

static int take_back(const call *c, const poster *p, const uint8_t *id, size_t length) {
    target t = { 0 };
    kith_error err = { 0 };
    kith_time now = kith_time_now();
    kith_query query = {
        .id = id, .id_length = length, .now_us = now.wall_us, .with_expired = true
    };
    int r = kith_store_find(p->store, &query, see_target, &t, &err);
    if (r < 0) return store_fault(c, &err);
    if (t.found == 0) return fault(c->out, E_NOTHING, c->args[0], NULL);
    if (t.found > 1) return fault(c->out, E_PREFIX, c->args[0], "several begin so");
    if (!t.own) return fault(c->out, E_NOT_OWN, c->args[0], NULL);
    kith_post *post = calloc(1, sizeof *post);
    if (post == NULL) return fault(c->out, E_MEMORY, "a packet", NULL);
    int code = 0;
    if (kith_retraction_of(&t.content, NULL, &post->content) < 0) {
        code = fault(c->out, E_EVIDENCE, c->args[0], "a retraction can not be taken back");
    } else if (kith_store_post(p->store, p->key, post, 1, now, &err) < 0) {
        code = store_fault(c, &err);
    } else if (post->result != 0) {
        code = post_failed(c, c->args[0], post);
    } else if (!told_post(c, p, post, 0)) {
        code = EXIT_USAGE;
    }
    free(post);
    return code;
}

int verb_retract(const call *c) {
    uint8_t id[KITH_ID_SIZE];
    size_t length;
    const char *text = strncmp(c->args[0], "id:", 3) == 0 ? c->args[0] + 3 : c->args[0];
    if (strlen(text) < 8 || !parse_hex(text, strlen(text), id, sizeof id, &length)) {
        return fault(
            c->out, E_PREFIX, text, "it is not 8 to 64 hex digits, an even number");
    }
    poster p;
    int code = poster_open(c, &p);
    if (code != 0) return code;
    code = take_back(c, &p, id, length);
    poster_close(&p);
    return code;
}
