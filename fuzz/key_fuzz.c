/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a key file: a key has one text, and nothing else is a key. */
#include "base/check.h"
#include "security/key.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char again[KEY_FILE_SIZE];
    kith_error err = { 0 };
    kith_key *key = ki_key_parse((const char *) data, size, &err);
    if (key == NULL) {
        CHECK(err.code == KITH_E_CORRUPT);
        CHECK(err.text[0] != '\0');
        return 0;
    }
    ki_key_format(key, again);
    CHECK(size == sizeof again);
    CHECK(memcmp(again, data, sizeof again) == 0);
    kith_key_free(&key);
    return 0;
}
