/* SPDX-License-Identifier: Apache-2.0 */
/* `kith help --json`: the whole table, for completion, pages and tests. */
#include "cli/help.h"
#include "cli/json.h"

#include <kith/version.h>

#include <stdlib.h>

static void json_flag(json *j, const kith_option *row) {
    static const char *const types[] = { "", "int", "time", "bytes", "text", "bool", "one",
        "real" };
    char spelling[40];
    js_begin(j, '{');
    js_key(j, "name");
    js_text(j, row->name);
    js_key(j, "flag");
    js_text(j, flag_spelling(row, spelling, sizeof spelling));
    js_key(j, "type");
    js_text(j, types[row->type]);
    js_key(j, "min");
    js_big(j, row->min);
    js_key(j, "max");
    js_big(j, row->max);
    js_key(j, "preset");
    js_text(j, row->preset);
    js_key(j, "words");
    js_text(j, row->words);
    js_key(j, "help");
    js_text(j, row->help);
    js_end(j, '}');
}

static void json_flags(json *j, const kith_option *rows) {
    js_key(j, "flags");
    js_begin(j, '[');
    for (; rows != NULL && rows->name != NULL; rows++) json_flag(j, rows);
    js_end(j, ']');
}

static void json_exits(json *j, const char *list) {
    js_key(j, "exits");
    js_begin(j, '[');
    for (char *end; list != NULL && *list != '\0'; list = end + (*end == ' ')) {
        js_int(j, (int) strtol(list, &end, 10));
    }
    js_end(j, ']');
}

static void json_command(json *j, const command *c) {
    static const char *const classes[] = { "RO", "RW", "DANGER" };
    js_begin(j, '{');
    js_key(j, "name");
    js_text(j, c->name);
    js_key(j, "noun");
    js_text(j, c->noun);
    js_key(j, "group");
    js_text(j, c->group);
    js_key(j, "class");
    js_text(j, classes[c->klass]);
    js_key(j, "synopsis");
    js_text(j, c->synopsis);
    js_key(j, "summary");
    js_text(j, c->summary);
    js_key(j, "detail");
    js_text(j, c->detail);
    js_key(j, "exists");
    js_bool(j, c->run != NULL);
    json_flags(j, c->flags);
    json_exits(j, c->exits);
    js_key(j, "examples");
    js_begin(j, '[');
    for (size_t i = 0; i < EXAMPLES_MAX && c->examples[i].line != NULL; i++) {
        js_begin(j, '{');
        js_key(j, "line");
        js_text(j, c->examples[i].line);
        js_key(j, "exit");
        js_int(j, c->examples[i].code);
        js_end(j, '}');
    }
    js_end(j, ']');
    js_end(j, '}');
}

static void json_error(json *j, const fault_row *row) {
    char code[8];
    snprintf(code, sizeof code, "E%03d", (int) row->id);
    js_begin(j, '{');
    js_key(j, "code");
    js_text(j, code);
    js_key(j, "what");
    js_text(j, row->what);
    js_key(j, "why");
    js_text(j, row->why);
    js_key(j, "do");
    js_text(j, row->todo);
    js_key(j, "exit");
    js_int(j, row->exit);
    js_key(j, "retriable");
    js_bool(j, row->retriable);
    js_end(j, '}');
}

int help_json(out *o) {
    json j = js_to(o->to);
    js_begin(&j, '{');
    js_key(&j, "v");
    js_int(&j, 1);
    js_key(&j, "kind");
    js_text(&j, "help");
    js_key(&j, "version");
    js_text(&j, kith_version());
    json_flags(&j, common_rows);
    js_key(&j, "commands");
    js_begin(&j, '[');
    for (const command *c = command_table; c->name != NULL; c++) json_command(&j, c);
    js_end(&j, ']');
    js_key(&j, "errors");
    js_begin(&j, '[');
    for (const fault_row *row = fault_table; row->id != 0; row++) json_error(&j, row);
    js_end(&j, ']');
    js_end(&j, '}');
    fputc('\n', o->to);
    return 0;
}
