/* SPDX-License-Identifier: Apache-2.0 */
/* packet/part.h - what encode and decode share: the places of the fixed fields,
 * the size of each optional part, and the one check of every range.
 *
 * OFFSET SIZE  MEANING                      OFFSET SIZE  MEANING
 *      0    1  version                          68    8  t_end, microseconds
 *      1    1  type                             76    4  span, seconds
 *      2    2  flags: which parts follow        80    4  ttl, seconds
 *      4   16  template                         84    1  length of the subject
 *     20   32  source                           85    L  subject
 *     52    8  epoch                                     parts, in the order of flags
 *     60    8  seq                         length-64 64  signature
 */
#ifndef PACKET_PART_H
#define PACKET_PART_H

#include <kith/packet.h>

enum {
    AT_TYPE = 1,
    AT_FLAGS = 2,
    AT_TEMPLATE = 4,
    AT_SOURCE = 20,
    AT_EPOCH = 52,
    AT_SEQ = 60,
    AT_T_END = 68,
    AT_SPAN = 76,
    AT_TTL = 80,
    AT_SUBJECT = 84,
    PART_LENGTH_MIN = AT_SUBJECT + 2 + KITH_SIGNATURE_SIZE,
    PART_COUNT = 11,
    PART_FLAGS = (1 << PART_COUNT) - 1,
    CONTEXT16_MAX = 16,
    CONTEXT8_MAX = 64,
    DIGEST_HEAD = 27,
    SKETCH_SIZE = 192,
};

/* Entries of the lower triangle of a p by p matrix. */
static inline size_t part_triangle(size_t p) {
    return p * (p + 1) / 2;
}

/* Bytes of the part behind flag bit `bit`. The counts are believed up to their
 * maximum, so that sizes can be shown for content that will be refused. */
size_t ki_part_size(const kith_content *c, unsigned bit);

/* Each returns 0 or the KITH_R_* of the first field that is wrong, in the order
 * of the bytes. */
int ki_check_head(const kith_content *c);
int ki_check_subject(const char *subject, size_t length);
/* `parts`: which of c->has to look at; decode may have read only the first. */
int ki_check_parts(const kith_content *c, uint16_t parts);

/* 1..KITH_TEXT_MAX bytes of UTF-8 without control characters? */
bool ki_text_ok(const char *text, size_t length);

#endif
