/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration file. What is taken stands in the file, letter by
 * letter: nothing is cut and nothing runs into the next line. What is refused is
 * refused with a reason, and changes nothing. */
#include "base/check.h"
#include "cli/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void whole(const setting *one, const uint8_t *data, size_t size) {
    size_t n = strlen(one->value);
    CHECK(n == 0 || memmem(data, size, one->value, n) != NULL);
    CHECK(memmem(data, size, one->key, strlen(one->key)) != NULL);
    CHECK(strncmp(one->origin, "file:", 5) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char why[512] = "";
    settings *s = calloc(1, sizeof *s);
    if (s == NULL) return 0;
    bool good = settings_text(s, "file", (const char *) data, size, why, sizeof why);
    CHECK(good == (why[0] == '\0'));
    CHECK(good || s->count == 0);
    for (size_t i = 0; i < s->count; i++) {
        bool named;
        size_t room = 0;
        const setting *one = &s->list[i];
        whole(one, data, size);
        CHECK(section_rows(one->section, &named, &room) != NULL);
        void *read_out = calloc(1, room);
        if (read_out != NULL) settings_read(s, one->section, one->name, read_out);
        free(read_out);
    }
    settings_free(&s);
    return 0;
}
