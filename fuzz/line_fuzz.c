/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a line of `kith post SUBJECT -`. What is refused is refused with a
 * reason; what is taken can be sealed, or breaks a range that has a name. */
#include "base/check.h"
#include "cli/evidence.h"

#include <kith/key.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_US INT64_C(1763640000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static kith_key *key;
    static const uint8_t seed[32] = { 1 };
    kith_error err;
    post_flags flags;
    kith_content content;
    kith_packet packet;
    uint64_t given = 0;
    char why[WHY_MAX] = "";
    if (key == NULL) CHECK(kith_key_from_seed(&key, seed, &err) == 0);
    memset(&flags, 0, sizeof flags);
    CHECK(kith_option_presets(encode_rows, &flags, &err) == 0);
    int bad = evidence_line((const char *) data, size, &flags, &given, why);
    CHECK((bad == 0) == (why[0] == '\0'));
    if (bad != 0) return 0;
    bad = evidence_content(&flags, given, "a.b", NOW_US, &content, why);
    CHECK((bad == 0) == (why[0] == '\0'));
    if (bad != 0) return 0;
    content.epoch = 1;
    int r = kith_packet_seal(&content, key, &packet);
    CHECK(r == 0 || kith_refusal_words(r) != NULL);
    return 0;
}
