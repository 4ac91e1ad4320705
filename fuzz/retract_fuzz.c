/* SPDX-License-Identifier: Apache-2.0 */
/* Any text of a stranger's RETRACT. The target it names, if it names one, is a
 * place that a packet can have, and a retraction of it names the same. */
#include "base/check.h"

#include <kith/store.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    kith_content content = { .type = KITH_RETRACT, .has = KITH_HAS_TEXT }, again;
    uint64_t epoch = 7, seq = 7;
    size = size < sizeof content.text ? size : sizeof content.text;
    size = size <= UINT8_MAX ? size : UINT8_MAX;
    memcpy(content.text, data, size);
    content.text_length = (uint8_t) size;
    if (!kith_retraction_target(&content, &epoch, &seq)) {
        CHECK(epoch == 7);
        CHECK(seq == 7);
        return 0;
    }
    CHECK(epoch >= 1);
    CHECK(epoch <= INT64_MAX);
    CHECK(seq <= INT64_MAX);
    kith_content target = { .type = KITH_LEAF, .epoch = epoch, .seq = seq };
    uint64_t epoch2 = 0, seq2 = 0;
    CHECK(kith_retraction_of(&target, NULL, &again) == 0);
    CHECK(kith_retraction_target(&again, &epoch2, &seq2));
    CHECK(epoch2 == epoch);
    CHECK(seq2 == seq);
    CHECK(memcmp(content.text, again.text, again.text_length) == 0);
    return 0;
}
