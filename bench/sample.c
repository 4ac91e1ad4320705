/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#include <stdio.h>
#include <string.h>

#define FIXED_BYTES 174 /* of a sample without its subject and text */

/* Any good mixer: neighbouring indexes must not have neighbouring subjects. */
static uint64_t mix(uint64_t x) {
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static const char *const words[] = { "iot", "hvac", "pump", "robot", "ci", "grid", "farm",
    "lift", "kiln", "mill", "press", "dock", "cell", "lab", "fleet", "rail" };

/* As many groups, which share all but the last token, whatever the number of subjects:
 * so a prefix finds as many rows among few subjects as among many. */
void sample_subject(uint64_t index, uint64_t subjects, char ret[KITH_SUBJECT_MAX + 1]) {
    uint64_t s = mix(index) % subjects;
    unsigned group = (unsigned) (s % SAMPLE_GROUPS);
    snprintf(ret, KITH_SUBJECT_MAX + 1, "%s.%s.%s-%02u.unit-%03u", words[group % 16],
        words[group / 16 % 16], words[group / 256 % 16], group / 4096,
        (unsigned) (s / SAMPLE_GROUPS % 1000));
}

static const char *const ascii[] = {
    "compressor draws more than its kind at the same load; the filter is likely clogged. ",
    "After the firmware update the median cycle is shorter, with fewer retries overall. ",
    "Wheel slip rises above 4 % on wet ramps; slowing down early helped (see handbook). ",
};
static const char *const other[] = {
    "Der Verdichter läuft über Nennlast, höchstwahrscheinlich muß der Filter gewärmt ",
    "Ο συμπιεστής καταναλώνει περισσότερο από τους ομοίους του στο ίδιο φορτίο σήμερα ",
    "压缩机在相同负载下耗电高于同类设备，过滤器可能堵塞，请尽快检查并更换滤芯。",
};

/* Exactly `length` bytes, characters whole. */
static void write_text(char *ret, size_t length, const char *phrase) {
    size_t at = 0, from = 0, n = strlen(phrase);
    for (;;) {
        size_t size = 1;
        while (((unsigned char) phrase[from + size] & 0xc0) == 0x80) {
            size++;
        }
        if (at + size > length) {
            break;
        }
        memcpy(ret + at, phrase + from, size);
        at += size;
        from = (from + size) % n;
    }
    memset(ret + at, '.', length - at);
    ret[length] = '\0';
}

void sample_content(uint64_t index, uint64_t subjects, sample_text text, kith_content *c) {
    uint64_t die = mix(index ^ UINT64_C(0x5eed));
    *c = (kith_content){
        .type = KITH_LEAF,
        .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE | KITH_HAS_CONCLUSION | KITH_HAS_TEXT,
        .epoch = 1 + die % 40,
        .seq = index,
        .t_end_us = INT64_C(1700000000000000) + (int64_t) (die % UINT64_C(1000000000000)),
        .span_s = 60 + (uint32_t) (die >> 20) % 3600,
        .ttl_s = 604800,
        .measure = KITH_MEAN_DIFFERENCE,
        .components = 1,
        .n = 12 + (uint32_t) (die >> 32) % 500,
        .conclusion = (uint16_t) (1 + die % 9),
    };
    memset(c->source, 1 + (int) (index % 100), sizeof c->source);
    sample_subject(index, subjects, c->address.subject);
    c->effect[0] = 0.25 + (double) (die >> 40) * 0x1p-24;
    c->covariance[0] = 0.01 + (double) (die >> 44) * 0x1p-24;
    c->text_length = (uint8_t) (SAMPLE_BYTES - FIXED_BYTES - strlen(c->address.subject));
    write_text(c->text, c->text_length, (text == SAMPLE_ASCII ? ascii : other)[index % 3]);
}
