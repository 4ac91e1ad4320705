/* SPDX-License-Identifier: Apache-2.0 */
/* packet/part.h - what encode and decode share: the places of the fixed fields
 * and the one check of every range. It looks at bytes, so both directions judge
 * exactly the same thing: encode writes, checks, and then gives away; decode
 * checks, and then reads without a doubt.
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
    CONTEXT16_MAX = 16,
    CONTEXT8_MAX = 64,
    DIGEST_HEAD = 27,
    SKETCH_SIZE = 192,
    /* Every part at its largest, which no packet has. */
    PART_LENGTH_MAX = AT_SUBJECT + 1 + KITH_SUBJECT_MAX + 38 + 80 + 8 + 4 + 33 + 65 + 9 +
                      2 + 161 + DIGEST_HEAD + 256 + SKETCH_SIZE + KITH_SIGNATURE_SIZE,
};

/* Entries of the lower triangle of a p by p matrix. */
static inline size_t part_triangle(size_t p) {
    return p * (p + 1) / 2;
}

/* Values that stand behind a count on the wire: a wrong count has none. */
static inline size_t part_values(size_t count, size_t max) {
    return count <= max ? count : 0;
}

/* Everything that bytes alone can tell: 0 or the KITH_R_* of the first field that
 * is wrong. More than `max` bytes are too long. */
int ki_packet_check(const uint8_t *bytes, size_t length, size_t max);

/* Is it UTF-8 without control characters? Sixteen bytes behind it are readable. */
bool ki_text_ok(const uint8_t *text, size_t length);

#endif
