/* SPDX-License-Identifier: Apache-2.0 */
/* Any query for a table with a row of each type. What is taken lies within its row,
 * and what is shown of it is taken again as the same; what is refused has words. */
#include "base/check.h"

#include <kith/option.h>

#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct sample {
    int64_t count, wait_ns, size;
    double rate;
    int mode;
    bool on;
    char name[41];
} sample;

static const kith_option table[] = {
    { "count", KITH_OPTION_INT, offsetof(sample, count), -9, 65536, "7", NULL, "" },
    { "wait", KITH_OPTION_TIME, offsetof(sample, wait_ns), 0, INT64_MAX, "250ms", NULL,
        "" },
    { "size", KITH_OPTION_BYTES, offsetof(sample, size), 0, INT64_MAX, "4KiB", NULL, "" },
    { "rate", KITH_OPTION_REAL, offsetof(sample, rate), -1, 100, "0.5", NULL, "" },
    { "mode", KITH_OPTION_ONE, offsetof(sample, mode), 0, 2, "slow", "slow|fast|mad", "" },
    { "on", KITH_OPTION_BOOL, offsetof(sample, on), 0, 1, "no", NULL, "" },
    { "name", KITH_OPTION_TEXT, offsetof(sample, name), 0, 40, "", NULL, "" },
    { .name = NULL },
};

static void lies_within(const sample *s) {
    CHECK(s->count >= -9);
    CHECK(s->count <= 65536);
    CHECK(s->wait_ns >= 0);
    CHECK(s->size >= 0);
    CHECK(isfinite(s->rate));
    CHECK(fabs(s->rate) <= 100);
    CHECK(s->mode >= 0);
    CHECK(s->mode <= 2);
    CHECK(strnlen(s->name, sizeof s->name) <= 40);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char query[1500], shown[64];
    sample s, again;
    kith_error err = { 0 };
    memset(&s, 0, sizeof s);
    memset(&again, 0, sizeof again);
    size = size < sizeof query ? size : sizeof query - 1;
    memcpy(query, data, size);
    query[size] = '\0';
    int r = kith_option_query(table, &s, query, &err);
    CHECK((r == 0) == (err.text[0] == '\0'));
    if (r < 0) return 0;
    lies_within(&s);
    for (const kith_option *o = table; o->name != NULL; o++) {
        size_t n = kith_option_show(o, &s, shown, sizeof shown);
        CHECK(n == strlen(shown));
        CHECK(kith_option_set(table, &again, o->name, shown, &err) == 0);
    }
    CHECK(strcmp(s.name, again.name) == 0);
    memcpy(again.name, s.name, sizeof s.name); /* what stands behind the end */
    CHECK(memcmp(&s, &again, sizeof s) == 0);
    return 0;
}
