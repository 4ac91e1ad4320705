/* SPDX-License-Identifier: Apache-2.0 */
/* cli/templates.h - the folder of this node's templates: one file each, named by its
 * hash, never changed. */
#ifndef CLI_TEMPLATES_H
#define CLI_TEMPLATES_H

#include "cli/command.h"

#include <kith/template.h>

/* Where they lie: [template] folder, or templates beside the preset store. false: no
 * HOME. */
bool templates_folder(const call *c, char ret[PATH_TEXT_MAX + 1]);
/* All of them. A file that is no template is noted on stderr; a folder that is not
 * there holds none. 0, or an exit code after a fault. Free with kith_templates_free. */
int templates_load(const call *c, kith_templates **ret);
/* Those that the set has not: what is in it stays. */
void templates_more(const call *c, kith_templates *set);
/* The same for commands that take the evidence of post: their flags then know them. */
int templates_for_post(const call *c, kith_templates **ret);
/* By name (its highest version), name@version, or 8 to 32 hex digits of the id. NULL:
 * there is none, or several begin so; why says. */
const kith_template *template_named(
    const kith_templates *known, const char *text, char why[160]);
/* The same, or E_TEMPLATE is told. */
int template_want(const call *c, const kith_templates *known, const char *text,
    const kith_template **ret);
/* The whole of a file, or of stdin for "-", at most KITH_TEMPLATE_TEXT_MAX bytes, ends
 * with NUL. 0, or an exit code. */
int template_text(const call *c, const char *path, char **ret, size_t *ret_length);

#endif
