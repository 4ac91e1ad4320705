/* SPDX-License-Identifier: Apache-2.0 */
/* A packet of an older program as a store keeps it: its bytes, and what they say. */
#include <kith/heard.h>

#include "base/check.h"
#include "legacy/legacy.h"

#include <string.h>

/* Either format, as evidence. */
static int say(int seed, const char *topic, size_t topic_length, const uint8_t *payload,
    size_t length, kith_content *ret, char *ret_name) {
    if (seed == 0) {
        kith_seed0 p;
        int r = kith_seed0_decode(topic, topic_length, payload, length, &p);
        r = r < 0 ? r : kith_seed0_content(&p, ret);
        if (r == 0 && ret_name != NULL) memcpy(ret_name, p.node_id, strlen(p.node_id) + 1);
        return r;
    }
    kith_seed1 p;
    int r = kith_seed1_decode(topic, topic_length, (const char *) payload, length, &p);
    r = r < 0 ? r : kith_seed1_content(&p, ret);
    if (r == 0 && ret_name != NULL) memcpy(ret_name, p.agent_id, strlen(p.agent_id) + 1);
    return r;
}

int kith_heard_read(int seed, const void *topic, size_t topic_length, const void *payload,
    size_t length, kith_heard *ret) {
    CHECK(seed == 0 || seed == 1);
    CHECK(topic != NULL && payload != NULL);
    CHECK(ret != NULL);
    size_t topic_most = seed == 0 ? KITH_SEED0_TOPIC_MAX : KITH_SEED1_TOPIC_MAX;
    size_t most = seed == 0 ? KITH_SEED0_LENGTH_MAX : KITH_SEED1_LENGTH_MAX;
    kith_content c;
    if (length > most) {
        return KITH_L_LENGTH;
    }
    int r = topic_length > topic_most
                ? KITH_L_TOPIC
                : say(seed, topic, topic_length, payload, length, &c, NULL);
    if (r < 0) {
        return r;
    }
    *ret = (kith_heard){ .seed = (uint8_t) seed,
        .expires_us = kith_packet_expires_us(&c),
        .topic_length = (uint16_t) topic_length,
        .payload_length = (uint16_t) length };
    kith_legacy_id(seed, topic, topic_length, payload, length, ret->id);
    memcpy(ret->subject, c.address.subject, sizeof ret->subject);
    memcpy(ret->bytes, topic, topic_length);
    memcpy(ret->bytes + topic_length, payload, length);
    return 0;
}

int kith_heard_content(
    const kith_heard *h, kith_content *ret, char ret_name[KITH_SEED1_LENGTH_MAX]) {
    CHECK(h != NULL);
    CHECK(ret != NULL);
    if (h->seed > 1 || h->topic_length + h->payload_length > KITH_HEARD_MAX) {
        return KITH_L_LENGTH;
    }
    return say(h->seed, (const char *) h->bytes, h->topic_length,
        h->bytes + h->topic_length, h->payload_length, ret, ret_name);
}
