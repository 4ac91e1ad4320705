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
    json_begin(j, '{');
    json_key(j, "name");
    json_text(j, row->name);
    json_key(j, "flag");
    json_text(j, flag_spelling(row, spelling, sizeof spelling));
    json_key(j, "type");
    json_text(j, types[row->type]);
    json_key(j, "min");
    json_big(j, row->min);
    json_key(j, "max");
    json_big(j, row->max);
    json_key(j, "preset");
    json_text(j, row->preset);
    json_key(j, "words");
    json_text(j, row->words);
    json_key(j, "help");
    json_text(j, row->help);
    json_end(j, '}');
}

static void json_flags(json *j, const kith_option *rows) {
    json_key(j, "flags");
    json_begin(j, '[');
    for (; rows != NULL && rows->name != NULL; rows++) json_flag(j, rows);
    json_end(j, ']');
}

static void json_exits(json *j, const char *list) {
    json_key(j, "exits");
    json_begin(j, '[');
    for (char *end; list != NULL && *list != '\0'; list = end + (*end == ' ')) {
        json_int(j, (int) strtol(list, &end, 10));
    }
    json_end(j, ']');
}

static void json_command(json *j, const command *c) {
    static const char *const classes[] = { "RO", "RW", "DANGER" };
    json_begin(j, '{');
    json_key(j, "name");
    json_text(j, c->name);
    json_key(j, "noun");
    json_text(j, c->noun);
    json_key(j, "group");
    json_text(j, c->group);
    json_key(j, "class");
    json_text(j, classes[c->klass]);
    json_key(j, "synopsis");
    json_text(j, c->synopsis);
    json_key(j, "summary");
    json_text(j, c->summary);
    json_key(j, "detail");
    json_text(j, c->detail);
    json_key(j, "exists");
    json_bool(j, c->run != NULL);
    json_flags(j, c->flags);
    json_exits(j, c->exits);
    json_key(j, "examples");
    json_begin(j, '[');
    for (size_t i = 0; i < EXAMPLES_MAX && c->examples[i].line != NULL; i++) {
        json_begin(j, '{');
        json_key(j, "line");
        json_text(j, c->examples[i].line);
        json_key(j, "exit");
        json_int(j, c->examples[i].code);
        json_end(j, '}');
    }
    json_end(j, ']');
    json_end(j, '}');
}

static void json_error(json *j, const fault_row *row) {
    char code[8];
    snprintf(code, sizeof code, "E%03d", (int) row->id);
    json_begin(j, '{');
    json_key(j, "code");
    json_text(j, code);
    json_key(j, "what");
    json_text(j, row->what);
    json_key(j, "why");
    json_text(j, row->why);
    json_key(j, "do");
    json_text(j, row->todo);
    json_key(j, "exit");
    json_int(j, row->exit);
    json_key(j, "retriable");
    json_bool(j, row->retriable);
    json_end(j, '}');
}

int help_json(out *o) {
    json j = json_to(o->to);
    json_begin(&j, '{');
    json_key(&j, "v");
    json_int(&j, 1);
    json_key(&j, "kind");
    json_text(&j, "help");
    json_key(&j, "version");
    json_text(&j, kith_version());
    json_flags(&j, common_rows);
    json_key(&j, "commands");
    json_begin(&j, '[');
    for (const command *c = command_table; c->name != NULL; c++) json_command(&j, c);
    json_end(&j, ']');
    json_key(&j, "errors");
    json_begin(&j, '[');
    for (const fault_row *row = fault_table; row->id != 0; row++) json_error(&j, row);
    json_end(&j, ']');
    json_end(&j, '}');
    fputc('\n', o->to);
    return 0;
}
