/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged files as salvage meets them: a page, a log, an epoch file. Whatever comes
 * out must have the form it claims. */
#include "store/epoch.h"
#include "store/leaf.h"
#include "store/log.h"
#include "store/vfs.h"

#include "base/check.h"

static int look(void *ctx, const ki_leaf_row *row) {
    size_t *rows = ctx;
    CHECK(row->packet.length >= 1 && row->packet.length <= KITH_PACKET_MAX);
    (*rows)++;
    return 0;
}

static int frame(void *ctx, uint32_t number, const uint8_t *page, bool chained) {
    (void) number, (void) chained;
    return ki_leaf_rows(page, PAGE_SIZE, look, ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t rows = 0;
    ki_epoch epoch = { 0 };
    ki_log log;
    (void) ki_leaf_rows(data, size, look, &rows);
    CHECK(rows <= size);
    (void) ki_log_parse(data, size, &log, frame, &rows);
    CHECK(log.committed <= log.valid && log.valid <= log.frames);
    if (ki_epoch_parse(data, size, &epoch) == 0) {
        uint8_t again[EPOCH_FILE_SIZE];
        ki_epoch back;
        ki_epoch_format(&epoch, again);
        CHECK(ki_epoch_parse(again, sizeof again, &back) == 0);
        CHECK(back.epoch == epoch.epoch && back.generation == epoch.generation);
    }
    return 0;
}
