/* SPDX-License-Identifier: Apache-2.0 */
/* Any --format for a record with a field of each kind: it is refused with words, or
 * printed without a bound being passed. */
#include "base/check.h"
#include "cli/format.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const double values[] = { 1, -2.5 };
    char format[300], *shown = NULL, *told = NULL;
    size_t shown_length = 0, told_length = 0;
    size = size < sizeof format ? size : sizeof format - 1;
    memcpy(format, data, size);
    format[size] = '\0';
    record r = record_of("sample");
    (void) put_text(&r, "t", "a\tb\x1b[31m");
    (void) put_real(&r, "r", -1e300);
    (void) put_int(&r, "i", INT64_MIN);
    (void) put_count(&r, "c", UINT64_MAX);
    (void) put_bool(&r, "b", true);
    (void) put_time(&r, "w", INT64_C(1763640000000000));
    (void) put_hex(&r, "h", (const uint8_t *) "\xff\x01", 2);
    (void) put_reals(&r, "l", values, 2);
    (void) put_absent(&r, "n");
    out o = { .to = open_memstream(&shown, &shown_length),
        .err = open_memstream(&told, &told_length),
        .format = format };
    CHECK(o.to != NULL);
    CHECK(o.err != NULL);
    bool fine = format_record(&o, &r);
    CHECK(fclose(o.to) == 0);
    CHECK(fclose(o.err) == 0);
    CHECK(fine == (told_length == 0));
    CHECK(shown_length <= size * 1024); /* a width is at most some hundred */
    free(shown);
    free(told);
    return 0;
}
