/* SPDX-License-Identifier: Apache-2.0 */
/* What a link of an older program brings, as a store keeps it: the first byte says whose
 * format it is, the second how long the topic is. What is taken says one thing, however
 * often it is read. Then the same bytes as a question, and as a topic to ask for. */
#include "base/check.h"
#include "carrier/zmq/seed0_front.h"

#include <kith/address.h>
#include <kith/heard.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void taken(const kith_heard *h) {
    kith_heard again;
    kith_content c, twice;
    char name[KITH_SEED1_LENGTH_MAX];
    CHECK(h->topic_length + h->payload_length <= KITH_HEARD_MAX);
    CHECK(kith_subject_valid(h->subject));
    CHECK(kith_heard_read(h->seed, h->bytes, h->topic_length, h->bytes + h->topic_length,
              h->payload_length, &again) == 0);
    CHECK(memcmp(h->id, again.id, sizeof h->id) == 0);
    CHECK(kith_heard_content(h, &c, name) == 0);
    CHECK(kith_heard_content(&again, &twice, NULL) == 0);
    CHECK(memcmp(c.source, twice.source, sizeof c.source) == 0);
    CHECK(strcmp(c.address.subject, h->subject) == 0);
    CHECK(kith_packet_expires_us(&c) == h->expires_us);
    CHECK((h->seed == 1) == !(c.has & KITH_HAS_EFFECT)); /* a report has no number */
    kith_packet packet;
    CHECK(kith_packet_encode(&c, &packet) < 0); /* nothing unsigned becomes a packet */
}

/* Every beginning of a topic of theirs looks at the subject of that topic. */
static void asked(const char *topic, size_t length, const char *subject) {
    char pattern[KITH_SUBJECT_MAX + 1];
    for (size_t n = 0; n <= length; n++) {
        CHECK(ki_seed0_pattern_of(topic, n, pattern));
        CHECK(kith_subject_matches(pattern, subject));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char pattern[KITH_SUBJECT_MAX + 1];
    kith_heard h;
    if (ki_seed0_pattern_of(data, size, pattern)) {
        CHECK(kith_pattern_valid(pattern));
    }
    if (size < 2 || (size_t) data[1] + 2 > size) {
        return 0;
    }
    const uint8_t *topic = data + 2, *payload = topic + data[1];
    size_t length = size - 2 - data[1];
    if (kith_heard_read(data[0] & 1, topic, data[1], payload, length, &h) == 0) {
        taken(&h);
        if (h.seed == 0) asked((const char *) h.bytes, h.topic_length, h.subject);
    }
    return 0;
}
