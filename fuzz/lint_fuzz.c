/* SPDX-License-Identifier: Apache-2.0 */
/* Free text of any bytes: what is found lies inside, and stands alone as badly. */
#include <kith/privacy.h>

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1); /* exact, so that reading beyond is seen */
    size_t at = 0, n = 0, at2 = 0, n2 = 0;
    if (text == NULL) return 0;
    char *exact = text + 1;
    memcpy(exact, data, size);
    kith_lint found = kith_text_lint(exact, size, &at, &n);
    CHECK((found == KITH_LINT_FINE) == (kith_lint_words(found) == NULL));
    CHECK((found == KITH_LINT_FINE) == (n == 0));
    CHECK(at + n <= size);
    CHECK(kith_text_lint(exact, at, &at2, &n2) == KITH_LINT_FINE); /* it was the first */
    if (found != KITH_LINT_FINE && found != KITH_LINT_TIME && found != KITH_LINT_SERIES) {
        CHECK(kith_text_lint(exact + at, n, &at2, &n2) == found);
    }
    free(text);
    return 0;
}
