/* SPDX-License-Identifier: Apache-2.0 */
/* packet/transform.h - one dimension of a context: a natural value becomes one or two
 * numbers of 16 bits, the same on every machine. docs/formats/template.md has the
 * formulas. */
#ifndef PACKET_TRANSFORM_H
#define PACKET_TRANSFORM_H

#include <kith/error.h>

typedef struct ki_transform ki_transform;

/* "linear 0 40", "log 1 1000", "cyclic 24", "category a b c", "table 0 1 5 9". NULL:
 * it is none, and ret_why (static or in room) says why. */
int ki_transform_new(ki_transform **ret, const char *text, kith_error *err);
void ki_transform_free(ki_transform **t);
/* The canonical text. */
const char *ki_transform_text(const ki_transform *t);
/* 1; 2 for a circle. */
unsigned ki_transform_numbers(const ki_transform *t);
/* How near two different categories lie, of 65536; 0: it has no categories. */
uint32_t ki_transform_step(const ki_transform *t);
/* 0; E_ARG with the range in err. */
int ki_transform_map(
    const ki_transform *t, const char *text, size_t length, uint16_t *ret, kith_error *err);

#endif
