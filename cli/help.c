/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include "cli/verbs.h"

#include <kith/version.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    int code;
    const char *words;
} exits[] = {
    { EXIT_DONE, "done" },
    { EXIT_NOTHING, "nothing matched, insufficient, assertion false" },
    { EXIT_USAGE, "wrong usage" },
    { EXIT_DATA, "bad packet or data" },
    { EXIT_UNREACHED, "carrier, peer or program not to be reached" },
    { EXIT_SOFTWARE, "a fault of kith's own" },
    { EXIT_IO, "input or output, disk full, store damaged" },
    { EXIT_TEMPORARY, "temporary: try again" },
    { EXIT_PROTOCOL, "protocol, version or file system not served" },
    { EXIT_DENIED, "no right to do this" },
    { EXIT_CONFIG, "bad configuration, key missing or damaged" },
    { EXIT_TIMEOUT, "-W ran out" },
    { EXIT_INTERRUPTED, "interrupted a second time" },
    { EXIT_TERMINATED, "ended before a drain was over" },
};

const char *exit_words(int code) {
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++) {
        if (exits[i].code == code) return exits[i].words;
    }
    return NULL;
}

static const char *class_name(command_class klass) {
    return klass == CLASS_RO ? "RO" : klass == CLASS_RW ? "RW" : "DANGER";
}

const char *flag_takes(const kith_option *row) {
    switch (row->type) {
    case KITH_OPTION_INT: return "INTEGER";
    case KITH_OPTION_TIME: return "TIME";
    case KITH_OPTION_BYTES: return "SIZE";
    case KITH_OPTION_TEXT: return "TEXT";
    case KITH_OPTION_BOOL: return "";
    case KITH_OPTION_ONE: return "WORD";
    case KITH_OPTION_REAL: return "NUMBER";
    }
    return "";
}

char *flag_spelling(const kith_option *row, char *ret, size_t size) {
    snprintf(ret, size, "%s%s", row->name[1] == '\0' ? "-" : "--", row->name);
    return ret;
}

/* ---- one screen ---- */

/* The nouns of a command, joined by '|'. */
static void nouns_of(const char *name, char *ret, size_t size) {
    size_t used = 0;
    ret[0] = '\0';
    for (const command *c = command_table; c->name != NULL; c++) {
        if (c->noun != NULL && strcmp(c->name, name) == 0 && used + 1 < size) {
            int n =
                snprintf(ret + used, size - used, "%s%s", used == 0 ? "" : "|", c->noun);
            used += n > 0 ? (size_t) n : 0;
        }
    }
}

static void screen_row(out *o, const command *c, const char *group) {
    char line[256], nouns[128];
    if (c->noun != NULL) {
        nouns_of(c->name, nouns, sizeof nouns);
        snprintf(line, sizeof line, "%-11s%-10s%s", group, c->name, nouns);
    } else {
        snprintf(line, sizeof line, "%-11s%-10s%s%s", group, c->name, c->summary,
            c->run == NULL ? " (later)" : "");
    }
    size_t wide = o->tty ? (size_t) o->width : sizeof line;
    fprintf(o->to, "%.*s\n", (int) wide, line);
}

/* Programs kith-NAME on PATH, which `kith NAME` runs. */
static void screen_path(out *o) {
    fputs("\nA program kith-NAME on PATH is `kith NAME`; the commands above win.\n", o->to);
}

/* The last group in one line, names alone: the screen has 24. */
static void screen_names(out *o, const char *group) {
    const char *name = "", *between = "";
    fprintf(o->to, "%-11s", group);
    for (const command *c = command_table; c->name != NULL; c++) {
        if (c->run == NULL || strcmp(c->group, group) != 0) continue;
        if (strcmp(c->name, name) == 0) continue;
        fprintf(o->to, "%s%s", between, c->name);
        name = c->name;
        between = "  ";
    }
    fputs("\n", o->to);
}

int help_screen(out *o, bool all) {
    static const char last[] = "Plumbing";
    const char *group = "", *name = "";
    fprintf(
        o->to, "kith %s: learn from your own kind; the data stays home.\n", kith_version());
    fputs("usage: kith COMMAND [ARGUMENTS] [--flags]     kith help COMMAND says more\n",
        o->to);
    for (const command *c = command_table; c->name != NULL; c++) {
        if ((c->run == NULL && !all) || strcmp(c->name, name) == 0) continue;
        if (!all && strcmp(c->group, last) == 0) continue;
        screen_row(o, c, strcmp(group, c->group) == 0 ? "" : c->group);
        group = c->group;
        name = c->name;
    }
    if (all) screen_path(o);
    if (!all) screen_names(o, last);
    fputs("help about: config errors exits output patterns tour   all commands: help -a\n",
        o->to);
    return 0;
}

/* ---- one command ---- */

/* Wraps at width; lines that begin with a blank stay as they are. */
static void wrapped(out *o, const char *text, const char *indent) {
    size_t wide = (size_t) (o->width < 40 ? 40 : o->width > 100 ? 100 : o->width);
    while (*text != '\0') {
        size_t n = strcspn(text, "\n"), room = wide - strlen(indent);
        if (n > room && *text != ' ') {
            size_t cut = room;
            while (cut > 0 && text[cut] != ' ') cut--;
            n = cut > 0 ? cut : room;
        }
        fprintf(o->to, "%s%.*s\n", indent, (int) n, text);
        text += n;
        text += *text == '\n' || *text == ' ';
    }
}

static void flag_text(const kith_option *row, char *ret, size_t size) {
    bool preset =
        row->preset != NULL && row->preset[0] != '\0' && row->type != KITH_OPTION_BOOL;
    snprintf(ret, size, "%s%s%s%s%s%s%s", row->help, row->words == NULL ? "" : " (",
        row->words == NULL ? "" : row->words, row->words == NULL ? "" : ")",
        preset ? " [" : "", preset ? row->preset : "", preset ? "]" : "");
}

static void flag_lines(out *o, const kith_option *rows) {
    for (; rows != NULL && rows->name != NULL; rows++) {
        char spelling[40], left[80], text[400], indent[25];
        flag_spelling(rows, spelling, sizeof spelling);
        snprintf(left, sizeof left, "  %s %s", spelling, flag_takes(rows));
        flag_text(rows, text, sizeof text);
        snprintf(indent, sizeof indent, "%24s", "");
        fprintf(o->to, "%-24s", left);
        size_t room = (size_t) (o->width < 60 ? 60 : o->width > 100 ? 100 : o->width) - 24;
        size_t n = strlen(text);
        if (n > room) {
            n = room;
            while (n > 0 && text[n] != ' ') n--;
            n = n > 0 ? n : room;
        }
        fprintf(o->to, "%.*s\n", (int) n, text);
        if (text[n] != '\0') wrapped(o, text + n + (text[n] == ' '), indent);
    }
}

static void exit_lines(out *o, const char *list, const char *format) {
    for (const char *p = list; *p != '\0';) {
        char *end;
        long code = strtol(p, &end, 10);
        const char *words = exit_words((int) code);
        if (words != NULL) {
            fprintf(
                o->to, "%s%3ld %s %s\n", format, code, *format == '|' ? "|" : "", words);
        }
        p = end + (*end == ' ');
    }
}

static void example_lines(out *o, const command *c, const char *indent) {
    for (size_t i = 0; i < EXAMPLES_MAX && c->examples[i].line != NULL; i++) {
        fprintf(o->to, "%s%s%s\n", indent, c->examples[i].line,
            c->examples[i].code == 0 ? "" : "    # ends with a code other than 0");
    }
}

int help_command(out *o, const command *c) {
    char title[64];
    command_title(c, title, sizeof title);
    fprintf(o->to, "kith %s%s%s   [%s]\n", title, c->synopsis[0] == '\0' ? "" : " ",
        c->synopsis, class_name(c->klass));
    wrapped(o, c->summary, "  ");
    if (c->run == NULL) {
        fputs("  Planned; not in this version.\n", o->to);
        return 0;
    }
    if (c->detail != NULL) {
        fputc('\n', o->to);
        wrapped(o, c->detail, "  ");
    }
    if (c->flags != NULL) {
        fputs("\nflags\n", o->to);
        flag_lines(o, c->flags);
    }
    fputs("\nflags of every command\n", o->to);
    flag_lines(o, common_rows);
    fputs("\nexit codes\n", o->to);
    exit_lines(o, c->exits, "  ");
    if (c->examples[0].line != NULL) {
        fputs("\nexamples\n", o->to);
        example_lines(o, c, "  ");
    }
    return 0;
}

/* ---- the reference ---- */

static void escaped(out *o, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '|') fputc('\\', o->to);
        fputc(*text, o->to);
    }
}

static void markdown_flags(out *o, const kith_option *rows) {
    fputs("\n| flag | meaning |\n|---|---|\n", o->to);
    for (; rows->name != NULL; rows++) {
        char spelling[40], text[400];
        const char *takes = flag_takes(rows);
        flag_text(rows, text, sizeof text);
        fprintf(o->to, "| `%s%s%s` | ", flag_spelling(rows, spelling, sizeof spelling),
            takes[0] == '\0' ? "" : " ", takes);
        escaped(o, text);
        fputs(" |\n", o->to);
    }
}

static void markdown_detail(out *o, const char *text) {
    bool code = false;
    while (*text != '\0') {
        size_t n = strcspn(text, "\n");
        bool indented = *text == ' ';
        if (indented != code) fputs(code ? "```\n" : "```\n", o->to);
        code = indented;
        fprintf(o->to, "%.*s\n", (int) n, text);
        text += n + (text[n] == '\n');
    }
    if (code) fputs("```\n", o->to);
}

static void markdown_command(out *o, const command *c) {
    char title[64];
    command_title(c, title, sizeof title);
    fprintf(o->to, "\n### kith %s %s\n\n", title, c->synopsis);
    fprintf(o->to, "%c%s. Class %s.\n", toupper((unsigned char) c->summary[0]),
        c->summary + 1, class_name(c->klass));
    if (c->detail != NULL) {
        fputc('\n', o->to);
        markdown_detail(o, c->detail);
    }
    if (c->flags != NULL) markdown_flags(o, c->flags);
    fprintf(o->to, "\nExit codes: %s.\n", c->exits);
    if (c->examples[0].line != NULL) {
        fputs("\n```\n", o->to);
        example_lines(o, c, "");
        fputs("```\n", o->to);
    }
}

int help_markdown(out *o) {
    const char *group = "";
    fputs("# The commands of kith\n\nMade by `kith help --markdown` from the command "
          "table; a "
          "test compares.\n",
        o->to);
    for (const topic *t = help_topics; t->name != NULL; t++) {
        fprintf(o->to, "\n## %c%s\n\n", toupper((unsigned char) t->name[0]), t->name + 1);
        markdown_detail(o, t->text);
    }
    fputs("\n## Flags of every command\n", o->to);
    markdown_flags(o, common_rows);
    fputs("\n## Exit codes\n\n| code | meaning |\n|---|---|\n", o->to);
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++) {
        fprintf(o->to, "| %d | %s |\n", exits[i].code, exits[i].words);
    }
    fputs("\n## Errors\n\n| code | what | why, when nothing better is known | do | exit |\n"
          "|---|---|---|---|---|\n",
        o->to);
    for (const fault_row *row = fault_table; row->id != 0; row++) {
        fprintf(o->to, "| E%03d | %s | %s | %s | %d |\n", (int) row->id, row->what,
            row->why, row->todo, row->exit);
    }
    for (const command *c = command_table; c->name != NULL; c++) {
        if (c->run == NULL) continue;
        if (strcmp(group, c->group) != 0) fprintf(o->to, "\n## %s\n", c->group);
        group = c->group;
        markdown_command(o, c);
    }
    return 0;
}

/* ---- help [WORD] ---- */

static int help_error(out *o, int id) {
    const fault_row *row = fault_find(id);
    char code[8];
    snprintf(code, sizeof code, "E%03d", id);
    if (row == NULL) return fault(o, E_TOPIC, code, "no error has that code");
    if (o->json) {
        record r = record_of("help_error");
        put_text(&r, "code", code);
        put_text(&r, "what", row->what);
        put_text(&r, "why", row->why);
        put_text(&r, "do", row->todo);
        put_int(&r, "exit", row->exit);
        put_bool(&r, "retriable", row->retriable);
        out_json(o->to, &r);
        return 0;
    }
    fprintf(o->to, "%s  %s\n  why: %s\n  do:  %s\n  exit %d (%s)%s\n", code, row->what,
        row->why, row->todo, row->exit, exit_words(row->exit),
        row->retriable ? "; the same may work later" : "");
    return 0;
}

/* "E012", "e12", "012" -> 12; else 0. */
static int error_number(const char *word) {
    const char *digits = word + (*word == 'E' || *word == 'e');
    char *end;
    long n = strtol(digits, &end, 10);
    bool good = isdigit((unsigned char) *digits) && *end == '\0' && n > 0 && n < 1000;
    return good ? (int) n : 0;
}

static int help_word(out *o, const char *word, const char *noun) {
    const command *c = command_find(word, noun);
    if (c != NULL) return help_command(o, c);
    if (noun == NULL && command_has_nouns(word)) {
        for (c = command_table; c->name != NULL; c++) {
            if (strcmp(c->name, word) == 0) {
                fprintf(o->to, "kith %s %-8s %-22s %s\n", word, c->noun, c->synopsis,
                    c->summary);
            }
        }
        return 0;
    }
    if (error_number(word) != 0) return help_error(o, error_number(word));
    for (const topic *t = help_topics; t->name != NULL; t++) {
        if (strcmp(t->name, word) == 0) {
            wrapped(o, t->text, "");
            return 0;
        }
    }
    const char *words[128];
    size_t n = 0;
    for (c = command_table; c->name != NULL && n < 110; c++) words[n++] = c->name;
    for (const topic *t = help_topics; t->name != NULL; t++) words[n++] = t->name;
    words[n] = NULL;
    const char *near = kith_nearest_word(words, word);
    return near == NULL ? fault(o, E_TOPIC, word, NULL)
                        : fault(o, E_TOPIC, word, "did you mean: kith help %s?", near);
}

int verb_help(const call *c) {
    const help_flags *f = c->flags;
    if (c->arg_count > 0) {
        if (strcmp(c->args[0], "exits") == 0) {
            for (size_t i = 0; i < sizeof exits / sizeof *exits; i++) {
                fprintf(c->out->to, "%3d  %s\n", exits[i].code, exits[i].words);
            }
            return 0;
        }
        if (strcmp(c->args[0], "errors") == 0) {
            for (const fault_row *row = fault_table; row->id != 0; row++) {
                fprintf(c->out->to, "E%03d  %s\n", (int) row->id, row->what);
            }
            return 0;
        }
        return help_word(c->out, c->args[0], c->arg_count > 1 ? c->args[1] : NULL);
    }
    if (c->out->json) return help_json(c->out);
    if (f->markdown) return help_markdown(c->out);
    return help_screen(c->out, f->all);
}
