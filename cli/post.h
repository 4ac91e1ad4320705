/* SPDX-License-Identifier: Apache-2.0 */
/* cli/post.h - what the parts of post share. */
#ifndef CLI_POST_H
#define CLI_POST_H

#include "cli/place.h"

typedef struct poster {
    const call *c;
    kith_key *key;
    kith_store *store;
    const char *safe; /* what a post is safe against: a level's name */
} poster;

int poster_open(const call *c, poster *ret);
void poster_close(poster *p);
/* One record of kind posted; line 0: it came by flags. false: --format is bad. */
bool told_post(const call *c, const poster *p, const kith_post *post, uint64_t line);
/* Tells why post->result is not 0. */
int post_failed(const call *c, const char *about, const kith_post *post);
/* --wait: until a carrier of that level has settled that arrival. */
int wait_level(const call *c, const poster *p, uint64_t arrival);
/* The evidence of the flags, as a content; 0, or the exit code after it was told. */
int post_content(const call *c, const char *subject, kith_time now, kith_content *ret);
/* A mean behind noise: --private. */
int post_private(const call *c);
/* JSON lines from stdin. */
int post_lines(const call *c);

#endif
