/* SPDX-License-Identifier: Apache-2.0 */
/* No function of packets and addresses allocates. */
#include "packet/samples.h"

#include <kith/address.h>
#include <kith/key.h>

#include "alloc.h"
#include "test.h"

static void the_whole_life_of_a_packet_allocates_nothing(void) {
    uint64_t dice = 71;
    kith_key *key = NULL;
    EXPECT_INT(kith_key_from_seed(&key, (const uint8_t[32]){ 1 }, NULL), 0);
    size_t before = alloc_count();
    for (int i = 0; i < 200; i++) {
        kith_packet p;
        kith_field rows[KITH_FIELDS_MAX];
        size_t total;
        uint8_t id[KITH_ID_SIZE];
        kith_content c = sample_content(&dice), back;
        (void) kith_packet_fields(&c, rows, KITH_FIELDS_MAX, &total);
        if (kith_packet_seal(&c, key, &p) < 0) continue;
        EXPECT_INT(kith_packet_decode(p.bytes, p.length, &back), 0);
        EXPECT_INT(kith_packet_decode(p.bytes, p.length - 1u, &back), KITH_R_LENGTH);
        EXPECT_INT(kith_packet_verify(&p), 0);
        EXPECT(kith_subject_matches(">", c.address.subject) || *c.address.subject == '_');
        EXPECT_INT(kith_address_fingerprint(c.template_id, c.address.subject, id), 0);
        kith_packet_id(&p, id);
        kith_keyid(c.source, id);
    }
    EXPECT_INT(alloc_count() - before, 0);
    void *volatile one = malloc(1);
    free(one);
    EXPECT_INT(alloc_count() - before, 1); /* the counter is awake */
    kith_key_free(&key);
}

static const test_case cases[] = {
    { "the_whole_life_of_a_packet_allocates_nothing",
        the_whole_life_of_a_packet_allocates_nothing },
};
TEST_MAIN(cases)
