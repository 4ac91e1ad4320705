/* SPDX-License-Identifier: Apache-2.0 */
/* store/skip.h - from subject to subject in sorted order, leaping over those that
 * cannot match a pattern. Pure. */
#ifndef STORE_SKIP_H
#define STORE_SKIP_H

#include <kith/packet.h>

#define SKIP_ROOM (2 * KITH_SUBJECT_MAX + 4)

/* What a pattern means for an index of subjects. */
typedef enum ki_reach {
    REACH_ALL,   /* NULL or ">": no index helps */
    REACH_ONE,   /* one subject */
    REACH_RANGE, /* "a.b.>": from "a.b." up to, not including, "a.b/" */
    REACH_SOME,  /* seek and leap */
} ki_reach;

ki_reach ki_skip_reach(const char *pattern);

/* Where to seek first: nothing that matches is below it. */
void ki_skip_first(const char *pattern, char ret[SKIP_ROOM]);

/* After `subject` was looked at: nothing that matches lies between it and *ret,
 * and ret > subject. false: nothing that matches is above it. */
bool ki_skip_next(const char *pattern, const char *subject, char ret[SKIP_ROOM]);

#endif
