/* SPDX-License-Identifier: Apache-2.0 */
/* Any name and any path in a shared folder. What is taken for ours comes back the
 * same, letter by letter. */
#include "carrier/dir/name.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = calloc(1, size + 1), back[DIR_PATH_SIZE], subject[KITH_SUBJECT_MAX + 1];
    uint8_t id[DIR_ID_SIZE], shard = 0;
    if (text == NULL) {
        return 0;
    }
    if (size > 0) memcpy(text, data, size);
    if (ki_dir_kind(text, id) == DIR_PACKET) {
        ki_dir_name(id, back);
        if (strcmp(back, text) != 0) abort();
    }
    if (ki_dir_unpath(text, subject)) {
        const char *hex = "0123456789abcdef";
        const char *last = strrchr(text, '/') + 1;
        shard =
            (uint8_t) ((strchr(hex, last[0]) - hex) << 4 | (strchr(hex, last[1]) - hex));
        ki_dir_path(subject, shard, back);
        if (strcmp(back, text) != 0) abort();
    }
    free(text);
    return 0;
}
