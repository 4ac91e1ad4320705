/* SPDX-License-Identifier: Apache-2.0 */
/* "pattern NUL subject": the fast code and the naive one see the same thing. */
#include "address/naive.h"
#include "address/subject.h"
#include "base/check.h"

#include <kith/address.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t none[KITH_TEMPLATE_SIZE];
    char text[600] = { 0 };
    uint8_t fingerprint[KITH_FINGERPRINT_SIZE];
    memcpy(text, data, size < sizeof text - 20 ? size : sizeof text - 20);
    const char *pattern = text, *subject = text + strlen(text) + 1;
    bool valid = naive_subject(subject);
    CHECK(kith_subject_valid(subject) == valid);
    CHECK((kith_subject_fault(subject, false) == NULL) == valid);
    CHECK(ki_subject_ok((const uint8_t *) subject, strlen(subject)) == valid);
    CHECK(kith_pattern_valid(pattern) == naive_pattern(pattern));
    CHECK((kith_subject_fault(pattern, true) == NULL) == naive_pattern(pattern));
    CHECK(kith_subject_matches(pattern, subject) == naive_matches(pattern, subject));
    int want = valid ? 0 : KITH_E_ARG;
    CHECK(kith_address_fingerprint(none, subject, fingerprint) == want);
    return 0;
}
