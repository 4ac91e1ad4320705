/* SPDX-License-Identifier: Apache-2.0 */
/* The fingerprint of a problem: a hash in which every part stands behind its
 * length, so that ("a.b","c") and ("a","b.c") can never meet. */
#include "base/check.h"
#include "base/hash.h"
#include "base/wire.h"

#include <kith/address.h>

#include <string.h>

/* The number of tokens of a valid subject. */
static uint8_t tokens(const char *subject) {
    uint8_t n = 1;
    for (; *subject != '\0'; subject++) {
        n = (uint8_t) (n + (*subject == '.'));
    }
    CHECK(n <= KITH_TOKENS_MAX);
    return n;
}

int kith_address_fingerprint(const uint8_t template_id[KITH_TEMPLATE_SIZE],
    const char *subject, uint8_t ret_fingerprint[KITH_FINGERPRINT_SIZE]) {
    CHECK(template_id != NULL);
    CHECK(ret_fingerprint != NULL);
    if (!kith_subject_valid(subject)) {
        return KITH_E_ARG;
    }
    uint8_t number[5];
    ki_sha256 h;
    ki_sha256_init(&h);
    ki_sha256_add(&h, "kith-address-1", 14);
    ki_sha256_add(&h, &(uint8_t){ KITH_TEMPLATE_SIZE }, 1);
    ki_sha256_add(&h, template_id, KITH_TEMPLATE_SIZE);
    wire_put32(number, KITH_FINGERPRINT_VERSION);
    number[4] = tokens(subject);
    ki_sha256_add(&h, number, sizeof number);
    for (;;) {
        size_t n = strcspn(subject, ".");
        CHECK(n >= 1);
        CHECK(n <= KITH_SUBJECT_MAX);
        ki_sha256_add(&h, &(uint8_t){ (uint8_t) n }, 1);
        ki_sha256_add(&h, subject, n);
        if (subject[n] == '\0') break;
        subject += n + 1;
    }
    ki_sha256_done(&h, ret_fingerprint);
    return 0;
}
