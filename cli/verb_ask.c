/* SPDX-License-Identifier: Apache-2.0 */
/* ask: the answer, or what is missing. */
#include "cli/asking.h"
#include "cli/evidence.h"
#include "cli/parse.h"
#include "cli/place.h"
#include "cli/verbs.h"

#include <kith/address.h>
#include <kith/heard.h>

#include <stdlib.h>
#include <string.h>

#define SUBJECTS_MAX 4096

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

int asking_open(asking *a, const call *c) {
    const ask_flags *f = c->flags;
    *a = (asking){ .c = c };
    a->ask.now_us = kith_time_now().wall_us;
    a->ask.pool = (kith_pool_options){ .method = (kith_pool_method) f->method,
        .ci = (kith_pool_ci) f->ci,
        .plain = f->plain,
        .quorum = (uint32_t) f->quorum };
    a->ask.half_life_us = f->half_life_ns / 1000;
    if (f->method == KITH_POOL_REML && f->half_life_ns > 0) {
        return fault_do(c->out, E_TOGETHER, "--method reml and --half-life",
            "take another method: pm is the preset",
            "REML knows no votes that count for less than others");
    }
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

void asking_close(asking *a) {
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

int asking_aim(asking *a, const char *subject) {
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
    int code = asking_aim(a, subject);
    if (code != 0) return code;
    if (f->legacy != 0) return show_legacy(a, subject);
    int r = kith_ask_all(a->store, &a->ask, &shown.asked, NULL, 0, NULL, &err);
    if (r == KITH_E_MISSING) return fault(a->c->out, E_NOTHING, subject, NULL);
    if (r < 0) return store_fault(a->c, &err);
    shown.own_only = f->own_only;
    a->unsigned_left += shown.asked.answers[0].unsigned_left;
    if (!show_answer(a->c->out, &shown, alone)) return EXIT_USAGE;
    if (f->own_only) return shown.asked.answers[0].has_own ? 0 : EXIT_NOTHING;
    return shown.asked.answers[0].insufficient ? EXIT_NOTHING : 0;
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
