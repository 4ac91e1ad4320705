/* SPDX-License-Identifier: Apache-2.0 */
/* What checks post and how they look for it. */
#ifndef CONFORM_CONTENT_H
#define CONFORM_CONTENT_H

#include "cli/conform/world.h"

/* A leaf with an effect of one component; its numbers differ from all before. */
kith_content leaf(world *w, const char *subject);
kith_content leaf_of(world *w, const char *subject, double effect, double variance);

/* Through the site's store, as a program does. */
bool post(site *s, const kith_content *content);
bool post_kept(site *s, const kith_content *content, kith_post *ret_post);
bool post_many(site *s, const char *subject, size_t count);
bool take_back(site *s, const kith_packet *target);

/* Signed by source `who` (200.. are nobody's site), for injection. */
bool seal(uint8_t who, uint64_t epoch, uint64_t seq, kith_content *content,
    kith_packet *ret_packet);

/* A link of our own beside the nodes, past all wrappers. */
typedef struct raw {
    world *world;
    kith_link *link;
    uint64_t ticket;
} raw;
bool raw_open(world *w, raw *ret);
void raw_close(raw *r);
/* On a wire that loses and keeps nothing, whoever has no store must repeat
 * himself: posts once more all that was posted since raw_open. */
void raw_again(raw *r);
/* What kith_link_post says, after waiting for room. */
int raw_post(raw *r, const char *subject, const void *bytes, size_t length);
bool raw_packet(raw *r, const kith_packet *packet);
bool raw_settle(raw *r);
/* The next packet, which must come: as patient as world_until. */
bool raw_wait(raw *r, kith_item *ret_item);
/* The next packet within a moment. false: none came, and none was to be expected. */
bool raw_pull(raw *r, kith_item *ret_item);

/* How many live packets a site holds that match. */
uint64_t holds(site *s, const char *pattern);
bool holds_packet(site *s, const kith_packet *packet);
/* How many ways it came, and whether `way` is one; 0 when it is not there. */
size_t ways_of(site *s, const kith_packet *packet, const char *scheme, bool *ret_named);
bool digest(site *s, uint8_t ret[32]);
bool digests_equal(site *a, site *b);

/* For world_until. */
typedef struct wanted {
    site *site;
    const char *pattern;
    uint64_t count;
} wanted;
/* Holds exactly so many. */
bool until_holds(site *s, const char *pattern, uint64_t count);
bool until_refused(site *s, int refusal, uint64_t count);
bool until_sent(site *s);           /* all of its links have taken everything */
bool until_equal(site *a, site *b); /* their digests */
bool until_digest(site *s, const uint8_t digest[32]); /* is this one */
/* Is noted to have come so many ways. */
bool until_ways(site *s, const kith_packet *packet, size_t count);

#endif
