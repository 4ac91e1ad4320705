/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool lines_init(lines *in, int fd, size_t line_max) {
    *in = (lines){ .fd = fd, .size = 2 * line_max + 2, .line_max = line_max };
    in->buffer = malloc(in->size);
    return in->buffer != NULL;
}

void lines_fini(lines *in) {
    free(in->buffer);
    in->buffer = NULL;
}

int lines_read(lines *in) {
    if (in->ended) return 0;
    if (in->first > 0) {
        memmove(in->buffer, in->buffer + in->first, in->used - in->first);
        in->used -= in->first;
        in->first = 0;
    }
    ssize_t n;
    do {
        n = read(in->fd, in->buffer + in->used, in->size - in->used);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return -1;
    in->used += (size_t) n;
    if (n == 0) {
        in->ended = true;
        return in->used > 0 && !in->skipping; /* a last line without its newline */
    }
    return 1;
}

bool lines_next(lines *in, const char **ret_text, size_t *ret_length) {
    for (;;) {
        char *from = in->buffer + in->first;
        size_t left = in->used - in->first;
        char *stop = memchr(from, '\n', left);
        if (in->skipping) {
            in->first = stop == NULL ? in->used : in->first + (size_t) (stop - from) + 1;
            if (stop == NULL) return false;
            in->skipping = false;
            continue;
        }
        size_t length = stop == NULL ? left : (size_t) (stop - from);
        if (length > in->line_max) {
            *ret_text = from;
            *ret_length = in->line_max + 1;
            in->first += in->line_max + 1;
            in->skipping = true;
            return true;
        }
        if (stop == NULL && (!in->ended || left == 0)) return false;
        *ret_text = from;
        *ret_length = length;
        in->first += length + (stop != NULL);
        return true;
    }
}

size_t lines_trim(const char *text, size_t length) {
    while (length > 0) {
        char c = text[length - 1];
        if (c != ' ' && c != '\t' && c != '\r') break; /* a zero byte is none of them */
        length--;
    }
    return length;
}
