/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a packet of seed 1: what is taken and fits again is read again as the
 * same; what is refused has a counter and leaves its output alone. */
#include "base/check.h"

#include <kith/legacy.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void refused(int code) {
    CHECK(kith_legacy_counter(code) != NULL);
    CHECK(kith_legacy_words(code) != NULL);
}

static void taken(const kith_seed1 *p) {
    char text[KITH_SEED1_LENGTH_MAX + 1], twice[KITH_SEED1_LENGTH_MAX + 1];
    char subject[KITH_SEED1_TOPIC_MAX + 1];
    static kith_seed1 back;
    kith_content content;
    int r = kith_seed1_content(p, &content);
    if (r < 0) refused(r);
    int n = kith_seed1_encode(p, text);
    if (n < 0) {
        CHECK(n == KITH_L_ROOM); /* escapes may take more than it had */
        return;
    }
    CHECK((size_t) n == strlen(text));
    CHECK(kith_seed1_subject(p, subject) == 0);
    CHECK(kith_seed1_decode(subject, strlen(subject), text, (size_t) n, &back) == 0);
    CHECK(kith_seed1_encode(&back, twice) == n);
    CHECK(memcmp(text, twice, (size_t) n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static kith_seed1 p, was;
    memset(&p, 0x5a, sizeof p);
    memset(&was, 0x5a, sizeof was);
    int r = kith_seed1_decode(NULL, 0, (const char *) data, size, &p);
    if (r == 0) {
        taken(&p);
    } else {
        refused(r);
        CHECK(memcmp(&p, &was, sizeof p) == 0);
    }
    return 0;
}
