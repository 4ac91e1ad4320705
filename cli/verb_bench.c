/* SPDX-License-Identifier: Apache-2.0 */
/* bench: the benches need their peers' libraries, so they are another program. */
#include "cli/verbs.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

int verb_bench(const call *c) {
    static const char *const places[] = { "kith-bench", "bench/kith-bench",
        "../bench/kith-bench", "../../build-release/bench/kith-bench",
        "../libexec/kith/kith-bench", "../libexec/kith-bench" };
    char self[PATH_MAX / 2], program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return fault(c->out, E_BENCH, "kith-bench", "%s", strerror(errno));
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL) *slash = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(program, sizeof program, "%s/%s", self, places[i]);
        if (access(program, X_OK) != 0) continue;
        char *argv[ARGS_MAX + 3] = { program };
        size_t count = 1;
        for (size_t k = 0; k < c->arg_count; k++) {
            argv[count++] = (char *) (uintptr_t) c->args[k];
        }
        char json[] = "--json";
        if (c->out->json) argv[count++] = json;
        (void) execv(program, argv);
        return fault(c->out, E_COMMAND_RUN, program, "%s", strerror(errno));
    }
    return fault(c->out, E_BENCH, "kith-bench", NULL);
}
