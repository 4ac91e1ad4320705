/* SPDX-License-Identifier: Apache-2.0 */
/* Any frames at any time: check() inside the machine is the judge. */
#include "sync/sync.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ki_sync s;
    uint64_t now_ns = 0;
    ki_sync_init(&s, 7, 1, NULL);
    while (size > 2) {
        size_t length = data[0] + (data[1] & 1u) * 256u;
        now_ns += (uint64_t) data[1] * 10000000u;
        data += 2;
        size -= 2;
        length = length > size ? size : length;
        ki_sync_wish wish;
        uint8_t frame[SYNC_FRAME_MAX];
        if (length == KITH_ID_SIZE) {
            ki_sync_seen(&s, data);
        }
        (void) !ki_sync_take(&s, data, length, now_ns, &wish);
        for (int i = 0; i < 8 && ki_sync_give(&s, size, now_ns, frame) > 0; i++) {
        }
        data += length;
        size -= length;
    }
    return 0;
}
