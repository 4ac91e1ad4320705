/* SPDX-License-Identifier: Apache-2.0 */
/* Signals: lines from stdin or a program become observations, windows of them
 * become evidence, and evidence is posted. Raw data end here. */
#include "cli/json.h"
#include "cli/parse.h"
#include "cli/run.h"
#include "cli/templates.h"

#include <kith/address.h>

#include <jansson.h>

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTCOME 3  /* section.kind: a packet a line, no window */
#define BITE    16 /* reads of one descriptor in one turn */

static int fail(const out *o, const char *name, const char *why) {
    char about[80];
    snprintf(about, sizeof about, "[signal %s]", name);
    return fault(o, E_CONFIG, about, "%s", why);
}

const char *signal_fault(const signal_section *k, const char **ret_key) {
    const char *why = kith_subject_fault(k->subject, false);
    *ret_key = "subject";
    if (why != NULL) return why;
    *ret_key = "command";
    if (k->command[0] != '\0' && (why = words_fault(k->command)) != NULL) return why;
    *ret_key = "count";
    if (k->kind == OUTCOME) return NULL;
    if (k->count == 0 && k->window_ns == 0)
        return "count and window are both 0, and nothing would end a window";
    return k->count > 0 && k->count < k->least ? "count is below least" : NULL;
}

static int take_template(source *s, const out *o, const kith_templates *known) {
    const signal_section *k = &s->section;
    kith_error err = { 0 };
    char why[160];
    if (k->template[0] == '\0') {
        return k->near[0] == '\0' ? 0 : fail(o, s->name, "near without template");
    }
    s->template = template_named(known, k->template, why);
    if (s->template == NULL) return fail(o, s->name, why);
    if (kith_template_about(s->template)->numbers == 0) return 0;
    if (kith_template_context(s->template, k->near, s->near, &err) < 0) {
        return fail(o, s->name, err.text);
    }
    s->has_near = true;
    return 0;
}

static int source_init(source *s, const out *o, const kith_templates *known) {
    const signal_section *k = &s->section;
    const char *key, *why = signal_fault(k, &key);
    s->program.fd = -1;
    if (why != NULL) return fail(o, s->name, why);
    int code = take_template(s, o, known);
    if (code != 0) return code;
    if (k->kind == OUTCOME) return 0;
    kith_signal_options options = { .kind = (kith_signal_kind) k->kind,
        .count_max = (uint32_t) k->count,
        .window_ns = (uint64_t) k->window_ns,
        .count_min = (uint32_t) k->least,
        .unit = s->template == NULL ? kith_template_unit((int) k->unit)
                                    : kith_template_about(s->template)->unit };
    if (kith_window_init(&s->window, &options) < 0) {
        return fail(o, s->name, "count or window must end a window, and count >= least");
    }
    return 0;
}

int sources_init(
    sources *s, const call *c, const settings *set, const kith_templates *known) {
    const char *names[NAMED_MAX];
    const run_flags *f = c->flags;
    int code = 0;
    *s = (sources){ .posts = calloc(POSTS_MAX, sizeof *s->posts), .known = known };
    if (s->posts == NULL || !lines_init(&s->in, STDIN_FILENO, LINE_MAX_BYTES)) {
        return fault(c->out, E_MEMORY, "signals", NULL);
    }
    size_t count = settings_names(set, "signal", names);
    for (size_t i = 0; i < count && code == 0; i++) {
        source *one = &s->list[s->count++];
        snprintf(one->name, sizeof one->name, "%s", names[i]);
        settings_read(set, "signal", names[i], &one->section);
        code = source_init(one, c->out, known);
    }
    if (code == 0 && flag_given(c, "subject")) {
        source *one = &s->list[s->count++];
        snprintf(one->name, sizeof one->name, "stdin");
        one->section = (signal_section){ .kind = f->kind,
            .count = f->count,
            .window_ns = f->window_ns,
            .least = 2,
            .ttl_ns = f->ttl_ns,
            .unit = f->unit };
        memcpy(one->section.subject, f->subject, sizeof one->section.subject);
        code = source_init(one, c->out, known);
    }
    for (size_t i = 0; i < s->count; i++) {
        s->reads_stdin |= s->list[i].section.command[0] == '\0';
    }
    return code;
}

void sources_adopt(sources *s, sources *old) {
    for (size_t i = 0; i < s->count; i++) {
        for (size_t k = 0; k < old->count; k++) {
            source *a = &s->list[i], *b = &old->list[k];
            if (strcmp(a->name, b->name) == 0 &&
                memcmp(&a->section, &b->section, sizeof a->section) == 0) {
                *a = *b;
                b->program = (child){ .fd = -1 };
                b->in = (lines){ 0 };
            }
        }
    }
    lines keep = s->in; /* stdin's half-read line must not be lost */
    s->in = old->in;
    old->in = keep;
    s->stdin_ended = old->stdin_ended;
    s->posted = old->posted;
    s->refused = old->refused;
}

void sources_fini(sources *s) {
    for (size_t i = 0; i < s->count; i++) {
        child_kill(&s->list[i].program);
        lines_fini(&s->list[i].in);
    }
    lines_fini(&s->in);
    free(s->posts);
    s->posts = NULL;
}

/* ---- from a line to an observation ---- */

static kith_post *new_post(sources *s, const source *k, kith_time now) {
    kith_post *post = &s->posts[s->post_count];
    memset(post, 0, sizeof *post);
    post->content.type = KITH_LEAF;
    memcpy(post->content.address.subject, k->section.subject, KITH_SUBJECT_MAX + 1);
    post->content.template_id[KITH_TEMPLATE_SIZE - 1] = (uint8_t) (int8_t) k->section.unit;
    post->content.ttl_s = (uint32_t) (k->section.ttl_ns / 1000000000);
    post->content.t_end_us = now.wall_us;
    if (k->template != NULL) {
        const kith_template_facts *f = kith_template_about(k->template);
        memcpy(post->content.template_id, f->id, sizeof f->id);
        post->content.ttl_s = f->ttl_s;
        if (k->has_near) {
            post->content.has |= KITH_HAS_CONTEXT16;
            post->content.context16_count = f->numbers;
            memcpy(post->content.context16, k->near, sizeof k->near);
        }
    }
    return post;
}

static bool take_outcome(
    sources *s, source *k, const json_t *value, kith_time now, char why[WHY_MAX]) {
    post_flags flags;
    uint64_t given = 0;
    kith_error err;
    memset(&flags, 0, sizeof flags);
    (void) !kith_option_presets(encode_rows, &flags, &err); /* our own presets */
    flags.unit = k->section.unit;
    flags.ttl_ns = k->section.ttl_ns;
    flags.known = s->known;
    if (k->template != NULL) {
        given |= UINT64_C(1) << row_index(encode_rows, "template");
        memcpy(flags.template, k->section.template, sizeof flags.template);
    }
    if (k->has_near) {
        given |= UINT64_C(1) << row_index(encode_rows, "near");
        snprintf(flags.near, sizeof flags.near, "%s", k->section.near);
    }
    int bad = evidence_object(value, &flags, &given, why);
    kith_post *post = new_post(s, k, now);
    if (bad == 0) {
        bad = evidence_content(
            &flags, given, k->section.subject, now.wall_us, &post->content, why);
    }
    s->post_count += bad == 0;
    return bad == 0;
}

static bool whole(const json_t *value, uint32_t *ret) {
    json_int_t n = json_is_integer(value) ? json_integer_value(value) : -1;
    *ret = n >= 0 && n <= UINT32_MAX ? (uint32_t) n : 0;
    return n >= 0 && n <= UINT32_MAX;
}

static bool take_value(
    sources *s, source *k, const json_t *value, kith_time now, char why[WHY_MAX]) {
    uint32_t hits = 0, tries = 0;
    snprintf(why, WHY_MAX, "it is not what this kind of signal takes");
    if (k->section.kind == OUTCOME) return take_outcome(s, k, value, now, why);
    if (k->section.kind == KITH_SIGNAL_TRIALS) {
        if (json_is_boolean(value)) {
            return kith_window_trials(&k->window, json_is_true(value), 1, now) == 0;
        }
        return whole(json_object_get(value, "hits"), &hits) &&
               whole(json_object_get(value, "tries"), &tries) &&
               kith_window_trials(&k->window, hits, tries, now) == 0;
    }
    const json_t *x = json_is_object(value) ? json_object_get(value, "x") : value;
    bool base = json_is_true(json_object_get(value, "baseline"));
    return json_is_number(x) &&
           kith_window_number(&k->window, json_number_value(x), base, now) == 0;
}

static source *source_named(sources *s, const char *name) {
    for (size_t i = 0; i < s->count; i++) {
        source *k = &s->list[i];
        if (k->section.command[0] == '\0' && (name == NULL || strcmp(k->name, name) == 0)) {
            return k;
        }
    }
    return NULL;
}

/* owner NULL: it came by stdin, and may say whose it is. */
static void take_line(
    sources *s, run_log *l, source *owner, const char *text, size_t length, kith_time now) {
    char why[WHY_MAX] = "";
    json_error_t bad;
    source *k = owner;
    length = lines_trim(text, length);
    if (length == 0) return;
    json_t *value =
        length > LINE_MAX_BYTES || memchr(text, '\0', length) != NULL
            ? NULL
            : json_loadb(text, length, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &bad);
    const char *name = json_string_value(json_object_get(value, "signal"));
    bool good = value != NULL;
    if (value == NULL) snprintf(why, WHY_MAX, "it is no line of JSON");
    if (good && k == NULL) {
        k = source_named(s, name);
        if (k == NULL) snprintf(why, WHY_MAX, "no signal of that name reads stdin");
        good = k != NULL;
    }
    (void) json_object_del(value, "signal"); /* NULL and no object are fine */
    if (good) good = take_value(s, k, value, now, why);
    json_decref(value);
    if (good) return;
    if (k != NULL) k->bad++;
    log_say(l, LOG_ERROR, "line", "%s: %s", k == NULL ? "stdin" : k->name, why);
}

/* ---- posting ---- */

static int post_all(
    sources *s, run_log *l, kith_store *store, const kith_key *key, kith_time now) {
    kith_error err = { 0 };
    if (s->post_count == 0) return 0;
    int r = kith_store_post(store, key, s->posts, s->post_count, now, &err);
    if (r < 0) {
        /* They stay and are tried again at the next turn. */
        log_say(l, LOG_ERROR, "store", "%s", err.text);
        return r;
    }
    int done = (int) s->post_count;
    for (size_t i = 0; i < s->post_count; i++) {
        const kith_post *p = &s->posts[i];
        char why[WHY_MAX], id[17];
        if (p->result == 0) {
            s->posted++;
            log_say(l, LOG_INFO, "posted", "%s %s", hex_text(p->id, 8, id),
                p->content.address.subject);
        } else {
            s->refused++;
            (void) refusal_fault(p->result, &p->content, why);
            log_say(l, LOG_ERROR, "refused", "%s: %s", p->content.address.subject, why);
        }
    }
    s->post_count = 0;
    return done;
}

static int close_windows(sources *s, run_log *l, kith_time now) {
    int done = 0;
    for (size_t i = 0; i < s->count && s->post_count < POSTS_MAX; i++) {
        source *k = &s->list[i];
        if (k->section.kind == OUTCOME || !kith_window_ready(&k->window, now.mono_ns))
            continue;
        kith_post *post = new_post(s, k, now);
        if (kith_window_take(&k->window, &post->content, now.mono_ns) != 0) continue;
        done++;
        int r = kith_template_admits(&post->content);
        char why[WHY_MAX];
        const char *words =
            k->template == NULL ? NULL : kith_template_fault(k->template, &post->content);
        if (words != NULL) {
            s->refused++;
            log_say(l, LOG_ERROR, "refused", "%s: %s", k->name, words);
        } else if (r < 0) {
            s->refused++;
            (void) refusal_fault(r, &post->content, why);
            log_say(l, LOG_ERROR, "refused", "%s: %s", k->name, why);
        } else {
            s->post_count++;
        }
    }
    return done;
}

/* ---- reading ---- */

static bool has_input(int fd) {
    struct pollfd p = { fd, POLLIN, 0 };
    return poll(&p, 1, 0) > 0;
}

/* Whole lines that are here already, as many as there is room to post. */
static int take_lines(sources *s, run_log *l, lines *in, source *owner, kith_time now) {
    const char *text;
    size_t length;
    int done = 0;
    while (s->post_count < POSTS_MAX && lines_next(in, &text, &length)) {
        take_line(s, l, owner, text, length, now);
        done++;
        (void) close_windows(s, l, now);
    }
    return done;
}

/* How many lines were taken; *ret_end: the other side has closed. What the last
 * turn had no room for comes first: no descriptor wakes us for it. */
static int read_lines(
    sources *s, run_log *l, lines *in, source *owner, kith_time now, bool *ret_end) {
    int done = take_lines(s, l, in, owner, now);
    for (int bite = 0; bite < BITE && s->post_count == 0 && has_input(in->fd); bite++) {
        int r = lines_read(in);
        if (r == 0 || (r < 0 && errno != EAGAIN)) {
            *ret_end = true;
            return done + 1;
        }
        if (r < 0) break;
        done += take_lines(s, l, in, owner, now);
    }
    return done;
}

static int run_program(sources *s, run_log *l, source *k, kith_time now) {
    bool end = false;
    int status = 0, done = 0;
    if (k->program.pid == 0 && k->program.fd < 0) {
        if (now.mono_ns < k->start_ns) return 0;
        int r = child_start(&k->program, k->section.command, NULL, true);
        k->start_ns = now.mono_ns + (uint64_t) k->section.every_ns;
        if (r != 0) {
            log_say(l, LOG_ERROR, "signal", "%s: cannot run %s: %s", k->name,
                k->section.command, strerror(r));
            return 0;
        }
        lines_fini(&k->in);
        if (!lines_init(&k->in, k->program.fd, LINE_MAX_BYTES)) child_kill(&k->program);
        return 1;
    }
    if (k->program.fd >= 0) done = read_lines(s, l, &k->in, k, now, &end);
    if (end) {
        close(k->program.fd);
        k->program.fd = -1;
    }
    if (k->program.fd < 0 && child_ended(&k->program, &status)) {
        k->start_ns = now.mono_ns + (uint64_t) k->section.every_ns;
        if (status != 0) {
            log_say(l, LOG_ERROR, "signal", "%s: the program ended with %d", k->name,
                WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        }
    }
    return done;
}

int sources_turn(
    sources *s, run_log *l, kith_store *store, const kith_key *key, kith_time now) {
    /* Posts that the store did not take come first; nothing is read meanwhile. */
    int done = post_all(s, l, store, key, now);
    if (done < 0) return done;
    if (s->reads_stdin && !s->stdin_ended) {
        bool end = false;
        done += read_lines(s, l, &s->in, NULL, now, &end);
        if (end) {
            s->stdin_ended = true;
            sources_flush(s, l, store, key, now);
        }
    }
    for (size_t i = 0; i < s->count; i++) {
        if (s->list[i].section.command[0] != '\0')
            done += run_program(s, l, &s->list[i], now);
    }
    done += close_windows(s, l, now);
    int r = post_all(s, l, store, key, now);
    return r < 0 ? r : done + r;
}

void sources_flush(
    sources *s, run_log *l, kith_store *store, const kith_key *key, kith_time now) {
    (void) post_all(s, l, store, key, now);
    for (size_t i = 0; i < s->count; i++) {
        kith_window *w = &s->list[i].window;
        uint64_t before = w->options.window_ns;
        if (s->list[i].section.kind == OUTCOME) continue;
        w->options.window_ns = 1; /* its time is over now */
        (void) close_windows(s, l, (kith_time){ now.mono_ns + 2, now.wall_us });
        w->options.window_ns = before;
    }
    (void) post_all(s, l, store, key, now);
}

size_t sources_fds(const sources *s, int *ret, size_t max) {
    size_t n = 0;
    if (s->reads_stdin && !s->stdin_ended && n < max) ret[n++] = STDIN_FILENO;
    for (size_t i = 0; i < s->count && n < max; i++) {
        if (s->list[i].program.fd >= 0) ret[n++] = s->list[i].program.fd;
    }
    return n;
}

uint64_t sources_due(const sources *s, uint64_t now_ns) {
    uint64_t due = s->post_count > 0 ? now_ns + 100000000 : UINT64_MAX;
    for (size_t i = 0; i < s->count; i++) {
        const source *k = &s->list[i];
        uint64_t end = k->window.opened_ns + k->window.options.window_ns;
        bool open = k->section.kind != OUTCOME && k->window.options.window_ns > 0 &&
                    k->window.opened_ns > 0 && end > now_ns;
        if (open && end < due) due = end;
        bool idle =
            k->section.command[0] != '\0' && k->program.pid == 0 && k->program.fd < 0;
        if (idle && k->start_ns < due) due = k->start_ns;
    }
    return due;
}
