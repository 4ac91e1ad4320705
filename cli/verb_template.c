/* SPDX-License-Identifier: Apache-2.0 */
/* template new | show | lint | diff: documents that say what a problem is. */
#include "cli/templates.h"
#include "cli/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const routes[] = { "none", "grids", "lsh" };

static void hex_of(const kith_template *t, char ret[2 * KITH_TEMPLATE_SIZE + 1]) {
    const uint8_t *id = kith_template_about(t)->id;
    for (size_t i = 0; i < KITH_TEMPLATE_SIZE; i++) snprintf(ret + 2 * i, 3, "%02x", id[i]);
}

/* From a file, from stdin, or one that is kept. *ret_own must be freed when set. */
static int take(const call *c, const kith_templates *known, const char *what,
    const kith_template **ret, kith_template **ret_own) {
    char why[160], *text = NULL;
    size_t length = 0;
    kith_error err = { 0 };
    *ret_own = NULL;
    if (strcmp(what, "-") != 0 && strchr(what, '/') == NULL &&
        (*ret = template_named(known, what, why)) != NULL) {
        return 0;
    }
    if (strcmp(what, "-") != 0 && access(what, F_OK) != 0) {
        return template_want(c, known, what, ret);
    }
    int code = template_text(c, what, &text, &length);
    if (code != 0) return code;
    int r = kith_template_parse(ret_own, text, length, &err);
    free(text);
    *ret = *ret_own;
    return r < 0 ? fault(c->out, E_DOCUMENT, what, "%s", err.text) : 0;
}

static bool told(const call *c, const kith_template *t, const uint8_t *id) {
    const kith_template_facts *f = kith_template_about(t);
    record r = record_of("template");
    as_column(put_hex(&r, "id", id, KITH_TEMPLATE_SIZE), 4);
    as_column(put_text(&r, "name", f->name), 0);
    as_column(put_int(&r, "version", f->version), 0);
    as_column(put_int(&r, "numbers", f->numbers), 0);
    as_column(put_text(&r, "route", routes[f->route]), 0);
    put_real(&r, "radius", f->radius / 65536.0);
    put_real(&r, "unit", f->unit);
    put_real(&r, "half_life_s", f->half_life_s);
    put_int(&r, "ttl_s", f->ttl_s);
    put_int(&r, "n_min", f->n_min);
    put_int(&r, "meeting_level", f->meeting_level);
    as_column(put_text(&r, "about", f->about), 0);
    put_text(&r, "text", kith_template_text(t));
    return out_emit(c->out, &r);
}

/* ---- new ---- */

static int write_file(const call *c, const char *folder, const kith_template *t) {
    char id[2 * KITH_TEMPLATE_SIZE + 1], path[PATH_TEXT_MAX + 64], part[PATH_TEXT_MAX + 80];
    hex_of(t, id);
    snprintf(path, sizeof path, "%s/%s.template", folder, id);
    snprintf(part, sizeof part, "%s/.%s.part-%ld", folder, id, (long) getpid());
    for (const char *p = folder; (p = strchr(p + 1, '/')) != NULL;) {
        char up[PATH_TEXT_MAX + 1];
        snprintf(up, sizeof up, "%.*s", (int) (p - folder), folder);
        (void) mkdir(up, 0700);
    }
    if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
        return fault(c->out, E_FOLDER, folder, "%s", strerror(errno));
    }
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    bool good = f != NULL && fputs(kith_template_text(t), f) >= 0 && fflush(f) == 0 &&
                fsync(fd) == 0;
    int error = errno;
    if (f != NULL) (void) fclose(f);
    good = good && rename(part, path) == 0;
    if (!good) {
        (void) unlink(part);
        return fault(c->out, E_OUTPUT, path, "%s", strerror(error));
    }
    return 0;
}

static int keep(const call *c, kith_templates *known, kith_template **t) {
    char folder[PATH_TEXT_MAX + 1];
    kith_template_facts facts = *kith_template_about(*t);
    const template_flags *f = c->flags;
    if (!templates_folder(c, folder)) {
        return fault(c->out, E_FOLDER, "your home", "HOME is not set");
    }
    int r = kith_templates_add(known, t);
    if (r == KITH_E_DENIED) {
        char name[64];
        snprintf(name, sizeof name, "%s@%" PRIu32, facts.name, facts.version);
        return fault(c->out, E_IMMUTABLE, name, NULL);
    }
    if (r == KITH_FULL)
        return fault(c->out, E_FULL, folder, "over %d templates", KITH_TEMPLATES_MAX);
    const kith_template *kept = kith_templates_find(known, facts.id);
    int code = r == 0 && !f->dry_run ? write_file(c, folder, kept) : 0;
    if (code == 0 && !told(c, kept, facts.id)) code = EXIT_USAGE;
    if (code == 0) {
        for (size_t i = 0; kith_template_lint(kept, i) != NULL; i++) {
            out_note(c->out, "%s", kith_template_lint(kept, i));
        }
        out_next(c->out, "kith post SUBJECT --template %s --near ...", facts.name);
    }
    return code;
}

int verb_template_new(const call *c) {
    kith_templates *known = NULL;
    kith_template *t = NULL;
    kith_error err = { 0 };
    char *text = NULL;
    size_t length = 0;
    int code = template_text(c, c->args[0], &text, &length);
    if (code != 0) return code;
    if (kith_template_parse(&t, text, length, &err) < 0) {
        code = fault(c->out, E_DOCUMENT, c->args[0], "%s", err.text);
    }
    free(text);
    if (code == 0) code = templates_load(c, &known);
    if (code == 0) code = keep(c, known, &t);
    kith_template_free(&t);
    kith_templates_free(&known);
    return code;
}

/* ---- show ---- */

/* As its canonical text for people, or as a record. */
static int show_one(const call *c, const kith_template *t, const uint8_t *id) {
    out *o = c->out;
    if (o->json || o->format != NULL || o->zero) {
        return told(c, t, id) ? 0 : EXIT_USAGE;
    }
    fprintf(o->to, "# ");
    for (size_t i = 0; i < KITH_TEMPLATE_SIZE; i++) fprintf(o->to, "%02x", id[i]);
    fprintf(o->to, "\n%s", kith_template_text(t));
    return 0;
}

/* "unit", "unit-3": the built-in family as a document. */
static int show_unit(const call *c, const char *what) {
    char text[512], *end = NULL;
    kith_template *t = NULL;
    kith_error err;
    long u = what[4] == '\0' ? 0 : strtol(what + 4, &end, 10);
    if (u < -9 || u > 9 || (end != NULL && *end != '\0') ||
        kith_template_unit_text((int) u, text, sizeof text) < 0 ||
        kith_template_parse(&t, text, strlen(text), &err) < 0) {
        return fault(c->out, E_TEMPLATE, what, "the built-in ones are unit-9 to unit+9");
    }
    /* Packets name it by u: fifteen zero bytes and u, not a hash. */
    uint8_t id[KITH_TEMPLATE_SIZE] = { [KITH_TEMPLATE_SIZE - 1] = (uint8_t) u };
    int code = show_one(c, t, id);
    kith_template_free(&t);
    return code;
}

int verb_template_show(const call *c) {
    kith_templates *known = NULL;
    const kith_template *t = NULL;
    kith_template *own = NULL;
    int code = templates_load(c, &known);
    if (code == 0 && c->arg_count == 0) {
        for (size_t i = 0; kith_templates_at(known, i) != NULL && code == 0; i++) {
            const kith_template *one = kith_templates_at(known, i);
            if (!told(c, one, kith_template_about(one)->id)) code = EXIT_USAGE;
        }
        if (code == 0 && kith_templates_at(known, 0) == NULL) {
            code = fault_do(c->out, E_NOTHING, "templates",
                "kith template show unit prints one to begin with", "none is kept here");
        }
    } else if (code == 0 && strncmp(c->args[0], "unit", 4) == 0 &&
               access(c->args[0], F_OK) != 0) {
        code = show_unit(c, c->args[0]);
    } else if (code == 0) {
        code = take(c, known, c->args[0], &t, &own);
        if (code == 0) code = show_one(c, t, kith_template_about(t)->id);
    }
    kith_template_free(&own);
    kith_templates_free(&known);
    return code;
}

/* ---- lint and diff ---- */

static bool lint_row(const call *c, const kith_template *t, const char *words) {
    record r = record_of("lint");
    as_column(put_text(&r, "template", kith_template_about(t)->name), 0);
    as_column(put_text(&r, "words", words), 0);
    put_bool(&r, "ok", kith_template_lint(t, 0) == NULL);
    return out_emit(c->out, &r);
}

int verb_template_lint(const call *c) {
    kith_templates *known = NULL;
    const kith_template *t = NULL;
    kith_template *own = NULL;
    const char *words;
    int code = templates_load(c, &known);
    if (code == 0) code = take(c, known, c->args[0], &t, &own);
    if (code == 0 && kith_template_lint(t, 0) == NULL) {
        code = lint_row(c, t, "ok") ? 0 : EXIT_USAGE;
    } else if (code == 0) {
        code = EXIT_NOTHING;
        for (size_t i = 0; (words = kith_template_lint(t, i)) != NULL; i++) {
            if (!lint_row(c, t, words)) code = EXIT_USAGE;
        }
    }
    kith_template_free(&own);
    kith_templates_free(&known);
    return code;
}

/* The next line of a text; its section stays in `section`. */
static bool next(const char **at, char line[4200], char section[80]) {
    while (**at != '\0') {
        size_t n = strcspn(*at, "\n");
        snprintf(line, 4200, "%.*s", (int) n, *at);
        *at += n + ((*at)[n] == '\n');
        if (line[0] == '[') {
            snprintf(section, 80, "%.78s", line);
        } else if (line[0] != '\0') {
            return true;
        }
    }
    return false;
}

static bool has_line(const char *text, const char *wanted, const char *wanted_section) {
    char line[4200], section[80] = "";
    while (next(&text, line, section)) {
        if (strcmp(line, wanted) == 0 && strcmp(section, wanted_section) == 0) return true;
    }
    return false;
}

static bool diff_row(
    const call *c, const char *side, const char *section, const char *line) {
    record r = record_of("difference");
    as_column(put_text(&r, "side", side), 0);
    as_column(put_text(&r, "section", section), 0);
    as_column(put_text(&r, "line", line), 0);
    return out_emit(c->out, &r);
}

/* Lines of one that the other has not. Both are canonical, so lines are meanings. */
static bool only_in(const call *c, const char *text, const char *other, const char *side) {
    char line[4200], section[80] = "";
    while (next(&text, line, section)) {
        if (!has_line(other, line, section) && !diff_row(c, side, section, line))
            return false;
    }
    return true;
}

static int differ(const call *c, const char *a, const char *b) {
    if (strcmp(a, b) == 0) return diff_row(c, "=", "", "nothing differs") ? 0 : EXIT_USAGE;
    bool good = only_in(c, a, b, "-") && only_in(c, b, a, "+");
    size_t lines = 0;
    char line[4200], section[80] = "";
    for (const char *at = a; next(&at, line, section);)
        lines += !has_line(b, line, section);
    for (const char *at = b; next(&at, line, section);)
        lines += !has_line(a, line, section);
    /* The order of dimensions is a meaning too, and no line of its own. */
    if (good && lines == 0) good = diff_row(c, "-", "", "another order of dimensions");
    return good ? EXIT_NOTHING : EXIT_USAGE;
}

int verb_template_diff(const call *c) {
    kith_templates *known = NULL;
    const kith_template *a = NULL, *b = NULL;
    kith_template *own_a = NULL, *own_b = NULL;
    int code = templates_load(c, &known);
    if (code == 0) code = take(c, known, c->args[0], &a, &own_a);
    if (code == 0) code = take(c, known, c->args[1], &b, &own_b);
    if (code == 0) code = differ(c, kith_template_text(a), kith_template_text(b));
    kith_template_free(&own_a);
    kith_template_free(&own_b);
    kith_templates_free(&known);
    return code;
}
