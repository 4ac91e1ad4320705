/* SPDX-License-Identifier: Apache-2.0 */
/* cli/format.h - one field as text, and --format '{subject} {effect:+.3f}'. */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include "cli/out.h"

/* For a table; `brief` rounds as the field asks. Returns ret. */
char *field_text(const field *f, bool brief, char *ret, size_t size);

/* Prints r as o->format says. {NAME}, {NAME:SPEC}, {{ and }}. SPEC is that of
 * printf without '%': an optional '+' or '-', a width, '.', a precision and one
 * of f e g d s x. false: a fault was printed. */
bool format_record(out *o, const record *r);

#endif
