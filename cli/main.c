/* SPDX-License-Identifier: Apache-2.0 */
/* kith: the command line. Reads argv by the command table and calls one verb. */
#include "cli/config.h"
#include "cli/help.h"
#include "cli/parse.h"
#include "cli/verbs.h"

#include <kith/version.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* If stdin, stdout or stderr is closed, the next file to be opened would take its
 * place, and output would go into the store. A closed one becomes /dev/null, the
 * wrong way round, so that using it still fails. */
static bool open_standard(void) {
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) return false;
    }
    return true;
}

/* A program kith-NAME on PATH. Comes back only when there is none. */
static void run_foreign(const char *name, int argc, char **argv) {
    char program[64];
    if (name[0] == '-' || strchr(name, '/') != NULL || strlen(name) > 40) return;
    snprintf(program, sizeof program, "kith-%s", name);
    if (argc < 2) return;
    (void) execvp(program, argv + 1);
}

/* What could not be written is told whatever the command found: `ask` may end with 1,
 * and nobody read why. */
static int finish(out *o, int code) {
    int end = out_end(o);
    out_fini(o);
    return end != 0 && code <= EXIT_NOTHING ? end : code;
}

static int run_command(parsed *p, out *o) {
    struct settings *loaded = NULL;
    if (p->version) {
        fprintf(o->to, "kith %s\n", kith_version());
        return 0;
    }
    if (p->common.help) return help_command(o, p->command);
    if (!p->command->bare) {
        int code = settings_load(&loaded, o, &p->common, p->common_given);
        if (code != 0) return code;
    }
    call c = {
        .command = p->command,
        .common = &p->common,
        .common_given = p->common_given,
        .flags = p->flags,
        .given = p->given,
        .settings = loaded,
        .args = p->args,
        .arg_count = p->arg_count,
        .out = o,
    };
    int code = p->command->run(&c);
    settings_free(&loaded);
    return code;
}

int main(int argc, char **argv) {
    out o;
    parsed p;
    out_options options = { 0 };
    if (!open_standard()) return EXIT_IO;
    (void) setvbuf(stderr, NULL, _IOLBF, 0); /* a line is one write, not one a character */
    (void) signal(SIGPIPE, SIG_DFL);         /* a reader that goes ends us quietly */
    if (argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)) {
        printf("kith %s\n", kith_version());
        return fflush(stdout) == 0 ? 0 : EXIT_IO;
    }
    (void) umask(umask(077) & 077); /* what we make, we can open again */
    parse_output(&options, argc, (const char *const *) argv);
    out_init(&o, &options);
    if (argc > 1 && command_find(argv[1], NULL) == NULL && !command_has_nouns(argv[1])) {
        run_foreign(argv[1], argc, argv);
    }
    int code = parse_args(&p, &o, argc, (const char *const *) argv);
    if (code == 0) {
        o.json = p.common.json;
        o.zero = p.common.zero;
        o.format = p.common.format[0] == '\0' ? NULL : p.common.format;
        code = run_command(&p, &o);
    }
    parse_fini(&p);
    return finish(&o, code);
}
