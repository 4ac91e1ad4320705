/* SPDX-License-Identifier: Apache-2.0 */
/* A row of the ledger as a damaged file gives it back: bytes, and a name. */
#include "store/ledger.h"

#include "base/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ki_account a, next;
    kith_account shown;
    char name[KITH_STATE_NAME_MAX + 1];
    if (ki_account_parse(data, size, &a) == 0) {
        uint8_t again[LEDGER_BYTES];
        ki_account_format(&a, again);
        CHECK(memcmp(again, data, sizeof again) == 0);
        kith_debit debit = { .records = "a", .subject = "b", .rho = 1 + a.limit / 2 };
        ki_ledger_op op = { .records = "a", .debit = &debit, .now_us = a.last_us };
        uint64_t spent = a.spent;
        int r = ki_account_spend(&a, &op, a.life, &next, NULL);
        CHECK(r == 0 || r == KITH_E_SPENT);
        CHECK(r != 0 || (next.spent <= next.limit && next.ever == a.ever + debit.rho));
        CHECK(a.spent == spent);
        ki_account_show(&a, &a, ~a.life, INT64_MAX, &shown);
        CHECK(shown.locked);
    }
    size_t n = size < sizeof name - 1 ? size : sizeof name - 1;
    memcpy(name, data, n);
    name[n] = '\0';
    if (ki_ledger_read_name(name, &shown)) {
        char back[LEDGER_NAME];
        kith_debit debit = { .records = shown.records, .subject = shown.subject };
        memcpy(debit.template_id, shown.template_id, sizeof debit.template_id);
        if (shown.subject[0] == '\0') {
            ki_account_name(shown.records, back);
        } else {
            ki_share_name(&debit, back);
        }
        CHECK(strcmp(back, name) == 0);
    }
    return 0;
}
