/* SPDX-License-Identifier: Apache-2.0 */
/* Any two frames as a packet of seed 0, and any bytes as its store's reply: what is
 * taken is written again bit by bit (but for the reserved number), and what is
 * refused has a counter and leaves its output alone. */
#include "base/check.h"

#include <kith/legacy.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void refused(int code) {
    CHECK(kith_legacy_counter(code) != NULL);
    CHECK(kith_legacy_words(code) != NULL);
}

static void taken(const kith_seed0 *p, const uint8_t *payload, size_t length) {
    kith_seed0_frames f;
    kith_seed0 again;
    kith_content content;
    char text[KITH_SEED0_REPLY_MAX];
    kith_seed0 rows[KITH_SEED0_ROWS_MAX];
    CHECK(kith_seed0_encode(p, &f) == 0);
    CHECK(f.payload_length == length);
    CHECK(memcmp(f.payload, payload, 20) == 0);
    CHECK(memcmp(f.payload + 28, payload + 28, length - 28) == 0);
    CHECK(kith_seed0_decode(f.topic, f.topic_length, f.payload, length, &again) == 0);
    CHECK(kith_seed0_content(p, &content) == 0);
    CHECK(content.t_end_us > 0);
    int n = kith_seed0_reply(p, 1, true, text);
    CHECK(n > 0);
    CHECK(kith_seed0_read_reply(text, (size_t) n, rows) == 1);
    CHECK(strcmp(rows[0].node_id, p->node_id) == 0);
    CHECK(rows[0].timestamp == p->timestamp);
}

static void as_frames(const uint8_t *data, size_t size) {
    size_t topic = data[0] < size ? data[0] : size - 1;
    const uint8_t *payload = data + 1 + topic;
    size_t length = size - 1 - topic;
    kith_seed0 p, was;
    memset(&p, 0x5a, sizeof p);
    memset(&was, 0x5a, sizeof was);
    int r = kith_seed0_decode((const char *) data + 1, topic, payload, length, &p);
    if (r == 0) {
        taken(&p, payload, length);
    } else {
        refused(r);
        CHECK(memcmp(&p, &was, sizeof p) == 0);
        if (kith_seed0_decode(NULL, 0, payload, length, &p) == 0) {
            taken(&p, payload, length);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    kith_seed0 rows[KITH_SEED0_ROWS_MAX];
    int n = kith_seed0_read_reply((const char *) data, size, rows);
    if (n < 0) refused(n);
    if (size > 0) as_frames(data, size);
    return 0;
}
