/* SPDX-License-Identifier: Apache-2.0 */
/* cli/answer.h - an answer as a record, and as a few lines for a person. */
#ifndef CLI_ANSWER_H
#define CLI_ANSWER_H

#include "cli/out.h"

#include <kith/node.h>

typedef struct shown_answer {
    const char *subject;
    kith_asked asked;
    size_t component; /* which of them; show_answer shows all */
    int64_t now_us;
    bool own_only;
    const kith_templates *known; /* for the unit; may be NULL */
    bool near;                   /* of the twins of one context */
    kith_twins twins;
} shown_answer;

/* 10^u: what one unit of the answer's numbers is. */
double answer_unit(const shown_answer *shown);
/* All numbers in natural units; r borrows from shown. */
void answer_record(record *r, const shown_answer *shown);
/* false: --format is bad. alone: one answer, so a terminal gets the long form. */
bool show_answer(out *o, const shown_answer *shown, bool alone);

#endif
