/* SPDX-License-Identifier: Apache-2.0 */
/* The fingerprint follows from the problem alone. */
#include "base/hash.h"

#include <kith/address.h>

#include "test.h"

static void agrees_with_the_published_vector(void) {
    uint8_t id[KITH_TEMPLATE_SIZE] = { 0 }, f[KITH_FINGERPRINT_SIZE];
    char hex[65];
    EXPECT_INT(kith_address_fingerprint(id, "iot.hvac.energy-anomaly", f), 0);
    ki_hex(f, sizeof f, hex);
    EXPECT(strcmp(hex,
               "46bf46922da6945ce08445459e1e4dcace37e1a3f4d17b773399de875843c807") == 0);
}

static void seedbug_33_it_is_a_hash_of_every_token(void) {
    uint8_t id[KITH_TEMPLATE_SIZE] = { 0 }, a[KITH_FINGERPRINT_SIZE],
            b[KITH_FINGERPRINT_SIZE];
    static const char *const others[] = { "a.b.c", "ab.c", "a.bc", "abc", "b.a.c", "a.b" };
    EXPECT_INT(kith_address_fingerprint(id, others[0], a), 0);
    for (size_t i = 1; i < sizeof others / sizeof *others; i++) {
        EXPECT_INT(kith_address_fingerprint(id, others[i], b), 0);
        EXPECT(memcmp(a, b, sizeof a) != 0);
    }
    id[15] = 1;
    EXPECT_INT(kith_address_fingerprint(id, others[0], b), 0);
    EXPECT(memcmp(a, b, sizeof a) != 0);
}

static void refuses_what_is_no_subject(void) {
    uint8_t id[KITH_TEMPLATE_SIZE] = { 0 }, f[KITH_FINGERPRINT_SIZE] = { 7 };
    EXPECT_INT(kith_address_fingerprint(id, "a.*", f), KITH_E_ARG);
    EXPECT_INT(f[0], 7);
}

static const test_case cases[] = {
    { "agrees_with_the_published_vector", agrees_with_the_published_vector },
    { "seedbug_33_it_is_a_hash_of_every_token", seedbug_33_it_is_a_hash_of_every_token },
    { "refuses_what_is_no_subject", refuses_what_is_no_subject },
};
TEST_MAIN(cases)
