/* SPDX-License-Identifier: Apache-2.0 */
/* addr and carriers: where packets go, and what can take them there. */
#include "cli/config.h"
#include "cli/help.h"
#include "cli/templates.h"
#include "cli/verbs.h"

#include <kith/address.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Appends "NAME=/NAME=" and the like: how dir names a subject's folder. */
static void spell_dir(const char *subject, char *ret, size_t size) {
    size_t n = 0;
    for (const char *p = subject; n + 3 < size; p++) {
        if (*p == '.' || *p == '\0') {
            ret[n++] = '=';
            if (*p == '\0') break;
            ret[n++] = '/';
        } else {
            ret[n++] = *p;
        }
    }
    ret[n] = '\0';
}

/* A row for each cell: where a packet of the context stands, what its reader follows. */
static int show_cells(const call *c, const kith_template *t, const char *subject) {
    const addr_flags *f = c->flags;
    kith_address posted[KITH_CELLS_MAX], followed[KITH_CELLS_MAX];
    kith_content content = { .type = KITH_LEAF, .has = KITH_HAS_CONTEXT16 };
    kith_error err = { 0 };
    snprintf(content.address.subject, sizeof content.address.subject, "%s", subject);
    if (kith_template_context(t, f->near, content.context16, &err) < 0) {
        return fault(c->out, E_VALUE, "--near", "%s", err.text);
    }
    content.context16_count = kith_template_about(t)->numbers;
    size_t count = kith_template_cells(t, &content, posted);
    if (count == 0 ||
        kith_template_follow(t, subject, content.context16, followed) != count) {
        return fault(c->out, E_NOTHING, subject,
            "the template has no cells, or the subject no room for them");
    }
    for (size_t i = 0; i < count; i++) {
        record r = record_of("cell");
        as_column(put_text(&r, "posted", posted[i].subject), 0);
        as_column(put_text(&r, "followed", followed[i].subject), 0);
        if (!out_emit(c->out, &r)) return EXIT_USAGE;
    }
    return 0;
}

static int show_address(const call *c, const uint8_t *template_id) {
    const addr_flags *f = c->flags;
    const char *subject = c->args[0];
    uint8_t print[KITH_FINGERPRINT_SIZE];
    char dir[2 * KITH_SUBJECT_MAX + 4];
    int r = kith_address_fingerprint(template_id, subject, print);
    if (r < 0) return fault(c->out, E_SUBJECT, subject, "%s", kith_error_name(r));
    bool matches = flag_given(c, "match") && kith_subject_matches(f->match, subject);
    record row = record_of("address");
    as_column(put_text(&row, "subject", subject), 0);
    as_column(put_hex(&row, "fingerprint", print, sizeof print), 0);
    put_hex(&row, "template", template_id, KITH_TEMPLATE_SIZE);
    if (flag_given(c, "match")) as_column(put_bool(&row, "matches", matches), 0);
    spell_dir(subject, dir, sizeof dir);
    as_column(put_text(&row, "dir", dir), 0);
    put_text(&row, "mem", subject);
    put_text(&row, "sqlite", subject);
    if (!out_emit(c->out, &row)) return EXIT_USAGE;
    return flag_given(c, "match") && !matches ? EXIT_NOTHING : 0;
}

int verb_addr(const call *c) {
    const addr_flags *f = c->flags;
    const char *subject = c->args[0], *why = kith_subject_fault(subject, false);
    uint8_t template_id[KITH_TEMPLATE_SIZE] = { 0 };
    kith_templates *known = NULL;
    const kith_template *t = NULL;
    if (why != NULL) return fault(c->out, E_SUBJECT, subject, "%s", why);
    if (flag_given(c, "match")) {
        why = kith_subject_fault(f->match, true);
        if (why != NULL) return fault(c->out, E_SUBJECT, f->match, "%s", why);
    }
    template_id[KITH_TEMPLATE_SIZE - 1] = (uint8_t) (int8_t) f->unit;
    int code = 0;
    if (flag_given(c, "template")) {
        code = templates_load(c, &known);
        if (code == 0) code = template_want(c, known, f->template, &t);
        if (t != NULL) memcpy(template_id, kith_template_about(t)->id, sizeof template_id);
    }
    if (code == 0 && flag_given(c, "near")) {
        code = t == NULL ? fault(c->out, E_TOGETHER, "--near", "it needs --template")
                         : show_cells(c, t, subject);
    } else if (code == 0) {
        code = show_address(c, template_id);
    }
    kith_templates_free(&known);
    return code;
}

typedef struct ability {
    uint32_t bit;
    const char *word, *instead; /* what the node does where the carrier cannot */
} ability;

static const ability abilities[] = {
    { KITH_CAN_REMOTE, "remote", NULL },
    { KITH_CAN_REPLAY, "replay", "replay (from stores)" },
    { KITH_CAN_DURABLE, "durable", "durable (outbox)" },
    { KITH_CAN_ORDER, "order", "order (epoch, sequence)" },
    { KITH_CAN_PREFIX, "prefix", "prefix (filter)" },
    { KITH_CAN_TTL, "ttl", "ttl (receiver)" },
    { KITH_CAN_DEDUPE, "dedupe", "dedupe (inbox)" },
    { KITH_CAN_QUERY, "query", NULL },
    { KITH_CAN_SYNC, "sync", NULL },
    { KITH_CAN_BEND, "bend", NULL },
};

static void words_of(uint32_t can, bool native, char *ret, size_t size) {
    size_t used = 0;
    ret[0] = '\0';
    for (size_t i = 0; i < sizeof abilities / sizeof *abilities; i++) {
        bool has = (can & abilities[i].bit) != 0;
        const char *word = native ? abilities[i].word : abilities[i].instead;
        if (has != native || word == NULL || used + 1 >= size) continue;
        int n = snprintf(ret + used, size - used, "%s%s", used == 0 ? "" : ", ", word);
        used += n > 0 ? (size_t) n : 0;
    }
    if (used == 0) snprintf(ret, size, "-");
}

static bool is_wrapper(const kith_carrier *k) {
    return strstr(k->place, "URL inside") != NULL;
}

/* The level that the presets give; "-" where it takes a place to know. */
static const char *level_of(const kith_carrier *k) {
    kith_error err;
    if (is_wrapper(k)) return "as wrapped";
    if (k->level == NULL) return kith_level_name(KITH_LEVEL_NONE);
    void *self = calloc(1, k->state_size);
    const char *name = "-";
    if (self != NULL && kith_option_presets(k->options, self, &err) == 0) {
        name = kith_level_name(k->level(self));
    }
    free(self);
    return name;
}

static bool carrier_row(const call *c, const kith_carrier *k, const char *from) {
    char native[160], added[240];
    words_of(k->can, true, native, sizeof native);
    words_of(k->can, false, added, sizeof added);
    record r = record_of("carrier");
    as_column(put_text(&r, "name", k->scheme), 0);
    as_column(put_text(&r, "state", from), 0);
    as_column(put_text(&r, "level", level_of(k)), 0);
    as_column(put_text(&r, "summary", k->summary), 0);
    field *own = put_text(&r, "native", native);
    field *node = put_text(&r, "node_adds", is_wrapper(k) ? "-" : added);
    if (!c->out->tty) {
        as_column(own, 0);
        as_column(node, 0);
    }
    put_text(&r, "place", k->place);
    put_text(&r, "why", NULL);
    return out_emit(c->out, &r);
}

/* A plugin that is there and cannot be used. */
static bool missing_row(const call *c, const char *name, const char *why) {
    record r = record_of("carrier");
    as_column(put_text(&r, "name", name), 0);
    as_column(put_text(&r, "state", "missing"), 0);
    as_column(put_text(&r, "level", "-"), 0);
    as_column(put_text(&r, "summary", why), 0);
    put_text(&r, "why", why);
    return out_emit(c->out, &r);
}

static bool option_row(const call *c, const kith_carrier *k, const kith_option *row) {
    char variable[96], key[96];
    int n = snprintf(variable, sizeof variable, "KITH_%s_%s", k->scheme, row->name);
    for (int i = 0; i < n; i++) {
        variable[i] =
            variable[i] == '-' ? '_' : (char) toupper((unsigned char) variable[i]);
    }
    snprintf(key, sizeof key, "[%s] %s", k->scheme, row->name);
    record r = record_of("carrier_option");
    as_column(put_text(&r, "option", row->name), 0);
    as_column(
        put_text(&r, "preset", row->preset == NULL ? "must be given" : row->preset), 0);
    as_column(put_text(&r, "takes",
                  row->type == KITH_OPTION_ONE    ? row->words
                  : row->type == KITH_OPTION_BOOL ? "yes or no"
                                                  : flag_takes(row)),
        0);
    as_column(put_text(&r, "file_key", key), 0);
    as_column(put_text(&r, "variable", variable), 0);
    as_column(put_text(&r, "help", row->help), 0);
    return out_emit(c->out, &r);
}

static int one_carrier(const call *c, const kith_carrier *k, const char *from) {
    char native[160], added[240];
    out *o = c->out;
    if (!o->json && o->format == NULL && !o->zero) {
        words_of(k->can, true, native, sizeof native);
        words_of(k->can, false, added, sizeof added);
        fprintf(o->to, "%s%s%s   %s\n", k->scheme, is_wrapper(k) ? "+" : "://", k->place,
            k->summary);
        fprintf(o->to, "level %s; by itself: %s\n", level_of(k), native);
        if (!is_wrapper(k)) fprintf(o->to, "the node adds: %s\n", added);
    } else if (o->json && !carrier_row(c, k, from)) {
        return EXIT_USAGE;
    }
    for (const kith_option *row = k->options; row != NULL && row->name != NULL; row++) {
        if (!option_row(c, k, row)) return EXIT_USAGE;
    }
    return 0;
}

/* "kith-carrier-NAME.so" -> NAME. */
static bool plugin_name(const char *file, char ret[64]) {
    static const char head[] = "kith-carrier-", tail[] = ".so";
    size_t n = strlen(file), frame = sizeof head - 1 + sizeof tail - 1;
    if (n <= frame || n - frame > 63 || strncmp(file, head, sizeof head - 1) != 0 ||
        strcmp(file + n - (sizeof tail - 1), tail) != 0) {
        return false;
    }
    snprintf(ret, 64, "%.*s", (int) (n - frame), file + sizeof head - 1);
    return true;
}

/* wanted NULL: a row each. Else 0 and the one that was found is shown, or
 * EXIT_NOTHING. false in *ret_there: no such folder. */
static int see_folder(
    const call *c, const char *place, const char *wanted, bool *ret_there) {
    char name[64], path[KITH_URL_MAX + 300];
    int code = wanted == NULL ? 0 : EXIT_NOTHING;
    DIR *folder = opendir(place);
    *ret_there = folder != NULL;
    for (struct dirent *e; folder != NULL && (e = readdir(folder)) != NULL;) {
        kith_plugin *plugin = NULL;
        const kith_carrier *k = NULL;
        kith_error err = { 0 };
        if (!plugin_name(e->d_name, name) ||
            (wanted != NULL && strcmp(wanted, name) != 0)) {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", place, e->d_name);
        bool good = kith_plugin_open(&plugin, path, &k, &err) == 0;
        if (!good) {
            if (!missing_row(c, name, err.text)) code = EXIT_USAGE;
        } else if (wanted != NULL) {
            code = one_carrier(c, k, path);
        } else if (!carrier_row(c, k, "plugin")) {
            code = EXIT_USAGE;
        }
        /* Rows wait with copies of their texts, so the plugin may go. */
        kith_plugin_close(&plugin);
    }
    if (folder != NULL) closedir(folder);
    return code;
}

/* The folder of the configuration, then those that plugins are found in by themselves. */
static int see_plugins(const call *c, const char *wanted) {
    node_section node;
    char folder[KITH_URL_MAX + 1];
    bool there;
    int code = wanted == NULL ? 0 : EXIT_NOTHING;
    settings_read(c->settings, "node", "", &node);
    if (node.plugins[0] != '\0') {
        code = see_folder(c, node.plugins, wanted, &there);
        if (!there) out_note(c->out, "plugins: %s: %s", node.plugins, strerror(errno));
    }
    for (size_t i = 0; kith_plugin_folder(i, folder); i++) {
        if (code != (wanted == NULL ? 0 : EXIT_NOTHING)) break;
        code = see_folder(c, folder, wanted, &there);
    }
    return code;
}

int verb_carriers(const call *c) {
    const char *names[64] = { NULL }, *wanted = c->arg_count > 0 ? c->args[0] : NULL;
    size_t count = 0;
    for (size_t i = 0; kith_carrier_at(i) != NULL && count < 63; i++) {
        const kith_carrier *k = kith_carrier_at(i);
        names[count++] = k->scheme;
        if (wanted != NULL && strcmp(wanted, k->scheme) == 0)
            return one_carrier(c, k, "found");
        if (wanted == NULL && !carrier_row(c, k, "found")) return EXIT_USAGE;
    }
    int code = see_plugins(c, wanted);
    if (code != EXIT_NOTHING) return code;
    const char *near = kith_nearest_word(names, wanted);
    return near == NULL ? fault_do(c->out, E_NOTHING, wanted, "kith carriers lists them",
                              "no carrier has that name here")
                        : fault_do(c->out, E_NOTHING, wanted, "kith carriers lists them",
                              "did you mean %s?", near);
}
