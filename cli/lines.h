/* SPDX-License-Identifier: Apache-2.0 */
/* cli/lines.h - whole lines from a descriptor, as they come, bounded.
 *
 * read takes what is there (it blocks only when the descriptor does and nothing
 * is), next hands out the whole lines. A line over the bound comes out once, cut
 * to bound + 1 bytes, so that its length says it is too long; the rest of it is
 * skipped. */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct lines {
    int fd;
    char *buffer;
    size_t size, first, used; /* buffer[first..used) */
    size_t line_max;
    bool ended, skipping;
} lines;

bool lines_init(lines *in, int fd, size_t line_max);
void lines_fini(lines *in);
/* > 0: look with next. 0: the end, all was handed out. < 0: errno; EAGAIN too. */
int lines_read(lines *in);
/* The text is valid until the next read. */
bool lines_next(lines *in, const char **ret_text, size_t *ret_length);

/* The length without blanks, tabs and a carriage return at the end. */
size_t lines_trim(const char *text, size_t length);

#endif
