/* SPDX-License-Identifier: Apache-2.0 */
/* store/ledger.h - an account as bytes of small state, and what changes it.
 *
 * Rows are small state whose names begin with "ledger:", which kith_store_save refuses:
 *
 *   ledger:RECORDS                     the account
 *   ledger:RECORDS!SUBJECT!TEMPLATE    its share by subject; template in hex; "!" stands
 *                                      before all that names are made of
 *
 *   OFFSET SIZE MEANING
 *        0    8 "kithled1"
 *        8    8 limit            24 8 ever      40 8 life      56 8 period's number
 *       16    8 spent            32 8 debits    48 8 period    64 8 begin   72 8 last
 *
 * All big endian; times in microseconds. `life` is that of the store when the row was
 * written; a row of another life may be older than what was spent. Pure functions: the
 * engine calls them inside its transaction, perhaps more than once. */
#ifndef STORE_LEDGER_H
#define STORE_LEDGER_H

#include <kith/ledger.h>

#define LEDGER_PREFIX "ledger:"
#define LEDGER_END    "ledger;" /* behind all that begins with the prefix */
#define LEDGER_BYTES  80
#define LEDGER_NAME   (sizeof LEDGER_PREFIX + KITH_RECORDS_MAX + KITH_SUBJECT_MAX + 36)

typedef struct ki_account {
    uint64_t limit, spent, ever, debits, life, number;
    int64_t period_us, begin_us, last_us;
} ki_account;

typedef struct ki_ledger_op {
    bool grant; /* else a debit */
    const char *records;
    const kith_debit *debit;
    uint64_t limit;
    int64_t period_us, now_us;
} ki_ledger_op;

void ki_account_format(const ki_account *a, uint8_t ret[LEDGER_BYTES]);
/* KITH_E_CORRUPT: it is none. */
int ki_account_parse(const void *bytes, size_t length, ki_account *ret);

/* The account after a grant; was NULL: there was none, or it was damaged. */
void ki_account_grant(
    const ki_account *was, const ki_ledger_op *op, uint64_t life, ki_account *ret);
/* KITH_E_SPENT, with the reason. was NULL: nothing was granted. */
int ki_account_spend(const ki_account *was, const ki_ledger_op *op, uint64_t life,
    ki_account *ret, kith_error *err);
/* The same for the share of a subject, in step with its account. */
void ki_share_spend(
    const ki_account *was, const ki_account *account, uint64_t rho, ki_account *ret);

/* Names of the two rows. */
void ki_account_name(const char *records, char ret[LEDGER_NAME]);
void ki_share_name(const kith_debit *debit, char ret[LEDGER_NAME]);
/* The other way round. false: no name of ours. */
bool ki_ledger_read_name(const char *name, kith_account *ret);
/* As it is at a time: over when a new period has begun. of: its account. */
void ki_account_show(const ki_account *a, const ki_account *of, uint64_t life,
    int64_t now_us, kith_account *ret);

#endif
