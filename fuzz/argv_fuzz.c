/* SPDX-License-Identifier: Apache-2.0 */
/* Any words behind `kith`, each ended by NUL. What is refused is told as a fault with
 * its exit code; what is taken has a command, and every number within its row. */
#include "base/check.h"
#include "cli/parse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    WORDS = 20
};

static void lies_within(const kith_option *o, const void *flags) {
    int64_t number;
    if (o->type > KITH_OPTION_BYTES || o->preset == NULL) return;
    memcpy(&number, (const char *) flags + o->offset, sizeof number);
    CHECK(number >= o->min);
    CHECK(number <= o->max);
}

static void judge(const parsed *p, int code, size_t told) {
    CHECK((code != 0) == (told > 0));
    if (code != 0 || p->command == NULL) return;
    CHECK(p->arg_count <= ARGS_MAX);
    if (p->common.help) return; /* it needs no arguments */
    CHECK(p->arg_count >= p->command->args_min);
    CHECK(p->arg_count <= p->command->args_max);
    for (const kith_option *o = p->command->flags; o != NULL && o->name != NULL; o++) {
        lies_within(o, p->flags);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char text[600] = { 0 }, *told = NULL;
    const char *argv[WORDS + 2] = { "kith" };
    int argc = 1;
    size_t length = 0;
    size = size < sizeof text ? size : sizeof text - 1;
    memcpy(text, data, size);
    for (size_t at = 0; at < size && argc <= WORDS; at += strlen(text + at) + 1) {
        argv[argc++] = text + at;
    }
    out_options options = { 0 };
    out o;
    parsed p = { 0 };
    parse_output(&options, argc, argv);
    out_init(&o, &options);
    o.err = o.to = open_memstream(&told, &length);
    CHECK(o.err != NULL);
    int code = parse_args(&p, &o, argc, argv);
    CHECK(fclose(o.err) == 0);
    judge(&p, code, length);
    parse_fini(&p);
    free(told);
    return 0;
}
