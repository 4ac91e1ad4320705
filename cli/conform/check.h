/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of checks; each ends with a NULL name. A name is a promise. */
#ifndef CONFORM_CHECK_H
#define CONFORM_CHECK_H

#include "cli/conform/content.h"

typedef struct check {
    const char *name;
    void (*run)(world *w);
    int arg; /* world.arg */
} check;

extern const check value_checks[];   /* what crosses is what was posted */
extern const check wire_checks[];    /* and the same of bare bytes */
extern const check pattern_checks[]; /* carriers that can match, and cannot */
extern const check late_checks[];    /* whoever was not there */
extern const check torn_checks[];    /* a medium that breaks in the middle */
extern const check many_checks[];    /* once each, in any order */
extern const check hostile_checks[]; /* bytes that mean harm */
extern const check clock_checks[];
extern const check merge_checks[]; /* one state from many packets */
extern const check crash_checks[];

/* One scripted history of the whole; the digest of its state. */
void history_run(world *w);
extern uint8_t history_digest[32];

#endif
