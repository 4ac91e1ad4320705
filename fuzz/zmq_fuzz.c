/* SPDX-License-Identifier: Apache-2.0 */
/* What strangers may say to a link over libzmq: hellos, places, marks, topics. What is
 * read is written again as the same bytes. */
#include "base/check.h"
#include "carrier/zmq/frame.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ki_zmq_hello h;
    uint8_t bytes[ZMQ_HELLO_MAX], name[ZMQ_NAME_SIZE];
    if (ki_zmq_hello_read(&h, data, size) == 0) {
        ki_zmq_hello again;
        size_t n = ki_zmq_hello_write(&h, bytes);
        CHECK(n <= sizeof bytes && ki_zmq_hello_read(&again, bytes, n) == 0);
        CHECK(memcmp(&h, &again, sizeof h) == 0);
    }
    ki_zmq_place place;
    if (ki_zmq_place_parse(&place, (const char *) data, size, NULL) == 0) {
        char text[ZMQ_PLACE_MAX + 1], endpoint[ZMQ_ENDPOINT_SIZE];
        ki_zmq_place back;
        ki_zmq_place_text(&place, text);
        ki_zmq_place_live(&place, endpoint);
        ki_zmq_place_sync(&place, endpoint);
        CHECK(ki_zmq_place_parse(&back, text, strlen(text), NULL) == 0);
        CHECK(ki_zmq_place_same(&place, &back));
    }
    bool here;
    uint32_t generation;
    kith_address subject;
    (void) !ki_zmq_mark_read(data, size, &here, name, &generation);
    if (ki_zmq_topic_read((const char *) data, size, &subject)) {
        char topic[ZMQ_TOPIC_MAX];
        CHECK(ki_zmq_topic_write(subject.subject, topic) == size);
        CHECK(memcmp(topic, data, size) == 0);
    }
    return 0;
}
