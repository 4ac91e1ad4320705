/* SPDX-License-Identifier: Apache-2.0 */
/* cli/asking.h - what ask and why share: the question, and whom it is put to. */
#ifndef CLI_ASKING_H
#define CLI_ASKING_H

#include "cli/answer.h"
#include "cli/command.h"
#include "cli/templates.h"

#include <kith/node.h>

struct why_file;

typedef struct asking {
    const call *c;
    kith_store *store;
    kith_ask ask;
    uint8_t public_key[KITH_KEY_SIZE], template_id[KITH_TEMPLATE_SIZE];
    char (*subjects)[KITH_SUBJECT_MAX + 1];
    size_t subject_count;
    bool too_many, any_template;
    uint64_t unsigned_left;
    kith_templates *known;
    uint16_t near[KITH_CONTEXT_MAX];
    struct why_file *file; /* NULL: the store of this machine answers */
} asking;

/* 0, or an exit code; close in any case. */
int asking_open(asking *a, const call *c);
void asking_close(asking *a);

/* --near in the words of the template that the subject's sources use. 0, or told. */
int asking_aim(asking *a, const char *subject);

/* The consensus, recommendation and alert of an older program, with what they should
 * have meant. An exit code. */
int show_legacy(asking *a, const char *subject);

#endif
