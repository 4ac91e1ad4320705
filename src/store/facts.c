/* SPDX-License-Identifier: Apache-2.0 */
#include "store/facts.h"

#include "base/wire.h"
#include "packet/part.h"

#include <string.h>

static int retraction(const kith_packet *packet, ki_facts *f) {
    kith_content content;
    int r = kith_packet_decode(packet->bytes, packet->length, &content);
    if (r < 0) {
        return KITH_E_FORMAT;
    }
    f->retracts = kith_retraction_target(&content, &f->target_epoch, &f->target_seq);
    return 0;
}

int ki_facts_of(const kith_packet *packet, const uint8_t *id, ki_facts *ret) {
    const uint8_t *p = packet->bytes;
    if (packet->length < PART_LENGTH_MIN || packet->length > KITH_PACKET_MAX) {
        return KITH_E_FORMAT;
    }
    unsigned flags = (unsigned) (p[AT_FLAGS] << 8 | p[AT_FLAGS + 1]);
    kith_content when = {
        .t_end_us = (int64_t) wire_get64(p + AT_T_END),
        .ttl_s = wire_get32(p + AT_TTL),
    };
    ki_facts f = {
        .type = p[AT_TYPE],
        .evidence = (p[AT_TYPE] == KITH_LEAF || p[AT_TYPE] == KITH_EVAL) &&
                    (flags & (KITH_HAS_EFFECT | KITH_HAS_COUNTS)) != 0,
        .template_id = p + AT_TEMPLATE,
        .source = p + AT_SOURCE,
        .epoch = wire_get64(p + AT_EPOCH),
        .seq = wire_get64(p + AT_SEQ),
        .subject = (const char *) p + AT_SUBJECT + 1,
        .subject_length = p[AT_SUBJECT],
    };
    bool fits = f.subject_length >= 1 && f.subject_length <= KITH_SUBJECT_MAX &&
                AT_SUBJECT + 1 + f.subject_length + KITH_SIGNATURE_SIZE <= packet->length;
    if (!fits || f.epoch < 1 || f.epoch > INT64_MAX || f.seq > INT64_MAX) {
        return KITH_E_FORMAT;
    }
    f.expires_us = kith_packet_expires_us(&when);
    int r = f.type == KITH_RETRACT ? retraction(packet, &f) : 0;
    if (r < 0) {
        return r;
    }
    if (id != NULL) {
        memcpy(f.id, id, sizeof f.id);
    } else {
        kith_packet_id(packet, f.id);
    }
    *ret = f;
    return 0;
}
