/* SPDX-License-Identifier: Apache-2.0 */
/* config check | show | explain, and version: what is set, and what could be. */
#include "cli/config.h"
#include "cli/help.h"
#include "cli/verbs.h"

#include <kith/address.h>
#include <kith/version.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int verb_config_check(const call *c) {
    const settings *s = c->settings;
    int code = config_check(c);
    for (size_t i = 0; i < s->file_count && code == 0; i++) {
        record r = record_of("config_file");
        as_column(put_text(&r, "file", s->files[i]), 0);
        as_column(put_text(&r, "verdict", "ok"), 0);
        if (!out_emit(c->out, &r)) code = EXIT_USAGE;
    }
    if (code == 0 && s->file_count == 0) {
        out_note(c->out, "there is no configuration file; what is built in is in force");
    }
    return code;
}

typedef struct show {
    const call *c;
    const char *only; /* a key, or NULL */
    size_t shown;
    bool bad;
} show;

static void show_row(
    show *w, const char *section, const char *name, const kith_option *row) {
    char key[160];
    const setting *one = settings_find(w->c->settings, section, name, row->name);
    snprintf(
        key, sizeof key, "%s%s%s.%s", section, *name == '\0' ? "" : " ", name, row->name);
    if (w->only != NULL && strcmp(w->only, key) != 0) return;
    const config_flags *f = w->c->flags;
    char effective[PATH_TEXT_MAX + 32] = "";
    if (one == NULL && strcmp(key, "store.url") == 0) {
        if (!store_url(w->c->settings, w->c->out, effective)) w->bad = true;
    } else if (one == NULL && strcmp(key, "key.file") == 0) {
        if (!key_file(w->c->settings, w->c->out, effective)) w->bad = true;
    }
    const char *preset = effective[0] != '\0' ? effective : row->preset;
    record r = record_of("setting");
    as_column(put_text(&r, "key", key), 0);
    as_column(put_text(&r, "value", one == NULL ? preset : one->value), 0);
    field *origin = put_text(&r, "origin", one == NULL ? "preset" : one->origin);
    if (f->origin) as_column(origin, 0);
    w->shown++;
    if (!out_emit(w->c->out, &r)) w->bad = true;
}

/* "log.levle": the key of that section which is most like it. */
static int no_key(const call *c, const char *key) {
    char section[64];
    bool named;
    size_t size, n = strcspn(key, ".");
    snprintf(section, sizeof section, "%.*s", (int) (n < 63 ? n : 63), key);
    char *blank = strchr(section, ' ');
    if (blank != NULL) *blank = '\0';
    const kith_option *rows = section_rows(section, &named, &size);
    const char *dot = strrchr(key, '.');
    const char *near =
        rows == NULL || dot == NULL ? NULL : kith_option_nearest(rows, dot + 1);
    if (near == NULL || strcmp(near, dot + 1) == 0)
        return fault(c->out, E_KEY_NAME, key, NULL);
    return fault(c->out, E_KEY_NAME, key, "did you mean %.*s.%s?", (int) (n < 99 ? n : 99),
        key, near);
}

int verb_config_show(const call *c) {
    show w = { .c = c, .only = c->arg_count > 0 ? c->args[0] : NULL };
    for (const section_row *s = config_sections; s->name != NULL; s++) {
        const char *names[NAMED_MAX] = { "" };
        size_t count = s->named ? settings_names(c->settings, s->name, names) : 1;
        for (size_t i = 0; i < count; i++) {
            for (const kith_option *row = s->rows; row->name != NULL; row++) {
                show_row(&w, s->name, names[i], row);
            }
        }
    }
    for (size_t i = 0; kith_carrier_at(i) != NULL; i++) {
        const kith_carrier *k = kith_carrier_at(i);
        for (const kith_option *row = k->options; row != NULL && row->name != NULL; row++) {
            if (settings_find(c->settings, k->scheme, "", row->name) != NULL ||
                w.only != NULL) {
                show_row(&w, k->scheme, "", row);
            }
        }
    }
    if (w.bad) return EXIT_USAGE;
    return w.shown == 0 && w.only != NULL ? no_key(c, w.only) : 0;
}

static const char *variable_of(
    const char *section, bool named, const char *key, char *ret, size_t size) {
    int n = snprintf(ret, size, "KITH_%s%s_%s", section, named ? "_NAME" : "", key);
    for (int i = 0; i < n; i++) {
        ret[i] = ret[i] == '-' ? '_' : (char) toupper((unsigned char) ret[i]);
    }
    return ret;
}

static int explain(const call *c, const char *section, bool named, const kith_option *row) {
    char key[160], variable[160];
    snprintf(key, sizeof key, "%s%s.%s", section, named ? " NAME" : "", row->name);
    record r = record_of("config_key");
    as_column(put_text(&r, "key", key), 0);
    as_column(put_text(&r, "takes",
                  row->type == KITH_OPTION_BOOL  ? "yes or no"
                  : row->type == KITH_OPTION_ONE ? row->words
                                                 : flag_takes(row)),
        0);
    char low[32], high[32], range[80] = "-";
    if (row->type == KITH_OPTION_INT || row->type == KITH_OPTION_TIME ||
        row->type == KITH_OPTION_BYTES) {
        int64_t ends[2] = { row->min, row->max };
        kith_option here = *row;
        here.offset = 0;
        (void) kith_option_show(&here, &ends[0], low, sizeof low);
        (void) kith_option_show(&here, &ends[1], high, sizeof high);
        snprintf(range, sizeof range, "%s to %s", low, high);
    }
    as_column(put_text(&r, "range", range), 0);
    as_column(put_text(&r, "preset", row->preset), 0);
    as_column(put_text(&r, "variable",
                  variable_of(section, named, row->name, variable, sizeof variable)),
        0);
    as_column(put_text(&r, "meaning", row->help), 0);
    return out_emit(c->out, &r) ? 0 : EXIT_USAGE;
}

int verb_config_explain(const call *c) {
    char section[64];
    const char *key = c->args[0];
    const char *dot = strrchr(key, '.');
    bool named;
    size_t size;
    size_t n = strcspn(key, " .");
    snprintf(section, sizeof section, "%.*s", (int) (n < 63 ? n : 63), key);
    const kith_option *rows = section_rows(section, &named, &size);
    if (rows == NULL || dot == NULL) {
        return fault(c->out, E_KEY_NAME, key,
            rows == NULL ? "no section [%s]" : "write %s.KEY", section);
    }
    for (const kith_option *row = rows; row->name != NULL; row++) {
        if (strcmp(row->name, dot + 1) == 0) return explain(c, section, named, row);
    }
    const char *near = kith_option_nearest(rows, dot + 1);
    return near == NULL
               ? fault(c->out, E_KEY_NAME, key, "[%s] has no such key", section)
               : fault(c->out, E_KEY_NAME, key, "did you mean %s.%s?", section, near);
}

int verb_version(const call *c) {
    record r = record_of("version");
    as_column(put_text(&r, "version", kith_version()), 0);
    as_column(put_int(&r, "packet", KITH_PACKET_VERSION), 0);
    as_column(put_int(&r, "fingerprint", KITH_FINGERPRINT_VERSION), 0);
    as_column(put_int(&r, "carrier_abi", KITH_CARRIER_ABI), 0);
    as_column(put_text(&r, "built", KITH_VERSION), 0);
    if (!c->out->json && c->out->format == NULL && !c->out->zero) {
        fprintf(c->out->to, "kith %s   packet %d   fingerprint %d   carrier contract %d\n",
            kith_version(), KITH_PACKET_VERSION, KITH_FINGERPRINT_VERSION,
            KITH_CARRIER_ABI);
        return 0;
    }
    return out_emit(c->out, &r) ? 0 : EXIT_USAGE;
}
