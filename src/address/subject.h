/* SPDX-License-Identifier: Apache-2.0 */
/* address/subject.h - the grammar of subjects for bytes that do not end with
 * NUL: what decode and the stores look at. */
#ifndef ADDRESS_SUBJECT_H
#define ADDRESS_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>

/* Is text[0..length) a subject? Any length, any bytes. */
bool ki_subject_ok(const char *text, size_t length);

#endif
