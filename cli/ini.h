/* SPDX-License-Identifier: Apache-2.0 */
/* cli/ini.h - INI text without inih's surprises.
 *
 * inih as Debian builds it cuts long lines and hands them on, takes a line that
 * begins with a blank as more of the key above, lets " ;" end a value even inside
 * quotes, cuts names at 49 bytes, and goes on after a bad line. So our own reader
 * stands before it and refuses all of these, with the line's number. What was
 * handed on before a fault must be thrown away by the caller. No globals, no
 * files, no clock.
 */
#ifndef CLI_INI_H
#define CLI_INI_H

#include <stdbool.h>
#include <stddef.h>

#define INI_LINE_MAX 190 /* bytes, without the newline */
#define INI_NAME_LEN 48
#define INI_TEXT_MAX (1u << 20)

typedef struct ini_fault {
    unsigned line;
    char text[200];
} ini_fault;

/* One "name = value" under [section]. false: it is refused, and ret->text says
 * why. */
typedef bool (*ini_each)(void *ctx, const char *section, const char *name,
    const char *value, unsigned line, ini_fault *ret);

/* true: each was called for every line, and liked it. */
bool ini_read(
    const char *text, size_t length, ini_each each, void *ctx, ini_fault *ret_fault);

#endif
