/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/templates.h"

#include "cli/config.h"
#include "cli/evidence.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool templates_folder(const call *c, char ret[PATH_TEXT_MAX + 1]) {
    template_section section = { .folder = "" };
    if (c->settings != NULL) settings_read(c->settings, "template", "", &section);
    if (section.folder[0] != '\0') {
        snprintf(ret, PATH_TEXT_MAX + 1, "%s", section.folder);
        return true;
    }
    return data_path("templates", ret, PATH_TEXT_MAX + 1);
}

int template_text(const call *c, const char *path, char **ret, size_t *ret_length) {
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *text = malloc(KITH_TEMPLATE_TEXT_MAX + 2);
    if (f == NULL || text == NULL) {
        int code = f == NULL ? fault(c->out, E_INPUT, path, "%s", strerror(errno))
                             : fault(c->out, E_MEMORY, "a template", NULL);
        if (f != NULL && f != stdin) (void) fclose(f);
        free(text);
        return code;
    }
    size_t n = fread(text, 1, KITH_TEMPLATE_TEXT_MAX + 1, f);
    bool bad = ferror(f) != 0;
    if (f != stdin) (void) fclose(f);
    if (bad) {
        free(text);
        return fault(c->out, E_INPUT, path, "%s", strerror(EIO));
    }
    text[n] = '\0';
    *ret = text;
    *ret_length = n;
    return 0;
}

static void load_one(const call *c, kith_templates *set, const char *path) {
    kith_template *t = NULL;
    kith_error err = { 0 };
    char *text = NULL;
    size_t length = 0;
    if (template_text(c, path, &text, &length) != 0) return;
    if (kith_template_parse(&t, text, length, &err) < 0) {
        out_note(c->out, "%s is no template: %s", path, err.text);
    } else {
        int r = kith_templates_add(set, &t);
        if (r == KITH_E_DENIED) {
            out_note(c->out, "%s is left out: its name and version mean another", path);
        } else if (r == KITH_FULL) {
            out_note(c->out, "%s is left out: there are over %d", path, KITH_TEMPLATES_MAX);
        }
    }
    free(text);
}

static int is_template(const struct dirent *e) {
    size_t n = strlen(e->d_name);
    return n > 9 && e->d_name[0] != '.' && strcmp(e->d_name + n - 9, ".template") == 0;
}

int templates_load(const call *c, kith_templates **ret) {
    if (kith_templates_new(ret) < 0) return fault(c->out, E_MEMORY, "templates", NULL);
    templates_more(c, *ret);
    return 0;
}

void templates_more(const call *c, kith_templates *set) {
    char folder[PATH_TEXT_MAX + 1], path[PATH_TEXT_MAX + 300];
    struct dirent **names = NULL;
    if (!templates_folder(c, folder)) return;
    int count = scandir(folder, &names, is_template, alphasort); /* -1: holds none */
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        load_one(c, set, path);
        free(names[i]);
    }
    free(names);
}

int templates_for_post(const call *c, kith_templates **ret) {
    post_flags *f = (post_flags *) (uintptr_t) c->flags; /* ours: main made it for us */
    int code = templates_load(c, ret);
    f->known = *ret;
    return code;
}

static bool named(
    const kith_template_facts *f, const char *text, size_t length, unsigned long version) {
    return strlen(f->name) == length && memcmp(f->name, text, length) == 0 &&
           (version == 0 || f->version == version);
}

static const kith_template *by_name(const kith_templates *known, const char *text) {
    const kith_template *best = NULL;
    size_t length = strcspn(text, "@");
    unsigned long version = text[length] == '@' ? strtoul(text + length + 1, NULL, 10) : 0;
    for (size_t i = 0; kith_templates_at(known, i) != NULL; i++) {
        const kith_template *t = kith_templates_at(known, i);
        const kith_template_facts *f = kith_template_about(t);
        bool newer = best == NULL || kith_template_about(best)->version < f->version;
        if (named(f, text, length, version) && newer) best = t;
    }
    return best;
}

const kith_template *template_named(
    const kith_templates *known, const char *text, char why[160]) {
    uint8_t id[KITH_TEMPLATE_SIZE];
    size_t length = 0, found = 0;
    const kith_template *best = by_name(known, text);
    if (best != NULL) return best;
    snprintf(why, 160, "no template of that name, name@version or id is kept here");
    if (strlen(text) < 8 || !parse_hex(text, strlen(text), id, sizeof id, &length)) {
        return NULL;
    }
    for (size_t i = 0; kith_templates_at(known, i) != NULL; i++) {
        const kith_template *t = kith_templates_at(known, i);
        if (memcmp(kith_template_about(t)->id, id, length) != 0) continue;
        best = t;
        found++;
    }
    if (found > 1) snprintf(why, 160, "several ids begin so");
    return found == 1 ? best : NULL;
}

int template_want(const call *c, const kith_templates *known, const char *text,
    const kith_template **ret) {
    char why[160];
    *ret = template_named(known, text, why);
    return *ret == NULL ? fault(c->out, E_TEMPLATE, text, "%s", why) : 0;
}
