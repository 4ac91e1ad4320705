/* SPDX-License-Identifier: Apache-2.0 */
/* post SUBJECT -: JSON lines in, one line out for each packet that is on disk.
 * Whatever is readable is posted together; nothing ever waits for more. */
#include "cli/evidence.h"
#include "cli/lines.h"
#include "cli/post.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 256

typedef struct batch {
    const call *c;
    poster p;
    kith_post *posts;
    uint64_t lines[BATCH];
    size_t count;
    uint64_t line;
    int code; /* of the worst line so far */
    int fatal;
} batch;

static void flush_batch(batch *b) {
    kith_error err = { 0 };
    if (b->count == 0 || b->fatal != 0) return;
    kith_time now = kith_time_now();
    if (kith_store_post(b->p.store, b->p.key, b->posts, b->count, now, &err) < 0) {
        b->fatal = store_fault(b->c, &err);
        return;
    }
    for (size_t i = 0; i < b->count && b->fatal == 0; i++) {
        char about[40];
        snprintf(about, sizeof about, "line %llu", (unsigned long long) b->lines[i]);
        if (b->posts[i].result != 0) {
            int code = post_failed(b->c, about, &b->posts[i]);
            if (code == EXIT_DATA || code == EXIT_USAGE) {
                b->code = EXIT_DATA;
            } else {
                b->fatal = code;
            }
        } else if (!told_post(b->c, &b->p, &b->posts[i], b->lines[i])) {
            b->fatal = EXIT_USAGE;
        }
    }
    b->count = 0;
    if (b->fatal == 0) b->fatal = out_end(b->c->out);
}

static void take_line(batch *b, const char *text, size_t length) {
    post_flags flags = *(const post_flags *) b->c->flags;
    uint64_t given = b->c->given;
    char why[WHY_MAX] = "", about[40];
    kith_post *post = &b->posts[b->count];
    b->line++;
    if (b->line == 1 && length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3; /* the mark some editors put before the first line */
        length -= 3;
    }
    length = lines_trim(text, length);
    if (length == 0) return;
    memset(post, 0, sizeof *post);
    int bad = evidence_line(text, length, &flags, &given, why);
    if (bad == 0) {
        bad = evidence_content(
            &flags, given, b->c->args[0], kith_time_now().wall_us, &post->content, why);
    }
    if (bad != 0) {
        snprintf(about, sizeof about, "line %llu", (unsigned long long) b->line);
        (void) fault(
            b->c->out, bad == E_TOGETHER ? E_LINE : (fault_id) bad, about, "%s", why);
        b->code = EXIT_DATA;
        return;
    }
    b->lines[b->count++] = b->line;
    if (b->count == BATCH) flush_batch(b);
}

int post_lines(const call *c) {
    batch b = { .c = c };
    lines in;
    int code = poster_open(c, &b.p);
    if (code != 0) return code;
    b.posts = calloc(BATCH, sizeof *b.posts);
    if (b.posts == NULL || !lines_init(&in, STDIN_FILENO, LINE_MAX_BYTES)) {
        free(b.posts);
        poster_close(&b.p);
        return fault(c->out, E_MEMORY, "lines", NULL);
    }
    int r = 0;
    while (b.fatal == 0 && (r = lines_read(&in)) > 0) {
        const char *text;
        size_t length;
        while (b.fatal == 0 && lines_next(&in, &text, &length)) take_line(&b, text, length);
        flush_batch(&b);
    }
    if (r < 0 && b.fatal == 0)
        b.fatal = fault(c->out, E_INPUT, "stdin", "%s", strerror(errno));
    lines_fini(&in);
    free(b.posts);
    poster_close(&b.p);
    return b.fatal != 0 ? b.fatal : b.code;
}
