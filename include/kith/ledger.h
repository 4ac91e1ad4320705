/* SPDX-License-Identifier: Apache-2.0 */
/* kith/ledger.h - what privacy was spent, kept in the store.
 *
 * One account for each set of records: all subjects that are fed by the same people share
 * it, for what they say adds up. An account begins with a grant, by hand; nothing is
 * spent before.
 *
 *   records ──► release ──► debit, on disk ──► noise ──► packet, on disk ──► carriers
 *
 * A crash between two of these costs budget and shows nothing. A packet that is there may
 * be sent, stored and asked for again: its noise is drawn, it costs nothing more. New
 * noise for the same records costs anew.
 *
 * Any thread of any process that shares the store may spend; together they never spend
 * more than was granted. Time comes as an argument; a clock set back gives nothing back.
 * An account from another life of the store (a restored backup, what was salvaged from a
 * damaged file) is locked until it is granted again. A store in memory keeps none. */
#ifndef KITH_LEDGER_H
#define KITH_LEDGER_H

#include <kith/privacy.h>
#include <kith/store.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_RECORDS_MAX 64 /* bytes of an account's name, written like a subject */
#define KITH_GRANT_MAX   (UINT64_C(1) << 56) /* rho 65536 in KITH_RHO_ONE */

typedef struct kith_account {
    char records[KITH_RECORDS_MAX + 1];
    char subject[KITH_SUBJECT_MAX + 1]; /* "": the account; else its share by subject */
    uint8_t template_id[KITH_TEMPLATE_SIZE];
    uint64_t limit;    /* rho in KITH_RHO_ONE; of the account */
    uint64_t spent;    /* since it was granted or renewed */
    uint64_t ever;     /* in all periods together: what was said cannot be unsaid */
    uint64_t debits;   /* ever */
    int64_t renews_us; /* 0: never */
    int64_t last_us;   /* the latest time at which it was spent */
    bool locked;
} kith_account;

/* Gives an account its limit for each period, or for ever with period 0, and unlocks it.
 * What was spent stays spent, unless the period is a new one. A limit below what was
 * spent leaves nothing. Renewing promises only that nobody is in two periods, or that the
 * limit holds for each of them: else `ever` is what was spent. */
KITH_API KITH_MUST_USE int kith_ledger_grant(kith_store *store, const char *records,
    uint64_t limit, int64_t period_us, int64_t now_us, kith_error *err);

typedef struct kith_debit {
    const char *records, *subject;
    uint8_t template_id[KITH_TEMPLATE_SIZE];
    uint64_t rho; /* in KITH_RHO_ONE, above 0 */
    int64_t now_us;
} kith_debit;
/* 0: it is on disk, and counts whatever happens now. KITH_E_SPENT: too little is left,
 * nothing was granted, or the account is locked; nothing has changed. *ret, which may be
 * NULL, is the account afterwards. */
KITH_API KITH_MUST_USE int kith_ledger_spend(
    kith_store *store, const kith_debit *debit, kith_account *ret, kith_error *err);

/* Every account, each followed by its subjects; calls each(ctx, account). KITH_STOP ends it. */
KITH_API KITH_MUST_USE int kith_ledger_each(kith_store *store, int64_t now_us,
    int (*each)(void *ctx, const kith_account *account), void *ctx, kith_error *err);

/* Pays, draws, posts: post->content has subject, template, times and, if need be, a
 * context, which is public; effect, variance and price come from the release, which is
 * emptied. KITH_EMPTY: fewer records than n_min. KITH_R_PRIVACY: a text or a conclusion,
 * which nobody has paid for. Other refusals and KITH_E_SPENT: nothing was spent. An error
 * of the store after that costs budget; then post->content is the packet to be posted
 * again, for nothing, when its has is not 0. */
KITH_API KITH_MUST_USE int kith_ledger_post(kith_store *store, const kith_key *key,
    const char *records, kith_release *release, kith_post *post, kith_time now,
    kith_error *err);

#ifdef __cplusplus
}
#endif
#endif
