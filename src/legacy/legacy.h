/* SPDX-License-Identifier: Apache-2.0 */
/* legacy/legacy.h - what the files of this room share. */
#ifndef LEGACY_LEGACY_H
#define LEGACY_LEGACY_H

#include <kith/legacy.h>

/* A time that a packet of ours could have. */
bool ki_legacy_time(double timestamp);
/* May this be the domain of either, or its subject with us? Ends with NUL. */
bool ki_legacy_subject(const char *subject);
/* Text for people, of at most max bytes, without NUL inside. Any memory. */
bool ki_legacy_text(const char *text, size_t length, size_t max);

#endif
