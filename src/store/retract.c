/* SPDX-License-Identifier: Apache-2.0 */
/* A retraction names what it takes back as "EPOCH/SEQ" in decimal at the beginning
 * of its text, alone or before a space and a reason. The source is its own. */
#include <kith/store.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int kith_retraction_of(const kith_content *target, const char *reason, kith_content *ret) {
    if (target->type != KITH_LEAF && target->type != KITH_EVAL &&
        target->type != KITH_DIGEST) {
        return KITH_E_ARG;
    }
    kith_content c = {
        .type = KITH_RETRACT,
        .has = (uint16_t) (KITH_HAS_TEXT |
                           (target->has & (KITH_HAS_CONTEXT16 | KITH_HAS_CONTEXT8))),
        .t_end_us = target->t_end_us,
        .span_s = target->span_s,
        .ttl_s = target->ttl_s,
        .address = target->address,
        .context16_count = target->context16_count,
        .context8_count = target->context8_count,
    };
    memcpy(c.template_id, target->template_id, sizeof c.template_id);
    memcpy(c.context16, target->context16, sizeof c.context16);
    memcpy(c.context8, target->context8, sizeof c.context8);
    int n = snprintf(c.text, sizeof c.text, "%" PRIu64 "/%" PRIu64 "%s%s", target->epoch,
        target->seq, reason != NULL && *reason != '\0' ? " " : "",
        reason != NULL ? reason : "");
    if (n < 0 || (size_t) n >= sizeof c.text) {
        return KITH_E_ARG;
    }
    c.text_length = (uint8_t) n;
    *ret = c;
    return 0;
}

/* Decimal without leading zeros, at most 2^63 - 1. Moves *at behind it. */
static bool number(const char **at, const char *end, uint64_t *ret) {
    const char *p = *at;
    uint64_t n = 0;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (n > (uint64_t) INT64_MAX / 10) return false;
        n = n * 10 + (uint64_t) (*p - '0');
    }
    if (p == *at || n > INT64_MAX || (**at == '0' && p - *at > 1)) {
        return false;
    }
    *at = p;
    *ret = n;
    return true;
}

bool kith_retraction_target(
    const kith_content *content, uint64_t *ret_epoch, uint64_t *ret_seq) {
    const char *p = content->text, *end = p + content->text_length;
    uint64_t epoch = 0, seq = 0;
    if (content->type != KITH_RETRACT || (content->has & KITH_HAS_TEXT) == 0 ||
        content->text_length > KITH_TEXT_MAX || !number(&p, end, &epoch) || p == end ||
        *p++ != '/' || !number(&p, end, &seq) || (p < end && *p != ' ') || epoch == 0) {
        return false;
    }
    *ret_epoch = epoch;
    *ret_seq = seq;
    return true;
}
