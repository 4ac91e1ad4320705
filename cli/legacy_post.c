/* SPDX-License-Identifier: Apache-2.0 */
/* post --legacy: the evidence of post, said once as seed 0 says it, to those who are
 * there. Nothing is stored or signed; the key only gives the name. */
#include "cli/evidence.h"
#include "cli/legacy.h"
#include "cli/lines.h"
#include "cli/post.h"

#include <kith/address.h>
#include <kith/legacy.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define ITEM_MAX (2 + KITH_SEED0_TOPIC_MAX + KITH_SEED0_LENGTH_MAX)

/* For their clients that ask meanwhile: the newest, as many as an answer has. */
typedef struct said {
    uint16_t length;
    uint8_t bytes[ITEM_MAX];
} said;

typedef struct speaker {
    legacy_link l;
    uint64_t count;
    said of_late[KITH_SEED0_ROWS_MAX];
    kith_key *key;
    const char *subject;
    uint64_t line; /* 0: by flags */
    int code;      /* of the worst line so far */
} speaker;

static int recall(void *ctx, const char *pattern,
    int (*each)(void *each_ctx, const kith_posting *what), void *each_ctx) {
    const speaker *s = ctx;
    (void) pattern; /* all of it: the carrier chooses */
    for (uint64_t i = 1; i <= s->count && i <= KITH_SEED0_ROWS_MAX; i++) {
        const said *one = &s->of_late[(s->count - i) % KITH_SEED0_ROWS_MAX];
        kith_posting what = {
            .kind = KITH_ITEM_LEGACY, .length = one->length, .bytes = one->bytes
        };
        if (each(each_ctx, &what) == KITH_STOP) break;
    }
    return 0;
}

static void remember(speaker *s, const kith_posting *what) {
    said *one = &s->of_late[s->count++ % KITH_SEED0_ROWS_MAX];
    one->length = what->length;
    memcpy(one->bytes, what->bytes, what->length);
}

static int told(speaker *s, const kith_seed0_frames *f) {
    uint8_t id[KITH_ID_SIZE];
    record r = record_of("posted_legacy");
    kith_legacy_id(0, f->topic, f->topic_length, f->payload, f->payload_length, id);
    as_column(put_hex(&r, "id", id, KITH_ID_SIZE), 4);
    as_column(put_text(&r, "topic", f->topic), 0);
    as_column(put_int(&r, "bytes", f->payload_length), 0);
    as_column(put_text(&r, "safe", "none"), 0);
    if (s->line > 0) put_count(&r, "line", s->line);
    return out_emit(s->l.c->out, &r) ? out_end(s->l.c->out) : EXIT_USAGE;
}

/* Waits for somebody who follows the topic, and for room. */
static int say(speaker *s, const kith_content *content, const kith_seed0_frames *f) {
    const post_flags *flags = s->l.c->flags;
    uint8_t bytes[ITEM_MAX];
    bytes[0] = (uint8_t) (f->topic_length >> 8);
    bytes[1] = (uint8_t) f->topic_length;
    memcpy(bytes + 2, f->topic, f->topic_length);
    memcpy(bytes + 2 + f->topic_length, f->payload, f->payload_length);
    kith_posting what = { .kind = KITH_ITEM_LEGACY,
        .length = (uint16_t) (2 + f->topic_length + f->payload_length),
        .bytes = bytes,
        .to = &content->address,
        .expires_us = INT64_MAX };
    uint64_t end = kith_time_now().mono_ns + (uint64_t) flags->wait_ns;
    int r;
    while ((r = kith_link_post(s->l.link, &what)) == KITH_FULL) {
        if (kith_time_now().mono_ns >= end) {
            return fault_do(s->l.c->out, E_WAIT, f->topic,
                "start the reader, or give it longer with -W", "nobody follows it here");
        }
        if (!legacy_wait(&s->l, end)) return EXIT_INTERRUPTED;
    }
    if (r < 0) {
        kith_error err = { .code = r };
        return fault_kith(s->l.c->out, E_UNREACHED, s->l.c->args[0], &err);
    }
    remember(s, &what);
    return told(s, f);
}

static int say_content(speaker *s, kith_content *content, const char *about) {
    kith_seed0 p;
    kith_seed0_frames frames;
    kith_key_public(s->key, content->source);
    int r = kith_seed0_of(content, &p);
    if (r == 0) r = kith_seed0_encode(&p, &frames);
    if (r < 0) {
        return fault_do(s->l.c->out, E_EVIDENCE, about,
            "give --effect within -1..1, with --se or --confidence, and nothing else",
            "seed 0 can not say it: %s", kith_legacy_words(r));
    }
    return say(s, content, &frames);
}

static int say_line(speaker *s, const char *text, size_t length) {
    const call *c = s->l.c;
    post_flags flags = *(const post_flags *) c->flags;
    uint64_t given = c->given;
    char why[WHY_MAX] = "", about[40];
    kith_content content;
    memset(&content, 0, sizeof content);
    s->line++;
    length = lines_trim(text, length);
    if (length == 0) return 0;
    snprintf(about, sizeof about, "line %llu", (unsigned long long) s->line);
    int bad = evidence_line(text, length, &flags, &given, why);
    if (bad == 0) {
        bad = evidence_content(
            &flags, given, s->subject, kith_time_now().wall_us, &content, why);
    }
    int code = bad != 0 ? fault(c->out, (fault_id) bad, about, "%s", why)
                        : say_content(s, &content, about);
    if (code != EXIT_DATA && code != EXIT_USAGE) return code;
    s->code = EXIT_DATA; /* the lines behind it go on */
    return 0;
}

static int say_lines(speaker *s) {
    lines in;
    if (!lines_init(&in, STDIN_FILENO, LINE_MAX_BYTES)) {
        return fault(s->l.c->out, E_MEMORY, "lines", NULL);
    }
    int r = 0, code = 0;
    while (code == 0 && (r = lines_read(&in)) > 0) {
        const char *text;
        size_t length;
        while (code == 0 && lines_next(&in, &text, &length)) {
            code = say_line(s, text, length);
        }
    }
    if (r < 0 && code == 0)
        code = fault(s->l.c->out, E_INPUT, "stdin", "%s", strerror(errno));
    lines_fini(&in);
    return code != 0 ? code : s->code;
}

int post_legacy(const call *c) {
    const post_flags *f = c->flags;
    speaker s = { .subject = c->args[1] };
    kith_content content;
    bool many = c->arg_count > 2;
    const char *why = kith_subject_fault(s.subject, false);
    if (why != NULL) return fault(c->out, E_SUBJECT, s.subject, "%s", why);
    if (many && (strcmp(c->args[2], "-") != 0 || flag_given(c, "samples"))) {
        return fault(c->out, E_ARGUMENT, c->args[2], "only - may stand there, alone");
    }
    if (f->dry_run || f->wait != 0 || flag_given(c, "carrier")) {
        return fault(
            c->out, E_TOGETHER, "--legacy", "not with --dry-run, --wait, --carrier");
    }
    memset(&content, 0, sizeof content);
    int code = many ? 0 : post_content(c, s.subject, kith_time_now(), &content);
    if (code == 0) code = open_key(c, &s.key);
    if (code != 0) return code;
    code = legacy_open(&s.l, c, c->args[0], f->wait_ns > 0 ? "patient=yes" : "patient=no");
    if (code == 0) {
        s.l.host.ctx = &s;
        s.l.host.recall = recall;
        code = many ? say_lines(&s) : say_content(&s, &content, s.subject);
        legacy_close(&s.l);
    }
    kith_key_free(&s.key);
    return code;
}
