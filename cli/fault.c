/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/fault.h"

#include "cli/exits.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

const fault_row fault_table[] = {
    { E_COMMAND, EXIT_USAGE, false, "no such command: {}",
        "kith has no command of that name", "kith help" },
    { E_FLAG, EXIT_USAGE, false, "no such flag: {}", "this command does not know it",
        "kith help COMMAND lists its flags" },
    { E_VALUE, EXIT_USAGE, false, "bad value for {}", "it is outside what the flag takes",
        "kith help COMMAND shows range and preset" },
    { E_ARGUMENT, EXIT_USAGE, false, "wrong arguments for {}",
        "something is missing, or there is too much", "kith help COMMAND shows the form" },
    { E_TOGETHER, EXIT_USAGE, false, "these flags do not go together: {}",
        "evidence is given in exactly one of five spellings",
        "kith help post shows the five spellings" },
    { E_SUBJECT, EXIT_USAGE, false, "not a subject or pattern: {}",
        "a subject is 1 to 8 tokens of a-z 0-9 _ - joined by dots",
        "write it like iot.hvac.energy-anomaly; patterns: iot.*.> in quotes" },
    { E_LATER, EXIT_USAGE, false, "not in this version: {}",
        "the command is planned and not built yet", "kith help lists what there is" },
    { E_FORMAT, EXIT_USAGE, false, "--format does not understand {}",
        "only {NAME} and {NAME:SPEC} stand for fields",
        "look at the field names with --json; write braces as {{ and }}" },
    { E_TOPIC, EXIT_USAGE, false, "no help about {}",
        "it is no command, no error code and no topic", "kith help" },

    { E_CONFIG, EXIT_CONFIG, false, "bad configuration: {}", "a line makes no sense",
        "mend the line, then: kith config check" },
    { E_NO_CONFIG, EXIT_CONFIG, false, "cannot read the configuration {}",
        "the file that was named is not there or not readable",
        "name another with --config, or leave the flag out" },
    { E_NO_KEY, EXIT_CONFIG, false, "no key at {}", "this node has no identity yet",
        "kith init" },
    { E_KEY_DENIED, EXIT_CONFIG, false, "the key {} is not safe to use",
        "others may read or replace it", "chmod 600 {}; chmod 700 its folder" },
    { E_KEY_DAMAGED, EXIT_CONFIG, false, "the key {} is damaged",
        "it is not what kith wrote",
        "restore it from a backup, or move it and: kith init" },
    { E_INITED, EXIT_CONFIG, false, "there is a key already: {}",
        "init never overwrites an identity", "keep it, or move the file away first" },
    { E_FOLDER, EXIT_IO, false, "cannot make or write {}", "the folder refuses",
        "choose a place you may write: --store and --key, or XDG_DATA_HOME" },
    { E_ENVIRONMENT, EXIT_CONFIG, false, "bad environment variable: {}",
        "its value makes no sense", "unset it, or mend its value" },
    { E_KEY_NAME, EXIT_USAGE, false, "no configuration key {}",
        "keys are written section.name", "kith config show lists them" },

    { E_PACKET, EXIT_DATA, false, "not a packet: {}", "its bytes break a rule",
        "kith pkt lint shows the rule; refused packets change nothing" },
    { E_LINE, EXIT_DATA, false, "bad line: {}", "it is not a JSON object of flag names",
        "mend that line and send it again; nothing of it was posted" },
    { E_EVIDENCE, EXIT_DATA, false, "evidence refused: {}", "a number is out of range",
        "kith help post names the ranges" },
    { E_UNIT, EXIT_DATA, false, "the effect does not fit its unit: {}",
        "effects are at most 1024 units, standard errors 0.001 to 1000 units",
        "choose --unit; everybody on the subject must use the same" },
    { E_ROOM, EXIT_DATA, false, "does not fit into 512 bytes: {}",
        "text, context and subject share the room",
        "kith pkt size shows each field's bytes" },
    { E_SAMPLES, EXIT_DATA, false, "samples refused: {}", "at least two numbers are needed",
        "one number a line; - reads stdin" },
    { E_INPUT, EXIT_IO, false, "cannot read {}", "the file is not there or not readable",
        "name another file; - reads stdin" },
    { E_PREFIX, EXIT_USAGE, false, "not one packet's id: {}",
        "an id is 8 to 64 hex digits, as many as make it unique",
        "kith get SUBJECT --json shows whole ids" },
    { E_NOT_OWN, EXIT_DENIED, false, "not your packet: {}",
        "only its own source can take a packet back", "ask the source that signed it" },
    { E_ROW, EXIT_DATA, false, "bad row: {}", "it does not say what its columns promise",
        "mend it and run again; nothing was computed from the others" },

    { E_FULL, EXIT_IO, true, "no space: {}", "the disk or the store's bound is full",
        "kith store prune; or raise max_bytes in [store]" },
    { E_BUSY, EXIT_TEMPORARY, true, "busy: {}", "another process holds it", "try again" },
    { E_DAMAGED, EXIT_IO, false, "damaged: {}", "its bytes are not what was written",
        "kith get '>': what opens the store sets damage aside and brings the rest back" },
    { E_NEWER, EXIT_PROTOCOL, false, "not served by this kith: {}",
        "a newer format, or a network file system", "use a newer kith, or a local disk" },
    { E_OUTPUT, EXIT_IO, true, "cannot write {}", "the other end took no more",
        "free space there, or choose another place" },
    { E_STORE, EXIT_IO, true, "cannot open the store {}", "the system refused",
        "look at the path and its rights; kith config show store.url" },
    { E_READ_ONLY, EXIT_IO, false, "nothing may be written for {}",
        "the store lies where nothing may be written; it can be read",
        "copy it to where you may write, or name another with --store" },

    { E_URL, EXIT_USAGE, false, "a carrier's address makes no sense: {}",
        "it is SCHEME://PLACE?OPTION=VALUE", "kith carriers NAME shows place and options" },
    { E_UNREACHED, EXIT_UNREACHED, true, "cannot reach {}", "the other end does not answer",
        "start it or look at the place; what you posted is safe here and waits" },
    { E_WAIT, EXIT_TIMEOUT, true, "time ran out: {}", "-W passed before it was done",
        "ask for longer with -W; what you posted is safe here" },
    { E_NO_LINK, EXIT_CONFIG, false, "no carrier to use for {}",
        "none is configured and none was named",
        "add --carrier URL, or a section [carrier NAME] with url = ..." },
    { E_LEVEL, EXIT_TEMPORARY, true, "no carrier of level {}",
        "none of the carriers that are up promises it",
        "kith carriers shows levels; the packet is safe here and waits" },

    { E_NOTHING, EXIT_NOTHING, false, "nothing matched {}",
        "the store holds no such packet", "kith get '>' --last 10 shows what is there" },
    { E_BUDGET, EXIT_DENIED, false, "no privacy budget: {}",
        "what was granted for these records is spent", "kith budget" },
    { E_TEXT, EXIT_DATA, false, "text refused: {}", "it looks like what should not leave",
        "say it in words; or, if it is nobody's, add --unlinted" },

    { E_TEMPLATE, EXIT_DATA, false, "no such template: {}",
        "no template of that name, name@version or id is kept here",
        "kith template show lists them; kith template new FILE takes one in" },
    { E_DOCUMENT, EXIT_DATA, false, "no template: {}", "its text makes no sense",
        "mend that line; kith template show unit prints one to begin with" },
    { E_IMMUTABLE, EXIT_DATA, false, "it means something else here: {}",
        "a template never changes: packets were made under what it said",
        "raise the version; kith template diff shows what is different" },

    { E_COMMAND_RUN, EXIT_UNREACHED, false, "cannot run {}", "the program is not there",
        "look at its path and its rights" },

    { E_INTERNAL, EXIT_SOFTWARE, false, "a fault of kith's own: {}",
        "something that cannot happen did", "please report it with these lines" },
    { E_MEMORY, EXIT_SOFTWARE, true, "no memory for {}", "the system has none left",
        "free some, or raise the limit" },

    { E_BENCH, EXIT_UNREACHED, false, "the benches are not built: {}",
        "they are a program of their own, kith-bench, beside kith or in libexec",
        "make bench" },
    { .id = 0 },
};

const fault_row *fault_find(int id) {
    for (const fault_row *row = fault_table; row->id != 0; row++) {
        if ((int) row->id == id) return row;
    }
    return NULL;
}

/* Copies text with each {} replaced. */
static void fill(char *to, size_t size, const char *text, const char *about) {
    size_t n = 0;
    while (*text != '\0' && n + 1 < size) {
        if (text[0] == '{' && text[1] == '}') {
            int wrote = snprintf(to + n, size - n, "%s", about);
            n += wrote > 0 && (size_t) wrote < size - n ? (size_t) wrote : size - n - 1;
            text += 2;
        } else {
            to[n++] = *text++;
        }
    }
    to[n] = '\0';
}

static void tell(const out *o, const fault_row *row, const char *what, const char *why,
    const char *todo) {
    char code[8], safe[CELL_MAX];
    snprintf(code, sizeof code, "E%03d", (int) row->id);
    if (o->json) {
        record r = record_of("error");
        put_text(&r, "code", code);
        put_text(&r, "what", what);
        put_text(&r, "why", why);
        put_text(&r, "do", todo);
        put_int(&r, "exit", row->exit);
        put_bool(&r, "retriable", row->retriable);
        out_json(o->err, &r);
    } else {
        const char *red = o->err_color ? "\x1b[31m" : "",
                   *off = o->err_color ? "\x1b[0m" : "";
        fprintf(o->err, "%serror:%s %s [%s]\n", red, off,
            printable(what, safe, sizeof safe), code);
        fprintf(o->err, "  why: %s\n", printable(why, safe, sizeof safe));
        fprintf(o->err, "  do:  %s\n", printable(todo, safe, sizeof safe));
    }
    fflush(o->err);
}

static int KITH_PRINTF(5, 0) fault_v(const out *o, fault_id id, const char *about,
    const char *todo, const char *fmt, va_list args) {
    char what[CELL_MAX], why[CELL_MAX], act[CELL_MAX];
    const fault_row *row = fault_find((int) id);
    if (row == NULL) row = fault_find(E_INTERNAL);
    fill(what, sizeof what, row->what, about);
    fill(act, sizeof act, todo == NULL ? row->todo : todo, about);
    if (fmt == NULL) {
        snprintf(why, sizeof why, "%s", row->why);
    } else {
        (void) vsnprintf(why, sizeof why, fmt, args);
    }
    fflush(o->to); /* data that came before the failure stands before it */
    tell(o, row, what, why, act);
    return row->exit;
}

int fault(const out *o, fault_id id, const char *about, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int code = fault_v(o, id, about, NULL, fmt, args);
    va_end(args);
    return code;
}

int fault_do(
    const out *o, fault_id id, const char *about, const char *todo, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int code = fault_v(o, id, about, todo, fmt, args);
    va_end(args);
    return code;
}

/* What the library knows better than the table stands behind this. */
static const char remedy[] = "; do: ";

int fault_kith(const out *o, fault_id otherwise, const char *about, const kith_error *err) {
    fault_id id = otherwise;
    switch (err->code) {
    case KITH_E_MEMORY: id = E_MEMORY; break;
    case KITH_E_SPACE: id = E_FULL; break;
    case KITH_E_SPENT: id = E_BUDGET; break;
    case KITH_E_BUSY: id = E_BUSY; break;
    case KITH_E_CORRUPT: id = otherwise == E_NO_KEY ? E_KEY_DAMAGED : E_DAMAGED; break;
    case KITH_E_NOTSUP: id = otherwise == E_URL ? E_URL : E_NEWER; break;
    case KITH_E_DENIED:
        id = otherwise == E_NO_KEY ? E_KEY_DENIED : otherwise;
        id = err->sys == EROFS ? E_READ_ONLY : id; /* the store's alone */
        break;
    default: break;
    }
    const char *text = err->text[0] == '\0' ? kith_error_name(err->code) : err->text;
    const char *todo = strstr(text, remedy);
    bool cut =
        strlen(text) == sizeof err->text - 1; /* half a command may name another file */
    if (todo == NULL || cut) return fault(o, id, about, "%s", text);
    return fault_do(
        o, id, about, todo + sizeof remedy - 1, "%.*s", (int) (todo - text), text);
}
