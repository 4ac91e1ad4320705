/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/parse.h"

#include <stdlib.h>
#include <string.h>

/* Words of other programs for what kith names otherwise. */
static const struct {
    const char *wrong, *right;
} synonyms[] = {
    { "pub", "post" },
    { "publish", "post" },
    { "send", "post" },
    { "sub", "follow" },
    { "subscribe", "follow" },
    { "watch", "follow" },
    { "query", "ask" },
    { "transport", "carriers" },
    { "transports", "carriers" },
    { "hz", "rate" },
    { "bw", "rate" },
    { "explain", "why" },
    { "list", "get" },
    { "start", "run" },
    { "pull", "sync" },
    { "push", "sync" },
};

int row_index(const kith_option *rows, const char *name) {
    for (int i = 0; rows != NULL && rows[i].name != NULL; i++) {
        if (strcmp(rows[i].name, name) == 0) return i;
    }
    return -1;
}

bool flag_given(const call *c, const char *name) {
    int i = row_index(c->command->flags, name);
    return i >= 0 && (c->given >> i & 1) != 0;
}

void parse_output(out_options *ret, int argc, const char *const *argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *value = strncmp(argv[i], "--color=", 8) == 0              ? argv[i] + 8
                            : strcmp(argv[i], "--color") == 0 && i + 1 < argc ? argv[i + 1]
                                                                              : NULL;
        ret->json |= strcmp(argv[i], "--json") == 0;
        ret->ascii |= strcmp(argv[i], "--ascii") == 0;
        if (value != NULL) {
            ret->color = strcmp(value, "always") == 0  ? 1
                         : strcmp(value, "never") == 0 ? 2
                                                       : 0;
        }
    }
}

/* ---- which command ---- */

static int no_command(out *o, const char *word) {
    const char *words[128];
    size_t n = 0;
    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++) {
        if (strcmp(word, synonyms[i].wrong) == 0) {
            return fault(o, E_COMMAND, word, "kith calls it %s; did you mean: kith %s?",
                synonyms[i].right, synonyms[i].right);
        }
    }
    for (const command *c = command_table; c->name != NULL && n < 127; c++) {
        if (c->run != NULL) words[n++] = c->name;
    }
    words[n] = NULL;
    const char *near = kith_nearest_word(words, word);
    if (near == NULL) return fault(o, E_COMMAND, word, NULL);
    return fault(o, E_COMMAND, word, "did you mean: kith %s?", near);
}

static int no_noun(out *o, const char *name, const char *word) {
    const char *words[16];
    char list[200] = "", about[200];
    size_t n = 0, used = 0;
    for (const command *c = command_table; c->name != NULL && n < 15; c++) {
        if (strcmp(c->name, name) == 0 && c->noun != NULL) words[n++] = c->noun;
    }
    words[n] = NULL;
    for (size_t i = 0; i < n && used < sizeof list - 24; i++) {
        used += (size_t) snprintf(
            list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
    const char *near = word == NULL ? NULL : kith_nearest_word(words, word);
    snprintf(about, sizeof about, "%s%s%.100s", name, word == NULL ? "" : " ",
        word == NULL ? "" : word);
    if (near != NULL)
        return fault(o, E_COMMAND, about, "did you mean: kith %s %s?", name, near);
    return fault(
        o, word == NULL ? E_ARGUMENT : E_COMMAND, about, "%s needs one of: %s", name, list);
}

/* Reads argv[1] and perhaps argv[2]; *ret_next is the first word behind them. */
static int choose(parsed *p, out *o, int argc, const char *const *argv, int *ret_next) {
    const char *name = argv[1];
    *ret_next = 2;
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        p->version = true;
        return 0;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (name[0] == '-') {
        return fault_do(o, E_FLAG, name, "kith help", "flags stand behind the command");
    }
    if (command_has_nouns(name)) {
        const char *noun = argc > 2 && argv[2][0] != '-' ? argv[2] : NULL;
        p->command = noun == NULL ? NULL : command_find(name, noun);
        if (p->command == NULL) return no_noun(o, name, noun);
        *ret_next = 3;
        return 0;
    }
    p->command = argc > 2 ? command_find(name, argv[2]) : NULL; /* budget, budget grant */
    if (p->command != NULL) {
        *ret_next = 3;
        return 0;
    }
    p->command = command_find(name, NULL);
    if (p->command == NULL) return no_command(o, name);
    if (p->command->run == NULL) return fault(o, E_LATER, name, NULL);
    return 0;
}

/* ---- flags ---- */

static int no_flag(const parsed *p, out *o, const char *flag) {
    const char *name = flag + strspn(flag, "-");
    const char *own = kith_option_nearest(p->command->flags, name);
    const char *near = own != NULL ? own : kith_option_nearest(common_rows, name);
    if (near == NULL) return fault(o, E_FLAG, flag, NULL);
    return fault(o, E_FLAG, flag, "did you mean %s%s?", near[1] == '\0' ? "-" : "--", near);
}

/* Sets `name` in whichever table knows it. 0, or an exit code. */
static int set_flag(parsed *p, out *o, const char *name, const char *value) {
    kith_error err = { 0 };
    char about[80];
    int i = row_index(p->command->flags, name);
    const kith_option *rows = i >= 0 ? p->command->flags : common_rows;
    void *self = i >= 0 ? p->flags : (void *) &p->common;
    if (i >= 0) {
        p->given |= UINT64_C(1) << i;
    } else {
        p->common_given |= UINT64_C(1) << row_index(common_rows, name);
    }
    if (kith_option_set(rows, self, name, value, &err) == 0) return 0;
    snprintf(about, sizeof about, "%s%s", name[1] == '\0' ? "-" : "--", name);
    return fault(o, E_VALUE, about, "%s", err.text);
}

static const kith_option *row_of(const parsed *p, const char *name) {
    int i = row_index(p->command->flags, name);
    if (i >= 0) return &p->command->flags[i];
    i = row_index(common_rows, name);
    return i < 0 ? NULL : &common_rows[i];
}

/* One flag at argv[*at]; leaves *at on the last word used. */
static int take_flag(parsed *p, out *o, int argc, const char *const *argv, int *at) {
    const char *flag = argv[*at];
    char name[64];
    bool is_long = flag[1] == '-';
    const char *body = flag + 1 + is_long;
    size_t n = is_long ? strcspn(body, "=") : 1;
    const char *value = is_long ? (body[n] == '=' ? body + n + 1 : NULL)
                                : (body[1] == '\0' ? NULL : body + 1 + (body[1] == '='));
    snprintf(name, sizeof name, "%.*s", (int) (n < 63 ? n : 63), body);
    if (strcmp(flag, "-h") == 0) snprintf(name, sizeof name, "help");
    const kith_option *row = row_of(p, name);
    if (row == NULL && strncmp(name, "no-", 3) == 0 && value == NULL) {
        row = row_of(p, name + 3);
        if (row != NULL && row->type == KITH_OPTION_BOOL) {
            return set_flag(p, o, row->name, "no");
        }
        row = NULL;
    }
    if (row == NULL) return no_flag(p, o, flag);
    if (value == NULL && row->type == KITH_OPTION_BOOL) value = "yes";
    if (value == NULL && *at + 1 < argc) value = argv[++*at];
    if (value == NULL) {
        return fault(o, E_VALUE, flag, "it needs a value: %s", row->help);
    }
    return set_flag(p, o, row->name, value);
}

static int check_count(const parsed *p, out *o) {
    char title[64];
    const command *c = p->command;
    if (p->arg_count >= c->args_min && p->arg_count <= c->args_max) return 0;
    command_title(c, title, sizeof title);
    if (p->arg_count < c->args_min) {
        return fault(o, E_ARGUMENT, title, "%s is missing", c->synopsis);
    }
    return fault(o, E_ARGUMENT, title, "'%s' is too much; the form is: kith %s%s%s",
        p->args[c->args_max], title, c->synopsis[0] == '\0' ? "" : " ", c->synopsis);
}

/* Of a command that hands its words on, kith itself reads only these. */
static bool is_ours(const char *word) {
    return strcmp(word, "--json") == 0 || strcmp(word, "--help") == 0 ||
           strcmp(word, "-h") == 0;
}

static int take_all(parsed *p, out *o, int argc, const char *const *argv, int at) {
    bool plain = false, foreign = strcmp(p->command->name, "bench") == 0;
    for (; at < argc; at++) {
        const char *word = argv[at];
        bool flag =
            !plain && word[0] == '-' && word[1] != '\0' && (!foreign || is_ours(word));
        if (flag && strcmp(word, "--") == 0) {
            plain = true;
        } else if (flag) {
            int code = take_flag(p, o, argc, argv, &at);
            if (code != 0) return code;
        } else if (p->arg_count == ARGS_MAX) {
            return fault(o, E_ARGUMENT, p->command->name, "over %d arguments", ARGS_MAX);
        } else {
            p->args[p->arg_count++] = word;
        }
    }
    return p->common.help ? 0 : check_count(p, o);
}

int parse_args(parsed *ret, out *o, int argc, const char *const *argv) {
    kith_error err;
    int next = 1;
    *ret = (parsed){ 0 };
    if (argc < 2) {
        ret->command = command_find("help", NULL);
        argc = 1;
    } else {
        int code = choose(ret, o, argc, argv, &next);
        if (code != 0 || ret->version) return code;
    }
    const command *c = ret->command;
    if (c->flags_size > 0) {
        ret->flags = calloc(1, c->flags_size);
        if (ret->flags == NULL) return fault(o, E_MEMORY, c->name, NULL);
    }
    if (kith_option_presets(common_rows, &ret->common, &err) < 0 ||
        (ret->flags != NULL && kith_option_presets(c->flags, ret->flags, &err) < 0)) {
        return fault(o, E_INTERNAL, c->name, "%s", err.text);
    }
    return take_all(ret, o, argc, argv, next);
}

void parse_fini(parsed *p) {
    free(p->flags);
    p->flags = NULL;
}
